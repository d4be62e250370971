"""Descriptions: what is called like the library's is not taken for it, and what cannot be told is
a sentence."""

import collections
import functools

import numpy as np
import pytest

import scratchae as sa
from scratchae import initializers, layers, schedules
from scratchae.saving.description import LIBRARY, construct, describe
from scratchae.settings import store

X = np.random.default_rng(0).random((12, 6)).astype(np.float32)


class Warmup(schedules.Schedule):
    """A rate that falls again after its warm-up, which the library's Warmup does not."""

    def __init__(self, start, steps):
        self.start, self.steps = start, steps

    def __call__(self, t):
        return self.start * min(t / self.steps, self.steps / t)


class Dense(layers.Dense):
    """Another layer, which is called like the library's."""


class Normal(initializers.Normal):
    """Another initialiser, which is called like the library's."""


def zeros(t):
    return 1e-3


OWN = {one.__name__: one for one in (Warmup, Dense, Normal, zeros)}


def trained(lr=1e-3, first=None):
    model = sa.Autoencoder(first or sa.Dense(6, 3), sa.Dense(3, 6)).build(6)
    optimizer = sa.Adam(1e-3)
    sa.fit(model, X, optimizer, epochs=1)
    store(optimizer)["lr"] = lr  # unchecked: an optimiser refuses most of what cannot be described
    model.optimizer = optimizer
    return model


def save(model, path):
    """With the optimiser that ``trained`` used."""
    sa.save(model, path, optimizer=model.optimizer)


OWNERS = {
    "Warmup": (lambda: trained(Warmup(0.1, 3)), lambda model: type(model.optimizer.lr)),
    "Dense": (lambda: trained(first=Dense(6, 3)), lambda model: type(model.objective.encoder)),
    "Normal": (
        lambda: trained(first=sa.Dense(6, 3, init=Normal(0.1))),
        lambda m: type(m.objective.encoder.init),
    ),
    "zeros": (lambda: trained(zeros), lambda model: model.optimizer.lr),
}


@pytest.mark.parametrize("name", OWNERS)
def test_what_is_called_like_the_librarys_is_the_users(tmp_path, name):
    make, found = OWNERS[name]
    assert f"scratchae.{name}" in LIBRARY
    save(make(), tmp_path / "model")
    with pytest.raises(
        ValueError, match=rf"names '{name}', which is not one of this .*classes=\[{name}\]"
    ):
        sa.load(tmp_path / "model")
    again = sa.load(tmp_path / "model", classes=OWN.values())
    assert found(again) is OWN[name]
    assert type(again.objective.decoder) is sa.Dense  # in the same file, the library's own


@pytest.mark.parametrize("name", OWNERS)
def test_a_class_handed_in_does_not_stand_for_the_librarys(tmp_path, name):
    lr, first = schedules.Warmup(0.1, 3), sa.Dense(6, 3, init=initializers.Normal(0.1))
    save(trained(lr, first), tmp_path / "model")
    again = sa.load(tmp_path / "model", classes=[OWN[name]])
    layer = again.objective.encoder
    kinds = {type(again.optimizer.lr), type(layer), type(layer.init), layer.init_b}
    assert kinds == {schedules.Warmup, sa.Dense, initializers.Normal, initializers.zeros}


class Tail(schedules.Schedule):
    """Arguments without a name behind one with, as *rest."""

    def __init__(self, lr, *rest):
        self.lr, self.rest = lr, rest

    def __call__(self, t):
        return self.lr


class Nameless(Tail):
    def __init__(self, lr, /):
        super().__init__(lr)


class Keywords(Tail):
    def __init__(self, lr, **kw):
        super().__init__(lr)
        self.kw = None


class Twice(Tail):
    def __init__(self, lr):
        super().__init__(2 * lr)


class Itself(Tail):
    def __init__(self, lr, me=None):
        super().__init__(lr)
        self.me = self


class Choosy(Tail):
    """A constructor that may raise anything."""

    def __init__(self, lr):
        if lr > 1:
            raise IndexError("a rate below 1")
        super().__init__(lr)


def spoilt():
    lr = Choosy(0.1)
    lr.lr = 2.0
    return lr


class Float(Tail):
    def __init__(self, lr):
        super().__init__(float(np.float64(lr)))  # another nan each time


