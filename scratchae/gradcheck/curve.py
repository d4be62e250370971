"""The complex step, and the V-curve: what a step size does to each way of taking a derivative.

Where the code of f is analytic (only such operations as the complex numbers know: + - * / exp log
tanh sin sqrt @ ...), a step along the imaginary axis gives the slope without any difference,

    f(x + i h d) = f(x) + i h f'(x) d - ...       so       f'(x) d = Im f(x + i h d) / h   (1)

with an error of O(h^2), which at h = 1e-30 is nothing, and no cancellation. Differences have both:

    (F(h) - F(0)) / h           forward           errs by  h |F''| / 2    + eps |F| / h    (2)
    (F(h) - F(-h)) / 2h         central           errs by  h^2 |F'''| / 6 + eps |F| / h    (3)

Drawn over h on logarithmic axes each sum is a V: truncation falls on the right with slope 1 or 2,
rounding (eps = 1.1e-16, half a unit in the last place) is the wall on the left. The best h is near
eps^(1/2) for (2) and near eps^(1/3) = 5e-6 for (3), which leave about 8 and 10 correct digits.

Source: Squire and Trapp, "Using complex variables to estimate derivatives of real functions", 1998
(1); Martins, Sturdza, Alonso, "The complex-step derivative approximation", 2003, section 2 (1, 2);
Nocedal and Wright, "Numerical optimization", 2006, section 8.1 (2, 3).
"""

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .measure import TOLERANCE, Function, probe, rms, settled_slope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

H = 1e-30  # its square is far below eps, and h times a derivative far above the smallest number
EPS = 2.0**-53
FLOOR = 1e-17  # an error of zero is drawn here
LINES = 8
CAPTION = (
    (
        "Right: truncation, terms of Taylor's series that a difference leaves out: $h$ for one "
        "side, $h^2$ for both."
    ),
    (
        "Left: rounding. F has 16 digits, and two values of it that are h apart share all but the "
        "last few: eps / h."
    ),
)
INK, QUIET, FAINT = "#222222", "#666666", "#e4e4e4"
COLOURS = {
    "forward": "#d55e00",
    "central": "#0072b2",
    "complex step": INK,
}  # told apart by the colour-blind too
AGREE = 1e-6  # how far complex step and differences may part before f is taken for not analytic
ANALYTIC = {
    *(
        np.add,
        np.subtract,
        np.multiply,
        np.divide,
        np.negative,
        np.positive,
        np.power,
        np.square,
        np.sqrt,
    ),
    *(np.reciprocal, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.matmul),
    *(np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.arcsin, np.arccos, np.arctan),
    *(np.arcsinh, np.arccosh, np.arctanh),
}


class _Analytic(np.ndarray):
    """A complex array that knows analytic operations only, so that abs or a comparison cannot pass
    unseen."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc not in ANALYTIC:
            raise ValueError(_refusal(f"it calls np.{ufunc.__name__}"))
        plain = [a.view(np.ndarray) if isinstance(a, _Analytic) else a for a in inputs]
        if "out" in options:
            options["out"] = tuple(
                a.view(np.ndarray) if isinstance(a, _Analytic) else a for a in options["out"]
            )
        return np.asarray(getattr(ufunc, method)(*plain, **options)).view(_Analytic)


def complex_step(f: Function, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The derivative of f at x along a direction, to the last bits: x, direction (any shape) ->
    like f(x).

    f computes with NumPy on the array it is handed; a np.asarray in it takes the guard off, not
    the comparison with differences. Raises ValueError where the code of f is not analytic: it
    calls abs, maximum, sign or a comparison, drops the imaginary part, or disagrees with
    differences. Source: the module, (1).
    """
    x, d = np.asarray(x, np.float64), np.asarray(direction, np.float64)
    z = (x + 1j * H * d).view(_Analytic)  # (1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            y = np.asarray(f(z))
        except (TypeError, np.exceptions.ComplexWarning) as error:
            raise ValueError(_refusal(f"it fails on complex numbers ({error})")) from error
    if y.dtype.kind != "c":
        raise ValueError(_refusal(f"it drops the imaginary part and gives {y.dtype}"))
    slope = y.imag / H  # (1)
    _compare(f, x, d, slope)
    return slope


