"""A data set too large for the GPU's memory: its rows cross in pinned buffers, one batch ahead of
the work.

Two buffers take turns: while the GPU copies from one, the host fills the other. A buffer is filled
again only when the copy out of it is done, which its event tells.

Source: CUDA's best practices guide, "asynchronous and overlapping transfers with computation".
"""

import math
from typing import Any

import numpy as np

from ..base import Array, Table, convert, native, ready

BUFFERS = 2


class StagedTable(Table):
    """Rows of a host data set (M, D) in a device buffer (rows, D), brought before each step,
    converted on the way where it is not ``ready``.

    Source: the module."""

    def __init__(self, backend: Any, data: np.ndarray, rows: int):
        self.host, self.ready = data, ready(data)
        self.backend = backend
        self.data = backend.empty((rows, math.prod(data.shape[1:])), native(data.dtype))
        self.places = backend.asarray(np.arange(rows), np.uint32)
        cuda = backend.cupy.cuda
        memory = [cuda.alloc_pinned_memory(self.data.nbytes) for _ in range(BUFFERS)]
        self.pinned = [
            np.frombuffer(m, self.data.dtype, self.data.size).reshape(self.data.shape)
            for m in memory
        ]
        self.copied = [cuda.Event(disable_timing=True) for _ in range(BUFFERS)]
        self.buffer = 0

    def bring(self, rows: np.ndarray) -> None:
        """Start the copy of rows (N,) of the data set."""
        pinned, copied, N = self.pinned[self.buffer], self.copied[self.buffer], len(rows)
        copied.synchronize()
        if self.ready:  # the other mode makes a copy first
            np.take(self.host, rows, axis=0, out=pinned[:N], mode="clip")
        else:
            convert(pinned[:N], self.host[rows])
        runtime, stream = self.backend.cupy.cuda.runtime, self.backend.stream
        count = pinned[:N].nbytes
        runtime.memcpyAsync(
            self.data.data.ptr, pinned.ctypes.data, count, runtime.memcpyHostToDevice, stream.ptr
        )
        copied.record(stream)
        self.buffer = (self.buffer + 1) % BUFFERS

    def at(self, rows: Array) -> tuple[Array, Array]:
        """Where the rows (N,) brought last are: the buffer, and 0 ... N - 1."""
        return self.data, self.places[: rows.shape[0]]
