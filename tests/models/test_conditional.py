"""Models that are given a label: equal to those with biases of the class, in every way that rows
take, and in one sentence where something is missing."""

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.detection import Detector
from scratchae.detection.detector import SCORES
from scratchae.execution.runner import runner_for

N, C = 21, 3
RNG = np.random.default_rng(0)
X = RNG.random((N, 6))
LABELS = RNG.integers(0, C, N)
DATA = sa.Labelled(sa.Values(X, LABELS), C)


def parts(prior=True, hidden=5, code=2):
    encoder = sa.Sequential(sa.Given(C), sa.Dense(6 + C, hidden, "tanh"), sa.Dense(hidden, 4))
    decoder = sa.Sequential(sa.Given(C), sa.Dense(code + C, hidden, "tanh"), sa.Dense(hidden, 6))
    return encoder, decoder, sa.GivenPrior(2, C, sa.Dense(C, 4)) if prior else sa.Gaussian(2)


def objective(kind):
    if kind == "autoencoder":
        encoder, decoder, _ = parts(code=4)
        return sa.Reconstruction(encoder, decoder, sa.SquaredError())
    if kind == "VAE":
        return sa.ELBO(*parts(), sa.Bernoulli(), beta=0.7, samples=3)
    return getattr(sa, kind)(*parts(kind != "DReG"), sa.Bernoulli(), samples=3)


def built(kind, backend="numpy", dtype="float64"):
    return sa.Model(objective(kind)).build(6, backend=backend, dtype=dtype, seed=1)


KINDS = "autoencoder", "VAE", "IWAE", "STL", "DReG"


@pytest.mark.parametrize("label", range(C))
@pytest.mark.parametrize("samples", [1, 3])
def test_it_is_the_vae_whose_first_biases_are_those_of_the_class(label, samples, tolerance):
    """b + W_y[label] in the place of Given: the same loss, and the same gradients."""
    ours = sa.VAE(*parts(prior=False), samples=samples).build(6, dtype="float64", seed=1)
    plain = sa.VAE(
        sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 4)),
        sa.Sequential(sa.Dense(2, 5, "tanh"), sa.Dense(5, 6)),
        *(sa.Gaussian(2),),
        samples=samples,
    ).build(6, dtype="float64")
    for part, inputs in (("encoder", 6), ("decoder", 2)):
        W = ours.weights[f"{part}.1.W"]
        plain.weights[f"{part}.0.W"] = W[:inputs]
        plain.weights[f"{part}.0.b"] = ours.weights[f"{part}.1.b"] + W[inputs + label]
        for name in "Wb":
            plain.weights[f"{part}.1.{name}"] = ours.weights[f"{part}.2.{name}"]
    given = sa.Labelled(sa.Values(X, np.full(N, label)), C)
    mine, theirs = sa.evaluate(ours, given), sa.evaluate(plain, X)
    assert mine == pytest.approx(theirs, rel=tolerance("loss"))
    found = [gradients(model, data) for model, data in ((ours, given), (plain, X))]
    for part, inputs in (("encoder", 6), ("decoder", 2)):
        pairs = {
            f"{part}.0.W": found[0][f"{part}.1.W"][:inputs],
            f"{part}.0.b": found[0][f"{part}.1.W"][inputs + label],
            f"{part}.1.W": found[0][f"{part}.2.W"],
        }
        for name, ours_ in pairs.items():
            np.testing.assert_allclose(ours_, found[1][name], atol=1e-12)
    np.testing.assert_allclose(
        ours.sample(4, given=label), plain.sample(4), atol=tolerance("layer")
    )
    np.testing.assert_allclose(
        ours.reconstruct(X, given=label), plain.reconstruct(X), atol=tolerance("layer")
    )


def gradients(model, data, shards=1):
    """Of one batch of all rows, by name, added over the shards."""
    with runner_for(model, N, shards, 1) as runner:
        source = data if hasattr(data, "feed") else sa.Values(data)
        runner.gradients(runner.feeds(source), np.arange(N, dtype=np.uint32)[::-1].copy())
        total = model.backend.to_host(runner.grads[: runner.active]).sum(axis=0)
    return {
        name: model.backend.to_host(view)
        for name, view in model.parameters.views(model.backend.asarray(total)).items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_row_is_given_goes_with_it_through_shards(kind, monkeypatch):
    monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(4000))  # rows in blocks
    model = built(kind)
    first = gradients(model, DATA)
    for shards in (2, 3, 7):
        for name, gradient in gradients(model, DATA, shards).items():
            np.testing.assert_allclose(gradient, first[name], rtol=0, atol=1e-12)
        terms = sa.evaluate(model, DATA, shards=shards)
        assert terms == pytest.approx(sa.evaluate(model, DATA, shards=1), rel=1e-12)


