"""The report and `smol mix explain` say what a decision expected, what came, and what was rejected."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from smolforge.cli import main
from smolforge.report import mixing
from smolforge.report.build import build_report
from smolforge.report.reading import read_run

DECISIONS = (
    {
        "rule": "measured", "weights": {"web": 0.6, "code": 0.4}, "reasons": ["planned from what is known"], "refusal": None,
        "rejected": {"weights": {"web": 0.5, "code": 0.5}, "why": "the move is expected to gain 0.0300 bits"},
        "predicted": {}, "measured": {}, "spent_tokens": 0,
    },
    {
        "rule": "measured", "weights": {"web": 0.6, "code": 0.4}, "reasons": ["kept as planned"],
        "refusal": {"rule": "not sure", "why": "a gain is likely by 71%"}, "trial": ["no probes: too few steps <b>"],
        "rejected": {"weights": {"web": 0.3, "code": 0.7}, "why": "a gain is likely by 71%"},
        "predicted": {"code": [1.8, 1.7, 1.9], "knowledge": [3.0, 2.9, 3.1]}, "measured": {"code": [2.0, 0.1]},
        "spent_tokens": 5600,
    },
)  # fmt: skip
CAME = ({"code": 2.0, "knowledge": 3.3}, {"code": 1.75, "knowledge": 3.2})


@pytest.fixture
def lab(tmp_path):
    labels = {}

    def make(label, stage, kind, facts, inputs, files=None):
        folder = tmp_path / "artifacts" / label.replace("/", "-")
        folder.mkdir(parents=True)
        keys = {name: {"key": f"key-{one}", "digest": "d"} for name, one in inputs.items()}
        record = {
            "stage": stage,
            "kind": kind,
            "key": f"key-{label}",
            "facts": facts,
            "inputs": keys,
            "config": {},
        }
        (folder / "record.json").write_text(
            json.dumps({**record, "provenance": {"seconds": 1.0}, "digest": label})
        )
        for name, plain in (files or {}).items():
            (folder / name).write_text(json.dumps(plain))
        labels[label] = {
            "folder": folder.name,
            "stage": stage,
            "facts": facts,
            "seconds": 1.0,
            "digest": label,
        }

    for number, (decision, came) in enumerate(zip(DECISIONS, CAME, strict=True), start=1):
        here = f"phase-{number}"
        make(f"{here}/mixture", "choose-mixture", "ChosenMixture", {}, {}, {"mixture.json": decision})
        make(f"{here}/model", "pretrain", "Checkpoint", {"tokens": number}, {"mixture": f"{here}/mixture"})
        facts = {
            name: value
            for s, v in came.items()
            for name, value in ((s, v), (f"{s}_low", v), (f"{s}_high", v))
        }
        make(
            f"{here}/skills",
            "measure-skills",
            "SkillBits",
            facts | {"spent_tokens": 9},
            {"model": f"{here}/model"},
        )
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "labels.json").write_text(json.dumps(labels))
    return tmp_path


def test_predictions_stand_beside_what_came(lab):
    run = read_run(lab / "runs" / "mine", lab / "artifacts")
    found = {one.name: one for one in mixing.skills(run)}
    assert found["code"].came == [2.0, 1.75]
    assert found["code"].predicted == [None, (1.8, 1.7, 1.9)]
    assert mixing.hits(mixing.skills(run)) == (1, 2)  # code came inside, knowledge above
    drawn = dict(mixing.skill_charts(run))
    assert set(drawn) == {"code", "knowledge"}
    assert "predicted 1.800 [1.700, 1.900]" in drawn["code"]
    assert "measured 1.750" in drawn["code"]


def test_explain_says_the_rule_what_was_rejected_and_what_it_cost(lab):
    told = CliRunner().invoke(main, ["mix", "explain", "mine", "--lab", str(lab)]).output
    assert "kept, rule “not sure”: a gain is likely by 71%" in told
    assert "rejected: code 70.0%, web 30.0%" in told
    assert "cost: 5.6K tokens" in told
    assert "1 of 2 inside" in told
    assert "phase 2: predicted 1.800 [1.700, 1.900], came 1.750" in told


def test_a_run_that_is_not_there_is_named(lab):
    done = CliRunner().invoke(main, ["mix", "explain", "yours", "--lab", str(lab)])
    assert done.exit_code == 1
    assert "yours" in done.output


def test_the_page_shows_it_and_escapes_it(lab):
    page = build_report(lab / "runs" / "mine", lab / "artifacts").read_text("utf-8")
    assert "Expected and come" in page
    assert "1 of 2 came inside" in page
    assert "too few steps &lt;b&gt;" in page
