"""What the sigma of a Gaussian does to a VAE: its bound, and its error."""

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchae.plots.frame import FAINT, INK, QUIET, TEST, TRAIN, framed, literal, name_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Numbers = dict[str, float]  # sigma, rmse, rmse_test and elbo of a model


def by_sigma(learned: Numbers, fixed: list[Numbers], title: str, note: str = "") -> "Figure":
    """Left: the test ELBO by sigma, that of the learned one marked. Right: the RMSE by sigma, and
    the line on which it is sigma, where the learned one must lie.

    Source: Rybkin et al. 2021, section 4.1."""
    figure = framed(8.6, 3.2, title, note, constrained=True)
    left, right = figure.subplots(1, 2)
    sigmas = [row["sigma"] for row in fixed]
    line: dict[str, Any] = {"marker": "o", "ms": 4.5, "mec": "white", "lw": 1.5}
    mark: dict[str, Any] = {"marker": "*", "ms": 13, "mec": "white", "ls": "", "zorder": 4}
    there = f"learned, sigma = {learned['sigma']:.4f}"
    left.plot(sigmas, [row["elbo"] for row in fixed], color=TRAIN, label="fixed", **line)
    left.plot(learned["sigma"], learned["elbo"], color=TEST, label=there, **mark)
    left.set_title("test ELBO", fontsize=9, color=INK)
    for word, key, colour in (("training", "rmse", TRAIN), ("test", "rmse_test", QUIET)):
        right.plot(sigmas, [row[key] for row in fixed], color=colour, label=word, **line)
    right.plot(learned["sigma"], learned["rmse"], color=TEST, label="learned", **mark)
    low, high = right.get_ylim()
    same = np.geomspace(max(low, sigmas[0] / 2), high)  # (50,); a curve, as sigma is on a log axis
    right.plot(same, same, color=QUIET, lw=1, ls=":", label="RMSE = sigma")
    right.set_ylim(low, high)
    right.set_title("root mean square error of the pixels", fontsize=9, color=INK)
    for axes, unit in ((left, "nats per example"), (right, "RMSE")):
        axes.set_xscale("log")
        axes.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
        axes.minorticks_off()
        axes.grid(color=FAINT, lw=0.6)
        name_axes(axes, "sigma", unit)
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return literal(figure)
