"""Rows chosen, parted and scaled: nothing lost, nothing twice, and nothing of the test part in the scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchae import Values
from scratchae.datasets import scaled, split, take
from scratchae.datasets.splits import joined


def rows(n):
    return Values(np.arange(2.0 * n).reshape(n, 2), np.arange(n), "rows")


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 2**64 - 1))
def test_every_row_lies_in_one_part(n, fraction, seed):
    if not 0 < round(fraction * n) < n:
        with pytest.raises(ValueError, match="leaves one part"):
            split(rows(n), seed, fraction)
        return
    train, test = split(rows(n), seed, fraction)
    assert len(train) == round(fraction * n)
    assert sorted([*train.labels, *test.labels]) == list(range(n))
    for part in (train, test):
        np.testing.assert_array_equal(part.x[:, 0], 2 * part.labels)
        assert part.name == "rows"


def test_a_split_is_a_function_of_the_seed():
    first, again, other = (split(rows(1000), seed)[1].labels.tolist() for seed in (0, 0, 1))
    assert first == again and first != other
    assert len(set(first) & set(other)) < 80  # 40 of 200 in the mean: other seeds, other rows
    assert abs(np.mean(first) - 499.5) < 60


def test_take_and_joined():
    values = rows(4)
    assert take(values, values.labels > 1).labels.tolist() == [2, 3]
    assert take(values, [3, 0]).x.tolist() == [[6, 7], [0, 1]]
    assert take(Values(values.x), [1]).labels is None
    both = joined(values, take(values, [1]))
    assert both.labels.tolist() == [0, 1, 2, 3, 1] and both.x[-1].tolist() == [2, 3] and both.name == "rows"
    assert joined(values, Values(values.x)).labels is None
    with pytest.raises(ValueError, match="empty"):
        take(values, values.labels > 9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_scale_is_the_training_parts_own(dtype):
    train = Values(np.array([[1, 5], [3, 2]], dtype), np.array([1, 2]), "beats")
    test = Values(np.array([[-1, 7]], dtype))
    a, b = scaled(train, test)
    assert a.x.tolist() == [[0, 1], [0.5, 0.25]] and b.x.tolist() == [[-0.5, 1.5]]
    a, b = scaled(train, test, per_feature=True)
    assert a.x.tolist() == [[0, 1], [1, 0]] and np.allclose(b.x, [[-1, 5 / 3]])
    assert a.x.dtype == b.x.dtype == dtype and a.labels is train.labels and a.name == "beats"
    assert train.x[0, 0] == 1  # a copy was scaled


def test_features_of_windows_are_channels():
    x = np.random.default_rng(0).normal(size=(5, 7, 3)) * [1, 10, 100] + [0, 5, 9]
    (a,) = scaled(Values(x), per_feature=True)
    assert a.x.min(axis=(0, 1)).tolist() == [0] * 3 and a.x.max(axis=(0, 1)).tolist() == [1] * 3


def test_constants_are_named():
    x = np.array([[1.0, 4, 2], [2, 4, 3]])
    (a,) = scaled(Values(x))  # by one scale for all, a constant feature does no harm
    assert np.isfinite(a.x).all()
    with pytest.raises(ValueError, match="feature 1 of beats is 4 in all training rows, but"):
        scaled(Values(x, name="beats"), per_feature=True)
    with pytest.raises(ValueError, match="every value of values is 4 in all training rows, but"):
        scaled(Values(np.full((3, 2), 4.0)))


@pytest.mark.parametrize("fraction", [0, 1, -0.2, "0.8", np.nan])
def test_fractions(fraction):
    with pytest.raises(ValueError, match="fraction is"):
        split(rows(10), fraction=fraction)


@pytest.mark.parametrize("call", [split, scaled, lambda x: take(x, [0])])
def test_arrays_are_to_be_wrapped(call):
    with pytest.raises(TypeError, match=r"ndarray, but Values are expected: wrap it as Values\(x\)"):
        call(np.zeros((4, 2)))
