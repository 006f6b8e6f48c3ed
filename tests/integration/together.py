"""Training cases, run alone or by one of several processes: `python together.py cases.json` under torchrun's variables.

A case is `{"place", "stage", "kind", "compute", "shard", "micro_tokens", "recompute", "steps", "init",
"largest_bytes", "port"}`, fp32 where it names no other; `make_world` makes what they read. What goes wrong is written to `place/said-RANK`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

from smolforge.align.stages import DpoConfig, SftConfig, dpo, sft
from smolforge.artifacts import ChatData, Checkpoint, PreferenceData, Tokenizer, TokenShards
from smolforge.errors import StageError
from smolforge.log import Log
from smolforge.model.config import ModelConfig
from smolforge.stage import Job
from smolforge.train.config import OptimConfig
from smolforge.train.stages import PretrainConfig, pretrain

# sizes that do not divide: 5 rows or 3 pairs a step, 61 tokens, and keys of 6 rows, of which the last of 4 processes gets none
SHAPE = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 6,
    "max_position_embeddings": 64,
}
OPTIM = {
    "muon": OptimConfig(kind="muon", lr=0.01, embedding_lr=2e-3, norm_lr=2e-3),
    "adamw": OptimConfig(kind="adamw", lr=2e-3, embedding_lr=2e-3, norm_lr=2e-3, eps=1e-6),
}


def make_world(root: Path) -> None:
    """Token shards, a tokenizer, an untrained model, conversations and preference pairs."""
    from smolforge.model.transformer import Llama
    from smolforge.model.weights import save_model
    from smolforge.text import tokenizer

    for name in ("shards", "tokenizer", "model", "data", "pairs"):
        (root / name).mkdir(parents=True)
    tokens, offsets = [], [0]
    for number in range(100):
        tokens += [1 + (number * 7 + place) % 60 for place in range(5 + number * 13 % 40)] + [0]
        offsets.append(len(tokens))
    np.array(tokens, dtype="<u2").tofile(root / "shards" / "tokens-00000.bin")
    np.savez(root / "shards" / "index.npz", shard_00000=np.array(offsets))
    words = ["cat", "dog", "sun", "sea", "hat", "tree", "milk", "bird"]
    tokenizer.save(tokenizer.train([" ".join(words) + " Say user assistant\n"] * 50, 300), root / "tokenizer")
    model = Llama(ModelConfig(vocab_size=300, **SHAPE))
    model.initialise(0)
    save_model(root / "model", model)
    asked = [[{"role": "user", "content": f"Say {word}"}] for word in words]
    chats, pairs = [], []
    for number, word in enumerate(words * 5):
        messages = asked[number % 8]
        answered = [*messages, {"role": "assistant", "content": " ".join([word] * (1 + number % 4))}]
        chats.append({"id": str(number), "skill": "say", "messages": answered})
        more = {"chosen": word, "rejected": words[number % 8 - 1]}
        pairs.append({"id": str(number), "skill": "say", "messages": messages, **more})
    for name, rows in (("data/conversations.jsonl", chats), ("pairs/pairs.jsonl", pairs[:10])):
        (root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(root: Path, case: dict[str, Any], rank: int = 0, ranks: int = 1) -> None:
    """One case's stage, its files in `place/out`."""
    place = root / case["place"]
    out = place / ("out" if rank == 0 else f"out-{rank}")
    for folder in (out, place / "work"):
        folder.mkdir(parents=True, exist_ok=True)
    job = Job(
        out=out,
        work=place / "work",
        log=Log(place / "events.jsonl" if rank == 0 else None, show=(place / f"said-{rank}").open("a")),
        threads=1,
        micro_tokens=case.get("micro_tokens", 16_384),
        rank=rank,
        ranks=ranks,
        shard=case.get("shard", 1),
        recompute=case.get("recompute", False),
    )
    optim, compute = OPTIM[case.get("kind", "muon")], case.get("compute", "float32")
    tokenizer = Tokenizer(root / "tokenizer", "k", "d")
    start = Checkpoint(root / "model", "k", "d", {"tokens": 0})
    if case["stage"] == "pretrain":
        steps = case.get("steps", 10)
        model = ModelConfig(vocab_size=61, **SHAPE)
        cfg = PretrainConfig(
            phase="one", model=model, tokens=steps * 160, batch_tokens=160, length=32, mixture={"a": 1.0},
            optim=optim, save_every_steps=3, compute=compute,
        )  # fmt: skip
        shards = TokenShards(root / "shards", "k", "d")
        before = Checkpoint(root / case["init"], "k", "d") if "init" in case else None
        letters = Tokenizer(root / "shards", "k", "d")
        pretrain(cfg, job, shards={"a": shards}, tokenizer=letters, init=before)
    elif case["stage"] == "sft":
        sft_cfg = SftConfig(epochs=2, length=32, batch_tokens=160, optim=optim, compute=compute)
        sft(sft_cfg, job, init=start, tokenizer=tokenizer, data=ChatData(root / "data", "k", "d"))
    else:
        dpo_cfg = DpoConfig(epochs=2, length=32, pairs_per_step=3, optim=optim, compute=compute)
        dpo(dpo_cfg, job, init=start, tokenizer=tokenizer, pairs=PreferenceData(root / "pairs", "k", "d"))


def main() -> None:
    file = Path(sys.argv[1])
    for case in json.loads(file.read_text()):
        os.environ["MASTER_PORT"] = str(case["port"])
        rank = int(os.environ["RANK"])
        largest = case.get("largest_bytes", {}).get(str(rank))
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        try:
            run(file.parent, case, rank, int(os.environ["WORLD_SIZE"]))
        except StageError as error:
            with (file.parent / case["place"] / f"said-{rank}").open("a") as said:
                said.write(f"{error.what}\n")


if __name__ == "__main__":
    main()
