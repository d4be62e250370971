"""A detector of every kind of data and source: scores of the same numbers, a part at a time."""

import tempfile

import numpy as np
import pytest
from tables import Table

import scratchae as sa
from scratchae.detection import (
    Detector,
    Maximum,
    absolute_error,
    negative_log_likelihood,
    squared_error,
)
from scratchae.detection import rows as parts

SCORES = (absolute_error, squared_error, negative_log_likelihood)
ONES = np.random.default_rng(0).integers(0, 2, (600, 4, 4, 3)).astype(np.float64)  # in every dtype
PIXELS = np.random.default_rng(1).integers(0, 256, (600, 4, 4, 3)).astype(np.uint8)


class Source:
    """One of the user's own: an array that is read a row at a time."""

    name, shape = "own", (4, 4, 3)

    def __init__(self, x):
        self.kept = sa.Values(x)

    def __len__(self):
        return len(self.kept)

    def feed(self, backend, rows):
        return self.kept.feed(backend, rows)

    def check(self, likelihood):
        return self.kept.check(likelihood)

    def values(self, rows=slice(None)):
        return self.kept.x[rows]


def memmap(x):
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, x.dtype, "w+", shape=x.shape)
    mapped[:] = x
    return mapped


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


KINDS = {
    **{dtype: lambda x, dtype=dtype: x.astype(dtype) for dtype in ("float16", "float32", "int8")},
    **{dtype: lambda x, dtype=dtype: x.astype(dtype) for dtype in ("int16", "uint16", "int64")},
    **{dtype: lambda x, dtype=dtype: x.astype(dtype) for dtype in ("bool", ">f4", ">f8", ">i2")},
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "read-only": read_only,
    "memmap": memmap,
    "float32 memmap": lambda x: memmap(x.astype(np.float32)),
    "list": lambda x: x.tolist(),
    "table": Table,
    "Values": sa.Values,
    "Images": lambda x: sa.Images((255 * x).astype(np.uint8)),
    "Images by threshold": lambda x: sa.Images((255 * x).astype(np.uint8), binarize="threshold"),
    "a source": Source,
}


@pytest.fixture(scope="module")
def model():
    encoder = sa.Sequential(sa.Flatten(), sa.Dense(48, 12))
    decoder = sa.Sequential(sa.Dense(6, 48), sa.Reshape(4, 4, 3))
    return sa.VAE(encoder, decoder, sa.Gaussian(6)).build((4, 4, 3))


@pytest.mark.slow
@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_have_the_same_scores(model, kind, score):
    detector = Detector(model, score, Maximum()).fit(ONES)
    given, wanted = KINDS[kind](ONES), score(model, ONES)
    np.testing.assert_array_equal(detector.scores(given), wanted)
    assert not detector.flags(given).any()
    again = Detector(model, score, Maximum()).fit(given)
    assert again.threshold == detector.threshold
    truth = np.arange(600) % 2 == 0
    detector.threshold = again.threshold = float(np.median(wanted))
    assert str(again.report(given, truth)) == str(detector.report(ONES, truth))


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_raw_pixels_are_refused_and_the_advice_is_followed(model, score):
    detector = Detector(model, score, Maximum())
    with pytest.raises(TypeError, match=r"raw uint8 pixels: divide by 255 first, or give Images"):
        detector.fit(PIXELS)
    for given in (PIXELS / 255, (PIXELS / 255).astype(np.float32), sa.Images(PIXELS)):
        found = detector.fit(given).scores(given)
        np.testing.assert_allclose(found, score(model, PIXELS / 255), rtol=1e-4)


@pytest.mark.parametrize("binarize", ["none", "threshold", "dynamic"])
def test_images_are_those_that_evaluate_has(model, binarize):
    images = sa.Images(PIXELS, binarize=binarize)
    for score in SCORES:
        np.testing.assert_array_equal(score(model, images), score(model, images.values()))


@pytest.mark.parametrize("kind", ["float32", "Images", "Values", "memmap", "int16"])
def test_few_are_in_floating_point_at_one_time(model, kind, monkeypatch):
    given, seen = KINDS[kind](ONES), []
    reconstruct, encode = model.reconstruct, model.encode
    monkeypatch.setattr(model, "reconstruct", lambda x: seen.append(len(x)) or reconstruct(x))
    monkeypatch.setattr(model, "encode", lambda x: seen.append(len(x)) or encode(x))
    for score in SCORES:
        Detector(model, score).fit(given)
    assert set(seen) == {parts.ROWS, 600 % parts.ROWS} and parts.ROWS == 256


def test_ragged_lists_and_words_are_refused(model):
    for given in ([[1.0], [1.0, 2.0]], [["a"] * 4], "abc", None, 3):
        with pytest.raises((TypeError, ValueError), match="the data"):
            Detector(model).scores(given)


def test_a_source_that_gives_no_values_is_told_so(model):
    """Its batches alone would not say what an example's score is to be compared with."""

    class Batches(Source):
        values = property()

    with pytest.raises(TypeError, match=r"Batches, but .*: give one, or define values\(rows\)"):
        Detector(model).scores(Batches(ONES))
