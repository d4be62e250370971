"""The plane of a two-dimensional latent."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from .frame import CLASSES, FAINT, INK, framed, literal, name_axes, numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def quantile_plane(n: int) -> np.ndarray:
    """The codes of an n by n picture of the plane, each square of equal prior probability.

    Shapes: z (n^2, 2), in reading order: z_1 grows to the right, z_2 upwards.
    Source: Kingma and Welling 2014, figure 4.
    """
    z = quantiles(n)
    return np.stack(np.meshgrid(z, z[::-1]), axis=-1).reshape(n * n, 2)


def latent_scatter(
    mu: Any, labels: Any, names: Sequence[str], title: str, note: str = ""
) -> "Figure":
    """Codes on the plane, coloured by class: mu (N, 2), labels (N,) in 0..9, their names ->
    Figure.

    Raises ValueError for codes that are not on a plane, NaN or none at all, and labels that are no
    classes, of more than ten, or without a name, TypeError for masked arrays. Source: Hinton and
    Salakhutdinov 2006, figure 3.
    """
    from matplotlib.patheffects import withStroke

    from .. import checks

    mu, labels = numbers(mu, "the codes"), numbers(labels, "the labels")
    known = checks.sizes("the codes", mu, "N 2")
    checks.sizes("the labels", labels, "N", **known)
    checks.finite(mu, "the codes")
    if (broken := labels != np.floor(labels)).any():
        raise ValueError(f"the labels hold {labels[broken][0]}, but whole numbers are expected")
    most = min(len(names), len(CLASSES)) - 1
    if labels.min() < 0 or labels.max() > most:
        span = f"{labels.min():g} to {labels.max():g}"
        raise ValueError(f"the labels are {span}, but there are names and colours for 0 to {most}")
    figure = framed(6.4, 5.0, title, note, constrained=True)
    axes = figure.add_subplot(aspect="equal", adjustable="datalim")
    labels = labels.astype(int)
    # in the order of the data: no class lies on top of another
    colours = np.array(CLASSES)[labels]
    axes.scatter(mu[:, 0], mu[:, 1], s=5, c=colours, alpha=0.7, linewidths=0)
    classes = np.unique(labels)
    words = [names[k] for k in classes]
    middles = np.stack([np.median(mu[labels == k], axis=0) for k in classes])
    box = (np.ptp(mu, axis=0).max() or 1.0) * np.array([0.02 * max(map(len, words)) + 0.015, 0.04])
    style: dict[str, Any] = {
        "size": 9,
        "weight": "bold",
        "color": INK,
        "ha": "center",
        "va": "center",
    }
    style["path_effects"] = [withStroke(linewidth=2.5, foreground="white")]
    for k, word, (x, y) in zip(classes, words, _apart(middles, box), strict=True):
        axes.scatter([], [], s=28, c=CLASSES[k], linewidths=0, label=word)
        axes.text(x, y, word, **style)
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    name_axes(axes, "$z_1$", "$z_2$")
    figure.legend(
        loc="outside right center", frameon=False, fontsize=9, labelcolor=INK, handletextpad=0.2
    )
    return literal(figure)


def quantiles(n: int) -> np.ndarray:
    """The middles of n intervals of equal probability under N(0, 1): (n,)."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)], np.float32)


def _apart(p: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Centres p (K, 2) of labels of size box (2,), pushed away from each other until they overlap
    no more."""
    q = p / box
    for _ in range(50):
        d = q[:, None] - q  # (K, K, 2)
        r = np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-6)
        q = q + np.sum(d / r * np.maximum(1 - r, 0) / 2, axis=1)
    return q * box
