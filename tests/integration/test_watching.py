"""What a person sees of a run: while it goes, when it stops, at its end, and afterwards."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from smolforge.cli import main
from smolforge.log import Log
from smolforge.models import _kept
from smolforge.recipe import load_recipe
from smolforge.show import Look, _table
from smolforge.store import Store, read_labels

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


def test_a_finished_run_says_what_it_took_and_what_to_type(place: Path) -> None:
    told = smol("run", "words.py").output
    assert "words is complete: 2 artifacts" in told and "on disk" in told
    assert "smol report words --open" in told
    assert "1 of 2 · words" in told and "documents 3" in told


def test_show_says_state_date_size_and_facts(place: Path) -> None:
    smol("run", "words.py")
    smol("run", "words.py", "--name", "again", "--set", "stops=broken")
    runs = smol("show").output.splitlines()
    assert runs[0].split()[:4] == ["again", "stopped", "at", "end"] and runs[1].split()[1] == "complete"
    line = smol("show", "words").output.splitlines()[0]
    assert re.match(r"words  20\d\d-\d\d-\d\d \d\d:\d\d  .*s +\d+ B +documents 3, bytes 18$", line), line
    assert "again is stopped at end; its command goes on from there" in smol("show", "again").output
    assert "made     20" in smol("show", "words/words").output


def test_a_run_that_made_nothing_is_shown(place: Path) -> None:
    (place / "lab" / "runs" / "early").mkdir(parents=True)
    assert "early" in smol("show").output and "not begun" in smol("show").output
    assert smol("show", "early").output.startswith("nothing is made yet\nearly is not begun")


def test_show_fits_the_terminal() -> None:
    table = _table(
        ["label", "took"], [["a", "1s"], ["bb", "2s"]], Look(40), [[f"fact_{n} {n}" for n in range(9)], []]
    )
    assert max(map(len, table.splitlines())) <= 40 and "fact_8 8" in table
    assert _table(["label", "took"], [["a", "1s"]], Look(), [["x 1"]]) == "a      1s    x 1"


def test_smol_alone_says_how_to_begin(place: Path) -> None:
    done = smol()
    assert done.exit_code == 0 and "smol run quickstart" in done.output and "smol --help" in done.output
    assert "Commands:" in smol("--help").output


def test_a_report_is_opened(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    smol("run", "words.py")
    assert smol("report", "words").exit_code == 0 and not opened
    assert smol("report", "words", "--open").exit_code == 0
    assert opened == [(place / "lab/runs/words/report.html").resolve().as_uri()]
    monkeypatch.setattr("click.launch", lambda url: 3)
    done = smol("report", "words", "--open")
    assert done.exit_code == 1 and "no browser could be started" in done.output


def test_an_evaluation_never_takes_the_label_of_another(place: Path) -> None:
    recipe = load_recipe("words.py")
    words, ends = (recipe.function.__globals__[name] for name in ("write_words", "Words"))
    kept = []
    for count in (1, 2, 1):
        store = Store(place / "lab", "eval", log=Log(show=io.StringIO()))
        kept.append(_kept(store, words, ends(documents=count), label="m/scores-text"))
    assert kept[0].path == kept[2].path != kept[1].path
    assert list(read_labels(place / "lab/runs/eval")) == ["m/scores-text", "m/scores-text-2"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_as_the_readme_says(shell: str) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert f"{shell}_source" in readme
    script = CliRunner().invoke(main, env={"_SMOL_COMPLETE": f"{shell}_source"}, prog_name="smol").output
    assert "smol" in script and f"{shell}_complete" in script
    words = {
        "_SMOL_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "smol re",
        "COMP_CWORD": "re" if shell == "fish" else "1",
    }
    assert "recipes" in CliRunner().invoke(main, env=words, prog_name="smol").output
