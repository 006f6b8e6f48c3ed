"""Where a model from elsewhere lies, and what it is by its bytes. No torch here: plans and commands ask."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path

CONFIG_FILE = "config.json"
FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
         "*.safetensors", "*.safetensors.index.json")  # fmt: skip
"""Of a folder, what makes the model: notes, pictures and other formats beside it change nothing."""


def model_place(path: Path) -> Path | None:
    """`path` itself if it is a `.gguf` file or a model's folder, its `hf` folder if it is an export; else None."""
    if path.suffix == ".gguf":
        return path if path.is_file() else None
    return next((folder for folder in (path, path / "hf") if (folder / CONFIG_FILE).is_file()), None)


@functools.lru_cache(maxsize=64)
def _sha256(file: Path, size_bytes: int, changed_ns: int) -> str:
    """Of a file's bytes, read once a process while size and time stay: a run is planned before it is run."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(place: Path) -> str:
    """The digest of the files that make the model; the same for a copy elsewhere."""
    files = [place] if place.is_file() else sorted({f for pattern in FILES for f in place.glob(pattern)})
    digests = {}
    for file in files:
        stamp = file.stat()
        digests["" if place.is_file() else file.name] = _sha256(file, stamp.st_size, stamp.st_mtime_ns)
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
