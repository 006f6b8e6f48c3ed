"""The report of a made-up run: what it says, what it leaves out, and that hostile text stays text."""

from __future__ import annotations

import fcntl
import itertools
import json
import math
import random
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from report_fixture import BEGUN_KEY, DOMAINS, EVIL, SKILLS, make_lab

from smolforge.evals.stats import share_interval
from smolforge.intervals import Interval
from smolforge.report import compare
from smolforge.report.beside import beside
from smolforge.report.build import build_report
from smolforge.report.charts import LossPart, loss_chart, score_chart, smoothed
from smolforge.report.compare import Cell, difference, judge_steps, read_steps
from smolforge.report.prediction import promises
from smolforge.report.reading import read_run
from smolforge.report.sections import bounded, scientific
from smolforge.report.svg import ticks

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lab(tmp_path_factory.mktemp("whole")).run


@pytest.fixture(scope="module")
def page(whole: Path) -> str:
    return build_report(whole, whole.parent.parent / "artifacts").read_text("utf-8")


def drawings(page: str, kind: str) -> list[ET.Element]:
    found = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    return [ET.fromstring(svg) for svg in found if f'class="{kind}"' in svg]


def test_every_section_is_there(page: str) -> None:
    ids = re.findall(r'<section id="(\w+)"', page)
    assert ids == [
        "talk",
        "road",
        "scores",
        "bits",
        "loss",
        "mixture",
        "curation",
        "cost",
        "parity",
        "config",
    ]
    for link in re.findall(r'href="#(\w+)"', page):
        assert link in ids
    text = re.sub(r"<[^>]+>", "", page)
    for words in (
        "A model of 2.1M parameters, taught in 3 phases on 9.0M tokens, then tuned by sft, dpo and grpo",
        "mathematics is 28 points under its target",
        "kept 2.0K, dropped 400 (16.7%)",
        "Jaccard 0.91 with web-17",
        "same chat template",
        "hidden_size",
        "2.1 × 10¹⁴ FLOP",
    ):
        assert words in text, words


def test_it_is_one_quiet_file(page: str, whole: Path) -> None:
    assert (whole / "report.html").stat().st_size < 1_500_000
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert "@import" not in page and "url(" not in page.replace("url(#arrow)", "")
    assert "default-src 'none'" in page
    assert str(whole.parent) not in page


def test_hostile_text_stays_text(page: str) -> None:
    assert page.count("<script") == 1
    assert EVIL not in page and "<img" not in page and "\x1b" not in page
    assert page.count("&lt;script&gt;alert(") > 5


def test_same_run_same_bytes(whole: Path, page: str) -> None:
    assert build_report(whole, whole.parent.parent / "artifacts").read_text("utf-8") == page


@pytest.mark.parametrize(
    ("until", "there", "missing"),
    [
        ("held-out", [], ["road", "scores", "loss", "mixture", "curation", "talk"]),
        ("corpus/web", ["road", "curation", "cost"], ["scores", "loss", "mixture"]),
        ("phase-1/model", ["road", "loss", "mixture"], ["scores", "bits"]),
        ("phase-1/scores", ["scores", "bits", "talk"], ["parity"]),
        ("dpo/pairs", ["scores", "loss"], ["parity"]),
    ],
)
def test_partial_runs(tmp_path: Path, until: str, there: list[str], missing: list[str]) -> None:
    lab = make_lab(tmp_path, until=until)
    page = build_report(lab.run, lab.artifacts).read_text("utf-8")
    ids = re.findall(r'<section id="(\w+)"', page)
    assert set(there) <= set(ids)
    assert not set(missing) & set(ids)
    assert "not finished" not in page


def test_a_run_is_worked_on_only_while_a_process_holds_its_lock(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, until="sft/model")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name in ("stopped at", "working on"):
        with (scratch / f"-{BEGUN_KEY[:12]}.lock").open("w") as lock:
            if name == "working on":
                fcntl.flock(lock, fcntl.LOCK_EX)
            page = build_report(lab.run, lab.artifacts).read_text("utf-8")
        told = {words for words in ("stopped at", "working on", "Nobody works on it") if words in page}
        assert told == ({"working on"} if name == "working on" else {"stopped at", "Nobody works on it"})


