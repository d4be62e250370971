"""The stack that symbols lie on: a state and words of 32 bits, and what is below the first of
them."""

from typing import Self

import numpy as np

from .. import randomness
from ..kernels.philox import WORDS
from ..kernels.rans import POP, PUSH


class Exhausted(ValueError):
    """A symbol is asked of a stack that has none."""


def initial(n: int) -> np.ndarray:
    """The first n words (n,) uint32 below every stack: the same for all, and as good as random.
    Source: kernels/philox.py (2)."""
    out = np.empty((1, n), np.uint32)
    WORDS.definition(out, np.zeros(1, np.uint32), randomness.clock(0), randomness.CODING)
    return out[0]


def first_state() -> int:
    """The state of a stack that nothing was pushed to: its topmost bit is 1, the others as good as
    random."""
    high, low = (int(word) for word in initial(2))
    return (high | 1 << 31) << 32 | low


class Message:
    """A stack of whole numbers, and below it words that everybody knows, as many as are asked for.

    Bits-back takes its first z from the stack before anything was put there. What it takes then is
    part of what is sent, and is found again at the end of decoding, to the bit. A message that was
    received has no more than it brings.

    Shapes: words (...,) uint32, of which ``height`` are the stack; symbols (S,) int64; a table
    (S, C + 1) uint32. Source: kernels/rans.py (2) to (6); Townsend et al. 2019, section 2.3, on
    the initial bits.
    """

    def __init__(self, state: int, words: np.ndarray, endless: bool):
        self.state, self.height = np.array([state], np.uint64), np.array([len(words)])
        self.words, self.endless = words.copy(), endless
        self.known = 0  # words at the bottom that come from ``initial``
        self.lowest = len(words)  # words that were never touched

    @classmethod
    def empty(cls) -> Self:
        """One to push to."""
        return cls(first_state(), np.empty(0, np.uint32), endless=True)

    def push(self, symbols: np.ndarray, table: np.ndarray) -> None:
        """Put symbols (S,) on it, each by its row of the table. Raises ValueError for others than
        the table has."""
        S, C = len(table), table.shape[1] - 1
        if symbols.shape != (S,) or symbols.min() < 0 or symbols.max() >= C:
            raise ValueError(
                f"there are {len(symbols)} symbols from {symbols.min()} to {symbols.max()}, but "
                f"{S} from 0 to {C - 1} are expected: look at symbols and below of the likelihood"
            )
        if (due := int(self.height[0]) + len(symbols)) > len(self.words):
            self.words = np.concatenate([self.words, np.empty(due, np.uint32)])
        PUSH(self.state, self.height, self.words, symbols, table)

    def pop(self, table: np.ndarray) -> np.ndarray:
        """Take one symbol for each row of the table, -> (S,) in the order in which they were
        pushed. Raises Exhausted."""
        if self.endless and int(self.height[0]) < len(table):
            self._deepen(len(table))
        symbols = np.empty(len(table), np.int64)
        POP(symbols, self.state, self.height, self.words, table)
        if self.height[0] < 0:
            raise Exhausted("there are no more words")
        self.lowest = min(self.lowest, int(self.height[0]))
        return symbols

    def _deepen(self, more: int) -> None:
        """More of the words that everybody knows, below the others."""
        below = initial(self.known + more)[self.known :][::-1]
        self.words = np.concatenate([below, self.words])
        self.known, self.lowest = self.known + more, self.lowest + more
        self.height += more

    @property
    def taken(self) -> int:
        """How many of the words that everybody knows were taken."""
        return self.known - self.lowest

    def sent(self) -> tuple[int, np.ndarray]:
        """The state, and the words (n,) that are not known."""
        return int(self.state[0]), self.words[self.lowest : int(self.height[0])]

    def is_empty(self, taken: int) -> bool:
        """Whether nothing is left of one that was received but the words that its sender had
        taken."""
        left = self.words[: int(self.height[0])]
        as_before = len(left) == taken and bool((left == initial(taken)[::-1]).all())
        return as_before and int(self.state[0]) == first_state()
