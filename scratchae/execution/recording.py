"""Launches recorded as graphs, and what a pass over a data set keeps in device memory for them.

The first run of a sequence is as it is, which loads what is loaded on first use; the second is
recorded; from there on it is replayed. A graph freezes addresses and numbers, so what changes
between runs lies in arrays that stay.

Source: CUDA's programming guide, "CUDA graphs".
"""

from collections.abc import Callable
from typing import Any

import numpy as np

RING = 64  # steps between two looks at the sums


class Recorder:
    """Sequences of launches by key: run as they are, then recorded, then replayed.

    Source: the module."""

    def __init__(self, backend: Any):
        self.backend = backend
        self.graphs: dict[Any, Any] = {}

    def run(self, key: Any, body: Callable[[], None]) -> None:
        """body(), or the graph of it."""
        if key not in self.graphs or not self.backend.graph:
            with self.backend.stream:
                body()
            self.graphs[key] = None
            return
        if self.graphs[key] is None:
            self.graphs[key] = self.backend.capture(body)
        self.graphs[key].launch(self.backend.stream)


class DeviceEpoch:
    """A data set's way through a runner, over and over: what its steps read and write in device
    memory.

    order (n,), state (2,) = (step, halted), ring (RING, k), schedule (steps, j), row (j,). Source:
    the module.
    """

    def __init__(self, runner: Any, source: Any):
        self.backend: Any = runner.backend
        with self.backend.sharing():
            self.feeds = [source.feed(self.backend, runner.rows) for _ in runner.replicas]
        self.order = self.backend.empty((len(source),), np.uint32)
        self.state = self.backend.empty((2,), np.int32)
        self.ring = self.backend.empty((RING, runner.total.size), np.float64)
        self.schedule: Any = None

    def begin(self, order: np.ndarray, schedule: np.ndarray) -> None:
        """Start again at step 0: order (n or fewer,), schedule (steps, j)."""
        if self.schedule is None or self.schedule.shape != schedule.shape:
            self.schedule = self.backend.empty(schedule.shape)
            self.row = self.backend.zeros((schedule.shape[1],))
            self.recorder = Recorder(self.backend)  # graphs hold the addresses of both
        self.backend.write(self.schedule, schedule)
        self.backend.write(self.order[: len(order)], order)
        self.backend.write(self.state, 0)
