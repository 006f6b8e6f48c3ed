"""Talking in the terminal: answers stream, Ctrl-C stops the answer, Ctrl-D leaves.

With a pipe instead of a keyboard, the whole input is one message, or each line is one, and only answers are printed.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from smolforge.errors import InputError, SmolError
from smolforge.language_model import Sampling
from smolforge.serve.talk import CHAT_SAMPLING, Talker

HELP = """\
/system TEXT       set the system prompt (empty: none) and begin anew
/temperature X     0 always says the likeliest, up to 2 for variety
/tokens N          longest answer
/reset             begin anew
/save FILE         write the conversation as a JSON line that training can read
/help  /quit       this list; leave (Ctrl-D too)
Ctrl-C stops an answer. Arrow keys edit the line and bring earlier ones back.
Pasted lines are one message; \"\"\" opens and closes a message of several lines."""
QUOTES = '"""'
LONGEST_MESSAGE_CHARACTERS = 200_000
PASTE_SECONDS = 0.05
"""Lines that arrive this soon after one another were pasted, not typed; chosen, untested."""


def chat(
    talker: Talker,
    *,
    system: str | None = None,
    temperature: float = CHAT_SAMPLING.temperature,
    max_tokens: int = CHAT_SAMPLING.max_new_tokens,
    question: str | None = None,
    by_line: bool = False,
    read: TextIO | None = None,
    write: TextIO | None = None,
) -> None:
    """Talk until the person leaves. A `question`, or input that is no terminal, is answered once; `by_line`: each line of
    such input is the next message of one conversation.
    """
    read, write = read or sys.stdin, write or sys.stdout
    how = replace(CHAT_SAMPLING, temperature=temperature, max_new_tokens=max_tokens)
    session = Session(talker, system=system or "", how=how, write=write)
    if question is not None or not read.isatty():
        for message in [question] if question is not None else _piped(read, by_line):
            if len(message) > LONGEST_MESSAGE_CHARACTERS:
                raise InputError(
                    "the message is too long", fix=f"send at most {LONGEST_MESSAGE_CHARACTERS} characters"
                )
            if message.strip():
                session.say(message.strip())
        return
    print(f"{talker.name} · /help for commands, Ctrl-D to leave", file=write, flush=True)
    ask = _editor() if _can_edit(read, write) else lambda: _ask(read, write)
    while True:
        try:
            text = ask()
            if text is None or (text.startswith("/") and not session.command(text)):
                return
            if not text.startswith("/"):
                session.say(text, at_keyboard=True)
        except KeyboardInterrupt:  # what was begun is dropped, the conversation goes on
            print(file=write)


def _piped(read: TextIO, by_line: bool) -> Iterator[str]:
    """Messages of input that nobody types: all of it, or its lines; a person who may have meant the other is told."""
    if by_line:
        while line := read.readline(LONGEST_MESSAGE_CHARACTERS + 2):
            yield line.rstrip("\n")
        return
    text = read.read(LONGEST_MESSAGE_CHARACTERS + 1)
    lines = len(text.strip().splitlines())
    if lines > 1 and sys.stderr.isatty():
        print(f"{lines} lines, read as one message; `--lines` makes each a message", file=sys.stderr)
    yield text


