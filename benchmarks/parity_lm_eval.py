"""The same items by smolforge and by lm-evaluation-harness, one by one: prompts, log-probabilities, answers, verdicts.

    python -m venv lm-eval && lm-eval/bin/pip install "lm-eval[hf,math]" "transformers<5" "datasets<5"
    python benchmarks/parity_lm_eval.py --harness lm-eval/bin/python --data FOLDER [--quick] [--items N] [--tasks a,b]

FOLDER holds benchmark files as `smol eval --benchmarks` reads them. The harness runs its own task definitions, in its
own Python, over the same rows in the layout of the hub; both read the same weights in fp32. Where FOLDER lacks a
benchmark (DROP, SQuAD 2.0, CoQA, the third answer of Social IQA), rows are made of its passages: formulations can then be
compared, scores mean nothing. The last line is JSON:

    prompts_equal, predictions_equal, answers_equal, verdicts_equal   of `items` each, where they apply
    largest_difference                                                of two log-probabilities, in nats
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from peers.start import tell
from train_cpu import processor, write_result

from smolforge.evals.grade import grade_answers
from smolforge.evals.math_answers import last_boxed
from smolforge.evals.rules import RULES
from smolforge.evals.score import judge_choices, write_answers
from smolforge.evals.task import Item
from smolforge.evals.tasks import load_benchmark
from smolforge.evals.tasks.rows import read_rows
from smolforge.language_model import LanguageModel
from smolforge.threads import GENTLE

Rows = list[dict[str, Any]]
REASONING_TOKENS = 128
LONG_ITEMS = 10


@dataclass(frozen=True)
class Pair:
    """A benchmark of ours and the harness' task of the same formulation.

    make      from the folder of real data, `{our place: rows}`; rows are in the hub's layout
    hub       `{our place: (data set, subset, split)}`
    settings  of the task, changed: few-shot examples in order, where they are drawn otherwise
    metric    the harness' verdict on a written answer
    most      items at the most, where prompts or answers are long
    """

    ours: str
    theirs: str
    make: Callable[[Path], dict[str, Rows]]
    hub: Mapping[str, tuple[str, str, str]]
    shots: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    new_tokens: int = 48
    most: int = 1000

    @property
    def key(self) -> str:
        return f"{self.ours} ({self.theirs})"


# -- rows in the hub's layout --------------------------------------------------------------------------


def rows_of(*places: str) -> Callable[[Path], dict[str, Rows]]:
    """The files as they are."""

    def make(folder: Path) -> dict[str, Rows]:
        return {
            place: list(map(dict, read_rows((folder / place).parent, Path(place).name))) for place in places
        }

    return make


def renamed(
    place: str, source: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> Callable[[Path], dict[str, Rows]]:
    """The rows of another file, changed one by one; None leaves a row out."""

    def make(folder: Path) -> dict[str, Rows]:
        changed = (change(row) for row in rows_of(source)(folder)[source])
        return {place: [row for row in changed if row is not None]}

    return make


def with_halves(row: dict[str, Any]) -> dict[str, Any]:
    """HellaSwag's context in its two halves, the second the unfinished sentence."""
    first, stop, second = row["ctx"].rpartition(". ")
    return {**row, "ctx_a": first + stop.strip(), "ctx_b": second, "label": str(row["label"])}


def five_choices(row: dict[str, Any]) -> dict[str, Any]:
    choices = row["question"]["choices"]
    return {
        "id": row["id"], "question": row["question"]["stem"], "answerKey": row["answerKey"],
        "choices": {name: [one[name] for one in choices] for name in ("label", "text")},
    }  # fmt: skip


def passage_row(row: dict[str, Any]) -> dict[str, Any]:
    passage, _, question = row["query"].removeprefix("Passage: ").rpartition("\nQuestion: ")
    return {
        "passage": passage,
        "question": question.strip().removesuffix("?"),
        "label": row["gold"],
        "idx": 0,
    }


def premise_row(row: dict[str, Any]) -> dict[str, Any]:
    premise, _, connector = row["query"].rpartition(", ")
    asked = {"because": "cause", "therefore": "effect"}[connector]
    first, second = (one[:1].upper() + one[1:] for one in row["choices"])
    return {
        "premise": f"{premise}.",
        "choice1": first,
        "choice2": second,
        "question": asked,
        "label": row["gold"],
        "idx": 0,
    }


