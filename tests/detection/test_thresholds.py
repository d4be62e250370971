"""Thresholds by hand, and rates of false alarms that are kept."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchae.detection import (
    DetectionWarning,
    FalseAlarms,
    Maximum,
    MeanStd,
    Quantile,
)
from scratchae.detection.thresholds import learn

S = np.array([3.0, 1, 2, 5, 4, 8, 6, 7, 9])


def test_thresholds_by_hand():
    assert MeanStd(2)(S) == pytest.approx(5 + 2 * np.sqrt(60 / 9))
    assert MeanStd(0)(S) == 5
    assert Quantile(0.5)(S) == 5 and Quantile(0.9)(S) == pytest.approx(8.2) and Quantile(1)(S) == 9
    assert Maximum()(S) == 9
    assert FalseAlarms(0.1)(S) == 9  # nine scores are just enough to promise a tenth
    assert FalseAlarms(0.2)(S) == 8 and FalseAlarms(0.5)(S) == 5
    # In floats (1 - 0.18) (149 + 1) is above 123, and 1 / (1 / 49) above 49: neither may ask for
    # one more.
    assert FalseAlarms(0.18)(np.arange(1.0, 150)) == 123
    with pytest.raises(ValueError, match=r"there are 47 examples, but a rate of .* takes 48"):
        FalseAlarms(1 / 49)(np.arange(47.0))
    assert FalseAlarms(1 / 49)(np.arange(1.0, 49)) == 48
    assert repr(MeanStd(2)) == "MeanStd(k=2)"


@given(st.floats(0.01, 0.5), st.integers(2, 300))
def test_a_rate_of_false_alarms_is_kept(rate, n):
    """Of n + 1 exchangeable scores, the one left out is above the others' threshold no oftener
    than that."""
    if n < 1 / rate - 1:
        with pytest.raises(ValueError, match=f"there are {n} examples, but a rate of"):
            FalseAlarms(rate)(np.arange(n))
        return
    scores = np.arange(n + 1.0)
    alarms = [score > FalseAlarms(rate)(np.delete(scores, i)) for i, score in enumerate(scores)]
    assert np.mean(alarms) <= rate + 1e-9
    assert np.mean(alarms) > rate - 1 / (n + 1) - 1e-9  # and no stricter than it must be


def test_a_rate_is_kept_on_fresh_draws():
    rng = np.random.default_rng(0)
    alarms = [
        (rng.normal(size=50) > FalseAlarms(0.1)(rng.normal(size=49))).mean() for _ in range(400)
    ]
    assert np.mean(alarms) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    "rule", [MeanStd(1), MeanStd(3), Quantile(0.95), Maximum(), FalseAlarms(0.2)]
)
def test_a_usual_rule_does_not_warn(rule):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn(rule, S)


def test_equal_scores_are_not_all_flagged_by_rounding():
    with pytest.warns(DetectionWarning, match="for every normal example"):
        assert learn(MeanStd(1), np.full(1000, 0.1)) == 0.1
    assert np.full(1000, 0.1).mean() != 0.1  # what the plain mean would give


@pytest.mark.parametrize("rule", [MeanStd(1), Quantile(0.8), Maximum(), FalseAlarms(0.2)])
@pytest.mark.parametrize("kind", [list, tuple, np.uint8, np.int16, np.float16, np.float32, object])
def test_scores_of_every_kind(rule, kind):
    """An unsigned score below the first one is no large number."""
    given = kind(S.tolist()) if kind in (list, tuple) else S.astype(kind)
    assert rule(given) == rule(S)
    for bad, words in (([], r"shape of the scores is \(0,\)"), ([1, np.nan], "nan at index 1")):
        with pytest.raises(ValueError, match=words):
            rule(bad)
