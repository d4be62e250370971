"""Who computes: aligned memory, products, spellings, options, and clear words for what cannot
be."""

import copy

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.sgd import SGD

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@DTYPES
@pytest.mark.parametrize("shape", [(), (1,), (7, 3), (2, 3, 5), (1000,)])
def test_memory(backend, dtype, shape):
    b = get_backend(backend, dtype)
    for make in (b.empty, b.zeros, lambda shape: b.asarray(np.ones(shape))):
        for _ in range(3):
            a = make(shape)
            assert a.shape == shape and a.dtype == dtype and a.flags.c_contiguous
            if backend == "cupy":
                assert a.data.ptr % 512 == 0
            else:
                assert a.ctypes.data % 128 == 0 and a.flags.writeable
    assert not b.to_host(b.zeros(shape)).any() and b.to_host(b.asarray(np.ones(shape))).all()
    assert b.zeros((4,), np.uint32).dtype == np.uint32


def test_memory_of_no_elements(backend):
    b = get_backend(backend)
    for a in (b.zeros((0, 3)), b.asarray(np.ones((0, 3))), b.share(np.ones((0, 3), np.float32))):
        b.write(a, 7)
        assert b.to_host(a).shape == (0, 3) and b.to_host(a).dtype == np.float32


def test_copies_to_and_from_the_host(backend):
    b, a = get_backend(backend), np.arange(6.0).reshape(2, 3)
    ours = b.asarray(a)
    assert ours.dtype == np.float32 and b.asarray(a, np.uint32).dtype == np.uint32
    host = b.to_host(ours)
    np.testing.assert_array_equal(b.to_host(ours.T), a.T)
    np.testing.assert_array_equal(b.to_host(b.asarray(a.T)), a.T)
    b.write(ours, 7)
    np.testing.assert_array_equal(host, a)
    np.testing.assert_array_equal(a, np.arange(6.0).reshape(2, 3))
    b.write(ours[1], a[0])
    np.testing.assert_array_equal(b.to_host(ours), [[7, 7, 7], a[0]])
    b.write(ours, a[1])  # broadcasts
    np.testing.assert_array_equal(b.to_host(ours), [a[1], a[1]])
    with pytest.raises(ValueError, match="broadcast"):
        b.write(ours, a.T)
    assert copy.deepcopy(b) is b  # a replica shares its backend


def test_a_data_set_that_is_shared(backend):
    b, a = get_backend(backend), np.arange(6.0).reshape(2, 3)
    for data in (a, a.T, a.astype(np.uint8)):
        shared = b.share(data)
        assert shared.dtype == data.dtype and shared.flags.c_contiguous
        np.testing.assert_array_equal(b.to_host(shared), data)


def test_a_data_set_is_not_copied(backend):
    if backend == "cupy":
        pytest.skip("a GPU reads its own memory, where a data set is a copy")
    a = np.arange(6.0).reshape(2, 3)
    assert get_backend(backend).share(a) is a


@DTYPES
def test_matmul(backend, dtype, tolerance, rng):
    b, tol = get_backend(backend, dtype), tolerance("layer", dtype)
    for I, K, J in ((1, 1, 1), (3, 5, 2), (17, 1, 4)):
        x, y, out = (b.asarray(rng.normal(size=shape)) for shape in ((K, I), (J, K), (I, J)))
        before, right = (
            b.to_host(out),
            b.to_host(x).T.astype("float64") @ b.to_host(y).T.astype("float64"),
        )
        b.matmul(x.T, y.T, out=out)
        np.testing.assert_allclose(b.to_host(out), right, rtol=tol, atol=tol)
        b.write(out, before)
        for times in (1, 2):
            b.matmul(x.T, y.T, out=out, add=True)
            np.testing.assert_allclose(b.to_host(out), before + times * right, rtol=tol, atol=tol)
        assert out.dtype == dtype


def test_matmul_in_two_dtypes_with_one_backend(backend, rng):
    """The scratch memory of an accumulating product belongs to its shape and dtype."""
    if backend == "cupy":
        pytest.skip(
            "cuBLAS accumulates without scratch memory, and products are of the backend's own "
            "dtype"
        )
    b, x = get_backend(backend), rng.normal(size=(3, 3))
    for dtype in ("float32", "float64", "float32"):
        out, a = b.zeros((3, 3), dtype), b.asarray(x, dtype)
        b.matmul(a, a, out=out, add=True)
        np.testing.assert_array_equal(out, a @ a)


def test_products_that_the_gpu_refuses(gpu):
    b = get_backend(gpu)
    a, wide, double = b.zeros((3, 3)), b.zeros((3, 4)), b.zeros((3, 3), "float64")
    for product, error, words in (
        (
            (double, a, a),
            TypeError,
            r"matmul\(a\) is an array of float64, but float32 in C order is expected",
        ),
        (
            (a, np.eye(3), a),
            TypeError,
            r"matmul\(b\) is a numpy.ndarray, but .* bring it to the GPU first",
        ),
        ((a, a, wide[:, :3]), TypeError, r"matmul\(out\) is an array of float32, not in C order"),
        (
            (a, wide, a),
            ValueError,
            r"matmul of \(3, 3\) and \(3, 4\) gives no \(3, 3\): mend them",
        ),
        ((wide, a, wide), ValueError, r"matmul of \(3, 4\) and \(3, 3\) gives no \(3, 4\)"),
    ):
        with pytest.raises(error, match=words):
            b.matmul(product[0], product[1], out=product[2])
    assert not b.to_host(a).any() and not b.to_host(wide).any()


