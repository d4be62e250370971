"""build: shapes that do not meet, names that there are not, and a layer in two places."""

import numpy as np
import pytest
from sentences import one_sentence, words_of

import scratchae as sa

X = np.random.default_rng(0).random((9, 3))


def vae(**arguments):
    return sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), sa.Gaussian(2), **arguments)


def autoencoder(encoder=None, decoder=None):
    return sa.Autoencoder(encoder or sa.Dense(3, 2), decoder or sa.Dense(2, 3))


REFUSED = [
    (lambda: sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3, dtype=""), ValueError,
     "the dtype is ''"),
    (lambda: sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3, dtype=0), ValueError,
     "the dtype is 0"),
    (lambda: sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3, backend=np), ValueError,
     "no backend <module"),
    (lambda: sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), sa.Gaussian(2), beta=1e39), ValueError,
     r"\(beta\) is 1e"),
    *((lambda b=b: vae(beta=b), ValueError, fr"\(beta\) is {b}, but it must be a number")
      for b in (-1, np.nan, np.inf)),
    (lambda: autoencoder(decoder=sa.Dense(2, 4)).build(3), ValueError,
     r"rows of shape \(4,\).*data has \(3,\): those are 4 numbers, not 3, so change a size, "
     r"stride or padding of "),
    (lambda: autoencoder(sa.Sequential(sa.Flatten(), sa.Dense(6, 2)),
                         sa.Dense(2, 6)).build((3, 2)), ValueError,
     r"rows of shape \(6,\), but the data has \(3, 2\): end it with Reshape\(3, 2\)$"),
    (lambda: autoencoder(sa.Dense(3, 5)).build(3), ValueError,
     r"Dense\(2, 3\) is handed rows of shape \(5,\)"),
    (lambda: sa.VAE(sa.Dense(3, 5), sa.Dense(2, 3), sa.Gaussian(2)).build(3), ValueError,
     r"\(5,\).*takes \(4,\)"),
    (lambda: sa.fit(vae(), X, sa.Adam(), epochs=1), RuntimeError,
     r"this VAE has no parameters yet: call model\.build\(input_shape\) first"),
    (lambda: sa.evaluate(autoencoder(), X), RuntimeError,
     "this Autoencoder has no parameters yet"),
    *((lambda f=f: f(vae()), RuntimeError, "this VAE has no parameters yet") for f in (
        lambda m: m.encode(X), lambda m: m.decode(X[:, :2]), lambda m: m.reconstruct(X),
        lambda m: m.sample(3),
        lambda m: sa.save(m, "model"), lambda m: m.replica(3),
    )),
]  # fmt: skip


@pytest.mark.parametrize("call, error, words", REFUSED, ids=words_of)
def test_refused(call, error, words):
    one_sentence(call, error, words)


def test_a_layer_in_two_places():
    """It would have one set of buffers and views for both."""
    layer, words = (
        sa.Dense(3, 3),
        "the same Dense stands at encoder.0 and at {}: make one for each",
    )
    twice = sa.Sequential(layer, sa.Sequential(layer))
    one_sentence(
        lambda: autoencoder(sa.Sequential(layer), layer).build(3),
        ValueError,
        words.format("decoder"),
    )
    one_sentence(
        lambda: autoencoder(twice, sa.Dense(3, 3)).build(3),
        ValueError,
        words.format("encoder.1.0"),
    )


def test_layers_in_two_places_in_two_places():
    """Each level doubles the places of the one below, and is refused before they are counted."""
    layer = sa.Flatten()
    for _ in range(60):
        layer = sa.Sequential(layer, layer)
    words = r"the same Flatten stands at \S*\.0 and at \S*\.1"
    one_sentence(lambda: autoencoder(layer, sa.Dense(3, 3)).build(3), ValueError, words)
    one_sentence(lambda: sa.by_hand(layer, 3), ValueError, words)
