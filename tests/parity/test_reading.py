"""Reading without a way back: the C path against plain mathematics, in every type, with odd sizes and uneven rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from smolforge import kernels
from smolforge.kernels import Heads, Places, fused, reading

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float16: 4e-3}


def near(got: Tensor, wanted: Tensor, dtype: torch.dtype) -> bool:
    return bool(
        (got.double() - wanted.double()).abs().max() <= TOLERANCE[dtype] * wanted.abs().max().clamp(min=0.02)
    )


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    if not fused.knows(request.param):
        pytest.skip(f"the C path does not run {request.param} on this processor")
    return request.param


@pytest.mark.parametrize(("rows", "width"), [(1, 3), (5, 64), (77, 100)])
@pytest.mark.parametrize("added", [True, False])
def test_stream_norm(dtype: torch.dtype, rows: int, width: int, added: bool) -> None:
    stream, weight = torch.randn(rows, width), torch.rand(width)
    delta = torch.randn(rows, width).to(dtype) if added else None
    total = stream.double() + (delta.double() if delta is not None else 0)
    wanted = total * (total.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * weight.double()
    got = kernels.stream_norm(stream, delta, weight, 1e-5, dtype)
    assert got.dtype == dtype and near(got, wanted, dtype)
    assert torch.allclose(stream.double(), total, atol=1e-6)


def exact(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One query (H, E) over keys and values (K, S, E), all float64: H x E."""
    group = len(q) // len(keys)
    found = [
        (head @ keys[h // group].T * q.shape[1] ** -0.5).softmax(0) @ values[h // group]
        for h, head in enumerate(q)
    ]
    return torch.stack(found)


@pytest.mark.parametrize(
    ("queries", "keys", "width"), [(1, 1, 2), (3, 1, 64), (6, 2, 20), (5, 1, 34), (8, 8, 16)]
)
def test_attention_over_a_cache(dtype: torch.dtype, queries: int, keys: int, width: int) -> None:
    """Rows of unlike lengths, three new positions each, against one query at a time."""
    heads = Heads(queries, keys, width, has_rope=False)
    first, capacity, length = torch.tensor([0, 7, 40, 3]), 50, 3
    cache = tuple(torch.randn(4, keys, capacity, width).to(dtype) for _ in range(2))
    old = [kept.clone().double() for kept in cache]
    qkv = torch.randn(4, length, (queries + 2 * keys) * width).to(dtype)
    q, k, v = qkv.clone().double().view(4, length, -1, width).split((queries, keys, keys), 2)
    places = Places(4, length, first, *kernels.rotary_tables(64, width, 1e4))
    got = kernels.cached_attention(qkv, heads, places, cache).view(4, length, queries, width)
    for row, at in enumerate(first.tolist()):
        old[0][row, :, at : at + length], old[1][row, :, at : at + length] = (
            k[row].transpose(0, 1),
            v[row].transpose(0, 1),
        )
        for t in range(length):
            seen = at + t + 1
            wanted = exact(q[row, t], old[0][row, :, :seen], old[1][row, :, :seen])
            assert near(got[row, t], wanted, dtype)
    assert all(torch.equal(kept.double(), wanted) for kept, wanted in zip(cache, old, strict=True))


@pytest.mark.parametrize("normed", [False, True])
@pytest.mark.parametrize("has_rope", [False, True])
@pytest.mark.parametrize("first", [None, [0, 5, 29]])
@pytest.mark.parametrize("cached", [True, False])
def test_both_paths_agree(
    dtype: torch.dtype, normed: bool, has_rope: bool, first: list[int] | None, cached: bool
) -> None:
    """C against PyTorch: outputs, and what lies in the cache."""
    if first is not None and not cached:
        pytest.skip("new positions after others need a cache")
    queries, keys, width, rows, length = 6, 2, 32, 3, 9
    norms = (torch.rand(width) + 0.5, torch.rand(width) + 0.5) if normed else None
    heads = Heads(queries, keys, width, has_rope, norms, 1e-5)
    at = None if first is None else torch.tensor(first)
    places = Places(rows, length, at, *kernels.rotary_tables(40, width, 1e4))
    qkv = torch.randn(rows, length, (queries + 2 * keys) * width).to(dtype)
    caches = [torch.randn(2, rows, keys, 40, width).to(dtype)] * 2
    caches = [(cache[0].clone(), cache[1].clone()) for cache in caches]
    ours, theirs = (
        path(qkv.clone(), heads, places, cache if cached else None)
        for path, cache in zip((reading._in_c, reading._in_torch), caches, strict=True)
    )
    assert near(ours, theirs, dtype)
    for mine, other in zip(*caches, strict=True):
        assert near(mine, other, dtype)


def test_large_scores_and_a_full_cache(dtype: torch.dtype) -> None:
    """Scores of hundreds do not overflow; a position at the end of the cache sees all of it."""
    heads = Heads(2, 1, 16, has_rope=False)
    cache = tuple((torch.randn(1, 1, 33, 16) * 30).to(dtype) for _ in range(2))
    qkv = (torch.randn(1, 1, 64) * 30).to(dtype)
    q = qkv.double().view(1, 1, 4, 16)[0, 0]
    places = Places(1, 1, torch.tensor([32]), *kernels.rotary_tables(33, 16, 1e4))
    got = kernels.cached_attention(qkv, heads, places, cache).view(2, 16)
    assert near(got, exact(q[:2], cache[0][0].double(), cache[1][0].double()), dtype)


def test_results_do_not_depend_on_the_neighbours(dtype: torch.dtype) -> None:
    """The same row alone and among others, bit for bit."""
    heads = Heads(6, 2, 32)
    tables = kernels.rotary_tables(64, 32, 1e4)
    cache = torch.randn(2, 5, 2, 40, 32).to(dtype)
    qkv, first = torch.randn(5, 1, 320).to(dtype), torch.tensor([3, 30, 9, 0, 17])
    whole = kernels.cached_attention(
        qkv.clone(), heads, Places(5, 1, first, *tables), (cache[0].clone(), cache[1].clone())
    )
    for row in range(5):
        part = slice(row, row + 1)
        alone = kernels.cached_attention(
            qkv[part].clone(),
            heads,
            Places(1, 1, first[part], *tables),
            (cache[0, part].clone(), cache[1, part].clone()),
        )
        assert torch.equal(alone, whole[part])
