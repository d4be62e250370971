"""log p(x) by importance sampling, where it is known: of linear-Gaussian models in closed form, of
others by quadrature over z."""

import math

import numpy as np
import pytest
from proofs.linear_gaussian import exact, linear_vae, set_posterior
from sentences import one_sentence

import scratchae as sa
from scratchae.evaluation import GreyWarning, LogLikelihood, likelihood, log_likelihood

X = np.random.default_rng(0).normal(size=(7, 5))
STANDARD_ERRORS = 5.0


def exact_vae(backend="numpy", shift=0.0):
    """A linear-Gaussian VAE whose encoder gives the posterior, moved by shift."""
    model = linear_vae(backend, orthogonal=True)
    set_posterior(model, shift)
    return model


def dense(D, kind=sa.Bernoulli, backend="numpy", dtype="float64", outputs=4, **options):
    """A VAE of four numbers with a decoder that is not linear."""
    encoder = sa.Sequential(sa.Dense(4, 5, "tanh"), sa.Dense(5, 2 * D))
    decoder = sa.Sequential(sa.Dense(D, 5, "tanh", sa.initializers.Normal(1.5)))
    decoder = sa.Sequential(*decoder.layers, sa.Dense(5, outputs))
    model = sa.VAE(encoder, decoder, sa.Gaussian(D), kind(), **options)
    return model.build(4, backend=backend, dtype=dtype, seed=2)


def binary(n=3, seed=1):
    return (np.random.default_rng(seed).random((n, 4)) < 0.5) * 1.0


def by_quadrature(model, x):
    """log p(x) (N,): the trapezoid rule on a box of the prior, whose mass outside is 1e-15."""
    D = model.latent.dimensions
    axis = np.linspace(-8, 8, {1: 2001, 2: 201}[D])
    z = np.stack(np.meshgrid(*[axis] * D, indexing="ij"), axis=-1).reshape(-1, D)
    volume = (axis[1] - axis[0]) ** D * np.exp(-(z * z).sum(axis=1) / 2) / (2 * math.pi) ** (D / 2)
    a = model.decoder_output(z)
    p = model.likelihood
    p = type(p)(*([p.sigma] if hasattr(p, "sigma") else []))
    p.bind(sa.get_backend("reference", "float64"), len(z), (4,))
    rows = [-p.forward(a, np.repeat(one[None], len(z), axis=0)) for one in x]
    return np.array([np.log(np.exp(log_p) @ volume) for log_p in rows])


@pytest.mark.parametrize("samples", [2, 49, 50, 51, 107])
def test_the_exact_posterior_needs_one_sample(samples, tolerance):
    model = exact_vae()
    found = log_likelihood(model, X, samples)
    np.testing.assert_allclose(found.each, exact(model, X)[0], rtol=tolerance("layer"))
    np.testing.assert_allclose(found.ess, samples, rtol=tolerance("layer"))
    np.testing.assert_allclose(found.error, 0, atol=1e-7)  # a root of 1e-16
    assert found.samples == samples and found.each.dtype == found.ess.dtype == np.float64


def test_the_exact_posterior_on_every_backend(backend, tolerance):
    model = exact_vae(backend)
    found = log_likelihood(model, X[:3], 51)
    np.testing.assert_allclose(found.each, exact(model, X[:3])[0], rtol=tolerance("layer"))
    np.testing.assert_allclose(found.ess, 51, rtol=tolerance("layer"))


@pytest.mark.parametrize("shift", [-0.3, 0.1, 0.4])
def test_another_posterior_finds_it_within_its_error(shift):
    model = exact_vae(shift=shift)
    found = log_likelihood(model, X, 2000)
    assert (np.abs(found.each - exact(model, X)[0]) <= STANDARD_ERRORS * found.error).all()
    assert (found.ess < 1990).all() and (found.error > 1e-3).all()


@pytest.mark.parametrize("D", [1, 2])
@pytest.mark.parametrize("kind", [sa.Bernoulli, sa.GaussianLikelihood])
def test_a_decoder_that_is_not_linear_against_quadrature(D, kind):
    model, x = dense(D, kind), binary()
    found, right = log_likelihood(model, x, 4000), by_quadrature(model, x)
    assert (np.abs(found.each - right) <= STANDARD_ERRORS * found.error).all()
    assert (found.error < 0.1).all()


