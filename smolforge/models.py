"""Models by the names people use: a run, a label, a folder, a GGUF file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smolforge.artifacts import Artifact, Checkpoint, DeviceModel, Scores, Tokenizer
from smolforge.errors import InputError, StoreError
from smolforge.store import Store, artifact_of_folder, flat_inputs, read_labels, read_record

if TYPE_CHECKING:
    from smolforge.serve.talk import Talker


def open_talker(name: str, lab: Path) -> Talker:
    """A model to talk to. `name` is a run (its export, or research model), a label, a model folder, or a .gguf file."""
    from smolforge.serve.talk import load_talker

    path = Path(name)
    if path.suffix == ".gguf" or (path / "config.json").is_file():
        if not path.exists():
            raise InputError(f"there is no file `{name}`", fix="check the path")
        return load_talker(path)
    if path.is_dir() and not _known(name, lab):
        raise InputError(
            "this folder holds no model", where=name, fix="it needs config.json and model.safetensors"
        )
    artifact = _artifact(name, lab)
    if isinstance(artifact, DeviceModel):
        return load_talker(artifact.path / "hf", name=name)
    return load_talker(artifact.path, _tokenizer_of(artifact, lab).path, name=name)


def evaluate_model(
    name: str, benchmarks: Path, tasks: tuple[str, ...], items: int, form: Literal["text", "chat"], lab: Path
) -> str:
    """Score the model on benchmark files; the scores are kept in the lab under the run `eval`."""
    from smolforge.evals.stages import EvaluateConfig, LoadBenchmarksConfig, evaluate, load_benchmarks

    checkpoint, tokenizer = checkpoint_and_tokenizer(name, lab)
    store = Store(lab, "eval")
    texts = store.run(
        load_benchmarks,
        LoadBenchmarksConfig(folder=str(benchmarks.resolve()), names=tasks, items_per_task=items),
        label="benchmarks",
    )
    scores = store.run(
        evaluate,
        EvaluateConfig(form=form),
        label=f"{name}/scores",
        model=checkpoint,
        tokenizer=tokenizer,
        texts=texts,
    )
    return scores_text(scores)


def scores_text(scores: Scores) -> str:
    """A table: score, 95% interval, chance, number of questions."""
    rows = [f"{'task':20} {'score':>7}  {'95% interval':15} {'chance':>7} {'items':>6}"]
    for one in json.loads((scores.path / "scores.json").read_text("utf-8")):
        interval = f"{one['low']:.3f} – {one['high']:.3f}"
        chance = f"{one['chance']:.3f}" if one["unit"] == "share" else "–"
        rows.append(f"{one['skill']:20} {one['value']:7.3f}  {interval:15} {chance:>7} {one['items']:6}")
    return "\n".join([*rows, f"kept in {scores.path}"])


def export_model(name: str, folder: Path, lab: Path) -> str:
    """Copy the proven export of a model into `folder`, making it first where there is none."""
    from smolforge.device.stages import ExportConfig, export

    if folder.exists() and any(folder.iterdir()):
        raise InputError("the target folder is not empty", where=str(folder), fix="name a new folder")
    artifact = _artifact(name, lab) if _known(name, lab) else None
    if not isinstance(artifact, DeviceModel):
        checkpoint, tokenizer = checkpoint_and_tokenizer(name, lab)
        store = Store(lab, "export")
        artifact = store.run(
            export, ExportConfig(), label=name.strip("/"), model=checkpoint, tokenizer=tokenizer
        )
    shutil.copytree(artifact.path, folder, dirs_exist_ok=True)
    return f"wrote {folder}: " + ", ".join(sorted(p.name for p in folder.iterdir()))


def checkpoint_and_tokenizer(name: str, lab: Path) -> tuple[Checkpoint, Tokenizer]:
    """The two parts of a model, from the lab or from a folder that holds both."""
    path = Path(name)
    if (path / "config.json").is_file():
        if not (path / "tokenizer.json").is_file():
            raise InputError(
                "this model folder has no tokenizer.json", where=name, fix="put the tokenizer beside it"
            )
        return artifact_of_folder(Checkpoint, path), artifact_of_folder(Tokenizer, path)
    artifact = _artifact(name, lab)
    if isinstance(artifact, DeviceModel):
        folder = artifact.path / "hf"
        return artifact_of_folder(Checkpoint, folder), artifact_of_folder(Tokenizer, folder)
    if not isinstance(artifact, Checkpoint):
        raise StoreError(
            f"`{name}` is a {type(artifact).__name__}, not a model", fix="name a checkpoint or an export"
        )
    return artifact, _tokenizer_of(artifact, lab)


def _known(name: str, lab: Path) -> bool:
    run, _, label = name.partition("/")
    return (label or "export") in read_labels(lab / "runs" / run)


def _artifact(name: str, lab: Path) -> Artifact:
    store = Store(lab)
    if name in store.runs():
        label = talking_label(store, name)
        if label is None:
            raise StoreError(
                f"the run `{name}` has no exported model yet",
                where=str(lab),
                fix=f"finish it, or name one of `smol show {name}`",
            )
        return store.find(f"{name}/{label}")
    return store.find(name)


def talking_label(store: Store, run: str) -> str | None:
    """What of a run is there to be talked to: its export, or its last research model, which has none."""
    labels = read_labels(store.lab / "runs" / run)
    if "export" in labels:
        return "export"
    models = [label for label in labels if label.endswith("/model")]
    research = models and store.find(f"{run}/{models[-1]}").facts.get("research")
    return models[-1] if research else None


def _tokenizer_of(artifact: Artifact, lab: Path) -> Tokenizer:
    record = read_record(artifact.path) or {}
    for input_name, one in flat_inputs(record):
        if input_name == "tokenizer":
            found = Store(lab).find(one["folder"])
            return Tokenizer(path=found.path, key=found.key, digest=found.digest, facts=found.facts)
    raise StoreError(
        f"{artifact.path.name} was made without a tokenizer, so nobody can talk to it",
        fix="name a checkpoint or an export",
    )
