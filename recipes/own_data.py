"""A model of your own: a folder of pages, documents, code and chats, and the time you give.

    smol run own_data --set data=~/papers --set minutes=60

HTML, PDF, EPUB, DOCX, ODT, Markdown, plain text, source files, JSON, Parquet and WARC are read, also compressed. Model,
vocabulary and tokens are chosen from what the folder holds, what this machine can do, and the minutes.
Its settings: settings/own_data.py.
"""

from __future__ import annotations

from dataclasses import replace

from settings.own_data import SCALES, Config

from smolforge.align.stages import dpo, grpo, sample_pairs, sft
from smolforge.artifacts import Corpus, RawDocs
from smolforge.data.clean.overlap_stages import (
    CleanChatsConfig,
    OverlapsConfig,
    WatchConfig,
    clean_chats,
    list_overlaps,
    watch_texts,
)
from smolforge.data.clean.stages import (
    CurateConfig,
    chat_corpus,
    curate,
    hold_out,
    own_benchmarks,
    train_quality,
)
from smolforge.data.read.stages import (
    Domain,
    join_chats,
    join_pairs,
    own_chats,
    own_folder,
    own_preferences,
    watched_folder,
)
from smolforge.data.tokens.stages import tokenize_each
from smolforge.device.stages import export
from smolforge.errors import ConfigError
from smolforge.evals.half_stages import HalfConfig, decision_half, report_half
from smolforge.evals.stages import benchmarks_in, evaluate, load_benchmarks
from smolforge.mix.stages import (
    AffinityConfig,
    TryConfig,
    choose_mixture,
    measure_skills,
    source_affinity,
    try_mixture,
)
from smolforge.store import Store
from smolforge.text.stages import train_tokenizer
from smolforge.train.stages import PretrainConfig, SizeConfig, pretrain, size_run
from smolforge.written.stages import make_conversations, synthetic_documents

__all__ = ["SCALES", "Config", "recipe"]
DOMAINS: tuple[Domain, ...] = ("web", "prose", "code", "mathematics")


