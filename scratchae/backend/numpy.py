"""NumPy arrays on the CPU, with the kernels' Numba loops or with their definitions."""

import math
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..kernels.kernel import Kernel
from .base import Array, Converting, Lanes, Table, host_array, ready
from .blas import one_blas_thread

ALIGNMENT = 128  # bytes: two cache lines, and what a GPU wants of a row
SLICE = 30_000_000  # multiply-adds of a slice of a product, at least
WIDE, GRAIN, MOST = 256, 32, 4  # rows or columns of a slice, at least; a multiple of; slices


def slices_of(I: int, K: int, J: int) -> list[slice]:
    """How the longer side of a product (I, K) (K, J) is cut, where it is large: a slice is half a
    millisecond of work, and so wide that it costs little to bring the other side into BLAS's
    order once for each. Source: docs/decisions/0002-shards.md."""
    n = max(I, J)
    parts = min(I * K * J // SLICE, n // WIDE, MOST)
    if parts < 2:
        return [slice(0, n)]
    width = -(-n // (parts * GRAIN)) * GRAIN
    return [slice(i, min(i + width, n)) for i in range(0, n, width)]


class NumpyBackend:
    """The backends "numpy" (Numba loops) and "reference" (plain NumPy definitions).

    dtype: "float32" or "float64". Shapes: any. Safe to share between threads.
    Source: NumPy's ``matmul`` with ``out``.
    """

    def __init__(self, name: str = "numpy", dtype: str = "float32"):
        self.name, self.spelling = name, "definition" if name == "reference" else "numba"
        self.dtype = np.dtype(dtype)
        self._scratch = threading.local()

    def __deepcopy__(self, memo: dict[int, Any]) -> "NumpyBackend":
        return self

    def default_shards(self, batch_size: int) -> int:
        """At most 1 below 32 rows, 2 below 1,024, then 4.

        Source: docs/decisions/0002-shards.md.
        """
        return 1 if batch_size < 32 else 2 if batch_size < 1024 else 4

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New memory of that shape, uninitialised, starting on a multiple of 128 bytes.

        Source: numpy.empty, which by itself promises 16 bytes only.
        """
        dtype = np.dtype(dtype or self.dtype)
        n = math.prod(shape) * dtype.itemsize
        try:
            raw = np.empty(n + ALIGNMENT, np.uint8)
        except (MemoryError, ValueError):
            why = f"an array of shape {tuple(shape)} does not fit into memory"
            raise MemoryError(f"{why}: make the model or the batch smaller") from None
        start = -raw.ctypes.data % ALIGNMENT
        return raw[start : start + n].view(dtype).reshape(shape)

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New memory of that shape, all zero."""
        out = self.empty(shape, dtype)
        out[...] = 0
        return out

    def asarray(self, a: Any, dtype: Any = None) -> Array:
        """A copy of a host array, any shape, cast to dtype.

        Raises TypeError for an array of another library. Source: numpy.array.
        """
        a = host_array(a, self.name)
        out = self.empty(a.shape, dtype)
        out[...] = a
        return out

    def write(self, out: Array, values: Any) -> None:
        """out <- values that broadcast to its shape, cast. Source: numpy.copyto."""
        out[...] = values

    def share(self, a: np.ndarray) -> Array:
        """The data set itself, same shape: NumPy kernels read host memory."""
        return np.ascontiguousarray(a)

    def table(self, a: np.ndarray, rows: int) -> Table:
        """The data set (M, D) itself, or the rows of a step (rows, D) where it must be
        converted."""
        return Table(a) if ready(a) else Converting(a, rows)

    def to_host(self, a: Array) -> np.ndarray:
        """A copy of an array of this backend, same shape. Source: numpy.array."""
        return np.array(a)

    def undisturbed(self) -> AbstractContextManager[Any]:
        """BLAS on one thread: a product has the bits that it has in training. Source: blas.py."""
        return one_blas_thread()

    def op(self, kernel: Kernel) -> Callable[..., None]:
        """The definition for "reference", the Numba loop for "numpy".

        Shapes: the kernel's own. Source: kernels/kernel.py.
        """
        if self.spelling == "definition" or kernel.numba is None:
            return kernel.definition
        return kernel.numba

    def lend(self, lanes: Lanes | None) -> None:
        """Let those threads share this thread's large products, (I, K) (K, J), until others are
        lent."""
        self._scratch.lanes = lanes

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J), by BLAS, a large one in slices, which depend on
        its sizes alone; each may be a batch of matrices. Source: numpy.matmul."""
        I, (K, J) = a.shape[-2], b.shape[-2:]
        slices = slices_of(I, K, J)
        if len(slices) == 1 or a.ndim > 2:
            self._multiply(a, b, out, add)
            return

        def share(i: int) -> None:
            if I > J:
                self._multiply(a[slices[i]], b, out[slices[i]], add)
            else:
                self._multiply(a, b[:, slices[i]], out[:, slices[i]], add)

        lanes: Lanes | None = getattr(self._scratch, "lanes", None)
        if lanes is None:
            for i in range(len(slices)):
                share(i)
        else:
            lanes.each(f"product {a.shape} {b.shape}", share, len(slices))

    def _multiply(self, a: Array, b: Array, out: Array, add: bool) -> None:
        # a column times a row: three times BLAS's speed
        multiply = np.multiply if a.shape[-1] == 1 else np.matmul
        if not add:
            multiply(a, b, out=out)
            return
        product = self._product(out)
        multiply(a, b, out=product)
        out += product

    def _product(self, out: Array) -> Array:
        """Scratch memory like out, one for each thread and shape, since NumPy's gemm cannot
        accumulate."""
        held, key = self._scratch.__dict__.setdefault("held", {}), (out.shape, out.dtype.char)
        if key not in held:
            held[key] = self.empty(out.shape, out.dtype)
        return held[key]
