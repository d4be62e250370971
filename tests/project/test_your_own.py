"""The pages docs/your_own_*.md: their code runs from top to bottom, prints what they say, and what
they define keeps the promises of the library: any shards, any blocks, both spellings, a file."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.execution import threads
from scratchae.gradcheck import check_latent, check_layer, check_likelihood

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.stem for page in DOCS.glob("your_own_*.md"))
BLOCK = re.compile(r"```(python|text)\n(.*?)```", flags=re.DOTALL)
X = np.random.default_rng(0).random((90, 6)).astype("float32")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """page("your_own_layer") -> what its code has defined; it runs once, and what it prints is
    compared."""
    known = {}

    def run(name):
        if name not in known:
            known[name] = names = {"__name__": name}
            folder, printed = tmp_path_factory.mktemp(name), ""
            text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
            with contextlib.chdir(folder):
                for kind, code in BLOCK.findall(text):
                    if kind == "text":
                        assert printed == code
                        continue
                    with contextlib.redirect_stdout(io.StringIO()) as out:
                        exec(compile(code, name, "exec"), names)
                    printed = out.getvalue()
        return known[name]

    return run


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_and_prints_what_it_says(page, name):
    names = page(name)
    if name == "your_own_loop":  # which asserts what it says
        return
    history = names["history"]["train_loss"]
    assert np.isfinite(history).all() and history[-1] < history[0]


@pytest.mark.parametrize("name", sorted({*PAGES} - {"your_own_data", "your_own_loop"}))
def test_what_a_page_saves_is_what_it_loads(page, name):
    names = page(name)
    model, again = names["model"], names["again"]
    if name == "your_own_optimiser":
        sa.fit(model, names["x"], names["optimizer"], epochs=5, progress=False)
    if name != "your_own_objective":  # whose last model is another
        np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
    assert again.encode(names["x"]) is not None


def layer(page):
    norm = page("your_own_layer")["LayerNorm"]
    encoder = sa.Sequential(sa.Dense(6, 4, "tanh"), norm(), sa.Dense(4, 3))
    return sa.Autoencoder(encoder, sa.Sequential(sa.Dense(3, 6), norm())), sa.Adam(1e-2)


def likelihood(page):
    kind = page("your_own_likelihood")["Exponential"]
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), kind()), sa.Adam(1e-2)


def latent(page):
    kind = page("your_own_latent")["OneSpread"]
    return sa.VAE(sa.Dense(6, 2), sa.Dense(2, 6), kind(2, 0.3)), sa.Adam(1e-2)


def objective(page):
    kind = page("your_own_objective")["NearOrigin"]
    parts = sa.Dense(6, 2, "tanh"), sa.Dense(2, 6), sa.SquaredError()
    return sa.Model(kind(*parts, weight=0.5)), sa.Adam(1e-2)


def over_the_batch(page):
    kind = page("your_own_objective")["Centred"]
    parts = sa.Dense(6, 2, "tanh"), sa.Dense(2, 6), sa.SquaredError()
    return sa.Model(kind(*parts, weight=3.0)), sa.Adam(1e-2)


def penalty(page):
    kind = page("your_own_objective")["L2"]
    return sa.Autoencoder(sa.Dense(6, 2), sa.Dense(2, 6), penalty=kind(0.5)), sa.Adam(1e-2)


def optimiser(page):
    kind = page("your_own_optimiser")["Momentum"]
    return sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)), kind(sa.schedules.Linear(1e-2, 1e-3, 9))


EVERY = [layer, likelihood, latent, objective, over_the_batch, penalty, optimiser]
KINDS = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)


def trained(made, data=X, backend="numpy", dtype="float64", **how):
    model, optimizer = made
    shape = X.shape[1:] if isinstance(data, np.ndarray) else data.shape
    model.build(shape, backend=backend, dtype=dtype, seed=0)
    settings = {"epochs": 3, "batch_size": 30, "progress": False} | how
    history = sa.fit(model, data, optimizer, **settings)
    return np.array(model.parameters.values), history["train_loss"]


@KINDS
def test_shards_change_rounding_only(page, kind, tolerance):
    (values, losses), *others = (trained(kind(page), shards=n) for n in (1, 2, 3))
    for other, told in others:
        np.testing.assert_allclose(other, values, rtol=0, atol=tolerance("layer"))
        np.testing.assert_allclose(told, losses, rtol=tolerance("loss"))


@KINDS
def test_threads_change_nothing(page, kind):
    (values, _), (other, _) = (trained(kind(page), shards=3, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(other, values)


@KINDS
def test_blocks_change_rounding_only(page, kind, monkeypatch, tolerance):
    values, _ = trained(kind(page), shards=2)
    monkeypatch.setattr(
        threads, "blocks_of", held(1)
    )  # a row at a time, where the loss is additive
    other, _ = trained(kind(page), shards=2)
    np.testing.assert_allclose(other, values, rtol=0, atol=tolerance("layer"))


@KINDS
def test_both_spellings_agree(page, kind, tolerance):
    (values, _), (other, _) = (trained(kind(page), backend=b) for b in ("numpy", "reference"))
    np.testing.assert_allclose(other, values, rtol=0, atol=tolerance("layer"))
    narrow, _ = trained(kind(page), dtype="float32")
    assert narrow.dtype == np.float32


@KINDS
def test_a_run_that_is_saved_goes_on_bit_for_bit(page, kind, tmp_path):
    found = [v for name in PAGES for v in page(name).values() if isinstance(v, type)]
    mine = {kind.__name__: kind for kind in found if kind.__module__ in PAGES}
    model, optimizer = kind(page)
    trained((model, optimizer))
    sa.save(model, tmp_path / "run", optimizer=optimizer)
    again = sa.load(tmp_path / "run", classes=mine.values())
    assert type(again) is type(model) and type(again.optimizer) is type(optimizer)
    for one, its in ((model, optimizer), (again, again.optimizer)):
        sa.fit(one, X, its, epochs=2, batch_size=30, progress=False)
    np.testing.assert_array_equal(again.parameters.values, model.parameters.values)
    assert sa.evaluate(again, X) == sa.evaluate(model, X)


def test_data_of_a_page(page, tolerance):
    discs = page("your_own_data")["Discs"]
    assert isinstance(discs(5), sa.Source) and not isinstance(X, sa.Source)

    def made():
        encoder = sa.Sequential(sa.Flatten(), sa.Dense(16, 3))
        decoder = sa.Sequential(sa.Dense(3, 16), sa.Reshape(4, 4, 1))
        return sa.Autoencoder(encoder, decoder), sa.Adam(1e-2)

    runs = [trained(made(), discs(90, 4), shards=n, threads=n) for n in (1, 2, 3)]
    for values, _ in runs[1:]:
        np.testing.assert_allclose(values, runs[0][0], rtol=0, atol=tolerance("layer"))
    model = made()[0].build((4, 4, 1), seed=0)
    assert sa.evaluate(model, discs(9, 4), seed=1) == sa.evaluate(model, discs(9, 4), seed=1)
    assert sa.evaluate(model, discs(9, 4), seed=1) != sa.evaluate(model, discs(9, 4), seed=2)


def test_closed_forms_of_the_pages(page, tolerance):
    """What a page's class is to be, against what the library has."""
    norm, spread = page("your_own_layer")["LayerNorm"], page("your_own_latent")["OneSpread"]
    assert check_layer(norm(), (5,), backend="reference").ok
    assert check_latent(spread(3), shape=(3,), backend="reference").ok
    assert check_likelihood(page("your_own_likelihood")["Exponential"](), (2, 3)).ok
    h = np.random.default_rng(0).normal(size=(4, 2))
    theirs = sa.by_hand(sa.Gaussian(2), 4)
    mine = sa.by_hand(spread(2, 0.3), 2)
    z = theirs(np.hstack([h, np.full((4, 2), 2 * np.log(0.3))]))
    np.testing.assert_allclose(mine(h), z, rtol=tolerance("kernel"))
    np.testing.assert_allclose(mine.kl, theirs.kl, rtol=tolerance("kernel"))
    (mine, _), (theirs, _) = (
        trained((sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)), optimizer))
        for optimizer in (page("your_own_optimiser")["Momentum"](1e-2, 0.5), sa.SGD(1e-2, 0.5))
    )
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance("layer"))


