"""Choosing the mixture of the next phase: what skills cost, what sources speak, the decision, and its trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Literal

from smolforge.artifacts import (
    Affinity,
    Checkpoint,
    ChosenMixture,
    DecisionHalf,
    Facts,
    Sizing,
    SkillBits,
    Tokenizer,
    TokenShards,
)
from smolforge.config import config, from_plain
from smolforge.data.tokens.mixture import Mixture
from smolforge.errors import ConfigError, InputError
from smolforge.evals.half_stages import for_decision
from smolforge.stage import Job, stage
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig

if TYPE_CHECKING:
    from smolforge.evals.answer_bits import Bits
    from smolforge.mix.law import Look
    from smolforge.mix.limits import Supply

Rule = Literal["measured", "prior", "mixmin", "gap", "unimax", "uniform", "natural", "fixed"]


@config
class MeasureConfig:
    """What is asked of a model before a decision: few items, the same ones every time.

    form             `chat` where the model is to become one that chats; `text` for a base model alone
    items_per_skill  of the decision half; 0 for all
    text_bytes_per_domain, window_tokens   as in `EvaluateConfig`
    """

    form: Literal["text", "chat"] = "chat"
    items_per_skill: int = 48
    text_bytes_per_domain: int = 6_000
    window_tokens: int = 256
    compute: Compute = "auto"


@stage(makes=SkillBits, version=1)
def measure_skills(
    cfg: MeasureConfig, job: Job, *, model: Checkpoint, tokenizer: Tokenizer, texts: DecisionHalf
) -> Facts:
    """Bits per byte of the gold answers and texts of the decision half. Nothing is generated.

    Writes  skills.json ([Score...]), bits.jsonl
    Facts   spent_tokens, <skill>, <skill>_low, <skill>_high
    Raises  InputError where nothing can be asked
    """
    from dataclasses import asdict

    from smolforge.evals import answer_bits
    from smolforge.mix.asking import Asking

    asking = Asking.of(cfg, tokenizer.path, for_decision(texts), job)
    found = asking.ask_folder(model.path)
    if not found:
        raise InputError("no held-out item has a gold answer, and there is no text", where=str(texts.path))
    scores = answer_bits.bits_scores(found)
    (job.out / "skills.json").write_text(
        json.dumps([asdict(one) for one in scores], indent=1), encoding="utf-8"
    )
    _write_bits(job, found)
    facts: dict[str, float] = {"spent_tokens": answer_bits.spent_tokens(found)}
    for one in scores:
        facts |= {one.skill: one.value, f"{one.skill}_low": one.low, f"{one.skill}_high": one.high}
    return {name: round(value, 6) for name, value in facts.items()}


def _write_bits(job: Job, found: list[Bits]) -> None:
    rows = [{"skill": b.skill, "id": b.id, "bits": round(b.bits, 4), "bytes": b.bytes} for b in found]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (job.out / "bits.jsonl").write_text(text, encoding="utf-8")


@config
class AffinityConfig:
    """How much is read of every source, and in which form the skills' texts are."""

    tokens_per_source: int = 200_000
    form: Literal["text", "chat"] = "chat"
    items_per_skill: int = 100
    text_bytes_per_domain: int = 20_000


