"""Our side of gpu.py: the recipes on the GPU, whole steps of them in blocks, timed by the GPU's own events.

A contestant is a generator: it yields an answer a turn and is sent what the next turn is to do.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks.shared import recipes
from benchmarks.shared.recipes import RECIPES, SEED, Recipe
from scratchae import Adam, get_backend, randomness
from scratchae.backend.cuda.driver import require_cupy
from scratchae.execution.runner import runner_for
from scratchae.layers.sequential import leaves

Contestant = Generator[dict[str, Any], dict[str, Any], None]

MIB = 1 << 20
THREADS, BLOCKS = 256, 1 << 16  # of a launch, at most
CORRUPT = """
extern "C" __global__ void corrupt(float* y, const float* x, const float* eps, float sigma, int n)
{
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < unsigned(n); i += gridDim.x * blockDim.x)
        y[i] = fminf(fmaxf(x[i] + sigma * eps[i], 0.0f), 1.0f);
}
"""


class Corrupt(recipes.Corrupt):
    """The denoiser's noise in one launch: y = clip(x + sigma eps, 0, 1); x, eps, y (N, ...).

    recipes.py does it by NumPy's functions, which CuPy would launch on another stream than the rest.
    Source: as recipes.Corrupt.
    """

    corrupt: Any = None  # the function, compiled when it is first needed

    def bind(self, backend: Any, rows: int, need_dx: bool) -> None:
        """Buffers as recipes.Corrupt."""
        super().bind(backend, rows, need_dx)
        self.backend = backend

    def forward(self, x: Any) -> Any:
        """x (N, ...) -> y (N, ...)."""
        if self.corrupt is None:
            module = self.backend.cupy.RawModule(code=CORRUPT, options=("-std=c++17",))
            self.corrupt = module.get_function("corrupt")
        y = self.y[: len(x)]
        grid = (min(-(-y.size // THREADS), BLOCKS),)
        with self.backend.stream:
            self.corrupt(
                grid,
                (THREADS,),
                (y, x, self.eps[: len(x)], np.float32(self.sigma), np.int32(y.size)),
            )
        return y


def build(recipe: Recipe, backend: Any) -> Any:
    """The recipe's model with its first weights, on that backend."""
    model = recipe.model()
    first, *others = model.objective.encoder.layers
    if isinstance(first, recipes.Corrupt):
        model.objective.encoder.layers = (Corrupt(first.sigma), *others)
    return recipes.build(replace(recipe, model=lambda: model), backend)


class Watch:
    """Milliseconds that a backend's stream took, from before the first launch until all is done."""

    def __init__(self, backend: Any):
        self.cuda, self.stream = backend.cupy.cuda, backend.stream
        self.events = [self.cuda.Event(), self.cuda.Event()]

    def time(self, work: Callable[[], Any]) -> float:
        """Of work(), the host's share included where the GPU waited for it."""
        began, ended = self.events
        began.record(self.stream)
        work()
        ended.record(self.stream)
        ended.synchronize()
        return self.cuda.get_elapsed_time(began, ended)


def pooled(cupy: Any) -> int:
    """Bytes of device memory that CuPy's arrays have taken so far; the pool gives none back."""
    pool = cupy.get_default_memory_pool()
    if hasattr(pool, "total_bytes"):
        return pool.total_bytes()
    free, total = cupy.cuda.runtime.memGetInfo()  # the emulator's pool keeps no account
    return total - free


class Training:
    """Whole steps of a recipe's model on a backend: gather, scale, noise, forward, loss, backward, Adam.

    spec: the recipe's name, batch: N, steps: of a block, examples: how many (n, ...) lie on the GPU.
    """

    def __init__(self, spec: dict[str, Any], backend: Any):
        recipe = RECIPES[spec["recipe"]]
        self.batch, self.steps, self.examples = spec["batch"], spec["steps"], spec["examples"]
        self.backend, self.epoch = backend, 0
        self.model, self.optimizer = build(recipe, backend), Adam(recipe.lr)
        self.optimizer.start(self.model.parameters)
        self.runner = runner_for(self.model, self.batch)
        self.feeds = self.runner.feeds(recipes.source(recipes.examples(recipe, self.examples)))
        self.watch = Watch(backend)

    def block(self) -> tuple[float, list[float]]:
        """One block of steps in an order drawn before it -> milliseconds a step, the loss of each."""
        self.epoch += 1
        order = randomness.permutation(self.examples, SEED, self.epoch)[: self.steps * self.batch]
        self.runner.set_clock(randomness.clock(SEED, self.epoch))
        totals: list[np.ndarray] = []
        steps = self.runner.steps(self.feeds, order, self.batch, self.optimizer, lambda: False)
        ms = self.watch.time(lambda: totals.extend(steps)) / self.steps
        return ms, [self.runner.objective.loss(total)["loss"] for total in totals]

    def first_step(self) -> dict[str, Any]:
        """As recipes.first_step, of the rows 0 to N - 1: weights, noise (if any), loss, norms of the gradients."""
        parameters, replica = self.model.parameters, self.runner.replicas[0]
        self.runner.set_clock(randomness.clock(SEED, 1))
        total = self.runner.gradients(self.feeds, np.arange(self.batch, dtype=np.uint32))
        gradients = self._on_host(parameters.views(self.runner.grads[0])).values()
        parts: list[Any] = [
            getattr(replica, "latent", None),
            *(layer for _, layer in leaves("", replica.encoder)),
        ]
        drawn = [
            self.backend.to_host(part.eps[: self.batch]) for part in parts if hasattr(part, "eps")
        ]
        return {
            **self._on_host(parameters.views()),
            **({"eps": drawn[0]} if drawn else {}),
            "loss": self.runner.objective.loss(total)["loss"],
            "gradients": [
                float(np.linalg.norm(g.astype(np.float64))) / self.batch for g in gradients
            ],
        }

    def _on_host(self, views: dict[str, Any]) -> dict[str, np.ndarray]:
        return {name: self.backend.to_host(view) for name, view in views.items()}


def ours(spec: dict[str, Any]) -> Contestant:
    """A contestant of a race: first its first step, then blocks of steps."""
    cupy = require_cupy()
    before = pooled(cupy)
    training = Training(spec, get_backend("cupy", precision=spec["precision"]))
    with training.runner:
        first = training.first_step()
        np.savez(spec["first_step"], **first)
        training.block()
        answer = {name: first[name] for name in ("loss", "gradients")}
        answer |= {
            "mib": (pooled(cupy) - before) / MIB,
            "flops": recipes.flops(training.model, training.batch),
        }
        while True:
            order = yield answer
            answer = {"ms": [training.block()[0] for _ in range(order["blocks"] + 1)][1:]}


def graphs(spec: dict[str, Any]) -> Contestant:
    """One row: a recipe's steps as graphs and launched one by one, and whether the losses have the same bits."""
    ms, losses = [], []
    for graph in (True, False):
        training = Training(spec, get_backend("cupy", graph=graph))
        with training.runner:
            blocks = [training.block() for _ in range(spec["blocks"] + 1)]
        ms.append(median(spent for spent, _ in blocks[1:]))
        losses.append([loss for _, found in blocks for loss in found])
    row = {"recipe": spec["recipe"], "batch": spec["batch"], "graph_ms": ms[0], "eager_ms": ms[1]}
    yield row | {"ratio": ms[1] / ms[0], "equal": losses[0] == losses[1], "losses": len(losses[0])}
