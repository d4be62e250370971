"""The examples of data as a detector reads them: a part at a time, and which of them its model can
take."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..datasets.fitting import fitting_rows
from ..datasets.sources import is_source

ROWS = 256  # examples that are in floating point at one time


def parts(model: Any, data: Any) -> Iterator[np.ndarray]:
    """The data as host arrays (n, ...), ROWS at a time, checked first. Raises as, and Source:
    datasets/fitting.py."""
    known = fitting_rows(model, data, "the data")
    for start in range(0, len(known), ROWS):
        yield known[start : start + ROWS]


def readable(data: Any) -> Any:
    """Data of which ``chosen`` reads examples: a source that gives values, or an array (N, ...);
    None for what is neither, such as the paths of files. Source: datasets/sources.py."""
    if is_source(data):
        return data if hasattr(data, "values") else None
    try:
        x = np.asarray(data)
    except Exception:  # of any kind: it is another library's, or ragged
        return None
    return x if x.ndim else None


def chosen(data: Any, rows: Any) -> np.ndarray:
    """Some examples of readable data as a host array (n, ...); rows: a slice, or indices (n,).
    Source: datasets/sources.py."""
    return data.values(rows) if is_source(data) else data[rows]


def usable(model: Any, data: Any) -> np.ndarray | None:
    """Whether the model can reconstruct each example of data (N, ...): (N,) bool.

    It cannot where an example holds NaN or inf, or values that its likelihood cannot have, or such
    that overflow on the way. None where the model is not of this library or takes no example of
    that shape, and where it can take every one. Source: model.reconstruct, asked of halves,
    quarters and so on where it refuses.
    """
    data, shape = readable(data), getattr(model, "input_shape", None)
    if data is None or shape is None or chosen(data, slice(1)).shape[1:] != shape:
        return None
    starts = range(0, len(data), ROWS)
    taken = [_taken(model, chosen(data, slice(start, start + ROWS))) for start in starts]
    every = np.concatenate([np.ones(0, bool), *taken])
    return None if every.all() else every


def _taken(model: Any, x: np.ndarray) -> np.ndarray:
    """``usable`` for x (n, ...), of which all, some or none are."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            model.reconstruct(x)
        return np.ones(len(x), bool)
    except ValueError:
        half = len(x) // 2
        if half == 0:
            return np.zeros(len(x), bool)
        return np.concatenate([_taken(model, x[:half]), _taken(model, x[half:])])
