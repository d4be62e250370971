"""Two stochastic layers in PyTorch: the same weights, batch and noise give the same loss and
gradients, by torch.distributions and autograd."""

import numpy as np
import pytest
from proofs.torch_models import leaves, same, torch, torch_network

import scratchae as sa
from scratchae.execution.runner import runner_for

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "whole_shards")]
F, Normal = torch.nn.functional, torch.distributions.Normal


def model(objective, backend, dtype, **options):
    encoder = sa.Sequential(sa.Dense(12, 9, "tanh"), sa.Dense(9, 8))
    decoder = sa.Sequential(sa.Dense(4, 9, "tanh"), sa.Dense(9, 12))
    up = sa.Sequential(sa.Dense(4, 7, "tanh"), sa.Dense(7, 6))
    down = sa.Sequential(sa.Dense(3, 7, "tanh"), sa.Dense(7, 8))
    parts = encoder, decoder, sa.Hierarchy(up, down), sa.Bernoulli()
    return sa.Model(objective(*parts, **options)).build(12, backend=backend, dtype=dtype)


def normal(h):
    mu, logvar = h.chunk(2, dim=1)
    return Normal(mu, torch.exp(logvar / 2))


def terms(model, p, x, eps1, eps2, K):
    """nll, log q - log p of each layer, (N, K), with K rows an example."""
    q1 = normal(torch_network("encoder", model.encoder, x, p).repeat_interleave(K, dim=0))
    z1 = q1.loc + q1.scale * eps1
    q2 = normal(torch_network("latent.up", model.latent.up, z1, p))
    z2 = q2.loc + q2.scale * eps2
    p1 = normal(torch_network("latent.down", model.latent.down, z2, p))
    a = torch_network("decoder", model.decoder, z1, p)
    target = x.repeat_interleave(K, dim=0)
    nll = F.binary_cross_entropy_with_logits(a, target, reduction="none").sum(1)
    r1 = (q1.log_prob(z1) - p1.log_prob(z1)).sum(1)
    r2 = (q2.log_prob(z2) - Normal(0.0, 1.0).log_prob(z2)).sum(1)
    return (term.reshape(-1, K) for term in (nll, r1, r2))


def elbo(nll, r1, r2, beta):
    return (nll + beta * (r1 + r2)).mean()


def iwae(nll, r1, r2, beta):
    log_w = -(nll + r1 + r2)
    return -(torch.logsumexp(log_w, dim=1) - np.log(log_w.shape[1])).mean()


CASES = {
    "ELBO": (sa.ELBO, elbo, {"samples": 1, "beta": 0.7}),
    "ELBO of 3": (sa.ELBO, elbo, {"samples": 3, "beta": 0.7}),
    "IWAE of 1": (sa.IWAE, iwae, {"samples": 1}),
    "IWAE of 3": (sa.IWAE, iwae, {"samples": 3}),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_one_step(backend, dtype, case, rng, tolerance):
    objective, loss_of, options = CASES[case]
    ours, K = model(objective, backend, dtype, **options), options["samples"]
    x, allowed = rng.random((11, 12)).round().astype(dtype), tolerance("layer", dtype)
    p = leaves(ours)
    with runner_for(ours, 11, shards=2, threads=1) as runner:
        total = runner.gradients(runner.feeds(sa.Values(x)), np.arange(11, dtype=np.uint32))
        eps = []
        for name in ("eps1", "eps2"):
            noise = [getattr(r.latent, name) for r in runner.replicas]
            host = [runner.backend.to_host(e) for e in noise]
            eps.append(torch.tensor(np.concatenate([host[0][: 6 * K], host[1][: 5 * K]])))
        loss = loss_of(*terms(ours, p, torch.tensor(x), *eps, K), options.get("beta", 1.0))
        loss.backward()
        same(runner.objective.loss(total)["loss"], loss.item(), allowed, "loss")
        grads = runner.backend.to_host(runner.grads).sum(axis=0) / 11
        for name, mine in ours.parameters.views(grads).items():
            same(mine, p[name].grad, allowed, name)
