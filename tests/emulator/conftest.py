"""The stand-in for CuPy, a stream, a cuBLAS handle."""

import ctypes
import sys

import pytest

import emulator


@pytest.fixture
def cupy():
    """The stand-in, installed; the guards are checked at the end."""
    if not emulator.has_compiler():
        pytest.skip("needs g++")
    with emulator.installed():
        import cupy

        yield cupy
        emulator.check_guards()


@pytest.fixture
def stream(cupy):
    with cupy.cuda.Stream(non_blocking=True) as current:
        yield current


@pytest.fixture
def blas(cupy):
    found = sys.modules["cuda.pathfinder"].load_nvidia_dynamic_lib("cublas")
    return ctypes.CDLL(found.abs_path)


@pytest.fixture
def handle(blas, stream):
    made = ctypes.c_void_p()
    assert blas.cublasCreate_v2(ctypes.byref(made)) == 0
    assert blas.cublasSetStream_v2(made, ctypes.c_void_p(stream.ptr)) == 0
    yield made
    assert blas.cublasDestroy_v2(made) == 0
