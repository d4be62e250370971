"""What a decoder says beside the mean: the parameters of p(x | h), and draws from it."""

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness

SHAPE, N = (3, 2), 4000
LIKELIHOODS = {
    "bernoulli": sa.Bernoulli,
    "gaussian": lambda: sa.GaussianLikelihood(0.3),
    "learned": lambda: sa.LearnedGaussian(0.1),
    "categorical": sa.Categorical,
}
SIGMA = {
    "bernoulli": lambda p, likelihood, a: np.sqrt(p * (1 - p)),
    "gaussian": lambda p, likelihood, a: np.full(SHAPE, 0.3),
    "learned": lambda p, likelihood, a: likelihood.sigma(a)[0],
    "categorical": lambda p, likelihood, a: np.sqrt(p * (1 - p)),
}


def parts(likelihood, inputs):
    shape = likelihood.parameters(SHAPE)
    out = sa.Dense(
        2,
        int(np.prod(shape)),
        init=sa.initializers.Normal(0.7),
        init_b=sa.initializers.Normal(0.7),
    )
    return sa.Sequential(sa.Flatten(), sa.Dense(6, inputs)), sa.Sequential(out, sa.Reshape(*shape))


def models(likelihood, **build):
    ae = sa.Autoencoder(*parts(likelihood, 2), likelihood).build(SHAPE, **build)
    return ae, sa.VAE(*parts(likelihood, 4), sa.Gaussian(2), likelihood).build(SHAPE, **build)


@pytest.mark.parametrize("kind", LIKELIHOODS)
def test_mean_and_spread_of_draws_are_those_of_the_outputs(kind, backend):
    """N draws for one code, of each value: the mean within 5 standard errors, the deviation within
    a tenth."""
    likelihood = LIKELIHOODS[kind]()
    for model in models(likelihood, backend=backend):
        h = np.tile(np.float32([[0.4, -1.2]]), (N, 1))
        a, x, mean = model.decoder_output(h), model.sample_x(h, seed=3), model.decode(h)
        assert a.shape == (N, *likelihood.parameters(SHAPE)) and x.shape == mean.shape == (
            N,
            *SHAPE,
        )
        assert x.dtype == np.float32
        np.testing.assert_array_equal(model.likelihood.mean(a), mean)
        p = mean[0].astype(np.float64)
        sigma = SIGMA[kind](p, likelihood, a[:1])
        assert np.all(np.abs(x.mean(axis=0, dtype=np.float64) - p) < 5 * sigma / np.sqrt(N))
        np.testing.assert_allclose(x.std(axis=0, dtype=np.float64), sigma, rtol=0.1)
        if kind in ("bernoulli", "categorical"):
            assert set(np.unique(x)) == {0, 1}


def test_draws_depend_on_the_seed_and_on_the_row_alone():
    model, _ = models(sa.LearnedGaussian(0.1))
    h = np.zeros((5, 2), np.float32)
    x = model.sample_x(h)
    np.testing.assert_array_equal(x, model.sample_x(h, seed=0))
    np.testing.assert_array_equal(x[:2], model.sample_x(h[:2]))
    assert not np.array_equal(x, model.sample_x(h, seed=1)) and not np.array_equal(x[0], x[1])


def test_the_noise_is_a_stream_of_its_own():
    """Not the prior's, or x would be spoilt by the very numbers that z was made of."""
    model, _ = models(sa.GaussianLikelihood(0.5), dtype="float64")
    h = np.zeros((4, 2))
    noise = randomness.normal((4, *SHAPE), 7, randomness.OUTPUTS)
    np.testing.assert_array_equal(model.sample_x(h, seed=7), model.decode(h) + 0.5 * noise)
    assert len({float(randomness.normal((4, 6), 7, stream)[0, 0]) for stream in range(8)}) == 8
    assert randomness.OUTPUTS == 7


def test_wrong_calls_are_sentences():
    error, _ = models(sa.SquaredError())
    with pytest.raises(
        TypeError, match=r"SquaredError says nothing of drawing x: choose GaussianLikelihood"
    ):
        error.sample_x(np.zeros((1, 2), np.float32))
    learned, vae = models(sa.LearnedGaussian())
    for call in (learned.decoder_output, learned.sample_x, learned.decode):
        with pytest.raises(ValueError, match=r"the code has shape \(1, 3\)"):
            call(np.zeros((1, 3), np.float32))
    with pytest.raises(ValueError, match=r"z has shape \(1, 3\)"):
        vae.decoder_output(np.zeros((1, 3), np.float32))
    with pytest.raises(RuntimeError, match=r"model\.build"):
        sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).decoder_output(np.zeros((1, 2), np.float32))
