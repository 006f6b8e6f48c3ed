"""The named rules: one door from what is given to the record of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from smolforge.errors import ConfigError
from smolforge.mix import affinity, baselines, decide, gap, ledger, record
from smolforge.mix.decide import Belief, Situation
from smolforge.mix.law import Look
from smolforge.mix.limits import Bounds, Limits, Supply, bounds, change, fitted, normalised
from smolforge.mix.record import Past

UNIMAX_PASSES = 4.0


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a decision is made of.

    supply    tokens of every source, nothing planned yet
    phases    tokens of the coming phase and of those after it; spent: of the coming one, already used by measuring
    """

    supply: Mapping[str, Supply]
    past: Past
    affinity: Any
    scores: Any
    look: Look | None
    trouble: str
    phases: tuple[int, ...]
    spent: int

    @property
    def planned(self) -> dict[str, Supply]:
        """The sources that have tokens, with what earlier phases took."""
        return {
            name: replace(has, planned=self.past.planned.get(name, 0.0))
            for name, has in sorted(self.supply.items())
            if has.tokens > 0
        }

    @property
    def left(self) -> tuple[int, ...]:
        return (max(1, self.phases[0] - self.spent), *self.phases[1:])


def choose(cfg: Any, given: Given) -> dict[str, Any]:
    """The record of the decision that the rule `cfg.rule` makes; `cfg` is a `stages.ChooseMixtureConfig`."""
    for where, shares in (("base", cfg.base), ("override", cfg.override or {})):
        unknown = sorted(set(shares) - set(given.supply))
        if unknown:
            raise ConfigError(
                f"`{where}` names {unknown[0]}, but there are no tokens of it",
                where=where,
                fix=f"there are {', '.join(sorted(given.supply))}",
            )
    limits = Limits(floor=cfg.floor, cap=cfg.cap, most_passes=cfg.most_passes, most_change=cfg.most_change)
    if cfg.rule in ("measured", "prior"):
        plain = _planned(cfg, given, limits)
    else:
        plain = _sized(cfg, given, limits)
    return _finished(cfg, given, plain)


# -- rules that plan -----------------------------------------------------------------------------------


def _planned(cfg: Any, given: Given, limits: Limits) -> dict[str, Any]:
    now = situation(cfg, given)
    if not now.needs:
        plain = _plain_shares(
            baselines.unimax(
                given.planned, bounds(given.planned, given.left[0], limits), sum(given.left), UNIMAX_PASSES
            )
        )
        return plain | {
            "reasons": ["no skill is known that is needed: even shares, none more than four passes"]
        }
    if cfg.rule == "prior" and given.past.plan:
        now = replace(now, looks=(), contrasts=(), entries=())
        kept = fitted(now.keep[0], bounds(now.supply, now.phases[0], limits))
        plain = _plain_shares(kept) | {
            "reasons": ["the plan of the first phase; the rule `prior` changes nothing"]
        }
        return plain | {"plan": list(now.keep[1:]), "needs": now.needs}
    verdict = decide.decide(now, limits)
    plain = _plain_shares(verdict.weights) | {"reasons": decide.reasons(now, verdict, limits)}
    return (
        plain | record.of_verdict(now, verdict) | {"situation": decide.to_plain(now), "limits": vars(limits)}
    )


def situation(cfg: Any, given: Given) -> Situation:
    """What is known, as the measured rule wants it."""
    supply = given.planned
    past, look = given.past, given.look
    weights = given.affinity["weights"] if given.affinity else {}
    known = sorted({*weights, *cfg.taught_by, *(look.bits if look else ())})
    needs = (
        normalised(cfg.needs)
        if cfg.needs
        else {skill: 1 / len(known) for skill in known if skill not in cfg.guards}
    )
    looks = (*past.looks, look) if look else past.looks
    if looks:
        needs = (
            normalised({s: n for s, n in needs.items() if s in looks[-1].bits})
            if set(needs) & set(looks[-1].bits)
            else {}
        )
    entries = record.came_true(past, look)
    centre = normalised({d: cfg.base.get(d, 0.0) for d in supply}) if cfg.base else None
    begin = centre or dict.fromkeys(supply, 1 / len(supply))
    keep = past.plan if len(past.plan) == len(given.phases) else (past.weights or begin,) * len(given.phases)
    if cfg.start == "base":
        keep = (begin,) * len(given.phases)
    return Situation(
        sources=tuple(supply),
        supply=supply,
        trained=past.trained,
        keep=tuple(dict(row) for row in keep),
        centre=centre,
        phases=given.left,
        needs=needs,
        guards=tuple(g for g in cfg.guards if not looks or g in looks[-1].bits),
        beliefs={skill: _beliefs(weights.get(skill), cfg.taught_by.get(skill, _own(skill, supply)), supply) for skill in (*needs, *cfg.guards)},
        looks=looks,
        contrasts=past.contrasts,
        entries=(*past.entries, *entries),
        trust=ledger.trust(past.trust, entries, needs) if past.trained else None,
        rate=_rate(cfg, given),
        trouble=given.trouble,
        least_tokens=cfg.least_tokens,
        seed=cfg.seed,
    )  # fmt: skip


def _own(skill: str, supply: Mapping[str, Supply]) -> tuple[str, ...]:
    """Texts of a domain are taught by the domain, where nobody says otherwise."""
    own = skill.removeprefix("bits_")
    return (own,) if skill.startswith("bits_") and own in supply else ()


