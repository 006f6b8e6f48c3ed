"""The structure, guarded: who imports whom, a light start, short files."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "smolforge"
FRAME = {"stage", "store", "artifacts", "recipe", "cli", "plan", "run"}
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))
MAY_IMPORT: dict[str, set[str]] = {
    "data/web": set(),
    "data/read": {"data/web"},
    "data/clean": {"data/read", "data/web", "written", "text"},
    "data/tokens": set(),
    "written": {"data/read", "evals"},
    "questions": {"data/read", "data/clean", "evals"},
    "text": set(),
    "kernels": set(),
    "model": {"kernels"},
    "train": {"model", "data/tokens", "kernels", "text"},
    "mix": set(),
    "evals": {"text"},
    "align": {"train", "evals", "model", "data/tokens", "text", "kernels"},
    "adapt": {"train", "evals", "model", "data/tokens", "text"},
    "device": {"model", "text"},
    "released": {"device", "model", "text"},
}
"""Which rooms the engines of a room may import beside its own; its door (`stages.py`) joins rooms and may import any."""


def imports_of(path: Path, *, top_only: bool = False) -> set[str]:
    """Dotted names that a file imports; those under `if TYPE_CHECKING` do not count."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room_of(module: str) -> str:
    """`smolforge.data.read.hub` → `data/read`; outside the rooms, the module's own name."""
    parts = module.split(".")[1:]
    return "/".join(parts[:2]) if "/".join(parts[:2]) in MAY_IMPORT else parts[0]


def room_of_file(path: Path) -> str:
    return room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_engines_do_not_know_the_frame(path: Path) -> None:
    if room_of_file(path) not in MAY_IMPORT or path.name.endswith("stages.py"):
        return
    frame = {f"smolforge.{name}" for name in FRAME}
    assert not {i for i in imports_of(path) if i in frame}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_folders_import_only_what_the_map_allows(path: Path) -> None:
    room = room_of_file(path)
    if room not in MAY_IMPORT or path.name.endswith("stages.py"):
        return
    rooms = {room_of(i) for i in imports_of(path) if i.startswith("smolforge.")}
    assert not {r for r in rooms if r in MAY_IMPORT} - MAY_IMPORT[room] - {room}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*stages.py")), ids=name_of)
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


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.py")), ids=name_of)
def test_recipes_only_call_stages(path: Path) -> None:
    """A recipe opens no file and reads no artifact: what it knows is its config."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Attribute) and node.attr in ("path", "facts", "digest")), (
            ast.unparse(node)
        )
        assert not (isinstance(node, ast.Name) and node.id == "open")
    for name in imports_of(path):
        if name.startswith("smolforge.") and (room := room_of(name)) in MAY_IMPORT:
            assert name.split(".")[2 + room.count("/")] in ("stages", "config"), name
