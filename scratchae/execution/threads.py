"""One step over several shards of a batch, on threads.

Shards cut the batch: each has its own activations and gradient vector and shares the values. They decide
the bits. Threads only execute them: any number gives the same bits. With S shards of the rows B_s,

    total = sum_s (sums over B_s)              added in shard order                     (1)
    G_s = gradient of count * loss through the rows B_s, given total                    (2)
    theta <- optimiser(theta, sum_s G_s / count)                                        (3)

(1) stands between forward and backward, so an objective need not be a sum over examples. Where it is one, its
gradient does not read total, and a shard takes its rows in blocks, each forward and backward at once, while
activations are still in the cache; the first block assigns the gradient, the others add to it.
"""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from .pool import ThreadPool

GRAIN = 32  # parameters: parts of the flat vector start on multiples of 128 bytes
BLOCK_BYTES = (
    6_000_000  # of activations and their gradients, for the rows that go through a model at once
)


class Trainable(Protocol):
    """What a runner asks of a model: parameters (n,), and replicas of its objective. Source: none, a protocol."""

    parameters: Any
    backend: Backend
    objective: Any

    def replica(self, rows: int, grads: Array | None = None) -> Any: ...


def default_shards(batch_size: int, backend: str = "numpy") -> int:
    """How many shards a batch is cut into, from its size alone, so that bits do not depend on the machine.

    On the GPU ("cupy") it stays whole.

    Shapes: none. Source: docs/design.md, "Shards".
    """
    if backend == "cupy":
        return 1
    return 1 if batch_size < 32 else 2 if batch_size < 1024 else 4


class ThreadRunner:
    """Replicas of a model, one for each shard, and the threads that run them.

    batch_size: the largest batch (N,). Gradients are (S, n). Use it as a context manager: leaving it ends
    the threads. Inside it BLAS is held to one thread, since parallelism is over the batch.
    Source: the module.
    """

    def __init__(
        self,
        model: Trainable,
        batch_size: int,
        shards: int | None = None,
        threads: int | None = None,
    ):
        self.shards = min(
            positive("shards", default_shards(batch_size) if shards is None else shards),
            batch_size,
        )
        self.threads = min(
            positive("threads", (os.cpu_count() or 1) if threads is None else threads), self.shards
        )
        self.rows = -(-batch_size // self.shards)
        self.model = model
        self.backend = model.backend
        self.objective = model.objective
        self.block = self._block()
        self.values = model.parameters.values
        self.grads = self.backend.zeros((self.shards, self.values.size))
        self.replicas = [model.replica(self.block, self.grads[s]) for s in range(self.shards)]
        self.clock = self.backend.zeros((4,), np.uint32)
        step = max(1, -(-self.values.size // (self.shards * GRAIN))) * GRAIN
        n = self.values.size
        self.parts = [slice(i, min(i + step, n)) for i in range(0, n, step)]
        self.active = self.shards

    def __enter__(self) -> "ThreadRunner":
        from threadpoolctl import threadpool_limits

        with ExitStack() as stack:
            stack.enter_context(threadpool_limits(1, "blas"))
            self._each = stack.enter_context(ThreadPool(self.threads)).each
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def feeds(self, source: Any) -> list[Any]:
        """A feed of that source for each shard. Shapes: (rows, *shape) each. Source: datasets/sources.py."""
        return [source.feed(self.backend, self.block) for _ in self.replicas]

    def set_clock(self, clock: np.ndarray) -> None:
        """Let the noise of the next steps be that of a clock (4,). Source: kernels/philox.py."""
        self.backend.write(self.clock, clock)

    def steps(
        self,
        feeds: list[Any],
        order: np.ndarray,
        batch_size: int,
        optimizer: Any,
        stop: Callable[[], bool],
    ) -> Generator[np.ndarray, None, None]:
        """Train on the examples order (n,), a batch a step, until stop() -> the total (k,) of each step.

        A step whose loss is not finite changes no parameter. Source: the module."""
        for i in range(0, len(order), batch_size):
            total = self.gradients(feeds, order[i : i + batch_size])
            if np.isfinite(total).all() and np.isfinite(self.objective.loss(total)["loss"]):
                self.update(optimizer, total)
            yield total
            if stop():
                return

    def kept(self, total: np.ndarray) -> bool:
        """Whether the parameters are those before the step of that total (k,), whose loss is not finite.

        Source: ``steps``."""
        return True

    def measure(self, feeds: list[Any], n: int, batch_size: int) -> np.ndarray:
        """The total (k,) of all n examples, in batches. Source: the module, (1)."""
        rows = np.arange(n, dtype=np.uint32)
        return np.sum(
            [self.forward(feeds, rows[i : i + batch_size]) for i in range(0, n, batch_size)],
            axis=0,
        )

    def forward(self, feeds: list[Any], rows: np.ndarray) -> np.ndarray:
        """The examples rows (N,) uint32 through every replica -> total, float64, the count first.

        Source: the module, (1)."""
        shards = self._cut(rows, self.shards)
        sums = self._each(
            "forward", lambda s: self._through(s, feeds[s], shards[s], False), len(shards)
        )
        return np.sum(sums, axis=0)  # (1)

    def gradients(self, feeds: list[Any], rows: np.ndarray) -> np.ndarray:
        """Fill the gradients (S, n) of the examples rows (N,) uint32 -> total, as from ``forward``.

        Source: the module, (1) and (2)."""
        shards = self._cut(rows, self.shards)
        self.active = len(shards)
        blocks = self.objective.additive
        sums = self._each(
            "gradients", lambda s: self._through(s, feeds[s], shards[s], blocks), self.active
        )
        total = np.sum(sums, axis=0)  # (1)
        if not blocks:
            self._each("backward", lambda s: self.replicas[s].backward(total), self.active)  # (2)
        return total

    def _through(self, s: int, feed: Any, rows: np.ndarray, backward: bool) -> np.ndarray:
        """The rows of one shard through its replica, block by block -> their sums."""
        replica, sums = self.replicas[s], []
        for k, block in enumerate(self._cut(rows, -(-len(rows) // self.block))):
            index = self.backend.share(block)
            x = feed.fill(index, self.clock)
            replica.draw(index, self.clock)
            sums.append(replica.forward(x, x).copy())
            if backward:
                replica.accumulate(k > 0)
                replica.backward(sums[-1])  # (2)
        return np.sum(sums, axis=0)

    @staticmethod
    def _cut(rows: np.ndarray, parts: int) -> list[np.ndarray]:
        """(N,) -> at most that many parts of equal length, the last perhaps shorter."""
        size = -(-len(rows) // parts)
        return [rows[i : i + size] for i in range(0, len(rows), size)]

    def _block(self) -> int:
        """How many rows of a shard go through at once: equal blocks, of as many as BLOCK_BYTES hold."""
        if not self.objective.additive:
            return self.rows
        fit = max(1, BLOCK_BYTES // (self.objective.numbers() * self.backend.dtype.itemsize))
        return -(-self.rows // -(-self.rows // fit))

    def update(self, optimizer: Any, total: np.ndarray) -> None:
        """One step of the optimiser on the values (n,). Source: the module, (3)."""
        optimizer.tick(total)
        grads = self.grads[: self.active]
        self._each(
            "update",
            lambda i: optimizer.update(self.values, grads, self.parts[i]),
            len(self.parts),
        )  # (3)
