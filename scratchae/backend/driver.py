"""What the GPU backend lacks on this machine, in one sentence."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

INSTALL = "pip install 'cupy-cuda13x[ctk]' (or 'cupy-cuda12x[ctk]'"
OTHERWISE = "or use backend 'numpy'"


def require_cupy() -> Any:
    """CuPy, where it, a driver that is new enough, and a device are there.

    Shapes: none. Raises ImportError without CuPy, RuntimeError for each of the others, naming what mends it.
    Source: CuPy's installation guide; CUDA's compatibility guide (a driver serves its own major version)."""
    if find_spec("cupy") is None:
        raise ImportError(
            f"backend 'cupy' needs CuPy, which is not installed: {INSTALL}, for a driver older than 580), "
            f"{OTHERWISE}"
        )
    try:
        cupy: Any = import_module("cupy")
        runtime = cupy.cuda.runtime
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f"backend 'cupy' needs CuPy, which does not load ({cause(error)}): "
            f"install just one of cupy-cuda12x and cupy-cuda13x, {OTHERWISE}"
        ) from error
    driver, needed = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        raise RuntimeError(
            "backend 'cupy' needs an NVIDIA driver, and none is loaded: install one (nvidia-smi shows it), or in a "
            f"container start with the GPU passed in (docker run --gpus all), {OTHERWISE}"
        )
    if driver // 1000 < needed // 1000:
        raise RuntimeError(
            f"backend 'cupy' needs a driver for CUDA {_version(needed)}, but this one ends at {_version(driver)}: "
            f"update the driver, or install CuPy for it (pip install cupy-cuda{driver // 1000}x), {OTHERWISE}"
        )
    if _devices(runtime) == 0:
        raise RuntimeError(
            "backend 'cupy' needs an NVIDIA GPU, and the driver sees none: look at nvidia-smi and at the "
            f"environment variable CUDA_VISIBLE_DEVICES, {OTHERWISE}"
        )
    return cupy


def cause(error: Exception) -> str:
    """What an error of many lines is about. Shapes: none. Source: CuPy writes "Original error:" above it."""
    text = str(error).rpartition("Original error:")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip(" =-")]
    return lines[0] if lines else type(error).__name__


def _devices(runtime: Any) -> int:
    try:
        return runtime.getDeviceCount()
    except runtime.CUDARuntimeError:
        return 0


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
