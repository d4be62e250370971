"""The variational autoencoder."""

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
    Categorical, the natural parameter for ContinuousBernoulli, means for GaussianLikelihood,
    SharedGaussian, OptimalGaussian, Laplace, SquaredError and AbsoluteError, log rates for
    Poisson; for LearnedGaussian mu and logvar, for DiscretisedLogistic mu and log s, which double
    the last axis. beta: the weight of the KL, a number or a schedule, which may be set at any
    time. samples: of z, an example.
    Source: Kingma and Welling 2014; objectives/elbo.py.
    """

    objective: ELBO
    latent, beta, samples = Part(Latent, "a latent, such as Gaussian(20)"), Part(), Part()

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        latent: Latent,
        likelihood: Likelihood | None = None,
        beta: Scheduled = 1.0,
        samples: int = 1,
    ):
        super().__init__(ELBO(encoder, decoder, latent, likelihood or Bernoulli(), beta, samples))
