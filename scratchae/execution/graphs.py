"""Training on the GPU: one step is one CUDA graph, recorded once for each size of batch and
replayed.

A graph freezes what a launch was given: addresses, sizes, numbers. What changes from step to step
therefore lies in device memory, at addresses that stay: the order of the epoch, the number of the
step, the clock of the random numbers, and a schedule with a row of numbers (1 / count, learning
rate, beta, ...) for each step of the epoch. A step

    rows    = order[step * batch + n]                                                   (1)
    sums    = forward pass over the rows, shard by shard                                (2)
    total   = sum over shards, into the ring; row = schedule[step]; step <- step + 1    (3)
    G       = backward pass, given total                                                (4)
    theta  <- optimiser(theta, G, row)                                                  (5)

reads nothing back. The sums of the last steps lie in a ring of two halves, READ steps each. The
host launches a half, then reads the one before it: the GPU never waits for the host, which hears
so late of a loss that is not finite. From that step on (3) halts the optimiser, so the parameters
are all the same those that the step before left.

The first step of each size runs as it is, which loads what is loaded on first use; the second is
recorded.

Source: CUDA's programming guide, "CUDA graphs"; NVIDIA's blog "Getting started with CUDA graphs".
"""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, Self

import numpy as np

from ..datasets.sources import bring
from ..kernels.batch import TAKE
from ..kernels.step import ADVANCE
from .clipping import Clipping
from .memory import require_memory
from .recording import READ, DeviceEpoch
from .shards import batches, shards_of, threads_of
from .step import Step, batch, judged


