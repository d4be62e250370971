"""The importance weighted bound: by quadrature over its noise, at the exact posterior, in shards,
behind noise layers, and in files."""

import copy
from functools import partial

import numpy as np
import pytest
from blocks import held
from proofs import importance_claims as claims
from proofs.importance_claims import LIKELIHOODS, NODES, X
from proofs.linear_gaussian import draw
from proofs.quadrature import Noise, built, parts
from sentences import one_sentence

import scratchae as sa
from scratchae import ELBO, IWAE, STL, DReG
from scratchae.execution import memory
from scratchae.execution.runner import runner_for
from scratchae.gradcheck import check_objective
from scratchae.models import Model

KINDS = {"ELBO": ELBO, "IWAE": IWAE, "STL": STL, "DReG": DReG}
X6 = np.random.default_rng(5).normal(size=(20, 6))
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
WEIGHED = pytest.mark.parametrize("kind", [IWAE, STL, DReG])


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_more_samples_come_closer_to_log_p(name, backend):
    claims.more_samples_come_closer_to_log_p(backend, name)


@WEIGHED
def test_the_exact_posterior_gives_log_p_in_every_draw(kind, backend, tolerance):
    claims.the_exact_posterior_gives_log_p_in_every_draw(kind, backend, tolerance)


def test_the_loss_has_the_closed_form_of_its_terms(tolerance):
    """Of K = 1 each term is the ELBO's in the mean; of K, reconstruction and kl are, whose weights
    are all 1 / K, and penalty is what the bound gains."""
    elbo = Noise(built(ELBO, 1), X, 60).terms().mean
    for kind in (IWAE, STL, DReG):
        for K in (1, 2):
            terms = Noise(built(kind, K), X, NODES[K]).terms().mean
            for name in ("reconstruction", "kl"):
                assert terms[name] == pytest.approx(elbo[name], rel=1e-8)
            assert terms["penalty"] < -1e-3 if K > 1 else abs(terms["penalty"]) < 1e-12
    more = Noise(built(ELBO, 2), X, 60).terms().mean
    assert more["loss"] == pytest.approx(elbo["loss"], rel=1e-8)


@pytest.mark.parametrize(
    ("error", "density", "constant"),
    [
        (sa.SquaredError(), sa.GaussianLikelihood(0.5**0.5), np.log(np.pi) / 2),
        (sa.AbsoluteError(), sa.Laplace(1.0), np.log(2)),
    ],
)
def test_an_error_is_a_density_less_its_constant(error, density, constant):
    """As the docstring says: the loss of 6 numbers under either, and its gradient's step."""
    found = []
    for likelihood in (error, density):
        encoder, decoder = sa.Dense(6, 4), sa.Dense(2, 6)
        model = Model(IWAE(encoder, decoder, sa.Gaussian(2), likelihood, 3))
        model.build(6, dtype="float64", seed=0)
        before = sa.evaluate(model, X6)["loss"]
        sa.fit(model, X6, sa.SGD(1e-3), epochs=2, progress=False)
        found.append((before, model.parameters.values.copy()))
    (loss, values), (exact, learned) = found
    assert loss + 6 * constant == pytest.approx(exact, rel=1e-12)
    np.testing.assert_allclose(values, learned, rtol=1e-12)


def test_the_table_says_how_many_samples():
    """Those that are a default too, unless there is one."""
    made = (sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli())
    assert "Bernoulli(), samples=5; not" in str(Model(IWAE(*made)))
    assert "Bernoulli(), samples=3; not" in str(Model(ELBO(*made, samples=3)))
    assert "samples" not in str(Model(ELBO(*made))) + str(Model(IWAE(*made, samples=1)))


@EACH
def test_a_latent_is_taken(kind):
    parts = sa.Dense(6, 4), sa.Dense(2, 6), None, sa.Bernoulli()
    one_sentence(
        lambda: kind(*parts), TypeError, "the latent is None, but a latent, such as Gaussian"
    )


