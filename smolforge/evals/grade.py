"""Whether an answer is right: one rule a kind of item, shared by scores and rewards.

`grade_answers` judges texts; programs go through the sandbox in one batch. Pure Python, no model.
"""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from smolforge.errors import InputError
from smolforge.evals.call_match import calls_fault
from smolforge.evals.checks import run_checks
from smolforge.evals.rules import rule_named
from smolforge.evals.sandbox import Limits, run_programs
from smolforge.evals.task import Item
from smolforge.text.chat import TOOL_CALL, parse_tool_calls

Form = Literal["text", "chat"]

NUMBER = re.compile(r"(?<![\d.])[-−]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?")
FINAL_MARK = re.compile(r"####|\\boxed\{|\banswer is:?|\banswer:", re.IGNORECASE)
HASH_MARK = "####"
BFCL = "bfcl"
FENCE = re.compile(r"```([a-zA-Z0-9+-]*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
PYTHON_FENCES = ("", "python", "python3", "py")
TEX_IN_NUMBER = re.compile(r"(?<=\d)(?:\{,\}|\\[,!;:])(?=\d)|\\(?=\$)")
"""What TeX puts between the thousands of a number, and before a dollar."""
CODE_START = re.compile(r"^(?:def|class|import|from|async def|@)", re.MULTILINE)
NEXT_TURN = re.compile(r"\n(?:User|Assistant|System|Question|Problem|Q|Human):")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
WORD = re.compile(r"[a-z0-9]+")
MAX_OVERLAP_WORDS = 2000
MAX_NUMBER_CHARACTERS = 60


@dataclass(frozen=True)
class Grade:
    """The verdict on one answer.

    right   counted as right
    credit  0..1, finer than `right`: the share of checks passed, the word overlap; what rewards use
    reason  in a few words, why not right
    """

    right: bool
    credit: float
    reason: str = ""


def grade_answers(
    items: Sequence[Item], answers: Sequence[str], form: Form, limits: Limits | None = None, workers: int = 2
) -> list[Grade]:
    """One grade an answer. `choice` items cannot be graded from text and are an error."""
    programs = [
        (i, code_program(item, answer, form))
        for i, (item, answer) in enumerate(zip(items, answers, strict=True))
        if item.kind == "code"
    ]
    grades: dict[int, Grade] = {}
    if programs:
        outcomes = run_programs([program for _, program in programs], limits, workers).outcomes
        for (i, _), outcome in zip(programs, outcomes, strict=True):
            grades[i] = Grade(outcome.ok, float(outcome.ok), outcome.error)
    return [
        grades[i] if i in grades else grade_text(item, cut_answer(item, answer, form))
        for i, (item, answer) in enumerate(zip(items, answers, strict=True))
    ]


def grade_text(item: Item, answer: str) -> Grade:
    """The grade of an answer that needs no sandbox."""
    if item.kind == "exact":
        return grade_by_rule(item, answer) if item.rule else grade_exact(item.answer, answer)
    if item.kind == "checks":
        return _grade_checks(item, answer)
    if item.kind == "tool_call":
        return grade_bfcl(item, answer) if item.rule == BFCL else grade_calls(item.answer, answer)
    if item.kind == "overlap":
        overlap = rouge_l(answer, str(item.answer))
        right = overlap >= item.threshold
        return Grade(right, overlap, "" if right else f"overlap {overlap:.2f} below {item.threshold:.2f}")
    raise InputError(f"an item of kind `{item.kind}` is not graded by its text", where=item.id)


def cut_answer(item: Item, answer: str, form: Form) -> str:
    """The part of a continuation that answers: a base model knows no end and writes the next question too."""
    for stop in item.chat_stops if form == "chat" else item.stops:
        answer = answer.partition(stop)[0]
    if form == "text" and not item.stops:
        answer = NEXT_TURN.split("\n" + answer, maxsplit=1)[0]
        if item.kind in ("exact", "overlap"):
            answer = answer.strip().partition("\n\n")[0]
    return answer.strip()


def has_ended(item: Item, answer: str, form: Form) -> bool:
    """Whether `cut_answer` would take nothing that may follow."""
    return len(cut_answer(item, answer, form)) < len(answer.strip())


# -- exact answers -------------------------------------------------------------------------------------


def grade_by_rule(item: Item, answer: str) -> Grade:
    """The verdict of the rule that the item names."""
    match = rule_named(item.rule, item.id)(item.answer, answer)
    reason = "" if match.exact else f"`{answer[:60]}` is not `{str(item.answer)[:60]}`"
    return Grade(match.exact, match.credit, reason)


def grade_exact(wanted: Any, answer: str) -> Grade:
    """Numbers by value, texts without capitals, punctuation and articles; a list holds aliases."""
    if isinstance(wanted, list | tuple):
        return max(
            (grade_exact(one, answer) for one in wanted), key=lambda g: g.right, default=Grade(False, 0.0)
        )
    text = str(wanted).strip()
    is_marked = text.startswith(HASH_MARK)
    number = parse_number(text.removeprefix(HASH_MARK).strip())
    if number is None:
        found = _plain_words(_final_text(answer))
        right = bool(found) and found == _plain_words(text)
        return Grade(right, float(right), "" if right else f"`{found[:60]}` is not `{text[:60]}`")
    if is_marked and HASH_MARK not in answer:
        return Grade(False, 0.0, f"no {HASH_MARK} mark")
    given = final_number(answer)
    right = given is not None and given == number
    return Grade(
        right, float(right), "" if right else f"{'no number' if given is None else given} is not {number}"
    )


def final_number(answer: str) -> Fraction | None:
    """The number after the last mark of a final answer (`####`, `\\boxed{`, "answer is"), else the last number."""
    answer = TEX_IN_NUMBER.sub("", answer)
    marks = list(FINAL_MARK.finditer(answer))
    if marks:
        after = NUMBER.search(answer, marks[-1].end())
        if after:
            return parse_number(after.group())
    found = NUMBER.findall(answer)
    return parse_number(found[-1]) if found else None


def parse_number(text: str) -> Fraction | None:
    """`"-1,234.5"`, `"$3"` or `"3/4"` as an exact value; None for anything else."""
    bare = text.strip().rstrip(".").replace("−", "-").replace(",", "").replace("$", "").removesuffix("%")
    if len(bare) > MAX_NUMBER_CHARACTERS or not re.fullmatch(r"-?\d+(?:\.\d+)?(?:/\d+)?", bare):
        return None
    whole, _, below = bare.partition("/")
    if below and int(below) == 0:
        return None
    return Fraction(whole) / Fraction(below or 1)


def _final_text(answer: str) -> str:
    marks = list(FINAL_MARK.finditer(answer))
    rest = answer[marks[-1].end() :] if marks else answer
    lines = rest.strip().splitlines()
    return lines[0] if lines else ""


def _plain_words(text: str) -> str:
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(ARTICLES.sub(" ", bare).split()) or bare.strip()


# -- instructions, calls, overlap ----------------------------------------------------------------------


def _grade_checks(item: Item, answer: str) -> Grade:
    verdicts = run_checks(item.checks, answer)
    failed = [verdict.reason for verdict in verdicts if not verdict.ok]
    share = 1 - len(failed) / len(verdicts) if verdicts else 0.0
    return Grade(bool(verdicts) and not failed, share, "; ".join(failed))


def grade_calls(wanted: Any, answer: str) -> Grade:
    """Calls compared by name and arguments, in order. Credit: three tenths for the name, the rest by argument."""
    wanted = json.loads(wanted) if isinstance(wanted, str) else wanted
    asked = [wanted] if isinstance(wanted, Mapping) else list(wanted or ())
    given = parse_tool_calls(answer)
    if not asked:
        right = TOOL_CALL not in answer and bool(answer.strip())
        return Grade(right, float(right), "" if right else "a call where none was needed")
    if given is None:
        return Grade(False, 0.0, "no call that can be read")
    credits = [_call_credit(a, g) for a, g in zip(asked, given, strict=False)]
    credit = sum(credits) / max(len(asked), len(given))
    right = credit == 1.0
    return Grade(right, credit, "" if right else f"called {json.dumps(given, ensure_ascii=False)[:200]}")


def grade_bfcl(item: Item, answer: str) -> Grade:
    """Calls by the leaderboard's rules; where none is wanted, an answer without any is right."""
    wanted, given = item.answer["calls"], parse_tool_calls(answer)
    if not wanted:
        right = TOOL_CALL not in answer and bool(answer.strip())
        return Grade(right, float(right), "" if right else "a call where none was needed, or no answer")
    if given is None:
        return Grade(False, 0.0, "no call that can be read")
    fault = calls_fault(wanted, given, item.answer["functions"])
    return Grade(not fault, float(not fault), fault)


def _call_credit(asked: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    if asked["name"] != given["name"]:
        return 0.0
    wanted, got = asked.get("arguments", {}), given.get("arguments", {})
    names = sorted({*wanted, *got})
    same = sum(n in wanted and n in got and _same_value(wanted[n], got[n]) for n in names)
    return 1.0 if same == len(names) else 0.3 + 0.7 * same / len(names)


def _same_value(first: Any, second: Any) -> bool:
    if isinstance(first, str) and isinstance(second, str):
        return first.strip().casefold() == second.strip().casefold()
    return (type(first) in (int, float) and type(second) in (int, float) and first == second) or (
        type(first) is type(second) and first == second
    )


def rouge_l(text: str, reference: str) -> float:
    """F1 of the longest common subsequence of words, 0..1, without capitals and punctuation.

    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004, section 3.
    """
    words = WORD.findall(text.lower())[:MAX_OVERLAP_WORDS]
    wanted = WORD.findall(reference.lower())[:MAX_OVERLAP_WORDS]
    if not words or not wanted:
        return 0.0
    row = [0] * (len(wanted) + 1)
    for word in words:
        diagonal = 0
        for place, other in enumerate(wanted, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return 2 * row[-1] / (len(words) + len(wanted))


# -- code ----------------------------------------------------------------------------------------------


def code_program(item: Item, answer: str, form: Form) -> str:
    """The program that decides a `code` item: what was given, what the model wrote, the assertions."""
    prefix = item.code_prefix
    if not prefix and form == "text" and _begins_a_program(item.prompt):
        prefix = item.prompt
    if form == "text":
        for stop in item.stops:
            answer = answer.partition(stop)[0]
        code = _completed_body(answer) if prefix else _leading_code(answer)
        return f"{prefix}{code}\n\n{item.answer}\n"
    return f"{prefix}\n{_leading_code(answer)}\n\n{item.answer}\n"


def _begins_a_program(prompt: str) -> bool:
    return "def " in prompt and _is_python(prompt.rstrip() + "\n    pass\n")


def _completed_body(answer: str) -> str:
    """The indented lines that finish a function; the first line at the margin ends them."""
    kept: list[str] = []
    for number, line in enumerate(answer.splitlines()):
        if number and line.strip() and not line[0].isspace():
            break
        kept.append(line)
    return "\n".join(kept)


def _leading_code(answer: str) -> str:
    """The first fenced block of Python, or of whatever there is; else all of it where it is Python, or what follows the first definition or import."""
    fenced = FENCE.findall(answer)
    if fenced:  # a shell command often stands before the program
        return next((code for kind, code in fenced if kind.lower() in PYTHON_FENCES), fenced[0][1])
    code = NEXT_TURN.split(answer, maxsplit=1)[0].partition("```")[0]
    start = CODE_START.search(code)
    return code if start is None or _is_python(code) else code[start.start() :]


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