@pytest.mark.parametrize("kind", ["autoencoder", "VAE", "IWAE"])
def test_every_backend_trains_to_the_same(kind, backend, tolerance):
    """Over epochs of whole and of smaller batches, with a validation set: on a GPU, as graphs."""
    found = []
    for each in (backend, "numpy"):
        model = built(kind, each)
        history = sa.fit(
            model,
            *(DATA, sa.Adam(1e-2)),
            **{"epochs": 3, "batch_size": 8, "shards": 1, "validation": DATA, "progress": False},
        )
        found.append([history["train_loss"], history["test_loss"]])
    np.testing.assert_allclose(*found, rtol=tolerance("layer"))
    assert found[0][0][-1] < found[0][0][0]


@pytest.mark.parametrize("kind", ["VAE", "IWAE"])
def test_the_terms_of_each_example_are_those_with_its_label(kind):
    model = built(kind)
    each = sa.evaluate(model, DATA, each=True)
    assert np.mean(each["loss"]) == pytest.approx(sa.evaluate(model, DATA)["loss"], rel=1e-12)
    turned = sa.evaluate(model, sa.Labelled(sa.Values(X, (LABELS + 1) % C), C), each=True)
    assert not np.isclose(each["loss"], turned["loss"]).any()


def test_every_way_to_say_a_label_is_the_same():
    model = built("VAE")
    ways = LABELS, LABELS.tolist(), np.eye(C)[LABELS], LABELS.astype(np.int8)
    for way in ways:
        np.testing.assert_array_equal(model.encode(X, given=way)[0], model.encode(DATA)[0])
        np.testing.assert_array_equal(model.reconstruct(X, given=way), model.reconstruct(DATA))
    z = model.encode(DATA)[0]
    np.testing.assert_array_equal(model.decode(z, given=LABELS), model.reconstruct(DATA))
    one = model.decode(z, given=2)
    np.testing.assert_array_equal(one, model.decode(z, given=np.full(N, 2)))
    assert not np.allclose(one, model.decode(z, given=1))
    drawn = model.sample(5, seed=3, given=[0, 1, 2, 2, 1])
    np.testing.assert_array_equal(drawn[3], model.sample(5, seed=3, given=2)[3])
    np.testing.assert_array_equal(
        model.sample_x(z, given=1), model.sample_x(z, given=np.full(N, 1))
    )


def test_rows_in_chunks_keep_what_they_are_given(monkeypatch):
    whole = built("VAE").reconstruct(DATA)
    monkeypatch.setattr("scratchae.models.base.CHUNK", 4)
    np.testing.assert_allclose(built("VAE").reconstruct(DATA), whole, atol=1e-15)


@pytest.mark.parametrize("score", SCORES)
def test_a_detector_gives_each_example_its_own(score, monkeypatch):
    model = built("VAE")
    scores = Detector(model, score).fit(DATA).scores(DATA)
    monkeypatch.setattr("scratchae.detection.rows.ROWS", 4)
    np.testing.assert_allclose(score(model, DATA), scores, rtol=1e-12)
    turned = sa.Labelled(sa.Values(X, (LABELS + 1) % C), C)
    assert not np.isclose(score(model, turned), scores).any()


class Gaps:
    """A source of the reader's own, with NaN in a row, and what rows are given."""

    name, shape, conditions = "gaps", (6,), C

    def __init__(self):
        self.x = X.copy()
        self.x[4, 2] = np.nan

    def __len__(self):
        return N

    def feed(self, backend, rows):
        return DATA.feed(backend, rows)

    def check(self, likelihood):
        pass

    def values(self, rows=slice(None)):
        return self.x[rows]

    def given(self, rows=slice(None)):
        return DATA.given(rows)


def test_a_source_of_ones_own_may_give_something():
    model = built("VAE")
    assert sa.evaluate(model, Gaps()) == sa.evaluate(model, DATA)
    with pytest.warns(UserWarning, match="1 of 21 examples have no score, the first at index 4"):
        scores = Detector(model, SCORES[0]).scores(Gaps())
    good = np.arange(N) != 4
    np.testing.assert_array_equal(np.isnan(scores), ~good)
    np.testing.assert_allclose(scores[good], SCORES[0](model, DATA)[good])


