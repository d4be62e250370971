"""Small VAEs of every kind that can be coded, and images for them."""

import numpy as np

import scratchae as sa
from scratchae import datasets
from scratchae.initializers import Normal

SEED = 3


def steep(I, O, activation="identity"):
    """A layer whose outputs are about as large as a trained one's, its biases too."""
    return sa.Dense(I, O, activation, init=Normal(2 / I**0.5), init_b=Normal(0.5))


def dense(shape=(4, 3, 1), D=3, **how):
    """Bernoulli, of rows of any shape."""
    P = int(np.prod(shape))
    encoder = sa.Sequential(sa.Flatten(), steep(P, 8, "tanh"), steep(8, 2 * D))
    decoder = sa.Sequential(steep(D, 8, "tanh"), steep(8, P), sa.Reshape(*shape))
    return sa.VAE(encoder, decoder, sa.Gaussian(D)).build(shape, seed=SEED, **how)


def classes(shape=(5, 4), D=2, **how):
    """Categorical: 5 places of 4 categories."""
    P = int(np.prod(shape))
    encoder = sa.Sequential(sa.Flatten(), steep(P, 2 * D))
    decoder = sa.Sequential(steep(D, P), sa.Reshape(*shape))
    model = sa.VAE(encoder, decoder, sa.Gaussian(D), sa.Categorical())
    return model.build(shape, seed=SEED, **how)


def convolutional(**how):
    """Bernoulli, with a noise layer, which is silent here."""
    encoder = sa.Sequential(
        sa.Masking(0.5), sa.Conv2d(1, 3, 3, stride=2, activation="relu"), sa.Flatten()
    )
    encoder = sa.Sequential(*encoder.layers, sa.Dense(3 * 2 * 3, 4))
    decoder = sa.Sequential(
        *(sa.Dense(2, 3 * 2 * 3, "relu"), sa.Reshape(3, 2, 3)),
        sa.ConvTranspose2d(3, 1, 3, stride=2),
    )
    return sa.VAE(encoder, decoder, sa.Gaussian(2)).build((7, 5, 1), seed=SEED, **how)


def bins(shape=(4, 3), D=2, parts=(5, -1.0, 1.0), **how):
    """DiscretisedLogistic: 5 values from -1 to 1, or others."""
    P, out = int(np.prod(shape)), (*shape[:-1], 2 * shape[-1])
    encoder = sa.Sequential(sa.Flatten(), steep(P, 2 * D))
    decoder = sa.Sequential(steep(D, 2 * P), sa.Reshape(*out))
    model = sa.VAE(encoder, decoder, sa.Gaussian(D), sa.DiscretisedLogistic(*parts))
    return model.build(shape, seed=SEED, **how)


def counts(shape=(4, 3), D=2, rate=3.0, **how):
    """Poisson, with rates about that, of inputs that are made small first."""
    P = int(np.prod(shape))
    encoder = sa.Sequential(sa.Flatten(), steep(P, 2 * D))
    decoder = sa.Sequential(steep(D, P), sa.Reshape(*shape))
    model = sa.VAE(encoder, decoder, sa.Gaussian(D), sa.Poisson()).build(shape, seed=SEED, **how)
    model.weights["encoder.1.W"] = model.weights["encoder.1.W"] / rate
    model.weights["decoder.0.b"] = model.weights["decoder.0.b"] + np.log(rate)
    return model


def importance_weighted(**how):
    """Bernoulli, trained with three samples of z an example; coded with one."""
    encoder = sa.Sequential(sa.Flatten(), steep(12, 4))
    decoder = sa.Sequential(steep(2, 12), sa.Reshape(4, 3, 1))
    objective = sa.IWAE(encoder, decoder, sa.Gaussian(2), sa.Bernoulli(), samples=3)
    return sa.Model(objective).build((4, 3, 1), seed=SEED, **how)


KINDS = {
    "dense": dense,
    "classes": classes,
    "bins": bins,
    "counts": counts,
    "importance weighted": importance_weighted,
    "convolutional": convolutional,
}


def images(model, N, seed=0):
    """N rows that the model could be given: (N, *input_shape)."""
    rng = np.random.default_rng(seed)
    if isinstance(model.likelihood, sa.Categorical):
        *places, C = model.input_shape
        return np.eye(C, dtype=np.float32)[rng.integers(C, size=(N, *places))]
    if isinstance(model.likelihood, sa.DiscretisedLogistic):
        k = rng.integers(model.likelihood.bins, size=(N, *model.input_shape))
        return model.likelihood.data(k, model.input_shape).astype(np.float32)
    if isinstance(model.likelihood, sa.Poisson):
        return rng.poisson(3.0, size=(N, *model.input_shape)).astype(np.float32)
    return rng.integers(2, size=(N, *model.input_shape)).astype(np.float32)


def fitted(train, likelihood, width=1):
    """A VAE 784-50-10 after three epochs of training images."""
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(784, 50, "relu"), sa.Dense(50, 20))
    out = sa.Dense(50, 784 * width), sa.Reshape(28, 28, width)
    decoder = sa.Sequential(sa.Dense(10, 50, "relu"), *out)
    model = sa.VAE(encoder, decoder, sa.Gaussian(10), likelihood).build((28, 28, 1), seed=0)
    sa.fit(model, train, sa.Adam(3e-3), epochs=3, batch_size=50, progress=False)
    return model


def trained(what="ink"):
    """A VAE after a short training on generated digits, and 300 of these: black and white, grey of
    8 bits, or counts of 0 to 3."""
    (train, _), (test, _) = datasets.strokes.load(2000, 300)
    if what == "counts":
        train, test = (sa.Values(x // np.uint8(64) * np.float32(1)) for x in (train, test))
        return fitted(train, sa.Poisson()), test
    binarize = {"ink": "threshold", "grey": "none"}[what]
    train, test = (sa.Images(pixels, binarize=binarize) for pixels in (train, test))
    likelihood, width = {
        "ink": (sa.Bernoulli(), 1),
        "grey": (sa.DiscretisedLogistic(), 2),
    }[what]
    return fitted(train, likelihood, width), test
