"""PyTorch's part of every race: the same recipes, weights and data, in every fast mode.

    eager             forward and backward as they are
    graph             the whole step of eager as one CUDA graph, "whole-network capture"
    compile           gather, scale, forward, loss and their backward by torch.compile
    reduce-overhead   the same with mode="reduce-overhead": CUDA graphs, Adam outside of them
    compile+graph     the whole step of compile as one CUDA graph

Adam is the fused one. The data lies on the device. The trials of cuDNN and the compiler come
before the timing.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.shared import recipes, torch_recipes
from benchmarks.shared.processes import Line, interruptions, words
from benchmarks.shared.recipes import SEED
from benchmarks.shared.torch_images import Layout

MIB = 1 << 20
WARM_UP = 3  # steps before a capture, as PyTorch's guide has it

Step = Callable[[Tensor], None]


class Loss(nn.Module):
    """rows (N,) -> the loss of a batch. The data is a buffer, which CUDA graphs need not copy."""

    data: Tensor

    def __init__(self, model: nn.Module, data: Tensor, layout: Layout):
        super().__init__()
        self.model, self.layout = model, layout
        self.register_buffer("data", data)

    def forward(self, rows: Tensor) -> Tensor:
        return self.model(self.layout.batch(self.data, rows))


def captured(step: Step, rows: Tensor) -> Step:
    """step as one CUDA graph, whatever its rows (N,)."""
    held, stream = rows.clone(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step(held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(held)

    def replay(rows: Tensor) -> None:
        held.copy_(rows)
        graph.replay()

    return replay


class Contender:
    """A recipe in one mode and layout, warm. first: what is said of it before it races.

    spec: recipe, batch: N, steps: of a block, examples: how many lie on the device.
    """

    def __init__(self, spec: dict[str, Any], mode: str, last: bool):
        self.recipe, self.batch = recipes.find(spec["recipe"]), spec["batch"]
        self.device, graph = torch.device(spec["device"]), mode.endswith("graph")
        on_gpu = self.device.type == "cuda"
        before = torch.cuda.memory_allocated() if on_gpu else 0
        torch.manual_seed(SEED)
        ours = recipes.build(self.recipe)
        self.layout = Layout.of(ours, last)
        model = torch_recipes.build(ours, self.layout).to(self.device)
        self.loss = Loss(model, self.data(spec["examples"]), self.layout)
        self.call: Any = self.loss
        if mode not in ("eager", "graph"):
            compiled = mode if mode == "reduce-overhead" else None
            self.call = torch.compile(self.loss, mode=compiled, dynamic=False)
        few, eps = self.loss.data[: self.batch], recipes.noise(ours, self.batch)
        self.first = torch_recipes.first_step(model, few, eps, self.layout)
        adam: dict[str, Any] = {"lr": self.recipe.lr, "fused": True, "capturable": graph}
        self.optimizer = torch.optim.Adam(model.parameters(), **adam)
        self.step: Step = self.eager
        rows = self.order(1)[0]
        self.step(rows)
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        if graph:
            self.step = captured(self.eager, rows)
        self.block(spec["steps"])
        mib = (torch.cuda.max_memory_allocated() - before) / MIB if on_gpu else None
        self.first |= {"mib": mib, "step_ms": self.block(spec["steps"])}

    def data(self, examples: int) -> Tensor:
        """Those examples (n, ...) on the device."""
        return self.layout.tensor(recipes.examples(self.recipe, examples)).to(self.device)

    def eager(self, rows: Tensor) -> None:
        """One whole step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.call(rows).backward()
        self.optimizer.step()

    def order(self, steps: int) -> tuple[Tensor, ...]:
        """The rows (N,) of each step of a block."""
        order = torch.randperm(len(self.loss.data), device=self.device)
        return order[: steps * self.batch].split(self.batch)

    def block(self, steps: int) -> float:
        """One block of steps in an order drawn before it -> milliseconds a step."""
        order = self.order(steps)

        def work() -> None:
            for rows in order:
                self.step(rows)

        return milliseconds(self.device, work) / steps


def milliseconds(device: torch.device, work: Callable[[], None]) -> float:
    """Of work(), by the GPU's events, from before the first launch until all is done."""
    if device.type != "cuda":
        began = time.perf_counter()
        work()
        return 1e3 * (time.perf_counter() - began)
    events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    torch.cuda.synchronize()
    events[0].record()
    work()
    events[1].record()
    events[1].synchronize()
    return events[0].elapsed_time(events[1])


def theirs(spec: dict[str, Any], line: Line) -> None:
    """A contestant: it makes a setting when it is first named, and then runs blocks of it.

    A setting that cannot be made is told as {"refused": a sentence}.
    """
    tf32, cudnn = spec["precision"] == "tf32", torch.backends.cudnn
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    cudnn.allow_tf32, cudnn.benchmark = tf32, True
    torch.set_num_threads(spec["threads"])
    made: dict[tuple[str, bool], Contender] = {}
    while True:
        order = line.listen()
        mode, last = order["mode"], order["last"]
        if one := made.get((mode, last)):
            if order["examples"] != len(one.loss.data):
                one.loss.data = one.data(order["examples"])
            before = interruptions()
            ms = [one.block(order["steps"]) for _ in range(order["blocks"])]
            line.say(ms=ms, interruptions=interruptions() - before)
            continue
        try:
            made[mode, last] = Contender(spec, mode, last)
            line.say(**made[mode, last].first)
        except Exception as error:
            line.say(refused=words(error))
