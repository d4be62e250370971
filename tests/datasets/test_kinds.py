"""Every verb takes every kind of data, or says the one thing that does: what it advises is carried
out here, and works."""

import importlib.util
import re
import warnings

import numpy as np
import pytest
from tables import Table

import scratchae as sa
from scratchae.datasets import scaled, split, take
from scratchae.datasets.splits import joined
from scratchae.detection import DetectionWarning, Detector
from scratchae.evaluation import denoising_score

X = np.random.default_rng(0).random((12, 4, 2, 3))
PIXELS = np.random.default_rng(1).integers(0, 256, X.shape).astype(np.uint8)
FLAT = X.reshape(12, -1)


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def memmap(x, folder):
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


DTYPES = ("float16", "float32", "float64", "longdouble", ">f4", ">f8", "int8", "int16", "uint16",
          "int64")  # fmt: skip
KINDS = {
    **{dtype: lambda folder, dtype=dtype: (3 * X).astype(dtype) for dtype in DTYPES},
    "bool": lambda folder: X > 0.5,
    "uint8": lambda folder: PIXELS,
    "flat uint8": lambda folder: PIXELS.reshape(12, -1),
    "memmap": lambda folder: memmap(X, folder),
    "memmap of int16": lambda folder: memmap((3 * X).astype("int16"), folder),
    "memmap in Fortran's order": lambda folder: memmap(np.asfortranarray(X), folder),
    "Fortran's order": lambda folder: np.asfortranarray(X.astype("float32")),
    "every second": lambda folder: np.repeat(X, 2, axis=0)[::2, ::-1],
    "read-only": lambda folder: read_only(X),
    "read-only int16": lambda folder: read_only((3 * X).astype("int16")),
    "one number for three": lambda folder: np.broadcast_to(X[..., :1], X.shape),
    "list": lambda folder: X.tolist(),
    "list of lists of int": lambda folder: (3 * FLAT).astype(int).tolist(),
    "tuple of arrays": lambda folder: tuple(X),
    "table": lambda folder: Table(FLAT),
    "table of objects": lambda folder: Table(FLAT.astype(object)),
    "table of uint8": lambda folder: Table(PIXELS.reshape(12, -1)),
    "Values": lambda folder: sa.Values(X, np.arange(12)),
    "Values of int16": lambda folder: sa.Values((3 * X).astype("int16")),
    "Images": lambda folder: sa.Images(PIXELS, np.arange(12)),
    "Images, drawn": lambda folder: sa.Images(PIXELS, binarize="dynamic"),
    "Images in Fortran's order": lambda folder: sa.Images(np.asfortranarray(PIXELS)),
    "Images of a table": lambda folder: sa.Images(Table(PIXELS.reshape(12, -1))),
}
if importlib.util.find_spec("pandas"):
    KINDS["DataFrame"] = lambda folder: importlib.import_module("pandas").DataFrame(FLAT)


def model_for(data):
    shape = data.shape if hasattr(data, "feed") else np.shape(np.asarray(data))[1:]
    first = [] if len(shape) == 1 else [sa.Flatten()]
    last = [] if len(shape) == 1 else [sa.Reshape(*shape)]
    encoder = sa.Sequential(*first, sa.Dense(24, 6, "tanh"), sa.Dense(6, 2))
    decoder = sa.Sequential(sa.Dense(2, 6, "tanh"), sa.Dense(6, 24), *last)
    return sa.Autoencoder(encoder, decoder).build(shape)


def detected(data):
    with warnings.catch_warnings():  # a model that was not trained gives nearly a constant
        warnings.simplefilter("ignore", DetectionWarning)
        return Detector(model_for(data)).fit(data).flags(data)


def trained(data):
    return sa.fit(model_for(data), data, sa.Adam(), epochs=1, batch_size=5, progress=False)


