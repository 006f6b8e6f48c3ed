"""An initialisation in which copying from the context works from the first step.

Rewriting, summarising and tool calls stand on induction heads: one head notes at every position which token
came before, a later head looks for the positions after earlier copies of the current token and copies what
stands there. A small model finds this circuit late and suddenly: ours had not after three million tokens. Here it is
laid down in two layers of an otherwise ordinary initialisation; training refines or overwrites it, and the model stays a plain Llama.

    layer 0, heads of the first key/value head: attend to the position before (by rotary phase alone)
             and write a projection of its token into a subspace of its own
    layer 1, heads of the first key/value head: queries project the current token, keys read that
             subspace; values carry the token found there to the output

Source: induction heads, arXiv:2209.11895; structured initialisation, arXiv:2305.09828; the effect on the quick
start: measured, docs/LOG.md 2026-11-23.

Shapes: D width, E head width, R = E / 2 rotary pairs (pair i is rows i and i + R of a head).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from smolforge.model.transformer import Block, Llama

CONSTANT = 3.0
"""The first entry of every embedding, in units of the initial deviation: what positional queries read."""
FAST_PAIRS = 3
"""Rotary pairs, fastest first, that point at the position before."""
PHASE_SHARPNESS = 48.0
MATCH_SHARPNESS = 3.0
NOTE_STRENGTH = 3.0
COPY_STRENGTH = 8.0


def lay_down(model: Llama, seed: int) -> None:
    """Write the copying circuit into the first two layers; models of fewer layers are left alone."""
    config = model.config
    if config.num_hidden_layers < 2 or config.head_dim < 16:
        return
    draw = torch.Generator().manual_seed(seed)
    width, head = config.hidden_size, config.head_dim
    group = config.num_attention_heads // config.num_key_value_heads
    read, write = _orthonormal_rows(2 * head, width, draw).split(head)
    first, second = (cast(Block, layer).self_attn for layer in list(model.model.layers)[:2])
    with torch.no_grad():
        model.embedding_VD[:, 0] = CONSTANT * config.initializer_range
        query_E, key_E = _previous_position(config.head_dim, config.rope_theta)
        scale = (PHASE_SHARPNESS / FAST_PAIRS) ** 0.5 * head**0.25 / CONSTANT
        for place in range(group):
            rows = slice(place * head, (place + 1) * head)
            first.q_proj.weight[rows] = 0.0
            first.q_proj.weight[rows, 0] = scale * query_E
            second.q_proj.weight[rows] = MATCH_SHARPNESS * _slow_rows(read)
            first.o_proj.weight[:, rows] = NOTE_STRENGTH * config.initializer_range * write.T / group
            second.o_proj.weight[:, rows] = COPY_STRENGTH * config.initializer_range * read.T / group
        first.k_proj.weight[:head] = 0.0
        first.k_proj.weight[:head, 0] = scale * key_E
        first.v_proj.weight[:head] = read
        second.k_proj.weight[:head] = MATCH_SHARPNESS * _slow_rows(write)
        second.v_proj.weight[:head] = read


def _previous_position(head: int, theta: float) -> tuple[Tensor, Tensor]:
    """Query and key vectors whose product, rotated, is largest one position back: each E."""
    pairs = head // 2
    speed_R = theta ** (-torch.arange(pairs) / pairs)
    fast_R = (torch.arange(pairs) < FAST_PAIRS).float()
    query = torch.cat([torch.cos(-speed_R) * fast_R, torch.sin(-speed_R) * fast_R])
    key = torch.cat([fast_R, torch.zeros(pairs)])
    return query, key


def _slow_rows(rows_ED: Tensor) -> Tensor:
    """The rows on slow rotary pairs, whose phase hardly changes over a document; the fast ones at zero."""
    pairs = rows_ED.shape[0] // 2
    slow = torch.arange(rows_ED.shape[0]) % pairs >= pairs // 2
    return rows_ED * slow[:, None]


def _orthonormal_rows(rows: int, width: int, draw: torch.Generator) -> Tensor:
    """`rows` orthonormal directions that leave the constant entry alone: rows x width."""
    square = torch.randn(width - 1, rows, generator=draw, dtype=torch.float64)
    basis = torch.linalg.qr(square).Q.T.float()
    return torch.cat([torch.zeros(rows, 1), basis], dim=1)
