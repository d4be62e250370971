"""Images side by side: grids, rows of what belongs together, the plane that a latent decodes
to.

Images are an array, ``Images`` or ``Values``, (N, H, W, 1) or (N, H, W, 3), of values in [0, 1];
what is beyond is drawn as the nearest of these. One channel is ink on white paper, 1 black, as
papers print strokes; with ink=False it is light, 1 white, as in a photograph. Three channels are
red, green and blue light, whatever ink is. What lies between images is white.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import frame
from .frame import MARGIN, QUIET, framed, header, literal, name_axes
from .latent import quantiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 10  # images on a row
WIDTH = 1250  # screen pixels that a grid of images comes near to
LETTER = 0.075  # inches, as wide as a letter of a row's word becomes
TOGETHER, APART = 2, 8  # pixels of white below a row, below a group of rows


def image_grid(images: Any, title: str, note: str = "", ink: bool = True) -> "Figure":
    """Images side by side in reading order: (N, H, W, 1) or (N, H, W, 3) -> Figure.

    ink: whether 1 is black; of one channel only, see the module. Raises ValueError for another
    shape and for NaN, TypeError for raw pixels, masks and what is no numbers. Source: Kingma and
    Welling 2014, figure 5.
    """
    return _image_figure(_mosaic(_pixels(images), COLUMNS, 3, ink), title, note, ink)[0]


def image_pairs(
    x: Any, reconstruction: Any, title: str, note: str = "", ink: bool = True
) -> "Figure":
    """Each row of originals above the row of their reconstructions: (N, H, W, C) twice, C = 1 or
    3 -> Figure.

    ink, and what is raised: as ``image_grid``. Source: Hinton and Salakhutdinov 2006, figure 2.
    """
    return image_rows({"original": x, "reconstruction": reconstruction}, title, note, ink)


def image_rows(rows: dict[str, Any], title: str, note: str = "", ink: bool = True) -> "Figure":
    """The same examples seen in several ways, ten at a time, a row for each way: {word:
    (N, H, W, C)}, C = 1 or 3 -> Figure.

    ink, and what is raised: as ``image_grid``; ValueError for no rows, and for rows of two shapes.
    Source: Vincent et al. 2010, "Stacked denoising autoencoders", figure 5.
    """
    ways = {word: _pixels(images) for word, images in rows.items()}
    shapes = {word: images.shape for word, images in ways.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"the rows have shapes {shapes}, but one shape for all is expected")
    N, last = next(iter(shapes.values()))[0], list(ways)[-1]
    left = max(1.0, MARGIN + LETTER * max(map(len, ways)))
    bands: list[np.ndarray] = []
    ticks, words = [], []
    for start in range(0, N, COLUMNS):
        for word, images in ways.items():
            row = _mosaic(images[start : start + COLUMNS], COLUMNS, 3, ink)
            ticks.append(sum(map(len, bands)) + len(row) / 2)
            words.append(word)
            below = ((0, APART if word == last else TOGETHER), (0, 0), (0, 0))
            bands.append(np.pad(row, below, constant_values=_white(images, ink)))
    mosaic = np.concatenate(bands)[:-APART]
    figure, axes = _image_figure(mosaic, title, note, ink, left=left)
    axes.set_yticks(ticks, words, fontsize=8, color=QUIET)
    return literal(figure)


def manifold(images: Any, title: str, note: str = "", ink: bool = True) -> "Figure":
    """What a 2-D latent plane decodes to, at the points of ``quantile_plane``: (n^2, H, W, C), C =
    1 or 3 -> Figure.

    The axes are of quantiles of the prior: steps of equal probability, and not of z. ink, and what
    is raised: as ``image_grid``; ValueError where the number of images is no square. Source:
    Kingma and Welling 2014, figure 4.
    """
    pixels = _pixels(images)
    n = math.isqrt(len(pixels))
    if n * n != len(pixels):
        raise ValueError(f"there are {len(pixels)} images, but a square number is expected")
    mosaic = _mosaic(pixels, n, 0, ink)
    figure, axes = _image_figure(mosaic, title, note, ink, left=0.55, bottom=0.5)
    at = np.unique(np.linspace(0, n - 1, 5).round().astype(int))
    words = [f"{z:.1f}".replace("-", "\N{MINUS SIGN}") for z in quantiles(n)[at]]
    axes.set_xticks((at + 0.5) * pixels.shape[2], words)
    axes.set_yticks((n - at - 0.5) * pixels.shape[1], words)
    name_axes(axes, "$z_1$, quantiles of N(0, 1)", "$z_2$, quantiles of N(0, 1)")
    return figure


def _pixels(images: Any) -> np.ndarray:
    """Images as an array: (N, H, W, 1) floating point, or (N, H, W, 3) uint8, ready to be
    drawn."""
    # without scratchae.checks: PyTorch's half of a benchmark draws by these and loads no Numba
    if hasattr(images, "feed"):  # a source
        images = images.values() if hasattr(images, "values") else images
    if isinstance(images, np.ma.MaskedArray):
        raise TypeError("the images are a masked array, but no mask is read: fill it first")
    try:
        x = np.asarray(images)
        x = np.asarray(x.tolist()) if x.dtype == object else x
    except ValueError as error:
        raise ValueError(f"the images are no array ({error}): give equal sizes") from None
    if x.dtype == np.uint8:
        raise TypeError("the images are raw uint8: divide by 255, or give Images(x)")
    if x.dtype.kind not in "fiub":
        raise TypeError(f"the images are {x.dtype}, but numbers in [0, 1] are expected")
    if x.ndim != 4 or x.shape[3] not in (1, 3) or x.size == 0:
        raise ValueError(
            f"the images have shape {x.shape}, but (N, H, W, 1) or (N, H, W, 3) is expected"
        )
    if x.dtype.kind in "iu" and (x.min() < 0 or x.max() > 1):
        raise TypeError(
            f"the images are {x.dtype} from {x.min()} to {x.max()}, but numbers in [0, 1] are "
            "expected: divide by the largest that may be, such as 255"
        )
    if not np.isfinite(x).all():
        raise ValueError(
            "the images hold NaN or inf: look at what made them, or draw np.nan_to_num(x)"
        )
    if x.shape[3] == 3:
        return np.rint(255 * np.clip(x, 0, 1).astype(np.float32)).astype(np.uint8)
    return x.astype(np.float32 if x.dtype.itemsize <= 4 else np.float64, copy=False)


def _white(pixels: np.ndarray, ink: bool) -> float:
    """What is white among pixels (..., C)."""
    return 255 if pixels.shape[-1] == 3 else 0 if ink else 1


def _mosaic(pixels: np.ndarray, columns: int, gap: int, ink: bool) -> np.ndarray:
    """(N, H, W, C) -> one image (rows (H + gap) - gap, columns (W + gap) - gap, C), white where
    none is left."""
    N, H, W, C = pixels.shape
    rows = -(-N // columns)
    shape = rows * columns, H + gap, W + gap, C
    tiles = np.full(shape, _white(pixels, ink), pixels.dtype)
    tiles[:N, :H, :W] = pixels
    mosaic = tiles.reshape(rows, columns, *shape[1:]).swapaxes(1, 2)
    mosaic = mosaic.reshape(rows * (H + gap), columns * (W + gap), C)
    return mosaic[: mosaic.shape[0] - gap, : mosaic.shape[1] - gap]


def _image_figure(
    mosaic: np.ndarray,
    title: str,
    note: str,
    ink: bool,
    left: float = MARGIN,
    bottom: float = MARGIN,
) -> tuple["Figure", "Axes"]:
    """One image on a figure of its size: each of its pixels is a whole number of screen pixels."""
    rows, columns, C = mosaic.shape
    scale = max(1, WIDTH // columns)
    height, width = scale * rows / frame.DPI, scale * columns / frame.DPI
    whole = left + width + MARGIN, bottom + height + header(title, note)
    figure = framed(whole[0], bottom + height, title, note)
    axes = figure.add_axes(
        (left / whole[0], bottom / whole[1], width / whole[0], height / whole[1])
    )
    # Resampled as data: resampling colours, matplotlib's choice for so small a scale, would take
    # 100 MB.
    how: dict[str, Any] = {"interpolation": "nearest", "interpolation_stage": "data"}
    if C == 1:
        mosaic = mosaic[..., 0]
        how |= {"cmap": "gray_r" if ink else "gray", "vmin": 0, "vmax": 1}
    axes.imshow(mosaic, extent=(0, columns, rows, 0), **how)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes
