"""Gradients of a convolution that nobody needs: of no rows, they are not computed."""

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.kernels.convolution import (
    CONV_GRADIENT,
    CONV_TRANSPOSE_GRADIENT,
    conv_gradient,
    conv_transpose_gradient,
    scratch_size,
)

IMAGE, GRID, KERNEL = (2, 5, 4, 3), (2, 3, 3, 6), (3, 2)  # (N, H, W, C), (N, P, Q, O), (kh, kw)
GEOMETRY = 2, 1, 1, 0  # strides, padding above and on the left
KINDS = pytest.mark.parametrize(
    "kernel, definition, x, da",
    [
        (CONV_GRADIENT, conv_gradient, IMAGE, GRID),
        (CONV_TRANSPOSE_GRADIENT, conv_transpose_gradient, GRID, IMAGE),
    ],
    ids=["conv", "transposed"],
)


def outputs(dtype, x, rows_dW, rows_dx):
    """dW (kh or 0, kw, C, O) and dx (N or 0, ...), full of what is to be overwritten."""
    dW = np.full((rows_dW, KERNEL[1], IMAGE[3], GRID[3]), 77, dtype)
    return dW, np.full((rows_dx, *x[1:]), 77, dtype)


@KINDS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("without", ["dW", "dx", "dW and dx"])
def test_a_gradient_of_no_rows_is_not_computed(
    kernel, definition, x, da, dtype, add, without, backend, rng, tolerance
):
    """The other one is that of both; memory beside the array of no rows is left alone."""
    gpu = get_backend(backend, dtype)
    ins = [rng.normal(size=s).astype(dtype) for s in (da, x, (*KERNEL, IMAGE[3], GRID[3]))]
    spelling = "cuda" if backend == "cupy" else "numba"
    itemsize = np.dtype(dtype).itemsize
    flat = np.zeros(scratch_size(spelling, itemsize, IMAGE, GRID, KERNEL, *GEOMETRY), dtype)
    right = outputs(dtype, x, KERNEL[0], x[0])
    definition(*right, *ins, *GEOMETRY, add, flat)

    whole = [gpu.asarray(out, dtype) for out in outputs(dtype, x, KERNEL[0], x[0])]
    given = [out[:0] if n in without else out for n, out in zip(("dW", "dx"), whole, strict=True)]
    there = [gpu.asarray(a, dtype) for a in ins]
    gpu.op(kernel)(*given, *there, *GEOMETRY, add, gpu.asarray(flat, dtype))
    for n, out, expected in zip(("dW", "dx"), whole, right, strict=True):
        expected = np.full_like(expected, 77) if n in without else expected
        tol = tolerance("layer", dtype)
        np.testing.assert_allclose(gpu.to_host(out), expected, rtol=tol, atol=tol, err_msg=n)
