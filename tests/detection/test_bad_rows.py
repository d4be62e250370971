"""Examples that have no score: NaN, inf, values that the likelihood cannot have. Theirs is NaN and
they are flagged; the others' scores are those that they have alone."""

from types import SimpleNamespace

import numpy as np
import pytest

import scratchae as sa
from scratchae.detection import (
    DetectionWarning,
    Detector,
    Maximum,
    absolute_error,
    average_precision,
    detector,
    negative_log_likelihood,
    report,
    roc_auc,
    rows,
    squared_error,
)

X = np.random.default_rng(0).random((600, 6)).astype(np.float32)
SCORES = (absolute_error, squared_error, negative_log_likelihood)
BAD = [0, 7, 255, 256, 300, 599]
GOOD = np.setdiff1d(np.arange(600), BAD)


def autoencoder(likelihood=None, **options):
    return sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6), likelihood).build(6, **options)


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2)).build(6)


def spoilt(value, dtype=np.float32):
    x = X.astype(dtype)
    x[BAD, np.arange(len(BAD)) % 6] = value
    return x


def classes():
    """A model of one of three classes at each of two places, (2, 3)."""
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(6, 2))
    decoder = sa.Sequential(sa.Dense(2, 6), sa.Reshape(2, 3))
    return sa.Autoencoder(encoder, decoder, sa.Categorical()).build((2, 3), dtype="float64")


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
@pytest.mark.parametrize(
    "make, x, why",
    [
        (autoencoder, spoilt(np.nan), r"is nan at index \(0, 0\)"),
        (autoencoder, spoilt(np.inf), r"is inf at index \(0, 0\)"),
        (autoencoder, spoilt(-np.inf, np.float16), r"is -inf at index \(0, 0\)"),
        (autoencoder, spoilt(1e300, np.float64), "but float32 ends at"),
        (vae, spoilt(1.5), r"is 1.5 at index \(0, 0\), but a Bernoulli"),
        (vae, sa.Values(spoilt(-0.5)), r"is -0.5 at index \(0, 0\), but a Bernoulli"),
        (
            vae,
            np.rint(spoilt(2)).astype(np.int16),
            r"is 2(\.0)? at index \(0, 0\), but a Bernoulli",
        ),
    ],
    ids=["nan", "inf", "-inf, float16", "too large", "above 1", "Values below 0", "int16"],
)
def test_they_have_none_and_the_others_those_of_before(score, make, x, why):
    model = make()
    every = x.x if isinstance(x, sa.Values) else x
    detector = Detector(model, score, Maximum()).fit(every[GOOD])
    with pytest.warns(DetectionWarning) as caught:
        scores = detector.scores(x)
    (warning,) = caught
    assert warning.filename == __file__ and "\n" not in str(warning.message)
    with pytest.warns(
        DetectionWarning,
        match=f"^6 of 600 examples have no score, the first at index 0 .*{why}.*flagged$",
    ):
        flags = detector.flags(x)
    assert np.flatnonzero(np.isnan(scores)).tolist() == BAD
    np.testing.assert_array_equal(scores[GOOD], score(model, every[GOOD]))
    assert np.flatnonzero(flags).tolist() == BAD  # nothing is above the maximum of the good


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_batch_of_these_alone_has_scores_of_nan(n):
    """So that a row's result does not depend on what it came with."""
    detector = Detector(autoencoder(), rule=Maximum()).fit(X)
    x = np.full((n, 6), np.nan, np.float32)
    with pytest.warns(DetectionWarning, match=f"{n} of {n} examples have no score, .* index 0"):
        assert np.isnan(detector.scores(x)).all()
    with pytest.warns(DetectionWarning):
        assert detector.flags(x).all()