def social_row(row: dict[str, Any]) -> dict[str, Any] | None:
    context, question, _, first, second, _ = row["query"].split("\n")
    answers = {"answerA": first[3:], "answerB": second[3:], "answerC": "do nothing at all"}
    return {
        "context": context.removeprefix("Context: "), "question": question.removeprefix("Question: "),
        **answers, "label": str(row["gold"] + 1),
    }  # fmt: skip


def passages(folder: Path) -> Iterator[tuple[int, dict[str, Any], list[str]]]:
    """Passages with a question, short ones, and their words."""
    rows = (passage_row(row) for row in rows_of("core/boolq")(folder)["core/boolq"])
    short = (row for row in rows if len(row["passage"]) < 500)
    yield from ((number, row, row["passage"].split()) for number, row in zip(range(60), short, strict=False))


def made_squad(folder: Path) -> dict[str, Rows]:
    return {"squad_v2/validation": [
        {
            "id": str(n), "title": row["question"].title(), "context": row["passage"], "question": f"{row['question']}?",
            "answers": {"text": [] if n % 3 == 0 else [" ".join(words[:3])] * 2, "answer_start": [] if n % 3 == 0 else [0, 0]},
        }
        for n, row, words in passages(folder)
    ]}  # fmt: skip


def made_drop(folder: Path) -> dict[str, Rows]:
    def answer(n: int, words: list[str]) -> dict[str, Any]:
        return {
            "number": str(len(words)) if n % 3 == 0 else "", "spans": words[: 1 + n % 2] if n % 3 else [],
            "date": {"day": "", "month": "", "year": ""},
        }  # fmt: skip

    def others(one: dict[str, Any]) -> dict[str, Any]:
        return {name: [value, value] for name, value in one.items()}

    return {"drop/validation": [
        {"query_id": str(n), "passage": row["passage"], "question": f"{row['question']}?",
         "answer": answer(n, words), "validated_answers": others(answer(n + 1, words))}
        for n, row, words in passages(folder)
    ]}  # fmt: skip


def made_coqa(folder: Path) -> dict[str, Rows]:
    def turns(*texts: str) -> dict[str, Any]:
        return {"input_text": list(texts), "turn_id": [1, 2]}

    return {"coqa/validation": [
        {"id": str(n), "story": row["passage"], "questions": turns("What is the first word?", f"{row['question']}?"),
         "answers": turns(words[0], "yes"), "additional_answers": {"0": turns(words[0], "no"), "1": turns("x", "Yes")}}
        for n, row, words in passages(folder)
    ]}  # fmt: skip


def one_task(subset: str) -> Callable[[Path], dict[str, Rows]]:
    def make(folder: Path) -> dict[str, Rows]:
        found = rows_of("bbh/test", "bbh/cot_prompts")(folder)
        return {place: [row for row in rows if row["task"] == subset] for place, rows in found.items()}

    return make


def one_subject(subject: str) -> Callable[[Path], dict[str, Rows]]:
    def make(folder: Path) -> dict[str, Rows]:
        found = rows_of("mmlu/test", "mmlu/dev")(folder)
        return {place: [row for row in rows if row["subject"] == subject] for place, rows in found.items()}

    return make


def algebra(folder: Path) -> dict[str, Rows]:
    rows = rows_of("math/test")(folder)["math/test"]
    return {"math/test": [row for row in rows if row["type"] == "Algebra"]}


IN_ORDER = {"fewshot_config": {"sampler": "first_n"}}


def mmlu_pairs(subject: str) -> list[Pair]:
    hub = {"mmlu/test": ("cais/mmlu", subject, "test"), "mmlu/dev": ("cais/mmlu", subject, "dev")}
    name = f"mmlu_{subject}"
    return [
        Pair("mmlu_mcf", name, one_subject(subject), hub, shots=0),
        Pair("mmlu_mcf_5shot", name, one_subject(subject), hub, shots=5, most=LONG_ITEMS),
    ]


