"""Conversations, without what repeats evaluation items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from smolforge.data.clean import decontaminate
from smolforge.data.clean.curate import banned_from
from smolforge.data.read.documents import write_jsonl


def write_chats(out: Path, rows: Iterable[Mapping[str, Any]], held_out: Path | None) -> dict[str, int]:
    """Write conversations.jsonl without what repeats evaluation items; gives conversations, turns, contaminated."""
    banned = banned_from(held_out, ngram=13, item_share=0.5, text_share=0.5) if held_out else None
    facts = {"turns": 0, "contaminated": 0}

    def clean() -> Iterator[Mapping[str, Any]]:
        for row in rows:
            said = "\n".join(str(m.get("content") or "") for m in row["messages"])
            if banned is not None and not decontaminate.check(said, banned).keep:
                facts["contaminated"] += 1
                continue
            facts["turns"] += len(row["messages"])
            yield row

    count = write_jsonl(out / "conversations.jsonl", clean())
    return {"conversations": count, **facts}
