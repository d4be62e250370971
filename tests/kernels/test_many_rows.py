"""What the odd small shapes of test_spellings do not reach: sums in several parts, and steps that
are not taken."""

import math

import numpy as np
import pytest

import scratchae as sa
from scratchae import get_backend
from scratchae.kernels.activation import ACTIVATION_GRADIENT
from scratchae.kernels.adadelta import ADADELTA
from scratchae.kernels.adagrad import ADAGRAD
from scratchae.kernels.adam import ADAM
from scratchae.kernels.adamw import ADAMW
from scratchae.kernels.convolution import (
    CONV_GRADIENT,
    CONV_TRANSPOSE_GRADIENT,
    scratch_size,
)
from scratchae.kernels.rmsprop import RMSPROP
from scratchae.kernels.sgd import SGD
from scratchae.kernels.taps import PART, at_once


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


TERMS = 200_704  # of one number of dW: 256 images of 28 x 28 patches
PARTS = {"images": (256, 28, 28), "large images": (4, 224, 224), "small": (4096, 7, 7)}


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("which", PARTS)
def test_the_gradient_of_a_kernel_is_summed_in_parts(which, transposed, dtype):
    """Constant data, where the roundings of a running sum mostly go one way: 200,704 terms end
    8e-4 off in float32, 8.4e-13 in float64. In n parts of m terms the error is at most (m + n) u,
    with u of 2^-24 and 2^-53: for m of 256 that is 6.2e-5 and 1.2e-13, and where an image ends a
    part, little more. The roundings of parts do
    not all go one way, and in float32 it stays below 1e-4. The loop alone: what the definition
    and a GPU sum is BLAS's."""
    b, (N, P, Q) = get_backend("numpy", dtype), PARTS[which]
    x, a, W = (b.asarray(np.full(s, 0.1)) for s in ((N, P, Q, 2), (N, P, Q, 3), (1, 1, 2, 3)))
    sizes = x.shape, a.shape, (1, 1), 1, 1, 0, 0
    flat = b.empty((scratch_size(b.spelling, b.dtype.itemsize, *sizes),))
    dW = b.empty((1, 1, 2, 3))
    arrays = dW, b.empty((0, P, Q, 3 if transposed else 2))
    exact, together = TERMS * float(np.dtype(dtype).type(0.1)) ** 2, at_once(N, P, Q)
    parts = math.ceil(N / together) * math.ceil(together * P * Q / PART)
    rtol = min(1e-4, (PART + parts) * np.finfo(dtype).eps / 2)
    for add in (False, True):
        if transposed:
            b.op(CONV_TRANSPOSE_GRADIENT)(*arrays, x, a, W, 1, 1, 0, 0, add, flat)
        else:
            b.op(CONV_GRADIENT)(*arrays, a, x, W, 1, 1, 0, 0, add, flat)
        np.testing.assert_allclose(b.to_host(dW), (1 + add) * exact, rtol=rtol)


LONG = {  # a layer, its input, rows: 200,000 terms in a number of each gradient
    "conv": (sa.Conv2d(1, 5, 3, 1, "same", "tanh"), (28, 28, 1), 256),
    "conv to few channels": (sa.Conv2d(6, 1, 3, 1, "same"), (28, 28, 6), 256),
    "transposed": (sa.ConvTranspose2d(2, 5, 3, 2, "same"), (28, 28, 2), 256),
    "over time": (sa.Conv1d(1, 3, 5), (10_004, 1), 20),
}


@pytest.mark.slow  # float32's loops
@pytest.mark.parametrize("name", LONG)
def test_the_gradients_of_a_convolution_over_many_rows(name):
    """Of constant data in float32, against float64, in parts of the tensor's largest."""
    layer, shape, rows = LONG[name]
    found = []
    for dtype in ("float32", "float64"):
        one = sa.by_hand(layer, shape, dtype=dtype)
        y = one(np.full((rows, *shape), 0.1, dtype))
        one.backward(np.full(y.shape, 0.1, dtype))
        found.append(one.gradients)
    for tensor, right in found[1].items():
        np.testing.assert_allclose(found[0][tensor], right, rtol=0, atol=1e-4 * abs(right).max())
