"""A model that reconstructs a constant is told so, and no other model is."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import scratchae as sa
from scratchae.datasets import beats, scaled, split, take
from scratchae.detection import (
    DetectionWarning,
    Detector,
    Maximum,
    Quantile,
    absolute_error,
    negative_log_likelihood,
    squared_error,
)
from scratchae.detection.constant import LEAST, spread_kept

CONSTANT = "reconstructs nearly the same for every normal example: that varies 0.* times"
X = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)


def linear(D=3):
    return sa.Autoencoder(sa.Dense(6, D), sa.Dense(D, 6)).build(6)


def dead(D=3):
    """A relu that is 0 for every example."""
    model = sa.Autoencoder(sa.Dense(6, D, "relu"), sa.Dense(D, 6)).build(6)
    model.weights["encoder.b"] = np.full(D, -1e4, np.float32)
    return model


def collapsed():
    """A VAE whose decoder has learnt to do without z."""
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.SquaredError()).build(6)
    model.weights["decoder.W"] = np.full((2, 6), 1e-3, np.float32)
    return model


def normal_beats():
    train, _ = split(beats.everything(), seed=0)
    return scaled(take(train, train.labels == beats.NORMAL))[0]


def network(activation):
    """140-32-8-32-140, its code with that activation."""
    return sa.Autoencoder(
        sa.Sequential(sa.Dense(140, 32, "relu"), sa.Dense(32, 8, activation)),
        sa.Sequential(sa.Dense(8, 32, "relu"), sa.Dense(32, 140, "sigmoid")),
        sa.AbsoluteError(),
    ).build(140)


class Folder:
    """Data that neither NumPy nor this library reads."""

    def __len__(self):
        return 2


def quiet(f):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return f()


def test_the_spread_by_hand():
    """(1): a model that halves everything, one that keeps a value of six, and one that keeps
    none."""
    for W, r in ((np.eye(6) / 2, 0.5), (np.diag([1, 0, 0, 0, 0, 0]), None), (np.zeros((6, 6)), 0)):
        model = SimpleNamespace(reconstruct=lambda x, W=W: x @ W + 3)
        wanted = np.sqrt(X[:, 0].var() / X.var(axis=0).sum()) if r is None else r
        assert spread_kept(model, X) == pytest.approx(wanted, rel=1e-5)


def test_it_is_the_square_root_of_the_variance_that_is_kept():
    _, s, V = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    model = SimpleNamespace(reconstruct=lambda x: x @ V[:2].T @ V[:2])
    assert spread_kept(model, X) == pytest.approx(np.sqrt((s[:2] ** 2).sum() / (s**2).sum()))


@pytest.mark.parametrize("score", [absolute_error, squared_error, negative_log_likelihood])
@pytest.mark.parametrize("make", [dead, collapsed])
def test_a_constant_is_said(make, score):
    with pytest.warns(DetectionWarning, match=CONSTANT) as caught:
        detector = Detector(make(), score, Quantile(0.5)).fit(X)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert "\n" not in str(caught[0].message)
    quiet(lambda: detector.report(X, X[:, 0] > 1))  # once is enough


@pytest.mark.slow
def test_the_relu_on_the_code_of_beats_is_said_and_its_advice_is_followed():
    """The network that README once showed: less error than the median beat's by a hundredth."""
    normal = normal_beats()
    model, median = network("relu"), np.median(normal.x, axis=0)
    sa.fit(model, normal, sa.Adam(1e-3), epochs=20, batch_size=128, progress=False)
    with pytest.warns(DetectionWarning, match=f"{CONSTANT}.* take no relu on the code"):
        Detector(model).fit(normal)
    assert absolute_error(model, normal).mean() > 0.95 * np.abs(normal.x - median).mean()
    model = network("identity")
    sa.fit(model, normal, sa.Adam(3e-3), epochs=60, batch_size=128, progress=False)
    quiet(lambda: Detector(model).fit(normal))
    assert absolute_error(model, normal).mean() < 0.75 * np.abs(normal.x - median).mean()
    assert spread_kept(model, normal.x[:256]) > 5 * LEAST


