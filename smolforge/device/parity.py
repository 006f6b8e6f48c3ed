"""Proof that an exported model is the model that was trained: every check a name, a verdict and a number.

The reference is smolforge's own torch model in fp32, run without a key/value cache, and its own
tokenizer; the other side is `transformers` or llama.cpp. Worst differences are given as the power of ten
they stay below, so that the record is the same wherever the arithmetic is.
Shapes: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor

from smolforge.device import battery
from smolforge.device.runtime import FORCE, Answer, GgufModel
from smolforge.errors import MissingExtra, SmolError
from smolforge.language_model import Sampling
from smolforge.model.transformer import Llama
from smolforge.text.tokenizer import Tok

LOGIT_TOLERANCE = 1e-3
"""Largest allowed difference of a logit, fp32 against fp32, times the largest logit where that exceeds 1."""
TIE_MARGIN = 1e-3
"""Two tokens whose logits differ by less are equally likely: either may be chosen."""
KL_LIMIT = {"f32": 1e-5, "f16": 1e-3, "bf16": 1e-2, "q8_0": 2e-2, "q4_1": 1.0, "q4_0": 1.0}
"""Largest allowed mean divergence in nats. Measured far below these; chosen to catch broken files."""


@dataclass(frozen=True)
class Check:
    """One comparison. `worst` is the largest difference found, in the unit that `detail` names."""

    name: str
    passed: bool
    detail: str
    worst: float = 0.0


def of_tokenizer(folder: Path, tok: Tok, positions: int) -> list[Check]:
    """The folder's tokenizer as `AutoTokenizer` loads it, which chooses a class by the settings beside it."""
    theirs = _transformers().AutoTokenizer.from_pretrained(str(folder))

    def their_chat(messages: Any, tools: Any, prompt: bool) -> str:
        return str(
            theirs.apply_chat_template(messages, tools=tools, add_generation_prompt=prompt, tokenize=False)
        )

    def their_ids(text: str) -> list[int]:
        return list(theirs.encode(text, add_special_tokens=False))

    return [
        same_tokens("transformers: same tokens", their_ids, tok),
        same_text_back("transformers: same text back", lambda ids: str(theirs.decode(ids)), tok),
        same_chat("transformers: same chat template", their_chat, tok),
        Check(
            "transformers: same length",
            theirs.model_max_length == positions,
            f"{theirs.model_max_length} tokens there, {positions} here",
        ),
    ]


def of_transformers(folder: Path, model: Llama, tok: Tok, *, reading_tokens: int) -> list[Check]:
    """The folder's model as `AutoModelForCausalLM` loads it, against our own."""
    automatic = _transformers().AutoModelForCausalLM
    loaded = automatic.from_pretrained(str(folder), dtype=torch.float32).eval()
    ids_BT = torch.tensor([reading(tok, min(reading_tokens, model.config.max_position_embeddings))])
    with torch.no_grad():
        difference = _logit_difference(loaded(ids_BT).logits, model(ids_BT))
    ends = _list(loaded.generation_config.eos_token_id)
    wanted = {tok.turn_end_id, tok.eot_id, tok.eos_id}
    return [
        Check(
            "transformers: same logits",
            difference <= LOGIT_TOLERANCE,
            f"{ids_BT.shape[1]} positions",
            _bound(difference),
        ),
        Check("transformers: stops", wanted <= {*ends}, f"end tokens {ends}"),
    ]


def _transformers() -> Any:
    try:
        import transformers
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra(
            f"transformers cannot be loaded ({error})", fix="pip install transformers"
        ) from None
    logging.disable_progress_bar()
    return transformers


