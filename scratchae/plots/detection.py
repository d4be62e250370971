"""A detector at work: how its scores lie about the threshold, and the ROC curve."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .frame import FAINT, INK, QUIET, TEST, TRAIN, framed, literal, name_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 60
STEPS = (1.0, 2.0, 5.0)  # ticks of a logarithmic axis, in each power of ten
LEAST, MOST = 3, 10  # of them, for an axis that can be read
PLAIN = 1e-4, 1e6  # numbers between these are written without an exponent


def score_histogram(
    known: Any,
    scores: Any,
    is_anomaly: Any,
    threshold: float,
    title: str,
    note: str = "",
    unit: str = "score",
) -> "Figure":
    """How scores lie about the threshold: of normal examples (n,) that it was learnt from, of test
    ones (N,).

    is_anomaly (N,) bool: the truth. Shares are of each group; the axis is logarithmic where all
    scores are above 0 and three of its ticks lie among them. A test score that is NaN is none: it
    is left out, and the note says so. Raises as detection's ``report``, and ValueError for other
    scores that are not finite. Source: Chandola, Banerjee, Kumar, "Anomaly detection: a survey",
    2009, section 1.4 (scores and thresholds).
    """
    from .. import checks
    from ..detection.reports import pair
    from ..detection.thresholds import as_scores, as_threshold

    normal = as_scores(known, "the known scores")
    s, y = pair(scores, is_anomaly, missing=True)
    threshold = as_threshold(threshold)
    note, there = _noted(note, s, "left out"), ~np.isnan(s)
    s, y = s[there], y[there]
    checks.finite(normal, "the known scores")
    checks.finite(s, "the scores")
    figure = framed(6.4, 3.6, title, note, constrained=True)
    axes = figure.add_subplot()
    drawn = np.isfinite(threshold)
    every = np.concatenate([normal, s, [threshold] if drawn else []])
    low, high = every.min(), every.max()
    logarithmic = low > 0 and len(_ticks(low, high)) >= LEAST
    edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low, high, BINS + 1)
    edges[0], edges[-1] = low, high  # rounding may leave them inside
    groups: tuple[tuple[str, np.ndarray, dict[str, Any]], ...] = (
        (
            "normal, sets the threshold",
            normal,
            {"histtype": "stepfilled", "color": TRAIN, "alpha": 0.3, "lw": 0},
        ),
        ("normal, test", s[~y], {"histtype": "step", "color": TRAIN, "lw": 1.5}),
        ("abnormal, test", s[y], {"histtype": "stepfilled", "color": TEST, "alpha": 0.6, "lw": 0}),
    )
    for name, group, style in groups:
        if n := len(group):
            axes.hist(
                group,
                edges.tolist(),
                weights=np.full(n, 100 / n),
                label=f"{name} ({n:,})",
                **style,
            )
    if drawn:
        axes.axvline(threshold, color=INK, lw=1.2, ls="--", label=f"threshold {threshold:.3g}")
    if logarithmic:
        _logarithmic(axes)
    name_axes(axes, unit, "% of each group")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK)
    return literal(figure)


def roc_curve(
    scores: Any, is_anomaly: Any, threshold: float, title: str, note: str = ""
) -> "Figure":
    """Anomalies found against false alarms, over all thresholds, the chosen one marked: (N,)
    twice -> Figure.

    is_anomaly (N,) bool: the truth. The area under the curve is detection's ``roc_auc``. A score
    that is NaN is none: as in a Detector's report, it ranks above every number and is flagged, and
    the note says so. Raises as detection's ``report``, and ValueError where one of the classes is
    missing. Source: Hanley and McNeil 1982, figure 1.
    """
    from ..detection.reports import pair
    from ..detection.thresholds import as_threshold, exceeds

    s, y = pair(scores, is_anomaly, missing=True)
    threshold = as_threshold(threshold)
    if y.all() or not y.any():
        raise ValueError(
            f"there are {y.sum()} anomalies among {len(y)} examples, but a ROC curve takes both"
        )
    _, place = np.unique(s, return_inverse=True)
    place = place.max() - place  # falling, NaN first
    found, alarms = (np.bincount(place, weights=of).cumsum() / of.sum() for of in (y, ~y))
    found, alarms = np.append(0, found), np.append(0, alarms)
    flags = exceeds(s, threshold)
    hit, alarm = flags[y].mean(), flags[~y].mean()
    figure = framed(4.8, 4.5, title, _noted(note, s, "flagged"), constrained=True)
    axes = figure.add_subplot(aspect="equal")
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=":", label="by chance, AUC 0.5")
    axes.plot(
        alarms,
        found,
        color=TRAIN,
        lw=1.8,
        label=f"the detector, AUC {np.trapezoid(found, alarms):.4f}",
    )
    point = f"threshold {threshold:.3g}: finds {hit:.1%},\nfalse alarms {alarm:.1%}"
    style: dict[str, Any] = {
        "color": TEST,
        "mec": "white",
        "ms": 9,
        "ls": "",
        "clip_on": False,
        "zorder": 4,
    }
    axes.plot(alarm, hit, "o", label=point, **style)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    name_axes(axes, "normal examples that are flagged", "anomalies that are flagged")
    axes.legend(loc="lower right", frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def _noted(note: str, s: np.ndarray, fate: str) -> str:
    """The note, with what becomes of those of scores (N,) that are NaN."""
    n = np.count_nonzero(np.isnan(s))
    return "; ".join(filter(None, (note, f"{n:,} without a score, {fate}" if n else "")))


def _ticks(low: float, high: float) -> np.ndarray:
    """The ticks of a logarithmic axis from low to high, (n,): 1, 2 and 5 in each power of ten."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    ticks = np.multiply.outer(powers, STEPS).ravel()
    return ticks[(low <= ticks) & (ticks <= high)]


def _logarithmic(axes: "Axes") -> None:
    """A logarithmic x axis with few ticks: where 1, 2 and 5 would be many, powers of ten, evenly
    chosen."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = _ticks(low, high)
    if len(ticks) > MOST:
        exponents = np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
        ticks = 10.0 ** exponents[:: -(-len(exponents) // MOST)]
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter([_written(tick) for tick in ticks]))


def _written(tick: float) -> str:
    """A tick of a logarithmic axis in words: 0.002, 50, 2e-6."""
    if PLAIN[0] <= tick < PLAIN[1]:
        return np.format_float_positional(tick, 3, trim="-", fractional=False)
    words = np.format_float_scientific(tick, 3, trim="-", exp_digits=1)
    return words.replace("e+", "e").replace("-", "\N{MINUS SIGN}")
