"""The files of a released model: which are taken, and whether they are whole and what they should be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.errors import InputError

Say = Callable[[str], None]
Progress = Callable[[float, float | None, str, str], None]

TAKEN = re.compile(
    r"config\.json|generation_config\.json|tokenizer[\w.-]*\.json|special_tokens_map\.json|vocab\.json"
    r"|merges\.txt|chat_template\.(jinja|json)|LICENSE[\w-]*(\.(txt|md))?|\w[\w.-]*\.safetensors(\.index\.json)?"
)
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
INDEX = "model.safetensors.index.json"
MOST_JSON_BYTES = 64 << 20
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Taken:
    """What a source gave: a folder on the cache's disk, its files' SHA-256, and where they came from."""

    folder: Path
    digests: Mapping[str, str]
    revision: str
    where: str


class Unavailable(InputError):
    """A source cannot give the model today; another may."""


def sha256_of(file: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def copy(read: Callable[[int], bytes], target: Path, size_bytes: int, note: str, progress: Progress) -> str:
    """Write what `read` gives, never more than `size_bytes`; gives its SHA-256."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while block := read(BLOCK_BYTES):
            if out.tell() + len(block) > size_bytes:
                raise InputError(f"{target.name} is longer than the {size_bytes} bytes it should have")
            out.write(block)
            digest.update(block)
            progress(out.tell(), size_bytes, "bytes", note)
    return digest.hexdigest()


def git_blob(file: Path) -> str:
    """The digest by which git knows the file's content."""
    digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    with file.open("rb") as data:
        while block := data.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def refuse_incomplete(taken: Collection[str], names: Iterable[str], where: str) -> None:
    """Refuse a model without safetensors (saying what its weights are in), `config.json` or `tokenizer.json`."""
    for name in ("config.json", "tokenizer.json"):
        if name not in taken:
            raise InputError(f"there is no {name}", where=where, fix="the folder or release is incomplete")
    if any(name.endswith(".safetensors") for name in taken):
        return
    pickles = [name for name in names if name.endswith(PICKLES)]
    if pickles:
        raise InputError(
            f"the weights are in `{pickles[0]}`, a pickle, which can run code when opened; there are no safetensors",
            where=where,
            fix="use a release with safetensors; pickles are never taken here",
        )
    raise InputError(
        "there are no safetensors", where=where, fix="name a folder or release that holds a model"
    )


def check_folder(folder: Path, names: Iterable[str], family: str) -> None:
    """Refuse a folder that is not a whole model of this family: `model_type`, and every shard to its end."""
    from safetensors import SafetensorError, safe_open

    names = set(names)
    kind = _json(folder / "config.json").get("model_type")
    if kind != family:
        raise InputError(
            f"this is a `{kind}` model, not a `{family}` one", where=str(folder), fix="name the right folder"
        )
    shards = {"model.safetensors"}
    if INDEX in names and "model.safetensors" not in names:
        named = _json(folder / INDEX).get("weight_map")
        shards = {str(shard) for shard in named.values()} if isinstance(named, dict) else set()
    if not shards or not shards <= names:
        missing = ", ".join(sorted(shards - names)[:3]) or f"what {INDEX} names"
        raise InputError(f"weights are missing: {missing}", where=str(folder), fix="get the whole release")
    for name in sorted(n for n in names if n.endswith(".safetensors")):
        try:
            with safe_open(str(folder / name), framework="np"):
                continue
        except SafetensorError as error:
            raise InputError(f"{name} is not a whole safetensors file ({error})", where=str(folder)) from None


def _json(file: Path) -> dict[str, Any]:
    with file.open("rb") as data:
        text = data.read(MOST_JSON_BYTES + 1)
    try:
        plain = json.loads(text) if len(text) <= MOST_JSON_BYTES else None
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        raise InputError(f"{file.name} is no JSON object of a bearable size", where=str(file))
    return plain
