"""The health report: each rule on a model that has exactly that illness, and on healthy ones that
have none."""

import dataclasses
import math

import numpy as np
import pytest
from evaluation import illnesses
from proofs.linear_gaussian import exact, gap
from sentences import one_sentence

import scratchae as sa
from scratchae import evaluation
from scratchae.evaluation.page import WIDTH

RULES = ["collapse", "units", "decoder", "aggregate", "encoder", "likelihood", "constant"]


def looked(model, x, **how):
    return evaluation.health(model, x, **{"samples": 50, "threads": 1, "progress": False} | how)


def pixels(rng, n=300, grey=False):
    """A Bernoulli model of 6 pixels that reads one unit, its encoder near enough to the posterior,
    and data that it draws, or the probabilities of it."""
    model = sa.VAE(sa.Dense(6, 2), sa.Dense(1, 6), sa.Gaussian(1))
    model.build(6, dtype="float64")
    model.weights["decoder.W"], model.weights["decoder.b"] = np.full((1, 6), 2.0), np.zeros(6)
    model.weights["encoder.W"] = np.column_stack([np.full(6, 0.5), np.zeros(6)])
    model.weights["encoder.b"] = np.array([-1.5, -1.5])
    p = 1 / (1 + np.exp(-2 * rng.normal(size=(n, 1)) * np.ones(6)))
    return model, p if grey else (rng.uniform(size=p.shape) < p) * 1.0


@pytest.mark.parametrize("D, I, sigma", [(4, 12, 0.4), (1, 3, 0.5), (10, 30, 0.1)])
def test_a_healthy_model_raises_no_rule(rng, D, I, sigma):
    r = looked(*illnesses.healthy(rng, D, I, sigma))
    assert [f.name for f in r.findings] == RULES
    assert [f.ill for f in r.findings] == [False] * len(RULES) and r.ills == []
    assert not any(f.advice for f in r.findings)
    assert "nothing is wrong" in str(r)


