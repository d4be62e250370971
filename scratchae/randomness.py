"""Who asks for random numbers: the streams, the clock, and draws on the host.

Every draw of the library is Philox4x32-10 (see kernels/philox.py) at the counter (position // 4,
row, epoch, stream) under the seed as key. This file gives the numbers a name.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import checks
from .kernels import philox

# Streams: what a draw is for. They decide the bits of every run, so they are never renumbered.
ORDER, WEIGHTS, PIXELS, LATENT, PRIOR, SHAPES, PROBE, OUTPUTS, UPPER, CODING = range(10)

# The k-th layer of a model that draws noise has the stream NOISE + k: the encoder's layers in
# order of x, then the decoder's, and only those that draw are counted. New streams of a model's
# own parts go below it.
NOISE = 1 << 8

# Purposes: added to the stream, so that evaluating a model never moves its training.
TRAINING, EVALUATION, IMPORTANCE = 0, 1 << 16, 2 << 16


def clock(seed: int, epoch: int = 0, purpose: int = TRAINING) -> np.ndarray:
    """The (4,) uint32 array that kernels read: seed (low word, high word), epoch, purpose.

    Raises ValueError for a seed outside [0, 2^64). Source: Salmon et al. 2011, section 4 (the
    key).
    """
    seed = checks.seed(seed)
    return np.array([seed & 0xFFFFFFFF, seed >> 32, epoch, purpose], dtype=np.uint32)


def uniform(
    shape: tuple[int, ...], seed: int, stream: int, epoch: int = 0, first: int = 0
) -> np.ndarray:
    """Draws in [0, 1) on the host: shape (N, ...) -> float64, row first + n of the counter for
    example n.

    Source: kernels/philox.py (4).
    """
    return _draw(philox.UNIFORM, shape, seed, stream, epoch, first)


def normal(
    shape: tuple[int, ...], seed: int, stream: int, epoch: int = 0, first: int = 0
) -> np.ndarray:
    """Standard normal draws on the host: shape (N, ...) -> float64, row first + n for example n.

    Source: kernels/philox.py (6).
    """
    return _draw(philox.NORMAL, shape, seed, stream, epoch, first)


@dataclass
class Draws:
    """uniform(shape) and normal(shape) of one seed and stream, row n for example n: (N, ...) ->
    float64.

    calls: how many there were, of both kinds. The k-th takes epoch k, so that no two calls share a
    word: what one draws tells nothing of another. Source: kernels/philox.py (4) (6).
    """

    seed: int
    stream: int
    calls: int = 0

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draws in [0, 1), of that shape."""
        return uniform(shape, self.seed, self.stream, self._call())

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Standard normal draws, of that shape."""
        return normal(shape, self.seed, self.stream, self._call())

    def _call(self) -> int:
        """The number of this call, from 0 on."""
        self.calls += 1
        return self.calls - 1


def permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order of an epoch: (n,) uint32, a stable argsort of one word for each example.

    Source: kernels/philox.py (2); sorting random keys is Knuth, TAOCP 2, section 3.4.2.
    """
    keys = np.empty((n, 1), np.uint32)
    rows = np.arange(n, dtype=np.uint32)
    philox.WORDS.definition(keys, rows, clock(seed, epoch), ORDER)
    return np.argsort(keys[:, 0], kind="stable").astype(np.uint32)


def _draw(
    kernel: Any, shape: tuple[int, ...], seed: int, stream: int, epoch: int, first: int
) -> np.ndarray:
    out = np.empty((shape[0], int(np.prod(shape[1:]))))
    rows = np.arange(first, first + shape[0], dtype=np.uint32)
    kernel.definition(out, rows, clock(seed, epoch), stream)
    return out.reshape(shape)
