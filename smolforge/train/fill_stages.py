"""How much a model that is given can be trained in the time that there is."""

from __future__ import annotations

import json
from collections.abc import Mapping

from smolforge.artifacts import Facts, Sizing
from smolforge.config import config
from smolforge.errors import ConfigError
from smolforge.model.config import ModelConfig
from smolforge.stage import Job, stage
from smolforge.train.config import Compute
from smolforge.train.stages import check_length


@config
class FillConfig:
    """The time, and what is trained in it.

    minutes         all the time there is
    pretrain_share  part of it for pre-training; the rest is for data, tuning and evaluation
    tokens          so many, whatever the machine; None: as many as it trains in that part of the minutes
    phases          pre-training phase → share of its tokens, in order
    batch_tokens    positions a step
    length          positions a row
    """

    minutes: float
    pretrain_share: float
    tokens: int | None = None
    phases: Mapping[str, float]
    model: ModelConfig
    batch_tokens: int
    length: int
    compute: Compute = "auto"

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ConfigError(f"`minutes` is {self.minutes}", fix="give more than 0 minutes")
        if not 0 < self.pretrain_share <= 1:
            raise ConfigError(f"`pretrain_share` is {self.pretrain_share}", fix="use a share from 0 to 1")
        if self.tokens is not None and self.tokens < 1:
            raise ConfigError(f"`tokens` is {self.tokens}", fix="use a whole number above 0, or leave it out")
        if not self.phases or abs(sum(self.phases.values()) - 1) > 1e-6 or min(self.phases.values()) <= 0:
            raise ConfigError("the shares of `phases` do not add up to 1", fix="change them")
        check_length(self.length, self.model)


@stage(makes=Sizing, version=1)
def fill_minutes(cfg: FillConfig, job: Job) -> Facts:
    """The tokens of every phase, by the rate at which this machine trains this model.

    The rate is measured, so two machines differ, and one may differ from itself; what was found is sealed.

    Writes  sizing.json {"phase_tokens", "batch_tokens", "length", "reasons", "predicted": {"seconds"}}
    Facts   tokens, tokens_per_second (0 where it was not measured), minutes (predicted)
    """
    from smolforge.train import sizing
    from smolforge.units import format_count, format_seconds

    rate, tokens = 0.0, cfg.tokens
    seconds = cfg.minutes * 60 * cfg.pretrain_share
    reasons = []
    if tokens is None:
        rate = sizing.training_rate(
            cfg.model, cfg.batch_tokens, cfg.length, job.threads, job.device, cfg.compute, job.compile
        )
        tokens = int(rate * seconds)
        reasons.append(
            f"{format_seconds(seconds)} for pre-training at {format_count(rate)} tokens a second (measured): "
            f"{format_count(tokens)} tokens"
        )
    phases = sizing.phase_tokens(tokens, cfg.batch_tokens, cfg.phases)
    predicted = {"seconds": round(sum(phases.values()) / rate, 1)} if rate else {}
    plain = {
        "phase_tokens": phases,
        "batch_tokens": cfg.batch_tokens,
        "length": cfg.length,
        "reasons": reasons,
        "predicted": predicted,
    }
    (job.out / "sizing.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    for reason in reasons:
        job.log.say(f"  {reason}")
    minutes = round(predicted.get("seconds", 0.0) / 60, 2)
    return {"tokens": sum(phases.values()), "tokens_per_second": round(rate), "minutes": minutes}
