"""Data between the values that a likelihood has."""

import numpy as np

from .. import checks


def first_between(x: np.ndarray) -> tuple[int, ...] | None:
    """The first index at which x (N, ...) is neither 0 nor 1, or None. Source: a definition."""
    return checks.first_where(x, lambda rows: (rows != 0) & (rows != 1))


def grey(x: np.ndarray, distribution: str, advice: str, first: int) -> str:
    """A sentence where a value of x (N, ...) is neither 0 nor 1, for a distribution over those: by
    its index in the data, whose row number first x begins with, and with an advice; "" where all
    are. Source: the distribution's support."""
    if (at := first_between(x)) is None:
        return ""
    place = (first + at[0], *at[1:])
    return (
        f"the data is {x[at]:.6g} at index {place}, but {distribution} likelihood has 0 and 1 "
        f"alone, so this is a cross-entropy and no log p(x): {advice}"
    )
