"""clip: the norm of a step's gradient stays below a bound."""

import numpy as np
import pytest
from training.runs import BATCH, fit, rows, vae, values

import scratchae as sa
from scratchae.training import training


def moved(model, x, **options):
    """How far one step of gradient descent with rate 1 moves the parameters."""
    before = values(model)
    fit(model, x, sa.SGD(1.0), epochs=1, batch_size=len(x), **options)
    return values(model) - before


def test_the_step_is_the_gradient_scaled_to_the_bound(backend):
    x, free = rows(), moved(vae(backend), rows())
    norm = np.linalg.norm(free)
    for bound in (norm / 7, norm * 1.01):
        short = moved(vae(backend), x, clip=bound)
        due = free * min(1.0, bound / norm)
        np.testing.assert_allclose(short, due, rtol=1e-9, atol=1e-12 * norm)


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_the_norm_is_that_of_the_whole_batch(shards):
    x = rows()
    norm = np.linalg.norm(moved(vae(), x))
    step = moved(vae(), x, clip=norm / 3, shards=shards, threads=1)
    assert np.linalg.norm(step) == pytest.approx(norm / 3, rel=1e-9)
    again = moved(vae(), x, clip=norm / 3, shards=shards, threads=2)
    np.testing.assert_array_equal(step, again)


def test_frozen_layers_have_no_part_in_it():
    x, model = rows(), vae()
    model.decoder.layers[1].trainable = False
    norm = np.linalg.norm(moved(model, x))
    other = vae()
    other.decoder.layers[1].trainable = False
    assert np.linalg.norm(moved(other, x, clip=norm / 2)) == pytest.approx(norm / 2, rel=1e-9)


@pytest.mark.slow  # the import of PyTorch
def test_as_pytorch_clips():
    torch = pytest.importorskip("torch", reason="the extra oracle is not installed")
    x = rows()
    free = moved(vae(), x)
    gradient = torch.tensor(-free, requires_grad=True)
    gradient.grad = torch.tensor(-free)
    torch.nn.utils.clip_grad_norm_([gradient], 0.1)
    due = -gradient.grad.numpy()
    np.testing.assert_allclose(moved(vae(), x, clip=0.1), due, rtol=1e-4)  # its eps is 1e-6


@pytest.mark.parametrize("bound", [0, -1, float("nan"), float("inf"), "1", True])
def test_a_bound_that_is_none(bound):
    model = vae()
    before = values(model)
    with pytest.raises(ValueError, match="clip is"):
        fit(model, clip=bound)
    with (
        pytest.raises(ValueError, match="clip is"),
        training(model, rows(), sa.Adam(), clip=bound),
    ):
        raise AssertionError
    np.testing.assert_array_equal(values(model), before)


def test_a_gradient_that_is_not_finite_is_not_hidden():
    """A norm of inf would scale the step to nothing."""
    model = sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6)
    model.weights["encoder.W"] = np.zeros((6, 3))  # a = 0, and dW = inf
    model.weights["decoder.W"] = np.full((3, 6), 100.0)
    x = np.full((8, 6), 3e18, np.float32)
    with pytest.raises(sa.NonFiniteLoss, match="the vector of parameters is no longer finite"):
        sa.fit(model, x, sa.SGD(1e-3), epochs=1, batch_size=BATCH, clip=1.0)
