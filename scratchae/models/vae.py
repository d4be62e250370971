"""The variational autoencoder."""

import numpy as np

from .. import randomness
from ..checks import flag, positive
from ..latents import Gaussian
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
    latent, beta = Part(Gaussian, "a latent, such as Gaussian(20)"), Part()

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Gaussian,
        likelihood: Likelihood | None = None,
        beta: Scheduled = 1.0,
    ):
        super().__init__(ELBO(encoder, decoder, latent, likelihood or Bernoulli(), beta))

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (N, *input_shape) -> mu (N, D), logvar (N, D) of q(z|x). Source: objectives/elbo.py
        (1)."""
        self.require_built()
        x = self._data(x)
        h = self._map(lambda f, rows: f.encoder.forward(rows), x)
        D = self.latent.dimensions
        return h[:, :D], h[:, D:]

    def _code(self) -> tuple[tuple[int, ...], str]:
        return (self.latent.dimensions,), "z"

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """x (N, *input_shape) -> the mean of p(x | z = mu(x)), same shape. Source:
        objectives/elbo.py (1) (3)."""
        mu, _ = self.encode(x)
        return self.decode(mu)

    def sample(self, n: int, seed: int = 0, noise: bool = False) -> np.ndarray:
        """n draws z ~ N(0, I) -> the means of p(x|z), (n, *input_shape), which is what one shows.

        noise: draw x ~ p(x|z) too. The same seed, the same draws. Raises ValueError for n < 1.
        Source: Kingma and Welling 2014, section 2.1, p(z) p(x|z).
        """
        z = randomness.normal((positive("n", n), self.latent.dimensions), seed, randomness.PRIOR)
        return self.sample_x(z, seed) if flag("noise", noise) else self.decode(z)
