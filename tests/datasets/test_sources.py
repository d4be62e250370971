"""Where batches come from: pixels stay bytes until a batch is made, and a batch is what it
says."""

import numpy as np
import pytest

from scratchae import (
    Autoencoder,
    Bernoulli,
    Dense,
    Flatten,
    Images,
    Reshape,
    Sequential,
    SquaredError,
    Values,
    checks,
    datasets,
    evaluate,
    get_backend,
    randomness,
)
from scratchae.backend.cuda import backend as cupy_module
from scratchae.datasets import as_source
from scratchae.datasets.generated import strokes

PIXELS = np.random.default_rng(0).integers(0, 256, (11, 4, 3, 1)).astype(np.uint8)
PIXELS[0, 0, :, 0] = 0, 127, 128
ROWS = np.array([7, 0, 10, 7, 3], np.uint32)
X = np.random.default_rng(1).normal(size=(11, 4, 3, 1))
BINARIZE = pytest.mark.parametrize("binarize", ["none", "threshold", "dynamic"])


def batch(
    source,
    backend="numpy",
    dtype="float32",
    rows=ROWS,
    seed=0,
    epoch=1,
    purpose=randomness.TRAINING,
):
    b = get_backend(backend, dtype)
    feed, clock = source.feed(b, 6), b.asarray(randomness.clock(seed, epoch, purpose), "uint32")
    feed.table.bring(rows)
    return b.to_host(feed.fill(b.share(rows), clock))


@BINARIZE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_of_images(backend, dtype, binarize, tolerance):
    x, grey = batch(Images(PIXELS, binarize=binarize), backend, dtype), PIXELS[ROWS] / 255
    assert x.shape == (5, 4, 3, 1) and x.dtype == dtype
    if binarize == "none":
        np.testing.assert_allclose(x, grey, rtol=0, atol=tolerance("kernel", dtype))
    else:
        assert set(np.unique(x)) == {0, 1}
    if binarize == "threshold":
        np.testing.assert_array_equal(x, grey > 0.5)


def test_dynamic_pixels_are_drawn_anew_each_epoch_and_with_their_grey_as_probability(backend):
    source, rows = Images(PIXELS, binarize="dynamic"), np.arange(6, dtype=np.uint32)
    draws = np.array([batch(source, backend, rows=rows, epoch=epoch) for epoch in range(400)])
    p = PIXELS[:6] / 255
    assert (np.abs(draws.mean(axis=0) - p) <= 4.5 * np.sqrt(p * (1 - p) / 400)).all()
    assert len(np.unique(draws.reshape(400, -1), axis=0)) == 400
    np.testing.assert_array_equal(batch(source, backend, rows=rows, epoch=7), draws[7])
    assert (batch(source, backend, rows=rows, epoch=7, seed=1) != draws[7]).any()


@BINARIZE
def test_an_example_is_the_same_in_any_batch(backend, binarize):
    source = Images(PIXELS, binarize=binarize)
    x = batch(source, backend)
    np.testing.assert_array_equal(x[0], x[3])  # row 7 twice
    for n, row in enumerate(ROWS):
        np.testing.assert_array_equal(
            batch(source, backend, rows=np.array([row], np.uint32))[0], x[n]
        )


@BINARIZE
def test_values_are_what_a_held_out_batch_has(backend, binarize):
    source = Images(PIXELS, binarize=binarize)
    held_out = batch(source, backend, epoch=0, purpose=randomness.EVALUATION)
    assert source.values().shape == PIXELS.shape and source.values().dtype == np.float32
    np.testing.assert_allclose(source.values(ROWS), held_out, atol=1e-7)
    np.testing.assert_array_equal(source.values(slice(2, 5)), source.values()[2:5])
    np.testing.assert_array_equal(source.values([4]), source.values()[4:5])


def test_held_out_pixels_are_drawn_from_a_stream_of_their_own(tolerance):
    source = Images(PIXELS, binarize="dynamic")
    decoder = Sequential(Dense(2, 12), Reshape(4, 3, 1))
    model = Autoencoder(Sequential(Flatten(), Dense(12, 2)), decoder, Bernoulli()).build(
        (4, 3, 1), dtype="float64"
    )
    losses = [evaluate(model, data)["loss"] for data in (source, source.values())]
    assert losses[0] == pytest.approx(losses[1], rel=tolerance("loss"))
    training = [
        batch(source, epoch=epoch, rows=np.arange(6, dtype=np.uint32)) for epoch in range(3)
    ]
    assert all((x != source.values()[:6]).any() for x in training)


def test_one_buffer_for_all_batches(backend):
    b = get_backend(backend)
    rows, clock = b.share(ROWS), b.asarray(randomness.clock(0), "uint32")
    for source in (Images(PIXELS, binarize="dynamic"), Values(X)):
        feed = source.feed(b, 6)
        first, second = feed.fill(rows, clock), feed.fill(rows[:2], clock)
        at, still = (a.data.ptr if backend == "cupy" else a.ctypes.data for a in (first, second))
        assert at == still and second.shape == (2, 4, 3, 1)
        assert feed.x.dtype == np.float32 and (feed.u is None or feed.u.dtype == np.float32)


