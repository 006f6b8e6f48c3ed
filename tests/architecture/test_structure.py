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
ENGINE_FOLDERS = ("data", "text", "model", "train", "mix", "align", "evals", "device", "kernels", "released")
MAY_IMPORT = {
    "data": {"data", "text", "evals"},
    "text": {"text", "data"},
    "kernels": {"kernels"},
    "model": {"model", "kernels", "evals"},
    "train": {"train", "model", "data", "kernels", "text"},
    "mix": {"mix", "data"},
    "evals": {"evals", "model", "text", "data"},
    "align": {"align", "train", "evals", "model", "data", "text", "kernels"},
    "device": {"device", "model", "text", "evals"},
    "released": {"released", "device", "model", "text"},
}


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


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_engines_do_not_know_the_frame(path: Path) -> None:
    folder = path.relative_to(PACKAGE).parts[0]
    if folder not in ENGINE_FOLDERS or path.name.endswith("stages.py"):
        return
    frame = {f"smolforge.{name}" for name in FRAME}
    assert not {i for i in imports_of(path) if i in frame}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_folders_import_only_what_the_map_allows(path: Path) -> None:
    folder = path.relative_to(PACKAGE).parts[0]
    if folder not in MAY_IMPORT or path.name.endswith("stages.py"):
        return
    parts = {i.split(".")[1] for i in imports_of(path) if i.startswith("smolforge.")}
    assert not {p for p in parts if p in ENGINE_FOLDERS} - MAY_IMPORT[folder]


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/*stages.py")), ids=name_of)
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


@pytest.mark.parametrize("folder", ["data", "text"])
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
    engines = {f"smolforge.{f}" for f in ENGINE_FOLDERS}
    for name in imports_of(path):
        if any(name.startswith(e + ".") for e in engines):
            assert name.split(".")[2] in ("stages", "config"), name
