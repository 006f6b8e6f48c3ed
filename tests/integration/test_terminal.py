"""Chat in a terminal: through a pipe, and at a keyboard (a pseudo-terminal)."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolforge.serve.terminal import printable

HERE = Path(__file__).parent
PROGRAM = """
import sys
from talkers import rules_talker
from smolforge.serve.terminal import chat
chat(rules_talker(token_seconds=float(sys.argv[1]), context_tokens=500), temperature=0.0, max_tokens=400)
"""


DRAWING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BEGUN_DRAWING = re.compile(r"\x1b(?:\[[0-9;?]*)?$")
PASTE_ON = "\x1b[?2004h"
"""What a line that can be edited begins with: from here on a paste is marked as one."""


class Keyboard:
    """A program on a pseudo-terminal: type, and read what the screen got. `dumb`: the terminal cannot move its cursor."""

    def __init__(self, token_seconds: float, *, dumb: bool = False) -> None:
        self.screen, inside = pty.openpty()
        self.enter = "\n" if dumb else "\r"
        command = [sys.executable, "-c", PROGRAM, str(token_seconds)]
        self.program = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=HERE,
            env={**os.environ, "TERM": "dumb" if dumb else "xterm-256color"},
            start_new_session=True,
        )
        os.close(inside)
        self.seen = self.held = ""

    def type(self, text: str) -> None:
        os.write(self.screen, text.replace("\n", self.enter).encode())

    def interrupt(self) -> None:
        self.program.send_signal(signal.SIGINT)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Everything shown until `text`, which is then forgotten."""
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if select.select([self.screen], [], [], 0.1)[0]:
                try:
                    self._read(os.read(self.screen, 65_536).decode("utf-8", "replace"))
                except OSError:
                    break
        before, found, self.seen = self.seen.partition(text)
        assert found, f"{text!r} did not come; the screen had {before!r}"
        return before

    def _read(self, text: str) -> None:
        """Keep what a person would read; the prompt of an edited line, which is drawn in pieces, as that of a plain one."""
        text = self.held + text
        begun = BEGUN_DRAWING.search(text)
        self.held = begun[0] if begun else ""
        whole = text[: len(text) - len(self.held)].replace(PASTE_ON, "\n> ")
        self.seen += DRAWING.sub("", whole)

    def close(self) -> int:
        try:
            return self.program.wait(10)
        finally:
            self.program.kill()
            os.close(self.screen)


@pytest.fixture(params=[False, True], ids=["edited", "dumb"])
def keyboard(request: pytest.FixtureRequest) -> Iterator[Keyboard]:
    made = Keyboard(0.0, dumb=request.param)
    made.wait_for("> ")
    yield made
    if made.program.poll() is None:
        made.program.kill()
        made.program.wait(10)


def piped(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "0"]
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=HERE, timeout=60)


def test_a_pipe_gets_the_answer_and_nothing_else() -> None:
    done = piped("repeat one\ntwo\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\n", "")


def test_each_line_of_a_pipe_is_a_message_where_that_is_asked_for() -> None:
    program = PROGRAM.replace("max_tokens=400", "max_tokens=400, by_line=True")
    command = [sys.executable, "-c", program, "0"]
    text = "repeat one\n\nprompt\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=HERE, timeout=60)
    one, _, rest = done.stdout.partition("\n")
    assert (done.returncode, one, done.stderr) == (0, "one", "")
    assert "assistant\none<im_end>" in rest  # the second message is asked in the same conversation


def test_a_pipe_with_nothing_says_nothing() -> None:
    assert piped("  \n").stdout == ""


def test_talking_and_leaving(keyboard: Keyboard) -> None:
    keyboard.type("repeat Grüße\n")
    keyboard.wait_for("repeat Grüße")
    assert "Grüße" in keyboard.wait_for("a second")
    keyboard.wait_for("> ")
    keyboard.type("\x04")
    assert keyboard.close() == 0


def test_one_question_is_answered_and_nothing_else() -> None:
    program = PROGRAM.replace("max_tokens=400", "max_tokens=400, question='repeat once'")
    command = [sys.executable, "-c", program, "0"]
    done = subprocess.run(command, input="unread", capture_output=True, text=True, cwd=HERE, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "once\n", "")


