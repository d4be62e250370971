"""The variational autoencoder."""

from typing import Any

import numpy as np

from .. import randomness
from ..checks import flag, positive
from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Bernoulli, Likelihood
from ..objectives import ELBO
from ..settings import Scheduled
from .base import Model, Part


class VAE(Model):
    """A generative model p(z) p(x|z) with an encoder q(z|x), trained on the evidence lower bound.

    Shapes: x (N, *input_shape); the encoder gives (N, 2D), mu and logvar; z (N, D); the decoder
    gives the parameters of the likelihood, (N, *input_shape): logits for Bernoulli and
    Categorical, means for GaussianLikelihood; for LearnedGaussian mu and logvar, which double the
    last axis. beta: the weight of the KL, a number or a schedule, which may be set at any time.
    Source: Kingma and Welling 2014; objectives/elbo.py.
    """

    objective: ELBO
    latent, beta = Part(Latent, "a latent, such as Gaussian(20)"), Part()

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood | None = None,
        beta: Scheduled = 1.0,
    ):
        super().__init__(ELBO(encoder, decoder, latent, likelihood or Bernoulli(), beta))

    def encode(self, x: Any) -> Any:
        """x (N, *input_shape), an array or a source -> the parameters of q(z|x), of a Gaussian mu
        (N, D), logvar (N, D). Source: objectives/elbo.py (1)."""
        return self.latent.posterior(super().encode(x))

    def _code(self) -> tuple[tuple[int, ...], str]:
        return self.objective.code, "z"

    def reconstruct(self, x: Any) -> np.ndarray:
        """x (N, *input_shape), an array or a source -> the mean of p(x | z), z the mean of q(z|x),
        same shape. Source: objectives/elbo.py (1) (3)."""
        return self.decode(self.latent.mean(super().encode(x)))

    def sample(self, n: int, seed: int = 0, noise: bool = False) -> np.ndarray:
        """n draws z ~ p(z), of a Gaussian N(0, I) -> the means of p(x|z), (n, *input_shape): what
        one shows.

        noise: draw x ~ p(x|z) too. The same seed, the same draws. Raises ValueError for n < 1.
        Source: Kingma and Welling 2014, section 2.1, p(z) p(x|z).
        """
        draws = randomness.Draws(seed, randomness.PRIOR)
        z = self.latent.sample(positive("n", n), draws)
        return self.sample_x(z, seed) if flag("noise", noise) else self.decode(z)
