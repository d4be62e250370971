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


def importance_weighted(**how):
    """Bernoulli, trained with three samples of z an example; coded with one."""
    encoder = sa.Sequential(sa.Flatten(), steep(12, 4))
    decoder = sa.Sequential(steep(2, 12), sa.Reshape(4, 3, 1))
    objective = sa.IWAE(encoder, decoder, sa.Gaussian(2), sa.Bernoulli(), samples=3)
    return sa.Model(objective).build((4, 3, 1), seed=SEED, **how)


KINDS = {
    "dense": dense,
    "classes": classes,
    "importance weighted": importance_weighted,
    "convolutional": convolutional,
}


def images(model, N, seed=0):
    """N rows that the model could be given: (N, *input_shape)."""
    rng = np.random.default_rng(seed)
    if isinstance(model.likelihood, sa.Categorical):
        *places, C = model.input_shape
        return np.eye(C, dtype=np.float32)[rng.integers(C, size=(N, *places))]
    return rng.integers(2, size=(N, *model.input_shape)).astype(np.float32)


def trained():
    """A VAE 784-50-10 after two epochs of generated digits, and 300 of these, black and white."""
    both = datasets.strokes.load(2000, 300)
    train, test = (sa.Images(pixels, binarize="threshold") for pixels, _ in both)
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(784, 50, "relu"), sa.Dense(50, 20))
    decoder = sa.Sequential(sa.Dense(10, 50, "relu"), sa.Dense(50, 784), sa.Reshape(28, 28, 1))
    model = sa.VAE(encoder, decoder, sa.Gaussian(10)).build((28, 28, 1), seed=0)
    sa.fit(model, train, sa.Adam(3e-3), epochs=3, batch_size=50, progress=False)
    return model, test
