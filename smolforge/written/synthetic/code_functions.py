"""Small Python functions built from pieces: what they do in words, their code, and what they return.

A function is a composition of pieces (keep, change, put together). Each piece holds its words, its code and its
meaning as a Python callable, so that examples and tests come from the meaning and never from running the text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.written.synthetic.relations import is_held_out
from smolforge.written.synthetic.wording import in_words, sentence


@dataclass(frozen=True, slots=True)
class Function:
    """A function as text and as meaning.

    task       what it returns, after "returns": "the sum of the even numbers in the list"
    body       the lines after the docstring, indented by four blanks
    loop       the same with a loop, or empty
    examples   argument tuples that show it well
    how        one sentence on how it works
    """

    name: str
    parameters: tuple[str, ...]
    task: str
    body: str
    examples: tuple[tuple[Any, ...], ...]
    apply: Callable[..., Any]
    key: str
    how: str
    loop: str = ""

    @property
    def signature(self) -> str:
        """ "def name(parameters):"."""
        return f"def {self.name}({', '.join(self.parameters)}):"

    def source(self, *, loop: bool = False, docstring: bool = True) -> str:
        """The whole function."""
        doc = f'    """Return {self.task}."""\n' if docstring else ""
        return f"{self.signature}\n{doc}{self.loop if loop and self.loop else self.body}\n"

    def call(self, arguments: Sequence[Any]) -> str:
        """A call with these arguments as code."""
        return f"{self.name}({', '.join(map(repr, arguments))})"

    def asserts(self, count: int = 4) -> str:
        """Assertions over the first examples."""
        return "\n".join(
            f"assert {self.call(each)} == {self.apply(*each)!r}" for each in self.examples[:count]
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """`name` goes into function names and keys, `words` into the task, `code` has {x}, `apply` is its meaning."""

    name: str
    words: str
    code: str
    apply: Callable[[Any], Any]


# ---- numbers in a list: keep, change, put together --------------------------------------------------------------

_KEEP = (
    Piece("all", "numbers", "", lambda x: True),
    Piece("even", "even numbers", "{x} % 2 == 0", lambda x: x % 2 == 0),
    Piece("odd", "odd numbers", "{x} % 2 == 1", lambda x: x % 2 == 1),
    Piece("positive", "positive numbers", "{x} > 0", lambda x: x > 0),
    Piece("negative", "negative numbers", "{x} < 0", lambda x: x < 0),
    Piece("nonzero", "numbers that are not zero", "{x} != 0", lambda x: x != 0),
    Piece("above_5", "numbers greater than 5", "{x} > 5", lambda x: x > 5),
    Piece("above_10", "numbers greater than 10", "{x} > 10", lambda x: x > 10),
    Piece("below_5", "numbers less than 5", "{x} < 5", lambda x: x < 5),
    Piece("below_10", "numbers less than 10", "{x} < 10", lambda x: x < 10),
    Piece("divisible_by_3", "numbers divisible by 3", "{x} % 3 == 0", lambda x: x % 3 == 0),
    Piece("divisible_by_5", "numbers divisible by 5", "{x} % 5 == 0", lambda x: x % 5 == 0),
)
_CHANGE = (
    Piece("", "the {f}", "{x}", lambda x: x),
    Piece("squares", "the squares of the {f}", "{x} * {x}", lambda x: x * x),
    Piece("cubes", "the cubes of the {f}", "{x} ** 3", lambda x: x**3),
    Piece("doubles", "the doubles of the {f}", "{x} * 2", lambda x: x * 2),
    Piece("triples", "the triples of the {f}", "{x} * 3", lambda x: x * 3),
    Piece("absolute_values", "the absolute values of the {f}", "abs({x})", abs),
    Piece("negatives", "the negatives of the {f}", "-{x}", lambda x: -x),
    Piece("successors", "one more than each of the {f}", "{x} + 1", lambda x: x + 1),
    Piece("strings", "the string forms of the {f}", "str({x})", str),
)
_TOGETHER = (
    Piece("list", "a list of {m}", "[{c}]", list),
    Piece("sum", "the sum of {m}", "sum({c})", sum),
    Piece(
        "largest",
        "the largest of {m}, or 0 if there are none",
        "max(({c}), default=0)",
        lambda v: max(v, default=0),
    ),
    Piece(
        "smallest",
        "the smallest of {m}, or 0 if there are none",
        "min(({c}), default=0)",
        lambda v: min(v, default=0),
    ),
    Piece("sorted", "a sorted list of {m}", "sorted({c})", sorted),
    Piece("count", "the number of {f}", "len([{c}])", len),
    Piece(
        "first",
        "the first of {m}, or None if there is none",
        "next(({c}), None)",
        lambda v: next(iter(v), None),
    ),
)
_LISTS = ((3, -6, 14, 25, 1), (9, 30, -15, 4), (7, 0, -12, 18, 5), (-3, 10, 8, 45),
          (1, 2, 3, 4), (6, -2, 15, 0, 7), (12, 5, -9, 3, 10), (), (-4, -1, 8), (2, 2, 9), (20, 11, 6), (0, 1, -3))  # fmt: skip


def _examples(
    rng: random.Random, pool: Sequence[Any], apply: Callable[[Any], Any]
) -> tuple[tuple[Any, ...], ...]:
    """Four arguments that tell much: those with new, not empty results first, so that a wrong function fails."""
    values = [
        value if isinstance(value, str | int) else list(value) for value in rng.sample(list(pool), len(pool))
    ]
    results = [repr(apply(value)) for value in values]
    if set(results) <= {"True", "False"}:
        sides = [
            [n for n, result in enumerate(results) if result == truth][:2] for truth in ("True", "False")
        ]
        return tuple((values[n],) for side in sides for n in side)
    telling = [n for n, result in enumerate(results) if result not in results[:n] and result not in _EMPTY]
    order = [*telling, *(n for n in range(len(values)) if n not in telling)]
    return tuple((values[n],) for n in order[:4])


_EMPTY = ("[]", "0", "None", "''", "False")


def _numbers(rng: random.Random) -> Function:
    keep, change, together = rng.choice(_KEEP), rng.choice(_CHANGE), rng.choice(_TOGETHER)
    if together.name == "count":
        change = _CHANGE[0]
        keep = rng.choice(_KEEP[1:])
    elif change.name == "strings":
        together = rng.choice((_TOGETHER[0], _TOGETHER[6]))
    if keep.name == "all" and not change.name and together.name == "list":
        change = rng.choice(_CHANGE[1:])
    name, x = rng.choice(("numbers", "numbers", "values", "xs")), rng.choice(("x", "x", "n"))
    source = f"{name}" if not keep.code and not change.name else ""
    test = f" if {keep.code.format(x=x)}" if keep.code else ""
    gathered = source or f"{change.code.format(x=x)} for {x} in {name}{test}"
    code = together.code.format(c=gathered)
    if source:
        code = {"sum": f"sum({name})", "largest": f"max({name}, default=0)", "smallest": f"min({name}, default=0)",
                "sorted": f"sorted({name})", "first": f"next(iter({name}), None)"}[together.name]  # fmt: skip
    kept = f"{keep.words} in the list"
    task = together.words.format(m=change.words.format(f=kept), f=kept)
    parts = [part for part in (together.name, "of", change.name, keep.name) if part and part != "all"]
    if parts[-1] == "of":
        parts[-1] = "number" if together.name in ("largest", "smallest", "first") else "numbers"
    title = "_".join(part for part in parts if part != "of" or together.name in ("sum", "list"))

    def apply(values: list[int]) -> Any:
        return together.apply([change.apply(v) for v in values if keep.apply(v)])

    how = [f"It goes through the list{' and keeps the ' + keep.words if keep.code else ''}."]
    if together.name in ("sum", "sorted", "list") and change.name:
        how.append(f"Each number {x} becomes {change.code.format(x=x)}.")
    return Function(
        title, (name,), task, f"    return {code}", _examples(rng, _LISTS, apply), apply,
        f"code/numbers/{keep.name}/{change.name or 'same'}/{together.name}", " ".join(how),
        _loop(name, x, keep, change, together),
    )  # fmt: skip


def _loop(name: str, x: str, keep: Piece, change: Piece, together: Piece) -> str:
    start, step = {
        "list": ("result = []", "result.append({c})"),
        "sum": ("result = 0", "result += {c}"),
        "count": ("result = 0", "result += 1"),
    }.get(together.name, ("", ""))
    if not start:
        return ""
    action = step.format(c=change.code.format(x=x))
    lines = [start, f"for {x} in {name}:"]
    lines += [f"    if {keep.code.format(x=x)}:", f"        {action}"] if keep.code else [f"    {action}"]
    return "\n".join(f"    {line}" for line in [*lines, "return result"])


# ---- words in a list -----------------------------------------------------------------------------------------

_KEEP_WORDS = (
    Piece("all", "words", "", lambda w: True),
    Piece("longer_than_3", "words longer than 3 letters", "len({x}) > 3", lambda w: len(w) > 3),
    Piece("longer_than_5", "words longer than 5 letters", "len({x}) > 5", lambda w: len(w) > 5),
    Piece("shorter_than_5", "words shorter than 5 letters", "len({x}) < 5", lambda w: len(w) < 5),
    Piece("with_a", 'words that contain the letter "a"', '"a" in {x}', lambda w: "a" in w),
    Piece("with_e", 'words that contain the letter "e"', '"e" in {x}', lambda w: "e" in w),
    Piece("starting_with_b", 'words that start with "b"', '{x}.startswith("b")', lambda w: w.startswith("b")),
    Piece("starting_with_s", 'words that start with "s"', '{x}.startswith("s")', lambda w: w.startswith("s")),
    Piece("ending_with_s", 'words that end with "s"', '{x}.endswith("s")', lambda w: w.endswith("s")),
    Piece("not_empty", "words that are not empty", '{x} != ""', lambda w: w != ""),
)
_CHANGE_WORDS = (
    Piece("", "the {f}", "{x}", lambda w: w),
    Piece("upper", "the {f} in upper case", "{x}.upper()", str.upper),
    Piece("capitalized", "the {f} with a capital first letter", "{x}.capitalize()", str.capitalize),
    Piece("reversed", "the {f} written backwards", "{x}[::-1]", lambda w: w[::-1]),
    Piece("lengths", "the lengths of the {f}", "len({x})", len),
    Piece("beginnings", "the first two letters of the {f}", "{x}[:2]", lambda w: w[:2]),
)
_TOGETHER_WORDS = (
    Piece("list", "a list of {m}", "[{c}]", list),
    Piece("sorted", "a sorted list of {m}", "sorted({c})", sorted),
    Piece("count", "the number of {f}", "len([{c}])", len),
    Piece("joined", "one string of {m}, joined by spaces", '" ".join({c})', " ".join),
    Piece("longest", 'the longest of {m}, or "" if there are none', 'max(({c}), key=len, default="")',
          lambda v: max(v, key=len, default="")),
)  # fmt: skip
_WORD_LISTS = (
    ("basket", "sea", "friends", "bat"), ("song", "yes", "letters", "bird"), ("beans", "stone", "milk", "bus"),
    ("apple", "fig", "banana"), ("sun", "boat", "stars", "sea"), ("tree", "", "bees"), ("cat", "horse", "dogs"),
    (), ("blue", "red", "green"), ("salt", "bread", "eggs"), ("a", "book", "under", "snow"),
)  # fmt: skip


def _words(rng: random.Random) -> Function:
    keep, change, together = rng.choice(_KEEP_WORDS), rng.choice(_CHANGE_WORDS), rng.choice(_TOGETHER_WORDS)
    if together.name == "count":
        change, keep = _CHANGE_WORDS[0], rng.choice(_KEEP_WORDS[1:])
    elif change.name == "lengths":
        together = rng.choice(_TOGETHER_WORDS[:2])
    elif change.name == "beginnings" and together.name == "longest":
        together = _TOGETHER_WORDS[0]
    if keep.name == "all" and not change.name:
        change = rng.choice(_CHANGE_WORDS[1:4])
    x = rng.choice(("word", "word", "w"))
    test = f" if {keep.code.format(x=x)}" if keep.code else ""
    code = together.code.format(c=f"{change.code.format(x=x)} for {x} in words{test}")
    task = together.words.format(m=change.words.format(f=keep.words), f=keep.words)
    parts = [part for part in (together.name, change.name, "words", keep.name) if part and part != "all"]

    def apply(values: list[str]) -> Any:
        return together.apply([change.apply(v) for v in values if keep.apply(v)])

    return Function(
        "_".join(parts), ("words",), task, f"    return {code}", _examples(rng, _WORD_LISTS, apply), apply,
        f"code/words/{keep.name}/{change.name or 'same'}/{together.name}",
        f"It goes through the words{' and keeps the ' + keep.words if keep.code else ''}.",
        _loop("words", x, keep, change, together),
    )  # fmt: skip


# ---- one text ------------------------------------------------------------------------------------------------

_TEXT = (
    Piece("upper", "in upper case", "{x}.upper()", str.upper),
    Piece("lower", "in lower case", "{x}.lower()", str.lower),
    Piece("reversed", "written backwards", "{x}[::-1]", lambda s: s[::-1]),
    Piece("stripped", "without spaces at both ends", "{x}.strip()", str.strip),
    Piece("without_spaces", "without any spaces", '{x}.replace(" ", "")', lambda s: s.replace(" ", "")),
    Piece("first_three", "cut to its first three letters", "{x}[:3]", lambda s: s[:3]),
    Piece("last_three", "cut to its last three letters", "{x}[-3:]", lambda s: s[-3:]),
    Piece("capitalized", "with a capital first letter", "{x}.capitalize()", str.capitalize),
    Piece("without_a", 'without the letter "a"', '{x}.replace("a", "")', lambda s: s.replace("a", "")),
)
_FINAL = (
    Piece("", "the text {w}", "{x}", lambda s: s),
    Piece("", "the text {w}", "{x}", lambda s: s),
    Piece("length", "the length of the text {w}", "len({x})", len),
    Piece("twice", "the text {w}, two times in a row", "{x} * 2", lambda s: s * 2),
    Piece("letters", "a list of the letters of the text {w}", "list({x})", list),
    Piece("excited", 'the text {w}, followed by "!"', '{x} + "!"', lambda s: s + "!"),
    Piece("words", "a list of the words of the text {w}", "{x}.split()", str.split),
)
_TEXTS = ("hello", "Good day", " a cat ", "Banana split", "sun", "Red Apple", "", "smooth sea")


def _text(rng: random.Random) -> Function:
    first, second = rng.sample(_TEXT, 2)
    final = rng.choice(_FINAL)
    pieces = [first, second] if rng.random() < 0.75 else [first]
    code = "text"
    for piece in pieces:
        code = piece.code.format(x=code)
    task = final.words.format(w=" and then ".join(piece.words for piece in pieces))
    name = "_".join([*(["text"] if not final.name else [final.name]), *(piece.name for piece in pieces)])

    def apply(text: str) -> Any:
        for piece in pieces:
            text = piece.apply(text)
        return final.apply(text)

    return Function(
        name, ("text",), task, f"    return {final.code.format(x=code)}", _examples(rng, _TEXTS, apply), apply,
        f"code/text/{'/'.join(piece.name for piece in pieces)}/{final.name or 'same'}",
        f"The text is changed {in_words(len(pieces))} {'time' if len(pieces) == 1 else 'times'}, one after the other." if len(pieces) > 1 else "One method does all the work.",
    )  # fmt: skip


# ---- one number, two numbers -----------------------------------------------------------------------------------


def _arithmetic(rng: random.Random) -> Function:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    forms: tuple[tuple[str, str, str, Callable[[int], int]], ...] = (
        ("times_plus", f"n times {a}, plus {b}", f"n * {a} + {b}", lambda n: n * a + b),
        ("times_minus", f"n times {a}, minus {b}", f"n * {a} - {b}", lambda n: n * a - b),
        ("plus_times", f"n plus {a}, all times {b}", f"(n + {a}) * {b}", lambda n: (n + a) * b),
        ("minus_times", f"n minus {a}, all times {b}", f"(n - {a}) * {b}", lambda n: (n - a) * b),
        ("square_plus", f"the square of n, plus {a}", f"n * n + {a}", lambda n: n * n + a),
        ("square_minus", f"the square of n, minus {a}", f"n * n - {a}", lambda n: n * n - a),
        ("square_times", f"the square of n, times {a}", f"n * n * {a}", lambda n: n * n * a),
        ("remainder", f"the remainder of n divided by {a}", f"n % {a}", lambda n: n % a),
        ("plus", f"n plus {a}", f"n + {a}", lambda n: n + a),
        ("times", f"n times {a}", f"n * {a}", lambda n: n * a),
    )
    form, task, code, apply = rng.choice(forms)
    used = f"{a}/{b}" if form in ("times_plus", "times_minus", "plus_times", "minus_times") else str(a)
    return Function(
        f"{form}_{used.replace('/', '_')}", ("n",), task, f"    return {code}",
        _examples(rng, range(-3, 12), apply), apply, f"code/arithmetic/{form}/{used}", "It is one line of arithmetic.",
    )  # fmt: skip


_CHECKS = (
    Piece("even", "n is even", "n % 2 == 0", lambda n: n % 2 == 0),
    Piece("odd", "n is odd", "n % 2 == 1", lambda n: n % 2 == 1),
    Piece("positive", "n is positive", "n > 0", lambda n: n > 0),
    Piece("negative", "n is negative", "n < 0", lambda n: n < 0),
    Piece("divisible_by_3", "n is divisible by 3", "n % 3 == 0", lambda n: n % 3 == 0),
    Piece("divisible_by_5", "n is divisible by 5", "n % 5 == 0", lambda n: n % 5 == 0),
    Piece("above_10", "n is greater than 10", "n > 10", lambda n: n > 10),
    Piece("above_20", "n is greater than 20", "n > 20", lambda n: n > 20),
    Piece("below_10", "n is less than 10", "n < 10", lambda n: n < 10),
    Piece("below_50", "n is less than 50", "n < 50", lambda n: n < 50),
    Piece("not_zero", "n is not zero", "n != 0", lambda n: n != 0),
)


_CHECK_NUMBERS = (-4, -9, 0, 3, 5, 8, 10, 15, 21, 24, 30, 55, 60)


_GROUP = {
    "even": {"parity"}, "odd": {"parity"}, "positive": {"size"}, "negative": {"size"}, "divisible_by_3": {"three"},
    "divisible_by_5": {"five"}, "above_10": {"size"}, "above_20": {"size"}, "below_10": {"size"}, "below_50": {"size"},
    "not_zero": {"size", "parity"},
}  # fmt: skip
"""Tests that share a group would make an empty or a doubled condition."""


def _check(rng: random.Random) -> Function:
    one, two = rng.sample(_CHECKS, 2)
    while _GROUP[one.name] & _GROUP[two.name]:
        one, two = rng.sample(_CHECKS, 2)
    both = rng.random() < 0.6
    word = "and" if both else "or"

    def apply(n: int) -> bool:
        return (one.apply(n) and two.apply(n)) if both else (one.apply(n) or two.apply(n))

    return Function(
        f"is_{one.name}_{word}_{two.name}", ("n",), f"True if {one.words} {word} {two.words}, otherwise False",
        f"    return {one.code} {word} {two.code}", _examples(rng, _CHECK_NUMBERS, apply),
        apply, f"code/check/{one.name}/{word}/{two.name}", f'The word "{word}" joins the two tests.',
    )  # fmt: skip


_EACH = (
    Piece("", "{p}", "{x}", lambda x: x),
    Piece("squares", "the square of {p}", "{x} * {x}", lambda x: x * x),
    Piece("doubles", "twice {p}", "2 * {x}", lambda x: 2 * x),
    Piece("absolute", "the absolute value of {p}", "abs({x})", abs),
    Piece("cubes", "the cube of {p}", "{x} ** 3", lambda x: x**3),
)
_BOTH: tuple[tuple[str, str, str, Callable[[int, int], Any]], ...] = (
    ("sum", "the sum of {a} and {b}", "{a} + {b}", lambda a, b: a + b),
    ("difference", "{a} minus {b}", "{a} - {b}", lambda a, b: a - b),
    ("larger", "the larger of {a} and {b}", "max({a}, {b})", lambda a, b: max(a, b)),
    ("smaller", "the smaller of {a} and {b}", "min({a}, {b})", lambda a, b: min(a, b)),
    ("equal", "True if {a} equals {b}, otherwise False", "{a} == {b}", lambda a, b: a == b),
    ("pair", "a list of {a} and {b}", "[{a}, {b}]", lambda a, b: [a, b]),
)


def _pair(rng: random.Random) -> Function:
    left, right = rng.choice(_EACH), rng.choice(_EACH)
    name, words, code, combine = rng.choice(_BOTH)
    filled = words.format(a=left.words.format(p="a"), b=right.words.format(p="b"))
    line = code.format(a=left.code.format(x="a"), b=right.code.format(x="b"))
    return Function(
        "_".join(part for part in (name, left.name or "plain", right.name or "plain") if part), ("a", "b"), filled,
        f"    return {line}", tuple((rng.randint(-5, 9), rng.randint(-5, 9)) for _ in range(4)),
        lambda a, b: combine(left.apply(a), right.apply(b)), f"code/pair/{name}/{left.name or 'same'}/{right.name or 'same'}",
        "Both values are used in one expression.",
    )  # fmt: skip


FAMILIES: dict[str, tuple[Callable[[random.Random], Function], int]] = {
    "numbers": (_numbers, 6),
    "words": (_words, 4),
    "text": (_text, 3),
    "arithmetic": (_arithmetic, 3),
    "check": (_check, 2),
    "pair": (_pair, 2),
}
_NAMES = tuple(FAMILIES)
_WEIGHTS = tuple(weight for _, weight in FAMILIES.values())


def function(rng: random.Random, *, kept: bool = False) -> Function:
    """A function of any family; `kept` ones have a composition that training data never shows."""
    while True:
        found = FAMILIES[rng.choices(_NAMES, _WEIGHTS)[0]][0](rng)
        if is_held_out(found.key) == kept:
            return found


def title(function: Function) -> str:
    """The task as a heading."""
    return sentence(function.task)
