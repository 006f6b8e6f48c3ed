"""What goes wrong while a model is tuned is said in words, once, and only when it has lasted."""

from __future__ import annotations

import pytest

from smolforge.align.doctor import STEPS, Doctor

HEALTHY = {
    "reward": 0.4,
    "differing": 0.6,
    "kl": 0.02,
    "answer_tokens": 20.0,
    "margin": 0.5,
    "chosen_reward": 0.2,
    "rejected_reward": -0.3,
}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("zero reward", {"reward": 0.0, "differing": 0.0}),
        ("zero variance", {"differing": 0.02}),
        ("KL blow-up", {"kl": 2.0}),
        ("length", {"answer_tokens": 4.0}),
        ("length", {"answer_tokens": 60.0}),
        ("both sink", {"chosen_reward": -3.0, "rejected_reward": -4.0, "margin": 1.0}),
    ],
)
def test_a_trouble_that_lasts_is_said_once(name: str, change: dict[str, float]) -> None:
    heard: list[str] = []
    doctor = Doctor(heard.append)
    for _ in range(STEPS):
        doctor.look(HEALTHY)
    doctor.look({**HEALTHY, **change})
    assert heard == [], "one step is no trouble yet"
    for _ in range(3 * STEPS):
        doctor.look({**HEALTHY, **change})
    assert doctor.said == [name] and len(heard) == 1


def test_health_is_silent_whatever_is_measured() -> None:
    heard: list[str] = []
    doctor = Doctor(heard.append)
    a_little = {
        "chosen_reward": -0.1,
        "rejected_reward": -0.5,
        "margin": 0.4,
    }  # preference optimisation always does
    for figures in (HEALTHY, a_little, {"accuracy": 1.0}, {}, {"kl": 0.1}) * 5:
        doctor.look(figures)
    assert heard == []
