"""Settings of `adapt`: what can be set, and the scales."""

from __future__ import annotations

from smolforge.adapt.stages import (
    AdaptBudgetConfig,
    AdaptMixtureConfig,
    KeepBestConfig,
    RehearseConfig,
    SideBySideConfig,
)
from smolforge.align.stages import DpoConfig, SftConfig
from smolforge.config import check_settled_above, config
from smolforge.data.clean.stages import HoldOutConfig
from smolforge.data.read.stages import JoinConfig, PydocConfig
from smolforge.device.stages import ExportConfig
from smolforge.errors import ConfigError
from smolforge.evals.stages import EvaluateConfig
from smolforge.questions.stages import (
    DocumentChatsConfig,
    DocumentFactsConfig,
    DocumentItemsConfig,
    HoldOutDocumentsConfig,
)
from smolforge.train.config import Compute, OptimConfig, ScheduleConfig
from smolforge.train.stages import PretrainConfig

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

    def rehearsal(self, per_minute: float, share: float) -> RehearseConfig:
        """So much for every minute there is, in no more than a share of them."""
        count = max(4, round(per_minute * min(self.minutes, MOST_REHEARSED_MINUTES)))
        return RehearseConfig(count=count, minutes=share * self.minutes, compute=self.compute, seed=self.seed)


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
