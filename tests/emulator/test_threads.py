"""Threads in every order, barriers, shuffles, shared memory."""

import numpy as np
import pytest

import emulator
from emulator.launching import COPY, compiled, on_device, run

SUM = """
__device__ inline double block_sum(double value)
{
    __shared__ double sums[32];
    for (int delta = 16; delta > 0; delta /= 2)
        value += __shfl_down_sync(0xffffffffu, value, delta);
    BARRIER;
    if (threadIdx.x % 32 == 0)
        sums[threadIdx.x / 32] = value;
    __syncthreads();
    double total = 0;
    for (unsigned w = 0; w < blockDim.x / 32; ++w)
        total += sums[w];
    return total;
}
extern "C" __global__ void sum(double* y, const REAL* x, int n)
{
    const int first = blockIdx.x * n;
    for (int repeat = 0; repeat < 2; ++repeat) {
        double part = 0;
        for (int i = threadIdx.x; i < n; i += blockDim.x)
            part += x[first + i] * (repeat + 1);
        const double total = block_sum(part);
        if (threadIdx.x == blockDim.x - 1)
            y[2 * blockIdx.x + repeat] = total;
    }
}
"""

TREE = """
extern "C" __global__ void tree(REAL* y, const REAL* x)
{
    __shared__ REAL s[256];
    const int t = threadIdx.x;
    s[t] = x[t];
    for (int half = 128; half > 0; half /= 2) {
        BARRIER;
        if (t < half)
            s[t] += s[t + half];
    }
    if (t == 0)
        y[0] = s[0];
}
"""


@pytest.mark.parametrize("real", ["float", "double"])
def test_a_grid_stride_loop_copies(cupy, stream, rng, real):
    host = rng.normal(size=1000).astype({"float": "float32", "double": "float64"}[real])
    x, y = on_device(cupy, host), cupy.empty(1000, host.dtype)
    run(compiled(cupy, COPY, "copy", real), 3, 64, y, x, np.int32(1000))
    assert np.array_equal(y.get(), host)
    assert emulator.log == [("copy", (3,), (64,), False)]


def sums(cupy, text, seed, host):
    x, y = on_device(cupy, host), cupy.empty((4, 2), np.float64)
    with emulator.order(seed):
        run(compiled(cupy, text, "sum"), 4, 256, y, x, np.int32(host.shape[1]))
    return y.get()


@pytest.mark.parametrize("seed", range(6))
def test_a_reduction_is_the_same_in_every_order(cupy, stream, rng, seed):
    host = rng.normal(size=(4, 1000)).astype(np.float32)
    right = SUM.replace("BARRIER", "__syncthreads()")
    got = sums(cupy, right, seed, host)
    assert np.array_equal(got, sums(cupy, right, 0, host))
    np.testing.assert_allclose(
        got, np.outer(host.sum(1, dtype=float), (1, 2)), rtol=1e-5, atol=1e-5
    )


def test_a_reduction_without_one_of_its_barriers_depends_on_the_order(cupy, stream, rng):
    host = rng.normal(size=(4, 1000)).astype(np.float32)
    right = sums(cupy, SUM.replace("BARRIER", "__syncthreads()"), 0, host)
    for wrong in (
        SUM.replace("BARRIER", ""),
        SUM.replace("BARRIER", "__syncthreads()").replace("__syncthreads();", "", 2),
    ):
        assert any(not np.array_equal(right, sums(cupy, wrong, seed, host)) for seed in range(4))


@pytest.mark.parametrize("barrier", ["__syncthreads()", "__syncwarp()", ""])
def test_only_a_barrier_of_the_block_makes_a_tree_of_sums_right(cupy, stream, barrier):
    x, seen = on_device(cupy, np.arange(256, dtype=np.float32)), set()
    for seed in range(4):
        y = cupy.empty(1, np.float32)
        with emulator.order(seed):
            run(compiled(cupy, TREE.replace("BARRIER", barrier), "tree"), 1, 256, y, x)
        seen.add(y.get().tobytes())
    assert (seen == {np.float32([256 * 255 / 2]).tobytes()}) == (barrier == "__syncthreads()")


