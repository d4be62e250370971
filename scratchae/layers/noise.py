"""Layers that spoil what they are handed, in training only: corruptions for denoising
autoencoders, and dropout.

The noise is drawn anew for each example and epoch, by Philox, from a stream that the layer has
alone in its model (layers/base.py, ``place``); it lies in a buffer, so that backward sees what
forward saw. Noise acts where the clock says training; ``evaluate`` draws under another purpose,
and ``encode``, ``decode`` and ``reconstruct`` never draw: y = x then. The corruptions take
in_evaluation=True, for held-out losses measured on corrupted data as well.

A denoising autoencoder has its corruption as the first layer of the encoder,
Sequential(Masking(0.3), ...): the target of its reconstruction is then still the clean x.
"""

import math
from typing import Any

from ..backend import Array, Backend
from ..checks import flag, real
from ..kernels.kernel import Kernel
from ..kernels.noise import GATE, GAUSSIAN_NOISE, GAUSSIAN_NOISE_GRADIENT, MASK, SALT_AND_PEPPER
from ..kernels.philox import NORMAL, UNIFORM
from ..parameters import Declared
from ..randomness import NOISE
from ..settings import Fixed, Number
from .base import Layer, Range, Shape


class _Noise(Layer):
    """What all have in common: one number of noise for each of x, and on (1,), whether it acts.

    on = 1 in training, or always if asked, else 0; 0 until the first draw              (1)
    """

    stream: int = NOISE
    in_evaluation: bool = False
    draws_for_samples = True
    noise_kernel: Kernel = UNIFORM

    def place(self, stream: int) -> int:
        """Draw from that stream of noise -> the next free one. Source: layers/base.py."""
        self.stream = stream
        return stream + 1

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Any shape -> (the same, no parameters)."""
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, dx (rows, *shape), noise (rows, numbers of a row), on (1,)."""
        self.fill, self.gate = backend.op(self.noise_kernel), backend.op(GATE)
        self.draws, self.on = backend.zeros((rows, math.prod(self.shape))), backend.zeros((1,))
        self.y = backend.empty((rows, *self.shape))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None

    def draw(self, rows: Array, clock: Array) -> None:
        """Fill the noise of the examples rows (N,), sample k of an example at the positions from k
        times the numbers of a row on, and set on.

        Source: kernels/philox.py."""
        N = rows.shape[0]
        self.fill(self.draws[: N * self.samples].reshape(N, -1), rows, clock, self.stream)
        self.gate(self.on, clock, self.in_evaluation)  # (1)

    def _flat(self, N: int) -> Array:
        """The noise of N rows, (N numbers of a row,)."""
        return self.draws[:N].reshape(-1)


def _clip(what: str, value: Any) -> tuple[float, float] | None:
    """None, or two finite numbers low < high. Raises ValueError otherwise."""
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(
            f"{what} is {value!r}, but it must be None or (low, high), such as (0.0, 1.0)"
        )
    low, high = (real(what, v, -math.inf) for v in value)
    if low >= high or math.isinf(low):
        raise ValueError(f"{what} is {value!r}, but low must be finite and below high")
    return low, high


class GaussianNoise(_Noise):
    """Noise is added: y = x + sigma eps, eps ~ N(0, I), cut to a range if asked.

    Shapes: x, eps, y (N, *any).

        a = x + sigma eps                         where it acts; a = x elsewhere        (2)
        y = min(max(a, low), high)                                                      (3)
        dx = dy where low <= a <= high, else 0                                          (4)

    sigma: in units of x. clip: (low, high), such as (0.0, 1.0) for images, or None: then dx = dy.
    in_evaluation: whether ``evaluate`` sees noise too. Raises ValueError for sigma below 0 and for
    what is no range. Source: Vincent et al., "Stacked denoising autoencoders", 2010, section 3.3;
    kernels/noise.py (2) to (4).
    """

    noise_kernel = NORMAL
    sigma, clip = Number(0), Fixed(_clip)
    in_evaluation = Fixed(flag, False)

    def __init__(
        self, sigma: float, clip: tuple[float, float] | None = None, in_evaluation: bool = False
    ):
        self.sigma, self.clip, self.in_evaluation = sigma, clip, in_evaluation

    @property
    def noise(self) -> float:
        """sigma."""
        return self.sigma

    def range(self, before: Range) -> Range:
        """The clip, or any without one; with sigma = 0 that of x, cut. Source: (3)."""
        low, high = self.clip or (-math.inf, math.inf)
        if self.sigma > 0 or before is None:
            return low, high
        return min(max(before[0], low), high), min(max(before[1], low), high)

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, dx (rows, *shape), eps (rows, numbers of a row), on (1,)."""
        super().bind(backend, rows, need_dx)
        self.need_dx = need_dx
        self.add_noise, self.gradient = (
            backend.op(GAUSSIAN_NOISE),
            backend.op(GAUSSIAN_NOISE_GRADIENT),
        )
        self.bounds = self.clip or (-math.inf, math.inf)
        if self.clip is None:
            self.dx = None  # it would be dy

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *shape)."""
        self.x, y = x, self.y[: x.shape[0]]
        eps = self._flat(x.shape[0])
        self.add_noise(
            y.reshape(-1), x.reshape(-1), eps, self.on, self.sigma, *self.bounds
        )  # (2) (3)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *shape) -> dx (N, *shape)."""
        if self.dx is None:
            return dy if self.need_dx else None
        N, x = dy.shape[0], self.x.reshape(-1)
        dx, eps = self.dx[:N], self._flat(N)
        self.gradient(
            dx.reshape(-1), dy.reshape(-1), x, eps, self.on, self.sigma, *self.bounds
        )  # (4)
        return dx


