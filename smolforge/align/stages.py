"""Stages of tuning: instruction tuning, preference pairs, preference optimisation, reinforcement learning."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from smolforge.artifacts import (
    ChatData,
    Checkpoint,
    Corpus,
    EvalTexts,
    Facts,
    PreferenceData,
    Sizing,
    Tokenizer,
)
from smolforge.config import config, from_plain
from smolforge.errors import ConfigError, InputError
from smolforge.model.config import LoraConfig
from smolforge.stage import Job, stage
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig, WatchConfig
from smolforge.train.memory import micro_tokens

if TYPE_CHECKING:
    from smolforge.align.tuning import Course
    from smolforge.data.tokens.batches import Example
    from smolforge.model.transformer import Llama
    from smolforge.text.tokenizer import Tok
    from smolforge.train.team import Team
    from smolforge.train.watch import Watch

WORSE_THAN_GUESSING = 1.2
# A third of the pre-training peak: what SmolLM2-135M and 360M did (1e-3 after 3e-3).
SFT_OPTIM = OptimConfig(kind="muon", lr=0.007, embedding_lr=0.0017, norm_lr=0.0017)
DPO_OPTIM = OptimConfig(
    kind="adamw", lr=3e-5, embedding_lr=3e-5, norm_lr=3e-5, weight_decay=0.0, skip_deviations=0.0
)
GRPO_OPTIM = OptimConfig(
    kind="adamw", lr=5e-5, embedding_lr=5e-5, norm_lr=5e-5, weight_decay=0.0, skip_deviations=0.0
)


@config
class SftConfig:
    """Instruction tuning. Source of epochs and schedule: SmolLM2, arXiv:2502.02737, section 5.

    length        positions a row; longer conversations lose their end
    batch_tokens  positions a step; rounded down to whole rows
    skills        which skills of the data; empty means all
    lora          train adapters beside the frozen weights, and add them at the end; a sizing may say so too
    replay_share  part of what is read that is text from before, equally of every domain, where such is given
    watch         how held-out conversations and texts are watched, where they are given
    """

    epochs: int = 2
    length: int = 512
    batch_tokens: int = 8192
    skills: tuple[str, ...] = ()
    optim: OptimConfig = SFT_OPTIM
    schedule: ScheduleConfig = ScheduleConfig(kind="cosine", warmup_share=0.1, floor=0.0)
    lora: LoraConfig | None = None
    replay_share: float = 0.2
    watch: WatchConfig = WatchConfig()
    compute: Compute = "auto"
    seed: int = 0
    save_every_steps: int = 50

    def __post_init__(self) -> None:
        _at_least_one(self, "epochs", "length", "batch_tokens", "save_every_steps")
        if not 0 <= self.replay_share < 1:
            raise ConfigError(f"`replay_share` is {self.replay_share}", fix="use a share from 0, below 1")


@config
class SamplePairsConfig:
    """Preference pairs from the model's own answers.

    prompts        how many questions, spread evenly over the skills
    answers        answers sampled for each
    min_margin     least difference in credit between the chosen and the rejected answer
    use_reference  where no sampled answer is right, the conversation's own answer is the chosen one
    """

    prompts: int = 400
    answers: int = 6
    temperature: float = 1.0
    max_new_tokens: int = 96
    min_margin: float = 0.2
    use_reference: bool = True
    skills: tuple[str, ...] = ()
    compute: Compute = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least_one(self, "prompts", "max_new_tokens")
        if self.answers < 2:
            raise ConfigError(f"`answers` is {self.answers}", fix="a pair needs at least 2")


@config
class DpoConfig:
    """Preference optimisation. Source of beta: SmolLM2, arXiv:2502.02737, section 5.3.

    by_length   compare log-probabilities a token, not whole answers
    nll_weight  weight of the chosen answer's own loss, which keeps it likely
    smoothing   share of pairs that may be ranked the wrong way round
    form        sigmoid: as published for DPO; apo_zero, apo_down: each answer against the reference by itself
    may_be_empty  without any pair the model stays as it is, which is no error (a user's own folder)
    """

    beta: float = 0.5
    epochs: int = 2
    length: int = 512
    pairs_per_step: int = 16
    by_length: bool = False
    nll_weight: float = 0.1
    smoothing: float = 0.0
    form: Literal["sigmoid", "apo_zero", "apo_down"] = "sigmoid"
    may_be_empty: bool = False
    optim: OptimConfig = DPO_OPTIM
    schedule: ScheduleConfig = ScheduleConfig(kind="cosine", warmup_share=0.1, floor=0.0)
    compute: Compute = "auto"
    seed: int = 0
    save_every_steps: int = 20

    def __post_init__(self) -> None:
        _at_least_one(self, "epochs", "length", "pairs_per_step", "save_every_steps")
        if self.beta <= 0 or not 0 <= self.smoothing < 0.5 or self.nll_weight < 0:
            raise ConfigError("`beta` must be above 0, `smoothing` below one half, `nll_weight` not below 0")
        if self.smoothing and self.form != "sigmoid":
            raise ConfigError(f"`{self.form}` has no label smoothing", fix="set `smoothing` to 0")


@config
class GrpoConfig:
    """Reinforcement learning with rewards that a program checks.

    questions, group  questions a round, answers sampled for each
    updates           optimiser steps from one round
    partial           share of its credit that a wrong answer earns
    kl_weight         weight of the divergence from the starting model, which is logged in any case
    by_answer         every answer weighs the same; else every token does
    by_deviation      divide advantages by their group's deviation
    """

    rounds: int = 40
    questions: int = 16
    group: int = 8
    updates: int = 1
    max_new_tokens: int = 64
    length: int = 512
    temperature: float = 1.0
    partial: float = 0.5
    clip_low: float = 0.2
    clip_high: float = 0.28
    kl_weight: float = 0.0
    by_answer: bool = False
    by_deviation: bool = True
    skills: tuple[str, ...] = ()
    optim: OptimConfig = GRPO_OPTIM
    schedule: ScheduleConfig = ScheduleConfig(kind="linear", warmup_share=0.1, floor=0.1)
    compute: Compute = "auto"
    seed: int = 0
    save_every_steps: int = 5

    def __post_init__(self) -> None:
        _at_least_one(self, "rounds", "questions", "updates", "max_new_tokens", "length", "save_every_steps")
        if self.group < 2 or self.temperature <= 0:
            raise ConfigError(
                "`group` must be at least 2 and `temperature` above 0", fix="answers must differ"
            )


def _at_least_one(cfg: Any, *names: str) -> None:
    for name in names:
        if getattr(cfg, name) < 1:
            raise ConfigError(f"`{name}` is {getattr(cfg, name)}", fix="use 1 or more")


@stage(makes=Checkpoint, version=2, spreads=True)
def sft(
    cfg: SftConfig,
    job: Job,
    *,
    init: Checkpoint,
    tokenizer: Tokenizer,
    data: ChatData,
    replay: Mapping[str, Corpus] | None = None,
    sizing: Sizing | None = None,
    watched: EvalTexts | None = None,
    watched_chats: ChatData | None = None,
) -> Facts:
    """Tune a model on conversations; the loss counts the assistant's words, and all of what is read again from before.

    A sizing's `tune` (tokens, rows, rates, adapters) takes the place of the config's; where it has no tokens, for there
    are no conversations, the result is `init`, byte for byte. With `watched` texts and `watched_chats`, what the
    assistant says in those is what the tuning is for, and the best state by it comes out.

    Writes  config.json, model.safetensors, losses.jsonl; adapter/ with adapters; watch.json with watched texts
    Facts   parameters, tokens, loss, flops; conversations used and left out, texts read again; as `pretrain` for adapters
            and watched texts
    Raises  InputError for a conversation that cannot be read, StageError when training breaks
    """
    from smolforge.align.conversations import conversation_example, read_conversations
    from smolforge.data.tokens.batches import ExampleBatches
    from smolforge.model.lora import add_adapters
    from smolforge.train.loss import next_token_loss
    from smolforge.train.stages import one_process
    from smolforge.train.team import joined

    cfg, most_steps = _sized(cfg, sizing)
    if most_steps == 0:
        return {**_as_it_was(job, init), "conversations": 0, "left_out": 0}
    one_process(job, lora=cfg.lora, watched=watched)
    tok, model = _load(cfg.compute, job, init, tokenizer)
    if cfg.lora is not None:
        add_adapters(model, cfg.lora, cfg.seed)
    chosen = [c for c in read_conversations(data.path) if not cfg.skills or c.skill in cfg.skills]
    length = _row_length(cfg.length, job, model)
    examples = [conversation_example(tok, conversation) for conversation in chosen]
    again = _read_again(cfg, tok, replay, examples, length) if replay else []
    rows = max(1, cfg.batch_tokens // length)
    batches = ExampleBatches([*examples, *again], length=length, rows=rows, seed=cfg.seed, epochs=cfg.epochs)
    steps = min(batches.count_batches(), most_steps or batches.count_batches())
    loss, worst = next_token_loss(cfg.optim.z_loss), WORSE_THAN_GUESSING * math.log(tok.vocab_size)
    course = _course(cfg, model, batches, loss, steps, worst=worst)
    course = replace(
        course,
        compiled=job.compile,  # rows of one length, unlike those of pairs and answers
        watch=_watch(cfg, job, tok, model, watched, watched_chats, length, steps),
    )
    with joined(job.rank, job.ranks, job.shard, job.device) as team:
        facts = _tune(job, tok, course, init, length, team, lora=cfg.lora)
    told = {"conversations": len(chosen) - batches.left_out, "left_out": batches.left_out}
    return {**facts, **told, **({"read_again": len(again)} if replay else {})}


def _read_again(
    cfg: SftConfig, tok: Tok, replay: Mapping[str, Corpus], examples: list[Example], length: int
) -> list[Example]:
    from smolforge.align.replay import replayed
    from smolforge.data.read.documents import read_rows  # its library starts threads

    texts = {name: (row["text"] for row in read_rows(one.path)) for name, one in replay.items()}
    return replayed(tok, texts, examples, length, cfg.replay_share, cfg.seed)


def _sized(cfg: SftConfig, sizing: Sizing | None) -> tuple[SftConfig, int | None]:
    """The config with what a sizing decides, and the most steps it allows."""
    from smolforge.train.stages import read_sizing

    chosen = read_sizing(sizing).get("tune") if sizing is not None else None
    if not chosen:
        return cfg, None
    sized = replace(
        cfg,
        length=int(chosen["length"]),
        batch_tokens=int(chosen["batch_tokens"]),
        optim=from_plain(OptimConfig, chosen["optim"], "sizing.tune.optim"),
        lora=from_plain(LoraConfig, lora, "sizing.tune.lora") if (lora := chosen.get("lora")) else None,
    )
    tokens = int(chosen["tokens"])
    return sized, max(1, tokens // int(chosen["batch_tokens"])) if tokens else 0


def _row_length(wanted: int, job: Job, model: Llama) -> int:
    """Positions of a row: what the model sees at once, where that is less than is wanted; then it is said."""
    most = model.config.max_position_embeddings
    if most < wanted:
        job.log.say(f"  rows of {most} positions, not {wanted}: the model sees no more at once")
    return min(wanted, most)


def _as_it_was(job: Job, init: Checkpoint) -> Facts:
    """The result of a tuning that has nothing to learn from."""
    shutil.copytree(init.path, job.out, ignore=shutil.ignore_patterns("record.json"), dirs_exist_ok=True)
    return {**init.facts, "flops": 0.0}


def _watch(
    cfg: SftConfig,
    job: Job,
    tok: Tok,
    model: Llama,
    watched: EvalTexts | None,
    chats: ChatData | None,
    length: int,
    steps: int,
) -> Watch | None:
    from smolforge.align.conversations import conversation_example, read_conversations
    from smolforge.train.watch import OWN, Watch, WatchedTexts, texts_in

    if watched is None or chats is None:
        return None
    read = texts_in(watched.path, tok, length, cfg.watch.most_tokens)
    texts = {"documents" if name == OWN else name: one for name, one in read.items()}
    conversations = read_conversations(chats.path)
    if not conversations:
        return None
    said = sum(
        len(str(m.get("content") or "").encode())
        for c in conversations
        for m in c.messages
        if m["role"] == "assistant"
    )
    texts[OWN] = WatchedTexts([conversation_example(tok, c) for c in conversations], said)
    return Watch(
        cfg.watch,
        texts,
        job.work / "watch",
        length=length,
        micro_tokens=micro_tokens(job.micro_tokens, model.config),
        steps=steps,
        say=job.log.say,
    )


@stage(makes=PreferenceData, version=3)
def sample_pairs(
    cfg: SamplePairsConfig, job: Job, *, model: Checkpoint, tokenizer: Tokenizer, data: ChatData
) -> Facts:
    """Let a tuned model answer training questions several times, and rank what it said. One process alone.

    Questions with an `item` are ranked by its rule, others by word overlap with the data's own answer.

    Writes  pairs.jsonl
    Facts   pairs; prompts asked; share of sampled answers that were right; references_wrong, which fail their own check
    Raises  InputError when no question has an answer to compare with
    """
    from smolforge.align.conversations import read_conversations
    from smolforge.align.preferences import Sampler, choose_questions

    tok, network = _load(cfg.compute, job, model, tokenizer)
    questions = choose_questions(read_conversations(data.path), cfg.prompts, cfg.skills, cfg.seed)
    if not questions:
        raise InputError("no conversation ends with an answer to compare with", where="conversations.jsonl")
    sampler = Sampler(
        network,
        tok,
        answers=cfg.answers,
        temperature=cfg.temperature,
        max_new_tokens=cfg.max_new_tokens,
        min_margin=cfg.min_margin,
        use_reference=cfg.use_reference,
        seed=cfg.seed,
        workers=job.threads,
    )
    found = sampler.pairs(questions, lambda done, total: job.log.progress(done, total, "questions"))
    with (job.out / "pairs.jsonl").open("w", encoding="utf-8", errors="replace") as out:
        for pair in found:
            out.write(json.dumps(pair, ensure_ascii=False) + "\n")
    right = round(sampler.right / max(1, sampler.sampled), 6)
    told = {"pairs": len(found), "prompts": len(questions), "share_right": right}
    return {**told, "references_wrong": sampler.wrong_references}


@stage(makes=Checkpoint, version=1, spreads=True)
def dpo(
    cfg: DpoConfig,
    job: Job,
    *,
    init: Checkpoint,
    tokenizer: Tokenizer,
    pairs: PreferenceData,
    sizing: Sizing | None = None,
) -> Facts:
    """Tune a model to prefer the chosen answers of pairs, held near where it started.

    Where a sizing says that adapters are trained, they are here too. Without any pair, where that is allowed, the
    result is `init`, byte for byte.

    Writes  config.json, model.safetensors, losses.jsonl; adapter/ with adapters
    Facts   parameters, tokens, loss, flops; pairs used and left out; accuracy, the share of pairs that
            the model ends up ranking as given (over the last steps); troubles, if any
    Raises  InputError for a pair that cannot be read, StageError when training breaks
    """
    from smolforge.align import conversations
    from smolforge.align.dpo import PairBatches, TokenPair, dpo_loss, usable_pairs, with_reference
    from smolforge.model.lora import add_adapters
    from smolforge.train.stages import one_process
    from smolforge.train.team import joined

    given = conversations.read_pairs(pairs.path)
    if not given and cfg.may_be_empty:
        return {**_as_it_was(job, init), "pairs": 0, "left_out": 0}
    tok, model = _load(cfg.compute, job, init, tokenizer)
    lora = _sized(SftConfig(), sizing)[0].lora
    one_process(job, lora=lora, watched=None)
    length = _row_length(cfg.length, job, model)
    made = []
    for pair in given:
        prompt = conversations.prompt_ids(tok, pair.messages, pair.tools)
        chosen, rejected = (conversations.answer_ids(tok, text) for text in (pair.chosen, pair.rejected))
        made.append(
            TokenPair(
                conversations.answer_example(tok, prompt, chosen),
                conversations.answer_example(tok, prompt, rejected),
            )
        )
    kept = usable_pairs(made, length)
    with joined(job.rank, job.ranks, job.shard, job.device) as team:
        ready = with_reference(
            model,
            kept,
            length=length,
            rows=max(1, cfg.pairs_per_step),
            micro_tokens=micro_tokens(job.micro_tokens, model.config),
            team=team,
        )
        if lora is not None:
            add_adapters(model, lora, cfg.seed)
        batches = PairBatches(
            ready, length=length, pairs_per_step=cfg.pairs_per_step, seed=cfg.seed, epochs=cfg.epochs
        )
        loss = dpo_loss(
            cfg.beta, by_length=cfg.by_length, nll_weight=cfg.nll_weight, smoothing=cfg.smoothing, form=cfg.form
        )  # fmt: skip
        guessing = math.log(2) + cfg.nll_weight * math.log(tok.vocab_size)
        worst = 2 * guessing  # pairs are few a step, so the mean of some steps is noisy
        course = _course(cfg, model, batches, loss, batches.count_batches(), worst=worst)
        facts = _tune(job, tok, course, init, length, team, lora=lora)
    return {**facts, "pairs": len(kept), "left_out": len(made) - len(kept)}


@stage(makes=Checkpoint, version=2)
def grpo(cfg: GrpoConfig, job: Job, *, init: Checkpoint, tokenizer: Tokenizer, data: ChatData) -> Facts:
    """Let a model try questions whose answers a program can check, and make what worked more likely.

    One process alone: the answers are sampled from the model as it is at every round.

    Writes  config.json, model.safetensors, losses.jsonl (with reward, answers' length, clipped share and KL of each step)
    Facts   parameters, tokens, loss, flops; questions; reward, kl, the means over the last steps; troubles, if any
    Raises  InputError when no conversation carries a checkable item, StageError when training breaks
    """
    from smolforge.align import conversations
    from smolforge.align.grpo import Rollout, RolloutBatches, grpo_loss
    from smolforge.align.rewards import can_reward, reward_answers
    from smolforge.model.weights import load_model

    tok, model = _load(cfg.compute, job, init, tokenizer)
    length = _row_length(cfg.length, job, model)
    asked = [
        c.item
        for c in conversations.read_conversations(data.path)
        if c.item is not None and can_reward(c.item) and (not cfg.skills or c.skill in cfg.skills)
    ]
    prompts = [conversations.prompt_ids(tok, item.messages, item.tools) for item in asked]
    fits = [i for i, prompt in enumerate(prompts) if len(prompt) + cfg.max_new_tokens <= length]

    def judge(questions: Any, answers: Any, ended: Any) -> list[float]:
        items = [asked[fits[q]] for q in questions]
        texts = [tok.decode(ids) for ids in answers]
        return reward_answers(items, texts, ended, partial=cfg.partial, workers=job.threads)

    reference = load_model(init.path, compute=model.compute).to(job.device)  # how far it goes is always told
    how = Rollout(
        questions=cfg.questions,
        group=cfg.group,
        max_new_tokens=cfg.max_new_tokens,
        length=length,
        temperature=cfg.temperature,
        updates=cfg.updates,
        by_deviation=cfg.by_deviation,
        seed=cfg.seed,
        micro_tokens=micro_tokens(job.micro_tokens, model.config),
    )
    batches = RolloutBatches(
        model,
        reference,
        [prompts[i] for i in fits],
        judge,
        how,
        stop=tok.end_ids,
        rounds=cfg.rounds,
    )
    loss = grpo_loss(
        clip_low=cfg.clip_low, clip_high=cfg.clip_high, kl_weight=cfg.kl_weight, by_answer=cfg.by_answer,
        temperature=cfg.temperature,
    )  # fmt: skip
    course = _course(cfg, model, batches, loss, batches.count_batches(), lambda: batches.figures)
    facts = _tune(job, tok, course, init, length)
    return {**facts, "questions": len(fits)}


def _load(compute: Compute, job: Job, init: Checkpoint, tokenizer: Tokenizer) -> tuple[Tok, Llama]:
    import torch

    from smolforge.model.config import check_vocabulary
    from smolforge.model.weights import load_model
    from smolforge.text.tokenizer import load_tokenizer
    from smolforge.train.precision import compute_dtype

    torch.set_num_threads(job.threads)
    tok = load_tokenizer(tokenizer.path)
    model = load_model(init.path, compute=compute_dtype(compute, job.device)).to(job.device)
    check_vocabulary(model.config.vocab_size, tok.vocab_size)
    return tok, model


def _course(
    cfg: SftConfig | DpoConfig | GrpoConfig,
    model: Llama,
    batches: Any,
    loss: Any,
    steps: int,
    extra: Callable[[], dict[str, float]] | None = None,
    worst: float | None = None,
) -> Course:
    from smolforge.align.tuning import Course
    from smolforge.train.schedule import over_steps

    return Course(
        model=model,
        optim=cfg.optim,
        batches=batches,
        loss=loss,
        schedule=over_steps(cfg.schedule, steps),
        steps=steps,
        save_every_steps=cfg.save_every_steps,
        extra_figures=extra,
        worst_loss=worst,
    )


def _tune(
    job: Job,
    tok: Tok,
    course: Course,
    init: Checkpoint,
    length: int,
    team: Team | None = None,
    lora: LoraConfig | None = None,
) -> Facts:
    """Train, write the model for chat (its end is the tokenizer's), and give the facts."""
    from smolforge.align.tuning import tune
    from smolforge.train.finishing import finish
    from smolforge.train.stages import tell_where

    tell_where(job, course.model)
    done = tune(
        course,
        job.work,
        device=job.device,
        micro_tokens=micro_tokens(job.micro_tokens, course.model.config),
        recompute=job.recompute,
        progress=job.log.progress,
        event=job.log.event,
        say=job.log.say,
        team=team,
    )
    more: Facts = {}
    if done.model is not None:
        ends = {"bos": tok.bos_id, "eos": tok.eos_id, "pad": tok.pad_id}
        more = finish(
            job.out, done.model, lora, course.watch, ends, name=str(init.facts.get("name", init.path.name))
        )
        (job.out / "losses.jsonl").write_text(done.losses, encoding="utf-8")
    shape = course.model.config
    before = init.facts.get("tokens", 0)
    facts: dict[str, int | float | str] = {
        **shape.facts,
        **more,
        "tokens": (before if isinstance(before, int) else 0) + done.tokens,
        "flops": done.tokens * shape.flops_per_token(length),
    }
    return facts | done.last_means | ({"troubles": ", ".join(done.troubles)} if done.troubles else {})
