"""Grey pixels as draws from a density on [0, 1], and the bound of a VAE under one.

Stored pixels are whole numbers k from 0 to 255, and most of MNIST's are 0. Where a pixel is 0
whatever the digit, a density there can be as large as one likes, so that the ELBO of k / 255 has
no bound and tells little but how far the parameters of white pixels have run. With u uniform in
[0, 1)

    x = (k + u) / 256                                                                       (1)
    log P(k) >= E_u log p(x) - D log 256 >= E_u ELBO(x) - D log 256                         (2)

the ELBO of a density is, but for a constant, a bound on the log-probability of the D stored
pixels. The mean of (1) over u is 1/512 at least and 511/512 at most, which a continuous Bernoulli
has where its parameter is -512 and 512.

Source: Theis, van den Oord, Bethge, "A note on the evaluation of generative models", 2016,
section 3.1; cunningham-lab/cb_and_cc, cb_vae_mnist.ipynb.
"""

from collections.abc import Callable

import common
import numpy as np

from scratchae import VAE, Bernoulli, ContinuousBernoulli, Images, Values

Natural = Callable[[np.ndarray], np.ndarray]
MOST = 512  # in size, of a parameter
GRID = np.sinh(np.linspace(-1, 1, 10_001) * np.arcsinh(MOST))  # parameters, dense about 0


def dequantised(images: Images, seed: int) -> Values:
    """Images of pixels k as x (N, 28, 28, 1) in [0, 1], u drawn once, for that seed. Source: the
    module, (1)."""
    x = np.random.default_rng(seed).random(images.pixels.shape, np.float32)
    x += images.pixels
    x /= 256  # (1)
    return Values(x, images.labels, images.name)


def start_at_mean(model: VAE, x: Values) -> None:
    """Let the last bias (784,) be what fits the mean of each pixel of x (N, 28, 28, 1): from 0 to
    -512 Adam has far to go. Source: yburda/iwae, datasets.py."""
    *_, last = model.weights
    model.weights[last] = model.likelihood.best_output(x.x)["a"].ravel()


def bound(model: VAE, x: Values, natural: Natural | None = None) -> float:
    """The mean ELBO of images x (N, 28, 28, 1), in nats, under the continuous Bernoulli of the
    parameters natural(a), or a as it is, a the decoder's output; one z an image, by the same eps
    for any model. Source: Kingma and Welling 2014, eq. 10."""
    noise, total = np.random.default_rng(0), 0.0
    for start in range(0, len(x), common.ENCODE):
        rows = x.values(slice(start, start + common.ENCODE))
        mu, logvar = model.encode(rows)  # (n, 20)
        z = mu + np.exp(logvar / 2) * noise.standard_normal(mu.shape, np.float32)
        kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
        a = model.decoder_output(z)
        log_p = ContinuousBernoulli().log_prob(rows, natural(a) if natural else a)
        total += float((log_p - kl).sum())
    return total / len(x)


def of_mean(a: np.ndarray) -> np.ndarray:
    """A Bernoulli's logits -> the parameter of the continuous Bernoulli that has its means, or is
    as near as those of (1), both (N, 28, 28, 1). Source: the module."""
    means = Bernoulli().mean(a.astype(np.float64))
    return np.interp(means, ContinuousBernoulli().mean(GRID), GRID)
