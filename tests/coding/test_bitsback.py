"""Bits-back: the images come back to the bit, the stack too, and the length is that of the
ELBO."""

import hashlib
import math
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from coding.claims import (
    bins_cost_the_kl,
    bits_of_x,
    kl_in_bits,
    message_is_as_long_as_it_says,
    stack_is_as_before,
    z_has_the_moments_of_q,
)
from coding.models import KINDS, classes, dense, images, trained

import scratchae as sa
from scratchae import coding
from scratchae.coding.bitsback import Coder, groups
from scratchae.coding.message import Message
from scratchae.coding.symbols import table_of
from scratchae.kernels.rans import M
from scratchae.randomness import OUTPUTS, Draws

EVERY_KIND = pytest.mark.parametrize(
    "kind",
    [
        "dense",
        "classes",
        "bins",
        "counts",
        "importance weighted",
        pytest.param("convolutional", marks=pytest.mark.slow),
    ],
)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def comes_back(model, x, **how):
    data = coding.compress(model, x, **how)
    found = coding.decompress(model, data)
    assert found.dtype == model.backend.dtype
    np.testing.assert_array_equal(found, x.values() if hasattr(x, "values") else x)
    return data


@DTYPES
@EVERY_KIND
def test_images_come_back(kind, backend, dtype):
    model = KINDS[kind](backend=backend, dtype=dtype)
    for N, batch_size in ((1, 64), (2, 1), (40, 3)):
        comes_back(model, images(model, N), batch_size=batch_size)


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (1, 1, 3), (2, 3, 2, 2)])
@pytest.mark.parametrize("D", [1, 5])
def test_odd_shapes(shape, D):
    model = dense(shape, D)
    comes_back(model, images(model, 9), batch_size=2)


def test_sources_come_back_as_evaluate_has_them():
    pixels = np.random.default_rng(0).integers(256, size=(30, 4, 3, 1), dtype=np.uint8)
    for binarize in ("threshold", "dynamic"):
        comes_back(dense(), sa.Images(pixels, binarize=binarize), batch_size=4)
    ones = (pixels > 127).astype(np.int64)
    comes_back(dense(), sa.Values(ones))
    comes_back(dense(), ones.astype(bool))


def test_one_category_costs_nothing():
    model = classes((5, 1))
    x = images(model, 40)
    data = coding.compress(model, x)
    assert (coding.decompress(model, data) == x).all() and (x == 1).all()
    table = table_of(model.likelihood, model.decoder_output(np.zeros((1, 2))))
    np.testing.assert_array_equal(table, [[0, M]] * 5)  # the whole of it: 0 bits


