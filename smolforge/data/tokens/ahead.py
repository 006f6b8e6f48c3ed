"""Batches made by a thread while the device trains, with a state as if they were not. No torch here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from smolforge.data.tokens.batches import Batch, MixtureBatches

DEPTH = 2
"""Batches waiting: one would do where making is faster than training; chosen."""


class AheadBatches:
    """`MixtureBatches` made ahead by a thread: same batches, same states, no wait.

    Everything it says of itself (`state`, `trained`, `passes`) is as of the last batch it gave, whatever the
    thread has made since. What goes wrong in the thread is raised by the `next()` that would have met it.
    Close it, or use it in a `with`, when no more batches are wanted.
    """

    def __init__(self, source: MixtureBatches, depth: int = DEPTH) -> None:
        self._source = source
        self._depth = depth
        self._state = source.state()
        self._maker: ThreadPoolExecutor | None = None
        self._coming: deque[Future[tuple[Batch, dict[str, Any]]]] = deque()

    def __enter__(self) -> AheadBatches:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next(self) -> Batch:
        """The next batch, made already if there was time."""
        if self._maker is None:
            self._maker = ThreadPoolExecutor(1, "batches")
        while len(self._coming) <= self._depth:
            self._coming.append(self._maker.submit(self._make))
        batch, self._state = self._coming.popleft().result()
        return batch

    def _make(self) -> tuple[Batch, dict[str, Any]]:
        return self._source.next(), self._source.state()

    def close(self) -> None:
        """End the thread and forget what it made; `next()` goes on from the last batch given."""
        self.restore(self._state)

    def restore(self, state: Mapping[str, Any], *, new_phase: bool = False) -> None:
        """Go on from a `state` of either kind of source."""
        if self._maker is not None:
            self._maker.shutdown(cancel_futures=True)
            self._maker = None
        self._coming.clear()
        self._source.restore(state, new_phase=new_phase)
        self._state = self._source.state()

    def state(self) -> dict[str, Any]:
        """JSON-ready, as `MixtureBatches.state` after the last batch given."""
        return self._state

    @property
    def trained(self) -> dict[str, int]:
        """Tokens of each domain in all batches given so far, earlier phases included."""
        return {name: cursor["trained"] for name, cursor in self._state["cursors"].items()}

    @property
    def passes(self) -> dict[str, float]:
        """How often each domain has been gone through."""
        cursors = self._state["cursors"].items()
        return {n: c["trained"] / c["tokens"] if c["tokens"] else 0.0 for n, c in cursors}