def of_gguf(
    gguf: GgufModel, quantisation: str, model: Llama, *, reading_tokens: int, greedy_tokens: int
) -> list[Check]:
    """One GGUF file in llama.cpp against our own model; fp32 must choose the same tokens."""
    name = f"llama.cpp {quantisation}"
    checks: list[Check] = []
    many = (
        model.config.vocab_size > 16_384
    )  # llama.cpp writes a distribution out as text: 0.4 s each at 49,152
    if quantisation == "f32":
        checks += [
            same_tokens(f"{name}: same tokens", gguf.tokenize, gguf.tok, as_it_comes_back=True),
            same_chat(f"{name}: same chat template", gguf.render, gguf.tok),
        ]
    return [
        *checks,
        stops(f"{name}: stops", gguf),
        same_greedy(f"{name}: same greedy text", gguf, model, greedy_tokens, exact=quantisation == "f32"),
        compare_distributions(
            f"{name}: same distribution",
            gguf,
            model,
            KL_LIMIT[quantisation],
            reading_tokens if quantisation == "f32" or not many else max(9, reading_tokens // 4),
        ),
    ]


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


def same_tokens(
    name: str, theirs: Callable[[str], list[int]], tok: Tok, *, as_it_comes_back: bool = False
) -> Check:
    """Token ids over the battery and fuzzed texts, special tokens allowed, as both tools do by default.

    `as_it_comes_back`: the other tool brings text into no Unicode form and merges differently around a byte that has no
    token, so it is given each text as it comes back from this tokenizer.
    """
    texts, changed = battery.all_texts(), 0
    for number, text in enumerate(texts):
        ids = tok.encode(text, allow_special=True)
        given = tok.decode(ids) if as_it_comes_back else text
        changed += given != text
        if theirs(given) != (ids if given == text else tok.encode(given, allow_special=True)):
            return Check(name, False, f"text {number} differs: {text[:40]!r}", 1.0)
    detail = f"{len(texts)} texts"
    return Check(name, True, detail + (f", {changed} of them as they come back" if changed else ""))


def same_text_back(name: str, theirs: Callable[[list[int]], str], tok: Tok) -> Check:
    """Decoding gives every text back, or, where the vocabulary has no token for something, the same loss on both sides."""
    lost = 0
    texts = battery.all_texts()
    for number, text in enumerate(texts):
        ids = tok.encode(text)
        ours = tok.decode(ids)
        lost += ours != text
        if theirs(ids) != ours or (tok.is_lossless and ours != text):
            return Check(name, False, f"text {number} differs: {text[:40]!r}", 1.0)
    detail = f"{len(texts)} texts"
    if lost:
        detail += f"; {lost} lose something that the vocabulary has no token for, the same on both sides"
    return Check(name, True, detail)


def same_chat(name: str, theirs: Callable[[Any, Any, bool], str], tok: Tok) -> Check:
    """The chat template writes every conversation as the tokenizer's `render` does, and refuses the same ones."""
    if not tok.can_chat:
        return Check(name, True, "the model has no chat template")
    refused, today = 0, datetime.date.today()
    for number, (messages, tools) in enumerate(battery.CONVERSATIONS):
        for prompt in (False, True):
            if prompt and messages[-1]["role"] == "assistant":
                continue
            given = tok.template.fitted(messages, tools) if tok.template else (messages, tools)
            ours = _or_none(partial(tok.render, messages, tools, prompt, today))
            refused += ours is None
            if ours != _or_none(partial(theirs, *given, prompt)):
                return Check(name, False, f"conversation {number} differs", 1.0)
    detail = f"{len(battery.CONVERSATIONS)} conversations"
    return Check(name, True, detail + (f", {refused} renderings refused on both sides" if refused else ""))


def _or_none(render: Callable[[], str]) -> str | None:
    """What is rendered, or None where the template refuses: each side says so with its own kind of error."""
    try:
        return render()
    except (SmolError, TemplateError, TypeError, ValueError, LookupError):
        return None


def same_greedy(name: str, gguf: GgufModel, model: Llama, tokens: int, *, exact: bool) -> Check:
    """The likeliest continuation of every prompt: ours, read in one pass over what the file wrote, is the same.

    Where our likeliest token is theirs at every step, the two texts are one. A difference counts unless it was a tie.
    Not exact: differences are counted and reported, and the check passes.
    """
    equal, ties, worst = 0, 0, 0.0
    prompts = greedy_prompts(gguf.tok)
    for prompt in prompts:
        theirs = gguf.answer(prompt, Sampling(max_new_tokens=tokens))
        margin = parting_margin(model, prompt, theirs, gguf.tok)
        if margin is None:
            equal += 1
            continue
        ties += margin < TIE_MARGIN
        worst = max(worst, margin)
    detail = f"{equal} of {len(prompts)} prompts the same for {tokens} tokens"
    if exact and ties:
        detail += f", {ties} parted at a tie"
    return Check(name, not exact or equal + ties == len(prompts), detail, _rounded(worst))


def parting_margin(model: Llama, prompt: Sequence[int], theirs: Answer, tok: Tok) -> float | None:
    """How much likelier our token is than theirs where the two would part; None where they never do.

    An answer that stopped goes on, for this, with an end token.
    """
    with torch.no_grad():
        logits_TV = model(torch.tensor([[*prompt, *theirs.ids]]))[0, len(prompt) - 1 :]
    ends = list(tok.end_ids)
    for row_V, said in zip(logits_TV, [*theirs.ids, None], strict=True):
        best = int(row_V.argmax())
        if said is None and theirs.reason == "length":
            return None
        if best != said if said is not None else best not in ends:
            there = float(row_V[said] if said is not None else row_V[ends].max())
            return abs(float(row_V[best]) - there)
    return None


def stops(name: str, gguf: GgufModel) -> Check:
    """An answer ends where the model says the end of a turn or of a text, and shows neither."""
    tok, prompt = gguf.tok, gguf.tok.encode("Hello")
    ends = [end for end in tok.specials if tok.specials[end] in (tok.turn_end_id, tok.eos_id, tok.eot_id)]
    for end in ends:
        answer = gguf.answer(prompt, Sampling(max_new_tokens=4), bias={tok.specials[end]: FORCE})
        if answer.ids or answer.reason != "stop":
            return Check(name, False, f"goes on after {end}", 1.0)
    return Check(name, True, f"at {' and '.join(ends)}")


def compare_distributions(name: str, gguf: GgufModel, model: Llama, limit: float, tokens: int) -> Check:
    """Mean divergence from our fp32 distribution, agreement on the likeliest token, and perplexities."""
    ids = reading(gguf.tok, min(tokens, gguf.context - 1))
    with torch.no_grad():
        ours_TV = torch.log_softmax(model(torch.tensor([ids]))[0].double(), -1)
    rows = [gguf.distribution(ids[: end + 1]) for end in range(len(ids) - 1)]
    tokens_there = range(model.config.vocab_size)
    theirs_TV = torch.tensor([[row[token] for token in tokens_there] for row in rows]).double()
    ours_TV = ours_TV[: len(rows)]
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


def greedy_prompts(tok: Tok) -> list[list[int]]:
    """Questions as conversations, and plain texts to continue."""
    asked = []
    if tok.can_chat:
        turns = [[{"role": "user", "content": text}] for text in battery.QUESTIONS]
        asked = [tok.encode_chat(turn, None, True)[0] for turn in turns]
    return [*asked, *(tok.encode(text) for text in battery.OPENINGS)]


def reading(tok: Tok, tokens: int) -> list[int]:
    """The first tokens of the battery's text, repeated as far as needed."""
    ids = tok.encode(battery.READING)
    return (ids * (tokens // len(ids) + 1))[:tokens]


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
