"""What the GPU backend lacks on this machine, in one sentence."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

OLDEST = 12  # the oldest major version of CUDA that CuPy is still built for
# What is used of CUDA. CuPy's own extra, ctk, brings five libraries more, of 1 GB.
PARTS = "pip install cupy-cuda{0}x 'cuda-toolkit[cublas,cudart,nvrtc]=={0}.*'"
INSTALL = f"{PARTS.format(13)} (or 12 for 13"


def require_cupy() -> Any:
    """CuPy, where it, a driver that is new enough, and a device are there. Raises ImportError
    without CuPy, RuntimeError for each of the others, naming what mends it.
    Source: CuPy's installation guide; CUDA's compatibility guide (a driver serves its own major
    version)."""
    cupy, runtime, driver, needed = _loaded()
    if driver == 0:
        container = "or in a container start with the GPU passed in (docker run --gpus all)"
        raise RuntimeError(
            lacks("an NVIDIA driver, and none is loaded", f"install one (nvidia-smi), {container}")
        )
    if driver // 1000 < needed // 1000:
        older = f", or install CuPy for it ({PARTS.format(OLDEST)})"
        what = f"a driver for CUDA {_version(needed)}, but this one ends at {_version(driver)}"
        raise RuntimeError(lacks(what, "update it" + (older if driver >= 1000 * OLDEST else "")))
    try:
        devices, why = runtime.getDeviceCount(), ""
    except runtime.CUDARuntimeError as error:
        devices, why = 0, f" ({cause(error)})"
    if devices == 0:
        what = f"an NVIDIA GPU, and the driver sees none{why}"
        raise RuntimeError(
            lacks(what, "look at nvidia-smi and at the variable CUDA_VISIBLE_DEVICES")
        )
    return cupy


def lacks(what: str, remedy: str) -> str:
    """The sentence of an error: what the backend needs, what mends it."""
    return f"backend 'cupy' needs {what}: {remedy}, or use backend 'numpy'"


def _loaded() -> tuple[Any, Any, int, int]:
    """CuPy, its runtime, and two versions of CUDA: the driver's, and the one that CuPy was built
    for."""
    try:
        missing = find_spec("cupy") is None
        cupy: Any = None if missing else import_module("cupy")
        if not missing:
            runtime = cupy.cuda.runtime
            return cupy, runtime, runtime.driverGetVersion(), runtime.runtimeGetVersion()
    except Exception as error:  # a package that is half there fails in any way
        what = f"CuPy, which does not load ({cause(error)})"
        remedy = "install just one of cupy-cuda12x and cupy-cuda13x"
        raise ImportError(lacks(what, remedy)) from error
    raise ImportError(
        lacks("CuPy, which is not installed", f"{INSTALL}, for a driver older than 580)")
    )


def cause(error: Exception) -> str:
    """What an error of many lines is about. Source: CuPy writes "Original error:" above it."""
    text = str(error).rpartition("Original error:")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip(" =-")]
    return lines[0] if lines else type(error).__name__


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
