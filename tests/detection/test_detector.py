"""Detectors: scores by the book, and warnings where a detector would be of no use."""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import scratchae as sa
from scratchae.detection import (
    DetectionWarning,
    Detector,
    FalseAlarms,
    Maximum,
    MeanStd,
    Quantile,
    absolute_error,
    negative_log_likelihood,
    squared_error,
)
from scratchae.detection.thresholds import learn

X = np.random.default_rng(0).random((300, 6)).astype(np.float32)
S = np.array([3.0, 1, 2, 5, 4, 8, 6, 7, 9])


def autoencoder(likelihood=None, **options):
    return sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6), likelihood).build(6, **options)


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2)).build(6)


@pytest.mark.parametrize("make", [autoencoder, vae])
def test_errors_are_means_over_a_row(make, backend):
    model = make()
    r = model.reconstruct(X).astype(float) - X
    np.testing.assert_allclose(squared_error(model, X), (r * r).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(absolute_error(model, X), np.abs(r).mean(axis=1), rtol=1e-4)
    for score in (squared_error, absolute_error, negative_log_likelihood):
        found = score(model, X)
        assert found.shape == (300,) and found.dtype == np.float64
        np.testing.assert_array_equal(found, score(model, X))  # nothing is drawn


@pytest.mark.parametrize(
    "likelihood",
    [sa.SquaredError(), sa.AbsoluteError(), sa.GaussianLikelihood(0.3), sa.Bernoulli()],
)
def test_the_likelihoods_score_is_what_training_minimises(backend, likelihood):
    model = autoencoder(likelihood, backend=backend, dtype="float64")
    nll, loss = negative_log_likelihood(model, X), sa.evaluate(model, X)["reconstruction"]
    assert nll.mean() == pytest.approx(loss, rel=1e-10)
    one = [sa.evaluate(model, X[n : n + 1])["reconstruction"] for n in (0, 255, 256, 299)]
    np.testing.assert_allclose(nll[[0, 255, 256, 299]], one, rtol=1e-10)


def test_the_likelihood_of_a_vae_is_taken_at_mu():
    model = vae()
    p = model.reconstruct(X).astype(float)
    by_the_book = -(X * np.log(p) + (1 - X) * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(negative_log_likelihood(model, X), by_the_book, rtol=1e-4)


def test_sources_and_windows_have_scores_too():
    model = autoencoder()
    np.testing.assert_array_equal(squared_error(model, sa.Values(X)), squared_error(model, X))
    pixels = np.random.default_rng(1).integers(0, 256, (300, 6)).astype(np.uint8)
    grey = squared_error(model, sa.Images(pixels))
    np.testing.assert_array_equal(grey, squared_error(model, sa.Images(pixels).values()))
    flat = sa.Autoencoder(
        sa.Sequential(sa.Flatten(), sa.Dense(6, 2)),
        sa.Sequential(sa.Dense(2, 6), sa.Reshape(3, 2)),
    ).build((3, 2))
    x = X.reshape(-1, 3, 2)
    r = (flat.reconstruct(x).astype(float) - x).reshape(300, -1)
    np.testing.assert_allclose(squared_error(flat, x), (r * r).mean(axis=1), rtol=1e-4)


def test_fit_flags_report():
    model = autoencoder()
    sa.fit(model, X, sa.Adam(0.01), epochs=30, batch_size=50, shards=1)
    strange = np.concatenate([X[:50], 3 - X[50:100]])
    detector = Detector(model, squared_error, FalseAlarms(0.05))
    assert detector.fit(X) is detector
    assert detector.threshold == FalseAlarms(0.05)(squared_error(model, X))
    scores, flags = detector.scores(strange), detector.flags(strange)
    np.testing.assert_array_equal(flags, scores > detector.threshold)
    truth = np.arange(100) >= 50
    r = detector.report(strange, truth)
    assert r.accuracy == (flags == truth).mean() > 0.9 and r.auc > 0.99
    assert 0.9 <= (~detector.flags(X)).mean() < 1
    # the threshold itself is normal
    assert not Detector(model, squared_error, Maximum()).fit(X).flags(X).any()


def test_that_all_are_flagged_warns():
    """But not that one is, all but one, or none, as of normal examples."""
    detector = Detector(autoencoder(), lambda model, x: x[:, 0], lambda s: 0.9).fit(X)
    strange = X[X[:, 0] > 0.9]
    with pytest.warns(
        DetectionWarning, match=r"all 9 examples are flagged, .*0\.9: unless all are anomalies"
    ) as got:
        assert detector.flags(strange[:9]).all()
    assert got[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert detector.flags(strange[:1]).all() and not detector.flags(X[X[:, 0] < 0.9]).any()
        assert detector.flags(np.concatenate([strange, X[X[:, 0] < 0.9][:1]])).sum() == len(
            strange
        )


def test_before_fit():
    for call in (
        lambda d: d.flags(X),
        lambda d: d.report(X, X[:, 0] > 0.5),
        lambda d: d.threshold,
    ):
        with pytest.raises(
            RuntimeError,
            match=r"this Detector has no threshold yet: call detector\.fit\(normal\)",
        ):
            call(Detector(autoencoder()))
    assert Detector(autoencoder()).scores(X).shape == (300,)  # scores need none


def test_a_model_that_has_changed_since_fit_is_noticed(backend):
    """Whatever changed it: more training, another build, weights written by hand; and no more
    after fit."""

    def write(model):
        model.backend.write(model.parameters.view("encoder.b"), np.ones(3))

    def train(model):
        sa.fit(model, X[:8], sa.Adam(1e-4), epochs=1, batch_size=8, shards=1)

    model = autoencoder(backend=backend)
    detector = Detector(model).fit(X)
    for change in (train, write, lambda m: m.build(6, backend=backend, seed=1)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            detector.report(X, detector.flags(X))
        change(model)
        for use in (lambda: detector.flags(X), lambda: detector.report(X, X[:, 0] > 0.5)):
            with pytest.warns(DetectionWarning) as got:  # the scores may call for another too
                use()
            words = r"parameters or numbers have changed.* since .*: call detector\.fit"
            assert re.search(words, str(got[0].message)) and got[0].filename == __file__
        detector.fit(X)


@pytest.mark.parametrize("n", [2, 9])
def test_all_of_several_flagged_is_said(n):
    detector = Detector(autoencoder()).fit(X)
    with pytest.warns(DetectionWarning, match=f"all {n} examples are flagged"):
        assert detector.flags(X[:n] + 50).all()


class Odd:
    """A rule that does not say in one word whether another is equal."""

    def __call__(self, scores):
        return np.quantile(scores, 0.9)

    def __eq__(self, other):
        return np.array([True, False])


@pytest.mark.parametrize(
    "name, other", [("score", squared_error), ("rule", MeanStd(2)), ("rule", Odd())]
)
def test_another_score_or_rule_since_fit_is_noticed(name, other):
    detector = Detector(autoencoder()).fit(X)
    mine = getattr(detector, name)
    setattr(detector, name, other)
    with pytest.warns(
        DetectionWarning, match=r"the score or the rule was replaced, since .*: call detector\.fit"
    ):
        detector.report(X, X[:, 0] > 0.5)
    setattr(detector, name, mine)
    detector.report(X, X[:, 0] > 0.5)  # a warning would be an error


def test_a_threshold_of_ones_own():
    """It goes with the model as it is, as one that fit learnt."""
    detector = Detector(autoencoder(), lambda model, x: x[:, 0])
    detector.threshold = np.float32(0.25)
    assert type(detector.threshold) is float and (detector.flags(X) == (X[:, 0] > 0.25)).all()
    assert detector.report(X, X[:, 0] > 0.25).accuracy == 1  # a warning would be an error
    for value in ("high", None, np.nan, True, [0.1], 10**400, np.complex64(1)):
        with pytest.raises(ValueError, match=r"the threshold is .*, but a number is expected"):
            detector.threshold = value
    assert detector.threshold == 0.25
    detector.model.build(6, seed=3)
    with pytest.warns(DetectionWarning, match="parameters or numbers have changed"):
        detector.report(X, X[:, 0] > 0.25)
    detector.threshold = 0.25
    detector.report(X, X[:, 0] > 0.25)  # it is of the model as it is now
    assert detector.fit(X).threshold != 0.25


@pytest.mark.parametrize("threshold, words", [(-1.0, "flags everything"), (2.0, "flags nothing")])
def test_a_report_without_use_is_said_where_it_was_asked_for(threshold, words):
    detector = Detector(autoencoder(), lambda model, x: x[:, 0])
    detector.threshold = threshold
    with pytest.warns(DetectionWarning, match=words) as got:
        detector.report(X, X[:, 0] > 0.25)
    assert got[0].filename == __file__


def test_errors_too_large_to_square_are_said():
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6, dtype="float64")
    with pytest.raises(ValueError, match=r"the score of normal examples is inf at index"):
        Detector(model, squared_error).fit(1e200 * (1 + X.astype(np.float64)))


def test_a_rule_that_is_still_there_is_the_same():
    detector = Detector(autoencoder(), rule=Odd()).fit(X)
    detector.report(X, X[:, 0] > 0.5)  # a warning would be an error


def test_a_model_of_ones_own_has_a_detector_too():
    model = SimpleNamespace(parameters=list)  # another library's idea of parameters
    detector = Detector(model, lambda model, x: x[:, 0], Maximum()).fit(X)
    assert detector.threshold == X[:, 0].max() and not detector.flags(X).any()
    assert Detector(sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)), lambda model, x: x[:, 0]).fit(
        X
    )


def test_a_constant_feature_does_no_harm():
    x = X.copy()
    x[:, 2] = 0.5
    assert np.isfinite(Detector(autoencoder()).fit(x).threshold)


@pytest.mark.parametrize(
    "rule, scores, words",
    [
        (lambda s: s.min() - 1, S, r"flags 9 of 9 normal examples: choose a milder rule"),
        (Quantile(0.1), S, "flags 8 of 9 normal examples"),
        (lambda s: np.inf, S, "the threshold is inf, which flags nothing"),
        (MeanStd(1), np.full(7, 0.1), r"the score is 0\.1 for every normal example \(7\)"),
        (MeanStd(1), np.full(1, 0.1), r"for every normal example \(1\)"),
    ],
)
def test_a_rule_that_is_of_no_use_warns(rule, scores, words):
    with pytest.warns(DetectionWarning, match=words) as caught:
        Detector(autoencoder(), lambda m, x: scores, rule).fit(X[: len(scores)])
    assert caught[0].filename == __file__


def scores_of(result):
    return lambda model, x: result


BAD = [
    (lambda: learn(Maximum(), [1, np.nan]), ValueError, "scores are nan at index 1"),
    (
        lambda: learn(Maximum(), [1, -np.inf]),
        ValueError,
        "the score of normal examples is -inf at index .1,",
    ),
    (lambda: learn(lambda s: -(10**400), [1, 2]), ValueError, "the threshold by .* is -1000"),
    (
        lambda: learn(Maximum(), [1, np.inf]),
        ValueError,
        "the score of normal examples is inf at index .1,",
    ),
    (lambda: learn(Maximum(), []), ValueError, r"shape of the scores is \(0,\), but \(N,\)"),
    (lambda: learn(Maximum, S), TypeError, r"the rule is .*Maximum.*such as MeanStd\(1\)"),
    (lambda: learn("maximum", S), TypeError, "the rule is 'maximum'"),
    (
        lambda: learn(Maximum(), np.ma.array(S, mask=S > 8)),
        TypeError,
        "a masked array is given as the scores",
    ),
    (
        lambda: learn(Maximum(), [[1], [1, 2]]),
        ValueError,
        "the scores are no array .*: give lists of equal lengths",
    ),
    (
        lambda: learn(Maximum(), ["1", "2"]),
        ValueError,
        "the scores are <U1 of shape .*, but numbers",
    ),
    (lambda: learn(lambda s: np.nan, S), ValueError, "the threshold by .* is nan, but a number"),
    (lambda: learn(lambda s: None, S), ValueError, "the threshold by .* is None, but a number"),
    *((lambda k=k: MeanStd(k), ValueError, r"MeanStd\(k\) is") for k in (-1, np.nan, "1")),
    *((lambda q=q: Quantile(q), ValueError, r"Quantile\(q\) is") for q in (-0.1, 1.1, 95, np.nan)),
    *((lambda r=r: FalseAlarms(r), ValueError, r"FalseAlarms\(rate\) is") for r in (0, 1, -1, 5)),
    (
        lambda: FalseAlarms(0.01)(S),
        ValueError,
        r"there are 9 examples, but a rate of 0\.01 takes 99",
    ),
    (
        lambda: Detector(autoencoder(), "mse"),
        TypeError,
        r"the score is 'mse', but a function \(model, data\) is expected",
    ),
    (
        lambda: Detector(autoencoder(), MeanStd(1)),
        TypeError,
        r"the score is MeanStd\(k=1\), but a function \(model, d",
    ),
    (lambda: Detector(autoencoder(), MeanStd), TypeError, "the score is <class .*MeanStd"),
    (lambda: Detector(autoencoder(), lambda s: s), TypeError, "the score is <function"),
    (
        lambda: Detector(autoencoder(), rule=squared_error),
        TypeError,
        "the rule is <function squared_error",
    ),
    (lambda: Detector(autoencoder(), rule="maximum"), TypeError, "the rule is 'maximum'"),
    (
        lambda: Detector(autoencoder(), scores_of(np.ma.array(X[:, 0], mask=X[:, 0] > 0.9))).fit(
            X
        ),
        TypeError,
        "a masked array is given as the scores by <lambda>",
    ),
    (lambda: Detector("model").fit(X), TypeError, "the model is a str"),
    (
        lambda: Detector(sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6))).fit(X),
        RuntimeError,
        "no parameters yet",
    ),
    (lambda: Detector(autoencoder()).fit(X[:, :3]), ValueError, r"shape \(300, 3\), but \(N, 6\)"),
    (lambda: Detector(autoencoder()).fit(X[:0]), ValueError, r"shape \(0, 6\), but \(N, 6\)"),
    (lambda: Detector(autoencoder()).fit(X * np.nan), ValueError, "nan at index"),
    (lambda: negative_log_likelihood("model", X), TypeError, "the model is a str"),
    (lambda: negative_log_likelihood(vae(), 2 * X), ValueError, r"takes values in \[0, 1\]"),
    (
        lambda: Detector(autoencoder(), scores_of(S)).fit(X),
        ValueError,
        r"scores by .* is \(9,\), but \(300,\) is expected",
    ),
    (
        lambda: Detector(autoencoder(), scores_of(X)).fit(X),
        ValueError,
        r"is \(300, 6\), but \(300,\) is expected",
    ),
    (
        lambda: Detector(autoencoder(), scores_of(X[:, 0] * np.nan)).fit(X),
        ValueError,
        "are nan at index 0",
    ),
]


