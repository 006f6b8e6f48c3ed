"""Mathematical problems with worked steps and one numeric answer.

A problem carries the content keys of every sum in it. Training data never holds a problem with a held-out key;
evaluation asks only problems whose first key is held out. The basic tables (both numbers to ten, or a round ten
among them) are what a school teaches by heart: they are never held out.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from smolforge.written.files import table, texts, ways_of
from smolforge.written.synthetic.relations import is_held_out
from smolforge.written.synthetic.wording import plural


@dataclass(frozen=True, slots=True)
class Problem:
    """`steps` explain the way and end before the answer; `level` 1 is easiest; `keys[0]` is the problem's own."""

    topic: str
    level: int
    question: str
    steps: str
    answer: str
    keys: tuple[str, ...]

    @property
    def solution(self) -> str:
        """The steps, closed by "The answer is N."."""
        return f"{self.steps} The answer is {self.answer}.".strip()


def key(operation: str, *operands: object) -> str:
    """The content key of one operation; sums and products do not mind the order."""
    parts = [str(operand) for operand in operands]
    if operation in ("add", "multiply"):
        parts.sort(key=lambda part: (len(part), part))
    return f"mathematics/{operation}/{'/'.join(parts)}"


def is_basic(operation: str, a: int, b: int) -> bool:
    """Whether this sum belongs to the tables that everybody learns by heart."""
    if operation == "divide":
        return b <= 10 and a // b <= 10
    if a % 10 == 0 or b % 10 == 0:
        return True
    if operation == "subtract":
        return (a <= 20 and b <= 10) or (a - b) % 10 == 0
    return a <= 10 and b <= 10


def sum_keys(operation: str, a: int, b: int) -> tuple[str, ...]:
    """The key of a sum, or none where it is basic."""
    return () if is_basic(operation, a, b) else (key(operation, a, b),)


def held_out(problem: Problem) -> bool:
    """Whether any part of the problem is kept for evaluation."""
    return any(is_held_out(each) for each in problem.keys)


# ---- worked steps -------------------------------------------------------------------------------------------


def add_steps(a: int, b: int) -> str:
    """How to add two numbers below a thousand."""
    total = a + b
    if (a <= 10 and b <= 10) or a % 10 == 0 or b % 10 == 0:
        return f"{a} + {b} = {total}."
    if a >= 100 or b >= 100:
        return f"{a} + {b} = {total}."
    ones, tens = a % 10 + b % 10, a - a % 10 + b - b % 10
    if a < 10 or b < 10:
        return f"{a % 10} + {b % 10} = {ones}, and {tens} + {ones} = {total}."
    return (
        f"{a - a % 10} + {b - b % 10} = {tens} and {a % 10} + {b % 10} = {ones}. {tens} + {ones} = {total}."
    )


def subtract_steps(a: int, b: int) -> str:
    """How to take b from a."""
    if b < 10 or b % 10 == 0 or a <= 20:
        return f"{a} - {b} = {a - b}."
    middle = a - (b - b % 10)
    return f"{a} - {b - b % 10} = {middle} and {middle} - {b % 10} = {a - b}."


def multiply_steps(a: int, b: int) -> str:
    """How to multiply, splitting the larger number into tens and ones."""
    large, small = max(a, b), min(a, b)
    if large <= 10 or large % 10 == 0 or small > 10:
        return f"{a} × {b} = {a * b}."
    tens, ones = (large - large % 10) * small, large % 10 * small
    return f"{large - large % 10} × {small} = {tens} and {large % 10} × {small} = {ones}. {tens} + {ones} = {a * b}."


def step_keys(operation: str, a: int, b: int) -> tuple[str, ...]:
    """Keys of the sum and of every sum its steps write down."""
    keys = sum_keys(operation, a, b)
    if operation == "divide":
        keys += sum_keys("multiply", b, a // b)
    if operation == "subtract" and b >= 10 and b % 10 and a > 20:
        keys += sum_keys("subtract", a - (b - b % 10), b % 10)
    return keys


STEPS: dict[str, Callable[[int, int], str]] = {
    "add": add_steps,
    "subtract": subtract_steps,
    "multiply": multiply_steps,
    "divide": lambda a, b: f"{a} ÷ {b} = {a // b}, because {b} × {a // b} = {a}.",
}
RESULT: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a // b,
}
SIGN = {"add": "+", "subtract": "-", "multiply": "×", "divide": "÷"}


