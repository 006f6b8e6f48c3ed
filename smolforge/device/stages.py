"""The device stage: a checkpoint in, files that run elsewhere out, proven to be the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smolforge.artifacts import Checkpoint, DeviceModel, Facts, Tokenizer
from smolforge.config import config
from smolforge.errors import ConfigError, StageError
from smolforge.stage import Job, stage

if TYPE_CHECKING:
    from smolforge.device.parity import Check
    from smolforge.model.transformer import Llama
    from smolforge.text.tokenizer import Tok


@config
class ExportConfig:
    """Which files are made, and how much they are checked.

    stored          type of the weights in the Hugging Face folder
    quantisations   GGUF files; `f32` is the one that must choose the very same tokens; none: the folder alone
    greedy_tokens   tokens that each prompt is continued for
    reading_tokens  positions at which whole distributions are compared
    """

    name: str = "smolforge"
    stored: Literal["float32", "bfloat16"] = "float32"
    quantisations: tuple[Literal["f32", "f16", "bf16", "q8_0", "q4_0"], ...] = ("f32", "f16", "q8_0")
    greedy_tokens: int = 24
    reading_tokens: int = 32

    def __post_init__(self) -> None:
        if self.quantisations and "f32" not in self.quantisations:
            raise ConfigError("`quantisations` lacks `f32`", fix="keep it: the proof of equality needs it")
        if len(set(self.quantisations)) != len(self.quantisations):
            raise ConfigError("`quantisations` names one twice", fix="name each once")
        if not 1 <= self.greedy_tokens <= 1024 or not 2 <= self.reading_tokens <= 1024:
            raise ConfigError("`greedy_tokens` or `reading_tokens` is out of range", fix="use 2 to 1024")


@stage(makes=DeviceModel, version=2)
def export(cfg: ExportConfig, job: Job, *, model: Checkpoint, tokenizer: Tokenizer) -> Facts:
    """Write the model for `transformers` and for llama.cpp, and prove that nothing changed on the way.

    Writes  hf/…, model-<quantisation>.gguf, parity.json ([{"name", "passed", "detail", "worst"}])
    Facts   checks (how many passed), hf_bytes, gguf_<quantisation>_bytes
    Raises  StageError naming the first check that failed; MissingExtra without transformers or xllamacpp
    """
    from smolforge.device import gguf, huggingface, parity
    from smolforge.model.weights import load_config, load_model
    from smolforge.text.tokenizer import load_tokenizer

    shape, tok = load_config(model.path), load_tokenizer(tokenizer.path)
    if shape.research is not None:
        raise StageError(
            "a model with `research` is no Llama: no other program could run it",
            where=str(model.path),
            fix="train without `model.research`, or leave out the export; `smol chat` and `smol serve` run it here",
        )
    # What takes a second is proven before what takes minutes.
    hf = job.out / "hf"
    huggingface.write_tokenizer(hf, shape, tok, tokenizer.path)
    job.log.progress(0, None, "parity checks", "transformers, tokenizer")
    checks = parity.of_tokenizer(hf, tok, shape.max_position_embeddings)
    _save_checks(job.out, checks)

    trained = load_model(model.path).eval()
    huggingface.write_model(hf, trained, tok, stored=cfg.stored, name=cfg.name)
    weights = {name: weight.detach().numpy() for name, weight in trained.named_parameters()}
    for done, kind in enumerate(cfg.quantisations):
        job.log.progress(done, len(cfg.quantisations), "files", f"writing {kind}")
        gguf.write(
            _gguf(job.out, kind), kind, shape, weights, tok, template=tok.template_source, name=cfg.name
        )
    checks += _check(cfg, job, trained, tok)
    _save_checks(job.out, checks)
    return _facts(cfg, job.out, checks)


def _check(cfg: ExportConfig, job: Job, trained: Llama, tok: Tok) -> list[Check]:
    import torch

    from smolforge.device import parity
    from smolforge.device.runtime import GgufModel
    from smolforge.model.weights import load_model

    total = 1 + len(cfg.quantisations)
    job.log.progress(0, total, "parity checks", "transformers, model")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are then taken in one order on every machine's number of cores
    try:
        stored = trained if cfg.stored == "float32" else load_model(job.out / "hf").eval()
        checks = parity.of_transformers(job.out / "hf", stored, tok, reading_tokens=cfg.reading_tokens)
        for done, kind in enumerate(cfg.quantisations, 1):
            job.log.progress(done, total, "parity checks", f"llama.cpp {kind}")
            loaded = GgufModel(_gguf(job.out, kind), exact=kind == "f32")
            checks.append(parity.same_vocabulary(f"llama.cpp {kind}: same vocabulary", loaded.tok, tok))
            checks += parity.of_gguf(
                loaded, kind, trained, reading_tokens=cfg.reading_tokens, greedy_tokens=cfg.greedy_tokens
            )
    finally:
        torch.set_num_threads(threads)
    return checks


def _save_checks(out: Path, checks: list[Check]) -> None:
    """Write them down; StageError for the first that failed."""
    plain = [{"name": c.name, "passed": c.passed, "detail": c.detail, "worst": c.worst} for c in checks]
    (out / "parity.json").write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for check in checks:
        if not check.passed:
            raise StageError(
                f"the exported model is not the trained one: {check.name}",
                where=check.detail,
                fix="see parity.json",
            )


def _facts(cfg: ExportConfig, out: Path, checks: list[Check]) -> Facts:
    sizes = {f"gguf_{kind}_bytes": _gguf(out, kind).stat().st_size for kind in cfg.quantisations}
    folder = sum(file.stat().st_size for file in (out / "hf").iterdir())
    return {"checks": len(checks), "hf_bytes": folder, **sizes}


def _gguf(out: Path, kind: str) -> Path:
    return out / f"model-{kind}.gguf"
