"""One epoch after the other: every example once, the terms averaged, a loss that is not finite put
into words."""

import math
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Self

import numpy as np

from .. import randomness
from ..execution.runner import Runner, held_out, runner_for
from ..execution.step import Step
from ..settings import scheduled


class NonFiniteLoss(ArithmeticError):
    """A loss became NaN or infinite; the message says at which step, in which term, and what to
    try."""


def require_parameters(model: Any) -> None:
    """Raise ValueError for a model that has nothing to train."""
    if not model.parameters.slices(model.objective.frozen()):
        why = "every layer with parameters is frozen: set trainable = True in one"
        if model.parameters.size == 0:
            why = "it has none: give it a layer such as Dense"
        raise ValueError(f"this {type(model).__name__} has no parameters to train: {why}")


class Epochs:
    """The epochs of one run: what stays the same from one to the next. Use it as a context
    manager."""

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        source: Any,
        held: Any,
        batch_size: int,
        shards: int | None,
        threads: int | None,
        seed: int,
    ):
        self.model, self.optimizer, self.source, self.held = model, optimizer, source, held
        self.batch_size, self.shards, self.threads, self.seed = batch_size, shards, threads, seed
        self.runner = self._new_runner()

    def _new_runner(self) -> Runner:
        return runner_for(self.model, self.batch_size, self.shards, self.threads)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.runner.__exit__(*error)

    def _start(self) -> None:
        self.runner.__enter__()
        self.feeds = self.runner.feeds(self.source)
        self.held_feeds = None if self.held is None else self.runner.feeds(self.held)

    def _follow_frozen_layers(self) -> None:
        """Another runner, where a callback has frozen layers or set them free: its buffers are
        others."""
        if self.runner.frozen != self.model.objective.frozen():
            require_parameters(self.model)
            self.runner.__exit__(None, None, None)
            self.runner = self._new_runner()
            self._start()

    def epoch(
        self, epoch: int, stop: Callable[[], bool], tell: Callable[[float], None]
    ) -> dict[str, Any] | None:
        """Every example once -> the epoch's record, or None where stop() ended it. tell(loss)
        after each step.

        Raises NonFiniteLoss. Source: Kingma and Welling 2014, Algorithm 1."""
        self._follow_frozen_layers()
        began, n = time.perf_counter(), len(self.source)
        mean = Mean(self.runner.objective)
        order = randomness.permutation(n, self.seed, epoch)
        self.runner.set_clock(randomness.clock(self.seed, epoch))
        steps = self.runner.steps(self.feeds, order, self.batch_size, self.optimizer, stop)
        with closing(steps):
            for step in steps:
                if not step.finite:
                    raise self._not_finite(step, f"at step {step.t} (epoch {epoch})")
                mean.add(step)
                tell(step.terms["loss"])
        self._require_finite_state(epoch)
        if mean.count < n:
            return None
        seconds = time.perf_counter() - began
        record = {"epoch": epoch} | {f"train_{name}": v for name, v in mean.terms().items()}
        record |= {"seconds": seconds, "examples_per_second": n / seconds}
        return record | self._held_out(epoch)

    def _held_out(self, epoch: int) -> dict[str, float]:
        if self.held is None:
            return {}
        n = len(self.held)
        terms = held_out(self.runner, self.held_feeds, n, self.batch_size, self.seed)
        step = Step(self.optimizer.t, np.zeros(0), terms, math.isfinite(terms["loss"]), kept=False)
        if not step.finite:
            raise self._not_finite(step, f"on the validation data, after epoch {epoch}")
        return {f"test_{name}": value for name, value in terms.items()}

    def _not_finite(self, step: Step, where: str) -> NonFiniteLoss:
        """What happened, and what to try."""
        terms = {name: value for name, value in step.terms.items() if name != "loss"}
        bad = [name for name, value in terms.items() if not math.isfinite(value)]
        what = ", ".join(f"{name} is {terms[name]}" for name in bad)
        state = "are those before that step" if step.kept else "include the steps taken after it"
        if len(step.total) == 0:
            state = "are those after that epoch"
        return NonFiniteLoss(
            f"the loss became {step.terms['loss']} {where}: {what}; the parameters {state}: "
            f"{self._advice(bad)}"
        )

    def _advice(self, bad: list[str]) -> str:
        """What to try where those terms blew up."""
        penalty = getattr(self.runner.objective, "penalty", None)
        if penalty is not None and penalty.advice and bad == ["penalty"]:
            return penalty.advice
        # a schedule need not give a later one
        rate = self.optimizer.rate(max(self.optimizer.t, 1))
        lighter = "a lighter penalty, " if penalty is not None and penalty.weight > 0 else ""
        return (
            f"try a learning rate below {rate:g}, {lighter}check that the data is scaled to about "
            "1, or start from smaller initial weights"
        )

    def _require_finite_state(self, epoch: int) -> None:
        """Raise NonFiniteLoss where a step since the last loss has spoiled the parameters or the
        optimiser."""
        for name, vector in {"parameters": self.runner.values, **self.optimizer.vectors}.items():
            with np.errstate(invalid="ignore"):  # inf - inf
                total = self.runner.backend.to_host(vector).sum(dtype=np.float64)
            if not math.isfinite(total):
                raise NonFiniteLoss(
                    f"the vector of {name} is no longer finite after epoch {epoch}: "
                    f"{self._advice([])}"
                )


class Mean:
    """The terms of an epoch, averaged over its examples.

    Where loss is a function of sums over examples, and the same at each step, it is that of the
    sums over the whole epoch; else each step's terms count as often as the step has examples."""

    def __init__(self, objective: Any):
        self.objective, self.count = objective, 0
        self.of_sums = objective.additive and not scheduled(objective)
        self.total, self.sums = np.zeros(0), dict[str, float]()

    def add(self, step: Step) -> None:
        """One more step. Shapes: its total (k,)."""
        n = float(step.total[0])
        self.count += int(n)
        if self.of_sums:
            self.total = self.total + step.total if len(self.total) else step.total
        else:
            self.sums = {k: self.sums.get(k, 0.0) + n * v for k, v in step.terms.items()}

    def terms(self) -> dict[str, float]:
        """In nats per example."""
        if self.of_sums:
            return self.objective.loss(self.total)
        return {name: value / self.count for name, value in self.sums.items()}
