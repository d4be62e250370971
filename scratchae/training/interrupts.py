"""Signals that ask a run to end: the first ends it after the step under way, the second acts as
it did before."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Ctrl-C, what a scheduler sends before it kills, and what a closed terminal sends
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """Whether a signal has asked for the end, and its number; not an Event, whose lock a second
    signal would wait for. within: whether another run is under way around this one."""

    signal: int | None = None

    def __init__(self, within: bool):
        self.within = within

    def is_set(self) -> bool:
        """Whether the run is to end after the step under way."""
        return self.signal is not None


_UNDER_WAY: list[tuple[Stop, Callable[[], None]]] = []  # in the main thread, innermost last


@contextmanager
def interrupts(names: tuple[str, ...] = ENDING) -> Iterator[Stop]:
    """What the first of these signals sets, so that a step is never cut in half.

    Nothing sets it in another thread than the main one. A signal stays as it is where the host
    program handles it by itself (None: not by Python), or where it is ignored, as Ctrl-C is by a
    job in the background; so does a SIGTERM or SIGHUP that has a handler. Source: signal.signal.
    """
    stop, before = Stop(bool(_UNDER_WAY)), dict[int, Any]()

    def ask(number: int, frame: Any) -> None:
        for each, done in reversed(_UNDER_WAY):  # a callback may train a model of its own
            each.signal = number
            done()

    def give_back() -> None:
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread() is threading.main_thread():
        _UNDER_WAY.append((stop, give_back))
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            handler = signal.getsignal(number)
            own = number == signal.SIGINT and callable(handler)
            if own or handler is signal.SIG_DFL:
                before[number] = handler
                signal.signal(number, ask)
    try:
        yield stop
    finally:
        if (stop, give_back) in _UNDER_WAY:
            _UNDER_WAY.remove((stop, give_back))
        give_back()
