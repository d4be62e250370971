"""Given: what it is before a Dense layer, and whom each of K samples belongs to."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.gradcheck import check_layer

LABELS = np.array([2, 0, 1, 1, 2])


def test_before_a_dense_layer_it_is_a_bias_for_each_class(backend, tolerance):
    """x [W_x over W_c] + b is x W_x + (b + W_c[label])."""
    net = sa.Sequential(sa.Given(3), sa.Dense(7, 5))
    joined, plain = (
        sa.by_hand(layer, 4, backend=backend, seed=1) for layer in (net, sa.Dense(4, 5))
    )
    x, W, b = np.random.default_rng(0).normal(size=(5, 4)), joined.weights["1.W"], 0.3
    joined.weights["1.b"] = np.full(5, b)
    plain.W = W[:4]
    y = joined(x, given=LABELS)
    dy = np.random.default_rng(1).normal(size=y.shape)
    dx = joined.backward(dy)
    for label in range(3):
        rows = label == LABELS
        plain.b = b + W[4 + label]
        np.testing.assert_allclose(y[rows], plain(x[rows]), rtol=0, atol=tolerance("layer"))
        np.testing.assert_allclose(
            dx[rows], plain.backward(dy[rows]), rtol=0, atol=tolerance("layer")
        )
        due = dy[rows].sum(axis=0)  # of W_c, what a bias of the class would be due
        np.testing.assert_allclose(joined.gradients["1.W"][4 + label], due, atol=1e-12)


def test_k_samples_of_an_example_are_given_the_same(backend):
    layer = sa.by_hand(sa.Given(2), 3, backend=backend)
    layer(np.zeros((6, 3)), given=np.zeros((6, 2)))
    part, bound = layer.part, layer.backend
    part.give(bound.asarray(np.array([[1.0, 2.0], [3.0, 4.0]])))
    y = bound.to_host(part.forward(bound.asarray(np.arange(18.0).reshape(6, 3))))
    np.testing.assert_array_equal(y[:, :3], np.arange(18.0).reshape(6, 3))
    np.testing.assert_array_equal(y[:, 3:], [[1, 2]] * 3 + [[3, 4]] * 3)


def test_numbers_are_given_as_they_are():
    c = np.random.default_rng(0).normal(size=(4, 2))
    y = sa.by_hand(sa.Given(2), 3)(np.ones((4, 3)), given=c)
    np.testing.assert_array_equal(y, np.hstack([np.ones((4, 3)), c]))


def test_it_is_a_layer_like_the_others(backend):
    """Its gradient, rows that are independent, fewer rows than it is bound for, x left alone."""
    for layer in (sa.Given(2), sa.Sequential(sa.Dense(4, 3), sa.Given(2), sa.Dense(5, 2))):
        report = check_layer(layer, (4,), backend=backend)
        assert report.ok, str(report)


def test_no_dx_where_nobody_needs_it():
    layer, bound = sa.Given(2), sa.get_backend("numpy")
    layer.declare((3,))
    layer.bind(bound, 4, need_dx=False)
    assert layer.backward(np.zeros((4, 5), np.float32)) is None


def test_no_label_becomes_a_channel_of_an_image():
    with pytest.raises(ValueError, match=r"rows of shape \(28, 28, 1\).*Flatten\(\) before it"):
        sa.by_hand(sa.Given(10), (28, 28, 1))


def test_what_was_not_given_is_asked_for():
    layer = sa.by_hand(sa.Given(2), 3)
    with pytest.raises(TypeError, match="takes 2 numbers beside each row"):
        layer(np.zeros((1, 3)))
    with pytest.raises(TypeError, match="takes nothing beside x: leave it out"):
        sa.by_hand(sa.Dense(3, 2), 3)(np.zeros((1, 3)), given=1)
    layer(np.zeros((1, 3)), given=0)
    layer.part.c = None
    with pytest.raises(ValueError, match=r"hand it c \(N, 2\) by give\(c\) first"):
        layer.part.forward(np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"Given\(C\) is 0"):
        sa.Given(0)
