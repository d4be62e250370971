"""Counts without an end: what the table does not hold comes back too, at the length that is
said."""

import math

import numpy as np
import pytest
from coding.claims import bits_of_x, length
from coding.models import counts, images
from sentences import one_sentence

import scratchae as sa
from scratchae import coding
from scratchae.coding.message import Exhausted, Message
from scratchae.coding.symbols import LENGTHS, Counts, pop, push, table_of
from scratchae.kernels.rans import M
from scratchae.likelihoods.poisson import LARGEST

RATES = [1e-8, 0.02, 1.0, 7.5, 51.0, 60.0, 1e3, 1e6]


def exact(k, rate):
    """P(x = k), one at a time."""
    return math.exp(k * math.log(rate) - rate - math.lgamma(k + 1))


@pytest.mark.parametrize("rate", RATES)
def test_the_table_is_the_distribution(rate):
    p, a = sa.Poisson(), np.array([[math.log(rate)]])
    first, table = int(p.first(a)[0, 0]), table_of(p, a)[0].astype(np.int64)
    share = np.diff(table) / M
    due = np.array([exact(first + c, rate) for c in range(len(share) - 1)])
    assert np.abs(share[:-1] - due).max() < (len(share) + 1) / M + 1e-9
    assert share[-1] < 4 * len(share) / M  # what is not in the table is rarer than a share
    assert len(share) < 13 * math.sqrt(rate) + 20


def test_each_place_has_a_table_of_its_own():
    """One of a small rate beside one of a large: the same shares as alone, and what is in no table
    is rare."""
    p, rates = sa.Poisson(), [0.5, 1e5, 30.0]
    table = table_of(p, np.log([rates])).astype(np.int64)
    both = np.diff(table[:, :-1])
    assert (M - table[:, -2] < 4 * table.shape[1]).all()
    assert p.first(np.log([rates])).tolist() == [[0, 98094, 0]]
    for row, rate in zip(both, rates, strict=True):
        alone = np.diff(table_of(p, np.log([[rate]]))[0, :-1].astype(np.int64))
        n = min(len(alone), len(row))
        np.testing.assert_allclose(row[:n], alone[:n], atol=2 + row[:n].max() * len(row) / M)


@pytest.mark.parametrize("rate", [*RATES, 1e-300, 1e300])
def test_what_the_table_does_not_hold_comes_back(rate):
    """In any order, the stack as before, and at the length that is said: counts at the ends of the
    table, and far from them."""
    p, a = sa.Poisson(), np.array([[math.log(rate)]])
    first, last = int(p.first(a)[0, 0]), table_of(p, a).shape[1] - 2
    near = [max(first + n, 0) for n in (-2, -1, 0, 1, last - 1, last, last + 1)]
    for numbers in ([*near, 0, 1, 10**6, 2**40, 2**53 - 1], [2**53 - 1, *near[::-1]]):
        k, message = np.array(numbers), Message.empty()
        a = np.full((1, len(k)), math.log(rate))
        message.pop(np.tile(np.array([[0, M // 2, M]], np.uint32), (200, 1)))
        before, state = length(message), int(message.state[0])
        push(message, k, p, a)
        assert length(message) - before == pytest.approx(bits_of_x(p, a, k), abs=0.01)
        np.testing.assert_array_equal(pop(message, p, a), k)
        assert (length(message), int(message.state[0])) == (before, state)


def test_a_number_of_64_bits_is_none():
    """Chance asks for it, where the data is none that anybody compressed."""
    p, a, message = sa.Poisson(), np.zeros((1, 1)), Message.empty()
    push(message, np.array([2**53 - 1]), p, a)
    table = table_of(p, a)
    assert message.pop(table)[0] == table.shape[1] - 2
    message.pop(LENGTHS)
    message.push(np.array([63]), LENGTHS)
    message.push(np.array([table.shape[1] - 2]), table)
    with pytest.raises(Exhausted, match="64 bits"):
        pop(message, p, a)


@pytest.mark.parametrize("a", [-3e38, -1e4, 0.0, 36.0, 88.7, 3e38])
def test_log_rates_at_their_ends(a):
    """However far off the decoder is, the table is one and the counts come back."""
    p, k = sa.Poisson(), np.array([0, 3, 10**9, 2**53 - 1])
    logs, message = np.full((1, 4), a, np.float32), Message.empty()
    share = np.diff(table_of(p, logs).astype(np.int64), axis=1)
    assert (share >= 1).all() and (share.sum(axis=1) == M).all() and share.shape[1] < 17_000
    push(message, k, p, logs)
    np.testing.assert_array_equal(pop(message, p, logs), k)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_that_never_saw_such_counts(dtype):
    model = counts(dtype=dtype)
    x = images(model, 30)
    x[3, 1, 1], x[7, :, 0], x[29] = 2**24, 5000, 77
    found = coding.decompress(model, coding.compress(model, x, batch_size=4))
    np.testing.assert_array_equal(found, x)


def test_counts_that_the_dtype_does_not_hold():
    x = np.full((2, 4, 3), 2.0**24 + 1)
    words = "from 0 on, not all are told apart in float32, .* build it with dtype='float64'"
    one_sentence(lambda: coding.compress(counts(), x), ValueError, words)
    model = counts(dtype="float64")
    np.testing.assert_array_equal(coding.decompress(model, coding.compress(model, x)), x)


def test_what_are_no_counts():
    model, x = counts(dtype="float64"), np.ones((2, 4, 3))
    for value, words in ((0.5, "takes counts"), (-1, "takes counts"), (LARGEST, "below 2.53 are")):
        x[1, 2, 0] = value
        one_sentence(lambda: coding.compress(model, x), ValueError, words)


def test_only_poisson_has_no_end():
    assert isinstance(sa.Poisson(), Counts)
    assert not any(isinstance(p(), Counts) for p in (sa.Bernoulli, sa.DiscretisedLogistic))
