"""The parts of contact.py. Each answer is what was asked, what was found, and, where there is a
right answer, whether it is ok."""

import ctypes
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.gpu import ours
from benchmarks.shared import recipes
from benchmarks.shared.processes import Line, words
from benchmarks.shared.recipes import RECIPES
from scratchae import Adam, fit, get_backend
from scratchae.backend.cuda import source
from scratchae.backend.cuda.driver import require_cupy

SHAPES = (  # I, K, J of a (I, K) @ b (K, J)
    *((128, 784, 400), (1, 1, 1), (1, 784, 400), (17, 1, 9)),
    *((25088, 9, 32), (9, 25088, 32), (288, 1000, 64)),
)
# dtype, precision, and the largest error allowed of a product of numbers about 1, over sqrt(K)
PRODUCTS = (
    ("float32", "float32", 6e-5),
    ("float32", "tf32", 6e-2),
    ("float64", "float32", 3e-12),
)
PRECISIONS = ("float32", "tf32")
PROPERTIES = ("major", "minor", "multiProcessorCount", "l2CacheSize", "clockRate")
TRAJECTORY = 1e-3  # losses of 100 steps: relative, as in tests/conftest.py
RACES = (("dense_vae", 128), ("tf_cvae", 128), ("lstm", 32), ("ecg", 512))
LOSSES = (("dense_vae", 32), ("tf_cvae", 8))
SMOKE = (("ecg", 4),)
STEPS, BLOCKS, REPLAYS = 100, 8, 50  # of a block, blocks, replays of one graph


def machine(spec: dict[str, Any], line: Line) -> None:
    """The libraries, the driver, and what the GPU is."""
    found, cuda = ours.machine(), require_cupy().cuda
    if hasattr(cuda.runtime, "getDeviceProperties"):  # the emulator has none
        properties = cuda.runtime.getDeviceProperties(cuda.Device().id)
        found |= {name: properties.get(name) for name in PROPERTIES}
    for name, value in found.items():
        line.say(what=name, found=value)


def backends(spec: dict[str, Any], line: Line) -> None:
    """Milliseconds to a backend: the first has the context, cuBLAS and a compilation in it."""
    for number in range(1, 5):
        began = time.perf_counter()
        backend: Any = get_backend("cupy")
        ms = 1e3 * (time.perf_counter() - began)
        line.say(what=f"get_backend, time {number}, ms", found=round(ms, 1))
    blas, version = backend.gpu.blas, ctypes.c_int()
    blas.lib.cublasGetVersion_v2(blas.handle, ctypes.byref(version))
    line.say(what="cuBLAS", found=[version.value, blas.lib._name])


def compilation(spec: dict[str, Any], line: Line) -> None:
    """Every function of the kernels in both dtypes: compiled, or loaded from CuPy's cache."""
    for dtype in ("float32", "float64"):
        backend: Any = get_backend("cupy", dtype)
        began = time.perf_counter()
        names = list(islice(source.home(), 2 if spec["smoke"] else None))
        for name in names:
            backend.gpu._function(name)
        spent = round(time.perf_counter() - began, 2)
        line.say(what=f"{len(names)} functions of {dtype}, s", found=spent)


def products(spec: dict[str, Any], line: Line) -> None:
    """Products of every shape and transposition, written and added, against the host's."""
    shapes = SHAPES[1:4] if spec["smoke"] else SHAPES
    for dtype, precision, allowed in PRODUCTS:
        backend = get_backend("cupy", dtype, precision=precision)
        worst = max(_error(backend, *shape) for shape in shapes)
        what = f"products {dtype} {precision}, error"
        line.say(what=what, found=f"{worst:.1e}", ok=bool(worst <= allowed))
    backend, rng = get_backend("cupy"), np.random.default_rng(0)
    out = backend.asarray(np.ones((2, 3)))
    backend.matmul(backend.empty((2, 0)), backend.empty((0, 3)), out)
    found = float(np.abs(backend.to_host(out)).max())
    line.say(what="a product over nothing is zero", found=found, ok=found == 0)
    a, b = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 5, 2))
    out = backend.zeros((4, 3, 2))
    backend.matmul(backend.asarray(a), backend.asarray(b), out)
    off = float(np.abs(backend.to_host(out) - a @ b).max())
    line.say(what="a batch of products, error", found=f"{off:.1e}", ok=off <= PRODUCTS[0][2])


def _error(backend: Any, I: int, K: int, J: int) -> float:
    """The largest of 2 a b (I, J), over sqrt(K), for a (I, K), b (K, J) and their transposes."""
    rng, worst = np.random.default_rng(0), 0.0
    a, b = rng.normal(size=(I, K)), rng.normal(size=(K, J))
    for turned in product((False, True), repeat=2):
        there = [
            backend.asarray(np.ascontiguousarray(m.T)).T if turn else backend.asarray(m)
            for m, turn in zip((a, b), turned, strict=True)
        ]
        out = backend.zeros((I, J))
        backend.matmul(*there, out)
        backend.matmul(*there, out, add=True)
        off = np.abs(backend.to_host(out) - 2 * (a @ b)).max() / np.sqrt(K)
        worst = max(worst, float(off))
    return worst


