"""Published scores, in percent, to lay beside one's own: what the makers of SmolLM2 measured of it and of its peers.

Source: arXiv:2502.02737 and the model cards of SmolLM2; the makers' own harness, whole test sets. A score of ours
differs from one of these by more than the models: by half of the items, by the prefix, by the template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smolforge.config import unknown_key

ARC = "arc"
"""The mean of `arc_easy` and `arc_challenge`, as it is published."""

_TASKS = ("hellaswag", ARC, "piqa", "commonsense_qa", "winogrande", "openbookqa", "triviaqa", "gsm8k")


def _base(*scores: float, **others: float) -> dict[str, float]:
    return {**dict(zip(_TASKS, scores, strict=True)), **others}


PUBLISHED: Mapping[str, Mapping[str, float]] = {
    "smollm2-1.7b": _base(68.7, 60.5, 77.6, 43.6, 59.4, 42.2, 36.7, 31.1, mmlu_pro=19.4, humaneval=22.6, nq_open=8.7, math=11.6),
    "llama-3.2-1b": _base(61.2, 49.2, 74.8, 41.2, 57.8, 38.4, 28.1, 7.6, mmlu_pro=11.7, humaneval=18.9, nq_open=6.2, math=3.3),
    "qwen2.5-1.5b": _base(66.4, 58.5, 76.1, 34.1, 59.3, 40.0, 20.9, 61.7, mmlu_pro=13.7, humaneval=37.2, nq_open=10.5, math=34.3),
    "smollm-1.7b": _base(62.9, 59.9, 76.0, 38.0, 54.7, 42.4, 22.5, 5.5, mmlu_pro=10.8),
    "smollm2-360m": _base(54.5, 53.0, 71.7, 38.0, 52.5, 37.4, 16.9, 3.2, mmlu=35.8),
    "qwen2.5-0.5b": _base(51.2, 45.4, 69.9, 31.6, 54.1, 37.4, 4.3, 33.4, mmlu=33.7),
    "smollm-360m": _base(51.8, 50.1, 71.6, 35.3, 52.8, 37.2, 9.1, 1.6, mmlu=34.4),
    "smollm2-135m": _base(42.1, 43.9, 68.4, 33.9, 51.3, 34.6, 4.1, 1.4, mmlu=31.5),
    "smollm-135m": _base(41.2, 42.4, 68.4, 32.7, 51.3, 34.0, 4.3, 1.0, mmlu=30.2),
    "smollm2-1.7b-instruct": {
        "ifeval": 56.7, ARC: 51.7, "mmlu_pro": 19.3, "hellaswag": 66.1, "piqa": 74.4, "gsm8k": 48.8, "humaneval": 28.1,
        "bbh": 32.2, "math": 21.0, "open_rewrite": 44.9,
    },
    "llama-3.2-1b-instruct": {
        "ifeval": 53.5, ARC: 41.6, "mmlu_pro": 12.7, "hellaswag": 56.1, "piqa": 72.3, "gsm8k": 37.4, "humaneval": 33.5,
        "bbh": 27.6, "math": 19.5, "open_rewrite": 39.2,
    },
    "qwen2.5-1.5b-instruct": {
        "ifeval": 47.4, ARC: 46.2, "mmlu_pro": 24.2, "hellaswag": 60.9, "piqa": 73.2, "gsm8k": 63.3, "humaneval": 30.5,
        "bbh": 35.3, "math": 19.6, "open_rewrite": 46.9,
    },
    "smollm2-360m-instruct": {
        "ifeval": 41.0, "hellaswag": 52.1, ARC: 43.7, "piqa": 70.8, "mmlu": 32.8, "gsm8k": 7.43, "bbh": 27.3,
    },
    "qwen2.5-0.5b-instruct": {
        "ifeval": 31.6, "hellaswag": 48.0, ARC: 37.3, "piqa": 67.2, "mmlu": 31.7, "gsm8k": 26.8, "bbh": 30.7,
    },
    "smollm-360m-instruct": {
        "ifeval": 19.8, "hellaswag": 47.9, ARC: 38.8, "piqa": 69.4, "mmlu": 30.6, "gsm8k": 1.36, "bbh": 24.4,
    },
    "smollm2-135m-instruct": {
        "ifeval": 29.9, "hellaswag": 40.9, ARC: 37.3, "piqa": 66.3, "mmlu": 29.3, "gsm8k": 1.4, "bbh": 28.2,
    },
    "smollm-135m-instruct": {
        "ifeval": 17.2, "hellaswag": 38.9, ARC: 33.9, "piqa": 64.0, "mmlu": 28.3, "gsm8k": 1.4, "bbh": 25.2,
    },
}  # fmt: skip

MT_BENCH: Mapping[str, float] = {
    "smollm2-1.7b-instruct": 6.13, "llama-3.2-1b-instruct": 5.48, "qwen2.5-1.5b-instruct": 6.52,
    "smollm2-360m-instruct": 3.66, "qwen2.5-0.5b-instruct": 4.16, "smollm-360m-instruct": 3.37,
    "smollm2-135m-instruct": 1.98, "smollm-135m-instruct": 1.68,
}  # fmt: skip
"""Published ratings from 1 to 10, by GPT-4; another judge rates otherwise."""

NOTES: Mapping[str, str] = {
    "ifeval": "published: the mean of prompts and instructions; ours: prompts whose instructions are all followed",
    "mmlu": "the cloze form, over questions; published over subjects",
    "commonsense_qa": "published with five choices",
    "bbh": "the same three examples for all questions of a task; published drawn",
    "math": "ours by the normaliser of the MATH paper, published by a later one",
    "nq_open": "ours after five examples in the harness' form; the published form is not known",
    "gsm8k": "ours after the first five examples of the train file, published drawn ones",
}
"""What else than the model differs between a published score and ours of the same name."""

PEERS = ("smollm2-1.7b", "llama-3.2-1b", "qwen2.5-1.5b")
"""The models that SmolLM2 was compared with, and it."""


def references(models: Sequence[str], wanted: Sequence[str] | None, *, in_chat: bool) -> list[str]:
    """Whose published scores stand beside those of `models`: those wanted, else the models' own and the peers'.

    Raises ConfigError for a name of which nothing is published here.
    """
    if wanted is None:
        peers = [f"{peer}-instruct" if in_chat else peer for peer in PEERS]
        wanted = [*(name for name in models if name in PUBLISHED), *peers]
    for name in wanted:
        if name not in PUBLISHED:
            raise unknown_key(name, name, sorted(PUBLISHED), "published model")
    return list(dict.fromkeys(wanted))
