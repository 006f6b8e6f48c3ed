"""The whole road in eight to ten minutes on two cores, from data that every Python brings along.

    sources ─ curation ─ tokenizer ─┬─ phase 1 ─ phase 2 ─ phase 3 ─┬─ SFT ─ DPO ─ GRPO ─ export
                                    └─ evaluate, choose the mixture ┘        (evaluate each)

Read it from top to bottom: settings first, then `recipe`, which is the flow itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from smolforge.align.stages import (
    DpoConfig,
    GrpoConfig,
    SamplePairsConfig,
    SftConfig,
    dpo,
    grpo,
    sample_pairs,
    sft,
)
from smolforge.align.talk_stages import ConverseConfig, converse
from smolforge.config import config
from smolforge.data.clean.overlap_stages import OverlapsConfig, list_overlaps
from smolforge.data.clean.stages import (
    ChatCorpusConfig,
    CurateConfig,
    HoldOutConfig,
    QualityConfig,
    chat_corpus,
    curate,
    hold_out,
    train_quality,
)
from smolforge.data.read.stages import PydocConfig, StdlibConfig, pydoc_pages, stdlib_code
from smolforge.data.tokens.stages import TokenizeConfig, tokenize
from smolforge.device.stages import ExportConfig, export
from smolforge.evals.half_stages import HalfConfig, half_of
from smolforge.evals.stages import EvaluateConfig, evaluate
from smolforge.mix.stages import (
    AffinityConfig,
    ChooseMixtureConfig,
    MeasureConfig,
    TryConfig,
    choose_mixture,
    measure_skills,
    source_affinity,
    try_mixture,
)
from smolforge.model.config import ModelConfig, Research
from smolforge.store import Store
from smolforge.text.stages import TokenizerConfig, train_tokenizer
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.train.stages import PretrainConfig, pretrain
from smolforge.written.stages import (
    ConversationsConfig,
    SyntheticConfig,
    make_conversations,
    synthetic_documents,
)


@config
class Phase:
    """A part of pre-training: its tokens and rates. Its mixture is decided when it begins."""

    name: str
    tokens: int
    optim: OptimConfig = OptimConfig()


@config
class Config:
    """Every setting of the quick start; `compute` is of pre-training, the tunings have their own."""

    web: PydocConfig
    code: StdlibConfig
    written: Mapping[str, SyntheticConfig]
    conversations: ConversationsConfig
    held_out: HoldOutConfig
    quality: QualityConfig
    curation: Mapping[str, CurateConfig]
    chat_corpus: ChatCorpusConfig
    tokenizer: TokenizerConfig
    model: ModelConfig
    phases: tuple[Phase, ...]
    schedule: ScheduleConfig
    batch_tokens: int
    length: int
    compute: Compute = "auto"
    mixing: ChooseMixtureConfig
    measuring: MeasureConfig
    evaluation: EvaluateConfig
    sft: SftConfig
    pairs: SamplePairsConfig
    dpo: DpoConfig
    grpo: GrpoConfig
    talk: ConverseConfig = ConverseConfig()
    export: ExportConfig
    seed: int = 1


def recipe(store: Store, cfg: Config) -> None:
    """Build a small model that can be talked to, from nothing but this machine."""
    # Sources: real pages, real code, and text written by generators grounded in fact tables.
    raw = {
        "web": store.run(pydoc_pages, cfg.web, label="raw/web"),
        "code": store.run(stdlib_code, cfg.code, label="raw/code"),
    }
    for domain, written in cfg.written.items():
        raw[domain] = store.run(synthetic_documents, written, label=f"raw/{domain}")
    chats = store.run(make_conversations, cfg.conversations, label="raw/chats")

    # Held-out questions and texts come first: nothing that follows may contain them.
    held_out = store.run(hold_out, cfg.held_out, label="held-out", sources=raw, chats=chats)

    # Curation: extract, filter, score, decontaminate, deduplicate. What is dropped is kept with its reason.
    quality = store.run(train_quality, cfg.quality, label="quality", sources=raw)
    corpora = {}
    for domain, rules in cfg.curation.items():
        corpora[domain] = store.run(
            curate, rules, label=f"corpus/{domain}", raw=raw[domain], quality=quality, held_out=held_out
        )
    corpora["chat"] = store.run(
        chat_corpus, cfg.chat_corpus, label="corpus/chat", data=chats, held_out=held_out
    )
    store.run(list_overlaps, OverlapsConfig(), label="held-out/overlaps", sources=corpora)

    # Tokenizer, and every domain as token ids.
    tokenizer = store.run(train_tokenizer, cfg.tokenizer, label="tokenizer", corpora=corpora)
    shards = {}
    for domain, corpus in corpora.items():
        as_ids = TokenizeConfig(special=domain == "chat")
        shards[domain] = store.run(
            tokenize, as_ids, label=f"shards/{domain}", corpus=corpus, tokenizer=tokenizer
        )

    # Decisions read one half of what is held out, the report the other.
    deciding, reporting = (
        store.run(half_of, HalfConfig(half=half), label=f"held-out/{half}-half", parts={"all": held_out})
        for half in ("decision", "report")
    )
    affinity = store.run(
        source_affinity,
        AffinityConfig(),
        label="affinity",
        shards=shards,
        tokenizer=tokenizer,
        texts=deciding,
    )

    # Pre-training: choose the mixture, try it, train, evaluate; what was measured decides the next mixture.
    model, mixture, measured, start_tokens = None, None, None, 0
    total_tokens = sum(phase.tokens for phase in cfg.phases)
    for number, phase in enumerate(cfg.phases, start=1):
        here = f"phase-{number}"
        later = tuple(one.tokens for one in cfg.phases[number:])
        mixing = replace(
            cfg.mixing, phase=phase.name, phase_tokens=phase.tokens, later_tokens=later, schedule=cfg.schedule
        )
        mixture = store.run(
            choose_mixture, mixing, label=f"{here}/mixture",
            shards=shards, previous=mixture, measured=measured, affinity=affinity, trained=model,
        )  # fmt: skip
        if model is not None:
            trial = TryConfig(
                measure=cfg.measuring, start_tokens=start_tokens, total_tokens=total_tokens,
                batch_tokens=cfg.batch_tokens, length=cfg.length, optim=phase.optim, schedule=cfg.schedule,
                compute=cfg.compute, seed=cfg.seed,
            )  # fmt: skip
            mixture = store.run(
                try_mixture, trial, label=f"{here}/trial",
                proposed=mixture, init=model, shards=shards, tokenizer=tokenizer, texts=deciding,
            )  # fmt: skip
        training = PretrainConfig(
            phase=phase.name,
            model=cfg.model,
            tokens=phase.tokens,
            start_tokens=start_tokens,
            total_tokens=total_tokens,
            batch_tokens=cfg.batch_tokens,
            length=cfg.length,
            optim=phase.optim,
            schedule=cfg.schedule,
            copying_start=True,
            compute=cfg.compute,
            seed=cfg.seed,
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

    # Tuning: instructions, then preferences between the model's own answers, then checkable rewards.
    in_chat = replace(cfg.evaluation, form="chat")
    tuned = store.run(sft, cfg.sft, label="sft/model", init=model, tokenizer=tokenizer, data=chats)
    store.run(evaluate, in_chat, label="sft/scores", model=tuned, tokenizer=tokenizer, texts=reporting)
    pairs = store.run(
        sample_pairs, cfg.pairs, label="dpo/pairs", model=tuned, tokenizer=tokenizer, data=chats
    )
    preferred = store.run(dpo, cfg.dpo, label="dpo/model", init=tuned, tokenizer=tokenizer, pairs=pairs)
    store.run(evaluate, in_chat, label="dpo/scores", model=preferred, tokenizer=tokenizer, texts=reporting)
    rewarded = store.run(grpo, cfg.grpo, label="grpo/model", init=preferred, tokenizer=tokenizer, data=chats)
    store.run(evaluate, in_chat, label="grpo/scores", model=rewarded, tokenizer=tokenizer, texts=reporting)

    store.run(converse, cfg.talk, label="talk", model=rewarded, tokenizer=tokenizer)

    # Out of the house, proven equal to what was trained; a research model stays here.
    if cfg.model.research is None:
        store.run(export, cfg.export, label="export", model=rewarded, tokenizer=tokenizer)


def scale(*, tokens: int, conversations: int, written_bytes: int, items: int, **changes: Any) -> Config:
    """One scale: everything grows with the tokens of pre-training and the conversations."""
    vocabulary = 2048
    gentle = OptimConfig(
        kind="adamw", lr=1e-4, embedding_lr=1e-4, norm_lr=1e-4, weight_decay=0.0, skip_deviations=0.0
    )
    cfg = Config(
        web=PydocConfig(max_bytes=5_000_000),
        code=StdlibConfig(max_bytes=written_bytes),
        written={
            "textbooks": SyntheticConfig(domain="textbooks", bytes=written_bytes),
            "stories": SyntheticConfig(domain="stories", bytes=written_bytes // 2),
            "mathematics": SyntheticConfig(domain="mathematics", bytes=written_bytes),
            "exercises": SyntheticConfig(domain="code_exercises", bytes=written_bytes // 2),
            "recitation": SyntheticConfig(domain="recitation", bytes=written_bytes // 2),
        },
        conversations=ConversationsConfig(
            count=conversations,
            shares={
                "everyday": 0.12,
                "system": 0.06,
                "instructions": 0.15,
                "rewriting": 0.16,
                "summarising": 0.08,
                "tools": 0.10,
                "reading": 0.05,
                "mathematics": 0.18,
                "code": 0.05,
                "knowledge": 0.05,
            },
        ),
        held_out=HoldOutConfig(items=items * 5 // 3, share=0.05),
        quality=QualityConfig(texts_per_source=150),
        curation={
            "web": CurateConfig(domain="web", min_score=1.0),
            "code": CurateConfig(domain="code", min_score=1.0),
            "textbooks": CurateConfig(domain="textbooks"),
            "stories": CurateConfig(domain="stories"),
            "mathematics": CurateConfig(domain="mathematics"),
            "exercises": CurateConfig(domain="exercises"),
            # Lists of words and invented names are of no language.
            "recitation": CurateConfig(domain="recitation", languages=()),
        },
        chat_corpus=ChatCorpusConfig(max_bytes=written_bytes),
        tokenizer=TokenizerConfig(vocabulary=vocabulary, sample_bytes=6_000_000),
        model=ModelConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=1024,
            initializer_range=0.08,
        ),
        phases=(
            Phase(name="stable 1", tokens=tokens * 3 // 10),
            Phase(name="stable 2", tokens=tokens * 3 // 10),
            Phase(name="decay", tokens=tokens * 4 // 10),
        ),
        schedule=ScheduleConfig(kind="wsd", warmup_share=0.02, decay_share=0.4, floor=0.02),
        batch_tokens=2048,
        length=256,
        mixing=ChooseMixtureConfig(
            # Recitation first: what copies from the context learns everything else faster.
            base={
                "recitation": 0.28,
                "chat": 0.24,
                "textbooks": 0.12,
                "mathematics": 0.15,
                "stories": 0.07,
                "exercises": 0.06,
                "web": 0.04,
                "code": 0.04,
            },
            taught_by={
                "knowledge": ("textbooks",),
                "mathematics": ("mathematics",),
                "code": ("exercises",),
                "instructions": ("chat",),
                "rewriting": ("chat", "recitation"),
                "summarising": ("chat",),
                "tools": ("chat", "recitation"),
            },
        ),
        measuring=MeasureConfig(),
        evaluation=EvaluateConfig(items_per_skill=items),
        sft=SftConfig(
            epochs=1, batch_tokens=4096, optim=OptimConfig(lr=0.005, embedding_lr=0.0015, norm_lr=0.0015)
        ),
        pairs=SamplePairsConfig(prompts=240, answers=4, max_new_tokens=48),
        dpo=DpoConfig(optim=gentle),
        grpo=GrpoConfig(rounds=12, questions=12, group=6, max_new_tokens=48, optim=gentle),
        export=ExportConfig(name="smolforge-quickstart"),
    )
    return replace(cfg, **changes)


def research(cfg: Config) -> Config:
    """The same with what learns faster but no other program can run, as many numbers in its layers."""
    width = cfg.model.intermediate_size * 3 // 2  # one matrix less, each half as wide again
    return replace(cfg, model=replace(cfg.model, intermediate_size=width, research=Research()))


DEMO = scale(tokens=3_500_000, conversations=25_000, written_bytes=2_300_000, items=120)
SCALES = {
    "demo": DEMO,
    "tiny": scale(
        tokens=200_000,
        conversations=800,
        written_bytes=300_000,
        items=20,
        web=PydocConfig(max_bytes=600_000, packages=()),
        pairs=SamplePairsConfig(prompts=40, answers=4),
        grpo=GrpoConfig(rounds=3, questions=8, group=4),
    ),
    "research": research(DEMO),
}
