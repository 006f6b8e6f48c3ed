"""Every kernel against the same mathematics in PyTorch float64: odd sizes, extremes, gradients, same bits."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from smolforge import kernels
from smolforge.errors import InputError
from smolforge.kernels import build, products

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 1.2e-2, torch.float16: 4e-3}


def draw(*shape: int, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> Tensor:
    return (torch.randn(*shape) * scale).to(dtype).requires_grad_()


def wide(x: Tensor) -> Tensor:
    return x.detach().double().requires_grad_()


def assert_near(got: Tensor, wanted: Tensor, dtype: torch.dtype, slack: float = 1.0) -> None:
    """Largest error, relative to the largest value wanted (or 0.02, where all of them nearly cancel)."""
    assert got.shape == wanted.shape
    bound = TOLERANCE[dtype] * slack * max(wanted.abs().max().item(), 0.02)
    assert (got.double() - wanted).abs().max().item() <= bound


def check(function, exact, inputs: list[Tensor], dtype: torch.dtype, slack: float = 1.0) -> None:
    """Outputs and all gradients of `function` (ours) near those of `exact` (float64)."""
    copies = [wide(x) for x in inputs]
    got, wanted = function(*inputs), exact(*copies)
    got, wanted = (x if isinstance(x, tuple) else (x,) for x in (got, wanted))
    slopes = [torch.randn(w.shape, dtype=torch.float64) for w in wanted]
    for g, w in zip(got, wanted, strict=True):
        assert_near(g, w, dtype, slack)
    torch.autograd.backward(got, [s.to(g.dtype) for s, g in zip(slopes, got, strict=True)])
    torch.autograd.backward(wanted, [s.to(g.dtype).double() for s, g in zip(slopes, got, strict=True)])
    for x, copy in zip(inputs, copies, strict=True):
        assert x.grad is not None and copy.grad is not None
        assert x.grad.dtype == x.dtype
        assert_near(x.grad, copy.grad, dtype, slack)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(20261123)


def exact_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * weight


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (3, 7), (65, 16), (130, 100), (257, 192)])
def test_rms_norm(dtype: torch.dtype, rows: int, width: int) -> None:
    inputs = [draw(rows, width, dtype=dtype), draw(width)]
    check(lambda x, w: kernels.rms_norm(x, w, 1e-5), exact_norm, inputs, dtype, 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 5, 33), (64, 128)])
def test_add_rms_norm(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    inputs = [draw(*shape, dtype=dtype), draw(*shape, dtype=dtype), draw(shape[-1])]
    check(
        lambda x, r, w: kernels.add_rms_norm(x, r, w, 1e-5),
        lambda x, r, w: (exact_norm(x + r, w), x + r),
        inputs,
        dtype,
        2,
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_of_extremes(dtype: torch.dtype) -> None:
    most = min(1e18, torch.finfo(dtype).max)
    x = torch.tensor([[0.0] * 20, [1e-20] * 20, [most] * 20, [1e-3] * 19 + [most / 1000]]).to(dtype)
    got = kernels.rms_norm(x, torch.ones(20), 1e-5)
    assert_near(got, exact_norm(x.double(), torch.ones(20).double()), dtype)
    assert (
        kernels.rms_norm(torch.full((1, 20), float("nan"), dtype=dtype), torch.ones(20), 1e-5).isnan().all()
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (5, 31), (33, 352)])
def test_swiglu(dtype: torch.dtype, rows: int, width: int) -> None:
    def exact(x: Tensor) -> Tensor:
        return F.silu(x[..., :width]) * x[..., width:]

    check(kernels.swiglu, exact, [draw(rows, 2 * width, dtype=dtype, scale=3)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_swiglu_of_extremes(dtype: torch.dtype) -> None:
    most = min(1e30, torch.finfo(dtype).max)
    gate = torch.tensor([-most, -200.0, -88.0, -0.0, 0.0, 88.0, 200.0, most, float("nan"), float("inf")])
    x = torch.cat([gate, torch.ones(10)]).to(dtype)[None].requires_grad_()
    out = kernels.swiglu(x)
    out.sum().backward()
    assert_near(out[0, :8], F.silu(gate[:8].to(dtype).double()), dtype)
    assert out[0, 8].isnan() and out[0, 9] == float("inf")
    assert x.grad is not None and x.grad[0, :8].isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "width", "sizes"),
    [(9, 24, (13,)), (9, 24, (8, 3, 1)), (1, 1, (1,)), (70, 300, (130, 66)), (601, 64, (64,))],
)
def test_linear(dtype: torch.dtype, rows: int, width: int, sizes: tuple[int, ...]) -> None:
    inputs = [draw(2, rows, width, dtype=dtype), *(draw(n, width) for n in sizes)]

    def exact(x: Tensor, *weights: Tensor) -> Tensor:
        return x @ torch.cat([w.to(dtype).double() for w in weights]).T

    check(kernels.linear, exact, inputs, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_embedding(dtype: torch.dtype) -> None:
    tokens, weight = torch.randint(0, 11, (3, 70)), draw(11, 37)
    check(
        lambda w: kernels.embedding(tokens, w, dtype),
        lambda w: F.embedding(tokens, w),
        [weight],
        dtype,
    )
    with pytest.raises((IndexError, RuntimeError)):
        kernels.embedding(torch.tensor([[11]]), weight, dtype)


def document_starts(batch: int, length: int) -> Tensor:
    """Random packed documents: where each position's document began."""
    first = torch.rand(batch, length) < 0.08
    first[:, 0] = True
    return torch.where(first, torch.arange(length), 0).cummax(1).values


