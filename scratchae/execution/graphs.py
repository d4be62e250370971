"""Training on the GPU: one step is one CUDA graph, recorded once for each size of batch and replayed.

A graph freezes what a launch was given: addresses, sizes, numbers. What changes from step to step therefore lies in
device memory, at addresses that stay: the order of the epoch, the number of the step, the clock of the random
numbers, and a schedule with a row of constants (1 / count, learning rate, ...) for each step of the epoch. A step

    rows    = order[step * batch + n]                                                   (1)
    sums    = forward pass over the rows, shard by shard                                (2)
    total   = sum over shards, into the ring; row = schedule[step]; step <- step + 1    (3)
    G       = backward pass, given total                                                (4)
    theta  <- optimiser(theta, G, row)                                                  (5)

reads nothing back. The sums of the last steps lie in a ring, which the host reads every RING steps: it hears so
late of a loss that is not finite. From that step on (3) halts the optimiser, so the parameters are all the same
those that the step before left.

The first step of each size runs as it is, which loads what is loaded on first use; the second is recorded.

Source: CUDA's programming guide, "CUDA graphs"; NVIDIA's blog "Getting started with CUDA graphs".
"""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..checks import positive
from ..kernels.batch import TAKE
from ..kernels.step import ADVANCE
from .memory import require_memory
from .recording import RING, DeviceEpoch
from .threads import ThreadRunner, Trainable, default_shards