@pytest.mark.parametrize(
    "illness, ills",
    [
        # what a model that learns nothing costs is at best what the constant does
        ("collapsed", ["collapse", "constant"]),
        ("nearly_collapsed", ["collapse"]),
        ("dead", ["units"]),
        ("deaf", ["decoder", "constant"]),
        ("shifted", ["aggregate"]),
        ("far", ["aggregate"]),
        ("worse_than_a_constant", ["aggregate", "constant"]),
        ("narrow", ["encoder"]),
        ("too_wide", ["likelihood"]),
        ("too_sure", ["likelihood"]),
    ],
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_each_illness_is_found_and_no_other(illness, ills, seed):
    r = looked(*getattr(illnesses, illness)(np.random.default_rng(seed)))
    assert r.ills == ills
    assert all(bool(f.advice) == bool(f.ill) for f in r.findings)


def test_grey_pixels_under_a_bernoulli_are_said(rng):
    black = looked(*pixels(rng))
    assert black.ills == [] and black.between == 0
    grey = looked(*pixels(rng, grey=True))
    assert "likelihood" in grey.ills and grey.between == 1
    assert "bound on nothing" in str(grey).replace("\n" + " " * 18, " ")


def test_the_numbers_are_the_exact_ones(rng):
    """Exact posterior: every sample counts, -ELBO is -log p(x) up to what one z draws."""
    model, x = illnesses.healthy(rng)
    r = looked(model, x)
    log_p = exact(model, x)[0]
    assert r.ess == pytest.approx(50) and gap(model, x).max() < 1e-9
    assert all(abs(log_p - value).min() < 1e-9 for value in r.log_p.each)
    assert abs(r.above) < 0.7 and r.log_p.mean < -1  # 5 standard errors of one z an example
    mu, logvar = model.encode(x)
    kl = (mu**2 + np.exp(logvar) - 1 - logvar).mean(axis=0) / 2
    assert r.kl_per_dimension == pytest.approx(kl) and r.kl == pytest.approx(kl.sum())
    assert r.variance == pytest.approx(mu.var(axis=0)) and r.active.all()
    terms = evaluation.evaluate(model, x)
    assert r.reconstruction == pytest.approx(terms["reconstruction"])
    constant = (np.log(2 * math.pi * 0.16) + x.var(axis=0) / 0.16).sum() / 2
    assert r.constant == pytest.approx(constant)
    assert r.gain == pytest.approx(constant - terms["loss"])
    assert r.claimed == pytest.approx(0.4, rel=0.05) and r.off == pytest.approx(0.4, rel=0.1)


def test_an_active_unit_varies_by_more_than_a_hundredth(rng):
    """The variance of its mean over the data, Burda et al. 2016, and not the deviation."""
    model, x = illnesses.healthy(rng)
    for variance, active in ((0.0101, True), (0.0099, False)):
        mu = model.encode(x)[0][:, 0]
        W, b = np.array(model.weights["encoder.W"]), np.array(model.weights["encoder.b"])
        factor = math.sqrt(variance) / mu.std()
        W[:, 0], b[0] = factor * W[:, 0], factor * b[0]
        model.weights["encoder.W"], model.weights["encoder.b"] = W, b
        r = looked(model, x)
        assert r.variance[0] == pytest.approx(variance) and r.active[0] == active
    assert "3 of 4 units are active" in str(r) and "dead, counted from 0: 0" in str(r)


@pytest.mark.parametrize(
    ("active", "words"),
    [
        ([0, 0], "none of 2 units is active, no mean differs between examples; dead,"),
        ([1, 0], "1 of 2 units is active, its mean differs between examples; dead,"),
        ([1, 1], "2 of 2 units are active, their means differ between examples."),
        ([1], "1 of 1 unit is active, its mean differs between examples."),
    ],
)
def test_the_units_are_counted_in_words(rng, active, words):
    r = dataclasses.replace(reported(rng), active=np.array(active, bool))
    assert words in f"{r.findings[1].sentence}."


@pytest.mark.parametrize(
    ("above", "words"),
    [(-0.001, "0.00 nats above"), (-0.31, "0.31 nats below"), (12.34, "12.3 nats above")],
)
def test_no_number_is_minus_nothing(rng, above, words):
    r = dataclasses.replace(reported(rng), above=above, told=-0.001)
    assert f"log p(x) is {words} the ELBO" in r.findings[4].sentence
    assert "costs 0.00 nats more" in r.findings[2].sentence


def reported(rng):
    return looked(*illnesses.healthy(rng), samples=20)


def test_the_aggregate_is_told_by_either_bound():
    shifted, far = (
        looked(*made(np.random.default_rng(0))) for made in (illnesses.shifted, illnesses.far)
    )
    assert not shifted.too_few and shifted.mutual_information < math.log(400) - 1  # MI says it
    assert far.too_few and far.mutual_information > math.log(400) - 1  # the moments do
    assert far.aggregate_least > far.kl / 2


def test_the_aggregate_of_shifted_data_is_normal_in_closed_form():
    """x = z W + b + sigma e, z ~ N(1.5, 1/4), under the posterior for z ~ N(0, 1), whose mean is
    kept = |W_d|^2 / (|W_d|^2 + sigma^2) of what is seen, and its variance 1 - kept."""
    model, x = illnesses.shifted(np.random.default_rng(0))
    r, W = looked(model, x), model.weights["decoder.W"]
    w2, v = (W * W).sum(axis=1), model.likelihood.sigma**2
    kept = w2 / (w2 + v)
    m, S = 1.5 * kept, kept**2 * (0.25 + v / w2) + 1 - kept
    distance = (S + m * m - 1 - np.log(S)).sum() / 2
    information = np.log(S / (1 - kept)).sum() / 2
    assert r.aggregate_least == pytest.approx(distance, rel=0.1)
    assert r.mutual_information == pytest.approx(information, rel=0.1)
    assert r.aggregate_kl == pytest.approx(distance, rel=0.1)


def test_few_codes_raise_no_alarm(rng):
    """MI cannot be above log N: a KL of 40 nats beside it is no distance from the prior."""
    model, x = illnesses.healthy(rng, D=10, I=30, sigma=0.05)
    r = looked(model, x)
    assert r.kl > 4 * r.most_information and r.mutual_information <= math.log(400)
    assert r.aggregate_kl > r.kl / 2 and r.aggregate_least < 2 and r.ills == []
    assert "can show no more than" in str(r)


def test_the_same_seed_is_the_same_page(rng):
    model, x = illnesses.healthy(rng)
    page = str(looked(model, x))
    assert page == str(looked(model, x)) == str(looked(model, x, threads=2))
    assert page != str(looked(model, x, seed=1))
    assert all(len(line) <= WIDTH for line in page.splitlines())


def test_a_part_of_the_data_is_drawn(rng):
    model, x = illnesses.healthy(rng)
    r = looked(model, x, codes=150)
    assert r.N == 150 and r.most_information == pytest.approx(math.log(150))
    assert len(looked(model, x, codes=10).log_p.each) == 10


def test_any_objective_and_source_will_do(rng):
    vae, x = illnesses.healthy(rng)
    iwae = sa.Model(
        sa.IWAE(sa.Dense(12, 8), sa.Dense(4, 12), sa.Gaussian(4), sa.GaussianLikelihood(0.4), 5)
    ).build(12, dtype="float64")
    for name in vae.weights:
        iwae.weights[name] = vae.weights[name]
    assert str(looked(iwae, sa.Values(x, name="these"))) == str(looked(vae, x)).replace(
        "examples of values", "examples of these"
    )
    images = sa.Images(rng.integers(0, 256, (60, 6), np.uint8), binarize="dynamic")
    assert looked(pixels(rng)[0], images).between == 0


def test_every_backend_says_the_same(rng, backend, tolerance):
    model, x = illnesses.healthy(rng)
    parts = sa.Dense(12, 8), sa.Dense(4, 12), sa.Gaussian(4), sa.GaussianLikelihood(0.4)
    other = sa.VAE(*parts).build(12, dtype="float64", backend=backend)
    for name in model.weights:
        other.weights[name] = model.weights[name]
    r, same = (looked(m, x[:60]) for m in (model, other))
    assert str(r) == str(same)
    assert same.mutual_information == pytest.approx(
        r.mutual_information, rel=tolerance("layer", "float64")
    )


class Plain(sa.Gaussian):
    """Says nothing of q on the host, and has no ratio."""

    posterior, mean, ratio = sa.Latent.posterior, sa.Latent.mean, sa.Latent.ratio


def test_what_a_latent_does_not_tell_is_said(rng):
    vae, x = illnesses.healthy(rng)
    model = sa.VAE(sa.Dense(12, 8), sa.Dense(4, 12), Plain(4), sa.GaussianLikelihood(0.4))
    model.build(12, dtype="float64")
    for name in vae.weights:
        model.weights[name] = vae.weights[name]
    r = looked(model, x)
    unknown = {f.name: f.sentence for f in r.findings if f.ill is None}
    assert unknown.keys() == {"units", "aggregate", "encoder"} and r.ills == []
    assert "Plain does not say mean(h)" in unknown["units"]
    assert "no Gaussian against N(0, I)" in unknown["aggregate"]
    assert r.kl == pytest.approx(looked(vae, x).kl) and r.active is None


def test_two_layers_have_units_and_no_closed_form(rng):
    """A term of the KL is a layer's, and of 2 units there are as many."""
    latent = sa.Hierarchy(sa.Dense(2, 4), sa.Dense(2, 4))
    objective = sa.ELBO(sa.Dense(6, 4), sa.Dense(2, 6), latent, sa.Bernoulli())
    model = sa.Model(objective).build(6, dtype="float64")
    r = looked(model, pixels(rng)[1])
    assert [f.name for f in r.findings if f.ill is None] == ["aggregate"]
    assert len(r.active) == len(r.kl_per_dimension) == 2 and np.isfinite(r.ess)


def test_a_likelihood_with_a_sigma_of_its_own(rng):
    """The constant is priced under the sigma that is best for it, and the model keeps its own."""
    vae, x = illnesses.healthy(rng)
    model = sa.VAE(sa.Dense(12, 8), sa.Dense(4, 12), sa.Gaussian(4), sa.SharedGaussian())
    model.build(12, dtype="float64")
    for name in vae.weights:
        model.weights[name] = vae.weights[name]
    (own,) = set(model.weights) - set(vae.weights)
    model.weights[own] = np.full(model.weights[own].shape, 2 * math.log(0.4))
    r, same = looked(model, x), looked(vae, x)
    constant = 6 * (math.log(2 * math.pi * x.var(axis=0).mean()) + 1)
    assert r.ills == [] and r.constant == pytest.approx(constant, abs=1e-2)
    assert constant < same.constant - 5
    assert model.likelihood.sigma() == pytest.approx(0.4, rel=1e-4)
    assert r.claimed == pytest.approx(same.claimed, rel=1e-4)
    batch = sa.VAE(sa.Dense(12, 8), sa.Dense(4, 12), sa.Gaussian(4), sa.OptimalGaussian())
    batch.build(12)
    one_sentence(lambda: looked(batch, x), TypeError, "in its place, sigma = likelihood.sigma")


def test_an_error_is_no_distribution(rng):
    vae, x = illnesses.healthy(rng)
    model = sa.VAE(sa.Dense(12, 8), sa.Dense(4, 12), sa.Gaussian(4), sa.SquaredError())
    model.build(12, dtype="float64")
    for name in vae.weights:
        model.weights[name] = vae.weights[name]
    r = looked(model, x)
    unknown = {f.name: f.sentence for f in r.findings if f.ill is None}
    assert unknown.keys() == {"encoder", "likelihood"} and r.log_p is None
    assert all("SquaredError is an error" in sentence for sentence in unknown.values())


def test_what_cannot_be_looked_at_is_a_sentence(rng):
    model, x = illnesses.healthy(rng)
    plain = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3)
    one_sentence(lambda: looked(plain, np.eye(3)), TypeError, "Autoencoder without a latent")
    one_sentence(lambda: looked(model, x[:1]), ValueError, "1 example to look at")
    one_sentence(lambda: looked(model, x, codes=1), ValueError, "1 example to look at")
    one_sentence(lambda: looked(model, x, codes=0), ValueError, "codes is 0")
    one_sentence(lambda: looked(model, x[:0]), ValueError, "N at least 1")
    one_sentence(lambda: looked(model, x[:, :5]), ValueError, "12")
    one_sentence(lambda: looked(model, x, samples=9), ValueError, "at least 10")
    one_sentence(lambda: looked(model, x, seed=-1), ValueError, "seed")
    one_sentence(lambda: looked("model", x), TypeError, "VAE or an Autoencoder")
    model.weights["encoder.b"] = np.full(8, 2000.0)
    one_sentence(lambda: looked(model, x), ValueError, "400 of 400 examples cost inf or NaN")
    unbuilt = sa.VAE(sa.Dense(3, 2), sa.Dense(1, 3), sa.Gaussian(1))
    one_sentence(lambda: looked(unbuilt, np.eye(3)), RuntimeError, "build")


