"""The structure, guarded: who imports whom, no circles, how large it may be, a light start, short files.

`python tests/architecture/test_structure.py` prints the structure as it is.
"""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from structure import TOP, Structure, circles, imported, is_door, read_structure, report

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "smolforge"
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
MAY_IMPORT: dict[str, set[str]] = {
    "ground": set(),
    "frame": set(),
    "launch": {"frame"},
    "command": {
        "frame",
        "launch",
        "device",
        "device/browser",
        "evals",
        "evals/tasks",
        "kernels",
        "released",
        "report",
        "serve",
        "text",
        "train",
    },
    "data/web": set(),
    "data/read": {"data/web"},
    "data/clean": {"data/read", "data/web", "written", "text"},
    "data/tokens": set(),
    "written": {"data/read", "evals"},
    "questions": {"data/read", "data/clean", "evals"},
    "text": set(),
    "kernels": set(),
    "model": {"kernels"},
    "train": {"model", "data/tokens", "kernels"},
    "mix": {"train", "model", "data/tokens", "evals", "text"},
    "evals": {"text"},
    "evals/tasks": {"evals"},
    "align": {"train", "evals", "model", "data/tokens", "text", "kernels"},
    "adapt": {"train", "evals", "model", "data/tokens", "text"},
    "device": {"kernels", "model", "text"},
    "device/engine": {"device", "model", "text"},
    "device/browser": {"device", "device/engine", "model", "serve", "text"},
    "released": {"device", "model", "text"},
    "serve": {"device", "device/engine", "model", "text", "train"},
    "report": {"frame", "evals", "adapt"},
}
"""Which rooms the files of a room may import beside their own and `ground`. A door may import what it joins."""
MOST_LINES = {
    "ground": 950,
    "frame": 1_750,
    "launch": 1_600,
    "command": 1_600,
    "data/web": 900,
    "data/read": 2_950,
    "data/clean": 2_800,
    "data/tokens": 950,
    "written": 9_000,
    "questions": 3_500,
    "text": 1_900,
    "kernels": 4_000,
    "model": 2_200,
    "train": 3_000,
    "mix": 2_800,
    "evals": 3_900,
    "evals/tasks": 2_600,
    "align": 2_100,
    "adapt": 1_150,
    "device": 2_250,
    "device/engine": 1_700,
    "device/browser": 900,
    "released": 1_500,
    "serve": 2_675,
    "report": 3_150,
}
"""Budget of each room: lines of its code, tables and texts together."""
MOST_DEPENDENCIES = 21
"""Budget of what must be installed to run."""
RAISED_BY_DECISION = (
    "delete first; to raise the budget, say why in docs/decisions/frame.md, in the same commit"
)


@pytest.fixture(scope="module")
def structure() -> Structure:
    return read_structure(PACKAGE)


def test_every_room_stands_on_the_map(structure: Structure) -> None:
    assert set(structure.rooms) == set(MAY_IMPORT) == set(MOST_LINES)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_the_map_allows(structure: Structure, room: str) -> None:
    """Where it fails, `python tests/architecture/test_structure.py` shows all arrows."""
    assert structure.rooms[room].arrows - {"ground"} <= MAY_IMPORT[room]


def test_only_doors_and_what_stands_above_them_know_the_frame() -> None:
    assert {room for room, allowed in MAY_IMPORT.items() if "frame" in allowed} == {
        "launch",
        "command",
        "report",
    }


def test_the_map_has_no_circle() -> None:
    assert circles(MAY_IMPORT) == []


def test_no_modules_import_each_other_in_a_circle(structure: Structure) -> None:
    """Late imports count; those for types alone do not, and are printed where they close a circle."""
    assert circles(structure.real) == []


def test_doors_are_opened_from_above_alone(structure: Structure) -> None:
    """Only doors and commands import a door."""
    doors = {name for name in structure.real if name.endswith("stages")}
    opened = {name for name, others in structure.real.items() if others & doors} - doors
    assert opened <= {f"smolforge.{name}" for name, room in TOP.items() if room == "command"}


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