def test_it_is_the_mean_of_the_weights_that_iwae_has(backend, tolerance):
    """The same samples by IWAE's own kernel: the draws of piece c have c for their epoch."""
    model, x = dense(2, backend=backend), binary(5)
    found = log_likelihood(model, x, 30, seed=3)
    replica, bound = model.replica(5, samples=30), model.backend
    clock = sa.randomness.clock(3, 0, sa.randomness.IMPORTANCE)
    replica.latent.draw(np_on(bound, np.arange(5)), np_on(bound, clock))
    h = replica.encoder.forward(bound.asarray(x))
    nll = replica.likelihood.forward(
        replica.decoder.forward(replica.latent.forward(h)), bound.asarray(x)
    )
    log_w = -(bound.to_host(nll) + bound.to_host(replica.latent.ratio())).reshape(5, 30)
    top = log_w.max(axis=1, keepdims=True)
    w = np.exp(log_w - top)
    each = top[:, 0] + np.log(w.mean(axis=1))
    np.testing.assert_allclose(found.each, each, rtol=tolerance("loss"))
    ess = w.sum(axis=1) ** 2 / (w * w).sum(axis=1)
    np.testing.assert_allclose(found.ess, ess, rtol=tolerance("layer"))


def np_on(backend, values):
    return backend.asarray(values, np.uint32)


def test_neither_threads_nor_pieces_change_a_bit(monkeypatch):
    model, x = dense(2), binary(41)
    found = [log_likelihood(model, x, 230, threads=n) for n in (1, 2, 3)]
    for pieces in (1, 2, 100):
        monkeypatch.setattr(likelihood, "PIECES", pieces)
        found.append(log_likelihood(model, x, 230, threads=2))
    for other in found[1:]:
        np.testing.assert_array_equal(other.each, found[0].each)
        np.testing.assert_array_equal(other.ess, found[0].ess)


def test_groups_and_pieces_of_another_size_change_rounding_alone(monkeypatch, tolerance):
    """How many examples go through at once decides the bits of a product, and no draw."""
    model, x = dense(2), binary(9)
    right = log_likelihood(model, x, 120)
    for rows in (1, 60, 150):
        monkeypatch.setattr(likelihood, "ROWS", rows)
        found = log_likelihood(model, x, 120)
        np.testing.assert_allclose(found.each, right.each, rtol=tolerance("loss"))


def test_more_samples_begin_with_the_same_ones(tolerance):
    """50 of 100 are those of 50, and 49 of 50 are those of 49."""
    model, x = dense(1), binary(2)
    w49, w50, w100 = (np.exp(log_likelihood(model, x, n).each) * n for n in (49, 50, 100))
    assert (w50 > w49).all() and (w100 > w50).all()
    a, b = log_likelihood(model, x, 100, seed=0), log_likelihood(model, x, 100, seed=1)
    assert (a.each != b.each).all()


def test_the_models_samples_and_beta_do_not_matter():
    x = binary(3)
    right = log_likelihood(dense(2), x, 60)
    parts = dense(2)
    other = dense(2, samples=3, beta=0.1)
    iwae = sa.models.Model(
        sa.DReG(parts.encoder, parts.decoder, sa.Gaussian(2), sa.Bernoulli(), samples=7)
    ).build(4, dtype="float64", seed=2)
    for model in (other, iwae):
        np.testing.assert_array_equal(log_likelihood(model, x, 60).each, right.each)
        assert model.encode(x)[0].shape == (3, 2)


@pytest.mark.slow
def test_float32_is_float64_to_its_digits():
    x = binary(5)
    exact64 = log_likelihood(dense(2), x, 500).each
    found = log_likelihood(dense(2, dtype="float32"), x, 500)
    assert found.each.dtype == np.float64
    np.testing.assert_allclose(found.each, exact64, rtol=1e-5)


def sources(tmp_path):
    """The same data, binary, behind every kind of door."""
    pixels = (binary(6) * 255).astype(np.uint8)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (6, 4))
    x[...] = pixels / 255
    return x, sa.Values(np.asarray(x)), sa.Images(pixels), sa.Images(pixels, binarize="threshold")


def test_every_kind_of_data(tmp_path):
    model = dense(2)
    right = log_likelihood(model, binary(6), 20).each
    for source in sources(tmp_path):
        np.testing.assert_array_equal(log_likelihood(model, source, 20).each, right)


def test_dynamic_images_are_those_that_evaluate_has():
    """Drawn once for all samples of an example, the same at every call with the same seed."""
    model = dense(2)
    grey = np.random.default_rng(2).integers(0, 256, (6, 4), np.uint8)
    source = sa.Images(grey, binarize="dynamic")
    clock = sa.randomness.clock(5, 0, sa.randomness.EVALUATION)
    drawn = source.feed(model.backend, 6).fill(np.arange(6, dtype=np.uint32), clock).copy()
    assert set(np.unique(drawn)) == {0, 1}
    found = log_likelihood(model, source, 120, seed=5)
    np.testing.assert_array_equal(found.each, log_likelihood(model, drawn, 120, seed=5).each)