class Holes(Gaps):
    conditions = 0

    def feed(self, backend, rows):
        return sa.Values(X).feed(backend, rows)


def test_a_source_of_ones_own_may_be_labelled():
    model, data = built("VAE"), sa.Labelled(Holes(), np.eye(C)[LABELS])
    assert sa.evaluate(model, data) == sa.evaluate(model, DATA)
    with pytest.warns(UserWarning, match="1 of 21 examples have no score, the first at index 4"):
        scores = Detector(model, SCORES[0]).scores(data)
    good = np.arange(N) != 4
    np.testing.assert_allclose(scores[good], SCORES[0](model, DATA)[good])


PLAIN = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2)).build(6, seed=1)
HALF = sa.VAE(sa.Dense(6, 4), parts()[1], sa.Gaussian(2)).build(6, dtype="float64", seed=1)
OURS = built("VAE")
Z = np.zeros((2, 2))


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: sa.fit(OURS, X, sa.Adam(), epochs=1), TypeError, r"data.*Labelled\(data, 3\)"),
        (lambda: sa.evaluate(OURS, X), TypeError, "is to be given 3 numbers beside x"),
        (
            lambda: sa.fit(OURS, DATA, sa.Adam(), epochs=1, validation=X),
            *(TypeError, "each row of validation"),
        ),
        (lambda: OURS.encode(X), TypeError, "given is missing.*the encoder of this Model"),
        (lambda: OURS.decode(Z), TypeError, "given is missing.*the decoder"),
        (lambda: OURS.sample(2), TypeError, "given is missing: .*say given=2 for a class"),
        (lambda: HALF.sample(2), TypeError, "the decoder of this VAE takes 3 numbers"),
        (lambda: OURS.reconstruct(X), TypeError, "given is missing"),
        (lambda: OURS.sample(2, given=3), ValueError, "a class 3 in given.*0 ... 2"),
        (lambda: OURS.sample(2, given=-1), ValueError, "a class -1 in given"),
        (lambda: OURS.sample(2, given=[0]), ValueError, r"is \(1,\).*whole numbers \(2,\)"),
        (lambda: OURS.sample(2, given=[0.5, 1]), ValueError, "whole numbers"),
        (lambda: OURS.sample(2, given=np.zeros((2, 4))), ValueError, r"numbers \(2, 3\)"),
        (lambda: OURS.decode(Z, given=np.full((2, 3), np.inf)), ValueError, "given is inf"),
        (lambda: OURS.decode(Z, given=True), ValueError, "a class for each row"),
        (lambda: PLAIN.sample(2, given=1), TypeError, "no layer of the latent and the decoder"),
        (lambda: HALF.encode(X, given=1), TypeError, "no layer of the encoder"),
        (lambda: sa.evaluate(PLAIN, DATA), TypeError, "no layer of this VAE takes any"),
        (
            lambda: sa.evaluate(OURS, sa.Labelled(X, np.zeros((N, 2)))),
            *(ValueError, "given 2 numbers beside x, but the model takes 3"),
        ),
        (
            lambda: sa.VAE(
                parts()[0], sa.Sequential(sa.Given(4), sa.Dense(6, 6)), sa.Gaussian(2)
            ).build(6),
            *(ValueError, "encoder.0 takes 3, decoder.0 takes 4: let them agree"),
        ),
    ],
)
def test_what_is_missing_or_too_much_is_one_sentence(call, error, words):
    with pytest.raises(error, match=words) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_an_encoder_that_is_given_nothing_needs_nothing():
    np.testing.assert_array_equal(HALF.encode(X)[0], HALF.encode(DATA)[0])
    assert HALF.reconstruct(X, given=1).shape == X.shape


def test_a_conditional_model_is_saved_and_goes_on(tmp_path):
    model, optimizer = built("VAE"), sa.Adam(1e-2)
    sa.fit(model, DATA, optimizer, epochs=1, progress=False)
    sa.save(model, tmp_path / "model", optimizer=optimizer)
    again = sa.load(tmp_path / "model")
    for one, its in ((model, optimizer), (again, again.optimizer)):
        sa.fit(one, DATA, its, epochs=1, progress=False)
    assert sa.evaluate(model, DATA) == sa.evaluate(again, DATA)
    assert "Given(3)" in str(again)