@pytest.mark.parametrize("call, kind, words", BAD)
def test_bad_input_is_a_sentence(call, kind, words):
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_number_that_was_set_since_fit_is_noticed():
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6), sa.GaussianLikelihood(1.0)).build(6)
    detector = Detector(model, negative_log_likelihood, Quantile(0.9)).fit(X)
    detector.flags(X)  # a warning would be an error
    model.likelihood.sigma = 0.3
    with pytest.warns(DetectionWarning, match="parameters or numbers have changed"):
        detector.flags(X)


@pytest.mark.parametrize("score", [squared_error, absolute_error, negative_log_likelihood])
@pytest.mark.parametrize("where", ["decoder", "prior"])
def test_a_label_that_the_encoder_does_not_take(where, score):
    """It is handed to what takes it, and to nothing else."""
    x = np.random.default_rng(0).random((12, 6)).astype(np.float32)
    labels = np.arange(12) % 3
    behind = [sa.Given(3), sa.Dense(5, 6)] if where == "decoder" else [sa.Dense(2, 6)]
    latent = sa.Gaussian(2) if where == "decoder" else sa.GivenPrior(2, 3, sa.Dense(3, 4))
    model = sa.VAE(sa.Dense(6, 4), sa.Sequential(*behind), latent)
    model.build(6, dtype="float64", seed=0)
    data = sa.Labelled(sa.Values(x, labels), 3)
    due = score(model, data)
    for y in range(3):
        rows = labels == y
        part = sa.Labelled(sa.Values(x[rows], labels[rows]), 3)
        np.testing.assert_allclose(score(model, part), due[rows], rtol=1e-5)
    if where == "decoder":
        others = sa.Labelled(sa.Values(x, 0 * labels), 3)
        assert np.abs(score(model, others) - due).max() > 1e-3
