"""Figures of a detector and of series: nothing clipped, and the numbers they show are those they
were given."""

import itertools
import sys

import numpy as np
import pytest

from scratchae import plots
from scratchae.detection import report
from scratchae.detection.reports import ranked

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
        "histogram": plots.score_histogram(
            known, s, y, 0.03, TITLE, NOTE, "absolute error per sample"
        ),
        "linear": plots.score_histogram(known - 0.1, s, y, 0.03, TITLE, NOTE),
        "roc": plots.roc_curve(s, y, 0.03, TITLE, NOTE),
    }


@pytest.mark.slow
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
        assert np.array_equal(original.get_ydata(), x) and np.array_equal(
            reconstruction.get_ydata(), z
        )
        filled = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert filled.min() == x.min() and filled.max() == z.max()
        assert axes.get_title() == title


@pytest.mark.parametrize(
    "lines", [("original", "reconstruction"), ("component", "part in the span")]
)
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


@pytest.mark.slow
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
    words = [
        t.label1.get_text() for t in axes.xaxis.get_major_ticks() if left <= t.get_loc() <= right
    ]
    assert axes.get_xscale() == scale and len(words) >= 3 and all(words)


@pytest.mark.parametrize("place", range(3))
def test_masks_are_refused(place):
    known, s, y = case()
    given = [known, s, y]
    given[place] = np.ma.array(given[place], mask=given[place] > given[place].mean())
    words = ("the known scores", "the scores", "the values of is_anomaly")[place]
    with pytest.raises(TypeError, match=f"^a masked array is given as {words}"):
        plots.score_histogram(*given, 0.03, TITLE)
    if place:
        with pytest.raises(TypeError, match=r"a masked array is given as .*, but no mask is read"):
            plots.roc_curve(*given[1:], 0.03, TITLE)


@pytest.mark.parametrize(
    ("bad", "words"), [(np.nan, "nan at index 7"), (np.inf, "inf at index"), ("no", "<U")]
)
def test_what_cannot_be_drawn_is_refused(bad, words):
    known, s, y = case()
    spoilt = np.array([*s[:7], bad, *s[8:]])
    places = {"the known scores": (spoilt, s, y), "the scores": (known, spoilt, y)}
    for what, given in list(places.items())[: 1 if bad != bad else 2]:  # nan is left out
        with pytest.raises(ValueError, match=f"^{what} (is|are) {words}"):
            plots.score_histogram(*given, 0.03, TITLE)
    with pytest.raises(ValueError, match="is_anomaly holds"):
        plots.score_histogram(known, s, spoilt, 0.03, TITLE)
    with pytest.raises(ValueError, match="is_anomaly holds -1: give booleans"):
        plots.roc_curve(s, np.where(y, 1, -1), 0.03, TITLE)


def test_a_roc_curve_refuses_what_has_no_rank():
    _, s, y = case()
    with pytest.raises(ValueError, match=r"^the scores are <U"):
        plots.roc_curve(np.array(["no", *s[1:]]), y, 0.03, TITLE)


@pytest.mark.parametrize("note", ["", NOTE])
def test_examples_without_a_score_are_noted(note):
    """The curve agrees with the detector's report, and the histogram is of the others."""
    known, s, y = case()
    s[[3, 7, 8]], s[5] = (
        np.nan,
        s[~np.isnan(s)].max() + 1,
    )  # one anomaly of three, and a normal one
    curve = plots.roc_curve(s, y, 0.03, TITLE, note)
    truth = ranked(s, y, 0.03)
    _, line, point = curve.axes[0].lines
    assert line.get_label() == f"the detector, AUC {truth.auc:.4f}"
    assert point.get_ydata()[0] == pytest.approx(truth.recall["anomaly"])
    assert point.get_xdata()[0] == pytest.approx(1 - truth.recall["normal"])
    there = ~np.isnan(s)
    drawn = plots.score_histogram(known, s, y, 0.03, TITLE, note)
    others = plots.score_histogram(known, s[there], y[there], 0.03, TITLE, note)
    for one, other in zip(drawn.axes[0].patches, others.axes[0].patches, strict=True):
        np.testing.assert_array_equal(one.get_path().vertices, other.get_path().vertices)
    for figure, fate in ((curve, "flagged"), (drawn, "left out")):
        _, words = (text.get_text() for text in figure.texts)
        assert words == f"{note}; 3 without a score, {fate}".removeprefix("; ")


