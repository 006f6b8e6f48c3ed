"""Sets of conversations put together."""

from __future__ import annotations

import io
import json
from pathlib import Path

from smolforge.artifacts import ChatData
from smolforge.data.read.stages import JoinConfig, join_chats
from smolforge.log import Log
from smolforge.stage import Job


def part(folder: Path, name: str, count: int) -> ChatData:
    (folder / name).mkdir()
    rows = "".join(json.dumps({"id": f"{name}-{i}"}) + "\n" for i in range(count))
    (folder / name / "conversations.jsonl").write_text(rows)
    return ChatData(path=folder / name, key=name, digest=name)


def joined(folder: Path, cfg: JoinConfig) -> tuple[list[str], dict]:
    out = folder / f"out-{cfg.most}-{cfg.seed}"
    out.mkdir(parents=True)
    parts = {"a": part(out, "a", 5), "b": part(out, "b", 50)}
    facts = join_chats(cfg, Job(out=out, work=out, log=Log(None, show=io.StringIO())), parts=parts)
    lines = (out / "conversations.jsonl").read_text().splitlines()
    return [json.loads(line)["id"] for line in lines], dict(facts)


def test_everything_stays_in_order(tmp_path: Path) -> None:
    ids, facts = joined(tmp_path, JoinConfig())
    assert ids == [f"a-{i}" for i in range(5)] + [f"b-{i}" for i in range(50)]
    assert facts == {"conversations": 55, "conversations_a": 5, "conversations_b": 50}


def test_large_sets_are_sampled_by_seed(tmp_path: Path) -> None:
    ids, facts = joined(tmp_path, JoinConfig(most=20))
    assert facts == {"conversations": 25, "conversations_a": 5, "conversations_b": 20}
    assert len(set(ids)) == 25 and ids == sorted(ids, key=lambda i: (i[0], int(i[2:])))
    other, _ = joined(tmp_path, JoinConfig(most=20, seed=2))
    assert other != ids
