"""Settings of an optimiser and of a learning-rate schedule. No torch here: recipes read it."""

from __future__ import annotations

from typing import Literal

from smolforge.config import config
from smolforge.errors import ConfigError

Compute = Literal["auto", "float32", "bfloat16", "float16"]
"""Number type of training's matrix products; `auto` asks the processor, see `precision`."""


@config
class OptimConfig:
    """How weights move. Rates are peaks; the schedule multiplies them.

    kind            muon   orthogonalised momentum for matrices, AdamW for embeddings and norms
                    adamw  AdamW for all
    lr              rate of the matrices (muon: 0.006 to 0.01; adamw: about 0.003)
    embedding_lr    rate of the embedding table, AdamW in both kinds
    norm_lr         rate of norm weights, AdamW in both kinds
    weight_decay    decoupled, on matrices only
    clip            largest norm of the whole gradient; 0 turns it off
    z_loss          weight of log(sum exp logits)^2, which keeps logits from drifting (arXiv:2204.02311)
    skip_deviations a step whose loss or gradient lies this many deviations above the last ones is skipped; 0: never

    Source of the rates: measured at 1.4M parameters by `benchmarks/train_table.py`, docs/LOG.md 2026-11-24.
    """

    kind: Literal["muon", "adamw"] = "muon"
    lr: float = 0.006
    embedding_lr: float = 0.004
    norm_lr: float = 0.005
    momentum: float = 0.95
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.01
    clip: float = 1.0
    z_loss: float = 0.0
    skip_deviations: float = 6.0

    def __post_init__(self) -> None:
        for name in ("lr", "embedding_lr", "norm_lr"):
            if not 0 <= getattr(self, name) <= 10:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use a rate between 0 and 10")
        for name in ("momentum", "beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(
                    f"`{name}` is {getattr(self, name)}", fix="use a share from 0 up to, not including, 1"
                )
        for name in ("weight_decay", "clip", "z_loss", "skip_deviations", "eps"):
            if getattr(self, name) < 0:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use 0 or more")


@config
class WatchConfig:
    """How a training is watched by held-out texts (`train.watch`).

    every_share     a look after every such share of the steps
    most_forgotten  by how much other texts may be read worse (bits per byte, relative) in a state that is kept
    patience        looks without a better state after which the training ends
    most_tokens     of each kind of text, read at every look; of many texts the beginnings of some
    Chosen; the sweep that led to them: docs/LOG.md 2026-11-26.
    """

    every_share: float = 0.125
    most_forgotten: float = 0.03
    patience: int = 3
    most_tokens: int = 4_096

    def __post_init__(self) -> None:
        if (
            not 0 < self.every_share <= 1
            or self.most_forgotten < 0
            or min(self.patience, self.most_tokens) < 1
        ):
            raise ConfigError(
                "`every_share` must be a share above 0, `most_forgotten` not negative, `patience` and `most_tokens` "
                "at least 1"
            )


@config
class ScheduleConfig:
    """The learning rate's course over a whole training, all phases together.

    kind          wsd     warm-up, stable, then a decay over the last `decay_share`
                  cosine  warm-up, then half a cosine down to the floor
                  linear  warm-up, then a straight line down to the floor
    warmup_share  part of the whole spent rising
    decay_share   part of the whole spent falling (wsd)
    floor         rate at the end, as a share of the peak
    """

    kind: Literal["wsd", "cosine", "linear"] = "wsd"
    warmup_share: float = 0.02
    decay_share: float = 0.5
    floor: float = 0.02

    def __post_init__(self) -> None:
        for name in ("warmup_share", "decay_share", "floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use a share from 0 to 1")
        if self.kind == "wsd" and self.warmup_share + self.decay_share > 1 + 1e-9:
            raise ConfigError(
                f"`warmup_share` {self.warmup_share} and `decay_share` {self.decay_share} are more than the whole",
                fix="make them add up to 1 or less",
            )
