"""The generated stand-in for ECG5000: its form, its classes, a sum of five waves, and the same
every time."""

import math
import time

import numpy as np
import philox_by_hand as by_hand
import pytest

from scratchae.datasets import scaled, split, take
from scratchae.datasets.generated import beats
from scratchae.datasets.generated.sizes import size
from scratchae.detection import roc_auc


@pytest.fixture(scope="module")
def everything():
    return beats.everything()


def test_form(everything):
    train, test = beats.load()
    assert (
        train.x.shape == (500, 140) and test.x.shape == (4500, 140) and train.x.dtype == np.float32
    )
    assert train.name == test.name == everything.name == "beats (generated)"
    np.testing.assert_array_equal(everything.x, np.concatenate([train.x, test.x]))
    np.testing.assert_allclose(everything.x.mean(axis=1, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(everything.x.std(axis=1, ddof=1, dtype=float), 1, atol=1e-6)
    assert len(np.unique(everything.x, axis=0)) == 5000


def test_classes_have_the_shares_of_ecg5000(everything):
    counts = np.bincount(everything.labels, minlength=6)[1:]
    expected = 5000 * beats.SHARES
    assert np.rint(expected).tolist() == [2919, 1767, 96, 194, 24] and set(
        everything.labels
    ) == set(beats.CLASSES)
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()


def test_an_example_depends_on_seed_split_and_row_only(everything):
    (fewer, test), (other, _) = beats.load(20, 30), beats.load(20, 30, seed=1)
    np.testing.assert_array_equal(fewer.x, everything.x[:20])
    np.testing.assert_array_equal(test.x, everything.x[500:530])
    np.testing.assert_array_equal(test.labels, everything.labels[500:530])
    assert (other.x != fewer.x).any(axis=1).all()


def test_a_beat_is_five_waves():
    """Draws of zero are the class's own waves, by (4) written out point by point."""
    for waves in beats.WAVES:
        x = beats._beats(waves[None], np.zeros((1, 18)))[0]
        for t in (0, 30, 54, 61, 100, 139):
            terms = [h * np.exp(-((t - c) ** 2) / (2 * w**2)) for c, w, h in waves]
            assert x[t] == pytest.approx(sum(terms), abs=1e-12)


@pytest.mark.parametrize("draw", range(18))
def test_every_draw_moves_the_beat(draw):
    e = np.zeros((2, 18))
    e[1, draw] = 1
    still, moved = beats._beats(beats.WAVES[:1].repeat(2, axis=0), e)
    assert np.abs(still - moved).max() > 1e-3


def test_the_fifth_class_trembles_more(everything):
    """About its own mean the fifth class varies by far more than what mildness alone gives the
    second."""
    second, fifth = (everything.x[everything.labels == c].var(axis=0).mean() for c in (2, 5))
    assert fifth > 2 * second


def test_abnormal_beats_are_near_enough_for_a_threshold_to_matter(everything):
    """PCA of the normal beats, four components: better than chance by far, and yet not without
    error."""
    train, test = scaled(*split(everything))
    normal = take(train, train.labels == beats.NORMAL).x.astype(float)
    mean = normal.mean(axis=0)
    V = np.linalg.eigh((normal - mean).T @ (normal - mean))[1].T[-4:]
    scores = (((test.x - mean) - (test.x - mean) @ V.T @ V) ** 2).mean(axis=1)
    is_anomaly = test.labels != beats.NORMAL
    assert 0.97 < roc_auc(scores, is_anomaly) < 0.999
    best = max(((scores > t) == is_anomaly).mean() for t in scores)
    assert 0.93 < best < 0.99


def test_all_of_them_in_about_a_second():
    start = time.perf_counter()
    beats.everything(seed=1)
    assert time.perf_counter() - start < 5  # 0.1 s on a quiet machine


def test_the_table_of_waves():
    """Its sums over the five waves: centres, widths and heights of each class. No number of it may
    move, or everybody's beats do."""
    sums = beats.WAVES.sum(axis=1)
    np.testing.assert_allclose(sums[0], [292, 25.2, 1.28])
    np.testing.assert_allclose(sums[1], [287, 32.5, 0.53])
    np.testing.assert_allclose(sums[2], [288, 40.0, 0.42])
    np.testing.assert_allclose(sums[3], [291, 23.2, 0.86])
    np.testing.assert_allclose(sums[4], [291, 36.2, 0.64])


def beat_by_hand(label, s, e, noise):
    """Point by point: waves part of the way from the normal ones to those of the class, shaken by
    half a sample, shifted and stretched together, with wander and noise; mean 0, deviation 1."""
    e = [2.5 * v for v in e] if label == 5 else list(e)
    x = [0.04 * e[17] * math.sin(math.pi * t / 140) + 0.02 * noise[t] for t in range(140)]
    middle = 54  # of the R wave
    for i, (one, other) in enumerate(zip(beats.WAVES[0], beats.WAVES[label - 1], strict=True)):
        C, W, H = (a + s * (b - a) for a, b in zip(one, other, strict=True))
        c = middle + math.exp(0.03 * e[16]) * (C - middle) + 0.5 * e[i] + 0.5 * e[15]
        w, h = W * math.exp(0.08 * e[5 + i]), H * (1 + 0.1 * e[10 + i])
        for t in range(140):
            x[t] += h * math.exp(-((t - c) ** 2) / (2 * w * w))
    mean = sum(x) / 140
    deviation = math.sqrt(sum((v - mean) ** 2 for v in x) / 139)
    return [(v - mean) / deviation for v in x]


def test_every_number_by_hand():
    """From draws by hand, those of training and of the test part: beats of every class."""
    seed, shapes, seen = 2**32 + 4, by_hand.SHAPES, set()
    for part, epoch in zip(beats.load(400, 60, seed), (0, 3), strict=True):
        first = [int(np.flatnonzero(part.labels == c)[0]) for c in set(part.labels)]
        for n in first:
            u, e, noise = (
                draw((1, size), seed, shapes, epoch + k, first=n)[0]
                for k, (draw, size) in enumerate(
                    ((by_hand.uniform, 2), (by_hand.normal, 18), (by_hand.normal, 140))
                )
            )
            label = part.labels[n]
            s = 0 if label == 1 else 0.3 + 0.7 * u[1]
            np.testing.assert_allclose(part.x[n], beat_by_hand(label, s, e, noise), atol=1e-5)
            seen.add(int(label))
    assert seen == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "sizes, words",
    [
        ((-1, 5), "n_train is -1"),
        ((5, 0), "n_test is 0"),
        ((10**13, 5), r"n_train is 10+, but no more than 4294967296"),
    ],
)
def test_sizes_are_checked(sizes, words):
    with pytest.raises(ValueError, match=words):
        beats.load(*sizes)


def test_as_many_as_the_counter_has_rows():
    assert size("n", 2**32) == 2**32
    with pytest.raises(ValueError, match="n is 4294967297, but no more"):
        size("n", 2**32 + 1)
