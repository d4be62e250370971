"""What the GPU backend lacks on this machine, in one sentence."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn


def require_cupy() -> NoReturn:
    """Say what "cupy" is missing: the package, the driver, a device, or its kernels.

    Shapes: none. Raises ImportError or RuntimeError, always, as this version has no CUDA spelling yet.
    Source: CuPy's installation guide.
    """
    if find_spec("cupy") is None:
        raise ImportError(
            "backend 'cupy' needs CuPy, which is not installed (pip install 'cupy-cuda12x[ctk]'), and CUDA "
            "spellings of the kernels, which this version of scratchae does not have yet: use backend 'numpy'"
        )
    cupy: Any = import_module("cupy")
    if cupy.cuda.runtime.driverGetVersion() == 0:
        raise RuntimeError("backend 'cupy' needs an NVIDIA driver, and none is loaded: use backend 'numpy'")
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        devices = 0
    if devices == 0:
        raise RuntimeError("backend 'cupy' needs an NVIDIA GPU, and the driver sees none: use backend 'numpy'")
    raise RuntimeError(
        "backend 'cupy' needs CUDA spellings of the kernels, which this version of scratchae does not have "
        "yet: use backend 'numpy'"
    )
