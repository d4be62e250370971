"""What can be coded: x and z as whole numbers, each with a table of its probabilities.

A count n without an end, where the table of its distribution has none, is its length and its bits:

    L = length of n + 1 in bits, 1 of 64, each as likely; then all bits but the first     (1)
"""

from statistics import NormalDist
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..kernels.bins import GAUSSIAN_BELOW
from ..kernels.rans import BITS, TABULATE, M
from .message import Exhausted, Message

MOST = 1 << 16  # symbols of a distribution: the table's least shares are then 1/256 of it
BINS = 10  # bits of a bin of z
STEEPEST = 700.0  # log sigma, either way: exp of it is a float64
LENGTHS = np.arange(65, dtype=np.uint32)[None] * np.uint32(M // 64)  # (1)
COIN = np.array([[0, M // 2, M]], np.uint32)


@runtime_checkable
class Symbols(Protocol):
    """A likelihood whose x are whole numbers from 0 to C - 1, P of them an example.

    Shapes: x (N, ...) and a (N, ...) as in the likelihood, k (N, P) int64. ``symbols`` is x as
    whole numbers, and raises ValueError where it is none; ``data`` is the way back, for rows of x
    of that shape. ``below`` is P(k_p < c | a) for c = 1 to C - 1, (N, P, C - 1) float64, a
    function of each row of a alone and of nothing else: the same a, the same bits. Source:
    kernels/rans.py (1)."""

    def symbols(self, x: np.ndarray) -> np.ndarray: ...

    def data(self, k: np.ndarray, shape: tuple[int, ...]) -> np.ndarray: ...

    def below(self, a: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Counts(Symbols, Protocol):
    """A likelihood whose x are whole numbers of at least 0, without an end.

    Shapes: as Symbols. ``first`` is the least number k_p of the table, (N, P) int64, and ``below``
    is P(first_p <= k_p < first_p + c | a): the last symbol, C - 1, is every number that is not in
    the table, which is written behind it. It is asked for one row of a at a time, and how long its
    table is may depend on that. Source: the module, (1)."""

    def first(self, a: np.ndarray) -> np.ndarray: ...


def push(message: Message, k: np.ndarray, likelihood: Any, a: np.ndarray) -> None:
    """Put the symbols k (P,) on the message by p(x | a), one row of a, (1, ...)."""
    table = table_of(likelihood, a)
    if isinstance(likelihood, Counts):
        last = table.shape[1] - 2
        symbols = k - likelihood.first(a)[0]
        beyond = (symbols < 0) | (symbols >= last)
        for n in k[beyond].tolist():
            _push_count(message, n)
        k = np.where(beyond, last, symbols)
    message.push(k, table)


def pop(message: Message, likelihood: Any, a: np.ndarray) -> np.ndarray:
    """Take the symbols (P,) from the message by p(x | a), one row of a, (1, ...). Raises
    Exhausted."""
    table = table_of(likelihood, a)
    symbols = message.pop(table)
    if not isinstance(likelihood, Counts):
        return symbols
    k = symbols + likelihood.first(a)[0]
    for p in np.flatnonzero(symbols == table.shape[1] - 2)[::-1]:
        k[p] = _pop_count(message)
    return k


def _push_count(message: Message, n: int) -> None:
    """Put a whole number 0 <= n < 2^62 on the message. Source: the module, (1)."""
    bits = np.array([int(bit) for bit in f"{n + 1:b}"], np.int64)
    if len(bits) > 1:
        message.push(bits[1:], np.tile(COIN, (len(bits) - 1, 1)))  # (1)
    message.push(np.array([len(bits) - 1]), LENGTHS)  # (1)


def _pop_count(message: Message) -> int:
    """Take such a number. Raises Exhausted for one that is none. Source: the module, (1)."""
    length, n = int(message.pop(LENGTHS)[0]), 1  # (1)
    if length == 63:
        raise Exhausted("no number has 64 bits")
    for bit in message.pop(np.tile(COIN, (length, 1))).tolist():  # (1)
        n = 2 * n + bit
    return n - 1


def table_of(likelihood: Any, a: np.ndarray) -> np.ndarray:
    """The table (P, C + 1) of p(x | a) for one row of a, (1, ...). Raises ValueError for more than
    2^16 symbols. Source: kernels/rans.py (1)."""
    below = np.ascontiguousarray(likelihood.below(a)[0], np.float64)
    P, C = below.shape[0], below.shape[1] + 1
    if C > MOST:
        raise ValueError(f"x has {C:,} symbols, but at most {MOST:,} are coded: make bins of them")
    return _tabulated(below, np.empty((P, C + 1), np.uint32))


def _tabulated(below: np.ndarray, table: np.ndarray) -> np.ndarray:
    TABULATE(table, below)
    return table


class Bins:
    """A Gaussian z (N, D) as D whole numbers: the bins of N(0, 1) that have equal mass, 2^10 of
    them.

        z_b = quantile((b + 1/2) / 2^10), the middle of its bin by mass                 (1)
        p(b) = 2^-10                                                                    (2)
        q(b | x) = Phi((e_(b+1) - mu) / sigma) - Phi((e_b - mu) / sigma),
                   e_b = quantile(b / 2^10)                                             (3)

    What z loses by the bins, q loses too: the length is that of the ELBO as long as a bin is
    small beside sigma. Source: Townsend, Bird, Barber, "Practical lossless compression with latent
    variables using bits back coding", ICLR 2019, section 3.2 (maximum entropy discretisation).
    """

    def __init__(self, dimensions: int):
        n, quantile = 1 << BINS, NormalDist().inv_cdf
        self.centres = np.array([quantile((b + 0.5) / n) for b in range(n)])  # (1)
        self.edges = np.array([quantile(b / n) for b in range(1, n)])  # (3)
        share = np.arange(n + 1, dtype=np.uint32) << np.uint32(BITS - BINS)  # (2)
        self.prior = np.tile(share, (dimensions, 1))
        self.below = np.empty((dimensions, n - 1))
        self.table = np.empty_like(self.prior)

    def posterior(self, mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
        """mu, logvar (D,) -> the table of q, (D, 2^10 + 1), valid until the next call."""
        half = np.clip(logvar.astype(np.float64) / 2, -STEEPEST, STEEPEST)
        GAUSSIAN_BELOW(self.below, mu.astype(np.float64), np.exp(half), self.edges)  # (3)
        return _tabulated(self.below, self.table)
