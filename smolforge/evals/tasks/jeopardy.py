"""Jeopardy, quiz clues (the set of the Mosaic evaluation gauntlet): ten worked clues, then the whole answer token by token.

The ten examples are the first clue of each of ten places spread evenly over the file; they are not scored.
"""

from __future__ import annotations

from pathlib import Path

from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, greedy_item, read, text_field

CLUES = Source(place="core/jeopardy_all", columns=("context", "continuation"))
SHOTS = 10


def items(folder: Path) -> list[Item]:
    """The clues, named by their category."""
    rows = read(folder, CLUES)
    taught = {place * len(rows) // SHOTS for place in range(min(SHOTS, len(rows)))}
    examples = "".join(
        f"{text_field(rows[n], 'context', 'jeopardy')}\nAnswer: {text_field(rows[n], 'continuation', 'jeopardy')}\n\n"
        for n in sorted(taught)
    )
    made = []
    for number, row in enumerate(rows):
        if number not in taught:
            where = f"jeopardy, row {number + 1}"
            prompt = f"{examples}{text_field(row, 'context', where)}\nAnswer:"
            answer = text_field(row, "continuation", where)
            made.append(greedy_item(id=f"jeopardy-{number}", skill="jeopardy", prompt=prompt, answer=answer))
    return made
