"""Data of a reader's own: any object of the protocol, and a sentence for one that is not quite."""

import re

import numpy as np
import pytest
from sentences import one_sentence

import scratchae as sa
from scratchae.coding import compress
from scratchae.datasets import as_source
from scratchae.detection import Detector, absolute_error
from scratchae.evaluation import health

X = np.random.default_rng(0).random((40, 5)).astype(np.float32)


class Rows:
    """Rows of an array, gathered by NumPy; its feed is itself."""

    name, shape = "rows", (5,)

    def __len__(self):
        return len(X)

    def check(self, likelihood):
        likelihood.check(X)

    def feed(self, backend, rows):
        return self

    def fill(self, rows, clock):
        return X[rows]


def lacking(name):
    """The class without one of its members."""
    members = {key: value for key, value in vars(Rows).items() if key != name}
    return type("Lacks", (), members)()


class Narrow(Rows):
    def fill(self, rows, clock):
        return X[rows, :4]


class Wide(Rows):
    def fill(self, rows, clock):
        return X[rows].astype(np.float64)


class Every(Rows):
    def fill(self, rows, clock):
        return X


class Lists(Rows):
    def fill(self, rows, clock):
        return X[rows].tolist()


class NoFeed(Rows):
    def feed(self, backend, rows):
        pass


class NoFill(Rows):
    def feed(self, backend, rows):
        return iter(X)


def built():
    return sa.Autoencoder(sa.Dense(5, 3), sa.Dense(3, 5)).build(5, seed=0)


def test_rows_by_hand_are_rows():
    mine, theirs, data = built(), built(), Rows()
    for model, given in ((mine, data), (theirs, X)):
        sa.fit(model, given, sa.Adam(1e-2), epochs=2, batch_size=16, progress=False)
    np.testing.assert_array_equal(mine.parameters.values, theirs.parameters.values)
    assert sa.evaluate(mine, data) == sa.evaluate(mine, X)
    assert as_source(data) is data and isinstance(data, sa.Source)


@pytest.mark.parametrize("shape", [[5], 5, (6,)])
def test_another_shape(shape):
    data = Rows()
    data.shape = shape
    words = re.escape(f"data has rows of shape {shape}, but the model takes (5,)")
    with pytest.raises(ValueError, match=words):
        sa.evaluate(built(), data)


@pytest.mark.parametrize("name", ["name", "shape", "__len__", "check"])
@pytest.mark.parametrize("use", [sa.evaluate, lambda *a: sa.fit(*a, sa.Adam(), epochs=1)])
def test_a_member_that_is_missing(name, use):
    data = lacking(name)
    words = rf"data is a .*Lacks, which has a feed, but no {name}: a source has name, shape"
    with pytest.raises(TypeError, match=words):
        use(built(), data)
    assert not isinstance(data, sa.Source)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Narrow, r"\(1, 4\) float32"),
        (Wide, r"\(1, 5\) float64"),
        (Every, r"\(40, 5\) float32"),
        (Lists, "a list"),
        (NoFeed, "a NoneType"),
        (NoFill, "a NoneType"),
    ],
)
def test_rows_that_are_not_what_it_says(kind, found):
    words = rf"a feed of rows is asked for 1 row, and fill\(rows, clock\) gives {found}.*, but "
    with pytest.raises(TypeError, match=words + r"\(1, 5\) float32 is expected"):
        sa.fit(built(), kind(), sa.Adam(), epochs=1, progress=False)
    with pytest.raises(TypeError, match=words):
        sa.evaluate(built(), kind())


class Beside(Rows):
    """Rows whose feed leaves something beside x, each of that width."""

    def __init__(self, conditions=0, **widths):
        self.conditions, self.widths = conditions, widths

    def fill(self, rows, clock):
        for name, width in self.widths.items():
            setattr(self, name, np.ones((len(rows), width), np.float32))
        return X[rows]


