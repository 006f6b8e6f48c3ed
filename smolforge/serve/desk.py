"""As many answers at a time as the model can write at once: a bounded queue before worker threads, with a way to stop.

Those who wait are few and know it, the rest are turned away at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from smolforge.errors import SmolError
from smolforge.serve.talk import ContextTooLong, Reply
from smolforge.serve.wire import ApiError


class Desk:
    """Begins replies in order, `at_once` of them side by side. `waiting` bounds the queue, `seconds` waiting and answering together.

    A request whose time is up while it writes ends with finish reason `length`. All have the same time,
    and the first in the queue has the earliest deadline, so nobody waits longer than that time either.
    """

    def __init__(self, *, waiting: int, seconds: float, at_once: int = 1) -> None:
        self._most, self._seconds = waiting + at_once, seconds
        self._inside = 0
        self._workers = ThreadPoolExecutor(at_once, thread_name_prefix="answer")
        self._closing = threading.Event()

    @property
    def inside(self) -> int:
        """Requests that wait or are answered now."""
        return self._inside

    def close(self) -> None:
        """End the running answers and take no more."""
        self._closing.set()
        self._workers.shutdown(wait=False, cancel_futures=True)

    async def answer(self, start: Callable[[], Reply]) -> AsyncGenerator[tuple[Reply, str], None]:
        """`(reply, piece)` as they come; closing the iterator stops the model at its next token.

        `start` makes the reply in the worker thread, as tokenizing a long conversation takes its time.
        Raises `ApiError` 429 when the queue is full and 503 when the turn does not come in time.
        """
        if self._inside >= self._most or self._closing.is_set():
            raise ApiError(429, "too many requests are waiting; try again soon", code="queue_full")
        pieces: asyncio.Queue[tuple[Reply, str] | None] = asyncio.Queue()
        stopped = threading.Event()
        deadline = time.monotonic() + self._seconds
        loop = asyncio.get_running_loop()

        def put(item: tuple[Reply, str] | None) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, item)

        def work() -> None:
            try:
                self._write(start, put, stopped, deadline)
            finally:
                put(None)

        self._inside += 1
        done = loop.run_in_executor(self._workers, work)
        done.add_done_callback(_mark_seen)
        try:
            while (item := await pieces.get()) is not None:
                yield item
            await done
        finally:
            stopped.set()
            done.cancel()
            self._inside -= 1

    def _write(
        self,
        start: Callable[[], Reply],
        put: Callable[[tuple[Reply, str]], None],
        stopped: threading.Event,
        deadline: float,
    ) -> None:
        if stopped.is_set():
            return
        if time.monotonic() > deadline:
            raise ApiError(503, "the model was busy for too long; try again", code="timeout")
        reply = start()
        with closing(iter(reply)) as texts:
            for piece in texts:
                put((reply, piece))
                if stopped.is_set() or self._closing.is_set():
                    return
                if time.monotonic() > deadline:
                    reply.finish = "length"
                    return


def _mark_seen(done: asyncio.Future[None]) -> None:
    """Nobody awaits the worker of a client that has left; its error is not worth a log line."""
    if not done.cancelled():
        done.exception()


def refusal(error: SmolError) -> ApiError:
    """Our own errors, as the client may read them: what happened and what to do, but no paths."""
    code = "context_length_exceeded" if isinstance(error, ContextTooLong) else None
    message = f"{error.what}; {error.fix}" if error.fix else error.what
    return ApiError(400, message, param="messages", code=code)
