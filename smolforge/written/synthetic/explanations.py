"""How things work, in ideas that follow each other: each topic is a row of ideas, each idea said in several ways."""

from __future__ import annotations

from smolforge.written.files import cells, lines, texts

EXPLANATIONS = {
    topic: tuple(cells(idea, " / ") for idea in lines(text)) for topic, text in texts("explanations").items()
}
