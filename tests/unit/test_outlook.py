"""How far a run is, and how long the rest takes; what is shown while it works."""

from __future__ import annotations

import io

import pytest

from smolforge.facts import COLOUR
from smolforge.log import Log, bar_line
from smolforge.outlook import Outlook
from smolforge.plan import Step
from smolforge.stage import Cost


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def step(
    label: str, stage: str = "curate", seconds: float | None = None, flops: float = 0.0, action="build"
) -> Step:
    return Step(label, stage, action, "", seconds, Cost(flops=flops))


def test_time_left_by_the_last_time_and_by_what_was_measured() -> None:
    ahead = Outlook([step("a", seconds=30), step("b", seconds=40), step("c", seconds=50)])
    ahead.begin("a")
    assert ahead.words(left_in_stage=10) == "stage 1 of 3, about 1m 40s left"
    ahead.end("a", 30)
    ahead.begin("b")
    assert ahead.left_seconds() == (pytest.approx(90, abs=1), 0)


def test_a_first_run_learns_from_the_same_stage_and_from_the_rate_of_training() -> None:
    ahead = Outlook(
        [step("a"), step("b"), step("m1", "pretrain", flops=1e9), step("m2", "pretrain", flops=3e9)]
    )
    ahead.begin("a")
    assert ahead.words() == "stage 1 of 4"  # nothing is known, so nothing is promised
    ahead.end("a", 5)
    ahead.begin("b")
    assert ahead.left_seconds(1) == (1, 2) and ahead.words(left_in_stage=1) == "stage 2 of 4"
    ahead.end("b", 5)
    ahead.begin("m1")
    ahead.end("m1", 20)
    ahead.begin("m2")
    assert ahead.left_seconds()[0] == pytest.approx(60, abs=1)


def test_what_is_found_takes_no_time() -> None:
    ahead = Outlook([step("a", seconds=900, action="reuse"), step("b", seconds=10)])
    ahead.begin("a")
    ahead.begin("b")
    assert ahead.place == "2 of 2" and ahead.left_seconds()[0] == pytest.approx(10, abs=1)


def test_a_file_gets_a_line_each_ten_seconds_with_the_place_in_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("smolforge.log.time.monotonic", lambda: now[0])
    ahead = Outlook([step("a", seconds=60), step("b", seconds=60)])
    ahead.begin("a")
    shown = io.StringIO()
    log = Log(show=shown, outlook=ahead).scoped("curate", "a")
    for done in range(31):
        log.progress(done, 60, "records")
        now[0] += 1.0
    lines = shown.getvalue().splitlines()
    assert (
        len(lines) == 4
        and lines[1] == "  a · 10/60 records · 1 records/s · 50s left · stage 1 of 2, about 1m 50s left"
    )


def test_a_terminal_gets_two_bars_that_fit_and_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("smolforge.log.time.monotonic", lambda: now[0])
    ahead = Outlook([step("a", seconds=60), step("b", seconds=60)])
    ahead.begin("a")
    shown = Terminal()
    log = Log(show=shown, outlook=ahead).scoped("curate", "a")
    for done in (0, 30):
        log.progress(done, 60, "records", "a note " * 20)
        now[0] += 30.0
    last = shown.getvalue().rpartition("\x1b[1A")[2]
    rows = [COLOUR.sub("", row).replace("\r\x1b[2K", "") for row in last.split("\n")]
    assert len(rows) == 2 and all(len(row) <= 80 and "━" in row for row in rows)
    assert "30/60 records" in rows[0] and "stage 1 of 2" in rows[1]
    log.say("done")
    assert shown.getvalue().endswith("\r\x1b[1A\x1b[Jdone\n")


@pytest.mark.parametrize("share", [None, 0.0, 0.5, 1.7])
def test_a_bar_never_breaks_the_line(share: float | None) -> None:
    line = COLOUR.sub("", bar_line("words " * 40, share, 60))
    assert len(line) <= 60 and "\n" not in line and ("━" in line) == (share is not None)
