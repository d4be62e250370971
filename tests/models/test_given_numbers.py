"""A model that is given numbers and no classes: one vector for all rows, and no class code."""

import numpy as np
import pytest
from sentences import one_sentence

import scratchae as sa

N = 12
RNG = np.random.default_rng(0)
X, NUMBERS = RNG.random((N, 6)), RNG.normal(size=(N, 2))
NO_CLASS = r"in training the rows were given 2 numbers, .* give numbers \(2,\) for all rows"


def built(C=2):
    encoder = sa.Sequential(sa.Given(C), sa.Dense(6 + C, 4))
    decoder = sa.Sequential(sa.Given(C), sa.Dense(2 + C, 6))
    return sa.VAE(encoder, decoder, sa.Gaussian(2)).build(6, dtype="float64", seed=1)


def trained(c):
    model = built()
    data = sa.Labelled(X, c) if np.ndim(c) == 2 else sa.Labelled(sa.Values(X, c), 2)
    sa.fit(model, data, sa.Adam(1e-3), epochs=1, progress=False)
    return model


@pytest.mark.parametrize("made", [built, lambda: trained(NUMBERS)])
def test_one_vector_serves_all_rows(made):
    model, c = made(), np.array([0.3, -1.5])
    each, z = np.tile(c, (N, 1)), np.zeros((N, 2))
    for call in (
        lambda given: model.sample(N, seed=2, given=given),
        lambda given: model.encode(X, given=given)[0],
        lambda given: model.reconstruct(X, given=given),
        lambda given: model.decode(z, given=given),
    ):
        np.testing.assert_array_equal(call(c), call(each))
        np.testing.assert_array_equal(call(c.tolist()), call(each))
    assert not np.allclose(model.sample(5, given=c), model.sample(5, given=-c))
    np.testing.assert_array_equal(model.sample(2, given=c), model.sample(2, given=[c, c]))


@pytest.mark.parametrize("given", [1, np.int64(0), np.arange(N) % 2])
def test_a_class_is_refused_where_there_were_numbers(given, tmp_path):
    """In a loaded model too, and not once it is trained on classes."""
    model = trained(NUMBERS)
    sa.save(model, tmp_path / "model")
    for one in (model, sa.load(tmp_path / "model")):
        one_sentence(lambda one=one: one.sample(N, given=given), ValueError, NO_CLASS)
        one_sentence(lambda one=one: one.encode(X, given=given), ValueError, NO_CLASS)
        np.testing.assert_array_equal(one.sample(N, given=[1, 0]), one.sample(N, given=[1.0, 0]))
    labelled = sa.Labelled(sa.Values(X, np.arange(N) % 2), 2)
    sa.fit(model, labelled, sa.Adam(1e-3), epochs=1, progress=False)
    assert model.sample(N, given=given).shape == (N, 6)


@pytest.mark.parametrize("c", [np.eye(2)[np.arange(N) % 2], np.arange(N) % 2])
def test_a_class_is_one_where_rows_had_unit_vectors(c):
    model = trained(c)
    np.testing.assert_array_equal(model.sample(4, given=1), model.sample(4, given=[[0, 1]] * 4))


def test_labels_are_not_taken_for_numbers():
    """Of as many rows as there are classes; floats among them are refused, as they are of more."""
    model = built()
    np.testing.assert_array_equal(
        model.sample(2, given=[0, 1]), model.sample(2, given=[[1, 0], [0, 1]])
    )
    words = r"\(2,\), float64, but whole numbers \(2,\), one for each row"
    one_sentence(lambda: model.sample(2, given=[0.0, 1.0]), ValueError, words)
    words = r"\(2,\), int64, but whole numbers \(5,\), one for each row"
    one_sentence(lambda: model.sample(5, given=[0, 1]), ValueError, words)
    words = r"numbers \(5, 2\), or \(2,\) for all, are expected|whole numbers \(5,\)"
    one_sentence(lambda: model.sample(5, given=[0.5, 1.0, 2.0]), ValueError, words)
    one_sentence(lambda: model.sample(5, given=[np.nan, 1.0]), ValueError, "given is nan at index")
