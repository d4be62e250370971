"""training: a loop of one's own, a step at a time, to the same bits as ``fit``.

with training(model, data, Adam(1e-3)) as run:
    for _ in range(10):
        for batch in run:  # an epoch: each example once, a step taken each time
            print(batch.t, batch.terms["loss"])
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..execution.step import Step
from .epochs import Epochs
from .history import History
from .interrupts import interrupts
from .preparing import prepared


class Training:
    """What ``training`` gives: iterate over it once for each epoch.

    Each iteration takes one step and gives it: batch.t, batch.terms in nats per example. history:
    a record for each epoch that was finished; a loop that is left by break is no epoch, and is
    begun again. What is set in between (beta, a learning rate, layer.trainable) takes effect at
    the next step. Raises NonFiniteLoss, RuntimeError for a step after the block or of a loop that
    another has replaced; Ctrl-C comes out after the step under way. Source: the module.
    """

    __slots__ = ("_steps", "epochs", "history", "open")  # a clip that is set here could not act

    def __init__(self, epochs: Epochs):
        self.epochs, self.history, self.open = epochs, History(epochs.optimizer), True
        self._steps: Any = None  # of the loop that was begun last

    def __iter__(self) -> Iterator[Step]:
        steps = self._steps = self.epochs.steps(lambda: False)
        try:
            while (step := self._next(steps)) is not None:
                yield step
        finally:
            steps.close()
        record = self.epochs.record()
        if record is not None:
            self.history.records.append(record)

    def __len__(self) -> int:
        """The steps of an epoch."""
        return self.epochs.batches

    def _next(self, steps: Iterator[Step]) -> Step | None:
        if not self.open:
            raise RuntimeError(
                "the training has ended, since its with block was left: take steps within it"
            )
        if steps is not self._steps:
            raise RuntimeError(
                "another loop over this training was begun, which begins the epoch again: end one "
                "loop before the next"
            )
        return _whole(steps)


def _whole(steps: Iterator[Step]) -> Step | None:
    """The next step, or None; a Ctrl-C that came during it acts after it."""
    with interrupts(("SIGINT",)) as stop:
        step = next(steps, None)
    if stop.signal is not None and not stop.within:  # a run around this one has been told
        signal.raise_signal(stop.signal)
    return step


@contextmanager
def training(
    model: Any,
    data: Any,
    optimizer: Any,
    *,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    validation: Any = None,
    clip: float | None = None,
) -> Iterator[Training]:
    """A training of a built model on data (N, *input_shape), whose loop is the reader's.

    The arguments are those of ``fit``, which takes the same steps. Raises what ``fit`` raises.
    Source: the module; Kingma and Welling 2014, Algorithm 1.
    """
    how: Any = {"shards": shards, "threads": threads, "seed": seed, "clip": clip}
    ready = prepared(model, data, optimizer, validation, batch_size, watched=True, **how)
    with ready as epochs, epochs:
        run = Training(epochs)
        try:
            yield run
        finally:
            run.open = False
