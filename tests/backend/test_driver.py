"""What a GPU's backend lacks on a machine, and what cuBLAS refuses: each a sentence."""

import gc
import sys
from types import SimpleNamespace

import pytest

from scratchae import get_backend
from scratchae.backend.cuda import cublas, driver


class CUDARuntimeError(RuntimeError):
    pass


def pretend(version, built_for, devices):
    """What require_cupy reads of CuPy: of the driver, of CuPy's own CUDA, and how many GPUs there
    are."""

    def count():
        if devices is None:
            raise CUDARuntimeError("cudaErrorNoDevice")
        return devices

    versions = {"driverGetVersion": lambda: version, "runtimeGetVersion": lambda: built_for}
    runtime = SimpleNamespace(getDeviceCount=count, CUDARuntimeError=CUDARuntimeError, **versions)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


CUPY_SAYS = """
================================================================
Failed to import CuPy.

If you installed CuPy via wheels, make sure that the package matches with the version
of CUDA installed.

Original error:
  ImportError: libcudart.so.12: cannot open shared object file: No such file or directory
================================================================
"""
MISSING = {
    "not installed": (
        None,
        ImportError,
        r"needs CuPy, which is not installed: pip install cupy-cuda13x 'cuda-toolkit\[",
    ),
    "does not load": (
        ImportError("undefined symbol"),
        ImportError,
        (
            r"needs CuPy, which does not load \(undefined symbol\): install just one of "
            r"cupy-cuda12x and cupy-cuda13x"
        ),
    ),
    "no driver": (
        pretend(0, 13_020, None),
        RuntimeError,
        "needs an NVIDIA driver, and none is loaded",
    ),
    "an old driver": (
        pretend(12_080, 13_020, 1),
        RuntimeError,
        (
            r"needs a driver for CUDA 13\.2, but this one ends at 12\.8: .*\(pip install "
            r"cupy-cuda12x 'cuda-toolkit\[cublas,cudart,nvrtc\]==12\.\*'\)"
        ),
    ),
    "no device": (
        pretend(13_000, 13_020, None),
        RuntimeError,
        "needs an NVIDIA GPU, and the driver sees none",
    ),
    "no devices": (
        pretend(13_000, 12_090, 0),
        RuntimeError,
        "needs an NVIDIA GPU, and the driver sees none",
    ),
}


def put_in_the_place_of_cupy(monkeypatch, cupy):
    """None where it is not installed, an error where it does not load, else what is imported."""

    def load(name):
        if isinstance(cupy, Exception):
            raise cupy
        return cupy

    monkeypatch.setattr(driver, "find_spec", lambda name: cupy)
    monkeypatch.setattr(driver, "import_module", load)


@pytest.mark.parametrize("name", MISSING)
def test_cupy_says_what_is_missing(monkeypatch, name):
    cupy, error, words = MISSING[name]
    put_in_the_place_of_cupy(monkeypatch, cupy)
    with pytest.raises(
        error, match=f"^backend 'cupy' {words}.*, or use backend 'numpy'$"
    ) as caught:
        get_backend("cupy")
    assert "\n" not in str(caught.value)


def test_of_what_cupy_says_the_cause_is_told(monkeypatch):
    put_in_the_place_of_cupy(monkeypatch, ImportError(CUPY_SAYS))
    with pytest.raises(
        ImportError, match=r"does not load \(.*libcudart.so.12: cannot open .*\): install"
    ) as caught:
        get_backend("cupy")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "version, built_for", [(13_000, 13_020), (13_000, 12_090), (12_020, 12_090)]
)
def test_a_driver_that_is_new_enough(monkeypatch, version, built_for):
    cupy = pretend(version, built_for, 1)
    put_in_the_place_of_cupy(monkeypatch, cupy)
    assert driver.require_cupy() is cupy


def finder(name):
    """cuda.pathfinder as it answers without the library."""

    def load(library):
        raise RuntimeError(
            f'Failure finding "lib{library}.so": No such file\n  listdir("/usr/lib")'
        )

    return SimpleNamespace(load_nvidia_dynamic_lib=load)


def not_installed(name):
    raise ModuleNotFoundError("No module named 'cuda'")


def a_broken_link(name):
    return SimpleNamespace(
        load_nvidia_dynamic_lib=lambda _: SimpleNamespace(abs_path="/nowhere/libcublas.so.13")
    )


@pytest.mark.parametrize(
    "pathfinder, words",
    [
        (not_installed, "No module named 'cuda'"),
        (finder, 'Failure finding "libcublas.so": No such file'),
        (a_broken_link, "/nowhere/libcublas.so.13: cannot open shared object file.*"),
    ],
)
def test_cublas_is_missing(monkeypatch, pathfinder, words):
    monkeypatch.setattr(cublas, "import_module", pathfinder)
    brings = r"pip install cupy-cuda13x 'cuda-toolkit.* brings it, or use backend 'numpy'$"
    with pytest.raises(
        RuntimeError, match=rf"^backend 'cupy' needs cuBLAS, .* \({words}\): {brings}"
    ) as caught:
        cublas.library()
    assert "\n" not in str(caught.value)


def test_without_cublas_one_error_is_all(gpu, monkeypatch):
    ignored = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    monkeypatch.setattr(cublas, "import_module", not_installed)
    with pytest.raises(RuntimeError, match="needs cuBLAS"):
        get_backend(gpu)
    gc.collect()
    assert not ignored


class Refusing:
    """cuBLAS, but for one of its functions, which returns a status."""

    def __init__(self, lib, **statuses):
        self._lib, self._statuses = lib, statuses

    def __getattr__(self, name):
        if name in self._statuses:
            return lambda *_: self._statuses[name]
        return getattr(self._lib, name)


CREATE, WORKSPACE = "cublasCreate_v2", "cublasSetWorkspace_v2"
STATUSES = [
    (CREATE, 3, MemoryError, "cuBLAS finds no memory on the GPU: end what else runs"),
    (WORKSPACE, 3, MemoryError, "cuBLAS finds no memory on the GPU"),
    (
        CREATE,
        1,
        RuntimeError,
        r"^backend 'cupy' needs cuBLAS, and \d+\.\d+ in \S+ does not start "
        r"\(CUBLAS_STATUS_NOT_INITIALIZED, status 1\): update the driver .*, or keep the CUDA "
        r"parts of one version, CuPy's, or use backend 'numpy'$",
    ),
    (
        WORKSPACE,
        7,
        RuntimeError,
        r"refuses cublasSetWorkspace_v2 \(CUBLAS_STATUS_INVALID_VALUE, status 7\)",
    ),
]


@pytest.mark.parametrize("function, status, error, words", STATUSES)
def test_a_status_of_cublas_is_told_as_what_it_is(
    gpu, monkeypatch, function, status, error, words
):
    """Status 1 is a driver that is too old, or none: not a GPU that is full."""
    library = cublas.library
    monkeypatch.setattr(cublas, "library", lambda: Refusing(library(), **{function: status}))
    with pytest.raises(error, match=words):
        get_backend(gpu)
