"""The sampler and the bound, held against exact answers. No gradient check can see what these see.

The exact answers come from a linear-Gaussian VAE: with z ~ N(0, I), x = z W + b + sigma e and
W (D, I),

    p(x) = N(b, W^T W + sigma^2 I),   p(z|x) = N((x - b) W^T P^-1 / sigma^2, P^-1),
    P = I + W W^T / sigma^2

Source: Bishop, "Pattern recognition and machine learning", 2006, section 12.2; Tipping and Bishop,
"Probabilistic principal component analysis", 1999; Lucas et al., "Don't blame the ELBO!", 2019.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness
from scratchae.execution.runner import runner_for
from scratchae.initializers import TensorDraws, torch_uniform

# how far a Monte-Carlo mean may lie from the exact value; what is wrong lies hundreds away
STANDARD_ERRORS = 5.0
DRAWS = 20_000
LN_2PI = math.log(2 * math.pi)


def expect(draws, exact):
    """The mean of the draws (M, ...) is the exact value (...) within the error that the draws
    themselves tell."""
    error = np.abs(draws.mean(axis=0) - exact)
    allowed = STANDARD_ERRORS * draws.std(axis=0) / math.sqrt(len(draws))
    assert (error <= allowed).all(), f"off by {error}, where the draws allow {allowed}"


def draw(thing, n, backend):
    """The noise of the first n examples."""
    rows = np.arange(n, dtype=np.uint32)
    thing.draw(backend.asarray(rows, "uint32"), backend.asarray(randomness.clock(0), "uint32"))


def on_host(backend, thing, *names):
    """Buffers of a latent or of an objective's parts, by their names, on the host."""
    return SimpleNamespace(**{name: backend.to_host(getattr(thing, name)) for name in names})


