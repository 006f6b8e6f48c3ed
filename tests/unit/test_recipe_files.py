"""Recipes whose settings stand in a file of their own: loaded from the right folder, copied whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from smolforge.cli import main
from smolforge.errors import ConfigError
from smolforge.launch.task import _module
from smolforge.recipe import load_recipe

SETTINGS = """
from __future__ import annotations
from smolforge.config import config

@config
class Config:
    count: int = {count}

SCALES = {{"default": Config()}}
"""
RECIPE = """
from settings.two import SCALES, Config

def recipe(store, cfg: Config) -> None:
    "Two files."
"""


def _write(folder: Path, count: int) -> Path:
    (folder / "settings").mkdir(parents=True)
    (folder / "settings" / "two.py").write_text(SETTINGS.format(count=count), "utf-8")
    (folder / "two.py").write_text(RECIPE, "utf-8")
    return folder / "two.py"


def test_each_recipe_has_the_settings_beside_it(tmp_path: Path) -> None:
    """Two of one name in one process, in either order, and what was loaded before stays as it was."""
    first, second = _write(tmp_path / "a", 3), _write(tmp_path / "b", 5)
    before = {name for name in sys.modules if name.split(".")[0] == "settings"}
    for path, count in ((first, 3), (second, 5), (first, 3)):
        loaded = load_recipe(str(path))
        assert loaded.configured(None, []).count == count
        assert loaded.configured(None, ["count=9"]).count == 9
    assert {name for name in sys.modules if name.split(".")[0] == "settings"} == before


def test_a_worker_finds_the_settings_too(tmp_path: Path) -> None:
    """Other processes load a recipe's own stages by file."""
    path = _write(tmp_path, 4)
    module = _module("smolforge_recipe_two_of_a_worker", str(path))
    assert module.Config().count == 4


def test_a_mistake_in_the_settings_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, 3)
    (tmp_path / "settings" / "two.py").write_text("SCALES = Missing()\n", "utf-8")
    with pytest.raises(ConfigError, match=r"cannot be loaded.*Missing"):
        load_recipe(str(path))


def test_new_copies_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["new", "mine", "--like", "adapt"])
    assert done.exit_code == 0, done.output
    assert "recipes/mine.py and recipes/settings/mine.py" in done.output
    assert "from settings.mine import" in (tmp_path / "recipes" / "mine.py").read_text("utf-8")
    loaded = load_recipe("mine")
    assert loaded.path.resolve() == tmp_path.resolve() / "recipes" / "mine.py"
    assert loaded.configured("tiny", ["minutes=2"]).minutes == 2
    again = CliRunner().invoke(main, ["new", "mine", "--like", "adapt"])
    assert again.exit_code == 1 and "exists already" in again.output
