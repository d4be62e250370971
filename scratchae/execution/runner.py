"""The protocol of a runner: how the steps of a model are carried out, and which runner does it.

Threads (threads.py) and CUDA graphs (graphs.py) stand beside one another; who trains or measures
knows neither.
"""

from collections.abc import Callable, Generator
from typing import Any, Protocol, Self

import numpy as np

from .. import randomness
from ..backend import Array, Backend
from .graphs import GraphRunner
from .step import Step
from .threads import ThreadRunner


class Trainable(Protocol):
    """What a runner asks of a model: parameters (n,), and replicas of its objective."""

    parameters: Any
    backend: Backend
    objective: Any

    def replica(self, rows: int, grads: Array | None = None) -> Any: ...


class Runner(Protocol):
    """What executes steps: a context within which feeds of data go through replicas of a model.

    objective: the model's, which computes the terms. values: its parameters (n,). frozen: the
    names of layers that it does not train. ahead: whether it is at work on later steps while
    whoever iterates over ``steps`` is handed one."""

    ahead: bool
    objective: Any
    backend: Backend
    values: Array
    frozen: tuple[str, ...]

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: Any) -> None: ...

    def feeds(self, source: Any) -> Any:
        """What brings the examples of that source into the replicas."""

    def set_clock(self, clock: np.ndarray) -> None:
        """Let the noise of the next steps be that of a clock (4,)."""

    def steps(
        self,
        feeds: Any,
        order: np.ndarray,
        batch_size: int,
        optimizer: Any,
        stop: Callable[[], bool],
    ) -> Generator[Step, None, None]:
        """Train on the examples order (n,), a batch a step, until stop()."""

    def measure(self, feeds: Any, n: int, batch_size: int) -> np.ndarray:
        """The total (k,) of all n examples, in batches."""


def runner_for(
    model: Trainable,
    batch_size: int,
    shards: int | None = None,
    threads: int | None = None,
    clip: float | None = None,
) -> Runner:
    """The runner for a model's backend, batches up to (N,); clip: the largest norm of a step's
    gradient. Raises as ThreadRunner and GraphRunner."""
    kind = GraphRunner if model.backend.spelling == "cuda" else ThreadRunner
    return kind(model, batch_size, shards, threads, clip)


def held_out(runner: Runner, feeds: Any, n: int, batch_size: int, seed: int) -> dict[str, float]:
    """The terms over all n examples of the feeds, by a runner that exists. Source:
    ``evaluate``."""
    runner.set_clock(randomness.clock(seed, purpose=randomness.EVALUATION))
    return runner.objective.loss(runner.measure(feeds, n, batch_size))
