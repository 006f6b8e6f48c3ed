"""Tiny inputs by arithmetic alone, so that no random generator's version matters; shared by many tests.

write_domain(folder, step)   token shards of documents that count upwards by `step`
packed_rows(draw, …)         where packed documents begin, and the weights of their positions, at random
can_train_in(compute)        whether this machine has a number type of training
saying(folder)               an untrained model, a tokenizer, conversations and pairs: "Say cat" → "cat"
write_pages(folder)          pages of prose about towns that do not exist, each with much that can be asked
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smolforge import kernels
from smolforge.artifacts import Artifact, ChatData, Checkpoint, PreferenceData, Tokenizer
from smolforge.data.tokens.batches import Documents
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.text import tokenizer
from smolforge.train.config import Compute

COMPUTES: tuple[Compute, ...] = ("float32", "bfloat16", "float16")
WORDS = ["cat", "dog", "sun", "sea", "hat", "tree", "milk", "bird"]
VOCABULARY = 96


def can_train_in(compute: Compute) -> bool:
    """Whether training's products can run in it here: fp32 and bf16 can anywhere."""
    return compute != "float16" or kernels.knows(torch.float16)


def packed_rows(
    draw: np.random.Generator, rows: int, length: int, lengths: Sequence[int], *, padding: int
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and weights of rows of documents of these `lengths`, each with less than `padding` at its end."""
    starts_BT = np.tile(np.arange(length, dtype=np.int32), (rows, 1))
    weights_BT = np.zeros((rows, length), np.float32)
    for row in range(rows):
        place, used = 0, length - int(draw.integers(0, padding))
        while place < used:
            end = min(used, place + int(draw.choice(lengths)))
            starts_BT[row, place:end], weights_BT[row, place:end] = place, 1.0
            place = end
    return starts_BT, weights_BT


def write_domain(folder: Path, step: int, documents: int = 150) -> Documents:
    """Documents of 5 to 64 tokens below `VOCABULARY`; token 0 closes each."""
    folder.mkdir(parents=True)
    tokens: list[int] = []
    offsets = [0]
    for number in range(documents):
        length = 5 + (number * 37) % 60
        tokens += [1 + (number * 11 + place * step) % 95 for place in range(length)] + [0]
        offsets.append(len(tokens))
    np.array(tokens, dtype="<u2").tofile(folder / "tokens-00000.bin")
    np.savez(folder / "index.npz", shard_00000=np.array(offsets))
    return Documents(folder)


def ask(word: str) -> list[dict[str, str]]:
    """The question whose answer is `word`."""
    return [{"role": "user", "content": f"Say {word}"}]


def talk(word: str, number: int, **more: Any) -> dict[str, Any]:
    """A conversation with a checkable item."""
    item = {"id": f"i{number}", "skill": "say", "kind": "exact", "messages": ask(word), "answer": word}
    messages = [*ask(word), {"role": "assistant", "content": word}]
    return {"id": f"c{number}", "skill": "say", "messages": messages, "item": {**item, **more}}


def write_lines(file: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def saying(root: Path) -> Mapping[str, Artifact]:
    """The inputs `init`, `tokenizer`, `data` and `pairs` of a tuning stage."""
    for name in ("model", "tokenizer", "data", "pairs"):
        (root / name).mkdir(parents=True)
    trained = tokenizer.train([" ".join(WORDS) + " Say user assistant\n"] * 50, 300)
    tokenizer.save(trained, root / "tokenizer")
    network = Llama(
        ModelConfig(
            vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, head_dim=16, max_position_embeddings=64,
        )
    )  # fmt: skip
    network.initialise(0)
    save_model(root / "model", network)
    write_lines(root / "data" / "conversations.jsonl", [talk(word, i) for i, word in enumerate(WORDS * 4)])
    pairs = [
        {"id": str(i), "skill": "say", "messages": ask(word), "chosen": word, "rejected": WORDS[i - 1]}
        for i, word in enumerate(WORDS)
    ]
    write_lines(root / "pairs" / "pairs.jsonl", pairs)
    return {
        "init": Checkpoint(root / "model", "k", "d", {"tokens": 100}),
        "tokenizer": Tokenizer(root / "tokenizer", "k", "d"),
        "data": ChatData(root / "data", "k", "d"),
        "pairs": PreferenceData(root / "pairs", "k", "d"),
    }


TOWNS = (
    "Wolfburg",
    "Steinheim",
    "Oberau",
    "Lindenau",
    "Silberheim",
    "Falkenau",
    "Hirschburg",
    "Kirchheim",
    "Tannenau",
)
PEOPLE = (
    "Anna Weller",
    "Peter Amsel",
    "Maria Lindner",
    "Thomas Krug",
    "Emma Sandow",
    "David Hollin",
    "Ruth Ofner",
)
TOLD = (
    "The stone bridge below the market of {town} was finished by the guild of masons in {year}.",
    "A fire in the lower town of {town} destroyed the corn hall and the old school in {year}.",
    "The altar of the upper church of {town} was carved by {person} before the long war began.",
    "The salt works of {town} employ {number} people and send their goods down the river.",
    "The yearly fair of {town} lasts for {few} days, and the farmers of the whole valley come to it.",
    "The mill on the stream grinds {number} tons of grain a year for the bakers of {town}.",
    "The council ordered the first map of the valley around {town} from the surveyor {person}.",
    "The long drought that emptied every well of {town} ended in {year} with a week of rain.",
    "The largest shop in {town} was opened by {person} after the railway came to the town.",
    "The tower above the gate of {town} has a height of {number} metres and can be seen from the hills.",
    "The library of {town} holds {number} books, most of which were a gift of the monastery.",
    "The school for weavers in {town} was founded by {person} and closed again in {year}.",
    "The choir of {town} sings on {few} evenings in December, when the snow lies on the roofs.",
    "The old harbour of {town} was filled with earth in {year}, and a park was made of it.",
    "The park of {town} has {number} oaks, the oldest of which was planted by {person}.",
    "The newspaper of {town} was printed for the first time in {year} in a cellar by the river.",
)


def write_pages(folder: Path, count: int) -> None:
    """`page-00.md` and so on, nine sentences each."""
    folder.mkdir(parents=True)
    for number in range(count):
        draw = random.Random(f"page/{number}")
        town = draw.choice(TOWNS)
        lines = [
            line.format(
                town=town,
                person=draw.choice(PEOPLE),
                year=draw.randrange(1500, 1950),
                number=draw.randrange(110, 990),
                few=draw.randrange(11, 29),
            )
            for line in draw.sample(TOLD, 9)
        ]
        text = f"# {town}, part {number}\n\n{' '.join(lines[:5])}\n\n{' '.join(lines[5:])}\n"
        (folder / f"page-{number:02}.md").write_text(text, encoding="utf-8")
