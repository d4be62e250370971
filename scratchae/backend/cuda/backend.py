"""CuPy arrays on the GPU, with the kernels' CUDA spellings."""

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np

from ... import checks
from ...kernels.kernel import Kernel
from ..base import Array, Lanes, Table, host_array, in_words, native, ready
from .cublas import RECORDING
from .driver import cause, require_cupy
from .launch import Gpu
from .staging import StagedTable

PRECISIONS = ("float32", "tf32")
RESIDENT = 0.25  # of the free memory: a larger data set stays on the host


class CupyBackend:
    """The backend "cupy": every array on the GPU, every operation on one stream.

    dtype: "float32" or "float64". precision: "float32", or "tf32", which rounds the operands of
    float32 products to 10 bits of mantissa and is several times as fast there. graph: whether
    training records a step and replays it (execution/graphs.py) or launches each function itself;
    the bits are the same. Shapes: any. Two backends do not share a stream: hand one to each model.
    Work of CuPy's own is ordered with this one's within ``with backend.stream``, as a step is.
    Raises ImportError or RuntimeError where the GPU's parts are missing (driver.py), ValueError
    for another precision. Source: CuPy's interoperability guide.
    """

    name, spelling = "cupy", "cuda"

    def __init__(self, dtype: str = "float32", precision: str = "float32", graph: bool = True):
        checks.one_of("precision", precision, PRECISIONS)
        if precision == "tf32" and dtype != "float32":
            raise ValueError(f"the precision is 'tf32', which float32 takes, but not {dtype!r}")
        self.graph = checks.flag("graph", graph)
        self.cupy = require_cupy()
        self.dtype = np.dtype(dtype)
        self.gpu = Gpu(self.cupy, dtype, precision == "tf32")
        self.stream = self.gpu.stream
        self._tables: dict[Any, Table] = {}
        self._sharing = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "CupyBackend":
        return self

    def default_shards(self, batch_size: int) -> int:
        """A batch stays whole: a second shard would double the launches. Source:
        docs/decisions/0008-cuda-graphs.md."""
        return 1

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New device memory of that shape, uninitialised, starting on a multiple of 512 bytes.

        Raises MemoryError with what is needed and what is free. Source: cupy.empty."""
        return self.gpu.empty(shape, dtype or self.dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        """New device memory of that shape, all zero."""
        out = self.empty(shape, dtype)
        self.gpu.clear(out)
        return out

    def asarray(self, a: Any, dtype: Any = None) -> Array:
        """A host array, any shape, on the device, cast to dtype.

        Raises TypeError for an array of another library. Source: cupy.asarray."""
        a = host_array(a, self.name)
        out = self.empty(a.shape, dtype)
        self.write(out, a)
        return out

    def write(self, out: Array, values: Any) -> None:
        """out <- host values that broadcast to its shape, cast. Source: cudaMemcpyAsync."""
        with np.errstate(over="ignore"):  # what overflows is told by the loss
            host = np.ascontiguousarray(np.broadcast_to(np.asarray(values, out.dtype), out.shape))
        self._copy(
            self.gpu.array(out, out.dtype, "write(out)").data.ptr,
            host.ctypes.data,
            host.nbytes,
            "HostToDevice",
        )

    def share(self, a: np.ndarray) -> Array:
        """A copy of a data set on the device, same shape and dtype."""
        return self.asarray(np.ascontiguousarray(a), a.dtype)

    def table(self, a: np.ndarray, rows: int) -> Table:
        """A data set (M, D) whose rows kernels gather: on the device, or, if large, staged
        ``rows`` at a time.

        Source: staging.py."""
        key = (a.ctypes.data, a.shape, a.strides, a.dtype.str)
        if key in self._tables:
            return self._tables[key]
        shape, dtype = (len(a), math.prod(a.shape[1:])), native(a.dtype)
        if math.prod(shape) * dtype.itemsize > RESIDENT * self.free():
            return StagedTable(self, a, rows)
        table = Table(self.share(a) if ready(a) else self.empty(shape, dtype))
        for start, part in () if ready(a) else checks.pieces(a):
            self.write(table.data[start : start + len(part)], part.reshape(len(part), -1))
        if self._sharing:
            self._tables[key] = table
        return table

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Within it a data set that is asked for again is not copied again. Source: ``table``."""
        self._sharing = True
        try:
            yield
        finally:
            self._sharing = False
            self._tables.clear()

    def to_host(self, a: Array) -> np.ndarray:
        """A copy on the host, same shape, when all work before it is done. Source:
        cudaMemcpyAsync."""
        transposed = not a.flags.c_contiguous and a.flags.f_contiguous
        a = a.T if transposed else a
        out = np.empty(a.shape, a.dtype)
        source = self.gpu.array(a, a.dtype, "to_host(a)")
        self._copy(out.ctypes.data, source.data.ptr, out.nbytes, "DeviceToHost")
        return out.T if transposed else out

    def op(self, kernel: Kernel) -> Callable[..., None]:
        """The CUDA spelling, bound to this GPU. Shapes: the kernel's own. Source:
        kernels/kernel.py."""
        if kernel.cuda is None:
            raise NotImplementedError(f"{kernel.name} has no CUDA spelling: use backend 'numpy'")
        return partial(kernel.cuda, self.gpu)

    def lend(self, lanes: Lanes | None) -> None:
        """Nothing: the GPU shares a product, of any shape, among its multiprocessors itself."""

    def matmul(self, a: Array, b: Array, out: Array, add: bool = False) -> None:
        """out (I, J) = or += a (I, K) b (K, J), by cuBLAS. Source: cublas.py."""
        self.gpu.matmul(a, b, out, add)

    def capture(self, body: Callable[[], None]) -> Any:
        """What body launches, recorded and not run, as a graph with ``launch(stream)``.

        Raises RuntimeError where body does what cannot be recorded. Source: CUDA's programming
        guide, "creating a graph using stream capture"."""
        cuda = self.cupy.cuda
        with self.undisturbed(), _no_garbage_collection(), cuda.using_allocator(_no_memory):
            self.stream.begin_capture(cuda.runtime.streamCaptureModeThreadLocal)
            try:
                body()
            except BaseException as error:
                with suppress(Exception):  # the stream works again; the body's error is raised
                    self.stream.end_capture()
                # CUDA's two kinds, what CuPy refuses by itself, and _no_memory
                if isinstance(error, RuntimeError):
                    raise RuntimeError(
                        f"a step cannot be recorded ({cause(error)}): forward and backward must "
                        "not allocate, copy or wait; move that to bind, or take "
                        "get_backend('cupy', graph=False)"
                    ) from error
                raise
            return self.stream.end_capture()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Within it this thread's work goes to this stream, and no other thread records.

        Source: cublas.py, RECORDING."""
        with RECORDING, self.stream:
            yield

    def free(self) -> int:
        """Bytes of device memory that an array can still have. Source: launch.py."""
        return self.gpu.free()

    def _copy(self, to: int, source: int, count: int, way: str) -> None:
        """Between device and pageable memory, done when it returns."""
        if count:
            runtime = self.cupy.cuda.runtime
            runtime.memcpyAsync(
                to, source, count, getattr(runtime, f"memcpy{way}"), self.stream.ptr
            )
            self.stream.synchronize()


def _no_memory(size: int) -> Any:
    """The allocator of CuPy within a recording. Its own would hand out a block that others get
    next, and each replay would write to it. Source: CuPy's memory.pyx, SingleDeviceMemoryPool."""
    raise RuntimeError(f"it asks for {in_words(size)} of GPU memory")


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """What the collector finds, such as the handle of a forgotten model, must not be destroyed in
    a recording."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
