"""Settings of `smollm2`: the published numbers at three scales, and a tiny one of the same flow.

Source: arXiv:2502.02737, the configurations in huggingface/smollm and huggingface/alignment-handbook.
Where the sources contradict each other or are silent, a comment says what was taken; shares of the 135M and
360M mixtures were never published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from smolforge.align.stages import DpoConfig, SamplePairsConfig, SftConfig
from smolforge.config import config
from smolforge.data.clean.stages import (
    CurateConfig,
    HoldOutConfig,
    QualityConfig,
)
from smolforge.data.read.stages import Domain, HubConfig
from smolforge.device.stages import ExportConfig
from smolforge.evals.stages import EvaluateConfig
from smolforge.mix.stages import ChooseMixtureConfig, MeasureConfig
from smolforge.model.config import ModelConfig
from smolforge.text.stages import TokenizerConfig
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.written.stages import (
    ConversationsConfig,
    SyntheticConfig,
)

B = 10**9
T = 10**12
BYTES_PER_TOKEN = 4.2
"""Of the published tokenizer on English web text; chosen, to turn published token counts into bytes."""


@config
class Phase:
    """A part of pre-training with its published mixture; the scores may move later ones within limits."""

    name: str
    tokens: int
    mixture: Mapping[str, float]


@config
class Config:
    """Every setting of one scale. A source is a data set on a hub, or a generator of ours (scale `tiny`).

    `compute` is of pre-training; the tunings have their own.
    """

    sources: Mapping[str, HubConfig | SyntheticConfig]
    rules: Mapping[str, CurateConfig]
    held_out: HoldOutConfig = HoldOutConfig(items=100)
    quality: QualityConfig = QualityConfig()
    tokenizer: TokenizerConfig
    model: ModelConfig
    phases: tuple[Phase, ...]
    optim: OptimConfig
    schedule: ScheduleConfig
    batch_tokens: int
    length: int
    compute: Compute = "auto"
    mixing: ChooseMixtureConfig
    measuring: MeasureConfig = MeasureConfig(form="text")
    chats: HubConfig | ConversationsConfig
    preferences: HubConfig | SamplePairsConfig
    sft: SftConfig
    dpo: DpoConfig
    evaluation: EvaluateConfig = EvaluateConfig()
    export: ExportConfig
    seed: int = 8


# -- sources ----------------------------------------------------------------------------------------


def hub(repo: str, tokens: float, domain: Domain, **more: Any) -> HubConfig:
    """A data set, and how much of it is taken, counted in published tokens."""
    return HubConfig(repo=repo, domain=domain, limit_bytes=int(tokens * BYTES_PER_TOKEN), **more)


SOURCES = {
    "fineweb-edu": hub("HuggingFaceFW/fineweb-edu", 1.3 * T, "web", pattern="data/*.parquet"),
    "dclm": hub("mlfoundations/dclm-baseline-1.0-parquet", 3.8 * T, "web", pattern="*.parquet"),
    "starcoderdata": hub("bigcode/starcoderdata", 250 * B, "code", text_field="content"),
    # Released as Software Heritage identifiers; the contents have to be fetched from there first.
    "stack-edu": hub("HuggingFaceTB/stack-edu", 125 * B, "code"),
    "openwebmath": hub("open-web-math/open-web-math", 12 * B, "mathematics", pattern="data/*.parquet"),
    "infimm-webmath": hub("Infi-MM/InfiMM-WebMath-40B", 40 * B, "mathematics"),
    "finemath-4plus": hub(
        "HuggingFaceTB/finemath", 10 * B, "mathematics", pattern="finemath-4plus/*.parquet"
    ),
    "infiwebmath-3plus": hub(
        "HuggingFaceTB/finemath", 20.5 * B, "mathematics", pattern="infiwebmath-3plus/*.parquet"
    ),
    "cosmopedia": hub("HuggingFaceTB/smollm-corpus", 28 * B, "prose", pattern="cosmopedia-v2/*.parquet"),
}

# -- 1.7B: four phases, arXiv:2502.02737, section 4 ---------------------------------------------------

PHASES_1700M = (
    Phase(
        name="stable 1",
        tokens=6 * T,
        mixture={"fineweb-edu": 0.54, "dclm": 0.36, "starcoderdata": 0.10},
    ),
    Phase(
        name="stable 2",
        tokens=2 * T,
        mixture={"fineweb-edu": 0.45, "dclm": 0.30, "starcoderdata": 0.20, "openwebmath": 0.05},
    ),
    Phase(
        name="stable 3",
        tokens=2 * T,
        # Mathematics is "about 10%" of OpenWebMath and InfiMM together; the split is by their sizes.
        mixture={"fineweb-edu": 0.296, "dclm": 0.444, "stack-edu": 0.16, "openwebmath": 0.023, "infimm-webmath": 0.077},
    ),
    Phase(
        name="decay",
        tokens=1 * T,
        # The 0.02% of augmented GSM8K is left out: it is made from the benchmark's training questions.
        mixture={
            "fineweb-edu": 0.232, "dclm": 0.348, "stack-edu": 0.24,
            "infiwebmath-3plus": 0.094, "finemath-4plus": 0.0452, "openwebmath": 0.0008, "cosmopedia": 0.04,
        },
    ),
)  # fmt: skip

# -- 135M and 360M: one mixture from the start; its shares were never published -----------------------

SMALL_MIXTURE = {
    "fineweb-edu": 0.40, "dclm": 0.30, "stack-edu": 0.14,
    "infimm-webmath": 0.06, "finemath-4plus": 0.05, "cosmopedia": 0.05,
}  # fmt: skip
"""Chosen, untested: the published sources of the small models in shares near the 1.7B's last phases."""


