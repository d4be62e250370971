"""Locks that a forked child finds open: the threads that may have held them are not in it."""

import os
import threading
import weakref
from contextlib import suppress
from typing import Any

_EVERY: weakref.WeakSet["Lock"] = weakref.WeakSet()


class Lock:
    """As threading.Lock, of one process. Source: os.register_at_fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _EVERY.add(self)

    def acquire(self, blocking: bool = True) -> bool:
        """Take it, or answer False where it is taken and the caller does not want to wait."""
        return self._lock.acquire(blocking)

    def release(self) -> None:
        """Give it back; of a child that was forked by whoever held it, it is free already."""
        with suppress(RuntimeError):
            self._lock.release()

    def renew(self) -> None:
        """Another lock in its place, which nobody holds."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: Any) -> None:
        self.release()


def _renew() -> None:
    for lock in list(_EVERY):
        lock.renew()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_renew)
