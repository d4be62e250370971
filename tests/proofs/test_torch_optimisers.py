"""The outside view of training: a hundred steps in PyTorch, and every optimiser alone."""

import numpy as np
import pytest
from proofs.torch_models import (
    assert_one_step_agrees,
    conv_vae,
    dense_vae,
    images,
    leaves,
    noise,
    torch,
    torch_loss,
)

import scratchae as sa
from scratchae import randomness
from scratchae.execution.runner import runner_for

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "whole_shards")]
OPTIMIZERS = {
    "adam": (lambda: sa.Adam(1e-3), lambda p: torch.optim.Adam(p, 1e-3)),
    "fused adam": (lambda: sa.Adam(1e-3), lambda p: torch.optim.Adam(p, 1e-3, fused=True)),
    "sgd": (lambda: sa.SGD(1e-4, 0.9), lambda p: torch.optim.SGD(p, 1e-4, momentum=0.9)),
}
TRAINED = {
    "dense": (lambda backend: dense_vae(backend=backend), (784,)),
    "conv": (lambda backend: conv_vae(8, 8, backend=backend), (28, 28, 1)),
}
RUNS = [("dense", "adam"), ("dense", "fused adam"), ("dense", "sgd"), ("conv", "adam")]


def trajectories(model, x, ours, theirs, steps=100, batch=16):
    """The losses of a run of ours and of the same run in PyTorch, from the same start: (steps,)
    each."""
    p, losses = leaves(model), []
    ours.start(model.parameters)
    optimizer = theirs(list(p.values()))
    with runner_for(model, batch, shards=1, threads=1) as runner:
        feeds = runner.feeds(sa.Values(x))
        for step in range(steps):
            rows = randomness.permutation(len(x), 0, step)[:batch]
            runner.set_clock(randomness.clock(0, step))
            total = runner.gradients(feeds, rows)
            runner.update(ours, total)
            optimizer.zero_grad()
            loss = torch_loss(model, p, torch.tensor(x[rows]), noise(runner, batch))
            loss.backward()
            optimizer.step()
            losses.append((runner.objective.loss(total)["loss"], loss.item()))
    return np.array(losses).T


@pytest.mark.parametrize("kind, optimizer", RUNS)
def test_trajectory(backend, kind, optimizer, rng, tolerance):
    """100 steps: the losses stay together all the way, and they fall."""
    build, shape = TRAINED[kind]
    make, theirs = OPTIMIZERS[optimizer]
    x = images(rng, 256, shape).astype(np.float32)
    a, b = trajectories(build(backend), x, make(), theirs)
    np.testing.assert_allclose(a, b, rtol=tolerance("trajectory", "float32"))
    assert a[-1] < 0.9 * a[0]


ALONE = {
    "adam": (lambda: sa.Adam(0.1), lambda p: torch.optim.Adam(p, 0.1)),
    "adamw": (lambda: sa.AdamW(0.1), lambda p: torch.optim.AdamW(p, 0.1)),
    "adamw 0.3": (
        lambda: sa.AdamW(0.1, 0.8, 0.99, 1e-3, 0.3),
        lambda p: torch.optim.AdamW(p, 0.1, (0.8, 0.99), 1e-3, weight_decay=0.3),
    ),
    "adagrad": (lambda: sa.Adagrad(0.1), lambda p: torch.optim.Adagrad(p, 0.1)),
    "adagrad 0.1": (
        lambda: sa.Adagrad(0.1, 0.1, 1e-3),
        lambda p: torch.optim.Adagrad(p, 0.1, initial_accumulator_value=0.1, eps=1e-3),
    ),
    "adadelta": (lambda: sa.Adadelta(), lambda p: torch.optim.Adadelta(p, 1.0, 0.95, 1e-6)),
    "adadelta 0.5": (
        lambda: sa.Adadelta(0.5, 0.8, 1e-3),
        lambda p: torch.optim.Adadelta(p, 0.5, 0.8, 1e-3),
    ),
    "rmsprop": (lambda: sa.RMSProp(0.1), lambda p: torch.optim.RMSprop(p, 0.1, 0.9)),
    "rmsprop 0.8": (
        lambda: sa.RMSProp(0.1, 0.8, 1e-3),
        lambda p: torch.optim.RMSprop(p, 0.1, 0.8, 1e-3),
    ),
    "sgd": (lambda: sa.SGD(0.1, 0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
}


@pytest.mark.parametrize("name", ALONE)
def test_an_optimiser_alone(backend, name, rng, tolerance):
    """40 steps on gradients of very different sizes, some of them zero: theta stays together to
    rounding."""
    (make, theirs), b = ALONE[name], sa.get_backend(backend, "float64")
    start, n = rng.normal(size=37), 37
    grads = rng.normal(size=(40, n)) * 10.0 ** rng.integers(-6, 3, n) * (rng.random((40, n)) < 0.8)
    ours, theta, leaf = make(), b.asarray(start.copy()), torch.tensor(start).requires_grad_()
    ours.backend = b
    ours.bind(b, n)
    optimizer = theirs([leaf])
    for g in grads:
        ours.tick(np.array([8.0]))
        ours.update(theta, b.asarray(8 * g[None]), slice(0, n))
        leaf.grad = torch.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(
            b.to_host(theta), leaf.detach(), rtol=0, atol=tolerance("kernel")
        )
    assert (np.abs(b.to_host(theta) - start) > 1e-9).all()


def test_a_wrong_factor_of_one_in_a_thousand_is_seen(monkeypatch, rng, tolerance):
    """The negative control: each gradient and the trajectory notice a planted 0.1 %."""
    model = conv_vae(5, 7, backend="reference")
    x = images(rng, 4, (28, 28, 1))
    backward = sa.ConvTranspose2d.backward

    def planted(self, dy):
        dx = backward(self, dy)
        self.db *= 1.001
        return dx

    assert_one_step_agrees(model, x, tolerance)
    monkeypatch.setattr(sa.ConvTranspose2d, "backward", planted)
    with pytest.raises(AssertionError, match=r"decoder\.2\.b"):
        assert_one_step_agrees(model, x, tolerance)
    x = images(rng, 64, (784,)).astype(np.float32)
    losses = trajectories(
        dense_vae(hidden=30), x, sa.Adam(1.1e-3), lambda p: torch.optim.Adam(p, 1e-3)
    )
    assert np.abs(losses[0] / losses[1] - 1).max() > 10 * tolerance("trajectory", "float32")
