"""Linear-Gaussian models whose encoder gives the exact posterior, and what ails it.

Each function gives a model and data (N, I) that it is judged on. Exact, by Bishop 2006, section
12.2: proofs/linear_gaussian.py.
"""

import numpy as np
from proofs.linear_gaussian import decoder, linear_vae, set_posterior, write

N = 400


def data(model, rng, mean=0.0, deviation=1.0, noise=1.0):
    """x = z W + b + noise sigma e, z ~ N(mean, deviation^2)."""
    W, b = decoder(model)
    z = mean + deviation * rng.normal(size=(N, len(W)))
    return z @ W + b + noise * model.likelihood.sigma * rng.normal(size=(N, len(b)))


def healthy(rng, D=4, I=12, sigma=0.4):
    model = linear_vae(D=D, I=I, sigma=sigma, orthogonal=True)
    set_posterior(model)
    return model, data(model, rng)


def collapsed(rng):
    """The encoder gives N(0, I), whatever x is, and the decoder its bias, whatever z is."""
    model = deaf(rng)[0]
    silent = np.zeros_like(model.weights["encoder.W"])
    write(model, "encoder", silent, np.zeros(silent.shape[1]))
    return model, data(model, rng)


def nearly_collapsed(rng):
    """The posterior is exact, but the noise hides z: |W| = 1.4 sigma."""
    model = linear_vae(D=1, I=12, sigma=0.4, orthogonal=True)
    W, b = decoder(model)
    write(model, "decoder", 1.4 * 0.4 * W / np.linalg.norm(W), b)
    set_posterior(model)
    return model, data(model, rng)


def dead(rng):
    """Of 8 units the decoder listens to one, so that the others' posterior is the prior."""
    model = linear_vae(D=8, I=12, sigma=0.4, orthogonal=True)
    W, b = decoder(model)
    write(model, "decoder", np.where(np.arange(8)[:, None] == 3, 2 * W, 0), b)
    set_posterior(model)
    return model, data(model, rng)


def deaf(rng):
    """The encoder tells of x, and the decoder gives its bias, whatever z is."""
    model = linear_vae(D=4, I=12, sigma=0.4, orthogonal=True)
    set_posterior(model)
    W, b = decoder(model)
    write(model, "decoder", np.zeros_like(W), b)
    to_mu = np.hstack([1.8 * np.eye(12)[:, :4], np.zeros((12, 4))])
    offset = np.concatenate([-1.8 * b[:4], np.full(4, -0.8)])
    write(model, "encoder", to_mu, offset)
    return model, data(model, rng)


def shifted(rng):
    """The posterior is exact, but the data's z ~ N(1.5, 1/2^2)."""
    model = healthy(rng, sigma=0.25)[0]
    return model, data(model, rng, 1.5, 0.5)


def far(rng):
    """The same at 3, with less noise, so that N codes tell nearly log N."""
    model = healthy(rng, sigma=0.1)[0]
    return model, data(model, rng, 3.0, 0.5)


def worse_than_a_constant(rng):
    """The same at 3 with so much noise that a constant is better than this prior."""
    model = healthy(rng)[0]
    return model, data(model, rng, 3.0, 0.5)


def narrow(rng):
    """sigma of q a twelfth of that of the posterior, in 60 dimensions."""
    model, x = healthy(rng, D=60, I=300, sigma=0.02)
    b = np.array(model.weights["encoder.b"])
    b[60:] -= 5.0
    model.weights["encoder.b"] = b
    return model, x


def too_wide(rng):
    """The likelihood says three times the noise that there is."""
    model = healthy(rng, D=2, I=40)[0]
    return model, data(model, rng, noise=1 / 3)


def too_sure(rng):
    """The likelihood says a third of the noise that there is."""
    model = healthy(rng, D=2, I=40)[0]
    return model, data(model, rng, noise=3.0)
