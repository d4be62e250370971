"""Our images and convolutions in PyTorch, without a pad or a slice wherever there is a way.

Along one axis a layer of ours pads lo pixels before the image and hi after it; a transposed one
leaves out as many. Its patches may leave pixels unread, which hi < 0 says. PyTorch pads lo on both
sides, and reads no patch that is not whole; a transposed convolution of its output_padding =
lo - hi. So it fits where

    0 <= lo   and   lo - stride < hi <= lo                                                  (1)

and that is false of TensorFlow's "same" on an even image: hi = lo + 1. There images and kernels
are mirrored along the axis, which exchanges lo and hi: exactly the same function. Where some
layers fit in one way and some in the other, that way is taken in which fewer numbers are padded or
sliced. Where neither fits (an even kernel, "same", stride 1), PyTorch pads as well.

A sequence (T, C) is an image of one pixel's height, as it is within PyTorch's Conv1d, and so has
both layouts. Layers are known by the names of their classes, so this file imports nothing of the
library.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONVOLUTIONS = ("Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d")
Amounts = list[tuple[int, int]]  # for height and width: before and after


class Apply(nn.Module):
    """A function of x that has no parameters."""

    def __init__(self, f: Callable[[Tensor], Tensor]):
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


@torch.no_grad()
def fill(*pairs: tuple[Any, np.ndarray]) -> None:
    """Copy arrays into tensors."""
    for tensor, values in pairs:
        tensor.copy_(torch.tensor(values.copy()))


def image(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(H, W, C), or (T, C) as (1, T, C)."""
    return shape if len(shape) == 3 else (1, *shape)


@dataclass(frozen=True)
class Side:
    """A layer along one axis: kernel and stride, pixels before and after the image."""

    kernel: int
    stride: int
    lo: int
    hi: int

    @property
    def fits(self) -> bool:
        """(1)."""
        return self.lo >= 0 and self.lo - self.stride < self.hi <= self.lo

    @property
    def padding(self) -> int:
        """PyTorch's."""
        return self.lo if self.fits else max(min(self.lo, self.hi), 0)

    def mirrored(self, yes: bool) -> Self:
        """From the other end, if so."""
        return replace(self, lo=self.hi, hi=self.lo) if yes else self


def sides(layer: Any) -> list[Side]:
    """Of one of our layers with patches, declared: along height and width."""
    if type(layer).__name__ == "MaxPool2d":
        kernels, strides, before = zip(*[iter(layer.geometry)] * 2, strict=True)
        axes = [*zip(kernels, strides, before, layer.shape, layer.output, strict=False)]
    else:
        both = getattr(layer, "plane", layer).axes
        axes = [(a.kernel, a.stride, a.before, a.pixels, a.patches) for a in both]
    return [Side(k, s, lo, (P - 1) * s + k - lo - H) for k, s, lo, H, P in axes]


def extra(layer: Any, axis: int, mirror: bool) -> float:
    """How many numbers of a row are padded or sliced for that axis of that layer."""
    kind, side = type(layer).__name__, sides(layer)[axis].mirrored(mirror)
    if side.fits:
        return 0
    transposed = kind.startswith("ConvTranspose")
    if transposed and side.lo < 0:  # pixels that no patch reaches, before the first
        return math.inf
    return math.prod(layer.output if transposed else layer.shape)


