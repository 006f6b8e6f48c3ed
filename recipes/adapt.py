"""A released model, made yours: your documents, the time you give, and proof that it became better at them.

    smol run adapt --set data=~/papers --set model=smollm2-135m-instruct --set minutes=30

    documents ─ curation ─┬─ facts ─ questions, conversations ─┐
    model ─ rehearsal ────┴─ budget ─ train on documents ─ tune on conversations ─ (prefer) ─ keep the best ─ export
                 before ──────────────────── evaluate each ───────────────────────────── after

What the model says by itself is replayed against forgetting; held-out texts are watched while it trains. Of the
original and all that was trained, the state is kept that knows your matter best and forgot nothing.
"""

from __future__ import annotations

from dataclasses import replace

from smolforge.adapt.stages import (
    REPLAYED_CHAT,
    REPLAYED_TEXT,
    STATEMENTS,
    AdaptBudgetConfig,
    AdaptMixtureConfig,
    KeepBestConfig,
    RehearseConfig,
    SideBySideConfig,
    TokenizeChatsConfig,
    adapt_mixture,
    keep_best,
    rehearse_chats,
    rehearse_texts,
    side_by_side,
    size_adaptation,
    tokenize_chats,
)
from smolforge.align.stages import DpoConfig, SftConfig, dpo, sft
from smolforge.artifacts import Checkpoint, Corpus, Scores, TokenShards
from smolforge.config import check_settled_above, config
from smolforge.data.clean.stages import CurateConfig, HoldOutConfig, curate, hold_out
from smolforge.data.read.stages import (
    OWN_DOMAINS,
    JoinConfig,
    PydocConfig,
    join_chats,
    own_chats,
    own_folder,
    own_preferences,
    pydoc_pages,
    watched_folder,
)
from smolforge.data.tokens.stages import TokenizeConfig, tokenize
from smolforge.device.stages import ExportConfig, export
from smolforge.errors import ConfigError
from smolforge.evals.stages import EvaluateConfig, benchmarks_in, evaluate, load_benchmarks
from smolforge.models import model_and_tokenizer
from smolforge.questions.stages import (
    DocumentChatsConfig,
    DocumentFactsConfig,
    DocumentItemsConfig,
    HalfConfig,
    HoldOutDocumentsConfig,
    StatementsConfig,
    document_chats,
    document_items,
    document_statements,
    find_document_facts,
    half_of,
    hold_out_documents,
)
from smolforge.store import Store
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.train.stages import PretrainConfig, pretrain

SETTLED_ABOVE = {
    "budget.minutes": "minutes", "budget.mixing": "mixing", "budget.compute": "compute", "documents.compute": "compute",
    "documents.seed": "seed", "tuning.compute": "compute", "tuning.seed": "seed", "dpo.compute": "compute",
    "evaluation.compute": "compute", "talk.compute": "compute",
}  # fmt: skip
"""Settings of single stages that are those of the whole."""
MOST_REHEARSED_MINUTES = 120.0
"""Longer adaptations ask the model for no more: it repeats itself."""


@config
class Config:
    """Settings of an adaptation.

    data, model  your folder; a released name, a run, a label, a model folder or a .gguf file
    minutes      all the time there is
    benchmarks   a folder of public benchmark files, scored before and after; none when empty
    general      what the model must not forget: questions of ours and, as texts, Python's own documentation
    rehearsed_*  how much the model is asked to say by itself for every minute there is, for replay, and the share of the
                 minutes that this may take
    chats, prefer  how many of the folder's conversations and preference pairs are used at most
    compute      number type of everything that trains, writes and evaluates
    """

    data: str = ""
    model: str = "smollm2-135m-instruct"
    minutes: float = 30.0
    benchmarks: str = ""
    benchmark_items: int = 100
    languages: tuple[str, ...] = ()
    held_out: HoldOutDocumentsConfig = HoldOutDocumentsConfig()
    general: HoldOutConfig = HoldOutConfig(
        items=60,
        skills=("knowledge", "code", "mathematics", "instructions"),
        share=0.49,  # none of these pages is trained on
        max_texts=16,
    )
    pages: PydocConfig = PydocConfig(max_bytes=1_500_000, packages=())
    asking: DocumentFactsConfig = DocumentFactsConfig()
    items: DocumentItemsConfig = DocumentItemsConfig(count=600)
    document_chats: DocumentChatsConfig = DocumentChatsConfig()
    watched_chats: DocumentChatsConfig = DocumentChatsConfig(side="held-out", count=60)
    rehearsed_chats_per_minute: float = 10.0
    rehearsed_texts_per_minute: float = 4.0
    rehearsed_chats_share: float = 0.08
    rehearsed_texts_share: float = 0.04
    mixing: AdaptMixtureConfig = AdaptMixtureConfig()
    chats: JoinConfig = JoinConfig(most=4_000)
    prefer: JoinConfig = JoinConfig(most=1_000)
    budget: AdaptBudgetConfig = AdaptBudgetConfig()
    documents: PretrainConfig = PretrainConfig(
        phase="documents",
        schedule=ScheduleConfig(kind="linear", warmup_share=0.05, floor=0.05),
        keep_optimizer=False,
        save_every_steps=20,
    )
    tuning: SftConfig = SftConfig(
        epochs=2, schedule=ScheduleConfig(kind="linear", warmup_share=0.05, floor=0.05), save_every_steps=20
    )
    dpo: DpoConfig = DpoConfig(
        epochs=1,
        may_be_empty=True,
        optim=OptimConfig(kind="adamw", lr=1e-5, embedding_lr=1e-5, norm_lr=1e-5, weight_decay=0.0),
    )
    evaluation: EvaluateConfig = EvaluateConfig(
        form="native", items_per_skill=0, text_bytes_per_domain=60_000
    )
    best: KeepBestConfig = KeepBestConfig()
    talk: SideBySideConfig = SideBySideConfig()
    export: ExportConfig = ExportConfig(name="my-model", quantisations=("f32", "q8_0"))
    compute: Compute = "auto"
    seed: int = 1

    def __post_init__(self) -> None:
        check_settled_above(self, SETTLED_ABOVE)
        if self.minutes <= 0:
            raise ConfigError(f"`minutes` is {self.minutes:g}", fix="give more than 0 minutes")


