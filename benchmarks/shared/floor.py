"""The time that no step of a recipe can be below: its arithmetic, or the bytes of its weights.

    floor = max(flops / peak, bytes / bandwidth)                                            (1)

flops: of the matrix products of forward, dW, and dx from the second layer with weights on; two a
multiply-add, those of a convolution with its padding among them. peak: the best of NumPy's sgemm
and of fused multiply-adds that stay in registers (limits.py), on as many threads as the step.
bytes: weights, gradients and Adam's two moments, each read once and written once, and the batch
read once as it is stored. bandwidth: of a loop over as many bytes as those four arrays take, so
that a small model is held against a cache.

Left out: activations and their gradients, which a step may keep in caches; weights that are read
again, by backward or by another part of the batch; everything that is no matrix product (bias,
activation, loss, noise, the gather, the arithmetic of Adam); calls and hand-offs between threads.
A step in smaller numbers than float32, or a convolution that multiplies less (Winograd's, the
Fourier transform's), could be below it; none here is.
"""

import math
from dataclasses import dataclass
from typing import Any

from scratchae import LSTM, ConvTranspose1d, ConvTranspose2d

KEPT = 4 * 4  # bytes of a weight, its gradient and two moments


@dataclass(frozen=True)
class Work:
    """Of a step: flops, bytes that stay (state), bytes that are moved."""

    flops: int
    state: int
    moved: int


def work(model: Any, shape: tuple[int, ...], batch: int, item: int) -> Work:
    """Of a model that need not be built, on examples of that shape, item bytes a number.

    A convolution uses a weight once for each of P Q patches, an LSTM in each of T steps, a decoder
    for each of K samples.
    """
    objective = model.objective
    declared = objective.declare(shape)
    sizes = {name: math.prod(dims) for name, (dims, _) in declared.items()}
    flops, passes = 0, 2
    for part, rows in (("encoder", batch), ("decoder", batch * objective.K)):
        for i, layer in enumerate(getattr(objective, part).layers):
            if f"{part}.{i}.W" in sizes:
                ours = isinstance(layer, (ConvTranspose1d, ConvTranspose2d, LSTM))
                grid = layer.shape if ours else layer.output
                weights = passes * sizes[f"{part}.{i}.W"] + 3 * sizes.get(f"{part}.{i}.R", 0)
                flops, passes = flops + 2 * rows * math.prod(grid[:-1]) * weights, 3
    state = KEPT * sum(sizes.values())
    return Work(flops, state, 2 * state + item * batch * math.prod(shape))


def floor(work: Work, gflops: float, gbs: float) -> dict[str, Any]:
    """Milliseconds of (1) at those rates, and which of the two it is."""
    each = {"flops": work.flops / gflops / 1e6, "bytes": work.moved / gbs / 1e6}
    limit = max(each, key=lambda name: each[name])
    return {"floor_ms": each[limit], "limit": limit, "floors": each}
