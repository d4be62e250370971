"""The protocol of a backend, and what an array is here."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..checks import is_a
from ..kernels.kernel import Kernel

Array = Any  # an array of the backend's own library


def native(dtype: np.dtype) -> np.dtype:
    """The dtype in which kernels gather rows of data of that dtype: uint8, float32, float64 as
    they are, in this machine's byte order, others as the nearer of float32 and float64."""
    same = dtype.newbyteorder("=")
    if same in (np.uint8, np.float32, np.float64):
        return same
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def ready(a: np.ndarray) -> bool:
    """Whether kernels can gather rows of a data set (M, ...) as it lies in memory."""
    return a.flags.c_contiguous and a.flags.aligned and a.dtype == native(a.dtype)


def convert(out: np.ndarray, rows: np.ndarray) -> None:
    """out (N, D) <- rows (N, ...) of a data set, cast."""
    out.reshape(rows.shape)[...] = rows


class Table:
    """A data set (M, D) that kernels gather rows from."""

    def __init__(self, data: Array):
        self.data = data

    def bring(self, rows: np.ndarray) -> None:
        """See to it that the rows (N,), on the host, can be gathered in the next step. Source:
        cuda/staging.py."""

    def at(self, rows: Array) -> tuple[Array, Array]:
        """The array to gather from and the rows (N,) in it. Source: cuda/staging.py."""
        return self.data, rows


class Converting(Table):
    """A host data set (M, ...) that is not ``ready``: the rows of one step, at most ``rows`` of
    them, are converted as they are asked for, so that no second data set lies in memory."""

    def __init__(self, host: np.ndarray, rows: int):
        self.host = host
        super().__init__(np.empty((rows, math.prod(host.shape[1:])), native(host.dtype)))
        self.places = np.arange(rows, dtype=np.uint32)

    def at(self, rows: Array) -> tuple[Array, Array]:
        """The rows (N,), converted, and 0 ... N - 1."""
        N = len(rows)
        convert(self.data[:N], self.host[rows])
        return self.data, self.places[:N]


def host_array(a: Any, name: str) -> np.ndarray:
    """The array itself, any shape. Raises TypeError for one of another library."""
    how = "bring it to the host first (numpy.asarray, cupy.asnumpy)"
    is_a("the array", a, np.ndarray, f"the backend {name!r} takes NumPy arrays: {how}")
    return a


class Lanes(Protocol):
    """Threads that share tasks. Source: execution/pool.py."""

    def each(self, kind: str, task: Callable[[int], Any], n: int) -> list[Any]:
        """task(0) ... task(n - 1) -> their results; kind: those that take about the same time."""


@runtime_checkable
class Backend(Protocol):
    """What a model asks of the machine: memory, matrix products, kernels.

    name: "reference", "numpy" or "cupy"; spelling: which of a kernel it runs, "definition",
    "numba" or "cuda"; dtype:
    the floating point type of every buffer. Shapes are those asked for. Source: thinc's ``Ops``,
    an object handed down rather than a global.
    """

    name: str
    spelling: str
    dtype: np.dtype

    def default_shards(self, batch_size: int) -> int:
        """How many shards a batch is cut into at most, from its size alone: bits do not depend on
        the machine."""

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New memory, uninitialised, starting on a multiple of 128 bytes."""

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New memory, all zero, starting on a multiple of 128 bytes."""

    def asarray(self, a: Any, dtype: Any = None) -> Array:
        """A host array as an array of this backend, cast on the copy."""

    def write(self, out: Array, values: Any) -> None:
        """out <- a number, or a host array that broadcasts to its shape, cast."""

    def share(self, a: np.ndarray) -> Array:
        """A host data set where the kernels can read it, not copied if it need not be."""

    def table(self, a: np.ndarray, rows: int) -> "Table":
        """A host data set (M, D), or (M, ...) where it is not ``ready``, whose rows are gathered,
        at most ``rows`` of them a step."""

    def to_host(self, a: Array) -> np.ndarray:
        """An array of this backend as a NumPy array."""

    def op(self, kernel: Kernel) -> Callable[..., None]:
        """The spelling of a kernel that this backend runs, chosen once."""

    def undisturbed(self) -> AbstractContextManager[Any]:
        """Within it, operations may be called beside a training on another thread, and give the
        same bits."""

    def lend(self, lanes: Lanes | None) -> None:
        """Threads that may share what this thread multiplies, until others are lent; None: none.
        The bits do not depend on them."""

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J)."""


def in_words(n: float) -> str:
    """A number of bytes for messages: 1.5 GiB, 20.0 MiB, 0.1 KiB."""
    units = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
    unit, word = next((pair for pair in units if n >= pair[0]), units[-1])
    return f"{n / unit:,.1f} {word}"