def test_pixels_that_are_no_class():
    """Images are always in [0, 1], which is not enough for a likelihood of classes."""
    pixels = np.zeros((300, 2, 3), np.uint8)
    pixels[:, :, 1] = 255
    detector = Detector(classes(), negative_log_likelihood, Maximum())
    detector.threshold = 9.0
    whole = detector.scores(sa.Images(pixels))
    pixels[[3, 299], 0, 0] = 255
    with pytest.warns(DetectionWarning, match="2 of 300 examples have no score, .* at index 3"):
        scores = detector.scores(sa.Images(pixels))
    assert np.flatnonzero(np.isnan(scores)).tolist() == [3, 299]
    np.testing.assert_array_equal(np.delete(scores, [3, 299]), np.delete(whole, [3, 299]))


def test_the_report_counts_them_as_flagged_and_ranks_them_first():
    model = autoencoder()
    detector = Detector(model, rule=Maximum()).fit(X[GOOD])
    truth = np.arange(600) % 3 == 0
    x = spoilt(np.nan)
    with pytest.warns(DetectionWarning, match="6 of 600 examples have no score"):
        r = detector.report(x, truth)
    scores = np.full(600, np.inf)
    scores[GOOD] = detector.scores(x[GOOD])
    wanted = report(scores, truth, detector.threshold)
    assert (r.table == wanted.table).all() and r.table[:, 1].sum() == len(BAD)
    assert r.auc == wanted.auc == roc_auc(scores, truth)
    assert r.average_precision == wanted.average_precision == average_precision(scores, truth)


def test_they_rank_above_inf_and_are_flagged_by_any_threshold():
    given = np.array([np.inf, np.nan, 1.0, 2.0, np.nan])
    truth = np.array([False, True, False, True, False])
    detector = Detector(SimpleNamespace(), lambda model, x: given)
    detector.threshold = np.inf
    with pytest.warns(DetectionWarning, match="2 of 5 .* first at index 1 .that came out as nan"):
        r = detector.report(X[:5], truth)
    ranks = np.array([4, 5, 1, 2, 5.0])
    assert r.table.tolist() == [[2, 1], [1, 1]]
    assert r.auc == roc_auc(ranks, truth)
    assert r.average_precision == average_precision(ranks, truth)
    with pytest.warns(DetectionWarning):
        assert detector.flags(X[:5]).tolist() == np.isnan(given).tolist()


@pytest.mark.parametrize("value", [3e38, np.finfo(np.float32).min])
def test_what_overflows_in_the_model_has_none(value):
    """As the value that stands for no data in many rasters does."""
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6)
    x = X[:300].copy()
    x[[4, 290]] = value * np.sign(model.weights["encoder.W"][:, 0])
    detector = Detector(model, rule=Maximum()).fit(X)
    with pytest.warns(DetectionWarning, match=r"2 of 300 .* index 4 .the code is -?inf"):
        scores = detector.scores(x)
    assert np.flatnonzero(np.isnan(scores)).tolist() == [4, 290]
    good = np.delete(x, [4, 290], axis=0)
    np.testing.assert_array_equal(np.delete(scores, [4, 290]), detector.scores(good))


def test_what_comes_out_as_nan_is_no_score():
    detector = Detector(autoencoder(), lambda m, x: np.where(x[:, 0] > 1, np.nan, x[:, 0]))
    detector.threshold = 1.0
    x = X[:9].copy()
    x[4, 0] = 2
    with pytest.warns(DetectionWarning, match="1 of 9 examples have no score, .* index 4 .that"):
        assert detector.flags(x).tolist() == [False] * 4 + [True] + [False] * 4


def test_a_score_that_reads_gaps_itself_is_given_them():
    """The library's view of what is a bad row does not stand between a user's data and score."""

    def gaps(model, x):
        r = model.reconstruct(np.nan_to_num(x)) - x
        return np.nanmean(np.abs(r), axis=1)

    model, x = autoencoder(), spoilt(np.nan)
    detector = Detector(model, gaps, Maximum()).fit(x)
    np.testing.assert_array_equal(
        detector.scores(x), gaps(model, x)
    )  # a warning would be an error
    assert not detector.flags(x).any()


