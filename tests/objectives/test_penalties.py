"""Penalties on a code: values by hand, gradients through a whole model, shards, the GPU, and what
they are for."""

import numpy as np
import pytest
from blocks import held

import scratchae as sa
from scratchae.execution.runner import runner_for
from scratchae.gradcheck import check_model

RNG = np.random.default_rng(0)
X = RNG.random((24, 6))
PENALTIES = {"L1": sa.L1(0.3), "StudentT": sa.StudentT(0.7), "KLRate": sa.KLRate(0.9, 0.2)}
PENALTIES["Contractive"] = sa.Contractive(0.6)
EACH = pytest.mark.parametrize("name", PENALTIES)


def model(name, backend="numpy", dtype="float64", penalty=None, units=8):
    """A sigmoid code wider than its input: what KLRate needs, and what copies without a
    penalty."""
    penalty = PENALTIES[name] if name else None
    encoder, decoder = sa.Dense(6, units, "sigmoid"), sa.Dense(units, 6)
    return sa.Autoencoder(encoder, decoder, penalty=penalty).build(
        6, backend=backend, dtype=dtype, seed=2
    )


def price(name, m):
    """The penalty of an example, from the code of X and the encoder's W."""
    h, W = m.encode(X), m.backend.to_host(m.parameters.view("encoder.W"))
    if name == "L1":
        return 0.3 * np.abs(h).sum(1).mean()
    if name == "StudentT":
        return 0.7 * np.log(1 + h**2).sum(1).mean()
    if name == "Contractive":
        jacobians = (h * (1 - h))[:, None] * W  # (N, I, O)
        return 0.6 * (jacobians**2).sum((1, 2)).mean()
    rate = h.mean(0)
    return 0.9 * (0.2 * np.log(0.2 / rate) + 0.8 * np.log(0.8 / (1 - rate))).sum()


@EACH
@pytest.mark.parametrize("shards", [1, 3])
def test_the_value_is_the_formula(name, backend, shards, tolerance):
    m = model(name, backend)
    terms = sa.evaluate(m, X, shards=shards)
    expected = price(name, m)
    assert terms["penalty"] == pytest.approx(expected, rel=tolerance("loss"))
    assert terms["loss"] == pytest.approx(
        terms["reconstruction"] + terms["penalty"], rel=tolerance("loss")
    )


@EACH
def test_the_gradient_is_that_of_the_loss(name, backend):
    assert check_model(model(name, backend), X, backend=backend).ok


@EACH
@pytest.mark.parametrize("shards, block", [(2, 10**9), (3, 10**9), (2, 1)])
def test_shards_and_blocks_change_nothing_but_roundings(
    name, backend, shards, block, tolerance, monkeypatch
):
    found = []
    for cut, size in ((1, 10**9), (shards, block)):
        monkeypatch.setattr("scratchae.execution.threads.blocks_of", held(size))
        m = model(name, backend)
        rows = np.arange(len(X), dtype=np.uint32)
        with runner_for(m, len(X), cut) as runner:
            total = runner.gradients(runner.feeds(sa.Values(X)), rows)
            grads = m.backend.to_host(runner.grads).sum(axis=0)
        found.append(np.concatenate([total, grads]))
    np.testing.assert_allclose(*found, rtol=tolerance("layer"), atol=tolerance("layer"))


@EACH
def test_backends_train_alike(name, backend, tolerance):
    found = []
    for each in (backend, "reference"):
        m = model(name, each)
        sa.fit(m, X, sa.Adam(1e-2), epochs=4, batch_size=10, shards=1)
        found.append(m.backend.to_host(m.parameters.values))
    np.testing.assert_allclose(*found, rtol=tolerance("layer"), atol=tolerance("layer"))


@pytest.mark.parametrize("name", ["KLRate", "Contractive"])
def test_a_graph_has_the_bits_of_its_launches(name, gpu):
    found = []
    for recorded in (True, False):
        m = model(name, sa.get_backend(gpu, graph=recorded), dtype=None)
        sa.fit(m, X, sa.Adam(1e-2), epochs=4, batch_size=10, shards=2)
        found.append(m.backend.to_host(m.parameters.values))
    np.testing.assert_array_equal(*found)


@pytest.mark.filterwarnings("ignore::scratchae.WideCode")
@EACH
def test_a_code_obeys(name, backend):
    """Trained, the penalty moves the code: towards zero, or towards its rate."""
    codes, prices = {}, {}
    for penalised in (name, None):
        m = model(penalised, backend)
        sa.fit(m, X, sa.Adam(2e-2), epochs=60, batch_size=24)
        codes[penalised] = m.encode(X)
        prices[penalised] = price(name, m)
    if name == "Contractive":
        assert prices[name] < 0.5 * prices[None]
    elif name == "KLRate":
        assert (
            np.abs(codes[name].mean(0) - 0.2).mean()
            < 0.5 * np.abs(codes[None].mean(0) - 0.2).mean()
        )
    else:
        assert np.abs(codes[name]).mean() < 0.9 * np.abs(codes[None]).mean()


@EACH
def test_saved_and_loaded(name, tmp_path):
    m = model(name)
    sa.fit(m, X, sa.Adam(), epochs=1)
    sa.save(m, tmp_path / "m")
    again = sa.load(tmp_path / "m")
    assert sa.evaluate(again, X) == sa.evaluate(m, X)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: sa.L1(-1), r"L1\(weight\) is -1"),
        (lambda: sa.KLRate(1.0, 0.0), r"KLRate\(rate\) is 0\.0"),
        (lambda: sa.KLRate(1.0, 1.0), r"KLRate\(rate\) is 1\.0"),
        (lambda: sa.StudentT(np.inf), r"StudentT\(weight\) is inf"),
        (
            lambda: sa.L1(1e39),
            r"L1\(weight\) is 1e\+39, but float32 reaches from 1\.4e-45 to 3\.4e\+38",
        ),
        (lambda: sa.Contractive(1e-46), r"Contractive\(weight\) is 1e-46, but float32"),
    ],
)
def test_bad_numbers(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_what_is_no_penalty_is_refused():
    with pytest.raises(
        TypeError, match=r"the penalty is 0.1, but a penalty, such as L1\(1e-3\), is expected"
    ):
        sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3), penalty=0.1)


def priced(penalty):
    return sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6), penalty=penalty).build(6)


class Price(sa.objectives.Penalty):
    """A penalty that says nothing."""


def test_what_a_penalty_leaves_out():
    with pytest.raises(NotImplementedError, match=r"Price does not say forward\(sums, nll, h\)"):
        sa.evaluate(priced(Price(0.1)), X)
    with pytest.raises(NotImplementedError, match=r"Price does not say backward\(dh, h, total\)"):
        price = Price(0.1)
        price.forward = lambda sums, nll, h: sums.__setitem__(slice(None), [len(h), nll.sum(), 0])
        sa.fit(priced(price), X, sa.Adam(), epochs=1)
