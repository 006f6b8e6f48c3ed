"""A `Talker`: one loaded model with its tokenizer, answering conversations piece by piece.

The server, the chat page and the terminal all speak through it. It knows nothing of HTTP or terminals.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from smolforge.errors import InputError
from smolforge.language_model import Sampling

Message = Mapping[str, Any]
Finish = Literal["stop", "length"]

# SmolLM2's model card samples with these; chosen for chat, tiny models ramble above it.
CHAT_SAMPLING = Sampling(max_new_tokens=512, temperature=0.2, top_p=0.9)
LEAST_ANSWER_TOKENS = 16
"""A conversation is shortened until at least this many tokens (or an eighth of the context) are free."""


class Model(Protocol):
    """Writes tokens after a prompt; the torch model and the on-device runtime both do."""

    def stream(self, prompt: Sequence[int], how: Sampling, stop: Sequence[int] = ()) -> Iterator[int]: ...


class Decoder(Protocol):
    """Text from token ids as they come."""

    def push(self, token: int) -> str: ...

    def finish(self) -> str: ...


class Words(Protocol):
    """Turns conversations into tokens and tokens into text; `text.tokenizer.Tok` does."""

    vocab_size: int
    begin_ids: tuple[int, ...]
    start_id: int
    end_ids: tuple[int, ...]

    def encode(self, text: str) -> list[int]: ...

    def encode_chat(
        self,
        messages: Sequence[Message],
        tools: Sequence[Message] | None,
        add_generation_prompt: bool,
        today: datetime.date | None,
    ) -> tuple[list[int], list[bool]]: ...

    def stream(self) -> Decoder: ...


class ContextTooLong(InputError):
    """What was asked does not fit into the model's context."""


@dataclass(frozen=True, kw_only=True)
class Talker:
    """A model one can talk to. `at_once` threads may each read an answer of it; prompts are made one at a time."""

    name: str
    model: Model
    words: Words
    context_tokens: int
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def at_once(self) -> int:
        """Answers that the model can write at the same time."""
        return int(getattr(self.model, "slots", 1))

    def stream(
        self,
        messages: Sequence[Message],
        tools: Sequence[Message] = (),
        how: Sampling = CHAT_SAMPLING,
        *,
        stop: Sequence[str] = (),
        shorten: bool = True,
    ) -> Reply:
        """The answer to a conversation.

        `shorten` leaves out the oldest turns (never the system turn) where the context is too small, and
        `Reply.left_out` says how many messages; without it such a conversation raises `ContextTooLong`.
        """
        reserve = min(how.max_new_tokens, max(LEAST_ANSWER_TOKENS, self.context_tokens // 8))
        room = self.context_tokens - (reserve if shorten else 1)
        with self._making:  # a template runs in one process of its own
            prompt, left_out = fit_conversation(self.words, messages, tools, room, shorten=shorten)
        return self._reply(prompt, how, stop, left_out)

    def complete(self, text: str, how: Sampling, *, stop: Sequence[str] = ()) -> Reply:
        """The continuation of plain text, as a base model writes it."""
        prompt = [*self.words.begin_ids, *self.words.encode(text)] or [self.words.start_id]
        _check_room(len(prompt), self.context_tokens - 1)
        return self._reply(prompt, how, stop, 0)

    def _reply(self, prompt: list[int], how: Sampling, stop: Sequence[str], left_out: int) -> Reply:
        room = self.context_tokens - len(prompt)
        how = replace(how, max_new_tokens=max(1, min(how.max_new_tokens, room)))
        return Reply(self.model, self.words, prompt, how, stop, left_out)


class Reply:
    """An answer while it is written: iterate once for its pieces of text, then read what it took."""

    def __init__(
        self,
        model: Model,
        words: Words,
        prompt: Sequence[int],
        how: Sampling,
        stop: Sequence[str] = (),
        left_out: int = 0,
    ) -> None:
        self.prompt_tokens = len(prompt)
        self.completion_tokens = 0
        self.finish: Finish = "stop"
        self.left_out = left_out
        self._model, self._words, self._prompt, self._how = model, words, prompt, how
        self._stop = tuple(s for s in stop if s)

    def __iter__(self) -> Generator[str, None, None]:
        """Pieces of text; a piece may be empty, so that a reader can stop between any two tokens."""
        text = self._words.stream()
        ends = self._words.end_ids
        watch = StopWatch(self._stop)
        tokens = self._model.stream(self._prompt, self._how, ends)
        try:
            for token in tokens:
                self.completion_tokens += 1
                if token in ends:
                    break
                yield watch.feed(text.push(token))
                if watch.found:
                    return
                if self.completion_tokens >= self._how.max_new_tokens:
                    self.finish = "length"
                    break
            yield watch.feed(text.finish()) + watch.flush()
        finally:
            close = getattr(tokens, "close", None)
            if close is not None:
                close()

    def text(self) -> str:
        """The whole answer at once."""
        return "".join(self)


class StopWatch:
    """Ends a text at the first stop string, holding back what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found = False

    def feed(self, piece: str) -> str:
        if self.found or not self._stops:
            return "" if self.found else piece
        text = self._held + piece
        places = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        keep = longest_overlap(text, self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held


def longest_overlap(text: str, marks: Sequence[str]) -> int:
    """Length of the longest end of `text` with which one of `marks` begins."""
    longest = min(len(text), max((len(m) for m in marks), default=0))
    return next((n for n in range(longest, 0, -1) if any(m.startswith(text[-n:]) for m in marks)), 0)


def fit_conversation(
    words: Words,
    messages: Sequence[Message],
    tools: Sequence[Message],
    room_tokens: int,
    *,
    shorten: bool = True,
) -> tuple[list[int], int]:
    """`(prompt ids, messages left out)`: as many of the latest turns as fit, and the system turn always.

    A turn begins with a user's message; its answers and tool results go with it.
    """
    system = [m for m in messages[:1] if m["role"] == "system"]
    rest = list(messages[len(system) :])
    prompt = _prompt(words, messages, tools)
    if len(prompt) <= room_tokens:
        return prompt, 0
    cuts = [at for at, message in enumerate(rest) if at and message["role"] == "user"]
    if not shorten or not cuts:
        _check_room(len(prompt), room_tokens)
    # Prompts shrink with every cut, so the first that fits is found by halving.
    low, high = 0, len(cuts) - 1
    while low < high:
        middle = (low + high) // 2
        if len(_prompt(words, system + rest[cuts[middle] :], tools)) <= room_tokens:
            high = middle
        else:
            low = middle + 1
    prompt = _prompt(words, system + rest[cuts[low] :], tools)
    _check_room(len(prompt), room_tokens)
    return prompt, cuts[low]


def _prompt(words: Words, messages: Sequence[Message], tools: Sequence[Message]) -> list[int]:
    return words.encode_chat(messages, tools or None, True, datetime.date.today())[0]


def _check_room(prompt_tokens: int, room_tokens: int) -> None:
    if prompt_tokens > room_tokens:
        raise ContextTooLong(
            f"the conversation has {prompt_tokens} tokens; this model can read {max(0, room_tokens)}",
            fix="shorten the message, the system prompt or the tools, or start a new chat",
        )
