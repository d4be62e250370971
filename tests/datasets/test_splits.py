"""Rows chosen, parted and scaled: nothing lost, nothing twice, and nothing of the test part in the
scale."""

import numpy as np
import philox_by_hand as by_hand
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchae import Images, Values
from scratchae.datasets import scaled, split, take
from scratchae.datasets.splits import joined


def rows(n):
    return Values(np.arange(2.0 * n).reshape(n, 2), np.arange(n), "rows")


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.integers(0, 2**64 - 1))
def test_every_row_lies_in_one_part(n, fraction, seed):
    if not 0 < round(fraction * n) < n:
        with pytest.raises(ValueError, match="leaves no row in a part"):
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


@pytest.mark.parametrize("seed", [0, 7, 8, 5 * 2**32 + 7])
def test_a_split_by_hand(seed):
    """The first 80 % of an order of its own: that of the epoch 2^32 - 1, which no run reaches. Of
    the orders that runs have it is none, or the first batches of a run were the training part."""
    order = by_hand.order(50, seed, 2**32 - 1)
    train, test = split(rows(50), seed)
    assert train.labels.tolist() == order[:40] and test.labels.tolist() == order[40:]
    assert all(order != by_hand.order(50, seed, epoch) for epoch in range(20))


def test_take_and_joined():
    values = rows(4)
    assert take(values, values.labels > 1).labels.tolist() == [2, 3]
    assert take(values, [3, 0]).x.tolist() == [[6, 7], [0, 1]]
    assert take(Values(values.x), [1]).labels is None
    both = joined(values, take(values, [1]))
    assert (
        both.labels.tolist() == [0, 1, 2, 3, 1]
        and both.x[-1].tolist() == [2, 3]
        and both.name == "rows"
    )
    assert joined(values, Values(values.x)).labels is None
    for none in (values.labels > 9, [], slice(4, 9)):
        with pytest.raises(
            ValueError, match="the rows given choose none of the 4 of rows: choose"
        ):
            take(values, none)


BAD = {  # rows of four that are none, and what is said of them
    "one truth": (True, r"shape of the rows of .* is \(1, 4\), but \(n,\)"),
    "nothing": (None, r"shape of the rows of .* is \(1, 4\), but \(n,\)"),
    "one index": (2, r"shape of the rows of .* is \(\), but \(n,\)"),
    "a table": (np.array([[0, 1], [2, 3]]), r"shape of the rows of .* is \(2, 2\), but"),
    "five truths": ([True] * 5, "boolean index did not match.*: give indices, a boolean"),
    "an index too many": ([0, 4], "index 4 is out of bounds.*: give indices"),
    "fractions": ([0.5], "valid indices"),
    "a word": ("all", "only integers"),
    "two": ((0, 1), "too many indices"),
    "a slice of words": (slice("a"), "slice indices must be integers"),
}


@pytest.mark.parametrize("which", BAD)
def test_rows_that_are_not_there(which):
    bad, words = BAD[which]
    for values in (rows(4), Values(rows(4).x)):
        with pytest.raises((IndexError, ValueError), match=words) as caught:
            take(values, bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rows_", [[True] * 4, [0, 1, 2, 3]])
def test_rows_behind_a_mask_are_not_taken(rows_):
    with pytest.raises(
        TypeError, match="a masked array is given as the rows, but no mask is read"
    ):
        take(rows(4), np.ma.array(rows_, mask=[0, 0, 0, 1]))


def test_rows_in_other_spellings():
    for same in ([1, 2], np.array([1, 2]), slice(1, 3), [False, True, True, False], [-3, -2]):
        assert take(rows(4), same).labels.tolist() == [1, 2]


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


@pytest.mark.parametrize("per_feature", [False, True])
def test_each_part_keeps_its_dtype(per_feature):
    """Whatever the other's: in float32 as in float64, but for rounding."""
    x = np.random.default_rng(0).normal(size=(6, 3))
    for mine, other in ((np.float32, np.float64), (np.float64, np.float32)):
        a, b = scaled(Values(x.astype(mine)), Values(x.astype(other)), per_feature=per_feature)
        assert a.x.dtype == mine and b.x.dtype == other
        np.testing.assert_allclose(a.x, b.x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 1), (4, 2), (4, 7, 1)])
