"""Public benchmarks: one file each, a folder of published files in, items out.

Formulations are those under which SmolLM2's scores were published (arXiv:2502.02737, section 4 and its
evaluation code), else those of lm-evaluation-harness; where the two differ, both are here under names, and where the
data at hand forces another, the module says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from smolforge.config import unknown_key
from smolforge.evals.task import Item
from smolforge.evals.tasks import (
    arc,
    bbh,
    bfcl,
    boolq,
    cnn_dailymail,
    commonsense_qa,
    copa,
    coqa,
    drop,
    gsm8k,
    hellaswag,
    humaneval,
    ifeval,
    jeopardy,
    lambada,
    long_context,
    math,
    mbpp,
    mmlu,
    nq_open,
    open_rewrite,
    openbookqa,
    piqa,
    siqa,
    squad_v2,
    triviaqa,
    winogrande,
)
from smolforge.evals.tasks.rows import MissingBenchmark, Source


@dataclass(frozen=True)
class Benchmark:
    """How the items of a benchmark are made, and of which files; no files where they are generated.

    usual  asked where nobody names benchmarks; the others are second forms, long answers, or long prompts
    """

    items: Callable[[Path], list[Item]]
    sources: tuple[Source, ...] = ()
    usual: bool = False


BENCHMARKS: dict[str, Benchmark] = {
    "arc_challenge": Benchmark(arc.challenge, (arc.CHALLENGE,), usual=True),
    "arc_easy": Benchmark(arc.easy, (arc.EASY,), usual=True),
    "bbh": Benchmark(bbh.direct, (bbh.TEST,)),
    "bbh_cot": Benchmark(bbh.reasoned, (bbh.TEST, bbh.PROMPTS)),
    "boolq": Benchmark(boolq.items, (boolq.VALIDATION,)),
    "cnn_dailymail": Benchmark(cnn_dailymail.items, (cnn_dailymail.TEST,)),
    "commonsense_qa": Benchmark(commonsense_qa.cloze, (commonsense_qa.VALIDATION,), usual=True),
    "commonsense_qa_mcf": Benchmark(commonsense_qa.letters, (commonsense_qa.VALIDATION,)),
    "copa": Benchmark(copa.items, (copa.VALIDATION,)),
    "copa_lm_eval": Benchmark(copa.as_lm_eval, (copa.VALIDATION,)),
    "coqa": Benchmark(coqa.items, (coqa.VALIDATION,)),
    "drop": Benchmark(drop.items, (drop.VALIDATION,)),
    "gsm8k": Benchmark(gsm8k.items, (gsm8k.TEST, gsm8k.TRAIN), usual=True),
    "hellaswag": Benchmark(hellaswag.items, (hellaswag.VALIDATION,), usual=True),
    "humaneval": Benchmark(humaneval.items, (humaneval.TEST,), usual=True),
    "ifeval": Benchmark(ifeval.items, (ifeval.PROMPTS,), usual=True),
    "jeopardy": Benchmark(jeopardy.items, (jeopardy.CLUES,)),
    "lambada": Benchmark(lambada.items, (lambada.TEST,)),
    "math": Benchmark(math.boxed, (math.TEST, math.DEMO)),
    "math_minerva": Benchmark(math.minerva, (math.TEST, math.DEMO)),
    "mbpp": Benchmark(mbpp.items, (mbpp.TEST, mbpp.PROMPT), usual=True),
    "mmlu": Benchmark(mmlu.cloze, (mmlu.TEST,), usual=True),
    "mmlu_mcf": Benchmark(mmlu.letters, (mmlu.TEST,)),
    "mmlu_mcf_5shot": Benchmark(mmlu.letters_after_five, (mmlu.TEST, mmlu.DEV)),
    "mmlu_pro": Benchmark(mmlu.pro, (mmlu.PRO,), usual=True),
    "mmlu_stem": Benchmark(mmlu.stem, (mmlu.TEST,)),
    "nq_open": Benchmark(nq_open.items, (nq_open.VALIDATION, nq_open.TRAIN)),
    "open_rewrite": Benchmark(open_rewrite.items, (open_rewrite.TEXTS,)),
    "openbookqa": Benchmark(openbookqa.items, (openbookqa.TEST,), usual=True),
    "piqa": Benchmark(piqa.items, (piqa.VALIDATION,), usual=True),
    "siqa": Benchmark(siqa.items, (siqa.VALIDATION,)),
    "squad_v2": Benchmark(squad_v2.items, (squad_v2.VALIDATION,)),
    "triviaqa": Benchmark(triviaqa.items, (triviaqa.VALIDATION,), usual=True),
    "triviaqa_lm_eval": Benchmark(triviaqa.as_lm_eval, (triviaqa.VALIDATION,)),
    "winogrande": Benchmark(winogrande.whole, (winogrande.VALIDATION,), usual=True),
    "winogrande_partial": Benchmark(winogrande.partial, (winogrande.VALIDATION,)),
    **{name: Benchmark(make, sources) for name, make, sources in bfcl.LOADERS},
    **{name: Benchmark(make) for name, make in long_context.GENERATED.items()},
}


def known_benchmark(name: str) -> None:
    """Raises `ConfigError` for an unknown name."""
    if name not in BENCHMARKS:
        raise unknown_key(name, name, sorted(BENCHMARKS), "benchmark")


def load_benchmark(name: str, folder: Path) -> list[Item]:
    """The items of one benchmark; `ConfigError` for an unknown name."""
    known_benchmark(name)
    return BENCHMARKS[name].items(folder)


def usual_benchmarks() -> list[str]:
    """Names of those that are asked where nobody names any, in alphabetical order."""
    return sorted(name for name, one in BENCHMARKS.items() if one.usual)


def held_in(folder: Path) -> list[str]:
    """Names of the usual benchmarks whose files are in the folder, in alphabetical order."""
    found = []
    for name in usual_benchmarks():
        try:
            load_benchmark(name, folder)
        except MissingBenchmark:
            continue
        found.append(name)
    return found
