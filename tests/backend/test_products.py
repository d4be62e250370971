"""Products on the GPU: batches of matrices, nothing to sum, and arrays that are refused."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.backend.cuda import launch as gpu_module


def test_arrays_of_the_host_and_large_ones_are_refused(gpu, monkeypatch):
    backend = sa.get_backend(gpu)
    by_hand = sa.by_hand(sa.Dense(3, 2), 3, backend=backend)
    by_hand(np.zeros((4, 3)))
    layer = by_hand.part
    words = (
        r"matmul\(a\) is a numpy.ndarray, but backend 'cupy' computes on CuPy arrays: bring "
        r"it to the GPU"
    )
    with pytest.raises(TypeError, match=words):
        layer.forward(np.zeros((4, 3), np.float32))
    with pytest.raises(
        TypeError, match="is an array of float64, but float32 in C order is expected"
    ):
        layer.forward(backend.asarray(np.zeros((4, 3)), "float64"))
    x = backend.asarray(np.zeros((4, 3), np.float32))
    monkeypatch.setattr(gpu_module, "LARGEST", 10)
    with pytest.raises(
        ValueError, match=r"matmul\(a\) has more than 10 elements: take fewer rows"
    ):
        layer.forward(x)


def test_products_of_a_batch_of_matrices(gpu, rng, tolerance):
    backend = sa.get_backend(gpu, "float64")
    a, b = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 5, 2))
    out = backend.zeros((4, 3, 2))
    for times in (1, 2):
        backend.matmul(backend.asarray(a), backend.asarray(b), out=out, add=times == 2)
        np.testing.assert_allclose(backend.to_host(out), times * (a @ b), rtol=tolerance("kernel"))


@pytest.mark.parametrize("batch", [(), (4,)])
def test_a_product_over_nothing_is_zero_and_adds_nothing(gpu, batch):
    """Arrays without elements have no address, and nobody says what cuBLAS makes of that."""
    backend = sa.get_backend(gpu)
    a, b = backend.empty((*batch, 2, 0)), backend.empty((*batch, 0, 3))
    out = backend.asarray(np.ones((*batch, 2, 3)))
    backend.matmul(a, b, out=out, add=True)
    assert (backend.to_host(out) == 1).all()
    backend.matmul(a, b, out=out)
    assert not backend.to_host(out).any()
    graph = backend.capture(lambda: backend.matmul(a, b, out=out))
    backend.write(out, 5)
    graph.launch(backend.stream)
    assert not backend.to_host(out).any()
