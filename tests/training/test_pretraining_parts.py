"""pretrain of a model whose rows are given labels, or whose likelihood has a parameter."""

import numpy as np
import pytest
from training.test_pretraining import OUTER, N, rows, stack, tensors, train

import scratchae as sa


def given(first, inner):
    """6-3-2 and back; a layer takes a label in the first stage, or in the inner one."""
    outer, inmost, mirror = ([sa.Given(2)] if there else [] for there in (first, inner, first))
    encoder = sa.Sequential(*outer, sa.Dense(6 + 2 * first, 3), sa.Dense(3, 2))
    last = sa.Dense(3 + 2 * first, 6)
    decoder = sa.Sequential(*inmost, sa.Dense(2 + 2 * inner, 3), *mirror, last)
    return sa.Autoencoder(encoder, decoder).build(6, dtype="float64", seed=0)


LABELLED = sa.Labelled(sa.Values(rows(), np.arange(N) % 2), 2)


def test_a_label_in_the_first_stage():
    model = given(1, 0)
    before = tensors(model)
    train(model, LABELLED)
    assert all((value != before[name]).any() for name, value in tensors(model).items())


@pytest.mark.parametrize("first", [0, 1])
def test_a_label_behind_the_first_stage_changes_nothing(first):
    model = given(first, 1)
    before = tensors(model)
    words = r"^decoder\.0 are to be given numbers beside x, but stages behind the first"
    with pytest.raises(ValueError, match=words):
        train(model, LABELLED)
    for name, value in tensors(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_what_the_likelihood_learns_is_learned_with_the_first_stage():
    """And is where the whole model goes on."""
    model = stack(sa.SharedGaussian(2.0))
    model.weights["likelihood.logvar"] = np.array([0.5])
    shallow = sa.Autoencoder(sa.Dense(6, 4, "tanh"), sa.Dense(4, 6), sa.SharedGaussian(2.0)).build(
        6, dtype="float64"
    )
    names = dict(zip(shallow.weights, [*OUTER, "likelihood.logvar"], strict=True))
    for mine, theirs in names.items():
        shallow.weights[mine] = model.weights[theirs]
    train(model), train(shallow, call=sa.fit)
    for mine, theirs in names.items():
        np.testing.assert_array_equal(model.weights[theirs], shallow.weights[mine])
    assert model.weights["likelihood.logvar"] != 0.5
