"""What everything else on the GPU is made of, for gpu.py: the cost of a launch, the rate of a matrix product.

Both are measured launched one by one and as nodes of a graph.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np

from benchmarks.gpu.ours import Contestant, Watch
from scratchae import get_backend
from scratchae.kernels.batch import TAKE

# I, K, J of a (I, K) @ b (K, J), and which of the two is the transpose of what lies in memory.
PRODUCTS = (
    *((128, 784, 400, ""), (128, 400, 40, ""), (128, 20, 400, ""), (128, 400, 784, "")),  # y = x W
    *((784, 128, 400, "a"), (400, 128, 784, "a")),  # dW = x^T dy
    *((128, 784, 400, "b"), (128, 40, 400, "b")),  # dx = dy W^T
    *((1024, 784, 400, ""), (784, 1024, 400, "a"), (1024, 784, 400, "b")),
    (4096, 4096, 4096, ""),
)
SMOKE_PRODUCTS = ((8, 16, 4, ""), (16, 8, 4, "a"), (8, 16, 4, "b"), (64, 64, 64, ""))
LARGE, NODES = 1e10, (200, 10)  # operations from which a graph has fewer nodes, and how many
CHECKED = 16  # rows of a product that the host computes too


def launches(spec: dict[str, Any]) -> Contestant:
    """A row each for a chain of launches one by one and for the graph of it: microseconds of host and GPU.

    Each takes one row of one number (kernels/batch.py), so the launch is all there is.
    """
    backend: Any = get_backend("cupy")
    n = spec["launches"]
    take, rows = backend.op(TAKE), backend.empty((1,), np.uint32)
    order, state = backend.asarray(np.zeros(1), np.uint32), backend.asarray(np.zeros(2), np.int32)

    def chain() -> None:
        for _ in range(n):
            take(rows, order, state, 0, 1)

    chain()
    graph = backend.capture(chain)
    for how, work in (("one by one", chain), ("graph", lambda: graph.launch(backend.stream))):
        host, device = (
            median(times) for times in zip(*_repeat(backend, work, spec["blocks"]), strict=True)
        )
        yield {"how": how, "launches": n, "host_us": 1e6 * host / n, "device_us": 1e3 * device / n}


def _repeat(backend: Any, work: Callable[[], None], times: int) -> Iterator[tuple[float, float]]:
    """(seconds until the host is through, milliseconds until the GPU is) of work(), over and over."""
    watch, spent = Watch(backend), 0.0

    def timed() -> None:
        nonlocal spent
        began = time.perf_counter()
        work()
        spent = time.perf_counter() - began

    watch.time(work)
    for _ in range(times):
        device = watch.time(timed)
        yield spent, device


def products(spec: dict[str, Any]) -> Contestant:
    """A row a shape: microseconds and TFLOP/s of a product in a graph, and how far it is from the host's."""
    backend = get_backend("cupy", precision=spec["precision"])
    for shape in SMOKE_PRODUCTS if spec["smoke"] else PRODUCTS:
        yield {"precision": spec["precision"]} | _product(backend, shape, spec["blocks"])


def _product(backend: Any, shape: tuple[int, int, int, str], blocks: int) -> dict[str, Any]:
    I, K, J, transposed = shape
    rng, watch = np.random.default_rng(0), Watch(backend)
    a, b = (rng.random(size, np.float32) - 0.5 for size in ((I, K), (K, J)))
    on_gpu = [_upload(backend, m, name in transposed) for name, m in (("a", a), ("b", b))]
    out, flops = backend.empty((I, J)), 2 * I * K * J
    nodes = NODES[flops >= LARGE]

    def chain() -> None:
        for _ in range(nodes):
            backend.matmul(*on_gpu, out)

    chain()
    graph = backend.capture(chain)
    ms = [watch.time(lambda: graph.launch(backend.stream)) for _ in range(blocks + 1)]
    us = 1e3 * median(ms[1:]) / nodes
    exact = a[:CHECKED].astype(np.float64) @ b
    off = np.abs(backend.to_host(out)[:CHECKED] - exact).max() / np.abs(exact).max()
    row = {
        "product": _name(I, K, J, transposed),
        "us": us,
        "flops": flops,
        "tflops": flops / us / 1e6,
    }
    return row | {"off": float(off), "nodes": nodes}


def _upload(backend: Any, a: np.ndarray, transposed: bool) -> Any:
    """a (R, C) on the GPU, or as the transpose of a (C, R) that lies there."""
    return backend.asarray(np.ascontiguousarray(a.T)).T if transposed else backend.asarray(a)


def _name(I: int, K: int, J: int, transposed: str) -> str:
    """128x784 @ 784x400, an apostrophe after what is transposed."""
    a, b = ("'" if name in transposed else "" for name in "ab")
    return f"{I}x{K}{a} @ {K}x{J}{b}"