def test_pixels_stay_bytes_and_are_not_copied(backend):
    source = Images(PIXELS)
    data = source.feed(get_backend(backend), 6).table.data
    assert source.pixels is PIXELS and data.dtype == np.uint8 and data.nbytes == PIXELS.nbytes
    assert backend == "cupy" or np.shares_memory(data, PIXELS)  # a GPU cannot read the host's own
    strided = Images(PIXELS[::2, :, ::-1])
    np.testing.assert_array_equal(
        batch(strided, backend, rows=ROWS[1:2]),
        batch(Images(strided.pixels.copy()), backend, rows=ROWS[1:2]),
    )


WHOLE = np.round(3 * X)
UNREADY = {  # what kernels do not read as it lies in memory
    "int16": WHOLE.astype("int16"),
    "int64": WHOLE.astype("int64"),
    "bool": X > 0,
    "float16": X.astype("float16"),
    "longdouble": X.astype("longdouble"),
    "big-endian": X.astype(">f4"),
    "Fortran": np.asfortranarray(X),
    "int16 in Fortran": np.asfortranarray(WHOLE.astype("int16")),
    "reversed": X[::-1, :, ::-1],
    "one row for all": np.broadcast_to(X[:1], X.shape),
    "unaligned": np.frombuffer(b"0" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_of_values(backend, dtype):
    np.testing.assert_array_equal(batch(Values(X), backend, dtype), X[ROWS].astype(dtype))
    assert len(Values(X)) == 11 and Values(X).shape == (4, 3, 1)


@pytest.mark.parametrize("kind", UNREADY)
@pytest.mark.parametrize("resident", [0.0, 1.0])
def test_rows_are_converted_as_they_are_gathered(kind, backend, resident, monkeypatch):
    """On the host, a batch at a time; on a GPU the whole in pieces, or the batches that cross."""
    monkeypatch.setattr(cupy_module, "RESIDENT", resident)
    monkeypatch.setattr(checks, "PIECE", 500)
    x = UNREADY[kind]
    source = Values(x)
    assert source.x is x
    single = x.dtype.itemsize <= 2 or x.dtype == ">f4"
    due = x.astype("float32" if single else "float64")[ROWS]
    for dtype in ("float32", "float64"):
        np.testing.assert_array_equal(batch(source, backend, dtype), due.astype(dtype))
    if backend != "cupy":
        assert source.feed(get_backend(backend), 6).table.data.shape == (6, 12)


@pytest.mark.parametrize("resident", [0.0, 1.0])
@BINARIZE
def test_images_in_another_order(backend, binarize, resident, monkeypatch):
    monkeypatch.setattr(cupy_module, "RESIDENT", resident)
    monkeypatch.setattr(checks, "PIECE", 50)
    for pixels in (np.asfortranarray(PIXELS), PIXELS[::2, :, ::-1][[0, 1, 2] * 4]):
        ours, theirs = (
            Images(p, binarize=binarize) for p in (pixels, np.ascontiguousarray(pixels))
        )
        assert ours.pixels is pixels
        np.testing.assert_array_equal(batch(ours, backend), batch(theirs, backend))
        np.testing.assert_array_equal(ours.values(ROWS), theirs.values(ROWS))


def test_the_check_is_the_likelihoods():
    Values(X).check(SquaredError())
    Images(PIXELS).check(Bernoulli())
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        Values(X).check(Bernoulli())


def test_as_source():
    images = Images(PIXELS)
    assert as_source(images) is images
    assert isinstance(as_source(X), Values)

    class Own:
        """A reader's own source is taken as it is."""

        def feed(self, backend, rows): ...

    assert isinstance(as_source(Own()), Own)


def test_labels_and_names_go_along():
    labels = np.arange(11)
    images = Images(PIXELS, labels, name="mine")
    assert (
        images.labels is labels
        and images.name == "mine"
        and len(images) == 11
        and images.shape == (4, 3, 1)
    )


@pytest.mark.parametrize(
    "labels", [np.arange(10), np.arange(12), np.zeros((11, 1)), 3, "eleven words", {1}]
)
def test_labels_are_one_for_each_row(labels):
    for make in (lambda: Images(PIXELS, labels), lambda: Values(X, labels)):
        with pytest.raises(
            ValueError, match=r"shape of the labels is .*, but \(11,\) is expected"
        ):
            make()
    assert Values(X, list("elevenwords")).labels == list("elevenwords")


def test_labels_with_a_mask_or_of_uneven_lengths():
    for make in (lambda labels: Images(PIXELS, labels), lambda labels: Values(X, labels)):
        with pytest.raises(TypeError, match="a masked array is given as the labels"):
            make(np.ma.array(np.arange(11), mask=np.arange(11) > 3))
        with pytest.raises(ValueError, match=r"the labels are no array .*: give lists of equal"):
            make([[1, 2]] + [[3]] * 10)


def test_load_by_name(monkeypatch):
    small = strokes.load(30, 20)
    monkeypatch.setattr(strokes, "load", lambda: small)
    train, test = datasets.load("strokes", binarize="threshold")
    assert (len(train), len(test)) == (30, 20) and train.shape == (28, 28, 1)
    assert train.name == test.name == "strokes (generated)" and train.binarize == "threshold"
    np.testing.assert_array_equal(train.labels, small[0][1])
    assert set(datasets.LOADERS) == set(datasets.TITLES) == {"mnist", "fashion_mnist", "strokes"}


def test_a_table_with_a_column_called_feed():
    class Table:
        feed = np.ones(4)

        def __array__(self, dtype=None, copy=None):
            return np.ones((4, 6), np.float32)

    assert len(Values(Table())) == 4
    model = Autoencoder(Dense(6, 2), Dense(2, 6)).build(6)
    assert model.encode(Table()).shape == (4, 2)
