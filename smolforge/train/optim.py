"""AdamW, and Muon for matrices with AdamW for the rest: one class, one step, a state that can be saved.

Shapes: L matrices of one shape, M rows, N columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from smolforge import kernels
from smolforge.errors import InputError
from smolforge.model.transformer import Llama
from smolforge.train.config import OptimConfig
from smolforge.train.team import Team, fill, local, orthogonalised


@dataclass
class Optimizer:
    """The moving averages of every parameter, by the parameter's name.

    updates    steps taken, skipped ones not counted
    first      gradient average (AdamW) or momentum (Muon)
    second     squared-gradient average (AdamW)
    team       the processes among whom the parameters are split, and their averages with them
    compute    number type of the model's products; Muon's iterations take it where it is bf16
    """

    config: OptimConfig
    parameters: Mapping[str, Tensor]
    updates: int = 0
    first: dict[str, Tensor] = field(default_factory=dict)
    second: dict[str, Tensor] = field(default_factory=dict)
    team: Team | None = None
    compute: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        self._stacks = _stacks(self.parameters) if self.config.kind == "muon" else []
        in_stacks = {name for names in self._stacks for name in names}
        self._singles: dict[tuple[float, float], list[str]] = {}
        for name, weight in self.parameters.items():
            self.first[name] = torch.zeros_like(weight, requires_grad=False)
            if name not in in_stacks:
                self.second[name] = torch.zeros_like(weight, requires_grad=False)
                self._singles.setdefault(self._rate_and_decay(name), []).append(name)

    @property
    def peak_lr(self) -> float:
        """The matrices' rate, for the log."""
        return self.config.lr

    @torch.no_grad()
    def step(self, factor: float, grad_scale: float) -> None:
        """Move every weight by its gradient times `grad_scale`, at `factor` times the peak rates."""
        self.updates += 1
        for (lr, decay), names in self._singles.items():
            self._adamw(names, factor * lr, decay, grad_scale)
        for names in self._stacks:
            self._muon(names, factor * self.config.lr, grad_scale)

    def _rate_and_decay(self, name: str) -> tuple[float, float]:
        """Of a tensor under AdamW: only matrices decay."""
        if self.parameters[name].ndim == 1:
            return self.config.norm_lr, 0.0
        if is_table(name):
            return self.config.embedding_lr, 0.0
        return self.config.lr, self.config.weight_decay

    def _adamw(self, names: list[str], lr: float, decay: float, grad_scale: float) -> None:
        config = self.config
        moved = {name: grad for name in names if (grad := self.parameters[name].grad) is not None}
        kernels.adamw_steps(
            [local(self.parameters[name].detach()) for name in moved],
            [local(grad) for grad in moved.values()],
            [local(self.first[name]) for name in moved],
            [local(self.second[name]) for name in moved],
            step=self.updates,
            lr=lr,
            beta1=config.beta1,
            beta2=config.beta2,
            eps=config.eps,
            weight_decay=decay,
            grad_scale=grad_scale,
        )

    def _muon(self, names: list[str], lr: float, grad_scale: float) -> None:
        """Nesterov momentum, made orthogonal, for a stack of equal shapes.

        The update of an M x N matrix is scaled by sqrt(max(1, M / N)), so that one rate serves all
        shapes. Source: Muon, Jordan et al. 2024.
        """
        config = self.config
        parameters = [self.parameters[name] for name in names]
        grads = [local(p.grad) * grad_scale for p in parameters if p.grad is not None]
        if len(grads) < len(parameters):
            return
        weights, momenta = [local(p) for p in parameters], [local(self.first[name]) for name in names]
        torch._foreach_lerp_(momenta, grads, 1.0 - config.momentum)
        ahead = torch._foreach_lerp(grads, momenta, config.momentum)
        rows, columns = parameters[0].shape
        if self.team is None:
            updates = list(kernels.newton_schulz(torch.stack(ahead), self.compute).unbind(0))
        else:
            updates = orthogonalised(self.team, ahead, rows, self.compute)
        size = lr * max(1.0, rows / columns) ** 0.5
        if config.weight_decay:
            torch._foreach_mul_(weights, 1.0 - lr * config.weight_decay)
        torch._foreach_add_(weights, updates, alpha=-size)

    def tensors(self) -> dict[str, Tensor]:
        """The state to save: `first.<name>` and `second.<name>`."""
        state = {f"first.{name}": value for name, value in self.first.items()}
        return state | {f"second.{name}": value for name, value in self.second.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over saved averages; InputError when they belong to another model or kind of optimiser."""
        own = self.tensors()
        wrong = sorted(set(own) ^ set(tensors)) or [n for n in own if own[n].shape != tensors[n].shape]
        if wrong:
            raise InputError(
                f"the saved optimiser state does not fit: `{wrong[0]}`",
                fix="use the optimiser and model shape that the state was saved with",
            )
        for name, value in own.items():
            fill(value, tensors[name])  # into our own memory, whose alignment every run shares


def is_table(name: str) -> bool:
    """Whether a parameter has a row a token: the embedding, an output matrix of its own, a `Research` model's values."""
    return name.endswith(("embed_tokens.weight", "lm_head.weight", "value_embeds.weight"))


def make_optimizer(model: Llama, config: OptimConfig, team: Team | None = None) -> Optimizer:
    """A fresh optimiser over the parameters of `model` that are trained, or over this process's rows of them."""
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    return Optimizer(config, trained, team=team, compute=model.compute)


def _stacks(parameters: Mapping[str, Tensor]) -> list[list[str]]:
    """Names of the matrices inside layers, those of one shape together."""
    shapes: dict[tuple[int, ...], list[str]] = {}
    for name, weight in parameters.items():
        if weight.ndim == 2 and not is_table(name):
            shapes.setdefault(tuple(weight.shape), []).append(name)
    return list(shapes.values())