def test_a_score_of_ones_own_that_refuses_them_is_helped():
    def largest(model, x):
        return np.abs(model.reconstruct(x) - x).max(axis=1)

    model = autoencoder()
    with pytest.warns(DetectionWarning, match="6 of 600 examples have no score"):
        scores = Detector(model, largest).scores(spoilt(np.inf))
    np.testing.assert_array_equal(scores[GOOD], largest(model, X[GOOD]))


@pytest.mark.parametrize(
    "x, kind, words",
    [
        (spoilt(np.nan)[:, :5], ValueError, r"shape \(600, 5\)"),
        (spoilt(np.nan)[:0], ValueError, r"shape \(0, 6\)"),
        (spoilt(np.nan).astype(str), TypeError, "dtype <U"),
        (spoilt(np.nan).astype(complex), TypeError, "dtype complex"),
        ((255 * X).astype(np.uint8), TypeError, "raw uint8"),
        (np.ma.masked_invalid(spoilt(np.nan)), TypeError, "a masked array"),
    ],
    ids=["width", "none", "words", "complex", "uint8", "masked"],
)
def test_what_is_wrong_with_all_rows_is_refused(x, kind, words):
    with pytest.raises(kind, match=words):
        Detector(autoencoder()).scores(x)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_leaving_some_out_copies_a_part_of_the_data_at_a_time(score, monkeypatch):
    """So that one bad row of a file larger than memory is no MemoryError."""
    copied = []
    few, chosen = 2 * rows.ROWS, rows.chosen
    monkeypatch.setattr(detector, "AT_ONCE", few)
    monkeypatch.setattr(
        detector, "chosen", lambda data, i: copied.append(len(i)) or chosen(data, i)
    )
    model, x = autoencoder(), np.tile(spoilt(np.nan), (3, 1))
    with pytest.warns(DetectionWarning, match="18 of 1800 examples have no score"):
        scores = Detector(model, score).scores(x)
    good = np.isfinite(x).all(axis=1)
    np.testing.assert_array_equal(scores[good], score(model, x[good]))
    assert max(copied) == few and sum(copied) == good.sum()


def test_an_error_of_the_score_itself_is_not_taken_for_a_bad_row():
    def broken(model, x):
        raise ValueError("no such column")

    for x in (X, spoilt(np.nan), ["a", "b"], [[1.0], [1.0, 2.0]], None, 3):
        with pytest.raises(ValueError, match="no such column"):
            Detector(autoencoder(), broken).scores(x)
    own = SimpleNamespace(input_shape=(None, 6))  # a model of another library
    with pytest.raises(ValueError, match="no such column"):
        Detector(own, broken).scores(spoilt(np.nan))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_normal_examples_that_have_no_score_are_refused(value):
    """What is not like the others is not known to be normal, and a rate of false alarms is of a
    number of examples."""
    with pytest.raises(ValueError, match=r"at index \(0, 0\) \(6 such values\)"):
        Detector(autoencoder()).fit(spoilt(value))
    with pytest.raises(ValueError, match="are nan at index 3: leave out what has no score"):
        Detector(autoencoder(), lambda m, x: np.where(np.arange(len(x)) == 3, np.nan, 1)).fit(X)
    x = spoilt(value)
    keep = np.isfinite(x).all(axis=1)
    assert np.isfinite(Detector(autoencoder()).fit(x[keep]).threshold)  # what the sentence says


def test_the_advice_on_nan_among_scores_is_followed():
    detector = Detector(autoencoder()).fit(X[GOOD])
    with pytest.warns(DetectionWarning):
        scores = detector.scores(spoilt(np.nan))
    truth = np.arange(600) % 2 == 0
    with pytest.raises(
        ValueError, match=r"nan at index 0: leave .* \(keep = ~np.isnan\(scores\)\)"
    ):
        report(scores, truth, detector.threshold)
    keep = ~np.isnan(scores)
    report(scores[keep], truth[keep], detector.threshold)