class GraphRunner(ThreadRunner):
    """A runner whose shards take turns on one GPU, and whose steps are graphs.

    batch_size: the largest batch (N,). Shards default to one. Raises MemoryError, before anything is made,
    where the batch does not fit into the GPU's memory. Source: the module.
    """

    def __init__(
        self,
        model: Trainable,
        batch_size: int,
        shards: int | None = None,
        threads: int | None = None,
    ):
        shards = positive(
            "shards", default_shards(batch_size, "cupy") if shards is None else shards
        )
        require_memory(model, batch_size, min(shards, batch_size))
        super().__init__(model, batch_size, shards, threads)
        self.threads = 1
        sums = self.backend.zeros((self.shards, self.replicas[0].sums.size), np.float64)
        for s, replica in enumerate(self.replicas):
            replica.sums = sums[s]
        self.sums, self.total = sums, self.backend.zeros((sums.shape[1],), np.float64)
        self.index = [self.backend.empty((self.rows,), np.uint32) for _ in self.replicas]
        self.nothing = self.backend.zeros((1,))
        self.take, self.advance = self.backend.op(TAKE), self.backend.op(ADVANCE)

    def __enter__(self) -> "GraphRunner":
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing to end: the stream stays the backend's."""

    def kept(self, total: np.ndarray) -> bool:
        """As ThreadRunner.kept: only a sum that is not finite halts the steps after it; total (k,). Source: the module."""
        return not np.isfinite(total).all()

    def _block(self) -> int:
        return self.rows

    def feeds(self, source: Any) -> Any:
        """A pass over that source. Shapes: none. Source: the module."""
        return DeviceEpoch(self, source)

    def steps(
        self,
        feeds: Any,
        order: np.ndarray,
        batch_size: int,
        optimizer: Any,
        stop: Callable[[], bool],
    ) -> Generator[np.ndarray, None, None]:
        """As ThreadRunner.steps, the totals RING at a time; order (n,), totals (k,). Source: the module."""
        feeds.begin(order, optimizer.schedule(_counts(len(order), batch_size)))

        def train(N: int) -> None:
            self._train(feeds, N, batch_size, optimizer)

        before = optimizer.t
        try:
            for total in self._walk(
                ("train", *optimizer.constants()), feeds, order, batch_size, train, stop
            ):
                if np.isfinite(total).all():
                    optimizer.t += 1
                yield total
        finally:  # steps that were taken count, also those whose totals nobody has asked for
            steps, halted = self.backend.to_host(feeds.state).tolist()
            if not halted:
                optimizer.t = before + steps

    def measure(self, feeds: Any, n: int, batch_size: int) -> np.ndarray:
        """As ThreadRunner.measure: total (k,) over all n examples. Source: the module."""
        order = np.arange(n, dtype=np.uint32)
        feeds.begin(order, np.zeros((len(_counts(n, batch_size)), 1)))

        def measure(N: int) -> None:
            self._forward(feeds, N, batch_size, self.nothing)

        return np.sum(
            list(self._walk("measure", feeds, order, batch_size, measure, lambda: False)), axis=0
        )

    def forward(self, feeds: Any, rows: np.ndarray) -> np.ndarray:
        """As ThreadRunner.forward, one batch rows (N,) by itself -> total (k,). Source: the module."""
        self._alone(feeds, rows)
        return self.backend.to_host(self.total)

    def gradients(self, feeds: Any, rows: np.ndarray) -> np.ndarray:
        """As ThreadRunner.gradients, one batch rows (N,) by itself -> total (k,). Source: the module."""
        self._alone(feeds, rows)
        self._backward(len(rows))
        return self.backend.to_host(self.total)

    def update(self, optimizer: Any, total: np.ndarray) -> None:
        """As ThreadRunner.update, for the gradients (S, n) of one batch. Source: the module, (5)."""
        optimizer.tick(total)
        optimizer.update(self.values, self.grads[: self.active], slice(0, self.values.size))

    def _alone(self, feeds: Any, rows: np.ndarray) -> None:
        feeds.begin(rows, np.zeros((1, 1)))
        self._bring(feeds, rows)
        self._forward(feeds, len(rows), len(rows), self.nothing)

    def _bring(self, feeds: Any, rows: np.ndarray) -> None:
        for feed, (first, count) in zip(feeds.feeds, self._spans(len(rows)), strict=False):
            if hasattr(feed, "table"):
                feed.table.bring(rows[first : first + count])

    def _walk(
        self,
        what: Any,
        feeds: Any,
        order: np.ndarray,
        batch_size: int,
        body: Callable[[int], None],
        stop: Callable[[], bool],
    ) -> Iterator[np.ndarray]:
        """body(N) for each batch of N rows, as a graph; the totals (k,) of the steps done, in order."""
        counts, unread = _counts(len(order), batch_size), 0
        for step, N in enumerate(counts, 1):
            self._bring(feeds, order[(step - 1) * batch_size :][:N])
            feeds.recorder.run((what, N), partial(body, N))
            unread += 1
            ended = stop() or step == len(counts)
            if unread == RING or ended:
                yield from self.backend.to_host(feeds.ring)[:unread]
                unread = 0
            if ended:
                return

    def _spans(self, N: int) -> list[tuple[int, int]]:
        """(first row, number of rows) of each shard of a batch of N."""
        rows = -(-N // self.shards)
        return [(first, min(rows, N - first)) for first in range(0, N, rows)]

    def _forward(self, feeds: Any, N: int, batch_size: int, row: Any) -> None:
        spans = self._spans(N)
        for s, (first, count) in enumerate(spans):
            rows, replica = self.index[s][:count], self.replicas[s]
            self.take(rows, feeds.order, feeds.state, first, batch_size)  # (1)
            x = feeds.feeds[s].fill(rows, self.clock)
            replica.draw(rows, self.clock)
            if replica.forward(x, x) is not replica.sums:  # (2)
                raise TypeError(
                    f"{type(replica).__name__}.forward is to fill self.sums and to return it"
                )
        active = self.sums[: len(spans)]
        self.advance(feeds.ring, self.total, row, feeds.state, active, feeds.schedule)  # (3)

    def _backward(self, N: int) -> None:
        self.active = len(self._spans(N))
        for replica in self.replicas[: self.active]:
            replica.backward(self.total)  # (4)

    def _train(self, feeds: Any, N: int, batch_size: int, optimizer: Any) -> None:
        self._forward(feeds, N, batch_size, optimizer.row)
        self._backward(N)
        optimizer.update(self.values, self.grads[: self.active], slice(0, self.values.size))  # (5)


def _counts(n: int, batch_size: int) -> list[int]:
    """The sizes of the batches of n examples."""
    return [min(batch_size, n - i) for i in range(0, n, batch_size)]
