"""How a run tells how it goes: a bar on a terminal, and one plain line an epoch everywhere.

What cannot be written, since nobody reads it any more or its disk is full, costs no training.
"""

import sys
from io import StringIO
from typing import Any, Self

from ..bars import UNWRITABLE, Lenient, bar


class Progress:
    """A bar over all steps of all epochs where stderr is a terminal, and a line an epoch; nothing
    if not shown.

    Source: tqdm's manual.
    """

    def __init__(self, epochs: int, steps: int, shown: bool = True):
        self.steps, self.shown, self.lines = epochs * steps, shown, shown

    def __enter__(self) -> Self:
        self.bar = bar(self.steps, "step", self.shown)
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


def _rounded(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"
