"""Pairs and Observed: what is scored is not what the encoder sees."""

import copy

import numpy as np
import pytest

import scratchae as sa
from scratchae.datasets import scaled, split, take
from scratchae.detection import Detector
from scratchae.detection.detector import SCORES
from scratchae.execution.runner import runner_for

N, C = 12, 3
RNG = np.random.default_rng(0)
CLEAN = RNG.random((N, 6))
NOISY = CLEAN + RNG.normal(size=CLEAN.shape)
LABELS = RNG.integers(0, C, N)
MASK = RNG.random((N, 6)) < 0.6
GAPS = np.where(MASK, CLEAN, np.nan)


def autoencoder(likelihood=None, backend="numpy", dtype="float64", outputs=6):
    made = sa.Autoencoder(sa.Dense(6, 4, "tanh"), sa.Dense(4, outputs), likelihood)
    return made.build(6, backend=backend, dtype=dtype, seed=1)


def squared(model, x, target, mask=None):
    r = model.reconstruct(x) - target
    return float(((r * r) * (1 if mask is None else mask)).sum(axis=1).mean())


def test_the_encoder_sees_one_and_the_likelihood_scores_the_other(backend, tolerance):
    model = autoencoder(backend=backend)
    found = sa.evaluate(model, sa.Pairs(NOISY, CLEAN))
    assert found["loss"] == pytest.approx(squared(model, NOISY, CLEAN), rel=tolerance("layer"))
    np.testing.assert_array_equal(
        model.reconstruct(sa.Pairs(NOISY, CLEAN)), model.reconstruct(NOISY)
    )


@pytest.mark.parametrize("samples", [1, 3])
def test_a_sigma_that_is_learned_is_that_of_the_clean_rows(samples, backend, tolerance):
    """The loss and the slope by logvar of SharedGaussian, against the same by hand; q is the prior
    and the decoder does not hear it, so that only what is scored tells."""
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.SharedGaussian(0.5))
    model.samples = samples
    model.build(6, backend=backend, dtype="float64", seed=1)
    for name in ("encoder.W", "decoder.W"):
        model.weights[name] = 0 * model.weights[name]
    data, part = sa.Pairs(NOISY, CLEAN), sa.by_hand(sa.SharedGaussian(0.5), 6, backend=backend)
    due = part(np.zeros_like(CLEAN), CLEAN).mean()
    assert sa.evaluate(model, data)["loss"] == pytest.approx(due, rel=tolerance("layer"))
    with runner_for(model, N) as runner:
        runner.gradients(runner.feeds(data), np.arange(N, dtype=np.uint32))
        part.backward()
        found = sum(model.backend.to_host(one.likelihood.dlogvar) for one in runner.replicas)
        np.testing.assert_allclose(found, part.dlogvar, rtol=tolerance("layer"))
    with pytest.raises(TypeError, match=r"SharedGaussian does not say left_out\(shape\), how a"):
        sa.evaluate(model, sa.Observed(GAPS))


def trained(backend, data, validation=None, **options):
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), **options)
    model.build(6, backend=backend, dtype="float64", seed=1)
    how = {"epochs": 3, "batch_size": 5, "shards": 2, "progress": False}
    history = sa.fit(model, data, sa.Adam(1e-2), validation=validation, **how)
    return [history["train_loss"], history["test_loss"] if validation is not None else 0], dict(
        model.weights
    )


@pytest.mark.parametrize("around", ["pairs", "observed"])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_pair_of_equals_and_a_mask_of_ones_change_no_bit(around, samples, backend):
    made = {"pairs": lambda: sa.Pairs(CLEAN, CLEAN), "observed": lambda: sa.Observed(CLEAN)}
    data = made[around]()
    plain = trained(backend, CLEAN, CLEAN, samples=samples)
    ours = trained(backend, data, data, samples=samples)
    mixed = trained(backend, data, CLEAN, samples=samples)
    for losses, weights in (ours, mixed):
        assert losses == plain[0]
        assert all(np.array_equal(weights[name], plain[1][name]) for name in weights)


