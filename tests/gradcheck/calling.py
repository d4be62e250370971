"""A kernel on host arrays, in the spelling of a backend."""

from typing import Any

import numpy as np

from scratchae.backend import Backend
from scratchae.kernels.kernel import Kernel

Shapes = tuple[tuple[int, ...], ...]


def called(backend: Backend, kernel: Kernel, shapes: Shapes, *given: Any) -> list[np.ndarray]:
    """The outputs, on the host, of a kernel from host arrays and constants; what it does not write
    is NaN."""
    outs = [backend.asarray(np.full(shape, np.nan)) for shape in shapes]
    arrays = [backend.asarray(a, a.dtype) if isinstance(a, np.ndarray) else a for a in given]
    backend.op(kernel)(*outs, *arrays)
    return [backend.to_host(out) for out in outs]
