"""Figures for a talk: image grids, loss curves, the latent plane. Matplotlib is imported by the first of them.

Every function takes host arrays and returns a matplotlib Figure, titled in bold, with a quieter note below
the title; ``save`` and ``write_gif`` write. Matplotlib's global state is left alone (no pyplot), so
these work in any thread and beside any backend. The colours are told apart by the colour-blind too.

Source: Petroff, "Accessible color sequences for data visualization", arXiv:2107.02270, for the ten colours of
the classes; Okabe and Ito, "Color universal design", 2008, for the two of the curves.
"""

import math
import os
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASSES = [
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
]
TRAIN, TEST = "#0072b2", "#d55e00"
INK, QUIET, FAINT = "#222222", "#666666", "#e4e4e4"
DPI = 200
HEADER = 0.66  # inches above every picture, for the title and the note
MARGIN = 0.18  # inches around every picture
COLUMNS = 10  # images on a row
WIDTH = 1250  # screen pixels that a grid of images comes near to


def image_grid(images: np.ndarray, title: str, note: str = "") -> "Figure":
    """Images side by side in reading order, 0 white and 1 black: (N, H, W, 1) -> Figure.

    Raises ValueError for another shape. Source: Kingma and Welling 2014, figure 5.
    """
    return _image_figure(_mosaic(images, COLUMNS, gap=3), title, note)[0]


def image_pairs(x: np.ndarray, reconstruction: np.ndarray, title: str, note: str = "") -> "Figure":
    """Each row of originals above the row of their reconstructions: (N, H, W, 1) twice -> Figure.

    Raises ValueError for another shape. Source: Hinton and Salakhutdinov 2006, figure 2.
    """
    if x.shape != reconstruction.shape:
        raise ValueError(f"the originals have shape {x.shape}, but the reconstructions {reconstruction.shape}")
    bands: list[np.ndarray] = []
    ticks, words, below = [], [], {"original": 2, "reconstruction": 8}
    for start in range(0, len(x) or 1, COLUMNS):
        for images, word in zip((x, reconstruction), below, strict=True):
            row = _mosaic(images[start : start + COLUMNS], COLUMNS, gap=3)
            ticks.append(sum(map(len, bands)) + len(row) / 2)
            words.append(word)
            bands.append(np.pad(row, ((0, below[word]), (0, 0))))
    figure, axes = _image_figure(np.concatenate(bands)[: -below[word]], title, note, left=1.0)
    axes.set_yticks(ticks, words, fontsize=8, color=QUIET)
    return figure


def manifold(images: np.ndarray, title: str, note: str = "") -> "Figure":
    """What a 2-D latent plane decodes to, at the points of ``quantile_plane``: (n^2, H, W, 1) -> Figure.

    Raises ValueError for another shape. Source: Kingma and Welling 2014, figure 4.
    """
    n, side = math.isqrt(len(images)), images.shape[1]
    if n * n != len(images):
        raise ValueError(f"there are {len(images)} images, but a square number is expected: see quantile_plane")
    figure, axes = _image_figure(_mosaic(images, n, gap=0), title, note, left=0.55, bottom=0.5)
    at = np.unique(np.linspace(0, n - 1, 5).round().astype(int))
    words = [f"{z:.1f}".replace("-", "\N{MINUS SIGN}") for z in _quantiles(n)[at]]
    axes.set_xticks((at + 0.5) * side, words)
    axes.set_yticks((n - at - 0.5) * side, words)
    _labels(axes, "$z_1$", "$z_2$")
    return figure


def quantile_plane(n: int) -> np.ndarray:
    """The codes of an n by n picture of the plane, each square of equal prior probability.

    Shapes: z (n^2, 2), in reading order: z_1 grows to the right, z_2 upwards.
    Source: Kingma and Welling 2014, figure 4.
    """
    z = _quantiles(n)
    return np.stack(np.meshgrid(z, z[::-1]), axis=-1).reshape(n * n, 2)