def bbh_pair(subset: str) -> Pair:
    name = f"bbh_cot_fewshot_{subset}"
    hub = {"bbh/test": ("SaylorTwift/bbh", subset, "test")}
    ends = {
        "max_gen_toks": REASONING_TOKENS,
        "until": ["</s>", "Q", "\n\n"],
        "do_sample": False,
        "temperature": 0.0,
    }
    settings = {"generation_kwargs": ends}
    return Pair(
        "bbh_cot", name, one_task(subset), hub, 3, settings, metric="exact_match", new_tokens=REASONING_TOKENS
    )


PAIRS = [
    Pair("arc_easy", "arc_easy", rows_of("arc/ARC-Easy-test"), {"arc/ARC-Easy-test": ("allenai/ai2_arc", "ARC-Easy", "test")}),
    Pair("arc_challenge", "arc_challenge", rows_of("arc/ARC-Challenge-test"), {"arc/ARC-Challenge-test": ("allenai/ai2_arc", "ARC-Challenge", "test")}),
    Pair("hellaswag", "hellaswag", renamed("hellaswag/validation", "hellaswag/validation", with_halves), {"hellaswag/validation": ("Rowan/hellaswag", "default", "validation")}),
    Pair("piqa", "piqa", rows_of("piqa/validation"), {"piqa/validation": ("baber/piqa", "default", "validation")}),
    Pair("openbookqa", "openbookqa", rows_of("openbookqa/test"), {"openbookqa/test": ("allenai/openbookqa", "main", "test")}),
    Pair("commonsense_qa_mcf", "commonsense_qa", renamed("commonsense_qa/validation", "commonsense_qa/dev_rand_split_100", five_choices), {"commonsense_qa/validation": ("tau/commonsense_qa", "default", "validation")}),
    Pair("winogrande_partial", "winogrande", rows_of("winogrande/validation"), {"winogrande/validation": ("allenai/winogrande", "winogrande_xl", "validation")}),
    *mmlu_pairs("astronomy"),
    *mmlu_pairs("world_religions"),
    Pair("boolq", "boolq", renamed("boolq/validation", "core/boolq", passage_row), {"boolq/validation": ("aps/super_glue", "boolq", "validation")}),
    Pair("copa_lm_eval", "copa", renamed("copa/validation", "core/copa", premise_row), {"copa/validation": ("aps/super_glue", "copa", "validation")}),
    Pair("siqa", "social_iqa", renamed("siqa/validation", "core/siqa", social_row), {"siqa/validation": ("lighteval/siqa", "default", "validation")}),
    Pair("lambada", "lambada_openai", renamed("lambada/test", "core/lambada_openai", lambda row: {"text": f"{row['context']} {row['continuation']}"}), {"lambada/test": ("EleutherAI/lambada_openai", "default", "test")}),
    Pair("gsm8k", "gsm8k", rows_of("gsm8k/test", "gsm8k/train"), {"gsm8k/test": ("openai/gsm8k", "main", "test"), "gsm8k/train": ("openai/gsm8k", "main", "train")}, shots=5, settings=IN_ORDER, metric="exact_match", new_tokens=REASONING_TOKENS, most=LONG_ITEMS),
    Pair("triviaqa_lm_eval", "triviaqa", renamed("triviaqa/validation", "triviaqa/sample", dict), {"triviaqa/validation": ("mandarjoshi/trivia_qa", "rc.nocontext", "validation")}, metric="exact_match"),
    Pair("nq_open", "nq_open", rows_of("nq_open/NQ-open.dev", "nq_open/efficientqa_dev"), {"nq_open/NQ-open.dev": ("google-research-datasets/nq_open", "default", "validation"), "nq_open/efficientqa_dev": ("google-research-datasets/nq_open", "default", "train")}, shots=5, settings=IN_ORDER, metric="exact_match"),
    Pair("drop", "drop", made_drop, {"drop/validation": ("EleutherAI/drop", "default", "validation")}, metric="f1"),
    Pair("squad_v2", "squadv2", made_squad, {"squad_v2/validation": ("lighteval/squad_v2", "default", "validation")}),
    Pair("coqa", "coqa", made_coqa, {"coqa/validation": ("EleutherAI/coqa", "default", "validation")}, metric="f1"),
    Pair("math_minerva", "minerva_math_algebra", algebra, {"math/test": ("EleutherAI/hendrycks_math", "algebra", "test")}, metric="exact_match", new_tokens=REASONING_TOKENS, most=LONG_ITEMS),
    bbh_pair("boolean_expressions"),
    bbh_pair("navigate"),
]  # fmt: skip


