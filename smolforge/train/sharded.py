"""Checkpoints of a model that several processes train: each writes its rows, while training goes on.

    folder/step-0000000120/   __0_0.distcp …, .metadata, train_state.json, digests.json

The format is PyTorch's (`torch.distributed.checkpoint`), which any number of processes can read back, one
included. A checkpoint grows beside its place; when all have written, rank 0 puts it there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from smolforge.errors import InputError
from smolforge.train import atomic
from smolforge.train.loop import TrainState
from smolforge.train.team import Team

METADATA_FILE = ".metadata"


class Writer:
    """Writes checkpoints in the background, one at a time; every process has one and calls it alike.

    done  called on rank 0 with a checkpoint that stands in its place
    """

    def __init__(self, team: Team, done: Callable[[Path], None]) -> None:
        self.team = team
        self.done = done
        self._under_way: Future[None] | None = None
        self._background = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    def write(self, final: Path, state: TrainState, plain: Mapping[str, Any]) -> None:
        """Begin to write `state`, with the JSON files `plain`; comes back when the tensors are copied.

        Waits for the one before. Raises StageError when that, or this one's beginning, could not be written.
        """
        self.finish()
        fresh = atomic.beside(final)
        trouble = _begin(fresh, plain) if self.team.rank == 0 else ""
        if any(troubles := self.team.everyones(trouble)):
            raise atomic.not_written(final, max(troubles))
        writer = dcp.FileSystemWriter(fresh)
        written = dcp.async_save(tensors_of(state), storage_writer=writer, process_group=self.team.aside)
        self._under_way = self._background.submit(
            self._complete, cast(Future[Any], written), fresh, final, tuple(plain)
        )

    def finish(self) -> None:
        """Wait until what is being written stands; StageError when it could not be."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            under_way.result()

    def _complete(self, written: Future[Any], fresh: Path, final: Path, plain: tuple[str, ...]) -> None:
        """Each digests what it wrote; rank 0 puts the checkpoint in its place; all hear how it went."""
        first = self.team.rank == 0
        trouble, digests = "", {}
        try:
            written.result()
            own = [
                *fresh.glob(f"__{self.team.rank}_*"),
                *(fresh / n for n in (METADATA_FILE, *plain) if first),
            ]
            digests = atomic.digests_of(own)
        except (OSError, CheckpointException) as error:
            trouble = _reason(error)
        everyone = self.team.everyones((trouble, digests))
        trouble = max(t for t, _ in everyone)
        if first and not trouble:
            try:
                atomic.put_in_place(fresh, final, {n: d for _, part in everyone for n, d in part.items()})
                self.done(final)
            except OSError as error:
                trouble = _reason(error)
        if trouble := max(self.team.everyones(trouble)):
            if first:
                atomic.remove(fresh)
            raise atomic.not_written(final, trouble)


def load(folder: Path, state: TrainState, team: Team | None) -> None:
    """Fill the state's tensors, whatever number of processes wrote the checkpoint and reads it now.

    The folder must have been verified: PyTorch keeps the index of such a checkpoint as a pickle.
    """
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process: as meant
    try:
        dcp.load(
            tensors_of(state),
            storage_reader=dcp.FileSystemReader(folder),
            process_group=team.aside if team else None,
            no_dist=team is None,
        )
    except CheckpointException as error:
        raise InputError(f"the checkpoint does not fit ({_reason(error)})", where=str(folder)) from None


def tensors_of(state: TrainState) -> dict[str, Tensor]:
    """Weights and averages by name: `weight.…`, `first.…`, `second.…`."""
    weights = {f"weight.{name}": weight.detach() for name, weight in state.optimizer.parameters.items()}
    return weights | state.optimizer.tensors()


def _begin(fresh: Path, plain: Mapping[str, Any]) -> str:
    """An empty folder but for the JSON files; what went wrong, or nothing."""
    try:
        atomic.remove(fresh)
        fresh.mkdir(parents=True)
        for name, content in plain.items():
            atomic.write_json(fresh / name, content)
    except OSError as error:
        return _reason(error)
    return ""


def _reason(error: OSError | CheckpointException) -> str:
    """In a few words."""
    if isinstance(error, CheckpointException):
        first = min(error.failures)
        found = error.failures[first][0]
        return (
            _reason(found)
            if isinstance(found, OSError)
            else f"{type(found).__name__} on rank {first}: {found}"
        )
    return error.strerror or str(error) or type(error).__name__
