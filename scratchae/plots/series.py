"""A series over time: what was found strange in it, and how well its windows are reconstructed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .frame import FAINT, INK, TEST, TRAIN, framed, literal, name_axes, numbers, two_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADE = "#f0e442"  # Okabe and Ito's yellow, under everything
COLUMNS = 3  # panels on a row
NUMBERS = "iuf"  # kinds of dtype; others are dates


def series_scores(
    t: Any,
    x: Any,
    scores: Any,
    threshold: float,
    events: Sequence[tuple[str, Any, Any]],
    title: str,
    note: str = "",
    units: tuple[str, str, str] = ("time", "value", "score"),
) -> "Figure":
    """A series above its scores: t, x, scores (T,), the threshold, and what is known to be
    wrong -> Figure.

    Points above the threshold are marked; each event (word, from, to), in the units of t, is
    shaded and named.
    t: numbers or dates; x and scores may hold NaN, which is a gap. units: of t, x and the scores.
    The scores' panel begins at 0 where nothing in it is below. Raises ValueError for other shapes,
    for NaN in t, for events in other units, and for a threshold that is none, TypeError for masked
    arrays. Source: Lavin and Ahmad 2015, figure 1.
    """
    from .. import checks
    from ..detection.thresholds import as_threshold

    t, x, scores = _times(t), numbers(x, "the values x"), numbers(scores, "the scores")
    for what, values in (("x", x), ("the scores", scores)):
        checks.sizes(what, values, "T", T=len(t))
    threshold = as_threshold(threshold)
    for word, start, stop in events:
        if (np.asarray([start, stop]).dtype.kind in NUMBERS) != (t.dtype.kind in NUMBERS):
            raise ValueError(
                f"the event {word!r} is from {start} to {stop}, but t is {t.dtype}: give its units"
            )
    figure = framed(10.5, 4.6, title, note, constrained=True)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    over = scores > threshold
    upper.plot(t, x, _marker(t), color=TRAIN, lw=0.8, label="series", zorder=3)
    upper.plot(
        t[over], x[over], "o", color=TEST, ms=3, mew=0, label="above the threshold", zorder=4
    )
    lower.plot(t, scores, _marker(t), color=INK, lw=0.8, zorder=3)
    lower.axhline(
        threshold, color=TEST, lw=1, ls="--", zorder=4, label=f"threshold {threshold:.3g}"
    )
    heights = np.append(scores, threshold)
    if not (heights[np.isfinite(heights)] < 0).any():
        lower.set_ylim(bottom=0)
    for word, start, stop in events:
        for axes in (upper, lower):
            axes.axvspan(start, stop, color=SHADE, alpha=0.45, lw=0, zorder=1)
        middle = start + (stop - start) / 2  # of two dates there is no sum
        upper.annotate(
            word,
            (middle, 1),
            (0, 2),
            ("data", "axes fraction"),
            "offset points",
            ha="center",
            fontsize=8,
        )
    _from_first_to_last(upper, t)
    name_axes(upper, "", units[1])
    name_axes(lower, units[0], units[2])
    _legend_below(figure, upper, lower, markerscale=2)
    return literal(figure)


def window_pairs(
    pairs: dict[str, tuple[Any, Any]],
    t: Any,
    title: str,
    note: str = "",
    units: tuple[str, str] = ("time", "value"),
    lines: tuple[str, str] = ("original", "reconstruction"),
) -> "Figure":
    """Series and their reconstructions, the error between them filled: {title: (x, x')}, t
    all (T,) -> Figure.

    t: numbers or dates; x and x' may hold NaN, which is a gap. units: of t and x; lines: the names
    of x and x'; all panels have the same axes. Raises ValueError for other shapes, for NaN in t,
    for no series or points, and for lines that are no two names, TypeError for masked arrays.
    Source: TensorFlow's tutorial "Intro to Autoencoders", third example.
    """
    from matplotlib.ticker import MaxNLocator

    from .. import checks

    first, second = two_names(lines)
    t, drawn = _times(t), {}
    for word, (x, y) in pairs.items():
        drawn[word] = numbers(x, f"x of {word!r}"), numbers(y, f"x' of {word!r}")
        for what, values in zip(("x of", "x' of"), drawn[word], strict=True):
            checks.sizes(f"{what} {word!r}", values, "T", T=len(t))
    if not pairs:
        raise ValueError("there are no series, so there is nothing to draw: give one at least")
    columns = 2 if len(pairs) == 4 else min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = framed(
        max(4.6, 3.2 * columns),
        (2.1 if rows > 1 else 2.9) * rows + 0.3,
        title,
        note,
        constrained=True,
    )
    panels: list[Axes] = list(
        figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    )
    for i, (axes, (word, (x, y))) in enumerate(zip(panels, drawn.items(), strict=False)):
        axes.fill_between(t, x, y, color=TEST, alpha=0.25, lw=0, label="error", zorder=2)
        axes.plot(t, x, _marker(t), color=TRAIN, lw=2.6, alpha=0.55, label=first, zorder=3)
        axes.plot(t, y, _marker(t), color=TEST, lw=1, label=second, zorder=4)
        axes.set_title(word, fontsize=9, color=INK)
        axes.grid(axis="y", color=FAINT, lw=0.6)
        name_axes(
            axes,
            units[0] if i + columns >= len(pairs) else "",
            units[1] if i % columns == 0 else "",
        )
        axes.tick_params(labelbottom=i + columns >= len(pairs))
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    _from_first_to_last(panels[0], t)
    panels[0].xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 3, 6, 10]))
    _legend_below(figure, panels[0])
    return literal(figure)


def _times(t: Any) -> np.ndarray:
    """Times, numbers or dates, as an array (T,). Raises ValueError for another shape and for what
    is no time."""
    from .. import checks

    t = checks.as_array(t, "the times t")
    checks.sizes("t", t, "T")
    if (missing := t != t).any():  # NaN, NaT
        at = int(np.argmax(missing))
        raise ValueError(f"t is {t[at]} at index {at}, but a time is expected: leave it out")
    return t.astype(np.float64) if t.dtype.kind in NUMBERS else t


def _marker(t: np.ndarray) -> str:
    """How a line over t (T,) is drawn: as one, and one point, which makes none, as a point."""
    return "-" if len(t) > 1 else "."


def _from_first_to_last(axes: "Axes", t: np.ndarray) -> None:
    """Limit the panel to the times t (T,); one point alone keeps the room that matplotlib gives
    it."""
    if t[0] != t[-1]:
        axes.set_xlim(t[0], t[-1])


def _legend_below(figure: "Figure", *panels: "Axes", markerscale: float = 1) -> None:
    """What the panels' lines are, in a row outside of them; points as large there as asked."""
    handles = [handle for axes in panels for handle in axes.get_legend_handles_labels()[0]]
    style: dict[str, Any] = {
        "frameon": False,
        "fontsize": 8,
        "labelcolor": INK,
        "markerscale": markerscale,
    }
    figure.legend(handles=handles, loc="outside lower center", ncols=3, **style)
