"""Initial weights, with the variance argument behind each.

For y = x W with I inputs and O outputs, independent weights of mean 0 and inputs of mean square 1,

    Var(y) = I Var(W)        going forward,     Var(dx) = O Var(W) Var(dy)   going back.

    Glorot    keeps both about 1:               Var(W) = 2 / (I + O)                    (1)
    He        relu halves the mean square:      Var(W) = 2 / I                          (2)
    PyTorch   U(-r, r) with r = 1 / sqrt(I):    Var(W) = 1 / (3 I)                      (3)
    uniform   U(-r, r) has the variance r^2/3:  r = sqrt(3 Var(W))                      (4)
    orthogonal  no direction grows or shrinks, however often: |x W| = |x| where W W^T = 1  (5)

An initialiser is a function (shape, fan_in, fan_out, noise) -> float64 host array of that shape,
where noise.uniform(shape) and noise.normal(shape) are Philox draws that belong to this tensor
and this call alone.

Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
networks", 2010, eq. 12 and 16 (1); He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015, eq.
10 (2); PyTorch's ``nn.Linear.reset_parameters`` (3); Saxe, McClelland, Ganguli, "Exact solutions
to the nonlinear dynamics of learning in deep linear neural networks", 2014 (5).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from . import randomness
from .checks import real32

__all__ = [
    "Normal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lstm_bias",
    "orthogonal",
    "torch_uniform",
    "zeros",
]


@dataclass
class TensorDraws:
    """Draws on the host for one tensor: uniform(shape) in [0, 1) and normal(shape).

    seed: the run's; tensor: its number, in place of the epoch. calls: how many there were, of both
    kinds. The k-th takes row k of the counter, so that no two calls share a word, and an
    initialiser may draw as often as it likes: a mask and what it covers are independent. Source:
    kernels/philox.py.
    """

    seed: int
    tensor: int
    calls: int = 0

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draws in [0, 1), float64, of that shape. Source: kernels/philox.py (4)."""
        return self._call(randomness.uniform, shape)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal draws, float64, of that shape. Source: kernels/philox.py (6)."""
        return self._call(randomness.normal, shape)

    def _call(self, draw: Callable[..., np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        flat, row = (1, math.prod(shape)), self.calls
        self.calls += 1
        return draw(flat, self.seed, randomness.WEIGHTS, self.tensor, row).reshape(shape)


class Initializer(Protocol):
    """Any function of this signature, a reader's own too: shape -> array of that shape. Source:
    the module."""

    def __call__(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
    ) -> np.ndarray: ...


def _symmetric(shape: tuple[int, ...], r: float, noise: TensorDraws) -> np.ndarray:
    return r * (2.0 * noise.uniform(shape) - 1.0)


def glorot_uniform(
    shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
) -> np.ndarray:
    """Uniform with variance 2 / (fan_in + fan_out), of that shape. Source: Glorot and Bengio 2010,
    eq. 16."""
    variance = 2.0 / (fan_in + fan_out)  # (1)
    return _symmetric(shape, np.sqrt(3.0 * variance), noise)  # (4)


def glorot_normal(
    shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
) -> np.ndarray:
    """Normal with variance 2 / (fan_in + fan_out), of that shape. Source: Glorot and Bengio 2010,
    eq. 12."""
    return np.sqrt(2.0 / (fan_in + fan_out)) * noise.normal(shape)  # (1)


def he_normal(shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws) -> np.ndarray:
    """Normal with variance 2 / fan_in, of that shape. Source: He et al. 2015, eq. 10."""
    return np.sqrt(2.0 / fan_in) * noise.normal(shape)  # (2)


def he_uniform(
    shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
) -> np.ndarray:
    """Uniform with variance 2 / fan_in, of that shape. Source: He et al. 2015, eq. 10."""
    variance = 2.0 / fan_in  # (2)
    return _symmetric(shape, np.sqrt(3.0 * variance), noise)  # (4)


def torch_uniform(
    shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
) -> np.ndarray:
    """Uniform in +-1 / sqrt(fan_in), of that shape, weights and biases alike: PyTorch's default.

    That holds for Dense and Conv2d; PyTorch's ConvTranspose2d counts its outputs for inputs.
    Source: PyTorch's ``nn.Linear.reset_parameters``, where kaiming_uniform_(a=sqrt(5)) comes to
    the same.
    """
    return _symmetric(shape, 1.0 / np.sqrt(fan_in), noise)  # (3)


@dataclass(frozen=True)
class Normal:
    """Normal with mean 0 and a given standard deviation sigma, of any shape.

    Raises ValueError where sigma is negative or not finite. Source: Radford, Metz, Chintala,
    "DCGAN", 2016, section 4, where sigma = 0.02.
    """

    sigma: float = 0.01

    def __post_init__(self) -> None:
        real32("Normal(sigma)", self.sigma, 0)

    def __call__(
        self, shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
    ) -> np.ndarray:
        return self.sigma * noise.normal(shape)


def zeros(shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws) -> np.ndarray:
    """All zero, of that shape: the usual bias. Source: Glorot and Bengio 2010, section 2.3."""
    return np.zeros(shape)


def orthogonal(
    shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws
) -> np.ndarray:
    """Orthonormal rows, or columns where there are fewer, of a matrix (I, O); any such matrix is
    as likely.

    With fewer rows |x W| = |x|, and going back |dy W^T| is at most |dy|. The signs make the
    factors of QR unique. Raises ValueError for another number of axes. Source: Saxe et al. 2014,
    section 3; Mezzadri, "How to generate random matrices from the classical compact groups", 2007
    (the signs).
    """
    if len(shape) != 2:
        raise ValueError(f"orthogonal draws matrices, not {shape}: take another initialiser")
    normal = noise.normal(shape)
    wide = shape[0] < shape[1]
    q, r = np.linalg.qr(normal.T if wide else normal)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # (5)
    return q.T if wide else q


def lstm_bias(shape: tuple[int, ...], fan_in: int, fan_out: int, noise: TensorDraws) -> np.ndarray:
    """Zero, but 1 for the forget gates, the second quarter of (4U,). Source: Jozefowicz, Zaremba,
    Sutskever, "An empirical exploration of recurrent network architectures", 2015, section 4.2."""
    b = np.zeros(shape)
    b[shape[0] // 4 : shape[0] // 2] = 1
    return b