def operands(rng: random.Random, operation: str, level: int) -> tuple[int, int]:
    """Two numbers for an operation at a level: 1 small or without carrying, 2 two digits, 3 larger products."""
    if operation == "add":
        if level == 1:
            a, b = rng.randint(11, 89), rng.randint(1, 9)
            if rng.random() < 0.5:
                b = rng.randint(1, 9 - a % 10) if a % 10 < 9 else 1
            return (a, b) if rng.random() < 0.8 else (b, a)
        return rng.randint(11, 89), rng.randint(11, 89)
    if operation == "subtract":
        if level == 1:
            a = rng.randint(11, 99)
            return a, rng.randint(1, 9) if rng.random() < 0.4 else rng.randint(1, max(1, a % 10))
        a = rng.randint(22, 99)
        return a, rng.randint(11, a - 1)
    if operation == "multiply":
        if level == 1:
            return rng.randint(2, 10), rng.randint(2, 10)
        a, b = rng.randint(11, 19 if level == 2 else 49), rng.randint(2, 5 if level == 2 else 9)
        return (a, b) if rng.random() < 0.7 else (b, a)
    divisor = rng.randint(2, 10)
    quotient = rng.randint(2, 10) if level == 1 else rng.randint(11, 24)
    return divisor * quotient, divisor


_ASK = ways_of(texts("mathematics")["asks"])


def calculation(rng: random.Random, operation: str, level: int) -> Problem:
    """One sum with bare numbers."""
    a, b = operands(rng, operation, level)
    question = rng.choice(_ASK[operation]).format(a=a, b=b)
    answer = str(RESULT[operation](a, b))
    return Problem(operation, level, question, STEPS[operation](a, b), answer, step_keys(operation, a, b))


def _double(rng: random.Random) -> Problem:
    a = rng.randint(3, 49)
    if rng.random() < 0.5:
        question = rng.choice((f"What is double {a}?", f"What is twice {a}?", f"Double the number {a}."))
        return Problem(
            "double",
            1,
            question,
            f"{a} + {a} = {2 * a}.",
            str(2 * a),
            (key("double", a), *sum_keys("add", a, a)),
        )
    question = rng.choice(
        (f"What is half of {2 * a}?", f"Find half of {2 * a}.", f"What do you get if you halve {2 * a}?")
    )
    return Problem(
        "half", 1, question, f"{a} + {a} = {2 * a}.", str(a), (key("half", 2 * a), *sum_keys("add", a, a))
    )


def _compare(rng: random.Random) -> Problem:
    a, b = rng.sample(range(2, 100), 2)
    larger = rng.random() < 0.5
    word, answer = ("larger", max(a, b)) if larger else ("smaller", min(a, b))
    question = rng.choice((f"Which number is {word}, {a} or {b}?", f"Which is {word}: {a} or {b}?"))
    sign = ">" if a > b else "<"
    return Problem(
        "compare", 1, question, f"{a} {sign} {b}.", str(answer), (key("compare", *sorted((a, b))),)
    )


def _neighbour(rng: random.Random) -> Problem:
    a = rng.randint(2, 199)
    after = rng.random() < 0.5
    words = ("after", a + 1, "+") if after else ("before", a - 1, "-")
    question = rng.choice(
        (f"Which number comes just {words[0]} {a}?", f"What number is right {words[0]} {a}?")
    )
    return Problem("neighbour", 1, question, f"{a} {words[2]} 1 = {words[1]}.", str(words[1]),
                   (key("neighbour", words[0], a), *sum_keys("add" if after else "subtract", a, 1)))  # fmt: skip