@dataclass(frozen=True)
class Layout:
    """How PyTorch has rows of that shape: as images (N, C, H, W), or as they are.

    last: in the memory format channels_last. mirrored: along height, along width.
    """

    shape: tuple[int, ...]
    images: bool
    last: bool
    mirrored: tuple[bool, bool]

    @classmethod
    def of(cls, ours: Any, last: bool) -> Self:
        """For one of our models, declared or built."""
        objective, shape = ours.objective, ours.objective.shape
        layers = [*objective.encoder.layers, *objective.decoder.layers]
        images = len(shape) > 1 and not any(type(one).__name__ == "LSTM" for one in layers)
        found = [one for one in layers if type(one).__name__ in (*CONVOLUTIONS, "MaxPool2d")]

        def cost(axis: int, mirror: bool) -> float:
            return sum(extra(one, axis, mirror) for one in found)

        turned = [images and cost(axis, True) < cost(axis, False) for axis in range(2)]
        return cls(shape, images, last, (turned[0], turned[1]))

    def mirror(self, a: np.ndarray, first: int) -> np.ndarray:
        """a whose axes first and first + 1 are height and width, mirrored as images are."""
        return np.flip(a, tuple(first + axis for axis in range(2) if self.mirrored[axis]))

    def order(self, shape: tuple[int, ...]) -> np.ndarray:
        """Which element of our row of that shape stands at each place of PyTorch's row."""
        ours = np.arange(math.prod(shape))
        if not self.images:
            return ours
        ours = self.mirror(ours.reshape(image(shape)), 0)
        return (ours if self.last else ours.transpose(2, 0, 1)).ravel()

    def tensor(self, data: np.ndarray) -> Tensor:
        """Our rows (n, ...) in memory as a batch is gathered from."""
        if self.images:
            data = self.mirror(data.reshape(len(data), *image(data.shape[1:])), 1)
            data = data if self.last else data.transpose(0, 3, 1, 2)
        return torch.from_numpy(data.copy())

    def batch(self, data: Tensor, rows: Tensor) -> Tensor:
        """Those rows as (N, D), (N, T, I) or (N, C, H, W), scaled."""
        x = batch_of(data, rows)
        return x.permute(0, 3, 1, 2) if self.images and self.last else x


def batch_of(data: Tensor, rows: Tensor) -> Tensor:
    """Those rows (N, ...) as they are stored, uint8 scaled to [0, 1]."""
    x = data.index_select(0, rows)  # a third of the time of data[rows]
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def adjusted(amounts: Amounts, value: float, x: Tensor) -> Tensor:
    """x (N, C, H, W) with so many pixels more before and after, or fewer where below 0."""
    for axis, (lo, hi) in enumerate(amounts, start=2):
        first, left_out = max(-lo, 0), max(-hi, 0)
        x = x.narrow(axis, first, x.shape[axis] - first - left_out)
    (top, bottom), (left, right) = ((max(lo, 0), max(hi, 0)) for lo, hi in amounts)
    pads = [left, right, top, bottom]
    return F.pad(x, pads, value=value) if any(pads) else x


def patched(make: Any, found: list[Side], value: float) -> list[nn.Module]:
    """A module with patches, and before it what its padding cannot do, with that value."""
    kernel, stride, padding = zip(*((s.kernel, s.stride, s.padding) for s in found), strict=True)
    module = make(kernel_size=kernel, stride=stride, padding=padding)
    if all(s.fits for s in found):
        return [module]
    amounts = [(0, 0) if s.fits else (s.lo - s.padding, s.hi - s.padding) for s in found]
    return [Apply(partial(adjusted, amounts, value)), module]


def pooling(layer: Any, layout: Layout) -> list[nn.Module]:
    """Of our MaxPool2d, whose border never wins."""
    found = [s.mirrored(m) for s, m in zip(sides(layer), layout.mirrored, strict=True)]
    return patched(nn.MaxPool2d, found, -math.inf)


def transposed(make: Any, found: list[Side]) -> list[nn.Module]:
    """A module whose inputs paint patches, and after it the slice that its padding cannot do."""
    kernel, stride, padding = zip(*((s.kernel, s.stride, s.padding) for s in found), strict=True)
    more = tuple(s.lo - s.hi if s.fits else 0 for s in found)
    module = make(kernel_size=kernel, stride=stride, padding=padding, output_padding=more)
    if all(s.fits for s in found):
        return [module]
    amounts = [(0, 0) if s.fits else (s.padding - s.lo, s.padding - s.hi) for s in found]
    return [module, Apply(partial(adjusted, amounts, 0.0))]


def convolution(layer: Any, layout: Layout, W: np.ndarray, b: np.ndarray) -> list[nn.Module]:
    """Of any of our convolutions; W (kh, kw, C, O) or (k, C, O), transposed (..., O, C)."""
    found = [s.mirrored(m) for s, m in zip(sides(layer), layout.mirrored, strict=True)]
    if type(layer).__name__.startswith("ConvTranspose"):
        modules = transposed(partial(nn.ConvTranspose2d, layer.inputs, layer.outputs), found)
    else:
        modules = patched(partial(nn.Conv2d, layer.inputs, layer.outputs), found, 0.0)
    module = next(one for one in modules if not isinstance(one, Apply))
    W = layout.mirror(W.reshape(-1, *W.shape[-3:]), 0)
    # (O, C, kh, kw); of the transposed one (C, O, kh, kw)
    fill((module.weight, W.transpose(3, 2, 0, 1)), (module.bias, b))
    return modules
