"""Who computes: arrays, dtype, matrix products, and which spelling of a kernel. No mathematics."""

from typing import Any

import numpy as np

from .. import checks
from .base import Array, Backend
from .cuda.backend import CupyBackend
from .numpy import NumpyBackend

__all__ = [
    "Array",
    "Backend",
    "CupyBackend",
    "NumpyBackend",
    "as_backend",
    "floating",
    "get_backend",
]

NAMES = ("numpy", "reference", "cupy")
OPTIONS = ("precision", "graph")  # of "cupy"


def get_backend(name: str = "numpy", dtype: Any = "float32", **gpu: Any) -> Backend:
    """The backend of that name: "numpy" (Numba loops), "reference" (the definitions), "cupy" (the
    GPU).

    dtype: "float32" or, for checks, "float64", or what NumPy takes for these. precision, graph: of
    "cupy" alone, see CupyBackend. Raises ValueError for another name or dtype, ImportError or
    RuntimeError where the GPU's parts are missing. Source: thinc's backends, an object for each.
    """
    checks.one_of("backend", name, NAMES)
    dtype = floating(dtype)
    for option in gpu:
        checks.one_of("option", option, OPTIONS)
    if name == "cupy":
        return CupyBackend(dtype, **gpu)
    if gpu:
        raise ValueError(f"only the backend 'cupy' takes {' and '.join(gpu)}: leave it out")
    return NumpyBackend(name, dtype)


def as_backend(backend: str | Backend, dtype: Any = None) -> Backend:
    """The backend of that name, in float32 if dtype is None, or the one handed in.

    Raises what ``get_backend`` raises, and ValueError where the one handed in computes in another
    dtype."""
    if not isinstance(backend, Backend):
        return get_backend(backend, "float32" if dtype is None else dtype)
    if dtype is not None and floating(dtype) != backend.dtype.name:
        raise ValueError(
            f"dtype is {dtype!r}, but the backend handed in computes in {backend.dtype.name!r}"
        )
    return backend


def floating(dtype: Any) -> str:
    """The name "float32" or "float64" of a dtype. Raises ValueError for what NumPy takes for
    neither."""
    try:
        name = "none" if dtype is None else np.dtype(dtype).name  # np.dtype(None) is float64
    except (TypeError, ValueError, SyntaxError):  # the last for words with a comma
        name = "none"
    if name not in ("float32", "float64"):
        raise ValueError(f"the dtype is {dtype!r}, but 'float32' or 'float64' is expected")
    return name
