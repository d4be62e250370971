"""What is claimed of the sampler, of the bound and of the terms, and is asked twice: of the code
as it is, where it holds (test_proofs.py), and of the code with a famous bug planted, where it must
not (test_bug_museum.py).

Source: Lucas et al., "Don't blame the ELBO!", 2019; and that of linear_gaussian.py.
"""

import math

import numpy as np
import pytest
from proofs.linear_gaussian import (
    DRAWS,
    LN_2PI,
    STANDARD_ERRORS,
    drawn,
    exact,
    expect,
    gap,
    linear_vae,
    sampled,
    set_posterior,
)

import scratchae as sa
from scratchae import randomness
from scratchae.execution.runner import runner_for
from scratchae.initializers import torch_uniform

# mu (4,) and logvar (4,), at the prior and off it
H = np.array([0.0, 1.5, -0.7, 0.2, 0.0, 1.2, -1.5, -4.0])


def moments_of_z(backend):
    """z has mean mu, variance exp(logvar), the fourth moment of a normal, and independent
    dimensions."""
    z, mu, logvar = sampled(H, DRAWS, backend).z, H[:4], H[4:]
    expect(z, mu)
    centred = z - mu
    expect(centred**2, np.exp(logvar))
    expect(centred**3, 0.0)
    expect(centred**4, 3 * np.exp(2 * logvar))
    for a, b in [(0, 1), (0, 2), (1, 3), (2, 3)]:
        expect(centred[:, a] * centred[:, b], 0.0)
    expect(centred[1:] * centred[:-1], 0.0)  # nor do examples know of each other


def kl_is_the_mean_of_log_q_minus_log_p(backend):
    """The closed form of the KL, each dimension by itself, against its definition under the
    sampler's draws."""
    latent, mu, logvar = sampled(H, DRAWS, backend), H[:4], H[4:]
    log_q = -((latent.z - mu) ** 2 / np.exp(logvar) + logvar + LN_2PI) / 2
    log_p = -(latent.z**2 + LN_2PI) / 2
    expect(log_q - log_p, latent.kl[0])


def elbo_is_a_bound(backend):
    """ELBO <= log p(x) for every encoder, the exact posterior's included, where nothing is left to
    give away."""
    model = linear_vae(backend, orthogonal=True)
    # the emulator takes 0.1 ms for each row of a likelihood
    n = DRAWS // 10 if backend == "cupy" else DRAWS
    for x in np.random.default_rng(2).normal(size=(3, 5)):
        for shift in (-0.5, 0.0, 0.1, 1.0):
            set_posterior(model, shift)
            one = drawn(model, x, n)
            elbo = -(one.nll + one.kl.sum(axis=1))
            allowed = STANDARD_ERRORS * elbo.std() / math.sqrt(n)
            assert elbo.mean() <= exact(model, x[None])[0][0] + allowed


def the_gap_is_the_kl_to_the_true_posterior(backend):
    """log p(x) - ELBO, by evaluate over many noise draws, for an encoder far from the
    posterior."""
    model = linear_vae(backend)
    x = np.random.default_rng(3).normal(size=(3, 5))
    data = np.repeat(x, 500, axis=0)
    elbo = np.array(
        [-sa.evaluate(model, data, batch_size=500, threads=1, seed=s)["loss"] for s in range(20)]
    )
    assert gap(model, x).mean() > 1  # nats: there is something to measure
    expect(exact(model, x)[0].mean() - elbo, gap(model, x).mean())


def the_exact_posterior_leaves_no_gap_in_any_draw(backend, tolerance):
    """log p(x|z) + log p(z) - log q(z|x) = log p(x) for every single eps, where log q is that of
    eps itself."""
    model = linear_vae(backend, orthogonal=True)
    set_posterior(model)
    for x in np.random.default_rng(4).normal(size=(3, 5)):
        one = drawn(model, x, n=200)
        _, logvar = model.encode(x[None])
        log_p_z = -(one.z**2 + LN_2PI).sum(axis=1) / 2
        # z has density N(eps; 0, I) / sigma
        log_q = -(one.eps**2 + logvar + LN_2PI).sum(axis=1) / 2
        log_p, *_ = exact(model, x[None])
        weights = -one.nll + log_p_z - log_q
        np.testing.assert_allclose(weights, log_p[0], rtol=tolerance("layer"))
        expect(-one.nll - one.kl.sum(axis=1), log_p[0])


def dense_vae(backend="numpy"):
    """The recipe of pytorch/examples: 784-400-20-400-784, relu, PyTorch's initialisation."""
    init = (torch_uniform, torch_uniform)
    encoder = sa.Sequential(
        sa.Flatten(), sa.Dense(784, 400, "relu", *init), sa.Dense(400, 40, "identity", *init)
    )
    decoder = sa.Sequential(
        sa.Dense(20, 400, "relu", *init),
        sa.Dense(400, 784, "identity", *init),
        sa.Reshape(28, 28, 1),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(20)).build((28, 28, 1), backend=backend)


def first_terms(images, backend="numpy"):
    """The terms of the first minibatch before any step, in nats per example."""
    model = dense_vae(backend)
    with runner_for(model, 128, threads=1) as runner:
        rows = randomness.permutation(len(images), 0, 1)[:128]
        return runner.objective.loss(runner.forward(runner.feeds(images), rows))


def an_untrained_model_knows_nothing_on_strokes(backend):
    """Without a step each pixel costs about ln 2, the KL next to nothing: 784 ln 2 = 543.4 and
    some noise."""
    (pixels, _), _ = sa.datasets.strokes.load(256, 1)
    terms = first_terms(sa.Images(pixels), backend)
    assert 543 < terms["loss"] < 555 and 0 < terms["kl"] < 5, terms


def terms_are_sums_over_dimensions(backend, likelihood, tolerance):
    """Twice the pixels cost twice the nats, and twice the latent dimensions twice the KL."""
    rng, bound = np.random.default_rng(7), sa.get_backend(backend, "float64")
    a, x, nll = rng.normal(size=(4, 6)), rng.uniform(size=(4, 6)), []
    for copies in (1, 2):
        p = likelihood()
        p.bind(bound, 4, (6 * copies,))
        nll.append(bound.to_host(p.forward(*(bound.asarray(np.tile(v, copies)) for v in (a, x)))))
    np.testing.assert_allclose(nll[1], 2 * nll[0], rtol=tolerance("kernel"))
    model = linear_vae(backend)
    one = drawn(model, x[0, :5], n=3)
    terms = model.objective.loss(np.array([3, one.nll.sum(), one.kl.sum()]))
    mu, logvar = model.encode(x[:1, :5])
    assert terms["kl"] == pytest.approx(
        (mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2, rel=tolerance("loss")
    )
