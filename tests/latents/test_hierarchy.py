"""Two stochastic layers: what a VAE and IWAE of them are, and what is refused."""

import math

import numpy as np
import philox_by_hand as by_hand
import pytest
from proofs.two_layers import exact, log_normal, mean_loss, the_bound_of_two_layers, two_layers

import scratchae as sa
from scratchae.evaluation import log_likelihood
from scratchae.execution.runner import runner_for
from scratchae.gradcheck import check_bound, check_latent, check_sampler
from scratchae.gradcheck.latents import BoundLatent
from scratchae.gradcheck.layers import draw

D1, D2, SEED = 3, 2, 5 * 2**32 + 13
X = np.random.default_rng(0).random((11, 6))


def latent(*inside):
    up = sa.Sequential(sa.Dense(D1, 5, "tanh"), *inside, sa.Dense(5, 2 * D2))
    return sa.Hierarchy(up, sa.Sequential(sa.Dense(D2, 5, "tanh"), sa.Dense(5, 2 * D1)))


def model(objective=sa.IWAE, backend="numpy", inside=(), dtype="float64", **options):
    parts = sa.Dense(6, 2 * D1), sa.Dense(D1, 6), latent(*inside), sa.Bernoulli()
    return sa.Model(objective(*parts, **options)).build(6, backend=backend, dtype=dtype, seed=1)


# --- what it is ---


@pytest.mark.parametrize("objective", [sa.ELBO, sa.IWAE])
def test_the_bound_against_quadrature(backend, objective):
    the_bound_of_two_layers(backend, objective)


def test_more_samples_are_a_tighter_bound():
    """-log p(x) < L_2 < L_1, each without Monte Carlo."""
    one, two = (mean_loss(two_layers(samples=K)) for K in (1, 2))
    log_p, elbo = exact(two_layers())
    assert one == pytest.approx(elbo, abs=1e-8)
    assert -log_p + 0.01 < two < one - 0.01


def test_log_p_by_importance_sampling():
    """Against the integral over both layers, within the error that it tells; q is wide, so that
    the weights have a variance."""
    one = two_layers(samples=2)
    for name, more in (("encoder.b", 1.0), ("latent.up.1.b", 0.7)):
        one.weights[name] = one.weights[name] + [0.0, more]
    x = np.array([1.0, 0.0, 0.0, 1.0])
    found = log_likelihood(one, x[None], samples=20_000, progress=False)
    assert abs(found.mean - exact(one, x)[0]) < 5 * found.error[0] < 0.05


def test_the_elbo_of_several_samples_is_that_of_one_in_the_mean():
    one, two = (mean_loss(two_layers(sa.ELBO, samples=K)) for K in (1, 2))
    assert one == pytest.approx(two, abs=1e-4)  # 14 nodes for K = 2


def test_a_prior_that_does_not_hear_is_one_layer():
    """p(z_1|z_2) = N(0, I), q(z_2|z_1) = N(m, s^2) for every z_1: the ELBO of one layer, less the
    KL of that normal, 0 if it is the prior."""
    two = two_layers(sa.ELBO)
    for name in two.weights:
        if name.startswith("latent"):
            two.weights[name] = np.zeros(two.weights[name].shape)
    parts = two.encoder, two.decoder, sa.Gaussian(1), sa.Bernoulli()
    one = sa.VAE(*parts).build(4, dtype="float64")
    for name in one.weights:
        one.weights[name] = two.weights[name]
    mu, logvar = one.encode(np.array([[1.0, 0.0, 0.0, 1.0]]))
    kl = float((mu**2 + np.exp(logvar) - 1 - logvar).sum() / 2)
    _, elbo = exact(two)
    assert mean_loss(two) == pytest.approx(elbo, abs=1e-8)
    a = two.decoder_output(mu + np.exp(logvar / 2) * (nodes := hermite())[0])
    x = np.array([1.0, 0.0, 0.0, 1.0])
    nll = (np.logaddexp(0, a) - x * a).sum(axis=1)
    assert mean_loss(two) == pytest.approx(float(nodes[1] @ nll) + kl, abs=1e-8)
    two.weights["latent.up.1.b"] = np.array([0.3, -0.8])
    more = (0.3**2 + math.exp(-0.8) - 1 + 0.8) / 2
    assert mean_loss(two) == pytest.approx(float(nodes[1] @ nll) + kl + more, abs=1e-8)


def hermite():
    nodes, w = np.polynomial.hermite_e.hermegauss(40)
    return nodes[:, None], w / w.sum()


def test_one_sample_makes_elbo_and_iwae_the_same(backend):
    losses = [
        sa.evaluate(model(objective, backend, samples=1), X, seed=3)
        for objective in (sa.ELBO, sa.IWAE)
    ]
    for name in ("loss", "reconstruction", "kl"):
        assert losses[0][name] == pytest.approx(losses[1][name], rel=1e-12)


