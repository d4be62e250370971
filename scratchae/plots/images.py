"""Images side by side: grids, rows of what belongs together, the plane that a latent decodes
to."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import frame
from .frame import HEADER, MARGIN, QUIET, framed, literal, name_axes
from .latent import quantiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 10  # images on a row
WIDTH = 1250  # screen pixels that a grid of images comes near to
LETTER = 0.075  # inches, as wide as a letter of a row's word becomes
TOGETHER, APART = 2, 8  # pixels of white below a row, below a group of rows


def image_grid(images: np.ndarray, title: str, note: str = "") -> "Figure":
    """Images side by side in reading order, 0 white and 1 black: (N, H, W, 1) -> Figure.

    Raises ValueError for another shape, TypeError for uint8. Source: Kingma and Welling 2014,
    figure 5.
    """
    return _image_figure(_mosaic(images, COLUMNS, gap=3), title, note)[0]


def image_pairs(x: np.ndarray, reconstruction: np.ndarray, title: str, note: str = "") -> "Figure":
    """Each row of originals above the row of their reconstructions: (N, H, W, 1) twice -> Figure.

    Raises ValueError for another shape, TypeError for uint8. Source: Hinton and Salakhutdinov
    2006, figure 2.
    """
    return image_rows({"original": x, "reconstruction": reconstruction}, title, note)


def image_rows(rows: dict[str, np.ndarray], title: str, note: str = "") -> "Figure":
    """The same examples seen in several ways, ten at a time, a row for each way: {word:
    (N, H, W, 1)} -> Figure.

    Raises ValueError for another shape, TypeError for uint8. Source: Vincent et al. 2010, "Stacked
    denoising autoencoders", figure 5.
    """
    shapes = {word: images.shape for word, images in rows.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"the rows have shapes {shapes}, but one shape for all is expected")
    N, last = next(iter(shapes.values()))[0], list(rows)[-1]
    left = max(1.0, MARGIN + LETTER * max(map(len, rows)))
    bands: list[np.ndarray] = []
    ticks, words = [], []
    for start in range(0, N or 1, COLUMNS):
        for word, images in rows.items():
            row = _mosaic(images[start : start + COLUMNS], COLUMNS, gap=3)
            ticks.append(sum(map(len, bands)) + len(row) / 2)
            words.append(word)
            bands.append(np.pad(row, ((0, APART if word == last else TOGETHER), (0, 0))))
    figure, axes = _image_figure(np.concatenate(bands)[:-APART], title, note, left=left)
    axes.set_yticks(ticks, words, fontsize=8, color=QUIET)
    return literal(figure)


def manifold(images: np.ndarray, title: str, note: str = "") -> "Figure":
    """What a 2-D latent plane decodes to, at the points of ``quantile_plane``: (n^2, H, W, 1) ->
    Figure.

    Raises ValueError for another shape, TypeError for uint8. Source: Kingma and Welling 2014,
    figure 4.
    """
    n = math.isqrt(len(images))
    if n * n != len(images):
        raise ValueError(f"there are {len(images)} images, but a square number is expected")
    mosaic = _mosaic(images, n, gap=0)
    figure, axes = _image_figure(mosaic, title, note, left=0.55, bottom=0.5)
    at = np.unique(np.linspace(0, n - 1, 5).round().astype(int))
    words = [f"{z:.1f}".replace("-", "\N{MINUS SIGN}") for z in quantiles(n)[at]]
    axes.set_xticks((at + 0.5) * images.shape[2], words)
    axes.set_yticks((n - at - 0.5) * images.shape[1], words)
    name_axes(axes, "$z_1$", "$z_2$")
    return figure


def _mosaic(images: np.ndarray, columns: int, gap: int) -> np.ndarray:
    """(N, H, W, 1) -> one image (rows (H + gap) - gap, columns (W + gap) - gap), white where none
    is left."""
    # without scratchae.checks: PyTorch's half of a benchmark draws by these and loads no Numba
    if not isinstance(images, np.ndarray):
        raise TypeError(f"the images are a {type(images).__name__}, but an array is expected")
    if images.ndim != 4 or images.shape[3] != 1 or len(images) == 0:
        raise ValueError(f"the images have shape {images.shape}, but (N, H, W, 1) is expected")
    if images.dtype == np.uint8:
        raise TypeError("the images are raw uint8: divide by 255, or take Images(x).values()")
    if not np.isfinite(images).all():
        raise ValueError("the images hold NaN or inf: look at what made them")
    N, H, W = images.shape[:3]
    rows = -(-N // columns)
    tiles = np.zeros((rows * columns, H + gap, W + gap), images.dtype)
    tiles[:N, :H, :W] = images[..., 0]
    mosaic = (
        tiles.reshape(rows, columns, H + gap, W + gap).swapaxes(1, 2).reshape(rows * (H + gap), -1)
    )
    return mosaic[: mosaic.shape[0] - gap, : mosaic.shape[1] - gap]


def _image_figure(
    mosaic: np.ndarray, title: str, note: str, left: float = MARGIN, bottom: float = MARGIN
) -> tuple["Figure", "Axes"]:
    """One image on a figure of its size: each of its pixels is a whole number of screen pixels."""
    scale = max(1, WIDTH // mosaic.shape[1])
    height, width = (scale * n / frame.DPI for n in mosaic.shape)
    whole = (left + width + MARGIN, bottom + height + HEADER)
    figure = framed(*whole, title, note)
    axes = figure.add_axes(
        (left / whole[0], bottom / whole[1], width / whole[0], height / whole[1])
    )
    # Resampled as data: resampling colours, matplotlib's choice for so small a scale, would take
    # 100 MB.
    how: dict[str, Any] = {"interpolation": "nearest", "interpolation_stage": "data"}
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=1, extent=(0, *mosaic.shape[::-1], 0), **how)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes
