"""Figures of a detector and of series: nothing clipped, and the numbers they show are those they were given."""

import sys

import numpy as np
import pytest

from scratchae import plots
from scratchae.evaluate import report

TITLE = "beats (generated): scores of beats"
NOTE = "autoencoder 140-32-16-8 of normal beats, interrupted after 20 epochs"


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)


def case(seed=0):
    """Scores of 200 normal examples, of 100 others, and of which of these are anomalies."""
    rng = np.random.default_rng(seed)
    y = np.arange(100) % 3 == 0
    return rng.lognormal(-4, 0.5, 200), rng.lognormal(-4 + 1.5 * y, 0.5), y


def pairs():
    x = np.random.default_rng(0).random((2, 140))
    names = "normal beat, not flagged\nscore 0.0192", "abnormal beat, flagged\nscore 0.0579"
    return dict(zip(names, zip(x, x + 0.1, strict=True), strict=True))


def figures():
    known, s, y = case()
    return {
        "errors": plots.window_pairs(
            pairs(), np.arange(140), TITLE, NOTE, ("sample", "scaled by the training beats")
        ),
        "histogram": plots.score_histogram(known, s, y, 0.03, TITLE, NOTE, "absolute error per sample"),
        "linear": plots.score_histogram(known - 0.1, s, y, 0.03, TITLE, NOTE),
        "roc": plots.roc_curve(s, y, 0.03, TITLE, NOTE),
    }


def test_titles_and_nothing_clipped():
    for name, figure in figures().items():
        assert [text.get_text() for text in figure.texts] == [TITLE, NOTE], name
        figure.canvas.draw()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, name


def test_the_error_is_filled_between_series_and_reconstruction():
    figure = plots.window_pairs(pairs(), np.arange(140), TITLE)
    for axes, (title, (x, z)) in zip(figure.axes, pairs().items(), strict=True):
        original, reconstruction = axes.lines
        assert np.array_equal(original.get_ydata(), x) and np.array_equal(reconstruction.get_ydata(), z)
        filled = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert filled.min() == x.min() and filled.max() == z.max()
        assert axes.get_title() == title


@pytest.mark.parametrize("lines", [("original", "reconstruction"), ("component", "part in the span")])
def test_the_two_lines_have_names(lines):
    given = {} if lines[0] == "original" else {"lines": lines}
    figure = plots.window_pairs(pairs(), np.arange(140), TITLE, **given)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["error", *lines]


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_the_histogram_counts_every_score_once(shift):
    known, s, y = case()
    figure = plots.score_histogram(known - shift, s - shift, y, 0.03, TITLE)
    axes = figure.axes[0]
    assert axes.get_xscale() == ("linear" if shift else "log")
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == [
        "normal, sets the threshold (200)",
        "normal, test (66)",
        "abnormal, test (34)",
        "threshold 0.03",
    ]
    for patch, n in zip(axes.patches, (200, 66, 34), strict=True):
        outline = patch.get_path().vertices
        heights = outline[1 : 2 * 60 + 1 : 2, 1]  # two corners a bin
        assert heights.sum() == pytest.approx(100)
        assert np.allclose(heights * n / 100, np.round(heights * n / 100))
    assert list(axes.lines[0].get_xdata()) == [0.03, 0.03]


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [
        (0.101, 0.127, "linear"),
        (0.1, 0.49, "linear"),
        (0.15, 0.9, "linear"),
        (0.1, 0.501, "log"),
        (0.15, 1.1, "log"),
        (3e-5, 3, "log"),
        (0.0, 3, "linear"),
        (1.0, 1.0, "linear"),
    ],
)
def test_the_histograms_axis_has_three_ticks_at_least(low, high, scale):
    s = np.linspace(low, high, 20)
    figure = plots.score_histogram(s, s, s > 0.12, low, TITLE)
    figure.canvas.draw()
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    words = [t.label1.get_text() for t in axes.xaxis.get_major_ticks() if left <= t.get_loc() <= right]
    assert axes.get_xscale() == scale and len(words) >= 3 and all(words)


@pytest.mark.parametrize("place", range(3))
def test_masks_are_refused(place):
    known, s, y = case()
    given = [known, s, y]
    given[place] = np.ma.array(given[place], mask=given[place] > given[place].mean())
    with pytest.raises(TypeError, match=f"^{('known', 'scores', 'is_anomaly')[place]} is a masked"):
        plots.score_histogram(*given, 0.03, TITLE)
    if place:
        with pytest.raises(TypeError, match="is a masked array, but nothing here reads a mask"):
            plots.roc_curve(*given[1:], 0.03, TITLE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "no"])
