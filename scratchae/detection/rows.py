"""The examples of data as a detector reads them: a part at a time, and which of them its model can
take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..datasets.around import Around
from ..datasets.fitting import fitting_rows
from ..datasets.labelled import Labelled
from ..datasets.sources import is_source

ROWS = 256  # examples that are in floating point at one time


@dataclass(frozen=True, eq=False)  # of arrays
class Part:
    """Some examples on the host: x (n, ...); as an argument, given, what they are given beside x,
    if they are; what is scored in the place of x, and where that was observed, or None. Source:
    layers/given.py."""

    x: np.ndarray
    given: dict[str, np.ndarray]
    target: np.ndarray | None
    seen: np.ndarray | None

    def taken(self, model: Any, *names: str) -> dict[str, np.ndarray]:
        """``given``, (n, C), where those parts of the model take it; else none. Source:
        layers/given.py."""
        return self.given if model.objective.conditions(*names) else {}


def parts(model: Any, data: Any) -> Iterator[Part]:
    """The data, (N, ...), ROWS at a time, checked first. Raises as, and Source:
    datasets/fitting.py."""
    known = fitting_rows(model, data, "the data")
    for start in range(0, len(known), ROWS):
        rows = slice(start, start + ROWS)
        given = {"given": known.given(rows)} if known.conditions else {}
        yield Part(known[rows], given, *known.scored(rows))


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
    """Some examples of readable data as a host array (n, ...), with what else there is of them
    around it; rows: a slice, or indices (n,). Source: datasets/sources.py."""
    if isinstance(data, Labelled):
        return Labelled(chosen(data.source, rows), data.given(rows))
    if isinstance(data, Around):
        return data.over(lambda part: chosen(part, rows))
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
