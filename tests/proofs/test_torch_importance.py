"""The outside view of importance weights: the same model, data and noise in PyTorch, by autograd
through its own densities, with what an estimator holds constant detached.

Source: that of scratchae/objectives/iwae.py, stl.py and dreg.py.
"""

import numpy as np
import pytest
from proofs.torch_models import leaves, same, torch, torch_network

import scratchae as sa
from scratchae import IWAE, STL, DReG
from scratchae.execution.runner import runner_for
from scratchae.models import Model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "whole_shards")]
Normal = torch.distributions.Normal
LIKELIHOODS = {
    "Bernoulli": (
        sa.Bernoulli,
        lambda a, x: torch.distributions.Bernoulli(logits=a).log_prob(x).sum(-1),
    ),
    "Gaussian": (
        lambda: sa.GaussianLikelihood(0.7),
        lambda a, x: Normal(a, 0.7).log_prob(x).sum(-1),
    ),
}
D, I = 3, 6


def model(kind, K, name="Bernoulli", **build):
    encoder = sa.Sequential(sa.Dense(I, 5, "tanh"), sa.Dense(5, 2 * D))
    decoder = sa.Sequential(sa.Dense(D, 5, "tanh"), sa.Dense(5, I))
    objective = kind(encoder, decoder, sa.Gaussian(D), LIKELIHOODS[name][0](), samples=K)
    return Model(objective).build(I, seed=2, **build)


def log_weights(m, p, x, eps, name, held):
    """log w (N, K) of x (N, I) and eps (N K, D); held: q's density is a function of z alone."""
    N = len(x)
    mu, logvar = torch_network("encoder", m.encoder, x, p)[:, None].chunk(2, dim=-1)  # (N, 1, D)
    sigma = torch.exp(logvar / 2)
    z = mu + sigma * eps.reshape(N, -1, D)  # (N, K, D)
    q = Normal(mu.detach(), sigma.detach()) if held else Normal(mu, sigma)
    a = torch_network("decoder", m.decoder, z, p)
    log_p = LIKELIHOODS[name][1](a, x[:, None]) + Normal(0.0, 1.0).log_prob(z).sum(-1)
    return log_p - q.log_prob(z).sum(-1)


def backward(kind, m, p, x, eps, name):
    """The loss per example; the parameters' gradients are left in p."""
    log_w = log_weights(m, p, x, eps, name, held=False)
    loss = (np.log(log_w.shape[1]) - torch.logsumexp(log_w, dim=1)).mean()
    w = torch.softmax(log_w, dim=1).detach()
    encoder = [v for k, v in p.items() if k.startswith("encoder")]
    decoder = [v for k, v in p.items() if k.startswith("decoder")]
    loss.backward(inputs=decoder, retain_graph=kind is IWAE)
    if kind is IWAE:
        loss.backward(inputs=encoder)
    else:
        w = w * w if kind is DReG else w
        held = log_weights(m, p, x, eps, name, held=True)
        (-(w * held).sum(dim=1).mean()).backward(inputs=encoder)
    return loss.item()


EACH = pytest.mark.parametrize("kind", [IWAE, STL, DReG])


@EACH
@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("K", [1, 5])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_step(kind, K, name, dtype, backend, rng, tolerance):
    """Loss and every named gradient of one batch, over two shards."""
    m = model(kind, K, name, backend=backend, dtype=dtype)
    x = (rng.random((11, I)) < 0.5).astype(dtype)
    allowed, p = tolerance("layer", dtype), leaves(m)
    with runner_for(m, len(x), shards=2, threads=1) as runner:
        total = runner.gradients(runner.feeds(sa.Values(x)), np.arange(len(x), dtype=np.uint32))
        eps = samples_of(runner, len(x), K)
        loss = backward(kind, m, p, torch.tensor(x), eps, name)
        same(runner.objective.loss(total)["loss"], loss, allowed, "loss")
        grads = runner.backend.to_host(runner.grads).sum(axis=0) / len(x)
        for key, ours in m.parameters.views(grads).items():
            same(ours, p[key].grad, allowed, key)


def samples_of(runner, n, K):
    """The eps (n K, D) that the runner's replicas drew for the last n rows."""
    eps, rows = [], n
    for replica in runner.replicas[: runner.active]:
        take = min(-(-n // runner.shards), rows)
        eps.append(torch.tensor(runner.backend.to_host(replica.latent.eps[: take * K])))
        rows -= take
    return torch.cat(eps)


@EACH
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_hundred_steps(kind, dtype, rng, tolerance):
    """Adam on both sides, new noise at each step."""
    m = model(kind, 4, dtype=dtype)
    x, p, adam = (rng.random((16, I)) < 0.5).astype(dtype), leaves(m), sa.Adam(1e-2)
    theirs = torch.optim.Adam(p.values(), 1e-2)
    adam.start(m.parameters)
    rows = np.arange(16, dtype=np.uint32)
    with runner_for(m, 16, shards=1, threads=1) as runner:
        feeds, found = runner.feeds(sa.Values(x)), []
        for t in range(1, 101):
            runner.set_clock(sa.randomness.clock(0, t))
            (step,) = runner.steps(feeds, rows, 16, adam, lambda: False)
            theirs.zero_grad()
            loss = backward(kind, m, p, torch.tensor(x), samples_of(runner, 16, 4), "Bernoulli")
            theirs.step()
            found.append((step.terms["loss"], loss))
    allowed = tolerance("trajectory", "float32") if dtype == "float32" else 1e-8
    ours, due = np.transpose(found)
    same(ours, due, allowed, "losses")
    assert due[-10:].mean() < due[:10].mean() - 0.05
    for key, values in m.weights.items():
        same(values, p[key].detach(), 30 * allowed, key)


@pytest.mark.parametrize(
    "kind, file, wrong, where",
    [
        (IWAE, "IMPORTANCE_WEIGHTS", lambda w, bound, *_: np.multiply(w, 1.001, out=w), "enc|dec"),
        (STL, "IMPORTANCE_WEIGHTS", lambda w, *_: np.multiply(w, 1.001, out=w), "enc|dec"),
        (IWAE, "GAUSSIAN_WEIGHED", lambda dh, *_: np.multiply(dh, 1.001, out=dh), "encoder"),
        (STL, "GAUSSIAN_PATH", lambda dh, *_: np.multiply(dh, 1.001, out=dh), "encoder"),
        (DReG, "GAUSSIAN_PATH", lambda dh, *_: np.multiply(dh, 1.001, out=dh), "encoder"),
        (DReG, "GAUSSIAN_RATIO", lambda r, *_: np.multiply(r, 1.001, out=r), "loss"),
    ],
)
def test_a_planted_error_is_seen(kind, file, wrong, where, monkeypatch, rng, tolerance):
    from gradcheck.planting import spoiled

    from scratchae.kernels import importance

    module = "latents.gaussian" if file.startswith("GAUSSIAN") else "objectives.iwae"
    kernel = spoiled(getattr(importance, file), wrong)
    monkeypatch.setattr(f"scratchae.{module}.{file}", kernel)
    with pytest.raises(AssertionError, match=f"^({where})"):
        test_one_step(kind, 5, "Bernoulli", "float64", "reference", rng, tolerance)
