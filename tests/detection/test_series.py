"""Windows and points: against a loop over both, and exact at either end."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratchae as sa
from scratchae.detection import DetectionWarning, points, windows


def quietly(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DetectionWarning)
        return points(*arguments, **options)


def test_by_hand():
    assert windows(np.arange(5.0), 3)[..., 0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert windows(np.arange(6.0), 3, 2)[..., 0].tolist() == [[0, 1, 2], [2, 3, 4]]
    assert points([1, 2, 6], 5, 3).tolist() == [1, 1.5, 3, 4, 6]
    assert points([1, 6, 2], 5, 3, highest=True).tolist() == [1, 6, 6, 6, 2]


def test_a_score_for_each_point_of_a_window():
    """Each window blames its own points: by hand, and one score a window is the same score for all
    of them."""
    assert points([[1, 2], [4, 8]], 3, 2).tolist() == [1, 3, 8]
    assert points([[1, 2], [0, 8]], 3, 2, highest=True).tolist() == [1, 2, 8]
    assert points([[1, 2], [4, 8]], 4, 2, 2).tolist() == [1, 2, 4, 8]
    s = np.random.default_rng(0).random(6)
    np.testing.assert_array_equal(
        points(s, 11, 6), points(np.repeat(s[:, None], 6, axis=1), 11, 6)
    )
    x = np.random.default_rng(1).random(20)
    np.testing.assert_allclose(points(windows(x, 5, 3)[:, :, 0], 20, 5, 3), x)


@pytest.mark.parametrize(
    "kind",
    [np.float16, np.int16, np.uint8, bool, ">f4", list, tuple, np.asfortranarray],
    ids=lambda kind: getattr(kind, "__name__", kind),
)
def test_series_and_scores_of_every_kind(kind):
    series = np.arange(24).reshape(12, 2) % 5 > 1
    if kind in (list, tuple):
        given = kind(series.tolist())
    else:
        given = np.asfortranarray(series) if kind is np.asfortranarray else series.astype(kind)
    cut = windows(given, 4, 3)
    np.testing.assert_array_equal(cut, windows(series, 4, 3))
    scores = cut.sum(axis=(1, 2)).astype(float).tolist()
    np.testing.assert_array_equal(
        quietly(scores, 12, 4, 3), quietly(np.array(scores, np.float16), 12, 4, 3)
    )


def test_the_form_of_windows():
    series = np.arange(20, dtype=np.float32).reshape(10, 2)
    w = windows(series, 4, 3)
    assert w.shape == (3, 4, 2) and w.dtype == np.float32 and w.flags.c_contiguous
    np.testing.assert_array_equal(w[1], series[3:7])
    w[:] = -1
    assert series[0, 1] == 1  # a copy
    marks = np.arange(10) == 6
    assert windows(marks, 4, 3).any(axis=(1, 2)).tolist() == [False, True, True]


@given(
    st.integers(1, 30), st.integers(1, 12), st.integers(1, 9), st.booleans(), st.integers(0, 99)
)
def test_against_a_loop(n, length, step, highest, seed):
    if length > n:
        with pytest.raises(ValueError, match=f"a window of {length} does not fit into {n} points"):
            windows(np.zeros(n), length, step)
        return
    series, starts = (
        np.random.default_rng(seed).normal(size=(n, 2)),
        range(0, n - length + 1, step),
    )
    cut = windows(series, length, step)
    np.testing.assert_array_equal(cut, [series[s : s + length] for s in starts])
    scores = np.random.default_rng(seed).normal(size=len(cut))
    found = quietly(scores, n, length, step, highest=highest)
    for t in range(n):
        mine = [score for s, score in zip(starts, scores, strict=True) if s <= t < s + length]
        if mine:
            assert found[t] == pytest.approx(max(mine) if highest else np.mean(mine), abs=1e-12)
        else:
            assert np.isnan(found[t])


@pytest.mark.parametrize("t", [0, 1, 7, 13, 19])
def test_a_spike_comes_back_to_where_it_was(t):
    """Off by one at neither end: the least window that holds it, length 1, and the mean over
    longer ones."""
    series = np.zeros(20)
    series[t] = 1
    assert points(windows(series, 1).max(axis=(1, 2)), 20, 1).argmax() == t
    marked = points(windows(series, 5).max(axis=(1, 2)), 20, 5)
    assert marked[t] == 1 and (marked > 0).sum() == min(t + 5, 20) - max(t - 4, 0)


def test_infinite_scores():
    assert points([1, np.inf, 2], 4, 2).tolist() == [1, np.inf, np.inf, 2]
    assert points([1, -np.inf, 2], 4, 2).tolist() == [1, -np.inf, -np.inf, 2]
    assert points([1, np.inf, -np.inf], 4, 2, highest=True).tolist() == [
        1,
        np.inf,
        np.inf,
        -np.inf,
    ]


@pytest.mark.parametrize("highest", [False, True])
def test_points_in_no_window_are_nan_and_it_is_said(highest):
    with pytest.warns(
        DetectionWarning, match="2 of 8 points lie in no window with a score, the first at 6"
    ) as got:
        found = points([1, 2], 8, 3, 3, highest=highest)
    assert got[0].filename == __file__
    np.testing.assert_array_equal(found, [1, 1, 1, 2, 2, 2, np.nan, np.nan])
    with pytest.warns(
        DetectionWarning, match="1 of 5 points lie in no window with a score, the first at 2"
    ):
        assert np.isnan(points([1, 2], 5, 2, 3, highest=highest)).tolist() == [
            False,
            False,
            True,
            False,
            False,
        ]


def test_a_window_without_a_score_is_left_out():
    """A series with a gap: its points have the scores of the windows that have one, or of their
    own numbers."""
    nan = np.nan
    np.testing.assert_array_equal(points([1, nan, 4], 5, 3), [1, 1, 2.5, 4, 4])
    np.testing.assert_array_equal(points([-1, nan, -4], 5, 3, highest=True), [-1, -1, -1, -4, -4])
    with pytest.warns(
        DetectionWarning, match="1 of 5 points lie in no window with a score, the first at 0"
    ):
        found = points([nan, 2, np.inf], 5, 3)
    np.testing.assert_array_equal(found, [nan, 2, np.inf, np.inf, np.inf])
    with pytest.warns(DetectionWarning, match="1 of 3 points .* at 1"):
        found = points([[1, nan], [nan, 3]], 3, 2)
    np.testing.assert_array_equal(found, [1, nan, 3])


def test_the_advice_for_a_score_of_each_point_holds_with_a_gap():
    advice = "\n".join(re.findall(r"^ {8}(\w.* = .*)$", points.__doc__, flags=re.MULTILINE))
    x = np.sin(np.arange(40.0))
    x[11] = np.nan
    w = windows(x, 5)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(5, 2))
    decoder = sa.Sequential(sa.Dense(2, 5), sa.Reshape(5, 1))
    model = sa.Autoencoder(encoder, decoder).build((5, 1))
    names = {"np": np, "model": model, "w": w}
    exec(advice, names)
    gaps = np.arange(7, 12)  # the windows that hold point 11
    assert np.isnan(names["scores"]).all(axis=1).nonzero()[0].tolist() == gaps.tolist()
    with pytest.warns(DetectionWarning, match="1 of 40 points lie in no window .* first at 11"):
        found = points(names["scores"], 40, 5)
    assert np.isnan(found).nonzero()[0].tolist() == [11]


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (
            lambda: points([np.nan, np.inf, -np.inf, 3], 5, 2),
            ValueError,
            "inf and -inf, which have no mean",
        ),
        (
            lambda: windows(np.zeros(3), 4),
            ValueError,
            "a window of 4 does not fit into 3 points",
        ),
        (
            lambda: windows(np.zeros(0), 1),
            ValueError,
            r"shape of the series is \(0,\), but \(T,\)",
        ),
        (
            lambda: windows(np.zeros((3, 2, 2)), 2),
            ValueError,
            r"series is \(3, 2, 2\), but \(T, C\)",
        ),
        (
            lambda: windows(np.float64(3), 2),
            ValueError,
            r"series is \(\), but \(T, C\) is expected",
        ),
        (lambda: windows([[1], [1, 2]], 2), ValueError, "the series are no array"),
        (lambda: windows(np.zeros(3), 0), ValueError, "length is 0"),
        (lambda: windows(np.zeros(3), 2, 0), ValueError, "step is 0"),
        (
            lambda: points([1, 2], 5, 3),
            ValueError,
            r"shape \(2,\), but 5 points have 3 windows of 3, 1 apart",
        ),
        (lambda: points(np.ones((3, 1)), 5, 3), ValueError, r"shape \(3, 1\), but"),
        (lambda: points([1], 2, 3), ValueError, "a window of 3 does not fit into 2 points"),
        (lambda: points([1], 0, 1), ValueError, "n is 0"),
        (
            lambda: points(["1", "2", "3"], 5, 3),
            ValueError,
            "the scores are <U1 of shape .*, but numbers",
        ),
        (
            lambda: points([1, None, 3], 5, 3),
            ValueError,
            "the scores are object of shape .*, but numbers",
        ),
        (
            lambda: points([1, np.inf, -np.inf], 5, 3),
            ValueError,
            "hold inf and -inf, which have no mean: take",
        ),
        (
            lambda: points([[1, 2], [3]], 3, 2),
            ValueError,
            "the scores are no array .*: give lists of equal",
        ),
        (
            lambda: points(np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), 5, 3),
            TypeError,
            "a masked array is given as the scores",
        ),
        (
            lambda: points([1, 2, 3], 5, 3, highest=min),
            ValueError,
            "highest is <built-in .*>, but it must be True or",
        ),
        (
            lambda: points([1, 2, 3], 5, 3, highest=1),
            ValueError,
            "highest is 1, but it must be True or",
        ),
        (
            lambda: windows(np.ma.array(np.zeros(5), mask=np.arange(5) == 2), 2),
            TypeError,
            "a masked array is given as the series",
        ),
    ],
)
def test_bad_input_is_a_sentence(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
