"""How a run tells how it goes: a bar on a terminal, and one plain line an epoch everywhere.

What cannot be written, since nobody reads it any more or its disk is full, costs no training.
"""

import sys
from contextlib import suppress
from io import StringIO
from typing import Any, Self

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


class Progress:
    """A bar over all steps of all epochs where stderr is a terminal, and a line an epoch; nothing
    if not shown.

    Source: tqdm's manual.
    """

    def __init__(self, epochs: int, steps: int, shown: bool = True):
        self.steps, self.lines = epochs * steps, shown
        self.shown = shown and _is_terminal(sys.stderr)

    def __enter__(self) -> Self:
        from tqdm import tqdm

        how: Any = {"file": Lenient(sys.stderr), "dynamic_ncols": True} if self.shown else {}
        self.bar = tqdm(total=self.steps, unit="step", disable=not self.shown, **how)
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.close()

    def step(self, loss: float) -> None:
        """One more step, whose loss was that, in nats per example."""
        if not self.bar.disable:
            self.bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
            self.bar.update()

    def line(self, record: dict[str, Any], last: int) -> None:
        """One line for an epoch's record, of epochs up to last; a penalty of 0 is left out."""
        told = {k: v for k, v in record.items() if k == "train_loss" or k.startswith("test_")}
        told = {k: v for k, v in told.items() if v or k != "test_penalty"}
        terms = "  ".join(f"{k.replace('_', ' ')} {_rounded(v)}" for k, v in told.items())
        speed = f"{record['seconds']:.1f} s, {record['examples_per_second']:,.0f} examples/s"
        if self.lines and sys.stdout is not None:  # None: a program without a console
            self.bar.clear()
            self._write(f"epoch {record['epoch']:>2}/{last}  {terms}  ({speed})\n")
            self.bar.refresh()

    def _write(self, line: str) -> None:
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except UNWRITABLE as error:
            self.lines = False
            Lenient(sys.stderr or StringIO()).write(
                f"no more lines of progress, which cannot be written: {error}\n"
            )


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and stream.isatty()
    except UNWRITABLE:
        return False


def _rounded(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"
