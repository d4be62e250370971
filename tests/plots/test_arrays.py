"""Every figure of every kind of array: the same picture, or the one thing to do instead."""

import io
import tempfile
import warnings

import numpy as np
import pytest
from tables import Table

from scratchae import plots
from scratchae.plots import frame

pytestmark = pytest.mark.slow

TITLE = "arrays"


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)
    monkeypatch.setattr(plots.images, "WIDTH", plots.images.WIDTH // 4)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def memmap(x):
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, x.dtype, "w+", shape=x.shape)
    mapped[:] = x
    return mapped


KINDS = {
    **{
        name: lambda x, name=name: x.astype(name) for name in ("float16", "float32", ">f4", "int8")
    },
    **{name: lambda x, name=name: x.astype(name) for name in ("int64", "bool", "uint16", ">i4")},
    "longdouble": lambda x: x.astype(np.longdouble),
    "object": lambda x: x.astype(object),
    "list": lambda x: x.tolist(),
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read-only": read_only,
    "memmap": memmap,
    "table": Table,
}
FIRST = {"float16", "int64", "bool", "list", "object", "table"}  # others wait for the slow lane
ONES = np.random.default_rng(0).integers(0, 2, 36).astype(float)  # 0 and 1, which every kind holds
IMAGES, RGB = ONES.reshape(4, 3, 3, 1), ONES.repeat(3).reshape(4, 3, 3, 3)
CODES, LABELS = ONES.reshape(18, 2), ONES[:18]
T = np.arange(36.0)

# each draws with one of its arrays, x, in the kind that is tried
FIGURES = {
    "grid": (lambda x: plots.image_grid(x, TITLE), IMAGES),
    "grid, RGB": (lambda x: plots.image_grid(x, TITLE), RGB),
    "pairs": (lambda x: plots.image_pairs(IMAGES, x, TITLE), IMAGES),
    "rows, RGB": (lambda x: plots.image_rows({"a": x, "b": x}, TITLE), RGB),
    "manifold": (lambda x: plots.manifold(x, TITLE), IMAGES),
    "manifold, RGB": (lambda x: plots.manifold(x, TITLE), RGB),
    "codes": (lambda x: plots.latent_scatter(x, LABELS, "ab", TITLE), CODES),
    "classes": (lambda x: plots.latent_scatter(CODES, x, "ab", TITLE), LABELS),
    "series": (lambda x: plots.series_scores(T, x, T, 9.0, [("a", 3, 5)], TITLE), ONES),
    "scores": (lambda x: plots.series_scores(T, T, x, 0.5, [("a", 3, 5)], TITLE), ONES),
    "window": (lambda x: plots.window_pairs({"a": (x, T), "b": (T, x)}, T, TITLE), ONES),
    "ROC, truth": (lambda x: plots.roc_curve(T, x, 9.0, TITLE), ONES),
    "ROC, scores": (lambda x: plots.roc_curve(x, ONES, 0.5, TITLE), ONES),
    "known": (lambda x: plots.score_histogram(x, T, ONES, 9.0, TITLE), ONES),
    "test": (lambda x: plots.score_histogram(T, x, ONES, 9.0, TITLE), ONES),
    "truth": (lambda x: plots.score_histogram(T, T, x, 9.0, TITLE), ONES),
}
SCORES = ("ROC, scores", "known", "test")  # truths are none of these


def screen(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).copy()