def test_shuffles_take_the_values_of_other_lanes(cupy, stream):
    text = """
    extern "C" __global__ void lanes(int* y, const int* x)
    {
        const unsigned all = 0xffffffffu, t = threadIdx.x, n = blockDim.x;
        y[t] = __shfl_xor_sync(all, x[t], 5);
        y[n + t] = __shfl_down_sync(all, x[t], 3);
        y[2 * n + t] = __shfl_sync(all, x[t], 7);
        if (t % 32 < 16)
            y[3 * n + t] = int(__shfl_up_sync(0xffffu, double(x[t]), 1));
        else
            y[3 * n + t] = -1;
    }"""
    x, y = on_device(cupy, np.arange(64, dtype=np.int32)), cupy.empty((4, 64), np.int32)
    run(compiled(cupy, text, "lanes"), 1, 64, y, x)
    lane, warp = np.arange(64) % 32, np.arange(64) // 32 * 32
    wanted = [
        *((lane ^ 5) + warp, np.where(lane + 3 < 32, lane + 3, lane) + warp, 7 + warp),
        np.where(lane < 16, np.maximum(lane - 1, 0) + warp, -1),
    ]
    assert np.array_equal(y.get(), wanted)


DIVERGENT = {
    "if (threadIdx.x != 40) __syncthreads();": r"divergent barrier in kernel f, block \(0, 0, "
    r"0\): thread \(0, 0, 0\) waits at the barrier in "
    r"f.cu:4, but thread \(40, 0, 0\) has ended",
    "if (threadIdx.x < 32) __syncthreads();\nelse __syncthreads();": (
        r"waits at the barrier in f.cu:4, .* f.cu:5"
    ),
    "if (threadIdx.x != 40) __shfl_sync(0xffffffffu, 1, 0);": (
        r"divergent shuffle .* thread \(40, 0, 0\) has ended"
    ),
    "if (threadIdx.x % 2) __syncwarp();\nelse __syncwarp();": "divergent shuffle",
    "if (threadIdx.x % 2) __syncwarp();\nelse __syncthreads();": "divergent shuffle",
}


@pytest.mark.parametrize("body", DIVERGENT)
def test_a_barrier_that_not_all_threads_reach_is_an_error(cupy, stream, body):
    text = 'extern "C" __global__ void f(int)\n{\n\n' + body + "\n}"
    run(compiled(cupy, text.replace("f(int)", "f(int n)"), "f"), 1, 64, np.int32(0))
    with pytest.raises(RuntimeError, match=DIVERGENT[body]):
        stream.synchronize()
    y = on_device(cupy, np.ones(4, np.float32))  # and the device works on
    run(compiled(cupy, COPY, "add"), 1, 64, y, np.float32(1), np.int32(4))
    assert np.array_equal(y.get(), [2, 2, 2, 2])


def test_a_shuffle_of_lanes_that_the_block_lacks_is_an_error(cupy, stream):
    text = 'extern "C" __global__ void f(int n)\n{\n__shfl_sync(0xffffffffu, n, 0);\n}'
    run(compiled(cupy, text, "f"), 1, 40, np.int32(0))
    with pytest.raises(RuntimeError, match="the block lacks lane 8 of its mask"):
        stream.synchronize()


def test_shared_memory_starts_as_nan_in_each_block(cupy, stream):
    text = """
    extern "C" __global__ void f(REAL* y)
    {
        __shared__ REAL a[3], b[40];
        y[2 * blockIdx.x] = a[1];
        y[2 * blockIdx.x + 1] = b[39];
        a[1] = b[39] = 5;
    }"""
    y = cupy.empty((4, 2), np.float32)
    run(compiled(cupy, text, "f"), 4, 1, y)
    assert np.isnan(y.get()).all()


def test_blocks_and_threads_of_three_dimensions(cupy, stream):
    text = """
    extern "C" __global__ void f(unsigned* y)
    {
        const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        const unsigned above = threadIdx.z * blockDim.y + threadIdx.y;
        const unsigned thread = above * blockDim.x + threadIdx.x;
        y[block * blockDim.x * blockDim.y * blockDim.z + thread] = 100 * block + thread;
    }"""
    y = cupy.empty((24, 30), np.uint32)
    compiled(cupy, text, "f")((2, 3, 4), (5, 3, 2), (y,))
    assert np.array_equal(y.get(), 100 * np.arange(24)[:, None] + np.arange(30))
