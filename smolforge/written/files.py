"""What we wrote that is rows or texts: TSV files in `tables/`, TOML and plain text in `texts/`, each read once.

The first line of a table names its columns. A cell `-` says that there is no single right answer; several are parted by
commas. In a text of TOML a line is one wording, where its file does not say otherwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from smolforge.errors import InputError

Row = Mapping[str, str]


@cache
def table(name: str) -> tuple[Row, ...]:
    """The rows of `tables/<name>.tsv`, each column → cell. Raises InputError for a row that does not fit its columns."""
    return parse_table(_read("tables", f"{name}.tsv"), name)


def parse_table(text: str, name: str) -> tuple[Row, ...]:
    """The rows of a table's text; `name` is for the error."""
    columns, *rows = (line.split("\t") for line in text.splitlines())
    if len(set(columns)) < len(columns):
        raise _damaged(name, 1, "two columns have one name")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns) or not all(cell == cell.strip() != "" for cell in row):
            raise _damaged(name, number, f"this row is not {len(columns)} cells, each with something in it")
    return tuple(dict(zip(columns, row, strict=True)) for row in rows)


def _damaged(name: str, line: int, what: str) -> InputError:
    return InputError(
        f"a table of the program is damaged: {what}",
        where=f"{name}, line {line}",
        fix="install smolforge again",
    )


@cache
def texts(name: str) -> Mapping[str, Any]:
    """`texts/<name>.toml` as it stands; InputError where it is no TOML."""
    try:
        return tomllib.loads(_read("texts", f"{name}.toml"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"a text of the program is damaged: {error}", where=f"{name}.toml", fix="install smolforge again"
        ) from None


@cache
def plain_text(name: str) -> str:
    """`texts/<name>.txt` as it stands."""
    return _read("texts", f"{name}.txt")


def _read(folder: str, name: str) -> str:
    return resources.files(__package__).joinpath(folder, name).read_text(encoding="utf-8")


def lines(text: str) -> tuple[str, ...]:
    """The lines of a text, one wording each, without what stands around them; an empty one between two is a wording too."""
    return tuple(line.strip() for line in text.strip().splitlines())


def cells(line: str, mark: str) -> tuple[str, ...]:
    """The parts of a line: ways of one sentence (` / `), or what belongs together (`|`)."""
    return tuple(part.strip() for part in line.split(mark))


def ways_of(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What each name of a section can be said like; the ways are parted by ` / `."""
    return {name: cells(text, " / ") for name, text in texts.items()}