def test_spellings_are_chosen_by_name():
    numpy, reference = get_backend("numpy"), get_backend("reference")
    assert numpy.op(SGD) is SGD.numba and reference.op(SGD) is SGD.definition
    assert numpy.op(Kernel(SGD.definition)) is SGD.definition  # no loop yet: the definition
    assert get_backend().name == "numpy" and get_backend().dtype == np.float32
    assert (SGD.name, numpy.name, reference.name) == ("sgd", "numpy", "reference")


def test_the_gpu_takes_the_cuda_spelling(gpu):
    b = get_backend(gpu)
    assert (b.name, b.dtype, b.op(SGD).func) == ("cupy", np.float32, SGD.cuda)
    with pytest.raises(NotImplementedError, match="sgd has no CUDA spelling: use backend 'numpy'"):
        b.op(Kernel(SGD.definition, SGD.numba))


def test_cupys_own_work_is_ordered_within_the_backends_stream(gpu):
    """Outside of it, it goes to CuPy's null stream, which does not wait: docs/gpu.md."""
    b = get_backend(gpu)
    x, out = b.asarray(np.eye(256)), b.empty((256, 256))
    for _ in range(20):
        b.matmul(x, x, out=out)
        with b.stream:
            assert np.array_equal(out.get(), np.eye(256))
        b.write(out, np.nan)


def test_each_backend_has_a_stream_of_its_own(gpu):
    one, other = get_backend(gpu), get_backend(gpu)
    assert one.stream.ptr != other.stream.ptr


PRECISIONS = [({}, True), ({"precision": "float32"}, True), ({"precision": "tf32"}, False)]


@pytest.mark.parametrize("options, kept", PRECISIONS)
def test_precision_is_that_of_the_products(gpu, options, kept):
    """1 + 2^-12 is a float32, but TF32 has 10 bits after the point."""
    b, host = get_backend(gpu, **options), np.full((256, 256), 1 + 2**-12)
    x, eye, out = b.asarray(host), b.asarray(np.eye(256)), b.zeros((256, 256))
    b.matmul(x, eye, out=out)
    np.testing.assert_array_equal(b.to_host(out), host if kept else np.ones_like(host))
    np.testing.assert_array_equal(b.to_host(x), host)


def test_graph_is_an_option(gpu):
    """What it does is tested in execution/test_graphs.py."""
    assert get_backend(gpu).graph and not get_backend(gpu, graph=False).graph


class ndarray:
    """An array of another library, which even has a shape and a dtype."""

    __module__ = "cupy"
    shape, dtype = (2, 3), np.dtype("float32")


@pytest.mark.parametrize(
    "other, words", [(ndarray(), "cupy.ndarray"), ([[1.0]], "list"), (3.0, "float")]
)
def test_arrays_of_another_library_are_refused(backend, other, words):
    with pytest.raises(
        TypeError, match=f"a {words}, but .* '.*' takes NumPy arrays: bring it to the host"
    ):
        get_backend(backend).asarray(other)


@pytest.mark.parametrize(
    "arguments, options, words",
    [
        (("torch",), {}, "there is no backend 'torch': choose one of numpy, reference, cupy"),
        (("",), {}, "there is no backend ''"),
        (("numpy", "float16"), {}, "'float16', but 'float32' or 'float64'"),
        (("numpy", "int32"), {}, "'int32'"),
        *(
            (("numpy", d), {}, f"the dtype is {d!r}, but 'float32'")
            for d in (None, "half", "f4,,", 32, "x", {})
        ),
        (
            ("numpy",),
            {"precision": "tf32"},
            "only the backend 'cupy' takes precision: leave it out",
        ),
        (
            ("reference",),
            {"graph": True},
            "only the backend 'cupy' takes graph: leave it out",
        ),
        (
            ("cupy",),
            {"precision": "float16"},
            "there is no precision 'float16': choose one of float32, tf32",
        ),
        (
            ("cupy", "float64"),
            {"precision": "tf32"},
            "is 'tf32', which float32 takes, but not 'float64'",
        ),
    ],
)
def test_names_and_options_that_there_are_not(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        get_backend(*arguments, **options)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_a_dtype_is_what_numpy_takes_for_one(name):
    for dtype in (name, np.dtype(name), getattr(np, name), np.dtype(name).str):
        b = get_backend("numpy", dtype)
        assert b.dtype == name and b.zeros((2,)).dtype == name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_four_numbers_are_read_at_once_only_where_they_begin(gpu, dtype):
    b = get_backend(gpu, dtype)
    a = b.zeros((64,))
    assert b.gpu.in_fours(a, a[4:], a[:0])
    assert not any(b.gpu.in_fours(a, a[k:]) for k in (1, 2, 3))
