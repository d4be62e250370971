"""A few threads that run the tasks of one step together, and know when it does not pay.

To hand a task to a sleeping thread and to hear of its end costs 50 to 100 us, and while two
threads run Python they wait for each other. Tasks shorter than HANDOFF are therefore run one after
the other: which thread runs a task never changes its result.
"""

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from ..backend.blas import one_blas_thread

HANDOFF = 250e-6  # seconds
TRIALS = 3  # calls of each kind that run alone, to be timed; the first ones compile

Task = Callable[[int], Any]


class ThreadPool:
    """The calling thread and size - 1 others. Use it as a context manager: leaving it ends them.
    Source: the module."""

    def __init__(self, size: int):
        self.size = size
        self._timed: dict[str, list[float]] = {}

    def __enter__(self) -> "ThreadPool":
        self._work: SimpleQueue = SimpleQueue()
        self._others = [
            Thread(target=self._wait_for_work, daemon=True) for _ in range(self.size - 1)
        ]
        for thread in self._others:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        for _thread in self._others:
            self._work.put(None)
        for thread in self._others:
            thread.join()

    def each(self, kind: str, task: Task, n: int) -> list[Any]:
        """task(0) ... task(n - 1), in any order, all ended before it returns -> their results, in
        order.

        kind: what the tasks are; those of one kind take about the same time. Raises what the first
        of them raised that failed."""
        timed = self._timed.setdefault(kind, [])
        together = (
            n > 1 and self.size > 1 and len(timed) == TRIALS and min(timed, default=1.0) > HANDOFF
        )
        began = time.perf_counter()
        results = self._share(task, n, min(self.size, n) - 1 if together else 0)
        if len(timed) < TRIALS:
            timed.append((time.perf_counter() - began) / n)
        for _, error in results:
            if error is not None:
                raise error
        return [result for result, _ in results]

    def _share(self, task: Task, n: int, helpers: int) -> list[Any]:
        results: list[Any] = [(None, None)] * n
        left = iter(range(n))  # whoever is free takes the next

        done: SimpleQueue = SimpleQueue()

        def run() -> None:
            try:
                for i in left:
                    results[i] = _caught(task, i)
            finally:
                done.put(None)

        for _ in range(helpers):
            self._work.put(run)
        try:
            run()
        finally:
            for _ in range(helpers + 1):
                done.get()
        return results

    def _wait_for_work(self) -> None:
        with one_blas_thread():  # some count BLAS's threads by the thread that calls it
            while (run := self._work.get()) is not None:
                run()


def _caught(task: Task, i: int) -> tuple[Any, BaseException | None]:
    # What overflows is told once, by the loss that is then not finite. errstate is each thread's
    # own.
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return task(i), None
        # also what would end a thread: it comes out in the one that called
        except BaseException as error:
            return None, error
