"""Word problems: a small scene with numbers in it, a question, and the sum that answers it."""

from __future__ import annotations

import random

from smolforge.written.synthetic.people import two
from smolforge.written.synthetic.problems import RESULT, STEPS, Problem, key, step_keys, sum_keys

_COUNTABLE = (
    "apples", "pears", "books", "pencils", "marbles", "stickers", "cards", "shells", "eggs", "flowers", "coins",
    "stones", "nuts", "stamps", "balloons", "cookies", "oranges", "buttons", "beads", "plums",
)  # fmt: skip
_CONTAINERS = ("boxes", "bags", "baskets", "jars", "bowls")

# Each: operation, text with {a} {b}, names {n} {m}, pronouns {he} {him} {his}, things {t}, containers {c}.
_SCENES: tuple[tuple[str, str], ...] = (
    ("add", "{n} has {a} {t}. {m} gives {him} {b} more. How many {t} does {n} have now?"),
    ("add", "{n} has {a} {t} and {m} has {b} {t}. How many {t} do they have together?"),
    ("add", "There are {a} {t} on the table. {n} puts {b} more on it. How many {t} are on the table?"),
    (
        "add",
        "{n} finds {a} {t} in the morning and {b} {t} in the evening. How many {t} does {he} find in all?",
    ),
    ("add", "{n} is {a} years old. How old will {he} be in {b} years?"),
    ("add", "{n} reads {a} pages on Monday and {b} pages on Tuesday. How many pages does {he} read?"),
    ("add", "A bus carries {a} people. At the next stop {b} people get on. How many people are on the bus?"),
    (
        "add",
        "{n} pays {a} dollars for a shirt and {b} dollars for a book. How many dollars does {he} pay in all?",
    ),
    ("add", "{n} walks {a} steps to the door and {b} steps to the gate. How many steps is that in all?"),
    ("add", "{n} has {a} {t} in a jar. {He} buys {b} {t} more. How many {t} are there now?"),
    ("subtract", "{n} has {a} {t}. {He} gives {b} of them to {m}. How many {t} does {n} have left?"),
    ("subtract", "There are {a} {t} in a basket. {n} takes {b} of them. How many {t} are left?"),
    ("subtract", "{n} has {a} {t} and {m} has {b}. How many more {t} does {n} have?"),
    ("subtract", "{n} had {a} dollars and spent {b} dollars. How many dollars are left?"),
    ("subtract", "A book has {a} pages. {n} has read {b} pages. How many pages are left?"),
    ("subtract", "{a} birds sit in a tree. {b} birds fly away. How many birds are still in the tree?"),
    ("subtract", "A rope is {a} metres long. {n} cuts off {b} metres. How many metres are left?"),
    ("subtract", "{n} bakes {a} cakes and sells {b} of them. How many cakes are left?"),
    ("subtract", "There are {a} children on the playground. {b} of them go home. How many children stay?"),
    ("multiply", "{n} has {a} {c} with {b} {t} in each. How many {t} does {he} have?"),
    ("multiply", "One ticket costs {b} dollars. How many dollars do {a} tickets cost?"),
    ("multiply", "There are {a} rows of chairs with {b} chairs in each row. How many chairs are there?"),
    ("multiply", "{n} reads {b} pages every day. How many pages does {he} read in {a} days?"),
    ("multiply", "{n} plants {a} rows of {b} trees. How many trees does {he} plant?"),
    ("multiply", "Each of {a} children has {b} {t}. How many {t} do they have in all?"),
    ("multiply", "{n} fills {a} {c}. Into each {he} puts {b} {t}. How many {t} does {he} need?"),
    ("divide", "{n} shares {a} {t} equally among {b} friends. How many {t} does each friend get?"),
    ("divide", "{a} {t} are put into {b} {c}, the same number in each. How many {t} are in each?"),
    ("divide", "{b} tickets cost {a} dollars. How many dollars does one ticket cost?"),
    ("divide", "{n} cuts a rope of {a} metres into pieces of {b} metres. How many pieces are there?"),
    ("divide", "{a} children form teams of {b}. How many teams are there?"),
)
_LINKS = {
    "add": ("We add to find how many there are in all.", "To find the total, we add."),
    "subtract": ("We subtract to find the difference.", "Here we subtract."),
    "multiply": ("Equal groups mean that we multiply.", "The groups are equal, so we multiply."),
    "divide": ("Equal shares mean that we divide.", "The parts are equal, so we divide."),
}


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