def _sequence(rng: random.Random) -> Problem:
    start, step = rng.randint(1, 30), rng.randint(2, 10)
    terms = [start + step * i for i in range(5)]
    shown = ", ".join(map(str, terms[:4]))
    question = rng.choice((f"What is the next number: {shown}?", f"Which number comes next: {shown}?",
                           f"Continue the sequence {shown}."))  # fmt: skip
    return Problem("sequence", 1, question, f"Each number is {step} more than the one before. {terms[3]} + {step} = {terms[4]}.",
                   str(terms[4]), (key("sequence", start, step), *sum_keys("add", terms[3], step)))  # fmt: skip


def _round(rng: random.Random) -> Problem:
    a = rng.randint(11, 199)
    if a % 10 == 0:
        a += rng.randint(1, 9)
    low, up = a - a % 10, a - a % 10 + 10
    answer = up if a % 10 >= 5 else low
    question = rng.choice((f"Round {a} to the nearest ten.", f"What is {a} rounded to the nearest ten?"))
    why = "or more, so we round up" if a % 10 >= 5 else "so we round down"
    number = f"{a % 10}, which is 5 {why}" if a % 10 >= 5 else f"{a % 10}, which is less than 5, {why}"
    return Problem(
        "rounding",
        1,
        question,
        f"{a} lies between {low} and {up}. The last digit is {number}.",
        str(answer),
        (key("round", a),),
    )


def _percent(rng: random.Random) -> Problem:
    share, unit = rng.choice(((10, 10), (50, 2), (25, 4), (20, 5), (30, 10), (75, 4), (100, 1)))
    number = rng.randint(2, 20) * max(unit, 2)
    answer = number * share // 100
    question = rng.choice(
        (
            f"What is {share}% of {number}?",
            f"Find {share}% of {number}.",
            f"How much is {share} percent of {number}?",
        )
    )
    if share in (30, 75):
        part, times = (10, 3) if share == 30 else (25, 3)
        whole = number * part // 100
        steps = f"{part}% of {number} is {whole}, and {whole} × {times} = {answer}."
        keys = sum_keys("multiply", whole, times)
    elif share == 100:
        steps, keys = f"100% of {number} is all of it, so it is {number}.", ()
    else:
        steps, keys = (
            f"{share}% means 1 part of {unit}. {number} ÷ {unit} = {answer}.",
            sum_keys("divide", number, unit),
        )
    return Problem("percent", 3, question, steps, str(answer), (key("percent", share, number), *keys))


def _fraction(rng: random.Random) -> Problem:
    bottom = rng.randint(2, 10)
    top = rng.randint(1, bottom - 1)
    one = rng.randint(2, 10)
    number, answer = bottom * one, top * one
    question = rng.choice(
        (f"What is {top}/{bottom} of {number}?", f"Find \\(\\frac{{{top}}}{{{bottom}}}\\) of {number}.")
    )
    steps = f"{number} ÷ {bottom} = {one}" + ("." if top == 1 else f", and {top} × {one} = {answer}.")
    return Problem("fraction", 2, question, steps, str(answer), (key("fraction", top, bottom, number),))


_UNITS = tuple(
    (row["unit"], int(row["many"]), row["part"])
    for row in table("units")
    if row["unit"] not in ("byte", "score", "foot")
)


def _unit(rng: random.Random) -> Problem:
    unit, size, small = rng.choice(_UNITS)
    count = rng.randint(2, 10)
    question = rng.choice(
        (f"How many {small} are in {count} {plural(unit)}?", f"Change {count} {plural(unit)} to {small}.",
         f"How many {small} do {count} {plural(unit)} make?")
    )  # fmt: skip
    steps = f"One {unit} is {size} {small}. {count} × {size} = {count * size}."
    return Problem(
        "units",
        2,
        question,
        steps,
        str(count * size),
        (key("unit", unit, count), *sum_keys("multiply", count, size)),
    )