@stage(makes=Affinity, version=1)
def source_affinity(
    cfg: AffinityConfig,
    job: Job,
    *,
    shards: Mapping[str, TokenShards],
    tokenizer: Tokenizer,
    texts: DecisionHalf,
) -> Facts:
    """Which sources' n-grams explain the texts of each skill (questions and gold answers of the decision half).

    Writes  affinity.json
    Facts   skills, sources
    """
    from smolforge.mix import affinity
    from smolforge.mix.asking import skill_ids, source_ids
    from smolforge.text.tokenizer import load_tokenizer

    tok = load_tokenizer(tokenizer.path)
    counted = {}
    for done, (name, shard) in enumerate(sorted(shards.items())):
        if int(shard.facts["tokens"]):
            counted[name] = affinity.count(source_ids(shard.path, cfg.tokens_per_source), tok.vocab_size)
        job.log.progress(done + 1, len(shards), "sources", name)
    spoken = skill_ids(cfg, tok, for_decision(texts))
    weights = {skill: affinity.explain(counted, ids, tok.vocab_size) for skill, ids in spoken.items()}
    everything = {s: sum(table[s] for table in weights.values()) / max(1, len(weights)) for s in counted}
    plain = {"weights": weights, "all": everything}
    (job.out / "affinity.json").write_text(
        json.dumps(plain, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    return {"skills": len(weights), "sources": len(counted)}


@config
class ChooseMixtureConfig:
    """By which rule, on which beliefs and within which limits the next mixture is chosen.

    rule          measured  plan the phases left by what was measured, move where it is likely to help, else refuse
                  prior     the plan from n-grams and beliefs alone, never changed
                  mixmin    the mixture of n-gram models that explains the skills' texts best, arXiv:2502.10510
                  gap       gaps between scores and targets raise what teaches them (the rule of version 0.1)
                  unimax    even shares, none more than four passes, arXiv:2304.09151
                  uniform, natural, fixed   even shares; by size; `base` as it is
    base          shares that the recipe believes in; empty for even ones
    start         from what a phase starts: the one before, or the plan of then (`previous`), or `base`, where every phase
                  has its own
    needs         skill → weight; empty for all measured skills alike
    guards        skills that must not get worse
    taught_by     a person's belief: skill → sources that teach it
    targets       gap: skill → bits per byte to reach
    override      shares set by hand for this phase; what the rule would have done is written down beside them
    phase, phase_tokens   of the coming phase; a sizing knows the tokens
    later_tokens  tokens of the phases after it, to be planned together
    schedule      the run's, so that no late move is made at a small rate
    floor, cap    least and greatest share of a domain
    most_passes   how often a domain may be gone through, all phases together; repetition counts less long before
    most_change   gap: how far a share may move in one phase; strength: how strongly gaps move shares
    least_tokens  measured: with fewer tokens left, nothing is moved
    """

    rule: Rule = "measured"
    base: Mapping[str, float] = field(default_factory=dict)
    start: Literal["previous", "base"] = "previous"
    needs: Mapping[str, float] = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    taught_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    override: Mapping[str, float] | None = None
    phase: str | None = None
    phase_tokens: int | None = None
    later_tokens: tuple[int, ...] = ()
    schedule: ScheduleConfig | None = None
    floor: float = 0.01
    cap: float = 0.8
    most_passes: float = 16.0
    most_change: float = 0.15
    strength: float = 1.0
    least_tokens: int = 1_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        for shares in (self.base, self.override or {}):
            if shares:
                Mixture(weights=shares)  # refuses shares that do not add up, before anything is built
        for name in ("floor", "cap", "most_change"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"`{name}` is {getattr(self, name)}", fix="use a share from 0 to 1")
        if self.floor > self.cap:
            raise ConfigError(f"`floor` {self.floor} is above `cap` {self.cap}", fix="lower the floor")
        if self.most_passes <= 0 or self.strength < 0:
            raise ConfigError("`most_passes` must be above 0 and `strength` not below", fix="change them")
        if min(self.needs.values(), default=1.0) <= 0:
            raise ConfigError("a weight of `needs` is not above 0", fix="leave out what is not needed")
        if self.rule == "fixed" and not self.base:
            raise ConfigError("the rule `fixed` needs shares", where="base", fix="give them")


@stage(makes=ChosenMixture, version=3)
def choose_mixture(
    cfg: ChooseMixtureConfig,
    job: Job,
    *,
    shards: Mapping[str, TokenShards],
    previous: ChosenMixture | None = None,
    measured: SkillBits | None = None,
    affinity: Affinity | None = None,
    trained: Checkpoint | None = None,
    sizing: Sizing | None = None,
) -> Facts:
    """Decide the next phase's shares by a named rule, and write down why, what is expected, and what was rejected.

    `measured` is read by the rules measured and gap, `affinity` by measured, prior and mixmin; `trained` is the model so
    far, whose log tells of spikes.

    Writes  mixture.json (`mix.record`)
    Facts   share_<domain>, spent_tokens
    Raises  ConfigError for shares of a domain that is not there, or a rule that lacks what it reads
    """
    from smolforge.mix import record, rules

    given = rules.Given(
        supply=_supply(shards),
        past=record.read_past(previous.path) if previous is not None else record.Past(),
        affinity=_json(affinity, "affinity.json"),
        scores=_json(measured, "skills.json"),
        look=_look(measured, previous),
        trouble=_trouble(trained),
        phases=_phases(cfg, sizing),
        spent=int(measured.facts["spent_tokens"]) if measured is not None else 0,
    )
    plain = rules.choose(cfg, given)
    Mixture(weights=plain["weights"])
    record.write(job.out, plain)
    job.log.event("mixture", rule=plain["rule"], weights=plain["weights"], reasons=plain["reasons"])
    return _facts(plain)


def _facts(plain: Mapping[str, Any]) -> Facts:
    shares = {f"share_{name}": share for name, share in plain["weights"].items()}
    return {**shares, "spent_tokens": plain["spent_tokens"]}


def _json(artifact: Any, name: str) -> Any:
    return json.loads((artifact.path / name).read_text(encoding="utf-8")) if artifact is not None else None


def _look(measured: SkillBits | None, previous: ChosenMixture | None) -> Look | None:
    from smolforge.mix import record
    from smolforge.mix.law import Look

    if measured is None:
        return None
    segments = len(record.read_past(previous.path).trained) if previous is not None else 0
    listed = _json(measured, "skills.json")
    return Look(segments, {s["skill"]: (s["value"], (s["high"] - s["low"]) / 3.92) for s in listed})


def _trouble(trained: Checkpoint | None) -> str:
    """What went wrong in the last part of the training so far, in words."""
    file = trained.path / "losses.jsonl" if trained is not None else None
    if file is None or not file.is_file():
        return ""
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    skipped = sum(bool(line.get("skipped")) for line in lines[-len(lines) // 4 :])
    return f"{skipped} steps of the last quarter were skipped as spikes" if skipped else ""


def _phases(cfg: ChooseMixtureConfig, sizing: Sizing | None) -> tuple[int, ...]:
    """Tokens of the coming phase and of those after it."""
    if cfg.phase_tokens is not None:
        if cfg.phase_tokens <= 0:
            raise ConfigError(f"`phase_tokens` is {cfg.phase_tokens}", fix="use a whole number above 0")
        return (cfg.phase_tokens, *cfg.later_tokens)
    if sizing is not None and cfg.phase is not None:
        phases = _json(sizing, "sizing.json")["phase_tokens"]
        if cfg.phase in phases:
            return tuple(int(n) for n in list(phases.values())[list(phases).index(cfg.phase) :])
        raise ConfigError(f"the sizing knows no phase `{cfg.phase}`", fix=f"use one of {', '.join(phases)}")
    raise ConfigError("`phase_tokens` is not set", fix="set it, or give `phase` and a sizing")


def _supply(shards: Mapping[str, TokenShards]) -> dict[str, Supply]:
    from smolforge.mix.limits import Supply

    counts = {name: int(shard.facts["tokens"]) for name, shard in sorted(shards.items())}
    if not any(counts.values()):
        raise InputError("no domain has any tokens", fix="look at what curation dropped")
    return {name: Supply(tokens=count) for name, count in counts.items()}


@config
class TryConfig:
    """How a proposed mixture is tried before it is believed.

    measure       what the branches are asked
    probes        most sources that get a branch of their own; 0 for none
    probe_share   most of the tokens left that probes may take, all together
    check_share   of the coming phase, trained twice where the move is large: once as planned, once as proposed
    check_above   moves of more of the tokens than this are checked
    phase, start_tokens, total_tokens, batch_tokens, length, optim, schedule, compute, seed: as of the coming phase's
        `PretrainConfig`; what is None is taken from the sizing
    """

    measure: MeasureConfig = MeasureConfig()
    probes: int = 4
    probe_share: float = 0.02
    check_share: float = 0.02
    check_above: float = 0.05
    phase: str | None = None
    start_tokens: int | None = None
    total_tokens: int | None = None
    batch_tokens: int | None = None
    length: int | None = None
    optim: OptimConfig | None = None
    schedule: ScheduleConfig = ScheduleConfig()
    compute: Compute = "auto"
    seed: int = 0


@stage(makes=ChosenMixture, version=1)
def try_mixture(
    cfg: TryConfig,
    job: Job,
    *,
    proposed: ChosenMixture,
    init: Checkpoint,
    shards: Mapping[str, TokenShards],
    tokenizer: Tokenizer,
    texts: DecisionHalf,
    sizing: Sizing | None = None,
) -> Facts:
    """Probe sources where that is worth its price, decide again, and check a large move by twins; the winner goes on.

    Everything trained and measured here is taken off the coming phase (`spent_tokens`, `begun_tokens`), except what the
    winning twin was trained on.

    Writes  mixture.json, as `choose_mixture`, with "trial"; branch/ where a check was made
    Facts   share_<domain>, spent_tokens, begun_tokens
    """
    from smolforge.mix import record
    from smolforge.mix.asking import Asking
    from smolforge.mix.branches import Ground
    from smolforge.mix.trial import try_out

    plain = record.read_plain(proposed.path)
    if plain["rule"] != "measured" or not plain.get("situation", {}).get("looks"):
        record.write(
            job.out, {**plain, "trial": "only the measured rule is tried, once skills were measured"}
        )
        return {**_facts(plain), "begun_tokens": 0}
    cfg = _sized(cfg, sizing)
    asking = Asking.of(cfg.measure, tokenizer.path, for_decision(texts), job)
    ground = Ground.of(cfg, job, init.path, {name: shard.path for name, shard in shards.items()}, asking)
    plain = try_out(cfg, plain, ground, job.out / "branch", job.log.say)
    record.write(job.out, plain)
    job.log.event("mixture", rule=plain["rule"], weights=plain["weights"], reasons=plain["reasons"])
    return {**_facts(plain), "begun_tokens": plain["begun_tokens"]}


def _sized(cfg: TryConfig, sizing: Sizing | None) -> TryConfig:
    """The config with what the sizing knows; ConfigError where something is still open."""
    if sizing is not None:
        chosen = _json(sizing, "sizing.json")
        phases = list(chosen["phase_tokens"])
        before = list(chosen["phase_tokens"].values())[: phases.index(cfg.phase)]
        cfg = replace(
            cfg,
            start_tokens=sum(before),
            total_tokens=sum(chosen["phase_tokens"].values()),
            batch_tokens=cfg.batch_tokens or chosen["batch_tokens"],
            length=cfg.length or chosen["length"],
            optim=cfg.optim or from_plain(OptimConfig, chosen["optim"], "sizing.optim"),
        )
    for name in ("start_tokens", "total_tokens", "batch_tokens", "length"):
        if getattr(cfg, name) is None:
            raise ConfigError(f"`{name}` is not set", fix="set it, or give the stage a sizing that does")
    return cfg if cfg.optim is not None else replace(cfg, optim=OptimConfig())
