"""rANS alone: any distribution, any symbols, there and back to the bit, at the length that is
due."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchae.kernels import bins, rans

QUICK = settings(derandomize=True, deadline=None, database=None, max_examples=40)
SPELLINGS = {
    "definition": (rans.tabulate, rans.push, rans.pop),
    "loop": (rans.TABULATE, rans.PUSH, rans.POP),
}
CASE = st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 300)


def distributions(rng, S, C):
    """below (S, C - 1): even, steep and certain ones."""
    p = rng.dirichlet(np.full(C, rng.choice([0.01, 0.3, 10.0])), size=S)
    return np.cumsum(p, axis=1)[:, :-1]


def tables(below, tabulate=rans.TABULATE):
    table = np.full((len(below), below.shape[1] + 2), 77, np.uint32)
    tabulate(table, np.ascontiguousarray(below))
    return table


def stack(rng, height=50, space=100):
    """A stack with something on it: state, height, words."""
    state = np.array([rng.integers(rans.LEAST, 2**63)], np.uint64)
    words = rng.integers(2**32, size=height + space, dtype=np.uint32)
    return state, np.array([height]), words


def seen(state, height, words):
    """What the stack is."""
    return int(state[0]), words[: int(height[0])].tolist()


def bits(stack):
    """How long it is."""
    state, words = seen(*stack)
    return math.log2(state) + 32 * len(words)


@pytest.mark.parametrize("spelling", SPELLINGS)
@QUICK
@given(*CASE)
def test_what_was_pushed_is_popped_and_the_stack_is_as_before(spelling, seed, S, C):
    rng, (tabulate, push, pop) = np.random.default_rng(seed), SPELLINGS[spelling]
    mine, table = stack(rng), tables(distributions(rng, S, C), tabulate)
    before, k, found = seen(*mine), rng.integers(C, size=S), np.empty(S, np.int64)
    push(*mine, k, table)
    pop(found, *mine, table)
    assert found.tolist() == k.tolist() and seen(*mine) == before
    pop(found, *mine, table)  # the other way about: what bits-back does with z
    push(*mine, found, table)
    assert seen(*mine) == before


@QUICK
@given(*CASE)
def test_the_loops_are_the_definitions_to_the_bit(seed, S, C):
    found = []
    for tabulate, push, pop in SPELLINGS.values():
        rng = np.random.default_rng(seed)
        mine, table = stack(rng), tables(distributions(rng, S, C), tabulate)
        push(*mine, rng.integers(C, size=S), table)
        pushed, k = seen(*mine), np.empty(S, np.int64)
        for _ in range(2):
            pop(k, *mine, table)
        found.append((table.tolist(), pushed, k.tolist(), seen(*mine)))
    assert found[0] == found[1]


@QUICK
@given(*CASE)
def test_a_table_has_a_share_for_every_symbol(seed, S, C):
    below = distributions(np.random.default_rng(seed), S, C)
    table = tables(below).astype(np.int64)
    share = np.diff(table, axis=1)
    assert (table[:, 0] == 0).all() and (table[:, -1] == rans.M).all() and (share >= 1).all()
    p = np.diff(below, axis=1, prepend=0, append=1)
    assert np.abs(share / rans.M - p).max() <= (C + 1) / rans.M


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_table_stands_what_rounding_does(spelling):
    """F that falls a little, ends above 1 or begins below 0."""
    below = np.array([[0.5, 0.5 - 1e-16, 1 - 1e-16, 1.0, 1 - 1e-16, 1 + 1e-9, 7.0, 0.2]])
    below = np.concatenate([below, below - 0.6])
    share = np.diff(tables(below, SPELLINGS[spelling][0]).astype(np.int64), axis=1)
    assert (share >= 1).all() and (share.sum(axis=1) == rans.M).all()


@pytest.mark.parametrize("C", [2, 3, 256])
def test_the_length_is_the_information(C):
    """log2(M / freq) bits a symbol, to 1e-5 of a bit."""
    rng = np.random.default_rng(C)
    mine, table = stack(rng, space=10_000), tables(distributions(rng, 5000, C))
    k, before = rng.integers(C, size=5000), bits(mine)
    rans.PUSH(*mine, k, table)
    freq = np.diff(table.astype(np.int64), axis=1)[np.arange(5000), k]
    due = np.log2(rans.M / freq).sum()
    assert bits(mine) - before == pytest.approx(due, abs=5000 * 1e-5)


def test_symbols_of_their_own_probabilities_take_the_entropy():
    rng, p = np.random.default_rng(0), np.array([0.7, 0.2, 0.06, 0.04])
    table = tables(np.tile(np.cumsum(p)[:-1], (20_000, 1)))
    mine = stack(rng, space=30_000)
    before = bits(mine)
    rans.PUSH(*mine, rng.choice(4, size=20_000, p=p), table)
    entropy = -(p * np.log2(p)).sum()
    deviation = np.sqrt((p * np.log2(p) ** 2).sum() - entropy**2)
    assert abs((bits(mine) - before) / 20_000 - entropy) < 4 * deviation / 20_000**0.5


def test_what_is_popped_from_chance_has_the_distribution():
    """Bits-back draws z so: chi^2 of 4 symbols, 3 degrees of freedom, below its 0.999 quantile."""
    rng, p = np.random.default_rng(1), np.array([0.4, 0.3, 0.2, 0.1])
    table = tables(np.tile(np.cumsum(p)[:-1], (20_000, 1)))
    k = np.empty(20_000, np.int64)
    rans.POP(k, *stack(rng, height=20_000), table)
    due = 20_000 * p
    assert ((np.bincount(k) - due) ** 2 / due).sum() < 16.27


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_stack_that_runs_out_says_so(spelling):
    _, _, pop = SPELLINGS[spelling]
    table = tables(np.full((40, 1), 0.5))
    state, height, words = stack(np.random.default_rng(0), height=0)
    pop(np.empty(40, np.int64), state, height, words, table)
    assert height[0] == -1


def test_a_state_at_its_ends():
    """The least and the largest state, the least and the largest share: 1 of M, and all of it."""
    for table in (tables(np.array([[0.0]])), tables(np.array([[1.0]])), tables(np.empty((1, 0)))):
        for first in (2**32, 2**32 + 1, 2**63, 2**64 - 1):
            for k in range(table.shape[1] - 1):
                state, height = np.array([first], np.uint64), np.array([0])
                words, found = np.zeros(2, np.uint32), np.empty(1, np.int64)
                rans.PUSH(state, height, words, np.array([k]), table)
                assert int(state[0]) >= rans.LEAST
                rans.POP(found, state, height, words, table)
                assert (found[0], int(state[0]), height[0]) == (k, first, 0)


def test_a_gaussian_over_bins_is_the_definition():
    rng = np.random.default_rng(0)
    mu, sigma = rng.normal(size=50) * 3, np.exp(rng.normal(size=50) * 3)
    edges = np.sort(rng.normal(size=99) * 2)
    loop, definition = np.empty((2, 50, 99))
    bins.GAUSSIAN_BELOW(loop, mu, sigma, edges)
    bins.gaussian_below(definition, mu, sigma, edges)
    np.testing.assert_allclose(loop, definition, rtol=0, atol=1e-15)
    assert (np.diff(loop, axis=1) >= -1e-16).all() and loop.min() >= 0 and loop.max() <= 1
