"""Facts from what source files declare: which file a name stands in, what a class derives from, what a parameter is
unless it is given. A reader of the code asks just that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from smolforge.questions.blocks import Block
from smolforge.questions.code_text import Declaration
from smolforge.questions.defining import parts_of
from smolforge.questions.fact import Fact, Tally, fact_id
from smolforge.questions.fields import EMPTY, STRANGE, value_class

FILE, BASE = "file", "base class"
"""Labels; any other is the name of a parameter."""
MAX_VALUE_CHARS = 40
STEM_CHARS = 4
NO_BASES = frozenset(["object", "ABC", "abc.ABC", "Protocol", "Generic", "Enum", "enum.Enum"])


def declared_facts(blocks: Iterable[Block], source: str, title: str, dropped: Tally) -> Iterator[Fact]:
    """One fact for each declaration that is named once in its file and does not give its answer away."""
    declared = [block for block in blocks if block.kind == "declared"]
    often = Counter((block.subject, block.label) for block in declared)
    for block in declared:
        reason = "named twice" if often[block.subject, block.label] > 1 else declaration_trouble(block)
        if reason:
            dropped[f"declaration: {reason}"] += 1
            continue
        sentence = _sentence(block, title)
        yield Fact(
            fact_id("declared", source, block.subject, block.label, block.text), source, title, "", "field", sentence,
            block.text, sentence.rindex(block.text), _alike(block), subject=block.subject, label=block.label,
        )  # fmt: skip


def declaration_trouble(block: Block) -> str:
    """Why a declaration cannot be asked for; nothing where it can."""
    value = block.text
    if len(value) > MAX_VALUE_CHARS or STRANGE.search(value):
        return "long value"
    if EMPTY.match(value) or value in NO_BASES or not any(c.isalnum() for c in value):
        return "says nothing"
    known = {word[:STEM_CHARS] for word in parts_of(f"{block.subject} {block.label}") if len(word) > 2}
    told = {word[:STEM_CHARS] for word in parts_of(value.replace("/", " ")) if len(word) > 2}
    return "given away by its name" if known & told else ""


def is_declared(fact: Fact) -> bool:
    """Whether a fact is one of these."""
    return fact.kind == "field" and "".join(fact.alike[1:2]).startswith("declared ")


def with_one_place(facts: Iterable[Fact], dropped: Tally) -> Iterator[Fact]:
    """The facts without files of names that stand in several."""
    facts = list(facts)
    files = Counter(fact.subject for fact in facts if is_declared(fact) and fact.label == FILE)
    for fact in facts:
        if is_declared(fact) and fact.label == FILE and files[fact.subject] > 1:
            dropped["declaration: in several files"] += 1
        else:
            yield fact


def _alike(block: Block) -> tuple[str, ...]:
    if block.label in (FILE, BASE):
        return ("field", f"declared {block.label}")
    return ("field", "declared default", *value_class(block.text))


def _sentence(block: Block, title: str) -> str:
    """What is declared, said as a sentence that ends in it."""
    if block.label == FILE:
        return f"{block.subject} is defined in {block.text}"
    if block.label == BASE:
        return f"{block.subject} of `{title}` derives from {block.text}"
    return f"In `{title}`, {block.subject} takes {block.label}, which is by default {block.text}"


PARAMETER = re.compile(r"\**(\w+)\s*(?::|$)")
DOTTED = re.compile(r"[A-Za-z_][\w.]*$")


def declared_blocks(declared: Declaration, file: str) -> Iterator[Block]:
    """What one declaration says."""
    subject = f"`{declared.name}`"
    if declared.is_top:
        yield Block("declared", "", file, FILE, subject)
    given = arguments(declared.head)
    if declared.kind == "class":
        if given and DOTTED.match(given[0]):
            yield Block("declared", "", given[0], BASE, subject)
        return
    for argument in given:
        name, *values = split_outside(argument, "=")
        parameter = PARAMETER.match(name)
        if parameter and len(values) == 1:
            yield Block("declared", "", " ".join(values[0].split()), f"`{parameter.group(1)}`", subject)


def arguments(head: str) -> list[str]:
    """What stands between the first bracket and its end, split at its commas."""
    inner = split_outside(head.partition("(")[2], ",")
    return [part for part in inner if part]


def split_outside(text: str, mark: str) -> list[str]:
    """The text split at a mark outside of quotation marks and brackets, up to the bracket that closes none of it."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                break
        elif c == mark and depth == 0:
            parts.append("")
            continue
        parts[-1] += c
    return [part.strip() for part in parts]


def told_together(facts: Iterable[Fact]) -> list[str]:
    """What one file declares, as sentences: a line for every fact would teach a model to write lists without end."""
    by_label: dict[str, list[Fact]] = {}
    for fact in sorted(facts, key=lambda fact: (fact.subject, fact.label)):
        label = fact.label if fact.label in (FILE, BASE) else ""
        by_label.setdefault(label, []).append(fact)
    told = []
    if files := by_label.get(FILE):
        told.append(f"`{files[0].answer}` defines {_listed(fact.subject for fact in files)}.")
    bases = by_label.get(BASE, [])
    for base in dict.fromkeys(fact.answer for fact in bases):
        heirs = [fact.subject for fact in bases if fact.answer == base]
        told.append(f"{_listed(heirs)} {'derives' if len(heirs) == 1 else 'derive'} from {base}.")
    defaults = by_label.get("", [])
    for subject in dict.fromkeys(fact.subject for fact in defaults):
        given = [f"{fact.label}, by default {fact.answer}" for fact in defaults if fact.subject == subject]
        told.append(f"{subject} takes {_listed(given, '; ')}.")
    return told


def _listed(parts: Iterable[str], comma: str = ", ") -> str:
    """a, b and c"""
    *first, last = parts
    return f"{comma.join(first)} and {last}" if first else last