@EACH
@pytest.mark.parametrize("K", [1, 2])
def test_the_mean_gradient_is_the_slope_of_the_mean_loss(kind, K, backend):
    claims.the_mean_gradient_is_the_slope_of_the_mean_loss(kind, K, backend=backend)


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("K, nodes, allowed", [(1, 80, 1e-8), (2, 80, 1e-8), (3, 20, 1e-4)])
def test_the_same_with_more_nodes_and_samples(kind, K, nodes, allowed):
    claims.the_mean_gradient_is_the_slope_of_the_mean_loss(kind, K, nodes, allowed)


def dense(kind, samples=3, backend="numpy", dtype="float64", noisy=False, **options):
    """Two latent numbers of six pixels."""
    layers = [sa.Dense(2, 5, "tanh"), sa.Dense(5, 6)]
    if noisy:
        layers[1:1] = [sa.Dropout(0.3), sa.GaussianNoise(0.2)]
    encoder = sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 4))
    objective = kind(
        encoder, sa.Sequential(*layers), sa.Gaussian(2), sa.Bernoulli(), samples=samples
    )
    return Model(objective).build(6, backend=backend, dtype=dtype, seed=1)


def pixels(n=21):
    return (np.random.default_rng(0).random((n, 6)) < 0.5) * 1.0


def step(model, x, shards, threads=1):
    """The terms and the gradient of one batch."""
    with runner_for(model, len(x), shards, threads) as runner:
        runner.set_clock(sa.randomness.clock(3, 2))
        total = runner.gradients(runner.feeds(sa.Values(x)), np.arange(len(x), dtype=np.uint32))
        grads = runner.backend.to_host(runner.grads[: runner.active]).sum(axis=0)
        return np.array(list(runner.objective.loss(total).values())), grads


@pytest.mark.parametrize("noisy", [False, True])
@EACH
def test_shards_and_blocks_change_rounding_alone(kind, noisy, backend, monkeypatch):
    """The noise of sample k of a row is a function of both, behind K samples too."""
    right = step(dense(kind, noisy=noisy), pixels(), 1)
    model = dense(kind, backend=backend, noisy=noisy)
    for shards in (1, 2, 3, 7):
        for mine, due in zip(step(model, pixels(), shards, 2), right, strict=True):
            np.testing.assert_allclose(mine, due, rtol=1e-12, atol=1e-12 * np.abs(due).max())
    if backend != "cupy":
        monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(3000))
        with runner_for(model, 21, 1) as runner:
            assert runner.block < 8
        for mine, due in zip(step(model, pixels(), 1), right, strict=True):
            np.testing.assert_allclose(mine, due, rtol=1e-12, atol=1e-12 * np.abs(due).max())


@EACH
def test_the_number_of_samples_moves_loss_and_gradient(kind, backend):
    a, b = (step(dense(kind, K, backend), pixels(), 1) for K in (2, 3))
    assert a[0][0] != b[0][0] and (a[1] != b[1]).any()


def test_gradients_are_the_slope_of_the_loss(backend):
    for K in (1, 2, 5):
        objective = dense(IWAE, K).objective
        fresh = IWAE(objective.encoder, objective.decoder, sa.Gaussian(2), sa.Bernoulli(), K)
        assert check_objective(fresh, (6,), backend=backend).ok, K


@EACH
def test_noise_layers_draw_for_each_sample(kind, backend):
    """Dropout of sample k of row n has the draws of row n at the positions k D + d."""
    model = dense(kind, 4, backend, noisy=True)
    replica = model.replica(3)
    draw(replica, 3, model.backend)
    found = model.backend.to_host(replica.decoder.layers[1].draws).reshape(3, 4, 5)
    stream = replica.decoder.layers[1].stream
    expected = sa.randomness.uniform((3, 20), 0, stream).reshape(3, 4, 5)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(np.unique(found)) == found.size


class Jitter(sa.Layer):
    """A reader's own noise layer, which fills a row of noise for an example."""

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        self.jitter = backend.zeros((rows, *self.shape))

    def draw(self, rows, clock):
        self.jitter[: len(rows)] = rows[:, None] / 100

    def forward(self, x):
        return x + self.jitter[: len(x)]

    def backward(self, dy):
        return dy


class Knowing(Jitter):
    """The same, of an example's samples."""

    draws_for_samples = True

    def draw(self, rows, clock):
        k = np.arange(self.samples)
        self.jitter[: len(rows) * self.samples] = (rows[:, None] + k).reshape(-1, 1) / 100


