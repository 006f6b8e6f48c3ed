"""Chat templates of other people's models: rendered by their own program, in a process that cannot hurt.

    template = ForeignTemplate(source, {"bos_token": "<|im_start|>", …})
    template.render([{"role": "user", "content": "Hi"}], tools=None, add_generation_prompt=True)

What a user writes must not open or close a turn, though a template renders first and tokens come afterwards. So
control tokens spelled in a conversation are broken apart by a mark before rendering (`Marked`), and the mark is
taken out again after the text was cut at the control tokens that the template itself wrote.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smolforge.errors import InputError
from smolforge.text import chat

WORKER = Path(__file__).with_name("template_worker.py")
LONGEST_TEMPLATE = 1 << 18
RENDER_SECONDS = 5.0
START_SECONDS = 30.0
ANY_DAY = datetime.date(2025, 1, 1)
"""What a template that writes today's date is told where the result must not depend on the day."""

Message = Mapping[str, Any]


class ForeignTemplate:
    """A chat template that came with a model. Safe to share between threads; renders one thing at a time.

    source  its text, as it came
    names   the strings it may write: `bos_token`, `eos_token`, `pad_token`, `unk_token`
    """

    def __init__(self, source: str, names: Mapping[str, str]) -> None:
        if len(source) > LONGEST_TEMPLATE:
            raise InputError(
                f"the chat template has {len(source)} characters", fix="use a model of a known kind"
            )
        self.source = source
        self.names = dict(names)
        self.has_tools = bool(re.search(r"\btools\b", source))
        self.has_calls = "tool_calls" in source
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Message] | None = None,
        add_generation_prompt: bool = False,
        *,
        today: datetime.date | None = None,
    ) -> str:
        """The conversation as one text, as `transformers` renders it; InputError for what the template refuses.

        Tools and calls for which the template has no place are written as SmolLM2's authors do: tools into the system
        turn between `<tools>` marks, calls into the answer between `<tool_call>` marks.
        """
        return self.render_all([(messages, add_generation_prompt)], tools, today=today)[0]

    def render_all(
        self,
        parts: Sequence[tuple[Sequence[Message], bool]],
        tools: Sequence[Message] | None = None,
        *,
        today: datetime.date | None = None,
    ) -> list[str]:
        """`render` of several (messages, add_generation_prompt), which is quicker than one by one."""
        values = [self._values(messages, tools, prompt, today) for messages, prompt in parts]
        texts = []
        for found in self._ask(values):
            if "text" not in found:
                why = found.get("refused") or found.get("broken", "it gives no reason")
                raise InputError(
                    f"the model's chat template does not take this conversation: {why}",
                    fix="change its roles or their order, or use another model",
                )
            texts.append(str(found["text"]))
        return texts

    def fitted(
        self, messages: Sequence[Message], tools: Sequence[Message] | None
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Conversation and tools as the template is given them: what it has no place for is in the text."""
        ready = [self._fitted(message) for message in messages]
        if tools and not self.has_tools:
            return chat.with_tools_in_system(ready, tools), None
        return ready, [_as_function(tool) for tool in tools] if tools else None

    def _values(
        self, messages: Sequence[Message], tools: Sequence[Message] | None, prompt: bool, today: Any
    ) -> dict[str, Any]:
        ready, offered = self.fitted(messages, tools)
        return {
            **self.names,
            "messages": ready,
            "tools": offered,
            "documents": None,
            "add_generation_prompt": prompt,
            "today": (today or ANY_DAY).isoformat(),
        }

    def _fitted(self, message: Message) -> dict[str, Any]:
        """A message without empty fields, its calls in the form the template can take."""
        plain = {name: value for name, value in message.items() if value is not None}
        if "content" in plain:
            plain["content"] = chat.content_text(plain["content"])
        if plain.get("tool_calls"):
            if self.has_calls:
                plain["tool_calls"] = [_as_call(call) for call in plain["tool_calls"]]
            else:
                calls = chat.calls_text(plain.pop("tool_calls"), bool(plain.get("content")))
                plain["content"] = plain.get("content", "") + calls
        return plain

    # -- the process

    def _ask(self, values: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with self._lock:
            process = self._process or self._start()
            return list(self._exchange(process, json.dumps(values), RENDER_SECONDS + 0.05 * len(values)))

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONHASHSEED": "0"},
            start_new_session=True,  # Ctrl-C in a chat ends the answer, not this process
        )
        weakref.finalize(self, _end, process)
        self._process = process
        told = self._exchange(process, json.dumps(self.source), START_SECONDS)
        if told:
            self._stop()
            raise InputError(f"the model's chat template cannot be read: {told.get('broken')}", fix=_FIX)
        return process

    def _exchange(self, process: subprocess.Popen[bytes], line: str, seconds: float) -> Any:
        assert process.stdin is not None
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            return json.loads(_read_line(process, seconds))
        except (OSError, ValueError):
            self._stop()
            raise InputError(
                "the model's chat template took too much time or memory",
                where=f"{seconds:.0f} seconds",
                fix=_FIX,
            ) from None

    def _stop(self) -> None:
        if self._process is not None:
            _end(self._process)
        self._process = None


_FIX = "use the template of a model you trust, or leave it out"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what was still to be written has nobody to read it
                pipe.close()


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """One whole line; ValueError when it does not come in time or the process ends."""
    assert process.stdout is not None
    pipe, line, deadline = process.stdout.fileno(), b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise ValueError("no answer")
        part = os.read(pipe, 1 << 20)
        if not part:
            raise ValueError("the process ended")
        line += part
    return line


def _as_function(tool: Message) -> dict[str, Any]:
    """A tool as templates expect it: `{"type": "function", "function": …}`."""
    return dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)}


def _as_call(call: Message) -> dict[str, Any]:
    """A call as templates expect it, its arguments as a table where they are JSON."""
    inner = dict(call.get("function", call))
    inner["arguments"] = chat.arguments_of(inner.get("arguments"))
    return {
        **{k: v for k, v in call.items() if k not in ("name", "arguments")},
        "type": "function",
        "function": inner,
    }


# -- control tokens in what people write ---------------------------------------------------------------


@dataclass(frozen=True)
class Marked:
    """A conversation whose spelled-out control tokens are broken apart, and the mark that breaks them."""

    messages: Sequence[Message]
    tools: Sequence[Message] | None
    mark: str

    def parts(self, text: str, controls: Collection[str]) -> Iterator[tuple[str, bool]]:
        """`(text, is a control token)` of a rendered text in order, the marks taken out."""
        for part in re.split(_any_of(controls), text):
            if part in controls:
                yield part, True
            elif part:
                yield part.replace(self.mark, ""), False


def marked(messages: Sequence[Message], tools: Sequence[Message] | None, controls: Collection[str]) -> Marked:
    """The conversation with a mark after the first character of every control token that is spelled in it."""
    said = json.dumps([messages, tools], ensure_ascii=False)
    spelled = re.compile(_any_of(controls))
    if not spelled.search(said):
        return Marked(messages, tools, "")
    mark = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in said)

    def broken(value: Any) -> Any:
        if isinstance(value, str):
            return spelled.sub(lambda found: found[0][0] + mark + found[0][1:], value)
        if isinstance(value, Mapping):
            return {broken(name): broken(one) for name, one in value.items()}
        return [broken(one) for one in value] if isinstance(value, list | tuple) else value

    return Marked(broken(list(messages)), broken(tools), mark)


def _any_of(tokens: Collection[str]) -> str:
    longest_first = sorted(tokens, key=lambda token: (-len(token), token))
    return f"({'|'.join(map(re.escape, longest_first))})" if longest_first else r"(?!)()"
