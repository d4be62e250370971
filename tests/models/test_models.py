"""What a user sees of a model: host arrays in, host arrays out, a table, and clear words before
build."""

import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import scratchae as sa
from scratchae import randomness
from scratchae.models import base

SHAPE = (6, 5, 1)


def conv_vae(likelihood=None, **arguments):
    encoder = sa.Sequential(sa.Conv2d(1, 3, 3, 2, "same", "relu"), sa.Flatten(), sa.Dense(27, 4))
    decoder = sa.Sequential(sa.Dense(2, 30, "tanh"), sa.Reshape(*SHAPE))
    return sa.VAE(encoder, decoder, sa.Gaussian(2), likelihood, **arguments)


def autoencoder(likelihood=None):
    encoder = sa.Sequential(sa.Conv2d(1, 2, 3, 2, "same", "relu"))
    decoder = sa.Sequential(sa.Flatten(), sa.Dense(18, 30), sa.Reshape(*SHAPE))
    return sa.Autoencoder(encoder, decoder, likelihood)


MODELS = {
    "vae": conv_vae,
    "vae gaussian": lambda: conv_vae(sa.GaussianLikelihood(0.5)),
    "autoencoder": autoencoder,
    "autoencoder bernoulli": lambda: autoencoder(sa.Bernoulli()),
}
NAME = pytest.mark.parametrize("name", MODELS)
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def data(n, dtype="float64"):
    return np.random.default_rng(0).random((n, *SHAPE)).astype(dtype)


def codes(model, x):
    """What decode takes of what encode gives."""
    found = model.encode(x)
    return found[0] if isinstance(found, tuple) else found


@NAME
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_and_dtypes(name, backend, dtype):
    model = MODELS[name]()
    assert model.build(SHAPE, backend=backend, dtype=dtype) is model
    for n, given in ((1, "float32"), (7, "float64")):
        x = data(n, given)
        before, found = x.copy(), model.encode(x)
        parts = found if isinstance(found, tuple) else (found,)
        shape = (n, 2) if "vae" in name else (n, 3, 3, 2)
        assert [part.shape for part in parts] == [shape] * len(parts)
        results = [*parts, model.decode(parts[0]), model.reconstruct(x)]
        assert results[-1].shape == results[-2].shape == (n, *SHAPE)
        assert {type(a) for a in results} == {np.ndarray} and {str(a.dtype) for a in results} == {
            dtype
        }
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(results[-1], results[-2])  # reconstruct is decode of encode
        if "bernoulli" in name or name == "vae":
            assert ((results[-1] > 0) & (results[-1] < 1)).all()


@DTYPES
@NAME
def test_results_are_the_users_own(name, backend, dtype):
    """Not views of a buffer that the next call fills anew."""
    model, x = MODELS[name]().build(SHAPE, backend=backend, dtype=dtype), data(5)
    for call, other in ((model.encode, data(9)[4:]), (model.reconstruct, data(9)[4:])):
        first = call(x)
        kept = [np.copy(a) for a in (first if isinstance(first, tuple) else (first,))]
        call(other)
        for a, right in zip(first if isinstance(first, tuple) else (first,), kept, strict=True):
            np.testing.assert_array_equal(a, right)


@DTYPES
@NAME
def test_chunks_change_nothing(name, backend, dtype, tolerance):
    """More than 256 rows, and one by one."""
    assert base.CHUNK == 256
    model, x = MODELS[name]().build(SHAPE, backend=backend, dtype=dtype), data(515)
    tol, whole = tolerance("layer", dtype), model.reconstruct(x)
    h = codes(model, x)
    assert len(whole) == len(h) == 515
    for n in (0, 255, 256, 511, 512, 514):
        np.testing.assert_allclose(model.reconstruct(x[n : n + 1])[0], whole[n], atol=tol)
        np.testing.assert_allclose(codes(model, x[n : n + 1])[0], h[n], atol=tol)
        np.testing.assert_allclose(model.decode(h[n : n + 1])[0], whole[n], atol=tol)


@DTYPES
def test_a_model_that_was_trained_on_answers_anew(backend, dtype):
    model, x = conv_vae().build(SHAPE, backend=backend, dtype=dtype), data(20)
    before = model.reconstruct(x)
    sa.fit(model, x, sa.Adam(0.05), epochs=1)
    assert np.abs(model.reconstruct(x) - before).max() > 1e-3


def test_encode_is_mu_and_logvar(backend, tolerance):
    """sigma^2 = exp(logvar): the KL by the book from what encode gives is the KL of evaluate."""
    model, x = conv_vae().build(SHAPE, backend=backend, dtype="float64"), data(9)
    mu, logvar = model.encode(x)
    kl = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(axis=1).mean()
    assert sa.evaluate(model, x)["kl"] == pytest.approx(kl, rel=tolerance("layer"))