def exact_turn(x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor) -> Tensor:
    c, s = (table.double()[positions].unsqueeze(2) for table in (cos, sin))
    a, b = x.chunk(2, -1)
    return torch.cat([a * c - b * s, b * c + a * s], -1)


def exact_attention(q: Tensor, k: Tensor, v: Tensor, starts: Tensor) -> Tensor:
    groups, at = q.shape[2] // k.shape[2], torch.arange(q.shape[1])
    k, v = k.repeat_interleave(groups, 2), v.repeat_interleave(groups, 2)
    scores = torch.einsum("bthe,bshe->bhts", q, k) / q.shape[3] ** 0.5
    seen = (at[None, None, :] <= at[None, :, None]) & (at[None, None, :] >= starts[:, :, None])
    return torch.einsum("bhts,bshe->bthe", scores.masked_fill(~seen[:, None], -torch.inf).softmax(-1), v)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("batch", "length", "heads", "kv_heads", "width"),
    [
        (1, 1, 1, 1, 2),
        (2, 31, 3, 1, 6),
        (2, 33, 4, 2, 32),
        (1, 130, 2, 2, 64),
        (3, 65, 3, 3, 40),
        (1, 97, 2, 1, 128),
    ],
)
def test_attention(
    dtype: torch.dtype, packed: bool, batch: int, length: int, heads: int, kv_heads: int, width: int
) -> None:
    starts = document_starts(batch, length) if packed else torch.zeros(batch, length, dtype=torch.long)
    sizes = (heads, kv_heads, kv_heads)
    inputs = [draw(batch, length, h, width, dtype=dtype) for h in sizes]
    check(
        lambda q, k, v: kernels.attention(q, k, v, starts if packed else None),
        lambda q, k, v: exact_attention(q, k, v, starts),
        inputs,
        dtype,
        2,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("width", [24, 64])
def test_rotary_attention(dtype: torch.dtype, given: bool, width: int) -> None:
    batch, length, heads, kv_heads = 2, 70, 4, 2
    starts = document_starts(batch, length)
    positions = torch.arange(length) - starts if given else torch.arange(length).expand(batch, -1)
    tables = kernels.rotary_tables(length, width, 10_000.0)

    def exact(qkv: Tensor) -> Tensor:
        q, k, v = qkv.view(batch, length, -1, width).split((heads, kv_heads, kv_heads), 2)
        q, k = (exact_turn(x, *tables, positions) for x in (q, k))
        return exact_attention(q, k, v, starts).reshape(batch, length, -1)

    def ours(qkv: Tensor) -> Tensor:
        return kernels.rotary_attention(qkv, heads, kv_heads, *tables, positions if given else None, starts)

    check(ours, exact, [draw(batch, length, (heads + 2 * kv_heads) * width, dtype=dtype)], dtype, 2)


def test_rotary() -> None:
    tables, positions = kernels.rotary_tables(50, 10, 10_000.0), torch.randint(0, 50, (2, 9))
    check(
        lambda q, k: kernels.rotary(q, k, *tables, positions),
        lambda q, k: (exact_turn(q, *tables, positions), exact_turn(k, *tables, positions)),
        [draw(2, 9, 3, 10), draw(2, 9, 1, 10)],
        torch.float32,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [16, 64])
def test_documents_never_meet(dtype: torch.dtype, width: int) -> None:
    """What stands before a document's start changes nothing, not by one bit, NaN included."""
    starts = torch.tensor([[0] * 40 + [40] * 50])
    q, k, v = (torch.randn(1, 90, 2, width).to(dtype) for _ in range(3))
    before = kernels.attention(q, k, v, starts)
    for x in (q, k):
        x[:, :40] = 1e4
    after = kernels.attention(q, k, v, starts)
    assert torch.equal(before[:, 40:], after[:, 40:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_of_large_scores(dtype: torch.dtype) -> None:
    q, k, v = (draw(1, 40, 1, 16, dtype=dtype, scale=s) for s in (60.0, 60.0, 1.0))
    starts = torch.zeros(1, 40, dtype=torch.long)
    with torch.no_grad():
        got = kernels.attention(q, k, v, starts)
    assert_near(got, exact_attention(q.double(), k.double(), v.double(), starts), dtype, 20)


def test_attention_continues_a_cache() -> None:
    q, k, v = (torch.randn(2, 12, 2, 8) for _ in range(3))
    whole = kernels.attention(q, k, v)
    assert torch.allclose(kernels.attention(q[:, 9:], k, v), whole[:, 9:], atol=1e-5)


def test_attention_refuses_impossible_places() -> None:
    q = torch.randn(1, 4, 1, 8)
    if kernels.describe()["path"] != "c":
        pytest.skip("the PyTorch path indexes with PyTorch's own checks")
    for starts in ([0, 2, 0, 0], [0, 0, -1, 0]):
        with pytest.raises(InputError):
            kernels.attention(q, q, q, torch.tensor([starts]))
    with pytest.raises(InputError):
        kernels.rotary_attention(torch.randn(1, 4, 24), 1, 1, *kernels.rotary_tables(3, 8, 1e4))


def exact_loss(hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, z_loss: float) -> Tensor:
    logits = hidden @ weight.T
    lse = logits.logsumexp(-1)
    losses = lse - logits.gather(-1, targets.clamp(min=0)[:, None])[:, 0] + z_loss * lse.square()
    return (losses * weights).sum()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "vocab", "width"), [(1, 2, 3), (77, 101, 24), (3000, 997, 16)])
def test_linear_cross_entropy(dtype: torch.dtype, rows: int, vocab: int, width: int) -> None:
    targets = torch.randint(0, vocab, (rows,))
    weights = torch.rand(rows) * (torch.rand(rows) < 0.8)
    weights[0] = 0.5
    targets[weights == 0] = -100
    hidden, weight = draw(rows, width, dtype=dtype), draw(vocab, width)
    weight = weight.detach().to(dtype).float().requires_grad_()  # so that bf16 rounds the logits only
    check(
        lambda h, w: kernels.linear_cross_entropy(h, w, targets, weights, 0.01)[0],
        lambda h, w: exact_loss(h, w, targets, weights.double(), 0.01),
        [hidden, weight],
        dtype,
        2,
    )
    total = kernels.linear_cross_entropy(hidden, weight, targets, weights)[1]
    assert total.item() == pytest.approx(weights.sum().item())


def test_products_meet_few_numbers_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch keeps a program for each; chats, of which never as many tokens count, would fill the memory with them."""
    met, times = set(), products.times
    monkeypatch.setattr(products, "times", lambda x, ready: met.add(len(x)) or times(x, ready))
    hidden, weight = draw(300, 16, dtype=torch.bfloat16), draw(80, 16)
    for counted in range(1, 300, 7):
        targets, weights = torch.randint(0, 80, (300,)), (torch.arange(300) < counted).float()
        kernels.linear_cross_entropy(hidden, weight, targets, weights)[0].backward()
        kernels.token_logprobs(hidden[:counted], weight, targets[:counted]).sum().backward()
    assert met <= {64, 128, 192, 256, 300, 320}


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_capped_losses(dtype: torch.dtype) -> None:
    """Cross-entropy and log-probabilities with logits far beyond a cap of 3."""
    targets, weights = torch.randint(0, 37, (50,)), torch.rand(50)
    weight = draw(37, 12, scale=3).detach().to(dtype).float().requires_grad_()
    hidden = draw(50, 12, dtype=dtype)

    def capped(h: Tensor, w: Tensor) -> Tensor:
        return 3 * torch.tanh(h @ w.T / 3)

    def exact(h: Tensor, w: Tensor) -> Tensor:
        lse = capped(h, w).logsumexp(-1)
        losses = lse - capped(h, w).gather(-1, targets[:, None])[:, 0] + 0.01 * lse.square()
        return (losses * weights.double()).sum()

    check(
        lambda h, w: kernels.linear_cross_entropy(h, w, targets, weights, 0.01, soft_cap=3.0)[0],
        exact,
        [hidden, weight],
        dtype,
        2,
    )
    check(
        lambda h, w: kernels.token_logprobs(h, w, targets, 3.0),
        lambda h, w: capped(h, w).log_softmax(-1).gather(-1, targets[:, None])[:, 0],
        [hidden.detach().requires_grad_(), weight.detach().requires_grad_()],
        dtype,
        2,
    )


def test_cross_entropy_ignores_negative_targets_without_weights() -> None:
    hidden, weight = draw(6, 8), draw(10, 8)
    targets = torch.tensor([1, -100, 3, -100, 9, 0])
    loss, count = kernels.linear_cross_entropy(hidden, weight, targets)
    assert count == 4
    assert loss.item() == pytest.approx(
        F.cross_entropy(hidden @ weight.T, targets, ignore_index=-100, reduction="sum").item(), rel=1e-5
    )
    loss, count = kernels.linear_cross_entropy(hidden, weight, torch.full((6,), -100))
    loss.backward()
    assert loss == 0 and count == 0 and hidden.grad is not None and not hidden.grad.any()


def test_cross_entropy_of_extremes() -> None:
    hidden = torch.tensor([[1e4, 0.0], [-1e4, 1.0], [0.0, 0.0]], requires_grad=True)
    weight = torch.eye(2).repeat(9, 1).requires_grad_()
    targets = torch.tensor([1, 0, 17])
    check(
        lambda h, w: kernels.linear_cross_entropy(h, w, targets)[0],
        lambda h, w: exact_loss(h, w, targets, torch.ones(3).double(), 0.0),
        [hidden, weight],
        torch.float32,
    )
    bad = torch.full((1, 2), float("nan"))
    assert kernels.linear_cross_entropy(bad, weight, targets[:1])[0].isnan()


def test_cross_entropy_refuses_unknown_targets() -> None:
    with pytest.raises((InputError, IndexError, RuntimeError)):
        kernels.linear_cross_entropy(draw(2, 4), draw(5, 4), torch.tensor([1, 5]))[0].backward()


@pytest.mark.parametrize("dtype", DTYPES)
def test_token_logprobs(dtype: torch.dtype) -> None:
    targets = torch.randint(0, 53, (90,))
    weight = draw(53, 12).detach().to(dtype).float().requires_grad_()
    check(
        lambda h, w: kernels.token_logprobs(h, w, targets),
        lambda h, w: (h @ w.T).log_softmax(-1).gather(-1, targets[:, None])[:, 0],
        [draw(90, 12, dtype=dtype), weight],
        dtype,
        2,
    )


@pytest.mark.parametrize("count", [1, 31, 40_000])
def test_adamw_against_torch(count: int) -> None:
    ours, theirs = torch.randn(count), torch.nn.Parameter(torch.empty(count))
    theirs.data.copy_(ours)
    mean, square = torch.zeros(count), torch.zeros(count)
    optimiser = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for step in range(1, 6):
        grad = torch.randn(count)
        theirs.grad = grad * 0.25
        optimiser.step()
        kernels.adamw_step(
            ours, grad, mean, square, step=step, lr=0.01, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1,
            grad_scale=0.25,
        )  # fmt: skip
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 100_003])
def test_square_norm(count: int) -> None:
    x = torch.randn(count)
    assert kernels.square_norm(x).item() == pytest.approx(x.double().square().sum().item(), rel=1e-12)


@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(20, 50), (3, 64, 32), (128, 320)])
def test_newton_schulz_keeps_directions(shape: tuple[int, ...], compute: torch.dtype) -> None:
    """Singular vectors stay, singular values (of some size) come near 1; to rounding in bf16 as well."""
    x = torch.randn(shape, dtype=torch.float64)
    x = x * torch.logspace(0, -1, x.shape[-1], dtype=torch.float64)
    out = kernels.newton_schulz(x.float(), compute).double()
    u, _, vh = torch.linalg.svd(x, full_matrices=False)
    inner = u.mT @ out @ vh.mT
    values = inner.diagonal(dim1=-2, dim2=-1)
    assert (values > 0.6).all() and (values < 1.3).all()
    assert (inner - torch.diag_embed(values)).abs().max() < 0.01


def test_newton_schulz_of_low_rank_and_zero() -> None:
    low = torch.randn(96, 2) @ torch.randn(2, 200)
    values = torch.linalg.svdvals(kernels.newton_schulz(low))
    assert (values[:2] > 0.6).all() and values.max() < 1.3
    assert not kernels.newton_schulz(torch.zeros(8, 4)).any()


def one_step(dtype: torch.dtype) -> list[Tensor]:
    """A small model's loss and gradients, through every kernel."""
    torch.manual_seed(1)
    tokens = torch.randint(0, 300, (4, 96))
    shapes = {
        "e": (300, 64),
        "q": (64, 64),
        "k": (32, 64),
        "g": (96, 64),
        "u": (96, 64),
        "d": (64, 96),
        "n": (64,),
    }
    p = {name: (torch.randn(shape) * 0.1).requires_grad_() for name, shape in shapes.items()}
    x = kernels.embedding(tokens, p["e"], dtype)
    qkv = kernels.linear(kernels.rms_norm(x, p["n"], 1e-5), p["q"], p["k"], p["k"])
    a = kernels.rotary_attention(qkv, 2, 1, *kernels.rotary_tables(96, 32, 1e4), None, document_starts(4, 96))
    h, x = kernels.add_rms_norm(kernels.linear(a, p["q"]), x, p["n"], 1e-5)
    m = kernels.linear(kernels.swiglu(kernels.linear(h, p["g"], p["u"])), p["d"])
    h, _ = kernels.add_rms_norm(m, x, p["n"], 1e-5)
    loss, count = kernels.linear_cross_entropy(h.view(-1, 64), p["e"], tokens.view(-1), None, 1e-4)
    (loss / count).backward()
    return [loss.detach(), *(w.grad for w in p.values() if w.grad is not None)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_every_time(dtype: torch.dtype) -> None:
    first, second = one_step(dtype), one_step(dtype)
    assert len(first) == 8
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


RUN_ALONE = """
import sys, torch
sys.path.insert(0, "tests/parity")
from test_kernels import DTYPES, one_step
from smolforge import kernels
torch.save((kernels.describe(), [one_step(dtype) for dtype in DTYPES]), sys.argv[1])
"""


@pytest.mark.parametrize(
    ("path", "march", "needs"),
    [
        ("torch", "native", ""),
        ("c", "native", ""),
        ("c", "x86-64-v3", "avx2"),
        ("c", "x86-64-v4", "avx512vl"),
        ("c", "cooperlake", "avx512_bf16"),  # pairs of bf16, but no matrix registers
    ],
)
def test_every_path_agrees(tmp_path, path: str, march: str, needs: str) -> None:
    """The PyTorch path and each instruction set this machine has give one result, to rounding."""
    if needs not in _cpu_flags():
        pytest.skip("this machine lacks the instructions")
    if path == "c" and kernels.describe()["path"] != "c":
        pytest.skip("no compiler here")
    environment = {**os.environ, "SMOL_KERNELS": path, "SMOL_KERNELS_MARCH": march, "OMP_NUM_THREADS": "1"}
    out = tmp_path / "out.pt"
    subprocess.run([sys.executable, "-c", RUN_ALONE, str(out)], env=environment, check=True, timeout=300)
    facts, steps = torch.load(out)
    assert facts["path"] == path
    for dtype, results in zip(DTYPES, steps, strict=True):
        for got, here in zip(results, one_step(dtype), strict=True):
            assert_near(got, here.double(), dtype, 4)


def _cpu_flags() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def test_several_processes_build_at_once_and_damage_is_mended(tmp_path: Path) -> None:
    if kernels.describe()["path"] != "c":
        pytest.skip("no compiler here")
    program = "import torch\nfrom smolforge import kernels\nkernels.swiglu(torch.ones(2, 4))\nprint(kernels.describe()['path'])"
    environment = {**os.environ, "SMOL_KERNELS": "c", "SMOL_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    assert [process.communicate(timeout=300)[0] for process in (start(), start())] == ["c\n", "c\n"]
    (library,) = tmp_path.glob("*.so")
    library.write_bytes(library.read_bytes()[:5000])
    assert start().communicate(timeout=300)[0] == "c\n"


def test_no_compiler_is_said_once_and_works(tmp_path) -> None:
    """Without a compiler the same program runs in plain PyTorch and says so."""
    program = (
        "import torch\nfrom smolforge import kernels\nx = torch.ones(2, 4)\n"
        "kernels.swiglu(x)\nprint(kernels.swiglu(x).shape, kernels.describe()['path'])"
    )
    environment = {
        **os.environ,
        "SMOL_KERNELS": "auto",
        "CC": "",
        "PATH": str(tmp_path),
        "SMOL_CACHE": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "torch.Size([2, 2]) torch" in done.stdout
    assert done.stderr.count("no C compiler") == 1


def test_threads_are_found_in_a_path_with_spaces(tmp_path: Path) -> None:
    """A checkout, and with it PyTorch's own libraries, may lie anywhere."""
    library = tmp_path / "a folder with spaces" / "libgomp-copy.so.1"
    library.parent.mkdir()
    shutil.copyfile(build._openmp_runtime(), library)
    ctypes.CDLL(str(library))
    assert str(library) in build._loaded_libraries()


def test_one_thread_where_there_are_more_is_said(tmp_path: Path) -> None:
    """No silent fallback: a compiler that refuses OpenMP leaves one thread, and the program says so."""
    if (os.cpu_count() or 1) == 1:
        pytest.skip("one processor: nothing is lost without threads")
    compiler = tmp_path / "cc without threads"
    compiler.write_text(
        f'#!/bin/sh\ncase "$*" in *-fopenmp*) exit 1;; esac\nexec {shutil.which("cc")} "$@"\n'
    )
    compiler.chmod(0o755)
    environment = {**os.environ, "SMOL_KERNELS": "auto", "CC": str(compiler), "SMOL_CACHE": str(tmp_path)}
    program = "from smolforge import kernels\nprint(kernels.describe()['slow'], kernels.describe()['path'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert f"one thread of {os.cpu_count()}" in done.stdout
    assert done.stdout.endswith(" c\n")
    assert done.stderr.count("one thread of") == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("rows", [1, 3, 11, 48, 49, 200])
def test_products_for_reading(rows: int, dtype: torch.dtype) -> None:
    """A weight packed once, for few rows (threads share the columns) and many; written in halves and in floats."""
    if not kernels.knows(dtype):
        pytest.skip("this processor does not multiply halves")
    x, parts = draw(rows, 200, dtype=dtype), [draw(70, 200), draw(131, 200)]
    ready = kernels.pack(parts, dtype)
    wanted = wide(x) @ torch.cat([part.detach().to(dtype).double() for part in parts]).T
    assert_near(kernels.times(x.detach(), ready), wanted, dtype)
    whole = kernels.pack(parts, torch.float32 if dtype == torch.bfloat16 else dtype)
    logits = kernels.times_wide(x.detach(), whole)
    assert logits.dtype == torch.float32
    assert_near(logits, wanted, dtype)


def test_a_packed_weight_is_a_copy() -> None:
    for count in (1, 2):
        parts = [torch.randn(8, 16) for _ in range(count)]
        ready = kernels.pack(parts, torch.float32)
        before = kernels.times(torch.ones(1, 16), ready)
        parts[0].zero_()
        assert torch.equal(kernels.times(torch.ones(1, 16), ready), before)
