"""What ten detectors take for normal and for strange, and how well each ranks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchae import Images
from scratchae.plots.frame import (
    DPI,
    FAINT,
    INK,
    MARGIN,
    QUIET,
    TEST,
    TRAIN,
    framed,
    header,
    literal,
    name_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN, GAP, SCALE = 5, 2, 3  # images of a block in a row; pixels between two; screen pixels of one
BLOCKS = "of the class, most normal", "of the class, strangest", "others, most normal"
LEFT, APART, ABOVE, BELOW, CURVE = 1.0, 0.15, 0.22, 0.6, 2.1  # inches
EDGE = 0.05  # of the span of ROC-AUC: on each side, so that no point is cut


@dataclass(frozen=True)
class Row:
    """A detector of one class: scores (N,) of all images, of (N,) bool which are of its class, its
    ROC-AUC, and what was published of another one, if anything was."""

    name: str
    scores: np.ndarray
    of: np.ndarray
    auc: float
    published: float | None


def chosen(row: Row) -> list[np.ndarray]:
    """The indices of each block's images, (5,) or fewer: the most normal of the class, the
    strangest of it, and the others that are the most normal."""
    order = np.argsort(row.scores, kind="stable")
    mine, others = order[row.of[order]], order[~row.of[order]]
    return [mine[:SHOWN], mine[::-1][:SHOWN], others[:SHOWN]]


def extremes(images: Images, rows: list[Row], title: str, note: str = "") -> "Figure":
    """A line for each detector: images (N, H, W, 1) at the ends of its order, and its ROC-AUC.

    Source: Ruff et al. 2018, figures 3 and 4, which show the first two blocks of the class."""
    blocks = [_mosaic(images, part) for part in zip(*map(chosen, rows), strict=True)]
    height, width = (SCALE * n / DPI for n in blocks[0].shape)
    whole = LEFT + len(blocks) * (width + APART) + CURVE, ABOVE + height + BELOW
    figure = framed(*whole, title, note)
    total = whole[1] + header(title, note)

    def place(left: float, wide: float) -> "Axes":
        box = left / whole[0], BELOW / total, wide / whole[0], height / total
        return figure.add_axes(box)

    at = (np.arange(len(rows)) + 0.5) / len(rows)
    for i, (block, words) in enumerate(zip(blocks, BLOCKS, strict=True)):
        axes = place(LEFT + i * (width + APART), width)
        how: dict[str, Any] = {"interpolation": "nearest", "interpolation_stage": "data"}
        axes.imshow(
            block, cmap="gray_r", vmin=0, vmax=1, extent=(0, 1, 1, 0), aspect="auto", **how
        )
        axes.set_title(words, fontsize=9, color=INK)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        if i == 0:
            axes.set_yticks(at, [row.name for row in rows], fontsize=9, color=INK)
            axes.tick_params(length=0)
    areas(place(LEFT + len(blocks) * (width + APART) + MARGIN, CURVE - 0.75), rows, at)
    return literal(figure)


def areas(axes: "Axes", rows: list[Row], at: np.ndarray) -> None:
    """The ROC-AUC of each detector at its height (n,), and the published one as a ring."""
    ours = [row.auc for row in rows]
    axes.plot(ours, at, "o", color=TEST, ms=6, label="here", zorder=3)
    there = [(row.published, y) for row, y in zip(rows, at, strict=True) if row.published]
    if there:
        style: dict[str, Any] = {"color": TRAIN, "mfc": "none", "ms": 6, "label": "Deep SVDD"}
        axes.plot(*zip(*there, strict=True), "o", **style)
        below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.05), "ncols": 2}
        below |= {"handletextpad": 0.1, "columnspacing": 1.0}
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, **below)
    axes.set_ylim(1, 0)
    least = min(*ours, *(x for x, _ in there), 0.9)
    room = EDGE * (1 - least)
    axes.set_xlim(least - room, 1 + room)
    axes.grid(color=FAINT, lw=0.6)
    axes.set_title("ROC-AUC", fontsize=9, color=INK)
    name_axes(axes, "", "")
    axes.yaxis.tick_right()
    axes.set_yticks(at, [f"{row.auc:.4f}" for row in rows])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)


def _mosaic(images: Images, part: tuple[np.ndarray, ...]) -> np.ndarray:
    """The images at these indices, a line for each (5,) of them, (n H', 5 W'): white where there
    are fewer."""
    H, W, _ = images.shape
    tiles = np.zeros((len(part), SHOWN, H + GAP, W + GAP), np.float32)
    for line, index in zip(tiles, part, strict=True):
        line[: len(index), :H, :W] = images.values(index)[..., 0]
    return tiles.swapaxes(1, 2).reshape(len(part) * (H + GAP), SHOWN * (W + GAP))