def _beliefs(
    ngrams: Mapping[str, float] | None, declared: tuple[str, ...], supply: Mapping[str, Supply]
) -> dict[str, Belief]:
    if ngrams is not None:
        return affinity.beliefs({s: ngrams.get(s, 0.0) for s in supply}, declared)
    low = decide.TEACHES_NOT if declared else 0.5
    return {s: Belief(1.0 if s in declared else low, affinity.NGRAM_SD) for s in supply}


def _rate(cfg: Any, given: Given) -> float:
    """The coming phase's mean learning rate, as a share of the peak."""
    if cfg.schedule is None:
        return 1.0
    from smolforge.train.schedule import factor

    begun = sum(sum(part.values()) for part in given.past.trained)
    total = begun + sum(given.phases)
    places = [begun + given.phases[0] * (n + 0.5) / 8 for n in range(8)]
    return sum(factor(cfg.schedule, place, total) for place in places) / 8


# -- rules that go by sizes, gaps or words -------------------------------------------------------------


def _sized(cfg: Any, given: Given, limits: Limits) -> dict[str, Any]:
    supply = given.planned
    within = bounds(supply, given.left[0], limits)
    base = normalised({d: cfg.base.get(d, 0.0) for d in supply})
    if cfg.rule == "gap":
        return _by_gap(cfg, given, limits, base)
    if cfg.rule == "mixmin":
        if given.affinity is None:
            raise ConfigError("the rule `mixmin` reads an affinity", fix="give the stage one")
        weights = _by_words(cfg, given, within)
    elif cfg.rule == "unimax":
        begun = sum(given.past.planned.values())
        fresh = {d: replace(has, planned=0.0) for d, has in supply.items()}
        weights = baselines.unimax(fresh, within, round(begun + sum(given.left)), UNIMAX_PASSES)
    else:
        weights = {
            "fixed": lambda: dict(base),
            "natural": lambda: baselines.natural(supply, within),
            "uniform": lambda: baselines.uniform(supply, within),
        }[cfg.rule]()
    return _plain_shares(weights) | {
        "reasons": [*within.notes, *_passes_words(supply, weights, given.left[0])]
    }


def _by_words(cfg: Any, given: Given, within: Bounds) -> dict[str, float]:
    tables = given.affinity["weights"]
    needs = normalised(cfg.needs) if cfg.needs else {skill: 1 / len(tables) for skill in tables}
    mixed = {d: sum(n * tables.get(s, {}).get(d, 0.0) for s, n in needs.items()) for d in given.planned}
    return fitted(normalised(mixed), within)


def _by_gap(cfg: Any, given: Given, limits: Limits, base: Mapping[str, float]) -> dict[str, Any]:
    skills, remarks = gap.measured(cfg.targets, given.scores)
    start = given.past.weights if given.past.weights and cfg.start == "previous" else base
    taught = {
        skill: dict.fromkeys(cfg.taught_by.get(skill, _own(skill, given.planned)), 1.0) for skill in skills
    }
    found = gap.decide(start, skills, taught, given.planned, given.left[0], limits, cfg.strength)
    first = [] if given.scores is not None else ["nothing is measured yet: the recipe's own shares"]
    return _plain_shares(found.weights) | {"reasons": [*first, *remarks, *found.reasons], "gaps": found.gaps}


def _passes_words(supply: Mapping[str, Supply], weights: Mapping[str, float], tokens: int) -> list[str]:
    said = []
    for source, share in weights.items():
        passes = (supply[source].planned + share * tokens) / supply[source].tokens
        said.append(
            f"{source}: {share:.1%}"
            + (f" ({passes:.1f} passes by the end of the phase)" if passes > 1 else "")
        )
    return said


# -- the record ----------------------------------------------------------------------------------------


def _plain_shares(weights: Mapping[str, float]) -> dict[str, Any]:
    return {"weights": dict(weights)}


def _finished(cfg: Any, given: Given, plain: dict[str, Any]) -> dict[str, Any]:
    """The decision with everything that the next one and a person will want to know."""
    if cfg.override is not None:
        chosen = normalised({d: cfg.override.get(d, 0.0) for d in given.planned})
        said = f"the recipe overrides the rule, which would have moved {change(chosen, plain['weights']):.1%} of the tokens elsewhere"
        plain = plain | {
            "rejected": {"weights": plain["weights"], "why": "the recipe overrides"},
            "weights": chosen,
            "reasons": [said, *plain["reasons"]],
        }
    past, look = given.past, given.look
    return {
        "refusal": None,
        "predicted": {},
        "plan": [],
        "contrasts": list(map(vars, past.contrasts)),
        **plain,
        **sums(plain["weights"], past, given.left[0]),
        "rule": cfg.rule,
        "phase": cfg.phase or f"phase {len(past.trained) + 1}",
        "before": dict(past.weights),
        "measured": {skill: list(pair) for skill, pair in look.bits.items()} if look else {},
        "looks": [vars(one) for one in ((*past.looks, look) if look else past.looks)],
        "ledger": [
            vars(one) | {"inside": one.inside} for one in (*past.entries, *record.came_true(past, look))
        ],
        "trust": ledger.trust(past.trust, record.came_true(past, look), plain.get("needs", {})),
        "spent_tokens": given.spent,
    }


def sums(weights: Mapping[str, float], past: Past, tokens: int) -> dict[str, Any]:
    """Tokens of every source: in this phase, and in all so far."""
    trained = {name: share * tokens for name, share in weights.items()}
    names = sorted({*past.planned, *trained})
    return {
        "planned_tokens": {n: round(past.planned.get(n, 0.0) + trained.get(n, 0.0)) for n in names},
        "trained": [*past.trained, trained],
    }