class Session:
    """One conversation: its messages and settings, and where answers are printed."""

    def __init__(self, talker: Talker, *, system: str, how: Sampling, write: TextIO) -> None:
        self.talker, self.system, self.how, self.write = talker, system, how, write
        self.messages: list[dict[str, Any]] = []

    def say(self, text: str, *, at_keyboard: bool = False) -> None:
        """Send a message and print the answer as it comes. A message that cannot be sent is forgotten."""
        asked = [*self.messages, {"role": "user", "content": text}]
        how = replace(self.how, seed=secrets.randbits(31)) if self.how.temperature > 0 else self.how
        began = time.monotonic()
        parts: list[str] = []
        try:
            reply = self.talker.stream([*self._opening(), *asked], (), how)
            if reply.left_out:
                self._note(f"the model can no longer see the oldest {reply.left_out} messages")
            with closing(iter(reply)) as pieces:
                for piece in pieces:
                    parts.append(piece)
                    self._print(printable(piece))
        except KeyboardInterrupt:
            if not at_keyboard:
                raise
            self._note("\nstopped")
        except SmolError as error:
            self._note(str(error))
            return
        else:
            self._print("\n")
            if reply.finish == "length":
                self._note("cut at the longest answer" + ("; /tokens sets it" if at_keyboard else ""))
            if at_keyboard:
                rate = reply.completion_tokens / max(1e-9, time.monotonic() - began)
                self._note(f"{reply.completion_tokens} tokens, {rate:.0f} a second")
        if parts:
            self.messages = [*asked, {"role": "assistant", "content": "".join(parts)}]

    def command(self, line: str) -> bool:
        """Carry out a `/command`; false when the person wants to leave."""
        name, _, rest = line.partition(" ")
        rest = rest.strip()
        if name in ("/quit", "/exit", "/bye"):
            return False
        if name == "/system":
            self.system, self.messages = rest, []
            self._note(
                "system prompt set; new conversation" if rest else "no system prompt; new conversation"
            )
        elif name == "/reset":
            self.messages = []
            self._note("new conversation")
        elif name == "/temperature":
            found = self._number(rest, 0.0, 2.0, self.how.temperature)
            self.how = replace(self.how, temperature=found)
        elif name == "/tokens":
            found = self._number(rest, 1, 1_000_000, self.how.max_new_tokens)
            self.how = replace(self.how, max_new_tokens=int(found))
        elif name == "/save":
            self._save(rest)
        elif name == "/help":
            self._note(HELP)
        else:
            self._note(f"there is no command {printable(name)}; /help lists them")
        return True

    def _number(self, text: str, least: float, most: float, now: float) -> float:
        """The number that was typed, or the one set `now` where it is none."""
        try:
            number: float = int(text) if isinstance(least, int) else float(text)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            self._note(f"write a number from {least} to {most}; it is {now} now")
            return now
        self._note(f"it is {number} now")
        return number

    def _save(self, name: str) -> None:
        if not name:
            self._note("write a file's name after /save")
            return
        conversation = {
            "id": "chat",
            "skill": "chat",
            "messages": [*self._opening(), *self.messages],
            "tools": [],
        }
        try:
            with Path(name).expanduser().open("x", encoding="utf-8") as out:
                out.write(json.dumps(conversation, ensure_ascii=False) + "\n")
        except OSError as error:
            self._note(f"not saved: {(error.strerror or str(error)).lower()}")
            return
        self._note(f"saved to {name}")

    def _opening(self) -> list[dict[str, Any]]:
        return [{"role": "system", "content": self.system}] if self.system else []

    def _print(self, text: str) -> None:
        print(text, end="", file=self.write, flush=True)

    def _note(self, text: str) -> None:
        """A word from the program itself, dimmed on a terminal, on stderr where only the answer is wanted."""
        if self.write.isatty():
            print(f"\x1b[2m{text}\x1b[0m", file=self.write, flush=True)
        else:
            print(text, file=sys.stderr if self.write is sys.stdout else self.write, flush=True)


def printable(text: str) -> str:
    """The text without control characters, so that a model cannot move the cursor, recolour the
    terminal, reorder text or write to the clipboard. New lines and tabs stay.
    """
    return "".join(c for c in text if c in "\n\t" or not _is_control(ord(c)))


def _is_control(code: int) -> bool:
    """C0, DEL, C1, and the marks that reorder text. Source: Unicode 15, UAX #9, for the latter."""
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or code in (0x061C, 0x200E, 0x200F)
        or 0x202A <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    )


def _can_edit(read: TextIO, write: TextIO) -> bool:
    """Whether a person sits at a terminal that can move its cursor."""
    is_ours = read is sys.stdin and write is sys.stdout and write.isatty()
    return is_ours and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")


def _editor() -> Callable[[], str | None]:
    """Asks for the next message in a line that can be edited, with those before in reach; None at the end of input."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.output.defaults import create_output
    from prompt_toolkit.output.vt100 import Vt100_Output

    output = create_output(stdout=sys.stdout)
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False  # some terminals never say where their cursor is, and are waited for
    is_open = Condition(lambda: _is_open(get_app().current_buffer.text))
    session: PromptSession[str] = PromptSession(history=InMemoryHistory(), multiline=is_open, output=output)

    def ask() -> str | None:
        while True:
            try:
                text = session.prompt("\n> ").strip()
            except EOFError:
                return None
            if _is_quoted(text):
                text = text[len(QUOTES) : -len(QUOTES)].strip("\n")
            if text.strip():
                return text[:LONGEST_MESSAGE_CHARACTERS]

    return ask


def _is_quoted(text: str) -> bool:
    return len(text) >= 2 * len(QUOTES) and text.startswith(QUOTES) and text.endswith(QUOTES)


def _is_open(text: str) -> bool:
    """Whether a message of several lines was begun and not ended, so that Enter makes a new line."""
    return text.lstrip().startswith(QUOTES) and not _is_quoted(text.strip())


def _ask(read: TextIO, write: TextIO) -> str | None:
    """The next message, or None at the end of input, where no line can be edited."""
    while True:
        print("\n> ", end="", file=write, flush=True)
        lines = list(_lines(read))
        if not lines:
            print(file=write)
            return None
        text = "".join(lines)[:LONGEST_MESSAGE_CHARACTERS].rstrip("\n")
        if text.strip():
            return text


def _lines(read: TextIO) -> Iterator[str]:
    """One typed line; or all lines of a paste; or all lines between two lines of triple quotes."""
    line = read.readline()
    if line.lstrip().startswith(QUOTES):
        line = line.lstrip()[len(QUOTES) :]
        while line and not line.rstrip().endswith(QUOTES):
            yield line
            line = read.readline()
        yield line.rstrip().removesuffix(QUOTES) + "\n"
        return
    while line:
        yield line
        line = read.readline() if not line.startswith("/") and _more_waits(read) else ""


def _more_waits(read: TextIO) -> bool:
    """Whether more input is ready now; a terminal hands over one line a read, so none hides in a buffer."""
    try:
        return bool(select.select([read], [], [], PASTE_SECONDS)[0])
    except (OSError, ValueError):
        return False
