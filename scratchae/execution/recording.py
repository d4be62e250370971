"""Launches recorded as graphs, and what a pass over a data set keeps in device memory for them.

The first run of a sequence is as it is, which loads what is loaded on first use; the second is
recorded; from there on it is replayed. A graph freezes addresses and numbers, so what changes
between runs lies in arrays that stay.

Source: CUDA's programming guide, "CUDA graphs".
"""

from collections.abc import Callable
from typing import Any

import numpy as np

READ = 64  # steps between two looks at the sums
HALVES = 2  # of the ring: while the host reads one, the GPU fills the other


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


class Ring:
    """The totals (k,) of the last steps, HALVES * READ of them, and their copies on the host.

    A half that is full is sent to pinned memory while the GPU goes on with the other, and read
    when its event says that it has arrived. Source: CUDA's best practices guide, "asynchronous and
    overlapping transfers with computation"."""

    def __init__(self, backend: Any, k: int):
        cuda = backend.cupy.cuda
        self.runtime, self.stream = cuda.runtime, backend.stream
        self.places = backend.empty((HALVES * READ, k), np.float64)
        memory = cuda.alloc_pinned_memory(self.places.nbytes)
        size = self.places.size
        self.host = np.frombuffer(memory, np.float64, size).reshape(HALVES, READ, k)
        self.arrived = [cuda.Event(disable_timing=True) for _ in range(HALVES)]

    def send(self, step: int) -> int:
        """Start the copy of the half in which the total of step (from 0 on) lies -> which half."""
        half = step // READ % HALVES
        host = self.host[half]
        self.runtime.memcpyAsync(
            host.ctypes.data,
            self.places[half * READ].data.ptr,
            host.nbytes,
            self.runtime.memcpyDeviceToHost,
            self.stream.ptr,
        )
        self.arrived[half].record(self.stream)
        return half

    def read(self, half: int, count: int) -> np.ndarray:
        """The first totals (count, k) of a half that was sent, when it has arrived."""
        self.arrived[half].synchronize()
        return self.host[half, :count].copy()


class DeviceEpoch:
    """A data set's way through a runner, over and over: what its steps read and write in device
    memory.

    order (n,), state (2,) = (step, halted), ring of totals (k,), schedule (steps, j), row (j,).
    Source: the module.
    """

    def __init__(self, runner: Any, source: Any):
        self.backend: Any = runner.backend
        with self.backend.sharing():
            self.feeds = [source.feed(self.backend, runner.rows) for _ in runner.replicas]
        self.order = self.backend.empty((len(source),), np.uint32)
        self.state = self.backend.empty((2,), np.int32)
        self.ring = Ring(self.backend, runner.total.size)
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
