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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from smolforge import kernels
from smolforge.kernels import Heads, Packed
from smolforge.language_model import Ended, Logprob, Sampling, Told
from smolforge.model.sampling import Chooser
from smolforge.model.transformer import Llama, whole_weight
from smolforge.model.writing import Cache, Writing

MOST_ROWS = 128
BATCH_TOKENS = 16_384
CACHE_BYTES = 1 << 30
LOGIT_NUMBERS = 8 << 20
ENDED_STEPS = 8
"""Steps between two looks at whether answers have ended by what they say."""
START_TOKEN = 0

T = TypeVar("T")


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
        """Log-probability of each continuation after its prompt.

        An empty prompt stands for the start token. Where the two are longer than the model's positions,
        the continuation is scored in windows that each see at least half the positions as context.
        """
        asked = [(tuple(p) or (START_TOKEN,), tuple(c)) for p, c in zip(prompts, continuations, strict=True)]
        pieces: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
        for row, (prompt, continuation) in enumerate(asked):
            pieces += [(row, *window) for window in _windows(prompt, continuation, self._positions)]
        totals, greedy = self._score_pieces([p[1:] for p in pieces])
        sums = np.zeros(len(asked))
        all_greedy = np.ones(len(asked), dtype=bool)
        rows = np.array([p[0] for p in pieces], dtype=np.int64)
        np.add.at(sums, rows, totals)
        np.logical_and.at(all_greedy, rows, greedy)
        return [Logprob(float(sums[i]), len(c), bool(all_greedy[i])) for i, (_, c) in enumerate(asked)]

    def _score_pieces(
        self, pieces: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
    ) -> tuple[np.ndarray, np.ndarray]:
        totals = np.zeros(len(pieces))
        greedy = np.ones(len(pieces), dtype=bool)
        order = sorted(
            range(len(pieces)), key=lambda i: (-len(pieces[i][0]), pieces[i][0], len(pieces[i][1]))
        )
        order = [i for i in order if pieces[i][1]]
        groups = [order[a:b] for a, b in _runs([pieces[i][0] for i in order])]
        shared = [g for g in groups if len(g) > 1 and len(pieces[g[0]][0]) > 8]
        alone = [i for g in groups if not (len(g) > 1 and len(pieces[g[0]][0]) > 8) for i in g]
        alone.sort(key=lambda i: len(pieces[i][0]) + len(pieces[i][1]))
        lengths = [len(pieces[i][0]) + len(pieces[i][1]) for i in alone]
        for a, b in _batches(lengths, BATCH_TOKENS, MOST_ROWS * 4):
            self._score_whole(pieces, alone[a:b], totals, greedy)
        for batch in self._shared_batches(pieces, shared):
            self._score_shared(pieces, batch, totals, greedy)
        return totals, greedy

    def _score_whole(self, pieces, rows: Sequence[int], totals: np.ndarray, greedy: np.ndarray) -> None:
        texts = [pieces[i][0] + pieces[i][1] for i in rows]
        tokens_RT = _padded([text[:-1] for text in texts])
        hidden_RTD = self._hidden(tokens_RT, None, None)
        firsts = [len(pieces[i][0]) - 1 for i in rows]
        self._collect(hidden_RTD, firsts, [pieces[i][1] for i in rows], rows, totals, greedy)

    def _shared_batches(self, pieces, groups: list[list[int]]) -> Iterator[list[list[int]]]:
        batch: list[list[int]] = []
        for group in groups:
            longest = max(len(pieces[i][0]) + len(pieces[i][1]) for g in [*batch, group] for i in g)
            rows = sum(map(len, batch)) + len(group)
            if batch and (rows > self._most_rows(longest) or rows * longest > 4 * BATCH_TOKENS):
                yield batch
                batch = []
            batch.append(group)
        if batch:
            yield batch

    def _score_shared(self, pieces, groups: list[list[int]], totals: np.ndarray, greedy: np.ndarray) -> None:
        """Reads each prompt once, then every continuation from a copy of its prompt's cache."""
        prompts = [pieces[g[0]][0][:-1] for g in groups]
        rows = [i for g in groups for i in g]
        after = [(pieces[i][0][-1], *pieces[i][1][:-1]) for i in rows]
        capacity = max(map(len, prompts)) + max(map(len, after))
        cache = self._cache(len(groups), capacity)
        self._hidden(_padded(prompts), None, cache)
        repeats = torch.tensor([len(g) for g in groups])
        cache.take(torch.repeat_interleave(torch.arange(len(groups)), repeats))
        ends_R = torch.repeat_interleave(torch.tensor([len(p) for p in prompts]), repeats)
        hidden_RTD = self._hidden(_padded(after), ends_R, cache)
        self._collect(hidden_RTD, [0] * len(rows), [pieces[i][1] for i in rows], rows, totals, greedy)

    def _collect(self, hidden_RTD: Tensor, firsts, continuations, rows, totals, greedy) -> None:
        counts = np.array([len(c) for c in continuations])
        row_N = np.repeat(np.arange(len(rows)), counts)
        step_N = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        step_N = step_N + np.repeat(np.array(firsts), counts)
        targets_N = torch.tensor([token for c in continuations for token in c])
        hidden_ND = hidden_RTD[torch.from_numpy(row_N), torch.from_numpy(step_N)]
        logprob_N, greedy_N = self._target_logprobs(hidden_ND, targets_N)
        places = np.asarray(rows)[row_N]
        np.add.at(totals, places, logprob_N.double().numpy())
        np.logical_and.at(greedy, places, greedy_N.numpy())

    def _target_logprobs(self, hidden_ND: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
        chunk = max(1, LOGIT_NUMBERS // self.config.vocab_size)
        targets_N = targets_N.to(self._device)
        logprobs, greedy = [], []
        for a in range(0, len(targets_N), chunk):
            logits_NV = self._logits(hidden_ND[a : a + chunk])
            targets = targets_N[a : a + chunk]
            chosen = logits_NV.gather(1, targets[:, None])[:, 0]
            logprobs.append(chosen - logits_NV.logsumexp(1))
            greedy.append(logits_NV.argmax(1) == targets)
        return torch.cat(logprobs).cpu(), torch.cat(greedy).cpu()

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
            cache = self._cache(1, len(ready) + steps)
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
        chooser, cache = Chooser(how, self.config.vocab_size), self._cache(0, 0)
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
            if rows > 1 and rows * needed * self._token_bytes > CACHE_BYTES:
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
        return self._logits(hidden_RTD[torch.arange(len(prompts)), last_R]).cpu()

    def _step(self, token_R: Tensor, at_R: Tensor, cache: Cache) -> Tensor:
        hidden_RTD = self._hidden(token_R[:, None], at_R, cache)
        return self._logits(hidden_RTD[:, 0]).cpu()

    def _logits(self, hidden_ND: Tensor) -> Tensor:
        logits_NV = kernels.times_wide(hidden_ND.to(self.compute), self._output)
        return kernels.soft_capped(logits_NV, self.config.soft_cap)

    def _cache(self, rows: int, capacity: int) -> Cache:
        config = self.config
        shape = (rows, config.num_key_value_heads, capacity, config.head_dim)
        keys, values = (
            [torch.zeros(shape, dtype=self.compute, device=self._device) for _ in self._layers]
            for _ in range(2)
        )
        return Cache(keys, values)

    @property
    def _positions(self) -> int:
        return self.config.max_position_embeddings

    @property
    def _token_bytes(self) -> int:
        numbers = 2 * self.config.num_hidden_layers * self.config.num_key_value_heads * self.config.head_dim
        return numbers * self.compute.itemsize

    def _most_rows(self, length: int) -> int:
        return max(1, min(MOST_ROWS * 4, CACHE_BYTES // (self._token_bytes * length)))

    def _fit(self, prompt: Sequence[int], how: Sampling) -> list[int]:
        room = self._positions - min(how.max_new_tokens, self._positions // 4)
        return list(prompt)[-room:] or [START_TOKEN]

    def _capacity(self, prompt_tokens: int, how: Sampling) -> int:
        return min(self._positions, prompt_tokens + how.max_new_tokens)

    # ------------------------------------------------------------------ the network

    def _hidden(self, tokens_RT: Tensor, at_R: Tensor | None, cache: Cache | None) -> Tensor:
        """Normed last states (R, T, D), fp32, of new tokens that begin at cache index `at_R` (None: at 0)."""
        rows, length = tokens_RT.shape
        places = kernels.Places(rows, length, at_R, *self._tables)
        tokens_RT = tokens_RT.to(self._device)
        x_RTD, delta_RTD = functional.embedding(tokens_RT, self._embedding_VD), None
        for index, layer in enumerate(self._layers):
            qkv = layer.qkv(self._norm_of(x_RTD, delta_RTD, layer.norm_in))
            if layer.values is not None:
                qkv[..., -layer.values.shape[1] :] += functional.embedding(tokens_RT, layer.values)
            kept = None if cache is None else (cache.keys[index], cache.values[index])
            delta_RTD = layer.out(kernels.cached_attention(qkv, layer.heads, places, kept))
            inner = layer.gate_up(self._norm_of(x_RTD, delta_RTD, layer.norm_post))
            delta_RTD = layer.down(self._activated(inner))
        return kernels.stream_norm(x_RTD, delta_RTD, self._norm, self._eps, torch.float32)

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


def _windows(prompt: tuple[int, ...], continuation: tuple[int, ...], positions: int):
    """(context, scored) pairs that together score `continuation` once within `positions`."""
    if len(prompt) + len(continuation) <= positions + 1:
        yield prompt, continuation
        return
    text = prompt + continuation
    at = len(prompt)
    while at < len(text):
        start = 0 if at < positions // 2 else at - positions // 2
        end = min(len(text), start + positions + 1)
        yield text[start:at], text[at:end]
        at = end


def _runs(items: Sequence[T]) -> Iterator[tuple[int, int]]:
    """Index ranges of equal neighbours."""
    start = 0
    for i in range(1, len(items) + 1):
        if i == len(items) or items[i] != items[start]:
            yield start, i
            start = i


def _batches(lengths: Sequence[int], most_tokens: int, most_rows: int) -> Iterable[tuple[int, int]]:
    """Ranges of rows, in ascending length, whose padded size stays within the limits."""
    start = 0
    for end in range(1, len(lengths) + 1):
        full = (
            end == len(lengths) or end - start >= most_rows or lengths[end] * (end + 1 - start) > most_tokens
        )
        if full:
            yield start, end
            start = end
