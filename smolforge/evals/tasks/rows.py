"""Reading benchmark files in their published layout: JSON lines, plain or gzipped, or Parquet, in a folder of folders."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.evals.task import Item, Metric, Norm

MAX_LINE_BYTES = 8 << 20
MAX_ARRAY_BYTES = 256 << 20
MAX_ROWS = 1_000_000

LETTERS = "ABCDEFGHIJ"
ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".parquet")

Row = Mapping[str, Any]


class MissingBenchmark(InputError):
    """The folder does not hold this benchmark: `file` is missing, plain and with .gz."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"there is no benchmark file `{file.name}`, nor the same as .jsonl.gz or .parquet",
            where=str(file.parent),
            fix="put it there, or leave this benchmark out",
        )
        self.file = file


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a benchmark: where it stands in a folder, what it must hold, where it is published.

    place    folder and name without ending, such as `arc/ARC-Easy-test`
    columns  those that are read; a file whose first row lacks one is refused
    repo     the data set on the hub; empty where there is none in this layout
    subsets  its configurations, one after another; `mark` names a column that is to hold the subset
    file     the file of the data set where it is published as files, not as a table
    """

    place: str
    columns: tuple[str, ...]
    repo: str = ""
    subsets: tuple[str, ...] = ("default",)
    split: str = "test"
    mark: str = ""
    file: str = ""


def read(folder: Path, *sources: Source) -> list[Row]:
    """The rows of the first of the files that is there.

    Raises MissingBenchmark that names the first where none is, InputError for a file in another layout.
    """
    return read_first(folder, *sources)[1]


def read_first(folder: Path, *sources: Source) -> tuple[Source, list[Row]]:
    """The same, with the source that was found."""
    for source in sources:
        place = folder / source.place
        if (file := find_file(place.parent, place.name)) is not None:
            rows = _read(file)
            _check_layout(rows, source, file)
            return source, rows
    raise MissingBenchmark(folder / f"{sources[0].place}.jsonl")


def _check_layout(rows: list[Row], source: Source, file: Path) -> None:
    lacking = [name for name in source.columns if rows and name not in rows[0]]
    if lacking:
        raise InputError(
            f"the file is not in the published layout: it has no {', '.join(f'`{n}`' for n in lacking)}",
            where=str(file),
            fix=f"its columns are {', '.join(rows[0])}; needed are {', '.join(source.columns)}",
        )


def find_file(folder: Path, name: str) -> Path | None:
    """`name` with an ending that can be read."""
    return next(
        (file for ending in ENDINGS if (file := folder / f"{name}{ending}").is_file()),
        None,
    )


def read_rows(folder: Path, name: str) -> list[Row]:
    """The objects in `name`.jsonl, .jsonl.gz or .parquet; `InputError` names the file and line at fault."""
    if (file := find_file(folder, name)) is None:
        raise MissingBenchmark(folder / f"{name}.jsonl")
    return _read(file)


def parquet_rows(file: Path) -> list[Row]:
    """All rows of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(file).slice(0, MAX_ROWS).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"the benchmark file cannot be read: {error}", where=str(file)) from None


def _read(file: Path) -> list[Row]:
    if file.suffix == ".parquet":
        return parquet_rows(file)
    if file.suffix == ".json" and (rows_of_array := _array(file)) is not None:
        return rows_of_array
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


def _array(file: Path) -> list[Row] | None:
    """The objects of a file that is one JSON array; None where it does not begin as one."""
    with file.open("rb") as opened:
        if opened.read(1) != b"[":
            return None
        text = b"[" + opened.read(MAX_ARRAY_BYTES)
    if len(text) > MAX_ARRAY_BYTES:
        raise InputError("a benchmark file is too long for one JSON array", where=str(file), fix="use lines")
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("the benchmark file is not JSON", where=str(file)) from None
    if not all(isinstance(row, dict) for row in rows):
        raise InputError("the benchmark file holds something else than JSON objects", where=str(file))
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


