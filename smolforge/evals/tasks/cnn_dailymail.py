"""CNN/DailyMail, news to be summarised (arXiv:1704.04368): overlap with the highlights of the article (ROUGE-L).

Nothing is published of SmolLM2 here. Articles are given whole: about 800 tokens on the average, 2,500 at the most.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, overlap_item, read, text_field

TEST = Source(
    place="cnn_dailymail/test",
    columns=("article", "highlights"),
    repo="abisee/cnn_dailymail",
    subsets=("3.0.0",),
)
ASK = "Summarize this article in three or four sentences.\n\n"
MAX_NEW_TOKENS = 160


def items(folder: Path) -> list[Item]:
    """The test articles."""
    made = []
    for number, row in enumerate(read(folder, TEST)):
        where = f"cnn_dailymail, row {number + 1}"
        made.append(
            overlap_item(
                id=f"cnn_dailymail-{row.get('id', number)}",
                skill="cnn_dailymail",
                asked=ASK + text_field(row, "article", where),
                lead="Summary:",
                answer=text_field(row, "highlights", where),
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made
