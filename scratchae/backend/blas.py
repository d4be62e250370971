"""One thread for BLAS, for as long as anything of this library multiplies.

How many threads share a product decides its last bits, and parallelism is over the batch. The
number is one for the whole process, so the limit is too: the first who multiplies sets it, the
last one restores what was there.
"""

import os
import threading
from collections import Counter
from functools import cache
from typing import Any

from ..locks import Lock

Numbers = list[tuple[Any, int]]  # of threads, each with what it is the number of


class _OneThread:
    """The limit, counted for each thread; enter it as often as you like. Source: the module."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside: Counter[int] = Counter()  # by thread
        self._shared: Numbers = []  # those of the process, before
        self._each: dict[int, Numbers] = {}  # those of each thread, before

    def __enter__(self) -> None:
        here = threading.get_ident()
        with self._lock:
            if not self._inside.total():
                self._shared = _limit(by_thread=False)
            if not self._inside[here]:
                self._each[here] = _limit(by_thread=True)
            self._inside[here] += 1

    def __exit__(self, *_: Any) -> None:
        here = threading.get_ident()
        with self._lock:
            self._inside[here] -= 1
            if not self._inside[here]:
                del self._inside[here]
                _set(self._each.pop(here))
            if not self._inside.total():
                _set(self._shared)

    def before_fork(self) -> None:
        """Wait for a thread that sets or lifts the limit: a child would find it half done."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Let the others go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Forget the threads that were left behind; locks.py has made the lock anew."""
        here = threading.get_ident()
        held = self._inside.total()
        for thread in set(self._inside) - {here}:
            del self._inside[thread], self._each[thread]
        if held and not self._inside:
            _set(self._shared)


@cache
def _pools(by_thread: bool) -> list[Any]:
    """Where the number of threads of NumPy's BLAS is set, which is loaded with NumPy.

    OpenBLAS on OpenMP has one for each thread that calls it. Source: threadpoolctl's README."""
    from threadpoolctl import ThreadpoolController

    every = ThreadpoolController().select(user_api="blas").lib_controllers
    openmp = [getattr(pool, "threading_layer", "") == "openmp" for pool in every]
    return [pool for pool, own in zip(every, openmp, strict=True) if own == by_thread]


def _limit(by_thread: bool) -> Numbers:
    before = [(pool, pool.get_num_threads()) for pool in _pools(by_thread)]
    _set([(pool, 1) for pool, _ in before])
    return before


def _set(numbers: Numbers) -> None:
    for pool, number in numbers:
        # from 3.8 on, threadpoolctl sets nothing in any thread but the first that did
        release = getattr(pool, "clear_controlling_thread", lambda force: None)
        release(force=True)
        pool.set_num_threads(number)
        release(force=True)


_ONE = _OneThread()


def one_blas_thread() -> _OneThread:
    """A context within which BLAS has one thread, whoever else is in it."""
    return _ONE


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_ONE.before_fork,
        after_in_parent=_ONE.after_fork_in_parent,
        after_in_child=_ONE.after_fork_in_child,
    )
