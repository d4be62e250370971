"""Stands in for cupy.ndarray: memory, shape and views. Whatever would copy or compute raises."""

import ctypes
import math
from types import EllipsisType
from typing import Any, NoReturn

import numpy as np

from . import device
from .cuda import MemoryPointer, alloc, get_current_stream

NO_CONVERSION = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


class Flags:
    def __init__(self, c_contiguous: bool, f_contiguous: bool):
        self.c_contiguous = c_contiguous
        self.f_contiguous = f_contiguous


class ndarray:
    """New memory of that shape and dtype: ones in all bits, so a float is NaN until a kernel has
    written it, unless pool.py's pool is on."""

    def __init__(self, shape: Any, dtype: Any = float):
        dtype = np.dtype(dtype)
        shape = shape if isinstance(shape, tuple | list) else (shape,)
        nbytes = math.prod(shape) * dtype.itemsize
        memory = alloc(nbytes).mem
        held = (ctypes.c_ubyte * nbytes).from_address(memory.ptr) if nbytes else b""
        self._become(np.frombuffer(held, dtype).reshape(shape), memory)

    def _become(self, seen: np.ndarray, memory: Any) -> None:
        """seen: the same bytes as NumPy sees them, which this machine can; the library cannot."""
        self._seen = seen
        self._memory = memory

    def _view(self, seen: np.ndarray) -> "ndarray":
        made = ndarray.__new__(ndarray)
        made._become(seen, self._memory)
        return made

    shape = property(lambda self: self._seen.shape)
    dtype = property(lambda self: self._seen.dtype)
    ndim = property(lambda self: self._seen.ndim)
    size = property(lambda self: self._seen.size)
    nbytes = property(lambda self: self._seen.nbytes)
    itemsize = property(lambda self: self._seen.itemsize)
    strides = property(lambda self: self._seen.strides)
    T = property(lambda self: self._view(self._seen.T))

    @property
    def flags(self) -> Flags:
        return Flags(self._seen.flags.c_contiguous, self._seen.flags.f_contiguous)

    @property
    def data(self) -> MemoryPointer:
        return MemoryPointer(
            self._memory, self._seen.ctypes.data - self._memory.ptr if self._memory.size else 0
        )

    def __len__(self) -> int:
        return len(self._seen)

    def __repr__(self) -> str:
        return f"<emulated cupy.ndarray of {self.dtype} {self.shape}>"

    def reshape(self, *shape: Any) -> "ndarray":
        seen = self._seen.reshape(*shape)
        if seen.size and not np.may_share_memory(seen, self._seen):
            raise TypeError(
                f"reshaping {self.shape}, strides {self.strides}, to {seen.shape} would copy the "
                "array"
            )
        return self._view(seen)

    def __getitem__(self, key: Any) -> "ndarray":
        keys = key if isinstance(key, tuple) else (key,)
        for part in keys:
            if isinstance(part, bool) or not isinstance(
                part, slice | int | np.integer | EllipsisType | None
            ):
                raise TypeError(
                    f"indexing by {part!r} would copy the array: only slices and integers give "
                    "views"
                )
        # a view even of one element
        keys = keys if any(part is Ellipsis for part in keys) else (*keys, ...)
        return self._view(self._seen[keys])

    def get(self) -> np.ndarray:
        """A copy on the host, after the work of the current stream, and of no other, as with
        CuPy, which itself refuses it while that stream is recorded."""
        if get_current_stream().is_capturing():
            raise RuntimeError("get() waits for a stream, which cannot be while it is capturing")
        device.call("host_copy", get_current_stream().ptr)
        return self._seen.copy(order="C")

    __hash__ = None  # type: ignore[assignment]


def _refusing(name: str) -> Any:
    def refuse(self: ndarray, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"cupy.ndarray.{name}: the library does its arithmetic in kernels")

    return refuse


def _converting(self: ndarray, *_: Any, **__: Any) -> NoReturn:
    raise TypeError(NO_CONVERSION)


BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
SPECIAL = (
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "neg",
    "pos",
    "abs",
    "invert",
    "setitem",
    "contains",
)
PROTOCOLS = ("array_ufunc", "array_function", "copy", "deepcopy", "reduce", "reduce_ex")
METHODS = (
    "all",
    "any",
    "argmax",
    "argmin",
    "astype",
    "copy",
    "dot",
    "fill",
    "flatten",
    "item",
    "max",
    "mean",
    "min",
)
METHODS += ("prod", "put", "ravel", "set", "std", "sum", "take", "tolist", "var")
REFUSED = (
    *(f"__{side}{name}__" for name in BINARY for side in ("", "r", "i")),
    *(f"__{name}__" for name in (*SPECIAL, *PROTOCOLS)),
    *METHODS,
)
for _name in REFUSED:
    setattr(ndarray, _name, _refusing(_name))
for _name in (
    "__array__",
    "__iter__",
    "__float__",
    "__int__",
    "__index__",
    "__complex__",
    "__bool__",
):
    setattr(ndarray, _name, _converting)


def empty(shape: Any, dtype: Any = float) -> ndarray:
    return ndarray(shape, dtype)
