"""The device stage: a checkpoint in, files that run elsewhere out, proven to be the same model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smolforge.artifacts import Checkpoint, Corpus, DeviceModel, Facts, Tokenizer
from smolforge.config import config
from smolforge.errors import ConfigError, StageError
from smolforge.stage import Job, stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from smolforge.device.fitting_texts import Texts
    from smolforge.device.parity import Check
    from smolforge.device.quantise import FourBits
    from smolforge.model.transformer import Llama
    from smolforge.text.tokenizer import Tok


@config
class ExportConfig:
    """Which files are made, and how much they are checked.

    stored          type of the weights in the Hugging Face folder
    quantisations   GGUF files; `f32` is the one that must choose the very same tokens; none: the folder alone.
                    Those of four bits are fitted to texts (device/quantise.py)
    greedy_tokens   tokens that each prompt is continued for
    reading_tokens  positions at which whole distributions are compared
    """

    name: str = "smolforge"
    stored: Literal["float32", "bfloat16"] = "float32"
    quantisations: tuple[Literal["f32", "f16", "bf16", "q8_0", "q4_1", "q4_0"], ...] = ("f32", "f16", "q8_0")
    greedy_tokens: int = 24
    reading_tokens: int = 32

    def __post_init__(self) -> None:
        if self.quantisations and "f32" not in self.quantisations:
            raise ConfigError("`quantisations` lacks `f32`", fix="keep it: the proof of equality needs it")
        if len(set(self.quantisations)) != len(self.quantisations):
            raise ConfigError("`quantisations` names one twice", fix="name each once")
        if not 1 <= self.greedy_tokens <= 1024 or not 2 <= self.reading_tokens <= 1024:
            raise ConfigError("`greedy_tokens` or `reading_tokens` is out of range", fix="use 2 to 1024")


@stage(makes=DeviceModel, version=3)
def export(
    cfg: ExportConfig,
    job: Job,
    *,
    model: Checkpoint,
    tokenizer: Tokenizer,
    texts: Mapping[str, Corpus] | None = None,
) -> Facts:
    """Write the model for `transformers` and for llama.cpp, and prove that nothing changed on the way.

    texts   what files of four bits are fitted on and all are judged on; none: Python's reference of its language

    Writes  hf/…, model-<quantisation>.gguf, parity.json ([{"name", "passed", "detail", "worst"}]),
            loss.json ({"texts", "files": [{"file", "bytes", "perplexity", "loss": [nats a token, low, high]}]})
    Facts   checks (how many passed), hf_bytes, gguf_<quantisation>_bytes, loss_<quantisation> (nats a token)
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
    rows = _rows_of(tok, shape.max_position_embeddings, texts)
    for done, kind in enumerate(cfg.quantisations):
        job.log.progress(done, len(cfg.quantisations), "files", f"writing {kind}")
        gguf.write(
            _gguf(job.out, kind), kind, shape, weights, tok, template=tok.template_source, name=cfg.name,
            rounded=_fitted(job, trained, kind, rows) if kind == "q4_0" or kind == "q4_1" else None,
        )  # fmt: skip
    checks += _check(cfg, job, trained, tok)
    _save_checks(job.out, checks)
    return {**_facts(cfg, job.out, checks), **_judge(cfg, job, trained, rows)}


def _rows_of(tok: Tok, positions: int, texts: Mapping[str, Corpus] | None) -> Texts:
    """Texts to fit on and to judge on: of each corpus the first few documents, else a reference."""
    from itertools import islice

    from smolforge.data.read.documents import read_rows
    from smolforge.device.fitting_texts import texts_for

    if texts is None:
        return texts_for(tok, positions)
    each = max(8, DOCUMENTS_READ // max(1, len(texts)))
    given = (islice(read_rows(corpus.path, columns=["text"]), each) for corpus in texts.values())
    return texts_for(tok, positions, [row["text"] for rows in given for row in rows])


DOCUMENTS_READ = 600


def _fitted(job: Job, trained: Llama, kind: FourBits, rows: Texts) -> dict[str, NDArray[np.uint8]]:
    from smolforge.device.quantise import quantised

    def tick(done: int, of: int) -> None:
        job.log.progress(done, of, "layers", f"fitting {kind}")

    return {name: packed.rows_MB for name, packed in quantised(trained, kind, rows.fit, tick)[1].items()}


def _judge(cfg: ExportConfig, job: Job, trained: Llama, rows: Texts) -> Facts:
    """Write what each file has lost on texts that it was not fitted on, with paired 95% intervals."""
    import math

    from smolforge.device.loss import nats_of, read_back
    from smolforge.evals.stats import paired_mean_difference

    before = nats_of(trained, rows.judged)
    files: list[dict[str, object]] = []
    facts: dict[str, float] = {}
    for done, kind in enumerate(cfg.quantisations):
        job.log.progress(done, len(cfg.quantisations), "files", "what each has lost")
        nats = nats_of(read_back(_gguf(job.out, kind)), rows.judged)
        loss = paired_mean_difference(before, nats)
        bounds = [round(x, 5) if math.isfinite(x) else None for x in (loss.value, loss.low, loss.high)]
        files.append(
            {
                "file": _gguf(job.out, kind).name,
                "bytes": _gguf(job.out, kind).stat().st_size,
                "perplexity": round(math.exp(sum(nats) / len(nats)), 4),
                "loss": bounds,
            }
        )
        facts[f"loss_{kind}"] = round(loss.value, 5)
    plain = {"texts": rows.source, "rows": len(rows.judged), "files": files}
    (job.out / "loss.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    return facts


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
