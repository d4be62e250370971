"""Means over the noise of a latent of one number, without a draw: every point of a Gauss-Hermite
grid is a row of one batch.

Source: Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 25.4.46.
"""

from types import SimpleNamespace

import numpy as np

import scratchae as sa
from scratchae.models import Model


def parts(likelihood=None, outputs=4):
    """A VAE's parts over four numbers, one latent number, and a decoder that is not linear."""
    decoder = sa.Sequential(sa.Dense(1, 5, "tanh", sa.initializers.Normal(0.7)))
    decoder = sa.Sequential(*decoder.layers, sa.Dense(5, outputs))
    return sa.Dense(4, 2), decoder, sa.Gaussian(1), likelihood or sa.Bernoulli()


def built(kind, samples, backend="numpy", **options):
    """An encoder whose q(z|x) lies a little off the posterior; wide, the rule needs more nodes."""
    model = Model(kind(*parts(**options), samples=samples))
    model.build(4, backend=backend, dtype="float64", seed=3)
    model.weights["encoder.W"] = 0.2 * model.weights["encoder.W"]
    model.weights["encoder.b"] = [0.9, -0.8]
    return model


def grid(nodes, K):
    """eps (nodes^K, K) and its weights (nodes^K,), which sum to one."""
    one, w = np.polynomial.hermite_e.hermegauss(nodes)
    eps = np.stack(np.meshgrid(*[one] * K, indexing="ij"), axis=-1).reshape(-1, K)
    weights = np.stack(np.meshgrid(*[w / w.sum()] * K, indexing="ij"), axis=-1).reshape(-1, K)
    return eps, weights.prod(axis=1)


class Noise:
    """A model's loss and gradients at each point of a grid, for one example x (I,)."""

    def __init__(self, model, x, nodes):
        self.model, self.backend = model, model.backend
        eps, self.w = grid(nodes, model.objective.samples)  # (M, K), (M,)
        self.grads = self.backend.zeros((model.parameters.size,))
        self.replica = model.replica(len(self.w), self.grads)
        self.backend.write(self.replica.latent.eps, eps.reshape(-1, 1))
        self.x = self.backend.asarray(np.repeat(x[None], len(self.w), axis=0))

    def terms(self):
        """The terms of ``each`` at every point (M,), and their means over the noise."""
        self.replica.forward(self.x)
        each = self.replica.each(lambda a: np.array(self.backend.to_host(a)))
        means = {name: self.w @ values for name, values in each.items()}
        return SimpleNamespace(each=each, mean=means)

    def loss(self):
        return self.terms().mean["loss"]

    def dh(self):
        """The gradient by mu and logvar (M, 2) at every point."""
        self.replica.forward(self.x)
        found = []
        self.replica.encoder.backward = lambda dh: found.append(self.backend.to_host(dh).copy())
        self.replica.backward(self.replica.sums)
        return found[0]

    def decoder_gradients(self):
        """The mean gradients of the decoder's parameters, by name: each row's da has the weight of
        its point."""
        self.replica.forward(self.x)
        weighed = self.replica.likelihood.weighed
        K = self.model.objective.samples
        rows = np.repeat(self.w, K)

        def scaled(w):
            return weighed(self.backend.asarray(self.backend.to_host(w) * rows))

        self.replica.likelihood.weighed = scaled
        self.replica.encoder.backward = lambda dh: None
        self.replica.backward(self.replica.sums)
        self.replica.likelihood.weighed = weighed
        views = self.model.parameters.views(self.grads)
        return {k: self.backend.to_host(v) for k, v in views.items() if k.startswith("decoder")}


def differences(f, model, name, step=1e-5):
    """Central differences of f() by each number of the parameter, same shape."""
    value, slopes = model.weights[name].copy(), []
    for i in range(value.size):
        found = []
        for way in (step, -step):
            moved = value.copy()
            moved.flat[i] += way
            model.weights[name] = moved
            found.append(f())
        slopes.append((found[0] - found[1]) / (2 * step))
    model.weights[name] = value
    return np.reshape(slopes, value.shape)


def log_p(model, x):
    """log p(x) of one example (I,): the trapezoid rule over z, where the prior is not below
    1e-30."""
    z = np.linspace(-11, 11, 4001)[:, None]
    rows = model.replica(len(z), samples=1)
    a = rows.decoder.forward(model.backend.asarray(z))
    there = model.backend.asarray(np.repeat(x[None], len(z), axis=0))
    nll = model.backend.to_host(rows.likelihood.forward(a, there))
    joint = -nll - z[:, 0] ** 2 / 2 - np.log(2 * np.pi) / 2
    return joint.max() + np.log(np.exp(joint - joint.max()).sum() * (z[1, 0] - z[0, 0]))