@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.parametrize("objective", [sa.ELBO, sa.IWAE])
def test_shards_are_the_batch(backend, objective, K):
    found = []
    for shards in (1, 2, 3, 7):
        one = model(objective, backend, samples=K)
        with runner_for(one, len(X), shards=shards, threads=1) as runner:
            rows = np.arange(len(X), dtype=np.uint32)
            total = runner.gradients(runner.feeds(sa.Values(X)), rows)
            grads = runner.backend.to_host(runner.grads).reshape(-1, one.parameters.size)
            found.append((runner.objective.loss(total)["loss"], grads.sum(axis=0)))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-12)
        np.testing.assert_allclose(gradient, found[0][1], rtol=1e-12, atol=1e-12)


def test_the_terms_of_kl_are_the_layers(tolerance):
    """The mean over K of log q - log p of each layer, written out."""
    K, h = 3, np.random.default_rng(1).normal(size=(4, 2 * D1))
    replica = model(samples=K).replica(4)
    replica.draw(np.arange(4, dtype=np.uint32), sa.randomness.clock(SEED))
    one = replica.latent
    z1, z2, q2, p1 = one.forward(h), one.z2, one.h2, one.p
    mu, logvar = (np.repeat(a, K, axis=0) for a in np.split(h, 2, axis=1))
    first = log_normal(z1, mu, logvar) - log_normal(z1, p1[:, :D1], p1[:, D1:])
    second = log_normal(z2, q2[:, :D2], q2[:, D2:]) - log_normal(z2, 0.0, 0.0)
    for j, term in enumerate((first, second)):
        mean = term.sum(axis=1).reshape(4, K).mean(axis=1)
        np.testing.assert_allclose(one.kl[:, j], mean, rtol=tolerance("layer"))
    r = (first.sum(axis=1) + second.sum(axis=1))[:, None]
    np.testing.assert_allclose(one.ratio()[:, None], r, rtol=tolerance("layer"))


def test_who_draws_what():
    """eps_1 and eps_2 at position k D + d of a stream each, by example and epoch."""
    one, K = model(samples=4), 4
    replica = one.replica(5)
    clock = sa.randomness.clock(SEED, 7)
    replica.draw(np.arange(2, 7, dtype=np.uint32), clock)
    for name, D, stream in (("eps1", D1, by_hand.LATENT), ("eps2", D2, by_hand.UPPER)):
        due = by_hand.normal((5, K * D), SEED, stream, 7, first=2)
        np.testing.assert_allclose(getattr(replica.latent, name).reshape(5, -1), due, rtol=1e-12)


def test_samples_go_down_from_the_prior(backend, tolerance):
    """z_2 ~ N(0, I), z_1 ~ p(z_1|z_2), both from the prior's stream, in chunks."""
    one, n = model(backend=backend), 300
    z2 = by_hand.normal((n, D2), SEED, by_hand.PRIOR)
    W0, b0, W1, b1 = (one.weights[f"latent.down.{i}.{p}"] for i in (0, 1) for p in "Wb")
    m, l = np.split(np.tanh(z2 @ W0 + b0) @ W1 + b1, 2, axis=1)
    z1 = m + np.exp(l / 2) * by_hand.normal((n, D1), SEED, by_hand.PRIOR, 1)
    found = one.sample(n, seed=SEED)
    np.testing.assert_allclose(found, one.decode(z1), rtol=tolerance("layer"))
    assert one.sample(5, SEED, noise=True).shape == (5, 6)


def test_encode_and_reconstruct_are_of_the_lower_layer():
    one = model()
    mu, logvar = one.encode(X)
    h = X @ one.weights["encoder.W"] + one.weights["encoder.b"]
    np.testing.assert_allclose(np.hstack([mu, logvar]), h, rtol=1e-12)
    np.testing.assert_array_equal(one.reconstruct(X), one.decode(mu))


def test_moments_of_the_lower_layer(backend):
    h = np.array([0.7, -1.2, 0.9, 0.8, -0.6, 0.5])
    report = check_sampler(latent(), h, draws=2**16, backend=backend)
    assert report.ok, report