NLL = {
    sa.Bernoulli(): lambda x, mean: -x * np.log(mean) - (1 - x) * np.log1p(-mean),
    sa.GaussianLikelihood(0.5): lambda x, mean: (
        (x - mean) ** 2 / 0.5 + math.log(0.5) + math.log(2 * math.pi) / 2
    ),
    sa.SquaredError(): lambda x, mean: (x - mean) ** 2,
    sa.AbsoluteError(): lambda x, mean: np.abs(x - mean),
}


@pytest.mark.parametrize("likelihood", NLL, ids=lambda likelihood: type(likelihood).__name__)
def test_reconstruct_is_what_the_loss_compares(likelihood, backend, tolerance):
    """Summed over the pixels, averaged over the examples, with nothing left out."""
    model, x = autoencoder(likelihood).build(SHAPE, backend=backend, dtype="float64"), data(9)
    by_the_book = NLL[likelihood](x, model.reconstruct(x)).sum(axis=(1, 2, 3)).mean()
    assert sa.evaluate(model, x)["loss"] == pytest.approx(by_the_book, rel=tolerance("layer"))


def test_samples(backend):
    model = conv_vae().build(SHAPE, backend=backend)
    x = model.sample(300)
    assert x.shape == (300, *SHAPE) and x.dtype == np.float32 and ((x > 0) & (x < 1)).all()
    np.testing.assert_array_equal(model.sample(300), x)
    np.testing.assert_array_equal(model.sample(300, seed=0), x)
    np.testing.assert_allclose(model.sample(7), x[:7], atol=1e-6)
    # z ~ N(0, I), of the prior's own stream
    prior = randomness.normal((300, 2), 5, randomness.PRIOR)
    np.testing.assert_array_equal(model.sample(300, seed=5), model.decode(prior))
    assert (model.sample(300, seed=1) != x).any(axis=(1, 2, 3)).all()
    assert len(np.unique(x.reshape(300, -1), axis=0)) == 300


def test_backends_start_equal_and_answer_alike(backend, tolerance):
    model, reference = (
        conv_vae().build(SHAPE, backend=name, seed=3) for name in (backend, "reference")
    )
    np.testing.assert_array_equal(
        model.backend.to_host(model.parameters.values), reference.parameters.values
    )
    np.testing.assert_allclose(
        model.sample(5), reference.sample(5), atol=tolerance("layer", "float32")
    )


@DTYPES
def test_several_threads_may_ask_one_model(backend, dtype):
    """They share the buffers of one replica, so they take turns."""
    model = conv_vae().build(SHAPE, backend=backend, dtype=dtype)
    asked = [data(300) * scale for scale in (0.2, 0.4, 0.6, 0.8)]
    right = [model.reconstruct(x) for x in asked]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for found, expected in zip(pool.map(model.reconstruct, asked), right, strict=True):
                np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore::scratchae.WideCode")
def test_layers_may_serve_two_models():
    """Of images of another size, with parameters of its own."""
    parts = sa.Conv2d(1, 2, 3, 1, "same", "tanh"), sa.ConvTranspose2d(2, 1, 3, 1, "same")
    one, other, alone = (
        sa.Autoencoder(*parts).build((n, n, 1), dtype="float64", seed=n) for n in (4, 6, 4)
    )
    x, larger = data(9)[:, :4, :4], np.zeros((9, 6, 6, 1))
    sa.fit(other, larger, sa.Adam(0.1), epochs=1)
    np.testing.assert_array_equal(one.reconstruct(x), alone.reconstruct(x))
    assert other.reconstruct(larger).shape == larger.shape


def test_build_again_begins_anew():
    model = conv_vae().build(SHAPE, dtype="float64", seed=3)
    first, x = model.parameters.values.copy(), data(9)
    sa.fit(model, x, sa.Adam(0.05), epochs=1)
    model.optimizer = sa.Adam()  # as load leaves it
    model.build(SHAPE, dtype="float64", seed=3)
    np.testing.assert_array_equal(model.parameters.values, first)
    assert model.optimizer is None
    assert (model.build(SHAPE, dtype="float64", seed=4).parameters.values != first).any()
    assert (
        model.build(SHAPE, backend=sa.get_backend("reference", "float32")).reconstruct(x).dtype
        == np.float32
    )


TABLE = """\
VAE: Gaussian(2), GaussianLikelihood(sigma=0.5), beta=4.0; (6, 5, 1), 232 parameters
layer                                                         output     parameters
-----------------------------------------------------------------------------------
encoder.0  Conv2d(1, 3, 3, stride=2, padding='same', activation='relu')  (3, 3, 3)          30
encoder.1  Flatten()                                          (27,)
encoder.2  Dense(27, 4)                                       (4,)              112
decoder.0  Dense(2, 30, activation='tanh')                    (30,)              90
decoder.1  Reshape(6, 5, 1)                                   (6, 5, 1)
"""


