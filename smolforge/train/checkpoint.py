"""Training state on disk: written whole or not at all, verified when read, few at a time.

    folder/step-00000120/   model.safetensors, optimizer.safetensors, train_state.json, digests.json

A checkpoint is written beside its place, synced, and renamed; a power cut leaves the old ones intact. One
that does not match its digests is set aside with a notice, and the one before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smolforge.errors import InputError, SmolError, StageError
from smolforge.model.weights import WEIGHTS_FILE, load_tensors, save_tensors
from smolforge.train.loop import TrainState

OPTIMIZER_FILE = "optimizer.safetensors"
STATE_FILE = "train_state.json"
DIGESTS_FILE = "digests.json"


class Checkpoints:
    """The checkpoints of one run: `save` now and then, `restore` at the start.

    keep    how many to keep; at least two, so that a damaged one has a predecessor
    notice  told, in words, when a damaged checkpoint was passed over
    """

    def __init__(self, folder: Path, *, keep: int = 2, notice: Callable[[str], None] = print) -> None:
        self.folder = folder
        self.keep = max(2, keep)
        self.notice = notice

    def save(self, state: TrainState, data: Mapping[str, Any]) -> None:
        """Write the state, with `data` (JSON-ready: batch source, file offsets), then drop the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.folder / f"step-{state.step:010d}"
        fresh = self.folder / (final.name + ".tmp")
        _remove(fresh)
        try:
            fresh.mkdir()
            save_tensors(fresh / WEIGHTS_FILE, {n: w.detach() for n, w in state.model.named_parameters()})
            save_training(fresh, state, data)
            _write_digests(fresh)
            _remove(final)
            fresh.rename(final)
            _sync(self.folder)
        except OSError as error:
            _remove(fresh)
            raise StageError(
                f"the checkpoint of step {state.step} could not be written: {error.strerror}",
                where=str(final),
                fix="free some disk space and run again; it resumes from the checkpoint before",
            ) from None
        for old in self._found()[self.keep :]:
            _remove(old)

    def restore(self, state: TrainState) -> dict[str, Any] | None:
        """Bring `state` to the newest whole checkpoint and give its `data`; None when there is none."""
        for folder in self._found():
            try:
                _verify(folder)
                load_weights(folder, state)
                data = load_training(folder, state)
            except SmolError as error:
                self.notice(f"checkpoint {folder.name} is damaged ({error.what}); using the one before it")
                continue
            state.saved_step = state.step
            return data
        return None

    def _found(self) -> list[Path]:
        """Checkpoint folders, newest first; half-written ones do not count."""
        if not self.folder.is_dir():
            return []
        named = [
            p for p in self.folder.iterdir() if p.name.startswith("step-") and not p.name.endswith(".tmp")
        ]
        return sorted(named, reverse=True)


def save_training(folder: Path, state: TrainState, data: Mapping[str, Any]) -> None:
    """What, beside the weights, is needed to go on: `optimizer.safetensors` and `train_state.json`."""
    save_tensors(folder / OPTIMIZER_FILE, state.optimizer.tensors())
    plain = {
        "step": state.step,
        "tokens": state.tokens,
        "updates": state.optimizer.updates,
        "skipped": state.skipped,
        "skipped_in_a_row": state.skipped_in_a_row,
        "recent": state.recent,
        "data": data,
    }
    (folder / STATE_FILE).write_text(json.dumps(plain, sort_keys=True) + "\n", encoding="utf-8")


def load_training(folder: Path, state: TrainState) -> dict[str, Any]:
    """Take over optimiser and counters from `save_training`; gives its `data`."""
    plain = read_state(folder)
    state.optimizer.load(load_tensors(folder / OPTIMIZER_FILE), plain["updates"])
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
            weight.copy_(tensors[name])


def _write_digests(folder: Path) -> None:
    digests = {file.name: _digest(file) for file in sorted(folder.iterdir())}
    (folder / DIGESTS_FILE).write_text(json.dumps(digests, sort_keys=True) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        _sync(file)
    _sync(folder)


def _verify(folder: Path) -> None:
    try:
        digests = json.loads((folder / DIGESTS_FILE).read_text(encoding="utf-8"))
        wrong = [name for name in sorted(digests) if _digest(folder / name) != digests[name]]
    except (OSError, ValueError, AttributeError, TypeError):
        raise InputError("its files are incomplete", where=str(folder)) from None
    if wrong or not {WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE} <= set(digests):
        raise InputError(f"{wrong[0] if wrong else DIGESTS_FILE} has changed", where=str(folder))


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