def test_a_roc_curve_is_of_ranks_alone():
    s, y = np.array([0.0, 1, 2, 3]), np.array([False, True, False, True])
    first, second = (
        plots.roc_curve(scores, y, 1.5, TITLE).axes[0].lines[1].get_xydata()
        for scores in (s, np.array([-np.inf, 1, 2, np.inf]))
    )
    assert np.array_equal(first, second)


def test_scores_may_be_lists():
    known, s, y = (array.tolist() for array in case())
    for figure, same in (
        (plots.roc_curve(s, y, 0.03, TITLE), figures()["roc"]),
        (plots.score_histogram(known, s, y, 0.03, TITLE), figures()["histogram"]),
    ):
        a, b = figure.axes[0], same.axes[0]
        assert a.get_xlim() == b.get_xlim() and a.get_ylim() == b.get_ylim()
        assert [line.get_label() for line in a.lines] == [line.get_label() for line in b.lines]


@pytest.mark.parametrize("threshold", [np.inf, -np.inf])
def test_a_threshold_at_no_score_is_no_line(threshold):
    figure = plots.score_histogram(*case(), threshold, TITLE)
    assert not figure.axes[0].lines and len(figure.legends[0].get_texts()) == 3


@pytest.mark.parametrize("threshold", [np.nan, None])
def test_a_threshold_is_a_number(threshold):
    known, s, y = case()
    for draw in (
        lambda: plots.score_histogram(known, s, y, threshold, TITLE),
        lambda: plots.roc_curve(s, y, threshold, TITLE),
        lambda: plots.series_scores(s, s, s, threshold, [], TITLE),
    ):
        with pytest.raises(
            ValueError, match=f"threshold is {threshold}, but a number is expected"
        ):
            draw()


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
    assert point.get_xdata()[0] == pytest.approx(alarm) and point.get_ydata()[0] == pytest.approx(
        hit
    )
    assert np.isclose(x, alarm)[np.isclose(height, hit)].any()
    assert point.get_label() == f"threshold 0.03: finds {hit:.1%},\nfalse alarms {alarm:.1%}"


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (
            lambda: plots.score_histogram(np.zeros(0), np.ones(3), np.ones(3, bool), 1.0, ""),
            r"known scores.*\(0,\)",
        ),
        (
            lambda: plots.score_histogram(np.ones((3, 2)), np.ones(3), np.ones(3, bool), 1.0, ""),
            r"known.*\(3, 2\)",
        ),
        (
            lambda: plots.score_histogram(np.ones(3), np.ones(3), np.ones(2, bool), 1.0, ""),
            r"is_anomaly is \(2,\), but \(3,\)",
        ),
        (lambda: plots.roc_curve(np.ones(3), np.ones(3, bool), 1.0, ""), "3 anomalies among 3"),
        (
            lambda: plots.roc_curve(np.ones((3, 1)), np.ones((3, 1), bool), 1.0, ""),
            r"scores is \(3, 1\), but",
        ),
    ],
)
def test_errors_are_sentences(draw, words):
    with pytest.raises(ValueError, match=words):
        draw()


def test_a_series_is_marked_above_the_threshold_and_shaded_where_it_is_wrong():
    t, x = np.arange(6) / 2, np.arange(6.0)
    scores = np.array([0, 3, 1, 2.5, 2, 9])
    upper, lower = plots.series_scores(
        t, x, scores, 2.0, [("flat", 0.5, 1.5), ("dip", 2, 2.5)], TITLE
    ).axes
    line, marks = upper.lines
    assert np.array_equal(line.get_xydata(), np.stack([t, x], axis=1))
    # above, not at, the threshold
    assert np.array_equal(marks.get_xydata(), np.stack([t, x], axis=1)[[1, 3, 5]])
    assert np.array_equal(lower.lines[0].get_ydata(), scores) and set(
        lower.lines[1].get_ydata()
    ) == {2.0}
    for axes in (upper, lower):
        assert [(p.get_x(), p.get_width()) for p in axes.patches] == [(0.5, 1.0), (2, 0.5)]
    assert [text.get_text() for text in upper.texts] == ["flat", "dip"]


def test_the_legend_of_a_series_covers_nothing():
    t = np.arange(100.0)
    figure = plots.series_scores(t, t, t, 50.0, [("flat", 0, 60)], TITLE)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "series",
        "above the threshold",
        "threshold 50",
    ]
    assert all(axes.get_legend() is None for axes in figure.axes)
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert legend.get_window_extent().y1 <= lowest
    assert legend.legend_handles[1].get_markersize() >= 5  # points, to be seen beside the word


