"""The store: built once, sealed whole, rebuilt only from what changed; the plan says so beforehand."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest
from report_fixture import FakeLab

from smolforge.artifacts import Checkpoint, Corpus, RawDocs
from smolforge.config import config
from smolforge.errors import StageError, StoreError
from smolforge.log import Log
from smolforge.outlook import Outlook
from smolforge.plan import Plan
from smolforge.stage import Cost, stage
from smolforge.store import Store, facts_before, read_labels, read_record, verify

RUNS: list[str] = []


@config
class Words:
    words: str = "one two"
    rounding: int = 1


@stage(makes=RawDocs, version=1)
def write_words(cfg: Words, job):
    """Write words."""
    RUNS.append("write")
    (job.out / "words.txt").write_text(cfg.words)
    return {"words": len(cfg.words.split())}


@stage(makes=Corpus, version=1)
def count_words(cfg: Words, job, *, raw: RawDocs):
    """Count words."""
    RUNS.append("count")
    count = len((raw.path / "words.txt").read_text().split())
    (job.out / "count.txt").write_text(str(count // cfg.rounding))
    return {"count": count}


@stage(makes=Corpus, version=1)
def join(cfg: Words, job, *, parts: dict[str, Corpus]):
    """Join parts."""
    RUNS.append("join")
    (job.out / "all.txt").write_text(",".join((p.path / "count.txt").read_text() for p in parts.values()))
    return {"order": ",".join(parts)}


def recipe(store: Store, text: str = "one two", rounding: int = 1) -> Corpus:
    raw = store.run(write_words, Words(words=text), label="raw")
    a = store.run(count_words, Words(rounding=rounding), label="a", raw=raw)
    b = store.run(count_words, Words(rounding=100), label="b", raw=raw)
    return store.run(join, Words(), label="joined", parts={"b": b, "a": a})


@config
class Learn:
    tokens: int


def quiet(lab: Path, name: str = "r") -> Store:
    return Store(lab, name, log=Log(None, show=io.StringIO()))


@pytest.fixture(autouse=True)
def fresh() -> None:
    RUNS.clear()


def test_second_run_builds_nothing(lab: Path) -> None:
    first = recipe(quiet(lab))
    assert RUNS == ["write", "count", "count", "join"]
    again = recipe(quiet(lab))
    assert len(RUNS) == 4
    assert again.digest == first.digest
    assert first.facts["order"] == "a,b"


def test_a_change_rebuilds_only_what_follows_and_the_plan_says_so(lab: Path) -> None:
    recipe(quiet(lab))
    RUNS.clear()
    planned = Plan(lab, "r")
    recipe(planned, rounding=2)
    actions = {step.label: (step.action, step.reason) for step in planned.steps}
    assert actions["raw"][0] == "reuse" and actions["b"][0] == "reuse"
    assert actions["a"] == ("build", "rounding 1 → 2")
    assert actions["joined"] == ("follows", "follows a")
    assert RUNS == []
    recipe(quiet(lab), rounding=2)
    assert RUNS == ["count", "join"]


@stage(makes=Checkpoint, version=1, cost=lambda cfg: Cost(flops=cfg.tokens * 1e9, tokens=cfg.tokens))
def learn(cfg: Learn, job):
    """Train, as far as a plan can tell."""
    return {"flops": cfg.tokens * 1e9}


def seconds_planned(lab: Path, cfg: Learn) -> float | None:
    planned = Plan(lab, "r")
    planned.run(learn, cfg, label="model")
    return planned.steps[0].seconds


def test_a_plan_foretells_training_in_proportion(lab: Path) -> None:
    assert seconds_planned(lab, Learn(tokens=10)) is None
    made = quiet(lab).run(learn, Learn(tokens=10), label="model")
    record = json.loads((made.path / "record.json").read_text())
    record["provenance"]["seconds"] = 2.0
    (made.path / "record.json").write_text(json.dumps(record))
    assert seconds_planned(lab, Learn(tokens=1000)) == pytest.approx(200.0)


def test_a_plan_promises_nothing_for_other_settings(lab: Path) -> None:
    recipe(quiet(lab))
    planned = Plan(lab, "r")
    recipe(planned, rounding=2)
    assert {step.label: step.seconds is not None for step in planned.steps}["a"] is False


def test_the_place_of_a_stage_is_said(lab: Path) -> None:
    shown = io.StringIO()
    planned = Plan(lab, "r")
    recipe(planned)
    recipe(Store(lab, "r", log=Log(None, show=shown), outlook=Outlook(planned.steps)))
    assert [line.split(" · ")[0] for line in shown.getvalue().splitlines() if "▸" in line] == [
        f"▸ {n} of 4" for n in (1, 2, 3, 4)
    ]


def test_the_same_bytes_stop_a_rebuild(lab: Path) -> None:
    recipe(quiet(lab), text="one two")
    RUNS.clear()
    recipe(quiet(lab), text="three four")
    assert RUNS == ["write", "count", "count"]  # the counts came out the same, so nothing is joined again


def test_a_failed_stage_leaves_no_artifact_and_keeps_its_work(lab: Path) -> None:
    @stage(makes=RawDocs, version=1)
    def stumble(cfg: Words, job):
        """Fail the first time."""
        (job.out / "half.txt").write_text("half")
        if not (job.work / "done-half").exists():
            (job.work / "done-half").touch()
            raise KeyboardInterrupt
        assert [p.name for p in job.out.iterdir()] == ["half.txt"]
        return {}

    with pytest.raises(KeyboardInterrupt):
        quiet(lab).run(stumble, Words(), label="x")
    assert not (lab / "artifacts").exists()
    assert quiet(lab).run(stumble, Words(), label="x").path.is_dir()
    assert not (lab / "scratch" / "x").exists()


def test_a_full_disk_is_one_clear_message(lab: Path) -> None:
    @stage(makes=RawDocs, version=1)
    def fill(cfg: Words, job):
        """Fill the disk."""
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StageError, match="disk is full"):
        quiet(lab).run(fill, Words(), label="x")


def test_labels_of_an_earlier_recipe_go_when_the_run_is_complete(lab: Path) -> None:
    recipe(quiet(lab))
    store = quiet(lab)
    store.run(write_words, Words(), label="only")
    assert set(read_labels(lab / "runs" / "r")) == {"only", "raw", "a", "b", "joined"}
    store.finish()
    assert set(read_labels(lab / "runs" / "r")) == {"only"}


def test_finding_by_label_folder_and_key(lab: Path) -> None:
    made = recipe(quiet(lab))
    store = Store(lab)
    assert store.find("r/joined").digest == made.digest
    assert store.find(made.path.name).digest == made.digest
    assert store.find(made.key[:12]).digest == made.digest
    with pytest.raises(StoreError, match="no artifact"):
        store.find("r/nothing")
    with pytest.raises(StoreError, match="fits 2"):
        store.find("count-words")


def test_runs_of_commands_are_not_offered_as_models(lab: Path) -> None:
    recipe(quiet(lab))
    for command in ("eval", "export"):
        (lab / "runs" / command).mkdir()
    with pytest.raises(StoreError) as caught:
        Store(lab).find("nothing")
    assert caught.value.fix == "known here: r"


def test_lineage_reaches_the_sources(lab: Path) -> None:
    made = recipe(quiet(lab))
    tree = Store(lab).lineage(made)
    assert set(tree.inputs) == {"parts.a", "parts.b"}
    assert tree.inputs["parts.a"].inputs["raw"].record["facts"] == {"words": 2}


def test_damage_is_found(lab: Path) -> None:
    made = recipe(quiet(lab))
    assert verify(made.path) == []
    (made.path / "all.txt").write_text("other")
    assert verify(made.path) == ["all.txt"]


def test_two_labels_of_one_name_are_refused(lab: Path) -> None:
    store = quiet(lab)
    store.run(write_words, Words(), label="x")
    with pytest.raises(StoreError, match="two stages"):
        store.run(write_words, Words(), label="x")


def test_records_hold_no_path_of_the_machine_outside_provenance(lab: Path) -> None:
    made = recipe(quiet(lab))
    record = json.loads((made.path / "record.json").read_text())
    record.pop("provenance")
    assert str(lab) not in json.dumps(record)


def test_scores_are_compared_with_those_that_differ_in_their_model_alone(tmp_path: Path) -> None:
    fake = FakeLab(tmp_path)
    for model in ("m1", "m2", "m3"):
        fake.make(model, "sft", "Checkpoint", {})
    for texts in ("t1", "t2"):
        fake.make(texts, "hold-out", "EvalTexts", {})
    asked = [
        ("a", "m1", "t1", "text"),
        ("b", "m2", "t2", "text"),
        ("c", "m2", "t1", "text"),
        ("d", "m3", "t1", "chat"),
    ]
    for label, model, texts, form in asked:
        fake.make(
            label, "evaluate", "Scores", {"of": label}, {"model": model, "texts": texts}, {"form": form}
        )

    def before(label: str) -> str | None:
        labels = read_labels(fake.run)
        earlier = {name: labels[name] for name in list(labels)[: list(labels).index(label)]}
        record = read_record(fake.artifacts / labels[label]["folder"])
        assert record is not None
        found = facts_before(tmp_path, earlier, record)
        return None if found is None else str(found["of"])

    assert [before(label) for label in "abcd"] == [None, None, "a", None]
