"""Data of a reader's own: any object of the protocol, and a sentence for one that is not quite."""

import re

import numpy as np
import pytest

import scratchae as sa
from scratchae.datasets import as_source

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
