"""Large products in slices: the same product, whichever side is cut and whoever computes it."""

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.backend.numpy import GRAIN, MOST, SLICE, WIDE, slices_of


@pytest.mark.parametrize("shape", [(70, 600, 550), (550, 70, 600), (900, 300, 64), (7, 5, 3)])
@pytest.mark.parametrize("turned", ["neither", "a", "b"])
@pytest.mark.parametrize("add", [False, True])
def test_a_product_in_slices_is_the_product(shape, turned, add, monkeypatch, rng, tolerance):
    monkeypatch.setattr("scratchae.backend.numpy.SLICE", 1000)
    I, K, J = shape
    a, b, out = rng.normal(size=(I, K)), rng.normal(size=(K, J)), rng.normal(size=(I, J))
    right = add * out + a @ b
    a = np.ascontiguousarray(a.T).T if turned == "a" else a
    b = np.ascontiguousarray(b.T).T if turned == "b" else b
    get_backend("numpy", "float64").matmul(a, b, out, add)
    np.testing.assert_allclose(out, right, rtol=tolerance("layer"), atol=tolerance("layer"))


@pytest.mark.parametrize(
    "I, K, J, n",
    [
        (128, 784, 400, 1),
        (1, 10_000, 10_000, 3),
        (256, 4096, 2048, 4),
        (4096, 256, 2048, 4),
        (100_000, 100_000, 100, 4),
        (10_000, 10_000, 0, 1),
    ],
)
def test_slices_are_wide_whole_and_few(I, K, J, n):
    slices, side = slices_of(I, K, J), max(I, J)
    assert len(slices) == n <= MOST
    assert [s.start for s in slices[1:]] == [s.stop for s in slices[:-1]]
    assert slices[0].start == 0 and slices[-1].stop == side
    if n > 1:
        assert all(s.start % GRAIN == 0 for s in slices) and slices[0].stop >= WIDE
        assert I * K * J // n >= SLICE


@pytest.mark.parametrize("I, K, J", [(600, 9, 5), (1, 9, 9), (7, 1, 5)])
def test_a_batch_of_matrices_stays_whole(I, K, J, monkeypatch, rng, tolerance):
    monkeypatch.setattr("scratchae.backend.numpy.SLICE", 1000)
    a, b, out = rng.normal(size=(2, I, K)), rng.normal(size=(2, K, J)), np.empty((2, I, J))
    get_backend("numpy", "float64").matmul(a, b, out)
    np.testing.assert_allclose(out, a @ b, atol=tolerance("layer"))


@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_product_over_nothing_is_zero_and_adds_nothing(batch):
    a, b, out = np.empty((*batch, 3, 0)), np.empty((*batch, 0, 4)), np.ones((*batch, 3, 4))
    backend = get_backend("numpy", "float64")
    backend.matmul(a, b, out, add=True)
    assert (out == 1).all()
    backend.matmul(a, b, out)
    assert not out.any()
