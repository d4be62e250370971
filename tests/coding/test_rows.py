"""Images come back to the bit as they were given: of 8 bits, and as numbers of any dtype."""

import numpy as np
import pytest
from coding.models import bins, classes, dense, images
from sentences import one_sentence

import scratchae as sa
from scratchae import coding
from scratchae.coding.symbols import table_of

SHAPE = 2, 3, 3
PIXELS = np.arange(17 * 18).astype(np.uint8).reshape(17, *SHAPE)  # each of the 256 greys
EIGHT = 256, 0.0, 1.0
GIVEN = {
    "Images": sa.Images(PIXELS),
    "Values": sa.Values(PIXELS / 255),
    "Labelled": sa.Labelled(sa.Images(PIXELS, np.arange(17) % 3), 3),
    "float32": PIXELS.astype(np.float32) / 255,
    "float64": PIXELS / 255,
    "list": (PIXELS / 255).tolist(),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("what", GIVEN)
def test_greys_of_8_bits_come_back_to_the_bit(what, dtype):
    """Half of the values of Images have another last bit than the nearest float32."""
    model, x = bins(SHAPE, parts=EIGHT, dtype=dtype), GIVEN[what]
    found = coding.decompress(model, coding.compress(model, x, batch_size=5))
    due = x.values() if hasattr(x, "values") else np.asarray(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, due.astype(dtype))
    np.testing.assert_array_equal(np.rint(255 * found), PIXELS)


@pytest.mark.parametrize("parts", [(2, 0.0, 1.0), (3, -1.0, 1.0), (511, 0.0, 1.0), (1000, -7, 9)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_bins_come_back(parts, dtype):
    model = bins(SHAPE, parts=parts, dtype=dtype)
    numbers = np.random.default_rng(0).uniform(*parts[1:], size=(20, *SHAPE))
    for x in (model.likelihood.binned(numbers.astype(kind)) for kind in ("float32", "float64")):
        found = coding.decompress(model, coding.compress(model, x))
        np.testing.assert_array_equal(found, x.astype(dtype))
    if parts[0] == 511:  # every other one is a grey of 8 bits
        found = coding.decompress(model, coding.compress(model, sa.Images(PIXELS)))
        np.testing.assert_array_equal(found, sa.Images(PIXELS).values())


def test_images_of_ink_and_of_classes_come_back():
    ink = sa.Images(255 * (PIXELS > 99).astype(np.uint8))
    for model in (dense(SHAPE), classes((2, 3, 2))):
        x = ink
        if model.input_shape == (2, 3, 2):
            x = sa.Images((255 * images(model, 9)).astype(np.uint8))
        found = coding.decompress(model, coding.compress(model, x))
        np.testing.assert_array_equal(found, x.values())


@pytest.mark.parametrize(("mu", "log_s"), [(0.3, -3.0), (0.9, -9.0), (-40.0, 2.0), (0.5, 3e38)])
def test_the_shares_are_the_masses_of_the_bins(mu, log_s):
    """Those of the loss, to what a share is."""
    p = sa.DiscretisedLogistic()
    a = np.tile(np.array([mu, log_s]), (256, 1))
    values = p.data(np.arange(256)[:, None], (1,))
    with np.errstate(over="ignore", under="ignore"):
        due = np.exp(p.log_prob(values, a))
    share = np.diff(table_of(p, a[:1]).astype(np.int64))[0] / (1 << 24)
    np.testing.assert_allclose(share, due, atol=258 / (1 << 24), rtol=2e-5)


def test_what_does_not_lead_back():
    model = bins(SHAPE, parts=EIGHT)
    x = PIXELS.astype(np.float32) * np.float32(1 / 255)  # the greys of Images, not given as such
    words = r"from 5 on, .* would be lost: .* x = likelihood.binned\(x\)"
    first = np.where(np.arange(17)[:, None, None, None] < 4, PIXELS / np.float32(255), x)
    one_sentence(lambda: coding.compress(model, first, batch_size=1), ValueError, words)
    found = coding.decompress(model, coding.compress(model, model.likelihood.binned(x)))
    np.testing.assert_array_equal(np.rint(255 * found), PIXELS)
    x[3] = 0.1234
    one_sentence(lambda: coding.compress(model, x), ValueError, "the data is 0.1234.*bin the")


def test_values_that_the_dtype_does_not_tell_apart():
    model = bins(SHAPE, parts=(1000, 1e6, 1e6 + 1))
    x = model.likelihood.binned(np.full((2, *SHAPE), 1e6 + 0.3))
    words = "not all are told apart in float32, .* build it with dtype='float64'"
    one_sentence(lambda: coding.compress(model, x), ValueError, words)
    model = bins(SHAPE, parts=(1000, 1e6, 1e6 + 1), dtype="float64")
    np.testing.assert_array_equal(coding.decompress(model, coding.compress(model, x)), x)


def test_more_bins_than_are_coded():
    model = bins(SHAPE, parts=(70_000, 0.0, 1.0), dtype="float64")
    words = "x has 70,000 bins, but at most 65,536 are coded"
    one_sentence(lambda: coding.compress(model, np.zeros((2, *SHAPE))), ValueError, words)
