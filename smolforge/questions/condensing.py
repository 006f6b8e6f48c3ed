"""What documents state, told without the rest: their facts' sentences under the headings they stand under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smolforge.questions.declaring import is_declared, told_together
from smolforge.questions.fact import Fact


def condensed(facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    """(document, text), in the order of the documents' ids; each sentence once, whatever was asked of it."""
    by_source: dict[str, list[Fact]] = {}
    for fact in facts:
        by_source.setdefault(fact.source, []).append(fact)
    for source in sorted(by_source):
        yield source, _text(by_source[source])


def _text(facts: Sequence[Fact]) -> str:
    title = next((fact.title for fact in facts if fact.title), "")
    sections: dict[str, dict[str, None]] = {}
    for fact in sorted(facts, key=lambda fact: (fact.heading, fact.id)):
        if not is_declared(fact):
            is_cell = fact.kind == "field" and fact.subject
            line = f"{fact.subject}: {fact.sentence}" if is_cell else fact.sentence
            sections.setdefault(fact.heading, {})[line] = None
    parts = [f"# {title}"] if title else []
    declared = told_together(filter(is_declared, facts))
    parts += [" ".join(declared)] if declared else []
    for heading, lines in sections.items():
        if heading and heading != title:
            parts.append(f"## {heading}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
