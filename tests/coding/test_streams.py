"""Compressed data that is damaged, cut, another model's, or lies; and images and models that are
not to be coded: a sentence each, and no wrong image."""

import hashlib
import json
import re

import numpy as np
import pytest
from coding.models import classes, counts, dense, images
from costs import cheap
from sentences import one_sentence

import scratchae as sa
from scratchae import coding
from scratchae.coding import bitsback, stream
from scratchae.coding.message import Exhausted, Message, first_state, initial
from scratchae.coding.symbols import Bins

SHAPE = (4, 3, 1)
DAMAGED = r"damaged|begins otherwise|header is not|but this version"


@pytest.fixture(scope="module")
def model():
    return dense(SHAPE)


@pytest.fixture(scope="module")
def whole(model):
    return coding.compress(model, images(model, 40))


def refused(model, data, words, error=ValueError):
    one_sentence(lambda: coding.decompress(model, data), error, words)


def parts(data):
    """Header, the rest of it without its checksum."""
    end = data.index(b"\n", len(stream.FORMAT)) + 1
    return json.loads(data[len(stream.FORMAT) : end]), data[end + 32 :]


def signed(data, body=None, **fields):
    """The data with other fields, or another message, and the checksum of these."""
    head, rest = parts(data)
    lines = stream.FORMAT + json.dumps(head | fields).encode() + b"\n"
    rest = rest if body is None else body
    return lines + hashlib.sha256(lines + rest).digest() + rest


def test_every_flipped_bit_is_seen(model, whole):
    rng = np.random.default_rng(0)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.integers(8)
        refused(model, bytes(damaged), DAMAGED)


def test_every_truncation_is_seen(model, whole):
    for n in range(len(whole)):
        refused(model, whole[:n], DAMAGED)
    for more in (b"\0", b"\0\0\0\0", whole):
        refused(model, whole + more, DAMAGED)


def test_what_is_no_such_data(model, whole):
    for data in (b"", b"\n", b"PK", np.random.default_rng(0).bytes(10_000)):
        refused(model, data, "begins otherwise")
    for data in (None, "text", 3, [whole], np.zeros(3)):
        refused(model, data, "bytes are expected", TypeError)
    assert (coding.decompress(model, bytearray(whole)) == images(model, 40)).all()
    assert (coding.decompress(model, memoryview(whole)) == images(model, 40)).all()


def test_another_model_is_refused(model, whole):
    near = dense(SHAPE)
    W = near.weights["decoder.1.W"].copy()
    W.flat[0] = np.nextafter(W.flat[0], np.float32(9))
    near.weights["decoder.1.W"] = W
    refused(near, whole, "with a model whose SHA-256 is")
    assert (coding.decompress(dense(SHAPE), whole) == images(model, 40)).all()
    refused(dense((3, 4, 1)), whole, r"of shape \[4, 3, 1\], but the model is of \[3, 4, 1\]")
    refused(dense(SHAPE, D=4), whole, "SHA-256")
    refused(dense(SHAPE, backend="reference"), whole, "on the backend numpy")
    refused(dense(SHAPE, dtype="float64"), whole, "in float32, but the model is of float64")


def test_another_version_of_the_format_is_named(model, whole):
    for version in (b"1", b"2", b"10"):
        other = stream.KIND + version + whole[len(stream.FORMAT) - 1 :]
        words = f"is 'scratchae coding {version.decode()}', but .* reads 'scratchae coding 3'"
        refused(model, other, words)


def test_a_name_that_lies_costs_a_short_sentence(model, whole):
    for field in ("model", "backend", "dtype"):
        with pytest.raises(ValueError) as caught:
            coding.decompress(model, signed(whole, **{field: "\n" * 1500}))
        assert len(str(caught.value)) < 600 and str(caught.value).isprintable()


LIES = [
    ({"count": 41}, "does not decode"),
    ({"count": 39}, "does not decode"),
    ({"count": 0}, "does not decode"),
    ({"count": 2**39}, "does not decode"),
    ({"count": 2**41}, "header"),
    ({"count": -1}, "header"),
    ({"count": 4.0}, "header"),
    ({"count": True}, "header"),
    ({"initial": 2**39}, "does not decode"),
    ({"initial": 7}, "does not decode"),
    ({"rows": 1}, "does not decode"),
    ({"rows": 0}, "at least 1"),
    ({"rows": 2**39}, "at most 1,024"),
    ({"shape": [2**39]}, "of shape"),
    ({"shape": None}, "header"),
    ({"more": 1}, "header"),
    ({"given": "float16"}, "header"),
    ({"given": 32}, "header"),
]
NONSENSE = b"[" * 4000, b"{}", b"null", b"1e999", b'{"rows":' + b"9" * 3000 + b"}", b"\xff"


