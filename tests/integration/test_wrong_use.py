"""A table of wrong uses, every verb: each is one message that says what and what next, a non-zero exit, and no traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from smolforge.cli import main

FOLDERS = {"words": {"a.txt": "Some words. " * 60}, "nothing": {}, "questions": {"x.jsonl": "{}\n"}}
QS, OWN = ["plan", "quickstart", "--set"], ["plan", "own_data", "--set", "data=words", "--set"]
ADAPT = ["plan", "adapt", "--set", "data=words", "--set"]
RUN_ADAPT = ["run", "adapt", "--set", "data=words", "--set"]

WRONG: list[tuple[list[str], str]] = [
    # settings: names
    ([*QS, "modle.hidden_size=64"], "did you mean `model`"),
    ([*QS, "model.hiden_size=64"], "did you mean `hidden_size`"),
    ([*QS, "phases.9.share=0.1"], "no entry 9"),
    ([*QS, "phases.x.share=0.1"], "no entry x"),
    ([*QS, "model.hidden_size.more=1"], "deeper"),
    ([*QS, "conversations.shares.tols=0.1"], "did you mean `tools`"),
    ([*QS, "justaword"], "justaword"),
    ([*QS, "=3"], "no setting ``"),
    ([*QS, ""], "`--set` is empty"),
    ([*QS, "data"], "write `--set data=value`"),
    # settings: values
    ([*QS, "model.hidden_size=-64"], "`hidden_size` is -64"),
    ([*QS, "model.hidden_size=0"], "hidden_size"),
    ([*QS, "model.hidden_size=nan"], "`model.hidden_size`"),
    ([*QS, "model.hidden_size="], "`model.hidden_size`"),
    ([*QS, "model.hidden_size=12.5"], "`model.hidden_size`"),
    ([*QS, "model.hidden_size=many"], "`model.hidden_size`"),
    ([*QS, "model.num_key_value_heads=0"], "num_key_value_heads"),
    ([*QS, "model.num_key_value_heads=3"], "num_key_value_heads"),
    ([*QS, "model.num_hidden_layers=0"], "num_hidden_layers"),
    ([*QS, "model.vocab_size=0"], "vocab_size"),
    ([*QS, "model.rope_theta=0"], "rope_theta"),
    ([*QS, "model.rms_norm_eps=-1"], "rms_norm_eps"),
    ([*QS, "model.max_position_embeddings=64"], "positions"),
    ([*QS, "length=4096"], "positions"),
    ([*QS, "tokens=-5"], "tokens"),
    ([*QS, "phases.0.batch_tokens=0"], "batch_tokens"),
    ([*QS, "phases.0.save_every_steps=0"], "save_every_steps"),
    ([*QS, "sft.epochs=0"], "epochs"),
    ([*QS, "sft.length=0"], "length"),
    ([*QS, "evaluation.items_per_skill=-1"], "items_per_skill"),
    ([*QS, "mixing.base.web=0.09"], "add up"),
    ([*QS, "seed=abc"], "`seed`"),
    ([*QS, "compute=float8"], "float8"),
    ([*OWN, "minutes=0"], "minutes"),
    ([*OWN, "minutes=-5"], "minutes"),
    ([*OWN, "minutes=nan"], "minutes"),
    ([*OWN, "minutes=ten"], "minutes"),
    ([*ADAPT, "minutes=inf"], "minutes"),
    ([*ADAPT, "minutes=-3"], "`minutes` is -3"),
    ([*ADAPT, "budget.length=4"], "length"),
    ([*ADAPT, "budget.minutes=60"], "taken from `minutes`"),
    ([*ADAPT, "tuning.seed=5"], "taken from `seed`"),
    ([*ADAPT, "evaluation.compute=float32"], "taken from `compute`"),
    ([*ADAPT, "budget.method=half"], "half"),
    ([*ADAPT, "budget.train_share=1.5"], "train_share"),
    ([*ADAPT, "budget.memory_gib=-1"], "memory_gib"),
    ([*ADAPT, "mixing.chat_share=0.9"], "chat_share"),
    ([*ADAPT, "mixing.statement_share=1"], "statement_share"),
    ([*ADAPT, "mixing.statement_passes=0"], "statement_passes"),
    ([*ADAPT, "asking.held_out_share=1"], "held_out_share"),
    ([*ADAPT, "model=smollm3"], "smollm3"),
    ([*ADAPT, "languages=en"], "languages"),
    # recipes, scales, saved configs
    (["plan", "quikstart"], "quickstart"),
    (["plan", "quickstart", "--scale", "huge"], "no scale `huge`"),
    (["plan", "words/a.txt"], "words/a.txt"),
    (["plan", "nothing"], "nothing"),
    (["plan", "quickstart", "--from", "absent.json"], "absent.json"),
    (["plan", "quickstart", "--from", "words/a.txt"], "no saved config"),
    (["plan", "quickstart", "--from", "words"], "words"),
    (["run", "quickstart", "--name", "a/b"], "cannot name a run"),
    (["run", "quickstart", "--name", ".a"], "cannot name a run"),
    (["run", "quickstart", "--threads", "0"], "0"),
    (["run", "quickstart", "--device", "tpu"], "tpu"),
    (["run", "quickstart", "--on", "moon"], "moon"),
    # data
    (["plan", "adapt"], "`data` is not set"),
    (["plan", "own_data"], "data"),
    (["plan", "adapt", "--set", "data=nothing"], "the data folder is empty"),
    (["run", "adapt", "--set", "data=nothing"], "the data folder is empty"),
    (["plan", "adapt", "--set", "data=absent"], "does not exist"),
    (["plan", "adapt", "--set", "data=words/a.txt"], "file, not a folder"),
    ([*RUN_ADAPT, "model=absent.gguf"], "absent.gguf"),
    ([*RUN_ADAPT, "model=nothing"], "no model"),
    # models
    (["chat", "absent"], "absent"),
    (["chat", "nothing", "hello"], "no model"),
    (["chat", "models", "hello"], "name one of its files: models/a.gguf, models/b.gguf"),
    (["chat", "model", "hello"], "only.gguf"),
    (["chat", "./nowhere", "hello"], "no such file or folder"),
    (["chat", "./words/a.txt", "hello"], "this file is no model"),
    (["chat", "words/a.txt", "hello"], "words/a.txt"),
    (["chat", "broken.gguf", "hello"], "broken.gguf"),
    (["chat", "smollm2-135m-instrct", "hello"], "did you mean smollm2-135m-instruct"),
    (["chat", "absent", " "], "empty"),
    (["serve", "absent"], "absent"),
    (["serve", "broken.gguf"], "broken.gguf"),
    (["export", "absent", "out"], "absent"),
    (["export", "broken.gguf", "out"], "broken.gguf"),
    (["export", "broken.gguf", "words"], "not empty"),
    (["export", "broken.gguf", "words/a.txt"], "is a file"),
    (["pull", "smollm2-135m-instrct"], "smollm2-135m-instruct"),
    (["pull", "smollm2-135m-instruct", "--from", "absent"], "absent"),
    (["pull", "smollm2-135m-instruct", "--from", "broken.gguf"], "broken.gguf"),
    # evaluation and comparison
    (["eval", "absent", "--benchmarks", "nowhere"], "does not exist"),
    (["eval", "absent", "--benchmarks", "questions"], "absent"),
    (["eval", "broken.gguf", "--benchmarks", "questions"], "broken.gguf"),
    (["eval", "absent", "--benchmarks", "questions", "--tasks", "arc_esy"], "did you mean `arc_easy`"),
    (["eval", "absent", "--benchmarks", "questions", "--items", "-1"], "-1"),
    (["eval", "absent"], "--benchmarks"),
    (["compare"], "MODELS"),
    (["compare", "absent", "--benchmarks", "questions"], "absent"),
    (["compare", "absent", "--benchmarks", "nowhere"], "does not exist"),
    (["compare", "absent", "--benchmarks", "questions", "--out", "x.txt"], "says nothing of its form"),
    (["compare", "absent", "--benchmarks", "questions", "--out", "nowhere/x.md"], "cannot be written"),
    (["compare", "absent", "--benchmarks", "questions", "--published", "smolm2-1.7b"], "did you mean `smollm2-1.7b`"),
    # looking and writing
    (["show", "absent"], "absent"),
    (["show", "a/b/c"], "a/b/c"),
    (["diff", "a", "b"], "no run `a`"),
    (["report", "absent"], "no run `absent`"),
    (["new", "a/b"], "cannot name a recipe"),
    (["new", "taken"], "taken"),
    (["new", "fine", "--like", "quikstart"], "quickstart"),
    (["mystery"], "mystery"),
    (["run"], "RECIPE"),
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space in its name, with what the table's commands name."""
    folder = tmp_path_factory.mktemp("wrong use")
    for name, files in FOLDERS.items():
        (folder / name).mkdir()
        for file, text in files.items():
            (folder / name / file).write_text(text)
    (folder / "broken.gguf").write_bytes(b"GGUF" + bytes(40))
    for name in ("models/a.gguf", "models/b.gguf", "model/only.gguf"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"GGUF" + bytes(40))
    (folder / "recipes").mkdir()
    (folder / "recipes" / "taken.py").write_text("")
    return folder


