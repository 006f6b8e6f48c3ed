"""Choosing the mixture of the next phase."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from smolforge.artifacts import ChosenMixture, Facts, Scores, Sizing, TokenShards
from smolforge.config import config
from smolforge.data.tokens.mixture import Mixture
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Job, stage

if TYPE_CHECKING:
    from smolforge.mix.decide import Decision, Measured, Supply


@config
class ChooseMixtureConfig:
    """The rule by which scores become shares.

    base          shares of the first phase
    start         from what a later phase starts: the phase before (`previous`), or `base`, where the recipe has shares
                  for every phase
    targets       skill (or `bits_<domain>`) → the score to reach
    affinity      skill → domain → how much the domain teaches it; a `bits_<domain>` target without an
                  entry is taught by its own domain
    phase_tokens  length of the phase that the mixture is for; None takes it from the sizing
    phase         its name, to look it up in a sizing
    floor, cap    least and greatest share of a domain
    most_passes   how often a domain may be gone through, all phases together
    most_change   how far a share may move from one phase to the next
    strength      how strongly gaps move shares
    """

    base: Mapping[str, float]
    start: Literal["previous", "base"] = "previous"
    targets: Mapping[str, float]
    affinity: Mapping[str, Mapping[str, float]]
    phase_tokens: int | None = None
    phase: str | None = None
    floor: float = 0.02
    cap: float = 0.6
    most_passes: float = 4.0
    most_change: float = 0.15
    strength: float = 1.0

    def __post_init__(self) -> None:
        Mixture(weights=self.base)  # refuses shares that do not add up, before anything is built
        for name in ("floor", "cap", "most_change"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use a share from 0 to 1")
        if self.floor > self.cap:
            raise ConfigError(f"`floor` {self.floor} is above `cap` {self.cap}", fix="lower the floor")
        if self.most_passes <= 0 or self.strength < 0:
            raise ConfigError("`most_passes` must be above 0 and `strength` not below", fix="change them")
        for skill, table in self.affinity.items():
            if any(value < 0 for value in table.values()):
                raise ConfigError(f"`affinity.{skill}` has a negative entry", fix="use 0 or more")


@stage(makes=ChosenMixture, version=2)
def choose_mixture(
    cfg: ChooseMixtureConfig,
    job: Job,
    *,
    shards: Mapping[str, TokenShards],
    scores: Scores | None = None,
    previous: ChosenMixture | None = None,
    sizing: Sizing | None = None,
) -> Facts:
    """Decide the next phase's shares from the gaps between scores and targets, and write down why.

    Writes  mixture.json {"weights", "reasons", "gaps", "planned_tokens"}
    Facts   share_<domain>
    Raises  ConfigError for base shares that do not add up to 1 or name a domain that is not there
    """
    from smolforge.mix.decide import Limits, decide

    unknown = sorted(set(cfg.base) - set(shards))
    if unknown:
        raise ConfigError(
            f"`base` names {unknown[0]}, but there are no tokens of it",
            where="base",
            fix=f"there are {', '.join(sorted(shards))}",
        )
    before = _read(previous) if previous is not None else {"weights": cfg.base, "planned_tokens": {}}
    tokens = _phase_tokens(cfg, sizing)
    supply = _supply(shards, before["planned_tokens"])
    skills, remarks = _measured(cfg, scores)
    limits = Limits(
        floor=cfg.floor,
        cap=cfg.cap,
        most_passes=cfg.most_passes,
        most_change=cfg.most_change,
        strength=cfg.strength,
    )
    shares = before["weights"] if cfg.start == "previous" else cfg.base
    decision = decide(shares, skills, _affinity(cfg, skills), supply, tokens, limits)
    Mixture(weights=decision.weights)
    first = [] if scores is not None else ["there are no scores yet: the recipe's own shares"]
    _write(job, decision, first + remarks, before["planned_tokens"], tokens)
    job.log.event("mixture", weights=decision.weights, reasons=decision.reasons, gaps=decision.gaps)
    return {f"share_{name}": share for name, share in decision.weights.items()}


def _phase_tokens(cfg: ChooseMixtureConfig, sizing: Sizing | None) -> int:
    if cfg.phase_tokens is not None:
        if cfg.phase_tokens <= 0:
            raise ConfigError(f"`phase_tokens` is {cfg.phase_tokens}", fix="use a whole number above 0")
        return cfg.phase_tokens
    if sizing is not None and cfg.phase is not None:
        phases = json.loads((sizing.path / "sizing.json").read_text(encoding="utf-8"))["phase_tokens"]
        if cfg.phase in phases:
            return int(phases[cfg.phase])
        raise ConfigError(f"the sizing knows no phase `{cfg.phase}`", fix=f"use one of {', '.join(phases)}")
    raise ConfigError("`phase_tokens` is not set", fix="set it, or give `phase` and a sizing")


def _supply(shards: Mapping[str, TokenShards], planned: Mapping[str, float]) -> dict[str, Supply]:
    from smolforge.mix.decide import Supply

    counts = {name: int(shard.facts["tokens"]) for name, shard in sorted(shards.items())}
    if not any(counts.values()):
        raise InputError("no domain has any tokens", fix="look at what curation dropped")
    return {name: Supply(tokens=count, planned=planned.get(name, 0.0)) for name, count in counts.items()}


def _measured(cfg: ChooseMixtureConfig, scores: Scores | None) -> tuple[dict[str, Measured], list[str]]:
    """The scores that have targets; a sentence for each target without a score."""
    from smolforge.mix.decide import Measured

    if scores is None:
        return {}, []
    listed = json.loads((scores.path / "scores.json").read_text(encoding="utf-8"))
    by_skill = {score["skill"]: score for score in listed}
    remarks = [f"{skill} has a target but no score" for skill in sorted(cfg.targets) if skill not in by_skill]
    skills = {
        skill: Measured(
            value=by_skill[skill]["value"],
            chance=by_skill[skill]["chance"],
            target=target,
            lower_is_better=by_skill[skill]["unit"] == "bits_per_byte",
        )
        for skill, target in sorted(cfg.targets.items())
        if skill in by_skill
    }
    return skills, remarks


def _affinity(cfg: ChooseMixtureConfig, skills: Mapping[str, Measured]) -> dict[str, Mapping[str, float]]:
    own = {skill: {skill.removeprefix("bits_"): 1.0} for skill in skills if skill.startswith("bits_")}
    return {**own, **cfg.affinity}


def _read(chosen: ChosenMixture) -> dict[str, Any]:
    return json.loads((chosen.path / "mixture.json").read_text(encoding="utf-8"))


def _write(
    job: Job, decision: Decision, remarks: list[str], planned: Mapping[str, float], phase_tokens: int
) -> None:
    names = sorted({*planned, *decision.weights})
    plain = {
        "weights": decision.weights,
        "reasons": remarks + decision.reasons,
        "gaps": decision.gaps,
        "planned_tokens": {
            name: round(planned.get(name, 0.0) + decision.weights.get(name, 0.0) * phase_tokens)
            for name in names
        },
    }
    text = json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False)
    (job.out / "mixture.json").write_text(text + "\n", encoding="utf-8")
