"""The processes that train one model together, and the few things they tell each other.

    with joined(rank, ranks, shard, device) as team:
        ...                                   # None where there is one process

Each process runs the same program on the same data. `shard` neighbouring ranks hold one copy of the model
between them, in rows; ranks / shard such groups hold copies. What they decide by, each computes from
everyone's numbers in the order of ranks, so that all of them, and every run of as many, decide the same.

Shapes: L matrices of one shape, M rows, m rows of this process, N columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from smolforge import kernels
from smolforge.devices import check_groups

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh

T = TypeVar("T")
REPLICATE, SHARD = "replicate", "shard"


@dataclass(frozen=True)
class Team:
    """This process's place among all.

    mesh   (ranks / shard) x shard
    aside  a second group over all, for what a thread does while training goes on
    """

    rank: int
    ranks: int
    shard: int
    device: str
    mesh: DeviceMesh
    aside: dist.ProcessGroup

    def gather(self, values: Sequence[float]) -> list[list[float]]:
        """Everyone's values, by rank; as many from each."""
        own = torch.tensor(values, dtype=torch.float64)
        found = torch.empty(self.ranks, len(own), dtype=torch.float64)
        dist.all_gather_single(found.view(-1), own)
        return found.tolist()

    def told(self, thing: T) -> T:
        """What rank 0 has."""
        return self.everyones(thing)[0]

    def everyones(self, thing: T) -> list[T]:
        """What each has, by rank: plain data."""
        found: list[Any] = [None] * self.ranks
        dist.all_gather_object(found, thing, group=self.aside)
        return found


@contextmanager
def joined(rank: int, ranks: int, shard: int, device: str) -> Iterator[Team | None]:
    """The team of this process while the block runs; None, and nothing done, where `ranks` is 1.

    The address to meet at comes from MASTER_ADDR and MASTER_PORT, as torchrun sets them.
    """
    check_groups(ranks, shard)
    if ranks == 1:
        yield None
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo", rank=rank, world_size=ranks
    )
    from torch.distributed.device_mesh import init_device_mesh

    mesh = init_device_mesh(
        torch.device(device).type, (ranks // shard, shard), mesh_dim_names=(REPLICATE, SHARD)
    )
    yield Team(rank, ranks, shard, device, mesh, dist.new_group(backend="gloo"))
    # after an error the process ends, and a checkpoint that its threads are writing may still be completed
    dist.destroy_process_group()


def local(tensor: Tensor) -> Tensor:
    """The rows of a split tensor that this process holds; any other tensor itself."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole(tensor: Tensor) -> Tensor:
    """All rows of a split tensor, on every process that asks (all must); any other tensor itself."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


@torch.no_grad()
def fill(own: Tensor, source: Tensor) -> None:
    """Copy a whole tensor into `own`'s memory, or of it the rows that this process holds."""
    mine = local(own)
    if mine is not own:
        mesh = own.device_mesh  # type: ignore[attr-defined]
        first = min(len(own), mesh.get_local_rank(SHARD) * _rows_each(len(own), mesh[SHARD].size()))
        source = source[first : first + len(mine)]
    mine.copy_(source)


def _rows_each(rows: int, parts: int) -> int:
    """Rows of a process that has its full part; the last ones may have fewer, or none."""
    return -(-rows // parts)


@torch.no_grad()
def orthogonalised(team: Team, shards: Sequence[Tensor], rows: int, compute: torch.dtype) -> list[Tensor]:
    """`newton_schulz` of a stack of matrices of `rows` rows, of which every process has its rows: m x N each.

    Each matrix is made orthogonal by one process only. Within each copy of the model its rows go to
    that process and come back; the copies share the matrices among them and exchange what they made.
    """
    copies, parts = team.mesh.shape
    copy, part = team.mesh.get_local_rank(REPLICATE), team.mesh.get_local_rank(SHARD)
    each, columns = -(-len(shards) // team.ranks), shards[0].shape[1]
    padded = _rows_each(rows, parts)
    stack = shards[0].new_zeros(copies * parts * each, padded, columns)
    for place, shard in enumerate(shards):
        stack[place, : len(shard)] = shard
    mine = stack.view(copies, parts * each, padded, columns)[copy]
    mine = _swap(team, mine).view(parts, each, padded, columns)
    owned = mine.transpose(0, 1).reshape(each, parts * padded, columns)
    first = (copy * parts + part) * each
    real = max(0, min(each, len(shards) - first))
    if real:
        owned[:real, :rows] = kernels.newton_schulz(owned[:real, :rows].contiguous(), compute)
    back = owned.view(each, parts, padded, columns).transpose(0, 1).reshape(parts * each, padded, columns)
    back = _swap(team, back)
    if copies > 1:
        everything = torch.empty_like(stack)
        dist.all_gather_single(everything, back, group=team.mesh.get_group(REPLICATE))
        back = everything
    return [back[place, : len(shard)] for place, shard in enumerate(shards)]


def _swap(team: Team, blocks: Tensor) -> Tensor:
    """Block i to the i-th process of this copy of the model, and theirs for us in return."""
    if team.shard == 1:
        return blocks
    found = torch.empty_like(blocks)
    dist.all_to_all_single(found, blocks.contiguous(), group=team.mesh.get_group(SHARD))
    return found
