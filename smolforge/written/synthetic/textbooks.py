"""Textbook pages grounded in the fact tables: topic x audience x style, in the manner of Cosmopedia.

Source: Cosmopedia (the recipe: many topics, audiences and styles, so that no two pages are alike); here the
writer is a grammar over tables of true facts instead of a language model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from smolforge.data.read.documents import Document
from smolforge.written.synthetic import familiar
from smolforge.written.synthetic import paragraphs as para
from smolforge.written.synthetic.explanations import EXPLANATIONS
from smolforge.written.synthetic.facts import BY_KIND, SUBJECTS
from smolforge.written.synthetic.kinds import KINDS
from smolforge.written.synthetic.people import elder, two
from smolforge.written.synthetic.wording import and_list, in_words, sentence

LEVELS = ("child", "middle", "middle", "college")
_KINDS = tuple(BY_KIND)


def _cumulative(facts: Iterable[int], power: float) -> tuple[float, ...]:
    return tuple(accumulate(max(4.0, count**power) for count in facts))


_ALL_CUMULATIVE = _cumulative((sum(len(r.pairs) for r in BY_KIND[kind]) for kind in _KINDS), 0.8)
_CORE_CUMULATIVE = _cumulative(
    (sum(len(familiar.CORE_PAIRS[r.name]) for r in BY_KIND[kind]) for kind in _KINDS), 1.0
)
"""Of the core every fact is told as often as another."""
_RICH = tuple(kind for kind in BY_KIND if len(BY_KIND[kind]) >= 2)


def textbooks(seed: int | str, documents: int, core: bool = False) -> Iterator[Document]:
    """`documents` pages; page i depends on seed, i and `core` (tell of few subjects, often) alone."""
    for index in range(documents):
        rng = (familiar.CoreChance if core else random.Random)(f"{seed}/textbooks/{index}")
        style, write = _pick_style(rng)
        text = write(rng, rng.choice(LEVELS))
        yield Document(
            f"textbooks-{seed}-{index:07d}",
            "text",
            f"smolforge://textbooks/{seed}/{index}",
            text,
            {"domain": "textbooks", "style": style},
        )


def _pick_style(rng: random.Random) -> tuple[str, Callable[[random.Random, str], str]]:
    style = rng.choices(tuple(STYLES), cum_weights=_STYLE_CUMULATIVE)[0]
    return style, STYLES[style][0]


def _kind(rng: random.Random) -> str:
    is_core = isinstance(rng, familiar.CoreChance)
    return rng.choices(_KINDS, cum_weights=_CORE_CUMULATIVE if is_core else _ALL_CUMULATIVE)[0]


def _heading(kind: str, subject: str) -> str:
    plain = subject.removeprefix("the ")
    return sentence(plain)


def _exercises(rng: random.Random, kind: str, count: int) -> str:
    form = rng.choices(("plain", "sentence", "letters"), (7, 2, 1))[0]
    facts = para.some_asked(rng, kind, count)
    return "\n".join(para.question_and_answer(rng, fact, form) for fact in facts)


def _entry(rng: random.Random, level: str) -> str:
    """An encyclopaedia entry on one subject."""
    kind = _kind(rng)
    subject = familiar.subjects(rng, kind, 1)[0]
    lines = para.about(rng, kind, subject, 8, level)
    ideas = para.fitting_ideas(rng, kind, (subject,))
    if len(lines) < 4:
        lines.append(ideas.pop())
        other = familiar.subjects(rng, kind, 1)[0]
        if other != subject:
            lines += para.about(rng, kind, other, 2, level)
    cut = max(2, len(lines) // 2 + 1)
    body = " ".join(lines[:cut])
    rest = " ".join([*lines[cut:], *ideas[:1]]) if len(lines) > cut else ""
    heading = _heading(kind, subject)
    return "\n\n".join(part for part in (heading, body, rest) if part)


def _lesson(rng: random.Random, level: str) -> str:
    """A lesson over several subjects of one kind, often with exercises."""
    kind = _kind(rng)
    words = KINDS[kind]
    subjects = familiar.subjects(rng, kind, rng.randint(2, 5))
    ideas = para.fitting_ideas(rng, kind, subjects)[:3]
    title = rng.choice(
        (
            f"Lesson: {words.nouns}",
            f"{sentence(words.nouns)} worth knowing",
            f"A short lesson on {words.nouns}",
            f"What to know about {words.nouns}",
            f"{sentence(in_words(len(subjects)))} {words.nouns if len(subjects) > 1 else words.noun}",
        )
    )
    parts = [title, " ".join([rng.choice(words.opening), *ideas[:2]])]
    for subject in subjects:
        parts.append(" ".join(para.about(rng, kind, subject, rng.randint(2, 4), level)))
    parts.append(" ".join([*ideas[2:], rng.choice(words.closing)]))
    if rng.random() < 0.5:
        parts.append(f"Exercises\n{_exercises(rng, kind, rng.randint(3, 6))}")
    return "\n\n".join(parts)


def _one_relation(rng: random.Random, level: str) -> str:
    """Many subjects, one relation: a list or a paragraph that goes through them."""
    kind = rng.choice(_RICH) if rng.random() < 0.3 else _kind(rng)
    relation = rng.choice(BY_KIND[kind])
    pairs = familiar.pairs(rng, relation, rng.randint(5, 9))
    facts = [(relation, subject, answer) for subject, answer in pairs]
    words = KINDS[kind]
    opening = rng.choice(words.opening)
    if rng.random() < 0.4:
        told = "\n".join(f"- {para.state(rng, fact)}" for fact in facts)
        lead = rng.choice(
            (
                "Here is a list to learn.",
                "Read the list aloud.",
                "These sentences are all true.",
                "Learn these facts.",
            )
        )
        return f"{opening} {lead}\n\n{told}\n\n{rng.choice(words.closing)}"
    sentences = [para.state(rng, fact) for fact in facts]
    half = len(sentences) // 2
    idea = para.fitting_ideas(rng, kind, [subject for subject, _ in pairs])[0]
    return f"{opening} {' '.join(sentences[:half])}\n\n{idea} {' '.join(sentences[half:])} {rng.choice(words.closing)}"


def _quiz(rng: random.Random, level: str) -> str:
    """Questions with answers, from one kind or from all."""
    kind = "any" if rng.random() < 0.5 else _kind(rng)
    title = "A quiz on many things" if kind == "any" else f"A quiz on {KINDS[kind].nouns}"
    lead = rng.choice((f"{title}\n\n", "", "", "Test yourself.\n\n", "Questions and answers\n\n"))
    return lead + _exercises(rng, kind, rng.randint(6, 14))


_WONDER = (
    "I did not know that!", "That is good to know.", "How interesting!", "I will remember that.", "Really?",
    "That is new to me.", "Now I understand.", "I have seen a picture of it.", "Tell me more, please.",
)  # fmt: skip
_PRAISE = (
    "That is right.",
    "Very good!",
    "Exactly.",
    "Well done!",
    "Yes, that is correct.",
    "You have learned well.",
)


def _dialogue(rng: random.Random, level: str) -> str:
    """A talk between two people: questions are asked only about facts that may be asked, the rest is told."""
    kind = _kind(rng)
    words = KINDS[kind]
    one, other = two(rng)
    first, second = rng.choice((("Teacher", "Student"), (one.name, other.name)))
    lines = [f"{first}: {rng.choice(words.opening)}"]
    subjects = familiar.subjects(rng, kind, 4)
    for subject in subjects:
        fact = rng.choice(para.facts_of(kind, subject))
        if para.may_ask(fact[0], subject) and rng.random() < 0.7:
            if rng.random() < 0.5:
                lines += [f"{second}: {para.ask(rng, fact)}", f"{first}: {para.state(rng, fact)}"]
            else:
                lines += [f"{first}: {para.ask(rng, fact)}", f"{second}: {para.state(rng, fact)}"]
                lines.append(f"{first}: {rng.choice(_PRAISE)}")
        else:
            lines += [f"{first}: {para.state(rng, fact)}", f"{second}: {rng.choice(_WONDER)}"]
    lines.append(f"{first}: {rng.choice(words.closing)}")
    return _merge_turns(lines)


def _merge_turns(lines: list[str]) -> str:
    """Lines of a dialogue with neighbouring lines of one speaker joined."""
    turns: list[tuple[str, str]] = []
    for line in lines:
        speaker, _, said = line.partition(": ")
        if turns and turns[-1][0] == speaker:
            turns[-1] = (speaker, f"{turns[-1][1]} {said}")
        else:
            turns.append((speaker, said))
    return "\n".join(f"{speaker}: {said}" for speaker, said in turns)


def _story_lesson(rng: random.Random, level: str) -> str:
    """A child and a grown-up talk somewhere, and facts come up on the way."""
    kind = _kind(rng)
    words = KINDS[kind]
    child, _ = two(rng)
    name, old = elder(rng)
    subjects = familiar.subjects(rng, kind, rng.randint(2, 3))
    named = [subject if words.is_name else f"the {subject}" for subject in subjects]
    start = rng.choice(
        (
            f"One day {child.name} and {name} sat {rng.choice(words.setting)}."
            if _sits(words.setting)
            else "",
            f"{child.name} was curious about {words.nouns}. So {child.he} asked {name} for help.",
            f'"What do you know about {words.nouns}?" {name} asked {child.name} one day.',
        )
    )
    parts = [start or f"{child.name} wanted to learn about {words.nouns}."]
    for number, subject in enumerate(subjects):
        told = para.about(rng, kind, subject, 3, level)
        verb = ("said", "explained", "went on")[number % 3]
        who = name if number == 0 else old.he
        parts.append(
            f'"{_before_said(told[0])}" {who} {verb}. "{" ".join(told[1:])}"'
            if len(told) > 1
            else f'"{_before_said(told[0])}" {who} {verb}.'
        )
        parts.append(rng.choice((f'"{_before_said(rng.choice(_WONDER))}" said {child.name}.', f"{child.name} wrote it down.",
                                 f"{child.name} listened carefully.", f"{child.name} thought about it for a moment.")))  # fmt: skip
    parts.append(
        rng.choice(
            (
                f"In the evening {child.name} still remembered {and_list(named)}.",
                f'"Thank you," said {child.name}. "Now I know more about {words.nouns}."',
                f'{name} smiled. "{rng.choice(words.closing)}"',
            )
        )
    )
    return _two_paragraphs(parts)


def _before_said(text: str) -> str:
    """Speech as it stands before "he said": with a comma instead of the full stop."""
    return f"{text[:-1]}," if text.endswith(".") else text


def _sits(settings: tuple[str, ...]) -> bool:
    return not any(
        "walk" in setting or "on the way" in setting or "on the bus" in setting for setting in settings
    )


def _two_paragraphs(parts: list[str]) -> str:
    return "\n\n".join(" ".join(parts[i : i + 2]) for i in range(0, len(parts), 2))


def _letter(rng: random.Random, level: str) -> str:
    """A letter that tells a friend what the writer has learned."""
    kind = _kind(rng)
    words = KINDS[kind]
    writer, reader = two(rng)
    subjects = familiar.subjects(rng, kind, 2)
    start = rng.choice(
        (
            f"At school we are learning about {words.nouns}.",
            f"I have read a book about {words.nouns}, and I want to tell you about it.",
            f"You asked me what I know about {words.nouns}.",
            f"This week I learned something new about {words.nouns}.",
        )
    )
    middle = " ".join(" ".join(para.about(rng, kind, subject, 4, level)) for subject in subjects)
    end = rng.choice(
        (
            "Write back soon!",
            "What are you learning?",
            "I hope you are well.",
            "I look forward to your letter.",
        )
    )
    return f"Dear {reader.name},\n\n{start} {para.fitting_ideas(rng, kind, subjects)[0]}\n\n{middle}\n\n{rng.choice(words.closing)} {end}\n\nYour friend,\n{writer.name}"


def _explanation(rng: random.Random, level: str) -> str:
    """How something works, idea by idea."""
    topic = rng.choice(tuple(EXPLANATIONS))
    ideas = EXPLANATIONS[topic]
    said = [rng.choice(ways) for ways in ideas]
    if level == "child" and len(said) > 6:
        drop = rng.randrange(2, len(said) - 1)
        del said[drop]
    half = rng.randint(len(said) // 3, 2 * len(said) // 3)
    title = rng.choice(
        (
            sentence(topic),
            f"Let us learn about {topic}"
            if not topic.startswith(("how", "why", "what", "from"))
            else sentence(topic),
        )
    )
    review = ""
    if rng.random() < 0.3:
        points = [rng.choice(ideas[i]) for i in sorted(rng.sample(range(len(ideas)), 3))]
        review = (
            "\n\n"
            + rng.choice(("To remember:", "In short:", "The main points:"))
            + "\n"
            + "\n".join(f"- {p}" for p in points)
        )
    return f"{title}\n\n{' '.join(said[:half])}\n\n{' '.join(said[half:])}{review}"


_SAFE_STARTS = ("The ", "In ", "People ", "Shops ", "One ", "A ", "An ", "If ", "On ", "Its ", "We ", "You ")


def _comparison(rng: random.Random, level: str) -> str:
    """Two subjects side by side over the relations they share."""
    kind = rng.choice(tuple(kind for kind in _RICH if len(SUBJECTS[kind]) > 3))
    one, two_ = familiar.subjects(rng, kind, 2)
    shared = [
        (first, second)
        for first in para.facts_of(kind, one)
        for second in para.facts_of(kind, two_)
        if first[0].name == second[0].name
    ]
    rng.shuffle(shared)
    lines = []
    for first, second in shared[:4]:
        left, right = para.state(rng, first), para.state(rng, second)
        if first[2] == second[2]:
            other = two_ if KINDS[kind].is_name else f"the {two_}"
            lines.append(f"{left} The same is true of {other}.")
        elif right.startswith(_SAFE_STARTS):
            lines.append(f"{left.rstrip('.')}, {rng.choice(('while', 'but'))} {right[0].lower()}{right[1:]}")
        else:
            lines.append(f"{left} {right}")
    names = [subject if KINDS[kind].is_name else f"the {subject}" for subject in (one, two_)]
    title = sentence(f"{names[0]} and {names[1]}")
    start = rng.choice(
        (f"How do {names[0]} and {names[1]} differ?", f"Let us compare {names[0]} with {names[1]}.")
    )
    if kind == "word":
        names = [f'"{name}"' for name in names]
    return f"{title}\n\n{start} {' '.join(lines)} {rng.choice(KINDS[kind].closing)}"


STYLES: dict[str, tuple[Callable[[random.Random, str], str], float]] = {
    "entry": (_entry, 20),
    "lesson": (_lesson, 15),
    "list": (_one_relation, 14),
    "quiz": (_quiz, 22),
    "dialogue": (_dialogue, 8),
    "story-lesson": (_story_lesson, 8),
    "letter": (_letter, 6),
    "explanation": (_explanation, 9),
    "comparison": (_comparison, 6),
}
_STYLE_CUMULATIVE = tuple(
    sum(weight for _, weight in list(STYLES.values())[: i + 1]) for i in range(len(STYLES))
)