# --- a part like any other ---


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_is_printed_frozen_saved_and_loaded(tmp_path, backend, dtype):
    one = model(backend=backend, dtype=dtype)
    one.latent.up.layers[1].trainable = False
    lines = str(one).splitlines()
    assert lines[0].startswith(
        "Model(IWAE): Hierarchy(up, down), Bernoulli(), samples=5; (6,), 161 parameters"
    )
    (frozen,) = (line for line in lines if line.startswith("latent.up.1"))
    assert frozen.endswith("24 (frozen)") and sum("latent." in line for line in lines) == 4
    before = dict(one.weights)
    adam = sa.Adam(1e-2)
    history = sa.fit(one, X, adam, epochs=3, batch_size=4, progress=False)
    assert history["train_loss"][-1] < history["train_loss"][0]
    moved = {name for name in before if not np.array_equal(before[name], one.weights[name])}
    assert moved == {name for name in before if not name.startswith("latent.up.1")}
    sa.save(one, tmp_path / "two", optimizer=adam)
    again = sa.load(tmp_path / "two", backend=backend)
    assert not again.latent.up.layers[1].trainable
    np.testing.assert_array_equal(again.sample(3), one.sample(3))
    for m, optimizer in ((one, adam), (again, again.optimizer)):
        sa.fit(m, X, optimizer, epochs=1, batch_size=4, threads=1, progress=False)
    assert all(np.array_equal(one.weights[name], again.weights[name]) for name in before)


@pytest.mark.parametrize("objective", [sa.ELBO, sa.IWAE])
def test_graphs_on_a_gpu_train_as_the_cpu(gpu, objective, tolerance):
    pair = [model(objective, backend, samples=2) for backend in ("numpy", gpu)]
    for one in pair:
        sa.fit(one, X, sa.Adam(1e-2), epochs=2, batch_size=4, progress=False)
    for name in pair[0].weights:
        left, right = (one.weights[name] for one in pair)
        np.testing.assert_allclose(left, right, rtol=tolerance("layer"), atol=tolerance("layer"))


def noisy():
    """Up and down with a layer of noise each."""
    up = sa.Sequential(sa.GaussianNoise(0.5), sa.Dense(D1, 2 * D2))
    return sa.Hierarchy(up, sa.Sequential(sa.GaussianNoise(0.5), sa.Dense(D2, 2 * D1)))


def test_layers_inside_draw_for_every_sample():
    decoder = sa.Sequential(sa.Dropout(0.5), sa.Dense(D1, 6))
    parts = sa.Dense(6, 2 * D1), decoder, noisy(), sa.Bernoulli()
    replica = sa.Model(sa.IWAE(*parts, samples=3)).build(6).replica(4)
    replica.draw(np.arange(4, dtype=np.uint32), sa.randomness.clock(SEED))
    inside = [network.layers[0] for network in replica.latent.networks().values()]
    for layer, D in zip(inside, (D1, D2), strict=True):
        assert layer.samples == 3 and len(np.unique(layer.draws)) == 4 * 3 * D
    streams = [layer.stream for layer in (*inside, replica.decoder.layers[0])]
    assert streams == [sa.randomness.NOISE + k for k in range(3)]


def test_its_gradients_are_right_with_noise_inside_too(backend):
    for one in (latent(), noisy()):
        report = check_latent(one, (2 * D1,), backend=backend)
        assert report.ok, str(report)
        rows = {row.what for row in report.rows}
        assert {"gradients add through ratio, K = 3", "h through ratio, smaller batch"} <= rows
    bound = BoundLatent(noisy(), (2 * D1,), 4, 3, sa.get_backend(backend, "float64"))
    draw(bound.latent, bound.backend, 4)
    noise = bound.backend.to_host(bound.latent.up.layers[0].draws)
    assert len(np.unique(noise)) == 4 * 3 * D1


def test_the_noise_of_a_layer_inside_moves_the_loss():
    losses = [
        sa.fit(model(inside=(sa.GaussianNoise(s),)), X, sa.SGD(1e-30), epochs=1, progress=False)
        for s in (0.0, 0.5)
    ]
    assert losses[0]["train_loss"] != losses[1]["train_loss"]


def test_by_hand(tolerance):
    one = sa.by_hand(latent(), 2 * D1)
    h = np.random.default_rng(2).normal(size=(4, 2 * D1))
    with pytest.raises(RuntimeError, match="the last call of this Hierarchy has kept"):
        one.backward(np.ones((4, D1)))
    z = one(h)
    np.testing.assert_allclose(z, h[:, :D1] + np.exp(h[:, D1:] / 2) * one.eps1, rtol=1e-12)
    assert (
        one.kl.shape == (4, 2)
        and one.eps2.shape == (4, D2)
        and next(iter(one.weights)) == "up.0.W"
    )
    with pytest.raises(RuntimeError, match="each gradient is filled by backward"):
        one.gradients  # noqa: B018
    dh = one.backward(np.zeros((4, D1)), [1.0, 0.5])
    step, dup = 1e-6, one.gradients["up.0.b"]

    def cost():
        one(h)
        return (one.kl * [1.0, 0.5]).sum()

    b = one.weights["up.0.b"].copy()
    one.weights["up.0.b"] = b + step * np.eye(5)[0]
    high = cost()
    one.weights["up.0.b"] = b - step * np.eye(5)[0]
    assert (high - cost()) / (2 * step) == pytest.approx(dup[0], rel=1e-6)
    assert dh.shape == h.shape
    with pytest.raises(ValueError, match=r"a number, or \(2,\), is expected"):
        one.backward(np.zeros((4, D1)), np.ones(D1))
    with pytest.raises(AttributeError, match=r"this Hierarchy has no 'W'; it has up\.0\.W"):
        one.W  # noqa: B018


