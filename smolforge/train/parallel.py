"""One model on several processes: its weights split or copied, its gradients summed, its parts brought together.

    with joined(rank, ranks, shard, device) as team:
        spread = place(model, device, team)                 # None for one process
        state = TrainState(model, make_optimizer(model, optim, team), spread=spread)
        for step in fit(state, batches, loss, schedule, until_step=500): ...
        done = brought_together(state)                      # `finishing`: whole on rank 0, None elsewhere

One mechanism, `torch.distributed.fsdp.fully_shard`, over copies x parts: one part is data-parallel training,
parts alone are fully sharded training, both are hybrid. Why: docs/decisions/parallel.md.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from smolforge.data.tokens.batches import Batch, rows_of_rank
from smolforge.model.transformer import Llama
from smolforge.train.loss import Loss, LossSum, MicroBatch
from smolforge.train.team import Team


class _Root(nn.Module):
    """The model under a `forward` that runs a loss: the only place where all of its weights may be touched."""

    def __init__(self, model: Llama) -> None:
        super().__init__()
        self.llama = model

    def forward(self, loss: Loss, micro: MicroBatch) -> LossSum:
        return loss(self.llama, micro)


@dataclass(frozen=True)
class Spread:
    """A model that several processes train: what the loop asks for instead of doing it alone."""

    team: Team
    root: Any

    def own_rows(self, batch: Batch) -> Batch:
        """This process's rows of a batch, as many for each (`rows_of_rank`)."""
        return rows_of_rank(batch, self.team.rank, self.team.ranks)

    def run(self, loss: Loss, micro: MicroBatch, *, last: bool) -> LossSum:
        """The loss of a micro-batch; gradients stay here until the `last` one, and are then summed over all."""
        self.root.set_requires_gradient_sync(last)
        self.root.set_reshard_after_backward(last or self.team.shard > 1)
        return self.root(loss, micro)

    def sums(self, square: float, *sums: float) -> list[float]:
        """The square norm over the parts of one copy of the gradient, the other sums over all processes."""
        found = self.team.gather([square, *sums])
        first, *others = zip(*found, strict=True)
        return [math.fsum(first[: self.team.shard]), *(math.fsum(column) for column in others)]


def place(
    model: Llama, device: str, team: Team | None, *, recompute: bool = False, compiled: bool = False
) -> Spread | None:
    """Put the model on its device, and, where there are several processes, this process's part of it.

    Each layer is split for itself, so that no device ever has more than one whole one beside its part.
    `recompute` makes a layer's activations again on the way back instead of keeping them; `compiled` lets
    torch compile the layers, for batches of few shapes.
    """
    model.recompute = recompute
    if compiled:
        model.compile_layers()
    if team is None:
        model.to(device)
        return None
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

    # a layer's output may be a view; nothing here changes it in place, which is what torch warns of
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    exact = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for block in model.model.layers:
        fully_shard(block, mesh=team.mesh, mp_policy=exact, reshard_after_forward=team.shard > 1)
    root = _Root(model)
    fully_shard(root, mesh=team.mesh, mp_policy=exact, reshard_after_forward=False)
    for module in root.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)  # sums: the loop divides by the whole batch's count
            module.set_force_sum_reduction_for_comms(True)
    return Spread(team, root)
