"""A model of two stochastic layers, one number each, and its exact answers on a grid over both:

    p(x) = int int p(x|z_1) p(z_1|z_2) p(z_2) dz_1 dz_2
    L_K = -E log(1/K sum_k p(x, z_k) / q(z_k|x)),   L_1 >= L_2 >= ... >= -log p(x)
    L_1 = int int q(z_1|x) q(z_2|z_1) (log q - log p(x, z)) dz_1 dz_2

The networks are gone through here by NumPy, not by the model's layers. The model's own L_K is the
mean of its loss over the nodes of a Gauss-Hermite rule in each eps, written where the latent keeps
them: no draw is made.
"""

import math

import numpy as np

import scratchae as sa

LN_2PI = math.log(2 * math.pi)
I = 4
NODES = {1: 40, 2: 14}  # of the rule, in each of 2 K directions
X = np.array([1.0, 0.0, 0.0, 1.0])


def two_layers(objective=sa.IWAE, backend="numpy", **options):
    """4-(1, 1)-4 in float64, logits, with weights of size 1."""
    model = sa.Model(
        objective(
            sa.Dense(I, 2),
            sa.Sequential(sa.Dense(1, 3, "tanh"), sa.Dense(3, I)),
            sa.Hierarchy(
                sa.Sequential(sa.Dense(1, 3, "tanh"), sa.Dense(3, 2)),
                sa.Sequential(sa.Dense(1, 3, "tanh"), sa.Dense(3, 2)),
            ),
            sa.Bernoulli(),
            **options,
        )
    ).build(I, backend=backend, dtype="float64")
    rng = np.random.default_rng(5)
    for name, W in model.weights.items():
        model.weights[name] = rng.normal(scale=0.7, size=W.shape)
    return model


def network(model, name, rows):
    """rows (n, 1) through Sequential(Dense tanh, Dense) of that name."""
    W0, b0, W1, b1 = (model.weights[f"{name}.{i}.{p}"] for i in (0, 1) for p in "Wb")
    return np.tanh(rows @ W0 + b0) @ W1 + b1


def log_normal(z, mu, logvar):
    return -((z - mu) ** 2 / np.exp(logvar) + logvar + LN_2PI) / 2


def exact(model, x=X):
    """log p(x) and L_1, by the trapezoid rule over z_1 (a,) and z_2 (b,)."""
    z1, z2 = np.linspace(-14, 14, 1401)[:, None], np.linspace(-9, 9, 721)[:, None]
    a = network(model, "decoder", z1)
    log_x = (x * a - np.logaddexp(0, a)).sum(axis=1)
    m, l = network(model, "latent.down", z2).T
    prior = log_normal(z1, m, l) + log_normal(z2[:, 0], 0.0, 0.0)  # (a, b)
    joint = log_x[:, None] + prior
    mu, logvar = x @ model.weights["encoder.W"] + model.weights["encoder.b"]
    mu2, logvar2 = (v[:, None] for v in network(model, "latent.up", z1).T)
    log_q = log_normal(z1, mu, logvar) + log_normal(z2[:, 0], mu2, logvar2)
    area = (z1[1, 0] - z1[0, 0]) * (z2[1, 0] - z2[0, 0])
    q = np.exp(log_q) * area
    assert abs(q.sum() - 1) < 1e-10  # the grid is wide and fine enough for q
    return math.log(np.exp(joint).sum() * area), float((q * (log_q - joint)).sum())


def grid(n, dimensions):
    """Nodes (n^dimensions, dimensions) and weights of the product rule, shuffled, so that the rows
    beside a node are not like it."""
    one, w = np.polynomial.hermite_e.hermegauss(n)
    mesh = np.meshgrid(*[one] * dimensions, indexing="ij")
    weights = np.meshgrid(*[w / w.sum()] * dimensions, indexing="ij")
    mesh, weights = ([m.ravel() for m in each] for each in (mesh, weights))
    order = np.random.default_rng(0).permutation(n**dimensions)
    return np.stack(mesh, axis=1)[order], np.prod(weights, axis=0)[order]


def mean_loss(model, x=X):
    """The model's loss for x (4,), the mean over eps_1 and eps_2 of each of its K samples."""
    K, backend = model.objective.samples, model.backend
    nodes, w = grid(NODES[K], 2 * K)
    replica = model.replica(len(nodes))
    for name, eps in (("eps1", nodes[:, :K]), ("eps2", nodes[:, K:])):
        backend.write(getattr(replica.latent, name), eps.reshape(-1, 1))
    replica.forward(backend.asarray(np.repeat(x[None], len(nodes), axis=0)))
    if isinstance(replica, sa.IWAE):
        return float(w @ backend.to_host(replica.every_bound))
    nll = backend.to_host(replica.likelihood.nll).reshape(len(nodes), K).mean(axis=1)
    return float(w @ (nll + backend.to_host(replica.latent.kl).sum(axis=1)))


def the_bound_of_two_layers(backend, objective=sa.IWAE):
    """With K = 1 the mean loss is L_1, and no less than -log p(x)."""
    model = two_layers(objective, backend, samples=1)
    log_p, elbo = exact(model)
    found = mean_loss(model)
    assert abs(found - elbo) < 1e-8, f"the mean loss is {found}, where L_1 is {elbo}"
    assert found > -log_p + 0.01  # nats: q is not the posterior
