"""The plain autoencoder."""

import numpy as np

from ..layers import Layer
from ..likelihoods import Likelihood, SquaredError
from ..objectives import Reconstruction
from .base import Model


class Autoencoder(Model):
    """x -> code -> x again, through a code that is too small to copy.

    Shapes: x (N, *input_shape), code (N, *code). likelihood: SquaredError (default), AbsoluteError,
    Bernoulli (the decoder gives logits) or GaussianLikelihood. Source: objectives/reconstruction.py;
    Goodfellow, Bengio, Courville, "Deep Learning", 2016, chapter 14.
    """

    def __init__(self, encoder: Layer, decoder: Layer, likelihood: Likelihood | None = None):
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood or SquaredError()
        super().__init__(Reconstruction(self.encoder, self.decoder, self.likelihood))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """x (N, *input_shape) -> code (N, *code). Raises as checks.host_rows. Source: the objective, (1)."""
        self.require_built()
        x = self._data(x)
        return self._map(lambda f, rows: f.encoder.forward(rows), x)

    def decode(self, h: np.ndarray) -> np.ndarray:
        """code (N, *code) -> the mean of p(x | code). Raises as checks.host_rows. Source: the objective, (2)."""
        self.require_built()
        return self._decode(self._rows(h, self.objective.code, "the code"))

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """x (N, *input_shape) -> decode(encode(x)), same shape. Source: the objective, (1) and (2)."""
        return self.decode(self.encode(x))
