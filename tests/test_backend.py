"""Who computes: aligned memory, products, spellings, and clear words for what cannot be."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from scratchae import get_backend
from scratchae.backend import cupy as cupy_module
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
            assert a.shape == shape and a.dtype == dtype and a.flags.c_contiguous and a.flags.writeable
            assert a.ctypes.data % 128 == 0
    assert not b.zeros(shape).any() and b.asarray(np.ones(shape)).all()
    assert b.zeros((4,), np.uint32).dtype == np.uint32


def test_copies_and_what_is_shared(backend):
    b, a = get_backend(backend), np.arange(6.0).reshape(2, 3)
    ours = b.asarray(a)
    assert ours.dtype == np.float32 and b.asarray(a, np.uint32).dtype == np.uint32
    host = b.to_host(ours)
    ours[...] = 7
    np.testing.assert_array_equal(host, a)
    np.testing.assert_array_equal(a, np.arange(6.0).reshape(2, 3))
    assert b.share(a) is a  # a data set is not copied
    np.testing.assert_array_equal(b.share(a.T), a.T)
    assert b.share(a.T).flags.c_contiguous
    assert copy.deepcopy(b) is b  # a replica shares its backend


@DTYPES
def test_matmul(backend, dtype, tolerance, rng):
    b, tol = get_backend(backend, dtype), tolerance("layer", dtype)
    for I, K, J in ((1, 1, 1), (3, 5, 2), (17, 1, 4)):
        x, y, out = (b.asarray(rng.normal(size=shape)) for shape in ((K, I), (J, K), (I, J)))
        before, right = out.copy(), x.T.astype("float64") @ y.T.astype("float64")
        b.matmul(x.T, y.T, out=out)
        np.testing.assert_allclose(out, right, rtol=tol, atol=tol)
        out[...] = before
        for times in (1, 2):
            b.matmul(x.T, y.T, out=out, add=True)
            np.testing.assert_allclose(out, before + times * right, rtol=tol, atol=tol)
        assert out.dtype == dtype


def test_matmul_in_two_dtypes_with_one_backend(backend, rng):
    """The scratch memory of an accumulating product belongs to its shape and dtype."""
    b, x = get_backend(backend), rng.normal(size=(3, 3))
    for dtype in ("float32", "float64", "float32"):
        out, a = b.zeros((3, 3), dtype), b.asarray(x, dtype)
        b.matmul(a, a, out=out, add=True)
        np.testing.assert_array_equal(out, a @ a)


def test_spellings_are_chosen_by_name():
    numpy, reference = get_backend("numpy"), get_backend("reference")
    assert numpy.op(SGD) is SGD.numba and reference.op(SGD) is SGD.definition
    assert numpy.op(Kernel(SGD.definition)) is SGD.definition  # no loop yet: the definition
    assert get_backend().name == "numpy" and get_backend().dtype == np.float32
    assert (SGD.name, numpy.name, reference.name) == ("sgd", "numpy", "reference")


class ndarray:
    """An array of another library, which even has a shape and a dtype."""

    __module__ = "cupy"
    shape, dtype = (2, 3), np.dtype("float32")


@pytest.mark.parametrize("other, words", [(ndarray(), "cupy.ndarray"), ([[1.0]], "builtins.list"), (3.0, "float")])
def test_arrays_of_another_library_are_refused(backend, other, words):
    with pytest.raises(TypeError, match=f"'{backend}' takes NumPy arrays, not .*{words}.*: bring the values"):
        get_backend(backend).asarray(other)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("torch",), "there is no backend 'torch': choose one of numpy, reference, cupy"),
        (("",), "there is no backend ''"),
        (("numpy", "float16"), "'float16', but a backend computes in 'float32' or 'float64'"),
        (("numpy", "int32"), "'int32'"),
    ],
)
def test_unknown_names(arguments, words):
    with pytest.raises(ValueError, match=words):
        get_backend(*arguments)


class CUDARuntimeError(RuntimeError):
    pass


def pretend(version, devices):
    """What require_cupy reads of CuPy."""

    def count():
        if devices is None:
            raise CUDARuntimeError("cudaErrorNoDevice")
        return devices

    runtime = SimpleNamespace(
        driverGetVersion=lambda: version, getDeviceCount=count, CUDARuntimeError=CUDARuntimeError
    )
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


@pytest.mark.parametrize(
    "cupy, error, words",
    [
        (None, ImportError, "needs CuPy, which is not installed"),
        (pretend(0, 0), RuntimeError, "needs an NVIDIA driver, and none is loaded"),
        (pretend(12_080, None), RuntimeError, "needs an NVIDIA GPU, and the driver sees none"),
        (pretend(12_080, 0), RuntimeError, "needs an NVIDIA GPU, and the driver sees none"),
        (pretend(12_080, 1), RuntimeError, "needs CUDA spellings of the kernels"),
    ],
    ids=["not installed", "no driver", "no device", "no devices", "not yet"],
)
def test_cupy_says_what_is_missing(monkeypatch, cupy, error, words):
    monkeypatch.setattr(cupy_module, "find_spec", lambda name: cupy)
    monkeypatch.setattr(cupy_module, "import_module", lambda name: cupy)
    with pytest.raises(error, match=f"backend 'cupy' {words}.*: use backend 'numpy'") as caught:
        get_backend("cupy")
    assert "\n" not in str(caught.value)
