"""Rows chosen, parted and scaled: from one set of values to what a model learns from and is tested
on.

With a permutation pi of the N rows, drawn for the seed, and the least and largest value over the
training part, all its rows and columns together (or, if asked, each feature's own; features are
the last axis):

    train = rows pi(0) ... pi(n - 1),  test = the others,  n = round(fraction N)                (1)
    x <- (x - low) / (high - low),     low = min train,  high = max train                       (2)

The test part plays no role in (2): its values may leave [0, 1] by a little. Source: TensorFlow's
tutorial "Intro to Autoencoders", third example (tf.reduce_min and tf.reduce_max of the training
data).
"""

from typing import Any

import numpy as np

from .. import checks, randomness
from .sources import Values

EPOCH = 0xFFFFFFFF  # of the draws of (1): no training reaches it, so that its orders are others


def take(values: Values, rows: Any) -> Values:
    """The rows (n,), as indices, booleans (N,) or a slice, of values (N, ...), with their labels
    and name.

    Such as ``take(train, train.labels == 1)``. Raises ValueError where no row is left, and for
    what is no list of them, IndexError for rows that are not there, TypeError for a masked array.
    """
    _require(values)
    checks.as_array(rows, "the rows")
    try:
        chosen = np.arange(len(values))[rows]
    except (IndexError, TypeError) as error:
        raise IndexError(f"{error}: give indices, a boolean for each row, or a slice") from None
    checks.sizes(f"the rows of {values.name}", chosen, "n")
    labels = None if values.labels is None else np.asarray(values.labels)[rows]
    return Values(values.x[rows], labels, values.name)


def joined(first: Values, second: Values) -> Values:
    """Two sets, the first one's rows first: (N, ...) and (M, ...) -> (N + M, ...)."""
    labels = None
    if first.labels is not None and second.labels is not None:
        labels = np.concatenate([first.labels, second.labels])
    return Values(np.concatenate([first.x, second.x]), labels, first.name)


def split(values: Values, seed: int = 0, fraction: float = 0.8) -> tuple[Values, Values]:
    """Part values (N, ...) at random: training (n, ...) and test (N - n, ...), a function of the
    seed.

    Raises ValueError for a fraction outside (0, 1), and where one of the parts would be empty.
    Source: the module, (1).
    """
    _require(values)
    n = round(checks.real("fraction", fraction, 0, 1, strict=True) * len(values))  # (1)
    if not 0 < n < len(values):
        raise ValueError(f"fraction is {fraction}, which leaves no row in a part: take another")
    order = randomness.permutation(len(values), seed, EPOCH)
    return take(values, order[:n]), take(values, order[n:])  # (1)


def scaled(train: Values, *others: Values, per_feature: bool = False) -> tuple[Values, ...]:
    """The training part (n, ..., C) brought to [0, 1], and others by the same numbers; dtypes
    stay.

    per_feature: by a minimum and maximum of each of the C features; keep those of train to go back
    to its units. Raises ValueError where all training values, or those of a feature, are equal, so
    that there is nothing to stretch, where others have not C features to scale by those, and where
    their dtype cannot hold the range or what is scaled. Source: the module, (2).
    """
    checks.flag("per_feature", per_feature)
    for values in (train, *others):
        _require(values)
        if per_feature and values.shape[-1] != train.shape[-1]:
            raise ValueError(
                f"{values.name} has {values.shape[-1]} features, but {train.name} has "
                f"{train.shape[-1]}: give the same features, or leave per_feature out"
            )
    axes = tuple(range(train.x.ndim - per_feature))
    low, high = train.x.min(axis=axes), train.x.max(axis=axes)  # () or (C,)  # (2)
    constant = np.flatnonzero(low == high)
    if len(constant):
        which = f"feature {constant[0]}" if per_feature else "every value"
        value = np.atleast_1d(low)[constant[0]]
        raise ValueError(f"{which} of {train.name} is {value:g}, which has no range: leave it out")
    return tuple(Values(_stretched(v, low, high), v.labels, v.name) for v in (train, *others))


def _stretched(values: Values, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """x (N, ..., C), by its training part's low and high, () or (C,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = ((values.x - low) / (high - low)).astype(values.x.dtype)  # (2)
    if not np.isfinite(x).all():
        raise ValueError(f"{values.name}, scaled, or its range is beyond {x.dtype}: divide first")
    return x


def _require(values: Any) -> None:
    checks.is_a("the data", values, Values, "Values are expected: wrap it as Values(x)")
