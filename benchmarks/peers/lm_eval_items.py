"""lm-evaluation-harness over local rows, by its own task definitions: every request, answer and verdict, a line a task.

Run by `parity_lm_eval.py` with a Python that has `lm-eval`; nothing of smolforge is imported.

    python lm_eval_items.py --model FOLDER --tokenizer FOLDER --data FOLDER --tasks TASKS.json --out FILE [--threads N]

`data` holds `<data set>/<subset>/<split>.jsonl`, the slash of a data set's name written as `+`; TASKS.json is a list of
`{"task", "limit", "shots", "settings", "new_tokens"}`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import datasets
import evaluate
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from lm_eval.tasks.coqa import utils as coqa
from lm_eval.tasks.drop import utils as drop
from lm_eval.tasks.hendrycks_math import utils as hendrycks
from lm_eval.tasks.minerva_math import utils as minerva
from transformers.data.metrics import squad_metrics


def read_from(folder: Path) -> None:
    """Let every data set be read from `folder`."""

    def load_dataset(path: str, name: str | None = None, **_: Any) -> datasets.DatasetDict:
        place = folder / path.replace("/", "+") / (name or "default")
        files = sorted(place.glob("*.jsonl"))
        if not files:
            raise FileNotFoundError(place)
        splits = {
            file.stem: datasets.Dataset.from_list([json.loads(line) for line in file.open(encoding="utf-8")])
            for file in files
        }
        whole = next(
            iter(splits.values())
        )  # stands for splits that a task names and, without examples, never reads
        return datasets.DatasetDict({**dict.fromkeys(("train", "validation", "test"), whole), **splits})

    datasets.load_dataset = load_dataset
    # The scorer of SQuAD 2.0 would be fetched from the hub; its answers are compared one by one instead.
    evaluate.load = lambda *_: SimpleNamespace(compute=lambda **__: {})


def task_of(name: str, settings: dict[str, Any]) -> Any:
    """The harness' own task, some of its settings changed; its public loader takes either a name or a whole config."""
    manager = TaskManager()
    return manager._factory.build(manager._index[name], overrides=settings or None, registry=manager._index)


def ask(model: HFLM, spec: dict[str, Any]) -> dict[str, Any]:
    """One task; a task that cannot be run says why."""
    type(model).max_gen_toks = property(lambda _: spec["new_tokens"])
    began, used = time.perf_counter(), time.process_time()
    try:
        found = simple_evaluate(
            model=model,
            tasks=[task_of(spec["task"], spec["settings"])],
            num_fewshot=spec["shots"],
            limit=spec["limit"],
            bootstrap_iters=0,
        )
    except Exception as error:  # the others are still asked
        return {"task": spec["task"], "failed": "".join(traceback.format_exception(error))[-1500:]}
    [samples] = found["samples"].values()
    kept = (
        "doc_id",
        "arguments",
        "resps",
        "filtered_resps",
        "metrics",
        "acc",
        "acc_norm",
        "exact_match",
        "em",
        "f1",
    )
    return {
        "task": spec["task"],
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - used,
        "samples": [{key: one[key] for key in kept if key in one} for one in samples],
    }


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--out", required=True)
    for name in ("--model", "--tokenizer", "--data", "--tasks"):
        parse.add_argument(name)
    parse.add_argument("--worked-problems", action="store_true", help="only write those of MATH")
    parse.add_argument("--grade", help="only grade the answers of this file: `{rule, wanted, answer}` a line")
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parse.parse_args()
    if given.worked_problems:
        Path(given.out).write_text(
            "".join(json.dumps(one) + "\n" for one in worked_problems()), encoding="utf-8"
        )
        return
    if given.grade:
        asked = map(json.loads, Path(given.grade).read_text("utf-8").splitlines())
        Path(given.out).write_text(
            "".join(json.dumps(grade(**one)) + "\n" for one in asked), encoding="utf-8"
        )
        return
    torch.set_num_threads(given.threads)
    read_from(Path(given.data))
    model = HFLM(given.model, tokenizer=given.tokenizer, dtype="float32", device="cpu", batch_size=8)
    with Path(given.out).open("w", encoding="utf-8") as out:
        for spec in json.loads(Path(given.tasks).read_text("utf-8")):
            out.write(json.dumps(ask(model, spec), default=str) + "\n")
            out.flush()


def grade(rule: str, wanted: Any, answer: str) -> float:
    """The credit that the harness gives, by the code of its tasks."""
    if rule == "drop":
        return float(drop.process_results({"answers": [tuple(one) for one in wanted]}, [answer])["f1"])
    if rule == "coqa":
        return float(coqa.compute_scores(wanted, answer.strip().split("\n")[0])["f1"])
    if rule == "squad":
        return float(max(squad_metrics.compute_f1(gold, answer) for gold in wanted))
    if rule == "math_boxed":
        given = hendrycks.last_boxed_only_string(answer)
        return float(given is not None and hendrycks.is_equiv(hendrycks.remove_boxed(given), wanted))
    assert rule == "math_final", rule
    given = minerva.normalize_final_answer(minerva.get_unnormalized_answer(answer))
    return float(minerva.is_equiv(given, minerva.normalize_final_answer(wanted)))


def worked_problems() -> list[dict[str, str]]:
    """The harness' four worked problems of MATH."""
    return [
        {"problem": one["problem"], "solution": one["solution"]} for one in minerva.list_fewshot_samples()
    ]


if __name__ == "__main__":
    main()
