"""Counts."""

from typing import Any

import numpy as np

from .. import checks
from ..kernels.poisson import POISSON_NLL, log_factorial
from ..parameters import Views
from .base import Likelihood

MANY = 10.0  # the rate from which on draws are by rejection
NEVER = -1e4  # log rate: exp of it is 0
MOST = 85.0  # log rate: draws of more have no float32
LARGEST = 2.0**53  # a count that can be coded: float64 has every whole number up to there
WIDE, MORE = 6.0, 8.0  # deviations, and counts, on each side of the rate that a table holds
LONGEST = 1 << 14  # counts of a table


class Poisson(Likelihood):
    """p(x | a) = rate^x exp(-rate) / x! of each count x, with log rate a from the decoder.

    Shapes: a (N, ...) log rates, x (N, ...) whole numbers of at least 0, nll (N,) in nats:

        nll = sum of exp(a) - x a + log x!,   da = exp(a) - x          kernels/poisson.py

    The mean and the variance of x are both exp(a): counts that spread more, as most do, ask for
    more of the latent than this likelihood. Counts far above 1 are large inputs of an encoder: a
    layer of your own that takes log(1 + x) first helps it. Raises ValueError for data below 0 or
    not whole. Source: Poisson's distribution; Hoermann, "The transformed rejection method for
    generating Poisson random variables", 1993, algorithm PTRS (the draws of a rate from 10 on;
    below, inversion).
    """

    kernel = POISSON_NLL
    takes_grey = scalable = False

    def check(self, x: np.ndarray) -> None:
        """Raise ValueError where x (N, ...) is no count, naming the first such index."""
        if (
            at := checks.first_where(x, lambda rows: (rows < 0) | (rows != np.rint(rows)))
        ) is None:
            return
        raise ValueError(
            f"the data is {x[at]} at index {at}, but a Poisson likelihood takes counts, whole "
            "numbers of at least 0: undo a scaling of counts, round what is nearly whole, x = "
            "np.rint(x), or choose GaussianLikelihood"
        )

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """A log rate whose exp is 0, whatever the shape. Source: kernels/poisson.py."""
        return NEVER, 0.0

    def best_output(self, x: np.ndarray) -> Views:
        """The log (...) of the mean of x (N, ...). Source: kernels/poisson.py."""
        with np.errstate(divide="ignore"):
            return {"a": np.maximum(np.log(x.mean(axis=0, dtype=np.float64)), NEVER)}

    def mean(self, a: np.ndarray) -> np.ndarray:
        """exp(a), same shape: the rate."""
        return np.exp(a)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """Counts, same shape."""
        rate = np.exp(np.minimum(a.astype(np.float64), MOST))
        x, due = _inverted(np.minimum(rate, MANY), noise.uniform(a.shape)), rate >= MANY
        rate = np.maximum(rate, MANY)
        while due.any():  # each place has draws of its own, whatever the others do
            k, taken = _proposed(rate, noise.uniform(a.shape), noise.uniform(a.shape))
            x = np.where(due & taken, k, x)
            due &= ~taken
        return x.astype(a.dtype)

    def symbols(self, x: np.ndarray) -> np.ndarray:
        """x (N, ...) counts -> (N, P). Raises ValueError for what are none, and beyond 2^53.
        Source: coding/symbols.py."""
        self.check(x)
        if (at := checks.first_where(x, lambda rows: rows >= LARGEST)) is not None:
            raise ValueError(
                f"the data is {x[at]} at index {at}, but counts below 2^53 are coded: they are "
                "no whole numbers in floating point beyond"
            )
        return x.reshape(len(x), -1).astype(np.int64)

    def data(self, k: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """k (N, P) -> x (N, *shape), the same numbers."""
        return k.reshape(len(k), *shape)

    def first(self, a: np.ndarray) -> np.ndarray:
        """a (N, ...) -> (N, P) int64, the count that the table begins with: 0, or what is far
        below the rate. Source: coding/symbols.py."""
        rate, half = _table(a)
        return np.maximum(np.floor(rate - half), 0).astype(np.int64)

    def below(self, a: np.ndarray) -> np.ndarray:
        """a (N, ...) -> (N, P, C - 1) float64: P(first <= x < first + c), c = 1 to C - 1. Source:
        kernels/poisson.py (1), each term from the one before it."""
        (rate, half), first = _table(a), self.first(a)
        p = rate[..., None] / np.maximum(first[..., None] + np.arange(int(2 * half.max()) + 1), 1)
        begin = first * np.log(np.maximum(rate, 1)) - rate - log_factorial(first)
        p[..., 0] = np.exp(begin)
        return np.cumsum(np.cumprod(p, axis=-1, out=p), axis=-1, out=p)


def _table(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a (N, ...) -> the rates (N, P), at most LARGEST, and how far a table reaches on each side of
    them, at most LONGEST / 2."""
    with np.errstate(over="ignore"):
        rate = np.minimum(np.exp(a.reshape(len(a), -1).astype(np.float64)), LARGEST)
    return rate, np.minimum(WIDE * np.sqrt(rate) + MORE, LONGEST / 2)


def _inverted(rate: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The least k whose cumulated probability is above u, same shape; rate at most MANY."""
    k, term = np.zeros(rate.shape), np.exp(-rate)
    below = term
    while (beyond := (u >= below) & (term > 0)).any():
        k = k + beyond
        term = np.where(beyond, term * rate / np.maximum(k, 1), term)
        below = np.where(beyond, below + term, below)
    return k


def _proposed(rate: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts (same shape) from a table mountain of two uniform draws, and which of them are kept.

    Source: PTRS of the class docstring, its constants too."""
    b = 0.931 + 2.53 * np.sqrt(rate)
    width, side = 0.02483 * b - 0.059, u - 0.5
    near = np.maximum(0.5 - np.abs(side), 2.0**-60)
    k = np.floor((2 * width / near + b) * side + rate + 0.43)
    scale = (1.1239 + 1.1328 / (b - 3.4)) / (width / near**2 + b)
    with np.errstate(divide="ignore"):
        log_p = k * np.log(rate) - rate - log_factorial(np.maximum(k, 0))
        kept = np.log(v) + np.log(scale) <= log_p
    quick = (near >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    return k, (k >= 0) & (quick | kept)
