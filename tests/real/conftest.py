"""What the tests of the real model share: one user's cache, working folder and lab, and one exported folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from real_model import NAME, User

from smolforge.released.cache import cache_folder


@pytest.fixture(scope="session")
def user(real_model: Path) -> Iterator[User]:
    """A user who has just pulled the model. All of it is removed at the end: exports take two gigabytes."""
    with TemporaryDirectory(prefix="smol-real-") as root:
        made = User(folder=Path(root) / "work", cache=Path(root) / "cache")
        made.folder.mkdir()
        made.cache.mkdir()
        for built in cache_folder().parent.glob("kernels-*"):
            shutil.copy(built, made.cache)  # compiled already, and the same for every user of this machine
        made.smol("pull", NAME, "--from", real_model)
        yield made


@pytest.fixture(scope="session")
def exported(user: User) -> Path:
    """The model as `smol export` writes it: `hf`, `model-*.gguf`, `parity.json`."""
    user.smol("export", NAME, "exported")
    return user.folder / "exported"


@pytest.fixture(scope="session")
def gguf_file(real_model: Path, request: pytest.FixtureRequest) -> Path:
    """A file for llama.cpp: the real one, or what was exported where the real model is a folder."""
    if real_model.is_file():
        return real_model
    return Path(request.getfixturevalue("exported")) / "model-f32.gguf"
