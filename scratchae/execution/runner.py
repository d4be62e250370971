"""Which runner carries out the steps of a model, and the terms of held-out data by one."""

from typing import Any

from .. import randomness
from .graphs import GraphRunner
from .threads import ThreadRunner, Trainable


def runner_for(
    model: Trainable, batch_size: int, shards: int | None = None, threads: int | None = None
) -> ThreadRunner:
    """The runner for a model's backend, batches up to (N,). Raises as ThreadRunner and GraphRunner. Source: the module."""
    kind = GraphRunner if model.backend.name == "cupy" else ThreadRunner
    return kind(model, batch_size, shards, threads)


def held_out(
    runner: ThreadRunner, feeds: Any, n: int, batch_size: int, seed: int
) -> dict[str, float]:
    """The terms over all n examples of the feeds, by a runner that exists. Shapes: none. Source: ``evaluate``."""
    runner.set_clock(randomness.clock(seed, purpose=randomness.EVALUATION))
    return runner.objective.loss(runner.measure(feeds, n, batch_size))
