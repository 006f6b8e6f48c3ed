"""Pages of worked mathematics: problems with steps, drills, lessons on a method, tables and tutor talks.

Source: FineMath (what makes a good page: problems with step-by-step solutions, in plain words and LaTeX).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from smolforge.data.read.documents import Document
from smolforge.written.files import texts, ways_of
from smolforge.written.synthetic.people import two
from smolforge.written.synthetic.problems import TOPICS, Problem, held_out, is_held_out, key, sum_keys
from smolforge.written.synthetic.story_problems import clock, one_step, two_steps
from smolforge.written.synthetic.wording import sentence

ALL_TOPICS: dict[str, Callable[[random.Random], Problem]] = {
    **TOPICS,
    "word problems": one_step,
    "longer word problems": two_steps,
    "time": clock,
}
_WEIGHTS = {
    "addition": 6,
    "subtraction": 5,
    "multiplication": 3,
    "word problems": 10,
    "longer word problems": 2,
}
_NAMES = tuple(ALL_TOPICS)
_TOPIC_WEIGHTS = tuple(_WEIGHTS.get(name, 1) for name in _NAMES)


def problem(rng: random.Random, topic: str = "", *, kept: bool = False) -> Problem:
    """A problem of a topic (any, when empty). Training problems hold no held-out key; `kept` ones are the others:
    their own key, the first, is held out."""
    name = topic or rng.choices(_NAMES, _TOPIC_WEIGHTS)[0]
    while True:
        found = ALL_TOPICS[name](rng)
        if kept and found.keys and is_held_out(found.keys[0]):
            return found
        if not kept and not held_out(found):
            return found


def mathematics(seed: int | str, documents: int) -> Iterator[Document]:
    """`documents` pages; page i depends on seed and i alone."""
    for index in range(documents):
        rng = random.Random(f"{seed}/mathematics/{index}")
        style = rng.choices(tuple(STYLES), _STYLE_WEIGHTS)[0]
        yield Document(
            f"mathematics-{seed}-{index:07d}",
            "text",
            f"smolforge://mathematics/{seed}/{index}",
            STYLES[style][0](rng),
            {"domain": "mathematics", "style": style},
        )


_METHODS = ways_of(texts("mathematics")["methods"])
_LEADS = ("Problem", "Exercise", "Example", "Question")


def _worked(rng: random.Random) -> str:
    """A few problems of one topic, each with its steps."""
    topic = rng.choices(_NAMES, _TOPIC_WEIGHTS)[0]
    lead = rng.choice(_LEADS)
    count = rng.randint(2, 5)
    blocks = []
    for number in range(1, count + 1):
        one = problem(rng, topic)
        label = f"{lead} {number}" if lead != "Question" else lead
        blocks.append(
            f"{label}: {one.question}\n{'Answer' if lead == 'Question' else 'Solution'}: {_latex(rng, one.solution)}"
        )
    title = rng.choice((f"{sentence(topic)}\n\n", f"Practice: {topic}\n\n", ""))
    method = _METHODS.get(topic)
    intro = f"{rng.choice(method)}\n\n" if method and rng.random() < 0.5 else ""
    return title + intro + "\n\n".join(blocks)


def _latex(rng: random.Random, text: str) -> str:
    """Now and then the sums of a solution in LaTeX."""
    if rng.random() > 0.2:
        return text
    out = []
    for part in text.split(". "):
        plain = part.rstrip(".")
        if "=" in plain and all(char in "0123456789 +-×÷=" for char in plain):
            latex = plain.replace("×", "\\times").replace("÷", "\\div")
            out.append(f"${latex}$" + ("." if part.endswith(".") else ""))
        else:
            out.append(part)
    return ". ".join(out)


def _drill(rng: random.Random) -> str:
    """Many short questions with bare answers."""
    single = rng.random() < 0.6
    topic = rng.choices(_NAMES, _TOPIC_WEIGHTS)[0] if single else ""
    pairs = [problem(rng, topic) for _ in range(rng.randint(6, 14))]
    return "\n".join(f"Question: {one.question}\nAnswer: {one.answer}" for one in pairs)


def _sums(rng: random.Random) -> str:
    """A column of sums."""
    topic = rng.choice(("addition", "addition", "subtraction", "multiplication", "division"))
    lines = []
    for _ in range(rng.randint(8, 16)):
        one = problem(rng, topic)
        lines.append(
            one.steps if " and " in one.steps and rng.random() < 0.3 else f"{_expression(one)} = {one.answer}"
        )
    title = rng.choice((f"Practice in {topic}\n\n", "Mental arithmetic\n\n", ""))
    return title + "\n".join(lines)


def _expression(one: Problem) -> str:
    sign = {"add": "+", "subtract": "-", "multiply": "×", "divide": "÷"}[one.topic]
    numbers = [word.strip("?.,") for word in one.question.split() if word.strip("?.,").isdigit()]
    if one.question.startswith(("Take", "How many times")):
        numbers.reverse()
    return f"{numbers[0]} {sign} {numbers[1]}"


def _lesson(rng: random.Random) -> str:
    """A method in words, an example, and exercises."""
    topic = rng.choice(tuple(_METHODS))
    ideas = list(_METHODS[topic])
    rng.shuffle(ideas)
    example, *others = (problem(rng, topic) for _ in range(rng.randint(3, 5)))
    opening = rng.choice(
        (
            f"In this lesson we look at {topic}.",
            f"Today we learn about {topic}.",
            f"This page is about {topic}.",
        )
    )
    shown = f"{rng.choice(('Here is an example.', 'Let us try it.', 'Look at this example.'))} {example.question} {example.solution}"
    rest = "\n".join(
        f"Question: {one.question}\nAnswer: {one.solution if rng.random() < 0.3 else one.answer}"
        for one in others
    )
    return f"{opening} {' '.join(ideas)}\n\n{shown}\n\n{rest}"


def _table(rng: random.Random) -> str:
    """A times table or a row of counting; basic facts only, plus what may be shown."""
    base = rng.randint(2, 10)
    if rng.random() < 0.5:
        lines = [f"{count} × {base} = {count * base}" for count in range(1, 11)]
        return f"The table of {base}\n\n" + "\n".join(lines)
    start = rng.randint(1, 90)
    if is_held_out(key("sequence", start, base)):
        start += 1
    steps = [start + base * index for index in range(10)]
    if rng.random() < 0.5:
        return f"Counting in steps of {base}\n\nWe start at {start} and always add {base}: {', '.join(map(str, steps))}."
    shown = [
        f"{a} + {base} = {a + base}" for a in steps if not any(map(is_held_out, sum_keys("add", a, base)))
    ]
    return f"Adding {base} again and again\n\n" + "\n".join(shown)


def _tutor(rng: random.Random) -> str:
    """A tutor and a pupil work on two problems."""
    one, other = two(rng)
    first, second = rng.choice((("Tutor", "Student"), ("Teacher", one.name), (one.name, other.name)))
    topic = rng.choices(_NAMES, _TOPIC_WEIGHTS)[0]
    lines = []
    for _ in range(rng.randint(2, 3)):
        task = problem(rng, topic)
        if rng.random() < 0.5:
            lines += [
                f"{first}: {task.question}",
                f"{second}: {task.solution}",
                f"{first}: {rng.choice(('That is right.', 'Very good!', 'Correct.', 'Well done.'))}",
            ]
        else:
            lines += [
                f"{second}: I need help. {task.question}",
                f"{first}: {task.solution}",
                f"{second}: {rng.choice(('Thank you, now I see it.', 'Now I understand.', 'That is easy now.', 'Thank you!'))}",
            ]
    return "\n".join(lines)


STYLES: dict[str, tuple[Callable[[random.Random], str], int]] = {
    "worked": (_worked, 36),
    "drill": (_drill, 30),
    "sums": (_sums, 12),
    "lesson": (_lesson, 12),
    "table": (_table, 3),
    "tutor": (_tutor, 7),
}
_STYLE_WEIGHTS = tuple(weight for _, weight in STYLES.values())
