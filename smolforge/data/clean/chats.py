"""Conversations and preference pairs, without what repeats evaluation items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from smolforge.data.clean.curate import guard_of, held_out_ids
from smolforge.data.read.documents import write_jsonl

Row = Mapping[str, Any]


def write_chats(out: Path, rows: Iterable[Row], held_out: Path | None) -> dict[str, int]:
    """Write conversations.jsonl and overlaps.jsonl; gives conversations, turns, contaminated, items_met."""
    turns = 0

    def counted(row: Row) -> None:
        nonlocal turns
        turns += len(row["messages"])

    return {**_write(out, "conversations", rows, held_out, said_in, counted), "turns": turns}


def write_pairs(out: Path, rows: Iterable[Row], held_out: Path | None) -> dict[str, int]:
    """Write pairs.jsonl and overlaps.jsonl; gives pairs, contaminated, items_met."""

    def said(row: Row) -> str:
        return f"{said_in(row)}\n{row['chosen']}\n{row['rejected']}"

    return _write(out, "pairs", rows, held_out, said, lambda row: None)


def said_in(row: Row) -> str:
    """All that is said in a conversation."""
    return "\n".join(str(turn.get("content") or "") for turn in row["messages"])


def _write(
    out: Path,
    name: str,
    rows: Iterable[Row],
    held_out: Path | None,
    said: Callable[[Row], str],
    kept: Callable[[Row], None],
) -> dict[str, int]:
    guard, ids, contaminated = guard_of(held_out), held_out_ids(held_out) if held_out else frozenset(), 0

    def clean() -> Iterator[Row]:
        nonlocal contaminated
        for row in rows:
            if str(row["id"]) in ids or not guard.check(str(row["id"]), said(row)).keep:
                contaminated += 1
                continue
            kept(row)
            yield row

    count = write_jsonl(out / f"{name}.jsonl", clean())
    return {name: count, "contaminated": contaminated, **guard.write(out)}
