"""datatrove over a folder of WARC files, as its FineWeb example does it: two tasks, two workers. Run by its own Python.

    python datatrove_curation.py WARCS OUT

Its language filter downloads a model; in its place stands the one that smolforge uses. The last line is JSON: {"documents"}.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LambdaFilter,
)
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter

WORKERS = 2
_IDENTIFIER = None


def is_english(document: Document) -> bool:
    global _IDENTIFIER
    if _IDENTIFIER is None:
        from py3langid import langid

        _IDENTIFIER = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    code, probability = _IDENTIFIER.classify(document.text[:1500])
    return code == "en" and probability >= 0.65


def run(steps: list, out: Path, name: str, tasks: int = WORKERS) -> None:
    LocalPipelineExecutor(steps, tasks=tasks, workers=WORKERS, logging_dir=str(out / "logs" / name)).run()


def main(warcs: Path, out: Path) -> None:
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    clean, found = str(out / "clean"), str(out / "minhash")
    run(
        [
            WarcReader(str(warcs), glob_pattern="*.warc.gz"),
            Trafilatura(favour_precision=True, timeout=20),
            LambdaFilter(is_english),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
            JsonlWriter(clean),
        ],
        out,
        "clean",
    )
    run([JsonlReader(clean), MinhashDedupSignature(f"{found}/signatures", config=config)], out, "signatures")
    run(
        [MinhashDedupBuckets(f"{found}/signatures", f"{found}/buckets", config=config)],
        out,
        "buckets",
        config.num_buckets,
    )
    run([MinhashDedupCluster(f"{found}/buckets", f"{found}/removed", config=config)], out, "cluster", 1)
    last = [JsonlReader(clean), MinhashDedupFilter(f"{found}/removed"), JsonlWriter(str(out / "final"))]
    run(last, out, "filter")
    kept = 0
    for path in (out / "final").glob("*.jsonl.gz"):
        with gzip.open(path, "rt") as lines:
            kept += sum(1 for _ in lines)
    print(json.dumps({"documents": kept}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
