"""Bad input: a one-sentence error that names what was given and what was expected, and nothing
changed."""

import os
import re

import numpy as np
import pytest

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
    (put(np.nan, 4, 1), ValueError, r"nan at index \(4, 1\) \(1 such value"),
    (put(np.inf, slice(7, 9), 2), ValueError, r"inf at index \(7, 2\) \(2 such values\)"),
    (put(-np.inf, 0, 0), ValueError, r"-inf at index \(0, 0\)"),
]
NOT_ARRAYS = [
    ([[0.1, 0.2, 0.3]], TypeError, "list.* NumPy array"),
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

# What needs no model: constructors, names, shapes that do not meet.
ALONE = [
    *((lambda n=n: sa.Gaussian(n), ValueError, rf"Gaussian\(dimensions\) is {n}, but")
      for n in (0, -2, 1.5)),
    (lambda: sa.Adam(10**400), ValueError, r"\(lr\) is 1000.*, but it must be a number above 0"),
    (lambda: sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3, dtype=""), ValueError,
     "the dtype is ''"),
    (lambda: sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3, dtype=0), ValueError,
     "the dtype is 0"),
    (lambda: sa.Autoencoder(sa.Dense(3, 2), sa.Dense(2, 3)).build(3, backend=np), ValueError,
     "no backend <module"),
    (lambda: sa.VAE(sa.Dense(3, 4), sa.Dense(2, 3), sa.Gaussian(2), beta=1e39), ValueError,
     r"\(beta\) is 1e"),
    *((lambda s=s: sa.GaussianLikelihood(s), ValueError, r"\(sigma\) is .* below 1e\+18")
      for s in (1e-200, 1e200)),
    (lambda: sa.GaussianNoise(1e300), ValueError,
     r"GaussianNoise\(sigma\) is 1e\+300, but float32 reaches"),
    (lambda: sa.initializers.Normal(1e300), ValueError,
     r"Normal\(sigma\) is 1e\+300, but float32 reaches"),
    (lambda: sa.Adam(np.longdouble("1e400")), ValueError,
     r"\(lr\) is .*1e.400.*, but it must be a number above 0"),
    (lambda: sa.Dense(0, 3), ValueError, r"Dense\(inputs\) is 0"),
    (lambda: sa.Dense(3, -1), ValueError, r"Dense\(outputs\) is -1"),
    (lambda: sa.Dense(3, 3, init="he"), TypeError, r"\(init\w*\) is 'he', but a function such as"),
    (lambda: sa.Conv2d(1, 1, 3, init_b=0.0), TypeError, r"\(init\w*\) is 0\.0"),
    (lambda: sa.Conv1d(1, 1, 3, init=sa.initializers.Normal), TypeError, r"\(init\w*\) is <class"),
    (lambda: sa.LSTM(1, 1, False, init_r=None), TypeError, r"\(init\w*\) is None"),
    (lambda: sa.Adam(np.sqrt), TypeError,
     r"\(lr\) is <ufunc 'sqrt'>, which a saved model cannot name"),
    (lambda: sa.Dense(3, 3, init=lambda *a: 0), TypeError,
     r"\(init\) is .*lambda.* a saved model cannot name"),
    (lambda: sa.Dense(3, 3).declare((4,)), ValueError,
     r"mend the number, or put Flatten\(\) before it$"),
    (lambda: sa.Dense(6, 4).declare((5, 2)), ValueError,
     r"Flatten\(\) .*Conv1d\(2, 4, 1\), .* of the 5 steps$"),
    (lambda: sa.Dense(3, 3, "swish"), ValueError,
     "no activation 'swish': choose one of identity, relu"),
    (lambda: sa.Conv2d(0, 1, 3), ValueError, r"Conv2d\(inputs\) is 0"),
    (lambda: sa.Conv2d(1, 1, 0), ValueError, r"Conv2d\(kernel\) is 0"),
    (lambda: sa.Conv2d(1, 1, (3, 3, 3)), ValueError,
     r"\(kernel\) is \(3, 3, 3\), but.*or two of them"),
    (lambda: sa.ConvTranspose2d(1, 1, 3, 0), ValueError, r"ConvTranspose2d\(stride\) is 0"),
    (lambda: sa.Conv2d(1, 1, 3, 1, "full"), ValueError,
     r"\(padding\) is 'full', but.*'valid', 'same'"),
    (lambda: sa.Conv2d(1, 1, 3, 1, -1), ValueError, r"\(padding\) is -1, but"),
    (lambda: sa.Conv2d(1, 1, 3, 1, (1, 1)), ValueError,
     r"\(padding\) is \(1, 1\), but.*\(top, bottom, left, right\)"),
    (lambda: sa.Conv2d(1, 1, 3, activation="gelu"), ValueError, "no activation 'gelu'"),
    (lambda: sa.Conv2d(1, 1, 5).declare((4, 4, 1)), ValueError,
     "kernel of 5 does not fit into 4 pixels"),
    (lambda: sa.Conv2d(1, 1, 3).declare((4, 4)), ValueError,
     r"shape \(4, 4\), but it takes \(height, width, 1\)"),
    (lambda: sa.Conv2d(3, 1, 3).declare((4, 4, 1)), ValueError, r"takes \(height, width, 3\)"),
    (lambda: sa.ConvTranspose2d(1, 1, 2, 1, 3).declare((2, 2, 1)), ValueError, "leaves no pixel"),
    (lambda: sa.MaxPool2d(0), ValueError, r"MaxPool2d\(size\) is 0, but.*>= 1, or two of them"),
    (lambda: sa.MaxPool2d((2, 2.0)), ValueError, r"MaxPool2d\(size\) is \(2, 2\.0\), but"),
    (lambda: sa.MaxPool2d(2, True), ValueError, r"MaxPool2d\(stride\) is True, but"),
    (lambda: sa.MaxPool2d(2, 0), ValueError, r"MaxPool2d\(stride\) is 0, but"),
    (lambda: sa.MaxPool2d(2, 2, 1), ValueError,
     r"MaxPool2d\(padding\) is 1, but.*'valid' or 'same'"),
    (lambda: sa.MaxPool2d(2, 2, "full"), ValueError, r"MaxPool2d\(padding\) is 'full', but"),
    (lambda: sa.MaxPool2d((16, 17)), ValueError,
     r"\(16, 17\), a window of 272 pixels.*at most 256 pixels"),
    (lambda: sa.MaxPool2d(5).declare((4, 9, 1)), ValueError,
     "kernel of 5 does not fit into 4 pixels"),
    (lambda: sa.MaxPool2d(2).declare((4, 4)), ValueError,
     r"MaxPool2d is handed.*\(4, 4\).*channels\)"),
    (lambda: sa.Upsample2d(0), ValueError, r"Upsample2d\(factor\) is 0, but"),
    (lambda: sa.Upsample2d((2, 2, 1)), ValueError,
     r"Upsample2d\(factor\) is \(2, 2, 1\), but.*or two of them"),
    (lambda: sa.Upsample2d(2).declare((4,)), ValueError,
     r"Upsample2d is handed.*\(4,\).*channels\)"),
    (lambda: sa.Reshape(2, 0), ValueError, "is 0, but"),
    (lambda: sa.Reshape(2, 2).declare((5,)), ValueError, r"5 elements do not fill 4"),
    (lambda: sa.Sequential(), ValueError, "is empty"),
    (lambda: sa.Sequential("relu"), TypeError, "given 'relu', but it takes layers"),
    *((lambda s=s: sa.GaussianLikelihood(s), ValueError, f"is {s}, but")
      for s in (0, -1, np.nan, np.inf)),
    *((lambda b=b: vae(beta=b), ValueError, fr"\(beta\) is {b}, but it must be a number")
      for b in (-1, np.nan, np.inf)),
    (lambda: autoencoder(decoder=sa.Dense(2, 4)).build(3), ValueError,
     r"rows of shape \(4,\).*data has \(3,\): those are 4 numbers, not 3, so change a size, "
     r"stride or padding of "),
    (lambda: autoencoder(sa.Sequential(sa.Flatten(), sa.Dense(6, 2)),
                         sa.Dense(2, 6)).build((3, 2)), ValueError,
     r"rows of shape \(6,\), but the data has \(3, 2\): end it with Reshape\(3, 2\)$"),
    (lambda: autoencoder(sa.Dense(3, 5)).build(3), ValueError,
     r"Dense\(2, 3\) is handed rows of shape \(5,\)"),
    (lambda: sa.VAE(sa.Dense(3, 5), sa.Dense(2, 3), sa.Gaussian(2)).build(3), ValueError,
     r"\(5,\).*takes \(4,\)"),
    (lambda: sa.Images(X), TypeError, "the images are float64, but uint8 in 0..255 is expected"),
    (lambda: sa.Images([[1, 2]]), TypeError, "the images are .*list.*, but uint8"),
    (lambda: sa.Images(PIXELS[:0]), ValueError, r"shape \(0, 3\), but \(N, H, W, C\)"),
    (lambda: sa.Images(PIXELS[0]), ValueError, r"shape \(3,\), but"),
    (lambda: sa.Images(PIXELS, labels=[1, 2]), ValueError,
     r"shape of the labels is \(2,\), but \(9,\)"),
    (lambda: sa.Images(PIXELS, binarize="static"), ValueError,
     "'static': choose one of none, threshold, dynamic"),
    (lambda: sa.Values(X[0]), ValueError, r"shape \(3,\), but rows \(N, ...\)"),
    (lambda: sa.Values(PIXELS), TypeError, "raw uint8"),
    (lambda: sa.Values([[1.0, 2.0], [3.0]]), TypeError,
     r"is a list, but a NumPy array \(N, ...\)"),
    (lambda: sa.Values(put(np.nan, 8, 2)), ValueError, r"nan at index \(8, 2\)"),
    (lambda: sa.datasets.load("cifar"), ValueError,
     "no data set 'cifar': choose one of mnist, fashion_mnist"),
    (lambda: fit(vae()), RuntimeError,
     r"this VAE has no parameters yet: call model\.build\(input_shape\) first"),
    (lambda: sa.evaluate(autoencoder(), X), RuntimeError,
     "this Autoencoder has no parameters yet"),
    *((lambda f=f: f(vae()), RuntimeError, "this VAE has no parameters yet") for f in (
        lambda m: m.encode(X), lambda m: m.decode(X[:, :2]), lambda m: m.reconstruct(X),
        lambda m: m.sample(3),
        lambda m: sa.save(m, "model"), lambda m: m.replica(3),
    )),
]  # fmt: skip


def words_of(value):
    return re.sub(r"\W+", " ", value).strip() if isinstance(value, str) else ""


def one_sentence(call, error, words):
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert re.search(words, sentence) and "\n" not in sentence, sentence
    assert type(caught.value) is error


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


@pytest.mark.parametrize("call, error, words", ALONE, ids=words_of)
def test_no_model_is_made(call, error, words):
    one_sentence(call, error, words)


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


def test_a_layer_in_two_places():
    """It would have one set of buffers and views for both."""
    layer, words = (
        sa.Dense(3, 3),
        "the same Dense stands at encoder.0 and at {}: make one for each",
    )
    twice = sa.Sequential(layer, sa.Sequential(layer))
    one_sentence(
        lambda: autoencoder(sa.Sequential(layer), layer).build(3),
        ValueError,
        words.format("decoder"),
    )
    one_sentence(
        lambda: autoencoder(twice, sa.Dense(3, 3)).build(3),
        ValueError,
        words.format("encoder.1.0"),
    )
