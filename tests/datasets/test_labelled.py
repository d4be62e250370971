"""Labelled: what each row is given goes with it, wherever it goes."""

import re

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness
from scratchae.datasets import scaled, split, take

N, C = 12, 4
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (N, 6)).astype(np.uint8)
LABELS = RNG.integers(0, C, N)
NUMBERS = RNG.normal(size=(N, C))
ROWS = np.array([7, 0, 7, 3])
HOW_MANY = (
    r"given is \(12,\), int64, but numbers \(12, C\), or how many classes there are, are "
    r"expected: labels go with the data, Labelled\(Values\(x, labels\), classes\)"
)


def filled(source, backend, dtype="float64"):
    """x and c of ROWS, as a batch has them, on the host."""
    bound = sa.get_backend(backend, dtype)
    feed = source.feed(bound, len(ROWS))
    feed.bring(ROWS)
    rows = bound.asarray(ROWS.astype(np.uint32), np.uint32)
    x = feed.fill(rows, bound.asarray(randomness.clock(0), np.uint32))
    return bound.to_host(x), bound.to_host(feed.c)


@pytest.mark.parametrize("classes", [C, NUMBERS, NUMBERS.astype(np.float32), LABELS[:, None]])
def test_a_batch_has_x_and_what_its_rows_are_given(classes, backend):
    images = sa.Images(PIXELS, LABELS)
    data = sa.Labelled(images, classes)
    due = np.eye(C)[LABELS] if classes is C else np.asarray(classes)
    x, c = filled(data, backend)
    np.testing.assert_array_equal(c, due[ROWS])
    np.testing.assert_allclose(x, images.values(ROWS), rtol=1e-6)
    np.testing.assert_array_equal(data.given(ROWS), due[ROWS])
    assert (len(data), data.shape, data.conditions) == (N, (6,), due.shape[1])


def of(data, x):
    """The label and the numbers of each row of x, found by x itself."""
    return [int(np.flatnonzero((np.round(255 * row) == PIXELS).all(axis=1))[0]) for row in x]


@pytest.mark.parametrize("classes", [C, NUMBERS])
def test_split_and_take_keep_them_together(classes):
    data = sa.Labelled(sa.Images(PIXELS, LABELS), classes)
    parts = [*split(data, seed=3), take(data, data.labels == 1), take(data, [5, 2])]
    for part in parts:
        rows = of(data, part.values())
        np.testing.assert_array_equal(part.given(), data.given(rows))
        np.testing.assert_array_equal(part.labels, LABELS[rows])
    assert len(parts[0]) + len(parts[1]) == N and len(parts[3]) == 2


def test_scaled_scales_x_alone():
    values = sa.Values(PIXELS.astype(np.float32), LABELS)
    train, test = scaled(sa.Labelled(values, NUMBERS), values)
    plain, _ = scaled(values, values)
    np.testing.assert_array_equal(train.values(), plain.values())
    np.testing.assert_array_equal(train.given(), NUMBERS)
    np.testing.assert_array_equal(test.values(), plain.values())
    np.testing.assert_array_equal(train.scaling.inverse(train.values()), values.x)


@pytest.mark.parametrize(
    "labels, classes, words",
    [
        (None, 4, "values has no labels: give them with the data"),
        (LABELS + 1, 4, r"class 4 in the labels of values, at index \d+, but 4 classes are 0 "),
        (LABELS - 1, 4, "class -1 in the labels of values"),
        (LABELS + 0.0, 4, r"float64, but whole numbers \(12,\), one for each row"),
        (None, NUMBERS[:5], r"is \(5, 4\), float64, but numbers \(12, C\), or how"),
        (None, NUMBERS + np.nan, "what the rows are given is nan at index"),
        (LABELS, 0, "are expected"),
        (LABELS, "ten", "are expected"),
        (None, LABELS, HOW_MANY),
        (np.array([[0, 1]] * N), 2, "the shape of"),
    ],
)
def test_what_is_wrong_is_one_sentence(labels, classes, words):
    with pytest.raises(ValueError, match=words) as error:
        sa.Labelled(sa.Values(PIXELS.astype(float), labels), classes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("classes", [0, -1, 4.0, True, None, "10", np.float32(3)])
def test_classes_that_are_no_number_of_them(classes):
    words = f"the classes of Labelled are {re.escape(repr(classes))}, but how many there are, a"
    with pytest.raises(ValueError, match=words):
        sa.Labelled(sa.Images(PIXELS, LABELS), classes)


def test_labels_of_another_length_and_masked_ones():
    with pytest.raises(ValueError, match="the shape of the labels"):
        sa.Values(PIXELS.astype(float), LABELS[:5])
    with pytest.raises(TypeError, match="masked"):
        sa.Labelled(PIXELS.astype(float), np.ma.masked_array(NUMBERS))
