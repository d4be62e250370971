"""What rows are given beside x where a model encodes, decodes or samples."""

from typing import Any

import numpy as np

from ..checks import representable
from ..datasets.fitting import Rows, require_taken, taken
from ..datasets.labelled import as_given


class Beside:
    """What the rows of a source are given, a slice at a time, as an array (N, C) gives it."""

    def __init__(self, rows: Rows):
        self.rows = rows

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.rows.given(rows)


def beside(model: Any, rows: Any, given: Any, n: int, *parts: str) -> Any:
    """c (n, C), to be sliced, for those parts of the model; None where they take nothing.

    given: a class for all rows, one for each, (n,), numbers (n, C), or (C,) for all rows, or None:
    then what the rows of a source are given. Raises TypeError where something is lacking, or given
    for nothing, ValueError for a class that is not there, for one where the model was trained on
    numbers, and another shape. Source: layers/given.py.
    """
    takes, name = taken(model, *parts), type(model).__name__
    takers = [part for part in parts if taken(model, part) or not takes]
    which = f"the {' and the '.join(takers)} of this {name}"
    if given is not None and not takes:
        raise TypeError(
            f"given is {given!r}, but no layer of {which} takes anything beside x: put Given(C) "
            "before a Dense layer there, or leave given out"
        )
    if given is not None:
        layers = [layer for _, layer in model.objective.leaves()]
        no_classes = any(getattr(layer, "no_classes", False) for layer in layers)
        c = as_given(given, n, takes, no_classes=no_classes)
        representable(c, model.backend.dtype, "given")
        return c
    if not takes:
        return None
    if rows is None or not rows.conditions:
        raise TypeError(
            f"given is missing: {which} takes {takes} numbers beside each row: say "
            f"given={takes - 1} for a class of all rows, given=labels for one each, or give "
            f"numbers (N, {takes})"
        )
    require_taken(model, rows.conditions, "x")
    return Beside(rows)