def recipe(store: Store, cfg: Config) -> None:
    """Build a model from a folder of your own, in the time you give."""
    if not cfg.data:
        raise ConfigError("`data` is not set", fix="name your folder: --set data=FOLDER")
    folder = watched_folder(cfg.data)
    raw = store.run(own_folder, folder, label="raw/folder")
    general = store.run(make_conversations, cfg.conversations, label="raw/general-chats")

    # Held out: some of every domain, questions of our own, and every benchmark: those in the folder, those to score against.
    sources: dict[str, RawDocs] = dict.fromkeys(DOMAINS, raw)
    asked = store.run(hold_out, cfg.held_out, label="held-out/own", sources=sources, chats=general)
    watched = {"own": asked, "folder": store.run(own_benchmarks, folder, label="held-out/folder")}
    if cfg.benchmarks:
        public = benchmarks_in(cfg.benchmarks, items_per_task=cfg.benchmark_items)
        watched["public"] = store.run(load_benchmarks, public, label="benchmarks/questions")
    held_out = store.run(watch_texts, WatchConfig(), label="held-out/all", parts=watched)

    # Curation by domain; a domain of which the folder has nothing stays empty.
    # A small folder alone is too little to learn quality from, so pages of our own stand beside it.
    pages = store.run(synthetic_documents, cfg.textbooks, label="raw/textbooks")
    learn_from = {**sources, "textbooks": pages}
    quality = store.run(train_quality, cfg.quality, label="quality", sources=learn_from)
    corpora: dict[str, Corpus] = {}
    for domain in DOMAINS:
        rules = CurateConfig(
            domain=domain, languages=cfg.languages, min_score=cfg.min_score, may_be_empty=True,
            rules=cfg.web_rules if domain == "web" else (),
        )  # fmt: skip
        corpora[domain] = store.run(
            curate, rules, label=f"corpus/{domain}", raw=raw, quality=quality, held_out=held_out,
            before=dict(corpora),
        )  # fmt: skip
    own = store.run(own_chats, folder, label="raw/own-chats", held_out=held_out)
    said = store.run(clean_chats, CleanChatsConfig(), label="general-chats", data=general, held_out=held_out)
    chats = store.run(join_chats, cfg.chats, label="chats", parts={"general": said, "own": own})
    copying = store.run(synthetic_documents, cfg.recitation, label="raw/recitation")
    unread = CurateConfig(domain="recitation", languages=())  # invented names are of no language
    corpora["recitation"] = store.run(
        curate, unread, label="corpus/recitation", raw=copying, held_out=held_out
    )
    corpora["chat"] = store.run(
        chat_corpus, cfg.chat_corpus, label="corpus/chat", data=chats, held_out=held_out
    )

    preferred = store.run(own_preferences, folder, label="raw/preferences", held_out=held_out)
    checked = {**corpora, "own": own, "general": said, "pairs": preferred}
    store.run(list_overlaps, OverlapsConfig(), label="held-out/overlaps", sources=checked)

    # Size, tokenizer, token ids.
    budget = SizeConfig(
        minutes=cfg.minutes, pretrain_share=cfg.pretrain_share, phases=cfg.phases, optim=cfg.optim,
        compute=cfg.compute,
    )  # fmt: skip
    sizing = store.run(size_run, budget, label="sizing", corpora=corpora)
    tokenizer = store.run(train_tokenizer, cfg.tokenizer, label="tokenizer", corpora=corpora, sizing=sizing)
    shards = tokenize_each(store, corpora, tokenizer)

    # Decisions read one half of what is held out, the report the other.
    deciding = store.run(decision_half, HalfConfig(), label="held-out/decision-half", parts={"own": asked})
    reporting = store.run(report_half, HalfConfig(), label="held-out/report-half", parts={"own": asked})
    affinity = store.run(
        source_affinity,
        AffinityConfig(),
        label="affinity",
        shards=shards,
        tokenizer=tokenizer,
        texts=deciding,
    )

    # Pre-training in phases; what is measured after each decides the next mixture.
    model, mixture, measured = None, None, None
    for number, phase in enumerate(cfg.phases, start=1):
        here = f"phase-{number}"
        mixture = store.run(
            choose_mixture, replace(cfg.mixing, phase=phase), label=f"{here}/mixture",
            shards=shards, previous=mixture, measured=measured, affinity=affinity, trained=model, sizing=sizing,
        )  # fmt: skip
        if model is not None:
            trial = TryConfig(measure=cfg.measuring, phase=phase, compute=cfg.compute, seed=cfg.seed)
            mixture = store.run(
                try_mixture, trial, label=f"{here}/trial",
                proposed=mixture, init=model, shards=shards, tokenizer=tokenizer, texts=deciding, sizing=sizing,
            )  # fmt: skip
        training = PretrainConfig(phase=phase, copying_start=True, compute=cfg.compute, seed=cfg.seed)
        model = store.run(
            pretrain, training, label=f"{here}/model",
            shards=shards, tokenizer=tokenizer, mixture=mixture, init=model, sizing=sizing,
        )  # fmt: skip
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

    # Tuning, with the folder's own chats and preferences where it has them.
    in_chat = replace(cfg.evaluation, form="chat")
    tuned = store.run(sft, cfg.sft, label="sft/model", init=model, tokenizer=tokenizer, data=chats)
    store.run(evaluate, in_chat, label="sft/scores", model=tuned, tokenizer=tokenizer, texts=reporting)
    sampled = store.run(
        sample_pairs, cfg.pairs, label="dpo/sampled", model=tuned, tokenizer=tokenizer, data=chats
    )
    pairs = store.run(join_pairs, cfg.prefer, label="dpo/pairs", parts={"own": preferred, "sampled": sampled})
    better = store.run(dpo, cfg.dpo, label="dpo/model", init=tuned, tokenizer=tokenizer, pairs=pairs)
    store.run(evaluate, in_chat, label="dpo/scores", model=better, tokenizer=tokenizer, texts=reporting)
    rewarded = store.run(grpo, cfg.grpo, label="grpo/model", init=better, tokenizer=tokenizer, data=chats)
    store.run(evaluate, in_chat, label="grpo/scores", model=rewarded, tokenizer=tokenizer, texts=reporting)
    store.run(export, cfg.export, label="export", model=rewarded, tokenizer=tokenizer, texts=corpora)

    if cfg.benchmarks:
        asking = replace(cfg.evaluation, text_bytes_per_domain=0, items_per_skill=cfg.benchmark_items)
        store.run(
            evaluate, asking, label="benchmarks/scores",
            model=model, tokenizer=tokenizer, texts=watched["public"],
        )  # fmt: skip
