"""Proof that an exported model is the model that was trained: every check a name, a verdict and a number.

The reference is smolforge's own torch model in fp32, run without a key/value cache, and its own
tokenizer; the other side is `transformers` or llama.cpp. Worst differences are given as the power of ten
they stay below, so that the record is the same wherever the arithmetic is.
Shapes: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smolforge.device import battery
from smolforge.device.runtime import FORCE, GgufModel
from smolforge.errors import MissingExtra
from smolforge.evals.task import Sampling
from smolforge.model.transformer import Llama
from smolforge.text import chat
from smolforge.text.tokenizer import Tok

LOGIT_TOLERANCE = 1e-3
"""Largest allowed difference of a logit, fp32 against fp32, times the largest logit where that exceeds 1."""
TIE_MARGIN = 1e-3
"""Two tokens whose logits differ by less are equally likely: either may be chosen."""
KL_LIMIT = {"f32": 1e-5, "f16": 1e-3, "bf16": 1e-2, "q8_0": 2e-2, "q4_0": 1.0}
"""Largest allowed mean divergence in nats. Measured far below these; chosen to catch broken files."""


@dataclass(frozen=True)
class Check:
    """One comparison. `worst` is the largest difference found, in the unit that `detail` names."""

    name: str
    passed: bool
    detail: str
    worst: float = 0.0


def of_transformers(folder: Path, model: Llama, tok: Tok, *, reading_tokens: int) -> list[Check]:
    """The Hugging Face folder in `transformers` against our own model and tokenizer."""
    try:
        from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra(
            f"transformers cannot be loaded ({error})", fix="pip install transformers"
        ) from None
    logging.disable_progress_bar()
    theirs = PreTrainedTokenizerFast.from_pretrained(str(folder))

    def their_chat(messages: Any, tools: Any, prompt: bool) -> str:
        return str(
            theirs.apply_chat_template(messages, tools=tools, add_generation_prompt=prompt, tokenize=False)
        )

    def their_ids(text: str) -> list[int]:
        return list(theirs.encode(text, add_special_tokens=False))

    loaded = LlamaForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    ids_BT = torch.tensor([reading(tok, min(reading_tokens, model.config.max_position_embeddings))])
    with torch.no_grad():
        difference = _logit_difference(loaded(ids_BT).logits, model(ids_BT))
    ends = loaded.generation_config.eos_token_id
    return [
        same_tokens("transformers: same tokens", their_ids, tok),
        same_text_back("transformers: same text back", lambda ids: str(theirs.decode(ids)), tok),
        same_chat("transformers: same chat template", their_chat),
        Check(
            "transformers: same logits",
            difference <= LOGIT_TOLERANCE,
            f"{ids_BT.shape[1]} positions",
            _bound(difference),
        ),
        Check(
            "transformers: stops", {tok.im_end_id, tok.eot_id} <= {*_list(ends)}, f"end tokens {_list(ends)}"
        ),
    ]


def of_gguf(
    gguf: GgufModel, quantisation: str, model: Llama, *, reading_tokens: int, greedy_tokens: int
) -> list[Check]:
    """One GGUF file in llama.cpp against our own model; fp32 must choose the same tokens."""
    name = f"llama.cpp {quantisation}"
    tok = gguf.tok
    checks = [
        compare_distributions(
            f"{name}: same distribution", gguf, model, KL_LIMIT[quantisation], reading_tokens
        ),
        stops(f"{name}: stops", gguf),
    ]
    if quantisation == "f32":
        checks += [
            same_tokens(f"{name}: same tokens", gguf.tokenize, tok),
            same_chat(f"{name}: same chat template", gguf.render),
        ]
    checks.append(
        same_greedy(f"{name}: same greedy text", gguf, model, greedy_tokens, exact=quantisation == "f32")
    )
    return checks


def same_vocabulary(name: str, gguf: Tok, tok: Tok) -> Check:
    """Whether the file's tokenizer is the one it was made from."""
    same = (
        dict(gguf.vocab) == dict(tok.vocab) and gguf.specials == tok.specials and gguf.control == tok.control
    )
    return Check(
        name,
        same and list(gguf.merges) == list(tok.merges),
        f"{gguf.vocab_size} tokens, {len(gguf.merges)} merges",
    )


def same_tokens(name: str, theirs: Callable[[str], list[int]], tok: Tok) -> Check:
    """Token ids over the battery, special tokens allowed, as both tools do by default."""
    for number, text in enumerate(battery.TEXTS):
        if theirs(text) != tok.encode(text, allow_special=True):
            return Check(name, False, f"text {number} differs: {text[:40]!r}", 1.0)
    return Check(name, True, f"{len(battery.TEXTS)} texts")


def same_text_back(name: str, theirs: Callable[[list[int]], str], tok: Tok) -> Check:
    """Decoding gives every text of the battery back."""
    for number, text in enumerate(battery.TEXTS):
        if theirs(tok.encode(text)) != text:
            return Check(name, False, f"text {number} differs: {text[:40]!r}", 1.0)
    return Check(name, True, f"{len(battery.TEXTS)} texts")


def same_chat(name: str, theirs: Callable[[Any, Any, bool], str]) -> Check:
    """The chat template renders every conversation as `text.chat.render` does."""
    for number, (messages, tools) in enumerate(battery.CONVERSATIONS):
        for prompt in (False, True):
            if prompt and messages[-1]["role"] == "assistant":
                continue
            if theirs(messages, tools, prompt) != chat.render(messages, tools, prompt):
                return Check(name, False, f"conversation {number} differs", 1.0)
    return Check(name, True, f"{len(battery.CONVERSATIONS)} conversations")


