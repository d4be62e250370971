"""Who computes: arrays, dtype, matrix products, and which spelling of a kernel. No mathematics."""

from .base import Array, Backend
from .cupy import require_cupy
from .numpy import NumpyBackend

__all__ = ["Array", "Backend", "NumpyBackend", "get_backend"]

NAMES = ("numpy", "reference", "cupy")


def get_backend(name: str = "numpy", dtype: str = "float32") -> Backend:
    """The backend of that name: "numpy" (Numba loops), "reference" (the definitions), "cupy" (the GPU).

    dtype: "float32" or, for checks, "float64". Raises ValueError for another name or dtype, ImportError
    or RuntimeError where the GPU's parts are missing. Shapes: none. Source: thinc's backends, an object for each.
    """
    if not isinstance(name, str) or name not in NAMES:
        raise ValueError(f"there is no backend {name!r}: choose one of {', '.join(NAMES)}")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"the dtype is {dtype!r}, but a backend computes in 'float32' or 'float64'")
    if name == "cupy":
        require_cupy()
    return NumpyBackend(name, dtype)
