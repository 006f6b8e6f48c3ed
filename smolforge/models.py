"""Models by the names people use: a run, a label, a released name, a model folder, a `.gguf` file.

Everything that takes a model takes all of these. Names in the lab come first, then what lies on disk, then
released models (`smol pull`); one that is not here yet is asked for once, at a terminal.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from smolforge.artifacts import Artifact, Checkpoint, DeviceModel, EvalTexts, ForeignModel, Scores, Tokenizer
from smolforge.errors import InputError, StoreError
from smolforge.log import Log, terminal_width
from smolforge.stage import Input, Stage
from smolforge.store import COMMAND_RUNS, Store, flat_inputs, read_labels, read_record

if TYPE_CHECKING:
    from smolforge.released.pull import Pulled
    from smolforge.serve.talk import Talker

A = TypeVar("A", bound=Artifact)
RELEASED_RUN = "released"
"""The run under which models from elsewhere stand in a lab, where no recipe took them in."""


@dataclass(frozen=True)
class Outside:
    """A model that is not of this lab: its folder or `.gguf` file, and what is known of it."""

    place: Path
    name: str
    licence: str = ""
    revision: str = ""


def find_model(name: str, lab: Path) -> Artifact | Outside:
    """What `name` stands for; a released model that is not here is fetched, if the person at the terminal agrees.

    Raises InputError or StoreError that says what could be named
    """
    from smolforge.released.places import model_place

    store = Store(lab)
    if _known(name, store):
        return _artifact(name, store)
    path = Path(name).expanduser()
    place = model_place(path)
    if place is not None:
        return Outside(place, path.name if path.is_file() else path.resolve().name)
    if path.is_dir():
        inside = sorted(path.glob("*.gguf"))
        if len(inside) == 1:
            return Outside(inside[0], inside[0].name)
        raise InputError(
            "this folder holds several models" if inside else "this folder holds no model",
            where=name,
            fix=f"name one of its files: {', '.join(map(str, inside[:4]))}"
            if inside
            else "it needs config.json and model.safetensors",
        )
    if path.suffix == ".gguf":
        raise InputError(f"there is no file `{name}`", fix="check the path")
    if name.startswith(("/", "./", "../", "~")):
        there = path.exists()
        raise InputError(
            "this file is no model" if there else "there is no such file or folder",
            where=name,
            fix="name a folder with config.json and model.safetensors, or a .gguf file",
        )
    pulled = _released(name)
    if pulled is not None:
        return Outside(pulled.path, pulled.name, pulled.licence, pulled.revision)
    try:
        return _artifact(name, store)  # a key, or the error that lists what is known
    except StoreError as problem:
        listed = f"{problem.fix}; `smol pull` lists released models"
        raise StoreError(f"{problem.what}", where=problem.where, fix=listed) from None


def open_talker(name: str, lab: Path) -> Talker:
    """A model to talk to. Of a run, its export (or its last research model, which has none)."""
    from smolforge.serve.engines import load_talker

    found = find_model(name, lab)
    if isinstance(found, Outside):
        return load_talker(found.place, name=name)
    if isinstance(found, DeviceModel):
        return load_talker(found.path / "hf", name=name)
    return load_talker(found.path, _tokenizer_of(found, lab).path, name=name)


def model_and_tokenizer(store: Store, name: str, label: str = "") -> tuple[Checkpoint, Tokenizer]:
    """The two parts of a model, as artifacts of the lab: one from elsewhere is taken in first. For recipes and commands.

    `label` is where it stands in the run; by default `<name>`.
    """
    from smolforge.released.stages import TakeInConfig, take_in_model, take_in_tokenizer

    found = find_model(name, store.lab)
    if isinstance(found, Outside):
        label = label or found.name
        known = TakeInConfig(name=found.name, licence=found.licence, revision=found.revision)
        source = _as_input(found.place)
        return (
            store.run(take_in_model, known, label=f"{label}/weights", source=source),
            store.run(take_in_tokenizer, known, label=f"{label}/tokenizer", source=source),
        )
    if isinstance(found, DeviceModel):
        record = read_record(found.path) or {}
        parts = {part: Store(store.lab).find(one["folder"]) for part, one in flat_inputs(record)}
        return parts["model"], parts["tokenizer"]  # type: ignore[return-value]
    if not isinstance(found, Checkpoint):
        raise StoreError(
            f"`{name}` is a {type(found).__name__}, not a model", fix="name a checkpoint or an export"
        )
    return found, _tokenizer_of(found, store.lab)


def evaluate_model(
    name: str,
    benchmarks: Path,
    tasks: tuple[str, ...],
    items: int,
    form: Literal["text", "chat"],
    lab: Path,
    prefix: Literal["start", "none"] = "start",
) -> str:
    """Score the model on benchmark files; the scores are kept in the lab under the run `eval`."""
    from smolforge.evals.stages import benchmarks_in, load_benchmarks

    questions = benchmarks_in(benchmarks, tasks, items)
    store = Store(lab, "eval")
    checkpoint, tokenizer = model_and_tokenizer(store, name)
    texts = _kept(store, load_benchmarks, questions, label="benchmarks")
    return scores_text(_scores_of(store, name, checkpoint, tokenizer, texts, items, form, prefix))


def compare_models(
    names: tuple[str, ...],
    benchmarks: Path,
    tasks: tuple[str, ...],
    items: int,
    form: Literal["text", "chat", "native"],
    published: tuple[str, ...] | None,
    files: tuple[Path, ...],
    lab: Path,
) -> str:
    """Score several models on the same benchmark files, lay them side by side, and write that to `files` too.

    published  whose published scores stand beside them; None: the models' own and those of SmolLM2 and its peers
    """
    from smolforge.evals.comparison import lay_side_by_side
    from smolforge.evals.measured import read_measured
    from smolforge.evals.published import references
    from smolforge.evals.stages import benchmarks_in, form_of, load_benchmarks
    from smolforge.report import comparison
    from smolforge.text.tokenizer import load_tokenizer

    for file in files:
        comparison.writer_of(file)  # a wrong name is said before hours of work
    beside = references(names, published, in_chat=form != "text")
    questions = benchmarks_in(benchmarks, tasks, items)
    store = Store(lab, "eval")
    parts = {name: model_and_tokenizer(store, name) for name in dict.fromkeys(names)}
    texts = _kept(store, load_benchmarks, questions, label="benchmarks")
    measured, forms = [], []
    chances: dict[str, float] = {}
    scored: dict[str, tuple[str, Scores]] = {}
    for name, (checkpoint, tokenizer) in parts.items():
        asked = form_of(form, load_tokenizer(tokenizer.path))
        scored[name] = asked, _scores_of(store, name, checkpoint, tokenizer, texts, items, asked)
    for name in names:  # one may be named twice
        how, scores = scored[name]
        measured.append((name, read_measured(scores.path)))
        forms.append(how)
        chances |= {one["skill"]: one["chance"] for one in _score_rows(scores)}
    found = lay_side_by_side(measured, forms, chances, beside)
    for file in files:
        comparison.write(found, file)
    return "\n".join([comparison.as_text(found, terminal_width()), *(f"wrote {file}" for file in files)])


def _scores_of(
    store: Store,
    name: str,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    texts: EvalTexts,
    items: int,
    form: Literal["text", "chat"],
    prefix: Literal["start", "none"] = "start",
) -> Scores:
    from smolforge.evals.stages import EvaluateConfig, evaluate

    return _kept(
        store,
        evaluate,
        EvaluateConfig(form=form, items_per_skill=items, prefix=prefix),
        label=f"{name.strip('/')}/scores-{form}" + ("" if prefix == "start" else "-no-prefix"),
        model=checkpoint,
        tokenizer=tokenizer,
        texts=texts,
    )


def _kept(store: Store, stage: Stage[A], cfg: Any, *, label: str, **inputs: Input) -> A:
    """What the stage makes, under a label of its own: what was made before under this label keeps it."""
    folder = store.place_of(stage, cfg, inputs).name
    taken = read_labels(store.lab / "runs" / store.run_name)
    numbered = (label if number == 1 else f"{label}-{number}" for number in itertools.count(1))
    free = next(one for one in numbered if one not in taken or taken[one]["folder"] == folder)
    return store.run(stage, cfg, label=free, **inputs)


def _score_rows(scores: Scores) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((scores.path / "scores.json").read_text("utf-8"))
    return rows


def judge_model(name: str, benchmarks: Path, judge: str, settings: Mapping[str, Any], lab: Path) -> str:
    """Let another model judge this one's answers to open questions; kept in the lab under the run `eval`."""
    from smolforge.evals.judge_stages import judge_answers, judged_by
    from smolforge.evals.published import MT_BENCH

    cfg = judged_by(benchmarks, judge, **settings)
    store = Store(lab, "eval")
    checkpoint, tokenizer = model_and_tokenizer(store, name)
    label = f"{name.strip('/')}/judged-{cfg.task}"
    scores = store.run(judge_answers, cfg, label=label, model=checkpoint, tokenizer=tokenizer)
    lines = [
        scores_text(scores),
        f"{scores.facts['broken']} verdicts of the judge could not be read and are left out",
    ]
    if cfg.task == "mt_bench":
        known = ", ".join(f"{peer} {value}" for peer, value in MT_BENCH.items())
        lines.append(f"published, by GPT-4 as the judge: {known}")
    return "\n".join(lines)


