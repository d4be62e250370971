"""Curves over the epochs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .frame import FAINT, HEADER, INK, TEST, TRAIN, framed, name_axes, two_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKED = 30  # epochs, at most, that are points as well as a line


def loss_curves(
    records: Sequence[dict[str, Any]],
    title: str,
    note: str = "",
    unit: str = "nats per example",
    lines: tuple[str, str] = ("training", "test"),
) -> "Figure":
    """The loss and its parts over the epochs, training and held-out, a panel each: a history's records -> Figure.

    lines: the names of the two. Parts that are zero throughout, and a single part (it is the loss), are left out.
    Shapes: scalars. Raises ValueError for no records, and for lines that are no two names. Source: Kingma and
    Welling 2014, figure 2.
    """
    from matplotlib.ticker import MaxNLocator

    if not records:
        raise ValueError("there are no records, so there is no curve: train for one epoch at least")
    columns = {key: [record[key] for record in records] for key in records[0]}
    terms = [key.removeprefix("train_") for key in columns if key.startswith("train_")]
    parts = [term for term in terms if term != "loss" and any(columns[f"train_{term}"])]
    panels = ["loss", *(parts if len(parts) > 1 else ())]
    figure = framed(max(4.6, 2.9 * len(panels)), 2.9 + HEADER, title, note, constrained=True)
    for i, term in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        keys = f"train_{term}", "test_loss" if term == "loss" else term
        for name, key, colour in zip(two_names(lines), keys, (TRAIN, TEST), strict=True):
            if key in columns:
                style: dict[str, Any] = {"color": colour, "lw": 1.8, "ms": 4, "mec": "white"}
                style["marker"] = "o" if len(records) <= MARKED else ""
                axes.plot(columns["epoch"], columns[key], label=name, clip_on=False, zorder=3, **style)
        axes.set_title("KL divergence" if term == "kl" else term, fontsize=9, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        if len(records) == 1:
            axes.set_xlim(columns["epoch"][0] - 0.5, columns["epoch"][0] + 0.5)
        axes.grid(axis="y", color=FAINT, lw=0.6)
        name_axes(axes, "epoch", unit if i == 0 else "")
        if i == 0:
            axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return figure
