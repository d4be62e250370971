"""Ctrl-C during a run: the first ends it after the step under way, the second raises."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stop:
    """Whether a Ctrl-C has asked for the end; not an Event, whose lock a second Ctrl-C would wait
    for."""

    asked = False

    def is_set(self) -> bool:
        """Whether the run is to end after the step under way."""
        return self.asked


@contextmanager
def interrupts() -> Iterator[Stop]:
    """What the first Ctrl-C sets, so that a step is never cut in half; in another thread nothing
    does."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
