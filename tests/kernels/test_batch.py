"""Batches as they are made: pixels scaled, binarised, gathered, and nothing else."""

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.kernels import batch

GREY = np.arange(256, dtype=np.uint8).reshape(4, 64)
ROWS = np.array([2, 0, 2, 3], np.uint32)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def gather(kernel, backend, dtype, data, *noise, rows=ROWS):
    b, x = get_backend(backend, dtype), np.full((len(rows), data.shape[1]), 77, dtype)
    out, *ins = (b.asarray(a, a.dtype) for a in (x, data, rows, *noise))
    b.op(kernel)(out, *ins)
    return b.to_host(out)


@DTYPES
def test_grey(backend, dtype, tolerance):
    x = gather(batch.GATHER_GREY, backend, dtype, GREY)
    np.testing.assert_allclose(x, GREY[ROWS] / 255, rtol=0, atol=tolerance("kernel", dtype))
    assert x.min() == 0 and x.max() == 1  # exactly


@DTYPES
def test_threshold_is_ink_above_one_half(backend, dtype):
    x = gather(batch.GATHER_THRESHOLD, backend, dtype, GREY)
    # 127 / 255 is below one half, 128 / 255 above
    np.testing.assert_array_equal(x, GREY[ROWS] >= 128)


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


def test_dynamic_draws_the_same_pixels_in_every_spelling(backend):
    """u next to g / 255 is where one ulp turns a pixel over, as happens in every epoch of
    MNIST."""
    p = GREY[ROWS].astype(np.float32) / np.float32(255)
    for u in (np.nextafter(p, np.float32(0)), p, np.nextafter(p, np.float32(2))):
        u = np.floor(u * 2.0**24).astype(np.float32) / np.float32(2**24)  # what Philox can draw
        pair = [
            gather(batch.GATHER_DYNAMIC, name, "float32", GREY, u)
            for name in ("reference", backend)
        ]
        np.testing.assert_array_equal(*pair)


@DTYPES
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "bool"])
def test_values_are_cast_and_nothing_else(backend, dtype, kind):
    if backend == "cupy" and kind in ("int64", "bool"):
        pytest.skip(
            "on a GPU the kernel reads floating point numbers, which Values makes of all others"
        )
    data = np.array([[-1.5, 0.0], [3.0, 1e-3], [100.0, 2.0], [0.0, 7.25]]).astype(kind)
    np.testing.assert_array_equal(
        gather(batch.GATHER_VALUES, backend, dtype, data), data[ROWS].astype(dtype)
    )


def test_a_row_may_be_asked_for_by_a_large_index(backend):
    data = np.zeros((70_000, 1), np.uint8)
    data[69_999] = 255
    x = gather(batch.GATHER_GREY, backend, "float32", data, rows=np.array([69_999], np.uint32))
    assert x[0, 0] == 1
