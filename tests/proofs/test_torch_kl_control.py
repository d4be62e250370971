"""The outside view of free bits and of a capacity: PyTorch's own divergence, maximum, absolute
value and gradients."""

from functools import partial

import pytest
from proofs.torch_models import NLL, assert_one_step_agrees, same, torch, torch_network

import scratchae as sa

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])
FLOOR, GROUPS, BETA, GAMMA = 0.3, 2, 0.7, 3.0


def model(kind, *arguments, backend="numpy", dtype="float64", **options):
    """Images of 2 x 3 pixels and a latent of four numbers."""
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(6, 5, "tanh"), sa.Dense(5, 8))
    decoder = sa.Sequential(sa.Dense(4, 6), sa.Reshape(2, 3, 1))
    made = kind(encoder, decoder, sa.Gaussian(4), sa.Bernoulli(), *arguments, **options)
    return sa.Model(made).build((2, 3, 1), backend=backend, dtype=dtype, seed=4)


def floored(kl):
    """kl (N, 4) -> N beta sum_g max(floor, mean kl of a group)."""
    by_group = kl.mean(dim=0).reshape(GROUPS, -1).sum(dim=1)
    return len(kl) * BETA * torch.clamp(by_group, min=FLOOR).sum()


def held(kl, capacity):
    """kl (N, 4) -> N gamma |mean kl - C|."""
    return len(kl) * GAMMA * (kl.sum(dim=1).mean() - capacity).abs()


def torch_loss(m, p, x, eps, price):
    """The loss per example, from x (N, 2, 3, 1) and the noise eps (N, 4)."""
    inside = x.permute(0, 3, 1, 2)
    mu, logvar = torch_network("encoder", m.encoder, inside, p).chunk(2, dim=1)
    q = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    a = torch_network("decoder", m.decoder, mu + q.stddev * eps, p)
    return (NLL[sa.Bernoulli](a, inside, m.likelihood) + price(kl)) / len(x)


@DTYPES
@pytest.mark.parametrize("shards", [1, 3])
def test_free_bits(backend, dtype, shards, rng, tolerance):
    m = model(sa.FreeBits, FLOOR, GROUPS, BETA, backend=backend, dtype=dtype)
    x = rng.random((11, 2, 3, 1))
    assert sa.evaluate(m, x)["above_floor"] == 1  # of two
    loss = partial(torch_loss, price=floored)
    assert_one_step_agrees(m, x, tolerance, shards, torch_loss=loss)


@DTYPES
@pytest.mark.parametrize("capacity", [0.1, 2.0])
def test_capacity(backend, dtype, capacity, rng, tolerance):
    m = model(sa.Capacity, capacity, GAMMA, backend=backend, dtype=dtype)
    loss = partial(torch_loss, price=partial(held, capacity=capacity))
    assert_one_step_agrees(m, rng.random((11, 2, 3, 1)), tolerance, torch_loss=loss)


@DTYPES
@pytest.mark.parametrize("steepness", [0.5, 12.0])
def test_the_sigmoid(dtype, steepness, tolerance):
    """As PyTorch's, stretched to its ends."""
    schedule = sa.schedules.Sigmoid(0.2, 1.5, 10, steepness)
    u = torch.linspace(0, 1, 11, dtype=getattr(torch, dtype))
    s = torch.sigmoid(steepness * (u - 0.5))
    due = 0.2 + 1.3 * (s - s[0]) / (s[-1] - s[0])
    same([schedule(t) for t in range(1, 12)], due, tolerance("layer", dtype), "sigmoid")


@pytest.mark.parametrize(
    ("kind", "arguments", "price"),
    [
        (sa.FreeBits, (FLOOR, GROUPS, BETA), floored),
        (sa.Capacity, (2.0, GAMMA), partial(held, capacity=2.0)),
    ],
)
def test_a_planted_error_is_seen(kind, arguments, price, monkeypatch, rng, tolerance):
    """The weight of the plain ELBO in the place of the objective's."""
    m, x = model(kind, *arguments), rng.random((11, 2, 3, 1))
    loss = partial(torch_loss, price=price)
    assert_one_step_agrees(m, x, tolerance, torch_loss=loss)
    right = kind.weights

    def every(self, total):
        w = right(self, total)
        w[...] = 1.0
        return w

    monkeypatch.setattr(kind, "weights", every)
    with pytest.raises(AssertionError, match=r"^encoder\.1\.W: "):
        assert_one_step_agrees(m, x, tolerance, torch_loss=loss)
