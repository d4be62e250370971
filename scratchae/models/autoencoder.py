"""The plain autoencoder."""

import math
import warnings
from typing import Any, Self

from ..backend import Backend
from ..checks import stacklevel
from ..layers import Layer
from ..layers.sequential import leaves
from ..likelihoods import Likelihood, SquaredError
from ..objectives import Penalty, Reconstruction
from .base import Model, Part


class WideCode(UserWarning):
    """A code is as wide as its input, and nothing keeps it from copying."""


class Autoencoder(Model):
    """x -> code -> x again, through a code that is too small to copy, or too dear.

    Shapes: x (N, *input_shape), code (N, *code). likelihood: SquaredError (default),
    AbsoluteError, Bernoulli or Categorical (the decoder gives logits), GaussianLikelihood, or
    LearnedGaussian (mu and logvar, which double the last axis), or another of
    scratchae.likelihoods. penalty: L1, StudentT, KLRate or Contractive.
    Source: objectives/reconstruction.py; Goodfellow, Bengio, Courville, "Deep Learning", 2016,
    chapter 14.
    """

    objective: Reconstruction
    penalty = Part(Penalty, "a penalty, such as L1(1e-3)", optional=True)

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        likelihood: Likelihood | None = None,
        penalty: Penalty | None = None,
    ):
        super().__init__(Reconstruction(encoder, decoder, likelihood or SquaredError(), penalty))

    def build(
        self,
        input_shape: Any,
        *,
        backend: str | Backend = "numpy",
        dtype: Any = None,
        seed: int = 0,
    ) -> Self:
        """As Model.build, shapes too; warns of a code that can copy. Source: models/base.py."""
        super().build(input_shape, backend=backend, dtype=dtype, seed=seed)
        code, numbers = math.prod(self.objective.code), math.prod(self.input_shape)
        if self._narrowest() >= numbers and not self._hindered():
            warnings.warn(
                f"the code has {code} units for {numbers} numbers of x, so the model can learn to "
                "copy: make it smaller, give it a penalty, or put noise before it",
                WideCode,
                stacklevel=stacklevel(),
            )
        return self

    def _narrowest(self) -> int:
        """The numbers that a row has where it has the fewest: in the code, or on the way to it or
        from it."""
        return min(math.prod(layer.output) for _, layer in self.objective.leaves())

    def _hindered(self) -> bool:
        """Whether a penalty, or noise before the code, keeps the model from copying; those of
        amount 0 do not."""
        noisy = any(layer.noise > 0 for _, layer in leaves("encoder", self.encoder))
        return noisy or (self.penalty is not None and self.penalty.weight > 0)
