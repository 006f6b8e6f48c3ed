"""Pre-training: phases of one long training, and the choice of size that goes before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from smolforge.artifacts import (
    Checkpoint,
    ChosenMixture,
    Corpus,
    EvalTexts,
    Facts,
    Sizing,
    Tokenizer,
    TokenShards,
)
from smolforge.config import config, from_plain, to_plain
from smolforge.errors import ConfigError
from smolforge.model.config import LoraConfig, ModelConfig, check_vocabulary
from smolforge.stage import Cost, Job, stage
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig, WatchConfig
from smolforge.train.memory import micro_tokens

if TYPE_CHECKING:
    from smolforge.data.tokens.ahead import AheadBatches
    from smolforge.data.tokens.batches import MixtureBatches
    from smolforge.model.transformer import Llama
    from smolforge.train.loop import TrainState
    from smolforge.train.record import LossLog
    from smolforge.train.team import Team
    from smolforge.train.watch import Watch

MOST_LOGGED = 2000


@config
class PretrainConfig:
    """One phase of pre-training. What is None is taken from the sizing.

    phase         name; with a sizing it says which of its phases this is
    model         shape; also taken from `init`
    tokens        positions to train on in this phase
    start_tokens  where in the whole training the phase begins, for the schedule
    total_tokens  length of the whole training, all phases together
    batch_tokens  positions a step; rounded down to whole rows
    length        positions a row
    mixture       shares of this phase, unless a chosen mixture is given
    copying_start begin with attention heads that copy from the context (`model/induction.py`)
    lora          train adapters beside the frozen weights of `init`, and add them at the end; a sizing may say so too
    watch         how held-out texts are watched, where they are given
    keep_optimizer  keep what a later phase needs to go on exactly: twice the size of the weights
    """

    phase: str
    model: ModelConfig | None = None
    tokens: int | None = None
    start_tokens: int | None = None
    total_tokens: int | None = None
    batch_tokens: int | None = None
    length: int | None = None
    mixture: Mapping[str, float] | None = None
    optim: OptimConfig | None = None
    schedule: ScheduleConfig = ScheduleConfig()
    zero_outputs: bool = True
    copying_start: bool = False
    lora: LoraConfig | None = None
    watch: WatchConfig = WatchConfig()
    keep_optimizer: bool = True
    compute: Compute = "auto"
    seed: int = 0
    save_every_steps: int = 100

    def __post_init__(self) -> None:
        for name in ("tokens", "total_tokens", "batch_tokens", "length"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"`{name}` is {value}", fix="use a whole number above 0")
        if self.start_tokens is not None and self.start_tokens < 0:
            raise ConfigError(f"`start_tokens` is {self.start_tokens}", fix="use 0 or more")
        if self.save_every_steps < 1:
            raise ConfigError(f"`save_every_steps` is {self.save_every_steps}", fix="use 1 or more")
        if self.model is not None and self.length is not None:
            check_length(self.length, self.model)


def pretrain_cost(cfg: PretrainConfig) -> Cost:
    """What a phase needs, as far as its config says: four bytes a parameter for the weights, eight for the optimiser."""
    if cfg.model is None or cfg.tokens is None or cfg.length is None:
        return Cost()
    return Cost(
        parameters=cfg.model.parameters,
        tokens=cfg.tokens,
        flops=cfg.tokens * cfg.model.flops_per_token(cfg.length),
        disk_bytes=cfg.model.parameters * 12,
    )


@stage(makes=Checkpoint, version=2, cost=pretrain_cost, spreads=True)
def pretrain(
    cfg: PretrainConfig,
    job: Job,
    *,
    shards: Mapping[str, TokenShards],
    tokenizer: Tokenizer,
    mixture: ChosenMixture | None = None,
    init: Checkpoint | None = None,
    sizing: Sizing | None = None,
    watched: EvalTexts | None = None,
) -> Facts:
    """Train a model for one phase, from the start or on from the phase before.

    From `init` everything goes on: weights, optimiser, position in every domain, packing pool, schedule. What a chosen
    mixture cost to choose is taken off the phase's tokens, and where a trial was won, training goes on from its branch. With `watched`
    texts the best state by them is what comes out, and the phase ends early where it makes the model worse.

    Writes  config.json, model.safetensors, optimizer.safetensors, train_state.json, losses.jsonl; adapter/ with
            adapters; watch.json with watched texts
    Facts   parameters; research, for a model that is no Llama; tokens so far; loss, the mean over the phase's last steps;
            flops of this phase; trained_parameters with adapters; own_bits_before, own_bits, best_step, stopped_early
            with watched texts
    Raises  StageError for a diverging or broken loss, naming the last good state
    Source  SmolLM2, arXiv:2502.02737, section 4
    """
    import torch

    from smolforge.model.public_config import special_ids
    from smolforge.train.checkpoint import save_training
    from smolforge.train.finishing import brought_together, finish
    from smolforge.train.record import LossLog
    from smolforge.train.team import joined

    torch.set_num_threads(job.threads)
    plan = charged(_plan(cfg, tokenizer, init, sizing), mixture)
    init = branch_of(mixture) or init
    one_process(job, lora=plan.lora, watched=watched)
    losses, more = LossLog(), {}
    with joined(job.rank, job.ranks, job.shard, job.device) as team:
        state, batches, begun_tokens = _begin(cfg, job, plan, shards, mixture, init, team)
        watch = _watch(cfg, job, plan, tokenizer, watched)
        _train(cfg, job, plan, state, batches, begun_tokens, losses, team, watch)
        whole = brought_together(state)
    if whole is not None:
        ends = special_ids(init.path) if init is not None else {}  # a released model keeps its own
        more = finish(job.out, whole.model, plan.lora, watch, ends, name=_name_of(init))
        if cfg.keep_optimizer and plan.lora is None:
            save_training(job.out, whole, {"batches": batches.state()})
        losses.save(job.out / "losses.jsonl")
    return {
        **more,
        **plan.model.facts,
        "tokens": state.tokens,
        "loss": losses.last_mean(),
        "flops": (state.tokens - begun_tokens) * plan.model.flops_per_token(plan.length),
        "passes_most": round(max(batches.passes.values()), 4),
    }


@dataclass(frozen=True)
class Plan:
    """A phase with every open question answered."""

    model: ModelConfig
    tokens: int
    start_tokens: int
    total_tokens: int
    rows: int
    length: int
    optim: OptimConfig
    lora: LoraConfig | None = None

    @property
    def step_tokens(self) -> int:
        return self.rows * self.length

    @property
    def steps(self) -> int:
        return max(1, round(self.tokens / self.step_tokens))


def _plan(cfg: PretrainConfig, tokenizer: Tokenizer, init: Checkpoint | None, sizing: Sizing | None) -> Plan:
    from smolforge.model.weights import load_config

    chosen = read_sizing(sizing) if sizing is not None else {}
    phases: dict[str, int] = chosen.get("phase_tokens", {})
    if phases and cfg.phase not in phases:
        raise ConfigError(
            f"the sizing knows no phase `{cfg.phase}`", where="phase", fix=f"use one of {', '.join(phases)}"
        )
    before = sum(list(phases.values())[: list(phases).index(cfg.phase)]) if phases else None
    if init is not None:
        model: ModelConfig | None = load_config(init.path)
    else:
        model = cfg.model or (from_plain(ModelConfig, chosen["model"], "sizing.model") if chosen else None)
    length = _first("length", cfg.length, chosen.get("length"), model and model.max_position_embeddings)
    batch_tokens = _first("batch_tokens", cfg.batch_tokens, chosen.get("batch_tokens"))
    optim = cfg.optim or (
        from_plain(OptimConfig, chosen["optim"], "sizing.optim") if chosen else OptimConfig()
    )
    tokens = _first("tokens", cfg.tokens, phases.get(cfg.phase))
    plan = Plan(
        model=_first("model", model),
        tokens=tokens,
        start_tokens=_first("start_tokens", cfg.start_tokens, before, 0),
        total_tokens=_first("total_tokens", cfg.total_tokens, sum(phases.values()) or None, tokens),
        rows=max(1, batch_tokens // length),
        length=length,
        optim=optim,
        lora=cfg.lora
        or (from_plain(LoraConfig, lora, "sizing.lora") if (lora := chosen.get("lora")) else None),
    )
    check_length(length, plan.model)
    check_vocabulary(plan.model.vocab_size, int(tokenizer.facts.get("vocabulary", plan.model.vocab_size)))
    return plan


def charged(plan: Plan, mixture: ChosenMixture | None) -> Plan:
    """The plan less the tokens that choosing its mixture took, of which a won trial's were trained on already."""
    if mixture is None:
        return plan
    facts = mixture.facts
    taken = int(facts.get("spent_tokens", 0)) + int(facts.get("begun_tokens", 0))
    return replace(plan, tokens=max(1, plan.tokens - taken), start_tokens=plan.start_tokens + taken)