class Masking(_Noise):
    """Numbers are lost: y = x m, m = 0 with probability p, else 1.

    Shapes: x, m, f, y (N, *any).

        m = 0 with probability p, else 1                                                (5)
        f = m                                     where it acts; f = 1 elsewhere        (6)
        y = f x,   dx = f dy                                                            (7)

    p: of losing a number. What stays is not scaled: this is corruption, not dropout.
    in_evaluation: whether ``evaluate`` sees it too. Raises ValueError unless 0 <= p < 1.
    Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders",
    2008, section 2.3; kernels/noise.py (5) to (7).
    """

    p = Number(0, 1)
    in_evaluation = Fixed(flag, False)

    @property
    def keep(self) -> float:
        """The factor of what stays."""
        return 1.0

    @property
    def noise(self) -> float:
        """p."""
        return self.p

    def range(self, before: Range) -> Range:
        """x or 0."""
        return before and (min(self.keep * before[0], 0.0), max(self.keep * before[1], 0.0))

    def __init__(self, p: float, in_evaluation: bool = False):
        self.p, self.in_evaluation = p, in_evaluation

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, dx (rows, *shape), u (rows, numbers of a row), on (1,)."""
        super().bind(backend, rows, need_dx)
        self.mask = backend.op(MASK)

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *shape)."""
        y, u = self.y[: x.shape[0]], self._flat(x.shape[0])
        self.mask(y.reshape(-1), x.reshape(-1), u, self.on, self.p, self.keep)  # (5) (6) (7)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *shape) -> dx (N, *shape)."""
        if self.dx is None:
            return None
        dx, u = self.dx[: dy.shape[0]], self._flat(dy.shape[0])
        self.mask(dx.reshape(-1), dy.reshape(-1), u, self.on, self.p, self.keep)  # (7)
        return dx


class SaltAndPepper(Masking):
    """Numbers become 0 or 1, each with probability p / 2, and else stay.

    Shapes: x, f, s, y (N, *any).

        s = 1 for half of what is lost, else 0;   s = 0 where it does not act           (8)
        y = f x + s,   dx = f dy                  (5) and (6) say f, as in Masking      (9)

    p: of losing a number. in_evaluation: whether ``evaluate`` sees it too. Raises ValueError
    unless 0 <= p < 1.
    Source: Vincent et al., "Stacked denoising autoencoders", 2010, section 3.3; kernels/noise.py
    (5) to (9).
    """

    def __init__(self, p: float, in_evaluation: bool = False):
        self.p, self.in_evaluation = p, in_evaluation

    def range(self, before: Range) -> Range:
        """x, 0 or 1. Source: (9)."""
        return before and (min(before[0], 0.0), max(before[1], 1.0))

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y, dx (rows, *shape), u (rows, numbers of a row), on (1,)."""
        super().bind(backend, rows, need_dx)
        self.spoil = backend.op(SALT_AND_PEPPER)

    def forward(self, x: Array) -> Array:
        """x (N, *shape) -> y (N, *shape)."""
        y, u = self.y[: x.shape[0]], self._flat(x.shape[0])
        self.spoil(y.reshape(-1), x.reshape(-1), u, self.on, self.p)  # (8) (9)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N, *shape) -> dx (N, *shape)."""
        return super().backward(dy)  # (9)


class Dropout(Masking):
    """Units are left out of a step: y = x m / (1 - p), so that the mean over m is x.

    Shapes: x, m, f, y (N, *any); m = 0 with probability p, else 1.

        f = m / (1 - p)                           in training; f = 1 elsewhere          (6)
        y = f x,   dx = f dy,                     which are (7) of Masking

    Raises ValueError unless 0 <= p < 1. Source: Srivastava et al., "Dropout: a simple way to
    prevent neural networks from overfitting", 2014, sections 4 and 10 (scaled in training);
    kernels/noise.py (5) to (7).
    """

    def __init__(self, p: float):
        self.p = p

    @property
    def keep(self) -> float:
        """The factor of what stays. Source: (6)."""
        return 1 / (1 - self.p)  # (6)
