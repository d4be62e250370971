"""The protocol of a backend, and what an array is here."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..kernels.kernel import Kernel

Array = Any  # an array of the backend's own library


class Backend(Protocol):
    """What a model asks of the machine: memory, matrix products, kernels.

    name: "reference", "numpy" or "cupy"; dtype: the floating point type of every buffer. Shapes are
    those asked for. Source: thinc's ``Ops``, an object handed down rather than a global.
    """

    name: str
    dtype: np.dtype

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New memory, uninitialised, starting on a multiple of 128 bytes."""

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New memory, all zero, starting on a multiple of 128 bytes."""

    def asarray(self, a: Any, dtype: Any = None) -> Array:
        """A host array as an array of this backend, cast on the copy."""

    def share(self, a: np.ndarray) -> Array:
        """A host data set where the kernels can read it, not copied if it need not be."""

    def to_host(self, a: Array) -> np.ndarray:
        """An array of this backend as a NumPy array."""

    def op(self, kernel: Kernel) -> Callable[..., None]:
        """The spelling of a kernel that this backend runs, chosen once."""

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J)."""