def test_what_is_scored_must_be_what_the_encoder_sees(rng):
    """The best constant would be priced against the rows of another batch."""
    model, x = pixels(rng)
    for data in (sa.Pairs(x, 1 - x), sa.Observed(x, x > 0)):
        with pytest.raises(TypeError, match="are Pairs or Observed, of which other numbers"):
            looked(model, data)


def told_by_the_label(width=1.0):
    """A model of Bernoulli pixels that are 0.9 of one class and 0.1 of the other, which it is
    given as a vector of that width, with a z that says nothing; and data of both."""
    encoder = sa.Sequential(sa.Given(2), sa.Dense(8, 2))
    model = sa.VAE(encoder, sa.Sequential(sa.Given(2), sa.Dense(3, 6)), sa.Gaussian(1))
    model.build(6, dtype="float64")
    for name in model.weights:
        model.weights[name] = np.zeros_like(model.weights[name])
    labels, rng = np.arange(400) % 2, np.random.default_rng(0)
    x = (rng.uniform(size=(400, 6)) < np.where(labels, 0.9, 0.1)[:, None]) * 1.0
    p = np.stack([x[labels == y].mean(axis=0) for y in (0, 1)])
    logits = np.log(p / (1 - p)) / width
    model.weights["decoder.1.W"] = np.concatenate([np.zeros((1, 6)), logits])
    return model, sa.Labelled(x, width * np.eye(2)[labels])


