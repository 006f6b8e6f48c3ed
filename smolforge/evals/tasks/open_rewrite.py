"""OpenRewriteEval, texts to be rewritten as asked (arXiv:2305.15685): overlap with a person's rewriting (ROUGE-L).

The score is the mean over all texts, whatever their task ("micro-averaged"), as SmolLM2 reports it.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, overlap_item, read, text_field

TEXTS = Source(
    place="open_rewrite/test",
    columns=("source", "target", "comment"),
    repo="gabrielmbmb/OpenRewriteEval",
    split="train",
)
MAX_NEW_TOKENS = 512


def items(folder: Path) -> list[Item]:
    """The texts, each with what is asked of it."""
    made = []
    for number, row in enumerate(read(folder, TEXTS)):
        where = f"open_rewrite, row {number + 1}"
        asked = f"{text_field(row, 'comment', where)}\n\n{text_field(row, 'source', where)}"
        made.append(
            overlap_item(
                id=f"open_rewrite-{number}",
                skill="open_rewrite",
                asked=asked,
                lead="Rewritten:",
                answer=text_field(row, "target", where),
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made
