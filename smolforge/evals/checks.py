"""Checkers of instructions that a program can judge: "use at most 20 words", "answer in JSON".

`run_check(name, arguments, text)` says whether a text obeys one of them, and why not. Held-out items,
curated conversations and rewards all use these names, so an instruction means one thing everywhere.
Most mirror an instruction of IFEval (Zhou and others, arXiv:2311.07911), whose released code defines
their edge cases; where a checker differs from it, its docstring says so. The text is a model's: every
pattern here runs in time linear in its length.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smolforge.config import unknown_key
from smolforge.errors import ConfigError

MAX_TEXT_CHARACTERS = 100_000
"""Longer texts fail every checker: no instruction here asks for one, and it bounds the work."""

ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "no",
        "fig",
        "approx",
        "u.s",
        "a.m",
        "p.m",
        "inc",
        "ltd",
        "jr",
        "sr",
    ]
)
WORD = re.compile(r"\w+(?:['’\-]\w+)*")
PLAIN_WORD = re.compile(r"\w+")
SENTENCE_END = re.compile(r"[.!?]+[\"'”’)\]*_]*(?=\s|$)")
LIST_MARK = re.compile(r"(?:[-*•+]|\d{1,3}[.)])\s")
SMALL_TITLE_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "but",
        "by",
        "for",
        "from",
        "in",
        "into",
        "nor",
        "of",
        "on",
        "or",
        "over",
        "the",
        "to",
        "up",
        "with",
    ]
)


@dataclass(frozen=True)
class Verdict:
    """Whether a text passed, and in a few words why not."""

    ok: bool
    reason: str = ""


def run_check(name: str, args: Mapping[str, Any], text: str) -> Verdict:
    """The verdict of checker `name` on `text`; `ConfigError` for an unknown name or wrong arguments."""
    checker = CHECKS.get(name)
    if checker is None:
        raise unknown_key(f"checks.{name}", name, sorted(CHECKS))
    _check_arguments(name, checker, args)
    if len(text) > MAX_TEXT_CHARACTERS:
        return Verdict(False, f"{len(text)} characters, more than {MAX_TEXT_CHARACTERS}")
    if not text.strip():
        return Verdict(False, "the text is empty")
    reason = checker(text, **args)
    return Verdict(reason is None, reason or "")


def run_checks(checks: Sequence[Mapping[str, Any]], text: str) -> list[Verdict]:
    """One verdict for each `{"name": …, "args": {…}}`."""
    return [run_check(str(check["name"]), check.get("args", {}), text) for check in checks]


def _check_arguments(name: str, checker: Callable[..., str | None], args: Mapping[str, Any]) -> None:
    parameters = dict(list(inspect.signature(checker).parameters.items())[1:])
    for given in args:
        if given not in parameters:
            raise unknown_key(f"checks.{name}.{given}", given, list(parameters))
    for wanted, parameter in parameters.items():
        if wanted not in args:
            if parameter.default is inspect.Parameter.empty:
                raise ConfigError(
                    f"checker `{name}` needs `{wanted}`", fix=f"its arguments: {', '.join(parameters)}"
                )
            continue
        if not _fits(args[wanted], str(parameter.annotation)):
            raise ConfigError(
                f"`checks.{name}.{wanted}` is {args[wanted]!r}", fix=f"give {parameter.annotation}"
            )


def _fits(value: Any, annotation: str) -> bool:
    if annotation == "int":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if annotation == "Sequence[str]":
        return isinstance(value, list | tuple) and all(isinstance(v, str) and v for v in value)
    if annotation == "bool":
        return isinstance(value, bool)
    return isinstance(value, str) and bool(value)


# -- counting ------------------------------------------------------------------------------------------


def count_words(text: str, plain: bool = False) -> int:
    """Words as people count them ("don't" and "well-known" are one); `plain` splits them as IFEval does."""
    return len((PLAIN_WORD if plain else WORD).findall(text))


def count_sentences(text: str) -> int:
    """Sentences; a line is one even without a full stop, "Dr." and "3.5" end none. IFEval asks NLTK's Punkt."""
    return sum(_sentences_of_line(line) for line in text.splitlines())