class GraphRunner:
    """Replicas of a model, one for each shard, that take turns on one GPU, and whose steps are
    graphs.

    batch_size: the largest batch (N,). Raises MemoryError, before anything is made, where the
    batch does not fit into the GPU's memory. threads: checked, and of no use here. Source: the
    module; runner.py, the protocol.
    """

    ahead = True

    def __init__(
        self,
        model: Any,
        batch_size: int,
        shards: int | None = None,
        threads: int | None = None,
        clip: float | None = None,
    ):
        self.backend, self.objective = model.backend, model.objective
        self.shards = shards_of(model, batch_size, shards)
        threads_of(threads)  # refused where it is no number; one thread launches
        self.threads = 1
        require_memory(model, batch_size, self.shards)
        self.rows = -(-batch_size // self.shards)
        self.values = model.parameters.values
        self.grads = self.backend.zeros((self.shards, self.values.size))
        self.replicas = [model.replica(self.rows, self.grads[s]) for s in range(self.shards)]
        self.clock = self.backend.zeros((4,), np.uint32)
        self.frozen = self.objective.frozen()
        self.parts = model.parameters.slices(self.frozen)
        self.clipping = None if clip is None else Clipping(self.backend, self.parts, clip)
        self.active = self.shards
        self._place_sums()

    def _place_sums(self) -> None:
        """Sums of all shards (S, k) in one array, their total (k,), and the rows (N,) of each
        shard."""
        shape = (self.shards, self.replicas[0].sums.size)
        self.sums = self.backend.zeros(shape, np.float64)
        for s, replica in enumerate(self.replicas):
            replica.sums = self.sums[s]
        self.total = self.backend.zeros((shape[1],), np.float64)
        self.index = [self.backend.empty((self.rows,), np.uint32) for _ in self.replicas]
        self.take, self.advance = self.backend.op(TAKE), self.backend.op(ADVANCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing to end: the stream stays the backend's."""

    def feeds(self, source: Any) -> DeviceEpoch:
        """What an epoch over that source reads and writes. Source: recording.py."""
        return DeviceEpoch(self, source)

    def set_clock(self, clock: np.ndarray) -> None:
        """Let the noise of the next steps be that of a clock (4,). Source: kernels/philox.py."""
        self.backend.write(self.clock, clock)

    def steps(
        self,
        feeds: DeviceEpoch,
        order: np.ndarray,
        batch_size: int,
        optimizer: Any,
        stop: Callable[[], bool],
    ) -> Generator[Step, None, None]:
        """As ThreadRunner.steps, READ of them at a time; order (n,)."""
        before = optimizer.t
        feeds.begin(order, self._schedule(optimizer, batches(len(order), batch_size)))
        self._share_row(feeds.row, optimizer)

        def train(N: int) -> None:
            self._forward(feeds, N, batch_size)
            self._backward(N)
            self._update(optimizer)

        key = ("train", *optimizer.constants(), *self.objective.scalars())
        try:
            t = before
            for totals in self._walk(key, feeds, order, batch_size, train, stop):
                # where one is not, the device takes no later step
                for total, finite in zip(totals, np.isfinite(totals).all(axis=1), strict=True):
                    t += 1
                    optimizer.t += bool(finite)
                    yield judged(self.objective, t, total, finite, kept=not finite)
        finally:  # steps that were taken count, also those whose totals nobody has asked for
            steps, halted = self.backend.to_host(feeds.state).tolist()
            if not halted:
                optimizer.t = before + steps

    def measure(self, feeds: DeviceEpoch, n: int, batch_size: int) -> np.ndarray:
        """As ThreadRunner.measure: total (k,) over all n examples."""
        order = np.arange(n, dtype=np.uint32)
        feeds.begin(order, np.zeros((len(batches(n, batch_size)), 1)))

        def measure(N: int) -> None:
            self._forward(feeds, N, batch_size)

        key = ("measure", *self.objective.scalars())
        totals = self._walk(key, feeds, order, batch_size, measure, lambda: False)
        return np.sum(np.concatenate(list(totals)), axis=0)

    def forward(self, feeds: DeviceEpoch, rows: np.ndarray) -> np.ndarray:
        """As ThreadRunner.forward, one batch rows (N,) by itself -> total (k,)."""
        self._alone(feeds, rows)
        return self.backend.to_host(self.total)

    def gradients(self, feeds: DeviceEpoch, rows: np.ndarray) -> np.ndarray:
        """As ThreadRunner.gradients, one batch rows (N,) by itself -> total (k,)."""
        for replica in self.replicas:
            self.backend.write(replica.row, self.objective.constants(max(self.objective.t, 1)))
        self._alone(feeds, rows)
        self._backward(len(rows))
        return self.backend.to_host(self.total)

    def update(self, optimizer: Any, total: np.ndarray) -> None:
        """As ThreadRunner.update, for the gradients (S, n) of one batch. Source: the module,
        (5)."""
        optimizer.tick(total)
        self._update(optimizer)

    def _share_row(self, row: Any, optimizer: Any) -> None:
        """Let both read one array (j,) with the numbers of a step: the optimiser's first, then the
        objective's."""
        j = optimizer.row.size
        optimizer.row = row[:j]
        for replica in self.replicas:
            replica.row = row[j:]

    def _schedule(self, optimizer: Any, counts: list[int]) -> np.ndarray:
        """The row (j,) of each of the next steps, which have that many rows: (steps, j)."""
        first = optimizer.t + 1
        others = [self.objective.constants(first + i) for i in range(len(counts))]
        return np.hstack([optimizer.schedule(counts), np.array(others).reshape(len(counts), -1)])

    def _alone(self, feeds: DeviceEpoch, rows: np.ndarray) -> None:
        feeds.begin(rows, np.zeros((1, 1)))
        self._bring(feeds, rows)
        self._forward(feeds, len(rows), len(rows))

    def _bring(self, feeds: DeviceEpoch, rows: np.ndarray) -> None:
        for feed, (first, count) in zip(feeds.feeds, self._spans(len(rows)), strict=False):
            bring(feed, rows[first : first + count])

    def _walk(
        self,
        what: Any,
        feeds: DeviceEpoch,
        order: np.ndarray,
        batch_size: int,
        body: Callable[[int], None],
        stop: Callable[[], bool],
    ) -> Iterator[np.ndarray]:
        """body(N) for each batch of N rows, as a graph; the totals (READ or fewer, k) of the steps
        done, in order: those of a half while the next is at work."""
        counts, sent = batches(len(order), batch_size), None
        for step, N in enumerate(counts):
            self._bring(feeds, order[step * batch_size :][:N])
            feeds.recorder.run((what, N), partial(body, N))
            ended = stop() or step + 1 == len(counts)
            if (step + 1) % READ and not ended:
                continue
            half = feeds.ring.send(step), step % READ + 1
            if sent is not None:
                yield feeds.ring.read(*sent)
            sent = half
            if ended:
                yield feeds.ring.read(*sent)
                return

    def _spans(self, N: int) -> list[tuple[int, int]]:
        """(first row, number of rows) of each shard of a batch of N."""
        rows = -(-N // self.shards)
        return [(first, min(rows, N - first)) for first in range(0, N, rows)]

    def _forward(self, feeds: DeviceEpoch, N: int, batch_size: int) -> None:
        spans = self._spans(N)
        for s, (first, count) in enumerate(spans):
            rows, replica = self.index[s][:count], self.replicas[s]
            self.take(rows, feeds.order, feeds.state, first, batch_size)  # (1)
            x = batch(feeds.feeds[s], rows, self.clock, replica)
            if replica.forward(x) is not replica.sums:  # (2)
                raise TypeError(
                    f"{type(replica).__name__}.forward is to fill self.sums and to return it"
                )
        active = self.sums[: len(spans)]
        self.advance(
            feeds.ring.places, self.total, feeds.row, feeds.state, active, feeds.schedule
        )  # (3)

    def _backward(self, N: int) -> None:
        self.active = len(self._spans(N))
        for replica in self.replicas[: self.active]:
            replica.backward(self.total)  # (4)

    def _update(self, optimizer: Any) -> None:
        grads = self.grads[: self.active]
        if self.clipping is not None:
            for i in range(len(self.parts)):
                self.clipping.measure(i, grads)
            self.clipping.scale(optimizer.row)
        for part in self.parts:
            optimizer.update(self.values, grads, part)  # (5)
