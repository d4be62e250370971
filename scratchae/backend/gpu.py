"""One GPU and one stream of it: functions are looked up, their arguments checked, launched.

A function of kernels/*.cu runs in blocks of 256 threads. Two shapes of grid are enough: ``each`` for loops over
elements, ``blocks`` for one block a row or tile; both functions walk on by the size of the grid, so any size is
right, and more blocks than the GPU can hold at once would only wait.

CuPy hands a Python int to a kernel as 64 bits and a float as a double, whatever the kernel reads. Each argument
is therefore made what the .cu file says it is.

Source: CUDA's programming guide, "execution configuration"; NVIDIA's blog on grid-stride loops.
"""

import math
from typing import Any

import numpy as np

from . import cuda
from .base import Array
from .cublas import Cublas, workspace

THREADS = 256  # in a block, as in device.cu
RESIDENT = 8  # blocks of 256 threads that a multiprocessor holds at once
MULTIPROCESSORS, GENERATION = 16, 75  # cudaDevAttrMultiProcessorCount, cudaDevAttrComputeCapabilityMajor
PARTIALS = 1 << 17  # doubles that a reduction over many rows may leave between its two launches
LARGEST = 2**31 - 1  # elements that an int counts

TYPES = {
    "int": "int32",
    "unsigned": "uint32",
    "float": "float32",
    "double": "float64",
    "bool": "bool",
    "unsigned char": "uint8",
}


class Gpu:
    """Launches and products in order on a stream of their own; nothing waits for them but the copies to the host.

    cupy: the module; dtype: "float32" or "float64"; tf32: see cublas.py. Shapes: those of the kernels.
    Source: the module.
    """

    def __init__(self, cupy: Any, dtype: str, tf32: bool = False):
        self.cupy = cupy
        self.dtype = np.dtype(dtype)
        self.types = TYPES | {"REAL": dtype}
        self.stream = cupy.cuda.Stream(non_blocking=True)
        multiprocessors, generation = (
            cupy.cuda.runtime.deviceGetAttribute(attribute, cupy.cuda.Device().id)
            for attribute in (MULTIPROCESSORS, GENERATION)
        )
        self.most = RESIDENT * multiprocessors
        self.partials = self.empty((PARTIALS,), "float64")
        self.blas = Cublas(dtype, self.stream.ptr, self.empty((workspace(generation),), "uint8"), tf32)
        self._modules: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Device memory of that shape, uninitialised, for use on this stream. Source: cupy.empty."""
        with self.stream:
            return self.cupy.empty(shape, np.dtype(dtype))

    def each(self, name: str, n: int, *arguments: Any) -> None:
        """Launch a function over n elements. Shapes: its own. Raises as ``_launch``. Source: the module."""
        if n > LARGEST:
            raise ValueError(f"{name} is asked for {n:,} elements, but {LARGEST:,} are the most: take fewer rows")
        self._launch(name, (min(-(-n // THREADS), self.most),), arguments)

    def blocks(self, name: str, blocks: int | tuple[int, int], *arguments: Any) -> None:
        """Launch a function with a block for each row or tile. Shapes: its own. Source: the module."""
        x, y = blocks if isinstance(blocks, tuple) else (blocks, 1)
        self._launch(name, (min(x, self.most), y), arguments)

    def _launch(self, name: str, grid: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        """Raises TypeError and ValueError for arguments that are not what the function declares."""
        if not math.prod(grid):
            return
        function, parameters = self._function(name)
        if len(arguments) != len(parameters):
            raise TypeError(f"{name} takes {len(parameters)} arguments, but {len(arguments)} are given")
        checked = (self._argument(name, *p, a) for p, a in zip(parameters, arguments, strict=True))
        with self.stream:
            function(grid, (THREADS,), tuple(checked))

    def _function(self, name: str) -> tuple[Any, list[cuda.Parameter]]:
        if name not in self._functions:
            file = cuda.home()[name]
            if file not in self._modules:
                self._modules[file] = self.cupy.RawModule(
                    code=cuda.unit(file, self.dtype.name), options=("-std=c++17",)
                )
            parameters = cuda.signatures(cuda.texts()[file])[name]
            self._functions[name] = self._modules[file].get_function(name), parameters
        return self._functions[name]

    def _argument(self, function: str, kind: str, name: str, value: Any) -> Any:
        pointer = kind.endswith("*")
        dtype = np.dtype(self.types[kind.removeprefix("const ").rstrip("*")])
        if pointer:
            return self.array(value, dtype, f"{function}({name})")
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
            raise ValueError(f"{function}({name}) is {value}, which does not fit into {dtype}: take fewer rows")
        return dtype.type(value)

    def array(self, value: Any, dtype: np.dtype, what: str) -> Array:
        """The value itself, any shape, if it is a whole device array of that dtype.

        Raises TypeError otherwise. Source: none, a check."""
        if not isinstance(value, self.cupy.ndarray):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(
                f"{what} is a {kind}, but backend 'cupy' computes on CuPy arrays: "
                "bring it to the GPU first (backend.asarray)"
            )
        if value.dtype != dtype or not (value.flags.c_contiguous or value.size == 0):
            order = "" if value.flags.c_contiguous else ", not in C order"
            raise TypeError(f"{what} is an array of {value.dtype}{order}, but {dtype} in C order is expected")
        return value

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J); a, b may be transposes. Raises as ``array``. Source: cublas.py."""
        for name, value in (("a", a), ("b", b)):
            upright = value.T if isinstance(value, self.cupy.ndarray) and not value.flags.c_contiguous else value
            self.array(upright, self.dtype, f"matmul({name})")
        self.array(out, self.dtype, "matmul(out)")
        if a.shape[1] != b.shape[0] or out.shape != (a.shape[0], b.shape[1]):
            raise ValueError(f"matmul of {a.shape} and {b.shape} does not give {out.shape}: mend the shapes")
        self.blas.matmul(a, b, out, add)