def _sentences_of_line(line: str) -> int:
    line = LIST_MARK.sub("", line.strip(), count=1)
    count, start = 0, 0
    for match in SENTENCE_END.finditer(line):
        words = line[start : match.start()].split()
        if not words:
            continue
        last = words[-1].lower().lstrip("(\"'")
        is_last = match.end() == len(line)
        if (
            match.group().startswith(".")
            and not is_last
            and (last in ABBREVIATIONS or _is_initial(words[-1]))
        ):
            continue
        count, start = count + 1, match.end()
    return count + bool(WORD.search(line[start:]))


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper() and word != "I"


def split_paragraphs(text: str) -> list[str]:
    """Blocks of text between blank lines."""
    return [block for block in re.split(r"\n[ \t]*\n", text.strip()) if block.strip()]


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _times(text: str, word: str, whole: bool) -> int:
    edges = (r"(?<!\w)", r"(?!\w)") if whole else ("", "")
    return len(re.findall(edges[0] + re.escape(word) + edges[1], text, flags=re.IGNORECASE))


def _at_least(found: int, wanted: int, what: str) -> str | None:
    return None if found >= wanted else f"{found} {what}, at least {wanted} asked"


def _at_most(found: int, wanted: int, what: str) -> str | None:
    return None if found <= wanted else f"{found} {what}, at most {wanted} asked"


def _exactly(found: int, wanted: int, what: str) -> str | None:
    return None if found == wanted else f"{found} {what}, {wanted} asked"


# -- length --------------------------------------------------------------------------------------------


def min_words(text: str, count: int, plain: bool = False) -> str | None:
    """At least `count` words."""
    return _at_least(count_words(text, plain), count, "words")


def max_words(text: str, count: int, plain: bool = False) -> str | None:
    """At most `count` words."""
    return _at_most(count_words(text, plain), count, "words")


def exact_words(text: str, count: int, plain: bool = False) -> str | None:
    """Exactly `count` words."""
    return _exactly(count_words(text, plain), count, "words")


def min_sentences(text: str, count: int) -> str | None:
    """At least `count` sentences."""
    return _at_least(count_sentences(text), count, "sentences")


def max_sentences(text: str, count: int) -> str | None:
    """At most `count` sentences."""
    return _at_most(count_sentences(text), count, "sentences")


def exact_sentences(text: str, count: int) -> str | None:
    """Exactly `count` sentences."""
    return _exactly(count_sentences(text), count, "sentences")


def exact_lines(text: str, count: int) -> str | None:
    """Exactly `count` lines that are not blank."""
    return _exactly(len(_lines(text)), count, "lines")


def exact_paragraphs(text: str, count: int) -> str | None:
    """Exactly `count` paragraphs, parted by blank lines."""
    return _exactly(len(split_paragraphs(text)), count, "paragraphs")


def starred_paragraphs(text: str, count: int) -> str | None:
    """Exactly `count` paragraphs, parted by `***`; IFEval `number_paragraphs`."""
    parts = re.split(r"\s?\*\*\*\s?", text)
    if any(not part.strip() for part in parts[1:-1]):
        return "an empty paragraph between two dividers"
    return _exactly(sum(bool(part.strip()) for part in parts), count, "paragraphs")


def nth_paragraph_starts(text: str, count: int, nth: int, word: str) -> str | None:
    """Exactly `count` paragraphs, the `nth` (from 1) beginning with `word`."""
    parts = text.split("\n\n")
    full = sum(bool(part.strip()) for part in parts)
    if full != count or not 1 <= nth <= full:
        return f"{full} paragraphs, {count} asked"
    words = parts[nth - 1].strip().split()
    first = re.split(r"[.,?!'\"]", words[0].lstrip("'\"").lower())[0] if words else ""
    return None if first == word.lower() else f"paragraph {nth} begins with `{first}`, not `{word}`"


# -- words and letters ---------------------------------------------------------------------------------


def contains(text: str, words: Sequence[str], whole: bool = True) -> str | None:
    """Every one of `words`, in any case; `whole=False` finds them inside longer words too, as IFEval does."""
    missing = [word for word in words if not _times(text, word, whole)]
    return f"without `{missing[0]}`" if missing else None


def not_contains(text: str, words: Sequence[str]) -> str | None:
    """None of `words`, in any case, as whole words."""
    found = [word for word in words if _times(text, word, True)]
    return f"with `{found[0]}`" if found else None


