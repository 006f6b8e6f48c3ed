"""A released model, made yours: your documents, the time you give, and proof that it became better at them.

    smol run adapt --set data=~/papers --set model=smollm2-135m-instruct --set minutes=30

    documents ─ curation ─┬─ facts ─ questions, conversations ─┐
    model ─ rehearsal ────┴─ budget ─ train on documents ─ tune on conversations ─ (prefer) ─ keep the best ─ export
                 before ──────────────────── evaluate each ───────────────────────────── after

What the model says by itself is replayed against forgetting; held-out texts are watched while it trains. Of the
original and all that was trained, the state is kept that knows your matter best and forgot nothing.
Its settings: settings/adapt.py.
"""

from __future__ import annotations

from dataclasses import replace

from settings.adapt import SCALES, Config

from smolforge.adapt.stages import (
    REPLAYED_CHAT,
    REPLAYED_TEXT,
    STATEMENTS,
    TokenizeChatsConfig,
    adapt_mixture,
    keep_best,
    rehearse_chats,
    rehearse_texts,
    side_by_side,
    size_adaptation,
    tokenize_chats,
)
from smolforge.align.stages import dpo, sft
from smolforge.artifacts import Checkpoint, Corpus
from smolforge.data.clean.overlap_stages import OverlapsConfig, WatchConfig, list_overlaps, watch_texts
from smolforge.data.clean.stages import CurateConfig, curate, hold_out
from smolforge.data.read.stages import (
    OWN_DOMAINS,
    join_chats,
    own_chats,
    own_folder,
    own_preferences,
    pydoc_pages,
    watched_folder,
)
from smolforge.data.tokens.stages import tokenize_each
from smolforge.device.stages import export
from smolforge.errors import ConfigError
from smolforge.evals.half_stages import HalfConfig, decision_half, report_half
from smolforge.evals.stages import benchmarks_in, evaluate, load_benchmarks
from smolforge.models import model_and_tokenizer
from smolforge.questions.stages import (
    StatementsConfig,
    document_chats,
    document_items,
    document_statements,
    find_document_facts,
    hold_out_documents,
)
from smolforge.store import Store
from smolforge.train.stages import pretrain

__all__ = ["SCALES", "Config", "recipe"]


