"""The score of the data, by an autoencoder that was trained to take noise away.

Of squared errors, with x~ = x + sigma eps handed in, the least has the r = g(f(x~)) that is the
mean of x given x~, which Tweedie's formula ties to the density p_sigma of what is handed in, the
data's with that noise on it:

    r(x~) = E[x | x~] = x~ + sigma^2 grad log p_sigma(x~)

    score(x) = (g(f(x)) - x) / sigma^2                           estimates grad log p_sigma(x)  (1)

It points to where the data is denser. The assumption: the model was trained to the end, on that
noise alone (a clip, a mask or a penalty gives another r), and is large enough for that mean.

Source: Vincent, "A connection between score matching and denoising autoencoders", 2011; Alain and
Bengio, "What regularized auto-encoders learn from the data-generating distribution", 2014, theorem
1; Robbins 1956, Efron, "Tweedie's formula and selection bias", 2011, eq. 1.4; Goodfellow, Bengio,
Courville, "Deep Learning", 2016, section 14.5.
"""

from typing import Any

import numpy as np

from ..checks import pieces, real
from ..datasets.fitting import fitting_rows
from ..kernels.errors import ABSOLUTE_ERROR


def denoising_score(model: Any, x: Any, sigma: float) -> np.ndarray:
    """x (N, *input_shape), an array or a source -> the model's estimate of grad log p_sigma(x),
    same shape, in 1 / units of x.

    model: an Autoencoder whose encoder begins with GaussianNoise(sigma), trained with
    SquaredError, or another likelihood whose best reconstruction is a mean, and with no other
    noise, clip or penalty. That is for the caller to see to: it is not looked for. sigma: that
    layer's, in units of x. Nothing is drawn: x is taken as already noisy. Raises ValueError for
    sigma <= 0, TypeError for a VAE, for AbsoluteError and Laplace, and what ``reconstruct``
    raises. Source: the module, (1).
    """
    rows = fitting_rows(model, x, "x")
    variance = real("sigma", sigma, 0, strict=True) ** 2
    if model.latent is not None:
        raise TypeError("the model is a VAE, but an Autoencoder trained on noisy x is expected")
    likelihood = model.objective.likelihood
    if getattr(likelihood, "kernel", None) is ABSOLUTE_ERROR:
        name = type(likelihood).__name__
        raise TypeError(f"{name} learns a median, but a mean is expected: use SquaredError")
    r = model.reconstruct(rows.source)
    for start, part in pieces(r):
        part[...] = (part - rows[slice(start, start + len(part))]) / variance  # (1)
    return r