def exact_times(text: str, word: str, count: int, whole: bool = True) -> str | None:
    """`word` exactly `count` times."""
    return _exactly(_times(text, word, whole), count, f"times `{word}`")


def min_times(text: str, word: str, count: int, whole: bool = True) -> str | None:
    """`word` at least `count` times."""
    return _at_least(_times(text, word, whole), count, f"times `{word}`")


def max_times(text: str, word: str, count: int, whole: bool = True) -> str | None:
    """`word` at most `count` times."""
    return _at_most(_times(text, word, whole), count, f"times `{word}`")


def min_letter(text: str, letter: str, count: int) -> str | None:
    """`letter` at least `count` times, in either case."""
    return _at_least(text.lower().count(letter.lower()), count, f"times `{letter}`")


def max_letter(text: str, letter: str, count: int) -> str | None:
    """`letter` at most `count` times, in either case."""
    return _at_most(text.lower().count(letter.lower()), count, f"times `{letter}`")


def one_of(text: str, options: Sequence[str]) -> str | None:
    """One of `options`, word for word, somewhere in the answer."""
    return None if any(option in text for option in options) else "none of the allowed answers"


# -- start and end -------------------------------------------------------------------------------------


def starts_with(text: str, phrase: str) -> str | None:
    """Begins with `phrase`, in any case."""
    return (
        None if text.strip().lower().startswith(phrase.strip().lower()) else f"does not begin with `{phrase}`"
    )


def ends_with(text: str, phrase: str) -> str | None:
    """Ends with `phrase`, in any case; a closing quotation mark after it is allowed."""
    end = text.strip().strip('"').lower()
    return None if end.endswith(phrase.strip().lower()) else f"does not end with `{phrase}`"


def quotation(text: str) -> str | None:
    """The whole answer in double quotation marks."""
    bare = text.strip()
    return None if len(bare) > 1 and bare[0] == bare[-1] == '"' else "not wrapped in double quotation marks"


def postscript(text: str, marker: str = "P.S.") -> str | None:
    """A postscript that begins with `marker`."""
    letters = [re.escape(part) for part in marker.lower().split(".")]
    pattern = r"\.\s?".join(letters).removesuffix(r"\s?")
    return None if re.search(pattern, text.lower()) else f"no postscript `{marker}`"


# -- case and punctuation ------------------------------------------------------------------------------


def all_lowercase(text: str) -> str | None:
    """No capital letter."""
    return None if text.islower() else "not all in lower case"


def all_capitals(text: str) -> str | None:
    """No small letter."""
    return None if text.isupper() else "not all in capitals"


def min_capital_words(text: str, count: int) -> str | None:
    """At least `count` words all in capitals."""
    return _at_least(sum(word.isupper() for word in WORD.findall(text)), count, "words in capitals")


def max_capital_words(text: str, count: int) -> str | None:
    """At most `count` words all in capitals."""
    return _at_most(sum(word.isupper() for word in WORD.findall(text)), count, "words in capitals")


def no_commas(text: str) -> str | None:
    """No comma."""
    return "with a comma" if "," in text else None


def no_digits(text: str) -> str | None:
    """No digit."""
    return "with a digit" if re.search(r"\d", text) else None


# -- layout --------------------------------------------------------------------------------------------


def bullets(text: str, count: int) -> str | None:
    """Exactly `count` bullet points, each a line that begins with `*`, `-` or `•`."""
    found = sum(bool(re.match(r"\s*(?:\*[^*]|-|•)", line)) for line in text.splitlines())
    return _exactly(found, count, "bullet points")


def numbered_list(text: str, count: int) -> str | None:
    """Lines numbered 1 to `count`, in order, and no more."""
    found = [int(m.group(1)) for m in re.finditer(r"^[ \t]*(\d{1,3})[.)][ \t]", text, flags=re.MULTILINE)]
    return None if found == list(range(1, count + 1)) else f"numbered lines {found[:12]}, 1 to {count} asked"


