"""Reading benchmark files: JSON lines, plain or gzipped, in a folder of folders."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.evals.task import Item

MAX_LINE_BYTES = 8 << 20
MAX_ROWS = 1_000_000

Row = Mapping[str, Any]


class MissingBenchmark(InputError):
    """The folder does not hold this benchmark: `file` is missing, plain and with .gz."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"there is no benchmark file `{file.name}` or `{file.name}.gz`",
            where=str(file.parent),
            fix="put it there, or leave this benchmark out",
        )
        self.file = file


def read_rows(folder: Path, name: str) -> list[Row]:
    """The objects in `name`.jsonl or `name`.jsonl.gz; `InputError` names the file and line at fault."""
    for ending in (".jsonl", ".jsonl.gz"):
        file = folder / f"{name}{ending}"
        if file.is_file():
            return _read(file)
    raise MissingBenchmark(folder / f"{name}.jsonl")


def _read(file: Path) -> list[Row]:
    rows: list[Row] = []
    opener: Any = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES + 1):
                rows.append(_parse(line, f"{file.name}, line {len(rows) + 1}"))
                if len(rows) >= MAX_ROWS:
                    break
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"the benchmark file cannot be read: {error}", where=str(file)) from None
    return rows


def _parse(line: bytes, where: str) -> Row:
    if len(line) > MAX_LINE_BYTES:
        raise InputError("a benchmark line is too long", where=where, fix=f"at most {MAX_LINE_BYTES} bytes")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError("a benchmark line is not JSON", where=where) from None
    if not isinstance(row, dict):
        raise InputError("a benchmark line is not a JSON object", where=where)
    return row


def field(row: Row, name: str, where: str) -> Any:
    """The value of a field that has to be there."""
    if name not in row:
        raise InputError(f"a benchmark row lacks `{name}`", where=where)
    return row[name]


def choice_item(*, id: str, skill: str, prompt: str, choices: list[str], answer: int) -> Item:
    """A cloze item: the text of each choice is scored after `prompt`."""
    if not 0 <= answer < len(choices):
        raise InputError("a benchmark row's answer is none of its choices", where=id)
    return Item(
        id=id,
        skill=skill,
        kind="choice",
        messages=[{"role": "user", "content": prompt}],
        prompt=prompt,
        choices=choices,
        answer=answer,
        chance=1 / len(choices),
    )


def question_prompt(question: str) -> str:
    """The plain question-and-answer frame of the cloze tasks."""
    return f"Question: {question}\nAnswer:"


def labelled(row: Row, where: str) -> tuple[list[str], int]:
    """Texts of the choices and the place of the right one, in ARC's layout."""
    choices = field(row, "choices", where)
    labels, key = list(choices["label"]), field(row, "answerKey", where)
    if key not in labels:
        raise InputError("a benchmark row's answer is none of its choices", where=where)
    return list(choices["text"]), labels.index(key)