def same_greedy(name: str, gguf: GgufModel, model: Llama, tokens: int, *, exact: bool) -> Check:
    """The likeliest continuation of every prompt; a difference counts unless it was a tie.

    Not exact: differences are counted and reported, and the check passes.
    """
    equal, ties, worst = 0, 0, 0.0
    prompts = greedy_prompts(gguf.tok)
    for prompt in prompts:
        ours = greedy(model, prompt, tokens, {gguf.tok.im_end_id, gguf.tok.eot_id})
        theirs = gguf.answer(prompt, Sampling(max_new_tokens=tokens)).ids
        if ours == theirs:
            equal += 1
            continue
        margin = _margin(model, prompt, ours, theirs, gguf.tok)
        ties += margin < TIE_MARGIN
        worst = max(worst, margin)
    detail = f"{equal} of {len(prompts)} prompts the same for {tokens} tokens"
    if exact and ties:
        detail += f", {ties} parted at a tie"
    return Check(name, not exact or equal + ties == len(prompts), detail, _rounded(worst))


def stops(name: str, gguf: GgufModel) -> Check:
    """An answer ends where the model says `<|im_end|>` or `<|endoftext|>`, and shows neither."""
    tok, prompt = gguf.tok, gguf.tok.encode("Hello")
    for end in (tok.im_end_id, tok.eot_id):
        answer = gguf.answer(prompt, Sampling(max_new_tokens=4), bias={end: FORCE})
        if answer.ids or answer.reason != "stop":
            return Check(name, False, f"goes on after token {end}", 1.0)
    return Check(name, True, "at <|im_end|> and <|endoftext|>")


def compare_distributions(name: str, gguf: GgufModel, model: Llama, limit: float, tokens: int) -> Check:
    """Mean divergence from our fp32 distribution, agreement on the likeliest token, and perplexities."""
    ids = reading(gguf.tok, min(tokens, gguf.context - 1))
    with torch.no_grad():
        ours_TV = torch.log_softmax(model(torch.tensor([ids]))[0].double(), -1)
    rows = [gguf.distribution(ids[: end + 1]) for end in range(len(ids) - 1)]
    theirs_TV = torch.tensor([[row[token] for token in range(gguf.tok.vocab_size)] for row in rows]).double()
    ours_TV = ours_TV[: len(rows), : gguf.tok.vocab_size]
    largest = float((ours_TV - theirs_TV).abs().max())
    divergence = float((ours_TV.exp() * (ours_TV - theirs_TV)).sum(-1).mean().clamp_min(0))
    agree = float((ours_TV.argmax(-1) == theirs_TV.argmax(-1)).double().mean())
    next_T1 = torch.tensor(ids[1:]).unsqueeze(-1)
    perplexities = [math.exp(-float(table.gather(-1, next_T1).mean())) for table in (ours_TV, theirs_TV)]
    detail = (
        f"{len(rows)} positions, divergence {_below(divergence)} nats, log-probabilities within {_bound(largest):g}, likeliest token agrees at {agree:.1%}, "
        f"perplexity {perplexities[0]:.4g} here, {perplexities[1]:.4g} there"
    )
    return Check(name, divergence <= limit, detail, _bound(divergence))


def greedy(model: Llama, prompt: Sequence[int], tokens: int, ends: set[int]) -> list[int]:
    """The likeliest continuation, every step computed from nothing; without the token that ends it."""
    ids: list[int] = []
    for _ in range(tokens):
        token = int(_last_logits(model, [*prompt, *ids]).argmax())
        if token in ends:
            break
        ids.append(token)
    return ids


def greedy_prompts(tok: Tok) -> list[list[int]]:
    """Questions as conversations, and plain texts to continue."""
    asked = [
        tok.encode_chat([{"role": "user", "content": text}], None, True)[0] for text in battery.QUESTIONS
    ]
    return [*asked, *(tok.encode(text) for text in battery.OPENINGS)]


def reading(tok: Tok, tokens: int) -> list[int]:
    """The first tokens of the battery's text, repeated as far as needed."""
    ids = tok.encode(battery.READING)
    return (ids * (tokens // len(ids) + 1))[:tokens]


def _margin(model: Llama, prompt: Sequence[int], ours: list[int], theirs: list[int], tok: Tok) -> float:
    """How much likelier our token is than theirs where two answers part; an answer's end counts as a token."""
    place = next(
        (i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
    )
    logits_V = _last_logits(model, [*prompt, *ours[:place]])
    end = float(torch.stack([logits_V[tok.im_end_id], logits_V[tok.eot_id]]).max())
    sides = [float(logits_V[ids[place]]) if place < len(ids) else end for ids in (ours, theirs)]
    return abs(sides[0] - sides[1])


def _last_logits(model: Llama, ids: Sequence[int]) -> Tensor:
    with torch.no_grad():
        logits_V: Tensor = model(torch.tensor([list(ids)]))[0, -1]
    return logits_V


def _logit_difference(theirs_BTV: Tensor, ours_BTV: Tensor) -> float:
    scale = max(1.0, float(ours_BTV.abs().max()))
    return float((theirs_BTV - ours_BTV).abs().max()) / scale


def _bound(value: float) -> float:
    """The power of ten that `value` stays below; 0 for 0."""
    return 0.0 if value == 0 else float(f"1e{math.floor(math.log10(value)) + 1}")


def _below(value: float) -> str:
    return "0" if value == 0 else f"below {_bound(value):g}"


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _list(value: Any) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value]