def json_format(text: str, keys: Sequence[str] = ()) -> str | None:
    """One JSON value, in a code fence or not; with `keys`, an object that has them."""
    bare = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        bare = bare.removeprefix(fence)
    try:
        value = json.loads(bare.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return "not JSON"
    missing = [key for key in keys if not isinstance(value, dict) or key not in value]
    return f"no key `{missing[0]}`" if missing else None


def double_angle_title(text: str) -> str | None:
    """A title in double angle brackets, `<<like this>>`; IFEval `title`."""
    found = re.findall(r"<<[^\n<>]+>>", text)
    return None if any(title.strip("<> ") for title in found) else "no title in double angle brackets"


def title_case_heading(text: str) -> str | None:
    """A Markdown heading as first line, its words capitalised but for short ones (of, the, and)."""
    first = text.strip().splitlines()[0]
    match = re.match(r"#{1,6} +(\S.*)", first)
    if not match:
        return "the first line is no heading"
    words = WORD.findall(match.group(1))
    small = [w for i, w in enumerate(words) if w[0].islower() and (i == 0 or w not in SMALL_TITLE_WORDS)]
    return f"`{small[0]}` is not capitalised" if small else None


def min_highlights(text: str, count: int) -> str | None:
    """At least `count` passages in `*stars*` or `**double stars**`."""
    single = [m for m in re.findall(r"\*[^\n*]*\*", text) if m.strip("*").strip()]
    double = [m for m in re.findall(r"\*\*[^\n*]*\*\*", text) if m.strip("*").strip()]
    return _at_least(len(single) + len(double), count, "highlights")


def min_sections(text: str, marker: str, count: int) -> str | None:
    """At least `count` sections headed `marker` and a number, such as "Section 2"."""
    return _at_least(len(re.findall(re.escape(marker) + r"\s?\d+", text)), count, f"sections `{marker}`")


def min_placeholders(text: str, count: int) -> str | None:
    """At least `count` placeholders in square brackets, `[name]`."""
    return _at_least(len(re.findall(r"\[[^\[\]\n]*\]", text)), count, "placeholders")


def code_block(text: str) -> str | None:
    """A fenced code block that is closed."""
    return (
        None if re.search(r"^```[^\n]*\n.*?^```", text, flags=re.MULTILINE | re.DOTALL) else "no code block"
    )


# -- combinations --------------------------------------------------------------------------------------


def repeats_prompt(text: str, prompt: str) -> str | None:
    """First the prompt again, word for word, then the answer."""
    return starts_with(text, prompt) and "does not begin with the prompt"


def two_answers(text: str) -> str | None:
    """Two different answers, parted by six asterisks."""
    parts = [part.strip() for part in text.split("******")]
    if any(not part for part in parts[1:-1]):
        return "an empty answer"
    full = [part for part in parts if part]
    return None if len(full) == 2 and full[0] != full[1] else f"{len(set(full))} different answers, 2 asked"


def language(text: str, code: str) -> str | None:
    """Written in the language with ISO 639-1 `code`; IFEval asks langdetect, this asks langid."""
    import py3langid

    found = py3langid.classify(text)[0]
    return None if found == code else f"written in `{found}`, not `{code}`"


CHECKS: dict[str, Callable[..., str | None]] = {
    "min_words": min_words,
    "max_words": max_words,
    "exact_words": exact_words,
    "min_sentences": min_sentences,
    "max_sentences": max_sentences,
    "exact_sentences": exact_sentences,
    "exact_lines": exact_lines,
    "exact_paragraphs": exact_paragraphs,
    "starred_paragraphs": starred_paragraphs,
    "nth_paragraph_starts": nth_paragraph_starts,
    "contains": contains,
    "not_contains": not_contains,
    "exact_times": exact_times,
    "min_times": min_times,
    "max_times": max_times,
    "min_letter": min_letter,
    "max_letter": max_letter,
    "one_of": one_of,
    "starts_with": starts_with,
    "ends_with": ends_with,
    "quotation": quotation,
    "postscript": postscript,
    "all_lowercase": all_lowercase,
    "all_capitals": all_capitals,
    "min_capital_words": min_capital_words,
    "max_capital_words": max_capital_words,
    "no_commas": no_commas,
    "no_digits": no_digits,
    "bullets": bullets,
    "numbered_list": numbered_list,
    "json_format": json_format,
    "double_angle_title": double_angle_title,
    "title_case_heading": title_case_heading,
    "min_highlights": min_highlights,
    "min_sections": min_sections,
    "min_placeholders": min_placeholders,
    "code_block": code_block,
    "repeats_prompt": repeats_prompt,
    "two_answers": two_answers,
    "language": language,
}
