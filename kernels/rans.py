"""rANS: whole numbers go onto a stack and come back, at the length that their probabilities say.

The stack is one whole number, of which the upper end is the state and the rest are words of 32
bits. A distribution over C symbols is a table of C + 1 whole numbers, from 0 to M = 2^24: the
share of symbol k is start_k = t_k, freq_k = t_(k+1) - t_k. From F_k, the probability of a symbol
below k:

    t_k = k + floor(F_k (M - C)),   t_0 = 0,   t_C = M          so that each freq is >= 1 (1)

To push k makes the state longer by log2(M / freq) bits, to pop it is the way back:

    if state >= freq 2^64 / M:   words <- state mod 2^32,   state <- floor(state / 2^32)   (2)
    state <- floor(state / freq) M + start + state mod freq                             (3)

    slot = state mod M,   k the one symbol with start <= slot < start + freq            (4)
    state <- floor(state / M) freq + slot - start                                       (5)
    if state < 2^32:   state <- 2^32 state + the last of the words                      (6)

Between two symbols 2^32 <= state < 2^64, and as 2^32 is a multiple of M, (2) and (6) move a word
for the same states: pop after push is the identity, and push after pop too, to the bit. push takes
the symbols of a table in order, pop gives them from the last to the first.

The definitions count in Python's whole numbers, which have no end. TABULATE, PUSH and POP are the
loops; a stack is one chain of steps, so there is nothing in it for a GPU.

Source: Duda, "Asymmetric numeral systems", arXiv:1311.2540, 2013, section 2; Giesen, "Interleaved
entropy coders", arXiv:1402.3392, 2014, section 2 (2, 6); Townsend, "A tutorial on the range
variant of asymmetric numeral systems", arXiv:2001.09186, 2020.
"""

import numpy as np

from .machine.compile import jit

BITS = 24  # of M
M = 1 << BITS
LEAST = 1 << 32  # the least state
STATE, WORD, PRECISION = np.uint64(64 - BITS), np.uint64(32), np.uint64(BITS)
LOW, SLOT, FULL = np.uint64(LEAST - 1), np.uint64(M - 1), np.uint64(LEAST)


def tabulate(table, below):
    """The tables of S distributions over C symbols <- what lies below each symbol.

    Shapes: table (S, C + 1) uint32, below (S, C - 1) float64: F_1 to F_(C-1). Where F falls, or
    leaves [0, 1], by rounding, the table does not."""
    S, C = table.shape[0], table.shape[1] - 1
    rising = np.maximum.accumulate(np.clip(below, 0, 1), axis=1)
    table[:, 1:C] = np.arange(1, C) + np.floor(rising * (M - C))  # (1)
    table[:, 0], table[:, C] = np.zeros(S), np.full(S, M)  # (1)


def push(state, height, words, symbols, table):
    """state (1,) uint64, height (1,) int64 and words (...,) uint32, of which that many are the
    stack, <- the same and symbols (S,), table (S, C + 1)."""
    x, h = int(state[0]), int(height[0])
    for k, t in zip(symbols, table.astype(object), strict=True):
        start, freq = t[k], t[k + 1] - t[k]
        if x >= freq * 2**64 // M:  # (2)
            words[h], x, h = x % 2**32, x // 2**32, h + 1  # (2)
        x = x // freq * M + start + x % freq  # (3)
    state[0], height[0] = x, h


def pop(symbols, state, height, words, table):
    """symbols (S,) int64, state (1,) uint64, height (1,) int64 <- state, height, words (...,)
    uint32, table (S, C + 1). Where the words run out, height is -1."""
    x, h = int(state[0]), int(height[0])
    for s in range(len(symbols) - 1, -1, -1):
        slot = x % M  # (4)
        k = int(np.searchsorted(table[s], slot, side="right")) - 1  # (4)
        start, freq = int(table[s, k]), int(table[s, k + 1]) - int(table[s, k])
        x = x // M * freq + slot - start  # (5)
        if x < LEAST:  # (6)
            h -= 1
            if h < 0:
                break
            x = 2**32 * x + int(words[h])  # (6)
        symbols[s] = k
    state[0], height[0] = x, h


@jit
def _tabulate(table, below):
    S, C = table.shape[0], table.shape[1] - 1
    for s in range(S):
        rising = 0.0
        for k in range(1, C):
            rising = max(rising, min(below[s, k - 1], 1.0))
            table[s, k] = k + np.int64(rising * (M - C))  # (1)
        table[s, 0], table[s, C] = 0, M  # (1)


@jit
def _push(state, height, words, symbols, table):
    x, h = state[0], height[0]
    for s in range(symbols.size):
        k = symbols[s]
        start = np.uint64(table[s, k])
        freq = np.uint64(table[s, k + 1]) - start
        if x >> STATE >= freq:  # (2)
            words[h] = x & LOW  # (2)
            x >>= WORD  # (2)
            h += 1
        q = x // freq
        x = (q << PRECISION) + start + (x - q * freq)  # (3)
    state[0], height[0] = x, h


@jit
def _pop(symbols, state, height, words, table):
    x, h, C = state[0], height[0], table.shape[1] - 1
    for s in range(symbols.size - 1, -1, -1):
        slot = x & SLOT  # (4)
        k, above = 0, C
        while above - k > 1:  # t_k <= slot < t_above
            middle = (k + above) // 2
            if np.uint64(table[s, middle]) <= slot:  # (4)
                k = middle
            else:
                above = middle
        start = np.uint64(table[s, k])
        freq = np.uint64(table[s, k + 1]) - start
        x = (x >> PRECISION) * freq + slot - start  # (5)
        if x < FULL:  # (6)
            h -= 1
            if h < 0:
                break
            x = (x << WORD) | np.uint64(words[h])  # (6)
        symbols[s] = k
    state[0], height[0] = x, h


TABULATE, PUSH, POP = _tabulate, _push, _pop
