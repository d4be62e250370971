"""Stands in for cupy.RawModule and its kernels: compiled by g++, and strict about the arguments of
a launch."""

import ctypes
import math
import re
from typing import Any, ClassVar

import numpy as np

from . import build, device
from .array import ndarray
from .cuda import CompileException, get_current_stream

TYPES = {
    "bool": "bool",
    "unsigned char": "uint8",
    "int": "int32",
    "unsigned": "uint32",
    "unsigned int": "uint32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "float": "float32",
    "double": "float64",
}
SCALARS = (np.bool_, np.int32, np.uint32, np.int64, np.float32, np.float64)
MOST_THREADS, MOST_BLOCK, MOST_GRID = 1024, (1024, 1024, 64), (2**31 - 1, 65535, 65535)


class RawModule:
    """A CUDA text. It is compiled when the first function is asked for, as CuPy does."""

    _libraries: ClassVar[list[ctypes.CDLL]] = []  # all that have been loaded

    def __init__(self, *, code: str, options: tuple[str, ...] = ()):
        self.code = code
        self.options = options
        self._library: ctypes.CDLL | None = None

    def get_function(self, name: str) -> "RawKernel":
        if self._library is None:
            self._library = self._compile()
        signatures = build.signatures(self.code)
        if name not in signatures:
            raise device.CUDADriverError(f"CUDA_ERROR_NOT_FOUND: named symbol not found: {name}")
        return RawKernel(name, self._library, [self._type(kind) for kind, _ in signatures[name]])

    def _compile(self) -> ctypes.CDLL:
        if "--use_fast_math" in self.options or "-use_fast_math" in self.options:
            raise ValueError(
                "fast math is not for this library: it deletes isnan and rounds exp and log "
                "coarsely"
            )
        device.library()  # whose barriers the kernels call
        try:
            path = build.kernels(
                self.code, tuple(option for option in self.options if option.startswith("-D"))
            )
        except build.CompileError as error:
            raise CompileException(str(error), self.code, "kernel", self.options) from None
        self._libraries.append(ctypes.CDLL(str(path)))
        return self._libraries[-1]

    def _type(self, kind: str) -> tuple[np.dtype, bool]:
        """The dtype that a parameter takes, and whether it takes an array."""
        text = "\n".join(
            (
                self.code,
                *(
                    option.replace("-D", "#define ", 1).replace("=", " ")
                    for option in self.options
                ),
            )
        )
        defines = dict(re.findall(r"#define (\w+) (\w+)", text))
        word = kind.removeprefix("const ").removesuffix("*")
        word = defines.get(word, word)
        if word not in TYPES:
            raise TypeError(
                f"the emulator does not know the type {kind!r} of a kernel's parameter"
            )
        return np.dtype(TYPES[word]), kind.endswith("*")


class RawKernel:
    """One function of a module: kernel(grid, block, arguments) queues it on the current stream."""

    def __init__(self, name: str, library: ctypes.CDLL, types: list[tuple[np.dtype, bool]]):
        self.name = name
        self._types = types
        self._call = ctypes.cast(getattr(library, "emulator_call_" + name), ctypes.c_void_p)
        self._shared = ctypes.cast(library.emulator_shared, ctypes.c_void_p)
        self._library = library

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]
    ) -> None:
        if len(args) != len(self._types):
            raise TypeError(
                f"{self.name} takes {len(self._types)} arguments, but {len(args)} are given"
            )
        values = (ctypes.c_uint64 * len(args))()
        for i, (value, (dtype, is_array)) in enumerate(zip(args, self._types, strict=True)):
            values[i] = self._packed(i, value, dtype, is_array)
        pointers = (ctypes.c_int * len(args))(*(is_array for _, is_array in self._types))
        sizes = _size("grid", grid, MOST_GRID), _size("block", block, MOST_BLOCK)
        if math.prod(block) > MOST_THREADS:
            raise ValueError(
                f"a block of {block} threads is larger than the {MOST_THREADS} that CUDA allows"
            )
        stream = get_current_stream()
        device.call(
            *("launch", self.name.encode(), self._call, self._shared, *sizes),
            *(len(args), values, pointers, stream.ptr),
        )
        device.log.append(
            device.Launch(self.name, tuple(grid), tuple(block), stream.is_capturing())
        )

    def _packed(self, i: int, value: Any, dtype: np.dtype, is_array: bool) -> int:
        what = f"argument {i} of {self.name}"
        if isinstance(value, int | float) and not isinstance(value, np.generic):
            passed = {bool: "bool", int: "int64", float: "float64"}[type(value)]
            raise TypeError(
                f"{what} is a Python {type(value).__name__}, which CuPy passes as {passed}: say "
                f"np.{dtype}"
            )
        if isinstance(value, ndarray) != is_array or not isinstance(value, (ndarray, *SCALARS)):
            wanted = f"a cupy.ndarray of {dtype}" if is_array else f"a NumPy scalar, np.{dtype}"
            raise TypeError(f"{what} is a {type(value).__name__}, but the kernel takes {wanted}")
        if value.dtype != dtype:
            raise TypeError(f"{what} is of {value.dtype}, but the kernel reads {dtype}")
        if is_array:
            return value.data.ptr
        return int.from_bytes(value.tobytes().ljust(8, b"\0"), "little")


def _size(what: str, size: tuple[int, ...], most: tuple[int, ...]) -> Any:
    if not isinstance(size, tuple) or not 1 <= len(size) <= 3:
        raise TypeError(f"the {what} is {size!r}, but a tuple of one to three ints is expected")
    for number, limit in zip(size, most, strict=False):
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(
                f"the {what} is {size!r}, but a tuple of one to three ints is expected"
            )
        if not 1 <= number <= limit:
            raise ValueError(
                f"the {what} is {size!r}, but each number lies between 1 and CUDA's limit, {most}"
            )
    return (ctypes.c_uint * 3)(*size, *(1,) * (3 - len(size)))
