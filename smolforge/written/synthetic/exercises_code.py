"""Files of small documented Python functions, and exercises that explain them, in the manner of Stack-Edu."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from smolforge.data.read.documents import Document
from smolforge.data.read.documents import Kind as DocumentKind
from smolforge.written.synthetic.code_functions import Function, function
from smolforge.written.synthetic.wording import counted

_CLASSICS = (
    'def factorial(n):\n    """Return the product of the numbers from 1 to n."""\n    result = 1\n    for i in range(2, n + 1):\n        result *= i\n    return result\n',
    'def is_prime(n):\n    """Return True if n is a prime number, otherwise False."""\n    if n < 2:\n        return False\n    for i in range(2, n):\n        if n % i == 0:\n            return False\n    return True\n',
    'def gcd(a, b):\n    """Return the greatest common divisor of a and b."""\n    while b:\n        a, b = b, a % b\n    return a\n',
    'def fibonacci(n):\n    """Return the first n Fibonacci numbers."""\n    result = []\n    a, b = 0, 1\n    for _ in range(n):\n        result.append(a)\n        a, b = b, a + b\n    return result\n',
    'def is_palindrome(text):\n    """Return True if text reads the same backwards, otherwise False."""\n    return text == text[::-1]\n',
    'def count_letters(text):\n    """Return a dictionary that says how often each letter occurs in text."""\n    counts = {}\n    for letter in text:\n        counts[letter] = counts.get(letter, 0) + 1\n    return counts\n',
    'def fizz_buzz(n):\n    """Return "Fizz", "Buzz", "FizzBuzz" or the number as a string."""\n    if n % 15 == 0:\n        return "FizzBuzz"\n    if n % 3 == 0:\n        return "Fizz"\n    if n % 5 == 0:\n        return "Buzz"\n    return str(n)\n',
    'def average(numbers):\n    """Return the average of the numbers, or 0 for an empty list."""\n    if not numbers:\n        return 0\n    return sum(numbers) / len(numbers)\n',
    'def unique(items):\n    """Return a list of the items without repeats, in the same order."""\n    result = []\n    for item in items:\n        if item not in result:\n            result.append(item)\n    return result\n',
    'def celsius_to_fahrenheit(degrees):\n    """Return the temperature in degrees Fahrenheit."""\n    return degrees * 9 / 5 + 32\n',
    'def swap(pair):\n    """Return the pair with its two values exchanged."""\n    first, second = pair\n    return second, first\n',
    'def clamp(value, low, high):\n    """Return value, but not less than low and not more than high."""\n    return max(low, min(value, high))\n',
    'class Counter:\n    """Counts how often something happens."""\n\n    def __init__(self):\n        self.count = 0\n\n    def add(self):\n        """Count one more."""\n        self.count += 1\n',
    'class Stack:\n    """A pile of items: the last one in is the first one out."""\n\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n        """Put an item on top."""\n        self.items.append(item)\n\n    def pop(self):\n        """Take the top item away and return it."""\n        return self.items.pop()\n',
)
_FILE_HEADS = (
    "Small functions for practice.", "Functions on lists and texts.", "Exercises with their solutions.",
    "A few useful functions.", "Simple Python functions with examples.", "Building blocks for larger programs.",
)  # fmt: skip


def code_exercises(seed: int | str, documents: int) -> Iterator[Document]:
    """`documents` files or exercise pages; number i depends on seed and i alone."""
    for index in range(documents):
        rng = random.Random(f"{seed}/code/{index}")
        style = rng.choices(tuple(STYLES), _STYLE_WEIGHTS)[0]
        write, kind, ending = STYLES[style][:3]
        yield Document(
            f"code-{seed}-{index:07d}",
            kind,
            f"smolforge://code/{seed}/{index}.{ending}",
            write(rng),
            {"domain": "exercises", "style": style},
        )


def _functions(rng: random.Random, count: int) -> list[Function]:
    """`count` functions of different names."""
    found: dict[str, Function] = {}
    while len(found) < count:
        one = function(rng)
        found[one.name] = one
    return list(found.values())


def _module(rng: random.Random) -> str:
    """A file: a docstring, functions, at times a classic among them."""
    parts = [one.source(loop=rng.random() < 0.2) for one in _functions(rng, rng.randint(3, 7))]
    if rng.random() < 0.35:
        parts.insert(rng.randrange(len(parts)), rng.choice(_CLASSICS))
    head = f'"""{rng.choice(_FILE_HEADS)}"""\n\n\n' if rng.random() < 0.6 else ""
    return head + "\n\n".join(parts)


def _tested(rng: random.Random) -> str:
    """Functions, each followed by its assertions."""
    parts = [
        f"{one.source()}\n\n{one.asserts(rng.randint(2, 3))}\n" for one in _functions(rng, rng.randint(2, 4))
    ]
    return "\n\n".join(parts)


def _shown(rng: random.Random) -> str:
    """Functions with examples in their docstrings."""
    parts = []
    for one in _functions(rng, rng.randint(2, 4)):
        shown = "\n".join(
            f"    >>> {one.call(each)}\n    {one.apply(*each)!r}"
            for each in one.examples[:2]
            if one.apply(*each) is not None
        )
        parts.append(f'{one.signature}\n    """Return {one.task}.\n\n{shown}\n    """\n{one.body}\n')
    return "\n\n".join(parts)


ASKS = (
    "Write a Python function `{call}` that returns {task}.",
    "Write a function `{call}` in Python. It should return {task}.",
    "Please write a Python function named `{name}` that returns {task}.",
    "I need a Python function `{call}` that returns {task}.",
    "Create a Python function `{call}`. It returns {task}.",
)
SHOWS = (
    "For example, `{call}` gives `{result}`.",
    "For example, `{call}` returns `{result}`.",
    "So `{call}` is `{result}`.",
)


def ask(rng: random.Random, one: Function) -> str:
    """The task in words."""
    return rng.choice(ASKS).format(
        call=f"{one.name}({', '.join(one.parameters)})", name=one.name, task=one.task
    )


def shown(rng: random.Random, one: Function) -> str:
    """An example call with its result."""
    arguments = one.examples[0]
    return rng.choice(SHOWS).format(call=one.call(arguments), result=repr(one.apply(*arguments)))


def _exercise(rng: random.Random) -> str:
    """Tasks in words with solutions and what they do."""
    found = _functions(rng, rng.randint(1, 3))
    blocks = []
    for number, one in enumerate(found, 1):
        code = one.source(docstring=rng.random() < 0.5).rstrip()
        label = f"Exercise {number}: " if len(found) > 1 else ""
        lines = [f"{label}{ask(rng, one)}", f"```python\n{code}\n```", f"{one.how} {shown(rng, one)}"]
        if one.loop and rng.random() < 0.3:
            lines.append(
                f"The same with a loop:\n\n```python\n{one.source(loop=True, docstring=False).rstrip()}\n```"
            )
        blocks.append("\n\n".join(lines))
    title = f"# {counted(len(found), 'exercise')} in Python\n\n" if rng.random() < 0.4 else ""
    return title + "\n\n".join(blocks)


STYLES: dict[str, tuple[Callable[[random.Random], str], DocumentKind, str, int]] = {
    "module": (_module, "code", "py", 50),
    "tested": (_tested, "code", "py", 16),
    "shown": (_shown, "code", "py", 12),
    "exercise": (_exercise, "markdown", "md", 22),
}
_STYLE_WEIGHTS = tuple(style[3] for style in STYLES.values())
