"""The objective of a plain autoencoder, with or without a penalty on its code."""

import math
from collections.abc import Callable

import numpy as np

from ..backend import Array, Backend
from ..kernels.sums import SUMS
from ..layers import Layer
from ..likelihoods import Likelihood
from ..parameters import Declared
from ..settings import complete
from . import made_of
from .base import Objective, Shape
from .penalties import Penalty


class Reconstruction(Objective):
    """x, given its code, is to be likely, and the code is to be cheap if there is a penalty.

    Shapes: x (N, ...), h (N, code), a (N, ...), nll (N,).

        h = encoder(x)                                                                  (1)
        a = decoder(h)                                                                  (2)
        nll_n = -log p(x_n | a_n)                                                       (3)
        loss = 1/N sum_n nll_n + penalty(h) = reconstruction + penalty                  (4)

    and backwards, for N loss, the chain rule through (4), (3), (2), (1). In nats per example (for
    squared and absolute error: in the units of that error, summed over a row).
    Source: Goodfellow, Bengio, Courville, "Deep Learning", 2016, eq. 14.1 and 14.2; Hinton and
    Salakhutdinov 2006.
    """

    encoder, decoder = made_of.network("encoder"), made_of.network("decoder")
    likelihood, penalty = made_of.likelihood(), made_of.penalty()

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood,
        penalty: Penalty | None = None,
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.penalty = penalty

    @property
    def additive(self) -> bool:
        """Whether the loss is a sum over examples: likelihood and penalty. Source: (4)."""
        return self.likelihood.additive and (self.penalty is None or self.penalty.additive)

    def declare(self, shape: Shape) -> Declared:
        """As Objective.declare, shapes too; the penalty looks at the encoder. Source:
        objectives/base.py."""
        declared = super().declare(shape)
        if self.penalty:
            calls = ("forward(sums, nll, h)", "backward(dh, h, total)")
            complete(self.penalty, Penalty, *calls)
            self.penalty.inspect(self.encoder)
        return declared

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...). Source: layers/base.py."""
        super().bind(backend, rows)
        units, self.sum_terms = math.prod(self.code), backend.op(SUMS)
        more = self.penalty.sums_needed(units) if self.penalty else 0
        self.sums = backend.zeros((2 + more,), np.float64)
        if self.penalty:
            self.penalty.bind(backend, rows, units)

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> (count, sum of nll, the penalty's sums)."""
        self.h = self.encoder.forward(x)  # (N, code)    (1)
        a = self.decoder.forward(self.h)  # (N, ...)     (2)
        self.nll = nll = self.likelihood.forward(a, x)  # (N,)         (3)
        if self.penalty:
            self.penalty.forward(self.sums, nll, self.h)  # (4)
        else:
            self.sum_terms(self.sums, nll)  # (4)
        return self.sums

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction + penalty, in nats per example; total (k,)."""
        reconstruction = self.likelihood.value(float(total[1]), float(total[0]))  # (4)
        if not self.penalty:
            return {"loss": reconstruction, "reconstruction": reconstruction}
        penalty = self.penalty.value(total)  # (4)
        return {
            "loss": reconstruction + penalty,
            "reconstruction": reconstruction,
            "penalty": penalty,
        }

    def each(self, host: Callable[[Array], np.ndarray]) -> dict[str, np.ndarray]:
        """reconstruction (N,) of the last ``forward``, and loss (N,), the same, where no penalty
        is added to it."""
        self.likelihood.require_rows()
        reconstruction = host(self.nll).astype(np.float64)
        loss = {} if self.penalty else {"loss": reconstruction}
        return loss | {"reconstruction": reconstruction}

    def backward(self, total: Array) -> None:
        """Fill the gradients of count times loss, shapes as the parameters."""
        self.likelihood.take(total)
        da = self.likelihood.backward()  # (3)
        dh = self.decoder.backward(da)  # (2)
        if not self.encoder_learns:
            return
        if self.penalty:
            dh = self.penalty.backward(dh, self.h, total)  # (4)
        self.encoder.backward(dh)  # (1)
        if self.penalty:
            self.penalty.direct_gradient(self.h)  # (4)
