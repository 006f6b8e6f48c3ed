"""The real model in a user's hands: talked to, scored, exported, served, adapted; each command in a new process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
import torch
from real_model import NAME, User

from smolforge.align.stages import SftConfig, sft
from smolforge.artifacts import ChatData
from smolforge.device.stages import ExportConfig, export
from smolforge.language_model import Sampling
from smolforge.model.config import LoraConfig
from smolforge.models import model_and_tokenizer, open_talker
from smolforge.store import Store
from smolforge.train.config import OptimConfig

pytestmark = pytest.mark.slow

QUESTION, ANSWER = "What is the opposite of hot?", "The opposite of hot is cold"
"""Every word of the answer is far likelier than any other, so that no number type changes it."""
SECRET = "Where is the red key?"
HIDDEN = "The red key is in the piano."
CHOICES = {
    "Which planet is closest to the Sun?": ["Mercury", "cheese", "a small dog"],
    "What do plants need to grow?": ["sunlight and water", "an old piano", "a bank account"],
}


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks: choices, and a written answer."""
    folder = tmp_path_factory.mktemp("benchmarks")
    rows = [
        {"question": asked, "choices": {"text": texts, "label": [*"ABC"]}, "answerKey": "A"}
        for asked, texts in CHOICES.items()
    ]
    trivia = [{"question": QUESTION, "answer": {"value": "cold", "aliases": []}}]
    for file, lines in (("arc/ARC-Easy-test", rows), ("triviaqa/sample", trivia)):
        place = folder / f"{file}.jsonl"
        place.parent.mkdir()
        place.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def ask(user: User, model: str | Path, question: str = QUESTION) -> str:
    return user.smol("chat", model, "--temperature", "0", "--max-tokens", "12", said=question)


def test_pulled_it_is_listed_and_answers(user: User) -> None:
    [line] = [line for line in user.smol("pull").splitlines() if line.startswith(NAME)]
    assert " yes: " in line
    assert ask(user, NAME).startswith(ANSWER)


@pytest.mark.parametrize("form", ["text", "chat"])
def test_all_tasks_of_a_folder_are_scored(user: User, benchmarks: Path, form: str) -> None:
    table = user.smol("eval", NAME, "--benchmarks", benchmarks, "--form", form)
    rows = {line.split()[0]: line.split() for line in table.splitlines()}
    assert (rows["arc_easy"][1], rows["arc_easy"][-1], rows["triviaqa"][-1]) == ("1.000", "2", "1")
    kept = user.folder / table.rpartition("kept in ")[2].strip()
    *_, written = map(json.loads, (kept / "samples.jsonl").read_text().splitlines())
    assert written["answer"].startswith(ANSWER) == (form == "chat")  # as plain text this model says nothing


def test_exported_it_passes_every_check_and_answers(user: User, exported: Path) -> None:
    checks = json.loads((exported / "parity.json").read_text())
    assert len(checks) == 20 and all(check["passed"] for check in checks)
    for model in (exported, exported / "model-q8_0.gguf"):
        assert ask(user, model).startswith(ANSWER), model


def test_served_it_answers_a_client(user: User) -> None:
    server = subprocess.Popen(
        user.command("serve", NAME, "--port", "0"),
        cwd=user.folder,
        env=user.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = re.search(r"http://[\d.:]+", server.stdout.readline())
        assert url is not None
        asked = {
            "model": NAME,
            "messages": [{"role": "user", "content": QUESTION}],
            "temperature": 0,
            "max_tokens": 12,
        }
        request = urllib.request.Request(
            f"{url[0]}/v1/chat/completions", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as reply:
            [choice] = json.load(reply)["choices"]
        assert choice["message"]["content"].startswith(ANSWER)
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()


def test_adapted_it_has_learned_and_is_still_exported_exactly(
    user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOL_CACHE", str(user.cache))
    turns = [{"role": "user", "content": SECRET}, {"role": "assistant", "content": HIDDEN}]
    (tmp_path / "conversations.jsonl").write_text((json.dumps({"messages": turns}) + "\n") * 2)
    store = Store(user.lab, "adapted")
    model, tokenizer = model_and_tokenizer(store, NAME)
    threads = torch.get_num_threads()
    tuned = store.run(
        sft,
        SftConfig(
            epochs=6,
            length=64,
            batch_tokens=128,
            lora=LoraConfig(rank=4),
            optim=OptimConfig(kind="adamw", lr=3e-3, weight_decay=0.0, skip_deviations=0.0),
            compute="float32",
        ),
        label="model",
        init=model,
        tokenizer=tokenizer,
        data=ChatData(tmp_path, "chats", "chats"),
    )
    store.run(
        export,
        ExportConfig(quantisations=("f32",), greedy_tokens=4, reading_tokens=4),
        label="export",
        model=tuned,
        tokenizer=tokenizer,
    )
    torch.set_num_threads(threads)
    asked = [{"role": "user", "content": SECRET}]
    for label in ("adapted/model", "adapted"):
        reply = open_talker(label, user.lab).stream(asked, how=Sampling(max_new_tokens=12))
        assert reply.text() == HIDDEN, label
