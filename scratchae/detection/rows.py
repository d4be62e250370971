"""The examples of data as a detector reads them: a part at a time, and which of them its model can
take."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..datasets.fitting import fitting_rows
from ..datasets.labelled import Labelled
from ..datasets.sources import is_source

ROWS = 256  # examples that are in floating point at one time


def parts(model: Any, data: Any) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """The data as host arrays (n, ...), ROWS at a time, checked first; and as an argument, given,
    what these rows are given beside x, if they are. Raises as, and Source: datasets/fitting.py."""
    known = fitting_rows(model, data, "the data")
    for start in range(0, len(known), ROWS):
        rows = slice(start, start + ROWS)
        yield known[rows], {"given": known.given(rows)} if known.conditions else {}


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


def chosen(data: Any, rows: Any) -> Any:
    """Some examples of readable data as a host array (n, ...), Labelled where they are given
    something; rows: a slice, or indices (n,). Source: datasets/sources.py."""
    x = data.values(rows) if is_source(data) else data[rows]
    return Labelled(x, data.given(rows)) if getattr(data, "conditions", 0) else x


def usable(model: Any, data: Any) -> np.ndarray | None:
    """Whether the model can reconstruct each example of data (N, ...): (N,) bool.

    It cannot where an example holds NaN or inf, or values that its likelihood cannot have, or such
    that overflow on the way. None where the model is not of this library or takes no example of
    that shape, and where it can take every one. Source: model.reconstruct, asked of halves,
    quarters and so on where it refuses.
    """
    data, shape = readable(data), getattr(model, "input_shape", None)
    if data is None or shape is None or shape_of(data) != shape:
        return None
    starts = range(0, len(data), ROWS)
    taken = [_taken(model, data, start, min(start + ROWS, len(data))) for start in starts]
    every = np.concatenate([np.ones(0, bool), *taken])
    return None if every.all() else every


def shape_of(data: Any) -> tuple[int, ...]:
    """The shape of a row of readable data."""
    return tuple(data.shape if is_source(data) else data.shape[1:])


def _taken(model: Any, data: Any, start: int, stop: int) -> np.ndarray:
    """``usable`` for the examples from start to stop (n,), of which all, some or none are."""
    n = stop - start
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            model.reconstruct(chosen(data, slice(start, stop)))
        return np.ones(n, bool)
    except ValueError:
        half = start + n // 2
        if half == start:
            return np.zeros(n, bool)
        return np.concatenate(
            [_taken(model, data, *ends) for ends in ((start, half), (half, stop))]
        )