@pytest.mark.parametrize("where", ["encoder", "decoder"])
def test_noise_layers_let_pass(where):
    plain = dense(2)
    encoder, decoder = list(plain.encoder.layers), list(plain.decoder.layers)
    (encoder if where == "encoder" else decoder).insert(1, sa.Dropout(0.5))
    model = sa.VAE(sa.Sequential(*encoder), sa.Sequential(*decoder), sa.Gaussian(2)).build(
        4, dtype="float64"
    )
    for name, values in plain.weights.items():
        part, number, kind = name.split(".")
        moved = int(part == where and number == "1")
        model.weights[f"{part}.{int(number) + moved}.{kind}"] = values
    x = binary(4)
    np.testing.assert_array_equal(
        log_likelihood(model, x, 60).each, log_likelihood(plain, x, 60).each
    )


def merge(parts):
    """The sums of several sets of log w (n, S), and log of the mean weight (n,), ess (n,)."""
    sums = np.zeros((3, len(parts[0])))
    sums[0] = -np.inf
    for log_w in parts:
        sums = likelihood.merged(sums, likelihood._summed(log_w))
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[0] + np.log(sums[1]), sums[1] ** 2 / sums[2]


def test_sums_merge_in_any_order(rng):
    """Of a weight of exp(-1e5) beside one of 1, of none at all and of NaN in one row each."""
    log_w = rng.normal(size=(6, 40)) * 30
    log_w[1] -= 1e5
    log_w[2, ::3] -= 1e5
    log_w[3, ::2] = -np.inf
    log_w[4] = -np.inf
    log_w[5, 7] = np.nan
    top = np.maximum(log_w.max(axis=1), -1e9)
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.exp(log_w - top[:, None])
        right, ess = top + np.log(w.sum(axis=1)), w.sum(axis=1) ** 2 / (w * w).sum(axis=1)
    for cuts in ([], [1], [39], [7, 8, 20], list(range(1, 40))):
        for order in (1, -1):
            found, count = merge(np.split(log_w, cuts, axis=1)[::order])
            np.testing.assert_allclose(found[:4], right[:4], rtol=1e-13)
            np.testing.assert_allclose(count[:4], ess[:4], rtol=1e-12)
            assert found[4] == -np.inf and np.isnan(found[5]) and np.isnan(count[4:]).all()


def test_an_example_that_is_impossible_spoils_no_other():
    """One likelihood of 0 gives -inf, and no warning."""
    model = exact_vae()
    x = np.vstack([X[:2], np.full((1, 5), 1e200)])
    with np.errstate(over="ignore"):
        found = log_likelihood(model, x, 60)
    np.testing.assert_allclose(found.each[:2], exact(model, X[:2])[0], rtol=1e-10)
    assert found.each[2] == found.mean == -np.inf and math.isnan(found.standard_error)
    assert "-inf" in str(found)


def test_one_example_and_one_sample():
    model = exact_vae(shift=0.3)
    one = log_likelihood(model, X[:1], 100)
    assert one.standard_error == one.error[0] > 0
    several = log_likelihood(model, X, 1)
    assert np.isnan(several.error).all() and (several.ess == 1).all()
    assert several.standard_error == pytest.approx(several.each.std(ddof=1) / math.sqrt(len(X)))


def test_the_words():
    found = LogLikelihood(np.array([-80.0, -90.0]), np.array([10.0, 20.0]), 5000)
    expected = "log p(x) = -85.00 +- 5.00 nats per example (2 examples, 5,000 samples each, "
    assert str(found) == expected + "of which 15 count in the median)"
    one = LogLikelihood(np.array([-80.0]), np.array([1.0]), 1)
    assert "(1 example, 1 sample each, of which 1 count" in str(one)


@pytest.mark.slow
def test_the_errors_are_the_scatter_over_seeds():
    """error: over the draws of one example. standard_error: over draws and examples, here of one
    x, so that its scatter is that of the draws alone."""
    model = exact_vae(shift=0.3)
    found = [log_likelihood(model, X, 60, seed=seed, threads=1) for seed in range(200)]
    scatter = np.std([one.each for one in found], axis=0)
    said = np.sqrt(np.mean([one.error**2 for one in found], axis=0))
    np.testing.assert_allclose(said, scatter, rtol=0.25)  # 5 % of 200 seeds, 4 times the most
    means = [
        log_likelihood(model, np.repeat(X[:1], 30, axis=0), 20, seed=seed, threads=1)
        for seed in range(200)
    ]
    scatter = np.std([one.mean for one in means])
    said = np.sqrt(np.mean([one.standard_error**2 for one in means]))
    assert said == pytest.approx(scatter, rel=0.2)  # counted twice it is 1.4 times that