def test_damaged_and_missing_files_are_left_out(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    for folder in lab.artifacts.iterdir():
        for file in folder.iterdir():
            if file.name != "record.json":
                file.write_bytes(b'{"broken": [\xff\x00')
    page = build_report(lab.run, lab.artifacts).read_text("utf-8")
    assert 'id="road"' in page and 'id="scores"' not in page
    for folder in lab.artifacts.iterdir():
        shutil.rmtree(folder)
    assert "nothing is made so far" in build_report(lab.run, lab.artifacts).read_text("utf-8")
    (lab.run / "labels.json").unlink()
    (lab.run / "recipe.json").write_text("[")
    assert build_report(lab.run, lab.artifacts).exists()


def test_road_boxes_do_not_overlap_and_nothing_sticks_out(page: str) -> None:
    (road,) = drawings(page, "road")
    _, _, width, height = map(float, road.attrib["viewBox"].split())
    boxes = []
    for group in road.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        boxes.append((x, y, x + w, y + h))
    assert len(boxes) == 2 * len(DOMAINS) + 2 + 1 + 3 + 3 + 1 + 1
    for a, b in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for text in road.iter(f"{SVG}text"):
        inside = [box for box in boxes if box[0] <= float(text.attrib["x"]) <= box[2]]
        assert inside and float(text.attrib["y"]) < height


def test_drawings_are_well_formed_and_told_in_words(page: str) -> None:
    assert len(drawings(page, "score")) == len(SKILLS) + len(DOMAINS)
    assert len(drawings(page, "loss")) == 4
    for kind in ("score", "loss", "road"):
        for svg in drawings(page, kind):
            assert svg.attrib["role"] == "img" and svg.attrib["aria-label"]


# ---- comparing


def cell(passed: int, items: int) -> Cell:
    share = share_interval(passed, items)
    return Cell(share.value, share.low, share.high, 0.0, items, "share")


def test_difference_of_independent_shares_as_published() -> None:
    """Newcombe 1998, table II, method 10: 56/70 against 48/80, and 9/10 against 3/10."""
    found = difference(cell(48, 80), cell(56, 70))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    found = difference(cell(3, 10), cell(9, 10))
    assert (round(found.low, 4), round(found.high, 4)) == (0.1705, 0.8090)


def test_verdicts_follow_the_interval_and_the_unit(whole: Path) -> None:
    run = read_run(whole, whole.parent.parent / "artifacts")
    steps = read_steps(run)
    assert [s.name for s in steps] == ["phase-1", "phase-2", "phase-3", "sft", "dpo", "grpo"]
    assert all(c.change is None for c in steps[0].cells.values())
    for step in steps[1:]:
        for name, one in step.cells.items():
            assert one.change is not None and one.is_paired, name
            assert one.change.low <= one.change.value <= one.change.high
    by_name = {s.name: s.cells for s in steps}
    assert by_name["phase-2"]["bits_web"].verdict == "better"
    assert by_name["sft"]["bits_web"].verdict == "worse"
    assert by_name["dpo"]["bits_web"].verdict == "within noise"
    assert by_name["sft"]["mathematics"].verdict == "better"


def test_judgements_look_at_what_a_step_is_for(whole: Path) -> None:
    run = read_run(whole, whole.parent.parent / "artifacts")
    told = {one.step: one for one in judge_steps(run, read_steps(run))}
    assert list(told) == ["phase-2", "phase-3", "sft", "dpo", "grpo"]
    assert told["phase-2"].aim == "every skill and domain" and "all 5 domains" in told["phase-2"].sentence
    assert told["sft"].outcome == "yes" and "as text before" in told["sft"].sentence
    assert told["dpo"].outcome == "unclear" and "not shown to help" in told["dpo"].sentence
    assert "all questions together +" in told["sft"].sentence
    assert told["grpo"].aim == "the skills it rewards" and "both skills" in told["grpo"].sentence


def test_other_items_are_compared_as_independent(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    folder = lab.artifacts / lab.labels["phase-2/scores"]["folder"]
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    (folder / "samples.jsonl").write_text(
        "".join(json.dumps({**one, "id": "new-" + one["id"]}) + "\n" for one in lines)
    )
    steps = read_steps(read_run(lab.run, lab.artifacts))
    paired = {s.name: s.cells["code"].is_paired for s in steps}
    assert paired == dict.fromkeys(paired, True) | {"phase-1": False, "phase-2": False, "phase-3": False}


# ---- small things


def test_promises_are_held_against_what_came(whole: Path, tmp_path: Path) -> None:
    time, bits = promises(read_run(whole, whole.parent.parent / "artifacts"))
    assert (time.promised, time.came, round(time.off, 3)) == ("3m 20s", "3m 30s", 0.05)
    assert bits.came == f"{2.4 / math.log(2) / 3:.2f}" and bits.promised == "1.00"
    assert bits.off == pytest.approx(2.4 / math.log(2) / 3 - 1)
    half_way = make_lab(tmp_path, until="phase-2/model").run
    assert promises(read_run(half_way, half_way.parent.parent / "artifacts")) == []


def test_smoothing_is_centred() -> None:
    line = [float(i) for i in range(50)]
    assert smoothed(line, 5) == pytest.approx(line)
    assert smoothed([0.0, 10.0, 0.0, 10.0, 0.0], 1)[1:4] == pytest.approx([10 / 3, 20 / 3, 10 / 3])


def test_long_curves_are_thinned_and_odd_ones_survive() -> None:
    many = LossPart("a", list(range(100_000)), [1.0 + 1 / (i + 1) for i in range(100_000)])
    assert len(loss_chart([many], unit="loss")) < 60_000
    assert loss_chart([], unit="loss") == ""
    assert loss_chart([LossPart("a", [1], [2.0])], unit="loss") == ""
    flat = loss_chart([LossPart("<b>", [1, 2, 3], [2.0, float("nan"), 2.0])], unit="loss")
    ET.fromstring(flat)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1.7, 9.2), (0, 9e6), (-3, 3), (0.001, 0.0019), (5, 5)])