def recipe(store: Store, cfg: Config) -> None:
    """Adapt a released model to a folder of your own, and show before and after what it knows and what it forgot."""
    if not cfg.data:
        raise ConfigError("`data` is not set", fix="name your folder: --set data=FOLDER")
    folder = watched_folder(cfg.data)  # first: a mistyped folder is found before a model is fetched
    base, tokenizer = model_and_tokenizer(store, cfg.model, "model")
    raw = store.run(own_folder, folder, label="raw/folder")

    # Held out: some of your documents, and general questions and texts.
    own_texts = store.run(hold_out_documents, cfg.held_out, label="held-out/documents", raw=raw)
    pages = store.run(pydoc_pages, cfg.pages, label="raw/general-pages")
    general = store.run(hold_out, cfg.general, label="held-out/general", sources={"web": pages})

    # Your documents by domain, and what they say that can be asked.
    corpora: dict[str, Corpus] = {}
    shards: dict[str, TokenShards] = {}
    for domain in OWN_DOMAINS:
        rules = CurateConfig(domain=domain, languages=cfg.languages, may_be_empty=True)
        corpora[domain] = store.run(curate, rules, label=f"corpus/{domain}", raw=raw, held_out=own_texts)
        shards[domain] = store.run(
            tokenize, TokenizeConfig(), label=f"shards/{domain}", corpus=corpora[domain], tokenizer=tokenizer
        )
    facts = store.run(find_document_facts, cfg.asking, label="facts", corpora=corpora)
    stated = store.run(document_statements, StatementsConfig(), label="corpus/statements", facts=facts)
    shards[STATEMENTS] = store.run(
        tokenize, TokenizeConfig(), label="shards/statements", corpus=stated, tokenizer=tokenizer
    )
    items = store.run(document_items, cfg.items, label="held-out/questions", facts=facts)
    halves = {
        half: store.run(
            half_of, HalfConfig(half=half), label=f"held-out/{half}-half",
            parts={"documents": own_texts, "general": general, "questions": items},
        )
        for half in ("decision", "report")
    }  # fmt: skip

    # What the model says by itself, and what is said about the documents.
    spoken = store.run(
        rehearse_chats,
        _rehearsal(cfg, cfg.rehearsed_chats_per_minute, cfg.rehearsed_chats_share),
        label="rehearsed/chats",
        model=base,
        tokenizer=tokenizer,
        held_out=general,
    )
    written = store.run(
        rehearse_texts,
        _rehearsal(cfg, cfg.rehearsed_texts_per_minute, cfg.rehearsed_texts_share),
        label="rehearsed/texts",
        model=base,
        tokenizer=tokenizer,
        held_out=general,
    )
    about = store.run(document_chats, cfg.document_chats, label="chats/documents", facts=facts)
    watched = store.run(document_chats, cfg.watched_chats, label="held-out/chats", facts=facts)
    own = store.run(own_chats, folder, label="chats/own", held_out=general)
    chats = store.run(
        join_chats, cfg.chats, label="chats/all", parts={"documents": about, "own": own, "rehearsed": spoken}
    )
    as_ids = TokenizeChatsConfig()
    shards[REPLAYED_TEXT] = store.run(
        tokenize, TokenizeConfig(), label="shards/rehearsed-texts", corpus=written, tokenizer=tokenizer
    )
    shards[REPLAYED_CHAT] = store.run(
        tokenize_chats, as_ids, label="shards/rehearsed-chats", data=spoken, tokenizer=tokenizer
    )
    counted = store.run(tokenize_chats, as_ids, label="shards/all-chats", data=chats, tokenizer=tokenizer)

    # How much can be learned in the time there is, and on what.
    budget = replace(cfg.budget, minutes=cfg.minutes, compute=cfg.compute, mixing=cfg.mixing)
    sizing = store.run(size_adaptation, budget, label="sizing", model=base, shards=shards, chats=counted)
    mixture = store.run(adapt_mixture, cfg.mixing, label="mixture", shards=shards, sizing=sizing)

    # Training: documents, then conversations, then your preferences; decisions see the decision half alone.
    models: dict[str, Checkpoint] = {"0-original": base}
    scores: dict[str, Scores] = {}
    models["1-documents"] = store.run(
        pretrain, replace(cfg.documents, compute=cfg.compute, seed=cfg.seed), label="documents/model",
        shards=shards, tokenizer=tokenizer, mixture=mixture, init=base, sizing=sizing, watched=halves["decision"],
    )  # fmt: skip
    models["2-conversations"] = store.run(
        sft, replace(cfg.tuning, compute=cfg.compute, seed=cfg.seed), label="conversations/model",
        init=models["1-documents"], tokenizer=tokenizer, data=chats, sizing=sizing,
        watched=halves["decision"], watched_chats=watched,
    )  # fmt: skip
    preferred = store.run(own_preferences, folder, label="raw/preferences")
    models["3-preferences"] = store.run(
        dpo, replace(cfg.dpo, compute=cfg.compute), label="preferences/model",
        init=models["2-conversations"], tokenizer=tokenizer, pairs=preferred, sizing=sizing,
    )  # fmt: skip
    evaluation = replace(cfg.evaluation, compute=cfg.compute)
    models = _that_differ(models)
    for name, model in models.items():
        scores[name] = store.run(
            evaluate, evaluation, label=f"decision/{name}", model=model, tokenizer=tokenizer,
            texts=halves["decision"],
        )  # fmt: skip
    best = store.run(
        keep_best, cfg.best, label="best/model", models=models, scores=scores, tokenizer=tokenizer
    )

    # Before and after, on what no decision has read.
    for when, model in (("before", base), ("after", best)):
        store.run(
            evaluate,
            evaluation,
            label=f"{when}/scores",
            model=model,
            tokenizer=tokenizer,
            texts=halves["report"],
        )
        if cfg.benchmarks:
            public = store.run(
                load_benchmarks, benchmarks_in(cfg.benchmarks, items_per_task=cfg.benchmark_items),
                label=f"{when}/questions",
            )  # fmt: skip
            asking = replace(evaluation, text_bytes_per_domain=0)
            store.run(
                evaluate, asking, label=f"{when}/benchmarks", model=model, tokenizer=tokenizer, texts=public
            )
    store.run(
        side_by_side,
        replace(cfg.talk, compute=cfg.compute),
        label="talk",
        before=base,
        after=best,
        tokenizer=tokenizer,
        data=watched,
    )
    store.run(export, cfg.export, label="export", model=best, tokenizer=tokenizer)


