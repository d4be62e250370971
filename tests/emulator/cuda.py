"""Stands in for cupy.cuda: streams, graphs, events, pinned memory."""

import ctypes
import sys
import threading
from typing import Any, ClassVar

from . import device, pool, runtime
from .modules import module
from .pool import MemoryPointer, MemoryPool, using_allocator

__all__ = [
    "Device",
    "Event",
    "Graph",
    "MemoryPointer",
    "MemoryPool",
    "PinnedMemoryPointer",
    "Stream",
    "alloc",
    "alloc_pinned_memory",
    "compiler",
    "driver",
    "get_current_stream",
    "get_elapsed_time",
    "memory",
    "runtime",
    "using_allocator",
]

PINNED = 1  # the kind of memory, in runtime.h
ROUNDED = 512  # CuPy's pool of pinned memory gives more than was asked for
_current = threading.local()


class CompileException(Exception):
    """NVRTC, here g++, does not understand the code."""

    def __init__(
        self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc"
    ):
        super().__init__(msg)
        self._source = source

    def __str__(self) -> str:
        return self.args[0]


class Device:
    id = 0


class Stream:
    """Work in order. It only runs when somebody waits for it: the latest moment that CUDA
    allows."""

    null: ClassVar["Stream"]

    def __init__(self, null: bool = False, non_blocking: bool = False):
        self.ptr = 0
        if not (null or non_blocking):
            raise TypeError(
                "the emulator has no streams that wait for the null stream: "
                "Stream(non_blocking=True)"
            )
        if non_blocking:
            self.ptr = device.created("stream_create")

    def __del__(self, ending: Any = sys.is_finalizing) -> None:
        if self.ptr and not ending():
            device.call("stream_destroy", self.ptr)

    def __enter__(self) -> "Stream":
        _stack().append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _stack().pop()

    def synchronize(self) -> None:
        device.call("stream_synchronize", self.ptr)

    def begin_capture(self, mode: int | None = None) -> None:
        """Strict for all threads, or with streamCaptureModeThreadLocal for this one; never
        relaxed."""
        device.call("begin_capture", self.ptr, mode != runtime.streamCaptureModeThreadLocal)

    def end_capture(self) -> "Graph":
        return Graph(device.created("end_capture", self.ptr))

    def is_capturing(self) -> bool:
        return bool(device.library().emulator_is_capturing(self.ptr))


Stream.null = Stream(null=True)


def _stack() -> list[Stream]:
    if not hasattr(_current, "stack"):
        _current.stack = [Stream.null]
    return _current.stack


def get_current_stream() -> Stream:
    return _stack()[-1]


default_pool = MemoryPool(get_current_stream)


def alloc(size: int) -> MemoryPointer:
    return pool.alloc(size, default_pool)


class Graph:
    """What a stream recorded; Stream.end_capture makes it."""

    def __init__(self, address: int):
        self._address = address

    def __del__(self) -> None:
        device.library().emulator_graph_destroy(self._address)

    def launch(self, stream: Stream | None = None) -> None:
        device.call("graph_launch", self._address, (stream or get_current_stream()).ptr)
        device.log.graph_launches += 1


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False):
        self._address = device.created("event_create")
        self._timed = not disable_timing

    def __del__(self) -> None:
        if hasattr(self, "_address"):
            device.library().emulator_event_destroy(self._address)

    def record(self, stream: Stream | None = None) -> None:
        device.call("event_record", self._address, (stream or get_current_stream()).ptr)

    def synchronize(self) -> None:
        device.call("event_synchronize", self._address)


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds."""
    if not (start_event._timed and end_event._timed):
        raise runtime.CUDARuntimeError(
            "cudaErrorInvalidResourceHandle: invalid resource handle: no timing was asked for"
        )
    times = [ctypes.c_double(), ctypes.c_double()]
    for event, time in zip((start_event, end_event), times, strict=True):
        device.call("event_time", event._address, ctypes.byref(time))
    return 1000 * (times[1].value - times[0].value)


class PinnedMemoryPointer:
    """Host memory that copies can read later. A ctypes array of each size derives from it: the
    buffer protocol."""

    @property
    def ptr(self) -> int:
        return ctypes.addressof(self)  # type: ignore[arg-type]

    def size(self) -> int:
        return ctypes.sizeof(self)  # type: ignore[arg-type]

    def __del__(self) -> None:
        device.call("free", self.ptr)


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    size = -(-size // ROUNDED) * ROUNDED
    kind = type("PinnedMemoryPointer", (PinnedMemoryPointer, ctypes.c_ubyte * size), {})
    return kind.from_address(device.created("allocate", size, PINNED))  # type: ignore[attr-defined]


memory = module("cupy.cuda.memory", OutOfMemoryError=device.OutOfMemoryError)
compiler = module("cupy.cuda.compiler", CompileException=CompileException)
driver = module("cupy.cuda.driver", CUDADriverError=device.CUDADriverError)