@pytest.mark.parametrize("room", MOST_LINES)
def test_rooms_stay_within_their_budget_of_lines(structure: Structure, room: str) -> None:
    lines = structure.rooms[room].lines
    assert lines <= MOST_LINES[room], (
        f"`{room}` has {lines} lines of {MOST_LINES[room]}: {RAISED_BY_DECISION}"
    )


def test_dependencies_stay_within_their_budget() -> None:
    names = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert len(names) <= MOST_DEPENDENCIES, (
        f"{len(names)} run-time dependencies of {MOST_DEPENDENCIES}: {RAISED_BY_DECISION}"
    )


def imports_of(path: Path, *, top_only: bool = False) -> set[str]:
    """Dotted names that a file imports; with `top_only`, not those inside functions or for types alone."""
    tree = ast.parse(path.read_text("utf-8"))
    body = (
        [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        if top_only
        else tree.body
    )
    found = imported(ast.Module(body, []))
    return {name for module, part, _ in found for name in (module, f"{module}.{part}")}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [p for p in MODULES if is_door(p)], ids=name_of)
def test_stages_import_their_engines_late(path: Path) -> None:
    heavy = {
        "torch",
        "numpy",
        "pyarrow",
        "transformers",
        "tokenizers",
        "sklearn",
        "trafilatura",
        "gguf",
        "xllamacpp",
    }
    assert not {i.split(".")[0] for i in imports_of(path, top_only=True)} & heavy


@pytest.mark.parametrize("folder", ["data", "text", "written", "questions"])
def test_data_and_text_never_import_torch(folder: str) -> None:
    for path in (PACKAGE / folder).rglob("*.py"):
        assert not {i for i in imports_of(path) if i.split(".")[0] in ("torch", "transformers")}, path.name


@pytest.mark.parametrize(
    "command", [["--help"], ["plan", "quickstart"], ["plan", "smollm2", "--scale", "1.7b"]]
)
def test_light_start(command: list[str], tmp_path: Path) -> None:
    """Help and plans answer in under 0.3 s of processor time (the best of three)."""
    best = min(_processor_seconds(["-m", "smolforge.cli", *command], tmp_path) for _ in range(3))
    assert best < 0.3


def _processor_seconds(arguments: list[str], lab: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "SMOL_LAB": str(lab)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_no_file_is_too_long() -> None:
    long = {name_of(p): n for p in MODULES if (n := len(p.read_text("utf-8").splitlines())) > 600}
    assert not long


def test_no_file_has_an_empty_name() -> None:
    forbidden = {"utils", "common", "core", "helpers", "base", "manager"}
    assert not [name_of(p) for p in PACKAGE.rglob("*") if p.stem in forbidden]


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").rglob("*.py")), ids=name_of)
def test_recipes_only_call_stages(path: Path) -> None:
    """A recipe opens no file and reads no artifact: what it knows is its config."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Attribute) and node.attr in ("path", "facts", "digest")), (
            ast.unparse(node)
        )
        assert not (isinstance(node, ast.Name) and node.id == "open")
    for module, part, _ in imported(tree):
        inside = module.split(".")[1:] if module.startswith("smolforge.") else []
        if inside and (PACKAGE / inside[0]).is_dir():
            assert inside[-1] == "config" or inside[-1].endswith("stages"), f"{module}.{part}"


RECIPE_LINES = {"adapt": 170, "own_data": 195}
"""Where 150 do not do, or are yet to be reached."""


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.py")), ids=name_of)
def test_a_recipe_is_about_a_page(path: Path) -> None:
    """The flow is read in one sitting; long settings stand in `recipes/settings`."""
    assert len(path.read_text("utf-8").splitlines()) <= RECIPE_LINES.get(path.stem, 150)


if __name__ == "__main__":
    print(report(read_structure(PACKAGE)))
