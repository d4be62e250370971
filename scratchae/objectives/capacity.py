"""A capacity: the KL is held at a number of nats, which may grow."""

from typing import Any

import numpy as np

from ..backend import Array, Backend
from ..kernels.kl_weights import CAPACITY
from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Likelihood
from ..settings import Absent, Number, Scheduled
from .elbo import ELBO


class Capacity(ELBO):
    """The ELBO, whose KL is to be neither above nor below a capacity of C nats.

    Shapes: as ELBO; w (J,).

        loss = reconstruction + gamma |kl - C_t|,   kl = 1/N sum_n sum_j kl_nj          (1)
             = reconstruction + kl + penalty                                            (2)
        w_j = gamma sign(kl - C_t)                                                      (3)

    kl is the mean over the batch, all shards of it: an example may have more or less. Each of
    capacity and gamma is a number or a function of the step, such as schedules.Linear(0, 25,
    100_000), with which a code is opened little by little. The gradient has one size on either
    side of C_t, so kl moves to and fro around it. ``evaluate``, and fit of its validation data,
    take kl over all data, which gives less than a mean over batches, as (1) is convex in kl.
    Raises ValueError for capacity < 0 and gamma < 0. Source: Burgess et al., "Understanding
    disentangling in beta-VAE", 2018, eq. 8, whose gamma is 1000; kernels/kl_weights.py.
    """

    additive = False
    capacity = Number(0, schedule=True)
    gamma = Number(0, schedule=True)
    beta: Any = Absent("has no meaning: the weight of |kl - capacity| is gamma")

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood,
        capacity: Scheduled,
        gamma: Scheduled = 1000.0,
        samples: int = 1,
    ):
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.likelihood = likelihood
        self.capacity = capacity
        self.gamma = gamma
        self.samples = samples

    def bind(self, backend: Backend, rows: int) -> None:
        """Bind every part for (rows, ...); w (J,). Source: layers/base.py."""
        super().bind(backend, rows)
        self.w, self.weigh = backend.empty((self.latent.terms,)), backend.op(CAPACITY)

    def constants(self, t: int) -> tuple[float, ...]:
        """row (2,): gamma and C at step t. Source: (1)."""
        kind = type(self)
        return kind.gamma.at(self, t), kind.capacity.at(self, t)

    def columns(self, t: int) -> dict[str, float]:
        """gamma and C at step t. Source: (1)."""
        return dict(zip(("gamma", "capacity"), self.constants(t), strict=True))

    def loss(self, total: np.ndarray) -> dict[str, float]:
        """loss = reconstruction + kl + penalty, in nats per example; total (3,)."""
        count, nll, kl = total.tolist()
        reconstruction, kl = self.likelihood.value(nll, count * self.K), kl / count
        gamma, capacity = self.constants(max(self.t, 1))
        cost = gamma * abs(kl - capacity) if gamma else 0.0  # (1)
        loss, penalty = reconstruction + cost, cost - kl  # (1) (2)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "penalty": penalty}

    def idle(self) -> str:
        """That of the capacity, where gamma is 0."""
        if self.gamma != 0 or not self.capacity:
            return ""
        return (
            "Capacity(gamma) is 0, so the KL costs nothing, and the capacity does nothing: give a "
            "gamma above 0, or take ELBO with beta = 0"
        )

    def weights(self, total: Array) -> Array:
        """(J,) the weight of each term of kl; total (3,). Source: (3)."""
        self.weigh(self.w, total, self.row)  # (3)
        return self.w
