"""The report of a detector: small cases by hand, all pairs by brute force, and what is undefined
says so."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchae.detection import DetectionWarning, average_precision, report, roc_auc

#          normal: 1 2 3 4 6        anomaly: 5 6 7
SCORES = np.array([1, 2, 3, 4, 6, 5, 6, 7.0])
TRUTH = np.array([0, 0, 0, 0, 0, 1, 1, 1], bool)


def test_by_hand():
    r = report(SCORES, TRUTH, 3.5)
    assert r.table.tolist() == [[3, 2], [0, 3]]
    assert r.accuracy == 6 / 8
    assert r.precision == {"normal": 1.0, "anomaly": 3 / 5}
    assert r.recall == {"normal": 3 / 5, "anomaly": 1.0}
    # 5 beats four, 6 four and ties with one, 7 all
    assert r.auc == pytest.approx((4 + 4.5 + 5) / 15)
    # At 7: 1 of 1 found; at 6: 2 of 3; at 5: 3 of 4.
    assert r.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_the_threshold_itself_is_not_flagged():
    assert report(SCORES, TRUTH, 6).table.tolist() == [[5, 0], [2, 1]]
    assert report(SCORES, TRUTH, np.nextafter(6, 0)).table.tolist() == [[4, 1], [1, 2]]


def test_the_printed_table():
    lines = str(report(SCORES, TRUTH, 3.5)).splitlines()
    assert lines[1].split() == ["truth", "normal", "anomaly", "precision", "recall"]
    assert lines[2].split() == ["normal", "3", "2", "1.000", "0.600"]
    assert lines[3].split() == ["anomaly", "0", "3", "0.600", "1.000"]
    assert lines[4:] == [
        "accuracy 0.750, at the threshold 3.5",
        "ROC-AUC 0.900",
        "average precision 0.806",
    ]
    assert max(map(len, lines)) < 80


@pytest.mark.parametrize(
    "truth, name, other",
    [(np.zeros(8, bool), "normal", "anomaly"), (np.ones(8, bool), "anomaly", "normal")],
)
def test_one_class_is_undefined_and_says_so(truth, name, other):
    r = report(SCORES, truth, 3.5)
    assert math.isnan(r.auc) and math.isnan(r.average_precision) and math.isnan(r.recall[other])
    for f, what in ((roc_auc, "ROC-AUC"), (average_precision, "average precision")):
        with pytest.warns(
            DetectionWarning, match=f"{what} is nan, .* all 8 examples are of one class, {name}"
        ) as got:
            assert math.isnan(f(SCORES, truth))
        assert got[0].filename == __file__ and len(got) == 1
    text = str(r)
    assert (
        "ROC-AUC undefined: only one class" in text
        and "average precision undefined: only one class" in text
    )
    assert (
        f"recall of {other} undefined: there is none" in text
        and f"recall of {name} undefined" not in text
    )
    assert "nan" not in text


def test_what_flags_everything_or_nothing_warns():
    with pytest.warns(DetectionWarning, match="flags everything, all 8 examples") as caught:
        r = report(SCORES, TRUTH, 0)
    assert caught[0].filename == __file__
    assert math.isnan(
        r.precision["normal"]
    ) and "precision of normal undefined: nothing was taken for it" in str(r)
    with pytest.warns(DetectionWarning, match="flags nothing, though 3 of 8 are anomalies"):
        r = report(SCORES, TRUTH, np.inf)
    assert math.isnan(r.precision["anomaly"]) and r.accuracy == 5 / 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # neither is wrong where there is nothing else to do
        report(SCORES, np.zeros(8, bool), 9)
        report(SCORES, np.ones(8, bool), 0)


cases = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=40)


def by_pairs(scores, truth):
    pairs = [(a > b) + (a == b) / 2 for a in scores[truth] for b in scores[~truth]]
    return sum(pairs) / len(pairs)


def by_thresholds(scores, truth):
    """Average precision as its sum reads, flagging anew at each distinct score."""
    total, before = 0.0, 0.0
    for t in sorted(set(scores), reverse=True):
        flagged = scores >= t
        recall = (flagged & truth).sum() / truth.sum()
        total += (recall - before) * (flagged & truth).sum() / flagged.sum()
        before = recall
    return total


@given(cases)
def test_all_pairs_and_all_thresholds(case):
    scores, truth = np.array([s for s, _ in case], float), np.array([y for _, y in case])
    if truth.all() or not truth.any():
        return  # see above
    assert roc_auc(scores, truth) == pytest.approx(by_pairs(scores, truth), abs=1e-12)
    assert roc_auc(-scores, truth) == pytest.approx(1 - roc_auc(scores, truth), abs=1e-12)
    assert roc_auc(np.exp(scores), truth) == roc_auc(scores, truth)
    assert average_precision(scores, truth) == pytest.approx(
        by_thresholds(scores, truth), abs=1e-12
    )


def test_a_planted_error_is_seen():
    """The two that are found in the wild: ties counted whole, by order of rows, and a trapezoid
    under precision."""
    order = SCORES.argsort(kind="stable")
    ranks = np.empty(8)
    ranks[order] = np.arange(1, 9)
    assert (ranks[TRUTH].sum() - 6) / 15 != pytest.approx(by_pairs(SCORES, TRUTH))
    assert np.trapezoid([1, 1, 2 / 3, 3 / 4], [0, 1 / 3, 2 / 3, 1]) != pytest.approx(
        by_thresholds(SCORES, TRUTH)
    )


def test_constant_scores_rank_nothing():
    assert roc_auc(np.ones(8), TRUTH) == 0.5
    assert average_precision(np.ones(8), TRUTH) == 3 / 8


def test_a_report_is_equal_to_itself():
    r = report(SCORES, TRUTH, 3.5)
    assert r == r and r in {r} and r != report(SCORES, TRUTH, 4.5)


class Column:
    """What a column of a table is to NumPy."""

    def __init__(self, values, dtype):
        self.values = np.array(values, dtype)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


def test_labels_as_floats_by_hand():
    assert roc_auc([0.1, 0.4, 0.3, 0.9], np.array([0.0, 0.0, 1.0, 1.0])) == 0.75


SPELLINGS = [
    *(TRUTH.astype(dtype) for dtype in (int, np.int8, np.uint8, np.uint64, object)),
    *(TRUTH.astype(dtype) for dtype in (np.float16, np.float32, np.float64, ">f8")),
    *(TRUTH.tolist(), TRUTH.astype(float).tolist(), TRUTH.astype(int).astype(object)),
    *(Column(TRUTH, dtype) for dtype in (bool, object, np.int8, float)),
]


@pytest.mark.parametrize("truth", SPELLINGS, ids=range(len(SPELLINGS)))
def test_the_truth_in_other_spellings(truth):
    r, wanted = report(SCORES.tolist(), truth, 3.5), report(SCORES, TRUTH, 3.5)
    assert str(r) == str(wanted) and r.auc == wanted.auc
    assert average_precision(SCORES, truth) == wanted.average_precision


@pytest.mark.parametrize(
    "bad, words",
    [(np.nan, "nan"), (0.5, "0.5"), (2.0, "2.0"), (-1.0, "-1.0"), (np.inf, "inf"), (None, "obj")],
)
@pytest.mark.parametrize("dtype", [float, object])
def test_what_is_no_truth_is_refused_and_its_advice_holds(bad, words, dtype):
    truth = TRUTH.astype(dtype)
    truth[3] = bad
    words = "nan" if dtype is float and bad is None else words
    for call in (lambda y: report(SCORES, y, 3.5), lambda y: roc_auc(SCORES, y)):
        with pytest.raises(
            ValueError, match=f"is_anomaly holds {words}.*: give booleans, such as"
        ):
            call(truth)
        call(truth != 0)  # labels != NORMAL


WITH_NAN = np.where(np.arange(8) == 2, np.nan, SCORES)
BAD = [
    ((WITH_NAN, TRUTH, 1), r"scores are nan at index 2: leave out"),
    ((SCORES[:7], TRUTH, 1), r"shape of is_anomaly is \(8,\), but \(7,\)"),
    ((SCORES[:, None], TRUTH, 1), r"scores is \(8, 1\), but \(N,\)"),
    (([], [], 1), r"scores is \(0,\), but \(N,\)"),
    ((["a"], [True], 1), r"scores are <U1 of shape \(1,\), but numbers"),
    (
        ([[1], [1, 2]], [True, False], 1),
        "scores are no array .*inhomogeneous.*: give lists of equal lengths",
    ),
    ((SCORES[:2], [[True], [True, False]], 1), "the values of is_anomaly are no array"),
    ((SCORES, TRUTH + 1, 1), "is_anomaly holds 2: give booleans"),
    ((SCORES, TRUTH / 2, 1), "is_anomaly holds 0.5: give booleans"),
    ((SCORES, TRUTH.astype(complex), 1), "is_anomaly holds complex128: give booleans"),
    ((SCORES, TRUTH.astype(str), 1), "is_anomaly holds <U5: give booleans"),
    *(
        ((SCORES, TRUTH, t), "threshold is .*, but a number is expected")
        for t in (np.nan, None, "3", True)
    ),
]


@pytest.mark.parametrize("arguments, words", BAD)
def test_bad_input_is_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words) as caught:
        report(*arguments)
    assert "\n" not in str(caught.value)


MASK = np.arange(8) == 3


@pytest.mark.parametrize(
    "scores, truth, what",
    [
        (np.ma.array(SCORES, mask=MASK), TRUTH, "scores"),
        (
            np.ma.array(SCORES),
            TRUTH,
            "scores",
        ),  # also one that hides nothing: a mask may come later
        (SCORES, np.ma.array(TRUTH, mask=MASK), "values of is_anomaly"),
    ],
)
def test_masks_are_refused(scores, truth, what):
    for call in (roc_auc, average_precision, lambda s, y: report(s, y, 3.5)):
        with pytest.raises(
            TypeError, match=f"a masked array is given as the {what}, but no mask is read: fill"
        ):
            call(scores, truth)