def scores_text(scores: Scores) -> str:
    """A table: score, 95% interval, chance, number of questions."""
    rows = [f"{'task':20} {'score':>7}  {'95% interval':15} {'chance':>7} {'items':>6}"]
    for one in _score_rows(scores):
        interval = f"{one['low']:.3f} – {one['high']:.3f}"
        chance = f"{one['chance']:.3f}" if one["unit"] == "share" else "–"
        rows.append(f"{one['skill']:20} {one['value']:7.3f}  {interval:15} {chance:>7} {one['items']:6}")
    return "\n".join([*rows, f"kept in {scores.path}"])


def pull_model(name: str | None, *, source: Path | None, from_hub: bool, offline: bool) -> str:
    """Fetch a released model; without a name, what there is."""
    from smolforge.released.names import listing
    from smolforge.released.pull import pull

    if name is None:
        return listing()
    log = Log()
    pulled = pull(name, source=source, from_hub=from_hub, offline=offline, say=log.say, progress=log.progress)
    log.close_line()
    return f"next: smol chat {pulled.name}"


def talking_label(store: Store, run: str) -> str | None:
    """What of a run is there to be talked to: its export, or its last research model, which has none."""
    labels = read_labels(store.lab / "runs" / run)
    if "export" in labels:
        return "export"
    models = [label for label in labels if label.endswith("/model")]
    research = models and store.find(f"{run}/{models[-1]}").facts.get("research")
    return models[-1] if research else None


