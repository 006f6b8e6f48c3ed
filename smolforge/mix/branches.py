"""Branches of a training: the same model, optimiser, positions and order of documents, another mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolforge.data.tokens.batches import Documents, MixtureBatches
from smolforge.data.tokens.mixture import Mixture
from smolforge.evals.answer_bits import Bits

if TYPE_CHECKING:
    from smolforge.mix.asking import Asking
    from smolforge.train.loop import TrainState


@dataclass(frozen=True)
class Branch:
    """Where a branch came to: what it was asked, and its state, so that it can be gone on from."""

    bits: list[Bits]
    state: TrainState
    batches: MixtureBatches
    tokens: int

    def save(self, folder: Path) -> None:
        """As a checkpoint that training goes on from."""
        from smolforge.model.weights import save_model
        from smolforge.train.checkpoint import save_training

        folder.mkdir(parents=True, exist_ok=True)
        save_model(folder, self.state.model)
        save_training(folder, self.state, {"batches": self.batches.state()})


@dataclass(frozen=True)
class Ground:
    """From where branches start, and how they are trained; `cfg` is a `stages.TryConfig`."""

    cfg: Any
    machine: Any
    init: Path
    shards: Mapping[str, Path]
    asking: Asking

    @staticmethod
    def of(cfg: Any, machine: Any, init: Path, shards: Mapping[str, Path], asking: Asking) -> Ground:
        return Ground(cfg, machine, init, shards, asking)

    @property
    def step_tokens(self) -> int:
        return max(1, self.cfg.batch_tokens // self.cfg.length) * self.cfg.length

    def grow(
        self, shares: Mapping[str, float], steps: int, limits: Mapping[str, int] | None = None
    ) -> Branch:
        """Train a branch for some steps at the schedule's rate and ask it.

        `limits`: sources of which only so many tokens may be seen, so that a short branch repeats them as often as
        the planned phase would.
        """
        from smolforge.train.loop import fit
        from smolforge.train.loss import next_token_loss
        from smolforge.train.memory import micro_tokens
        from smolforge.train.schedule import factor

        state, batches = self._begin(shares, limits or {})
        begun = state.tokens

        def rate(step: int, tokens: int) -> float:
            return factor(self.cfg.schedule, self.cfg.start_tokens + tokens - begun, self.cfg.total_tokens)

        for _ in fit(
            state, batches, next_token_loss(self.cfg.optim.z_loss), rate, until_step=state.step + steps,
            micro_tokens=micro_tokens(self.machine.micro_tokens, state.model.config), clip=self.cfg.optim.clip,
            skip_deviations=self.cfg.optim.skip_deviations,
        ):  # fmt: skip
            pass
        return Branch(self.asking.ask(state.model), state, batches, state.tokens - begun)

    def _begin(
        self, shares: Mapping[str, float], limits: Mapping[str, int]
    ) -> tuple[TrainState, MixtureBatches]:
        import torch

        from smolforge.model.weights import load_model
        from smolforge.train.checkpoint import OPTIMIZER_FILE, load_training
        from smolforge.train.loop import TrainState
        from smolforge.train.optim import make_optimizer
        from smolforge.train.precision import compute_dtype

        torch.set_num_threads(self.machine.threads)
        compute = compute_dtype(self.cfg.compute, self.machine.device)
        model = load_model(self.init, compute=compute).to(self.machine.device)
        state = TrainState(model=model, optimizer=make_optimizer(model, self.cfg.optim))
        domains = {name: Documents(path, limits.get(name)) for name, path in sorted(self.shards.items())}
        rows = max(1, self.cfg.batch_tokens // self.cfg.length)
        batches = MixtureBatches(
            domains, Mixture(weights=shares), length=self.cfg.length, rows=rows, seed=self.cfg.seed
        )
        if (self.init / OPTIMIZER_FILE).is_file():
            batches.restore(load_training(self.init, state)["batches"], new_phase=True)
        return state, batches