# --- what is refused ---

FITS = sa.Dense(D1, 2 * D2), sa.Dense(D2, 2 * D1)


@pytest.mark.parametrize(
    "up, down, words",
    [
        (sa.Dense(D1 + 1, 4), FITS[1], "Dense"),
        (sa.Dense(D1, 5), FITS[1], r"up gives rows of shape \(5,\), but \(2 D2,\) is expected"),
        (FITS[0], sa.Dense(D2, 4), r"down gives rows of shape \(4,\), but \(6,\) is expected"),
        (FITS[0], sa.Dense(D2 + 1, 6), "Dense"),
    ],
)
def test_shapes_that_do_not_meet(up, down, words):
    parts = sa.Dense(6, 2 * D1), sa.Dense(D1, 6), sa.Hierarchy(up, down)
    with pytest.raises(ValueError, match=words):
        sa.VAE(*parts).build(6)


@pytest.mark.parametrize("shape", [(5,), (2, 3)])
def test_an_encoder_without_mu_and_logvar(shape):
    with pytest.raises(ValueError, match=r"but Hierarchy takes \(2 D,\): mu and logvar"):
        sa.by_hand(latent(), shape)


@pytest.mark.parametrize("wrong", [3, "dense", sa.Dense, sa.Gaussian(2), None])
def test_networks_are_layers(wrong):
    for networks in ((wrong, FITS[1]), (FITS[0], wrong)):
        with pytest.raises(TypeError, match="a layer, such as Dense"):
            sa.Hierarchy(*networks)


def test_one_layer_in_two_places():
    up = sa.Dense(3, 6)
    with pytest.raises(ValueError, match=r"stands at latent\.up and at latent\.down"):
        sa.VAE(sa.Dense(6, 6), sa.Dense(3, 6), sa.Hierarchy(up, up)).build(6)


@pytest.mark.parametrize("objective", [sa.STL, sa.DReG])
def test_the_path_alone_is_refused(objective):
    with pytest.raises(ValueError, match=r"no gradient along the path alone.*choose IWAE"):
        model(objective)


def test_the_bound_checker_knows_one_layer():
    with pytest.raises(ValueError, match="Hierarchy has networks inside"):
        check_bound(two_layers(sa.ELBO))


def test_log_variances_of_100_have_finite_terms_in_float64():
    one = sa.by_hand(sa.Hierarchy(sa.Dense(1, 2), sa.Dense(1, 2)), 2)
    one.weights["up.W"] = one.weights["down.W"] = np.zeros((1, 2))
    for up in (-100.0, 100.0):
        for down in (-100.0, 100.0):
            one.weights["up.b"], one.weights["down.b"] = np.array([0, up]), np.array([0, down])
            z = one(np.array([[0.5, -100.0], [-0.5, 100.0]]))
            dh = one.backward(np.ones(z.shape))
            assert all(np.isfinite(a).all() for a in (z, one.kl, dh, *one.gradients.values()))


# --- errors of 0.1 %, in each method, are seen ---


KERNELS = (
    "upper_gradient",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("prior_gradient", "lower_gradient")),
)


@pytest.mark.parametrize("kernel", KERNELS)
def test_planted_errors_are_seen(monkeypatch, kernel):
    bind = sa.Hierarchy.bind

    def planted(self, backend, rows, samples=1):
        bind(self, backend, rows, samples)
        right = getattr(self, kernel)

        def wrong(out, *given):
            right(out, *given)
            out *= 1.001

        setattr(self, kernel, wrong)

    monkeypatch.setattr(sa.Hierarchy, "bind", planted)
    report = check_latent(latent(), (2 * D1,))
    assert not report.ok


@pytest.mark.parametrize("layer", ["up", pytest.param("down", marks=pytest.mark.slow)])
def test_a_gradient_that_does_not_add_is_seen(monkeypatch, layer):
    def forgets(self, add):
        getattr(self, layer).add = add

    monkeypatch.setattr(sa.Hierarchy, "add", property(lambda self: False, forgets))
    wrong = [row for row in check_latent(latent(), (2 * D1,)).rows if row.verdict == "wrong"]
    assert wrong and all(row.what.startswith("gradients add") for row in wrong)
