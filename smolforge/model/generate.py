"""A model ready to answer: batched log-probabilities and generation with a key/value cache.

Shapes: R rows, T new tokens a row, S cached positions, D model width, H query heads, K key/value
heads, E head width, F feed-forward, V vocabulary, N tokens flat. Every row's token `t` lies at cache
index `t`, so no row is shifted by the length of its neighbours; what lies beyond a row's end is masked.
Small models are bound by the cost of each operation, so weights that read the same input are joined
and nothing loops over rows. Products and cache are in the model's compute type; the residual stream, norms and
logits are fp32.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from smolforge import kernels
from smolforge.kernels import Heads, Packed
from smolforge.language_model import Ended, Logprob, Sampling, Told
from smolforge.model import likelihood
from smolforge.model.sampling import Chooser
from smolforge.model.transformer import Llama, whole_weight
from smolforge.model.writing import Cache, Writing

MOST_ROWS = 128
CACHE_BYTES = 1 << 30
ENDED_STEPS = 8
"""Steps between two looks at whether answers have ended by what they say."""

Shaped = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Product:
    """Projections of one input as one product, with their biases side by side where they have some."""

    weight: Packed
    bias: Tensor | None

    @staticmethod
    def of(layers: Sequence[nn.Linear], dtype: torch.dtype) -> _Product:
        biases = [layer.bias.detach().float() for layer in layers if layer.bias is not None]
        weight = kernels.pack([whole_weight(layer).detach() for layer in layers], dtype)
        return _Product(weight, torch.cat(biases).to(dtype) if biases else None)

    def __call__(self, x: Tensor) -> Tensor:
        out = kernels.times(x, self.weight)
        return out if self.bias is None else out.add_(self.bias)


@dataclass(frozen=True)
class _Layer:
    norm_in: Tensor
    qkv: _Product
    out: _Product
    norm_post: Tensor
    gate_up: _Product
    down: _Product
    heads: Heads
    values: Tensor | None


class TorchLanguageModel:
    """`LanguageModel` over a `Llama`; takes a copy of its weights, so training may go on.

    The network runs where the model lies and in its compute type; what is chosen is chosen on the CPU.

    Greedy answers do not depend on which prompts share a batch, up to floating-point rounding where two
    tokens tie; sampled ones depend on the seed and the prompt's place in the call, not on the batch.
    """

    def __init__(self, model: Llama) -> None:
        self.config, self.compute = model.config, model.compute
        self._embedding_VD = model.embedding_VD.detach().float().clone()
        self._output = self._output_of(model)
        self._norm = model.model.norm.weight.detach().float().clone()
        self._layers = [_fuse(block, self.compute) for block in model.model.layers]
        self._eps = model.config.rms_norm_eps
        self._device = self._embedding_VD.device
        self._tables = model.rotary_tables(self.config.max_position_embeddings, self._device)

    def _output_of(self, model: Llama) -> Packed:
        """The output matrix for fp32 logits: the copy of the embedding where that serves."""
        dtype = torch.float32 if self.compute == torch.bfloat16 else self.compute
        if model.config.tie_word_embeddings and dtype == torch.float32:
            return Packed(self._embedding_VD, self._embedding_VD, *self._embedding_VD.shape)
        return kernels.pack([model.output_weight_VD], dtype)

    # ------------------------------------------------------------------ log-probabilities

    @torch.inference_mode()
    def logprobs(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
    ) -> list[Logprob]:
        """Log-probability of each continuation after its prompt; see `model.likelihood`."""
        return likelihood.logprobs(self, prompts, continuations)

    # ------------------------------------------------------------------ generation

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        stop: Sequence[int] = (),
        ended: Ended | None = None,
        told: Told | None = None,
    ) -> list[list[int]]:
        """One answer a prompt, without the stop token unless it is to be kept; `ended` is asked every few steps, `told` hears how many are done.

        A prompt too long for the model's positions loses its beginning; an answer ends where they end.
        """
        answers: list[list[int]] = [[] for _ in prompts]
        if how.max_new_tokens <= 0 or not prompts:
            return answers
        ready = [self._fit(prompt, how) for prompt in prompts]
        waiting = deque(sorted(range(len(ready)), key=lambda i: len(ready[i])))
        stops = torch.tensor(sorted(set(stop)), dtype=torch.long)
        writing, turn = self._nothing_written(how), 0
        while waiting or writing.rows:
            read = self._fill_up(writing, waiting, ready, how) if writing.is_thin else writing.rows
            for place, ids in self._choose(writing, self._read(writing, read, ready), stops, ended):
                answers[place] = ids
            turn += 1
            is_alive = bool(writing.alive_R.any())
            if told is not None and (turn % ENDED_STEPS == 0 or not is_alive):
                told(len(prompts) - len(waiting) - int(writing.alive_R.sum()))
            if not is_alive and not waiting:
                break
        return answers

    def stream(self, prompt: Sequence[int], how: Sampling, stop: Sequence[int] = ()) -> Iterator[int]:
        """The same tokens as `generate([prompt], how, stop)[0]`, one at a time as they are chosen."""
        ready = self._fit(prompt, how)
        chooser = Chooser(how, self.config.vocab_size)
        chooser.add([0], [ready])
        steps = self._capacity(len(ready), how) - len(ready)
        stops = set(stop)
        with torch.inference_mode():
            cache = self.new_cache(1, len(ready) + steps)
            logits_RV = self._prefill([ready], cache)
        for step in range(steps):
            with torch.inference_mode():  # entered a step at a time: it must not leak to the caller
                token_R = chooser.choose(logits_RV, torch.tensor([step]))
            token = int(token_R)
            if token in stops:
                return
            yield token
            if step + 1 < steps:
                with torch.inference_mode():
                    logits_RV = self._step(token_R, torch.tensor([len(ready) + step]), cache)

    def _nothing_written(self, how: Sampling) -> Writing:
        none, tokens = torch.zeros(0, dtype=torch.long), torch.zeros(0, how.max_new_tokens, dtype=torch.long)
        chooser, cache = Chooser(how, self.config.vocab_size), self.new_cache(0, 0)
        return Writing(none, none, none, none, none.bool(), tokens, chooser, cache)

    def _fill_up(
        self, writing: Writing, waiting: deque[int], ready: Sequence[list[int]], how: Sampling
    ) -> int:
        """Drop the rows that have ended and let prompts that wait take their room; gives how many rows were there before."""
        kept_R = writing.alive_R.nonzero()[:, 0]
        writing.keep(kept_R)
        kept, capacity, places = writing.rows, writing.capacity, list[int]()
        while waiting and kept + len(places) < MOST_ROWS:
            needed = max(capacity, self._capacity(len(ready[waiting[0]]), how))
            rows = kept + len(places) + 1
            if rows > 1 and rows * needed * self.token_bytes > CACHE_BYTES:
                break
            capacity = needed
            places.append(waiting.popleft())
        writing.cache.take(kept_R, len(places), capacity)
        prompts = [ready[place] for place in places]
        writing.add(places, prompts, [self._capacity(len(p), how) - len(p) for p in prompts])
        return kept

    def _read(self, writing: Writing, read: int, ready: Sequence[list[int]]) -> Tensor:
        """Logits (R, V) of the next token: the first `read` rows read their last token, the others their prompts."""
        found = []
        if read:
            token_R = writing.chosen_RN[torch.arange(read), (writing.step_R[:read] - 1).clamp_min(0)]
            at_R = writing.length_R[:read] + writing.step_R[:read] - 1
            found.append(self._step(token_R, at_R, writing.cache.part(0, read)))
        if read < writing.rows:
            prompts = [ready[place] for place in writing.place_R[read:].tolist()]
            found.append(self._prefill(prompts, writing.cache.part(read, writing.rows)))
        return torch.cat(found) if len(found) > 1 else found[0]

    def _choose(
        self, writing: Writing, logits_RV: Tensor, stops: Tensor, ended: Ended | None
    ) -> Iterator[tuple[int, list[int]]]:
        """The next token of every row; gives the (place, answer) of the rows that end by it."""
        last = writing.chosen_RN.shape[1] - 1  # of a row that ended at its limit, nothing more is kept
        token_R = writing.chooser.choose(logits_RV, writing.step_R.clamp_max(last))
        open_R = writing.alive_R.clone()
        if len(stops):
            open_R &= ~torch.isin(token_R, stops)
        kept_R = writing.alive_R if writing.chooser.how.keep_stop else open_R
        rows_R = kept_R.nonzero()[:, 0]
        writing.chosen_RN[rows_R, writing.step_R[rows_R]] = token_R[rows_R]
        writing.step_R = writing.step_R + kept_R
        if ended is not None:
            for row in (open_R & (writing.step_R % ENDED_STEPS == 0)).nonzero()[:, 0].tolist():
                open_R[row] = not ended(int(writing.place_R[row]), writing.answer(row))
        open_R &= writing.step_R < writing.limit_R
        for row in (writing.alive_R & ~open_R).nonzero()[:, 0].tolist():
            yield int(writing.place_R[row]), writing.answer(row)
        writing.alive_R = open_R

    def _prefill(self, prompts: list[list[int]], cache: Cache) -> Tensor:
        hidden_RTD = self._hidden(_padded(prompts), None, cache)
        last_R = torch.tensor([len(p) - 1 for p in prompts])
        return self.logits(hidden_RTD[torch.arange(len(prompts)), last_R]).cpu()

    def _step(self, token_R: Tensor, at_R: Tensor, cache: Cache) -> Tensor:
        hidden_RTD = self._hidden(token_R[:, None], at_R, cache)
        return self.logits(hidden_RTD[:, 0]).cpu()

    def logits(self, hidden_ND: Tensor) -> Tensor:
        logits_NV = kernels.times_wide(hidden_ND.to(self.compute), self._output)
        return kernels.soft_capped(logits_NV, self.config.soft_cap)

    def new_cache(self, rows: int, capacity: int) -> Cache:
        config = self.config
        shape = (rows, config.num_key_value_heads, capacity, config.head_dim)
        keys, values = (
            [torch.zeros(shape, dtype=self.compute, device=self._device) for _ in self._layers]
            for _ in range(2)
        )
        return Cache(keys, values)

    @property
    def vocabulary(self) -> int:
        """Columns of the logits."""
        return self.config.vocab_size

    @property
    def positions(self) -> int:
        """Most tokens that are read together."""
        return self.config.max_position_embeddings

    @property
    def token_bytes(self) -> int:
        """Keys and values of one position."""
        numbers = 2 * self.config.num_hidden_layers * self.config.num_key_value_heads * self.config.head_dim
        return numbers * self.compute.itemsize

    def _fit(self, prompt: Sequence[int], how: Sampling) -> list[int]:
        room = self.positions - min(how.max_new_tokens, self.positions // 4)
        return list(prompt)[-room:] or [likelihood.START_TOKEN]

    def _capacity(self, prompt_tokens: int, how: Sampling) -> int:
        return min(self.positions, prompt_tokens + how.max_new_tokens)

    # ------------------------------------------------------------------ the network

    def _hidden(self, tokens_RT: Tensor, at_R: Tensor | None, cache: Cache | None) -> Tensor:
        """Normed last states (R, T, D), fp32, of new tokens that begin at cache index `at_R` (None: at 0)."""
        places = self._places(tokens_RT, at_R)
        return self._run(tokens_RT.to(self._device), places, cache, lambda qkv: qkv, lambda mixed: mixed)

    def read(self, rows: Sequence[Sequence[int]], at_R: Tensor | None, cache: Cache | None) -> Tensor:
        """The same of rows of unlike lengths: only attention sees them padded, products and norms take real tokens alone.

        States (R, T, D); those beyond a row's end are zero.
        """
        tokens_RT = _padded(rows)
        places = self._places(tokens_RT, at_R)
        lengths_R1 = torch.tensor([len(row) for row in rows])[:, None]
        real_N = (torch.arange(places.length) < lengths_R1).flatten().nonzero()[:, 0].to(self._device)

        def spread(flat_ND: Tensor) -> Tensor:
            if len(real_N) == tokens_RT.numel():
                return flat_ND.view(*tokens_RT.shape, -1)
            padded = flat_ND.new_zeros(tokens_RT.numel(), flat_ND.shape[-1])
            return padded.index_copy_(0, real_N, flat_ND).view(*tokens_RT.shape, -1)

        def gather(padded_RTD: Tensor) -> Tensor:
            flat = padded_RTD.flatten(0, 1)
            return flat if len(real_N) == len(flat) else flat[real_N]

        tokens_N = tokens_RT.to(self._device).flatten()[real_N]
        return spread(self._run(tokens_N, places, cache, spread, gather))

    def _places(self, tokens_RT: Tensor, at_R: Tensor | None) -> kernels.Places:
        rows, length = tokens_RT.shape
        return kernels.Places(rows, length, at_R, *self._tables)

    def _run(
        self, tokens: Tensor, places: kernels.Places, cache: Cache | None, spread: Shaped, gather: Shaped
    ) -> Tensor:
        """All layers; `spread` lays out queries, keys and values in rows for attention, `gather` takes its answers back."""
        x, delta = functional.embedding(tokens, self._embedding_VD), None
        for index, layer in enumerate(self._layers):
            qkv = layer.qkv(self._norm_of(x, delta, layer.norm_in))
            if layer.values is not None:
                qkv[..., -layer.values.shape[1] :] += functional.embedding(tokens, layer.values)
            kept = None if cache is None else (cache.keys[index], cache.values[index])
            mixed = kernels.cached_attention(spread(qkv), layer.heads, places, kept)
            delta = layer.out(gather(mixed))
            inner = layer.gate_up(self._norm_of(x, delta, layer.norm_post))
            delta = layer.down(self._activated(inner))
        return kernels.stream_norm(x, delta, self._norm, self._eps, torch.float32)

    def _activated(self, inner: Tensor) -> Tensor:
        if self.config.relu_squared:
            return functional.relu(inner).square_()
        return kernels.swiglu(inner)

    def _norm_of(self, x: Tensor, delta: Tensor | None, weight: Tensor) -> Tensor:
        """`x` takes up `delta`; its norm, in the type of the product it goes into."""
        return kernels.stream_norm(x, delta, weight, self._eps, self.compute)


def _fuse(block: Any, dtype: torch.dtype) -> _Layer:
    attention, mlp = block.self_attn, block.mlp
    norms = (attention.q_norm, attention.k_norm) if attention.has_norms else ()
    width = attention.q_proj.weight.shape[0] // attention.heads
    heads = Heads(
        attention.heads,
        attention.kv_heads,
        width,
        attention.has_rope,
        tuple(norm.weight.detach().float().clone() for norm in norms) or None,
        attention.eps,
    )
    return _Layer(
        norm_in=block.input_layernorm.weight.detach().float().clone(),
        qkv=_Product.of([attention.q_proj, attention.k_proj, attention.v_proj], dtype),
        out=_Product.of([attention.o_proj], dtype),
        norm_post=block.post_attention_layernorm.weight.detach().float().clone(),
        gate_up=_Product.of([mlp.gate_proj, mlp.up_proj] if mlp.gated else [mlp.up_proj], dtype),
        down=_Product.of([mlp.down_proj], dtype),
        heads=heads,
        values=_values(attention) if attention.has_values else None,
    )


def _values(attention) -> Tensor:
    """A layer's table of values (V, K E), as strong as its heads take them."""
    table, mix_K = attention.value_embeds.weight.detach().float(), attention.value_mix.detach().float()
    return table * mix_K.repeat_interleave(table.shape[1] // len(mix_K))


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids side by side, zeros after each; zeros are never looked at."""
    tokens = np.zeros((len(rows), max(1, *map(len, rows)) if rows else 1), dtype=np.int64)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = row
    return torch.from_numpy(tokens)
