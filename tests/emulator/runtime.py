"""Stands in for cupy.cuda.runtime: the driver's own calls."""

from ctypes import byref, c_size_t

from . import device
from .device import CUDARuntimeError

__all__ = [
    "CUDARuntimeError",
    "deviceGetAttribute",
    "driverGetVersion",
    "getDeviceCount",
    "memGetInfo",
    "memcpyAsync",
    "memcpyDeviceToDevice",
    "memcpyDeviceToHost",
    "memcpyHostToDevice",
    "memsetAsync",
    "runtimeGetVersion",
    "streamCaptureModeGlobal",
    "streamCaptureModeRelaxed",
    "streamCaptureModeThreadLocal",
]

memcpyHostToDevice, memcpyDeviceToHost, memcpyDeviceToDevice = 1, 2, 3
streamCaptureModeGlobal, streamCaptureModeThreadLocal, streamCaptureModeRelaxed = 0, 1, 2

VERSION = 13000
ATTRIBUTES = {
    16: 2,
    75: 8,
}  # cudaDevAttrMultiProcessorCount: two, so that grids wrap around early; compute 8.x


def driverGetVersion() -> int:
    return VERSION


def runtimeGetVersion() -> int:
    return VERSION


def getDeviceCount() -> int:
    return 1


def deviceGetAttribute(attribute: int, number: int) -> int:
    if number or attribute not in ATTRIBUTES:
        raise CUDARuntimeError(
            f"cudaErrorInvalidValue: the emulator has no attribute {attribute} of device {number}"
        )
    return ATTRIBUTES[attribute]


def memGetInfo() -> tuple[int, int]:
    available, total = c_size_t(), c_size_t()
    device.library().emulator_memory(byref(available), byref(total))
    return available.value, total.value


def memcpyAsync(dst: int, src: int, size: int, kind: int, stream: int) -> None:
    device.call("copy", dst, src, size, kind, stream)


def memsetAsync(ptr: int, value: int, size: int, stream: int) -> None:
    device.call("fill", ptr, value, size, stream)
