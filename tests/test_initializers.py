"""Initial weights: the variance that each promises, its bounds, and the same draws for
everybody."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import Conv2d, ConvTranspose2d, Dense, initializers
from scratchae.initializers import Normal, TensorDraws

IN, OUT, SHAPE = 300, 100, (300, 400)

# name: (initialiser, its variance, the kurtosis of its shape, its bound)
UNIFORM, NORMAL = 9 / 5, 3.0
CASES = {
    "glorot_uniform": (
        initializers.glorot_uniform,
        2 / (IN + OUT),
        UNIFORM,
        np.sqrt(6 / (IN + OUT)),
    ),
    "glorot_normal": (initializers.glorot_normal, 2 / (IN + OUT), NORMAL, np.inf),
    "he_uniform": (initializers.he_uniform, 2 / IN, UNIFORM, np.sqrt(6 / IN)),
    "he_normal": (initializers.he_normal, 2 / IN, NORMAL, np.inf),
    "torch_uniform": (initializers.torch_uniform, 1 / (3 * IN), UNIFORM, 1 / np.sqrt(IN)),
    "Normal": (Normal(0.02), 0.02**2, NORMAL, np.inf),
    "zeros": (initializers.zeros, 0.0, 0.0, 0.0),
}
CASE = pytest.mark.parametrize("name", CASES)


def draw(name, seed=1, tensor=0, shape=SHAPE):
    return CASES[name][0](shape, IN, OUT, TensorDraws(seed, tensor))


def has_the_moments(x, variance, kurtosis, bound):
    """Mean, variance and fourth moment within 4 standard errors, all of x within the bound."""
    n, fourth = x.size, kurtosis * variance**2
    eighth = variance**4 * (9 if kurtosis == UNIFORM else 105)
    assert abs(x.mean()) <= 4 * np.sqrt(variance / n)
    assert abs((x**2).mean() - variance) <= 4 * np.sqrt((fourth - variance**2) / n)
    assert abs((x**4).mean() - fourth) <= 4 * np.sqrt((eighth - fourth**2) / n)
    assert np.abs(x).max() <= bound


@CASE
def test_variance_and_bounds(name):
    x, (_, variance, kurtosis, bound) = draw(name), CASES[name]
    assert x.shape == SHAPE and x.dtype == np.float64
    has_the_moments(x, variance, kurtosis, bound)
    if 0 < bound < np.inf:
        assert np.abs(x).max() > 0.999 * bound  # and they go all the way


@CASE
def test_a_variance_that_is_four_percent_off_is_seen(name):
    x, (_, variance, kurtosis, _) = draw(name), CASES[name]
    with pytest.raises(AssertionError):
        has_the_moments(1.02 * x + (name == "zeros"), variance, kurtosis, np.inf)


@CASE
def test_draws_belong_to_seed_and_tensor(name):
    x = draw(name)
    np.testing.assert_array_equal(draw(name), x)
    np.testing.assert_array_equal(draw(name, shape=(400, 300)), x.reshape(400, 300))
    if name != "zeros":
        assert (draw(name, seed=2) != x).mean() > 0.99
        assert (draw(name, tensor=1) != x).mean() > 0.99


@pytest.mark.parametrize(
    "layer, shape, fans",
    [
        (Dense(7, 5), (7,), (7, 5)),
        (Conv2d(3, 8, (3, 5)), (9, 9, 3), (45, 120)),
        (ConvTranspose2d(3, 8, (3, 5)), (9, 9, 3), (45, 120)),
    ],
    ids=["Dense", "Conv2d", "ConvTranspose2d"],
)
def test_fans(layer, shape, fans):
    """A unit of a convolution sees a whole patch: its fans are kernel area times channels."""
    asked = []

    def record(shape, fan_in, fan_out, noise):
        asked.append((fan_in, fan_out))
        return np.zeros(shape)

    vars(layer).update(init=record, init_b=record)  # no file could name it
    for shape_, init in layer.declare(shape)[1].values():
        assert init(noise=TensorDraws(0, 0)).shape == shape_
    assert asked == [fans, fans]  # W and b


def test_signal_keeps_its_size(rng):
    """The argument itself: 20 layers of relu under He, forward; under Glorot, x and dx through one
    matrix."""
    x = rng.normal(size=(300, 300))
    for layer in range(20):
        x = np.maximum(x @ initializers.he_normal((300, 300), 300, 300, TensorDraws(0, layer)), 0)
    assert 1 / 3 < (x**2).mean() < 3  # 2^20 off, were half the variance lost in each
    W = initializers.glorot_uniform((300, 100), 300, 100, TensorDraws(0, 0))
    assert np.var(rng.normal(size=(500, 300)) @ W) == pytest.approx(1.5, rel=0.1)  # 2 I / (I + O)
    # 2 O / (I + O)
    assert np.var(rng.normal(size=(500, 100)) @ W.T) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_a_standard_deviation_must_be_one(sigma):
    with pytest.raises(
        ValueError, match=r"Normal\(sigma\) is .*, but it must be a number at least 0"
    ):
        Normal(sigma)


@pytest.mark.parametrize("shape", [(4, 16), (16, 4), (5, 5), (1, 4), (1, 1)])
def test_orthogonal_keeps_lengths(shape):
    W = initializers.orthogonal(shape, *shape, TensorDraws(3, 1))
    product = W @ W.T if shape[0] <= shape[1] else W.T @ W
    assert W.shape == shape
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-14)


def test_orthogonal_matrices_are_all_as_likely():
    """Without the signs of Mezzadri the diagonal would be negative far more often than not."""
    drawn = np.array(
        [initializers.orthogonal((3, 3), 3, 3, TensorDraws(seed, 0)) for seed in range(2000)]
    )
    assert np.abs(drawn.mean(axis=0)).max() < 5 / np.sqrt(3 * 2000)
    assert np.abs((drawn**2).mean(axis=0) - 1 / 3).max() < 0.04


def test_orthogonal_draws_matrices():
    with pytest.raises(ValueError, match=r"matrices, not \(3, 3, 1, 2\)"):
        initializers.orthogonal((3, 3, 1, 2), 9, 18, TensorDraws(0, 0))


def test_the_forget_gate_starts_open():
    np.testing.assert_array_equal(
        initializers.lstm_bias((8,), 3, 8, TensorDraws(0, 0)), [0, 0, 1, 1, 0, 0, 0, 0]
    )


def named(shape, fan_in, fan_out, *, noise):
    return noise.normal(shape)


def test_an_initialiser_may_take_the_noise_by_name():
    sa.Autoencoder(sa.Dense(6, 3, init=named), sa.Dense(3, 6)).build(6)


def without_noise(shape, fan_in, fan_out):
    return np.zeros(shape)


def test_an_initialiser_of_other_arguments():
    with pytest.raises(
        TypeError, match=r"is .*, but a function \(shape, fan_in, fan_out, noise\)"
    ):
        sa.Dense(6, 3, init=without_noise)


def test_a_spread_that_float32_cannot_hold():
    with pytest.raises(ValueError, match=r"sigma\) is 1e\+300, but float32"):
        sa.initializers.Normal(1e300)