def test_other_features_are_not_scaled(shape):
    x = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(ValueError, match=rf"other has {shape[-1]} features, but values has 3"):
        scaled(Values(x), Values(np.ones(shape), name="other"), per_feature=True)
    with pytest.raises(ValueError, match=r"others has 3 features, but values has 1: give"):
        scaled(Values(x[:, :1]), Values(x, name="others"), per_feature=True)
    # one scale for all fits any
    assert scaled(Values(x), Values(np.ones(shape)))[1].shape == shape[1:]


@pytest.mark.parametrize("flag", [2, 1, None, "yes", np.ones(3, bool)])
def test_a_flag_is_a_flag(flag):
    with pytest.raises(ValueError, match=r"per_feature is .*, but it must be True or False"):
        scaled(rows(4), per_feature=flag)


def test_features_of_windows_are_channels():
    x = np.random.default_rng(0).normal(size=(5, 7, 3)) * [1, 10, 100] + [0, 5, 9]
    (a,) = scaled(Values(x), per_feature=True)
    assert a.x.min(axis=(0, 1)).tolist() == [0] * 3 and a.x.max(axis=(0, 1)).tolist() == [1] * 3


def test_constants_are_named():
    x = np.array([[1.0, 4, 2], [2, 4, 3]])
    (a,) = scaled(Values(x))  # by one scale for all, a constant feature does no harm
    assert np.isfinite(a.x).all()
    with pytest.raises(ValueError, match="feature 1 of beats is 4, which has no range"):
        scaled(Values(x, name="beats"), per_feature=True)
    with pytest.raises(ValueError, match="every value of values is 4, which has no range"):
        scaled(Values(np.full((3, 2), 4.0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("per_feature", [False, True])
def test_a_range_that_the_dtype_cannot_hold(dtype, per_feature):
    most = np.finfo(dtype).max
    wide = Values(np.array([[most, -most], [-most, most]], dtype), name="wide")
    with pytest.raises(ValueError, match=r"wide, scaled, or its range is beyond float.*: divide"):
        scaled(wide, per_feature=per_feature)
    narrow = Values(np.array([[0, 0], [0.1, 0.1]], dtype))
    with pytest.raises(ValueError, match=r"wide, scaled, or its range is beyond float"):
        scaled(narrow, wide, per_feature=per_feature)


@pytest.mark.parametrize("fraction", [0, 1, -0.2, "0.8", np.nan])
def test_fractions(fraction):
    with pytest.raises(ValueError, match="fraction is"):
        split(rows(10), fraction=fraction)


@pytest.mark.parametrize("binarize", ["none", "threshold", "dynamic"])
def test_parts_of_images_are_images(binarize):
    pixels = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2, 1)
    images = Images(pixels, np.arange(10), binarize, "mine")
    parts = [
        *split(images),
        take(images, [3, 0]),
        take(images, slice(2, 4)),
        joined(*split(images)),
    ]
    for part in parts:
        assert isinstance(part, Images) and (part.name, part.binarize) == ("mine", binarize)
        np.testing.assert_array_equal(part.pixels, pixels[part.labels])
    assert [len(part) for part in parts] == [8, 2, 2, 2, 10]
    assert np.shares_memory(parts[3].pixels, pixels)  # a slice is no copy


def test_images_are_not_scaled():
    images = Images(np.zeros((4, 2, 2, 1), np.uint8), name="mine")
    for call in (lambda: scaled(images), lambda: scaled(rows(4), images)):
        with pytest.raises(TypeError, match=r"mine are Images, which are in \[0, 1\]: leave"):
            call()


def test_sets_of_two_kinds_or_shapes_are_not_joined():
    pixels = np.zeros((4, 2), np.uint8)
    grey, ink = Images(pixels, name="grey"), Images(pixels, binarize="threshold")
    for other in (ink, rows(3)):
        with pytest.raises(TypeError, match=r"grey and .* are sets of two kinds: join Values\(a"):
            joined(grey, other)
        both = joined(Values(grey.values()), Values(other.values()))
        assert both.shape == (2,) and len(both) == 4 + len(other)
    with pytest.raises(ValueError, match=r"values has rows of shape \(3,\), but rows has \(2,\)"):
        joined(rows(3), np.ones((4, 3)))


SCALES = [  # integers of either sign, another byte order, half precision
    np.array([[-32768, 0], [32767, 5]], np.int16),
    np.array([[0, 0], [65535, 5]], np.uint16),
    np.array([[-(2**40), 0], [2**40, 5]]),
    np.array([[1, 5], [3, 2]], ">f4"),
    np.array([[1, 5], [3, 2]], ">f8"),
    np.array([[-60000, 5], [60000, 2]], np.float16),
    np.array([[False, True], [True, True]]),
]


@pytest.mark.parametrize("x", SCALES, ids=lambda x: x.dtype.str)
def test_what_is_scaled_knows_its_numbers(x, tolerance):
    a, b = scaled(x, x[:1])
    dtype = "float32" if x.dtype.itemsize <= 2 or x.dtype == ">f4" else "float64"
    wide, low, high = x.astype(float), float(x.min()), float(x.max())
    tol = tolerance("kernel", dtype)
    assert a.x.dtype == b.x.dtype == dtype and a.scaling is b.scaling
    np.testing.assert_allclose(a.x, (wide - low) / (high - low), rtol=0, atol=tol)
    np.testing.assert_array_equal(b.x, a.x[:1])
    np.testing.assert_array_equal(a.scaling(x), a.x)
    np.testing.assert_allclose(a.scaling.inverse(a.x), wide, rtol=tol, atol=tol * (high - low))


def test_the_numbers_of_a_scale_go_along(tolerance):
    x = np.random.default_rng(0).normal(size=(5, 7, 3)) * [1, 10, 100] + [0, 5, 9]
    a, b = scaled(Values(x[:4], np.arange(4)), x[4:], per_feature=True)
    part, again = take(a, a.labels > 1), joined(a, b)
    assert part.scaling is again.scaling is split(a)[0].scaling is a.scaling
    assert a.scaling.low.shape == a.scaling.high.shape == (3,) and Values(x).scaling is None
    back = a.scaling.inverse(again.x)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e3 * tolerance("kernel"))
    # by numbers of a wide dtype, an offset that float32 does not hold comes back
    far = scaled(1e8 + x)[0].scaling
    np.testing.assert_allclose(far.inverse(far(1e8 + x).astype("float32")), 1e8 + x, atol=1e-2)


@pytest.mark.parametrize("shape", [(4, 5), (4, 1), (4, 3, 1)])
def test_a_scaling_of_features_takes_these_alone(shape):
    """One feature would be stretched by the numbers of all three, to three."""
    scaling = scaled(np.random.default_rng(0).random((9, 3)), per_feature=True)[0].scaling
    for way in (scaling, scaling.inverse):
        with pytest.raises(ValueError, match="the scaling is of 3 features: give rows whose last"):
            way(np.ones(shape))


def test_gaps_stay_gaps():
    """So that a detector, which flags an example with a gap, can be handed scaled ones."""
    x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    train = scaled(Values(x))[0]
    x[3, 2], x[5, 0] = np.nan, np.inf
    found = train.scaling(x)
    assert np.isnan(found[3, 2]) and np.isinf(found[5, 0])
    keep = np.isfinite(x)
    np.testing.assert_array_equal(found[keep], train.x[keep])
