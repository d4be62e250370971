"""What the odd small shapes of test_spellings do not reach: sums in several parts, and steps that
are not taken."""

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.kernels.activation import ACTIVATION_GRADIENT
from scratchae.kernels.adadelta import ADADELTA
from scratchae.kernels.adagrad import ADAGRAD
from scratchae.kernels.adam import ADAM
from scratchae.kernels.adamw import ADAMW
from scratchae.kernels.rmsprop import RMSPROP
from scratchae.kernels.sgd import SGD


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("name", ["identity", "tanh"])
@pytest.mark.parametrize("N, O", [(5000, 9), (2001, 1), (700, 300)])
def test_a_bias_gradient_over_many_rows(backend, name, N, O, add, dtype, rng, tolerance):
    b, tol = get_backend(backend, dtype), tolerance("kernel", dtype)
    dy, y, before = rng.normal(size=(N, O)), rng.uniform(-1, 1, (N, O)), rng.normal(size=O)
    found = [b.asarray(a) for a in (dy, before, dy, y)]
    b.op(ACTIVATION_GRADIENT[name])(*found, add)
    expected = [a.astype(dtype) for a in (dy, before, dy, y)]
    ACTIVATION_GRADIENT[name].definition(*expected, add)
    for a, right in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(b.to_host(a), right, rtol=tol, atol=tol * np.sqrt(N))


@pytest.mark.parametrize(
    "kernel, vectors, row, constants",
    [
        (ADAM, 3, [0, 1, 0.1, 0.001], (0.9, 0.999, 1e-8)),
        (ADAMW, 3, [0, 1, 0.1, 0.001], (0.9, 0.999, 1e-8, 0.01)),
        (ADAGRAD, 2, [0, 1], (1e-10,)),
        (ADADELTA, 3, [0, 1], (0.95, 1e-6)),
        (RMSPROP, 2, [0, 1], (0.9, 1e-8)),
        (SGD, 2, [0, 1], (0.9,)),
    ],
    ids=["adam", "adamw", "adagrad", "adadelta", "rmsprop", "sgd"],
)
def test_no_step_is_taken_where_c_is_zero(backend, kernel, vectors, row, constants, rng):
    """Not even of the state, and not even where the gradient is NaN."""
    b, n = get_backend(backend, "float64"), 7
    before = [rng.random(n) for _ in range(vectors)]
    state, G = [b.asarray(a) for a in before], b.asarray(np.full((2, n), np.nan))
    b.op(kernel)(*state, G, b.asarray(np.array(row)), *constants, 0, n)
    for a, same in zip(state, before, strict=True):
        np.testing.assert_array_equal(b.to_host(a), same)
