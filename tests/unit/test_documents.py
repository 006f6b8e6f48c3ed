"""Every command that README and documents show is one that `smol` takes, and every file they point to is there.

What the commands do is tested where it belongs; here a renamed option or setting, or a moved file, is found at once.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from smolforge.cli import main
from smolforge.recipe import load_recipe

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = re.compile(r"^    (smol .+)$|`(smol [a-z_]+ [^`]*)`", re.MULTILINE)
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
FROM_ELSEWHERE = ("http", "#")


def commands() -> list[tuple[str, str]]:
    found = []
    for file in DOCUMENTS:
        for shown, told in NAMED.findall(file.read_text("utf-8")):
            for command in (shown or told).partition("#")[0].split("&&"):
                if command.strip().startswith("smol "):
                    found.append((str(file.relative_to(ROOT)), " ".join(command.split())))
    return found


@pytest.mark.parametrize(("file", "command"), commands())
def test_commands_are_taken(file: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The verb is there and so are its options; a recipe is there and so are its settings."""
    if "…" in command or "VERB" in command:
        pytest.skip("a pattern, no command")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER").mkdir()
    name, *arguments = shlex.split(command)[1:]
    verb = main.commands.get(name)
    assert verb is not None, f"{file}: smol has no verb {name}"
    try:
        taken = verb.make_context(name, arguments)
    except click.exceptions.Exit:  # --help
        return
    if "recipe" in taken.params and taken.params["recipe"] != "mine":
        recipe = load_recipe(taken.params["recipe"])
        recipe.configured(taken.params["scale"], taken.params["settings"])


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8")):
        if not target.startswith(FROM_ELSEWHERE):
            assert (file.parent / target.partition("#")[0]).exists(), target


def test_targets_of_make_are_there() -> None:
    there = set(TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    for file in DOCUMENTS[:2]:
        for target in re.findall(r"(?:^    |`)make ([a-z]+)", file.read_text("utf-8"), re.MULTILINE):
            assert target in there, f"{file.name}: make {target}"


def test_recipes_are_listed_a_broken_one_among_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mine.py").write_text("def recipe(store, cfg):\n    broken(\n")
    done = CliRunner().invoke(main, ["recipes"])
    assert done.exit_code == 0
    assert "mine         cannot be loaded" in done.output
    assert "quickstart   Build a small model" in done.output and "scales: demo, tiny, research" in done.output