def test_the_absolute_error_of_sparse_rows_is_said_and_its_advice_is_followed():
    """16 events of three values each, of which a row has one: every median is 0."""
    rng = np.random.default_rng(0)
    events = (rng.random((600, 16)) < 0.06) * rng.uniform(0.5, 1, (600, 16))
    x = np.repeat(events, 3, axis=1).astype(np.float32)

    def trained(likelihood):
        model = sa.Autoencoder(sa.Dense(48, 3), sa.Dense(3, 48), likelihood).build(48)
        sa.fit(model, x, sa.Adam(1e-3), epochs=60, batch_size=50, progress=False)
        return model

    model = trained(sa.AbsoluteError())
    with pytest.warns(DetectionWarning, match=f"{CONSTANT}.* SquaredError in the place of Abs"):
        Detector(model).fit(x)
    assert absolute_error(model, x).mean() > 0.99 * x.mean()  # no better than 0
    model = trained(sa.SquaredError())
    quiet(lambda: Detector(model).fit(x))
    assert spread_kept(model, x) > 4 * LEAST


def test_a_model_that_was_not_trained_at_all_may_vary():
    quiet(lambda: Detector(linear()).fit(X))


def test_normal_examples_that_are_all_the_same_have_their_own_sentence():
    x = np.full((50, 6), 0.25, np.float32)
    for model in (dead(), linear(), collapsed()):
        with pytest.warns(DetectionWarning) as caught:
            Detector(model).fit(x)
        assert len(caught) == 1 and "for every normal example (50)" in str(caught[0].message)


@pytest.mark.parametrize(
    "data",
    [
        sa.Values(X),
        sa.Images((40 * X + 100).clip(0, 255).astype(np.uint8)),
        X.astype(np.float64),
        X.astype(np.float16),
        np.asfortranarray(X),
        (100 * X).astype(np.int16),
        X[:2],
        X[:1000:5],
    ],
    ids=["Values", "Images", "float64", "float16", "Fortran", "int16", "two", "strided"],
)
def test_it_is_said_of_every_kind_of_data(data):
    with pytest.warns(DetectionWarning, match=CONSTANT):
        Detector(dead()).fit(data)
    quiet(lambda: Detector(linear(5)).fit(data))


def test_sorted_examples_are_looked_at_from_all_over():
    """The first 256 rows would be one and the same."""
    x = np.repeat(X[:2], 300, axis=0)
    with pytest.warns(DetectionWarning, match=CONSTANT):
        Detector(dead()).fit(x)


def test_a_report_by_a_threshold_of_ones_own_says_it_of_the_normal_examples():
    truth = np.arange(600) % 2 == 0
    detector = Detector(dead())
    detector.threshold = 1.0
    with pytest.warns(DetectionWarning, match=CONSTANT) as caught:
        detector.report(X, truth)
    assert caught[0].filename == __file__
    x = X.copy()
    x[~truth] = 0.5  # normal examples that do not differ: what there is to keep is kept
    quiet(lambda: detector.report(x, truth))
    quiet(lambda: detector.report(X, np.ones(600, bool)))


def test_what_the_score_alone_can_read_is_left_to_it():
    """Data of another shape, of another library's model, raw pixels, gaps."""
    raw = np.random.default_rng(0).integers(0, 256, (40, 3, 2)).astype(np.uint8)

    def flat(model, x):
        x = x.reshape(-1, 6) / 255
        return np.abs(model.reconstruct(x) - x).mean(axis=1)

    def gaps(model, x):
        return np.nanmean(np.abs(model.reconstruct(np.nan_to_num(x)) - x), axis=1)

    x = X.copy()
    x[::7, 2] = np.nan
    model = linear()
    keras = SimpleNamespace(input_shape=(None, 6), parameters=list)
    quiet(lambda: Detector(model, flat).fit(raw))
    quiet(lambda: Detector(model, gaps).fit(x))
    quiet(lambda: Detector(model, lambda m, x: flat(m, x.reshape(-1, 6))).fit(raw.reshape(-1, 6)))
    texts = ["a", "bc", "d" * 9] * 9
    quiet(lambda: Detector(model, lambda m, words: [len(word) for word in words]).fit(texts))
    ragged = [[1.0], [1.0, 2.0]] * 9
    quiet(lambda: Detector(model, lambda m, rows: [len(row) for row in rows]).fit(ragged))
    quiet(lambda: Detector(model, lambda m, folder: [1.0, 2.0]).fit(Folder()))
    quiet(lambda: Detector(keras, lambda m, x: x[:, 0]).fit(X))
    quiet(lambda: Detector(SimpleNamespace(), lambda m, x: x[:, 0]).fit(X))


def test_numbers_too_large_for_a_variance_do_no_harm():
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6, dtype="float64")
    quiet(lambda: Detector(model, rule=Maximum()).fit(1e200 * X.astype(np.float64)))