# -- the harness --------------------------------------------------------------------------------------


@dataclass
class Harness:
    """lm-evaluation-harness in its own Python, over one model."""

    python: str
    model: Path
    tokenizer: Path
    scratch: Path
    threads: int

    def ask(self, pairs: Sequence[Pair], folder: Path, items: int) -> Rows:
        """What it asked and heard, a row a pair."""
        specs = [
            {"task": pair.theirs, "limit": min(items, pair.most), "shots": pair.shots, "settings": dict(pair.settings), "new_tokens": pair.new_tokens}
            for pair in pairs
        ]  # fmt: skip
        tasks = self.scratch / "tasks.json"
        tasks.write_text(json.dumps(specs))
        return self.run(
            "--model", self.model, "--tokenizer", self.tokenizer, "--data", folder, "--tasks", tasks,
            "--threads", self.threads,
        )  # fmt: skip

    def worked_problems(self) -> Rows:
        """Its four examples of MATH."""
        return self.run("--worked-problems")

    def run(self, *arguments: Any) -> Rows:
        script, out = Path(__file__).parent / "peers" / "lm_eval_items.py", self.scratch / "found.json"
        mine = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment = {**mine, **GENTLE, "OMP_NUM_THREADS": str(self.threads)}
        command = [self.python, script, "--out", out, *arguments]
        done = subprocess.run(list(map(str, command)), stderr=subprocess.PIPE, text=True, env=environment)
        if done.returncode:
            sys.exit(f"the harness failed: {done.stderr.strip()[-2000:]}")
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


# -- answers for the graders ---------------------------------------------------------------------------


def answers_to_grade(data: Path) -> Rows:
    """Right answers, changed ones and wrong ones: of MATH as its solutions write them, of the others words at random."""
    draw, found = Random(1), []
    golds = [gold for row in algebra(data)["math/test"] if (gold := last_boxed(row["solution"]))]
    for gold in golds[:300]:
        other = draw.choice(golds)
        for text in (
            gold,
            gold.replace("\\frac", "\\dfrac"),
            gold.replace("{", "").replace("}", ""),
            f"x = {gold}",
            f"{gold} units",
            other,
        ):
            found.append({"rule": "math_boxed", "wanted": gold, "answer": f"So $\\boxed{{{text}}}$."})
            found.append(
                {
                    "rule": "math_final",
                    "wanted": gold,
                    "answer": f"Final Answer: The final answer is ${text}$. I hope it is correct.",
                }
            )
    words = [
        "the",
        "a",
        "an",
        "cat",
        "Cat,",
        "dog.",
        "'dog'",
        "U.S.",
        "twenty-one",
        "21",
        "21.0",
        "1,000",
        "1000",
        "(x)",
        "naïve",
        "—",
        "3",
    ]

    def text(most: int) -> str:
        return " ".join(draw.choices(words, k=draw.randint(1, most)))

    for _ in range(600):
        golds = [text(4) for _ in range(draw.randint(1, 3))]
        found.append(
            {
                "rule": "drop",
                "wanted": [[text(3) for _ in range(draw.randint(1, 2))] for _ in golds],
                "answer": text(5),
            }
        )
        found.append({"rule": "coqa", "wanted": golds, "answer": text(5)})
        found.append({"rule": "squad", "wanted": [f"cat {gold}" for gold in golds], "answer": text(5)})
    return found


def compare_graders(harness: Harness, data: Path, scratch: Path) -> dict[str, Any]:
    """By rule: how many verdicts are the same, of how many, and the first differences."""
    asked = answers_to_grade(data)
    write_lines(scratch / "answers.jsonl", asked)
    theirs = harness.run("--grade", scratch / "answers.jsonl")
    found: dict[str, Any] = {}
    for one, other in zip(asked, theirs, strict=True):
        counted = found.setdefault(one["rule"], {"same": 0, "of": 0, "examples": []})
        ours = RULES[one["rule"]](one["wanted"], one["answer"]).credit
        counted["of"] += 1
        counted["same"] += abs(ours - other) < 1e-6
        if abs(ours - other) >= 1e-6 and len(counted["examples"]) < 5:
            counted["examples"].append({**one, "ours": ours, "theirs": other})
    return found