def _released(name: str) -> Pulled | None:
    """A released model by its name: the one in the cache, or fetched after asking; None for no such name."""
    from smolforge.released.names import near_names, released
    from smolforge.released.pull import find, pull

    try:
        model = released(name)
    except InputError:
        if near := near_names(name):
            raise InputError(
                f"there is no model called `{name}`",
                fix=f"did you mean {' or '.join(near)}? `smol pull` lists them, `smol show` your own",
            ) from None
        return None
    here = find(model.name)
    if here is not None:
        return here
    log = Log()
    if not _agreed(model.name):
        raise InputError(f"`{model.name}` is not here yet", fix=f"smol pull {model.name}")
    pulled = pull(model.name, say=log.say, progress=log.progress)
    log.close_line()
    return pulled


def _agreed(name: str) -> bool:
    """Whether the person at the terminal wants the model fetched now; nobody there means no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"`{name}` is not here yet. Fetch it now? [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def _as_input(place: Path) -> ForeignModel:
    from smolforge.released.places import digest_of

    digest = digest_of(place)
    return ForeignModel(path=place, key=digest, digest=digest)


def _known(name: str, store: Store) -> bool:
    """Whether the lab has a run, or a label of a run, of this name."""
    run, _, label = name.partition("/")
    labels = read_labels(store.lab / "runs" / run)
    return label in labels if label else run in store.runs() and run not in COMMAND_RUNS


def _artifact(name: str, store: Store) -> Artifact:
    if name in store.runs():
        label = talking_label(store, name)
        if label is None:
            raise StoreError(
                f"the run `{name}` has no exported model yet",
                where=str(store.lab),
                fix=f"finish it, or name one of `smol show {name}`",
            )
        return store.find(f"{name}/{label}")
    return store.find(name)


def _tokenizer_of(artifact: Artifact, lab: Path) -> Tokenizer:
    """The tokenizer a checkpoint was made with; of one taken in, what was taken in beside it."""
    record = read_record(artifact.path) or {}
    for input_name, one in flat_inputs(record):
        if input_name == "tokenizer":
            found = Store(lab).find(one["folder"])
            return Tokenizer(path=found.path, key=found.key, digest=found.digest, facts=found.facts)
    beside = _taken_in_beside(record, lab)
    if beside is not None:
        return beside
    raise StoreError(
        f"{artifact.path.name} was made without a tokenizer, so nobody can talk to it",
        fix="name a checkpoint or an export",
    )


def _taken_in_beside(record: dict, lab: Path) -> Tokenizer | None:
    """The tokenizer from the same files as a model that was taken in."""
    source = record.get("inputs", {}).get("source", {}).get("digest")
    for folder in sorted((lab / "artifacts").glob("take-in-tokenizer-*")) if source else ():
        other = read_record(folder) or {}
        if other.get("inputs", {}).get("source", {}).get("digest") == source:
            return Tokenizer(path=folder, key=other["key"], digest=other["digest"], facts=other["facts"])
    return None