@pytest.mark.parametrize("N", [1, 2, 5, 17, 18, 100, 1000])
@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_groups_are_all_images_in_order_both_ways(N, rows):
    found = list(groups(N, rows))
    assert [n for start, stop in found for n in range(start, stop)] == list(range(N))
    assert list(groups(N, rows, backwards=True)) == found[::-1]
    assert all(stop - start <= min(rows, max(1, start // 4)) for start, stop in found)


@EVERY_KIND
def test_the_stack_after_decoding_is_the_stack_before(kind):
    stack_is_as_before(KINDS[kind]())


@EVERY_KIND
def test_an_image_costs_what_its_symbols_do(kind):
    """-log2 p(x | z) - log2 p(b) + log2 q(b | x), of the z that was drawn."""
    message_is_as_long_as_it_says(KINDS[kind]())


@EVERY_KIND
def test_the_tables_of_x_are_the_likelihood(kind):
    """Their bits are the nll of the loss, which another file computes, of x drawn from it: what is
    rarer than 2^-24 costs 24 bits."""
    model = KINDS[kind](dtype="float64")
    a = model.decoder_output(np.random.default_rng(0).normal(size=(6, model.latent.dimensions)))
    x = model.likelihood.sample(a, Draws(0, OUTPUTS))
    nll = sa.by_hand(model.likelihood, model.input_shape, dtype="float64")(a, x)
    k = model.likelihood.symbols(x)
    found = [bits_of_x(model.likelihood, a[n : n + 1], k[n]) for n in range(6)]
    np.testing.assert_allclose(found, np.asarray(nll) / math.log(2), rtol=1e-4)


@pytest.mark.parametrize("logvar", [-4.0, -2.0, -0.5, 0.0])
def test_the_bins_cost_the_kl(logvar):
    bins_cost_the_kl(logvar)


def test_z_has_the_moments_of_q():
    z_has_the_moments_of_q()


def test_a_posterior_far_narrower_than_a_bin_costs_no_more_than_the_bin():
    """logvar = -100, where the KL is 50 nats and the bin 10 bits: z is that bin, no more."""
    for mu in (-40.0, -0.3, 0.0, 3.0, 40.0):
        for logvar, most in ((-100.0, 10.0), (-1e30, 10.0), (100.0, 10.0), (1e30, 10.0)):
            assert 0 <= kl_in_bits(mu, logvar) <= most + 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "plain", "most"), [("ink", 1, 0.02), ("grey", 8, 0.01), ("counts", 2, 0.01)]
)
def test_the_length_is_the_elbo_of_a_trained_model(what, plain, most):
    """300 digits: within 2 % of -ELBO / ln 2, 1 % where an image costs more bits, the header left
    out; exact."""
    model, test = trained(what)
    data = comes_back(model, test)
    head = coding.header(data)
    loss = np.mean([sa.evaluate(model, test, seed=seed)["loss"] for seed in range(5)])
    payload = 8 * (len(data) - data.index(b"\n", 20) - 1 - 32)
    assert payload / 300 == pytest.approx(loss / math.log(2), rel=most)
    if what != "counts":  # many of whose mu lie beyond the last bin, which costs 10 bits at most
        assert payload > 300 * loss / math.log(2) - head["initial"]
    assert head["initial"] < 300
    assert len(data) < 300 * 784 * plain / 8 / 2


def test_the_first_images_pay_for_few_bits():
    """One stack, and batches no larger than what it holds: the initial bits are those of one
    image, whatever the batch."""
    model = dense((8, 8, 1), 4)
    x = images(model, 400)
    found = {n: coding.header(coding.compress(model, x, batch_size=n))["initial"] for n in (1, 64)}
    assert found[64] <= found[1] + 32 and found[1] <= 64 + 32 * 4


def test_other_calls_between_change_nothing():
    """Two sets through one model, that encodes and samples meanwhile."""
    model = dense()
    x, y = images(model, 30), images(model, 7, seed=1)
    first = coding.compress(model, x)
    second = coding.compress(model, y, batch_size=2)
    model.encode(x)
    np.testing.assert_array_equal(coding.decompress(model, second), y)
    model.sample(3)
    np.testing.assert_array_equal(coding.decompress(model, first), x)
    assert coding.compress(model, x) == first


def test_a_group_is_decoded_alone():
    """What lies below on the message is not touched: images can be taken from the top."""
    model = dense()
    likelihood, coder, message = model.likelihood, Coder(model, 4), Message.empty()
    first, last = images(model, 4), images(model, 3, seed=1)
    first, last = (likelihood.symbols(x) for x in (first, last))
    coder.encode(message, first)
    coder.encode(message, last)
    np.testing.assert_array_equal(coder.decode(message, 3), last)
    np.testing.assert_array_equal(coder.decode(message, 4), first)


def test_products_have_one_shape_both_ways(monkeypatch):
    """The last bits of a product may depend on how many rows it has: 8 always, whatever the
    group."""
    model, seen, forward = dense(), [], sa.Dense.forward

    def noting(self, x):
        seen[-1].add(x.shape)
        return forward(self, x)

    monkeypatch.setattr(sa.Dense, "forward", noting)
    seen.append(set())
    data = coding.compress(model, images(model, 21), batch_size=8)
    seen.append(set())
    coding.decompress(model, data)
    assert seen[0] == seen[1] == {(8, 12), (8, 8), (8, 3)}


SCRIPT = """
import hashlib, sys
import scratchae
from scratchae import coding
model = scratchae.load(sys.argv[1])
with open(sys.argv[2], "rb") as file:
    x = coding.decompress(model, file.read())
print(hashlib.sha256(x.tobytes()).hexdigest(), x.shape)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_another_process_gives_the_same_images(kind, tmp_path):
    model = KINDS[kind]()
    x = images(model, 50)
    sa.save(model, tmp_path / "model")
    (tmp_path / "images").write_bytes(coding.compress(model, x))
    command = [sys.executable, "-c", SCRIPT, tmp_path / "model", tmp_path / "images"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{hashlib.sha256(x.tobytes()).hexdigest()} {x.shape}"


def test_what_has_more_beside_x_is_not_coded():
    """The bytes hold x alone."""
    decoder = sa.Sequential(sa.Given(3), sa.Dense(5, 6))
    model = sa.VAE(sa.Dense(6, 4), decoder, sa.Gaussian(2)).build(6)
    x = np.ones((4, 6), np.float32)
    with pytest.raises(TypeError, match="is given a label beside x, which the bytes do not hold"):
        coding.compress(model, x)
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2)).build(6)
    for data in (sa.Pairs(x, 0 * x), sa.Observed(x, x > 0)):
        with pytest.raises(TypeError, match="are Pairs or Observed, of which other numbers"):
            coding.compress(model, data)


class Halves(sa.Likelihood):
    """A reader's own: 0, 1/2 and 1, each as likely, whatever a is."""

    kernel = sa.Bernoulli.kernel

    def symbols(self, x):
        return np.rint(2 * x).astype(np.int64).reshape(len(x), -1)

    def data(self, k, shape):
        return k.reshape(len(k), *shape) / 2

    def below(self, a):
        return np.broadcast_to([1 / 3, 2 / 3], (len(a), a[0].size, 2))


def test_a_likelihood_of_ones_own():
    x = np.random.default_rng(0).integers(3, size=(20, 5)) / 2
    model = sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), Halves()).build(5)
    data = comes_back(model, x.astype(np.float32))
    assert len(data) < 400 + 20 * 5 * math.log2(3) / 8


@pytest.mark.parametrize("way", ["encode", "decode"])
def test_a_model_that_is_trained_meanwhile_is_refused(way, monkeypatch):
    """Its bytes would be read by no model, and their header says another one."""
    model = dense()
    x = images(model, 9)
    data = coding.compress(model, x)
    whole = getattr(Coder, way)

    def trained(self, *arguments):
        found = whole(self, *arguments)
        model.weights["decoder.1.b"] = model.weights["decoder.1.b"] + 1e-3
        return found

    monkeypatch.setattr(Coder, way, trained)
    call = {
        "encode": partial(coding.compress, model, x),
        "decode": partial(coding.decompress, model, data),
    }
    with pytest.raises(RuntimeError, match="was changed while it coded, as by a training"):
        call[way]()