def recording(spec: dict[str, Any], line: Line) -> None:
    """What a recorded step must refuse, with free blocks in CuPy's pool, and whether it does so
    in a sentence; whether the stream is of use afterwards."""
    backend: Any = get_backend("cupy")
    blocks = [backend.empty((1000,)) for _ in range(8)]
    del blocks
    bodies: dict[str, Callable[[], Any]] = {
        "an array": lambda: backend.empty((1000,)),
        "a copy to the host": lambda: backend.to_host(backend.gpu.partials),
        "a wait": lambda: backend.stream.synchronize(),
    }
    for name, body in bodies.items():
        said, ok = "not refused", False
        try:
            backend.capture(body)
        except Exception as error:
            said, ok = words(error), "cannot be recorded" in str(error)
        line.say(what=f"in a recorded step, {name}", found=said, ok=ok)
    out = backend.empty((3,))
    backend.write(out, 1.0)
    found = backend.to_host(out).tolist()
    line.say(what="written afterwards", found=found, ok=found == [1.0] * 3)


def losses(spec: dict[str, Any], line: Line) -> None:
    """The same 100 steps on both processors, four epochs of 25."""
    for name, batch in SMOKE if spec["smoke"] else LOSSES:
        recipe, found = RECIPES[name], []
        data = recipes.source(recipes.examples(recipe, 25 * batch))
        how: dict[str, Any] = {"epochs": 4, "batch_size": batch, "shards": 1, "progress": False}
        for backend in ("cupy", "numpy"):
            model = recipes.build(recipe, backend)
            found.append(np.array(fit(model, data, Adam(recipe.lr), **how)["train_loss"]))
        off = float(np.abs(found[0] / found[1] - 1).max())
        what = f"losses of {name}, relative difference"
        line.say(what=what, found=f"{off:.1e}", ok=off <= TRAJECTORY)


def _recorded(spec: dict[str, Any]) -> Iterator[tuple[str, ours.Training, Any, list[float]]]:
    """Name, steps, graph of a step, and milliseconds a step of each block, recipe by recipe."""
    steps, blocks = (3, 2) if spec["smoke"] else (STEPS, BLOCKS)
    for (recipe, batch), precision in product(SMOKE if spec["smoke"] else RACES, PRECISIONS):
        what = {"recipe": recipe, "batch": batch, "steps": steps}
        what["examples"] = max(20_000, steps * batch)
        training = ours.Training(what, get_backend("cupy", precision=precision))
        with training.runner:
            ms = [training.block()[0] for _ in range(blocks)]
            graph = next(g for g in training.feeds.recorder.graphs.values() if g is not None)
            yield f"{recipe} {batch} {precision}", training, graph, ms[1:]


def _replay(training: ours.Training, graph: Any) -> int:
    """Launch the graph of a step for the first steps of the last block again; how many."""
    n = min(REPLAYS, training.steps)
    backend: Any = training.runner.backend
    backend.write(training.feeds.state, 0)
    for _ in range(n):
        graph.launch(backend.stream)
    return n


def steps(spec: dict[str, Any], line: Line) -> None:
    """Microseconds of recorded steps, the host's reading of the losses included and left out; the
    nodes of a graph."""
    for name, training, graph, ms in _recorded(spec):
        line.say(what=f"{name}: us a step of steps()", found=round(1e3 * median(ms), 1))
        n, blocks = _replay(training, graph), 2 if spec["smoke"] else 20
        replay = partial(_replay, training, graph)
        us = [1e3 * training.watch.time(replay) / n for _ in range(blocks)]
        line.say(what=f"{name}: us a replay, nothing read", found=round(median(us), 1))
        if hasattr(graph, "debug_dot_str"):  # the emulator's has none
            dot = graph.debug_dot_str(1)
            Path(spec["out"], f"{name.replace(' ', '_')}.dot").write_text(dot)
            line.say(what=f"{name}: nodes", found=dot.count("shape="))


def profile(spec: dict[str, Any], line: Line) -> None:
    """Every kernel of replays, by PyTorch's profiler, which sees all of the process."""
    try:
        from torch import cuda, profiler
    except ImportError:
        return line.say(what="profile", found="left out: PyTorch is not installed")
    if not cuda.is_available():
        return line.say(what="profile", found="left out: PyTorch sees no GPU")
    file = Path(spec["out"], "kernels.txt")
    file.write_text("")
    for name, training, graph, _ in _recorded(spec):
        with profiler.profile(activities=[profiler.ProfilerActivity.CUDA]) as seen:
            n = _replay(training, graph)
            training.watch.stream.synchronize()
        events = sorted(
            (e.time_range.start, e.time_range.elapsed_us(), e.name) for e in seen.events()
        )
        lines = [f"{name}: {n} steps; start in us, duration in us, kernel"]
        lines += [f"{start:14.2f} {us:8.2f} {kernel[:100]}" for start, us, kernel in events]
        file.write_text(file.read_text() + "\n".join(lines) + "\n")
        total = sum(us for _, us, _ in events) / n
        line.say(
            what=f"{name}: kernels a step, their us", found=[len(events) / n, round(total, 1)]
        )
