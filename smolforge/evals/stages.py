"""Stages of evaluation: benchmarks in, scores out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smolforge.artifacts import Checkpoint, EvalTexts, Facts, Scores, Tokenizer
from smolforge.config import config
from smolforge.errors import ConfigError, InputError
from smolforge.stage import Job, stage
from smolforge.train.config import Compute

if TYPE_CHECKING:
    from smolforge.evals.grade import Form
    from smolforge.evals.score import HeldOutText, Judged
    from smolforge.evals.task import Item, Score
    from smolforge.text.tokenizer import Tok

MAX_LINE_CHARACTERS = 8 << 20


@config
class EvaluateConfig:
    """What is asked.

    form                   `text` for a base model, `chat` for a tuned one; `native`: chat where the model came with a
                           chat template, text where it did not
    skills                 which skills; empty means all there are
    items_per_skill        how many items of each, always the same ones for one seed; 0 for all
    text_bytes_per_domain  how much held-out text is read for bits per byte; 0 for none
    window_tokens          longest context for bits per byte; never more than the model's positions
    prefix                 `start`: a text prompt begins with the start token, as documents do in training; `none`: with none,
                           as lm-evaluation-harness asks SmolLM2
    answer_tokens          a limit on written answers below the items' own; 0 for none
    compute                number type of the products: `auto` takes the one that training would; float32 for comparisons
    """

    form: Literal["text", "chat", "native"] = "text"
    skills: tuple[str, ...] = ()
    items_per_skill: int = 100
    text_bytes_per_domain: int = 30_000
    window_tokens: int = 512
    prefix: Literal["start", "none"] = "start"
    answer_tokens: int = 0
    cpu_seconds: float = 1.0
    compute: Compute = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.items_per_skill < 0 or self.window_tokens < 1:
            raise ConfigError("`items_per_skill` must not be negative, `window_tokens` at least 1")


@config
class LoadBenchmarksConfig:
    """Public benchmarks in a folder of JSON lines.

    names           as in `evals.tasks.BENCHMARKS`; empty: the usual ones that the folder holds
    items_per_task  how many questions of each, always the same ones for one seed; 0 for all
    digest          `sources.folder_digest(folder)`, so that changed files are noticed
    """

    folder: str
    names: tuple[str, ...] = ()
    items_per_task: int = 500
    digest: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.items_per_task < 0:
            raise ConfigError(f"`items_per_task` is {self.items_per_task}", fix="use 1 or more, or 0 for all")


def benchmarks_in(
    folder: str | Path, names: Sequence[str] = (), items_per_task: int = 500
) -> LoadBenchmarksConfig:
    """The config of a folder of benchmarks as it is now. For recipes and commands.

    Raises InputError for a missing folder, ConfigError for an unknown benchmark.
    """
    from smolforge.data.read.sources import folder_digest
    from smolforge.evals.tasks import known_benchmark

    for name in names:
        known_benchmark(name)
    place = Path(folder).expanduser()
    digest = folder_digest(place)
    return LoadBenchmarksConfig(
        folder=str(place.resolve()), names=tuple(names), items_per_task=items_per_task, digest=digest
    )


@stage(makes=Scores, version=8)
def evaluate(
    cfg: EvaluateConfig, job: Job, *, model: Checkpoint, tokenizer: Tokenizer, texts: EvalTexts
) -> Facts:
    """Score a model on held-out items and texts, with intervals.

    Writes  scores.json ([Score...], skills then bits_<domain>), samples.jsonl (every item, answer, verdict),
            bits.jsonl (each held-out text's bits and bytes, so that two models can be compared in pairs)
    Facts   <skill>, <skill>_low, <skill>_high; bits_<domain> likewise
    Raises  InputError for items that cannot be read or a skill that has none
    """
    import torch

    from smolforge.evals import sandbox, score
    from smolforge.evals.answer_bits import with_answer_bits
    from smolforge.model.generate import TorchLanguageModel
    from smolforge.model.weights import load_model
    from smolforge.text.tokenizer import load_tokenizer
    from smolforge.train.precision import compute_dtype

    torch.set_num_threads(job.threads)
    network = load_model(model.path, compute=compute_dtype(cfg.compute, job.device)).to(job.device)
    reader = TorchLanguageModel(network)
    tok = load_tokenizer(tokenizer.path)
    form, start = form_of(cfg.form, tok), cfg.prefix == "start"
    items = [one for skill in _skills(cfg, texts.path) for one in _items_of(cfg, texts.path, skill)]

    def watch(done: int, total: int) -> None:
        job.log.progress(done, total, "items", "asking")

    limits = sandbox.Limits(cpu_seconds=cfg.cpu_seconds)
    _, judged = score.evaluate(
        reader, tok, items, form=form, limits=limits, workers=job.threads, watch=watch, start=start
    )
    judged = with_answer_bits(reader, tok, judged, form, start)
    scores = score.score_skills(judged)
    held = _held_out(cfg, texts.path)
    if held:
        window = min(cfg.window_tokens, network.config.max_position_embeddings)
        bits = score.text_bits(reader, tok, held, window)
        scores += score.score_domains(held, bits)
        _write_bits(job, held, bits)
    if not scores:
        raise InputError(
            "there is nothing to evaluate", fix="give items-<skill>.jsonl or texts-<domain>.jsonl"
        )
    _write(job, scores, judged)
    return _facts(scores)


@stage(makes=EvalTexts, version=4)
def load_benchmarks(cfg: LoadBenchmarksConfig, job: Job) -> Facts:
    """Read public benchmarks as held-out items.

    Writes  items-<benchmark>.jsonl
    Facts   items, texts
    Raises  ConfigError for an unknown benchmark, InputError for a missing or unreadable file or a folder without any
    """
    from smolforge.evals.score import choose_items
    from smolforge.evals.task import item_to_plain
    from smolforge.evals.tasks import held_in, load_benchmark

    folder = Path(cfg.folder).expanduser()
    if not folder.is_dir():
        raise InputError(
            "the benchmark folder does not exist", where=str(folder), fix="set `folder` to one that does"
        )
    names, total = sorted(set(cfg.names)) or held_in(folder), 0
    if not names:
        raise InputError(
            "the folder holds no benchmark that is known here",
            where=str(folder),
            fix=f"it needs the file of one, or the same with .gz: {', '.join(_wanted_files(folder))}",
        )
    for done, name in enumerate(names):
        items = choose_items(load_benchmark(name, folder), cfg.items_per_task, cfg.seed)
        _write_lines(job.out / f"items-{name}.jsonl", [item_to_plain(item) for item in items])
        total += len(items)
        job.log.progress(done + 1, len(names), "benchmarks", name)
    return {"items": total, "texts": 0}


def _wanted_files(folder: Path) -> list[str]:
    """What is looked for, as `arc_easy (arc/ARC-Easy-test.jsonl)`."""
    from smolforge.evals.tasks import MissingBenchmark, load_benchmark, usual_benchmarks

    found = []
    for name in usual_benchmarks():
        try:
            load_benchmark(name, folder)
        except MissingBenchmark as problem:
            found.append(f"{name} ({problem.file.relative_to(folder)})")
    return found


def form_of(asked: Literal["text", "chat", "native"], tok: Tok) -> Form:
    """How a model is asked: `native` is chat where it came with a chat template, else text."""
    if asked != "native":
        return asked
    return "chat" if tok.template is not None else "text"


# -- reading and writing -------------------------------------------------------------------------------


def _skills(cfg: EvaluateConfig, folder: Path) -> list[str]:
    present = sorted(file.name[len("items-") : -len(".jsonl")] for file in folder.glob("items-*.jsonl"))
    for skill in cfg.skills:
        if skill not in present:
            raise InputError(
                f"there are no held-out items of skill `{skill}`", fix=f"there are {', '.join(present)}"
            )
    return [skill for skill in present if not cfg.skills or skill in cfg.skills]


def _items_of(cfg: EvaluateConfig, folder: Path, skill: str) -> list[Item]:
    from dataclasses import replace

    from smolforge.evals.score import choose_items
    from smolforge.evals.task import item_from_plain

    file = folder / f"items-{skill}.jsonl"
    rows = _read_lines(file)
    items = [item_from_plain(row, f"{file.name}, line {n}") for n, row in enumerate(rows, start=1)]
    chosen = choose_items(items, cfg.items_per_skill, cfg.seed)
    if not cfg.answer_tokens:
        return chosen
    return [replace(item, max_new_tokens=min(item.max_new_tokens, cfg.answer_tokens)) for item in chosen]


def _held_out(cfg: EvaluateConfig, folder: Path) -> list[HeldOutText]:
    from smolforge.evals.score import HeldOutText, cut_texts

    kept: list[HeldOutText] = []
    for file in sorted(folder.glob("texts-*.jsonl")):
        domain = file.name[len("texts-") : -len(".jsonl")]
        rows = _read_lines(file)
        try:
            texts = [HeldOutText(str(row["id"]), domain, str(row["text"])) for row in rows]
        except (KeyError, TypeError):
            raise InputError("a held-out text lacks `id` or `text`", where=file.name) from None
        kept += cut_texts(texts, cfg.text_bytes_per_domain)
    return kept


def _read_lines(file: Path) -> list[Any]:
    rows = []
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(json.loads(line[:MAX_LINE_CHARACTERS]))
            except (ValueError, RecursionError):
                raise InputError("a line is not JSON", where=f"{file.name}, line {number}") from None
    return rows


def _write(job: Job, scores: Sequence[Score], judged: Sequence[Judged]) -> None:
    from dataclasses import asdict

    def rounded(value: Any) -> Any:
        return round(value, 6) if isinstance(value, float) else value

    plain = [{name: rounded(value) for name, value in asdict(one).items()} for one in scores]
    (job.out / "scores.json").write_text(
        json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    _write_lines(job.out / "samples.jsonl", [one.plain() for one in judged])
    for one in plain:
        job.log.event("score", **one)


def _write_bits(job: Job, held: Sequence[HeldOutText], bits: Sequence[float]) -> None:
    rows = [
        {
            "id": text.id,
            "domain": text.domain,
            "bits": round(found, 4),
            "bytes": len(text.text.encode("utf-8", "replace")),
        }
        for text, found in zip(held, bits, strict=True)
    ]
    _write_lines(job.out / "bits.jsonl", rows)


def _write_lines(file: Path, rows: Sequence[Any]) -> None:
    with file.open("w", encoding="utf-8", errors="replace") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _facts(scores: Sequence[Score]) -> Facts:
    facts: dict[str, float] = {}
    for one in scores:
        facts |= {one.skill: round(one.value, 6)}
        facts |= {f"{one.skill}_low": round(one.low, 6), f"{one.skill}_high": round(one.high, 6)}
    return facts