def _compare(f: Function, x: np.ndarray, d: np.ndarray, slope: np.ndarray) -> None:
    """Raise ValueError where differences of f have another slope."""
    v, y = probe(slope.shape, 0), np.asarray(f(x))
    F0, expected = float(np.vdot(y, v)), float(np.vdot(slope, v))
    scale = float(np.linalg.norm(v) * max(np.linalg.norm(slope), 1e-5 * np.linalg.norm(y)))
    measured = settled_slope(lambda t: float(np.vdot(f(x + t * d), v)), F0, scale)
    if measured is None or abs(measured - expected) > AGREE * max(scale, abs(measured)):
        raise ValueError(
            _refusal(f"its slope is {expected:.6g} by complex step and {measured} by differences")
        )


def _refusal(why: str) -> str:
    return (
        f"the complex step needs analytic code, and this f is not: {why}; abs, maximum, sign, "
        "where and comparisons are none: write the branch that holds at x, or use differences "
        "(check_function)"
    )


def v_curve(
    f: Function,
    gradient: Callable[..., Any],
    x: np.ndarray,
    path: str | os.PathLike[str] | None = None,
    title: str = "",
) -> "Figure":
    """Error against step size, 1e-1 to 1e-13: forward, central and complex step, as a figure.

    x (any shape) -> y; gradient(x, dy) -> dx, or gradient(x) for a scalar f. Errors are relative
    to the slopes that the gradient claims (rms over eight lines): a wrong one ends both curves on
    a plateau at its own error.
    path: where to write it, if anywhere. Source: the module, (1) to (3).
    """
    x = np.array(x, np.float64)
    y = np.asarray(f(x.copy()))
    dy = probe(y.shape, 0) if y.ndim else np.ones(())
    g, h = gradient(x.copy(), *([dy] if y.ndim else [])), np.logspace(-1, -13, 49)
    lines = [probe(x.shape, 2 + k) for k in range(LINES)]
    claimed = np.array([[np.vdot(g, d)] for d in lines])  # (K, 1)
    F0 = float(np.vdot(y, dy))
    # a large step may leave the domain of f: no point is drawn there
    with np.errstate(all="ignore"):
        F = np.array(
            [[[np.vdot(f(x + t * d), dy) for t in steps] for d in lines] for steps in (h, -h)]
        )
    slopes = {"forward": (F[0] - F0) / h}  # (2)
    slopes["central"] = (F[0] - F[1]) / (2 * h)  # (3)
    last = (
        "The complex step takes no difference, so it has no wall: h = 1e-30 is as good as exact."
    )
    try:
        slopes["complex step"] = (
            np.array([[np.vdot(complex_step(f, x, d), dy)] for d in lines]) + 0 * h
        )
    except ValueError as error:
        last = f"No complex step here: {str(error).partition(': ')[2].partition(';')[0]}."
    scale = rms(claimed) or 1.0
    errors = {
        name: np.sqrt(np.mean((slope - claimed) ** 2, axis=0)) / scale
        for name, slope in slopes.items()
    }
    plateau = float(np.nanmedian(errors["central"]))
    if np.nanmin(errors["central"]) > TOLERANCE:
        last = (
            f"The curves end on a plateau: the gradient claimed is off by {plateau:.1e} of itself."
        )
    figure = _draw(
        h, errors, _guides(h, slopes, abs(F0), scale), title or "The V of a derivative", last
    )
    if path is not None:
        figure.savefig(path)
    return figure


