"""Matrix products on the GPU: cuBLAS by ctypes, with its own handle, stream and workspace.

CuPy refuses its own cuBLAS calls while a stream is recorded into a graph (cupy/cupy#6290); cuBLAS
itself allows them where its memory is fixed. cuBLAS counts columns first: a row-major (I, J)
matrix is its (J, I) one, so

    out = a b   is computed as   out^T = b^T a^T                                        (1)

Source: cuBLAS' documentation, "cublasSetWorkspace" and "cublas<t>gemm".
"""

import ctypes
import threading
from importlib import import_module
from typing import Any

from ..base import Array
from .driver import INSTALL, cause, lacks

HOPPER = 9  # the generation (compute capability) from which cuBLAS wants more workspace
TF32 = 3  # CUBLAS_TF32_TENSOR_OP_MATH
NORMAL, TRANSPOSED = 0, 1
# While a stream is recorded nobody may make or destroy a handle: both wait for the whole device.
RECORDING = threading.RLock()
ONE, ZERO = 1.0, 0.0
PRODUCTS = {
    "float32": ("cublasSgemm_v2", "cublasSgemmStridedBatched", ctypes.c_float),
    "float64": ("cublasDgemm_v2", "cublasDgemmStridedBatched", ctypes.c_double),
}
NO_MEMORY = 3  # CUBLAS_STATUS_ALLOC_FAILED
VERSION = (0, 1)  # MAJOR_VERSION, MINOR_VERSION of libraryPropertyType


def library() -> ctypes.CDLL:
    """cuBLAS, loaded. Raises RuntimeError where it is missing. Source: cuda-pathfinder."""
    try:
        found = import_module("cuda.pathfinder").load_nvidia_dynamic_lib("cublas")
        return ctypes.CDLL(found.abs_path)
    except (AttributeError, ImportError, OSError, RuntimeError) as error:
        what = f"cuBLAS, which does not load ({cause(error)})"
        raise RuntimeError(lacks(what, f"{INSTALL}, to go with CuPy) brings it")) from error


def workspace(generation: int) -> int:
    """Bytes that cuBLAS is to have. Source: cuBLAS' documentation, "cublasSetWorkspace"."""
    return (32 if generation >= HOPPER else 4) << 20


class Cublas:
    """Products of 2-D arrays of one dtype on one stream.

    stream: its address; workspace: device memory that stays; tf32: whether float32 may be rounded
    to 10 bits on the way into the tensor cores. Shapes: see ``matmul``. Raises RuntimeError for
    what cuBLAS refuses.
    Source: the module.
    """

    def __init__(self, dtype: str, stream: int, workspace: Array, tf32: bool):
        self.handle = ctypes.c_void_p()  # null until it is made, for __del__
        self.lib = library()
        name, batched, real = PRODUCTS[dtype]
        self.gemm, self.gemm_batched = getattr(self.lib, name), getattr(self.lib, batched)
        self.one, self.zero = (ctypes.byref(real(value)) for value in (ONE, ZERO))
        with RECORDING:
            self._call("cublasCreate_v2", ctypes.byref(self.handle))
        self._call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream))
        # After the stream, which takes the workspace away.
        size, self.workspace = ctypes.c_size_t(workspace.nbytes), workspace
        self._call("cublasSetWorkspace_v2", self.handle, ctypes.c_void_p(workspace.data.ptr), size)
        self._call("cublasSetMathMode", self.handle, ctypes.c_int(TF32 if tf32 else 0))

    def __del__(self) -> None:
        if self.handle:
            with RECORDING:
                self.lib.cublasDestroy_v2(self.handle)

    def matmul(self, a: Array, b: Array, out: Array, add: bool) -> None:
        """out (I, J) = or += a (I, K) b (K, J), each row-major or the transpose of it; or so for
        each of a batch."""
        (I, K), J = a.shape[-2:], b.shape[-1]
        if not out.size:
            return
        how_a, lda = _stored(a)
        how_b, ldb = _stored(b)
        beta = self.one if add else self.zero
        sizes = (self.handle, how_b, how_a, J, I, K)  # (1)
        operands = [(m, max(1, leading)) for m, leading in ((b, ldb), (a, lda), (out, J))]
        if a.ndim == 2:
            B, A, C = ((ctypes.c_void_p(m.data.ptr), leading) for m, leading in operands)
            self._check(self.gemm(*sizes, self.one, *B, *A, beta, *C), "gemm")  # (1)
        else:
            b3, a3, c3 = (
                (ctypes.c_void_p(m.data.ptr), leading, _distance(m)) for m, leading in operands
            )
            self._check(
                self.gemm_batched(*sizes, self.one, *b3, *a3, beta, *c3, a.shape[0]), "gemm"
            )  # (1)

    def _call(self, name: str, *arguments: Any) -> None:
        self._check(getattr(self.lib, name)(*arguments), name)

    def _check(self, status: int, name: str) -> None:
        if not status:
            return
        if status == NO_MEMORY:
            raise MemoryError("cuBLAS finds no memory on the GPU: end what else runs (nvidia-smi)")
        words = self.lib.cublasGetStatusString
        words.restype = ctypes.c_char_p
        why = f"{words(status).decode()}, status {status}"
        if name != "cublasCreate_v2":
            raise RuntimeError(f"cuBLAS refuses {name} ({why}): see cublasStatus_t")
        what = f"cuBLAS, and {self._version()} in {self.lib._name} does not start ({why})"
        remedy = "update the driver (nvidia-smi), or keep the CUDA parts of one version, CuPy's"
        raise RuntimeError(lacks(what, remedy))

    def _version(self) -> str:
        """Such as "13.1". Source: cuBLAS' documentation, "cublasGetProperty"."""
        numbers = [ctypes.c_int() for _ in VERSION]
        for which, number in zip(VERSION, numbers, strict=True):
            self.lib.cublasGetProperty(which, ctypes.byref(number))
        return ".".join(str(number.value) for number in numbers)


def _distance(a: Array) -> ctypes.c_longlong:
    """From one matrix of a batch (B, R, C) to the next, in numbers."""
    return ctypes.c_longlong(a.shape[-2] * a.shape[-1])


def _stored(a: Array) -> tuple[int, int]:
    """How (R, C) lies in memory: row by row, its rows C apart, or column by column, its columns R
    apart."""
    if a.flags.c_contiguous:
        return NORMAL, a.shape[-1]
    return TRANSPOSED, a.shape[-2]
