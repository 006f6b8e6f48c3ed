"""The loss curve of a tiny pre-training: changed only with a reason, and with the stage's version.

The curve pins the order of data, the packing, the initial weights, the model, the loss, both optimisers and
the schedule at once. To renew it: `python tests/golden/test_pretrain_curve.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from smolforge.data.batches import Documents, MixtureBatches
from smolforge.data.mixture import Mixture
from smolforge.model.config import ModelConfig
from smolforge.model.transformer import Llama
from smolforge.train.config import OptimConfig, ScheduleConfig
from smolforge.train.loop import TrainState, fit, next_token_loss
from smolforge.train.optim import make_optimizer
from smolforge.train.schedule import over_steps

GOLDEN = Path(__file__).with_name("pretrain_curve.json")
STEPS = 40
MODEL = ModelConfig(
    vocab_size=96,
    hidden_size=48,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=64,
)


def write_domain(folder: Path, step: int) -> Documents:
    """Documents by arithmetic alone, so that no random generator's version matters."""
    folder.mkdir(parents=True)
    tokens: list[int] = []
    offsets = [0]
    for number in range(150):
        length = 5 + (number * 37) % 60
        tokens += [1 + (number * 11 + place * step) % 95 for place in range(length)] + [0]
        offsets.append(len(tokens))
    np.array(tokens, dtype="<u2").tofile(folder / "tokens-00000.bin")
    np.savez(folder / "index.npz", shard_00000=np.array(offsets))
    return Documents(folder)


def curve(folder: Path, kind: str) -> list[float]:
    domains = {"a": write_domain(folder / "a", 3), "b": write_domain(folder / "b", 5)}
    batches = MixtureBatches(domains, Mixture(weights={"a": 0.7, "b": 0.3}), length=64, rows=4, seed=7)
    model = Llama(MODEL)
    model.initialise(7, zero_outputs=kind == "muon")
    optim = OptimConfig(kind=kind, lr=0.02 if kind == "muon" else 0.004, z_loss=1e-4)  # type: ignore[arg-type]
    state = TrainState(model=model, optimizer=make_optimizer(model, optim))
    schedule = over_steps(ScheduleConfig(warmup_share=0.1, decay_share=0.4), STEPS)
    steps = fit(state, batches, next_token_loss(optim.z_loss), schedule, until_step=STEPS, micro_tokens=128)
    return [step.loss for step in steps]


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_curve(tmp_path, kind):
    torch.set_num_threads(1)
    found = curve(tmp_path, kind)
    golden = json.loads(GOLDEN.read_text())[kind]
    assert found == pytest.approx(golden, abs=3e-3)
    assert found[-1] < 0.75 * found[0]


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    curves = {}
    for name in ("muon", "adamw"):
        with tempfile.TemporaryDirectory() as place:
            curves[name] = [round(loss, 5) for loss in curve(Path(place), name)]
    GOLDEN.write_text(json.dumps(curves) + "\n")
