"""Verdict by verdict: our rules of Gopher, C4 and FineWeb against datatrove's filters, over a thousand real texts.

    python benchmarks/rules.py --peer VENV/bin/python     a Python with datatrove and spaCy (`pip install datatrove spacy`)

The texts are pages with their tags stripped, textbooks, speeches and READMEs of $SMOL_SHARED_DATA. Compared twice: with
datatrove's own words (spaCy's tokens), and with the same words as ours, where every verdict must be equal. The last line is
JSON: {"documents", "verdicts", "equal_same_words", "equal_own_words", "texts_equal", "differences"}.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from smolforge.data.clean.published import (
    Page,
    c4,
    c4_all_lines,
    fineweb_quality,
    gopher_quality,
    gopher_repetition,
)

HERE = Path(__file__).resolve().parent
FILES = {
    "messy/web_text_with_duplicates": 751,
    "corpora/prose/openstax_textbooks": 80,
    "corpora/prose/us_speeches": 40,
    "corpora/prose/world_factbook": 60,
    "corpora/code/docs_markdown": 69,
}
OURS = {
    "gopher_repetition": gopher_repetition,
    "gopher_quality": gopher_quality,
    "c4": c4,
    "c4_all_lines": c4_all_lines,
    "fineweb_quality": fineweb_quality,
}


def texts(folder: Path) -> list[str]:
    found = []
    for name, count in FILES.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            found += [json.loads(line)["text"] for _, line in zip(range(count), lines, strict=False)]
    return found


def peer(python: Path, texts: list[str], *flags: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [python, HERE / "peers" / "datatrove_rules.py", *flags],
        input="".join(json.dumps({"text": text}) + "\n" for text in texts),
        env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def compare(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> tuple[int, int, Counter[str]]:
    """(equal verdicts, equal texts of those that both keep, differences by what was said)."""
    equal = same_text = 0
    differences: Counter[str] = Counter()
    for mine, other in zip(ours, theirs, strict=True):
        for name, (verdict, text) in mine.items():
            keep, reason, left = other[name]
            equal += verdict.keep == keep
            same_text += not keep or not verdict.keep or text == left
            if verdict.keep != keep:
                differences[f"{name}: {verdict.rule or 'kept'} / {reason or 'kept'}"] += 1
    return equal, same_text, differences


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=os.environ.get("SMOL_SHARED_DATA"))
    asked = parser.parse_args()
    documents = texts(Path(asked.data))
    ours = [{name: rules(Page(text)) for name, rules in OURS.items()} for text in documents]
    same, texts_equal, wrong = compare(ours, peer(asked.peer, documents, "--same-words"))
    own, _, other = compare(ours, peer(asked.peer, documents))
    verdicts = len(documents) * len(OURS)
    for title, found in (("same words", wrong), ("their own words", other)):
        print(f"{title}: {sum(found.values())} of {verdicts} verdicts differ")
        for said, count in found.most_common(30):
            print(f"  {count:4}  {said}  (ours / theirs)")
    kept = {name: sum(one[name][0].keep for one in ours) for name in OURS}
    print("kept of", len(documents), kept)
    result = {
        "documents": len(documents), "verdicts": verdicts, "equal_same_words": same / verdicts,
        "equal_own_words": own / verdicts, "texts_equal": texts_equal / verdicts, "differences": dict(wrong),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
