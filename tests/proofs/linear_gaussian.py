"""A linear-Gaussian VAE and its exact answers. With z ~ N(0, I), x = z W + b + sigma e, W (D, I):

    p(x) = N(b, W^T W + sigma^2 I),   p(z|x) = N((x - b) W^T P^-1 / sigma^2, P^-1),
    P = I + W W^T / sigma^2

Source: Bishop, "Pattern recognition and machine learning", 2006, section 12.2; Tipping and Bishop,
"Probabilistic principal component analysis", 1999.
"""

import math
from types import SimpleNamespace

import numpy as np

import scratchae as sa
from scratchae import randomness

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
