"""The generated surface: the same every time, points about the saddle, planes that touch it."""

import numpy as np
import pytest

from scratchae.datasets.generated import surface


@pytest.fixture(scope="module")
def both():
    return surface.load(2000, 500)


def test_form(both):
    for part, n in zip(both, (2000, 500), strict=True):
        assert part.x.shape == (n, 3) and part.x.dtype == np.float32
        assert part.tangents.shape == (n, 2, 3) and part.name == "surface (generated)"


def test_a_function_of_the_seed_and_a_smaller_set_is_the_beginning_of_a_larger_one(both):
    for ours, again, few, other in zip(
        both,
        surface.load(2000, 500),
        surface.load(30, 20),
        surface.load(2000, 500, seed=1),
        strict=True,
    ):
        for name in ("x", "tangents"):
            a, b, c, d = (getattr(part, name) for part in (ours, again, few, other))
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a[: len(c)], c)
            assert not np.allclose(a, d)


def test_the_splits_share_no_draws(monkeypatch):
    asked = []
    for name in ("normal", "uniform"):
        real = getattr(surface.randomness, name)

        def draw(shape, seed, stream, epoch, real=real):
            asked.append((stream, epoch))
            return real(shape, seed, stream, epoch)

        monkeypatch.setattr(surface.randomness, name, draw)
    surface.load(20, 20)
    assert len(asked) == len(set(asked)) == 4


def test_points_lie_about_the_saddle(both, monkeypatch):
    noisy = both[0].x
    monkeypatch.setattr(surface, "NOISE", 0.0)
    x = surface.load(2000, 500)[0].x.astype(np.float64)
    np.testing.assert_allclose(x[:, 2], (x[:, 0] ** 2 - x[:, 1] ** 2) / surface.SIDE, atol=1e-5)
    assert np.abs(x[:, :2]).max() <= surface.SIDE and np.abs(x[:, :2].mean(axis=0)).max() < 0.3
    assert (
        x[:, :2].std(axis=0) == pytest.approx(surface.SIDE / np.sqrt(3), rel=0.05)
    ) and x.std() > 1
    assert (noisy - x).std(axis=0) == pytest.approx(0.1, rel=0.1)


def test_the_planes_touch_the_surface(both, monkeypatch):
    """Orthonormal, and steps along them leave it by the square of their length only."""
    monkeypatch.setattr(surface, "NOISE", 0.0)
    part = surface.load(2000, 500)[1]
    # of the point without its noise
    np.testing.assert_array_equal(part.tangents, both[1].tangents)
    np.testing.assert_allclose(
        part.tangents @ part.tangents.swapaxes(1, 2), np.eye(2) * np.ones((500, 1, 1)), atol=1e-12
    )
    step = 1e-2
    for direction in (part.tangents[:, 0], part.tangents[:, 1]):
        p = part.x + step * direction
        assert np.abs(p[:, 2] - (p[:, 0] ** 2 - p[:, 1] ** 2) / surface.SIDE).max() < step**2


@pytest.mark.parametrize(("sizes", "words"), [((0, 5), "n_train is 0"), ((5, 0), "n_test is 0")])
def test_no_points_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        surface.load(*sizes)


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(ValueError, match="seed"):
        surface.load(5, 5, seed=-1)
