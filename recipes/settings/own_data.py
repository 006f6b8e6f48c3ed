"""Settings of `own_data`: what can be set, and its scale."""

from __future__ import annotations

from smolforge.align.stages import DpoConfig, GrpoConfig, SamplePairsConfig, SftConfig
from smolforge.config import config
from smolforge.data.clean.stages import ChatCorpusConfig, HoldOutConfig, QualityConfig
from smolforge.data.read.stages import JoinConfig
from smolforge.device.stages import ExportConfig
from smolforge.evals.stages import EvaluateConfig
from smolforge.mix.stages import ChooseMixtureConfig, MeasureConfig
from smolforge.text.stages import TokenizerConfig
from smolforge.train.config import Compute, OptimConfig
from smolforge.written.stages import ConversationsConfig, SyntheticConfig


@config
class Config:
    """Settings of a run on one's own data.

    data           the folder
    minutes        all the time there is, from raw files to chat
    web_rules      rules for your pages: `reference` is mild; for pages of the web at large, `fineweb` as published
    benchmarks     a folder of public benchmark files to score against at the end; none when empty
    conversations  general conversations of our own, beside those in the folder, so that the model can talk
    textbooks      pages of ours from which, beside the folder's, educational value is learned
    recitation     exercises in copying from the context, which rewriting and tool calls stand on
    chats, prefer  how many of the folder's conversations and pairs are used at most
    compute        number type of pre-training, and of measuring its rate; the tunings have their own
    """

    data: str = ""
    minutes: float = 50.0
    benchmarks: str = ""
    conversations: ConversationsConfig = ConversationsConfig(count=12_000)
    held_out: HoldOutConfig = HoldOutConfig(
        items=100, skills=("instructions", "rewriting", "summarising", "tools")
    )
    quality: QualityConfig = QualityConfig(texts_per_source=200)
    languages: tuple[str, ...] = ("en",)
    web_rules: tuple[str, ...] = ("reference",)
    min_score: float = 0.5
    chat_corpus: ChatCorpusConfig = ChatCorpusConfig()
    textbooks: SyntheticConfig = SyntheticConfig(domain="textbooks", bytes=200_000)
    recitation: SyntheticConfig = SyntheticConfig(domain="recitation", bytes=1_500_000)
    chats: JoinConfig = JoinConfig(most=12_000)
    prefer: JoinConfig = JoinConfig(most=500)
    tokenizer: TokenizerConfig = TokenizerConfig()
    phases: dict[str, float]
    optim: OptimConfig = OptimConfig()
    pretrain_share: float = 0.5
    compute: Compute = "auto"
    mixing: ChooseMixtureConfig
    measuring: MeasureConfig = MeasureConfig()
    evaluation: EvaluateConfig = EvaluateConfig()
    benchmark_items: int = 200
    sft: SftConfig = SftConfig(epochs=1)
    pairs: SamplePairsConfig = SamplePairsConfig(prompts=200)
    dpo: DpoConfig = DpoConfig(epochs=1)
    grpo: GrpoConfig = GrpoConfig(rounds=20)
    export: ExportConfig = ExportConfig(name="my-model")
    seed: int = 1


SCALES = {
    "default": Config(
        phases={"stable 1": 0.3, "stable 2": 0.3, "decay": 0.4},
        mixing=ChooseMixtureConfig(
            base={
                "web": 0.1,
                "prose": 0.25,
                "code": 0.15,
                "mathematics": 0.1,
                "chat": 0.2,
                "recitation": 0.2,
            },
            taught_by={
                "instructions": ("chat",),
                "rewriting": ("chat", "recitation"),
                "summarising": ("chat",),
                "tools": ("chat", "recitation"),
            },
        ),
    )
}
