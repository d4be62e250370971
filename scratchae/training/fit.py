"""fit: epochs, shuffled batches, steps, history."""

import math
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks, randomness
from ..datasets.fitting import fitting_source
from ..execution.runner import held_out, runner_for
from ..execution.threads import ThreadRunner
from ..optim import Optimizer
from .callbacks import Callback, callables
from .progress import Progress


class NonFiniteLoss(ArithmeticError):
    """A loss became NaN or infinite; the parameters are as the step before left them.

    Shapes: none. Source: none, an error."""


class History:
    """What happened, one record an epoch: epoch, train_loss, ..., test_loss, ..., seconds.

    Terms are in nats per example. history["train_loss"] is that column; interrupted tells whether Ctrl-C
    ended the run. Shapes: none. Source: Keras' ``History``.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.interrupted = False

    def __getitem__(self, column: str) -> list[Any]:
        for record in self.records:
            if column not in record:
                raise KeyError(
                    f"no {column!r} in epoch {record.get('epoch')}, which has {', '.join(record)}"
                )
        return [record[column] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)


def fit(
    model: Any,
    data: Any,
    optimizer: Any,
    *,
    epochs: int,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    validation: Any = None,
    callbacks: Iterable[Callback] | Callback | None = None,
) -> History:
    """Train a built model on data (N, *input_shape), and tell how it went.

    data, validation: Images, Values, or a floating point array. Each epoch visits every example once, in
    an order that is a function of seed and epoch; the last batch may be smaller. validation is evaluated
    after each epoch. shards cut a batch and decide the bits, threads execute them and do not. callbacks, one or
    several functions, are called as f(model, history) after each epoch; one that returns True ends the run. A
    begin(model, validated) of theirs is called first, a finish(model, history) when the run is over. Ctrl-C ends
    it after the step under way. Called again, with the same optimiser, it goes on with the next epoch (one that was
    interrupted is begun again).

    Raises NonFiniteLoss naming step, term and what to try; ValueError and TypeError, before anything is
    changed, for data that does not fit, sizes below 1, a learning rate that is none, a model without parameters.
    Source: Kingma and Welling 2014, Algorithm 1.
    """
    source = fitting_source(model, data, "data")
    held = None if validation is None else fitting_source(model, validation, "validation")
    checks.positive("epochs", epochs)
    batch_size = min(checks.positive("batch_size", batch_size), len(source))
    randomness.clock(seed)
    callbacks = callables(callbacks)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"the optimizer is {optimizer!r}, but an optimiser such as Adam(1e-3) is expected"
        )
    optimizer.rate(optimizer.t + 1)
    if model.parameters.size == 0:
        raise ValueError(
            f"this {type(model).__name__} has no parameters to train: give it a layer such as Dense"
        )
    runner = runner_for(model, batch_size, shards, threads)
    for callback in callbacks:
        if hasattr(callback, "begin"):
            callback.begin(model, held is not None)
    optimizer.start(model.parameters)
    model.optimizer = optimizer
    history, first = History(), optimizer.epoch + 1
    with (
        runner,
        _interrupts() as stop,
        Progress(epochs, -(-len(source) // batch_size)) as progress,
    ):
        run = _Run(runner, optimizer, batch_size, seed, stop, progress)
        feeds = runner.feeds(source)
        held_feeds = None if held is None else runner.feeds(held)
        for epoch in range(first, first + epochs):
            record = run.epoch(feeds, len(source), epoch)
            if optimizer.epoch != epoch:  # interrupted
                break
            if held is not None:
                terms = held_out(runner, held_feeds, len(held), batch_size, seed)
                run.require_finite(
                    terms, f"on the validation data, after epoch {epoch}", "that epoch left"
                )
                record |= {"test_loss": terms.pop("loss"), **terms}
            history.records.append(record)
            progress.line(record, first + epochs - 1)
            answers = [callback(model, history) for callback in callbacks]
            if model.parameters is not optimizer.owner:
                raise RuntimeError(
                    "a callback built the model again while it was trained: build it before fit"
                )
            if stop.is_set() or any(
                isinstance(answer, (bool, np.bool_)) and answer for answer in answers
            ):
                break
        history.interrupted = stop.is_set()
        for callback in callbacks:
            if hasattr(callback, "finish"):
                callback.finish(model, history)
        history.interrupted = stop.is_set()  # a Ctrl-C may come now too
    return history


@dataclass
class _Run:
    """What stays the same from epoch to epoch."""

    runner: ThreadRunner
    optimizer: Any
    batch_size: int
    seed: int
    stop: "_Stop"
    progress: Progress

    def epoch(self, feeds: Any, n: int, epoch: int) -> dict[str, Any]:
        """Every one of n examples once -> the epoch's record, its terms averaged over the epoch.

        A loss that is no sum over examples is averaged as it was at each step, by its examples."""
        began, objective = time.perf_counter(), self.runner.objective
        seen, sums = np.zeros(0), dict[str, float]()
        order = randomness.permutation(n, self.seed, epoch)
        self.runner.set_clock(randomness.clock(self.seed, epoch))
        first = self.optimizer.t + 1
        with closing(
            self.runner.steps(feeds, order, self.batch_size, self.optimizer, self.stop.is_set)
        ) as totals:
            for step, total in enumerate(totals, first):
                terms = objective.loss(total)
                who = (
                    "the step before left"
                    if self.runner.kept(total)
                    else "some steps more have left"
                )
                self.require_finite(terms, f"at step {step} (epoch {epoch})", who)
                self.progress.step(terms["loss"])
                seen = total + seen if len(seen) else total
                if not objective.additive:
                    sums = {
                        name: sums.get(name, 0.0) + float(total[0]) * value
                        for name, value in terms.items()
                    }
        if seen[0] == n:
            self.optimizer.epoch = epoch
        self._require_finite_state(epoch)
        seconds = time.perf_counter() - began
        terms = {name: value / float(seen[0]) for name, value in sums.items()} or objective.loss(
            seen
        )
        record = {"epoch": epoch} | {f"train_{name}": value for name, value in terms.items()}
        return record | {"seconds": seconds, "examples_per_second": float(seen[0]) / seconds}

    def _advice(self, bad: tuple[str, ...] = ()) -> str:
        """What to try where those terms blew up; the rate is the last step's, as a later one need not exist."""
        penalty, rate = (
            getattr(self.runner.objective, "penalty", None),
            self.optimizer.rate(max(self.optimizer.t, 1)),
        )
        if penalty is not None and penalty.advice and bad == ("penalty",):
            return penalty.advice
        lighter = "a lighter penalty, " * (getattr(penalty, "weight", 0) > 0)
        return (
            f"try a learning rate below {rate:g}, {lighter}check that the data is scaled to about 1, or start from "
            "smaller initial weights"
        )

    def _require_finite_state(self, epoch: int) -> None:
        """Raise NonFiniteLoss where a step since the last loss has spoiled the parameters or the optimiser."""
        for name, vector in {"parameters": self.runner.values, **self.optimizer.vectors}.items():
            with np.errstate(invalid="ignore"):  # inf - inf
                total = self.runner.backend.to_host(vector).sum(dtype=np.float64)
            if not math.isfinite(total):
                raise NonFiniteLoss(
                    f"the vector of {name} is no longer finite after epoch {epoch}: {self._advice()}"
                )

    def require_finite(self, terms: dict[str, float], where: str, who: str) -> None:
        """Raise NonFiniteLoss, naming the terms that blew up, unless the loss is finite."""
        if math.isfinite(terms["loss"]):
            return
        bad = tuple(
            name for name, value in terms.items() if name != "loss" and not math.isfinite(value)
        )
        what = ", ".join(f"{name} is {terms[name]}" for name in bad)
        raise NonFiniteLoss(
            f"the loss became {terms['loss']} {where}: {what}; the parameters are as {who} them: "
            f"{self._advice(bad)}"
        )


class _Stop:
    """Whether a Ctrl-C has asked for the end; not an Event, whose lock a second one within the first waits for."""

    asked = False

    def is_set(self) -> bool:
        return self.asked


@contextmanager
def _interrupts() -> Iterator[_Stop]:
    """What the first Ctrl-C sets, so that a step is never cut in half; the second raises."""
    stop = _Stop()
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
