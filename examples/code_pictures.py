"""What the units of a code do, over many images and within one."""

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchae.plots.frame import FAINT, INK, TEST, TRAIN, framed, literal, name_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = TRAIN, TEST


def code_activity(codes: dict[str, np.ndarray], title: str, note: str = "") -> "Figure":
    """Two models' codes beside each other: {word: h (N, D)} -> Figure of two panels.

    Left, the mean of |h| over the images, units sorted by it. Right, each image's own units sorted
    by |h| and divided by its largest, then averaged over the images: the faster this falls, the
    sparser the code. Raises ValueError for more than two codes and for another shape. Source:
    Olshausen and Field 1996.
    """
    if not 1 <= len(codes) <= len(COLOURS) or any(
        h.ndim != 2 or h.size == 0 for h in codes.values()
    ):
        shapes = {word: h.shape for word, h in codes.items()}
        raise ValueError(f"the codes have shapes {shapes}, but one or two of (N, D) are expected")
    figure = framed(7.6, 2.9, title, note, constrained=True)
    left, right = figure.subplots(1, 2)
    for (word, h), colour in zip(codes.items(), COLOURS, strict=False):
        style: dict[str, Any] = {
            "color": colour,
            "lw": 1.8,
            "marker": "o",
            "ms": 3.5,
            "mec": "white",
            "mew": 0.5,
        }
        units = np.arange(1, h.shape[1] + 1)
        left.plot(
            units,
            np.sort(np.abs(h).mean(axis=0))[::-1],
            label=word,
            clip_on=False,
            zorder=3,
            **style,
        )
        right.plot(units, _within(h), clip_on=False, zorder=3, **style)
    for axes, words in (
        (left, "of each unit, over the images"),
        (right, "of an image's units, its largest = 1"),
    ):
        axes.set_title(f"mean activity {words}", fontsize=9, color=INK)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=FAINT, lw=0.6)
    name_axes(left, "unit, the most active first", "mean |h|")
    name_axes(right, "unit, the image's most active first", "|h| / largest |h|")
    left.legend(frameon=False, fontsize=8, labelcolor=INK)
    return literal(figure)


def _within(h: np.ndarray) -> np.ndarray:
    """h (N, D) -> (D,), the mean over the images of their sorted |h|, divided by the largest; 0
    where all are."""
    ranked = np.sort(np.abs(h), axis=1)[:, ::-1]
    largest = ranked[:, :1]
    return (ranked / np.where(largest == 0, 1, largest)).mean(axis=0)