def loss_curves(
    records: Sequence[dict[str, Any]], title: str, note: str = "", unit: str = "nats per example"
) -> "Figure":
    """The loss and its parts over the epochs, training and test, a panel each: a history's records -> Figure.

    Parts that are zero throughout, and a single part (it is the loss), are left out. Shapes: scalars.
    Raises ValueError for no records. Source: Kingma and Welling 2014, figure 2.
    """
    from matplotlib.ticker import MaxNLocator

    if not records:
        raise ValueError("there are no records, so there is no curve: train for one epoch at least")
    columns = {key: [record[key] for record in records] for key in records[0]}
    terms = [key.removeprefix("train_") for key in columns if key.startswith("train_")]
    parts = [term for term in terms if term != "loss" and any(columns[f"train_{term}"])]
    panels = ["loss", *(parts if len(parts) > 1 else ())]
    figure = _figure(max(4.6, 2.9 * len(panels)), 2.9 + HEADER, title, note, constrained=True)
    for i, term in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        for name, key, colour in (
            ("training", f"train_{term}", TRAIN),
            ("test", "test_loss" if term == "loss" else term, TEST),
        ):
            if key in columns:
                style: dict[str, Any] = {"color": colour, "lw": 1.8, "marker": "o", "ms": 4, "mec": "white"}
                axes.plot(columns["epoch"], columns[key], label=name, clip_on=False, zorder=3, **style)
        axes.set_title("KL divergence" if term == "kl" else term, fontsize=9, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        if len(records) == 1:
            axes.set_xlim(columns["epoch"][0] - 0.5, columns["epoch"][0] + 0.5)
        axes.grid(axis="y", color=FAINT, lw=0.6)
        _labels(axes, "epoch", unit if i == 0 else "")
        if i == 0:
            axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure


def latent_scatter(
    mu: np.ndarray, labels: np.ndarray, names: Sequence[str], title: str, note: str = ""
) -> "Figure":
    """Codes on the plane, coloured by class: mu (N, 2), labels (N,) in 0..9, their names -> Figure.

    Raises ValueError for codes that are not on a plane and for labels of more than ten classes.
    Source: Hinton and Salakhutdinov 2006, figure 3.
    """
    from matplotlib.patheffects import withStroke

    if mu.shape != (len(labels), 2):
        raise ValueError(f"the codes have shape {mu.shape} with {len(labels)} labels, but (N, 2) is expected")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise ValueError(f"the labels run from {labels.min()} to {labels.max()}, but there are colours for 0 to 9")
    figure = _figure(6.4, 5.0 + HEADER, title, note, constrained=True)
    axes = figure.add_subplot(aspect="equal", adjustable="datalim")
    colours = np.array(CLASSES)[labels]  # in the order of the data: no class lies on top of another
    axes.scatter(mu[:, 0], mu[:, 1], s=5, c=colours, alpha=0.7, linewidths=0)
    classes = np.unique(labels)
    words = [names[k] for k in classes]
    middles = np.stack([np.median(mu[labels == k], axis=0) for k in classes])
    box = (np.ptp(mu, axis=0).max() or 1.0) * np.array([0.02 * max(map(len, words)) + 0.015, 0.04])
    style: dict[str, Any] = {"size": 9, "weight": "bold", "color": INK, "ha": "center", "va": "center"}
    style["path_effects"] = [withStroke(linewidth=2.5, foreground="white")]
    for k, word, (x, y) in zip(classes, words, _apart(middles, box), strict=True):
        axes.scatter([], [], s=28, c=CLASSES[k], linewidths=0, label=word)
        axes.text(x, y, word, **style)
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    _labels(axes, "$z_1$", "$z_2$")
    figure.legend(loc="outside right center", frameon=False, fontsize=9, labelcolor=INK, handletextpad=0.2)
    return figure


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure as the file type its path ends in. Shapes: none. Source: matplotlib's ``savefig``."""
    figure.savefig(path, dpi=figure.dpi)


def write_gif(figures: Iterable["Figure"], path: str | os.PathLike[str]) -> None:
    """Write figures of one size as an animation that rests on the last: half a second each, for ever.

    Shapes: none. Source: Pillow's manual, "GIF".
    """
    from PIL import Image

    frames = []
    for figure in figures:
        canvas: Any = figure.canvas
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).convert("L"))
    durations = [500] * (len(frames) - 1) + [2500]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False)


def _quantiles(n: int) -> np.ndarray:
    """The middles of n intervals of equal probability under N(0, 1): (n,)."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)], np.float32)


def _apart(p: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Centres p (K, 2) of labels of size box (2,), pushed away from each other until they overlap no more."""
    q = p / box
    for _ in range(50):
        d = q[:, None] - q  # (K, K, 2)
        r = np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-6)
        q = q + np.sum(d / r * np.maximum(1 - r, 0) / 2, axis=1)
    return q * box


def _mosaic(images: np.ndarray, columns: int, gap: int) -> np.ndarray:
    """(N, H, W, 1) -> one image (rows (H + gap) - gap, columns (W + gap) - gap), white where none is left."""
    if images.ndim != 4 or images.shape[3] != 1 or len(images) == 0:
        raise ValueError(f"the images have shape {images.shape}, but (N, height, width, 1) is expected")
    N, H, W = images.shape[:3]
    rows = -(-N // columns)
    tiles = np.zeros((rows * columns, H + gap, W + gap), images.dtype)
    tiles[:N, :H, :W] = images[..., 0]
    mosaic = tiles.reshape(rows, columns, H + gap, W + gap).swapaxes(1, 2).reshape(rows * (H + gap), -1)
    return mosaic[: mosaic.shape[0] - gap, : mosaic.shape[1] - gap]


def _image_figure(
    mosaic: np.ndarray, title: str, note: str, left: float = MARGIN, bottom: float = MARGIN
) -> tuple["Figure", "Axes"]:
    """One image on a figure of its size: each of its pixels is a whole number of screen pixels."""
    scale = max(1, WIDTH // mosaic.shape[1])
    height, width = (scale * n / DPI for n in mosaic.shape)
    whole = (left + width + MARGIN, bottom + height + HEADER)
    figure = _figure(*whole, title, note)
    axes = figure.add_axes((left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]))
    # Resampled as data: resampling colours, matplotlib's choice for so small a scale, would take 100 MB.
    how: dict[str, Any] = {"interpolation": "nearest", "interpolation_stage": "data"}
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=1, extent=(0, *mosaic.shape[::-1], 0), **how)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def _figure(width: float, height: float, title: str, note: str, constrained: bool = False) -> "Figure":
    """An empty figure, in inches, with its header."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    left = MARGIN / width
    figure.text(left, 1 - 0.14 / height, title, size=12, weight="bold", color=INK, va="top")
    figure.text(left, 1 - 0.39 / height, note, size=8.5, color=QUIET, va="top")
    if constrained:
        pad = {"w_pad": 0.08, "h_pad": 0.08, "wspace": 0.04}
        figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - (HEADER - 0.06) / height), **pad)
    return figure


def _labels(axes: "Axes", x: str, y: str) -> None:
    """Name the axes, and take their box away."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(labelsize=8, colors=QUIET)
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
