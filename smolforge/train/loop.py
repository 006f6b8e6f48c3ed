"""The only training loop. Pre-training, SFT, DPO and GRPO differ in a batch source and a loss.

    state = TrainState(model=model, optimizer=make_optimizer(model, cfg.optim))
    for step in fit(state, batches, next_token_loss, schedule, until_step=500):
        print(step.step, step.loss)

Shapes: B rows, T positions.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from smolforge import kernels
from smolforge.data.tokens.batches import Batch
from smolforge.errors import InputError, StageError
from smolforge.model.transformer import Llama
from smolforge.train.loss import Loss, micro_batches
from smolforge.train.optim import Optimizer
from smolforge.train.parallel import Spread
from smolforge.train.schedule import Schedule
from smolforge.train.team import local

SPIKE_WINDOW = 128
SPIKE_HISTORY = 32
MOST_SKIPPED = 5


class BatchSource(Protocol):
    """Where batches come from: its state is JSON, and restoring it gives the same batches again."""

    def next(self) -> Batch | None:
        """The next batch; None when there is no more."""
        ...

    def state(self) -> dict[str, Any]:
        """JSON-ready position, packing buffer included."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        ...


@dataclass
class TrainState:
    """Everything that training changes; with a batch source's state it is all that a resume needs.

    step and tokens count over the whole training, earlier phases included; tokens are the positions of
    all batches. `recent` holds the latest losses and gradient norms, by which spikes are known. `spread`
    is there when several processes train the model.
    """

    model: Llama
    optimizer: Optimizer
    step: int = 0
    tokens: int = 0
    saved_step: int | None = None
    skipped: int = 0
    recent: list[tuple[float, float]] = field(default_factory=list)
    skipped_in_a_row: int = 0
    spread: Spread | None = None


@dataclass(frozen=True)
class Step:
    """What one optimiser step did. `loss` is the mean over the batch, in nats where the loss is."""

    step: int
    tokens: int
    loss: float
    lr: float
    grad_norm: float
    skipped: bool
    seconds: float
    figures: Mapping[str, float]
    domains: Mapping[str, int]


def fit(
    state: TrainState,
    batches: BatchSource,
    loss: Loss,
    schedule: Schedule,
    *,
    until_step: int,
    micro_tokens: int = 16_384,
    clip: float = 1.0,
    skip_deviations: float = 6.0,
    worst_loss: float | None = None,
    save: Callable[[], None] | None = None,
    save_every_steps: int = 0,
) -> Iterator[Step]:
    """Train `state` in place, one yielded `Step` an optimiser step, until `state.step == until_step`.

    A batch is cut by rows into micro-batches of at most `micro_tokens` positions (never within a group
    of `batch.group` rows); their summed gradients are divided by the whole batch's count, so the cut
    changes rounding only. `save()` is called after every `save_every_steps` steps, when the caller has
    taken the step. Ends early when `batches` gives None.

    Raises StageError when the loss or gradient is not finite, or when the mean loss of the last 32 steps
    is above `worst_loss`; the message names the last state that was saved.
    Source of skipping spikes: OLMo 2, arXiv:2501.00656, section 3.
    """
    gc.freeze()  # what was there before is not looked through at every collection: 2% of a step of 5M parameters
    while state.step < until_step:
        began = time.perf_counter()
        batch = _next_batch(state, batches)
        if batch is None:
            return
        factor = schedule(state.step + 1, state.tokens + batch.positions)
        sums = summed_gradients(state.model, batch, loss, micro_tokens, state.spread)
        numbers = torch.stack([square_norm(state.model), *sums[:2], *sums.figures.values()]).tolist()
        square, total, count, *figures = numbers if state.spread is None else state.spread.sums(*numbers)
        mean = total / count if count else 0.0
        norm = math.sqrt(square) / count if count else 0.0
        _check_finite(state, mean, norm)
        skip = count == 0 or _is_spike(state, mean, norm, skip_deviations)
        if not skip:
            scale = min(1.0, clip / norm) if clip and norm > 0 else 1.0
            state.optimizer.step(factor, scale / count)
        _remember(state, mean, norm, skip)
        state.step += 1
        state.tokens += batch.positions
        _check_diverged(state, worst_loss)
        yield Step(
            step=state.step,
            tokens=state.tokens,
            loss=mean,
            lr=factor * state.optimizer.peak_lr,
            grad_norm=norm,
            skipped=skip,
            seconds=time.perf_counter() - began,
            figures={n: value / count for n, value in zip(sums.figures, figures, strict=True)}
            if count
            else {},
            domains=batch.domains,
        )
        if save is not None and save_every_steps and state.step % save_every_steps == 0:
            _check_weights(state)
            save()
            state.saved_step = state.step


