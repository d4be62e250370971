"""How far the mean of many draws may lie from what it should be.

Draws r_1 ... r_n of the variance v, whose mean should be 0, have a mean that is, for large n,
normal about 0 with the variance v / n. In standard errors, for each of m means that are looked at,

    s = |mean r| / sqrt(v / n)                                                          (1)
    s <= b,   b = -Phi^-1(alpha / 2m)          Phi the normal distribution function     (2)

A right sampler breaks (2) somewhere with a probability of at most alpha = 1e-9, by the union bound
and as far as the mean is normal; with draws by Philox from a fixed seed it does so always or
never. A wrong one is seen, all but surely, once its error is a few times b sqrt(v / n).

Source: the central limit theorem; Bonferroni's inequality (2).
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from .measure import Row

ALARM = 1e-9  # alpha: the chance that a right sampler is called wrong
LEAST = 1e-12  # below it v is rounding: the draws are constants


def allowed(tests: int) -> float:
    """b of (2), for so many means. Source: the module."""
    return -NormalDist().inv_cdf(ALARM / (2 * tests))  # (2)


def mean_row(
    what: str,
    means: np.ndarray,
    v: np.ndarray | float,
    n: int,
    tests: int,
    say: Callable[[int], str] = lambda i: "",
) -> Row:
    """Whether all means (k,) are 0, by (2); v (k,) or a scalar: the variance of one draw each.

    say(i) tells of the mean i that is furthest off. Source: the module.
    """
    means = np.atleast_1d(np.asarray(means, np.float64))
    if not np.isfinite(means).all():
        return Row(what, math.inf, "wrong", "a draw is not finite")
    s = np.abs(means) / np.sqrt(np.maximum(v, LEAST) / n)  # (1)
    i, b = int(np.argmax(s)), allowed(tests)
    note = f"{s[i]:.1f} standard errors, {b:.1f} allowed"
    if s[i] <= b:  # (2)
        return Row(what, float(abs(means[i])), "right", note)
    return Row(what, float(abs(means[i])), "wrong", "; ".join(filter(None, (say(i), note))))
