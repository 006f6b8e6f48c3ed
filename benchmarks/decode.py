"""Reading and writing on the device: our engine against llama.cpp, the same file, one after the other.

    python benchmarks/decode.py [--quick] [--model FILE.gguf] [--llama-bench PROGRAM]

For each number of threads: tokens a second of a prompt of 512, of writing after 128 and after 1,920 tokens, alone and
eight at once; seconds to load and to the first token; memory of a process of its own. Rounds alternate; the median
counts. The last line is JSON: `ratio_llama_cpp` is writing after 128 tokens on two threads, alone.
`--llama-bench` is llama.cpp's own measuring program, built for this processor; the package is built for AVX2.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROMPT, SHORT, LONG, WRITTEN = 512, 128, 1_920, 100


def main() -> None:
    """Run the rounds and print a table and one line of JSON."""
    given = _arguments()
    if given.alone:
        print(json.dumps(_one(given.alone, given.model, given.threads, given.quick)))
        return
    results = []
    for threads in (2, 1):
        rounds: dict[str, list[dict[str, float]]] = {}
        for _ in range(1 if given.quick else 3):
            for name in ("ours", "llama.cpp"):
                rounds.setdefault(name, []).append(_in_a_process(name, threads, given))
            if given.llama_bench:
                rounds.setdefault("llama.cpp native", []).append(_by_its_own(threads, given))
        for name, found in rounds.items():
            median = {key: statistics.median(one[key] for one in found) for key in found[0]}
            results.append(
                {"engine": name, "threads": threads, **{k: round(v, 3) for k, v in median.items()}}
            )
            print(_line(results[-1]), flush=True)
    print(
        json.dumps(
            {"processor": _processor(), "model": given.model.name, **_ratios(results), "results": results}
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one round, nothing after 1,920 tokens")
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--llama-bench", default="")
    parser.add_argument("--alone", default="", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.model is None:
        sys.path.insert(0, str(ROOT / "tests"))
        from real_model import find_real_model

        given.model = find_real_model()
        if given.model is None:
            parser.error("no model: `smol pull smollm2-135m-instruct`, or name one with --model")
    return given


def _in_a_process(name: str, threads: int, given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", __file__, "--alone", name, "--model", str(given.model)]
    command += ["--threads", str(threads), *(["--quick"] if given.quick else [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr[-1000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _by_its_own(threads: int, given: argparse.Namespace) -> dict[str, float]:
    """Tokens a second by llama-bench, for the same numbers of tokens."""
    found = {}
    depths = {"written": SHORT} | ({} if given.quick else {"written_after_1920": LONG})
    asked = {"prompt": ["-p", str(PROMPT), "-n", "0"]}
    asked |= {key: ["-p", "0", "-n", str(WRITTEN), "-d", str(depth)] for key, depth in depths.items()}
    for key, more in asked.items():
        command = [
            given.llama_bench,
            "-m",
            str(given.model),
            "-t",
            str(threads),
            "-r",
            "1",
            "-o",
            "json",
            *more,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
        found[key] = float(json.loads(done.stdout)[0]["avg_ts"])
    return found


def _one(name: str, file: Path, threads: int, quick: bool) -> dict[str, float]:
    from smolforge.language_model import Sampling

    started = time.perf_counter()
    model: Any
    if name == "ours":
        from smolforge.device.engine.model import EngineModel

        model = EngineModel(file, threads=threads)
    else:
        from smolforge.device.runtime import GgufModel

        model = GgufModel(file, threads=threads)
    found = {"load_seconds": time.perf_counter() - started}
    text = _text(model.tok, LONG)
    how = Sampling(max_new_tokens=WRITTEN)

    def write(ids: list[int]) -> Callable[[], int]:
        return lambda: len(model.generate([ids], how)[0])

    model.generate([text[5:20]], Sampling(max_new_tokens=4))
    found["prompt"] = _rate(lambda: model.generate([text[:PROMPT]], Sampling(max_new_tokens=1)) and PROMPT)
    model.generate([text[:SHORT]], Sampling(max_new_tokens=1))  # what follows is writing alone
    found["written"] = _rate(write(text[:SHORT]))
    if name == "ours":
        many = [text[k : k + 64] for k in range(0, 512, 64)]
        found["written_by_eight"] = _rate(lambda: sum(map(len, model.generate(many, how))))
    if not quick:
        model.generate([text], Sampling(max_new_tokens=1))
        found["written_after_1920"] = _rate(write(text))
    found["memory_mib"] = _peak_mib()
    return found


def _text(tok: Any, count: int) -> list[int]:
    from smolforge.device.battery import READING

    ids = tok.encode(READING)
    return [ids[k % len(ids)] if k % 7 else k % 1000 + 100 for k in range(count)]


def _rate(work: Callable[[], int]) -> float:
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def _peak_mib() -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def _ratios(results: list[dict[str, Any]]) -> dict[str, float]:
    ours = {one["threads"]: one for one in results if one["engine"] == "ours"}
    best: dict[tuple[int, str], float] = {}
    for one in results:
        for key in ("prompt", "written", "written_after_1920"):
            if one["engine"] != "ours" and key in one:
                best[one["threads"], key] = max(best.get((one["threads"], key), 0.0), one[key])
    found = {"ratio_llama_cpp": ours[2]["written"] / best[2, "written"]}
    for (threads, key), value in best.items():
        found[f"{key}_ratio_{threads}_threads"] = ours[threads][key] / value
    return {key: round(value, 2) for key, value in found.items()}


def _line(one: dict[str, Any]) -> str:
    rest = "  ".join(f"{key} {value:g}" for key, value in one.items() if key not in ("engine", "threads"))
    return f"{one['engine']:14} {one['threads']} threads  {rest}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
