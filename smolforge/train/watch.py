"""Watching a training by held-out texts: the best state is kept, and what makes the model worse is ended.

Two kinds of text are watched: `own`, which the training is for, and all others, which it must not spoil. After every
look the state is kept if the own texts have never been read better while the others were not spoilt; the
training ends when that has not happened for some looks, and the best state is what it gives.

Shapes: B rows, T positions.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from smolforge.data.tokens.batches import Example, ExampleBatches
from smolforge.errors import InputError
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_tensors, save_tensors
from smolforge.train.config import WatchConfig
from smolforge.train.loss import micro_batches, next_token_loss
from smolforge.train.team import fill

OWN = "own"
BEST_FILE = "best.safetensors"
PIECE_CHARACTERS = 1_500
"""Of a watched text, at least so many are read: its first words alone would say little."""
LEAST_CHARACTERS_PER_TOKEN = 3


class Encoder(Protocol):
    """What is needed of a tokenizer."""

    start_id: int

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ...


@dataclass(frozen=True)
class WatchedTexts:
    """Texts of one kind as token ids with their start, in windows, and their size in bytes."""

    examples: Sequence[Example]
    size_bytes: int


@dataclass(frozen=True)
class Look:
    """Bits per byte of every kind of text after `step`; `kept` says whether it was the best state so far."""

    step: int
    bits: Mapping[str, float]
    kept: bool
    spoilt: bool

    @property
    def own(self) -> float:
        return self.bits[OWN]


class Watch:
    """Looks now and then, remembers the best, says when to stop. Its `state` and `restore` are exact.

    `place` is the folder in which the best weights wait; the first look, before any step, is what all others are
    held against.
    """

    def __init__(
        self,
        cfg: WatchConfig,
        texts: Mapping[str, WatchedTexts],
        place: Path,
        *,
        length: int,
        micro_tokens: int,
        steps: int,
        say: Callable[[str], None],
    ) -> None:
        self.cfg, self.place, self._say = cfg, place, say
        self._length, self._micro_tokens = length, micro_tokens
        self._texts = {name: texts[name] for name in sorted(texts)}
        self._every = max(1, round(steps * cfg.every_share))
        self._steps = steps
        self.looks: list[Look] = []
        self.stopped = ""

    def begin(self, model: Llama, step: int) -> None:
        """The look before the first step."""
        if not self.looks:
            self._look(model, step)

    def after(self, model: Llama, step: int, begun_step: int) -> bool:
        """Called after every step; gives whether to stop."""
        done = step - begun_step
        if done % self._every and done != self._steps:
            return False
        self._look(model, step)
        if done == self._steps:
            return False  # at its end a training is not stopped, and a resume from there takes no look
        self.stopped = self._reason_to_stop()
        return bool(self.stopped)

    @property
    def best(self) -> Look:
        """The look at the state that is given."""
        return next(look for look in reversed(self.looks) if look.kept)

    def take_best(self, model: Llama) -> None:
        """Put the best state's weights back into the model."""
        tensors = load_tensors(self.place / BEST_FILE)
        with torch.no_grad():
            for name, weight in _trained(model).items():
                fill(weight, tensors[name])

    def state(self) -> list[dict[str, Any]]:
        """JSON-ready."""
        return [asdict(look) for look in self.looks]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Go on from a `state`; looks that come again find what they found before."""
        self.looks = [Look(**plain) for plain in state]

    def _look(self, model: Llama, step: int) -> None:
        bits = {name: self._bits(model, texts) for name, texts in self._texts.items()}
        first = self.looks[0].bits if self.looks else bits
        spoilt = any(bits[name] > first[name] * (1 + self.cfg.most_forgotten) for name in bits if name != OWN)
        kept = not self.looks or (not spoilt and bits[OWN] < self.best.own)
        if kept:
            self.place.mkdir(parents=True, exist_ok=True)
            part = self.place / f"{BEST_FILE}.part"
            save_tensors(part, {name: weight.detach() for name, weight in _trained(model).items()})
            part.replace(self.place / BEST_FILE)
        self.looks.append(Look(step, {n: round(b, 6) for n, b in bits.items()}, kept, spoilt))
        told = ", ".join(f"{name} {value:.3f}" for name, value in bits.items())
        self._say(f"  held-out bits per byte after step {step}: {told}{'' if kept else ' (not the best)'}")

    def _reason_to_stop(self) -> str:
        later = self.looks[max(i for i, look in enumerate(self.looks) if look.kept) + 1 :]
        if len(later) < self.cfg.patience:
            return ""
        if all(look.spoilt for look in later):
            return f"other texts are read worse by more than {self.cfg.most_forgotten:.0%}"
        return f"the held-out texts have not been read better for {len(later)} looks"

    def _bits(self, model: Llama, texts: WatchedTexts) -> float:
        rows = max(1, self._micro_tokens // self._length)
        batches = ExampleBatches(texts.examples, length=self._length, rows=rows, seed=0)
        loss, total = next_token_loss(), 0.0
        with torch.no_grad():
            while (batch := batches.next()) is not None:
                for micro in micro_batches(batch, self._micro_tokens, model.output_weight_VD.device):
                    total += float(loss(model, micro).total)
        return total / math.log(2) / max(1, texts.size_bytes)


def _trained(model: Llama) -> dict[str, torch.Tensor]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def windows_of(
    texts: Sequence[str], encode: Callable[[str], list[int]], start: int, length: int
) -> WatchedTexts:
    """Texts cut into windows of at most `length` targets, each token counted once."""
    import numpy as np

    examples, size_bytes = [], 0
    for text in texts:
        ids = [start, *encode(text)]
        size_bytes += len(text.encode("utf-8", "replace"))
        for at in range(0, len(ids) - 1, length):
            part = np.array(ids[at : at + length + 1], dtype=np.int64)
            examples.append(Example(part, np.ones(len(part), dtype=np.float32)))
    return WatchedTexts(examples, size_bytes)


def beginnings(texts: Sequence[str], most_tokens: int) -> list[str]:
    """Texts of about `most_tokens` in all: all of them where they are short, else the beginnings of some, evenly spread.

    Looks are paid for from the time of the training.
    """
    room = LEAST_CHARACTERS_PER_TOKEN * most_tokens
    if sum(map(len, texts)) <= room:
        return list(texts)
    count = min(len(texts), max(1, room // PIECE_CHARACTERS))
    spread = [texts[place * len(texts) // count] for place in range(count)]
    return [text[: room // count] for text in spread]


def texts_in(
    folder: Path, tok: Encoder, length: int, most_tokens: int = sys.maxsize
) -> dict[str, WatchedTexts]:
    """A folder's `texts-<domain>.jsonl` by kind: domains whose names begin with `own` are what a training is for.

    Of each kind at most some `most_tokens`.

    Raises InputError where none does.
    """
    texts: dict[str, list[str]] = {}
    for file in sorted(folder.glob("texts-*.jsonl")):
        domain = file.stem.removeprefix("texts-")
        found = [json.loads(line)["text"] for line in file.read_text("utf-8").splitlines()]
        texts.setdefault(OWN if domain.startswith(OWN) else domain, []).extend(found)
    if not texts.get(OWN):
        raise InputError(
            "none of the watched texts is of the user's own documents", fix="give texts-own_<domain>.jsonl"
        )
    return {
        name: windows_of(beginnings(found, most_tokens), tok.encode, tok.start_id, length)
        for name, found in texts.items()
        if found
    }