def _equation(rng: random.Random) -> Problem:
    x = rng.randint(1, 20)
    form = rng.randrange(3)
    letter = rng.choice(("x", "x", "n", "y"))
    if form == 0:
        a = rng.randint(1, 20)
        text, steps = f"{letter} + {a} = {x + a}", f"{letter} = {x + a} - {a} = {x}."
        keys = (key("equation+", a, x), *sum_keys("subtract", x + a, a))
    elif form == 1:
        a = rng.randint(1, 20)
        text, steps = f"{letter} - {a} = {x}", f"{letter} = {x} + {a} = {x + a}."
        keys = (key("equation-", a, x), *sum_keys("add", x, a))
        x += a
    else:
        a, x = rng.randint(2, 10), rng.randint(2, 10)
        text, steps = f"{a}{letter} = {a * x}", f"{letter} = {a * x} ÷ {a} = {x}."
        keys = (key("equation*", a, x),)
    question = rng.choice(
        (
            f"Solve {text}.",
            f"Solve the equation ${text}$.",
            f"Find {letter} if {text}.",
            f"What is {letter} if {text}?",
        )
    )
    return Problem("equation", 2, question, steps, str(x), keys)


def _rectangle(rng: random.Random) -> Problem:
    a, b = rng.randint(2, 12), rng.randint(2, 12)
    unit = rng.choice(("cm", "m", "cm"))
    shape = (
        f"a rectangle that is {a} {unit} long and {b} {unit} wide"
        if a != b
        else f"a square with sides of {a} {unit}"
    )
    if rng.random() < 0.6:
        return Problem("area", 2, f"What is the area in square {unit} of {shape}?", f"Area is length times width. {a} × {b} = {a * b}.",
                       str(a * b), (key("area", a, b), *sum_keys("multiply", a, b)))  # fmt: skip
    return Problem("perimeter", 2, f"What is the perimeter in {unit} of {shape}?",
                   f"Add the two sides and double the sum. {a} + {b} = {a + b}, and 2 × {a + b} = {2 * (a + b)}.",
                   str(2 * (a + b)), (key("perimeter", a, b), *sum_keys("add", a, b), *sum_keys("multiply", 2, a + b)))  # fmt: skip


def _mean(rng: random.Random) -> Problem:
    middle = rng.randint(3, 12)
    spread = rng.randint(1, min(middle - 1, 4))
    numbers = [middle - spread, middle, middle + spread]
    rng.shuffle(numbers)
    a, b, c = numbers
    steps = f"{a} + {b} = {a + b} and {a + b} + {c} = {3 * middle}. {3 * middle} ÷ 3 = {middle}."
    return Problem("average", 3, f"What is the average of {a}, {b} and {c}?", steps, str(middle),
                   (key("average", a, b, c), *sum_keys("add", a, b), *sum_keys("add", a + b, c), *sum_keys("divide", 3 * middle, 3)))  # fmt: skip


def _three_terms(rng: random.Random) -> Problem:
    a, b, c = (rng.randint(2, 10) for _ in range(3))
    if rng.random() < 0.5:
        steps = f"First multiply: {b} × {c} = {b * c}. Then add: {a} + {b * c} = {a + b * c}."
        return Problem("order of operations", 2, f"What is {a} + {b} × {c}?", steps, str(a + b * c),
                       (key("order", a, b, c), *sum_keys("add", a, b * c)))  # fmt: skip
    steps = f"First the brackets: {a} + {b} = {a + b}. Then {a + b} × {c} = {(a + b) * c}."
    return Problem("order of operations", 2, f"What is ({a} + {b}) × {c}?", steps, str((a + b) * c),
                   (key("brackets", a, b, c), *sum_keys("multiply", a + b, c)))  # fmt: skip


TOPICS: dict[str, Callable[[random.Random], Problem]] = {
    "addition": lambda rng: calculation(rng, "add", rng.choice((1, 1, 2))),
    "subtraction": lambda rng: calculation(rng, "subtract", rng.choice((1, 1, 2))),
    "multiplication": lambda rng: calculation(rng, "multiply", rng.choice((1, 2, 2, 3))),
    "division": lambda rng: calculation(rng, "divide", rng.choice((1, 1, 2))),
    "doubling and halving": _double,
    "comparing numbers": _compare,
    "counting": _neighbour,
    "sequences": _sequence,
    "rounding": _round,
    "percentages": _percent,
    "fractions": _fraction,
    "units": _unit,
    "equations": _equation,
    "rectangles": _rectangle,
    "averages": _mean,
    "order of operations": _three_terms,
}
