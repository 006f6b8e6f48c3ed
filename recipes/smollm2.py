"""The published system: SmolLM2 at 135M, 360M and 1.7B, with hub sources and its own hyper-parameters.

    smol plan smollm2 --scale 1.7b        parameters, tokens, FLOPs, GPU-hours, disk
    smol run  smollm2 --scale tiny        the same flow on this machine, on text of our own

Its numbers and where they come from: settings/smollm2.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from settings.smollm2 import SCALES, Config

from smolforge.align.stages import dpo, sample_pairs, sft
from smolforge.artifacts import RawDocs
from smolforge.data.clean.overlap_stages import OverlapsConfig, list_overlaps
from smolforge.data.clean.stages import curate, hold_out, train_quality
from smolforge.data.read.stages import HubConfig, hub_chats, hub_documents, hub_preferences
from smolforge.data.tokens.stages import tokenize_each
from smolforge.device.stages import export
from smolforge.evals.half_stages import HalfConfig, decision_half, report_half
from smolforge.evals.stages import evaluate
from smolforge.mix.stages import choose_mixture, measure_skills
from smolforge.store import Store
from smolforge.text.stages import train_tokenizer
from smolforge.train.stages import PretrainConfig, pretrain
from smolforge.written.stages import make_conversations, synthetic_documents

__all__ = ["SCALES", "Config", "recipe"]


def recipe(store: Store, cfg: Config) -> None:
    """Build SmolLM2 as it was published, phase by phase."""
    raw = {}
    for name, source in cfg.sources.items():
        build = hub_documents if isinstance(source, HubConfig) else synthetic_documents
        raw[name] = store.run(build, source, label=f"raw/{name}")
    held_out = store.run(hold_out, cfg.held_out, label="held-out", sources=_by_domain(raw, cfg))
    quality = store.run(train_quality, cfg.quality, label="quality", sources=_by_domain(raw, cfg))
    corpora = {}
    for name, rules in cfg.rules.items():
        corpora[name] = store.run(
            curate, rules, label=f"corpus/{name}", raw=raw[name], quality=quality, held_out=held_out
        )
    store.run(list_overlaps, OverlapsConfig(), label="held-out/overlaps", sources=corpora)
    tokenizer = store.run(train_tokenizer, cfg.tokenizer, label="tokenizer", corpora=corpora)
    shards = tokenize_each(store, corpora, tokenizer)

    # Published shares are where each phase begins; what is measured on the decision half may move them.
    deciding = store.run(decision_half, HalfConfig(), label="held-out/decision-half", parts={"all": held_out})
    reporting = store.run(report_half, HalfConfig(), label="held-out/report-half", parts={"all": held_out})
    model, mixture, measured, start_tokens = None, None, None, 0
    total_tokens = sum(phase.tokens for phase in cfg.phases)
    for number, phase in enumerate(cfg.phases, start=1):
        here = f"phase-{number}"
        later = tuple(one.tokens for one in cfg.phases[number:])
        mixing = replace(
            cfg.mixing, base=phase.mixture, phase=phase.name, phase_tokens=phase.tokens, later_tokens=later,
            schedule=cfg.schedule,
        )  # fmt: skip
        own = {name: shards[name] for name in phase.mixture}
        mixture = store.run(
            choose_mixture, mixing, label=f"{here}/mixture",
            shards=own, previous=mixture, measured=measured, trained=model,
        )  # fmt: skip
        training = PretrainConfig(
            phase=phase.name,
            model=cfg.model,
            tokens=phase.tokens,
            start_tokens=start_tokens,
            total_tokens=total_tokens,
            batch_tokens=cfg.batch_tokens,
            length=cfg.length,
            optim=cfg.optim,
            schedule=cfg.schedule,
            zero_outputs=False,
            compute=cfg.compute,
            seed=cfg.seed,
            save_every_steps=1000,
        )
        model = store.run(
            pretrain,
            training,
            label=f"{here}/model",
            shards=shards,
            tokenizer=tokenizer,
            mixture=mixture,
            init=model,
        )
        store.run(
            evaluate,
            cfg.evaluation,
            label=f"{here}/scores",
            model=model,
            tokenizer=tokenizer,
            texts=reporting,
        )
        measured = store.run(
            measure_skills,
            cfg.measuring,
            label=f"{here}/skills",
            model=model,
            tokenizer=tokenizer,
            texts=deciding,
        )
        start_tokens += phase.tokens

    in_chat = replace(cfg.evaluation, form="chat")
    if isinstance(cfg.chats, HubConfig):
        chats = store.run(hub_chats, cfg.chats, label="raw/chats", held_out=held_out)
    else:
        chats = store.run(make_conversations, cfg.chats, label="raw/chats", held_out=held_out)
    tuned = store.run(sft, cfg.sft, label="sft/model", init=model, tokenizer=tokenizer, data=chats)
    store.run(evaluate, in_chat, label="sft/scores", model=tuned, tokenizer=tokenizer, texts=reporting)
    if isinstance(cfg.preferences, HubConfig):
        pairs = store.run(hub_preferences, cfg.preferences, label="dpo/pairs", held_out=held_out)
    else:
        pairs = store.run(
            sample_pairs, cfg.preferences, label="dpo/pairs", model=tuned, tokenizer=tokenizer, data=chats
        )
    preferred = store.run(dpo, cfg.dpo, label="dpo/model", init=tuned, tokenizer=tokenizer, pairs=pairs)
    store.run(evaluate, in_chat, label="dpo/scores", model=preferred, tokenizer=tokenizer, texts=reporting)
    if cfg.model.research is None:
        store.run(export, cfg.export, label="export", model=preferred, tokenizer=tokenizer, texts=corpora)


def _by_domain(raw: Mapping[str, RawDocs], cfg: Config) -> dict[str, RawDocs]:
    """The first source of each domain, from which texts are held out and quality is learned."""
    firsts: dict[str, RawDocs] = {}
    for name, source in raw.items():
        firsts.setdefault(cfg.rules[name].domain, source)
    return firsts