def test_what_is_no_number_comes_back(tmp_path):
    model = trained(Float(np.nan))
    save(model, tmp_path / "model")
    assert np.isnan(sa.load(tmp_path / "model", classes=[Float]).optimizer.lr.lr)


def test_a_whole_number_in_the_place_of_another_is_no_obstacle(tmp_path):
    """As of a schedule for beta that ends in min(1, ...)."""
    model = trained(Warmup(0.1, 3))
    model.optimizer.lr = 1
    save(model, tmp_path / "model")
    assert sa.load(tmp_path / "model").optimizer.lr == 1


def test_two_classes_of_one_name_are_not_saved(tmp_path):
    first, second = sa.Dense(6, 3), Dense(6, 6)
    second.init = type("Dense", (initializers.Normal,), {})(0.1)
    with pytest.raises(TypeError, match="it is Dense, and another of the user's is called so too"):
        save(trained(first=sa.Sequential(second, first)), tmp_path / "model")


@pytest.mark.parametrize("lr", [Tail(0.1), Tail(0.1, 2, 3), Nameless(0.1)])
def test_arguments_without_a_name_come_back(tmp_path, lr):
    save(trained(lr), tmp_path / "model")
    again = sa.load(tmp_path / "model", classes=[type(lr)]).optimizer.lr
    assert type(again) is type(lr) and vars(again) == vars(lr)


@pytest.mark.parametrize(
    ("lr", "words"),
    [
        (Keywords(0.1), r"since it takes \*\*kw"),
        (Twice(0.1), "made again from its arguments it is another"),
        (Itself(0.1), "recursion"),
        (spoilt(), r"cannot be made again from its arguments \(IndexError: a rate below 1\)"),
        (Tail(np.datetime64("2026-11-25")), "date cannot be saved"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, lr, words):
    with pytest.raises(TypeError, match=words):
        save(trained(lr), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_the_librarys_are_described_by_their_full_names():
    for name, one in LIBRARY.items():
        if not isinstance(one, type):
            assert describe(one) == {"function": name}
            assert construct({"function": name}, OWN) is one
    assert describe(sa.L1(0.5)) == {"class": "scratchae.L1", "arguments": {"weight": 0.5}}


def test_a_frozen_layer_says_so():
    """Only it: a file of a layer that learns has no word of this."""
    layer = sa.Dense(6, 3)
    plain = describe(layer)
    layer.trainable = False
    assert describe(layer) == plain | {"frozen": True}
    both = construct(plain, {}), construct(describe(layer), {})
    assert [one.trainable for one in both] == [True, False]


def test_two_of_one_name(tmp_path):
    save(trained(Warmup(0.1, 3)), tmp_path / "model")
    with pytest.raises(
        ValueError, match=r"classes is .*Warmup.*, but two have one name: hand in the one that"
    ):
        sa.load(tmp_path / "model", classes=[Warmup, schedules.Warmup])
    assert sa.load(tmp_path / "model", classes=[Warmup, Warmup]).optimizer.lr.steps == 3


class Other:
    """Keeps its argument by another name."""

    def __init__(self, start):
        self.s = start


class Table:
    """Keeps what it is given."""

    def __init__(self, rates):
        self.rates = rates


@pytest.mark.parametrize(
    "lr, what",
    [
        (lambda t: 1e-3, "<function <lambda> .*> cannot be saved"),
        (functools.partial(zeros), "a partial cannot be saved"),
        (
            Other(1e-3),
            "a Other cannot be saved, since its argument start is no attribute of that name",
        ),
        (Table(np.array([[1e-3], [1e-4]])), "a ndarray cannot be saved: use"),
        (Table(collections.deque([1e-3])), "a deque cannot be saved"),
        (Table({}), "a dict cannot be saved: use"),
        (Table({}).__init__, "<bound method .*> cannot be saved"),
    ],
)
def test_what_cannot_be_told_is_a_sentence_with_a_way_out(tmp_path, lr, what):
    model = trained(lr)
    with pytest.raises(TypeError, match=rf"{what}.*a function.*optimizer\.lr = 1e-3") as caught:
        save(model, tmp_path / "model")
    assert "\n" not in str(caught.value) and "made again" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    model.optimizer.lr = 1e-3
    save(model, tmp_path / "model")
    assert sa.load(tmp_path / "model").optimizer.lr == 1e-3
