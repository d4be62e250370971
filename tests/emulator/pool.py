"""Device memory, and a pool of it like CuPy's.

CuPy keeps the memory of arrays that are gone: each stream has an arena of free blocks, and a new
array takes the smallest that is large enough, without a call to CUDA (so also while the stream is
recorded), with whatever was written to it last. The emulator is stricter by default: memory is
freed with its array, and new memory is NaN. ``pooled()`` turns the pool on. It hands out whole
blocks, where CuPy also cuts them.

Source: CuPy 14.2, cupy/cuda/memory.pyx, SingleDeviceMemoryPool.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from . import device

DEVICE = 0  # the kind of memory, in runtime.h
GRAIN = 512  # bytes, of which a block of the pool has a multiple
_local = threading.local()


class Memory:
    """Bytes on the device, freed with the last array that lies in them. No bytes have no address,
    as in CuPy."""

    def __init__(self, size: int):
        self.size = size
        self.ptr = device.created("allocate", size, DEVICE) if size else 0

    def __del__(self) -> None:
        if getattr(self, "ptr", 0):
            device.call("free", self.ptr)


class PooledMemory:
    """A block that goes back to the arena of its stream with the last array that lies in it. The
    pool holds it: the garbage collector would end both at once."""

    def __init__(self, pool: "MemoryPool", block: Memory, arena: list[Memory]):
        self.ptr, self.size = block.ptr, block.size
        self._pool, self._arena = pool, arena
        pool.in_use[self.ptr] = block

    def __del__(self) -> None:
        block = self._pool.in_use.pop(self.ptr)
        if self._pool.keeping:
            self._arena.append(block)


class MemoryPointer:
    """An address on the device, and what keeps it alive."""

    def __init__(self, mem: Any, offset: int):
        self.mem = mem
        self._offset = offset

    @property
    def ptr(self) -> int:
        return self.mem.ptr + self._offset


class MemoryPool:
    """malloc(size) -> MemoryPointer; keeping: whether what is given back is kept."""

    def __init__(self, stream: Callable[[], Any]):
        self._stream, self._arenas = stream, dict[int, list[Memory]]()
        self.in_use = dict[int, Memory]()
        self.keeping = False

    def malloc(self, size: int) -> MemoryPointer:
        """From the arena of the current stream, else from the device."""
        if not (self.keeping and size):
            return MemoryPointer(Memory(size), 0)
        rounded = -(-size // GRAIN) * GRAIN
        arena = self._arenas.setdefault(self._stream().ptr, [])
        fitting = [block for block in reversed(arena) if block.size >= rounded]
        if fitting:  # the one that was given back last: its bytes are most likely still in use
            block = min(fitting, key=lambda block: block.size)
            arena.remove(block)
        else:
            block = self._allocate(rounded)
        return MemoryPointer(PooledMemory(self, block, arena), 0)

    def _allocate(self, size: int) -> Memory:
        for free in (self.free_all_blocks, gc.collect):
            try:
                return Memory(size)
            except device.OutOfMemoryError:
                free()
        self.free_all_blocks()
        return Memory(size)

    def free_all_blocks(self, stream: Any = None) -> None:
        """Give the free blocks of that stream, or of all, back to the device."""
        for ptr, arena in self._arenas.items():
            if stream is None or stream.ptr == ptr:
                arena.clear()

    def free_bytes(self) -> int:
        return sum(block.size for arena in self._arenas.values() for block in arena)


def alloc(size: int, pool: MemoryPool) -> MemoryPointer:
    """From this thread's allocator, else from the pool."""
    allocator = getattr(_local, "allocator", None)
    return (allocator or pool.malloc)(size)


@contextmanager
def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
    """Within it, this thread's arrays lie where allocator(size) says."""
    before = getattr(_local, "allocator", None)
    _local.allocator = allocator or (lambda size: MemoryPointer(Memory(size), 0))
    try:
        yield
    finally:
        _local.allocator = before