def test_the_penalty_is_the_objective(page, tolerance):
    names = page("your_own_objective")
    mine, _ = trained(objective(page))
    parts = sa.Dense(6, 2, "tanh"), sa.Dense(2, 6), sa.SquaredError()
    theirs, _ = trained((sa.Autoencoder(*parts, penalty=names["L2"](0.5)), sa.Adam(1e-2)))
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance("layer"))


def test_the_mean_of_a_batch_is_pulled_in(page):
    """A heavy weight centres the codes, and leaves them apart."""
    parts = sa.Dense(6, 2, "tanh"), sa.Dense(2, 6), sa.SquaredError()
    codes = {}
    for weight in (0.0, 300.0):
        model = sa.Model(page("your_own_objective")["Centred"](*parts, weight)).build(6, seed=0)
        sa.fit(model, X, sa.Adam(1e-2), epochs=40, batch_size=30, progress=False)
        codes[weight] = model.encode(X)
    means = {weight: np.abs(h.mean(axis=0)).max() for weight, h in codes.items()}
    assert means[300.0] < 0.02 < means[0.0] and codes[300.0].std(axis=0).min() > 0.1


@pytest.mark.parametrize("kind", [sa.ELBO, sa.FreeBits, sa.Capacity])
def test_what_the_page_of_objectives_says_of_weights(kind, monkeypatch):
    """total in float64, count first, over all shards where it is read; one weight a column of kl,
    in float32."""
    text = (DOCS / "your_own_objective.md").read_text(encoding="utf-8")
    assert "The answer is (J,), J = `latent.terms`" in text
    parts = sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli()
    more = {sa.FreeBits: {"floor": 0.1}, sa.Capacity: {"capacity": 1.0}}.get(kind, {})
    objective = kind(*parts, **more)
    model, found, weights = sa.Model(objective).build(6, seed=0), [], kind.weights

    def noting(self, total):
        w = weights(self, total)
        found.append((total.dtype.name, total[0], w.shape, w.dtype.name, self.latent.kl.shape[1]))
        assert len(total) == 3 or kind is not sa.ELBO
        return w

    monkeypatch.setattr(kind, "weights", noting)
    sa.fit(model, np.ones((8, 6)), sa.Adam(1e-3), epochs=1, batch_size=8, shards=2, progress=False)
    rows = 4 if objective.additive else 8
    assert objective.additive == (kind is sa.ELBO)
    assert set(found) == {("float64", rows, (2,), "float32", 2)}
