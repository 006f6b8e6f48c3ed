"""What `adapt` makes of three folders: two textbooks, one repository's code and docs, a factbook.

    python benchmarks/adapt_quality.py --data DATA --minutes 30 --memory-gib 6
    python benchmarks/adapt_quality.py --data DATA --quick          one folder, five minutes

DATA holds `corpora/{prose,code}/*.jsonl.gz`. Every folder is written out as a person would have it (one file a page), and
`smol run adapt` runs on it in a lab of its own, as a command; what is asked of it stands in `judged`. The last line is
JSON; results: benchmarks/results/<date>-adapt_quality.json.

    minutes, gibibytes   of the whole command; the most memory that any of its stages held
    own_texts            change of bits per byte of held-out documents, relative, with interval; less is better
    own_questions        change in the share of right answers about held-out facts
    general_skills, general_texts   the same of everything else
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peers.start import tell
from train_cpu import processor, write_result

from smolforge.adapt.judging import compare
from smolforge.evals.measured import read_measured
from smolforge.store import Store, read_labels, read_record

FOLDERS = {
    "textbooks": (
        "prose/openstax_textbooks",
        ("openstax/osbooks-introduction-philosophy", "openstax/osbooks-astronomy"),
        "md",
    ),
    "repository": ("code", ("Netflix/metaflow",), ""),
    "factbook": ("prose/world_factbook", ("factbook/",), "md"),
}


def rows_of(data: Path, source: str) -> Iterator[dict[str, Any]]:
    """Rows of one file, or of every file of code and docs."""
    names = [source] if "/" in source else [f"{source}/python", f"{source}/docs_markdown"]
    for name in names:
        with gzip.open(data / "corpora" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def write_folder(data: Path, name: str, folder: Path) -> int:
    """The folder as files; gives how many."""
    source, wanted, suffix = FOLDERS[name]
    count = 0
    for row in rows_of(data, source):
        whose = str(row.get("repo") or row["id"])
        if not whose.startswith(wanted):
            continue
        path = str(row["path"]) if "path" in row else f"{row['id']}.{suffix}"
        file = folder / re.sub(r"[^\w./-]", "_", path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(row["text"], encoding="utf-8")
        count += 1
    return count


def adapted(folder: Path, lab: Path, options: list[str]) -> dict[str, Any]:
    """Run the command on a folder, and read what came out."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "smolforge.cli", "run", "adapt", "--lab", str(lab)]
    for option in (f"data={folder}", *options):
        command += ["--set", option]
    done = subprocess.run(command, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(f"`smol run adapt` failed with code {done.returncode}")
    seconds = time.perf_counter() - began
    return {"minutes": round(seconds / 60, 1), "gibibytes": round(most_bytes(lab) / 2**30, 2), **judged(lab)}


def most_bytes(lab: Path) -> int:
    """The most memory of any stage: the process's own count begins anew with each."""
    labels = read_labels(lab / "runs" / "adapt").values()
    records = [read_record(lab / "artifacts" / label["folder"]) or {} for label in labels]
    return max(int(record["provenance"]["peak_memory_bytes"]) for record in records)


def judged(lab: Path) -> dict[str, Any]:
    """Before and after, on the half that no decision has read."""
    store = Store(lab, "adapt")
    before, after = (read_measured(store.find(f"adapt/{when}/scores").path) for when in ("before", "after"))
    change = compare(before, after)
    best, sizing = store.find("adapt/best/model"), store.find("adapt/sizing")
    return {
        "kept": best.facts["kept"],
        "method": sizing.facts["method"],
        "tokens": sizing.facts["tokens"],
        **change.plain(),
        "better": bool(
            change.own_texts and change.own_texts.high < 0 and change.own_questions and change.own_questions.low > 0
        ),
        "forgot_nothing": bool(change.general_skills and change.general_skills.high >= 0),
    }  # fmt: skip


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--data", type=Path, required=True)
    parse.add_argument("--work", type=Path, default=Path("adapt-quality"), help="folders and labs go here")
    parse.add_argument("--folders", default=",".join(FOLDERS))
    parse.add_argument("--model", default="smollm2-135m-instruct")
    parse.add_argument("--minutes", type=float, default=30.0)
    parse.add_argument("--memory-gib", type=float, default=6.0)
    parse.add_argument("--set", action="append", default=[], help="further settings of the recipe")
    parse.add_argument("--quick", action="store_true")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    names = given.folders.split(",")
    if given.quick:
        names, given.minutes = names[:1], 5.0
    found = {}
    for name in names:
        folder = given.work / name / "documents"
        files = write_folder(given.data, name, folder)
        tell(f"{name}: {files} files")
        options = [
            f"model={given.model}",
            f"minutes={given.minutes}",
            f"budget.memory_gib={given.memory_gib}",
        ]
        found[name] = {"files": files, **adapted(folder, given.work / name / "lab", options + given.set)}
        tell(f"{name}: {json.dumps(found[name])}")
    line = {
        "benchmark": "adapt_quality",
        "better": sum(one["better"] for one in found.values()),
        "forgot_nothing": sum(one["forgot_nothing"] for one in found.values()),
        "folders_tried": len(found),
        "model": given.model,
        "minutes": given.minutes,
        "memory_gib": given.memory_gib,
        "processor": processor(),
        "folders": found,
    }
    write_result(line, given.results)


if __name__ == "__main__":
    main()