@pytest.mark.parametrize(
    ("scores", "threshold", "from_zero"),
    [
        ([0, 1, 4], 2.0, True),
        ([1, np.nan, 4], 2.0, True),
        ([1, 2, 4], -np.inf, True),
        ([-3, -2, -1], -2.0, False),
        ([-3, 2, 4], 2.0, False),
        ([1, 2, 4], -2.0, False),
    ],
)
def test_the_panel_of_scores_begins_at_zero_where_none_is_below(scores, threshold, from_zero):
    scores = np.array(scores, np.float64)
    bottom, top = (
        plots.series_scores(np.arange(3), scores, scores, threshold, [], TITLE).axes[1].get_ylim()
    )
    finite = [v for v in (*scores, threshold) if np.isfinite(v)]
    assert bottom < top and bottom <= min(finite) and top >= max(finite)
    assert (bottom == 0) == from_zero


@pytest.mark.parametrize("unit", ["D", pytest.param("ns", marks=pytest.mark.slow)])
def test_a_series_may_have_dates(unit):
    days = (np.datetime64("2024-01-01") + np.arange(9)).astype(f"datetime64[{unit}]")
    x = np.arange(9.0)
    figure = plots.series_scores(days, x, x, 5.0, [("flat", days[2], days[6])], TITLE)
    figure.canvas.draw()
    upper, _ = figure.axes
    (shade,), (word,) = upper.patches, upper.texts
    first = upper.lines[0].get_xdata(orig=False)[0]
    assert (shade.get_x() - first, shade.get_width()) == (2, 4)
    assert upper.convert_xunits(word.xy[0]) - first == 4


@pytest.mark.parametrize("dates", [False, True])
def test_events_are_in_the_units_of_the_series(dates):
    x, days = np.arange(9.0), np.datetime64("2024-01-01") + np.arange(9)
    t, other = (days, x) if dates else (x, days)
    with pytest.raises(
        ValueError,
        match=f"'flat' is from {other[2]} to .*but t is {t.dtype.name[:5]}.*its units",
    ):
        plots.series_scores(t, x, x, 5.0, [("flat", other[2], other[6])], TITLE)


@pytest.mark.slow
@pytest.mark.parametrize("t", [np.array([3.0]), np.array(["2024-01-01"], "datetime64[D]")])
def test_one_point_is_drawn_as_a_point(t):
    x = np.array([2.0])
    for figure, count in (
        (plots.series_scores(t, x, x, 5.0, [], TITLE), 2),
        (plots.window_pairs({"": (x, x)}, t, TITLE), 1),
    ):
        figure.canvas.draw()
        for axes in figure.axes:
            (at,), (low, high) = axes.lines[0].get_xdata(orig=False), axes.get_xlim()
            assert axes.lines[0].get_marker() == "." and low < at < high
        assert len(figure.axes) == count


def test_windows_of_no_points_are_refused():
    with pytest.raises(ValueError, match=r"shape of t is \(0,\), but"):
        plots.window_pairs({"a": (np.zeros(0), np.zeros(0))}, np.zeros(0), TITLE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.00012, 0.00093),
        (1e-6, 1),
        (1e-3, 1e4),
        (1e-7, 5e-5),
        (1e-12, 1e-2),
        (3e-5, 3e-2),
        (1e3, 9e5),
        (1e-30, 1e30),
        (0, 1e-4),
        (-5e-5, 2e-4),
        (1.234567e8, 1.234569e8),
    ],
)
def test_the_labels_of_the_histograms_ticks_stand_apart(low, high):
    s = np.linspace(low, high, 20)
    figure = plots.score_histogram(s, s, s > s[9], s[9], TITLE, NOTE)
    figure.canvas.draw()
    axes = figure.axes[0]
    left, right = axes.get_xlim()
    ticks = [t for t in axes.xaxis.get_major_ticks() if left <= t.get_loc() <= right]
    boxes = [t.label1.get_window_extent() for t in ticks]
    words = [t.label1.get_text().replace("\N{MINUS SIGN}", "-") for t in ticks]
    assert 3 <= len(boxes) <= 11 and all(words)
    assert all(a.x1 + 5 < b.x0 for a, b in itertools.pairwise(boxes))
    if axes.get_xscale() == "log":
        assert [float(word) for word in words] == pytest.approx([t.get_loc() for t in ticks])
