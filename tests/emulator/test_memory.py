"""Guards, quarantine, and memory that ends."""

import ctypes
import gc

import numpy as np
import pytest

import emulator
from emulator import build
from emulator.launching import compiled, on_device, run

not_sanitized = pytest.mark.skipif(
    build.variant() == "sanitize", reason="AddressSanitizer ends the process there"
)


@not_sanitized
@pytest.mark.parametrize("offset", [-1, 100])
def test_a_store_beside_an_array_is_found(cupy, stream, offset):
    y = cupy.empty(100, np.float32)
    text = 'extern "C" __global__ void f(float* y, int i) { y[i] = 1; }'
    run(compiled(cupy, text, "f"), 1, 1, y, np.int32(offset))
    beside = "before" if offset < 0 else "behind"
    with pytest.raises(RuntimeError, match=f"kernel f: the memory {beside} an array of 400 bytes"):
        stream.synchronize()


@not_sanitized
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_load_from_beside_an_array_is_nan(cupy, stream, dtype):
    x, y = on_device(cupy, np.ones(3, dtype)), cupy.empty(4, dtype)
    text = (
        'extern "C" __global__ void f(REAL* y, const REAL* x) { y[threadIdx.x] = '
        "x[int(threadIdx.x) - 1] + 1; }"
    )
    run(
        compiled(cupy, text, "f", {"float32": "float", "float64": "double"}[dtype]), 1, 4, y, x[1:]
    )
    assert np.array_equal(y.get(), [2, 2, 2, np.nan], equal_nan=True)


@not_sanitized
def test_a_store_to_freed_memory_is_found(cupy, stream):
    y, keep = cupy.empty(100, np.float32), cupy.empty(1, np.float32)
    text = (
        'extern "C" __global__ void f(float* y, const unsigned long long* p) { *(float*)*p = '
        "y[0] = 1; }"
    )
    p = on_device(cupy, np.array([y.data.ptr], np.uint64))
    stream.synchronize()
    del y
    run(compiled(cupy, text, "f"), 1, 1, keep, p)
    stream.synchronize()
    with pytest.raises(RuntimeError, match="freed memory has been written to"):
        emulator.check_guards()


@not_sanitized
def test_new_and_freed_memory_is_nan(cupy, stream):
    array = on_device(cupy, np.ones(10))
    address = array.data.ptr
    stream.synchronize()
    assert np.isnan(cupy.empty((2, 3), np.float32).get()).all()
    assert array.get()[0] == 1
    del array
    assert np.isnan(np.frombuffer((ctypes.c_char * 80).from_address(address))).all()


def test_memory_ends(cupy):
    start = cupy.cuda.runtime.memGetInfo()
    assert start[1] == 8 << 30
    with emulator.memory(start[1] - start[0] + 1000):
        held = cupy.empty(600, np.uint8)
        with pytest.raises(
            cupy.cuda.memory.OutOfMemoryError, match="Out of memory allocating 500 bytes"
        ):
            cupy.empty(500, np.uint8)
        assert cupy.cuda.runtime.memGetInfo()[0] == 400
        del held
        cupy.empty(500, np.uint8)
    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    assert cupy.get_default_memory_pool().free_bytes() == 0


def test_an_array_is_refused_when_its_memory_is_not_there(cupy, stream):
    runtime, x = cupy.cuda.runtime, np.ones(4, np.float32)
    y = cupy.empty(3, np.float32)
    with pytest.raises(runtime.CUDARuntimeError, match="outside of the device's arrays"):
        runtime.memcpyAsync(
            y.data.ptr, x.ctypes.data, x.nbytes, runtime.memcpyHostToDevice, stream.ptr
        )
    with pytest.raises(RuntimeError, match="not the device's, too short, or freed"):
        runtime.memsetAsync(y.data.ptr, 0, 16, stream.ptr)


def test_a_pool_hands_out_what_it_was_given_back_also_in_a_capture(cupy, stream):
    """As CuPy: by stream, the smallest that is large enough, with its old contents."""
    with emulator.pooled():
        pool, free = cupy.get_default_memory_pool(), cupy.cuda.runtime.memGetInfo()[0]
        arrays = [on_device(cupy, np.full(n, 7, np.float32)) for n in (500, 100, 300)]
        addresses = [array.data.ptr for array in arrays]
        del arrays
        assert pool.free_bytes() == 2048 + 512 + 1536
        with cupy.cuda.Stream(non_blocking=True):
            other = cupy.empty(300, np.float32)
        assert other.data.ptr not in addresses
        stream.synchronize()
        stream.begin_capture()
        again = cupy.empty(200, np.float32)
        stream.end_capture()
        assert again.data.ptr == addresses[2] and (again.get() == 7).all()
        pool.free_all_blocks(stream)
        assert pool.free_bytes() == 0
        assert cupy.cuda.runtime.memGetInfo()[0] == free - 2 * 1536
    del again, other
    assert cupy.cuda.runtime.memGetInfo()[0] == free


def test_a_full_pool_gives_its_blocks_back_before_memory_ends(cupy, stream):
    used = 8 << 30
    gc.collect()  # a full pool asks for it too, and would find what other tests have left
    with emulator.pooled():
        used -= cupy.cuda.runtime.memGetInfo()[0]
        with emulator.memory(used + 4096):
            for n in (2048, 3072, 4096):
                cupy.empty(n, np.uint8)
            with pytest.raises(cupy.cuda.memory.OutOfMemoryError):
                cupy.empty(4097, np.uint8)


def test_an_allocator_of_this_thread_is_asked_instead(cupy):
    asked, pool = [], cupy.get_default_memory_pool()
    with cupy.cuda.using_allocator(lambda size: asked.append(size) or pool.malloc(size)):
        cupy.empty(3, np.float32)
    cupy.empty(4, np.float32)
    assert asked == [12]
