"""The report of a detector: what it found, missed and flagged in vain, and how well its scores
rank.

Of N examples, for one of the two classes, "normal" and "anomaly": TP are of it and taken for it,
FP are not of it but taken for it, FN are of it but taken for the other. With m anomalies, n normal
examples and the rank of each score among all N, from 1, ties sharing their mean rank:

    accuracy = right / N                                                                        (1)
    precision = TP / (TP + FP)                              of those taken for it               (2)
    recall = TP / (TP + FN)                                 of those that are of it             (3)
    ROC-AUC = (sum of the anomalies' ranks - m (m + 1) / 2) / (m n)                             (4)
            = P(an anomaly's score > a normal one's) + P(they are equal) / 2
    average precision = sum_k (R_k - R_k-1) P_k             over the distinct scores, falling   (5)

P_k and R_k are precision and recall, for anomalies, where all with a score of at least the k-th
are flagged. What divides by zero is undefined: NaN, and the table says why. A score that is NaN is
none: these functions refuse it, and a Detector's report takes it as above every number. Source:
Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982 (4); Mann and Whitney
1947 (4); Manning, Raghavan, Schütze, "Introduction to information retrieval", 2008, section 8.4
(5).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import as_array, sizes
from .thresholds import as_scores, as_threshold, exceeds, warn

CLASSES = ("normal", "anomaly")
ONE_CLASS = "undefined: only one class"


@dataclass(frozen=True, eq=False)  # eq would ask an array of comparisons for one truth
class Report:
    """What ``report`` returns; printed, it is a small table.

    table (2, 2): rows the truth, columns what it was taken for, normal first; precision and recall
    by class, "normal" and "anomaly"; NaN is undefined. Source: the module.
    """

    threshold: float
    table: np.ndarray
    accuracy: float
    precision: dict[str, float]
    recall: dict[str, float]
    auc: float
    average_precision: float

    def __str__(self) -> str:
        rows = [f"{'':10}{'taken for':>20}"]
        rows.append(f"{'truth':10}{'normal':>10}{'anomaly':>10}{'precision':>11}{'recall':>9}")
        for name, (normal, anomaly) in zip(CLASSES, self.table.tolist(), strict=True):
            rates = f"{_three(self.precision[name]):>11}{_three(self.recall[name]):>9}"
            rows.append(f"{name:10}{normal:>10,}{anomaly:>10,}{rates}")
        rows.append(f"accuracy {self.accuracy:.3f}, at the threshold {self.threshold:.4g}")
        rows.append(f"ROC-AUC {_three(self.auc, ONE_CLASS)}")
        rows.append(f"average precision {_three(self.average_precision, ONE_CLASS)}")
        for c, taken, true in zip(
            CLASSES, self.table.sum(axis=0).tolist(), self.table.sum(axis=1).tolist(), strict=True
        ):
            rows += [f"precision of {c} undefined: nothing was taken for it"] * (taken == 0)
            rows += [f"recall of {c} undefined: there is none"] * (true == 0)
        return "\n".join(rows)


def report(scores: Any, is_anomaly: Any, threshold: float) -> Report:
    """Scores (N,), the truth (N,) as booleans, and the threshold above which an example is
    flagged.

    Warns (DetectionWarning) where everything is flagged though some are normal, or nothing though
    some are not. Raises ValueError for NaN, for lengths that differ, and for a truth that is not
    of booleans or 0 and 1, of whatever dtype, TypeError for masked arrays.
    """
    return ranked(*pair(scores, is_anomaly), as_threshold(threshold))


def ranked(s: np.ndarray, y: np.ndarray, threshold: float) -> Report:
    """``report`` of scores (N,), NaN above every number, and the truth (N,) bool."""
    flags = exceeds(s, threshold)
    table = np.bincount(2 * y + flags, minlength=4).reshape(2, 2)
    right, taken, true = np.diagonal(table), table.sum(axis=0), table.sum(axis=1)
    if flags.all() and not y.all():
        warn(
            f"the threshold {threshold:.4g} flags everything, all {len(s)} examples: choose "
            "another rule"
        )
    if y.any() and not flags.any():
        warn(
            f"the threshold {threshold:.4g} flags nothing, though {y.sum()} of {len(s)} are "
            "anomalies"
        )
    return Report(
        threshold=threshold,
        table=table,
        accuracy=float(right.sum() / len(s)),  # (1)
        precision={c: _ratio(right[i], taken[i]) for i, c in enumerate(CLASSES)},  # (2)
        recall={c: _ratio(right[i], true[i]) for i, c in enumerate(CLASSES)},  # (3)
        auc=_area(s, y),
        average_precision=_average(s, y),
    )


def roc_auc(scores: Any, is_anomaly: Any) -> float:
    """Scores (N,) and the truth (N,) -> the area under the ROC curve.

    NaN where there is one class only, with a DetectionWarning. Raises as ``report``. Source: the
    module, (4).
    """
    return _defined("the ROC-AUC", _area, scores, is_anomaly)


def average_precision(scores: Any, is_anomaly: Any) -> float:
    """Scores (N,) and the truth (N,) -> average precision of anomalies.

    NaN where there is one class only, with a DetectionWarning. Raises as ``report``. Source: the
    module, (5).
    """
    return _defined("the average precision", _average, scores, is_anomaly)


def _defined(
    name: str, f: Callable[[np.ndarray, np.ndarray], float], scores: Any, is_anomaly: Any
) -> float:
    """f of scores and the truth (N,) each, checked, with a warning where it is not defined."""
    s, y = pair(scores, is_anomaly)
    if math.isnan(value := f(s, y)):
        only = CLASSES[int(y[0])]
        warn(
            f"{name} is nan, undefined where all {len(y)} examples are of one class, {only}: give "
            "both classes"
        )
    return value


def _area(s: np.ndarray, y: np.ndarray) -> float:
    """(4) of scores (N,) and the truth (N,) bool."""
    m, n = int(y.sum()), int((~y).sum())
    if m == 0 or n == 0:
        return math.nan
    _, place, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # (N,)  # (4)
    return float((ranks[y].sum() - m * (m + 1) / 2) / (m * n))  # (4)


def _average(s: np.ndarray, y: np.ndarray) -> float:
    """(5) of scores (N,) and the truth (N,) bool."""
    if y.all() or not y.any():
        return math.nan
    _, place = np.unique(s, return_inverse=True)
    place = place.max() - place  # falling
    flagged = np.cumsum(np.bincount(place))  # (K,): with a score of at least the k-th
    found = np.cumsum(np.bincount(place, weights=y))
    return float((np.diff(found, prepend=0) / found[-1] * found / flagged).sum())  # (5)


def pair(scores: Any, is_anomaly: Any, missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N,) as float64, NaN among them if missing, and the truth (N,) as bool. Raises as
    ``report``."""
    s = as_scores(scores, missing=missing)
    y = as_array(is_anomaly, "the values of is_anomaly")
    sizes("is_anomaly", y, "N", N=len(s))
    wrong = y[(y != 0) & (y != 1)] if y.dtype.kind in "biuf" else [y.dtype]
    if len(wrong):
        raise ValueError(f"is_anomaly holds {wrong[0]}: give booleans, such as labels != NORMAL")
    return s, y.astype(bool)


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else math.nan


def _three(value: float, undefined: str = "-") -> str:
    return undefined if math.isnan(value) else f"{value:.3f}"
