"""Rows of Parquet and CSV files: only the columns that hold what is asked for, a few hundred rows at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from smolforge.data.read.decoding import decode
from smolforge.data.read.records import CONTENT_FIELDS, FIELDS
from smolforge.errors import InputError
from smolforge.plain_json import without_half_pairs

BATCH_ROWS = 256
Row = Mapping[str, Any] | None
"""None stands for a row that cannot be read."""


def parquet_rows(path: Path, relative: str) -> Iterator[Row]:
    """The rows of a Parquet file. Raises InputError where it is none, or has no column that is asked for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            wanted = _wanted(file.schema_arrow.names, relative)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
                yield from _rows_of(_plain(batch))
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"this is no readable Parquet file: {str(error).splitlines()[0][:200]}",
            where=relative,
            fix="write it again, or remove it",
        ) from error


def _wanted(columns: Sequence[str], relative: str) -> list[str]:
    """The columns that a record may be made of; where none holds a text or a chat, it is said which there are."""
    if not {name.lower() for name in columns} & CONTENT_FIELDS:
        raise InputError(
            f"no column holds a text or a chat; there are {', '.join(columns[:20])}",
            where=relative,
            fix="name the one with the text `text`",
        )
    return [name for name in columns if name.lower() in FIELDS]


def _plain(batch: Any) -> Any:
    """The batch with stamps of time inside its columns as text: Python cannot hold all of them, and nobody asks for them."""
    import pyarrow as pa

    for place, column in enumerate(batch.schema):
        plain = _plain_type(column.type)
        if plain != column.type:
            try:
                batch = batch.set_column(place, column.name, batch.column(place).cast(plain))
            except (pa.ArrowException, ValueError):  # then row by row
                continue
    return batch


def _plain_type(kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind


def _rows_of(batch: Any) -> Iterator[Row]:
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError):
        if batch.num_rows == 1:
            yield None
        else:
            for place in range(batch.num_rows):
                yield from _rows_of(batch.slice(place, 1))
        return
    for row in rows:
        yield without_half_pairs(
            {name: decode(value) if isinstance(value, bytes) else value for name, value in row.items()}
        )


def csv_rows(file: IO[bytes], encoding: str, relative: str, most_bytes: int) -> Iterator[Row]:
    """The rows of a table whose first line names its columns. Raises InputError where none is asked for."""
    lines = io.TextIOWrapper(file, encoding, errors="replace", newline="")
    csv.field_size_limit(most_bytes)
    head = lines.readline(1 << 16)
    separator = max(",\t;|", key=head.count)
    columns = next(csv.reader([head], delimiter=separator), [])
    _wanted(columns, relative)
    found = csv.reader(lines, delimiter=separator)
    for cells in _each(found):
        yield dict(zip(columns, cells, strict=False)) if cells is not None else None


def _each(found: Any) -> Iterator[list[str] | None]:
    step: Callable[[], list[str]] = found.__next__
    while True:
        try:
            cells = step()
        except StopIteration:
            return
        except csv.Error:  # a cell beyond the limit
            yield None
            continue
        if cells:
            yield cells