def test_what_cannot_be_drawn_is_refused(bad):
    known, s, y = case()
    spoilt = np.array([bad, *s[1:]])
    for given in ((known, spoilt, y), (spoilt, s, y), (known, s, spoilt)):
        with pytest.raises(ValueError, match="holds what is no finite number"):
            plots.score_histogram(*given, 0.03, TITLE)
    with pytest.raises(ValueError, match="scores holds what is no finite number"):
        plots.roc_curve(spoilt, y, 0.03, TITLE)
    with pytest.raises(ValueError, match="other numbers than 0 and 1"):
        plots.roc_curve(s, np.where(y, 1, -1), 0.03, TITLE)


def test_a_threshold_that_flags_nothing_is_no_line():
    figure = plots.score_histogram(*case(), np.inf, TITLE)
    assert not figure.axes[0].lines and len(figure.legends[0].get_texts()) == 3


@pytest.mark.parametrize("lines", ["ab", ("a",), ("a", "b", "c"), ("", ""), ("a", 2), None])
def test_two_lines_have_two_names(lines):
    for draw in (
        lambda: plots.window_pairs(pairs(), np.arange(140), TITLE, lines=lines),
        lambda: plots.loss_curves([{"epoch": 1, "train_loss": 1.0}], TITLE, lines=lines),
    ):
        with pytest.raises(ValueError, match="but the names of two lines are expected"):
            draw()


@pytest.mark.parametrize("ties", [False, True])
def test_the_roc_curve_agrees_with_the_report(ties):
    _, s, y = case()
    s = np.round(s, 2) if ties else s
    truth = report(s, y, 0.03)
    axes = plots.roc_curve(s, y, 0.03, TITLE).axes[0]
    _, curve, point = axes.lines
    x, height = curve.get_data()
    assert x[0] == height[0] == 0 and x[-1] == height[-1] == 1 and np.all(np.diff(x) >= 0)
    assert np.trapezoid(height, x) == pytest.approx(truth.auc)
    assert curve.get_label() == f"the detector, AUC {truth.auc:.4f}"
    hit, alarm = truth.recall["anomaly"], 1 - truth.recall["normal"]
    assert point.get_xdata()[0] == pytest.approx(alarm) and point.get_ydata()[0] == pytest.approx(hit)
    assert np.isclose(x, alarm)[np.isclose(height, hit)].any()
    assert point.get_label() == f"threshold 0.03: finds {hit:.1%},\nfalse alarms {alarm:.1%}"


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: plots.score_histogram(np.zeros(0), np.ones(3), np.ones(3, bool), 1.0, ""), "0 known"),
        (lambda: plots.score_histogram(np.ones(3), np.ones(3), np.ones(2, bool), 1.0, ""), r"truth \(2,\)"),
        (lambda: plots.roc_curve(np.ones(3), np.ones(3, bool), 1.0, ""), "3 anomalies among 3"),
        (lambda: plots.roc_curve(np.ones((3, 1)), np.ones((3, 1), bool), 1.0, ""), r"shape \(3, 1\)"),
    ],
)
def test_errors_are_sentences(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


def test_a_series_is_marked_above_the_threshold_and_shaded_where_it_is_wrong():
    t, x = np.arange(6) / 2, np.arange(6.0)
    scores = np.array([0, 3, 1, 2.5, 2, 9])
    upper, lower = plots.series_scores(t, x, scores, 2.0, [("flat", 0.5, 1.5), ("dip", 2, 2.5)], TITLE).axes
    line, marks = upper.lines
    assert np.array_equal(line.get_xydata(), np.stack([t, x], axis=1))
    assert np.array_equal(marks.get_xydata(), np.stack([t, x], axis=1)[[1, 3, 5]])  # above, not at, the threshold
    assert np.array_equal(lower.lines[0].get_ydata(), scores) and set(lower.lines[1].get_ydata()) == {2.0}
    for axes in (upper, lower):
        assert [(p.get_x(), p.get_width()) for p in axes.patches] == [(0.5, 1.0), (2, 0.5)]
    assert [text.get_text() for text in upper.texts] == ["flat", "dip"]


def test_the_legend_of_a_series_covers_nothing():
    t = np.arange(100.0)
    figure = plots.series_scores(t, t, t, 50.0, [("flat", 0, 60)], TITLE)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["series", "above the threshold", "threshold 50"]
    assert all(axes.get_legend() is None for axes in figure.axes)
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert legend.get_window_extent().y1 <= lowest
    assert legend.legend_handles[1].get_markersize() >= 5  # points, to be seen beside the word
