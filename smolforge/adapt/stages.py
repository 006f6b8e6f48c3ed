"""The door of `adapt`: mixture, budget and judgement here; rehearsal beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from smolforge.adapt.rehearsal_stages import (
    RehearseConfig,
    TokenizeChatsConfig,
    reader_of,
    rehearse_chats,
    rehearse_texts,
    tokenize_chats,
)
from smolforge.artifacts import (
    ChatData,
    Checkpoint,
    ChosenMixture,
    Facts,
    Scores,
    SideBySide,
    Sizing,
    Tokenizer,
    TokenShards,
)
from smolforge.config import config, to_plain
from smolforge.errors import ConfigError, InputError
from smolforge.model.config import LoraConfig
from smolforge.stage import Job, stage
from smolforge.train.config import Compute, OptimConfig

__all__ = [
    "AdaptBudgetConfig", "AdaptMixtureConfig", "KeepBestConfig", "RehearseConfig", "SideBySideConfig", "TokenizeChatsConfig",
    "adapt_mixture", "keep_best", "rehearse_chats", "rehearse_texts", "side_by_side", "size_adaptation", "tokenize_chats",
]  # fmt: skip

REPLAYED_TEXT, REPLAYED_CHAT = "replayed_text", "replayed_chat"
STATEMENTS = "statements"


# -- mixture and budget ---------------------------------------------------------------------------------


@config
class AdaptMixtureConfig:
    """What is trained on beside the documents as they are.

    text_share, chat_share  shares of replayed text and of replayed conversations, against forgetting
    statement_share         share, of what is not replayed, of what the documents state, told without the rest
    statement_passes        and how often that is met at most
    """

    text_share: float = 0.15
    chat_share: float = 0.15
    statement_share: float = 0.2
    statement_passes: float = 4.0

    def __post_init__(self) -> None:
        if min(self.text_share, self.chat_share) < 0 or self.text_share + self.chat_share >= 1:
            raise ConfigError("`text_share` and `chat_share` must not be negative and together stay below 1")
        if not 0 <= self.statement_share < 1:
            raise ConfigError("`statement_share` must be a share below 1")
        if self.statement_passes <= 0:
            raise ConfigError("`statement_passes` must be above 0")

    @property
    def replay(self) -> dict[str, float]:
        """Shares of what is replayed, by the name of its shards."""
        return {REPLAYED_TEXT: self.text_share, REPLAYED_CHAT: self.chat_share}


@stage(makes=ChosenMixture, version=4)
def adapt_mixture(
    cfg: AdaptMixtureConfig, job: Job, *, shards: Mapping[str, TokenShards], sizing: Sizing
) -> Facts:
    """The documents by their size, beside their statements and what is replayed; what is empty gets none.

    Statements are met as often as they teach, in the tokens that the sizing found time for.

    Writes  mixture.json {"weights", "reasons"}
    Facts   share_<domain>, replay_share
    Raises  InputError when no document is left
    """
    from smolforge.train.stages import read_sizing

    tokens = _tokens_of(shards)
    replay = _replayed(cfg, tokens)
    own = {name: n for name, n in tokens.items() if name not in (*cfg.replay, STATEMENTS) and n}
    if not own:
        raise InputError(
            "there is no document to learn from", fix="look at what curation dropped in the report"
        )
    left = 1 - sum(replay.values())
    trained = int(read_sizing(sizing)["phase_tokens"]["documents"])
    stated = min(left * cfg.statement_share, cfg.statement_passes * tokens.get(STATEMENTS, 0) / trained)
    weights = {name: (left - stated) * count / sum(own.values()) for name, count in own.items()}
    weights |= replay | ({STATEMENTS: stated} if stated else {})
    reasons = [f"{name} has {count:,} tokens: {weights[name]:.1%}" for name, count in own.items()]
    if stated:
        passes = stated * trained / tokens[STATEMENTS]
        reasons.append(f"statements have {tokens[STATEMENTS]:,} tokens: {stated:.1%}, {passes:.1f} passes")
    for name, share in cfg.replay.items():
        given = f"{share:.0%} against forgetting" if name in replay else "none: nothing is there to replay"
        reasons.append(f"{name.replace('_', ' ')}: {given if share else 'none, as the recipe says'}")
    plain = {"weights": weights, "reasons": reasons}
    (job.out / "mixture.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    shares = {f"share_{name}": round(weight, 6) for name, weight in weights.items()}
    return {**shares, "replay_share": round(sum(replay.values()), 6)}


def _replayed(cfg: AdaptMixtureConfig, tokens: Mapping[str, int]) -> dict[str, float]:
    """Shares of what is replayed and is there."""
    return {name: share for name, share in cfg.replay.items() if share and tokens.get(name)}


def _tokens_of(shards: Mapping[str, TokenShards]) -> dict[str, int]:
    return {name: int(shard.facts.get("tokens", 0)) for name, shard in shards.items()}


@config
class AdaptBudgetConfig:
    """What the user gives: time, memory, and how the model may be trained.

    minutes       all the time there is
    train_share   part of it for training; the rest is for reading, rehearsal, evaluation and export
    tune_share    part of the training for conversations
    method        full, lora, or auto: full where it fits into memory
    memory_gib    room for training; 0: what is free
    length        positions a row
    full_optim, lora_optim    rates for the documents; `tune_factor` times these for the conversations
    mixing        what is replayed beside the documents
    """

    minutes: float = 30.0
    train_share: float = 0.45
    tune_share: float = 0.25
    method: Literal["auto", "full", "lora"] = "auto"
    memory_gib: float = 0.0
    length: int = 512
    lora: LoraConfig = LoraConfig()
    full_optim: OptimConfig = OptimConfig(
        kind="adamw", lr=1e-4, embedding_lr=1e-4, norm_lr=1e-4, weight_decay=0.0, skip_deviations=0.0
    )
    lora_optim: OptimConfig = OptimConfig(kind="adamw", lr=5e-4, weight_decay=0.0, skip_deviations=0.0)
    tune_factor: float = 0.5
    compute: Compute = "auto"
    mixing: AdaptMixtureConfig = AdaptMixtureConfig()

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ConfigError(f"`minutes` is {self.minutes}", fix="give more than 0 minutes")
        if not 0 < self.train_share <= 1 or not 0 <= self.tune_share < 1:
            raise ConfigError("`train_share` and `tune_share` must be shares of the time")
        if self.memory_gib < 0 or self.length < 16 or self.tune_factor <= 0:
            raise ConfigError(
                "`memory_gib` must not be negative, `length` at least 16, `tune_factor` above 0"
            )


@stage(makes=Sizing, version=4)
def size_adaptation(
    cfg: AdaptBudgetConfig,
    job: Job,
    *,
    model: Checkpoint,
    shards: Mapping[str, TokenShards],
    chats: TokenShards,
) -> Facts:
    """Choose full training or adapters, and tokens for both steps, by measuring this model on this machine.

    Writes  sizing.json {"method", "phase_tokens": {"documents"}, "batch_tokens", "length", "optim", "lora", "tune",
            "reasons", "predicted"}
    Facts   method, tokens, tune_tokens, minutes and memory_bytes (predicted), tokens_per_second
    Raises  ConfigError where neither way fits into memory
    """
    import torch

    from smolforge.adapt import budget as engine
    from smolforge.model.weights import load_config, load_model
    from smolforge.train.precision import compute_dtype

    torch.set_num_threads(job.threads)
    shape, dtype = load_config(model.path), compute_dtype(cfg.compute, job.device)
    room = int(cfg.memory_gib * 2**30) or engine.free_memory_bytes()
    method, needed, reasons = engine.choose_method(cfg.method, shape, cfg.lora, room, dtype.itemsize)
    lora = cfg.lora if method == "lora" else None
    length = min(cfg.length, shape.max_position_embeddings)
    if length < cfg.length:
        reasons.append(f"rows of {length} positions, not {cfg.length}: the model sees no more at once")
    job.log.progress(0, None, "rates", f"measuring the training rate, {method}")
    rate = engine.rate_of(
        lambda: load_model(model.path, compute=dtype).to(job.device), lora, length, job.micro_tokens
    )
    tokens = _tokens_of(shards)
    own = sum(count for name, count in tokens.items() if name not in cfg.mixing.replay)
    found = engine.make_budget(
        method,
        needed,
        reasons,
        rate,
        seconds=cfg.minutes * 60 * cfg.train_share,
        tune_share=cfg.tune_share,
        document_tokens=own,
        replay_share=sum(_replayed(cfg.mixing, tokens).values()),
        chat_tokens=int(chats.facts.get("tokens", 0)),
        length=length,
    )
    optim = cfg.full_optim if lora is None else cfg.lora_optim
    common = {"batch_tokens": found.batch_tokens, "length": length, "lora": to_plain(lora)}
    plain = {
        **common,
        "method": method,
        "phase_tokens": {"documents": found.document_tokens},
        "optim": to_plain(optim),
        "tune": {**common, "tokens": found.tune_tokens, "optim": to_plain(_slower(optim, cfg.tune_factor))},
        "reasons": found.reasons,
        "predicted": {
            "seconds": found.document_seconds,  # as a sizing's always are: of its phases
            "tune_seconds": found.tune_seconds,
            "memory_bytes": found.memory_bytes,
        },
    }
    (job.out / "sizing.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    for reason in found.reasons:
        job.log.say(f"  {reason}")
    return {
        "method": method,
        "tokens": found.document_tokens,
        "tune_tokens": found.tune_tokens,
        "minutes": round(found.seconds / 60, 2),
        "memory_bytes": found.memory_bytes,
        "tokens_per_second": round(1 / rate.token_seconds, 1),
    }


def _slower(optim: OptimConfig, factor: float) -> OptimConfig:
    from dataclasses import replace

    return replace(
        optim, lr=optim.lr * factor, embedding_lr=optim.embedding_lr * factor, norm_lr=optim.norm_lr * factor
    )


# -- judgement ------------------------------------------------------------------------------------------


@config
class KeepBestConfig:
    """How much worse general texts may be read (bits per byte, relative) by a state that is kept."""

    most_forgotten: float = 0.03


@stage(makes=Checkpoint, version=3)
def keep_best(
    cfg: KeepBestConfig,
    job: Job,
    *,
    models: Mapping[str, Checkpoint],
    scores: Mapping[str, Scores],
    tokenizer: Tokenizer,
) -> Facts:
    """The state that knows the user's matter best among those that forgot nothing; the original, where none does.

    `models` and `scores` have the same names; `0-original` is what all are held against. Scores are those of the
    decision half alone.

    Writes  config.json, model.safetensors, choice.json ({"kept", "cases": [...]})
    Facts   parameters, kept, gain_points (questions gained plus percent of bits saved), and what `models[kept]` says of itself
    Raises  ConfigError when names do not match
    """
    from smolforge.adapt import judging
    from smolforge.align.keep_stages import take_over
    from smolforge.evals.measured import read_measured

    if set(models) != set(scores) or judging.ORIGINAL not in models:
        raise ConfigError(f"`models` and `scores` must have the same names, `{judging.ORIGINAL}` among them")
    measured = {name: read_measured(one.path) for name, one in scores.items()}
    kept, cases = judging.choose(measured, cfg.most_forgotten)
    chosen = models[kept]
    take_over(chosen, job)
    plain = {"kept": kept, "cases": cases}
    (job.out / "choice.json").write_text(
        json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if not judging.known_general_skills(measured[judging.ORIGINAL]):
        job.log.say(
            "  the original answers none of the general questions, so forgetting is judged by texts alone"
        )
    for case in cases:
        told = judging.case_in_words(case)
        job.log.say(f"  {case['state']}: {told}{' · kept' if case['state'] == kept else ''}")
    if kept == judging.ORIGINAL:
        job.log.say("  nothing that was trained is better than the original model, so the original is kept")
    gain_points = next(case["gain_points"] for case in cases if case["state"] == kept)
    own = {
        name: fact
        for name, fact in chosen.facts.items()
        if name in ("parameters", "name", "licence", "family")
    }
    return {**own, "kept": kept, "gain_points": gain_points}


@config
class SideBySideConfig:
    """How many of the held-out conversations are asked, beside a few general questions of ours."""

    own: int = 6
    answer_tokens: int = 120
    compute: Compute = "auto"
    seed: int = 0


GENERAL_QUESTIONS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Write a Python function that returns the largest number of a list.",
    "I feel tired after work. What could I do?",
)


CUT = " […]"
"""Ends an answer that was cut at the longest that is asked for."""


@stage(makes=SideBySide, version=2)
def side_by_side(
    cfg: SideBySideConfig,
    job: Job,
    *,
    before: Checkpoint,
    after: Checkpoint,
    tokenizer: Tokenizer,
    data: ChatData | None = None,
) -> Facts:
    """The same questions to two models, answered greedily: held-out ones about the documents, and general ones.

    Writes  conversations.jsonl ({"question", "wanted", "before", "after"}); none for a model without a chat template
    Facts   conversations, changed
    """
    from smolforge.align.conversations import read_conversations
    from smolforge.data.read.documents import stable_share, write_jsonl
    from smolforge.language_model import Sampling

    asked: list[tuple[list[Any], str]] = []
    if data is not None and data.facts.get("conversations", 1):
        found = [c for c in read_conversations(data.path) if len(c.messages) == 2]
        short = [c for c in found if len(str(c.messages[0]["content"])) < 400]
        for one in sorted(short, key=lambda c: stable_share(c.id, str(cfg.seed)))[: cfg.own]:
            asked.append(([one.messages[0]], str(one.messages[1]["content"])))
    asked += [([{"role": "user", "content": text}], "") for text in GENERAL_QUESTIONS]
    how, answers = Sampling(max_new_tokens=cfg.answer_tokens), []
    for model in (before, after):
        reader, tok = reader_of(cfg.compute, job, model, tokenizer)
        if not tok.can_chat:
            asked = []
        prompts = [tok.encode_chat(turns, None, True)[0] for turns, _ in asked]
        written = reader.generate(prompts, how, tok.end_ids)
        answers.append(
            [
                tok.decode(ids, skip_special=True).strip() + (CUT if len(ids) >= cfg.answer_tokens else "")
                for ids in written
            ]
        )
    rows = [
        {"question": turns[0]["content"], "wanted": wanted, "before": old, "after": new}
        for (turns, wanted), old, new in zip(asked, *answers, strict=True)
    ]
    write_jsonl(job.out / "conversations.jsonl", rows)
    return {"conversations": len(rows), "changed": sum(row["before"] != row["after"] for row in rows)}