def test_commands(keyboard: Keyboard, tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    for typed, shown in (
        ("/help", "/temperature"),
        ("/nothing", "no command"),
        ("/temperature hot", "from 0.0 to 2.0"),
        ("/temperature 0", "0.0 now"),
        ("/system Be brief.", "new conversation"),
        ("prompt", "Be brief."),
        (f"/save {file}", "saved"),
        (f"/save {file}", "not saved"),
        ("/reset", "new conversation"),
        ("repeat fresh", "a second"),
    ):
        keyboard.type(typed + "\n")
        keyboard.wait_for(typed)
        keyboard.wait_for(shown)
        keyboard.wait_for("> ")
    keyboard.type("/quit\n")
    assert keyboard.close() == 0
    saved = json.loads(file.read_text())
    assert [m["role"] for m in saved["messages"]] == ["system", "user", "assistant"]


def test_ctrl_c_stops_the_answer_not_the_program() -> None:
    keyboard = Keyboard(0.03)
    keyboard.wait_for("> ")
    keyboard.type("count 300\n")
    keyboard.wait_for("1 2 3")
    keyboard.interrupt()
    assert "300" not in keyboard.wait_for("stopped")
    keyboard.wait_for("> ")
    keyboard.interrupt()
    keyboard.wait_for("> ")
    keyboard.type("repeat still here\n")
    keyboard.wait_for("repeat still here")
    keyboard.wait_for("still here")
    keyboard.wait_for("> ")
    keyboard.type("\x04")
    assert keyboard.close() == 0


def test_pasted_lines_are_one_message(keyboard: Keyboard) -> None:
    if keyboard.enter == "\n":
        keyboard.type("repeat first\nsecond\nthird\n")
    else:
        os.write(keyboard.screen, b"\x1b[200~repeat first\nsecond\nthird\x1b[201~\r")
    keyboard.wait_for("third")
    assert "first\r\nsecond\r\nthird" in keyboard.wait_for("a second")
    keyboard.wait_for("> ")
    keyboard.type('"""repeat a\n')
    time.sleep(0.2)
    keyboard.type('b"""\n')
    keyboard.wait_for('b"""')
    assert "a\r\nb" in keyboard.wait_for("a second")


@pytest.mark.parametrize("keyboard", [False], indirect=True, ids=["edited"])
def test_a_line_is_edited_and_earlier_ones_come_back(keyboard: Keyboard) -> None:
    keyboard.type("repeat Grüze\x1b[D\x7fß\n")  # left, backspace
    assert "Grüße" in keyboard.wait_for("a second")
    keyboard.wait_for("> ")
    keyboard.type("repeat other\n")
    keyboard.wait_for("a second")
    keyboard.wait_for("> ")
    keyboard.type("\x1b[A\x1b[A\n")  # up, up
    assert "Grüße" in keyboard.wait_for("a second")


@pytest.mark.parametrize("keyboard", [False], indirect=True, ids=["edited"])
def test_a_paste_that_is_not_ascii_is_shown_as_it_is(keyboard: Keyboard) -> None:
    for number in range(10):
        text = f"Grüße aus Köln {number}: naïve façade, Пётр, 漢字"
        os.write(keyboard.screen, f"\x1b[200~repeat {text}\x1b[201~".encode())
        keyboard.wait_for(text)
        keyboard.type("\n")
        assert text in keyboard.wait_for("a second")
        keyboard.wait_for("> ")


def test_long_talks_tell_what_was_forgotten(keyboard: Keyboard) -> None:
    for _ in range(4):
        keyboard.type("repeat " + "word " * 40 + "\n")
        keyboard.wait_for("a second")
        keyboard.wait_for("> ")
    keyboard.type("repeat x\n")
    keyboard.wait_for("no longer see the oldest")


def test_a_model_cannot_drive_the_terminal() -> None:
    evil = "a\x1b[2J\x1b]52;c;aGk=\x07b\x9b31mc\r\x08\u202ed\u2066e\x00f\tg\nh"
    assert printable(evil) == "a[2J]52;c;aGk=b31mcdef\tg\nh"
    done = piped("hostile")
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout
