"""The floor under a step: its matrix products at the best rate that this machine's BLAS reaches."""

import threading
import time

import numpy as np
from threadpoolctl import threadpool_limits

SHAPES = ((512, 512, 512), (1024, 1024, 1024), (128, 784, 400))  # m, k, n
SECONDS = 0.04  # for each shape


def rate(threads: int, shape: tuple[int, int, int], seconds: float = SECONDS) -> float:
    """GFLOP/s of (m, k) @ (k, n) in float32, each thread on matrices of its own, rates added."""
    m, k, n = shape
    rates, start = [0.0] * threads, threading.Barrier(threads)
    rng = np.random.default_rng(0)
    operands = [
        (rng.random((m, k), np.float32), rng.random((k, n), np.float32)) for _ in range(threads)
    ]

    def run(thread: int) -> None:
        (a, b), out, done = operands[thread], np.empty((m, n), np.float32), 0
        np.matmul(a, b, out=out)
        start.wait()
        began = time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds:
            np.matmul(a, b, out=out)
            done += 1
        rates[thread] = 2e-9 * m * k * n * done / spent

    pool = [threading.Thread(target=run, args=(t,)) for t in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    return sum(rates)


def best_rate(threads: int) -> float:
    """GFLOP/s of the best shape, BLAS itself on one thread."""
    with threadpool_limits(1, "blas"):
        return max(rate(threads, shape) for shape in SHAPES)
