"""The emulated cuBLAS."""

import ctypes

import numpy as np
import pytest

import emulator
from emulator.launching import on_device


def multiply(blas, handle, a, b, c, alpha=1, beta=0, ta=0, tb=0, ld=None, mnk=None, batch=()):
    """C <- alpha op(A) op(B) + beta C of column-major arrays (rows, columns), perhaps larger than
    what is used."""
    m, n = mnk[:2] if mnk else c.shape
    k = mnk[2] if mnk else a.shape[0 if ta else 1]
    real, letter = {"float32": (ctypes.c_float, "S"), "float64": (ctypes.c_double, "D")}[
        c.dtype.name
    ]
    pointers = [ctypes.c_void_p(x.data.ptr) for x in (a, b, c)]
    lda, ldb, ldc = ld or (
        a.strides[1] // a.itemsize,
        b.strides[1] // a.itemsize,
        c.strides[1] // a.itemsize,
    )
    steps = [ctypes.c_longlong(step) for step in batch[1:]]
    parts = [
        [pointer, l, *steps[i : i + 1]]
        for i, (pointer, l) in enumerate(zip(pointers, (lda, ldb, ldc), strict=True))
    ]
    function = getattr(blas, f"cublas{letter}gemm" + ("StridedBatched" if batch else "_v2"))
    scales = [ctypes.byref(real(value)) for value in (alpha, beta)]
    return function(
        handle, ta, tb, m, n, k, scales[0], *parts[0], *parts[1], scales[1], *parts[2], *batch[:1]
    )


def columns_first(cupy, host):
    return on_device(cupy, host.T).T


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ta", [0, 1])
@pytest.mark.parametrize("tb", [0, 1])
@pytest.mark.parametrize(("alpha", "beta"), [(1, 0), (1, 1), (0.5, -2)])
def test_products_are_those_of_numpy(
    cupy, blas, handle, rng, tolerance, dtype, ta, tb, alpha, beta
):
    for m, n, k in ((5, 7, 3), (64, 33, 21), (1, 1, 1)):
        a, b, c = (rng.normal(size=size).astype(dtype) for size in ((m, k), (k, n), (m, n)))
        larger = [
            np.full((x.shape[0] + 2, x.shape[1]), np.nan, dtype)
            for x in (a.T if ta else a, b.T if tb else b, c)
        ]
        for space, x in zip(larger, (a.T if ta else a, b.T if tb else b, c), strict=True):
            space[:-2] = x
        A, B, C = (columns_first(cupy, x) for x in larger)
        ld = [x.shape[0] for x in larger]
        assert multiply(blas, handle, A, B, C, alpha, beta, ta, tb, ld, (m, n, k)) == 0
        got = C.get()
        assert np.isnan(got[-2:]).all()
        np.testing.assert_allclose(
            got[:-2], alpha * (a @ b) + beta * c, atol=k * tolerance("kernel", dtype) + 1e-6
        )


def test_products_of_a_batch(cupy, blas, handle, rng):
    a, b = rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 5, 6))
    A, B, C = on_device(cupy, a), on_device(cupy, b), cupy.empty((3, 4, 6), np.float64)
    first = [x[0].T for x in (B, A, C)]
    assert multiply(blas, handle, *first, batch=(3, 30, 20, 24)) == 0  # C^T = B^T A^T
    np.testing.assert_allclose(C.get(), a @ b)


def test_a_product_that_does_not_accumulate_does_not_read_c(cupy, blas, handle):
    a = columns_first(cupy, np.eye(3))
    c = cupy.empty((3, 3), np.float64).T
    assert multiply(blas, handle, a, a, c, beta=0) == 0
    assert np.array_equal(c.get(), np.eye(3))
    d = cupy.empty((3, 3), np.float64).T
    assert multiply(blas, handle, a, a, d, beta=1) == 0
    assert np.isnan(d.get()).all()


def test_products_are_queued_but_read_their_factors_at_once(cupy, blas, handle, stream):
    a, c = columns_first(cupy, np.eye(3)), columns_first(cupy, np.zeros((3, 3)))
    stream.synchronize()
    scale = ctypes.c_double(1)
    pointers = [ctypes.c_void_p(x.data.ptr) for x in (a, a, c)]
    one = ctypes.byref(scale)
    blas.cublasDgemm_v2(
        handle, 0, 0, 3, 3, 3, one, pointers[0], 3, pointers[1], 3, one, pointers[2], 3
    )
    scale.value = 5
    with cupy.cuda.Stream.null:
        assert not c.get().any()
    assert np.array_equal(c.get(), np.eye(3))


def test_wrong_products_are_refused(cupy, blas, handle, capfd):
    a, c = columns_first(cupy, np.eye(3)), cupy.empty((3, 3), np.float64).T
    assert multiply(blas, None, a, a, c) == 1
    assert multiply(blas, handle, a, a, c, mnk=(-1, 3, 3)) == 7
    assert multiply(blas, handle, a, a, c, ld=(2, 3, 3)) == 7
    assert multiply(blas, handle, a, a, c, mnk=(3, 4, 3)) == 14
    assert "a gemm touches memory that is not the device's" in emulator.last_error()
    assert "a gemm touches" in capfd.readouterr().err
    none = cupy.empty((3, 0), np.float64).T
    assert multiply(blas, handle, none.T, none, c, mnk=(3, 3, 0), ld=(3, 3, 3)) == 7
    blas.cublasSetStream_v2(handle, None)
    assert multiply(blas, handle, a, a, c) == 14 and "null stream" in emulator.last_error()


def test_a_capture_needs_a_workspace_set_after_the_stream(cupy, blas, handle, stream):
    a, c, space = (
        columns_first(cupy, np.eye(3)),
        cupy.empty((3, 3), np.float64).T,
        cupy.empty(4096, np.uint8),
    )
    pointer, size = ctypes.c_void_p(space.data.ptr), ctypes.c_size_t(space.nbytes)
    blas.cublasSetWorkspace_v2(handle, pointer, size)
    blas.cublasSetStream_v2(handle, ctypes.c_void_p(stream.ptr))
    stream.synchronize()
    stream.begin_capture()
    assert (
        multiply(blas, handle, a, a, c) == 14
        and "without the user's workspace" in emulator.last_error()
    )
    with pytest.raises(RuntimeError, match="previous error during capture"):
        stream.end_capture()
    assert blas.cublasSetWorkspace_v2(handle, pointer, size) == 0
    stream.begin_capture()
    assert multiply(blas, handle, a, a, c) == 0
    graph = stream.end_capture()
    assert np.isnan(c.get()).all()
    graph.launch()
    assert np.array_equal(c.get(), np.eye(3))
    assert (
        blas.cublasSetWorkspace_v2(
            handle, ctypes.c_void_p(space.data.ptr + 8), ctypes.c_size_t(64)
        )
        == 7
    )


def test_tf32_rounds_the_factors(cupy, blas, handle):
    a = columns_first(cupy, np.array([[1 + 2.0**-11, 1 + 2.0**-12]], np.float32))
    b = columns_first(cupy, np.eye(2, dtype=np.float32))
    c = cupy.empty((2, 1), np.float32).T
    multiply(blas, handle, a, b, c)
    assert np.array_equal(c.get(), [[1 + 2.0**-11, 1 + 2.0**-12]])
    assert blas.cublasSetMathMode(handle, 3) == 0
    multiply(blas, handle, a, b, c)
    assert np.array_equal(c.get(), [[1 + 2.0**-10, 1]])
