"""Free bits: a KL that costs nothing up to a floor."""

from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.kl_weights import FREE_BITS, GROUP_SUMS, GROUPS
from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Likelihood
from ..parameters import Declared
from ..settings import Fixed, Number, Scheduled
from .base import Shape
from .elbo import ELBO


def _groups(what: str, value: Any) -> int | None:
    return None if value is None else positive(what, value)


class FreeBits(ELBO):
    """The ELBO, in which each group of the KL's terms costs at least a floor, whatever it is below
    it.

    Shapes: as ELBO; kl (N, J) in G groups of J / G neighbours; groups=None: each term is a group,
    groups=1: all of them are one. s (G,), w (J,).

        s_g = sum_n sum_{j in g} kl_nj                                                  (1)
        w_j = beta if s_g / N > floor, else 0;   j in g                                 (2)
        loss = reconstruction + beta sum_g max(floor, s_g / N)
             = loss of ELBO + beta sum_g max(floor - s_g / N, 0)                        (3)
             = reconstruction + kl + penalty

    The mean in (1) is over the batch, all shards of it, and not of each example: an example may be
    far below the floor as long as others are above it. A term is a dimension of a Gaussian, or a
    layer of a Hierarchy. floor: in nats a group (a bit is log 2 of them). "above_floor" is the
    number of groups with s_g / N > floor, those that (2) weighs; of an epoch it is the mean over
    steps. ``evaluate``, and fit of its validation data, take (1) over all data, which gives less
    than a mean over batches, as (3) is convex in s. Where beta is 0 a floor acts on nothing, and
    ``fit`` warns. Raises ValueError for floor < 0, beta < 0, and groups that do not divide J.
    Source: Kingma et al., "Improved variational inference with inverse autoregressive flow", 2016,
    eq. 15; kernels/kl_weights.py.
    """

    additive = False
    floor = Number(0)
    groups = Fixed(_groups)

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood,
        floor: float,
        groups: int | None = None,
        beta: Scheduled = 1.0,
        samples: int = 1,
    ):
        super().__init__(encoder, decoder, latent, likelihood, beta, samples)
        self.floor = floor
        self.groups = groups

    def declare(self, shape: Shape) -> Declared:
        """As ELBO.declare, shapes too. Raises ValueError for groups that do not divide J."""
        declared, J = super().declare(shape), self.latent.terms
        if self.groups and J % self.groups:
            raise ValueError(
                f"FreeBits(groups) is {self.groups}, but the KL has {J} terms an example, which "
                f"are no {self.groups} groups of one size: give a divisor of {J}, or None"
            )
        return declared

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...); sums (3 + G,), w (J,). Source: layers/base.py."""
        super().bind(backend, rows)
        J = self.latent.terms
        self.sums = backend.empty((GROUPS + (self.groups or J),), np.float64)
        self.w = backend.empty((J,))
        self.sum_groups, self.weigh = backend.op(GROUP_SUMS), backend.op(FREE_BITS)

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> (count, sum of nll, sum of kl, s)."""
        sums = super().forward(x)
        self.sum_groups(sums[GROUPS:], self.latent.kl[: len(x)])  # (1)
        return sums

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction + kl + penalty, in nats per example, and above_floor, a number of
        groups. Shapes: total (3 + G,)."""
        terms, rates = super().loss(total[:GROUPS]), total[GROUPS:] / total[0]
        beta = self._beta(max(self.t, 1))
        lack = beta * float(np.maximum(self.floor - rates, 0.0).sum())
        terms["loss"] += lack  # (3)
        terms["penalty"] += lack
        return terms | {"above_floor": float(np.count_nonzero(rates > self.floor))}

    def idle(self) -> str:
        """That of the floor, where beta is 0."""
        if self.beta != 0 or not self.floor:
            return ""
        return (
            f"FreeBits(beta) is 0, so the KL costs nothing, and its floor of {self.floor:g} nats "
            "does nothing: give a beta above 0, or take ELBO"
        )

    def weights(self, total: Array) -> Array:
        """(J,) the weight of each term of kl; total (3 + G,). Source: (2)."""
        self.weigh(self.w, total, self.row, self.floor)  # (2)
        return self.w
