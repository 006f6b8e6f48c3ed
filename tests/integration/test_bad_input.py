"""What users get wrong: one clear message, a non-zero exit, no traceback, nothing finished lost."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolforge.data.clean.stages import CurateConfig, curate
from smolforge.data.read.stages import FolderConfig, own_folder
from smolforge.errors import InputError
from smolforge.evals.stages import benchmarks_in, load_benchmarks
from smolforge.exporting import _copy_whole
from smolforge.log import Log
from smolforge.store import Store

ROOT = Path(__file__).resolve().parents[2]


def smol(*arguments: str, lab: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SMOL_LAB": str(lab)}
    command = [sys.executable, "-m", "smolforge.cli", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def refused(done: subprocess.CompletedProcess[str], *says: str) -> None:
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    assert "next:" in done.stderr
    for words in says:
        assert words in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "quickstart", "--set", "phases.0.shar=1"], ["phases.0.shar", "did you mean `share`"]),
        (["plan", "quickstart", "--set", "tokens=many"], ["many", "not a count"]),
        (["run", "quickstart", "--set", "mixing.base.web=0.09"], ["add up to 1.05", "web 0.09"]),
        (["run", "quickstart", "--scale", "huge"], ["no scale `huge`", "demo"]),
        (["run", "nothing"], ["no recipe `nothing`", "quickstart"]),
        (["run", "adapt", "--set", "minutes=nan"], ["`minutes` is `nan`", "write a number"]),
        (["run", "adapt", "--set", "best.most_forgotten=inf"], ["`best.most_forgotten` is `inf`"]),
        (
            ["eval", "x", "--benchmarks", "tests", "--tasks", "arc_esy"],
            ["no benchmark `arc_esy`", "did you mean `arc_easy`"],
        ),
        (["chat", "x", " "], ["the question is empty"]),
        (["run", "own_data"], ["`data` is not set"]),
        (["run", "own_data", "--set", "data=/no/such/folder"], ["does not exist", "/no/such/folder"]),
        (["run", "quickstart", "--shard", "2"], ["1 process cannot be split into groups of 2"]),
        (
            ["run", "quickstart", "--on", "torchrun", "--processes", "2", "--shard", "3"],
            ["2 processes cannot"],
        ),
        (["run", "quickstart", "--device", "gpu"], ["no device `gpu`"]),
        (["show", "nothing/at/all"], ["no artifact"]),
        (["diff", "one", "two"], ["no run `one`"]),
        (["chat", "nothing"], ["nothing"]),
        (["chat", "no-such-file.gguf"], ["no file"]),
        (["export", "nothing", "out"], ["nothing"]),
        (["report", "nothing"], ["no run `nothing`"]),
        (["new", "not-a-name"], ["not-a-name"]),
        (["run", "quickstart", "--from", "no-such-file.json"], ["no saved config"]),
    ],
)
def test_a_mistake_is_named(arguments: list[str], says: list[str], lab: Path) -> None:
    refused(smol(*arguments, lab=lab), *says)


def test_a_file_is_no_folder(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("some words")
    refused(
        smol("run", "own_data", "--set", f"data={tmp_path / 'notes.md'}", lab=lab),
        "this is a file, not a folder",
    )


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipes").write_text("no folder")
    command = [sys.executable, "-m", "smolforge.cli", "new", "mine"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    refused(done, "recipes")


def test_a_folder_of_gguf_files(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "model-q8_0.gguf").write_bytes(b"GGUF")
    refused(smol("chat", str(tmp_path), lab=lab), "damaged", "model-q8_0.gguf")  # the only one is meant
    (tmp_path / "model-f32.gguf").write_bytes(b"GGUF")
    told = smol("chat", str(tmp_path), lab=lab)
    refused(told, "several models", "model-q8_0.gguf", "model-f32.gguf")


def test_a_lab_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    refused(
        smol("run", "quickstart", "--scale", "tiny", lab=tmp_path / "taken" / "lab"),
        "lab folder cannot be made",
    )


def test_benchmarks_are_asked_for_by_their_files(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "arc_easy.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="no benchmark that is known") as refusal:
        Store(lab, "eval").run(load_benchmarks, benchmarks_in(tmp_path), label="benchmarks")
    assert "arc_easy (arc/ARC-Easy-test.jsonl)" in refusal.value.fix


def test_a_model_is_exported_whole_or_not_at_all(tmp_path: Path) -> None:
    source, taken = tmp_path / "export", tmp_path / "taken"
    source.mkdir()
    (source / "model.gguf").write_text("weights")
    taken.write_text("")
    with pytest.raises(InputError, match="cannot be written there"):
        _copy_whole(source, taken / "model", None)
    (tmp_path / "empty").mkdir()
    _copy_whole(source, tmp_path / "empty", None)
    assert (tmp_path / "empty" / "model.gguf").read_text() == "weights"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "export", "taken"]


def test_what_is_left_out_is_named(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7\x00\x01")
    (tmp_path / "notes.md").write_text("Some words that can be read. " * 40)
    shown = io.StringIO()
    made = Store(lab, "t", log=Log(show=shown)).run(own_folder, FolderConfig(path=str(tmp_path)), label="raw")
    assert "paper.pdf (this PDF cannot be read" in shown.getvalue()
    assert str(made.path / "skipped.jsonl") in shown.getvalue() and (made.path / "skipped.jsonl").is_file()


def test_where_most_of_a_folder_is_dropped_that_is_said(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "drill.txt").write_text("The same words again and again and again. " * 2000)
    shown = io.StringIO()
    store = Store(lab, "t", log=Log(show=shown))
    raw = store.run(own_folder, FolderConfig(path=str(tmp_path)), label="raw")
    store.run(curate, CurateConfig(domain="prose", may_be_empty=True), label="corpus", raw=raw)
    assert "of prose only" in shown.getvalue() and "dropped by" in shown.getvalue()


def test_a_folder_with_nothing_to_read(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    refused(smol("run", "own_data", "--set", f"data={tmp_path / 'data'}", lab=lab), str(tmp_path / "data"))


def test_a_web_archive_that_cannot_be_read(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "crawl.warc.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(range(256)) * 20)
    done = smol("run", "own_data", "--set", f"data={tmp_path / 'data'}", lab=lab)
    refused(done, "crawl.warc.gz")


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        ({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 8}, b""),
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, b"not safetensors"),
        ("no json", b""),
    ],
)
def test_a_model_folder_from_elsewhere(config: object, weights: bytes, lab: Path, tmp_path: Path) -> None:
    text = config if isinstance(config, str) else json.dumps(config)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(text)
    (tmp_path / "model" / "model.safetensors").write_bytes(weights)
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    refused(smol("chat", str(tmp_path / "model"), lab=lab), str(tmp_path / "model"))


def test_a_model_larger_than_memory(lab: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "huge.py"
    recipe.write_text(
        "from smolforge.artifacts import Checkpoint\n"
        "from smolforge.config import config\n"
        "from smolforge.stage import stage\n"
        "@config\n"
        "class Config:\n"
        "    numbers: int = 2**50\n"
        "@stage(makes=Checkpoint, version=1)\n"
        "def fill(cfg: Config, job) -> dict:\n"
        '    """Take more memory than there is."""\n'
        "    import torch\n"
        "    torch.zeros(cfg.numbers)\n"
        "    return {}\n"
        "def recipe(store, cfg):\n"
        "    store.run(fill, cfg, label='model')\n"
        "SCALES = {'huge': Config()}\n"
    )
    refused(smol("run", str(recipe), lab=lab), "memory is full")


def test_a_recipe_with_a_mistake_is_named_with_its_line(lab: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.py"
    recipe.write_text("from smolforge.data.clean.stages import curate\nSCALES = {'x': undefined}\n")
    refused(smol("plan", str(recipe), lab=lab), "mine.py:2", "undefined")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_keeps_what_was_finished(small_disk: Path) -> None:
    lab = small_disk / "lab"
    run = ["run", "quickstart", "--scale", "tiny", "--set", "code.max_bytes=100K"]
    refused(smol(*run, lab=lab), "the disk is full", "free some space")
    finished = sorted(p.name for p in (lab / "artifacts").iterdir())
    assert finished
    refused(smol(*run, lab=lab), "the disk is full")
    assert sorted(p.name for p in (lab / "artifacts").iterdir()) == finished