def test_what_a_label_tells_is_not_what_z_does():
    """The best constant of all is beaten by the label alone; that of each label is not."""
    r = looked(*told_by_the_label())
    assert r.ills == ["collapse", "constant"] and r.given
    assert r.constant == pytest.approx(r.reconstruction, rel=1e-4)
    assert "the best constant of each label" in " ".join(str(r).split())
    assert "same for every example that is given the same" in " ".join(str(r).split())


def test_other_numbers_than_labels_have_no_constant_of_their_own():
    r = looked(*told_by_the_label(2.0))
    assert math.isnan(r.constant) and r.findings[-1].ill is None
    assert "other numbers than a label" in r.findings[-1].sentence
    sa.plots.health(r, "health")


def test_the_page_tells_one_log_p_of_all_examples(rng):
    """That of the scored ones beside the ELBO of all would be of other data."""
    r = looked(*illnesses.healthy(rng, 1, 3, 0.5))
    value = r.above - r.reconstruction - r.kl
    assert f"log p(x) {value:.2f}, by what it is above the ELBO of 100 examples" in " ".join(
        str(r).split()
    )


@pytest.mark.parametrize("rate", [60, 100])
def test_counts_under_one_rate_are_no_better_than_a_constant(rng, rate):
    x = rng.poisson(rate, (200, 6)) * 1.0
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Poisson())
    model.build(6, dtype="float64")
    for name in model.weights:
        model.weights[name] = 0 * model.weights[name]
    model.weights["decoder.b"] = np.log(x.mean(axis=0))
    r = looked(model, x)
    assert r.constant == pytest.approx(r.reconstruction, abs=1e-2)
    assert r.ills[-1] == "constant"