def test_ticks_lie_within_and_are_few(low: float, high: float) -> None:
    marks = ticks(low, high, 5)
    assert 1 <= len(marks) <= 11
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)


def test_text_is_bounded_and_shows_control_characters() -> None:
    assert bounded("a" * 5000).endswith("…") and len(bounded("a" * 5000)) < 800
    assert bounded("\x1b[31m\nx") == "\u241b[31m\nx"
    assert scientific(2.06e14) == "2.1 × 10¹⁴"


def test_the_head_says_when_where_and_from_what(page: str) -> None:
    head = re.sub(r"<[^>]+>", " ", page.partition("<nav")[0])
    for words in (
        "1970-01-01 00:00 to",
        "UTC",
        "AMD Zen, Linux, 2 processors",
        "2 threads on cpu",
        "seed 7",
        "commit abc",
        "on disk",
    ):
        assert words in re.sub(r"\s+", " ", head).replace(" · ", ", "), (words, head)


def test_forgetting_is_said_to_be_expected_only_where_it_was(tmp_path: Path, page: str) -> None:
    assert "After sft texts cost more bits than before, and that is expected" in page
    lab = make_lab(tmp_path, until="phase-3/scores")
    assert "that is expected" not in build_report(lab.run, lab.artifacts).read_text("utf-8")


def test_no_number_is_known_to_a_pointer_alone(page: str) -> None:
    """What a `title` says of a mixture, a change or a curve stands in a table too."""
    text = re.sub(r"<[^>]+>", " ", page)
    assert not re.findall(r'<(?:span|td|div)[^>]* title="', page)
    for words in ("All shares", "Intervals of the changes", "The curve in numbers", " artifacts"):
        assert words in text, words
    shares = page.partition("All shares")[2].partition("</table>")[0]
    assert all(domain in shares for domain in DOMAINS)


def test_what_did_not_help_is_said_not_to_have(page: str) -> None:
    assert "not shown to help: no skill changed by more than noise" in page


def test_internals_are_folded(page: str) -> None:
    assert "<details open" not in page
    for heading in ("Why these shares", "Stage by stage", "Check by check", "Everything this run was told"):
        assert f"<summary>{heading}" in page, heading


