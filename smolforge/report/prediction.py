"""What the sizing promised beforehand, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from smolforge.report.reading import Made, Run
from smolforge.units import format_seconds


@dataclass(frozen=True)
class Promise:
    """One thing that was predicted; `off` is what came out over what was promised, less one."""

    name: str
    promised: str
    came: str
    off: float


def promises(run: Run) -> list[Promise]:
    """Time and loss of pre-training against the sizing; empty before its last phase is done."""
    sizings = run.of("Sizing")
    plain = sizings[-1].json("sizing.json") if sizings else None
    if (
        not isinstance(plain, Mapping)
        or len(run.phases) < len(plain.get("phase_tokens", {}))
        or not run.phases
    ):
        return []
    promised = plain.get("predicted", {})
    seconds, bits = sum(one.seconds for one in run.phases), trained_bits(run, run.phases[-1])
    found = []
    if promised.get("seconds"):
        promised_time, came = format_seconds(promised["seconds"]), format_seconds(seconds)
        found.append(Promise("time of pre-training", promised_time, came, seconds / promised["seconds"] - 1))
    if promised.get("bits_per_byte") and bits is not None:
        found.append(
            Promise(
                "bits per byte of the text it trains on, at the end",
                f"{promised['bits_per_byte']:.2f}",
                f"{bits:.2f}",
                bits / promised["bits_per_byte"] - 1,
            )
        )
    return found


def trained_bits(run: Run, phase: Made) -> float | None:
    """The phase's last training loss in bits per byte of its mixture; None where a fact is missing."""
    loss = phase.facts.get("loss")
    shards = {
        name.partition(".")[2]: run.by_key[key]
        for name, key in phase.named_inputs
        if name.startswith("shards.") and key in run.by_key
    }
    mixture = [run.by_key[key] for name, key in phase.named_inputs if name == "mixture" and key in run.by_key]
    plain = mixture[0].json("mixture.json") if mixture else None
    weights = plain.get("weights") if isinstance(plain, Mapping) else phase.config.get("mixture")
    if not isinstance(loss, int | float) or not isinstance(weights, Mapping):
        return None
    bytes_per_token = 0.0
    for name, share in weights.items():
        facts = shards[name].facts if name in shards else {}
        if share and not (facts.get("tokens") and facts.get("bytes")):
            return None
        bytes_per_token += share * facts["bytes"] / facts["tokens"] if share else 0.0
    return loss / math.log(2) / bytes_per_token if bytes_per_token else None
