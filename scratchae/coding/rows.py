"""Images as symbols, and symbols as the images that were given."""

from typing import Any

import numpy as np

from ..datasets import Images
from ..datasets.fitting import Rows, innermost
from ..models import Model


def dtype_given(rows: Rows) -> str:
    """In which dtype the numbers were given, uint8 for Images, whose k / 255 have another last bit
    than the nearest float32: kernels/batch.py (1)."""
    if isinstance(innermost(rows.source), Images):
        return "uint8"
    return "float64" if rows[:1].dtype.itemsize > 4 else "float32"


def as_given(model: Model, k: np.ndarray, given: str) -> np.ndarray:
    """x (n, *shape) of the model's dtype, to the bit what was given, from the symbols k (n, P)."""
    return _rounded(model, k, given).astype(model.backend.dtype, copy=False)


def _rounded(model: Model, k: np.ndarray, given: str) -> np.ndarray:
    """x (n, *shape) of these symbols (n, P), with the rounding of what was given."""
    likelihood: Any = model.likelihood
    x = np.asarray(likelihood.data(k, model.input_shape))
    if given == "uint8":
        return Images(np.rint(255 * x).astype(np.uint8)).values()
    return x.astype(given)


def symbols_of(model: Model, x: np.ndarray, start: int, given: str) -> np.ndarray:
    """The symbols (n, P) of images x (n, *shape), the first of which has that number. Raises
    ValueError where they are none, or do not lead back to x, or not in the model's dtype."""
    likelihood: Any = model.likelihood
    try:
        k = np.ascontiguousarray(likelihood.symbols(x), np.int64)
    except ValueError as error:
        raise ValueError(f"of the images from {start} on, {error}") from None
    if not np.array_equal(_rounded(model, k, given), x):
        raise ValueError(
            f"of the images from {start} on, not all are what data(symbols(x), shape) of "
            f"{type(likelihood).__name__} makes of them, so they would be lost: give images whose "
            "values are symbols, for a DiscretisedLogistic x = likelihood.binned(x)"
        )
    narrow = x.astype(model.backend.dtype)
    if narrow.dtype.itemsize < x.dtype.itemsize and not _same(likelihood, narrow, k):
        raise ValueError(
            f"of the images from {start} on, not all are told apart in {narrow.dtype}, the dtype "
            "of this model: build it with dtype='float64'"
        )
    return k


def _same(likelihood: Any, x: np.ndarray, k: np.ndarray) -> bool:
    """Whether x (n, *shape) still has the symbols k (n, P)."""
    try:
        return np.array_equal(likelihood.symbols(x), k)
    except ValueError:
        return False