def branch_of(mixture: ChosenMixture | None) -> Checkpoint | None:
    """Where a trial of the mixture was won: the state from which training goes on."""
    if mixture is None or not (mixture.path / "branch").is_dir():
        return None
    return Checkpoint(mixture.path / "branch", mixture.key, mixture.digest)


def check_length(length: int, model: ModelConfig) -> None:
    if length > model.max_position_embeddings:
        raise ConfigError(
            f"`length` is {length}, and the model sees {model.max_position_embeddings} positions",
            fix="set a shorter `length`, or a larger `max_position_embeddings`",
        )


def _first(name: str, *options: Any) -> Any:
    for option in options:
        if option is not None:
            return option
    raise ConfigError(f"`{name}` is not set", fix="set it, or give the stage a sizing that does")


def _begin(
    cfg: PretrainConfig,
    job: Job,
    plan: Plan,
    shards: Mapping[str, TokenShards],
    mixture: ChosenMixture | None,
    init: Checkpoint | None,
    team: Team | None,
) -> tuple[TrainState, MixtureBatches | AheadBatches, int]:
    """The state before the phase's first step, its batches, and the tokens trained before it."""
    from smolforge.data.tokens.ahead import AheadBatches
    from smolforge.data.tokens.batches import Documents, MixtureBatches
    from smolforge.model import induction
    from smolforge.model.lora import add_adapters
    from smolforge.model.transformer import Llama
    from smolforge.model.weights import load_model
    from smolforge.train.checkpoint import OPTIMIZER_FILE, load_training
    from smolforge.train.loop import TrainState
    from smolforge.train.optim import make_optimizer
    from smolforge.train.parallel import place
    from smolforge.train.precision import compute_dtype

    dtype = compute_dtype(cfg.compute, job.device)
    if init is None:
        model = Llama(plan.model, dtype)
        model.initialise(cfg.seed, zero_outputs=cfg.zero_outputs)
        if cfg.copying_start:
            induction.lay_down(model, cfg.seed)
    else:
        model = load_model(init.path, compute=dtype)
    if plan.lora is not None:
        add_adapters(model, plan.lora, cfg.seed)
    spread = place(model, job.device, team, recompute=job.recompute, compiled=job.compile)
    state = TrainState(model=model, optimizer=make_optimizer(model, plan.optim, team), spread=spread)
    domains = {name: Documents(shard.path) for name, shard in sorted(shards.items())}
    chosen = _mixture(cfg, mixture)
    source = MixtureBatches(domains, chosen, length=plan.length, rows=plan.rows, seed=cfg.seed)
    # for a card the host has nothing else to do; a CPU that trains has
    batches = AheadBatches(source) if job.device.startswith("cuda") else source
    if init is not None and plan.lora is None and (init.path / OPTIMIZER_FILE).is_file():
        data = load_training(init.path, state)
        batches.restore(data["batches"], new_phase=True)
    return state, batches, state.tokens


