"""One GPU and one stream of it: functions are looked up, their arguments checked, launched.

A function of kernels/*.cu runs in blocks of 256 threads. Two shapes of grid are enough: ``each``
for loops over elements, ``blocks`` for one block a row or tile; both functions walk on by the size
of the grid, so any size is right, and more blocks than the GPU can hold at once would only wait.

CuPy hands a Python int to a kernel as 64 bits and a float as a double, whatever the kernel reads.
Each argument is therefore made what the .cu file says it is.

Source: CUDA's programming guide, "execution configuration"; NVIDIA's blog on grid-stride loops.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import is_a
from ..base import Array, in_words
from . import source as cuda
from .cublas import RECORDING, Cublas, workspace
from .driver import INSTALL, cause, lacks

THREADS = 256  # in a block, as in device.cu
COLUMNS = 8  # of a tile, at most: 8 float32 are the 32 bytes that a GPU's memory hands out at once
AT_ONCE = 8  # blocks of 256 threads that a multiprocessor holds
MULTIPROCESSORS, GENERATION = 16, 75  # cudaDevAttrMultiProcessorCount, ...ComputeCapabilityMajor
PARTIALS = 1 << 17  # doubles that a reduction over many rows may leave between its two launches
LARGEST = 2**31 - 1  # elements that an int counts
EXPECTED = "backend 'cupy' computes on CuPy arrays: bring it to the GPU first (backend.asarray)"

TYPES = {
    "int": "int32",
    "unsigned": "uint32",
    "float": "float32",
    "double": "float64",
    "bool": "bool",
    "unsigned char": "uint8",
}


@dataclass
class KeptStream:
    """A stream that outlives its backend; taken: whether one has it.

    It is kept here from the start: what is first kept as a backend ends may have ended with it."""

    cupy: Any
    device: int
    stream: Any
    taken: bool = True


STREAMS: list[KeptStream] = []


class Gpu:
    """Launches and products in order on a stream of their own; nothing waits for them but the
    copies to the host.

    cupy: the module; dtype: "float32" or "float64"; tf32: see cublas.py. Shapes: those of the
    kernels.
    Source: the module.
    """

    def __init__(self, cupy: Any, dtype: str, tf32: bool = False):
        self.cupy = cupy
        self.dtype = np.dtype(dtype)
        self.types = TYPES | {"REAL": dtype}
        self._kept = self._keep()
        self.stream = self._kept.stream
        self.multiprocessors, generation = (
            cupy.cuda.runtime.deviceGetAttribute(attribute, cupy.cuda.Device().id)
            for attribute in (MULTIPROCESSORS, GENERATION)
        )
        self.most = AT_ONCE * self.multiprocessors
        self.partials = self.empty((PARTIALS,), "float64")
        self.blas = Cublas(
            dtype, self.stream.ptr, self.empty((workspace(generation),), "uint8"), tf32
        )
        self._modules: dict[str, Any] = {}
        self._functions: dict[str, Any] = {}
        self._try_the_compiler()

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Device memory of that shape, uninitialised, for use on this stream.

        Raises MemoryError with what is needed and what is free. Source: cupy.empty."""
        dtype = np.dtype(dtype)
        try:
            with self.stream:
                return self.cupy.empty(shape, dtype)
        except self.cupy.cuda.memory.OutOfMemoryError:
            need, free = in_words(math.prod(shape) * dtype.itemsize), in_words(self.free())
            raise MemoryError(
                f"an array of shape {tuple(shape)} takes {need} of GPU memory, and {free} are "
                "free: make the model or the batch smaller, or end what else runs on the GPU "
                "(nvidia-smi)"
            ) from None

    def clear(self, out: Array) -> None:
        """out <- 0, whatever its shape. Source: cudaMemsetAsync."""
        if out.nbytes:
            self.cupy.cuda.runtime.memsetAsync(out.data.ptr, 0, out.nbytes, self.stream.ptr)

    def __del__(self) -> None:
        """The blocks that this stream's arrays leave in CuPy's pool go back to the GPU, since no
        other stream takes them, and the stream to the next backend, with those that come later."""
        with suppress(Exception), RECORDING:  # made in part, or the interpreter ends
            del self.blas, self.partials
            self.stream.synchronize()
            self.cupy.get_default_memory_pool().free_all_blocks(stream=self.stream)
            self._kept.taken = False

    def _keep(self) -> KeptStream:
        """That of a backend that is gone, or a new one: the first thing that is asked of the
        device itself. Raises RuntimeError where it refuses."""
        try:
            device = self.cupy.cuda.Device().id
            with RECORDING:
                for kept in STREAMS:
                    if kept.cupy is self.cupy and kept.device == device and not kept.taken:
                        kept.taken = True
                        return kept
                stream = self.cupy.cuda.Stream(non_blocking=True)
                STREAMS.append(KeptStream(self.cupy, device, stream))
                return STREAMS[-1]
        except self.cupy.cuda.runtime.CUDARuntimeError as error:
            what = f"a GPU, but this one cannot be used ({cause(error)})"
            raise RuntimeError(lacks(what, "see what else runs on it (nvidia-smi)")) from error

    def free(self) -> int:
        """Bytes of device memory that an array can still have. Source: cudaMemGetInfo."""
        return (
            self.cupy.cuda.runtime.memGetInfo()[0]
            + self.cupy.get_default_memory_pool().free_bytes()
        )

    def each(self, name: str, n: int, *arguments: Any) -> None:
        """Launch a function over n elements. Shapes: its own. Raises as ``_launch``."""
        self._launch(name, (min(-(-n // THREADS), self.most),), arguments)

    def blocks(self, name: str, blocks: int | tuple[int, int], *arguments: Any) -> None:
        """Launch a function with a block for each row or tile. Shapes: its own."""
        x, y = blocks if isinstance(blocks, tuple) else (blocks, 1)
        self._launch(name, (min(x, self.most), y), arguments)

    def columns(self, name: str, D: int, *arguments: Any) -> None:
        """Launch a function with a block for each tile of D columns; their number in a tile is its
        last argument.

        Shapes: its own. Source: device.cu, ``sum_columns``."""
        columns = self.tile(D)
        self.blocks(name, -(-D // columns), *arguments, columns)

    @staticmethod
    def in_fours(*arrays: Array) -> bool:
        """Whether arrays of any shape begin where four of their numbers can be read at once.
        Source: device.cu, ``Four``."""
        return all(a.data.ptr % (4 * a.itemsize) == 0 for a in arrays if a.size)

    @staticmethod
    def tile(D: int) -> int:
        """How many of D columns a block takes: a power of 2. Source: device.cu."""
        return min(COLUMNS, 1 << (D - 1).bit_length())

    def _launch(self, name: str, grid: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        """Raises TypeError and ValueError for arguments that are not what the function
        declares."""
        if not math.prod(grid):
            return
        function, parameters = self._function(name)
        if len(arguments) != len(parameters):
            raise TypeError(f"{name} takes {len(parameters)} arguments, not {len(arguments)}")
        checked = (self._argument(name, *p, a) for p, a in zip(parameters, arguments, strict=True))
        with self.stream:
            function(grid, (THREADS,), tuple(checked))

    def _try_the_compiler(self) -> None:
        """Raise RuntimeError where NVRTC, or the headers that CuPy hands it, are missing."""
        compiler = self.cupy.cuda.compiler
        try:
            self._function("take")
        except (ImportError, OSError, RuntimeError, compiler.CompileException) as error:
            what = f"a compiler for its kernels ({cause(error)})"
            remedy = f"{INSTALL}, to go with CuPy) brings it and its headers"
            raise RuntimeError(lacks(what, remedy)) from error

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
            raise ValueError(f"{function}({name}) is {value}, beyond {dtype}: take fewer rows")
        return dtype.type(value)

    def array(self, value: Any, dtype: np.dtype, what: str) -> Array:
        """The value itself, any shape, if it is a whole device array of that dtype, and not too
        large.

        Raises TypeError otherwise."""
        is_a(what, value, self.cupy.ndarray, EXPECTED)
        if value.dtype != dtype or not (value.flags.c_contiguous or value.size == 0):
            order = "" if value.flags.c_contiguous else ", not in C order"
            raise TypeError(
                f"{what} is an array of {value.dtype}{order}, but {dtype} in C order is expected"
            )
        rows_alone = what.endswith("(data)")  # which are counted in 64 bits
        if value.size > LARGEST and not rows_alone:
            raise ValueError(f"{what} has more than {LARGEST:,} elements: take fewer rows")
        return value

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J); a, b may be transposes; or each of a batch (B, .,
        .).

        Raises as ``array``. Source: cublas.py."""
        for name, value in (("a", a), ("b", b)):
            lying = isinstance(value, self.cupy.ndarray) and not value.flags.c_contiguous
            self.array(value.T if lying else value, self.dtype, f"matmul({name})")
        self.array(out, self.dtype, "matmul(out)")
        product = (*a.shape[:-1], b.shape[-1])
        if a.shape[-1] != b.shape[-2] or out.shape != product or a.shape[:-2] != b.shape[:-2]:
            raise ValueError(f"matmul of {a.shape} and {b.shape} gives no {out.shape}: mend them")
        if not a.shape[-1]:  # a sum of nothing, for which cuBLAS would be handed no addresses
            return None if add else self.clear(out)
        self.blas.matmul(a, b, out, add)
