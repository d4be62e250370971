"""The same likelihoods in PyTorch: nll and its gradient, where PyTorch has them or what they are
made of."""

import numpy as np
import pytest

import scratchae as sa

torch = pytest.importorskip("torch", reason="needs PyTorch, the outside view: pip install torch")
D = torch.distributions


def logistic(a, x):
    """Bins 0, 1/3, 2/3, 1 by PyTorch's logistic distribution: a uniform, transformed."""
    mu, log_s = a.chunk(2, dim=-1)
    s = 1 / 192 + log_s.exp()
    base = D.Uniform(torch.zeros_like(mu), torch.ones_like(mu))
    transforms = [D.SigmoidTransform().inv, D.AffineTransform(mu, s)]
    p = D.TransformedDistribution(base, transforms, validate_args=False)
    upper = torch.where(x > 0.9, torch.ones_like(x), p.cdf(x + 1 / 6))
    return -(upper - torch.where(x < 0.1, torch.zeros_like(x), p.cdf(x - 1 / 6))).log()


def continuous_bernoulli(a, x):
    return -D.ContinuousBernoulli(logits=a, validate_args=False).log_prob(x)


# what it is, of PyTorch's; how far the two may be apart: PyTorch cuts lambda to within 1e-15 and
# takes four terms of a series for lambda within .499 and .501
CASES = {
    "Laplace": (sa.Laplace(0.3), lambda a, x: -D.Laplace(a, 0.3).log_prob(x), 1e-12),
    "Poisson": (sa.Poisson(), lambda a, x: -D.Poisson(a.exp()).log_prob(x), 1e-12),
    "ContinuousBernoulli": (sa.ContinuousBernoulli(), continuous_bernoulli, 1e-9),
    "DiscretisedLogistic": (sa.DiscretisedLogistic(4), logistic, 1e-9),
    "SharedGaussian": (
        sa.SharedGaussian(0.7, 0.0),
        lambda a, x: -D.Normal(a, 0.7).log_prob(x),
        1e-12,
    ),
}


def data(name, rng):
    """a (6, 4) or (6, 8), x (6, 4)."""
    a = rng.normal(size=(6, 4))
    if name == "Poisson":
        return a, rng.integers(0, 300, (6, 4)).astype(float)
    if name == "DiscretisedLogistic":
        mu = rng.random((6, 4))
        return np.concatenate([mu, a / 2 - 1], axis=1), rng.integers(0, 4, (6, 4)) / 3
    return (3 * a if name == "ContinuousBernoulli" else a), rng.random((6, 4))


@pytest.mark.parametrize("name", CASES)
def test_the_outside_view_agrees(name, backend, rng):
    likelihood, theirs, tol = CASES[name]
    a, x = data(name, rng)
    part, leaf = sa.by_hand(likelihood, 4, backend=backend), torch.tensor(a).requires_grad_()
    nll = theirs(leaf, torch.tensor(x)).sum(dim=1)
    nll.sum().backward()
    np.testing.assert_allclose(part(a, x), nll.detach(), rtol=tol, atol=tol)
    np.testing.assert_allclose(part.backward(), leaf.grad, rtol=tol, atol=tol)
    np.testing.assert_allclose(likelihood.log_prob(x, a), -nll.detach(), rtol=tol, atol=tol)


def test_the_learned_sigma_agrees(backend, rng):
    a, x = rng.normal(size=(2, 6, 4))
    part = sa.by_hand(sa.SharedGaussian(0.7, 0.2), 4, backend=backend)
    part(a, x)
    part.backward()
    logvar = torch.tensor(2 * np.log(0.7), dtype=torch.float64, requires_grad=True)
    sigma = (0.04 + logvar.exp()).sqrt()
    (-D.Normal(torch.tensor(a), sigma).log_prob(torch.tensor(x)).sum()).backward()
    np.testing.assert_allclose(part.dlogvar[0], logvar.grad, rtol=1e-12)


def test_the_optimal_sigma_agrees(backend, rng):
    """D / 2 (log(2 pi sigma^2) + 1) of a batch, whose gradient goes through sigma."""
    x = rng.normal(size=(6, 4))
    model = sa.Autoencoder(sa.Dense(4, 2), sa.Dense(2, 4), sa.OptimalGaussian())
    model.build(4, backend=backend, dtype="float64", seed=1)
    replica = model.replica(6, model.backend.zeros((model.parameters.size,)))
    total = replica.forward(model.backend.asarray(x))
    replica.backward(total)
    p = {k: torch.tensor(v.copy()).requires_grad_() for k, v in model.weights.items()}
    h = torch.tensor(x) @ p["encoder.W"] + p["encoder.b"]
    square = ((h @ p["decoder.W"] + p["decoder.b"] - torch.tensor(x)) ** 2).mean()
    loss = 2 * (torch.log(2 * torch.pi * square) + 1)
    (6 * loss).backward()
    host = model.backend.to_host
    assert replica.loss(host(total))["loss"] == pytest.approx(loss.item(), rel=1e-12)
    for name, layer in (("encoder", replica.encoder), ("decoder", replica.decoder)):
        np.testing.assert_allclose(host(layer.dW), p[f"{name}.W"].grad, rtol=1e-10, atol=1e-12)
