"""Our parts of gpu.py: costs of launches and products, steps of the recipes, the main job.

Times of the GPU are those of its events.
"""

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.shared import recipes
from benchmarks.shared.command import libraries
from benchmarks.shared.processes import Line
from benchmarks.shared.recipes import RECIPES, SEED
from scratchae import Adam, Images, datasets, fit, get_backend, randomness
from scratchae.backend.cuda.driver import require_cupy
from scratchae.execution.runner import runner_for
from scratchae.kernels.batch import TAKE

MIB = 1 << 20
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
IMAGES, BATCH, EPOCHS = (60_000, 10_000), 128, 10  # of the main job
SMOKE_IMAGES, SMOKE_BATCH, SMOKE_EPOCHS = (16, 8), 4, 2


def machine() -> dict[str, Any]:
    """The libraries, and what the GPU is."""
    cupy = require_cupy()
    runtime, name = cupy.cuda.runtime, "emulated"
    if hasattr(runtime, "getDeviceProperties"):  # the emulator has no properties
        name = runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    found = {"gpu": name, "memory": runtime.memGetInfo()[1], "driver": runtime.driverGetVersion()}
    found |= {"runtime": runtime.runtimeGetVersion()}
    return libraries() | found | {"cupy": getattr(cupy, "__version__", "emulated")}


def about(spec: Any, line: Line) -> None:
    """A part: ``machine``."""
    line.say(**machine())


class Watch:
    """Milliseconds of a backend's stream, from before the first launch until all is done."""

    def __init__(self, backend: Any):
        self.cuda, self.stream = backend.cupy.cuda, backend.stream
        self.events = [self.cuda.Event(), self.cuda.Event()]

    def time(self, work: Callable[[], Any]) -> float:
        """Of work(), waiting for the host included; on_host: the host's seconds in it."""
        began, ended = self.events
        began.record(self.stream)
        host = time.perf_counter()
        work()
        self.on_host = time.perf_counter() - host
        ended.record(self.stream)
        ended.synchronize()
        return self.cuda.get_elapsed_time(began, ended)


def launches(spec: dict[str, Any], line: Line) -> None:
    """A row each for a chain of launches one by one and as a graph: microseconds of host and GPU.

    Each takes one row of one number (kernels/batch.py), so the launch is all there is.
    """
    backend: Any = get_backend("cupy")
    take, rows, watch = backend.op(TAKE), backend.empty((1,), np.uint32), Watch(backend)
    order, state = backend.asarray(np.zeros(1), np.uint32), backend.asarray(np.zeros(2), np.int32)
    n, blocks = spec["launches"], range(spec["blocks"] + 1)

    def chain() -> None:
        for _ in range(n):
            take(rows, order, state, 0, 1)

    chain()
    graph = backend.capture(chain)
    for how, work in (("one by one", chain), ("graph", lambda: graph.launch(backend.stream))):
        both = [(watch.time(work), watch.on_host) for _ in blocks][1:]
        gpu, host = (median(times) for times in zip(*both, strict=True))
        line.say(how=how, launches=n, host_us=1e6 * host / n, device_us=1e3 * gpu / n)


def products(spec: dict[str, Any], line: Line) -> None:
    """A row a shape: a product in a graph, and how far it is from the host's."""
    backend, rng = get_backend("cupy", precision=spec["precision"]), np.random.default_rng(0)
    for I, K, J, turned in SMOKE_PRODUCTS if spec["smoke"] else PRODUCTS:
        a, b = (rng.random(shape, np.float32) - 0.5 for shape in ((I, K), (K, J)))
        on_gpu = [
            backend.asarray(np.ascontiguousarray(m.T)).T if name in turned else backend.asarray(m)
            for name, m in (("a", a), ("b", b))
        ]
        out, flops = backend.empty((I, J)), 2 * I * K * J
        nodes = NODES[flops >= LARGE]
        us = 1e3 * median(_graphed(backend, on_gpu, out, nodes, spec["blocks"])) / nodes
        exact = a[:CHECKED].astype(np.float64) @ b
        off = np.abs(backend.to_host(out)[:CHECKED] - exact).max() / np.abs(exact).max()
        marks = ["'" * (name in turned) for name in "ab"]
        row = {"product": f"{I}x{K}{marks[0]} @ {K}x{J}{marks[1]}", "us": us, "flops": flops}
        row |= {"precision": spec["precision"], "off_by": float(off), "nodes": nodes}
        line.say(**row, tflops=flops / us / 1e6)


def _graphed(backend: Any, ab: Any, out: Any, nodes: int, blocks: int) -> list[float]:
    """Milliseconds of each replay of a graph of that many products."""

    def chain() -> None:
        for _ in range(nodes):
            backend.matmul(*ab, out)

    chain()
    graph, watch = backend.capture(chain), Watch(backend)
    return [watch.time(lambda: graph.launch(backend.stream)) for _ in range(blocks + 1)][1:]