# -- both sides ----------------------------------------------------------------------------------------


def lay_out(pair: Pair, data: Path, scratch: Path) -> Path:
    """The rows where each side reads them; gives our folder, the harness reads `scratch/theirs`."""
    ours = scratch / "ours" / pair.key.replace(" ", "-")
    for place, rows in pair.make(data).items():
        write_lines(ours / f"{place}.jsonl", rows)
        if place in pair.hub:
            repo, subset, split = pair.hub[place]
            write_lines(scratch / "theirs" / repo.replace("/", "+") / subset / f"{split}.jsonl", rows)
    return ours


def write_lines(file: Path, rows: Rows) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


@dataclass
class WithoutStart:
    """A language model asked without the start token before a prompt, as the harness asks this one."""

    model: LanguageModel

    def logprobs(self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]) -> Any:
        self.seen = self.model.logprobs([prompt[1:] for prompt in prompts], continuations)
        return self.seen

    def generate(self, prompts: Sequence[Sequence[int]], *rest: Any) -> list[list[int]]:
        return self.model.generate([prompt[1:] for prompt in prompts], *rest)


def compare(pair: Pair, items: list[Item], samples: Rows, model: WithoutStart, tok: Any) -> dict[str, Any]:
    """Counts of what is equal, and the first differences."""
    samples = list({sample["doc_id"]: sample for sample in reversed(samples)}.values())[
        ::-1
    ]  # one of its filters
    chosen = [items[sample["doc_id"]] for sample in samples]
    if chosen[0].kind in ("choice", "greedy"):
        return weighed(chosen, samples, model, tok)
    return written(
        pair, [replace(item, max_new_tokens=pair.new_tokens) for item in chosen], samples, model, tok
    )


def weighed(items: list[Item], samples: Rows, model: WithoutStart, tok: Any) -> dict[str, Any]:
    judged = judge_choices(model, tok, items, "text")
    mine = iter(model.seen)
    found = {"items": len(items), "prompts": 0, "predictions": 0, "difference": 0.0, "examples": []}
    for item, verdict, sample in zip(items, judged, samples, strict=True):
        contexts = list(item.contexts) or [item.prompt] * len(item.choices)
        asked = [
            [context, choice if choice[:1].isspace() else f" {choice}"]
            for context, choice in zip(contexts, item.choices, strict=True)
        ]
        theirs = [list(pair) for pair in sample["arguments"]]
        theirs_total = [float(one[0][0]) for one in sample["resps"]]
        totals = [next(mine) for _ in item.choices]
        same = asked == theirs
        found["prompts"] += same
        if not same:
            found["examples"] += [{"ours": asked[0], "theirs": theirs[0]}][: 1 - len(found["examples"])]
        differences = [abs(a.total - b) for a, b in zip(totals, theirs_total, strict=True)]
        found["difference"] = max(found["difference"], *differences)
        found["predictions"] += their_choice(item, theirs_total, sample) == (
            verdict.answer if item.kind == "choice" and not item.contexts else best(item, totals)
        )
    return found


def best(item: Item, totals: Sequence[Any]) -> Any:
    """Our choice where the choices are the same text: its place; for a greedy item, whether it is right."""
    return (
        totals[0].is_greedy
        if item.kind == "greedy"
        else max(range(len(totals)), key=lambda n: totals[n].total)
    )


def their_choice(item: Item, totals: Sequence[float], sample: Mapping[str, Any]) -> Any:
    """The harness' choice from its own numbers, by the norm that the item names."""
    if item.kind == "greedy":
        return str(sample["resps"][0][0][1]) == "True"
    lengths = [len(choice) if item.norm == "character" else 1 for choice in item.choices]
    place = max(range(len(totals)), key=lambda n: totals[n] / lengths[n])
    return place if item.contexts else item.choices[place]


