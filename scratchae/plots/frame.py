"""What every figure has: its size in inches, a title in bold, a quieter note below it, and its way
to a file."""

import os
from collections.abc import Iterable
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
MARGIN = 0.18  # inches around every picture
TOP = 0.14  # inches above the title
TITLE, NOTE = 0.25, 0.17  # inches that the line of each takes
BELOW = 0.1  # inches below the last of them
FORMULAS = (
    "$x_1$",
    "$x_2$",
    "$x_3$",
    "$z_1$",
    "$z_2$",
    "$z_1$, quantiles of N(0, 1)",
    "$z_2$, quantiles of N(0, 1)",
)  # the only texts that are set as mathematics


def save(figure: "Figure", path: str | os.PathLike[str]) -> None:
    """Write a figure as the file type its path ends in. Raises TypeError for what is no figure or
    no path, FileNotFoundError for a folder that is not there. Source: matplotlib's ``savefig``."""
    require_figure(figure)
    figure.savefig(target(path), dpi=figure.dpi)


def write_gif(figures: Iterable["Figure"], path: str | os.PathLike[str]) -> None:
    """Write figures of one size as an animation that rests on the last: half a second each, for
    ever. Raises ValueError for no figures and a path that does not end in .gif, and as ``save``.
    Source: Pillow's manual, "GIF"."""
    from PIL import Image

    from .. import checks

    checks.is_a("the film", figures, Iterable, "a list of figures is expected")
    screens, path = [], target(path)
    if (end := getattr(path, "suffix", ".gif")).lower() != ".gif":
        raise ValueError(
            f"the path of the film ends in {end!r}, but write_gif writes GIF alone: let it end in "
            "'.gif'"
        )
    for figure in figures:
        require_figure(figure)
        canvas: Any = figure.canvas
        canvas.draw()
        screens.append(np.array(canvas.buffer_rgba())[..., :3])
    if not screens:
        raise ValueError("there are no figures, so there is nothing to animate: give one at least")
    grey = all((screen == screen[..., :1]).all() for screen in screens)
    frames = [Image.fromarray(screen).convert("L" if grey else "RGB") for screen in screens]
    durations = [500] * (len(frames) - 1) + [2500]
    how: Any = {"duration": durations, "loop": 0, "optimize": False}
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], **how)


def require_figure(figure: Any) -> None:
    """Raise TypeError for what is no figure."""
    from matplotlib.figure import Figure

    from .. import checks

    words = "one that a function of plots gives is expected, such as loss_curves(history, title)"
    checks.is_a("the figure", figure, Figure, words)


def target(path: Any) -> Any:
    """Where a figure is to stand, or an open file as it is. Raises TypeError for what is neither,
    FileNotFoundError for a folder that is not there."""
    from ..saving.writing import as_path, require_folder

    if hasattr(path, "write"):
        return path
    path = as_path(path)
    require_folder(path)
    return path


def header(title: str, note: str) -> float:
    """Inches above a picture for these two, of which either may be empty."""
    lines = TITLE * bool(title) + NOTE * bool(note)
    return TOP + lines + BELOW if lines else MARGIN


def framed(
    width: float, height: float, title: str, note: str, constrained: bool = False
) -> "Figure":
    """An empty figure for a picture of width by height in inches, with its header above."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    above = header(title, note)
    height = height + above
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    lines: list[tuple[str, float, dict[str, Any]]] = [
        (title, TITLE, {"size": 12, "weight": "bold", "color": INK}),
        (note, NOTE, {"size": 8.5, "color": QUIET}),
    ]
    down = TOP
    for words, taken, style in lines:
        if not words:
            continue
        text: Any = figure.text(
            MARGIN / width, 1 - down / height, words, va="top", parse_math=False, **style
        )
        down += taken
        fit = (width - 2 * MARGIN) * DPI / max(text.get_window_extent().width, 1)
        text.set_size(text.get_size() * min(1, fit))  # one line, however long
    if constrained:
        pad = {"w_pad": 0.08, "h_pad": 0.08, "wspace": 0.04}
        figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - (above - 0.06) / height), **pad)
    return figure


def literal(figure: "Figure") -> "Figure":
    """The figure with every text as it is written, so that nothing a user names is read as
    mathematics. Source: matplotlib's ``Text.set_parse_math``."""
    from matplotlib.text import Text

    texts: Any = figure.findobj(Text)
    for text in texts:
        text.set_parse_math(text.get_text() in FORMULAS)
    return figure


def numbers(values: Any, what: str) -> np.ndarray:
    """Numbers of any shape, (n,) or (n, 2), truths and NaN among them, as float64. Raises
    ValueError for what is none, TypeError for a mask."""
    from .. import checks

    x = checks.as_array(values, what)
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{what} are {x.dtype} of shape {x.shape}, but numbers are expected")
    return x.astype(np.float64)


def two_names(lines: tuple[str, str]) -> tuple[str, str]:
    """The names of two lines. Raises ValueError for what is none."""
    several = isinstance(lines, (tuple, list)) and len(lines) == 2
    if not several or not all(isinstance(name, str) and name for name in lines):
        raise ValueError(f"lines is {lines!r}, but the names of two lines are expected")
    return lines[0], lines[1]


def name_axes(axes: "Axes", x: str, y: str) -> None:
    """Name the axes, and take their box away. Source: Tufte, "Visual display", 1983, on ink."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(labelsize=8, colors=QUIET)
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
