"""The whole road in the minutes you give, ten on two cores, from data that every Python brings along.

    sources ─ curation ─ tokenizer ─┬─ phase 1 ─ phase 2 ─ phase 3 ─┬─ SFT ─ DPO ─ GRPO ─ keep the best ─ export
                                    └─ evaluate, choose the mixture ┘        (evaluate each)

Half of the held-out questions is read while decisions are taken: on mixtures, and on which of the tuned models is
kept. What the report shows of the tuning is the other half. Its settings: settings/quickstart.py.
"""

from __future__ import annotations

from dataclasses import replace

from settings.quickstart import SCALES, Config

from smolforge.align.keep_stages import keep_best_scored
from smolforge.align.stages import dpo, grpo, sample_pairs, sft
from smolforge.align.talk_stages import converse
from smolforge.data.clean.overlap_stages import CleanChatsConfig, OverlapsConfig, clean_chats, list_overlaps
from smolforge.data.clean.stages import chat_corpus, curate, hold_out, train_quality
from smolforge.data.read.stages import pydoc_pages, stdlib_code
from smolforge.data.tokens.stages import TokenizeConfig, tokenize
from smolforge.device.stages import export
from smolforge.evals.half_stages import HalfConfig, decision_half, report_half
from smolforge.evals.stages import evaluate
from smolforge.mix.stages import (
    AffinityConfig,
    TryConfig,
    choose_mixture,
    measure_skills,
    source_affinity,
    try_mixture,
)
from smolforge.store import Input, Store
from smolforge.text.stages import train_tokenizer
from smolforge.train.fill_stages import FillConfig, fill_minutes
from smolforge.train.stages import PretrainConfig, pretrain
from smolforge.written.stages import make_conversations, synthetic_documents

__all__ = ["SCALES", "Config", "recipe"]