def with_line(data, line):
    """The data with that line for a header."""
    body, lines = parts(data)[1], stream.FORMAT + line + b"\n"
    return lines + hashlib.sha256(lines + body).digest() + body


def with_chance(data, n):
    """The data with n bytes of chance for a message: its checksum is right, but it leads to no
    stack that anybody began with."""
    return signed(data, np.random.default_rng(n).bytes(n))


@pytest.mark.parametrize(("fields", "words"), LIES)
def test_a_header_that_lies(model, whole, fields, words):
    refused(model, signed(whole, **fields), words)


def test_a_header_of_nonsense(model, whole):
    for line in NONSENSE:
        refused(model, with_line(whole, line), "header")


def test_a_message_of_chance(model, whole):
    for n in (8, 12, 400, 100_000):
        refused(model, with_chance(whole, n), "does not decode")
    shy = counts(rate=1e-8)  # of which chance asks for long numbers
    shy.weights["decoder.0.b"] = np.full(12, -40.0)
    data = coding.compress(shy, images(shy, 40))
    for n in (400, 100_000):
        refused(shy, with_chance(data, n), "does not decode")
    refused(model, with_chance(whole, 4), "cut short")
    refused(model, with_chance(whole, 11), "not whole")


@pytest.mark.slow
def test_a_refusal_costs_a_second_and_50_mb_at_most(model, whole):
    streams = [signed(whole, **fields) for fields, _ in LIES]
    streams += [with_line(whole, line) for line in NONSENSE]
    streams += [with_chance(whole, n) for n in (4, 8, 400, 100_000)]
    streams += [signed(with_chance(whole, 1000), count=2**39, rows=1024)]
    for data in streams:
        cheap(lambda data=data: refused(model, data, ""))


def test_a_message_is_empty_only_as_it_began():
    """The sender's state, and the words that it took, each to the bit."""
    state, words = first_state(), initial(5)[::-1]
    assert Message(state, words, endless=False).is_empty(5)
    assert not Message(state ^ 1, words, endless=False).is_empty(5)
    assert not Message(state, words ^ np.uint32(1 << 31), endless=False).is_empty(5)
    assert not Message(state, words[:4], endless=False).is_empty(5)
    assert not Message(state, words[1:], endless=False).is_empty(5)


def test_a_message_that_has_no_more_says_so():
    message, table = Message(1 << 32, initial(2), endless=False), Bins(12).prior
    with pytest.raises(Exhausted):
        message.pop(table)


def test_other_arithmetic_is_seen(model, whole, monkeypatch):
    """One logit that is off by its last bit, and one mu."""
    for network in ("_decoded", "_posterior"):
        right = getattr(bitsback.Coder, network)

        def off(self, values, right=right):
            found = right(self, values)
            first = found[0] if isinstance(found, tuple) else found
            first[...] += np.float32(1e-3)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(bitsback.Coder, network, off)
            refused(model, whole, "does not decode to what was compressed")
    assert len(coding.decompress(model, whole)) == 40


def test_the_header_tells(model, whole):
    head = coding.header(whole)
    assert head == {
        **{"model": stream.fingerprint(model), "backend": "numpy", "dtype": "float32"},
        **{"shape": SHAPE, "given": "float32", "rows": 64, "count": 40},
        "initial": head["initial"],
    }
    assert 64 <= head["initial"] <= 64 + 3 * 32
    one_sentence(lambda: coding.header(whole[:-1]), ValueError, "damaged")


GREY = "of the images from 0 on, the data is 0.5 at index .*only 0 and 1"


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.zeros((5, 4, 3), np.float32), ValueError, "shape"),
        (np.zeros((0, *SHAPE), np.float32), ValueError, "N at least 1"),
        (np.full((5, *SHAPE), 0.5), ValueError, GREY),
        (np.full((5, *SHAPE), 2.0), ValueError, r"\[0, 1\]"),
        (np.full((5, *SHAPE), np.nan), ValueError, "nan"),
        (np.zeros((5, *SHAPE), np.uint8), TypeError, "raw uint8"),
        (None, TypeError, "NoneType"),
        (sa.Images(np.full((5, *SHAPE), 128, np.uint8)), ValueError, "binarize='threshold'"),
    ],
)
def test_images_that_are_none(model, x, error, words):
    one_sentence(lambda: coding.compress(model, x), error, words)