def words(text):
    return [" ".join(line.split()) for line in text.splitlines() if not line.startswith("-")]


def test_print():
    model = conv_vae(sa.GaussianLikelihood(0.5), beta=4)
    unbuilt = str(model)
    assert "not built" in unbuilt and "Conv2d(1, 3, 3" in unbuilt and "parameters" in unbuilt
    table = str(model.build(SHAPE))
    assert words(table) == words(TABLE)
    assert len({line.find("(3, 3, 3)") for line in table.splitlines()} - {-1}) == 1
    counts = [
        int(line.split()[-1]) for line in table.splitlines()[3:] if line.split()[-1].isdigit()
    ]
    assert (
        sum(counts)
        == 232
        == sum(math.prod(shape) for shape, _ in model.parameters.declared.values())
    )
    assert "SquaredError()" in str(autoencoder()) and "beta" not in str(conv_vae())


@pytest.mark.parametrize("call", ["encode", "decode", "reconstruct", "sample"])
def test_before_build(call):
    model = conv_vae()
    argument = 3 if call == "sample" else data(3)
    with pytest.raises(
        RuntimeError, match=r"this VAE has no parameters yet: call model\.build\(input_shape\)"
    ):
        getattr(model, call)(argument)


def test_an_integer_is_a_shape():
    model = sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3)
    assert model.input_shape == (3,) and model.reconstruct(np.ones((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(
    "encoder, penalty, warns",
    [
        (lambda: sa.Dense(4, 3), None, False),
        (lambda: sa.Dense(4, 4), None, True),
        (lambda: sa.Dense(4, 9), None, True),
        (lambda: sa.Dense(4, 9), sa.L1(0.1), False),
        (lambda: sa.Sequential(sa.Masking(0.3), sa.Dense(4, 9)), None, False),
    ],
)
def test_a_code_that_can_copy_is_warned_of(encoder, penalty, warns):
    layer = encoder()
    units = getattr(layer, "outputs", 9)
    model = sa.Autoencoder(layer, sa.Dense(units, 4), penalty=penalty)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.build(4)
    assert [w.category for w in caught] == [sa.WideCode] * warns
    if warns:
        assert f"the code has {units} units for 4 numbers of x" in str(caught[0].message)


@pytest.mark.parametrize(
    "encoder, decoder, penalty, warns",
    [
        (lambda: sa.Sequential(sa.Dropout(0), sa.Dense(4, 9)), None, None, True),
        (lambda: sa.Sequential(sa.Dropout(0.1), sa.Dense(4, 9)), None, None, False),
        (lambda: sa.Sequential(sa.GaussianNoise(0), sa.Dense(4, 9)), None, None, True),
        (lambda: sa.Sequential(sa.GaussianNoise(0.1), sa.Dense(4, 9)), None, None, False),
        (lambda: sa.Sequential(sa.SaltAndPepper(0), sa.Dense(4, 9)), None, None, True),
        (lambda: sa.Dense(4, 9), None, sa.L1(0), True),
        (
            lambda: sa.Sequential(sa.Dense(4, 3), sa.Dense(3, 9)),
            None,
            None,
            False,
        ),  # narrow before the code
        (lambda: sa.Sequential(sa.Dense(4, 4), sa.Dense(4, 9)), None, None, True),
        (
            lambda: sa.Dense(4, 9),
            lambda: sa.Sequential(sa.Dense(9, 2), sa.Dense(2, 4)),
            None,
            False,
        ),  # behind it
    ],
)
def test_what_hinders_copying(encoder, decoder, penalty, warns):
    model = sa.Autoencoder(encoder(), decoder() if decoder else sa.Dense(9, 4), penalty=penalty)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.build(4)
    assert [w.category for w in caught] == [sa.WideCode] * warns


@pytest.mark.parametrize(
    "make",
    [
        lambda: sa.VAE(None, sa.Dense(2, 6), sa.Gaussian(2)),
        lambda: sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), 2),
        lambda: sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6), sa.Bernoulli),
        lambda: sa.evaluate("a model", np.zeros((2, 6))),
    ],
)
def test_parts_of_the_wrong_kind(make):
    with pytest.raises(TypeError, match=r"^the \w+ is .*expected$"):
        make()


@pytest.mark.parametrize("seed", [1.5, None, "a", True, -1, 2**64])
def test_seeds(seed):
    with pytest.raises(ValueError, match="the seed is"):
        sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6, seed=seed)
