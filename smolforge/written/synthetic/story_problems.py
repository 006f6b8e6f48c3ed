"""Word problems: a small scene with numbers in it, a question, and the sum that answers it."""

from __future__ import annotations

import random

from smolforge.written.files import table, texts, ways_of
from smolforge.written.synthetic.people import two
from smolforge.written.synthetic.problems import RESULT, STEPS, Problem, key, step_keys, sum_keys

_COUNTABLE = (
    "apples", "pears", "books", "pencils", "marbles", "stickers", "cards", "shells", "eggs", "flowers", "coins",
    "stones", "nuts", "stamps", "balloons", "cookies", "oranges", "buttons", "beads", "plums",
)  # fmt: skip
_CONTAINERS = ("boxes", "bags", "baskets", "jars", "bowls")

# Each: operation, text with {a} {b}, names {n} {m}, pronouns {he} {him} {his}, things {t}, containers {c}.
_SCENES = tuple((row["operation"], row["scene"]) for row in table("scenes"))
_LINKS = ways_of(texts("mathematics")["links"])


def _numbers(rng: random.Random, operation: str, level: int) -> tuple[int, int]:
    if operation == "add":
        return (
            (rng.randint(2, 12), rng.randint(2, 9))
            if level == 1
            else (rng.randint(11, 60), rng.randint(4, 39))
        )
    if operation == "subtract":
        a = rng.randint(5, 18) if level == 1 else rng.randint(21, 90)
        return a, rng.randint(2, min(a - 2, 9)) if level == 1 else rng.randint(4, a - 3)
    if operation == "multiply":
        return (
            (rng.randint(2, 6), rng.randint(2, 10)) if level == 1 else (rng.randint(3, 9), rng.randint(6, 15))
        )
    b = rng.randint(2, 6 if level == 1 else 9)
    return b * rng.randint(2, 6 if level == 1 else 12), b


def one_step(rng: random.Random, level: int | None = None) -> Problem:
    """A word problem with one sum; its key is the scene together with the numbers."""
    level = level or rng.choice((1, 1, 2))
    index = rng.randrange(len(_SCENES))
    operation, scene = _SCENES[index]
    a, b = _numbers(rng, operation, level)
    one, other = two(rng)
    question = scene.format(a=a, b=b, n=one.name, m=other.name, he=one.he, He=one.He, him=one.him, his=one.his,
                            t=rng.choice(_COUNTABLE), c=rng.choice(_CONTAINERS))  # fmt: skip
    steps = f"{rng.choice(_LINKS[operation])} {STEPS[operation](a, b)}"
    if rng.random() < 0.5:
        steps = STEPS[operation](a, b)
    answer = str(RESULT[operation](a, b))
    return Problem(
        "word problem",
        level,
        question,
        steps,
        answer,
        (key(f"scene{index}", a, b), *step_keys(operation, a, b)),
    )


def two_steps(rng: random.Random) -> Problem:
    """A word problem with two sums after each other."""
    one, other = two(rng)
    things = rng.choice(_COUNTABLE)
    form = rng.randrange(4)
    if form == 0:
        a, b = rng.randint(6, 30), rng.randint(2, 20)
        c = rng.randint(2, min(a + b - 1, 15))
        question = f"{one.name} has {a} {things}. {one.He} buys {b} more and then gives {c} to {other.name}. How many {things} does {one.he} have now?"
        sums = (("add", a, b), ("subtract", a + b, c))
    elif form == 1:
        a, b, c = rng.randint(2, 6), rng.randint(2, 9), rng.randint(2, 20)
        question = f"{one.name} has {a} {rng.choice(_CONTAINERS)} with {b} {things} in each and {c} more {things} on the table. How many {things} are there in all?"
        sums = (("multiply", a, b), ("add", a * b, c))
    elif form == 2:
        a, b = rng.randint(2, 5), rng.randint(2, 9)
        paid = rng.choice([note for note in (10, 20, 50, 100) if note > a * b])
        question = f"{one.name} buys {a} books for {b} dollars each and pays with {paid} dollars. How many dollars does {one.he} get back?"
        sums = (("multiply", a, b), ("subtract", paid, a * b))
        c = paid
    else:
        each, friends = rng.randint(2, 8), rng.randint(2, 6)
        total = each * friends
        a = rng.randint(1, total - 1)
        b, c = total - a, friends
        question = f"{one.name} has {a} {things} and {other.name} has {b}. They share all of them equally among {friends} children. How many {things} does each child get?"
        sums = (("add", a, b), ("divide", total, friends))
    steps = " ".join(STEPS[operation](x, y) for operation, x, y in sums)
    keys = tuple(each_key for operation, x, y in sums for each_key in step_keys(operation, x, y))
    operation, x, y = sums[1]
    return Problem(
        "two steps", 3, question, steps, str(RESULT[operation](x, y)), (key(f"two{form}", a, b, c), *keys)
    )


def clock(rng: random.Random) -> Problem:
    """How long something lasts, in minutes."""
    start, length = rng.randint(0, 8) * 5, rng.randint(1, 3) * 5
    one, _ = two(rng)
    hour = rng.randint(1, 11)
    doing = rng.choice(
        ("reads a book", "plays outside", "waits for the bus", "draws a picture", "practises the piano")
    )
    question = f"{one.name} {doing} from {hour}:{start:02d} to {hour}:{start + length:02d}. How many minutes is that?"
    return Problem("time", 2, question, f"{start + length} - {start} = {length}.", str(length),
                   (key("clock", start, length), *sum_keys("subtract", start + length, start)))  # fmt: skip
