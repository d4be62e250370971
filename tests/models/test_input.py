"""What a model is handed: arrays that it takes, and one sentence for all others, with nothing
changed."""

import os

import numpy as np
import pytest
from sentences import one_sentence, words_of

import scratchae as sa

X = np.random.default_rng(0).random((9, 3))
PIXELS = np.zeros((9, 3), np.uint8)


class ndarray:
    """An array of another library."""

    __module__ = "cupy"
    shape, dtype = (9, 3), np.dtype("float32")


def vae(**arguments):
    return sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), sa.Gaussian(2), **arguments)


def autoencoder(encoder=None, decoder=None, likelihood=None):
    return sa.Autoencoder(encoder or sa.Dense(3, 2), decoder or sa.Dense(2, 3), likelihood)


def fit(model, x=X, optimizer=None, **options):
    return sa.fit(model, x, optimizer or sa.Adam(), **{"epochs": 1} | options)


def put(value, *at, shape=(9, 3)):
    """X with one value changed."""
    x = np.resize(X, shape).copy()
    x[at] = value
    return x


# What is done with a built VAE over rows (3,), the error, and words that the sentence must hold,
# in order.
DATA = [
    (X[0], ValueError, r"shape \(3,\), but \(N, 3\) is expected"),
    (np.array(0.5), ValueError, r"shape \(\), but \(N, 3\)"),
    (X[:, :2], ValueError, r"shape \(9, 2\), but \(N, 3\)"),
    (X[:, :, None], ValueError, r"shape \(9, 3, 1\), but \(N, 3\)"),
    (X[:0], ValueError, r"shape \(0, 3\), but \(N, 3\) is expected, N at least 1"),
    (PIXELS, TypeError, "raw uint8 pixels.* divide by 255 .*Images"),
    (X.astype(object), TypeError, "dtype object, but numbers are expected"),
    (X.astype(complex), TypeError, "dtype complex128, but numbers are expected"),
    (X.astype("S3"), TypeError, r"dtype \|S3, but numbers are expected"),
    (
        put(np.nan, 4, 1),
        ValueError,
        r"nan at index \(4, 1\) \(1 such values\): clean it .* missing, give Observed\(x\)$",
    ),
    (put(np.inf, slice(7, 9), 2), ValueError, r"inf at .* \(2 such values\): clean it first$"),
    (put(-np.inf, 0, 0), ValueError, r"-inf at index \(0, 0\)"),
]
NOT_ARRAYS = [
    ([[0.1, 0.2], [0.3]], TypeError, r"list.* NumPy array.*\(.*inhomogeneous"),
    ({(0.1, 0.2, 0.3)}, TypeError, "set.* NumPy array"),
    (ndarray(), TypeError, "ndarray.* NumPy array"),
]
OUTSIDE = [
    (put(1.5, 3, 2), ValueError, r"1\.5 at index \(3, 2\).* values in \[0, 1\]: scale"),
    (put(-1e-3, 0, 1), ValueError, r"-0\.001 at index \(0, 1\).* values in \[0, 1\]"),
]
CALLS = [
    *((lambda m, x=x: fit(m, x), *expected) for x, *expected in DATA + NOT_ARRAYS + OUTSIDE),
    *(
        (lambda m, x=x: fit(m, X, validation=x), *expected)
        for x, *expected in DATA + NOT_ARRAYS + OUTSIDE
    ),
    *(
        (lambda m, x=x: sa.evaluate(m, x), *expected)
        for x, *expected in DATA + NOT_ARRAYS + OUTSIDE
    ),
    *((lambda m, x=x: m.encode(x), *expected) for x, *expected in DATA + NOT_ARRAYS),
    *((lambda m, x=x: m.reconstruct(x), *expected) for x, *expected in DATA + NOT_ARRAYS),
    (lambda m: fit(m, X, validation=X[:, :2]), ValueError, r"validation has shape \(9, 2\)"),
    (
        lambda m: fit(m, sa.Images(PIXELS[:, :2])),
        ValueError,
        r"rows of shape \(2,\), but the model takes \(3,\)",
    ),
    (
        lambda m: fit(m, sa.Values(X[:, :2])),
        ValueError,
        r"rows of shape \(2,\), but the model takes \(3,\)",
    ),
    (lambda m: fit(m, None), TypeError, "NoneType, but a NumPy array, Images"),
    (lambda m: fit(m, "mnist"), TypeError, "str, but a NumPy array, Images"),
    *(
        (lambda m, n=n: fit(m, epochs=n), ValueError, f"epochs is {n}, but.*at least 1")
        for n in (0, -1, 1.5)
    ),
    *(
        (lambda m, n=n: fit(m, batch_size=n), ValueError, f"batch_size is {n}, but")
        for n in (0, -8, 2.0, True)
    ),
    (lambda m: fit(m, shards=0), ValueError, "shards is 0, but"),
    (lambda m: fit(m, threads=-1), ValueError, "threads is -1, but"),
    (lambda m: fit(m, seed=-1), ValueError, r"the seed is -1.*0 <= seed < 2\*\*64"),
    (lambda m: fit(m, seed=1 << 64), ValueError, "the seed is 18446744073709551616"),
    (lambda m: sa.evaluate(m, X, batch_size=0), ValueError, "batch_size is 0, but"),
    (lambda m: m.decode(X), ValueError, r"z has shape \(9, 3\), but \(N, 2\) is expected"),
    (lambda m: m.decode(X[0, :2]), ValueError, r"z has shape \(2,\), but \(N, 2\)"),
    (lambda m: m.decode(PIXELS[:, :2]), TypeError, "z holds raw uint8"),
    (lambda m: m.decode(put(np.nan, 1, 0)[:, :2]), ValueError, r"z is nan at index \(1, 0\)"),
    (lambda m: m.decode(ndarray()), TypeError, "z is a cupy.ndarray, but a NumPy array"),
    *((lambda m, n=n: m.sample(n), ValueError, f"n is {n}, but it must be") for n in (0, -1, 2.5)),
    (lambda m: m.sample(2, seed=-1), ValueError, "the seed is -1"),
    *(
        (lambda m, n=n: m.build(n), ValueError, r"input shape's size is .*at least 1")
        for n in (0, (3, -1), "3")
    ),
    *(
        (lambda m, n=n: m.build(n), ValueError, r"over 2\^\d+ numbers, more than memory holds")
        for n in (10**40, (2**40, 2**40), 10**5000)
    ),
    (lambda m: m.build((1,) * 64), ValueError, "the input shape has 64 axes, but at most 63"),
    (
        lambda m: m.build(3, backend="torch"),
        ValueError,
        "no backend 'torch': choose one of numpy, reference, cupy",
    ),
    (lambda m: m.build(3, dtype="float16"), ValueError, "'float16', but.*'float32' or 'float64'"),
    (
        lambda m: m.build(3, backend=sa.get_backend(), dtype="float64"),
        ValueError,
        "'float64', but.* in 'float32'",
    ),
    (lambda m: m.build(3, seed=-1), ValueError, "the seed is -1"),
    (
        lambda m: m.build((4,)),
        ValueError,
        r"Dense\(3, 4\) is handed rows of shape \(4,\), but it takes \(3,\)",
    ),
]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Where a file would lie, had one been written."""
    monkeypatch.chdir(tmp_path)
    yield
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call, error, words", CALLS, ids=words_of)
def test_a_model_refuses_and_goes_on_as_if_nothing_had_been(call, error, words):
    """Its parameters are what they were, and its next epoch is that of a twin."""
    model, twin = vae().build(3), vae().build(3)
    optimizers = [fit(m).optimizer for m in (model, twin)]
    parameters = model.parameters
    one_sentence(lambda: call(model), error, words)
    assert model.parameters is parameters
    np.testing.assert_array_equal(model.parameters.values, twin.parameters.values)
    pairs = zip((model, twin), optimizers, strict=True)
    losses = [fit(m, optimizer=optimizer)["train_loss"] for m, optimizer in pairs]
    assert losses[0] == losses[1]


def test_a_likelihood_of_real_values_takes_them(backend):
    """The check of [0, 1] belongs to the Bernoulli likelihood alone."""
    for likelihood in (sa.SquaredError(), sa.AbsoluteError(), sa.GaussianLikelihood()):
        model = autoencoder(likelihood=likelihood).build(3, backend=backend)
        assert np.isfinite(fit(model, 3 * X - 5)["train_loss"][0])
    ends = np.array([[0.0, 1.0, 0.5]])
    assert np.isfinite(fit(vae().build(3, backend=backend), ends)["train_loss"][0])


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "float64"])
def test_numbers_are_taken(backend, dtype):
    x = (X > 0.5).astype(dtype)
    model = vae().build(3, backend=backend)
    assert np.isfinite(fit(model, x)["train_loss"][0])
    assert model.reconstruct(x).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", ">f4", "longdouble"])
def test_other_floating_point_numbers_are_cast(dtype):
    assert np.isfinite(fit(vae().build(3), X.astype(dtype))["train_loss"][0])


def test_an_array_on_the_gpu_is_refused(gpu):
    """Host arrays in, host arrays out, on every backend; the model goes on as a twin does."""
    model, twin = (vae().build(3, backend=gpu) for _ in range(2))
    x, z = (model.backend.asarray(a) for a in (X, X[:, :2]))
    calls = (
        lambda: fit(model, x),
        lambda: fit(model, X, validation=x),
        lambda: sa.evaluate(model, x),
    )
    for call in (
        *calls,
        lambda: model.encode(x),
        lambda: model.decode(z),
        lambda: model.reconstruct(x),
    ):
        one_sentence(call, TypeError, "ndarray.* NumPy array")
    assert fit(model)["train_loss"] == fit(twin)["train_loss"]


def test_inf_of_both_signs():
    x = put(np.inf, 0, 0)
    x[1, 1] = -np.inf
    one_sentence(
        lambda: fit(vae().build(3), x), ValueError, r"inf at index \(0, 0\) \(2 such values\)"
    )


LONG = X.astype(np.longdouble)
LONG[8, 2] = np.longdouble("1e4000")


@pytest.mark.parametrize(
    "data, kind, words",
    [
        (
            np.ma.masked_array(put(0, 0, 0), mask=X > 0.9),
            TypeError,
            "masked array.*fill it",
        ),
        (put(1e300, 8, 2), ValueError, r"1e\+300 at index \(8, 2\), but float32 ends at 3.4e\+38"),
        (put(-1e300, 8, 2), ValueError, r"at index \(8, 2\), but float32 ends"),
        (
            LONG,
            ValueError,
            r"at index \(8, 2\), but float",
        ),
    ],
    ids=["masked", "too large", "too small", "longdouble"],
)
def test_values_that_float32_cannot_hold(data, kind, words):
    model = autoencoder(likelihood=sa.SquaredError()).build(3)
    before = model.parameters.values.copy()
    for call in (fit, lambda m, x: m.encode(x), sa.evaluate):
        with pytest.raises(kind, match=words):
            call(model, data)
    np.testing.assert_array_equal(model.parameters.values, before)


def test_encoding_checks_the_range_of_bernoulli():
    with pytest.raises(ValueError, match=r"takes values in \[0, 1\]"):
        vae().build(3).reconstruct(255 * X)
