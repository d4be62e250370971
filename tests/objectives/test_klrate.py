"""A target rate at its edges: codes that leave [0, 1], units that are still, weight 0, and the
loss of an epoch."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.kernels.penalties import LEAST, MOST
from scratchae.randomness import permutation

pytestmark = pytest.mark.filterwarnings("ignore::scratchae.WideCode")
X = np.random.default_rng(0).random((20, 6)).astype(np.float32)
STEP = 3  # of batches of 4 rows


def built(encoder, backend="numpy", weight=0.9, dtype=None):
    m = sa.Autoencoder(encoder, sa.Dense(3, 6), penalty=sa.KLRate(weight, 0.2))
    return m.build(6, backend=backend, dtype=dtype, seed=2)


def values(m):
    return m.backend.to_host(m.parameters.values)


class Larger(sa.Dropout):
    """Dropout with p = 0.1, which scales what it leaves; it does not say how far."""

    def __init__(self):
        super().__init__(0.1)

    def range(self, before):
        return None


@pytest.mark.parametrize("shards", [1, 2])
def test_one_code_outside_stops_the_run(backend, shards, tolerance):
    """A layer of unknown range leads out: one row of large codes, in means that stay inside."""
    x, found = 0.3 * X, []
    x[permutation(len(x), 0, 1)[4 * STEP - 2]] = 30
    for each in (backend, "reference"):
        m, optimizer = (
            built(sa.Sequential(sa.Dense(6, 3, "sigmoid"), Larger()), each, dtype="float64"),
            sa.Adam(1e-3),
        )
        m.backend.write(m.parameters.view("encoder.0.W"), 0.1)
        m.backend.write(m.parameters.view("encoder.0.b"), -1.0)
        with pytest.raises(sa.NonFiniteLoss) as caught:
            sa.fit(m, x, optimizer, epochs=1, batch_size=4, shards=shards)
        words = (
            f"at step {STEP} (epoch 1): penalty is nan; the parameters are those before that "
            "step: KLRate"
        )
        assert words in str(caught.value) and "end the encoder in a sigmoid" in str(caught.value)
        assert "learning rate" not in str(caught.value) and optimizer.t == STEP - 1
        found.append(values(m))
    assert np.isfinite(found[0]).all()
    np.testing.assert_allclose(*found, atol=tolerance("layer"))


@pytest.mark.parametrize(
    ("scale", "rate", "words"),
    [(1e20, 1e-3, "step: check that the data is scaled"), (90, 3e38, "learning rate below")],
    ids=["reconstruction", "parameters"],
)
def test_a_penalty_is_not_blamed_for_what_is_no_fault_of_its_own(scale, rate, words):
    m = built(sa.Dense(6, 3, "sigmoid"))
    with (
        pytest.warns(sa.ScaleWarning),
        pytest.raises(sa.NonFiniteLoss, match=words) as caught,
    ):
        sa.fit(m, np.float32(scale) * X, sa.SGD(rate), epochs=1, batch_size=len(X), shards=1)
    assert "KLRate takes" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shards", [1, 3])
def test_units_that_are_still_cost_no_more_than_numbers_hold(backend, dtype, shards, tolerance):
    """Sigmoids that round to 0 or to 1 for every row: a finite price, no slope, the same on every
    backend."""
    found = []
    for each in (backend, "reference"):
        m = built(sa.Dense(6, 3, "sigmoid"), each, dtype=dtype)
        b = np.array([-200.0, 200.0, 0.0])
        m.backend.write(m.parameters.view("encoder.b"), b)
        rate = np.clip(m.encode(X).mean(0, dtype=np.float64), LEAST, MOST)
        expected = 0.9 * (0.2 * np.log(0.2 / rate) + 0.8 * np.log(0.8 / (1 - rate))).sum()
        assert sa.evaluate(m, X, shards=shards)["penalty"] == pytest.approx(
            expected, rel=tolerance("loss", dtype)
        )
        optimizer = sa.SGD(0.01)
        sa.fit(m, X, optimizer, epochs=2, batch_size=8, shards=shards)
        assert optimizer.t == 6
        still = m.backend.to_host(m.parameters.view("encoder.b"))
        assert (still[:2] == b[:2]).all() and still[2] != 0
        found.append(values(m))
    np.testing.assert_allclose(*found, atol=tolerance("layer", dtype))


@pytest.mark.parametrize("backwards", [False, True])
def test_a_still_shard_of_a_unit_that_lives(backend, backwards, tolerance):
    """Silent in one shard, not in the batch: a matter of the batch alone."""
    x = np.repeat([[-1.0], [0.01]], 4, axis=0) * np.ones(6)
    x, found = (x[::-1] if backwards else x).copy(), []
    for shards in (1, 2):
        m = built(sa.Dense(6, 3, "sigmoid"), backend)
        m.backend.write(m.parameters.view("encoder.W"), 50.0)
        assert (np.sort(m.encode(x).mean(1))[[3, 4]] > LEAST).tolist() == [False, True]
        sa.fit(m, x, sa.SGD(1e-3), epochs=3, batch_size=8, shards=shards)
        found.append(np.append(values(m), sa.evaluate(m, x, shards=shards)["penalty"]))
    np.testing.assert_allclose(*found, atol=tolerance("layer", "float32"))


@pytest.mark.parametrize(
    "encoder, low, high",
    [
        (sa.Dense(6, 3, "relu"), "0", "inf"),
        (sa.Dense(6, 3, "softplus"), "0", "inf"),
        (sa.Dense(6, 3, "tanh"), "-1", "1"),
        (sa.Sequential(sa.Dense(6, 4, "sigmoid"), sa.Dense(4, 3)), "-inf", "inf"),
        (sa.Sequential(sa.Dense(6, 3, "relu"), sa.Dropout(0.1), sa.Reshape(3)), "0", "inf"),
        (sa.Sequential(sa.Dense(6, 3, "sigmoid"), sa.Dropout(0.5)), "0", "2"),
        (sa.Sequential(sa.Reshape(3, 2), sa.LSTM(2, 3, False)), "-1", "1"),
        (sa.Sequential(sa.Reshape(1, 6), sa.Conv1d(6, 3, 1), sa.Flatten()), "-inf", "inf"),
        *(
            (sa.Sequential(sa.Dense(6, 3, "sigmoid"), sa.GaussianNoise(sigma, clip)), low, high)
            for sigma, clip, low, high in (
                (0.1, None, "-inf", "inf"),
                (0.1, (-0.1, 1.0), "-0.1", "1"),
                (0.1, (0.0, 1.1), "0", "1.1"),
                (0.0, (2.0, 3.0), "2", "2"),
            )
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_code_that_is_known_to_leave_is_refused(encoder, low, high):
    words = f"codes lie between {low} and {high}, but KLRate takes codes"
    with pytest.raises(ValueError, match=words):
        built(encoder)
    built(encoder, weight=0)


@pytest.mark.parametrize(
    "encoder",
    [
        sa.Sequential(sa.Dense(6, 4), sa.Dense(4, 3, "sigmoid"), sa.Reshape(3)),
        sa.Sequential(
            sa.Reshape(2, 3, 1), sa.Conv2d(1, 1, (2, 1), activation="sigmoid"), sa.Flatten()
        ),
        sa.Sequential(sa.Dense(6, 3, "sigmoid"), sa.Masking(0.2)),
        sa.Sequential(
            sa.Dense(6, 3, "sigmoid"), sa.GaussianNoise(0.3, (0.0, 1.0)), sa.GaussianNoise(0.0)
        ),
        sa.Sequential(sa.Dense(6, 3), sa.GaussianNoise(0.3, (0.0, 1.0))),
        sa.Sequential(sa.Dense(6, 3, "sigmoid"), sa.GaussianNoise(0.0, (0.2, 1.5))),
    ],
)
def test_a_sigmoid_code_is_taken(encoder, backend):
    history = sa.fit(built(encoder, backend, dtype="float64"), X, sa.Adam(), epochs=1)
    assert np.isfinite(history["train_penalty"][0])


@pytest.mark.parametrize("shards", [1, 2])
def test_weight_0_is_no_penalty(backend, shards):
    found = []
    for penalty in (sa.KLRate(0), None):
        m = sa.Autoencoder(sa.Dense(6, 3, "relu"), sa.Dense(3, 6), penalty=penalty)
        m.build(6, backend=backend, seed=2)
        history = sa.fit(m, X - 0.5, sa.Adam(1e-2), epochs=2, batch_size=8, shards=shards)
        found.append(values(m))
        assert np.isfinite(m.backend.to_host(m.replica(4).sums)[2:]).all()
    assert "train_penalty" not in history.records[0]
    assert sa.evaluate(built(sa.Dense(6, 3, "relu"), backend, weight=0), X - 5)["penalty"] == 0
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("shards", [1, 2])
def test_the_loss_of_an_epoch_is_the_mean_over_its_steps(backend, shards, tolerance):
    """With a step too small to matter: 8, 8 and 4 rows, each batch with rates of its own."""
    m, prices, x = (
        built(sa.Dense(6, 3, "sigmoid"), backend, dtype="float64"),
        [],
        X.astype(np.float64) * 9,
    )
    record = sa.fit(
        m, x, sa.SGD(1e-30), epochs=1, batch_size=8, shards=shards, validation=x
    ).records[0]
    for rows in np.split(permutation(len(x), 0, 1), [8, 16]):
        rate = m.encode(x[rows]).mean(0)
        prices += [0.9 * (0.2 * np.log(0.2 / rate) + 0.8 * np.log(0.8 / (1 - rate))).sum()] * len(
            rows
        )
    assert record["train_penalty"] == pytest.approx(np.mean(prices), rel=tolerance("loss"))
    assert record["train_loss"] == pytest.approx(
        record["train_reconstruction"] + np.mean(prices), rel=tolerance("loss")
    )
    # that of the mean over all rows
    assert record["test_penalty"] < 0.99 * record["train_penalty"]