def _mixture(cfg: PretrainConfig, chosen: ChosenMixture | None) -> Any:
    from smolforge.data.tokens.mixture import Mixture

    if chosen is not None:
        return Mixture(
            weights=json.loads((chosen.path / "mixture.json").read_text(encoding="utf-8"))["weights"]
        )
    if cfg.mixture is None:
        raise ConfigError("`mixture` is not set", fix="give shares, or a chosen mixture as an input")
    return Mixture(weights=cfg.mixture)


def _train(
    cfg: PretrainConfig,
    job: Job,
    plan: Plan,
    state: TrainState,
    batches: MixtureBatches | AheadBatches,
    begun_tokens: int,
    losses: LossLog,
    team: Team | None,
    watch: Watch | None,
) -> None:
    import math

    from smolforge.train.checkpoint import Checkpoints
    from smolforge.train.loop import fit
    from smolforge.train.loss import next_token_loss
    from smolforge.train.record import StepNotes
    from smolforge.train.schedule import factor

    checkpoints = Checkpoints(job.work / "checkpoints", notice=job.log.say, team=team)
    resumed = checkpoints.restore(state)
    if resumed is not None:
        batches.restore(resumed["batches"])
        losses.lines = list(resumed["lines"])
        if watch is not None:
            watch.restore(resumed["watch"])
    tell_where(job, state.model)
    begun_step = state.step - (state.tokens - begun_tokens) // plan.step_tokens
    every = -(-plan.steps // MOST_LOGGED)
    notes = StepNotes(
        job.log,
        begun=begun_tokens,
        now=state.tokens,
        total=plan.steps * plan.step_tokens,
        flops_per_token=plan.model.flops_per_token(plan.length),
    )

    def save() -> None:
        looks = {} if watch is None else {"watch": watch.state()}
        checkpoints.save(state, {"batches": batches.state(), "lines": losses.lines, **looks})

    def schedule(step: int, tokens: int) -> float:
        return factor(cfg.schedule, plan.start_tokens + tokens - begun_tokens, plan.total_tokens)

    steps = fit(
        state,
        batches,
        next_token_loss(plan.optim.z_loss),
        schedule,
        until_step=begun_step + plan.steps,
        micro_tokens=micro_tokens(job.micro_tokens, plan.model),
        clip=plan.optim.clip,
        skip_deviations=plan.optim.skip_deviations,
        worst_loss=1.2 * math.log(plan.model.vocab_size),
        save=save,
        save_every_steps=cfg.save_every_steps,
    )
    if watch is not None:
        watch.begin(state.model, begun_step)
    with checkpoints.kept():
        for step in steps:
            if (step.step - begun_step) % every == 0 or step.step == begun_step + plan.steps:
                losses.write(step, batches.trained)
            notes.tell(step, batches.trained)
            if watch is not None and watch.after(state.model, step.step, begun_step):
                break


def _watch(
    cfg: PretrainConfig, job: Job, plan: Plan, tokenizer: Tokenizer, watched: EvalTexts | None
) -> Watch | None:
    from smolforge.text.tokenizer import load_tokenizer
    from smolforge.train.watch import Watch, texts_in

    if watched is None:
        return None
    texts = texts_in(watched.path, load_tokenizer(tokenizer.path), plan.length, cfg.watch.most_tokens)
    return Watch(
        cfg.watch,
        texts,
        job.work / "watch",
        length=plan.length,
        micro_tokens=micro_tokens(job.micro_tokens, plan.model),
        steps=plan.steps,
        say=job.log.say,
    )


def one_process(job: Job, *, lora: LoraConfig | None, watched: Any) -> None:
    """Adapters and watched texts are for one process; ConfigError where there are several."""
    if job.ranks > 1 and (lora is not None or watched is not None):
        raise ConfigError(
            f"{'adapters are trained' if lora is not None else 'texts are watched'} by one process, not by {job.ranks}",
            fix="leave out --processes; one GPU is one process",
        )


def _name_of(init: Checkpoint | None) -> str:
    return str(init.facts.get("name", init.path.name)) if init is not None else ""


def tell_where(job: Job, model: Llama) -> None:
    """Events that say on what the result depends by rounding alone, and how fast this machine's path is."""
    from smolforge import kernels

    job.log.event("kernels", compute=str(model.compute), threads=job.threads, **kernels.describe())
    if job.device == "cpu" and (held_back := kernels.slowdown()):
        job.log.say(f"  SLOW: {held_back}.")
    job.log.event(
        "parallel",
        ranks=job.ranks,
        shard=job.shard,
        micro_tokens=micro_tokens(job.micro_tokens, model.config),
        recompute=job.recompute,
        compile=job.compile,
        deterministic=job.deterministic,
        meaning="other numbers give the same data in the same order, and results equal up to rounding",
    )


@config
class SizeConfig:
    """What the user gives: time, and how it is to be shared.

    minutes         all the time there is
    pretrain_share  part of it for pre-training; the rest is for curation, tuning and evaluation
    phases          pre-training phase → share of its tokens, in order
    length          positions a row, and the longest text the model reads
    """

    minutes: float
    pretrain_share: float = 0.5
    phases: Mapping[str, float]
    length: int = 512
    optim: OptimConfig = OptimConfig()
    compute: Compute = "auto"

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ConfigError(f"`minutes` is {self.minutes}", fix="give more than 0 minutes")
        if not 0 < self.pretrain_share <= 1:
            raise ConfigError(f"`pretrain_share` is {self.pretrain_share}", fix="use a share from 0 to 1")
        if not self.phases or abs(sum(self.phases.values()) - 1) > 1e-6 or min(self.phases.values()) <= 0:
            raise ConfigError("the shares of `phases` do not add up to 1", fix="change them")
        if self.length < 16:
            raise ConfigError(f"`length` is {self.length}", fix="use at least 16")


@stage(makes=Sizing, version=1)
def size_run(cfg: SizeConfig, job: Job, *, corpora: Mapping[str, Corpus]) -> Facts:
    """Choose model, vocabulary, batch and tokens for these corpora and this much time on this machine.

    The machine's training rate is measured, so two machines may choose differently; the choice is sealed.

    Writes  sizing.json {"vocabulary", "model", "phase_tokens", "batch_tokens", "length", "optim", "reasons",
            "predicted", "packed_bits_per_byte", "flops_per_second"}
    Facts   parameters, tokens, vocabulary, minutes, bits_per_byte (the last two predicted)
    """
    from smolforge.train import law, sizing

    unique_bytes = sum(int(corpus.facts["bytes"]) for corpus in corpora.values())
    seconds = cfg.minutes * 60 * cfg.pretrain_share
    rate = sizing.measure_rate(
        job.threads, job.device, cfg.length, cfg.compute, job.log.say, compiled=job.compile
    )
    bench = sizing.bench_of(job.device)
    packed = _packed_bits(corpora)
    choice = sizing.choose(
        unique_bytes, seconds, rate, length=cfg.length, bench=bench, difficulty=law.difficulty(packed)
    )
    plain = {
        "vocabulary": choice.model.vocab_size,
        "model": to_plain(choice.model),
        "phase_tokens": sizing.split_tokens(choice, cfg.phases),
        "batch_tokens": choice.batch_tokens,
        "length": cfg.length,
        "optim": to_plain(cfg.optim),
        "reasons": sizing.reasons(choice, unique_bytes, seconds, rate, bench),
        "predicted": {"bits_per_byte": round(choice.bits_per_byte, 3), "seconds": round(choice.seconds, 1)},
        "packed_bits_per_byte": round(packed, 3),
        "flops_per_second": {str(width): round(flops) for width, flops in rate.flops_by_width.items()},
    }
    (job.out / "sizing.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    for reason in plain["reasons"]:
        job.log.say(f"  {reason}")
    return {
        "parameters": choice.model.parameters,
        "tokens": sum(plain["phase_tokens"].values()),
        "vocabulary": choice.model.vocab_size,
        "minutes": round(choice.seconds / 60, 2),
        "bits_per_byte": round(choice.bits_per_byte, 3),
    }


def _packed_bits(corpora: Mapping[str, Corpus]) -> float:
    """What xz needs for the corpora, each weighing as many bytes as it has."""
    from smolforge.data.read.documents import read_rows
    from smolforge.train import law

    sizes = {name: int(corpus.facts["bytes"]) for name, corpus in corpora.items()}
    bits = {name: law.packed_bits(row["text"] for row in read_rows(corpora[name].path)) for name in sizes}
    return sum(bits[name] * size for name, size in sizes.items()) / max(1, sum(sizes.values()))


def read_sizing(sizing: Sizing) -> dict[str, Any]:
    """The decisions of `size_run`."""
    return json.loads((sizing.path / "sizing.json").read_text(encoding="utf-8"))
