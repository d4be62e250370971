"""A prior that depends on what a row is given: by quadrature, by enumeration, and by draws."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.gradcheck import check_latent, check_objective

X = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], np.float64)
P_Y = np.array([0.3, 0.7])
NODES, W = np.polynomial.hermite_e.hermegauss(80)
W = W / W.sum()


def model(logvar=-0.3):
    """Three pixels, one latent number, two classes: p(z|c), p(x|z, c), q(z|x, c). With logvar 1.4
    q is wider than the prior, so that the weights of importance are bounded."""
    encoder = sa.Sequential(sa.Given(2), sa.Dense(5, 2))
    decoder = sa.Sequential(sa.Given(2), sa.Dense(3, 4, "tanh"), sa.Dense(4, 3))
    latent = sa.GivenPrior(1, 2, sa.Dense(2, 2))
    made = sa.VAE(encoder, decoder, latent).build(3, dtype="float64", seed=2)
    made.weights["latent.network.W"] = [[1.2, -0.8], [-0.7, 0.5]]
    made.weights["latent.network.b"] = [0.1, 0.2]
    made.weights["encoder.1.b"] = [0.2, logvar]
    return made


def of(y, n):
    return np.eye(2)[np.full(n, y)]


def prior(made, y):
    m, l = made.weights["latent.network.W"][y] + made.weights["latent.network.b"]
    return m, l


def evidence(made, y):
    """log p(x|y) of each x (8,), by the trapezoid rule over z: without the latent."""
    m, l = prior(made, y)
    z = np.linspace(m - 12 * np.exp(l / 2), m + 12 * np.exp(l / 2), 2001)
    log_p = -((z - m) ** 2 / np.exp(l) + l + np.log(2 * np.pi)) / 2
    a = made.decoder_output(z[:, None], given=y)  # (Z, 3)
    nll = np.logaddexp(0, a)[:, None] - X * a[:, None]  # (Z, 8, 3)
    joint = np.exp(log_p[:, None] - nll.sum(axis=2))
    return np.log(joint.sum(axis=0) * (z[1] - z[0]))


def at_nodes(made, y):
    """nll and r (8, nodes) of the model's own latent and decoder, and kl (8,)."""
    replica = made.replica(8 * len(NODES))
    replica.give(of(y, len(NODES) * 8))
    replica.latent.eps[...] = np.tile(NODES, 8)[:, None]
    x = np.repeat(X, len(NODES), axis=0)
    z = replica.latent.forward(replica.encoder.forward(x))
    nll = replica.likelihood.forward(replica.decoder.forward(z), x)
    kl = replica.latent.kl[:: len(NODES), 0].copy()
    return nll.reshape(8, -1).copy(), replica.latent.ratio().reshape(8, -1).copy(), kl


@pytest.mark.parametrize("y", [0, 1])
def test_kl_and_ratio_are_those_of_the_prior_by_quadrature(y):
    nll, r, kl = at_nodes(model(), y)
    np.testing.assert_allclose(r @ W, kl, rtol=1e-12)  # E_q[log q - log p]
    log_p = np.log(np.exp(-nll - r) @ W)  # E_q[p(x, z|y) / q(z|x, y)]
    np.testing.assert_allclose(log_p, evidence(model(), y), atol=1e-9)
    assert (nll @ W + kl > -log_p).all()  # the ELBO is below


def test_log_p_of_x_sums_over_labels_and_a_classifier_follows_by_bayes():
    made = model()
    log_p = np.array([evidence(made, y) for y in (0, 1)]) + np.log(P_Y)[:, None]
    whole = np.logaddexp(*log_p)  # log p(x) = log sum_y p(y) p(x|y)
    np.testing.assert_allclose(np.exp(whole).sum(), 1, rtol=1e-9)
    posterior = np.exp(log_p - whole)  # p(y|x)
    np.testing.assert_allclose(posterior @ np.exp(whole), P_Y, rtol=1e-9)


def test_draws_are_those_of_the_class():
    """x ~ p(x|y) has the probabilities that quadrature gives it; 5 standard errors."""
    made, n = model(), 20_000
    for y in (0, 1):
        x = made.sample(n, seed=4, noise=True, given=y)
        counts = np.bincount((x @ [4, 2, 1]).astype(int), minlength=8) / n
        p = np.exp(evidence(made, y))
        np.testing.assert_array_less(np.abs(counts - p), 5 * np.sqrt(p * (1 - p) / n))


def test_its_gradients(backend):
    """Of h and of the network, by the KL, and under the weights of K = 3 samples."""
    latent = sa.GivenPrior(2, 3, sa.Dense(3, 4, "tanh"))
    report = check_latent(latent, backend=backend)
    assert report.ok and any("network.W" in row.what for row in report.rows), str(report)
    objective = sa.IWAE(sa.Dense(6, 4), sa.Dense(2, 6), latent, sa.Bernoulli(), samples=3)
    report = check_objective(objective, (6,), backend=backend)
    assert report.ok and any("latent.network.W" in row.what for row in report.rows), str(report)


def test_a_prior_of_zero_is_the_gaussian():
    """With m = l = 0 every number of a step is that of Gaussian."""
    rng = np.random.default_rng(0)
    h, dz, w = rng.normal(size=(6, 4)), rng.normal(size=(6, 2)), rng.random(6)
    ours = sa.by_hand(sa.GivenPrior(2, 3, sa.Dense(3, 4)), 4)
    ours.part.network.W[...] = ours.part.network.b[...] = 0
    theirs = sa.by_hand(sa.Gaussian(2), 4)
    np.testing.assert_array_equal(ours(h, given=np.arange(6) % 3), theirs(h))
    np.testing.assert_allclose(ours.kl, theirs.kl, atol=1e-15)
    np.testing.assert_allclose(ours.backward(dz, 0.7), theirs.backward(dz, 0.7), atol=1e-15)
    parts = ours.part, theirs.part
    np.testing.assert_allclose(*(part.ratio() for part in parts), atol=1e-14)
    for name in ("weighed", "path"):
        np.testing.assert_allclose(*(getattr(part, name)(dz, w) for part in parts), atol=1e-14)


@pytest.mark.parametrize(
    "network, error, words",
    [
        (sa.Dense(3, 2), ValueError, r"gives rows of shape \(2,\), but \(4,\), m and l"),
        (sa.Dense(5, 4), ValueError, "Dense|rows"),
        (sa.Sequential(sa.Dense(3, 4), sa.Dropout(0.5)), TypeError, "draws noise"),
    ],
)
def test_a_network_that_does_not_fit(network, error, words):
    latent = sa.GivenPrior(2, 3, network)
    with pytest.raises(error, match=words):
        sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), latent).build(5)


def test_a_model_says_what_is_in_its_prior_and_is_saved_with_it(tmp_path):
    made = model()
    assert "latent.network  Dense(2, 2)" in str(made)
    sa.save(made, tmp_path / "model")
    again = sa.load(tmp_path / "model")
    np.testing.assert_array_equal(
        made.sample(3, given=[0, 1, 1]), again.sample(3, given=[0, 1, 1])
    )


def test_its_network_is_a_layer():
    with pytest.raises(TypeError, match=r"GivenPrior\(network\) is a str, but a layer, such as"):
        sa.GivenPrior(2, 3, "Dense")
