"""The generated stand-in: the form of MNIST, about its ink, digits that differ, and the same every
time."""

import math

import numpy as np
import pytest

from scratchae.datasets.generated import strokes


@pytest.fixture(scope="module")
def splits():
    return strokes.load(3000, 500)


def test_form(splits):
    for (images, labels), n in zip(splits, (3000, 500), strict=True):
        assert images.shape == (n, 28, 28, 1) and labels.shape == (n,)
        assert images.dtype == labels.dtype == np.uint8


def test_ink_is_like_mnist(splits):
    images, labels = splits[0]
    assert images.mean() / 255 == pytest.approx(0.12, abs=0.01)
    assert (images / 255).std() == pytest.approx(0.29, abs=0.02)
    assert np.bincount(labels, minlength=10).min() > 250
    ink = images[..., 0] > 0
    assert not ink[:, [0, -1]].any() and not ink[:, :, [0, -1]].any()  # nothing is cut off
    assert ink.any(axis=1).sum(axis=1).min() >= 2 and ink.any(axis=2).sum(axis=1).min() >= 8


def test_every_skeleton_is_drawn_and_nearest_means_tell_the_digits(splits):
    (images, labels), (test_images, test_labels) = splits
    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)]).reshape(10, -1)
    distance = ((test_images.reshape(-1, 1, 784) - means) ** 2).sum(axis=2)
    assert (distance.argmin(axis=1) == test_labels).mean() > 0.6  # chance is 0.1
    assert sum(map(len, strokes.SKELETONS.values())) == 23


def test_an_example_depends_on_seed_split_and_row_only(splits):
    (images, labels), (test_images, _) = splits
    (fewer, fewer_labels), (same, _) = strokes.load(100, 500)
    np.testing.assert_array_equal(fewer, images[:100])
    np.testing.assert_array_equal(fewer_labels, labels[:100])
    np.testing.assert_array_equal(same, test_images)
    assert (strokes.load(100, 1, seed=1)[0][0] != fewer).any(axis=(1, 2, 3)).all()
    rows = np.concatenate([images, test_images]).reshape(3500, -1)
    assert len(np.unique(rows, axis=0)) == 3500


def test_ink_is_the_distance_to_the_curve():
    """One segment against (5) and (6) written out for every pixel."""
    a, b, r = np.array([9.3, 6.1]), np.array([14.8, 20.4]), 1.7
    images = np.zeros((1, 28, 28), np.uint8)
    strokes._ink(images, np.array([[a, b]]), np.array([0]), np.array([r]))
    q = np.stack(np.meshgrid(np.arange(28), np.arange(28)), axis=-1)
    t = np.clip((q - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    d = np.linalg.norm(q - a - t[..., None] * (b - a), axis=-1)
    assert np.abs(images[0] - 255 * np.clip(r + 0.5 - d, 0, 1)).max() < 0.51


def test_curve_goes_through_its_knots():
    knots = np.array([[0, 0], [3, 5], [9, 4], [12, 20]], np.float32)
    curve = strokes._catmull_rom(4) @ knots
    np.testing.assert_allclose(curve[:: strokes.STEPS], knots, atol=1e-6)
    straight = strokes._catmull_rom(3) @ np.array([[0, 0], [1, 2], [2, 4]])
    np.testing.assert_allclose(straight[:, 1], 2 * straight[:, 0], atol=1e-6)


SIZES = [
    ((-1, 5), "n_train is -1"),
    ((5, 0), "n_test is 0"),
    ((5, 0.5), "n_test is 0.5"),
    ((10**13, 5), "no more"),
]


@pytest.mark.parametrize("sizes, words", SIZES)
def test_sizes_are_checked(sizes, words):
    with pytest.raises(ValueError, match=words):
        strokes.load(*sizes)


def drawn(monkeypatch, **draws):
    """The curve on the grid and in pixels, and the pen's radius, of a digit of the skeleton
    "0,0 6,4 | 6,4 6,9", all draws 0 but those."""
    e = np.zeros((1, 32), np.float32)
    for which, value in draws.items():
        e[0, int(which[1:])] = value
    found, shape = {}, strokes._shape

    def shaped(curves, e):
        found["knots"], found["pixels"] = curves[0], shape(curves, e)[0]
        return shape(curves, e)

    monkeypatch.setattr(strokes, "_shape", shaped)
    monkeypatch.setattr(strokes, "_ink", lambda images, c, starts, r: found.update(radius=r[0]))
    strokes._render("0,0 6,4 | 6,4 6,9", e)
    return found["knots"], found["pixels"], float(found["radius"])


ASPECT = math.exp(0.2)


def shaped_by_hand(c, aspect=ASPECT, shear=-0.15, angle=0.0, size=17.0, middle=(13.5, 13.5)):
    """Stretched, sheared to the right, turned, one after the other; then sized and placed."""
    for A in (
        [[aspect, 0], [0, 1]],
        [[1, shear], [0, 1]],
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]],
    ):
        c = c @ np.array(A).T
    low, high = c.min(axis=0), c.max(axis=0)
    return np.array(middle) + size * (c - (low + high) / 2) / (high - low).max()


SHAPED = [  # a draw of 1, and what it changes
    ({}, {}),
    ({"e1": 1}, {"aspect": math.exp(0.4)}),
    ({"e2": 1}, {"shear": 0.1}),
    ({"e3": 1}, {"angle": 0.08}),
    ({"e4": 1}, {"size": 17.7}),
    ({"e5": 1}, {"middle": (14.0, 13.5)}),
    ({"e6": 1}, {"middle": (13.5, 14.0)}),
]


@pytest.mark.parametrize("draws, changed", SHAPED, ids=str)
def test_what_each_draw_changes_by_hand(draws, changed, monkeypatch):
    knots, pixels, radius = drawn(monkeypatch, **draws)
    np.testing.assert_allclose(pixels, shaped_by_hand(knots, **changed), rtol=1e-5)
    assert radius == pytest.approx(math.exp(0.1))


def test_the_pen_and_the_knots_by_hand(monkeypatch):
    """A draw of 1 makes the pen's radius e^0.2 times as large; the knot at which two strokes meet
    moves in both of them."""
    assert drawn(monkeypatch, e0=1)[2] == pytest.approx(math.exp(0.3))
    monkeypatch.undo()
    still, _, _ = drawn(monkeypatch)
    monkeypatch.undo()
    assert still[[0, 4, 5, 9]].tolist() == [[0, 0], [6, 4], [6, 4], [6, 9]]
    moved, _, _ = drawn(monkeypatch, e10=1, e11=-1)  # of the second place, (6, 4)
    np.testing.assert_allclose(
        moved[[0, 4, 5, 9]] - still[[0, 4, 5, 9]],
        [[0, 0], [0.6, -0.6], [0.6, -0.6], [0, 0]],
        rtol=1e-5,
    )
