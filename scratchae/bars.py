"""A bar on a terminal, for what takes long; none where nobody looks.

What cannot be written, since nobody reads it any more or its disk is full, costs nothing.
"""

import sys
from contextlib import suppress
from typing import Any

UNWRITABLE = OSError, ValueError  # a pipe without a reader, a full disk; closed, or another script


class Lenient:
    """A stream whose errors are dropped: within tqdm they would leave its lock held."""

    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: str) -> None:
        """Write it, or do not."""
        with suppress(*UNWRITABLE):
            self.stream.write(text)

    def flush(self) -> None:
        """Empty the buffer, or do not."""
        with suppress(*UNWRITABLE):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def bar(total: int, unit: str, shown: bool = True) -> Any:
    """tqdm's bar of that many units on stderr, if it is to be shown and stderr is a terminal.

    Source: tqdm's manual."""
    from tqdm import tqdm

    shown = shown and _is_terminal(sys.stderr)
    how: Any = {"file": Lenient(sys.stderr), "dynamic_ncols": True} if shown else {}
    return tqdm(total=total, unit=unit, disable=not shown, **how)


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and stream.isatty()
    except UNWRITABLE:
        return False
