"""The recipe `adapt` at its smallest scale: a folder of small documents and a small released model, to the end and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import families
import pyarrow.parquet as pq
import pytest
from worlds import WORDS, ask, talk, write_lines, write_pages

from smolforge.language_model import Sampling
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import save_model
from smolforge.models import find_model, open_talker
from smolforge.store import read_labels
from smolforge.text.tokenizer import load_tokenizer

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "compute=float32",
    "budget.length=384",  # its tokens are little more than bytes, so that questions are long
    "minutes=0.2",
    "items.count=30",
)
STATES = ("0-original", "1-documents", "2-conversations", "3-preferences")
pytestmark = pytest.mark.slow


def write_model(folder: Path, tokenizer: str) -> None:
    """An untrained model as a hub would hold it."""
    families.write_tokenizer(tokenizer, folder)
    model = Llama(
        ModelConfig(
            vocab_size=load_tokenizer(folder).vocab_size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, head_dim=16, max_position_embeddings=512,
        )
    )  # fmt: skip
    model.initialise(0)
    save_model(folder, model)


def smol(lab: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    words = [word for setting in settings for word in ("--set", setting)]
    return subprocess.run(
        [sys.executable, "-m", "smolforge.cli", "run", "adapt", "--scale", "tiny", *words],
        cwd=ROOT,
        env={**os.environ, "SMOL_LAB": str(lab)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@dataclass(frozen=True)
class Finished:
    """A run that came to its end: its lab, its command, what it built."""

    lab: Path
    command: tuple[str, ...]
    labels: dict[str, Any]

    def folder(self, label: str) -> Path:
        return self.lab / "artifacts" / self.labels[label]["folder"]

    def facts(self, label: str) -> dict[str, Any]:
        facts: dict[str, Any] = self.labels[label]["facts"]
        return facts

    def lines(self, label: str, pattern: str) -> list[dict[str, Any]]:
        files = sorted(self.folder(label).glob(pattern))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Pages, eight conversations and eight preference pairs, learned by an untrained model."""
    root = tmp_path_factory.mktemp("adapt")
    write_model(root / "model", "smollm")
    write_pages(root / "data", 36)
    write_lines(root / "data" / "chats.jsonl", [{"messages": talk(word, 0)["messages"]} for word in WORDS])
    pairs = [{"messages": ask(word), "chosen": f"{word}, gladly", "rejected": f"no {word}"} for word in WORDS]
    write_lines(root / "data" / "pairs.jsonl", pairs)
    command = (f"data={root / 'data'}", f"model={root / 'model'}", *SMALL)
    done = smol(root / "lab", *command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "adapt is complete" in done.stderr
    return Finished(root / "lab", command, read_labels(root / "lab" / "runs" / "adapt"))


def test_every_step_is_there_and_had_something_to_do(finished: Finished) -> None:
    assert {"sizing", "mixture", "best/model", "before/scores", "after/scores", "talk", "export"} <= set(
        finished.labels
    )
    assert {f"decision/{state}" for state in STATES} <= set(finished.labels)
    assert finished.facts("corpus/prose")["documents"] > 20
    assert finished.facts("chats/own")["conversations"] == 8
    assert finished.facts("chats/documents")["conversations"] > 50
    assert finished.facts("held-out/chats")["conversations"] == 8
    assert finished.facts("preferences/model")["pairs"] == 8
    sizing = finished.facts("sizing")
    assert sizing["method"] == "full" and sizing["tokens"] > 0 < sizing["tune_tokens"]
    for label in ("documents/model", "conversations/model"):
        facts = finished.facts(label)
        assert facts["own_bits"] <= facts["own_bits_before"]
        looks = json.loads((finished.folder(label) / "watch.json").read_text())
        assert facts["own_bits"] == min(look["bits"]["own"] for look in looks if look["kept"])


def test_nothing_held_out_was_trained_on_and_no_decision_read_the_report_half(finished: Finished) -> None:
    held = {line["id"] for line in finished.lines("held-out/documents", "texts-own_*.jsonl")}
    assert len(held) >= 2
    corpus = [
        row["id"]
        for domain in ("web", "prose", "code", "mathematics")
        for file in finished.folder(f"corpus/{domain}").glob("documents-*.parquet")
        for row in pq.read_table(file).to_pylist()
    ]
    assert len(corpus) == len(set(corpus)) > 20 and not held & set(corpus)
    halves = [
        {line["id"] for line in finished.lines(f"held-out/{half}-half", "*.jsonl")}
        for half in ("decision", "report")
    ]
    assert all(halves) and not halves[0] & halves[1]
    for half in halves:
        assert half & held
    judged = [
        {line["id"] for line in finished.lines(label, "samples.jsonl") + finished.lines(label, "bits.jsonl")}
        for label in ("decision/2-conversations", "after/scores")
    ]
    assert judged[0] <= halves[0] and judged[1] <= halves[1] and all(judged)


def test_the_kept_state_is_the_one_that_was_judged_best(finished: Finished) -> None:
    choice = json.loads((finished.folder("best/model") / "choice.json").read_text())
    assert [case["state"] for case in choice["cases"]] == list(STATES)
    sound = {case["state"]: case["gain_points"] for case in choice["cases"] if not case["out"]}
    assert choice["kept"] == finished.facts("best/model")["kept"] in sound
    assert sound[choice["kept"]] == max(sound.values()) == finished.facts("best/model")["gain_points"]
    label = {"1-documents": "documents/model", "2-conversations": "conversations/model",
             "3-preferences": "preferences/model", "0-original": "model/weights"}[choice["kept"]]  # fmt: skip
    weights = [(finished.folder(one) / "model.safetensors").read_bytes() for one in ("best/model", label)]
    assert weights[0] == weights[1]


def test_the_report_shows_before_and_after(finished: Finished) -> None:
    page = (finished.lab / "runs" / "adapt" / "report.html").read_text("utf-8")
    _, found, section = page.partition('<section id="adapted"><h2>Before and after</h2>')
    assert found
    section = section.partition("</section>")[0]
    for words in ("questions about your documents", "your documents, bits per byte",
                  "Which state was kept, and why", "How it was trained", "The same questions, before and after",
                  "What is the capital of France?", *STATES):  # fmt: skip
        assert words in section, words
    had_some = "general skills it had" in section  # a model of random weights may have had none
    assert had_some != ("answers none of these general questions" in section)
    talked = finished.lines("talk", "conversations.jsonl")
    assert len(talked) == 2 + 4 and all(line["question"] for line in talked)
    assert sum(bool(line["wanted"]) for line in talked) == 2


@pytest.mark.parametrize("name", ["adapt", "adapt/best/model", "adapt/conversations/model"])
def test_the_tuned_model_can_be_talked_to(finished: Finished, name: str) -> None:
    talker = open_talker(name, finished.lab)
    assert talker.name == name
    talker.complete("The bridge", Sampling(max_new_tokens=3)).text()
    assert find_model(name, finished.lab) is not None


def test_the_same_command_again_builds_nothing(finished: Finished) -> None:
    def sealed() -> dict[str, int]:
        return {
            file.parent.name: file.stat().st_mtime_ns for file in finished.lab.glob("artifacts/*/record.json")
        }

    before = sealed()
    assert len(before) >= 40
    done = smol(finished.lab, *finished.command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "done in" not in done.stderr and "adapt is complete" in done.stderr
    assert sealed() == before
    again = read_labels(finished.lab / "runs" / "adapt")
    assert {name: one["folder"] for name, one in again.items()} == {
        name: one["folder"] for name, one in finished.labels.items()
    }


# -- what people get wrong -----------------------------------------------------------------------------------


def nothing(_: Path) -> tuple[str, ...]:
    return ()


def no_folder(root: Path) -> tuple[str, ...]:
    return (f"data={root / 'nowhere'}",)


def empty_folder(root: Path) -> tuple[str, ...]:
    (root / "data").mkdir()
    write_model(root / "model", "smollm")
    return (f"data={root / 'data'}", f"model={root / 'model'}")


def no_model(root: Path) -> tuple[str, ...]:
    write_pages(root / "data", 2)
    return (f"data={root / 'data'}", "model=no-such-model")


def no_model_in_its_folder(root: Path) -> tuple[str, ...]:
    write_pages(root / "data", 2)
    return (f"data={root / 'data'}", f"model={root / 'data'}")


def one_document(root: Path) -> tuple[str, ...]:
    write_pages(root / "data", 1)
    write_model(root / "model", "smollm")
    return (f"data={root / 'data'}", f"model={root / 'model'}")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (nothing, ["`data` is not set", "--set data=FOLDER"]),
        (no_folder, ["does not exist", "nowhere"]),
        (empty_folder, ["data"]),
        (no_model, ["no-such-model"]),
        (no_model_in_its_folder, ["holds no model", "config.json"]),
        (one_document, ["fewer than 2 documents of the folder could be held out", "give more documents"]),
    ],
)
def test_a_mistake_is_named(
    settings: Callable[[Path], tuple[str, ...]], says: list[str], lab: Path, tmp_path: Path
) -> None:
    done = smol(lab, *settings(tmp_path), "compute=float32")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr and "next:" in done.stderr
    for words in says:
        assert words in done.stderr, done.stderr
