"""PyTorch's side of gpu.py: the same recipes, weights and data, in every mode that is to be fast.

    eager             forward and backward as they are
    graph             the whole step of eager as one CUDA graph: torch.cuda.graph, "whole-network capture"
    compile           gather, scale, forward and loss by torch.compile, and what it derives as backward
    reduce-overhead   the same with mode="reduce-overhead": CUDA graphs, Adam outside of them
    compile+graph     the whole step of compile as one CUDA graph

Adam is the fused one. The data lies on the device, and rows are gathered there by index. cuDNN may try which of its
algorithms is the fastest; the trials and the compiler come before the timing.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.shared import recipes, torch_recipes
from benchmarks.shared.recipes import RECIPES, SEED
from benchmarks.speed.contestants import words

MIB = 1 << 20
WARM_UP = 3  # steps before a capture, as PyTorch's own guide has it

Step = Callable[[Tensor], None]


@contextmanager
def float32(precision: str) -> Iterator[None]:
    """Within it, products and convolutions of float32 are those of "float32" or "tf32"."""
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    cudnn.allow_tf32, cudnn.benchmark = precision == "tf32", True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32, cudnn.benchmark = before[1:]


class Loss(nn.Module):
    """rows (N,) -> the loss of a batch. The data is a buffer, which CUDA graphs need not copy."""

    data: Tensor

    def __init__(self, model: nn.Module, data: Tensor, last: bool):
        super().__init__()
        self.model, self.last = model, last
        self.register_buffer("data", data)

    def forward(self, rows: Tensor) -> Tensor:
        return self.model(torch_recipes.batch_of(self.data, rows, self.last))


def first_step(
    model: nn.Module, data: Tensor, eps: np.ndarray | None, last: bool
) -> dict[str, Any]:
    """As torch_recipes.first_step, of rows that lie on any device: loss and norms of the gradients."""
    rows, noise = torch.arange(len(data), device=data.device), None
    if eps is not None and eps.shape[1] == data[0].numel():
        noise = torch_recipes.tensor(eps.reshape(len(data), *recipes.IMAGE), False).to(data.device)
    elif eps is not None:
        noise = torch.tensor(eps, device=data.device)
    loss = model(torch_recipes.batch_of(data, rows, last), noise)
    gradients = torch.autograd.grad(loss, torch_recipes.trained(model))
    return {"loss": loss.item(), "gradients": [g.norm().item() for g in gradients]}


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
    """A recipe in one mode and layout, warm. spec: as Training's in gpu_ours.py; first: our first step.

    answer: its first step, and the MiB that it took at most, from its second step on.
    """

    def __init__(self, spec: dict[str, Any], first: dict[str, np.ndarray], mode: str, last: bool):
        recipe, self.batch, self.steps = RECIPES[spec["recipe"]], spec["batch"], spec["steps"]
        self.device = torch.device(spec["device"])
        on_gpu = self.device.type == "cuda"
        before = torch.cuda.memory_allocated() if on_gpu else 0
        torch.manual_seed(SEED)
        model = torch_recipes.build(spec["recipe"], first, last).to(self.device)
        data = torch_recipes.tensor(recipes.examples(recipe, spec["examples"]), last).to(
            self.device
        )
        self.answer = first_step(model, data[: self.batch], first.get("eps"), last)
        graph = mode.endswith("graph")
        self.optimizer = torch.optim.Adam(
            model.parameters(), recipe.lr, fused=True, capturable=graph
        )
        self.loss: Callable[[Tensor], Tensor] = Loss(model, data, last)
        if mode.startswith("compile") or mode == "reduce-overhead":
            compiled = None if mode.startswith("compile") else mode
            self.loss = torch.compile(self.loss, mode=compiled, dynamic=False)
        self.examples = len(data)
        self.step: Step = self.eager
        rows = self.order()[0]
        self.step(rows)
        if on_gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        if graph:
            self.step = captured(self.eager, rows)
        self.block()
        self.answer["mib"] = (torch.cuda.max_memory_allocated() - before) / MIB if on_gpu else None

    def eager(self, rows: Tensor) -> None:
        """One whole step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(rows).backward()
        self.optimizer.step()

    def order(self) -> tuple[Tensor, ...]:
        """The rows (N,) of each step of a block."""
        order = torch.randperm(self.examples, device=self.device)
        return order[: self.steps * self.batch].split(self.batch)

    def block(self) -> float:
        """One block of steps in an order drawn before it -> milliseconds a step."""
        order = self.order()

        def steps() -> None:
            for rows in order:
                self.step(rows)

        return milliseconds(self.device, steps) / self.steps


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


def theirs(spec: dict[str, Any]) -> Generator[dict[str, Any], dict[str, Any], None]:
    """A contestant of a race: the first time that a setting is named it is made, then each time blocks are run.

    A setting that fails is told as {"refused": a sentence}.
    """
    with np.load(spec["first_step"]) as file:
        first = dict(file)
    contenders: dict[tuple[str, bool], Contender] = {}

    def answer(mode: str, last: bool, blocks: int = 0) -> dict[str, Any]:
        one = contenders.get((mode, last))
        if one is not None:
            return {"ms": [one.block() for _ in range(blocks + 1)][1:]}
        contenders[mode, last] = Contender(spec, first, mode, last)
        return contenders[mode, last].answer

    with float32(spec["precision"]):
        order = yield {"torch": torch.__version__}
        while True:
            try:
                said = answer(**order)
            except Exception as error:
                said = {"refused": words(error)}
            order = yield said
