"""All facts of a folder of documents, bounded in number and the same whatever their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from smolforge.questions import code_text
from smolforge.questions.declaring import declared_facts, with_one_place
from smolforge.questions.defining import entry_facts, sentence_definitions, symbol_facts
from smolforge.questions.fact import KINDS, Fact, Tally
from smolforge.questions.fields import field_facts
from smolforge.questions.gaps import gap_facts
from smolforge.questions.outline import MAX_CHARS, Outline, outline, path_title
from smolforge.questions.sections import section_facts
from smolforge.questions.vocabulary import Vocabulary

PER_DOCUMENT = 400
PER_KIND = 8_000
"""Facts kept of each kind: those with the lowest hash. 50 MB of memory at the most. Chosen, untested."""


def find_facts(
    documents: Iterable[tuple[str, str]],
    *,
    per_document: int = PER_DOCUMENT,
    per_kind: int = PER_KIND,
    dropped: Tally | None = None,
) -> list[Fact]:
    """The facts of (id, text) pairs, sorted by id: the same for the same documents in any order.

    Documents are read one at a time. Of each, and of each kind, those facts are kept that have the lowest
    hash. `dropped` counts what was looked at and left out, by reason.
    """
    dropped = Tally() if dropped is None else dropped
    kept = _Kept(per_document, per_kind, dropped)
    titles: Counter[str] = Counter()
    words = Vocabulary()
    for id, text in documents:
        read = outline(id, text)
        titles.update({read.title, path_title(id), path_title(id, 2)})
        words.add(text[:MAX_CHARS])
        dropped.update(read.cut)
        dropped["document: nothing to read"] += not read.blocks
        kept.add(document_facts(id, read, dropped))
    placed = with_one_place(kept.facts(), dropped)
    telling = (fact for fact in placed if _is_telling(fact, words, dropped))
    named = (_named(fact, titles) for fact in telling)
    return sorted((f for f in named if _has_place(f, dropped)), key=lambda fact: (fact.id, fact.kind))


class _Kept:
    """The facts with the lowest ids, so many of a document and so many of a kind; the same in any order."""

    def __init__(self, per_document: int, per_kind: int, dropped: Tally) -> None:
        self._per_document, self._per_kind, self._dropped = per_document, per_kind, dropped
        self._kinds: dict[str, dict[str, Fact]] = {kind: {} for kind in KINDS}

    def add(self, facts: Iterable[Fact]) -> None:
        """The facts of one document."""
        for fact in self._lowest({fact.id: fact for fact in facts}, self._per_document):
            same = self._kinds[fact.kind].get(fact.id)
            if same is None or fact.source < same.source:
                self._kinds[fact.kind][fact.id] = fact
        for kind, kept in self._kinds.items():
            if len(kept) > 2 * self._per_kind:
                self._kinds[kind] = {fact.id: fact for fact in self._lowest(kept, self._per_kind)}

    def facts(self) -> Iterator[Fact]:
        """What is kept of all documents."""
        for kept in self._kinds.values():
            yield from self._lowest(kept, self._per_kind)

    def _lowest(self, facts: dict[str, Fact], most: int) -> list[Fact]:
        self._dropped["fact: enough of its kind"] += max(0, len(facts) - most)
        return [facts[id] for id in sorted(facts)[:most]]


def _has_place(fact: Fact, dropped: Tally) -> bool:
    """Whether it can be said where a field or a piece of code stands, which have namesakes elsewhere."""
    is_code = fact.kind == "definition" and fact.subject.startswith("`")
    if (
        fact.title
        or not (fact.kind == "field" or is_code)
        or (fact.kind == "field" and fact.subject and fact.heading)
    ):
        return True
    dropped[f"{fact.kind}: no title of its own"] += 1
    return False


def _is_telling(fact: Fact, words: Vocabulary, dropped: Tally) -> bool:
    """Whether the name that is asked for is one, and not in every other document of the folder."""
    if fact.kind != "name":
        return True
    is_sure = " " in fact.answer and not fact.alike[1].startswith("after")
    if words.is_word(fact.answer) and not is_sure:
        dropped["name: a common word"] += 1
    elif words.is_common(fact.answer):
        dropped["name: common in the folder"] += 1
    else:
        return True
    return False


def document_facts(id: str, read: Outline, dropped: Tally) -> Iterator[Fact]:
    """Every fact of one document."""
    title = read.title
    named = Counter((block.kind, block.label) for block in read.blocks)
    for block in read.blocks:
        if block.kind in ("entry", "symbol") and named[block.kind, block.label] > 1:
            dropped["definition: several of one name"] += 1
        elif block.kind == "prose":
            yield from sentence_definitions(block, id, title, dropped)
            yield from gap_facts(block, id, title, dropped)
        elif block.kind == "entry":
            yield from entry_facts(block, id, title, dropped)
        elif block.kind == "symbol":
            yield from symbol_facts(block, id, title, dropped)
    yield from field_facts([b for b in read.blocks if b.kind in ("field", "cell")], id, title, dropped)
    yield from declared_facts(read.blocks, id, title, dropped)
    if not any(block.kind in ("symbol", "declared") for block in read.blocks):
        yield from section_facts(read.blocks, id, title, dropped)


def _named(fact: Fact, titles: Counter[str]) -> Fact:
    """The fact with a title that names one document, or with none."""
    if titles[fact.title] <= 1:
        return fact
    if code_text.is_code_name(fact.title):
        return replace(fact, title=fact.source)
    names = (path_title(fact.source), path_title(fact.source, 2))
    return replace(fact, title=next((name for name in names if name and titles[name] <= 1), ""))
