"""The draws of every generated set: from the stream SHAPES, those of the test part others than
those of training, and all of them of the seed."""

import numpy as np
import philox_by_hand as by_hand
import pytest

from scratchae.datasets.generated import beats, daily, strokes, surface

SETS = {"beats": beats, "daily": daily, "strokes": strokes, "surface": surface}
EACH = pytest.mark.parametrize("name", SETS)
HIGH = 3 * 2**32 + 1


def asked(module, monkeypatch, seed=0):
    """(stream, epoch, seed, shape) of every draw that load asks for."""
    found = []
    for name in ("uniform", "normal"):
        real = getattr(module.randomness, name)

        def draw(shape, seed, stream, epoch=0, real=real):
            found.append((stream, epoch, seed, shape))
            return real(shape, seed, stream, epoch)

        monkeypatch.setattr(module.randomness, name, draw)
    module.load(20, 30, seed=seed)
    return found


@EACH
def test_no_draw_is_used_twice(name, monkeypatch):
    """Rows of one epoch are the examples of one part: two draws of an epoch share their words."""
    draws = asked(SETS[name], monkeypatch)
    epochs = [epoch for _, epoch, _, _ in draws]
    assert len(set(epochs)) == len(epochs) >= 4
    assert {stream for stream, *_ in draws} == {by_hand.SHAPES}


@EACH
@pytest.mark.parametrize("seed", [0, 1, HIGH])
def test_every_draw_has_the_seed(name, seed, monkeypatch):
    assert {drawn[2] for drawn in asked(SETS[name], monkeypatch, seed)} == {seed}


def values(part):
    """All numbers of a part, in order of its examples."""
    return np.ravel(part[0] if isinstance(part, tuple) else part.x).astype(float)


@EACH
def test_the_parts_are_independent(name):
    """Correlated no more with the test part of their own load than with that of another seed."""
    (train, test), (_, other) = SETS[name].load(200, 200), SETS[name].load(200, 200, seed=9)
    if name == "daily":  # what is no noise is the hour of the day
        nights = [values(p).reshape(200, 288)[:, :40] for p in (train, test, other)]
        a, b, c = ((v - v.mean(axis=1, keepdims=True)).ravel() for v in nights)
    else:
        a, b, c = (values(p) for p in (train, test, other))
    own, others = np.corrcoef(a, b)[0, 1], np.corrcoef(a, c)[0, 1]
    assert abs(own - others) < 0.05 and not np.array_equal(a, b)


def test_the_first_numbers_of_each_by_hand():
    """The digit and its skeleton; the class; where a point lies; when a day rises and falls."""
    u = by_hand.uniform((12, 1), HIGH, by_hand.SHAPES)[:, 0]
    (_, digits), (_, test_digits) = strokes.load(12, 12, seed=HIGH)
    assert digits.tolist() == [int(10 * v) for v in u]
    u = by_hand.uniform((12, 1), HIGH, by_hand.SHAPES, 2)[:, 0]
    assert test_digits.tolist() == [int(10 * v) for v in u]
    shares = np.cumsum([2919, 1767, 96, 194, 24]) / 5000  # of ECG5000's classes
    for part, epoch in zip(beats.load(30, 30, seed=HIGH), (0, 3), strict=True):
        u = by_hand.uniform((30, 2), HIGH, by_hand.SHAPES, epoch)[:, 0]
        assert part.labels.tolist() == [1 + sum(v >= share for share in shares) for v in u]
    for part, epoch in zip(surface.load(4, 4, seed=HIGH), (0, 2), strict=True):
        u = 10 * by_hand.uniform((4, 2), HIGH, by_hand.SHAPES, epoch) - 5
        e = 0.1 * by_hand.normal((4, 3), HIGH, by_hand.SHAPES, epoch + 1)
        p = np.stack([u[:, 0], u[:, 1], (u[:, 0] ** 2 - u[:, 1] ** 2) / 5], axis=1)
        np.testing.assert_allclose(part.x, p + e, rtol=1e-5, atol=1e-5)
