"""From captures to clean text: smolforge against datatrove on the same WARC files, two workers each, back to back.

    python benchmarks/curation.py --peer VENV/bin/python     a Python with datatrove[processing], lxml_html_clean, spaCy, py3langid

The pages are those of $SMOL_SHARED_DATA/html, written into two WARC files. Ours: `own_folder` and `curate` with the rules
`fineweb`; theirs as in its FineWeb example (peers/datatrove_curation.py), in rounds; the best round of each counts. Extraction
is also measured alone, in one process, against trafilatura itself, with token F1 where a page has a reference text. The
last line is JSON: {"ratio_datatrove", "memory_ratio", "ratio_trafilatura", "f1", "f1_trafilatura", ...}.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from train_cpu import processor, write_result
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from smolforge.data.web.extract import ExtractionError, extract_html

HERE = Path(__file__).resolve().parent
FILES = ("article_extraction_benchmark", "trafilatura_eval")
OURS = """
import json, sys, time
from pathlib import Path

from smolforge.data.clean.stages import CurateConfig, curate
from smolforge.data.read.stages import FolderConfig, own_folder
from smolforge.log import Log
from smolforge.stage import Job
from smolforge.artifacts import RawDocs

def make(stage, cfg, name, **inputs):
    folder = Path(sys.argv[2]) / name
    (folder / "out").mkdir(parents=True), (folder / "work").mkdir()
    start = time.perf_counter()
    facts = stage(cfg, Job(out=folder / "out", work=folder / "work", log=Log(), threads=2), **inputs)
    return stage.makes(folder / "out", name, "", dict(facts)), time.perf_counter() - start

if __name__ == "__main__":
    raw, reading = make(own_folder, FolderConfig(path=sys.argv[1]), "raw")
    corpus, curating = make(curate, CurateConfig(domain="web", rules=("fineweb",), may_be_empty=True), "corpus", raw=raw)
    print(json.dumps({"documents": corpus.facts["documents"], "reading": reading, "curating": curating}))
"""


def pages(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(address, HTML, reference text or nothing)."""
    for name in FILES:
        with gzip.open(folder / "html" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                row = json.loads(line)
                html = row.get("html") or base64.b64decode(row["html_b64"]).decode("utf-8", "replace")
                yield row.get("url") or f"http://page-{number}.example/", html, row.get("articleBody") or ""


def write_captures(found: list[tuple[str, str, str]], folder: Path) -> None:
    for part in range(2):
        with (folder / f"pages-{part}.warc.gz").open("wb") as file:
            writer = WARCWriter(file, gzip=True)
            for address, html, _ in found[part::2]:
                head = StatusAndHeaders(
                    "200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1"
                )
                record = writer.create_warc_record(
                    address, "response", payload=_stream(html), http_headers=head
                )
                writer.write_record(record)


def _stream(html: str) -> Any:
    return io.BytesIO(html.encode("utf-8", "replace"))


def timed(command: list[str], env: dict[str, str]) -> dict[str, Any]:
    """Seconds of a command, its last line of JSON, and the most memory that it and its children held together."""
    start, most = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as said:
        run = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT, text=True)
        while run.poll() is None:
            most = max(most, held_bytes(run.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - start
        said.seek(0)
        lines = said.read().splitlines()
    if run.returncode:
        raise SystemExit("\n".join(lines[-30:]))
    told = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
    return {"seconds": round(seconds, 2), "most_memory_mib": most >> 20, **told}


def held_bytes(pid: int) -> int:
    """Memory of a process and all that it started; what they share counts in each."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.Error:  # one ended while it was asked
        pass
    return total


def token_f1(text: str, reference: str) -> float:
    one, other = (Counter(re.findall(r"\w+", said.lower())) for said in (text, reference))
    both = sum((one & other).values())
    return 2 * both / max(1, one.total() + other.total())


def extraction(found: list[tuple[str, str, str]], extract: Callable[[str], str]) -> tuple[float, float]:
    """(pages a second of processor time, mean token F1 over pages with a reference)."""
    start, texts = time.process_time(), []
    for _, html, _ in found:
        try:
            texts.append(extract(html))
        except ExtractionError:
            texts.append("")
    seconds = time.process_time() - start
    scores = [token_f1(text, one[2]) for text, one in zip(texts, found, strict=True) if one[2]]
    return len(found) / seconds, sum(scores) / max(1, len(scores))


def by_trafilatura(html: str) -> str:
    import trafilatura

    return trafilatura.extract(html, output_format="markdown", include_comments=False, fast=True) or ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=os.environ.get("SMOL_SHARED_DATA"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--most-pages", type=int, default=10_000)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    asked = parser.parse_args()
    found = list(pages(Path(asked.data)))[: asked.most_pages]
    env = os.environ | {"PYTHONPATH": str(HERE.parent)}
    best: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as place:
        captures = Path(place) / "captures"
        captures.mkdir()
        write_captures(found, captures)
        ours = Path(place) / "ours.py"
        ours.write_text(OURS)
        commands = {
            "smolforge": [sys.executable, str(ours)],
            "datatrove": [str(asked.peer), str(HERE / "peers" / "datatrove_curation.py")],
        }
        for number in range(asked.rounds):
            for name, command in commands.items():
                told = timed([*command, str(captures), f"{place}/{name}-{number}"], env)
                print(name, told, flush=True)
                if name not in best or told["seconds"] < best[name]["seconds"]:
                    best[name] = told
    sample = found[:150]
    extract_html(sample[0][1]), by_trafilatura(sample[0][1])
    rate, f1 = extraction(sample, extract_html)
    their_rate, their_f1 = extraction(sample, by_trafilatura)
    result = {
        "benchmark": "curation", "processor": processor(), "pages": len(found), **best,
        "ratio_datatrove": best["datatrove"]["seconds"] / best["smolforge"]["seconds"],
        "memory_ratio": best["smolforge"]["most_memory_mib"] / best["datatrove"]["most_memory_mib"],
        "pages_per_second": rate, "pages_per_second_trafilatura": their_rate,
        "ratio_trafilatura": rate / their_rate, "f1": f1, "f1_trafilatura": their_f1,
    }  # fmt: skip
    write_result(result, asked.results)


if __name__ == "__main__":
    main()