def test_one_set_with_targets_leaves_nothing_behind_for_the_next():
    """Training on pairs, validation on rows that are scored themselves."""
    (_, found), _ = trained("numpy", sa.Pairs(NOISY, CLEAN), CLEAN, likelihood=sa.SquaredError())
    (_, alone), _ = trained(
        "numpy", sa.Pairs(NOISY, CLEAN), sa.Pairs(CLEAN, CLEAN), likelihood=sa.SquaredError()
    )
    assert found == alone


def test_pairs_are_split_and_taken_together():
    data = sa.Labelled(sa.Pairs(NOISY, sa.Values(CLEAN, LABELS)), C)
    for part in (*split(data, seed=2), take(data, [4, 1])):
        rows = [int(np.flatnonzero((row == NOISY).all(axis=1))[0]) for row in part.values()]
        np.testing.assert_array_equal(part.source.clean.values(), CLEAN[rows])
        np.testing.assert_array_equal(part.given().argmax(axis=1), LABELS[rows])
    with pytest.raises(TypeError, match="scale the clean rows"):
        scaled(sa.Pairs(NOISY, CLEAN))
    for data in (sa.Observed(GAPS), sa.Labelled(sa.Observed(GAPS), MASK.astype(float))):
        with pytest.raises(TypeError, match="are Observed, whose gaps hold zeros"):
            scaled(data)