def taking():
    encoder = sa.Sequential(sa.Given(2), sa.Dense(7, 3))
    return sa.Autoencoder(encoder, sa.Dense(3, 5)).build(5, seed=0)


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        (built, Beside(target=3), r"leaves in target \(1, 3\) float32, but \(1, 5\) float32 is"),
        (built, Beside(seen=4), r"leaves in seen \(1, 4\) float32, but \(1, 5\) float32 is"),
        (
            taking,
            Beside(2, c=3),
            r"conditions = 2 it leaves in c \(1, 3\) .* but \(1, 2\) float",
        ),
        (taking, Beside(2), r"conditions = 2 it leaves in c a NoneType, but \(1, 2\) float32"),
        (built, Beside(c=2), r"conditions = 0 it leaves in c \(1, 2\) .* but \(1, 0\) float32"),
    ],
)
def test_what_is_beside_x_is_looked_at_too(model, data, words):
    """The kernels would read beyond its end."""
    for use in (sa.evaluate, lambda *a: sa.fit(*a, sa.Adam(), epochs=1, progress=False)):
        one_sentence(lambda use=use: use(model(), data), TypeError, words)
    assert np.isfinite(sa.evaluate(taking(), Beside(2, c=2, target=5, seen=5))["loss"])


class Same(sa.datasets.Values):
    """Values of a reader's own, whose feed leaves something of that width."""

    def __init__(self, conditions, name, width):
        super().__init__(X)
        self.conditions, self.left = conditions, (name, width)

    def feed(self, backend, rows):
        feed, (name, width) = super().feed(backend, rows), self.left
        setattr(feed, name, backend.zeros((rows, width)))
        return feed


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        (built, (0, "target", 3), r"leaves in target .* shape \(40, 3\), but x has \(40, 5\)"),
        (built, (0, "seen", 6), r"leaves in seen .* shape \(40, 6\), but x has \(40, 5\)"),
        (taking, (2, "c", 3), r"Given\(2\) is given .* shape \(40, 3\), but \(N, 2\) is"),
    ],
)
def test_values_of_a_reader_s_own_are_looked_at_in_each_step(model, data, words):
    one_sentence(lambda: sa.evaluate(model(), Same(*data), shards=1), ValueError, words)


USES = {
    "encode": lambda model, data: model.encode(data),
    "detector": lambda model, data: Detector(model, absolute_error).fit(data),
}


@pytest.mark.parametrize("use", ["encode", "detector"])
def test_rows_on_the_host_are_asked_for_in_a_sentence(use):
    """Those of what is scored, and what is given beside, too."""
    call = USES[use]
    one_sentence(lambda: call(built(), sa.Pairs(X, Rows())), TypeError, r"define values\(rows\)")
    data = Beside(2, c=2)
    data.values = lambda rows: X[rows]
    one_sentence(lambda: call(taking(), data), TypeError, r"define given\(rows\)")


def test_what_is_scored_of_pairs_is_not_read_to_refuse_them():
    vae = sa.VAE(sa.Dense(5, 2), sa.Dense(1, 5), sa.Gaussian(1), sa.Bernoulli()).build(5)
    data = sa.Pairs(X, Rows())
    one_sentence(lambda: health(vae, data), TypeError, "are Pairs or Observed, of which")
    one_sentence(lambda: compress(vae, data), TypeError, r"define values\(rows\)")


@pytest.mark.parametrize("far", [1e300, -1e39])
def test_numbers_beside_x_are_to_fit_the_model_s_dtype(far):
    c, model = np.full((40, 2), far), taking()
    words = r"what the rows of \w+ are given is .* at index \(0, 0\), but float32 ends"
    for use in (model.encode, lambda data: sa.evaluate(model, data)):
        one_sentence(lambda use=use: use(sa.Labelled(X, c)), ValueError, words)
    one_sentence(lambda: model.encode(X, given=c), ValueError, "given is .* but float32 ends")
    clean = X.astype(np.float64) + far
    one_sentence(lambda: sa.evaluate(built(), sa.Pairs(X, clean)), ValueError, "float32 ends")
