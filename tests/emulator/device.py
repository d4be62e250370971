"""The emulated device, loaded, and its errors as exceptions."""

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_int, c_size_t, c_uint, c_uint64, c_void_p
from functools import cache
from typing import Any, NamedTuple

from . import build

ADDRESS = POINTER(c_void_p)
ENTRIES = {  # returning a status
    "emulator_allocate": (c_size_t, c_int, ADDRESS),
    "emulator_free": (c_void_p,),
    "emulator_check": (),
    "emulator_stream_create": (ADDRESS,),
    "emulator_stream_destroy": (c_void_p,),
    "emulator_stream_synchronize": (c_void_p,),
    "emulator_run_everything": (),
    "emulator_begin_capture": (c_void_p, c_int),
    "emulator_end_capture": (c_void_p, ADDRESS),
    "emulator_graph_launch": (c_void_p, c_void_p),
    "emulator_host_copy": (c_void_p,),
    "emulator_copy": (c_void_p, c_void_p, c_size_t, c_int, c_void_p),
    "emulator_fill": (c_void_p, c_int, c_size_t, c_void_p),
    "emulator_launch": (
        *(c_char_p, c_void_p, c_void_p, POINTER(c_uint), POINTER(c_uint)),
        *(c_int, POINTER(c_uint64), POINTER(c_int), c_void_p),
    ),
    "emulator_event_create": (ADDRESS,),
    "emulator_event_record": (c_void_p, c_void_p),
    "emulator_event_synchronize": (c_void_p,),
    "emulator_event_time": (c_void_p, POINTER(c_double)),
}
OTHERS = {  # returning nothing, or a value
    "emulator_order": (c_uint64,),
    "emulator_reset": (),
    "emulator_is_capturing": (c_void_p,),
    "emulator_graph_destroy": (c_void_p,),
    "emulator_event_destroy": (c_void_p,),
    "emulator_set_memory": (c_size_t,),
    "emulator_memory": (POINTER(c_size_t), POINTER(c_size_t)),
}
OUT_OF_MEMORY, CUDA_ERROR = 2, 3


class CUDARuntimeError(RuntimeError):
    """What CUDA itself would refuse."""


class CUDADriverError(RuntimeError):
    """What CUDA would refuse of a launch or a module, which CuPy asks of the driver itself."""


class OutOfMemoryError(MemoryError):
    """The device's memory is full."""


class Launch(NamedTuple):
    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    captured: bool


class Log(list[Launch]):
    """The launches of kernels so far, the oldest first. A replayed graph counts as one of
    graph_launches."""

    graph_launches = 0

    def clear(self) -> None:
        super().clear()
        self.graph_launches = 0


log = Log()


@cache
def library() -> ctypes.CDLL:
    """The runtime; global, as the kernels' libraries look for its barriers there."""
    found = ctypes.CDLL(str(build.runtime()), mode=ctypes.RTLD_GLOBAL)
    for name, types in {**ENTRIES, **OTHERS}.items():
        function = getattr(found, name)
        function.argtypes = types
        function.restype = c_int if name in ENTRIES or name == "emulator_is_capturing" else None
    found.emulator_error.restype = c_char_p
    return found


def last_error() -> str:
    """The text of the last error, of cuBLAS also, in this thread."""
    return library().emulator_error().decode()


def call(name: str, *arguments: Any) -> None:
    """Runs an entry; raises RuntimeError, CUDARuntimeError, for a launch CUDADriverError, or
    OutOfMemoryError if it fails."""
    status = getattr(library(), "emulator_" + name)(*arguments)
    if status:
        refused = CUDADriverError if name == "launch" else CUDARuntimeError
        kinds = {OUT_OF_MEMORY: OutOfMemoryError, CUDA_ERROR: refused}
        raise kinds.get(status, RuntimeError)(last_error())


def created(name: str, *arguments: Any) -> int:
    """The address that an entry writes to its last argument."""
    address = c_void_p()
    call(name, *arguments, ctypes.byref(address))
    return address.value or 0
