"""What a person sees of a run: while it goes, when it stops, at its end, and afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smolforge.cli import main

RECIPE = '''
import time
from smolforge.artifacts import Corpus
from smolforge.config import config
from smolforge.errors import StageError
from smolforge.stage import stage

@config
class Config:
    stops: str = ""
    documents: int = 3

@config
class Words:
    documents: int

@config
class Ends:
    how: str

@stage(makes=Corpus, version=1)
def write_words(cfg, job):
    """Write some words."""
    (job.out / "words.txt").write_text("words " * cfg.documents)
    return {"documents": cfg.documents, "bytes": 6 * cfg.documents}

@stage(makes=Corpus, version=1)
def end_badly(cfg, job, *, words):
    """End as it was told to."""
    if cfg.how == "ctrl-c":
        raise KeyboardInterrupt
    if cfg.how:
        raise StageError("the loss is not finite")
    (job.out / "all.txt").write_text("all")
    return {"documents": 1}

SCALES = {"small": Config()}

def recipe(store, cfg):
    """Words, and an end."""
    words = store.run(write_words, Words(documents=cfg.documents), label="words")
    store.run(end_badly, Ends(how=cfg.stops), label="end", words=words)
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the recipe and an empty lab."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOL_LAB", "lab")
    (tmp_path / "words.py").write_text(RECIPE)
    return tmp_path


def smol(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="smol")


@pytest.mark.parametrize("how", ["ctrl-c", "broken"])
def test_a_stopped_run_says_where_it_stopped(place: Path, how: str) -> None:
    assert smol("run", "words.py", "--set", f"stops={how}").exit_code == {"ctrl-c": 130, "broken": 1}[how]
    page = (place / "lab" / "runs" / "words" / "report.html").read_text("utf-8")
    assert "stopped at end" in page and "working on" not in page
    assert smol("run", "words.py").exit_code == 0
    page = (place / "lab" / "runs" / "words" / "report.html").read_text("utf-8")
    assert "stopped at" not in page