def names_in(place: Path) -> set[str]:
    """What stands in the folder beside the lab and the cache."""
    return {one.name for one in place.iterdir()} - {"lab", "cache"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("arguments", "says"), WRONG, ids=[" ".join(arguments)[:70] for arguments, _ in WRONG]
)
def test_wrong_use(arguments: list[str], says: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("SMOL_LAB", str(place / "lab"))
    monkeypatch.setenv("SMOL_CACHE", str(place / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = names_in(place)
    done = CliRunner().invoke(main, arguments, prog_name="smol")
    told = done.output
    assert done.exit_code in (1, 2), (done.exit_code, told)
    assert isinstance(done.exception, SystemExit), done.exception
    assert says in told and "Traceback" not in told, told
    assert done.exit_code == 2 or "\nsmol: " in told, told
    assert names_in(place) == before


@pytest.mark.parametrize("lab", ["words/a.txt/lab", "/proc/lab"])
def test_a_lab_that_cannot_be(lab: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = CliRunner().invoke(main, ["run", "quickstart", "--scale", "tiny", "--lab", lab], prog_name="smol")
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output


def test_a_damaged_record_of_a_run_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    run = place / "other" / "runs" / "r"
    run.mkdir(parents=True)
    (run / "labels.json").write_text("{")
    (run / "recipe.json").write_text(json.dumps({"config": {}}))
    for command in (["show", "r"], ["report", "r"], ["chat", "r", "hello"]):
        done = CliRunner().invoke(main, [*command, "--lab", "other"], prog_name="smol")
        assert done.exit_code == 1 and isinstance(done.exception, SystemExit), (
            command,
            done.exception,
            done.output,
        )
    shutil.rmtree(place / "other")
