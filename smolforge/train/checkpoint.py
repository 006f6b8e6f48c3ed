"""Training state on disk: written whole or not at all, verified when read, few at a time.

    folder/step-0000000120/   model.safetensors, optimizer.safetensors, train_state.json, digests.json

A checkpoint is written beside its place, synced, and renamed; a power cut leaves the old ones intact. One
that does not match its digests is set aside with a notice, and the one before it is used. Where several
processes train the model, they write another kind (`sharded`); either kind is restored on any number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from smolforge.errors import InputError, SmolError, StageError
from smolforge.model.weights import WEIGHTS_FILE, load_tensors, save_tensors
from smolforge.train import atomic
from smolforge.train.loop import TrainState
from smolforge.train.team import Team, fill

if TYPE_CHECKING:
    from smolforge.train.sharded import Writer

OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "train_state.json"


class Checkpoints:
    """The checkpoints of one run: `save` now and then, `restore` at the start.

    keep    how many to keep; at least two, so that a damaged one has a predecessor
    notice  told, in words, when a damaged checkpoint was passed over
    team    the processes that train the model together; all of them call every method
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep: int = 2,
        notice: Callable[[str], None] = print,
        team: Team | None = None,
    ) -> None:
        self.folder = folder
        self.keep = max(2, keep)
        self.notice = notice
        self.team = team
        self._writer: Writer | None = None

    def save(self, state: TrainState, data: Mapping[str, Any]) -> None:
        """Write the state, with `data` (JSON-ready: batch source, loss log), then drop the oldest.

        A team's is only copied when this returns; it is written while training goes on.
        """
        final = self.folder / f"step-{state.step:010d}"
        if self.team is None:
            self._save_alone(final, state, data)
            self._drop_others(final)
            return
        if self._writer is None:
            from smolforge.train.sharded import Writer

            self._writer = Writer(self.team, self._drop_others)
        self._writer.write(final, state, {STATE_FILE: _plain(state, data)})

    def _save_alone(self, final: Path, state: TrainState, data: Mapping[str, Any]) -> None:
        fresh = atomic.beside(final)
        try:
            atomic.remove(fresh)
            fresh.mkdir(parents=True)
            save_tensors(fresh / WEIGHTS_FILE, {n: w.detach() for n, w in state.model.named_parameters()})
            save_training(fresh, state, data)
            atomic.put_in_place(fresh, final, atomic.digests_of(fresh.iterdir()))
        except OSError as error:
            atomic.remove(fresh)
            raise atomic.not_written(final, str(error.strerror)) from None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Around training: what is being written when it ends, or stops with a message, is written first."""
        try:
            yield
        except StageError:
            self._finish()
            raise
        self._finish()

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.finish()

    def restore(self, state: TrainState) -> dict[str, Any] | None:
        """Bring `state` to the newest whole checkpoint and give its `data`; None when there is none."""
        names = [folder.name for folder in self._found()]
        for name in names if self.team is None else self.team.told(names):
            folder = self.folder / name
            try:
                data = self._load(folder, state)
            except SmolError as error:
                self.notice(f"checkpoint {folder.name} is damaged ({error.what}); using the one before it")
                continue
            state.saved_step = state.step
            return data
        return None

    def _load(self, folder: Path, state: TrainState) -> dict[str, Any]:
        files = self._verify(folder)
        if {WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE} <= files:
            load_weights(folder, state)
            return load_training(folder, state)
        from smolforge.train import sharded

        if not {sharded.METADATA_FILE, STATE_FILE} <= files:
            raise InputError("it has no weights", where=str(folder))
        sharded.load(folder, state, self.team)
        return _take_over(state, read_state(folder))

    def _verify(self, folder: Path) -> set[str]:
        """Names of the files. A team shares the work, and what one finds holds for all."""
        if self.team is None:
            return atomic.verify(folder)
        files: set[str] = set()
        trouble = ""
        try:
            files = atomic.verify(folder, rank=self.team.rank, ranks=self.team.ranks)
        except InputError as error:
            trouble = error.what
        if trouble := max(self.team.everyones(trouble)):
            raise InputError(trouble, where=str(folder))
        return files

    def _drop_others(self, newest: Path) -> None:
        """Remove the oldest, and those after `newest`: they were damaged, or training had gone on from them."""
        found = self._found()
        place = found.index(newest)
        for other in [*found[:place], *found[place + self.keep :]]:
            atomic.remove(other)

    def _found(self) -> list[Path]:
        """Checkpoint folders, newest first; half-written ones do not count."""
        if not self.folder.is_dir():
            return []
        named = [
            p
            for p in self.folder.iterdir()
            if p.name.startswith("step-") and not p.name.endswith(atomic.HALF_WRITTEN)
        ]
        return sorted(named, reverse=True)


def save_training(folder: Path, state: TrainState, data: Mapping[str, Any]) -> None:
    """What, beside the weights, is needed to go on: `optimizer.safetensors` and `train_state.json`."""
    save_tensors(folder / OPTIMIZER_FILE, state.optimizer.tensors())
    atomic.write_json(folder / STATE_FILE, _plain(state, data))


def _plain(state: TrainState, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "step": state.step,
        "tokens": state.tokens,
        "updates": state.optimizer.updates,
        "skipped": state.skipped,
        "skipped_in_a_row": state.skipped_in_a_row,
        "recent": state.recent,
        "data": data,
    }


def load_training(folder: Path, state: TrainState) -> dict[str, Any]:
    """Take over optimiser and counters from `save_training`; gives its `data`."""
    plain = read_state(folder)
    state.optimizer.load(load_tensors(folder / OPTIMIZER_FILE))
    return _take_over(state, plain)


def _take_over(state: TrainState, plain: Mapping[str, Any]) -> dict[str, Any]:
    state.optimizer.updates = plain["updates"]
    state.step, state.tokens = plain["step"], plain["tokens"]
    state.skipped, state.skipped_in_a_row = plain["skipped"], plain["skipped_in_a_row"]
    state.recent = [(loss, norm) for loss, norm in plain["recent"]]
    return plain["data"]


def read_state(folder: Path) -> dict[str, Any]:
    """The JSON of `save_training`; InputError when it is absent or damaged."""
    file = folder / STATE_FILE
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError("the training state cannot be read", where=str(file)) from None
    needed = {"step", "tokens", "updates", "skipped", "skipped_in_a_row", "recent", "data"}
    if not isinstance(plain, dict) or not needed <= set(plain):
        raise InputError("the training state is incomplete", where=str(file))
    return plain


def load_weights(folder: Path, state: TrainState) -> None:
    """Copy the weights into the model's own memory, so that alignment, and with it rounding, stays."""
    tensors = load_tensors(folder / WEIGHTS_FILE)
    own: dict[str, Tensor] = dict(state.model.named_parameters())
    if set(own) != set(tensors) or any(own[name].shape != tensors[name].shape for name in own):
        raise InputError("the checkpoint is of another model", where=str(folder))
    with torch.no_grad():
        for name, weight in own.items():
            fill(weight, tensors[name])
