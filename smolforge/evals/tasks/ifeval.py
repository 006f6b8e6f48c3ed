"""IFEval, instructions a program can check (arXiv:2311.07911).

A prompt counts as right when every one of its instructions is followed, strictly; the mean credit in a
score's detail is the instruction-level figure averaged by prompt. Sentences and languages are told by
other tools than the released code uses (see `evals.checks`), so single verdicts may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.evals.task import Item
from smolforge.evals.tasks.rows import Source, field, read

PROMPTS = Source(
    place="ifeval/input_data",
    columns=("prompt", "instruction_id_list", "kwargs"),
    repo="google/IFEval",
    split="train",
)
MAX_NEW_TOKENS = 1280
LESS_THAN = "less than"

Check = dict[str, Any]
Given = Mapping[str, Any]


def items(folder: Path) -> list[Item]:
    """The prompts with their checkers."""
    made = []
    for number, row in enumerate(read(folder, PROMPTS)):
        where = f"ifeval, row {number + 1}"
        prompt = field(row, "prompt", where)
        pairs = zip(field(row, "instruction_id_list", where), field(row, "kwargs", where), strict=True)
        made.append(
            Item(
                id=f"ifeval-{row.get('key', number)}",
                skill="ifeval",
                kind="checks",
                messages=[{"role": "user", "content": prompt}],
                prompt=f"{prompt}\n\n",
                checks=[to_check(name, given, where) for name, given in pairs],
                max_new_tokens=MAX_NEW_TOKENS,
            )
        )
    return made


def to_check(name: str, given: Given, where: str = "") -> Check:
    """One IFEval instruction as a checker of ours."""
    if name not in INSTRUCTIONS:
        raise InputError(f"there is no IFEval instruction `{name}`", where=where)
    return INSTRUCTIONS[name](given)


def _compared(kind: str, relation: str, given: Given, count_name: str, **more: Any) -> Check:
    """`less than N` is at most N - 1."""
    count = int(given[count_name])
    if given.get(relation) == LESS_THAN:
        return {"name": f"max_{kind}", "args": {"count": max(0, count - 1), **more}}
    return {"name": f"min_{kind}", "args": {"count": count, **more}}


def _plain(name: str, **names: str) -> Callable[[Given], Check]:
    """A checker whose arguments IFEval gives under other names."""
    return lambda given: {"name": name, "args": {ours: given[theirs] for ours, theirs in names.items()}}


def _fixed(name: str, **args: Any) -> Callable[[Given], Check]:
    return lambda given: {"name": name, "args": args}


INSTRUCTIONS: dict[str, Callable[[Given], Check]] = {
    "change_case:capital_word_frequency": lambda g: _compared(
        "capital_words", "capital_relation", g, "capital_frequency"
    ),
    "change_case:english_capital": _fixed("all_capitals"),
    "change_case:english_lowercase": _fixed("all_lowercase"),
    "combination:repeat_prompt": _plain("repeats_prompt", prompt="prompt_to_repeat"),
    "combination:two_responses": _fixed("two_answers"),
    "detectable_content:number_placeholders": _plain("min_placeholders", count="num_placeholders"),
    "detectable_content:postscript": _plain("postscript", marker="postscript_marker"),
    "detectable_format:constrained_response": _fixed(
        "one_of", options=["My answer is yes.", "My answer is no.", "My answer is maybe."]
    ),
    "detectable_format:json_format": _fixed("json_format"),
    "detectable_format:multiple_sections": _plain(
        "min_sections", marker="section_spliter", count="num_sections"
    ),
    "detectable_format:number_bullet_lists": _plain("bullets", count="num_bullets"),
    "detectable_format:number_highlighted_sections": _plain("min_highlights", count="num_highlights"),
    "detectable_format:title": _fixed("double_angle_title"),
    "keywords:existence": lambda g: {
        "name": "contains",
        "args": {"words": list(g["keywords"]), "whole": False},
    },
    "keywords:forbidden_words": lambda g: {
        "name": "not_contains",
        "args": {"words": list(g["forbidden_words"])},
    },
    "keywords:frequency": lambda g: _compared(
        "times", "relation", g, "frequency", word=g["keyword"], whole=False
    ),
    "keywords:letter_frequency": lambda g: _compared(
        "letter", "let_relation", g, "let_frequency", letter=g["letter"]
    ),
    "language:response_language": _plain("language", code="language"),
    "length_constraints:nth_paragraph_first_word": _plain(
        "nth_paragraph_starts", count="num_paragraphs", nth="nth_paragraph", word="first_word"
    ),
    "length_constraints:number_paragraphs": _plain("starred_paragraphs", count="num_paragraphs"),
    "length_constraints:number_sentences": lambda g: _compared("sentences", "relation", g, "num_sentences"),
    "length_constraints:number_words": lambda g: _compared("words", "relation", g, "num_words", plain=True),
    "punctuation:no_comma": _fixed("no_commas"),
    "startend:end_checker": _plain("ends_with", phrase="end_phrase"),
    "startend:quotation": _fixed("quotation"),
}