def recipe(store: Store, cfg: Config) -> None:
    """Build a small model that can be talked to, from nothing but this machine."""
    run = store.run

    # Sources: real pages, real code, and text written by generators grounded in fact tables.
    raw = {
        "web": run(pydoc_pages, cfg.web, label="raw/web"),
        "code": run(stdlib_code, cfg.code, label="raw/code"),
    }
    for domain, written in cfg.written.items():
        raw[domain] = run(synthetic_documents, written, label=f"raw/{domain}")
    said = run(make_conversations, cfg.conversations, label="raw/chats")

    # Held-out questions and texts come first: nothing that follows may contain them.
    held_out = run(hold_out, cfg.held_out, label="held-out", sources=raw, chats=said)
    decision = run(decision_half, HalfConfig(), label="held-out/decision-half", parts={"all": held_out})
    report = run(report_half, HalfConfig(), label="held-out/report-half", parts={"all": held_out})

    # Curation: extract, filter, score, decontaminate, deduplicate. What is dropped is kept with its reason.
    quality = run(train_quality, cfg.quality, label="quality", sources=raw)
    corpora = {}
    for domain, rules in cfg.curation.items():
        corpora[domain] = run(
            curate, rules, label=f"corpus/{domain}", raw=raw[domain], quality=quality, held_out=held_out
        )
    chats = run(clean_chats, CleanChatsConfig(), label="chats", data=said, held_out=held_out)
    corpora["chat"] = run(chat_corpus, cfg.chat_corpus, label="corpus/chat", data=chats, held_out=held_out)
    checked = {**corpora, "chats": chats}
    run(list_overlaps, OverlapsConfig(), label="held-out/overlaps", sources=checked)

    # Tokenizer, every domain as token ids, and how many of them this machine can learn in the time.
    tokenizer = run(train_tokenizer, cfg.tokenizer, label="tokenizer", corpora=corpora)
    shards = {}
    for domain, corpus in corpora.items():
        as_ids = TokenizeConfig(special=domain == "chat")
        shards[domain] = run(tokenize, as_ids, label=f"shards/{domain}", corpus=corpus, tokenizer=tokenizer)
    budget = FillConfig(
        minutes=cfg.minutes, pretrain_share=cfg.pretrain_share, tokens=cfg.tokens,
        phases={phase.name: phase.share for phase in cfg.phases},
        model=cfg.model, batch_tokens=cfg.batch_tokens, length=cfg.length, compute=cfg.compute,
    )  # fmt: skip
    sizing = run(fill_minutes, budget, label="sizing")

    # Pre-training: choose the mixture, try it, train, evaluate; what was measured decides the next mixture.
    told: dict[str, Input] = {"shards": shards, "tokenizer": tokenizer, "texts": decision}
    affinity = run(source_affinity, AffinityConfig(), label="affinity", **told)
    model, mixture, measured = None, None, None
    for number, phase in enumerate(cfg.phases, start=1):
        here = f"phase-{number}"
        first = cfg.mixing.base if number == 1 else None  # nothing was measured yet
        mixing = replace(cfg.mixing, phase=phase.name, schedule=cfg.schedule, override=first)
        mixture = run(
            choose_mixture, mixing, label=f"{here}/mixture",
            shards=shards, previous=mixture, measured=measured, affinity=affinity, trained=model, sizing=sizing,
        )  # fmt: skip
        if model is not None:
            trial = TryConfig(
                measure=cfg.measuring, phase=phase.name, optim=phase.optim, schedule=cfg.schedule,
                compute=cfg.compute, seed=cfg.seed,
            )  # fmt: skip
            mixture = run(
                try_mixture, trial, label=f"{here}/trial", proposed=mixture, init=model, sizing=sizing, **told
            )  # fmt: skip
        training = PretrainConfig(
            phase=phase.name, model=cfg.model, optim=phase.optim, schedule=cfg.schedule, copying_start=True,
            compute=cfg.compute, seed=cfg.seed,
        )  # fmt: skip
        model = run(
            pretrain, training, label=f"{here}/model",
            shards=shards, tokenizer=tokenizer, mixture=mixture, init=model, sizing=sizing,
        )  # fmt: skip
        made = {"model": model, "tokenizer": tokenizer}
        run(evaluate, cfg.evaluation, label=f"{here}/scores", texts=report, **made)
        measured = run(measure_skills, cfg.measuring, label=f"{here}/skills", texts=decision, **made)

    # Tuning: instructions, then preferences between the model's own answers, then checkable rewards.
    # Some of what was read before is read again, against forgetting.
    read = {domain: corpus for domain, corpus in corpora.items() if domain != "chat"}
    tuned = run(sft, cfg.sft, label="sft/model", init=model, tokenizer=tokenizer, data=chats, replay=read)
    pairs = run(sample_pairs, cfg.pairs, label="dpo/pairs", model=tuned, tokenizer=tokenizer, data=chats)
    preferred = run(dpo, cfg.dpo, label="dpo/model", init=tuned, tokenizer=tokenizer, pairs=pairs)
    rewarded = run(grpo, cfg.grpo, label="grpo/model", init=preferred, tokenizer=tokenizer, data=chats)

    # Of these the best by the half that decides; what the report shows is the other.
    asking = replace(cfg.evaluation, form="chat")
    models = {"1-sft": tuned, "2-dpo": preferred, "3-grpo": rewarded}
    judged = {}
    for name, one in models.items():
        step, made = name.partition("-")[2], {"model": one, "tokenizer": tokenizer}
        judged[name] = run(evaluate, asking, label=f"{step}/decision", texts=decision, **made)
        run(evaluate, asking, label=f"{step}/scores", texts=report, **made)
    best = run(keep_best_scored, cfg.best, label="best/model", models=models, scores=judged)
    run(evaluate, asking, label="best/scores", model=best, tokenizer=tokenizer, texts=report)
    run(converse, cfg.talk, label="talk", model=best, tokenizer=tokenizer)

    # Out of the house, proven equal to what was trained; a research model stays here.
    if cfg.model.research is None:
        run(export, cfg.export, label="export", model=best, tokenizer=tokenizer, texts=corpora)
