"""Settings of `quickstart`: what can be set, and the scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from smolforge.align.keep_stages import KeepBestConfig
from smolforge.align.stages import DpoConfig, GrpoConfig, SamplePairsConfig, SftConfig
from smolforge.align.talk_stages import ConverseConfig
from smolforge.config import config
from smolforge.data.clean.stages import ChatCorpusConfig, CurateConfig, HoldOutConfig, QualityConfig
from smolforge.data.read.stages import PydocConfig, StdlibConfig
from smolforge.device.stages import ExportConfig
from smolforge.evals.stages import EvaluateConfig
from smolforge.mix.stages import ChooseMixtureConfig, MeasureConfig
from smolforge.model.config import ModelConfig, Research
from smolforge.text.stages import TokenizerConfig
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.written.stages import ConversationsConfig, SyntheticConfig


@config
class Phase:
    """A part of pre-training: its share of the tokens, and rates. Its mixture is decided when it begins."""

    name: str
    share: float
    optim: OptimConfig = OptimConfig()


@config
class Config:
    """Every setting of the quick start; `compute` is of pre-training, the tunings have their own.

    minutes         all the time there is; pre-training takes `pretrain_share` of it, as far as this machine comes in it
    tokens          of pre-training, whatever the machine; None: what the minutes allow
    """

    minutes: float = 10.0
    pretrain_share: float = 0.5
    tokens: int | None = None
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
    best: KeepBestConfig = KeepBestConfig()
    talk: ConverseConfig = ConverseConfig()
    export: ExportConfig
    seed: int = 1


def adamw(rate: float) -> OptimConfig:
    """One rate for all weights, none decays: what tuning after SFT takes."""
    return OptimConfig(
        kind="adamw", lr=rate, embedding_lr=rate, norm_lr=rate, weight_decay=0.0, skip_deviations=0.0
    )


def scale(*, conversations: int, written_bytes: int, items: int, **changes: Any) -> Config:
    """One scale: everything grows with the tokens of pre-training and the conversations."""
    vocabulary = 2048
    cfg = Config(
        web=PydocConfig(max_bytes=5_000_000),
        code=StdlibConfig(max_bytes=written_bytes),
        written={
            "textbooks": SyntheticConfig(domain="textbooks", bytes=written_bytes, core=True),
            "stories": SyntheticConfig(domain="stories", bytes=written_bytes * 2 // 5),
            "mathematics": SyntheticConfig(domain="mathematics", bytes=written_bytes),
            "exercises": SyntheticConfig(domain="code_exercises", bytes=written_bytes * 2 // 3),
            "recitation": SyntheticConfig(domain="recitation", bytes=written_bytes * 2 // 3),
        },
        conversations=ConversationsConfig(
            count=conversations,
            core=True,
            shares={
                "everyday": 0.10,
                "system": 0.05,
                "instructions": 0.15,
                "rewriting": 0.17,
                "summarising": 0.07,
                "tools": 0.17,
                "reading": 0.05,
                "mathematics": 0.11,
                "code": 0.07,
                "knowledge": 0.06,
            },
        ),
        held_out=HoldOutConfig(items=items, core=True, share=0.05),
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
            Phase(name="stable 1", share=0.3),
            Phase(name="stable 2", share=0.3),
            Phase(name="decay", share=0.4),
        ),
        schedule=ScheduleConfig(kind="wsd", warmup_share=0.02, decay_share=0.4, floor=0.02),
        batch_tokens=2048,
        length=256,
        mixing=ChooseMixtureConfig(
            # Recitation first: what copies from the context learns everything else faster.
            base={
                "recitation": 0.34,
                "chat": 0.22,
                "textbooks": 0.16,
                "mathematics": 0.08,
                "stories": 0.05,
                "exercises": 0.07,
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
        pairs=SamplePairsConfig(
            prompts=1_000, answers=8, max_new_tokens=64, min_margin=0.5, use_reference=False
        ),
        dpo=DpoConfig(epochs=1, optim=adamw(5e-5)),
        grpo=GrpoConfig(rounds=20, questions=64, group=8, max_new_tokens=64, partial=0.0, optim=adamw(1e-4)),
        export=ExportConfig(name="smolforge-quickstart"),
    )
    return replace(cfg, **changes)


def research(cfg: Config) -> Config:
    """The same with what learns faster but no other program can run, as many numbers in its layers."""
    width = cfg.model.intermediate_size * 3 // 2  # one matrix less, each half as wide again
    return replace(cfg, model=replace(cfg.model, intermediate_size=width, research=Research()))


DEMO = scale(conversations=25_000, written_bytes=3_000_000, items=160)
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