@pytest.mark.slow
def test_memory_is_that_of_a_thousand_rows():
    """Neither more samples nor more examples take more."""
    import tracemalloc

    model, most = dense(2, dtype="float32"), []
    log_likelihood(model, binary(20), 50, threads=1)  # compiles
    for n, samples in ((20, 1000), (20, 100_000), (2000, 1000)):
        x = binary(n).astype(np.float32)
        tracemalloc.start()
        log_likelihood(model, x, samples, threads=1)
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(most) < 1.5 * most[0] + 2000 * 40


def test_grey_data_under_a_bernoulli_is_scored_and_said():
    model, x = dense(2), np.full((3, 4), 0.37)
    with pytest.warns(GreyWarning, match=r"^the data is 0\.37 at index \(0, 0\), but a Bernoulli"):
        found = log_likelihood(model, x, 10)
    assert np.isfinite(found.mean)
    grey = sa.Images(np.full((3, 4), 9, np.uint8))
    with pytest.warns(GreyWarning, match="binarise"):
        log_likelihood(model, grey, 10)
    log_likelihood(model, sa.Images(grey.pixels, binarize="dynamic"), 10)
    log_likelihood(dense(2, sa.GaussianLikelihood), x, 10)
    with pytest.warns(GreyWarning, match="Categorical"):
        log_likelihood(dense(2, sa.Categorical), np.full((3, 4), 0.25), 10)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_grey_number_is_named_by_its_place_in_the_data(threads):
    x = binary(2400).astype(np.float64)
    x[2340:, 1] = 0.25
    with pytest.warns(GreyWarning, match=r"^the data is 0\.25 at index \(2340, 1\), but"):
        log_likelihood(dense(2), x, 10, threads=threads)


class Plain(sa.Likelihood):
    """An error of the reader's own, no distribution."""

    kernel = sa.SquaredError.kernel

    def constants(self, shape):
        return 1.0, 0.0


class NoRatio(sa.Gaussian):
    """A latent that does not say its ratio."""

    ratio = sa.latents.Latent.ratio


REFUSED = {
    "no latent": (
        lambda: log_likelihood(sa.Autoencoder(sa.Dense(5, 2), sa.Dense(2, 5)).build(5), X),
        TypeError,
        "this Autoencoder has no latent, so it has no p",
    ),
    "no distribution": (
        lambda: log_likelihood(dense(2, sa.SquaredError), binary()),
        TypeError,
        "SquaredError is an error and no distribution",
    ),
    "an error of one's own": (
        lambda: log_likelihood(dense(2, Plain), binary()),
        TypeError,
        "Plain is an error and no distribution",
    ),
    "not built": (
        lambda: log_likelihood(sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2)), X),
        RuntimeError,
        r"call model\.build",
    ),
    "a class": (lambda: log_likelihood(sa.VAE, X), TypeError, "the class VAE"),
    "no ratio": (
        lambda: log_likelihood(
            sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), NoRatio(2), sa.GaussianLikelihood()).build(5), X
        ),
        NotImplementedError,
        r"NoRatio.*ratio\(\)",
    ),
}
for value in (0, -1, 1.5, "many", True, None):
    REFUSED[f"samples {value}"] = (
        lambda value=value: log_likelihood(exact_vae(), X, value),
        ValueError,
        "samples is .*whole number of at least 1",
    )
for name, value, words in (
    ("threads", 0, "threads is 0"),
    ("seed", -1, "the seed is -1"),
    ("progress", 1, "progress is 1, but it must be True or False"),
):
    REFUSED[name] = (
        lambda name=name, value=value: log_likelihood(exact_vae(), X, 2, **{name: value}),
        ValueError,
        words,
    )
for data, error, words in (
    (X[:, :4], ValueError, r"\(7, 4\), but \(N, 5\) is expected"),
    (X[:0], ValueError, "N at least 1"),
    (X * np.nan, ValueError, "nan at index"),
    (None, TypeError, "NoneType"),
):
    REFUSED[f"x {np.shape(data)} {words}"] = (
        lambda data=data: log_likelihood(exact_vae(), data, 2),
        error,
        words,
    )


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input(case):
    one_sentence(*REFUSED[case])
