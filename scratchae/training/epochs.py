"""One epoch after the other: every example once, the terms averaged, a loss that is not finite put
into words."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from typing import Any, Self

import numpy as np

from .. import randomness
from ..execution.clipping import all_finite
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
    manager.

    watched: whether somebody looks on after each step, and may change numbers or layers then: the
    steps are then handed to the runner one by one."""

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        source: Any,
        held: Any,
        *,
        batch_size: int,
        shards: int | None,
        threads: int | None,
        seed: int,
        clip: float | None,
        watched: bool,
    ):
        self.model, self.optimizer, self.source, self.held = model, optimizer, source, held
        self.batch_size, self.shards, self.threads, self.seed = batch_size, shards, threads, seed
        self.clip, self.watched = clip, watched
        self._drawn = 0, np.zeros(0, np.uint32)  # an epoch, from 1 on, and its order
        self.begun = False  # whoever made this has looked at the data
        self.runner = self._new_runner()

    def _new_runner(self) -> Runner:
        return runner_for(self.model, self.batch_size, self.shards, self.threads, self.clip)

    def __enter__(self) -> Self:
        self.optimizer.start(self.model.parameters)
        self._start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.runner.__exit__(*error)
        if error[0] is None and self.begun:
            self._look_again(self.source, "data")

    def _start(self) -> None:
        with ExitStack() as stack:  # a feed may not fit into memory: the runner is left then
            stack.enter_context(self.runner)
            self.feeds = self.runner.feeds(self.source)
            self.held_feeds = None if self.held is None else self.runner.feeds(self.held)
            stack.pop_all()

    def _follow_frozen_layers(self) -> None:
        """Another runner, where layers were frozen or set free: its buffers are others."""
        if self.runner.frozen != self.model.objective.frozen():
            require_parameters(self.model)
            self.runner.__exit__(None, None, None)
            self.runner = self._new_runner()
            self._start()

    def _look_again(self, source: Any, what: str) -> None:
        """Raise ValueError where the data is no more what the likelihood takes."""
        try:
            source.check(self.model.objective.likelihood)
        except ValueError as error:
            raise ValueError(f"the {what} was changed during the training: {error}") from None

    @property
    def batches(self) -> int:
        """How many steps an epoch has."""
        return -(-len(self.source) // self.batch_size)

    @property
    def next(self) -> int:
        """The number of the next epoch: that of the model's run, whoever trained it before."""
        return self.model.objective.epoch + 1

    def steps(self, stop: Callable[[], bool]) -> Generator[Step, None, None]:
        """The steps of the next epoch, every example once, or until stop(). Then ``record``.

        Raises NonFiniteLoss. Source: Kingma and Welling 2014, Algorithm 1."""
        if self.begun:
            self._look_again(self.source, "data")
        self.begun = True
        epoch, self.began = self.next, time.perf_counter()
        self.mean = Mean(self.model.objective, self.watched)
        order = self._order(epoch)
        length = self.batch_size if self.watched else len(order)
        for i in range(0, len(order), length):
            self._follow_frozen_layers()
            self.runner.set_clock(randomness.clock(self.seed, epoch))
            part = order[i : i + length]
            with closing(
                self.runner.steps(self.feeds, part, self.batch_size, self.optimizer, stop)
            ) as steps:
                for step in steps:
                    if not step.finite:
                        raise self._not_finite(step, f"at step {step.t} (epoch {epoch})")
                    self.mean.add(step)
                    if self.runner.ahead:  # the host has time
                        self._order(epoch + 1)
                    yield step
                    self.require_this_build()
            if stop():
                break

    def _order(self, epoch: int) -> np.ndarray:
        """The order (n,) of an epoch, drawn when it is asked for first."""
        if self._drawn[0] != epoch:
            self._drawn = epoch, randomness.permutation(len(self.source), self.seed, epoch)
        return self._drawn[1]

    def record(self) -> dict[str, Any] | None:
        """The record of the epoch whose steps were taken, which counts from here on; None where
        it was not finished."""
        epoch, n = self.next, len(self.source)
        self._require_finite_state(epoch)
        if self.mean.count < n:
            return None
        if not self.watched:
            self.mean.columns = self.model.objective.columns(self.model.objective.t)
        seconds = time.perf_counter() - self.began
        record = {"epoch": epoch} | {f"train_{k}": v for k, v in self.mean.terms().items()}
        record |= self.mean.columns
        record |= {"seconds": seconds, "examples_per_second": n / seconds}
        record |= self._held_out(epoch)
        self.model.objective.epoch = epoch
        return record

    def require_this_build(self) -> None:
        """Raise RuntimeError where the model that is trained was built again."""
        if self.model.parameters is not self.optimizer.owner:
            raise RuntimeError(
                "the model was built again while it was trained: build it before the training"
            )

    def _held_out(self, epoch: int) -> dict[str, float]:
        if self.held is None:
            return {}
        self._look_again(self.held, "validation data")
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
        taken = step.t > 1 or len(step.total) == 0
        return NonFiniteLoss(
            f"the loss became {step.terms['loss']} {where}: {what}; the parameters {state}: "
            f"{self._advice(bad, taken)}"
        )

    def _advice(self, bad: list[str], taken: bool = True) -> str:
        """What to try where those terms blew up; taken: whether any step was."""
        penalty = getattr(self.runner.objective, "penalty", None)
        if penalty is not None and penalty.advice and bad == ["penalty"]:
            return penalty.advice
        # a schedule need not give a later one
        rate = f"{self.optimizer.rate(max(self.optimizer.t, 1)):g}"
        ways = [f"a learning rate below {rate}"] if taken else []
        heavy = penalty is not None and penalty.weight > 0 and (taken or "penalty" in bad)
        ways += ["a lighter penalty"] if heavy else []
        tried = f"try {', '.join(ways)}, " if ways else ""
        return (
            f"{tried}check that the data is scaled to about 1, or start from smaller initial "
            "weights"
        )

    def _require_finite_state(self, epoch: int) -> None:
        """Raise NonFiniteLoss where a step since the last loss has spoiled the parameters or the
        optimiser."""
        for name, vector in {"parameters": self.runner.values, **self.optimizer.vectors}.items():
            if not all_finite(self.runner.backend, vector):
                where = f"after epoch {epoch}: {self._advice([])}"
                raise NonFiniteLoss(f"the vector of {name} is no longer finite {where}")


class Mean:
    """The terms of an epoch, averaged over its examples.

    Where loss is a function of sums over examples, and the same at each step, it is that of the
    sums over the whole epoch; else each step's terms count as often as the step has examples.
    columns: the numbers of the last step, which the record has beside the terms. watched: whether
    numbers of the objective may change between its steps."""

    def __init__(self, objective: Any, watched: bool = False):
        self.objective, self.watched, self.count = objective, watched, 0
        self.numbers = self._numbers() if watched else ()
        self.of_sums = objective.additive and not scheduled(objective)
        self.total, self.sums = np.zeros(0), dict[str, float]()
        self.columns = dict[str, float]()

    def add(self, step: Step) -> None:
        """One more step. Shapes: its total (k,)."""
        n = float(step.total[0])
        self.count += int(n)
        if self.watched:
            self.of_sums &= self._numbers() == self.numbers
            self.columns = self.objective.columns(step.t)  # whoever looks on may change them
        if self.of_sums:
            self.total = self.total + step.total if len(self.total) else step.total
        if self.watched or not self.of_sums:
            self.sums = {k: self.sums.get(k, 0.0) + n * v for k, v in step.terms.items()}

    def _numbers(self) -> tuple[Any, ...]:
        return self.objective.scalars(), self.objective.constants(1)

    def terms(self) -> dict[str, float]:
        """In nats per example."""
        if self.of_sums:
            return self.objective.loss(self.total)
        return {name: value / self.count for name, value in self.sums.items()}
