"""Pre-training killed outright (SIGKILL) at any moment and run again gives the same files, byte for byte."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import sys
from pathlib import Path
from smolforge.artifacts import Tokenizer, TokenShards
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.stage import Job
from smolforge.train.stages import PretrainConfig, pretrain

data, place = Path(sys.argv[1]), Path(sys.argv[2])
(place / "out").mkdir(parents=True, exist_ok=True)
(place / "work").mkdir(parents=True, exist_ok=True)
model = ModelConfig(vocab_size=61, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=64)
cfg = PretrainConfig(phase="one", model=model, tokens=300 * 256, batch_tokens=256, length=32,
                     mixture={"a": 1.0}, save_every_steps=3)
job = Job(out=place / "out", work=place / "work", log=Log(place / "events.jsonl"), threads=1)
print("ready", flush=True)
pretrain(cfg, job, shards={"a": TokenShards(data, "k", "d")}, tokenizer=Tokenizer(data, "k", "d"))
"""


def start(data: Path, place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(data), str(place)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def digests(place: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted((place / "out").iterdir())}


@pytest.mark.slow
def test_killed_anywhere_equals_never_killed(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    tokens, offsets = [], [0]
    for number in range(100):
        tokens += [1 + (number * 7 + place) % 60 for place in range(5 + number * 13 % 40)] + [0]
        offsets.append(len(tokens))
    np.array(tokens, dtype="<u2").tofile(data / "tokens-00000.bin")
    np.savez(data / "index.npz", shard_00000=np.array(offsets))

    whole = start(data, tmp_path / "whole")
    assert whole.stdout is not None
    whole.stdout.readline()
    began = time.monotonic()
    assert whole.wait(timeout=300) == 0
    full_seconds = time.monotonic() - began

    draw = random.Random(1)
    checkpoints = set()
    for _ in range(4):
        process = start(data, tmp_path / "killed")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(full_seconds * draw.uniform(0.2, 0.7))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        found = tmp_path / "killed" / "work" / "checkpoints"
        checkpoints.update(p.name for p in found.glob("step-*"))
        for file in (tmp_path / "killed" / "out").iterdir():
            file.unlink()  # the store empties `out` before a stage runs again
    last = start(data, tmp_path / "killed")
    assert last.wait(timeout=300) == 0
    assert checkpoints, "no kill came after the first checkpoint: the test would prove nothing"
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
