"""The figure of two models' codes: titled, nothing clipped, and its curves are the shares they
claim to be."""

import sys

import numpy as np
import pytest
from code_pictures import code_activity

from scratchae.plots import frame

pytestmark = pytest.mark.slow

WORDS = "codes of the test images of $x^{$"  # matplotlib cannot parse it


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.setattr(frame, "DPI", frame.DPI // 4)


def test_words_are_written_as_they_are_and_nothing_is_clipped(rng):
    codes = rng.normal(size=(300, 2))
    figure = code_activity({WORDS: codes, "sparse": codes / 2}, WORDS, WORDS)
    figure.canvas.draw()
    (left, _), box = figure.axes, figure.get_tightbbox()
    words = [*figure.texts, left.get_legend().get_texts()[0]]
    assert [text.get_text() for text in words] == 3 * [WORDS]
    assert not any(text.get_parse_math() for text in words)
    width, height = figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_codes_that_cannot_be_drawn_are_refused():
    h = np.ones((5, 3), np.float32)
    for codes in ({}, {"a": h, "b": h, "c": h}, {"a": h[0]}, {"a": h[:0]}):
        with pytest.raises(ValueError, match="one or two of"):
            code_activity(codes, "title")


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float32"])
def test_the_curve_within_an_image_is_a_share_of_its_largest(dtype):
    h = np.array([[0, 1, 1, 0], [0, 0, 0, 0]], dtype)
    left, right = code_activity({"plain": h}, "title").axes
    assert np.allclose(left.lines[0].get_ydata(), [0.5, 0.5, 0, 0])
    assert np.allclose(right.lines[0].get_ydata(), [0.5, 0.5, 0, 0])


def test_the_curves_are_means_over_the_images():
    h = np.array([[1, 4], [0, 0], [2, 0]], np.float32)
    left, right = code_activity({"plain": h}, "title", "note").axes
    assert np.allclose(left.lines[0].get_ydata(), [4 / 3, 1])
    assert np.allclose(right.lines[0].get_ydata(), [2 / 3, 1 / 12])
