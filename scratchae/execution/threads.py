"""One step over several shards of a batch, on threads.

Shards cut the batch: each has its own activations and gradient vector and shares the values. They
decide the bits. Threads only execute them: any number gives the same bits. Threads that are left
over share a shard's large products, by slices of their rows or columns. With S shards of the rows
B_s,

    total = sum_s (sums over B_s)              added in shard order                     (1)
    G_s = gradient of count * loss through the rows B_s, given total                    (2)
    theta <- optimiser(theta, sum_s G_s / count)                                        (3)

(1) stands between forward and backward, so an objective need not be a sum over examples. Where it
is one, its gradient does not read total, and a shard takes its rows in blocks, each forward and
backward at once, while activations are still in the cache; the first block assigns the gradient,
the others add to it.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import numpy as np

from ..backend import Backend
from ..backend.blas import one_blas_thread
from ..backend.numpy import MOST
from .clipping import Clipping
from .pool import ThreadPool
from .shards import PART, blocks_of, cut, parts_of, shards_of, threads_of
from .step import Step, batch, judged


class ThreadRunner:
    """Replicas of a model, one for each shard, and the threads that run them.

    batch_size: the largest batch (N,). clip: the largest norm of a step's gradient, or None.
    Gradients are (S, n). Use it as a context manager: leaving it ends the threads. Inside it BLAS
    is held to one thread, since parallelism is over the batch.
    Source: the module; runner.py, the protocol.
    """

    ahead = False

    def __init__(
        self,
        model: Any,
        batch_size: int,
        shards: int | None = None,
        threads: int | None = None,
        clip: float | None = None,
    ):
        self.backend: Backend = model.backend
        self.objective = model.objective
        self.shards = shards_of(model, batch_size, shards)
        self.threads = threads_of(threads)
        self.rows = -(-batch_size // self.shards)
        self.values = model.parameters.values
        self.block = self._block()
        self.grads = self.backend.zeros((self.shards, self.values.size))
        self.replicas = [model.replica(self.block, self.grads[s]) for s in range(self.shards)]
        self.clock = self.backend.zeros((4,), np.uint32)
        self.frozen = self.objective.frozen()
        parts = max(self.shards, self.values.size // PART)
        self.parts = parts_of(model.parameters.slices(self.frozen), parts)
        self.clipping = None if clip is None else Clipping(self.backend, self.parts, clip)
        self.active = self.shards  # shards of the batch at hand: a small one has fewer
        self._row: tuple[float, ...] = ()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(one_blas_thread())
            # they end last: where the caller is interrupted, others may be within a product
            self._lanes = [self._lanes_of(stack) for _ in range(self.shards)]
            most = max(self.shards, len(self.parts))  # of tasks at one time
            self._each = stack.enter_context(ThreadPool(min(self.threads, most))).each
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def _lanes_of(self, stack: ExitStack) -> ThreadPool | None:
        """The threads that share a shard's large products, if there are more than shards: as many
        as a product has slices."""
        lanes = min(self.threads // self.shards, MOST)
        return stack.enter_context(ThreadPool(lanes)) if lanes > 1 else None

    def feeds(self, source: Any) -> list[Any]:
        """A feed of that source for each shard. Shapes: (rows, *shape) each. Source:
        datasets/sources.py."""
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
    ) -> Generator[Step, None, None]:
        """Train on the examples order (n,), a batch a step, until stop(). A step that is not
        finite is not taken."""
        for i in range(0, len(order), batch_size):
            t = optimizer.t + 1
            self._set_row(t)
            total = self.gradients(feeds, order[i : i + batch_size])
            step = judged(self.objective, t, total, np.isfinite(total).all())
            if step.finite:
                self.update(optimizer, step.total)
            yield step
            if stop():
                return

    def measure(self, feeds: list[Any], n: int, batch_size: int) -> np.ndarray:
        """The total (k,) of all n examples, in batches. Source: the module, (1)."""
        rows = np.arange(n, dtype=np.uint32)
        totals = [self.forward(feeds, rows[i : i + batch_size]) for i in range(0, n, batch_size)]
        return np.sum(totals, axis=0)

    def forward(self, feeds: list[Any], rows: np.ndarray) -> np.ndarray:
        """The examples rows (N,) uint32 through every replica -> total, float64, the count first.

        Source: the module, (1)."""
        shards = cut(rows, self.shards)
        sums = self._each(
            "forward", lambda s: self._through(s, feeds[s], shards[s], False), len(shards)
        )
        return np.sum(sums, axis=0)  # (1)

    def gradients(self, feeds: list[Any], rows: np.ndarray) -> np.ndarray:
        """Fill the gradients (S, n) of the examples rows (N,) uint32 -> total, as from
        ``forward``.

        Source: the module, (1) and (2)."""
        shards = cut(rows, self.shards)
        self.active = len(shards)
        blocks = self.objective.additive
        sums = self._each(
            "gradients", lambda s: self._through(s, feeds[s], shards[s], blocks), self.active
        )
        total = np.sum(sums, axis=0)  # (1)
        if not blocks:
            self._each("backward", lambda s: self._backward(s, total), self.active)  # (2)
        return total

    @contextmanager
    def _lent(self, s: int) -> Iterator[None]:
        """That shard's threads share large products, and none afterwards: a callback may fork a
        child, in which there are no such threads."""
        self.backend.lend(self._lanes[s])
        try:
            yield
        finally:
            self.backend.lend(None)

    def _backward(self, s: int, total: np.ndarray) -> None:
        with self._lent(s):
            self.replicas[s].backward(total)  # (2)

    def update(self, optimizer: Any, total: np.ndarray) -> None:
        """One step of the optimiser on the values (n,). Source: the module, (3)."""
        optimizer.tick(total)
        grads, clipping = self.grads[: self.active], self.clipping
        if clipping is not None:
            self._each("clip", lambda i: clipping.measure(i, grads), len(self.parts))
            clipping.scale(optimizer.row)

        def update(i: int) -> None:
            optimizer.update(self.values, grads, self.parts[i])  # (3)

        self._each("update", update, len(self.parts))

    def _set_row(self, t: int) -> None:
        """Let every replica read the numbers of step t."""
        row = self.objective.constants(t)
        if row != self._row:
            for replica in self.replicas:
                self.backend.write(replica.row, row)
            self._row = row

    def _through(self, s: int, feed: Any, rows: np.ndarray, backward: bool) -> np.ndarray:
        """The rows of one shard through its replica, block by block -> their sums."""
        replica, sums = self.replicas[s], []
        with self._lent(s):
            for k, block in enumerate(cut(rows, -(-len(rows) // self.block))):
                index = self.backend.share(block)
                x = batch(feed, index, self.clock, replica)
                sums.append(replica.forward(x).copy())
                if backward:
                    replica.accumulate(k > 0)
                    replica.backward(sums[-1])  # (2), in blocks: it reads no total
        return np.sum(sums, axis=0)

    def _block(self) -> int:
        """How many rows of a shard go through at once: equal blocks, as many as blocks_of says."""
        if not self.objective.additive:
            return self.rows
        itemsize = self.backend.dtype.itemsize
        activations = self.rows * self.objective.numbers() * itemsize
        return -(-self.rows // blocks_of(activations, self.values.size * itemsize))
