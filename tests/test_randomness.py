"""Streams, seeds and draws on the host, against Philox by hand: their bits are every run's, and
nothing but a second opinion can see that they moved."""

import itertools

import numpy as np
import philox_by_hand as by_hand
import pytest

import scratchae as sa
from scratchae import initializers, randomness
from scratchae.initializers import TensorDraws
from scratchae.randomness import Draws

# seeds that differ in the lowest bits, in the third, in the 32nd, in the high word, in both words
SEEDS = [0, 1, 7, 8, 15, 2**31, 2**31 + 7, 2**32, 2**32 + 7, 7 * 2**32, 2**63 + 5, 2**64 - 1]


def test_the_second_opinion_knows_the_published_words():
    """Random123 1.14, examples/kat_vectors, philox4x32 10."""
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
    assert by_hand.block((0,) * 4, (0,) * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert by_hand.block(*pi) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def test_streams_are_never_renumbered():
    one_each = "ORDER WEIGHTS PIXELS LATENT PRIOR SHAPES PROBE OUTPUTS UPPER"
    for name in one_each.split():
        assert getattr(randomness, name) == getattr(by_hand, name), name
    assert randomness.NOISE == by_hand.NOISE and randomness.TRAINING == 0
    assert randomness.EVALUATION == by_hand.EVALUATION


@pytest.mark.parametrize("seed", SEEDS)
def test_the_key_is_all_of_the_seed(seed):
    """Its low word first, then its high word."""
    low, high, epoch, purpose = randomness.clock(seed, 3, 5).tolist()
    assert low + (high << 32) == seed and (epoch, purpose) == (3, 5)


@pytest.mark.parametrize("seed", SEEDS)
def test_draws_by_hand(seed):
    where = {"seed": seed, "stream": 5, "epoch": 9, "first": 2}
    for shape in ((3, 7), (2, 3, 2), (1, 1)):
        np.testing.assert_array_equal(
            randomness.uniform(shape, **where), by_hand.uniform(shape, **where)
        )
        np.testing.assert_allclose(
            randomness.normal(shape, **where), by_hand.normal(shape, **where), rtol=1e-14
        )
    assert randomness.permutation(20, seed, 9).tolist() == by_hand.order(20, seed, 9)


def test_no_two_seeds_draw_alike():
    """No word in common, in sixteen, of any two of them: a chance of 2^-18 for all pairs."""
    drawn = [set(by_hand.words((1, 16), seed, 0)[0].tolist()) for seed in SEEDS]
    ours = [randomness.uniform((1, 16), seed, 0)[0] for seed in SEEDS]
    for (a, x), (b, y) in itertools.combinations(zip(drawn, ours, strict=True), 2):
        assert not a & b and not np.array_equal(x, y)


KINDS = list(itertools.product(["uniform", "normal"], repeat=2))


@pytest.mark.parametrize("first, second", KINDS)
@pytest.mark.parametrize("draws", [lambda: TensorDraws(3, 2), lambda: Draws(3, 7)])
def test_every_call_draws_words_of_its_own(draws, first, second):
    """Correlated within 4 standard errors of nothing, themselves and by their squares."""
    source, n = draws(), 40_000
    a, b = (getattr(source, name)((200, 200)) for name in (first, second))
    np.testing.assert_array_equal(a, getattr(draws(), first)((200, 200)))  # the first never moves
    for x, y in ((a, b), (a**2, b**2), (a, b**2), (a[:, :-1], b[:, 1:]), (a[1:], b[:-1])):
        assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 4 / np.sqrt(n)


def masked(shape, fan_in, fan_out, noise):
    """Half of the weights are zero: an initialiser of a reader's own, which draws twice."""
    return np.where(noise.uniform(shape) < 0.5, noise.normal(shape), 0.0)


def again(shape, fan_in, fan_out, noise):
    """The sum of two draws of one kind."""
    return noise.normal(shape) + noise.normal(shape)


@pytest.mark.parametrize("seed", range(8))
def test_an_initialiser_that_draws_twice(seed):
    """What a mask leaves is as it was, variance 1; a sum of two has variance 2. Within 4 standard
    errors, which a normal variable exceeds once in 16,000 times."""
    shape = (200, 300)
    W = masked(shape, *shape, TensorDraws(seed, 0))
    kept = W[W != 0]
    assert abs(len(kept) / W.size - 0.5) < 4 * np.sqrt(0.25 / W.size)
    assert abs(kept.mean()) < 4 / np.sqrt(len(kept))
    assert abs(kept.var() - 1) < 4 * np.sqrt(2 / len(kept))
    W = again(shape, *shape, TensorDraws(seed, 0))
    assert abs(W.var() - 2) < 4 * 2 * np.sqrt(2 / W.size)


def test_the_first_call_of_an_initialiser_by_hand():
    """Row 0 of stream WEIGHTS, with the tensor's number for the epoch; the next call has row 1."""
    noise = TensorDraws(2**40 + 3, 6)
    first, second = noise.uniform((2, 5)), noise.normal((3,))
    where = {"seed": 2**40 + 3, "stream": by_hand.WEIGHTS, "epoch": 6}
    np.testing.assert_array_equal(first.ravel(), by_hand.uniform((1, 10), **where)[0])
    expected = by_hand.normal((1, 3), first=1, **where)[0]
    np.testing.assert_allclose(second, expected, rtol=1e-14)


class Smeared(sa.GaussianLikelihood):
    """A likelihood of a reader's own, which draws twice: now and then far off."""

    def sample(self, a, noise):
        far = noise.uniform(a.shape) < 0.5
        return a + self.sigma * np.where(far, noise.normal(a.shape), noise.normal(a.shape))


def test_a_likelihood_that_draws_three_times():
    x = Smeared().sample(np.zeros((400, 100)), Draws(1, by_hand.OUTPUTS))
    assert abs(x.var() - 1) < 4 * np.sqrt(2 / x.size)
    drawn = Draws(5, by_hand.OUTPUTS)
    first, second = drawn.normal((3, 4)), drawn.uniform((3, 4))
    np.testing.assert_allclose(first, by_hand.normal((3, 4), 5, by_hand.OUTPUTS), rtol=1e-14)
    np.testing.assert_array_equal(second, by_hand.uniform((3, 4), 5, by_hand.OUTPUTS, epoch=1))


def test_the_librarys_initialisers_draw_once():
    """So no weight of a model moved when calls were told apart."""
    for name in initializers.__all__:
        init, noise = getattr(initializers, name), TensorDraws(0, 0)
        init = init() if name == "Normal" else init
        init((8,) if name == "lstm_bias" else (8, 6), 8, 6, noise)
        assert noise.calls == (name not in ("zeros", "lstm_bias")), name