LIKELIHOODS = {
    "Bernoulli": (sa.Bernoulli(), 6),
    "SquaredError": (sa.SquaredError(), 6),
    "AbsoluteError": (sa.AbsoluteError(), 6),
    "GaussianLikelihood": (sa.GaussianLikelihood(0.3), 6),
    "LearnedGaussian": (sa.LearnedGaussian(0.2), 12),
    "ContinuousBernoulli": (sa.ContinuousBernoulli(), 6),
    "Laplace": (sa.Laplace(0.4), 6),
    "Poisson": (sa.Poisson(), 6),
}


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_it_is_the_likelihood_of_the_numbers_that_were_observed(name, samples, backend, tolerance):
    """nll and da of each row against the same likelihood by hand on that row's numbers alone."""
    likelihood, outputs = LIKELIHOODS[name]
    bound = sa.get_backend(backend, "float64")
    a, x = RNG.normal(size=(N * samples, outputs)), CLEAN
    x = np.rint(9 * x) if name == "Poisson" else x
    whole = copy.deepcopy(likelihood)
    whole.bind(bound, N, (6,), samples)
    whole.weigh_rows = bound.op(sa.kernels.importance.WEIGH_ROWS)
    filled = np.where(MASK, x, 0)
    whole.aim(bound.asarray(filled), bound.asarray(MASK.astype(float)))
    nll = bound.to_host(whole.forward(bound.asarray(a), bound.asarray(x + 7)))
    da = bound.to_host(whole.backward())
    weighed = bound.to_host(whole.weighed(bound.asarray(np.full(N * samples, 0.25))))
    for m in range(N * samples):
        seen = np.flatnonzero(MASK[m // samples])
        both = np.concatenate([seen, seen + 6]) if outputs == 12 else seen
        part = sa.by_hand(likelihood, len(seen), backend=backend)
        due = part(a[m : m + 1, both], x[m // samples, seen][None])
        np.testing.assert_allclose(nll[m], due[0], rtol=tolerance("layer"), atol=1e-12)
        np.testing.assert_allclose(da[m, both], part.backward()[0], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(weighed[m], da[m] / 4, atol=1e-15)
        assert not np.delete(da[m], both).any()


def test_of_categories_a_place_is_left_out_whole(backend):
    x = np.eye(4)[RNG.integers(0, 4, (N, 2))]  # (N, 2, 4)
    mask = np.repeat(RNG.random((N, 2, 1)) < 0.5, 4, axis=2)
    model = sa.Autoencoder(
        sa.Sequential(sa.Flatten(), sa.Dense(8, 3)),
        sa.Sequential(sa.Dense(3, 8), sa.Reshape(2, 4)),
        sa.Categorical(),
    ).build((2, 4), backend=backend, dtype="float64")
    data = sa.Observed(x, mask)
    a = model.decoder_output(model.encode(data))
    log_p = a - np.log(np.exp(a).sum(axis=-1, keepdims=True))
    due = -(x * mask * log_p).sum(axis=(1, 2)).mean()
    assert sa.evaluate(model, data)["loss"] == pytest.approx(due, rel=1e-12)
    with pytest.raises(ValueError, match="all of its categories, or none"):
        sa.evaluate(model, sa.Observed(x, RNG.random((N, 2, 4)) < 0.5))


def test_what_stands_in_the_gaps_plays_no_role():
    """NaN, a mask with other numbers in the gaps, and zeros there are one."""
    model = autoencoder()
    other = np.where(MASK, CLEAN, 1e3)
    ways = sa.Observed(GAPS), sa.Observed(other, MASK), sa.Observed(sa.Values(other), MASK)
    losses = [sa.evaluate(model, data)["loss"] for data in ways]
    blank = np.where(MASK, CLEAN, 0)
    assert losses == losses[:1] * 3
    assert losses[0] == pytest.approx(squared(model, blank, CLEAN, MASK), rel=1e-12)
    for data in ways:
        np.testing.assert_array_equal(model.encode(data), model.encode(blank))


def test_gaps_of_images_and_of_pairs():
    pixels = RNG.integers(0, 256, (N, 6)).astype(np.uint8)
    model = autoencoder(sa.Bernoulli())
    data = sa.Observed(sa.Images(pixels, binarize="threshold"), MASK)
    x = sa.Images(pixels, binarize="threshold").values() * MASK
    np.testing.assert_array_equal(data.values(), x)
    a = model.decoder_output(model.encode(x))
    due = (MASK * (np.logaddexp(0, a) - x * a)).sum(axis=1).mean()
    assert sa.evaluate(model, data)["loss"] == pytest.approx(due, rel=1e-6)
    both = sa.Pairs(NOISY, sa.Observed(GAPS))
    model = autoencoder()
    assert sa.evaluate(model, both)["loss"] == pytest.approx(
        squared(model, NOISY, np.where(MASK, CLEAN, 0), MASK), rel=1e-12
    )


def test_gaps_are_kept_by_split_and_take():
    data = sa.Labelled(sa.Observed(GAPS), MASK.astype(float))
    for part in (*split(data, seed=2), take(data, [4, 1])):
        x, mask = part.values(), part.source.mask
        rows = [int(np.flatnonzero((np.where(MASK, CLEAN, 0) == row).all(axis=1))[0]) for row in x]
        np.testing.assert_array_equal(mask, MASK[rows])
        np.testing.assert_array_equal(part.given(), MASK[rows])


@pytest.mark.parametrize("score", SCORES)
def test_a_detector_scores_what_is_scored(score, monkeypatch):
    """Against the clean rows, and by what was observed of each."""
    monkeypatch.setattr("scratchae.detection.rows.ROWS", 5)
    model, mask = autoencoder(sa.GaussianLikelihood(0.5)), MASK | (np.arange(6) == 1)
    blank = np.where(mask, CLEAN, 0)
    for data, x, target in (
        (sa.Pairs(NOISY, CLEAN), NOISY, CLEAN),
        (sa.Observed(CLEAN, mask), blank, CLEAN),
        (sa.Pairs(NOISY, sa.Observed(CLEAN, mask)), NOISY, CLEAN),
    ):
        s = mask if data.scored()[1] is not None else np.ones_like(mask)
        r, n = s * (model.reconstruct(x) - target), s.sum(axis=1)
        due = {
            "squared_error": (r * r).sum(axis=1) / n,
            "absolute_error": np.abs(r).sum(axis=1) / n,
            "negative_log_likelihood": (r * r).sum(axis=1) / (2 * 0.25)
            + n * (np.log(0.5) + np.log(2 * np.pi) / 2),
        }[score.__name__]
        np.testing.assert_allclose(score(model, data), due, rtol=1e-10)
        np.testing.assert_allclose(Detector(model, score).fit(data).scores(data), due, rtol=1e-10)


def test_a_row_of_which_nothing_was_observed_has_no_score():
    mask = MASK | (np.arange(6) == 1)
    mask[4] = False
    with pytest.warns(UserWarning, match="1 of 12 examples have no score, the first at index 4"):
        Detector(autoencoder(), SCORES[0]).scores(sa.Observed(CLEAN, mask))


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_gaps_go_with_their_rows_through_shards(shards):
    model = autoencoder()
    for data in (sa.Observed(GAPS), sa.Pairs(NOISY, sa.Observed(GAPS))):
        found = sa.evaluate(model, data, shards=shards)["loss"]
        assert found == pytest.approx(sa.evaluate(model, data, shards=1)["loss"], rel=1e-12)


class Own(sa.Likelihood):
    def bind(self, backend, rows, shape, samples=1):
        self.da = backend.empty((rows, *shape))

    def forward(self, a, x):
        self.rows = len(a)
        self.da[: len(a)] = 2 * (a - x)
        return ((a - x) ** 2).sum(axis=1)


class Other(sa.SquaredError):
    kernel = sa.Bernoulli.kernel


class Words(sa.SquaredError):
    def left_out(self, shape):
        return "zero"


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda: sa.Pairs(NOISY, CLEAN[:5]),
            ValueError,
            r"but the noisy ones \(12, 6\)",
        ),
        (lambda: sa.Pairs(NOISY, CLEAN[:, :5]), ValueError, "give one for each"),
        (lambda: sa.Observed(CLEAN, MASK[:5]), ValueError, r"shape \(5, 6\), but True or False"),
        (lambda: sa.Observed(CLEAN, CLEAN), ValueError, "the mask is float64"),
        (lambda: sa.Observed(sa.Values(CLEAN)), ValueError, "without a mask"),
        (lambda: sa.Observed(GAPS, np.ones_like(MASK)), ValueError, "nan at index"),
        (lambda: sa.evaluate(autoencoder(), GAPS), ValueError, "nan at index"),
        (lambda: sa.evaluate(autoencoder(Own()), sa.Pairs(NOISY, CLEAN)), TypeError, "can_aim"),
        (lambda: sa.evaluate(autoencoder(Own()), sa.Observed(GAPS)), TypeError, "left_out"),
        (lambda: sa.evaluate(autoencoder(Other()), sa.Observed(GAPS)), TypeError, "left_out"),
        (
            lambda: sa.evaluate(autoencoder(Words()), sa.Observed(GAPS)),
            *(TypeError, r"Words.left_out\(shape\) gives 'zero', but two numbers, a0 and f0, or"),
        ),
        (
            lambda: sa.evaluate(autoencoder(sa.Bernoulli()), sa.Pairs(CLEAN, NOISY)),
            *(ValueError, "Bernoulli"),
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(call, error, words):
    with pytest.raises(error, match=words) as raised:
        call()
    assert "\n" not in str(raised.value)


class Around(sa.datasets.sources.Values):
    """A source of the reader's own, whose feed hands a target or a mask, as docs says."""

    def __init__(self, x, **beside):
        super().__init__(x)
        self.beside = beside

    def feed(self, backend, rows):
        feed = super().feed(backend, rows)
        for name, values in self.beside.items():
            setattr(feed, name, backend.asarray(values))
        return feed


def test_what_a_likelihood_cannot_score_is_refused_of_any_source():
    """Not scored as x, without a word."""
    target, seen = Around(NOISY, target=CLEAN), Around(CLEAN, seen=MASK * 1.0)
    how = {"batch_size": len(CLEAN), "shards": 1}
    with pytest.raises(TypeError, match="Own has a forward of its own, which does not score"):
        sa.evaluate(autoencoder(Own()), target, **how)
    with pytest.raises(TypeError, match="Other does not say how it scores data with gaps"):
        sa.evaluate(autoencoder(Other()), seen, **how)
    for data in (target, seen):
        assert np.isfinite(sa.evaluate(autoencoder(), data, **how)["loss"])


def test_noisy_rows_need_not_be_what_the_likelihood_takes():
    found = sa.evaluate(autoencoder(sa.Bernoulli()), sa.Pairs(NOISY, CLEAN))
    assert np.isfinite(found["loss"])