def test_a_smoothed_curve_does_not_end_in_single_values() -> None:
    generator = random.Random(3)
    noisy = [5 - 0.01 * i + generator.gauss(0, 1) for i in range(300)]
    line, smooth = [5 - 0.01 * i for i in range(300)], smoothed(noisy, 15)
    worst = max(abs(smooth[i] - line[i]) for i in (0, 1, 2, 297, 298, 299))
    assert worst < 1.0 and math.dist(smooth, line) < 0.3 * math.dist(noisy, line)
    inside = [sum(noisy[i - 15 : i + 16]) / 31 for i in range(15, 285)]
    assert smooth[15:285] == pytest.approx(inside)  # away from the ends, the mean
    assert smoothed([1.0, 2.0], 9) == [1.0, 2.0] and smoothed([], 3) == []


@pytest.mark.parametrize("chance", [0.0, 0.25])
def test_chance_is_drawn_alike(chance: float) -> None:
    chart = score_chart([("a", 0.3, 0.2, 0.4), ("b", 0.5, 0.4, 0.6)], chance, is_share=True)
    assert chart.count('class="chance"') == 1


def test_another_run_stands_beside(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    other = lab.run.parent / "other"
    shutil.copytree(lab.run, other)
    labels = json.loads((other / "labels.json").read_text())
    (other / "labels.json").write_text(
        json.dumps({k: v for k, v in labels.items() if not k.startswith(("dpo", "grpo", "export"))})
    )
    recipe = json.loads((other / "recipe.json").read_text())
    recipe["config"]["model"]["hidden_size"] = 96
    (other / "recipe.json").write_text(json.dumps(recipe))
    page = build_report(lab.run, lab.artifacts, other).read_text("utf-8")
    section = page.partition('<section id="beside">')[2].partition("</section>")[0]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section))
    assert "Beside other" in text and "1 setting differs" in text and "model.hidden_size 128 96" in text
    found = beside(read_run(lab.run, lab.artifacts), read_run(other, lab.artifacts))
    assert found is not None and (found.step, found.other_step) == ("grpo", "sft")
    assert len(found.rows) == len(SKILLS) + len(DOMAINS)
    for _, cell, theirs in found.rows:
        assert cell.change is not None and cell.is_paired
        assert cell.change.value == pytest.approx(cell.value - theirs.value)
    assert 'id="beside"' not in build_report(lab.run, lab.artifacts).read_text("utf-8")


def test_conversations_come_first_with_their_turns_and_system_prompt(page: str) -> None:
    section = page.partition('<section id="talk">')[2].partition("</section>")[0]
    first = section.partition("Held-out questions")[0]
    order = [
        first.index(words)
        for words in ("Told to be: You are a pirate.", "Who are you?", "A pirate.", "Sure?")
    ]
    assert order == sorted(order) and first.count("<article") == 2 and "(nothing)" in first


def _step(name: str, right: dict[str, str], before: compare.Step | None = None) -> compare.Step:
    """A step in which the items of a skill, one a letter, are right where it is `+`."""
    samples = {
        f"{skill}-{n}": {"skill": skill, "id": f"{skill}-{n}", "right": mark == "+"}
        for skill, marks in right.items()
        for n, mark in enumerate(marks)
    }
    cells = {}
    for skill, marks in right.items():
        value = marks.count("+") / len(marks)
        change = None
        if before is not None:
            old = before.cells[skill].value
            change = Interval(value - old, value - old - 0.1, value - old + 0.1)
        cells[skill] = Cell(value, value - 0.1, value + 0.1, 0.0, len(marks), "share", change, True)
    return compare.Step(name, "chat", None, None, cells, samples)  # type: ignore[arg-type]


def test_harm_that_no_skill_shows_alone_is_shown_by_all_together() -> None:
    """Seven skills a little worse each: within noise one by one, and no doubt in sum."""
    before = _step("sft", {f"skill {n}": "+" * 20 + "-" * 20 for n in range(7)})
    after = _step("grpo", {f"skill {n}": "-" + "+" * 19 + "-" * 20 for n in range(7)}, before)
    together = compare.pooled(before, after, after.cells)
    assert together is not None and together.value == pytest.approx(-7 / 280) and together.high < 0
    judged = compare._judge(after, "the chat skills", after.cells, before, together)
    assert judged.outcome == "no" and "all questions together -2.5 points [" in judged.sentence
    assert compare.pooled(before, after, ["skill 1"]) is None, "one skill has its own line"
    other = _step("dpo", {"skill 0": "+", "skill 1": "+" * 50}, None)
    assert compare.pooled(before, other, other.cells) is None, "other items are no pairs"