def _guides(
    h: np.ndarray, slopes: dict[str, np.ndarray], size: float, scale: float
) -> dict[str, np.ndarray]:
    """What theory draws over h: truncation, as measured at h = 1e-2 against a good slope, and
    rounding.

    Each ends (as NaN, or is left out) where the others are ten times larger."""
    coarse, good = (int(np.argmin(np.abs(np.log10(h) - decade))) for decade in (-2, -5))
    true = slopes["central"][:, good]
    wall = EPS * max(size / scale, 1.0) / h  # (2) (3)
    guides, least = {}, np.inf + 0 * h
    for name, power, text in (
        ("forward", 1, "truncation $\\propto h$"),
        ("central", 2, "truncation $\\propto h^2$"),
    ):
        level = rms(slopes[name][:, coarse] - true) / scale
        if level > 100 * wall[good]:
            line = level * (h / h[coarse]) ** power  # (2) (3)
            guides[text] = np.where(line > wall / 10, line, np.nan)
            least = line
    guides["rounding $\\propto$ eps / h"] = np.where(
        (wall > least / 10) | np.isinf(least), wall, np.nan
    )
    return guides


def _draw(
    h: np.ndarray,
    errors: dict[str, np.ndarray],
    guides: dict[str, np.ndarray],
    title: str,
    last: str,
) -> "Figure":
    """The curves over h, the guides below them, a legend with the best step of each, and a
    caption."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.4), dpi=200, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.022, 0.972, title, size=13, weight="bold", color=INK, va="top")
    figure.text(
        0.022,
        0.919,
        "How far a measured slope is off, for each step size",
        size=9.5,
        color=QUIET,
        va="top",
    )
    axes = figure.add_axes((0.088, 0.225, 0.888, 0.635))
    axes.set(xscale="log", yscale="log", xlim=(h[-1] / 1.6, h[0] * 1.6), ylim=(FLOOR / 3, 30))
    for text, line in guides.items():
        _guide(axes, text, h, line)
    for name, error in errors.items():
        _curve(axes, name, h, np.maximum(error, FLOOR))
    axes.legend(
        loc="upper center", frameon=False, fontsize=9.5, labelcolor="linecolor", ncols=len(errors)
    )
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(which="both", labelsize=8.5, colors=QUIET)
    axes.set_xlabel("step size h", fontsize=10, color=INK)
    axes.set_ylabel("relative error of the slope", fontsize=10, color=INK)
    figure.text(
        0.022,
        0.022,
        "\n".join([*CAPTION, last]),
        size=8.4,
        color=QUIET,
        va="bottom",
        linespacing=1.4,
    )
    return figure


def _guide(axes: Any, text: str, h: np.ndarray, line: np.ndarray) -> None:
    """A dashed line, its words beside its middle on the side where the curves are not."""
    axes.plot(h, line, color=QUIET, lw=1.0, ls=(0, (4, 3)), zorder=2)
    drawn = np.flatnonzero(np.isfinite(line))
    i = drawn[len(drawn) // 2]
    below = "h^2" in text
    left = "eps" not in text and not below
    place: dict[str, Any] = {
        "xytext": (-8 if left else 8, -11 if below else 11),
        "ha": "right" if left else "left",
    }
    axes.annotate(
        text,
        (h[i], line[i]),
        textcoords="offset points",
        color=QUIET,
        fontsize=9,
        va="center",
        **place,
    )


def _curve(axes: Any, name: str, h: np.ndarray, error: np.ndarray) -> None:
    """One curve, its lowest point ringed and named in the legend."""
    style: dict[str, Any] = {"color": COLOURS[name], "lw": 1.9}
    if name == "complex step":
        axes.plot(h, error, label=name, zorder=2.5, **style)
        return
    i = int(np.nanargmin(error))
    label = f"{name}, best at {h[i]:.0e}".replace("e-0", "e-")
    axes.plot(h, error, label=label, marker="o", ms=3.2, mec="white", mew=0.4, zorder=3, **style)
    axes.plot(h[i], error[i], "o", ms=9, mfc="none", mec=COLOURS[name], mew=1.6, zorder=4)
