"""The words of questions: one for each kind of fact, in a form for chats and one to be continued."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from smolforge.questions import code_text
from smolforge.questions.blocks import GLOSSARY
from smolforge.questions.declaring import BASE, FILE, is_declared
from smolforge.questions.fact import Fact
from smolforge.questions.sections import GENERIC
from smolforge.questions.wordlists import FUNCTION_WORDS

GAP = "____"
UNIT = re.compile(
    rf" (?!(?:{FUNCTION_WORDS}|times|more|less|other)\b)[a-z]+(?: (?!(?:{FUNCTION_WORDS})$)[a-z]+)?"
)


@dataclass(frozen=True)
class Question:
    """A question in its two forms, with the right answer as it is to be given.

    asked   what the user says; prompt  for a base model to continue
    begun   how the assistant's turn begins: a sentence up to its gap, or nothing
    answer  the right one; unit  what follows it and every wrong one
    """

    asked: str
    prompt: str
    answer: str
    unit: str = ""
    begun: str = ""

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation that the answer goes on from."""
        begun = [{"role": "assistant", "content": self.begun}] if self.begun else []
        return [{"role": "user", "content": self.asked}, *begun]


def question_of(fact: Fact) -> Question:
    """The question that a fact answers."""
    makers: dict[str, Callable[[Fact], Question]] = {
        "definition": _meaning_question,
        "field": _field_question,
    }
    return makers.get(fact.kind, _gap_question)(fact)


def _plain(asked: str, answer: str) -> Question:
    return Question(asked, f"Question: {asked}\nAnswer:", answer)


def quoted(text: str) -> str:
    """A name in quotation marks; code has marks of its own."""
    return text if "`" in text else f"“{text}”"


def place_of(fact: Fact) -> str:
    """The document of a fact, as it is named in a sentence."""
    if not fact.title:
        return "the documentation"
    return f"`{fact.title}`" if code_text.is_code_name(fact.title) else quoted(fact.title)


def according_to(fact: Fact) -> str:
    """Where the answer stands, to begin a question with."""
    if fact.title:
        return f"According to {quoted(fact.title)}"
    is_telling = fact.heading and not GENERIC.match(fact.heading) and not GLOSSARY.match(fact.heading)
    return f"According to the part on {quoted(fact.heading)}" if is_telling else "According to the documents"


def _meaning_question(fact: Fact) -> Question:
    if fact.subject.startswith("`"):
        return _plain(f"How does {place_of(fact)} describe {fact.subject}?", fact.answer)
    return _plain(f"{according_to(fact)}, what does {quoted(fact.subject)} mean?", fact.answer)


def subject_question(fact: Fact) -> Question:
    """The question that a definition's subject answers."""
    if fact.subject.startswith("`"):
        return _plain(f"What is described in {place_of(fact)} as “{fact.answer}”?", fact.subject)
    return _plain(f"{according_to(fact)}, which term means “{fact.answer}”?", fact.subject)


def _field_question(fact: Fact) -> Question:
    label = quoted(fact.label)
    if is_declared(fact):
        return _plain(_declaration_question(fact), fact.answer)
    if not fact.subject:
        under = f", under {quoted(fact.heading)}" if fact.heading else ""
        return _plain(f"In {quoted(fact.title)}{under}, what is given as {label}?", fact.answer)
    named = fact.heading if fact.heading != fact.title else ""
    table = f"the table {quoted(named)}" if named else "the table"
    origin = f" of {quoted(fact.title)}" if fact.title else ""
    return _plain(f"In {table}{origin}, what is given for {quoted(fact.subject)} under {label}?", fact.answer)


def _declaration_question(fact: Fact) -> str:
    if fact.label == FILE:
        return f"In which file is {fact.subject} defined?"
    if fact.label == BASE:
        return f"Which class does {fact.subject} of {place_of(fact)} derive from?"
    return f"In {place_of(fact)}, what is the default of {fact.label} in {fact.subject}?"


def _gap_question(fact: Fact) -> Question:
    """A sentence with a gap. The prompt leads up to the gap, so that an answer goes on as the sentence would.

    Measured on 73 sentences of a textbook with SmolLM2-135M-Instruct: 42 right with the beginning of the
    sentence said again before the answer, 32 without it.
    """
    origin, unit, begun = _origin(fact), unit_of(fact), fact.before.rstrip()
    if fact.ends_sentence or unit:
        asked = f"How does this sentence{origin} end?\n\n{fact.before}{GAP}"
        head = f"{fact.title}\n\n" if fact.title else ""
        return Question(asked, head + begun, fact.answer, unit, begun)
    asked = f"What is missing in this sentence{origin}?\n\n{fact.before}{GAP}{fact.after}"
    return Question(asked, f"Question: {asked}\nAnswer: {begun}", fact.answer, begun=begun)


def _origin(fact: Fact) -> str:
    """Where a sentence stands, to follow it."""
    if fact.title and fact.heading and code_text.is_code_name(fact.title):
        return f" from the comment on `{fact.heading}` in `{fact.title}`"
    return f" from {quoted(fact.title)}" if fact.title else ""


def unit_of(fact: Fact) -> str:
    """What stands between a number and the end of its sentence, where that is a word or two."""
    rest = fact.after.rstrip(".”\"’')")
    is_unit = fact.kind == "number" and UNIT.fullmatch(rest) is not None
    return rest if is_unit else ""


def upper_first(text: str) -> str:
    """The text with a capital at its head."""
    return text[:1].upper() + text[1:]
