"""SQuAD 2.0, a passage and a question that it may not answer (arXiv:1806.03822): words in common with an answer (F1).

The prompt is that of lm-evaluation-harness. A question without an answer is right where nothing is answered or
"unanswerable"; the harness counts only the empty answer. The chat form says so, for nothing else would tell a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, field, read, text_field, written_item

VALIDATION = Source(
    place="squad_v2/validation",
    columns=("title", "context", "question", "answers"),
    repo="lighteval/squad_v2",
    split="validation",
)
IN_CHAT = "Answer with a few words of the background, or with the word unanswerable if it does not say.\n\n"


def items(folder: Path) -> list[Item]:
    """The validation questions."""
    made = []
    for number, row in enumerate(read(folder, VALIDATION)):
        where = f"squad_v2, row {number + 1}"
        prompt = (
            f"Title: {text_field(row, 'title', where)}\n\nBackground: {text_field(row, 'context', where)}\n\n"
            f"Question: {text_field(row, 'question', where)}\n\nAnswer:"
        )
        item = written_item(
            id=str(row.get("id", number)),
            skill="squad_v2",
            prompt=prompt,
            answer=_answers(field(row, "answers", where), where),
            rule="squad",
            stops=["\n"],
            metric="credit",
            max_new_tokens=64,
        )
        made.append(replace(item, messages=[{"role": "user", "content": IN_CHAT + prompt}]))
    return made


def _answers(answers: object, where: str) -> list[str]:
    if not isinstance(answers, Mapping) or "text" not in answers:
        raise InputError("a row's `answers` have no `text`", where=where)
    return [str(text) for text in answers["text"]]