def text_field(row: Row, name: str, where: str) -> str:
    """The text of a field that has to be there."""
    value = field(row, name, where)
    if not isinstance(value, str):
        raise InputError(f"a benchmark row's `{name}` is no text", where=where)
    return value


def choice_item(
    *, id: str, skill: str, prompt: str, choices: list[str], answer: int, norm: Norm = "character"
) -> Item:
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
        norm=norm,
        chance=1 / len(choices),
    )


def contexts_item(*, id: str, skill: str, contexts: list[str], choice: str, answer: int) -> Item:
    """One text scored after several contexts, of which one is right."""
    if not 0 <= answer < len(contexts):
        raise InputError("a benchmark row's answer is none of its choices", where=id)
    return Item(
        id=id,
        skill=skill,
        kind="choice",
        messages=[{"role": "user", "content": contexts[0]}],
        prompt=contexts[0],
        contexts=contexts,
        choices=[choice] * len(contexts),
        answer=answer,
        chance=1 / len(contexts),
    )


def letter_item(*, id: str, skill: str, prompt: str, choices: list[str], answer: int) -> Item:
    """A multiple-choice item: the choices are shown under letters after `prompt`, and the letters scored."""
    letters = list(LETTERS[: len(choices)])
    return choice_item(
        id=id, skill=skill, prompt=with_letters(prompt, choices), choices=letters, answer=answer
    )


def with_letters(prompt: str, choices: list[str]) -> str:
    """The choices under letters, one a line, then "Answer:"."""
    lines = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
    return f"{prompt}{lines}\nAnswer:"


def written_item(
    *,
    id: str,
    skill: str,
    prompt: str,
    answer: Any,
    rule: str,
    stops: Sequence[str],
    max_new_tokens: int,
    metric: Metric = "share",
    chat_stops: Sequence[str] = (),
) -> Item:
    """An item whose written answer is graded by a rule of `evals.rules`."""
    return Item(
        id=id,
        skill=skill,
        kind="exact",
        rule=rule,
        messages=[{"role": "user", "content": prompt}],
        prompt=prompt,
        answer=answer,
        stops=list(stops),
        chat_stops=list(chat_stops),
        metric=metric,
        max_new_tokens=max_new_tokens,
    )


def overlap_item(*, id: str, skill: str, asked: str, lead: str, answer: str, max_new_tokens: int) -> Item:
    """A text to be written, scored by its overlap with another; in the text form it begins after `lead`."""
    return Item(
        id=id,
        skill=skill,
        kind="overlap",
        messages=[{"role": "user", "content": asked}],
        prompt=f"{asked}\n\n{lead}",
        answer=answer,
        metric="credit",
        max_new_tokens=max_new_tokens,
    )


def greedy_item(*, id: str, skill: str, prompt: str, answer: str) -> Item:
    """An item that is right where `answer` is what the model would write next, token by token."""
    return Item(
        id=id,
        skill=skill,
        kind="greedy",
        messages=[{"role": "user", "content": prompt}],
        prompt=prompt,
        choices=[answer],
        answer=answer,
    )


def question_prompt(question: str) -> str:
    """The plain question-and-answer frame of the cloze tasks."""
    return f"Question: {question}\nAnswer:"


def labelled(row: Row, where: str) -> tuple[list[str], int]:
    """Texts of the choices and the place of the right one, in ARC's layout."""
    choices, key = field(row, "choices", where), str(field(row, "answerKey", where)).strip()
    if not isinstance(choices, Mapping) or not {"label", "text"} <= choices.keys():
        raise InputError("a benchmark row's `choices` have no `label` and `text`", where=where)
    labels = list(choices["label"])
    if key not in labels:
        raise InputError("a benchmark row's answer is none of its choices", where=where)
    return list(choices["text"]), labels.index(key)