@pytest.fixture(scope="module")
def wanted():
    """Each figure of float64 arrays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "DPI", frame.DPI // 4)
        patch.setattr(plots.images, "WIDTH", plots.images.WIDTH // 4)
        return {name: screen(draw(x)) for name, (draw, x) in FIGURES.items()}


@pytest.mark.parametrize(
    "kind",
    [kind if kind in FIRST else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS],
)
@pytest.mark.parametrize("name", FIGURES)
def test_the_same_picture_or_a_sentence(wanted, name, kind):
    draw, x = FIGURES[name]
    given = KINDS[kind](x)
    if kind == "bool" and name in SCORES:
        with pytest.raises(ValueError, match=r"are bool of shape .*, but numbers are expected"):
            draw(given)
        given = given.astype(float)
    assert np.array_equal(screen(draw(given)), wanted[name])


TIMES = {
    "float16": T.astype(np.float16),
    "uint8": T.astype(np.uint8),
    "list": T.tolist(),
    "object": T.astype(object),
    "read-only": read_only(T),
    "table": Table(T),
    "days": np.datetime64("2024-01-01") + np.arange(36),
    "dates": [day.item() for day in np.datetime64("2024-01-01") + np.arange(36)],
    "a column of dates": Table((np.datetime64("2024-01-01") + np.arange(36)).astype("M8[ns]")),
}


@pytest.mark.parametrize("name", TIMES)
def test_times_of_every_kind(name):
    for draw in (
        lambda t: plots.series_scores(t, ONES, ONES, 0.5, [], TITLE),
        lambda t: plots.window_pairs({"a": (ONES, T)}, t, TITLE),
    ):
        screen(draw(TIMES[name]))


@pytest.mark.parametrize("name", ["float16", "int", "days"])
def test_a_time_that_is_none_is_left_out(name):
    t = TIMES["days" if name == "days" else "float16"].copy()
    t[7] = "NaT" if name == "days" else np.nan
    for draw in (
        lambda t, x: plots.series_scores(t, x, x, 0.5, [], TITLE),
        lambda t, x: plots.window_pairs({"a": (x, x)}, t, TITLE),
    ):
        with pytest.raises(ValueError, match=r"^t is (nan|NaT) at index 7, .*: leave it out"):
            draw(t, ONES)
        keep = t == t
        screen(draw(t[keep], ONES[keep]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gap_in_a_series_is_a_gap(bad):
    x = ONES.copy()
    x[[0, 7, 35]] = bad
    for draw in (
        lambda x: plots.series_scores(T, x, T, 9.0, [], TITLE),
        lambda x: plots.series_scores(T, T, x, 0.5, [], TITLE),
        lambda x: plots.window_pairs({"a": (x, T), "b": (T, x)}, T, TITLE),
        lambda x: plots.series_scores(T, np.full(36, bad), x, 0.5, [], TITLE),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            screen(draw(x))


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in ("series", "window")])
def test_nan_elsewhere_is_a_sentence_whose_advice_holds(name):
    draw, x = FIGURES[name]
    x = x.copy()
    x.reshape(len(x), -1)[3, 0] = np.nan
    if name in ("scores", "ROC, scores", "test"):
        screen(draw(x))  # a gap, or an example without a score
        return
    with pytest.raises(ValueError, match=r"(hold|holds|are|is) (nan|NaN)") as caught:
        draw(x)
    if "np.nan_to_num(x)" in str(caught.value):
        screen(draw(np.nan_to_num(x)))
    elif "keep = ~np.isnan(scores)" in str(caught.value):
        keep = ~np.isnan(x)
        screen(draw(x[keep]))
    elif "give booleans, such as labels != NORMAL" in str(caught.value):
        screen(draw(x != 0))
    else:
        assert "clean it first" in str(caught.value) or "whole numbers" in str(caught.value)


@pytest.mark.parametrize("name", FIGURES)
def test_words_and_masks_are_refused(name):
    draw, x = FIGURES[name]
    with pytest.raises((TypeError, ValueError), match=r"<U|holds <U"):
        draw(x.astype(str))
    with pytest.raises(TypeError, match="a masked array"):
        draw(np.ma.array(x, mask=x > 0))


def test_classes_as_floats_are_classes():
    """As those of a column of a table in which one was once missing."""
    plots.latent_scatter(CODES, LABELS, "ab", TITLE)
    with pytest.raises(ValueError, match="the labels hold nan, but whole numbers are expected"):
        plots.latent_scatter(CODES, np.where(np.arange(18) == 2, np.nan, LABELS), "ab", TITLE)
    with pytest.raises(ValueError, match="the labels are 0 to inf, but there are names"):
        plots.latent_scatter(CODES, np.where(np.arange(18) == 2, np.inf, LABELS), "ab", TITLE)


def test_the_curves_of_every_number():
    rows = [
        {"epoch": n, "train_loss": kind(n)} for n, kind in enumerate((int, float, np.float16), 1)
    ]
    screen(plots.loss_curves(rows, TITLE))
    rows[1]["train_loss"] = np.nan
    screen(plots.loss_curves(rows, TITLE))
    plots.save(plots.loss_curves(tuple(rows), TITLE), io.BytesIO())