def _that_differ(models: dict[str, Checkpoint]) -> dict[str, Checkpoint]:
    """The models without those that are the one before, for there was nothing to learn from."""
    before = [None, *models.values()]
    return {n: m for (n, m), old in zip(models.items(), before, strict=False) if not (old and m.same_as(old))}


def _rehearsal(cfg: Config, per_minute: float, share: float) -> RehearseConfig:
    count = max(4, round(per_minute * min(cfg.minutes, MOST_REHEARSED_MINUTES)))
    return RehearseConfig(count=count, minutes=share * cfg.minutes, compute=cfg.compute, seed=cfg.seed)


SCALES = {
    "default": Config(),
    "tiny": Config(
        minutes=0.4,
        rehearsed_chats_per_minute=20.0,
        rehearsed_texts_per_minute=10.0,
        general=HoldOutConfig(items=4, skills=("knowledge", "rewriting"), share=0.49, max_texts=2),
        pages=PydocConfig(max_bytes=200_000, packages=()),
        items=DocumentItemsConfig(count=20),
        watched_chats=DocumentChatsConfig(side="held-out", count=8),
        talk=SideBySideConfig(own=2, answer_tokens=12),
        budget=AdaptBudgetConfig(length=128),
        evaluation=EvaluateConfig(
            form="native", items_per_skill=0, text_bytes_per_domain=4_000, answer_tokens=12
        ),
        export=ExportConfig(name="my-model", quantisations=("f32",), greedy_tokens=4, reading_tokens=4),
    ),
}
