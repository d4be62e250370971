"""Figures of tangent planes and of spectra: nothing clipped, and what they show is what they were
given."""

import sys

import numpy as np
import pytest
import tangent_pictures as pictures

from scratchae.plots import frame

pytestmark = pytest.mark.slow

TITLE = "surface (generated): points, and the plane in which the code moves"
NOTE = "contractive autoencoder 3-100-3, tied weights, weight 0.3, interrupted after 200 epochs"


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)


def case(words=("contractive", "plain"), n=40):
    """Points (n, 3), and for each word orthonormal planes and angles of their own."""
    rng = np.random.default_rng(0)
    planes = {
        w: (np.linalg.qr(rng.normal(size=(n, 3, 2)))[0].swapaxes(1, 2), 90 * rng.random(n))
        for w in words
    }
    return rng.normal(size=(n, 3)), planes


def falling(n=20, r=3, seed=0):
    return np.sort(np.random.default_rng(seed).random((n, r)), axis=1)[:, ::-1]


@pytest.mark.slow
@pytest.mark.parametrize("words", [("contractive",), ("contractive", "plain", "local PCA")])
def test_titles_and_nothing_clipped(words):
    x, planes = case(words)
    values = {word: falling(r=300, seed=i) for i, word in enumerate(words[:2])}
    for figure in (
        pictures.tangent_planes(x, planes, [0, 5], TITLE, NOTE),
        pictures.spectra(values, 15, TITLE, NOTE),
    ):
        assert [text.get_text() for text in figure.texts] == [TITLE, NOTE]
        figure.canvas.draw()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_points_are_coloured_by_their_angle_and_arrows_lie_in_the_plane():
    x, planes = case()
    rows = [3, 7, 20]
    *panels, _ = pictures.tangent_planes(x, planes, rows, TITLE).axes
    limits = {(axes.get_xlim(), axes.get_ylim(), axes.get_zlim()) for axes in panels}
    assert len(panels) == 2 and len(limits) == 1
    for axes, (word, (V, angle)) in zip(panels, planes.items(), strict=True):
        assert axes.get_title() == f"{word}: median {np.median(angle):.1f}°"
        points, *arrows = axes.collections
        np.testing.assert_array_equal(np.ma.getdata(points._offsets3d), x.T)
        np.testing.assert_array_equal(points.get_array(), angle)
        assert points.get_clim() == (0, 90)
        length = pictures.ARROW * np.ptp(x, axis=0).max()
        ends = [
            np.array([tip - start for tip, start in arrow._segments3d[:3]]) for arrow in arrows
        ]
        for drawn, v in zip(ends, (V[rows, 0], -V[rows, 0], V[rows, 1], -V[rows, 1]), strict=True):
            np.testing.assert_allclose(drawn, length * v, atol=1e-9)
        starts = [start for _, start in arrows[0]._segments3d[:3]]
        np.testing.assert_allclose(starts, x[rows])


def test_the_spectra_are_means_and_shares():
    s = np.array([[2.0, 1.0, 0.0], [4.0, 2.0, 2.0]])
    left, right = pictures.spectra({"contractive": s, "plain": 2 * s}, 2, TITLE).axes
    assert np.allclose(left.lines[0].get_ydata(), [3, 1.5, 1]) and np.allclose(
        left.lines[1].get_ydata(), [6, 3, 2]
    )
    for line in right.lines[:2]:  # of 5 and of 24
        assert np.allclose(line.get_ydata(), [(4 / 5 + 16 / 24) / 2, (1 + 20 / 24) / 2, 1])
    for axes in (left, right):
        assert set(axes.lines[2].get_xdata()) == {2}
    words = [text.get_text() for text in left.get_legend().get_texts()]
    assert words == ["contractive", "plain", "k = 2"]


@pytest.mark.parametrize(
    ("r", "leading", "others"),
    [
        (300, 15, [40, 80, 120, 160, 200, 240, 280]),
        (300, 162, [40, 80, 120, 200, 240, 280]),
        (20, 20, [3, 6, 9, 12, 15, 18]),
        (3, 2, [1, 3]),
        (1, 1, []),
    ],
)
def test_the_spectra_are_numbered_at_the_leading_direction_and_away_from_it(r, leading, others):
    for axes in pictures.spectra({"a": falling(r=r), "b": falling(r=1)}, leading, TITLE).axes:
        assert sorted(axes.get_xticks()) == sorted([leading, *others])


def test_a_code_that_never_moves_has_no_share():
    assert np.array_equal(pictures.shares(np.zeros((2, 3))), np.zeros((2, 3)))


def test_what_cannot_be_drawn_is_refused():
    x, planes = case()
    V, angle = planes["plain"]
    for points, estimates in (
        (x, {}),
        (x[:, :2], planes),
        (x, {"a": (V[:5], angle)}),
        (x, {"a": (V, angle[:5])}),
        (x, {"a": (V[:, :1], angle)}),
    ):
        with pytest.raises(ValueError, match=r"but \(N, 3\) and"):
            pictures.tangent_planes(points, estimates, [0], TITLE)
    s = falling()
    for values in ({}, {"a": s, "b": s, "c": s}, {"a": s[0]}, {"a": s[:0]}):
        with pytest.raises(ValueError, match="one or two of"):
            pictures.spectra(values, 2, TITLE)


def test_words_are_written_as_they_are_and_axes_in_space_are_named_by_formulas():
    from matplotlib.text import Text

    x, planes = case(("$x^{$",))  # matplotlib cannot parse it
    space = pictures.tangent_planes(x, planes, [0], "$x^{$", "$x^{$")
    values = pictures.spectra({"$x^{$": falling()}, 1, "$x^{$", "$x^{$")
    for figure in (space, values):
        figure.canvas.draw()
        written = [text for text in figure.findobj(Text) if "$x^{$" in text.get_text()]
        assert len(written) == 3 and not any(text.get_parse_math() for text in written)
    axes = space.axes[0]
    labels = [axis.label for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
    assert [label.get_text() for label in labels] == ["$x_1$", "$x_2$", "$x_3$"]
    assert all(label.get_parse_math() for label in labels)
