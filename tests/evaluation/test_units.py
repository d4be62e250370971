"""Nats per example in bits per dimension."""

import math

import numpy as np
import pytest
from sentences import one_sentence

import scratchae as sa
from scratchae.evaluation import ByLabel, LogLikelihood, bits_per_dimension


def test_a_uniform_density_costs_8_bits_a_pixel():
    """Of 256 values on [0, 1], and of the same pixels as 0 to 255, whose density is 1 / 256."""
    assert bits_per_dimension(0.0, (28, 28, 1), bin=1 / 256) == pytest.approx(8, rel=1e-14)
    as_they_are = -784 * math.log(256)
    assert bits_per_dimension(as_they_are, (28, 28, 1)) == pytest.approx(8, rel=1e-14)


def test_a_fair_coin_costs_one_bit_a_pixel():
    model = sa.VAE(sa.Dense(6, 2), sa.Dense(1, 6), sa.Gaussian(1)).build(6, dtype="float64")
    for name in model.weights:
        model.weights[name] = np.zeros(model.weights[name].shape)
    found = sa.evaluation.log_likelihood(model, np.eye(6), 20)
    np.testing.assert_allclose(bits_per_dimension(found.each, 6), 1, rtol=1e-12)


@pytest.mark.parametrize("c", [2.0, 1 / 255])
def test_the_unit_of_x_does_not_matter(c):
    """Pixels x and c x cost the same where the bin is c as wide."""
    log_p = np.array([3.0, -4.0])
    scaled = log_p - 12 * math.log(c)  # the density of c x
    expected = bits_per_dimension(log_p, (3, 4), bin=0.1)
    np.testing.assert_allclose(bits_per_dimension(scaled, (3, 4), bin=0.1 * c), expected)


def test_shapes_and_infinities():
    assert type(bits_per_dimension(-3, 2)) is float
    assert bits_per_dimension([-1.0, -np.inf], 1).tolist() == [1 / math.log(2), np.inf]
    assert bits_per_dimension(np.zeros((2, 3)), (4,)).shape == (2, 3)


def test_what_was_found_will_do_as_it_is():
    """Bits of each example, whose mean has the standard error of the nats in bits."""
    each = np.array([-4.0, -7.0, -9.5])
    for found in (LogLikelihood(each, np.ones(3), 5), ByLabel(each[:, None], np.ones(1))):
        bits = bits_per_dimension(found, (2, 3), 0.1)
        np.testing.assert_array_equal(bits, bits_per_dimension(each, (2, 3), 0.1))
    error = LogLikelihood(each, np.ones(3), 5).standard_error / (6 * math.log(2))
    assert bits.std(ddof=1) / math.sqrt(3) == pytest.approx(error, rel=1e-12)


@pytest.mark.parametrize("nats", ["a", None, object(), [True], ["1"], {}])
def test_what_are_no_numbers(nats):
    one_sentence(lambda: bits_per_dimension(nats, 3), TypeError, r"^log p\(x\) is .*, but numbers")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((0.0, (28, 0)), "the shape of an example's size is 0"),
        ((0.0, 784, 0.0), "bin is 0"),
        ((0.0, 784, -1), "bin is -1"),
        ((0.0, 784, float("nan")), "bin is nan"),
    ],
)
def test_bad_input(arguments, words):
    one_sentence(lambda: bits_per_dimension(*arguments), ValueError, words)
