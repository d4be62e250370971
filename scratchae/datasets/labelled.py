"""What the rows of a data set are given beside x: labels, or any numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checks
from ..backend import Array, Backend
from ..backend.base import native
from ..kernels.batch import GATHER_VALUES
from ..kernels.given import ONE_HOT
from .around import Around, AroundFeed
from .sources import Feed, Values, as_source

MOST = 1 << 24  # classes: float32 counts as far


class Labelled(Around):
    """A data set whose rows are given something beside x, for the layers that take it (Given).

    Shapes: data (N, ...), an array or a source. classes: their number C, where c (N, C) has the
    unit vector of each label in data.labels, (N,) of 0 ... C - 1; or any numbers (N, C), which are
    c themselves. ``split``, ``take`` and ``scaled`` keep what belongs to each row, and scale x
    alone. Raises ValueError for data without labels, for labels that are no whole numbers or out
    of range, for numbers of another shape, and for labels in the place of their number. Source:
    layers/given.py; kernels/given.py (3).
    """

    numbers: np.ndarray | None = None

    def __init__(self, data: Any, classes: Any):
        super().__init__(data)
        if not checks.whole(classes, 1):
            if classes is None or isinstance(classes, (int, float, str, np.generic)):
                raise ValueError(
                    f"the classes of Labelled are {classes!r}, but how many there are, a whole "
                    "number of at least 1, or numbers (N, C) are expected"
                )
            self.numbers = as_numbers(classes, len(self), None, "what the rows are given")
            self.column, self.C = self.numbers, self.numbers.shape[1]
            return
        if self.labels is None:
            raise ValueError(
                f"{self.name} has no labels: give them with the data, Images(x, labels) or "
                "Values(x, labels), or give Labelled(data, c) the numbers c (N, C)"
            )
        self.C = int(classes)
        labels = as_classes(self.labels, len(self), self.C, f"the labels of {self.name}")
        self.column = labels.astype(np.float32)[:, None]

    @property
    def conditions(self) -> int:
        """C."""
        return self.C

    def over(self, choose: Callable[[Any], Any]) -> "Labelled":
        """The same of chosen rows."""
        if self.numbers is None:
            return Labelled(choose(self.source), self.C)
        numbers: Any = as_source(choose(Values(self.numbers)))
        return Labelled(choose(self.source), numbers.values())

    def feed(self, backend: Backend, rows: int) -> "LabelledFeed":
        """A feed for up to rows examples at once. Shapes: see AroundFeed."""
        kernel = ONE_HOT if self.numbers is None else GATHER_VALUES
        beside = Feed(backend, self.column, (self.C,), rows, kernel)
        return LabelledFeed(self.source, backend, rows, beside)

    def given(self, rows: Any = slice(None)) -> np.ndarray:
        """c of some or all rows, (n, C) float32 or float64. Source: kernels/given.py (3)."""
        held = self.column[rows]
        if self.numbers is not None:
            return held.astype(native(held.dtype), copy=False)
        c = np.empty((len(held), self.C), np.float32)
        ONE_HOT.definition(c, held, np.arange(len(held)))
        return c


class LabelledFeed(AroundFeed):
    """Makes x (rows, *shape), and leaves what these rows are given in self.c (rows, C).

    Source: kernels/batch.py, kernels/given.py."""

    @property
    def c(self) -> Array:
        """What the last rows are given, (n, C)."""
        return self.made


def as_given(
    given: Any, n: int, C: int, what: str = "given", no_classes: bool = False
) -> np.ndarray:
    """What n rows are given, as c (n, C): a class for all, one for each, (n,), or numbers, (C,)
    for all or (n, C). no_classes: whether classes are not what it stands for, as it is known.

    (C,) that may be a label for each of n = C rows is none for all, unless there are no classes;
    nor are whole numbers of an integer dtype. Raises ValueError for a
    class outside 0 ... C - 1, for one where there are none, and another shape. Source:
    kernels/given.py (3)."""
    held = checks.as_array(given, what)
    numbers = held.dtype.kind == "f" and (n != C or bool((held != np.rint(held)).any()))
    if held.shape == (C,) and (no_classes or numbers):
        return as_numbers(np.tile(held, (n, 1)), n, C, what)
    if no_classes and held.ndim < 2:
        raise ValueError(
            f"{what} is {checks.shown(given, 60)}, but in training the rows were given {C} "
            f"numbers, and none was a class: give numbers ({C},) for all rows, or ({n}, {C})"
        )
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        given = np.full(n, given)
    elif held.ndim != 1:
        return as_numbers(given, n, C, what)
    labels, c = as_classes(given, n, C, what), np.zeros((n, C), np.float32)
    c[np.arange(n), labels] = 1
    return c


def as_classes(labels: Any, n: int, C: int, what: str) -> np.ndarray:
    """Labels (n,) of 0 ... C - 1 as whole numbers. Raises ValueError otherwise."""
    labels = checks.as_array(labels, what)
    if C > MOST:
        raise ValueError(f"there are {C} classes, but at most {MOST} are expected")
    if labels.shape != (n,) or labels.dtype.kind not in "biu":
        raise ValueError(
            f"the shape of {what} is {labels.shape}, {labels.dtype}, but whole numbers ({n},), "
            "one for each row, are expected"
        )
    labels = labels.astype(np.int64)
    bad = np.flatnonzero((labels < 0) | (labels >= C))
    if len(bad):
        raise ValueError(
            f"there is a class {labels[bad[0]]} in {what}, at index {bad[0]}, but {C} classes are "
            f"0 ... {C - 1}: count them from 0, or say how many there are"
        )
    return labels


def as_numbers(c: Any, n: int, C: int | None, what: str) -> np.ndarray:
    """Finite numbers (n, C), one row of them for each row of x. Raises ValueError otherwise."""
    c = checks.as_array(c, what)
    due = f"a class for each row, ({n},), or numbers ({n}, {C}), or ({C},) for all, are expected"
    if C is None:
        due = (
            f"numbers ({n}, C), or how many classes there are, are expected: labels go with the "
            f"data, Labelled(Values(x, labels), classes), or Images(x, labels) in its place"
        )
    fit = c.ndim == 2 and len(c) == n and c.shape[1] > 0 and c.shape[1] == (C or c.shape[1])
    if not fit or c.dtype.kind not in "fiub":
        raise ValueError(f"the shape of {what} is {c.shape}, {c.dtype}, but {due}")
    checks.finite(c, what)
    return c
