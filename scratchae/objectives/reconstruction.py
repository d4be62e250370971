"""The objective of a plain autoencoder."""

import numpy as np

from ..backend import Array, Backend
from ..kernels.sums import SUMS
from ..layers import Layer
from ..likelihoods import Likelihood
from .base import Objective


class Reconstruction(Objective):
    """The target, given the code of x, is to be likely.

    Shapes: x, target (N, ...), h (N, code), a (N, ...), nll (N,).

        h = encoder(x)                                                                  (1)
        a = decoder(h)                                                                  (2)
        loss = 1/N sum_n nll_n,   nll_n = -log p(target_n | a_n)                        (3)

    and backwards, for N loss, the chain rule through (3), (2), (1). In nats per example (for squared and
    absolute error: in the units of that error, summed over a row).
    Source: Goodfellow, Bengio, Courville, "Deep Learning", 2016, eq. 14.1; Hinton and Salakhutdinov 2006.
    """

    additive = True

    def __init__(self, encoder: Layer, decoder: Layer, likelihood: Likelihood):
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...). Source: layers/base.py."""
        super().bind(backend, rows)
        self.sum_terms, self.sums = backend.op(SUMS), backend.empty((2,), np.float64)

    def forward(self, x: Array, target: Array) -> Array:
        """x, target (N, ...) -> (count, sum of nll). Source: the class docstring."""
        h = self.encoder.forward(x)  # (N, code)    (1)
        a = self.decoder.forward(h)  # (N, ...)     (2)
        nll = self.likelihood.forward(a, target)  # (N,)         (3)
        self.sum_terms(self.sums, nll)
        return self.sums

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction, in nats per example; total (2,). Source: the class docstring."""
        count, nll = total.tolist()
        return {"loss": nll / count, "reconstruction": nll / count}  # (3)

    def backward(self, total: np.ndarray) -> None:
        """Fill the gradients of count times loss, shapes as the parameters. Source: the class docstring."""
        da = self.likelihood.backward()  # (3)
        dh = self.decoder.backward(da)  # (2)
        self.encoder.backward(dh)  # (1)