def small_phases(tokens: int) -> tuple[Phase, ...]:
    """The stable part and the decay over the last fifth, with one mixture and an evaluation between."""
    return (
        Phase(name="stable", tokens=tokens * 8 // 10, mixture=SMALL_MIXTURE),
        Phase(name="decay", tokens=tokens * 2 // 10, mixture=SMALL_MIXTURE),
    )


def published(
    model: ModelConfig,
    phases: tuple[Phase, ...],
    *,
    rate: float,
    decay_share: float,
    batch_tokens: int,
    sft_rate: float,
    chats: HubConfig,
    dpo_epochs: int,
    name: str,
    **changes: Any,
) -> Config:
    """What the three scales have in common."""
    names = list(dict.fromkeys(source for phase in phases for source in phase.mixture))
    total_tokens = sum(phase.tokens for phase in phases)
    adamw = OptimConfig(kind="adamw", lr=rate, embedding_lr=rate, norm_lr=rate, beta2=0.95, weight_decay=0.01)
    cosine = ScheduleConfig(kind="cosine", warmup_share=0.1, floor=0.0)
    cfg = Config(
        sources={n: SOURCES[n] for n in names},
        rules={n: CurateConfig(domain=SOURCES[n].domain) for n in names},
        # Sample shares of the tokenizer: the card's; the paper has code and mathematics the other way round.
        tokenizer=TokenizerConfig(vocabulary=49_152, sample_bytes=4 * 10**9, chat_share=0.0),
        model=model,
        phases=phases,
        optim=adamw,
        schedule=ScheduleConfig(
            kind="wsd", warmup_share=2000 * batch_tokens / total_tokens, decay_share=decay_share, floor=0.0
        ),
        batch_tokens=batch_tokens,
        length=2048,
        # The published mixtures were set by hand after each phase; here they stand until measuring says otherwise.
        mixing=ChooseMixtureConfig(
            base=phases[0].mixture,
            start="base",
            taught_by={
                "knowledge": ("fineweb-edu", "cosmopedia"),
                "mathematics": ("finemath-4plus", "infiwebmath-3plus", "infimm-webmath", "openwebmath"),
                "code": ("stack-edu", "starcoderdata"),
            },
            floor=0.0,
            cap=1.0,
            most_passes=9.0,  # their own: 8.3 over OpenWebMath
        ),
        chats=chats,
        preferences=HubConfig(
            repo="HuggingFaceH4/ultrafeedback_binarized", pattern="data/train_prefs-*.parquet", domain="chat"
        ),
        sft=SftConfig(
            epochs=2,
            length=8192,
            batch_tokens=128 * 8192,
            optim=replace(adamw, lr=sft_rate, embedding_lr=sft_rate, norm_lr=sft_rate),
            schedule=cosine,
        ),
        dpo=DpoConfig(
            beta=0.5,
            epochs=dpo_epochs,
            length=1024,
            pairs_per_step=128,
            nll_weight=0.0,
            optim=replace(adamw, lr=1e-6, embedding_lr=1e-6, norm_lr=1e-6),
            schedule=cosine,
        ),
        export=ExportConfig(
            name=name, stored="bfloat16", quantisations=("f32", "f16", "q8_0", "q4_0"), reading_tokens=8
        ),
    )
    return replace(cfg, **changes)


def llama(
    width: int,
    feed_forward: int,
    layers: int,
    heads: int,
    kv_heads: int,
    std: float,
    vocabulary: int = 49_152,
) -> ModelConfig:
    """A shape of the family: head width 64, tied embeddings, rotary base 10,000 during pre-training."""
    return ModelConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=64,
        max_position_embeddings=2048,
        rope_theta=10_000.0,
        initializer_range=std,
    )


SMOL_SMOLTALK = HubConfig(repo="HuggingFaceTB/smol-smoltalk", pattern="data/train-*.parquet", domain="chat")
SMOLTALK = HubConfig(repo="HuggingFaceTB/smoltalk", pattern="data/all/train-*.parquet", domain="chat")

TINY_MIXTURE = {"textbooks": 0.4, "stories": 0.2, "mathematics": 0.2, "exercises": 0.2}


def tiny() -> Config:
    """The same flow with a shape, sources and budget that any machine can run in minutes."""
    phases = (
        Phase(name="stable 1", tokens=60_000, mixture=TINY_MIXTURE),
        Phase(name="decay", tokens=40_000, mixture=TINY_MIXTURE),
    )
    generators = {
        "textbooks": "textbooks",
        "stories": "stories",
        "mathematics": "mathematics",
        "exercises": "code_exercises",
    }
    base = published(
        llama(64, 192, 2, 1, 1, 0.04, 512),
        PHASES_1700M,
        rate=3e-3,
        decay_share=0.2,
        batch_tokens=4096,
        sft_rate=1e-3,
        chats=SMOL_SMOLTALK,
        dpo_epochs=1,
        name="smollm2-tiny",
    )
    return replace(
        base,
        sources={name: SyntheticConfig(domain=kind, bytes=150_000) for name, kind in generators.items()},
        rules={name: CurateConfig(domain=cast(Domain, name)) for name in generators},
        held_out=HoldOutConfig(items=10),
        tokenizer=TokenizerConfig(vocabulary=512, sample_bytes=400_000),
        phases=phases,
        schedule=ScheduleConfig(kind="wsd", warmup_share=0.1, decay_share=0.4, floor=0.0),
        length=256,
        mixing=replace(base.mixing, base=TINY_MIXTURE, taught_by={"knowledge": ("textbooks",)}),
        chats=ConversationsConfig(count=300),
        preferences=SamplePairsConfig(prompts=20, answers=4, max_new_tokens=24),
        sft=replace(base.sft, epochs=1, length=256, batch_tokens=4096),
        dpo=replace(base.dpo, length=256, pairs_per_step=8),
        evaluation=EvaluateConfig(items_per_skill=10, text_bytes_per_domain=8000),
        export=ExportConfig(name="smollm2-tiny"),
    )


SCALES = {
    "135m": published(
        llama(576, 1536, 30, 9, 3, 0.0416667),
        small_phases(2_000_000 * 2**20),
        rate=3e-3,
        decay_share=0.20,
        batch_tokens=2**20,
        sft_rate=1e-3,
        chats=SMOL_SMOLTALK,
        dpo_epochs=2,
        name="smollm2-135m",
    ),
    "360m": published(
        llama(960, 2560, 32, 15, 5, 0.03227),
        small_phases(2_600_000 * 1_572_864),
        rate=3e-3,
        decay_share=0.20,
        batch_tokens=1_572_864,
        sft_rate=1e-3,
        chats=SMOL_SMOLTALK,
        dpo_epochs=2,
        name="smollm2-360m",
    ),
    "1.7b": published(
        llama(2048, 8192, 24, 32, 32, 0.02),
        PHASES_1700M,
        rate=5e-4,
        decay_share=0.10,
        batch_tokens=2**21,
        sft_rate=3e-4,
        chats=SMOLTALK,
        dpo_epochs=3,  # the configuration's; the paper has 2
        name="smollm2-1.7b",
        seed=42,
    ),
    "tiny": tiny(),
}