def test_grey_is_found_wherever_it_is(model):
    x = images(model, 300)
    x[299, 0, 0, 0] = 0.25
    with pytest.raises(ValueError, match=r"from (\d+) on, the data is 0.25 at index") as caught:
        coding.compress(model, x)
    start, row = re.findall(r"from (\d+) on.* index \((\d+),", str(caught.value))[0]
    assert int(start) + int(row) == 299


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.full((3, 5, 4), 0.25), "0.25 at index .*one-hot"),
        (np.zeros((3, 5, 4)), "sums to 0"),
        (np.ones((3, 5, 4)), "sums to 4"),
    ],
)
def test_classes_that_are_none(x, words):
    one_sentence(lambda: coding.compress(classes(), x), ValueError, words)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "64", None, 1025, 10**12])
def test_batch_sizes_that_are_none(model, size):
    x = images(model, 3)
    one_sentence(lambda: coding.compress(model, x, batch_size=size), ValueError, "batch_size is")


class Other(sa.Gaussian):
    """A Gaussian against another prior."""


class Broad(sa.Bernoulli):
    """More symbols than a table takes."""

    def below(self, a):
        return np.zeros((len(a), 1, 70_000))


class Fewer(sa.Bernoulli):
    """Symbols that below does not know of."""

    def symbols(self, x):
        return super().symbols(x) + 1

    def data(self, k, shape):
        return super().data(k - 1, shape)


class Short(sa.Bernoulli):
    """Probabilities of fewer symbols than there are."""

    def below(self, a):
        return super().below(a)[:, :-1]


class Rounding(sa.Bernoulli):
    """Symbols that do not lead back."""

    def symbols(self, x):
        return super().symbols(np.zeros_like(x))


def parted(latent, likelihood):
    return sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), latent, likelihood)


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (lambda: None, TypeError, "a VAE is expected"),
        (lambda: sa.VAE, TypeError, "is the class VAE"),
        (lambda: sa.Autoencoder(sa.Dense(5, 2), sa.Dense(2, 5)), TypeError, "a VAE is expected"),
        (lambda: parted(sa.Gaussian(2), sa.Bernoulli()), RuntimeError, "build"),
        (lambda: parted(Other(2), sa.Bernoulli()).build(5), TypeError, "the latent is Other"),
        (
            lambda: parted(sa.Gaussian(2), sa.GaussianLikelihood()).build(5),
            TypeError,
            "the likelihood is GaussianLikelihood, which lacks .* train with DiscretisedLogistic",
        ),
        (
            lambda: parted(sa.Gaussian(2), sa.ContinuousBernoulli()).build(5),
            TypeError,
            r"the likelihood is ContinuousBernoulli, .*x = likelihood.binned\(x\)",
        ),
        (lambda: parted(sa.Gaussian(2), Broad()).build(5), ValueError, "70,001 symbols"),
        (lambda: parted(sa.Gaussian(2), Fewer()).build(5), ValueError, "from [12] to 2, but 5 "),
        (lambda: parted(sa.Gaussian(2), Short()).build(5), ValueError, "are 5 symbols .* but 4 "),
        (lambda: parted(sa.Gaussian(2), Rounding()).build(5), ValueError, "would be lost"),
    ],
)
def test_models_that_are_not_coded(made, error, words, whole):
    thing, x = made(), np.zeros((3, 5))
    x[0] = 1
    one_sentence(lambda: coding.compress(thing, x), error, words)
    if error is not ValueError:
        one_sentence(lambda: coding.decompress(thing, whole), error, words)


@pytest.mark.parametrize("network", ["encoder", "decoder"])
def test_a_model_that_gives_nan(network):
    model = dense(SHAPE)
    views = model.parameters.views()  # as training that diverged leaves them
    views[f"{network}.1.b"][...] = np.nan
    x = images(model, 3)
    one_sentence(lambda: coding.compress(model, x), ValueError, f"the {network} gives NaN or inf")


@pytest.mark.parametrize("value", [-1e30, -100.0, 100.0, 1e30])
def test_posteriors_at_their_ends(value):
    """logvar as large as float32 has it: exact all the same."""
    model = dense(SHAPE)
    b = model.weights["encoder.2.b"].copy()
    b[3:] = value
    model.weights["encoder.2.b"] = b
    x = images(model, 20)
    assert (coding.decompress(model, coding.compress(model, x)) == x).all()