@EACH
def test_noise_that_knows_of_no_samples_is_refused(kind):
    def make(layer, K):
        decoder = sa.Sequential(sa.Dense(2, 6), layer)
        objective = kind(sa.Dense(6, 4), decoder, sa.Gaussian(2), sa.Bernoulli(), samples=K)
        return Model(objective).build(6, dtype="float64")

    words = r"decoder\.1 draws noise for one sample an example, but there are 3: let Jitter\.draw"
    one_sentence(lambda: make(Jitter(), 3), TypeError, words)
    x = pixels(5)
    for layer, K in ((Jitter(), 1), (Knowing(), 3)):
        assert np.isfinite(sa.evaluate(make(layer, K), x)["loss"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@EACH
def test_saved_and_loaded_to_the_bit(kind, dtype, backend, tmp_path):
    model, x = dense(kind, 4, backend, dtype), pixels().astype(dtype)
    adam = sa.Adam(1e-2)
    sa.fit(model, x, adam, epochs=2, batch_size=8, progress=False)
    sa.save(model, tmp_path / "model", optimizer=adam)
    again = sa.load(tmp_path / "model", backend=backend)
    assert type(again.objective) is kind and again.objective.samples == 4
    assert sa.evaluate(again, x) == sa.evaluate(model, x)
    for m, optimizer in ((model, adam), (again, again.optimizer)):
        sa.fit(m, x, optimizer, epochs=1, batch_size=8, progress=False)
    for name, values in model.weights.items():
        np.testing.assert_array_equal(values, again.weights[name])


@EACH
def test_encode_and_decode_take_one_row_an_example(kind, backend):
    model, x = dense(kind, 50, backend), pixels()
    mu, _ = model.encode(x)
    assert mu.shape == (21, 2) and model.decode(mu).shape == x.shape
    replica, rows = model._inference
    assert rows == 21 and replica.latent.z.shape == (21, 2) and replica.K == 1
    assert replica.likelihood.nll.shape == (21,) and model.objective.K == 50
    np.testing.assert_array_equal(model.reconstruct(x), dense(kind, 1, backend).reconstruct(x))


def test_the_memory_that_is_foretold_counts_samples():
    """The decoder's part grows with K, and blocks shrink."""
    one, five, nine = (memory.bytes_needed(dense(IWAE, K), 1000, 1) for K in (1, 5, 9))
    assert 0 < nine - five == pytest.approx(five - one, rel=0.01)
    # of a sample: y and dx of the decoder's layers, z, eps, da, and what is left out, nll, r, w
    due = 2 * 5 + 6 + 2 + 2 + 2 + 6 + 6 + 3
    assert (five - one) / 4 == pytest.approx(1000 * 8 * due, rel=0.2)
    numbers = [dense(IWAE, K).objective.numbers() for K in (1, 2, 3)]
    assert numbers[2] - numbers[1] == numbers[1] - numbers[0] == 6 + 2 * (5 + 6)


FAR = pytest.mark.parametrize("logvar", [-100.0, 100.0])


@FAR
@EACH
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_variances_far_out(kind, name, logvar, backend):
    """Finite value and gradient in every term, in float64."""
    model = built(kind, 3, backend, **LIKELIHOODS[name])
    model.weights["encoder.W"] = np.zeros((4, 2))
    model.weights["encoder.b"] = [0.5, logvar]
    terms, grads = step(model, np.repeat(X[None], 5, axis=0), 1)
    assert np.isfinite(terms).all() and np.isfinite(grads).all() and grads.any()


@pytest.mark.slow  # float32's loops
@pytest.mark.parametrize("logvar", [-100.0, 86.0])
@EACH
def test_log_variances_as_far_as_float32_goes(kind, logvar):
    """Beyond exp(88) the loss is no number, which training refuses with a sentence."""
    model = Model(kind(*parts(), samples=3)).build(4, seed=3)
    model.weights["encoder.W"] = np.zeros((4, 2))
    model.weights["encoder.b"] = [0.5, logvar]
    x = np.repeat(X[None], 5, axis=0).astype(np.float32)
    terms, grads = step(model, x, 1)
    assert np.isfinite(terms).all() and np.isfinite(grads).all()
    model.weights["encoder.b"] = [0.5, 100.0]
    before = dict(model.weights)
    with pytest.raises(sa.NonFiniteLoss):
        sa.fit(model, x, sa.Adam(), epochs=1, progress=False)
    for name, values in model.weights.items():
        np.testing.assert_array_equal(values, before[name])


@EACH
@pytest.mark.parametrize("samples", [0, -1, 1.5, "5", True, None])
def test_bad_numbers_of_samples(kind, samples):
    words = rf"{kind.__name__}\(samples\) is .*, but it must be a whole number of at least 1"
    one_sentence(lambda: kind(*parts(), samples=samples), ValueError, words)


class Unsaid(sa.Gaussian):
    """A latent that says nothing of its path."""

    weighed, path = sa.latents.Latent.weighed, sa.latents.Latent.path


class Learning(sa.Gaussian):
    """A latent with a parameter of its own."""

    def declare(self, shape):
        code, declared = super().declare(shape)
        return code, declared | {"b": ((2,), lambda noise: np.zeros(2))}


def test_latents_that_do_not_fit():
    def make(kind, latent):
        return Model(kind(sa.Dense(6, 4), sa.Dense(2, 6), latent, sa.Bernoulli())).build(6)

    for kind, words in ((IWAE, r"weighed\(dz, w\)"), (STL, r"path"), (DReG, r"path")):
        one_sentence(partial(make, kind, Unsaid(2)), NotImplementedError, f"Unsaid.*{words}")
    words = "Learning has parameters of its own, but DReG takes a latent without: choose IWAE"
    one_sentence(partial(make, DReG, Learning(2)), ValueError, words)
    make(IWAE, Learning(2))


class Backwards(sa.Bernoulli):
    """A likelihood of the reader's own whose da (M, 2, 3) is a view that has no flat rows."""

    def backward(self):
        da = super().backward()
        view = np.empty((len(da), 3, 2)).swapaxes(1, 2)
        view[...] = da
        return view


@WEIGHED
def test_a_gradient_in_another_order_of_memory_is_weighed_too(kind):
    """Rows of two axes, exchanged in memory: what is weighed is a copy."""

    def make(likelihood):
        encoder = sa.Sequential(sa.Flatten(), sa.Dense(6, 4))
        decoder = sa.Sequential(sa.Dense(2, 6), sa.Reshape(2, 3))
        model = Model(kind(encoder, decoder, sa.Gaussian(2), likelihood, samples=3))
        return model.build((2, 3), backend="reference", dtype="float64")

    x = pixels(4).reshape(4, 2, 3)
    right, found = (step(make(kind()), x, 1)[1] for kind in (sa.Bernoulli, Backwards))
    np.testing.assert_allclose(found, right, rtol=1e-12)


@WEIGHED
def test_the_words(kind):
    first = str(dense(kind, 4)).splitlines()[0]
    assert first.startswith(f"Model({kind.__name__}): Gaussian(2), Bernoulli(), samples=4;")


@pytest.mark.slow
@WEIGHED
def test_the_batch_that_is_foretold_is_what_a_gpu_takes(kind, gpu, monkeypatch):
    """As tests/execution/test_memory.py has it, of 50 samples."""
    taken, model = [], dense(kind, 50, gpu, "float32")
    empty = type(model.backend).empty

    def counted(self, shape, dtype=None):
        out = empty(self, shape, dtype)
        taken.append(-(-out.nbytes // 512) * 512)
        return out

    monkeypatch.setattr(type(model.backend), "empty", counted)
    x = pixels(64).astype(np.float32)
    sa.fit(model, x, sa.Adam(), epochs=1, batch_size=64, shards=1, progress=False)
    foretold = memory.bytes_needed(model, 64, 1)
    assert foretold > 400_000 and abs(foretold - sum(taken)) < 64 * 1024


def test_a_model_is_shared_with_no_other_number_of_samples():
    """A copy of the parts for log p(x) or for encode leaves the model's own layers as they are."""
    model = dense(IWAE, 3, noisy=True)
    layer = model.decoder.layers[1]
    model.encode(pixels())
    sa.evaluation.log_likelihood(model, pixels(4), 60)
    assert layer.samples == 3 == model.objective.K
    assert copy.copy(model.objective).samples == 3
