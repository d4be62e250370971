"""Thresholds: rules that learn, from the scores of normal examples alone, where an anomaly begins.

For the scores s_1 ... s_n of normal examples, s_(k) the k-th smallest of them; an example is
flagged where its score is above the threshold t:

    t = mean s + k std s                                  MeanStd(k), the deviation with n      (1)
    t = (1 - g) s_(j) + g s_(j+1),  j + g = 1 + q (n - 1) Quantile(q), interpolated             (2)
    t = s_(n)                                             Maximum()                             (3)
    t = s_(k),  k = ceil((1 - rate) (n + 1))              FalseAlarms(rate)                     (4)

Each takes scores as any list of numbers, and raises what ``as_scores`` raises of NaN, or none.
(4) is the one with a promise: of normal examples that are exchangeable with those it learns from,
no more than that rate is flagged, on average. Those the model was trained on are not, quite: it
knows them. Source: TensorFlow's tutorial "Intro to Autoencoders" (1); Hyndman and Fan 1996,
definition 7 (2); Vovk, Gammerman, Shafer, "Algorithmic learning in a random world", 2005, section
4.2, inductive conformal prediction (4).
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks

Rule = Callable[[np.ndarray], float]  # scores (n,) of normal examples -> the threshold


class DetectionWarning(UserWarning):
    """A detector that works as it was told to, and is of little use so."""


@dataclass(frozen=True)
class MeanStd:
    """scores (n,) -> mean + k std. Raises ValueError for k below 0. Source: the module, (1)."""

    k: float = 1.0

    def __post_init__(self) -> None:
        checks.real("MeanStd(k)", self.k, 0)

    def __call__(self, scores: Any) -> float:
        s = as_scores(scores)
        d = s - s[0]  # so that equal scores have exactly that mean
        return float(s[0] + d.mean() + self.k * d.std())  # (1)


@dataclass(frozen=True)
class Quantile:
    """scores (n,) -> their quantile. Raises ValueError for q outside [0, 1]. Source: the module,
    (2)."""

    q: float = 0.95

    def __post_init__(self) -> None:
        if checks.real("Quantile(q)", self.q, 0) > 1:
            raise ValueError(f"Quantile(q) is {self.q!r}, but a share of at most 1 is expected")

    def __call__(self, scores: Any) -> float:
        return float(np.quantile(as_scores(scores), self.q))  # (2)


@dataclass(frozen=True)
class Maximum:
    """scores (n,) -> the largest. Shapes: as given. Source: the module, (3)."""

    def __call__(self, scores: Any) -> float:
        return float(as_scores(scores).max())  # (3)


@dataclass(frozen=True)
class FalseAlarms:
    """scores (n,) -> the least of them that is exceeded by no more than that rate of normal
    examples.

    Raises ValueError for a rate outside (0, 1), and for too few scores to promise it. Source: the
    module, (4).
    """

    rate: float = 0.05

    def __post_init__(self) -> None:
        checks.real("FalseAlarms(rate)", self.rate, 0, 1, strict=True)

    def __call__(self, scores: Any) -> float:
        s = as_scores(scores)
        n = len(s)
        k = math.ceil((1 - self.rate) * (n + 1) - 1e-9)  # (4), 1e-9: 0.9 (9 + 1) is 9
        if k > n:
            least = math.ceil(1 / self.rate - 1 - 1e-9)
            raise ValueError(
                f"there are {n} examples, but a rate of {self.rate:g} takes {least}: give more"
            )
        return float(np.partition(s, k - 1)[k - 1])  # (4)


def learn(rule: Rule, scores: Any) -> float:
    """The threshold that a rule, or any function of scores (n,), takes from scores of normal
    examples.

    Warns (DetectionWarning) where it flags more than half of them, or could flag nothing at all.
    Raises TypeError for what is no function, ValueError for scores or a threshold that are no
    numbers.
    """
    require_rule(rule)
    s = as_scores(scores)
    checks.finite(s, "the score of normal examples")
    threshold = as_threshold(rule(s), f"the threshold by {rule!r}")
    flagged = np.count_nonzero(s > threshold)
    if flagged > len(s) / 2:
        warn(
            f"the threshold {threshold:.4g} flags {flagged} of {len(s)} normal examples: choose a "
            "milder rule"
        )
    elif threshold == np.inf:
        warn("the threshold is inf, which flags nothing: choose another rule")
    elif s.min() == s.max():
        warn(
            f"the score is {s[0]:.4g} for every normal example ({len(s)}), which says nothing of "
            "how far they spread: see whether the examples differ"
        )
    return threshold


def require_rule(rule: Any) -> None:
    """Raise TypeError unless rule is a function of scores (n,)."""
    if isinstance(rule, type) or not checks.accepts(rule, 1):
        raise TypeError(f"the rule is {rule!r}, but one such as MeanStd(1) is expected")


def exceeds(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Whether each of scores (n,) is flagged: (n,) bool. NaN, which is no score, is."""
    return ~(scores <= threshold)


def as_scores(scores: Any, what: str = "the scores", missing: bool = False) -> np.ndarray:
    """Scores (n,) as float64, NaN among them if missing. Raises ValueError for another shape, none
    at all or NaN, and as ``as_numbers``."""
    s = as_numbers(scores, what)
    checks.sizes(what, s, "N")
    if not missing and np.isnan(s).any():
        at = checks.first(np.isnan(s))[0]
        raise ValueError(
            f"{what} are nan at index {at}: leave out what has no score (keep = ~np.isnan(scores))"
        )
    return s


def as_numbers(values: Any, what: str) -> np.ndarray:
    """Numbers of any shape, (n,) or (n, T), NaN among them, as float64. Raises ValueError for what
    is none.

    And what checks.as_array raises.
    """
    s = checks.as_array(values, what)
    if s.dtype.kind not in "fiu":
        raise ValueError(f"{what} are {s.dtype} of shape {s.shape}, but numbers are expected")
    return s.astype(np.float64)


def as_threshold(value: Any, what: str = "the threshold") -> float:
    """A number, also inf, as float. Raises ValueError for others."""
    if not checks.number(value):
        raise ValueError(f"{what} is {value!r}, but a number is expected, such as fit learns")
    return float(value)


def warn(sentence: str) -> None:
    """Give a DetectionWarning at the line that called this library. Source: checks.stacklevel."""
    warnings.warn(sentence, DetectionWarning, stacklevel=checks.stacklevel())
