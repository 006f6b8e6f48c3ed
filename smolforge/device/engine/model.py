"""A GGUF file on our own engine, as a `LanguageModel`: many sequences a step, what slots have read before read once.

Every sequence has a slot of the cache and knows the tokens in it. A new prompt takes the free slot that begins most like
it, or a copy of another's beginning, and reads the rest; so a chat's next turn reads only what is new.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smolforge.device.engine.build import library
from smolforge.device.engine.choosing import Choice, logprob_of
from smolforge.device.engine.weights import load
from smolforge.device.gguf_in import tokenizer_of
from smolforge.device.header import read_header
from smolforge.errors import InputError
from smolforge.language_model import Ended, Logprob, Sampling, Told
from smolforge.text.tokenizer import Tok

ROOM = 64
"""Rows of a step: tokens of prompts, and one of every answer."""
SLOTS = 8
ENDED_STEPS = 8
WORTH_COPYING = 16
"""Tokens of a common beginning from which a copy is quicker than reading them again."""

Floats = NDArray[np.float32]


@dataclass
class _Slot:
    """What the cache holds of a sequence: these tokens, at places 0, 1, ..."""

    tokens: list[int] = field(default_factory=list)
    busy: bool = False


@dataclass
class _Sequence:
    """One answer on its way: what is yet to be read, and what was written.

    ready  tokens that were chosen and not yet taken
    over   no token follows those that are ready
    """

    slot: int
    prompt: list[int]
    choice: Choice
    most: int
    read: int
    ends: frozenset[int]
    written: list[int] = field(default_factory=list)
    ready: deque[int] = field(default_factory=deque)
    over: bool = False

    def next_tokens(self, room: int) -> list[int]:
        """Up to `room` tokens that the model has not read yet."""
        return self.prompt[self.read : self.read + room] or [self.written[-1]]

    def has_all(self, taken: int) -> bool:
        """Whether, with `taken` more tokens read, the next one can be chosen."""
        return self.read + taken >= len(self.prompt) + len(self.written)

    def take_up(self, logits_V: Floats) -> None:
        """Choose the next token; the one that ends the answer is no part of it."""
        token = self.choice.of(logits_V)
        self.over = token in self.ends or len(self.written) + 1 >= self.most
        if token not in self.ends:
            self.written.append(token)
            self.ready.append(token)


class EngineModel:
    """A GGUF file as a `LanguageModel`. Stops by itself at the file's end tokens.

    Calls from several threads share steps: whoever needs a token and finds nobody at work does a step for all.

    tok      the file's own tokenizer
    slots    sequences that are written at once; more wait
    context  longest prompt and answer together, in tokens
    told     what had to be changed on the way in, in words
    """

    def __init__(
        self, file: Path, *, threads: int | None = None, context: int | None = None, slots: int = SLOTS
    ) -> None:
        """Load `file`; `threads` by default as many as this process may use.

        Raises InputError for a damaged file, Unfit or CompileError where the engine cannot run it here.
        """
        header = read_header(file)
        self._file = file
        self.tok: Tok = tokenizer_of(header)
        positions = int(header.keys.get(f"{header.architecture}.context_length", 0) or 2048)
        self.context = min(context or positions, positions)
        loaded = load(header, threads=threads or _cores(), slots=slots, capacity=self.context, room=ROOM)
        self.config, self.told = loaded.config, loaded.told
        self._loaded = loaded
        self._engine = loaded.handle
        self._close = weakref.finalize(self, library().engine_free, loaded.handle)
        self._slots = [_Slot() for _ in range(slots)]
        self._ends = frozenset(self.tok.end_ids)
        self._changed = threading.Condition()
        self._writing: list[_Sequence] = []
        self._at_work: Sequence[_Sequence] | None = None

    @property
    def slots(self) -> int:
        """Sequences that are written at once."""
        return len(self._slots)

    # ------------------------------------------------------------------ answers

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        how: Sampling,
        stop: Sequence[int] = (),
        ended: Ended | None = None,
        told: Told | None = None,
    ) -> list[list[int]]:
        """One answer a prompt, without the token that stopped it; `ended` is asked and `told` hears now and then."""
        answers: list[list[int]] = [[] for _ in prompts]
        waiting = deque((place, self._checked(prompt)) for place, prompt in enumerate(prompts))
        writing: dict[int, _Sequence] = {}
        try:
            while how.max_new_tokens > 0 and (waiting or writing):
                while waiting and len(writing) < self.slots:
                    place, prompt = waiting.popleft()
                    writing[place] = self._enter(place, prompt, how, stop)
                for place, one in list(writing.items()):
                    token, ids = self._next(one), answers[place]
                    if token is not None:
                        ids.append(token)
                    asked = ended is not None and len(ids) % ENDED_STEPS == 0 and ended(place, ids)
                    if token is None or asked:
                        self._leave(writing.pop(place))
                        if told is not None:
                            told(len(prompts) - len(waiting) - len(writing))
        finally:
            for one in writing.values():
                self._leave(one)
        return answers

    def stream(self, prompt: Sequence[int], how: Sampling, stop: Sequence[int] = ()) -> Iterator[int]:
        """An answer's ids as they come, without the token that stopped it; closing the iterator stops the work."""
        ready = self._checked(prompt)
        if how.max_new_tokens <= 0:
            return
        one = self._enter(0, ready, how, stop)
        try:
            while (token := self._next(one)) is not None:
                yield token
        finally:
            self._leave(one)

    def _enter(self, place: int, prompt: list[int], how: Sampling, stop: Sequence[int]) -> _Sequence:
        """A new answer, as soon as a slot is free."""
        choice = Choice(how, self.config.vocab_size, place, prompt)
        most = min(how.max_new_tokens, self.context - len(prompt))
        slot, read = self._slot_for(prompt)
        one = _Sequence(slot, prompt, choice, most, read, self._ends | frozenset(stop))
        with self._changed:
            self._writing.append(one)
        return one

    def _next(self, one: _Sequence) -> int | None:
        """The next token of an answer, None at its end; does steps, for all, until it is there."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._at_work is None or bool(one.ready) or one.over)
                if one.ready:
                    return one.ready.popleft()
                if one.over:
                    return None
                self._at_work = [each for each in self._writing if not each.over]
            try:
                self._step(self._at_work)
            finally:
                self._rest()

    def _rest(self) -> None:
        with self._changed:
            self._at_work = None
            self._changed.notify_all()

    def _leave(self, one: _Sequence) -> None:
        """Gives the slot back, once no step writes to it any more."""
        with self._changed:
            one.over = True
            self._changed.wait_for(lambda: one not in (self._at_work or ()))
            self._writing.remove(one)
            self._slots[one.slot].busy = False
            self._changed.notify_all()

    def _step(self, writing: Sequence[_Sequence]) -> None:
        """Reads the next tokens of each, as far as there is room, and chooses where a prompt has been read."""
        parts: list[tuple[_Sequence, list[int]]] = []
        room = ROOM
        for number, one in enumerate(writing):
            tokens = one.next_tokens(max(1, room - (len(writing) - number - 1)))
            parts.append((one, tokens))
            room -= len(tokens)
        rows = [
            (one.slot, one.read + k, token, k == len(tokens) - 1 and one.has_all(len(tokens)))
            for one, tokens in parts
            for k, token in enumerate(tokens)
        ]
        logits = iter(self._read(rows))
        for one, tokens in parts:
            is_whole = one.has_all(len(tokens))
            one.read += len(tokens)
            if is_whole:
                one.take_up(next(logits))

    # ------------------------------------------------------------------ probabilities

    def logprobs(
        self, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
    ) -> list[Logprob]:
        """Log-probability of each continuation after its prompt; an empty prompt stands for the start token.

        Raises InputError where the two together are longer than the model reads.
        """
        return [
            self._logprob([*prompt] or [self.tok.start_id], [*continuation])
            for prompt, continuation in zip(prompts, continuations, strict=True)
        ]

    def _logprob(self, prompt: list[int], continuation: list[int]) -> Logprob:
        if not continuation:
            return Logprob(0.0, 0, True)
        text = self._checked([*prompt, *continuation[:-1]])
        total, is_greedy = 0.0, True
        for row, token in zip(self.logits_after(text, len(prompt) - 1), continuation, strict=True):
            total += logprob_of(row, token)
            is_greedy = is_greedy and int(row.argmax()) == token
        return Logprob(total, len(continuation), is_greedy)

    def logits_after(self, ids: list[int], first: int) -> Iterator[Floats]:
        """Logits (V) after each token from place `first` on; read in one slot, what it holds already not again."""
        slot, read = self._slot_for(ids, most=first)
        try:
            for start in range(read, len(ids), ROOM):
                part = ids[start : start + ROOM]
                with self._changed:
                    self._changed.wait_for(lambda: self._at_work is None)
                    self._at_work = ()
                try:
                    logits = self._read(
                        [(slot, start + k, token, start + k >= first) for k, token in enumerate(part)]
                    )
                finally:
                    self._rest()
                yield from logits
        finally:
            with self._changed:
                self._slots[slot].busy = False
                self._changed.notify_all()

    # ------------------------------------------------------------------ slots and steps

    def _slot_for(self, ids: list[int], most: int | None = None) -> tuple[int, int]:
        """A free slot and how much of `ids` it holds: at most all but the last, whose logits are wanted, or `most`."""
        most = len(ids) - 1 if most is None else most
        with self._changed:
            self._changed.wait_for(lambda: not all(slot.busy for slot in self._slots))
            shared = [min(_common(slot.tokens, ids), most) for slot in self._slots]
            free = [k for k, slot in enumerate(self._slots) if not slot.busy]
            best = max(range(len(shared)), key=lambda k: shared[k])
            own = max(free, key=lambda k: (shared[k], -len(self._slots[k].tokens)))
            if shared[best] - shared[own] >= WORTH_COPYING:
                own = min(free, key=lambda k: len(self._slots[k].tokens))
                library().engine_copy(self._engine, best, own, shared[best])
                shared[own] = shared[best]
            self._slots[own].tokens, self._slots[own].busy = ids[: shared[own]], True
            return own, shared[own]

    def _read(self, rows: Sequence[tuple[int, int, int, bool]]) -> Floats:
        """One step over (slot, place, token, whether its logits are wanted); the wanted logits (W, V)."""
        slots, places, tokens, wanted = (np.array(column) for column in zip(*rows, strict=True))
        logits = np.empty((int(wanted.sum()), self.config.vocab_size), dtype=np.float32)
        columns = [np.ascontiguousarray(column, dtype=np.int32) for column in (tokens, slots, places)]
        marks = np.ascontiguousarray(wanted, dtype=np.uint8)
        failed = library().engine_step(
            self._engine, len(rows), *(column.ctypes.data for column in columns), marks.ctypes.data,
            logits.ctypes.data,
        )  # fmt: skip
        if failed:
            raise InputError(
                "a token id outside the vocabulary", fix=f"ids end at {self.config.vocab_size - 1}"
            )
        for slot, _, token, _ in rows:
            self._slots[slot].tokens.append(token)
        return logits

    def _checked(self, prompt: Sequence[int]) -> list[int]:
        if not prompt or len(prompt) >= self.context:
            raise InputError(
                f"a prompt of {len(prompt)} tokens; this model reads 1 to {self.context - 1}",
                fix="shorten the conversation or start a new one",
            )
        if min(prompt) < 0 or max(prompt) >= self.config.vocab_size:
            raise InputError(
                "a token id outside the vocabulary", fix=f"ids end at {self.config.vocab_size - 1}"
            )
        return list(prompt)


def _common(held: Sequence[int], ids: Sequence[int]) -> int:
    """Length of the common beginning."""
    count = 0
    for a, b in zip(held, ids, strict=False):
        if a != b:
            break
        count += 1
    return count


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
