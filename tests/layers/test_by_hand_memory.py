"""by_hand's memory: what is read is a copy, what is refused changes nothing, what is old is not
shown."""

import copy
import pickle

import numpy as np
import pytest

import scratchae as sa
from scratchae import by_hand

X = np.arange(12.0).reshape(4, 3) / 10


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copy_has_another_memory(copied):
    """A copy's W would not be the one that its layer reads."""
    with pytest.raises(TypeError, match="this Dense holds memory of its backend: call by_hand"):
        copied(by_hand(sa.Dense(3, 2), (3,)))


def test_one_layer_in_two_places():
    dense = sa.Dense(3, 3)
    with pytest.raises(ValueError, match=r"the same Dense stands at layer\.0 and at layer\.1"):
        by_hand(sa.Sequential(dense, dense), 3)


def test_what_is_read_is_not_written():
    """Nor lost: an array that was read is a copy, and says so; weights[name] = ... writes."""
    dense = by_hand(sa.Dense(3, 2), 3)
    dense(X)
    dense.backward(np.ones((4, 2)))
    for array in (dense.W, dense.weights["W"], dense.dW, dense.gradients["b"]):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1
    dense.weights["W"] = np.full((3, 2), 7.0)
    assert (dense.W == 7).all()


def test_a_refused_call_leaves_the_last_one():
    likelihood, a, x = by_hand(sa.Bernoulli(), 3), np.zeros((2, 3)), np.full((2, 3), 0.25)
    likelihood(a, x)
    da = likelihood.backward()
    with pytest.raises(ValueError, match="a has 4 rows, but x has 2"):
        likelihood(np.zeros((4, 3)), x)
    np.testing.assert_array_equal(likelihood.backward(), da)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.full((3, 2), 1e300), ValueError, r"W is 1e\+300 at index"),
        (np.full((3, 2), 1j), ValueError, "W is to become complex128"),
        (np.ma.masked_less(np.eye(3)[:, :2], 1), TypeError, "a masked array is given"),
        ([["a"] * 2] * 3, ValueError, "W is to become <U1"),
    ],
    ids=["large", "complex", "masked", "words"],
)
def test_what_is_no_weight(value, error, words):
    dense = by_hand(sa.Dense(3, 2), 3, dtype="float32")
    before = dense.W
    with pytest.raises(error, match=words):
        dense.W = value
    np.testing.assert_array_equal(dense.W, before)


def test_data_that_the_dtype_cannot_hold():
    with pytest.raises(ValueError, match=r"x of this Dense is 1e\+300 at index"):
        by_hand(sa.Dense(3, 2), 3, dtype="float32")(np.full((4, 3), 1e300))


@pytest.mark.parametrize("weight", [np.nan, None, "x", np.ones(3)], ids=str)
def test_what_is_no_weight_of_the_kl(weight):
    latent = by_hand(sa.Gaussian(2), 4)
    z = latent(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="kl_weight is"):
        latent.backward(z, weight)


@pytest.mark.parametrize(
    ("part", "shape", "name"), [(sa.Dense(3, 2), 5, "inputs"), (sa.Gaussian(3), 5, "dimensions")]
)
def test_a_part_that_did_not_fit_is_not_in_use(part, shape, name):
    with pytest.raises(ValueError, match="5"):
        by_hand(part, shape)
    setattr(part, name, 4)
    assert getattr(part, name) == 4


class Wide(sa.Dense):
    """A Dense that learns its inputs from the shape of a row."""

    def declare(self, shape):
        self.inputs = shape[0]
        return super().declare(shape)


def test_a_layer_may_settle_its_arguments_in_declare():
    assert by_hand(Wide(1, 2), 5).W.shape == (5, 2)


def test_a_frozen_layer_has_no_gradient():
    """Rather than the one of an earlier call."""
    two = by_hand(sa.Sequential(sa.Dense(3, 3), sa.Dense(3, 2)), 3)
    assert two.trainable
    two(X)
    two.backward(np.ones((4, 2)))
    two.part.layers[0].trainable = False
    two.backward(np.ones((4, 2)))
    assert list(two.gradients) == ["1.W", "1.b"]
    with pytest.raises(RuntimeError, match=r"d0\.W is not computed: its layer is frozen"):
        getattr(two, "d0.W")
    two.trainable = False
    assert not two.trainable and two.gradients == {}


@pytest.mark.parametrize(
    ("name", "value"), [("epoch", -1), ("epoch", 1.5), ("first", "a"), ("purpose", 7)], ids=str
)
def test_what_is_no_address_of_noise(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}, but"):
        setattr(by_hand(sa.GaussianNoise(0.1), 3), name, value)
