"""The score of the data, by an autoencoder that was trained to take noise away.

Of squared errors, with x~ = x + sigma eps handed in, the least has the r = g(f(x~)) that is the mean of x given x~,
which Tweedie's formula ties to the density p_sigma of what is handed in, the data's with that noise on it:

    r(x~) = E[x | x~] = x~ + sigma^2 grad log p_sigma(x~)

    score(x) = (g(f(x)) - x) / sigma^2                              estimates grad log p_sigma(x)           (1)

It points to where the data is denser. How good an estimate is depends on the model, which may be too small for that
mean, and on whether it was trained to the end, on that noise alone: a clip, a mask or a penalty gives another r.

Source: Vincent, "A connection between score matching and denoising autoencoders", 2011; Alain and Bengio, "What
regularized auto-encoders learn from the data-generating distribution", 2014, theorem 1; Robbins 1956, Efron,
"Tweedie's formula and selection bias", 2011, eq. 1.4; Goodfellow, Bengio, Courville, "Deep Learning", 2016,
section 14.5.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..checks import real
from ..datasets.fitting import fitting_source
from ..kernels.errors import ABSOLUTE_ERROR
from ..randomness import NOISE

SHAPES = ("Flatten", "Reshape")  # layers that change no value


def denoising_score(model: Any, x: np.ndarray, sigma: float) -> np.ndarray:
    """x (N, *input_shape) -> the model's estimate of grad log p_sigma(x), same shape, in 1 / units of x.

    model: an Autoencoder with GaussianNoise(sigma) first in its encoder (Flatten and Reshape may stand before it)
    and no other noise, but of amount 0, trained with SquaredError, or another likelihood whose best reconstruction
    is a mean. sigma: that layer's, in units of x. Nothing is drawn, whatever the layer's in_evaluation: x is taken
    as already noisy.
    Raises ValueError for sigma <= 0, for a model with other noise or none, and for a likelihood that has no mean
    where x lies, TypeError for a VAE and for AbsoluteError, and what ``reconstruct`` raises.
    Source: the module, (1).
    """
    fitting_source(model, x, "x")
    variance = real("sigma", sigma, 0, strict=True) ** 2
    if hasattr(model, "latent"):
        raise TypeError(
            "the model is a VAE, but its reconstruction obeys the KL too and is no mean of x given x with noise: "
            "give an Autoencoder that was trained on noisy x"
        )
    if getattr(model.objective.likelihood, "kernel", None) is ABSOLUTE_ERROR:
        raise TypeError(
            "the model learns a median, by AbsoluteError, but the score follows from a mean: train it with "
            "SquaredError"
        )
    _require_noise(model.objective, sigma)
    r = model.reconstruct(x)
    if r.shape != x.shape:
        raise ValueError(
            f"the reconstruction has shape {r.shape}, but x has {x.shape}: choose a likelihood whose mean lies "
            "where x does, such as SquaredError"
        )
    return ((r - x) / variance).astype(r.dtype)  # (1)


def _require_noise(objective: Any, sigma: float) -> None:
    """Raise ValueError unless x is first given noise of that sigma, and no other; a clip of it may stay."""
    encoder, decoder = objective.encoder, objective.decoder
    heard = [
        layer
        for layer in _leaves(encoder)
        if type(layer).__name__ not in SHAPES and not _silent(layer)
    ]
    first = heard[0] if heard else next(_leaves(encoder))
    found = getattr(first, "sigma", None)
    if found is None:
        raise ValueError(
            f"the encoder begins with {type(first).__name__}, but a score follows from Gaussian noise on x: train "
            f"a model that begins with GaussianNoise({sigma:g})"
        )
    if not math.isclose(found, sigma, rel_tol=1e-6):  # such as a float32 of the same
        raise ValueError(
            f"sigma is {sigma:g}, but the model was trained with GaussianNoise({found:g}): give that one's sigma"
        )
    count = decoder.place(encoder.place(NOISE)) - NOISE  # a stream for each layer that draws
    count -= sum(map(_silent, (*_leaves(encoder), *_leaves(decoder))))
    if count > 1:
        raise ValueError(
            f"the model has {count} layers of noise, but a score follows from GaussianNoise({sigma:g}) on x alone: "
            "train one without the others"
        )


def _silent(layer: Any) -> bool:
    """Whether it is a layer of noise that does nothing: of amount 0, and without a clip."""
    if not hasattr(layer, "stream"):
        return False
    return (
        getattr(layer, "sigma", getattr(layer, "p", None)) == 0
        and getattr(layer, "clip", None) is None
    )


def _leaves(layer: Any) -> Iterator[Any]:
    """The layers themselves, in order of x, out of every Sequential."""
    for part in getattr(layer, "layers", ()):
        yield from _leaves(part)
    if not hasattr(layer, "layers"):
        yield layer
