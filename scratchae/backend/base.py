"""The protocol of a backend, and what an array is here."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..checks import is_a
from ..kernels.kernel import Kernel

Array = Any  # an array of the backend's own library


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


def host_array(a: Any, name: str) -> np.ndarray:
    """The array itself, any shape. Raises TypeError for one of another library."""
    how = "bring it to the host first (numpy.asarray, cupy.asnumpy)"
    is_a("the array", a, np.ndarray, f"the backend {name!r} takes NumPy arrays: {how}")
    return a


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
        """How many shards a batch is cut into, from its size alone: bits do not depend on the
        machine."""

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
        """A host data set (M, D) whose rows are gathered, at most ``rows`` of them a step."""

    def to_host(self, a: Array) -> np.ndarray:
        """An array of this backend as a NumPy array."""

    def op(self, kernel: Kernel) -> Callable[..., None]:
        """The spelling of a kernel that this backend runs, chosen once."""

    def undisturbed(self) -> AbstractContextManager[Any]:
        """Within it, operations may be called beside a training on another thread, and give the
        same bits."""

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J)."""


def in_words(n: float) -> str:
    """A number of bytes for messages: 1.5 GiB, 20.0 MiB, 0.1 KiB."""
    units = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
    unit, word = next((pair for pair in units if n >= pair[0]), units[-1])
    return f"{n / unit:,.1f} {word}"
