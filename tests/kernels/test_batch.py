"""Batches as they are made: pixels scaled, binarised, gathered, and nothing else."""

import numpy as np
import pytest

from scratchae.kernels import batch

GREY = np.arange(256, dtype=np.uint8).reshape(4, 64)
ROWS = np.array([2, 0, 2, 3], np.uint32)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def gather(kernel, backend, dtype, data, *noise):
    x = np.full((len(ROWS), data.shape[1]), 77, dtype)
    (kernel.definition if backend == "reference" else kernel.numba)(x, data, ROWS, *noise)
    return x


@DTYPES
def test_grey(backend, dtype, tolerance):
    x = gather(batch.GATHER_GREY, backend, dtype, GREY)
    np.testing.assert_allclose(x, GREY[ROWS] / 255, rtol=0, atol=tolerance("kernel", dtype))
    assert x.min() == 0 and x.max() == 1  # exactly


@DTYPES
def test_threshold_is_ink_above_one_half(backend, dtype):
    x = gather(batch.GATHER_THRESHOLD, backend, dtype, GREY)
    np.testing.assert_array_equal(x, GREY[ROWS] >= 128)  # 127 / 255 is below one half, 128 / 255 above


@DTYPES
def test_dynamic_takes_the_grey_value_for_a_probability(backend, dtype):
    u = np.broadcast_to((np.arange(64) / 64).astype(dtype), GREY.shape).copy()
    x = gather(batch.GATHER_DYNAMIC, backend, dtype, GREY, u)
    np.testing.assert_array_equal(x, 255 * u.astype("float64") < GREY[ROWS])
    u[...] = np.float32(1 - 2**-24)
    black_and_white = np.repeat(np.array([[0, 255]], np.uint8), 4, axis=0)
    for noise in (np.zeros((4, 2), dtype), u[:, :2].copy()):
        x = gather(batch.GATHER_DYNAMIC, backend, dtype, black_and_white, noise)
        np.testing.assert_array_equal(x, [[0, 1]] * 4)  # black stays black and white stays white


def test_dynamic_draws_the_same_pixels_in_both_spellings():
    """u next to g / 255 is where one ulp turns a pixel over, as happens in every epoch of MNIST."""
    p = GREY[ROWS].astype(np.float32) / np.float32(255)
    for u in (np.nextafter(p, np.float32(0)), p, np.nextafter(p, np.float32(2))):
        u = np.floor(u * 2.0**24).astype(np.float32) / np.float32(2**24)  # what Philox can draw
        pair = [gather(batch.GATHER_DYNAMIC, backend, "float32", GREY, u) for backend in ("reference", "numpy")]
        np.testing.assert_array_equal(*pair)


@DTYPES
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "bool"])
def test_values_are_cast_and_nothing_else(backend, dtype, kind):
    data = np.array([[-1.5, 0.0], [3.0, 1e-3], [100.0, 2.0], [0.0, 7.25]]).astype(kind)
    np.testing.assert_array_equal(gather(batch.GATHER_VALUES, backend, dtype, data), data[ROWS].astype(dtype))


def test_a_row_may_be_asked_for_by_a_large_index(backend):
    data = np.zeros((70_000, 1), np.uint8)
    data[69_999] = 255
    x = np.empty((1, 1), np.float32)
    kernel = batch.GATHER_GREY
    (kernel.definition if backend == "reference" else kernel.numba)(x, data, np.array([69_999], np.uint32))
    assert x[0, 0] == 1
