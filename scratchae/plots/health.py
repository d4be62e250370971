"""The health of a model with a latent on one page: its units, its information, its costs, and what
each rule says."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from .frame import FAINT, INK, QUIET, TEST, TRAIN, framed, literal, name_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..evaluation import Health

WIDTH, PANELS = 10.0, 2.5  # inches: of the page, and as high as the three panels are
LINE, LETTERS = 0.158, 118  # inches that a line of text takes, letters on it
PALE = "#a8c9df"  # TRAIN, for what may be less
LONG = 1e4  # a number on an axis that is longer than others beside it leave room for
BARS = 40  # units, at most, whose bars stand apart and are numbered


def health(report: "Health", title: str, note: str = "") -> "Figure":
    """What ``evaluation.health`` found -> Figure.

    On the left the KL of each unit, falling, those that are not active in another colour, or of
    each term of a latent that has others, such as one a layer; in the middle what of the KL tells
    of x, and how far all codes together are from the prior, between two bounds where N codes do
    not tell more; on the right what an example costs. Below, what each rule says. Raises TypeError
    for what is no such report. Source: evaluation/health.py.
    """
    from .. import checks
    from ..evaluation import Health

    words = "what evaluation.health(model, x) returns is expected"
    checks.is_a("the report", report, Health, words)
    texts = [_said(finding) for finding in report.findings]
    below = LINE * (sum(len(lines) for *_, lines in texts) + 1)
    figure = framed(WIDTH, PANELS + below, title, note, constrained=True)
    grid = figure.add_gridspec(2, 3, height_ratios=(PANELS, below))
    _units(figure.add_subplot(grid[0, 0]), report)
    _information(figure.add_subplot(grid[0, 1]), report)
    _costs(figure.add_subplot(grid[0, 2]), report)
    _words(figure.add_subplot(grid[1, :]), texts)
    return literal(figure)


def _said(finding: Any) -> tuple[str, str, str, list[str]]:
    """Verdict, its colour, name, and the lines of one finding."""
    colour = {True: TEST, False: TRAIN, None: QUIET}[finding.ill]
    lines = textwrap.wrap(f"{finding.sentence}.", LETTERS, break_on_hyphens=False)
    if finding.advice:
        lines += textwrap.wrap(f"Try: {finding.advice}.", LETTERS, break_on_hyphens=False)
    return finding.verdict.strip(), colour, finding.name, lines


def _units(axes: "Axes", report: Any) -> None:
    """The KL of each unit, or other term, (J,), falling."""
    kl, active = report.kl_per_dimension, report.active
    order = np.argsort(-kl, kind="stable")
    alive = active if report.of_units and active is not None else True
    colours = np.where(np.broadcast_to(alive, kl.shape), TRAIN, TEST)[order]
    few = len(kl) <= BARS
    axes.bar(np.arange(len(kl)), kl[order], 0.8 if few else 1.0, color=colours.tolist(), zorder=3)
    word = "unit" if report.of_units else "term"
    axes.set_title(f"KL of each {word}, nats", fontsize=9, color=INK)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    words = f"{word}, counted from 0"
    if not np.all(alive):
        words += f"; {int((~active).sum())} not active"
    name_axes(axes, words, "")
    if few:
        axes.set_xticks(np.arange(len(kl)), order.tolist())
        axes.tick_params(axis="x", labelsize=8 if len(kl) <= 12 else 5.5)


def _information(axes: "Axes", report: Any) -> None:
    """The KL, what of it tells of x, and the range of what does not."""
    least, most = report.aggregate_least, report.aggregate_kl
    axes.barh([2], [report.kl], 0.62, color=TRAIN, zorder=3)
    labels, dashed = [f"KL\n{report.kl:.2f}"], ""
    if np.isnan(most):
        labels += ["tells of x\nnot known", "to the prior\nnot known"]
    else:
        axes.barh([1], [report.mutual_information], 0.62, color=TRAIN, zorder=3)
        axes.barh([0], [least], 0.62, color=TEST, zorder=3)
        axes.barh([0], [most - least], 0.62, left=[least], color=TEST, alpha=0.35, zorder=3)
        axes.plot([report.most_information] * 2, [0.55, 1.45], color=INK, lw=1.2, ls="--")
        dashed = f"dashed: log N, the most that {report.N:,} codes show"
        told = f"{report.mutual_information:.2f}"
        labels.append(f"tells of x\n{'at least ' * report.too_few}{told}")
        labels.append(f"to the prior\n{f'{least:.2f} to ' * report.too_few}{most:.2f}")
        axes.set_xlim(0, 1.05 * max(report.kl, report.most_information))
    axes.set_yticks([2, 1, 0], labels)
    axes.set_ylim(-0.5, 2.5)
    axes.set_title(f"what the KL is, {_nats(axes)}", fontsize=9, color=INK)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    name_axes(axes, dashed, "")
    axes.tick_params(axis="y", length=0, labelsize=8)


def _costs(axes: "Axes", report: Any) -> None:
    """What an example costs under the best constant, by the ELBO, and by log p(x)."""
    loss = report.reconstruction + report.kl
    rows = [("best constant", report.constant, QUIET), ("-ELBO", loss, TRAIN)]
    if report.log_p is not None and np.isfinite(report.above):
        rows.append(("-log p(x), about", loss - report.above, PALE))
    rows = [row for row in rows if np.isfinite(row[1])]
    for i, (_, value, colour) in enumerate(rows):
        axes.barh([-i], [value], 0.62, color=colour, zorder=3)
    names = [_minus(f"{name}\n{value:.1f}") for name, value, _ in rows]
    axes.set_yticks([-i for i in range(len(rows))], names)
    axes.set_title(f"what an example costs, {_nats(axes)}", fontsize=9, color=INK)
    axes.grid(axis="x", color=FAINT, lw=0.6)
    name_axes(axes, "", "")
    axes.tick_params(axis="y", length=0, labelsize=8)


def _nats(axes: "Axes") -> str:
    """The unit of the axis of x: nats, or where its numbers would meet, thousands of these."""
    size, unit = max(map(abs, axes.get_xlim())), 1
    while size / unit >= LONG:
        unit *= 1000
    if unit == 1:
        return "nats"
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: _minus(f"{value / unit:g}"))
    return f"in {unit:,} nats"


def _minus(number: str) -> str:
    """With the sign that figures have for a hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def _words(axes: "Axes", texts: list[tuple[str, str, str, list[str]]]) -> None:
    """What each rule says, line by line."""
    count = sum(len(lines) for *_, lines in texts)
    axes.set(xlim=(0, 1), ylim=(count + 0.5, -0.5))
    axes.axis("off")
    at = 0
    for verdict, colour, name, lines in texts:
        bold: dict[str, Any] = {"size": 8.5, "weight": "bold", "color": colour, "va": "center"}
        axes.text(0, at, verdict, **bold)
        axes.text(0.05, at, name, **bold)
        for line in lines:
            axes.text(0.135, at, line, size=8.5, color=INK, va="center")
            at += 1
