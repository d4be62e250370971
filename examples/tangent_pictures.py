"""Along which directions a code moves: planes on a surface in space, and the singular values of a
Jacobian."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchae.plots.frame import (
    FAINT,
    INK,
    QUIET,
    TEST,
    TRAIN,
    framed,
    literal,
    name_axes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = TRAIN, TEST
ARROW = 0.12  # of the largest extent of the points
VIEW = 38, -62  # degrees above the ground, and around
MARKED = 40  # values, at most, that are points as well as a line
TICKS = 9  # intervals, at most, between the numbers below an axis


def tangent_planes(
    x: np.ndarray,
    planes: dict[str, tuple[np.ndarray, np.ndarray]],
    rows: Sequence[int],
    title: str,
    note: str = "",
) -> "Figure":
    """Points x (N, 3) in space, a panel for each estimate of their tangent planes: {word:
    (V, angle)} -> Figure.

    V (N, 2, 3) orthonormal, of which the rows (n,) are drawn as arrows; angle (N,) in degrees to
    the true plane: the colour of each point. All panels have the same axes and colours. Raises
    ValueError for other shapes, and for no estimate. Source: Rifai et al., "The manifold tangent
    classifier", 2011, section 2.2.
    """
    N = len(x)
    if (
        x.shape != (N, 3)
        or not planes
        or any((V.shape, a.shape) != ((N, 2, 3), (N,)) for V, a in planes.values())
    ):
        shapes = {word: (V.shape, a.shape) for word, (V, a) in planes.items()}
        raise ValueError(
            f"x has shape {x.shape} and the estimates {shapes}, but (N, 3) and (N, 2, 3), (N,) of "
            "each are expected"
        )
    from matplotlib import rc_context

    figure = framed(max(6.8, 4.1 * len(planes) + 0.9), 3.7, title, note, constrained=True)
    extent = np.ptp(x, axis=0)
    panels: list[Any] = []
    for i, (word, (V, angle)) in enumerate(planes.items()):
        # read as an axis in space is made
        with rc_context({"grid.color": FAINT, "grid.linewidth": 0.5}):
            axes: Any = figure.add_subplot(
                1, len(planes), i + 1, projection="3d", computed_zorder=False
            )
        points = axes.scatter(
            *x.T, c=angle, cmap="viridis_r", vmin=0, vmax=90, s=9, lw=0, depthshade=False
        )
        for v in V[list(rows)].swapaxes(0, 1) * ARROW * extent.max():  # (n, 3)
            for ends in (v, -v):
                axes.quiver(*x[list(rows)].T, *ends.T, color=INK, lw=0.9, arrow_length_ratio=0.3)
        axes.set_title(f"{word}: median {np.median(angle):.1f}°", fontsize=9, color=INK, pad=6)
        axes.set_box_aspect(tuple(extent), zoom=1.05)  # an array would be changed
        axes.view_init(*VIEW)
        axes.tick_params(labelsize=7, colors=QUIET, pad=-2)
        for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), "123", strict=True):
            axis.pane.set(facecolor="white", edgecolor=FAINT)
            axis.set_label_text(f"$x_{name}$", fontsize=9, color=INK)
            axis.labelpad = -6
        panels.append(axes)
    bar = figure.colorbar(points, ax=panels, shrink=0.6, pad=0.03, ticks=[0, 30, 60, 90])
    bar.set_label("angle to the true tangent plane, degrees", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=QUIET)
    bar.outline.set_visible(False)
    # Matplotlib below 3.11.2 leaves no space for the ticks of axes in space at the first drawing
    literal(figure).draw_without_rendering()
    return figure


def spectra(values: dict[str, np.ndarray], leading: int, title: str, note: str = "") -> "Figure":
    """Two models' Jacobians beside each other: {word: singular values (N, r), falling} -> Figure
    of two panels.

    Left, their mean over the examples. Right, the share of ||dh/dx||^2 that the first k directions
    hold, averaged over the examples. A line marks k = leading. Raises ValueError for more than two
    models and for another shape.
    Source: Rifai et al., "Contractive auto-encoders", 2011, figure 3.
    """
    if not 1 <= len(values) <= len(COLOURS) or any(
        s.ndim != 2 or s.size == 0 for s in values.values()
    ):
        shapes = {word: s.shape for word, s in values.items()}
        raise ValueError(
            f"the singular values have shapes {shapes}, but one or two of (N, r) are expected"
        )
    figure = framed(7.6, 2.9, title, note, constrained=True)
    left, right = figure.subplots(1, 2)
    for (word, s), colour in zip(values.items(), COLOURS, strict=False):
        k = np.arange(1, s.shape[1] + 1)
        style: dict[str, Any] = {
            "color": colour,
            "lw": 1.8,
            "ms": 4.5,
            "mec": "white",
            "clip_on": False,
            "zorder": 3,
        }
        style["marker"] = "o" if len(k) <= MARKED else ""
        left.plot(k, s.mean(axis=0), label=word, **style)
        right.plot(k, shares(s).mean(axis=0), **style)
    for axes, words in (
        (left, "mean singular value of dh/dx"),
        (right, "share of ||dh/dx||² in the first k"),
    ):
        axes.axvline(leading, color=QUIET, lw=0.9, ls=":", zorder=2, label=f"k = {leading}")
        axes.set_title(words, fontsize=9, color=INK)
        axes.set_ylim(bottom=0)
        axes.set_xticks(_ticks(max(s.shape[1] for s in values.values()), leading))
        axes.grid(axis="y", color=FAINT, lw=0.6)
    right.set_ylim(top=1)
    name_axes(left, "direction k, the strongest first", "singular value")
    name_axes(right, "directions k", "share")
    left.legend(frameon=False, fontsize=8, labelcolor=INK)
    return literal(figure)


def _ticks(r: int, leading: int) -> list[float]:
    """Where the axis of 1 ... r is numbered: at leading, and at round numbers that keep away from
    it."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(TICKS, integer=True).tick_values(1, r)
    return [leading, *(t for t in ticks if 1 <= t <= r and abs(t - leading) > 0.05 * r)]


def shares(s: np.ndarray) -> np.ndarray:
    """Singular values s (N, r) -> (N, r): of sum s^2, what part the first k hold; 0 where all are.
    Source: none."""
    held = np.cumsum(np.square(s, dtype=np.float64), axis=1)
    return held / np.maximum(held[:, -1:], np.finfo(np.float64).tiny)
