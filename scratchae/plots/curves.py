"""Curves over the epochs."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .frame import FAINT, INK, TEST, TRAIN, framed, literal, name_axes, two_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..training.fit import History

MARKED = 30  # epochs, at most, that are points as well as a line
COUNTS = {"above_floor": "number of groups"}  # terms that are not in the loss's unit
DUE = "epoch", "train_loss"  # what every record has


def loss_curves(
    records: "History | Sequence[dict[str, Any]]",
    title: str,
    note: str = "",
    unit: str = "nats per example",
    lines: tuple[str, str] = ("training", "test"),
) -> "Figure":
    """The loss and its parts over the epochs, training and held-out, a panel each: a history ->
    Figure.

    records: a history's, or the history itself; a term is drawn where there is one. lines: the
    names of the two. unit: of all but counts, such as above_floor, whose axis says what is
    counted. Parts that are zero throughout, and a single part (it is the loss), are left out.
    Raises ValueError for no records, for one without an epoch or train_loss, and for lines that
    are no two names. Source: Kingma and Welling 2014, figure 2.
    """
    from matplotlib.ticker import MaxNLocator

    names, records = two_names(lines), _records(records)
    keys = dict.fromkeys(key for record in records for key in record)  # each once, in order
    terms = [key.removeprefix("train_") for key in keys if key.startswith("train_")]
    parts = [
        term for term in terms if term != "loss" and any(r.get(f"train_{term}") for r in records)
    ]
    panels = ["loss", *(parts if len(parts) > 1 else ())]
    figure = framed(max(4.6, 2.9 * len(panels)), 2.9, title, note, constrained=True)
    for i, term in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        pair = f"train_{term}", f"test_{term}"
        for name, key, colour in zip(names, pair, (TRAIN, TEST), strict=True):
            if rows := [record for record in records if key in record]:
                style: dict[str, Any] = {"color": colour, "lw": 1.8, "ms": 4, "mec": "white"}
                style["marker"] = "o" if len(rows) <= MARKED else ""
                epochs, values = ([r[column] for r in rows] for column in ("epoch", key))
                axes.plot(epochs, values, label=name, clip_on=False, zorder=3, **style)
        words = "KL divergence" if term == "kl" else term.replace("_", " ")
        axes.set_title(words, fontsize=9, color=INK)
        axes.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        )
        if len(records) == 1:
            axes.set_xlim(records[0]["epoch"] - 0.5, records[0]["epoch"] + 0.5)
        axes.grid(axis="y", color=FAINT, lw=0.6)
        name_axes(axes, "epoch", unit if i == 0 else COUNTS.get(term, ""))
        if i == 0:
            axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    return literal(figure)


def _records(given: Any) -> list[dict[str, Any]]:
    """The records of a history, each with what is due."""
    from .. import checks

    given = getattr(given, "records", given)
    checks.is_a("the history", given, Iterable, "that of fit is expected, or its records")
    records = list(given)
    if not records:
        raise ValueError("there are no records, so there is no curve: train for an epoch")
    for i, record in enumerate(records):
        if not isinstance(record, dict) or not record.keys() >= set(DUE):
            raise ValueError(
                f"record {i} is {record!r}, but epoch and train_loss are expected: give fit's "
                "history"
            )
    return records