def sampled(h, n, backend):
    """A Gaussian latent after n draws of the same h (2D,): its buffers z, kl (n, D)."""
    latent = sa.Gaussian(len(h) // 2)
    bound = sa.get_backend(backend, "float64")
    latent.bind(bound, n)
    draw(latent, n, bound)
    latent.forward(bound.asarray(np.repeat(h[None], n, axis=0)))
    return on_host(bound, latent, "z", "kl")


def linear_vae(backend="numpy", D=2, I=5, sigma=0.6, orthogonal=False):
    """A linear-Gaussian VAE in float64 with weights of size 1; its encoder is Glorot's."""
    model = sa.VAE(
        sa.Dense(I, 2 * D), sa.Dense(D, I), sa.Gaussian(D), sa.GaussianLikelihood(sigma)
    )
    model.build(I, backend=backend, dtype="float64", seed=1)
    rng = np.random.default_rng(1)
    W = rng.normal(size=(D, I))
    if orthogonal:
        W = np.linalg.qr(W.T)[0].T * rng.uniform(0.5, 2, (D, 1))
    write(model, "decoder", W, rng.normal(size=I))
    return model


def write(model, part, W, b):
    for name, values in (("W", W), ("b", b)):
        model.backend.write(model.parameters.view(f"{part}.{name}"), values)


def decoder(model):
    """W (D, I) and b (I,) on the host."""
    return (model.backend.to_host(model.parameters.view(f"decoder.{name}")) for name in ("W", "b"))


def exact(model, x):
    """x (N, I) -> log p(x) (N,), posterior mean (N, D) and precision (D, D)."""
    W, b = decoder(model)
    sigma = model.likelihood.sigma
    r, C = x - b, W.T @ W + sigma**2 * np.eye(x.shape[1])
    logdet = np.linalg.slogdet(C)[1]
    log_p = -((r @ np.linalg.inv(C) * r).sum(axis=1) + logdet + x.shape[1] * LN_2PI) / 2
    P = np.eye(len(W)) + W @ W.T / sigma**2
    return log_p, r @ W.T @ np.linalg.inv(P) / sigma**2, P


def set_posterior(model, shift=0.0):
    """Let the encoder give the exact posterior (W with orthogonal rows), all its numbers moved by
    shift."""
    W, b = decoder(model)
    variance = 1 / (1 + (W * W).sum(axis=1) / model.likelihood.sigma**2)
    to_mu = W.T * variance / model.likelihood.sigma**2
    to_mu_and_logvar = np.hstack([to_mu, np.zeros_like(to_mu)])
    write(
        model, "encoder", to_mu_and_logvar, shift + np.concatenate([-b @ to_mu, np.log(variance)])
    )


def gap(model, x):
    """KL of q(z|x) from the true posterior, (N,): what the ELBO must lose against log p(x)."""
    mu, logvar = model.encode(x)
    _, mean, P = exact(model, x)
    d = mu - mean
    trace = (np.exp(logvar) * np.diag(P)).sum(axis=1)
    return (
        trace
        + (d @ P * d).sum(axis=1)
        - mu.shape[1]
        - np.linalg.slogdet(P)[1]
        - logvar.sum(axis=1)
    ) / 2


def drawn(model, x, n):
    """n draws for one example x (I,): nll (n,), z, eps, kl (n, D), on the host."""
    replica, backend = model.replica(n), model.backend
    draw(replica, n, backend)
    rows = backend.asarray(np.repeat(x[None], n, axis=0))
    replica.forward(rows)
    latent = on_host(backend, replica.latent, "z", "eps", "kl")
    return SimpleNamespace(nll=backend.to_host(replica.likelihood.nll), **vars(latent))


# mu (4,) and logvar (4,), at the prior and off it
H = np.array([0.0, 1.5, -0.7, 0.2, 0.0, 1.2, -1.5, -4.0])


def test_moments_of_z(backend):
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


def test_kl_is_the_mean_of_log_q_minus_log_p(backend):
    """The closed form of the KL, each dimension by itself, against its definition under the
    sampler's draws."""
    latent, mu, logvar = sampled(H, DRAWS, backend), H[:4], H[4:]
    log_q = -((latent.z - mu) ** 2 / np.exp(logvar) + logvar + LN_2PI) / 2
    log_p = -(latent.z**2 + LN_2PI) / 2
    expect(log_q - log_p, latent.kl[0])


def test_elbo_is_a_bound(backend):
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


def test_the_gap_is_the_kl_to_the_true_posterior(backend):
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


def test_the_exact_posterior_leaves_no_gap_in_any_draw(backend, tolerance):
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


def test_training_reaches_the_optimum():
    """For fixed sigma the best W is known (Tipping and Bishop 1999, eq. 7), and there the ELBO is
    log p(x)."""
    rng, sigma, N, I = np.random.default_rng(5), 0.5, 512, 5
    x = rng.normal(size=(N, 2)) @ rng.normal(size=(2, I)) + sigma * rng.normal(size=(N, I)) + 1
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    kept, left = eigenvalues[:2], eigenvalues[2:]
    best = (
        -(np.log(kept).sum() + 2 + (I - 2) * np.log(sigma**2) + left.sum() / sigma**2 + I * LN_2PI)
        / 2
    )
    model = linear_vae(sigma=sigma)
    short = [best - (exact(model, x)[0] - gap(model, x)).mean()]
    for lr, epochs in ((3e-2, 140), (1e-2, 100), (1e-3, 60)):
        sa.fit(model, x, sa.Adam(lr), epochs=epochs, batch_size=64, threads=1)
        short.append(best - (exact(model, x)[0] - gap(model, x)).mean())
    # nats: never past the optimum
    assert short[0] > 1 and 0 < short[3] < short[2] < short[1], short
    assert short[3] < 0.005 and gap(model, x).mean() < 0.005


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


def test_an_untrained_model_knows_nothing_on_strokes(backend):
    """Without a step each pixel costs about ln 2, the KL next to nothing: 784 ln 2 = 543.4 and
    some noise."""
    (pixels, _), _ = sa.datasets.strokes.load(256, 1)
    terms = first_terms(sa.Images(pixels), backend)
    assert 543 < terms["loss"] < 555 and 0 < terms["kl"] < 5, terms


def test_an_untrained_model_knows_nothing_on_mnist(backend, real_data):
    """The same on MNIST: pytorch/examples as others ran it starts within 543 and 555."""
    train, _ = sa.datasets.load("mnist", data_dir=str(real_data))
    terms = first_terms(train, backend)
    assert 543 < terms["loss"] < 555 and 0 < terms["kl"] < 5, terms


def test_repeating_a_batch_changes_no_term(backend, tolerance):
    """Terms are per example: the same rows with the same noise twice give the same numbers, not
    twice them."""
    model = linear_vae(backend)
    x, bound = np.random.default_rng(6).normal(size=(7, 5)), model.backend
    replica, double, twice = model.replica(7), model.replica(14), np.concatenate([x, x])
    draw(replica, 7, bound)
    bound.write(double.latent.eps, np.concatenate([bound.to_host(replica.latent.eps)] * 2))
    once, again = (
        f.loss(bound.to_host(f.forward(bound.asarray(rows))))
        for f, rows in ((replica, x), (double, twice))
    )
    assert (
        once == pytest.approx(again, rel=tolerance("loss"))
        and min(map(abs, list(once.values())[:3])) > 0.1
    )


@pytest.mark.parametrize(
    "likelihood", [sa.Bernoulli, sa.GaussianLikelihood, sa.SquaredError, sa.AbsoluteError]
)
def test_terms_are_sums_over_dimensions(backend, likelihood, tolerance):
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bernoulli_is_exact_at_large_logits(backend, dtype, tolerance):
    """-log p(x|a) is log(1 + exp(-a)) for x = 1 and log(1 + exp(a)) for x = 0, with no overflow on
    the way."""
    p, logits = sa.Bernoulli(), [-100.0, -50.0, 0.0, 50.0, 100.0]
    bound = sa.get_backend(backend, dtype)
    p.bind(bound, 10, (1,))
    a = np.array(logits * 2, dtype).reshape(10, 1)
    x = np.repeat(np.array([1, 0], dtype), 5).reshape(10, 1)
    nll, da = (
        bound.to_host(p.forward(bound.asarray(a), bound.asarray(x))),
        bound.to_host(p.backward()),
    )
    signed = [-v for v in logits] + logits
    allowed = {"rtol": tolerance("kernel", dtype), "atol": tolerance("kernel", dtype)}
    np.testing.assert_allclose(
        nll, [max(s, 0) + math.log1p(math.exp(-abs(s))) for s in signed], **allowed
    )
    slope = [1 / (1 + math.exp(-s)) for s in signed]
    np.testing.assert_allclose(da[:, 0], np.array(slope) * ([-1] * 5 + [1] * 5), **allowed)


def test_bernoulli_samples_have_the_mean_and_no_other_values():
    a = np.repeat(np.array([[-3.0, -0.5, 0.0, 2.0]]), DRAWS, axis=0)
    x = sa.Bernoulli().sample(a, TensorDraws(0, 0))
    assert set(np.unique(x)) == {0.0, 1.0}
    expect(x, 1 / (1 + np.exp(-a[0])))
    expect(
        (x[:, 0] - sa.Bernoulli().mean(a[0])[0]) * (x[:, 1] - sa.Bernoulli().mean(a[0])[1]), 0.0
    )


def test_gaussian_samples_have_mean_and_sigma():
    a = np.repeat(np.array([[-3.0, 0.0, 2.0]]), DRAWS, axis=0)
    x = sa.GaussianLikelihood(0.3).sample(a, TensorDraws(0, 0))
    expect(x, a[0])
    expect((x - a) ** 2, 0.3**2)
    expect((x - a) ** 4, 3 * 0.3**4)
