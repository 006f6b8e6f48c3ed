"""The real SmolLM2-135M-Instruct, for tests that need it, and a user of `smol` who has nothing yet.

It is looked for in `$SMOL_REAL_MODEL` (a .gguf file or a model folder), then in the cache of `smol pull`. Tests
never download it: `smol pull smollm2-135m-instruct` does, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from smolforge.released.cache import find
from smolforge.released.places import model_place

NAME = "smollm2-135m-instruct"
VARIABLE = "SMOL_REAL_MODEL"


def find_real_model() -> Path | None:
    """Its .gguf file or folder, or None. A place that is named and holds no model fails the test: skipping would hide it."""
    if named := os.environ.get(VARIABLE):
        place = model_place(Path(named).expanduser().absolute())
        if place is None:
            pytest.fail(f"{VARIABLE} is {named}, which is no .gguf file and no model folder", pytrace=False)
        return place
    pulled = find(NAME)
    return pulled.path if pulled is not None else None


@dataclass(frozen=True)
class User:
    """Somebody with a working folder, a cache of pulled models, and no network."""

    folder: Path
    cache: Path

    @property
    def lab(self) -> Path:
        """Where `smol` keeps what it makes when nothing else is said."""
        return self.folder / "lab"

    @property
    def environment(self) -> dict[str, str]:
        """That of the tests, without what would lead to another lab or to a network."""
        kept = {name: value for name, value in os.environ.items() if name != "SMOL_LAB"}
        return {**kept, "SMOL_CACHE": str(self.cache), "SMOL_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}

    def command(self, *words: str | Path) -> list[str]:
        """`smol` with these words, as a process is started with them."""
        return [sys.executable, "-m", "smolforge.cli", *map(str, words)]

    def smol(self, *words: str | Path, said: str = "") -> str:
        """What `smol` prints; `said` comes to it through a pipe."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            input=said,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout
