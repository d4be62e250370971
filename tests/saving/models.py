"""Models of every kind, trained a little and saved."""

import numpy as np

import scratchae as sa
from scratchae import initializers
from scratchae.initializers import Normal
from scratchae.layers import Layer
from scratchae.saving import checkpoint

SHAPE = (6, 6, 1)


class Scale(Layer):
    """A reader's own layer: y = x s, one parameter."""

    def __init__(self, start=1.0):
        self.start = start

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {"s": ((1,), lambda noise: np.full(1, self.start))}

    def bind(self, backend, rows, need_dx):
        self.matmul = backend.matmul
        self.y, self.dx = backend.empty((rows, *self.shape)), backend.empty((rows, *self.shape))

    def forward(self, x):
        self.x = x
        return self._times(x, self.y[: len(x)])

    def backward(self, dy):
        row, column = self.x.reshape(1, self.x.size), dy.reshape(dy.size, 1)
        self.matmul(row, column, out=self.ds.reshape(1, 1), add=self.add)
        return self._times(dy, self.dx[: len(dy)])

    def _times(self, a, out):
        self.matmul(a.reshape(a.size, 1), self.s.reshape(1, 1), out=out.reshape(a.size, 1))
        return out


def dense(D=4, activation="relu", init=initializers.glorot_uniform, extra=()):
    encoder = sa.Sequential(
        sa.Flatten(), *extra, sa.Dense(36, 7, activation, init), sa.Dense(7, D)
    )
    return encoder, sa.Sequential(sa.Dense(2, 36, init_b=init), sa.Reshape(*SHAPE))


def conv():
    encoder = sa.Sequential(
        sa.Conv2d(1, 2, 3, 2, "same", "leaky_relu", initializers.he_normal),
        sa.Flatten(),
        sa.Dense(18, 4),
    )
    decoder = sa.Sequential(
        sa.Dense(2, 18, "softplus", initializers.torch_uniform, initializers.torch_uniform),
        sa.Reshape(3, 3, 2),
        sa.ConvTranspose2d(2, 1, (3, 3), (2, 2), (1, 0, 1, 0), init=Normal(0.3)),
    )
    return encoder, decoder


def pooling():
    encoder = sa.Sequential(
        *(
            sa.Conv2d(1, 2, 3, 1, "same", "relu"),
            sa.MaxPool2d(2, padding="same"),
            sa.MaxPool2d((2, 3), 1),
        ),
        *(sa.Flatten(), sa.Dense(4, 2)),
    )
    return encoder, sa.Sequential(sa.Dense(2, 6), sa.Reshape(2, 3, 1), sa.Upsample2d((3, 2)))


def tied():
    code = sa.Dense(36, 7, "tanh", Normal(0.2))
    return sa.Sequential(sa.Flatten(), code), sa.Sequential(
        sa.Tied(code, "sigmoid"), sa.Reshape(*SHAPE)
    )


MODELS = {
    "vae": lambda: sa.VAE(*dense(), sa.Gaussian(2)),
    "vae beta": lambda: sa.VAE(
        *dense(activation="tanh"), sa.Gaussian(2), sa.GaussianLikelihood(0.3), beta=4
    ),
    "vae conv": lambda: sa.VAE(*conv(), sa.Gaussian(2)),
    "squared": lambda: sa.Autoencoder(*dense(2)),
    "absolute": lambda: sa.Autoencoder(*dense(2, "sigmoid", Normal(0.1)), sa.AbsoluteError()),
    "bernoulli": lambda: sa.Autoencoder(*dense(2, init=initializers.he_uniform), sa.Bernoulli()),
    "gaussian": lambda: sa.Autoencoder(
        *dense(2, init=initializers.glorot_normal), sa.GaussianLikelihood(2.0)
    ),
    "pooling": lambda: sa.Autoencoder(*pooling()),
    "tied": lambda: sa.Autoencoder(*tied(), penalty=sa.Contractive(0.1)),
    "own layer": lambda: sa.VAE(*dense(extra=[Scale(0.5)]), sa.Gaussian(2)),
}


OPTIMIZERS = {
    "adam": lambda: sa.Adam(0.01, 0.8, 0.99, 1e-6),
    "adamw": lambda: sa.AdamW(0.01, 0.8, 0.99, 1e-6, 0.1),
    "adagrad": lambda: sa.Adagrad(0.01, 0.1, 1e-6),
    "adadelta": lambda: sa.Adadelta(0.5, 0.9, 1e-4),
    "rmsprop": lambda: sa.RMSProp(0.01, 0.8, 1e-6),
    "sgd": lambda: sa.SGD(1e-3, 0.9),
}


def data(n=12):
    return np.random.default_rng(0).random((n, *SHAPE))


def train(model, optimizer, epochs=2):
    """The losses of a run; the model carries its optimiser, as one that was loaded does."""
    model.optimizer = optimizer
    return sa.fit(model, data(), optimizer, epochs=epochs, batch_size=5, shards=2)["train_loss"]


def save(model, path):
    """With the state of the optimiser that the model carries, if there is one."""
    sa.save(model, path, optimizer=model.optimizer)


def built(name="vae", dtype="float32", backend="numpy"):
    return MODELS[name]().build(SHAPE, dtype=dtype, backend=backend, seed=4)


def values(model):
    return model.backend.to_host(model.parameters.values)


def same(a, b):
    """Two models that are equal to the bit, optimiser and all."""
    assert checkpoint.describe(a) == checkpoint.describe(b)
    assert (a.input_shape, a.backend.dtype) == (b.input_shape, b.backend.dtype)
    np.testing.assert_array_equal(values(a), values(b))
    assert (a.optimizer is None) == (b.optimizer is None)
    if a.optimizer is not None:
        assert type(a.optimizer) is type(b.optimizer)
        assert (a.optimizer.t, a.objective.epoch) == (b.optimizer.t, b.objective.epoch)
        assert a.optimizer.vectors.keys() == b.optimizer.vectors.keys()
        for name, vector in a.optimizer.vectors.items():
            np.testing.assert_array_equal(
                a.backend.to_host(vector), b.backend.to_host(b.optimizer.vectors[name])
            )
