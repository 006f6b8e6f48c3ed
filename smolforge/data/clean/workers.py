"""Work spread over processes, with results in the order of the items.

Results never depend on the number of processes. A fresh interpreter is started for each worker ("spawn"):
forking a process that holds threads (PyTorch, Arrow) can hang.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from smolforge.errors import StageError

T = TypeVar("T")
R = TypeVar("R")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def ordered_map(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    processes: int,
    setup: Callable[..., None] | None = None,
    setup_with: tuple[Any, ...] = (),
) -> Iterator[R]:
    """`work(item)` for each item, in order, on `processes` processes; at most four items a process wait.

    `setup(*setup_with)` runs once in each worker. One process means this one, without a pool.
    Raises `StageError` when a worker is killed (most often: memory ran out).
    """
    if processes <= 1:
        if setup is not None:
            setup(*setup_with)
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    saved = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # the processes are the threads
    try:
        with ProcessPoolExecutor(
            processes, mp_context=context, initializer=setup, initargs=setup_with
        ) as pool:
            yield from _drain(pool, work, items, processes * 4)
    except BrokenProcessPool:
        raise StageError(
            "a worker process was killed",
            where=work.__name__,
            fix="free some memory, or give fewer threads; then go on",
        ) from None
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _drain(pool: ProcessPoolExecutor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