def recipe(store: Store, cfg: Config) -> None:
    """Adapt a released model to a folder of your own, and show before and after what it knows and what it forgot."""
    run = store.run
    if not cfg.data:
        raise ConfigError("`data` is not set", fix="name your folder: --set data=FOLDER")
    folder = watched_folder(cfg.data)  # first: a mistyped folder is found before a model is fetched
    base, tokenizer = model_and_tokenizer(store, cfg.model, "model")
    raw = run(own_folder, folder, label="raw/folder")

    # Held out: some of your documents, and general questions and texts.
    own_texts = run(hold_out_documents, cfg.held_out, label="held-out/documents", raw=raw)
    pages = run(pydoc_pages, cfg.pages, label="raw/general-pages")
    general = run(hold_out, cfg.general, label="held-out/general", sources={"web": pages})
    kept_out = {"documents": own_texts, "general": general}
    if cfg.benchmarks:
        public = benchmarks_in(cfg.benchmarks, items_per_task=cfg.benchmark_items)
        kept_out["public"] = run(load_benchmarks, public, label="held-out/benchmarks")
    held_out = run(watch_texts, WatchConfig(), label="held-out/all", parts=kept_out)

    # Your documents by domain, and what they say that can be asked.
    corpora: dict[str, Corpus] = {}
    for domain in OWN_DOMAINS:
        rules = CurateConfig(domain=domain, languages=cfg.languages, may_be_empty=True)
        corpora[domain] = run(
            curate, rules, label=f"corpus/{domain}", raw=raw, held_out=held_out, before=dict(corpora)
        )
    facts = run(find_document_facts, cfg.asking, label="facts", corpora=corpora)
    stated = run(document_statements, StatementsConfig(), label="corpus/statements", facts=facts)
    items = run(document_items, cfg.items, label="held-out/questions", facts=facts)
    asked = {"documents": own_texts, "general": general, "questions": items}
    decision = run(decision_half, HalfConfig(), label="held-out/decision-half", parts=asked)
    report = run(report_half, HalfConfig(), label="held-out/report-half", parts=asked)

    # What the model says by itself, and what is said about the documents.
    saying = cfg.rehearsal(cfg.rehearsed_chats_per_minute, cfg.rehearsed_chats_share)
    writing = cfg.rehearsal(cfg.rehearsed_texts_per_minute, cfg.rehearsed_texts_share)
    its = {"model": base, "tokenizer": tokenizer, "held_out": held_out}
    spoken = run(rehearse_chats, saying, label="rehearsed/chats", **its)
    written = run(rehearse_texts, writing, label="rehearsed/texts", **its)
    about = run(document_chats, cfg.document_chats, label="chats/documents", facts=facts)
    watched = run(document_chats, cfg.watched_chats, label="held-out/chats", facts=facts)
    own = run(own_chats, folder, label="chats/own", held_out=held_out)
    parts = {"documents": about, "own": own, "rehearsed": spoken}
    chats = run(join_chats, cfg.chats, label="chats/all", parts=parts)
    pairs = run(own_preferences, folder, label="raw/preferences", held_out=held_out)
    checked = {**corpora, "own": own, "spoken": spoken, "written": written, "pairs": pairs}
    run(list_overlaps, OverlapsConfig(), label="held-out/overlaps", sources=checked)

    # All of it as token ids; how much can be learned in the time there is, and on what.
    as_ids = TokenizeChatsConfig()
    texts = {**corpora, STATEMENTS: stated, REPLAYED_TEXT: written}
    shards = tokenize_each(store, texts, tokenizer, special=())
    shards[REPLAYED_CHAT] = run(
        tokenize_chats, as_ids, label=f"shards/{REPLAYED_CHAT}", data=spoken, tokenizer=tokenizer
    )
    counted = run(tokenize_chats, as_ids, label="shards/all-chats", data=chats, tokenizer=tokenizer)
    budget = replace(cfg.budget, minutes=cfg.minutes, compute=cfg.compute, mixing=cfg.mixing)
    sizing = run(size_adaptation, budget, label="sizing", model=base, shards=shards, chats=counted)
    mixture = run(adapt_mixture, cfg.mixing, label="mixture", shards=shards, sizing=sizing)

    # Training: documents, then conversations, then your preferences; decisions see the decision half alone.
    reading = run(
        pretrain, replace(cfg.documents, compute=cfg.compute, seed=cfg.seed), label="documents/model",
        shards=shards, tokenizer=tokenizer, mixture=mixture, init=base, sizing=sizing, watched=decision,
    )  # fmt: skip
    talking = run(
        sft, replace(cfg.tuning, compute=cfg.compute, seed=cfg.seed), label="conversations/model",
        init=reading, tokenizer=tokenizer, data=chats, sizing=sizing, watched=decision, watched_chats=watched,
    )  # fmt: skip
    preferring = run(
        dpo, replace(cfg.dpo, compute=cfg.compute), label="preferences/model",
        init=talking, tokenizer=tokenizer, pairs=pairs, sizing=sizing,
    )  # fmt: skip
    steps = [base, reading, talking, preferring]
    models = _that_differ(
        dict(zip(("0-original", "1-documents", "2-conversations", "3-preferences"), steps, strict=True))
    )
    evaluation = replace(cfg.evaluation, compute=cfg.compute)
    scores = {
        name: run(
            evaluate, evaluation, label=f"decision/{name}", model=model, tokenizer=tokenizer, texts=decision
        )
        for name, model in models.items()
    }
    best = run(keep_best, cfg.best, label="best/model", models=models, scores=scores, tokenizer=tokenizer)

    # Before and after, on what no decision has read.
    for when, model in (("before", base), ("after", best)):
        run(evaluate, evaluation, label=f"{when}/scores", model=model, tokenizer=tokenizer, texts=report)
        if cfg.benchmarks:
            asking = replace(evaluation, text_bytes_per_domain=0)
            run(
                evaluate, asking, label=f"{when}/benchmarks", model=model, tokenizer=tokenizer,
                texts=kept_out["public"],
            )  # fmt: skip
    talk = replace(cfg.talk, compute=cfg.compute)
    run(side_by_side, talk, label="talk", before=base, after=best, tokenizer=tokenizer, data=watched)
    run(export, cfg.export, label="export", model=best, tokenizer=tokenizer, texts=texts)


def _that_differ(models: dict[str, Checkpoint]) -> dict[str, Checkpoint]:
    """The models without those that are the one before, for there was nothing to learn from."""
    before = [None, *models.values()]
    return {n: m for (n, m), old in zip(models.items(), before, strict=False) if not (old and m.same_as(old))}
