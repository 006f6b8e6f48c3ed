"""FlashAttention's two operators served on the CPU, one document after the other, in plain mathematics.

Importing this registers them, so that the code which runs on CUDA runs here too. It is an implementation of
its own: softmax written out, gradients by hand (arXiv:2205.14135, appendix B).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn.attention.varlen import _varlen_attn, _varlen_attn_backward


def parts(query: Tensor, key: Tensor, bounds: Tensor, scale: float | None):
    groups = query.shape[1] // key.shape[1]
    for start, end in itertools.pairwise(bounds.tolist()):
        length = end - start
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        yield slice(start, end), later, groups, scale or query.shape[2] ** -0.5


def chances(query: Tensor, key: Tensor, later: Tensor, groups: int, scale: float) -> Tensor:
    scores = scale * torch.einsum("qhe,khe->hqk", query, key.repeat_interleave(groups, 1))
    return scores.masked_fill(later, -torch.inf).softmax(-1)


def forward(
    query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, scale=None, window_size=None,
    enable_gqa=False, seqused_k=None, block_table=None, num_splits=None,
):  # fmt: skip
    assert is_causal and cu_seq_q.dtype == torch.int32 and int(cu_seq_q[-1]) == len(query)
    assert int(cu_seq_q.diff().max()) <= max_q
    out = torch.empty_like(query)
    for part, later, groups, by in parts(query, key, cu_seq_q, scale):
        chance = chances(query[part], key[part], later, groups, by)
        out[part] = torch.einsum("hqk,khe->qhe", chance, value[part].repeat_interleave(groups, 1))
    return out, torch.zeros(query.shape[1], len(query)), torch.zeros(2, dtype=torch.uint64)


def backward(
    grad_out, query, key, value, out, lse, cu_seq_q, cu_seq_k, max_q, max_k, is_causal, rng_state,
    scale=None, window_size=None,
):  # fmt: skip
    grads = [torch.empty(x.shape, dtype=x.dtype) for x in (query, key, value)]
    for part, later, groups, by in parts(query, key, cu_seq_q, scale):
        chance = chances(query[part], key[part], later, groups, by)
        keys, values = (x[part].repeat_interleave(groups, 1) for x in (key, value))
        slope = torch.einsum("qhe,khe->hqk", grad_out[part], values)
        scores = chance * (slope - (slope * chance).sum(-1, keepdim=True)) * by
        grads[0][part] = torch.einsum("hqk,khe->qhe", scores, keys)
        for grad, of, against in ((grads[1], scores, query[part]), (grads[2], chance, grad_out[part])):
            each = torch.einsum("hqk,qhe->khe", of, against)
            grad[part] = each.unflatten(1, (-1, groups)).sum(2)
    return tuple(grads)


_varlen_attn.register_kernel("cpu")(forward)
_varlen_attn_backward.register_kernel("cpu")(backward)
