"""Which contestants there are, and how one is started: a process of its own, with a limit to its time.

    contestants = Contestants(threads=2, nanochat=Path("…"), litgpt_python=Path("…"))
    contestants.run("litgpt-bf16", shape=…, rows=32, length=256, steps=12)

A name is a kind and a variant. A contestant that fails gives a `Failure` with the end of what it said; nobody
else is stopped by it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolforge.threads import GENTLE

HERE = Path(__file__).parent
SCRIPTS = {
    "smolforge": "ours.py",
    "trainer": "trainer.py",
    "eager": "eager.py",
    "transformers": "compiled.py",
    "nanochat": "nano.py",
    "litgpt": "lit.py",
    "peak": "peak.py",
    "adapted": "adapted.py",
    "peft": "tuned.py",
}
VARIANTS = {
    "smolforge-adamw": {"optimizer": "adamw"},
    "smolforge-muon": {"optimizer": "muon"},
    "smolforge-packed": {"optimizer": "adamw", "document": 512},
} | {
    f"{kind}-{precision}": {"precision": precision}
    for kind, precision in (
        ("eager", "fp32"),
        ("trainer", "fp32"),
        ("trainer", "bf16"),
        ("nanochat", "fp32"),
        ("nanochat", "bf16"),
        ("litgpt", "fp32"),
        ("litgpt", "bf16"),
    )
}
ADAPTING = {
    f"{kind}-{method}-{precision}": {"precision": precision, "adapters": method == "lora"}
    for kind, precisions in (("adapted", ("auto",)), ("peft", ("fp32", "bf16", "pure")))
    for method in ("full", "lora")
    for precision in precisions
}
"""Who adapts a model that is there: smolforge, and transformers with peft."""
SAID_CHARACTERS = 1500


@dataclass(frozen=True)
class Failure:
    """A contestant that gave no answer, and why."""

    why: str


@dataclass
class Contestants:
    """The contestants that can be started here.

    nanochat        a checkout of it; None leaves it out
    litgpt_python   the Python of an environment that has litgpt; None leaves it out
    missing         kind → why it does not take part
    """

    threads: int
    nanochat: Path | None = None
    litgpt_python: Path | None = None
    clock: str = "wall"
    limit_seconds: float = 600.0
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nanochat is None:
            self.missing["nanochat"] = "no checkout: --nanochat PATH"
        elif not (self.nanochat / "scripts" / "base_train.py").is_file():
            self.missing["nanochat"] = f"no scripts/base_train.py in {self.nanochat}"
        if self.litgpt_python is None:
            self.missing["litgpt"] = "no environment with it: --litgpt-python PATH"
        else:
            self._check_litgpt(self.litgpt_python)

    def _check_litgpt(self, python: Path) -> None:
        """It must run on the same torch as the others."""
        asked = (
            "from importlib.metadata import version; print(version('litgpt'), version('torch').split('+')[0])"
        )
        try:
            found = subprocess.run(
                [python, "-c", asked], capture_output=True, text=True, check=True
            ).stdout.split()
        except (OSError, subprocess.CalledProcessError):
            self.missing["litgpt"] = f"{python} has no litgpt"
            return
        from importlib.metadata import version

        ours = version("torch").split("+")[0]
        if found[1] != ours:
            self.missing["litgpt"] = f"its torch is {found[1]}, ours {ours}"

    def names(self) -> list[str]:
        """Every variant that can take part, ours first."""
        return [name for name in VARIANTS if name.partition("-")[0] not in self.missing]

    def run(self, name: str, **task: Any) -> dict[str, Any] | Failure:
        """The answer of one contestant to a task (the fields of `contest.Task`)."""
        kind = name.partition("-")[0]
        python = self.litgpt_python if kind == "litgpt" else sys.executable
        task = {"threads": self.threads, "clock": self.clock, **task, **(VARIANTS | ADAPTING).get(name, {})}
        if kind == "nanochat":
            task["checkout"] = str(self.nanochat)
        with tempfile.TemporaryDirectory() as folder:
            task_file, answer_file = Path(folder) / "task.json", Path(folder) / "answer.json"
            task_file.write_text(json.dumps(task), encoding="utf-8")
            # ours waits as the command lets it; the peers as they do by themselves
            waiting = GENTLE if kind in ("smolforge", "adapted") else {}
            said = self._in_process(
                [str(python), str(HERE / SCRIPTS[kind]), str(task_file), str(answer_file)], waiting
            )
            if not answer_file.is_file():
                return Failure(said.strip()[-SAID_CHARACTERS:] or "it said nothing")
            return dict(json.loads(answer_file.read_text(encoding="utf-8")))

    def round(
        self, names: list[str], best: dict[str, dict[str, Any]], failed: dict[str, str], **task: Any
    ) -> None:
        """Let each of these run, back to back; keep its best round, or why it failed, after which it rests."""
        for name in [name for name in names if name not in failed]:
            found = self.run(name, **task)
            if isinstance(found, Failure):
                failed[name] = found.why
                tell(f"  {name} failed: {found.why}")
                continue
            tell(f"  {name}: {found['tokens_per_second']:.0f} tokens/s, {found['mebibytes']} MiB")
            if name not in best or found["seconds"] < best[name]["seconds"]:
                best[name] = found

    def _in_process(self, command: list[str], waiting: Mapping[str, str]) -> str:
        """Run to the end or to the limit, with all that it started; gives what it said on the way."""
        settings = {"OMP_NUM_THREADS": str(self.threads), "TOKENIZERS_PARALLELISM": "false", **waiting}
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **settings},
            start_new_session=True,
        )
        try:
            return process.communicate(timeout=self.limit_seconds)[1]
        except subprocess.TimeoutExpired:
            return f"stopped after {self.limit_seconds:.0f} seconds"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def stop_with_children() -> None:
    """Let a termination end what was started as well: it runs in sessions of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def tell(text: str) -> None:
    """A line for the person who waits."""
    print(text, file=sys.stderr, flush=True)