class Training:
    """Whole steps of a recipe's model on a backend, from the gather to Adam.

    spec: recipe, batch: N, steps: of a block, examples: how many lie on the GPU.
    """

    def __init__(self, spec: dict[str, Any], backend: Any):
        recipe = RECIPES[spec["recipe"]]
        self.batch, self.steps, self.examples = spec["batch"], spec["steps"], spec["examples"]
        self.model, self.optimizer = recipes.build(recipe, backend), Adam(recipe.lr)
        self.optimizer.start(self.model.parameters)
        self.runner = runner_for(self.model, self.batch)
        self.feeds = self.runner.feeds(recipes.source(recipes.examples(recipe, self.examples)))
        self.watch, self.epoch = Watch(backend), 0

    def block(self) -> tuple[float, list[float]]:
        """A block of steps in an order drawn before it -> milliseconds a step, each loss."""
        self.epoch += 1
        order = randomness.permutation(self.examples, SEED, self.epoch)[: self.steps * self.batch]
        self.runner.set_clock(randomness.clock(SEED, self.epoch))
        done, runner = list[Any](), self.runner
        steps = runner.steps(self.feeds, order, self.batch, self.optimizer, lambda: False)
        ms = self.watch.time(lambda: done.extend(steps)) / self.steps
        return ms, [step.terms["loss"] for step in done]


def pooled(cupy: Any) -> int:
    """Bytes of device memory that CuPy's arrays have taken so far; the pool gives none back."""
    pool = cupy.get_default_memory_pool()
    if hasattr(pool, "total_bytes"):
        return pool.total_bytes()
    free, total = cupy.cuda.runtime.memGetInfo()  # the emulator's pool keeps no account
    return total - free


def ours(spec: dict[str, Any], line: Line) -> None:
    """A contestant of a race: first its first step, then blocks of steps."""
    line.listen()
    cupy = require_cupy()
    before = pooled(cupy)
    backend = get_backend("cupy", precision=spec["precision"])
    training = Training(spec, backend)
    with training.runner:
        training.block()
        mib, recipe = (pooled(cupy) - before) / MIB, RECIPES[spec["recipe"]]
        first = recipes.first_step(recipe, training.batch, backend)
        line.say(**first, mib=mib, flops=recipe.work(training.batch).flops)
        while True:
            blocks = line.listen()["blocks"]
            line.say(ms=[training.block()[0] for _ in range(blocks)])


def graphs(spec: dict[str, Any], line: Line) -> None:
    """One row: a recipe's steps as graphs and one by one; same: how many losses are equal."""
    ms, losses = list[float](), list[list[float]]()
    for graph in (True, False):
        training = Training(spec, get_backend("cupy", graph=graph))
        with training.runner:
            blocks = [training.block() for _ in range(spec["blocks"] + 1)]
        ms.append(median(spent for spent, _ in blocks[1:]))
        losses.append([loss for _, found in blocks for loss in found])
    row = {"recipe": spec["recipe"], "batch": spec["batch"], "graph_ms": ms[0], "eager_ms": ms[1]}
    same = sum(a == b for a, b in zip(*losses, strict=True))
    line.say(**row, ratio=ms[1] / ms[0], losses=len(losses[0]), same=same)


def digits(smoke: bool) -> list[Images]:
    """Training and test images (n, 784): MNIST if SCRATCHAE_DATA is set, else generated ones."""
    sizes, name = SMOKE_IMAGES if smoke else IMAGES, datasets.TITLES["strokes"]
    if os.environ.get("SCRATCHAE_DATA"):
        found = [(split.pixels, split.name) for split in datasets.load("mnist")]
    else:
        found = [(pixels, name) for pixels, _ in datasets.strokes.load(*sizes)]
    pairs = zip(found, sizes, strict=True)
    return [Images(pixels[:n].reshape(n, -1), name=name) for (pixels, name), n in pairs]


def job(spec: dict[str, Any], line: Line) -> None:
    """A row a run of the main job: the dense VAE, ten epochs of ``fit``, on a new backend.

    total_s is all of ``fit``: training, evaluation, what is made and loaded before the first step.
    """
    (train, test), recipe = digits(spec["smoke"]), RECIPES["dense_vae"]
    epochs, batch = (SMOKE_EPOCHS, SMOKE_BATCH) if spec["smoke"] else (EPOCHS, BATCH)
    sizes: dict[str, Any] = {"epochs": epochs, "batch_size": batch, "validation": test}
    for number in range(1, spec["runs"] + 1):
        model = recipes.build(recipe, get_backend("cupy", precision=spec["precision"]))
        began = time.perf_counter()
        history = fit(model, train, Adam(recipe.lr), **sizes)
        row = {"total_s": time.perf_counter() - began, "training_s": sum(history["seconds"])}
        row |= {"data": train.name, "images": len(train), "precision": spec["precision"]}
        row |= {"run": number, "first_epoch_s": history["seconds"][0]}
        line.say(**row, test_loss=history["test_loss"][-1])