def accumulate(
    model: Llama, batch: Batch, loss: Loss, micro_tokens: int
) -> tuple[float, float, dict[str, float]]:
    """Gradients of the summed loss into `.grad`; gives the sum, its count, and the summed figures."""
    sums = summed_gradients(model, batch, loss, micro_tokens)
    return float(sums.total), float(sums.count), {name: float(value) for name, value in sums.figures.items()}


class Sums(NamedTuple):
    """A whole batch's `LossSum`, float64 scalars that nobody has waited for."""

    total: Tensor
    count: Tensor  # type: ignore[assignment]
    figures: dict[str, Tensor]


def summed_gradients(
    model: Llama, batch: Batch, loss: Loss, micro_tokens: int, spread: Spread | None = None
) -> Sums:
    """Gradients of the summed loss into `.grad`; nothing here waits for a GPU.

    With `spread`, gradients are those of all processes together, and the sums those of this one's rows.
    """
    for weight in model.parameters():
        weight.grad = None
    device = model.output_weight_VD.device
    sums = Sums(_wide(0.0, device), _wide(0.0, device), {})
    own = batch if spread is None else spread.own_rows(batch)
    rows_left = len(own.tokens_BT)
    for micro in micro_batches(own, micro_tokens, device):
        rows_left -= len(micro.tokens_BT)
        found = loss(model, micro) if spread is None else spread.run(loss, micro, last=not rows_left)
        found.total.backward()
        sums.total.add_(found.total.detach())
        sums.count.add_(found.count)
        for name, value in found.figures.items():
            sums.figures.setdefault(name, _wide(0.0, device)).add_(value)
    return sums


def _wide(value: float, device: torch.device) -> Tensor:
    return torch.full((), value, dtype=torch.float64, device=device)


def square_norm(model: Llama) -> Tensor:
    """Sum of squares of all gradients together, a float64 scalar on the model's device; of this process's rows."""
    grads = [local(weight.grad) for weight in model.parameters() if weight.grad is not None]
    return kernels.square_norms(grads).to(model.output_weight_VD.device)


def _next_batch(state: TrainState, batches: BatchSource) -> Batch | None:
    try:
        return batches.next()
    except InputError as error:
        raise StageError(
            f"the data of step {state.step + 1} cannot be had: {error.what}",
            where=f"{error.where}; {_last_good(state)}",
            fix=error.fix or "bring the data back and run again",
        ) from None


def _check_weights(state: TrainState) -> None:
    """A state that is saved must be one worth going back to."""
    finite = [torch.isfinite(local(weight)).all() for weight in state.model.parameters()]
    broken = float(torch.stack(finite).logical_not().sum())
    if broken if state.spread is None else state.spread.sums(0.0, broken)[1]:
        raise StageError(
            f"training broke at step {state.step}: its weights are no longer finite",
            where=_last_good(state),
            fix="lower the learning rates",
        )


def _check_finite(state: TrainState, loss: float, norm: float) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    what = f"loss is {loss}" if not math.isfinite(loss) else f"gradient norm is {norm}"
    raise StageError(
        f"training broke at step {state.step + 1}: the {what}",
        where=_last_good(state),
        fix="lower the learning rates or look at the data of that step; running again resumes there",
    )


def _check_diverged(state: TrainState, worst_loss: float | None) -> None:
    if worst_loss is None or len(state.recent) < SPIKE_HISTORY:
        return
    mean = sum(loss for loss, _ in state.recent[-SPIKE_HISTORY:]) / SPIKE_HISTORY
    if mean > worst_loss:
        raise StageError(
            f"training diverged: mean loss {mean:.2f} at step {state.step} is worse than guessing ({worst_loss:.2f})",
            where=_last_good(state),
            fix="lower the learning rates or lengthen the warm-up",
        )


def _last_good(state: TrainState) -> str:
    if state.saved_step is None:
        return "no state was saved yet; a new run begins again"
    return f"last good state: step {state.saved_step}"


def _is_spike(state: TrainState, loss: float, norm: float, deviations: float) -> bool:
    if not deviations or len(state.recent) < SPIKE_HISTORY or state.skipped_in_a_row >= MOST_SKIPPED:
        return False
    losses, norms = [a for a, _ in state.recent], [b for _, b in state.recent]
    for value, past, ratio in ((loss, losses, 1.2), (norm, norms, 3.0)):
        mean = math.fsum(past) / len(past)
        deviation = math.sqrt(math.fsum((p - mean) ** 2 for p in past) / len(past))
        # the ratio keeps the calm of an early plateau from making every later rise a spike
        if value > max(mean + deviations * deviation, ratio * mean):
            return True
    return False


def _remember(state: TrainState, loss: float, norm: float, skipped: bool) -> None:
    if skipped:
        state.skipped += 1
        state.skipped_in_a_row += 1
        return
    if state.skipped_in_a_row >= MOST_SKIPPED:
        state.recent.clear()  # the data changed for good: learn anew what is usual
    state.skipped_in_a_row = 0
    state.recent.append((loss, norm))
    del state.recent[:-SPIKE_WINDOW]
