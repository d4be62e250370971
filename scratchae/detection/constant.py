"""Whether a model has learnt anything but a constant, which scores hide: normal examples alike are
near one typical example, and others are not.

Over n normal examples x_n and their reconstructions x'_n, of D values each:

    r = sqrt(sum_d var_n x'_nd / sum_d var_n x_nd)                                              (1)

A projection on principal components that keeps the share f of the variance has r = sqrt(f): below
LEAST, less than 1 % of how normal examples differ comes back. A relu on a narrow code, which may
be 0 for every example, does that, an absolute error of values that are mostly 0, which is their
median, and a model that was trained for a few steps. Source: Goodfellow, Bengio, Courville, "Deep
Learning", 2016, section 14.1 (what an autoencoder is to keep); Bishop 2006, section 12.1.1
(variance kept).
"""

from typing import Any

import numpy as np

from ..datasets.sources import is_source
from .rows import ROWS, chosen, readable, shape_of
from .thresholds import warn

LEAST = 0.1  # r; beats of README's network: 0.04 to 0.06 with a relu on the code, 0.9 without


def warn_if_constant(model: Any, data: Any, normal: np.ndarray) -> None:
    """Warn (DetectionWarning) where the model reconstructs normal examples, those of data (N, ...)
    at the indices normal (n,), as nearly one and the same, by up to ROWS of them, evenly chosen.

    Nothing is said of a model that is not of this library, of examples that it cannot take, and of
    those that do not differ. Source: the module, (1).
    """
    if (data := readable(data)) is None:
        return
    some = np.unique(np.linspace(0, len(normal) - 1, ROWS).round().astype(int))
    if shape_of(data) != getattr(model, "input_shape", None):
        return
    if (r := spread_kept(model, chosen(data, normal[some]))) < LEAST:
        warn(
            "the model reconstructs nearly the same for every normal example: that varies "
            f"{r:.2g} times as much as they do, so a score is little but the distance from one "
            "typical example; unless only noise tells them apart, train for more epochs or with a "
            "higher learning rate, and take no relu on the code, which can be 0 for all of them, "
            "and SquaredError in the place of AbsoluteError where most values are 0: the best "
            "constant of the latter is the median, 0"
        )


def spread_kept(model: Any, x: Any) -> float:
    """r of examples x (n, ...); NaN where they do not differ, or cannot be reconstructed. Source:
    the module, (1)."""
    try:
        y = model.reconstruct(x)
    except (TypeError, ValueError):  # a score of the user's own may hand the model something else
        return np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        x = x.values() if is_source(x) else x
        kept, given = (a.reshape(len(a), -1).var(axis=0, dtype=np.float64).sum() for a in (y, x))
        return float(np.sqrt(kept / given)) if given > 0 else np.nan  # (1)
