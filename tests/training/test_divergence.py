"""A loss that is not finite: where it began, what is at fault, and which parameters are left."""

import numpy as np
import pytest
from training.runs import BATCH, N, fit, rows, vae, values

import scratchae as sa
from scratchae.randomness import permutation

# What is planted after the first epoch: (tensor, value) -> the terms that the sentence names, and
# those it may not.
BLOWN = [
    ("decoder.1.b", np.nan, ["reconstruction is nan"], "kl is"),
    ("decoder.1.b", np.inf, ["reconstruction is"], "kl is"),
    ("encoder.1.b", np.nan, ["reconstruction is nan", "kl is nan"], "penalty is inf"),
    ("encoder.1.b", 1e4, ["reconstruction is", "kl is inf"], "kl is nan"),
]


@pytest.mark.parametrize("tensor, value, words, never", BLOWN)
def test_a_loss_that_is_not_finite(backend, tensor, value, words, never):
    model, kept = vae(backend), []

    def plant(model, history):
        model.backend.write(model.parameters.view(tensor), value)
        kept.append(values(model))

    optimizer = sa.Adam(0.01)
    with pytest.raises(sa.NonFiniteLoss) as caught:
        fit(model, optimizer=optimizer, callbacks=[plant])
    sentence = str(caught.value)
    for word in [
        *words,
        "at step 4 (epoch 2)",
        "learning rate below 0.01",
        "scaled",
        "initial weights",
    ]:
        assert word in sentence
    assert never not in sentence and "\n" not in sentence
    np.testing.assert_array_equal(values(model), kept[0])
    assert optimizer.t == 3 and model.objective.epoch == 1


def test_a_penalty_may_be_at_fault():
    model = sa.Autoencoder(sa.Dense(6, 3, "relu"), sa.Dense(3, 6), penalty=sa.L1(1e38)).build(6)
    with pytest.raises(sa.NonFiniteLoss, match="a lighter penalty"):
        sa.fit(
            model, np.random.default_rng(0).random((8, 6), dtype=np.float32), sa.SGD(1.0), epochs=3
        )


@pytest.mark.parametrize("penalty", [None, sa.L1(0)])
def test_no_penalty_is_at_fault_where_there_is_none(penalty):
    model = sa.Autoencoder(sa.Dense(6, 3, "relu"), sa.Dense(3, 6), penalty=penalty).build(6)
    with pytest.raises(sa.NonFiniteLoss, match="scaled to about 1") as caught:
        sa.fit(model, 1e30 * np.ones((8, 6), np.float32), sa.SGD(1e30), epochs=3)
    # the first step was not taken: no rate is at fault
    assert "penalty" not in str(caught.value) and "learning rate" not in str(caught.value)


def test_a_vector_with_both_infinities_is_spoilt_without_a_warning():
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6)
    x = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32) * 90
    words = "the vector of parameters is no longer finite after epoch 1"
    with pytest.warns(sa.ScaleWarning), pytest.raises(sa.NonFiniteLoss, match=words):
        sa.fit(model, x, sa.SGD(3e38), epochs=1, batch_size=8, shards=1)
    assert {np.inf, -np.inf} <= set(model.parameters.values.tolist())


def once(t):
    """A rate of the first step, and of no other."""
    return [1e25][t - 1]


def test_a_divergence_in_the_last_step_names_its_own_rate(backend):
    """Seen on the validation data only, or in the parameters: there is no next step to be asked
    for."""
    for kind, words in ((sa.SGD, "on the validation data, after epoch 1"), (sa.Adam, "")):
        model = vae(backend, "float32", likelihood=sa.SquaredError())
        with pytest.raises(sa.NonFiniteLoss, match=rf"{words}.*learning rate below 1e\+25"):
            sa.fit(model, rows(), kind(once), epochs=1, batch_size=N, validation=rows())


def test_a_learning_rate_that_is_too_large(backend):
    """The first step goes far, the second loss is not finite: the parameters are those between
    them."""
    model, one = (vae(backend, "float32", likelihood=sa.SquaredError()) for _ in range(2))
    with pytest.raises(
        sa.NonFiniteLoss, match=r"at step 2 \(epoch 1\).*learning rate below 1e\+25"
    ):
        fit(model, optimizer=sa.SGD(1e25))
    fit(one, rows()[permutation(N, 0, 1)[:BATCH]], sa.SGD(1e25), epochs=1)
    assert np.isfinite(values(model)).all()
    assert np.abs(values(model)).max() == pytest.approx(np.abs(values(one)).max(), rel=0.5)


def test_parameters_that_the_last_step_spoiled():
    with pytest.raises(sa.NonFiniteLoss, match=r"no longer finite|loss became"):
        x = np.linspace(0, 1, 40 * 6, dtype=np.float32).reshape(40, 6)
        model = sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6)).build(6)
        sa.fit(model, x, sa.SGD(1e38), epochs=1, batch_size=40)


@pytest.mark.parametrize("kind", [sa.SGD, sa.Adam, sa.AdamW, sa.Adagrad, sa.Adadelta, sa.RMSProp])
@pytest.mark.parametrize("name", ["numpy", "reference"])
def test_sums_that_are_finite_and_a_loss_that_is_not(name, kind):
    """The sum of the KL is 1e304, beta times it beyond float64: the loss is infinite, and no sum
    of the batch is. The parameters are what the sentence says they are, those before that step."""
    model, optimizer, kept = vae(name), kind(1e-3), []

    def plant(model, history):
        b = model.parameters.view("encoder.1.b")
        model.backend.write(b, [0.0, 0.0, 700.0, 0.0])  # logvar: exp(700) is 1e304
        model.beta = 1e10
        kept.append(values(model))

    with pytest.raises(sa.NonFiniteLoss, match=r"became inf at step 4.*those before that step"):
        fit(model, optimizer=optimizer, callbacks=[plant], progress=False)
    np.testing.assert_array_equal(values(model), kept[0])
    assert optimizer.t == 3
    assert all(np.isfinite(vector).all() for vector in optimizer.vectors.values())
