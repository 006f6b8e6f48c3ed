"""Loading from a hub, against a small hub of our own on this machine."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

COMMIT = "a" * 40


def _files(folder: Path) -> dict[str, bytes]:
    table = pyarrow.table(
        {"text": [f"page {i}" for i in range(5)], "url": [f"http://x/{i}" for i in range(5)]}
    )
    pyarrow.parquet.write_table(table, folder / "a.parquet")
    rows = "\n".join(json.dumps({"text": f"line {i}"}) for i in range(3))
    return {
        "data/a.parquet": (folder / "a.parquet").read_bytes(),
        "data/b.jsonl.gz": gzip.compress(rows.encode()),
        "broken/c.parquet": b"not parquet",
    }


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    files = _files(tmp_path)

    class Hub(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            if path == "/api/datasets/ours/pages/revision/main":
                siblings = [{"rfilename": name} for name in files]
                self.send(
                    json.dumps({"id": "ours/pages", "sha": COMMIT, "siblings": siblings}).encode(), body
                )
            elif path.startswith("/api/datasets/ours/pages/tree/main"):
                tree = [
                    {"type": "file", "path": n, "size": len(b), "oid": "0" * 40} for n, b in files.items()
                ]
                self.send(json.dumps(tree).encode(), body)
            elif path.startswith("/datasets/ours/pages/resolve/main/"):
                self.send(files[path.split("/resolve/main/")[1]], body)
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def send(self, content: bytes, body: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", '"' + str(hash(content)) + '"')
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


SCRIPT = """
import json, sys
from smolforge.data.read.hub import hub_documents
from smolforge.errors import SmolError
repo, pattern, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    docs = hub_documents(repo, revision="main", pattern=pattern, text_field="text", kind="text", url_field="url", limit_bytes=limit)
    print(json.dumps([[d.text, d.url] for d in docs]))
except SmolError as error:
    print(json.dumps({"error": str(error)}))
"""


def _load(hub: str, tmp_path: Path, repo: str, pattern: str, limit: int = 10_000):
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    environment = {k: v for k, v in environment.items() if "proxy" not in k.lower()}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, repo, pattern, str(limit)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_documents_arrive_in_order_and_within_the_budget(hub: str, tmp_path: Path) -> None:
    whole = _load(hub, tmp_path, "ours/pages", "data/*")
    assert [text for text, _ in whole] == [f"page {i}" for i in range(5)] + [f"line {i}" for i in range(3)]
    assert whole[0][1] == "http://x/0"
    assert len(_load(hub, tmp_path, "ours/pages", "data/*", limit=18)) == 3


@pytest.mark.parametrize(
    ("repo", "pattern", "says"),
    [
        ("ours/nothing", "*", "the hub refuses"),
        ("ours/pages", "*.csv", "no file of the data set matches"),
        ("ours/pages", "broken/*", "cannot be read"),
    ],
)
def test_what_cannot_be_had_is_said(hub: str, tmp_path: Path, repo: str, pattern: str, says: str) -> None:
    assert says in _load(hub, tmp_path, repo, pattern)["error"]


def test_no_hub_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "cannot be reached" in _load("http://127.0.0.1:9", tmp_path, "ours/pages", "*")["error"]
