"""What images cost: beside other files, by class, and pixel by pixel."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchae import Images
from scratchae.plots.frame import FAINT, INK, QUIET, TEST, TRAIN, framed, literal, name_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHUNK = 1000  # images that are floating point numbers at one time
PAPER, STROKE, COSTLY = np.array([1.0, 1, 1]), np.array([0.84, 0.84, 0.84]), np.array([0.7, 0, 0])
FULL, FULL_GREY = 5.0, 12.0  # bits of a pixel that is drawn in the strongest colour


def pixel_bits(model: Any, x: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """-log2 p(x | z) of each pixel (N, H, W, 1) and the KL of each image (N,), in bits, of x (N,
    H, W, 1), with one z ~ q(z|x) an image."""
    mu, logvar = (part.astype(np.float64) for part in model.encode(x))
    eps = np.random.default_rng(seed).normal(size=mu.shape)
    a = model.decoder_output(mu + np.exp(logvar / 2) * eps)
    log_p = model.likelihood.log_prob(x.reshape(-1, 1), a.reshape(x.size, -1))  # of each pixel
    kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
    return -log_p.reshape(x.shape) / math.log(2), kl / math.log(2)


def image_bits(model: Any, images: Images) -> tuple[np.ndarray, np.ndarray]:
    """The bits (N,) of the pixels of each image, and of its code."""
    parts = []
    for start in range(0, len(images), CHUNK):
        pixels, code = pixel_bits(model, images.values(slice(start, start + CHUNK)))
        parts.append((pixels.sum(axis=(1, 2, 3)), code))
    pixels, code = (np.concatenate(each) for each in zip(*parts, strict=True))
    return pixels, code


def extremes(model: Any, images: Images, bits: np.ndarray, full: float) -> dict[str, np.ndarray]:
    """The cheapest and the dearest image of each class by its bits (N,), each with the cost of its
    pixels: {word: (classes, H, W, 3)} in colour.

    A pixel that the decoder did not expect is red, full at that many bits; what it expected is
    white, or grey where there is ink."""
    classes = [np.flatnonzero(images.labels == k) for k in np.unique(images.labels)]
    rows: dict[str, np.ndarray] = {}
    for word, choose in (("cheapest", np.argmin), ("dearest", np.argmax)):
        index = np.array([of[choose(bits[of])] for of in classes])
        x = images.values(index)
        cost, _ = pixel_bits(model, x)
        rows[word] = np.repeat(1 - x, 3, axis=3)
        rows[f"bits of the {word}"] = _coloured(x, cost / full)
    return rows


def _coloured(x: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """x, cost (N, H, W, 1) -> (N, H, W, 3): the stroke in grey under its cost in red, full from 1
    on."""
    ground = PAPER + x * (STROKE - PAPER)
    return ground + np.clip(cost, 0, 1) * (COSTLY - ground)


def sizes(
    files: dict[str, float],
    mine: str,
    bits: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray,
    names: tuple[str, ...],
    title: str,
    note: str = "",
) -> "Figure":
    """Left: bits a pixel of each file, {word: bits}, mine among them in colour. Right: the bits of
    an image, (N,) of its pixels and (N,) of its code, averaged by class: labels (N,), their names.

    Source: Townsend, Bird, Barber 2019, table 2."""
    figure = framed(8.6, 3.1, title, note, constrained=True)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    heights = list(files.values())
    colours = [TEST if word == mine else "#bbbbbb" for word in files]
    left.barh(list(files), heights, color=colours, height=0.62)
    left.invert_yaxis()
    for i, value in enumerate(heights):
        left.text(value, i, f" {value:.3f}", va="center", fontsize=8, color=INK)
    left.set_xlim(0, 1.17 * max(heights))
    left.set_title("size of the test images", fontsize=9, color=INK)
    name_axes(left, "bits a pixel", "")
    left.tick_params(axis="y", length=0, labelcolor=INK)
    classes = np.unique(labels)
    means = [[float(part[labels == k].mean()) for k in classes] for part in bits]
    at = np.arange(len(classes))
    right.bar(at, means[1], color=TRAIN, width=0.7, label="the code z")
    right.bar(at, means[0], bottom=means[1], color=TEST, width=0.7, label="pixels, given z")
    for i, (code, pixels) in enumerate(zip(means[1], means[0], strict=True)):
        right.text(
            i, code + pixels, f"{code + pixels:.0f}", ha="center", va="bottom", fontsize=7.5
        )
    words = [names[k] for k in classes]
    right.set_xticks(at, words, rotation=90 if max(map(len, words)) > 2 else 0)
    right.set_ylim(0, 1.28 * max(map(sum, zip(*means, strict=True))))
    right.set_title("what an image costs, by class", fontsize=9, color=INK)
    right.grid(axis="y", color=FAINT, lw=0.6)
    right.set_axisbelow(True)
    name_axes(right, "class", "bits an image")
    right.legend(frameon=False, fontsize=8, labelcolor=INK, ncols=2, loc="upper right")
    left.spines["left"].set_color(QUIET)
    return literal(figure)
