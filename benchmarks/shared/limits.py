"""What this machine can do at most: float32 arithmetic and bytes, on some threads at once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from threadpoolctl import threadpool_limits

from scratchae.kernels.machine.compile import jit
from scratchae.kernels.machine.tile import WIDTH

SHAPES = ((512, 512, 512), (1024, 1024, 1024), (128, 784, 400))  # m, k, n
SECONDS = 0.04  # for each rate
CHAINS, LANES = 12, WIDTH // 4  # sums that wait for nobody; numbers in a register
TIMES = 100_000  # multiply-adds of a chain in one call
PASS = 1 << 22  # bytes that one call of ``passes`` moves at least

Work = tuple[Callable[[], Any], float]  # a call, and how much it does

intrinsic: Any = extending.intrinsic  # what it makes is called without the first argument


def together(threads: int, prepare: Callable[[int], Work]) -> float:
    """Billions a second on so many threads at once, each with the work made for it."""
    start = threading.Barrier(threads)

    def rate(thread: int) -> float:
        call, amount = prepare(thread)
        call()
        start.wait()
        began, done = time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < SECONDS:
            call()
            done += 1
        return 1e-9 * amount * done / spent

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(rate, range(threads)))


def sgemm(threads: int) -> float:
    """GFLOP/s of NumPy's products, BLAS on one thread in each; the best shape's."""

    def prepare(thread: int, m: int, k: int, n: int) -> Work:
        rng = np.random.default_rng(thread)
        a, b = rng.random((m, k), np.float32), rng.random((k, n), np.float32)
        return partial(np.matmul, a, b, out=a @ b), 2 * m * k * n

    return max(together(threads, partial(prepare, m=m, k=k, n=n)) for m, k, n in SHAPES)


@intrinsic
def fused(typing: Any, times: Any, x: Any) -> Any:
    """times multiply-adds a = a x + x of each of CHAINS registers -> one number of their sum."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, lane = ir.VectorType(ir.FloatType(), LANES), ir.Constant(ir.IntType(32), 0)
        spread = ir.Constant(vector, ir.Undefined)
        for i in range(LANES):
            spread = builder.insert_element(spread, arguments[1], ir.Constant(lane.type, i))
        kind = ir.FunctionType(vector, [vector] * 3)
        name = f"llvm.fma.v{LANES}f32"
        fma = cgutils.get_or_insert_function(builder.module, kind, name)
        chains = [cgutils.alloca_once_value(builder, spread) for _ in range(CHAINS)]
        with cgutils.for_range(builder, arguments[0]):
            for a in chains:
                builder.store(builder.call(fma, [builder.load(a), spread, spread]), a)
        total = builder.load(chains[0])
        for a in chains[1:]:
            total = builder.fadd(total, builder.load(a))
        return builder.extract_element(total, lane)

    return types.float32(types.int64, types.float32), generate


@jit
def multiply_adds(times: Any, x: Any) -> Any:
    """The loop of ``fused``, which touches no memory."""
    return fused(times, x)


@jit
def passes(a: Any, count: Any, x: Any) -> None:
    """Read and write every number of a (n,) so many times."""
    for _ in range(count):
        for i in range(a.shape[0]):
            a[i] += x


def fma(threads: int) -> float:
    """GFLOP/s of fused multiply-adds that stay in registers."""
    work = partial(multiply_adds, TIMES, np.float32(0.5)), 2 * TIMES * CHAINS * LANES
    return together(threads, lambda _: work)


def bandwidth(threads: int, size: int) -> float:
    """GB/s of a loop that reads and writes so many bytes in place, parted among the threads.

    Where they fit into a cache, they are there.
    """

    def prepare(_: int) -> Work:
        a = np.zeros(-(-size // (4 * threads)), np.float32)
        count = -(-PASS // (2 * a.nbytes))
        return partial(passes, a, count, np.float32(1)), 2 * a.nbytes * count

    return together(threads, prepare)