VERBS = {
    "encode": lambda x: model_for(x).encode(x),
    "reconstruct": lambda x: model_for(x).reconstruct(x),
    "evaluate": lambda x: sa.evaluate(model_for(x), x),
    "fit": trained,
    "split": lambda x: [trained(part) for part in split(x)],
    "take": lambda x: trained(take(x, [3, 1])),
    "scaled": lambda x: trained(scaled(x)[0]),
    "joined": lambda x: trained(joined(x, x)),
    "detector": lambda x: detected(x),
    "pretrain": lambda x: sa.pretrain(model_for(x), x, sa.Adam(), epochs=1, batch_size=5),
    "denoising_score": lambda x: denoising_score(model_for(x), x, 0.1),
    "Values": lambda x: trained(x if hasattr(x, "feed") else sa.Values(x)),
    "Images": lambda x: trained(x if hasattr(x, "feed") else sa.Images(x)),
}
ADVICE = {  # what a sentence says -> what a reader makes of the data
    r"divide by 255": lambda x: np.asarray(x) / 255,
    r"give Images\(x\)": sa.Images,
    r"(?<!Values.)np\.asarray\(x, np\.float32\)": lambda x: np.asarray(x, np.float32),
    r"train, test = datasets\.scaled": lambda x: scaled(x)[0],
    r"leave them as they are": lambda x: x,
    r"numbers go to Values\(np\.asarray\(x, np\.float32\)\)": lambda x: sa.Values(
        np.asarray(x, np.float32)
    ),
}
WITHOUT = re.compile("leave them as|numbers go to")  # the verb is left out


def followed(verb, data, before=()):
    """Whether it works, or all that it advises does, without another refusal, or the same
    warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", sa.ScaleWarning)
            verb(data)
    except (TypeError, ValueError, sa.ScaleWarning) as error:
        assert not before or (
            isinstance(error, sa.ScaleWarning) and sa.ScaleWarning not in before
        ), error
        ways = [words for words in ADVICE if re.search(words, str(error))]
        assert ways and "\n" not in str(error), error
        for words in ways:
            then = trained if WITHOUT.match(words) else verb
            followed(then, ADVICE[words](data), (*before, type(error)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", VERBS)
def test_it_works_or_says_what_does(name, kind, tmp_path):
    followed(VERBS[name], KINDS[kind](tmp_path))


@pytest.mark.parametrize("make", [sa.Values, sa.Images])
def test_a_source_is_made_of_arrays(make):
    for source in (sa.Values(X), sa.Images(PIXELS)):
        with pytest.raises(TypeError, match=f"is a .*{type(source).__name__}, but a NumPy array"):
            make(source)


WORKS = [kind for kind in KINDS if "uint8" not in kind and "objects" not in kind]


@pytest.mark.parametrize("kind", WORKS)
def test_what_is_taken_is_what_numpy_reads(kind, tmp_path, tolerance):
    """The same codes, losses and weights as of an array of float32."""
    data = KINDS[kind](tmp_path)
    plain = np.asarray(data.values() if hasattr(data, "feed") else data).astype(np.float32)
    tol = {"rtol": 0, "atol": tolerance("layer", "float32")}
    np.testing.assert_allclose(model_for(data).encode(data), model_for(plain).encode(plain), **tol)
    ours, theirs = (sa.evaluate(model_for(x), x)["loss"] for x in (data, plain))
    assert ours == pytest.approx(theirs, rel=tolerance("loss", "float32"))
    if getattr(data, "binarize", "none") == "none":  # else drawn anew
        ours, theirs = (trained(x)["train_loss"] for x in (data, plain))
        assert ours == pytest.approx(theirs, rel=tolerance("loss", "float32"))


@pytest.mark.parametrize(
    "dtype, held", [(">f4", "float32"), (">f8", "float64"), ("float16", "float32")]
)
def test_rows_are_handed_out_in_a_dtype_of_the_kernels(dtype, held):
    x = X.astype(dtype)
    values = sa.Values(x)
    assert values.x is x and values.values().dtype == held
    np.testing.assert_array_equal(values.values([2, 1]), x[[2, 1]])
    feed = values.feed(sa.get_backend(), 4)
    assert feed.table.data.dtype == held and feed.table.data.shape == (4, 24)


class Own:
    """A source of a reader's own, without values."""

    name = "own"

    def __init__(self, x):
        self.inner, self.shape = sa.Values(x), x.shape[1:]
        self.feed = self.inner.feed

    def __len__(self):
        return len(self.inner)

    def check(self, likelihood):
        pass


def test_a_source_of_ones_own():
    own = Own(X)
    assert len(trained(own)) == 1
    for verb in ("encode", "reconstruct", "pretrain", "denoising_score"):
        with pytest.raises(TypeError, match=r"is a .*Own, but an array.*define values\(rows\)"):
            VERBS[verb](own)
        own.values = own.inner.values
        VERBS[verb](own)
        del own.values