def written(pair: Pair, items: list[Item], samples: Rows, model: WithoutStart, tok: Any) -> dict[str, Any]:
    answers = write_answers(model, tok, items, "text")
    grades = grade_answers(items, answers, "text")
    found = {"items": len(items), "prompts": 0, "answers": 0, "verdicts": 0, "examples": []}
    for item, answer, grade, sample in zip(items, answers, grades, samples, strict=True):
        prompt, theirs = sample["arguments"][0][0], str(sample["resps"][0][0])
        found["prompts"] += prompt == item.prompt
        cut = [first_stop(text, item.stops) for text in (answer, theirs)]
        found["answers"] += cut[0] == cut[1]
        if pair.metric:
            verdict = float(sample[pair.metric])
            found["verdicts"] += abs(verdict - grade.credit) < 0.006
        for ours, other in ((item.prompt, prompt), (cut[0], cut[1])):
            if ours != other and len(found["examples"]) < 3:
                found["examples"].append({"ours": ours[-300:], "theirs": other[-300:]})
    return found if pair.metric else {key: value for key, value in found.items() if key != "verdicts"}


def first_stop(text: str, stops: Sequence[str]) -> str:
    for stop in stops:
        text = text.partition(stop)[0]
    return text.strip()


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--harness", required=True, help="a Python that has lm-eval")
    parse.add_argument("--data", type=Path, required=True, help="folder of benchmark files")
    parse.add_argument("--model", default="smollm2-135m-instruct")
    parse.add_argument("--items", type=int, default=40)
    parse.add_argument("--tasks", help="ours, between commas (default: all)")
    parse.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parse.add_argument(
        "--graders", action="store_true", help="only compare the graders, on answers made here"
    )
    parse.add_argument("--quick", action="store_true", help="10 items a task")
    parse.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    given = parse.parse_args()
    given.items = 10 if given.quick else given.items
    wanted = set(given.tasks.split(",")) if given.tasks else {pair.ours for pair in PAIRS}
    with tempfile.TemporaryDirectory() as scratch:
        if given.graders:
            none = Path()
            harness = Harness(given.harness, none, none, Path(scratch), given.threads)
            rules = compare_graders(harness, given.data, Path(scratch))
            write_result({"benchmark": "parity_lm_eval-graders", **rules}, given.results)
            return
        found = {
            pair.key: one
            for pair, one in run(given, [pair for pair in PAIRS if pair.ours in wanted], Path(scratch))
        }
    report(found, given)


def run(given: argparse.Namespace, pairs: list[Pair], scratch: Path) -> Iterator[tuple[Pair, dict[str, Any]]]:
    import torch

    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.models import model_and_tokenizer
    from smolforge.store import Store
    from smolforge.text.tokenizer import load_tokenizer

    torch.set_num_threads(given.threads)
    store = Store(scratch / "lab", "parity")
    model, tokenizer = model_and_tokenizer(store, given.model, "model")
    harness = Harness(given.harness, model.path.resolve(), tokenizer.path.resolve(), scratch, given.threads)
    engine = WithoutStart(TorchLanguageModel(load_model(model.path, compute=torch.float32)))
    tok = load_tokenizer(tokenizer.path)
    folders = {pair.key: lay_out(pair, given.data, scratch) for pair in pairs}
    for pair, answer in zip(pairs, harness.ask(pairs, scratch / "theirs", given.items), strict=True):
        ours = folders[pair.key]
        if pair.ours == "math_minerva":
            write_lines(ours / "math" / "demo.jsonl", harness.worked_problems())
        if "failed" in answer:
            found = {"failed": answer["failed"]}
        else:
            found = compare(pair, load_benchmark(pair.ours, ours), answer["samples"], engine, tok)
        tell(f"  {pair.key}: {json.dumps(found, ensure_ascii=False)}")
        yield pair, found


def report(found: Mapping[str, Mapping[str, Any]], given: argparse.Namespace) -> None:
    def total(name: str) -> list[int]:
        counted = [one for one in found.values() if name in one]
        return [sum(one[name] for one in counted), sum(one["items"] for one in counted)]

    summary = {
        "tasks": len(found),
        "failed": sorted(key for key, one in found.items() if "failed" in one),
        **{f"{name}_equal": total(name) for name in ("prompts", "predictions", "answers", "verdicts")},
        "largest_difference": max((one.get("difference", 0.0) for one in found.values()), default=0.0),
    }
    about = {"model": given.model, "threads": given.threads, "processor": processor()}
    write_result({"benchmark": "parity_lm_eval", **summary, **about, "by_task": found}, given.results)
    sys.exit(bool(summary["failed"]))


if __name__ == "__main__":
    main()
