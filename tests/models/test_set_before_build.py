"""What is set before build is what is built, trained and saved, as if the constructor had been
given it."""

import ast
import copy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sentences import one_sentence

import scratchae as sa
from scratchae.datasets import Values
from scratchae.execution.threads import ThreadRunner

ROOT = Path(__file__).resolve().parents[2] / "scratchae"
X = np.random.default_rng(0).random((8, 6, 1))


def conv1d(kind, late, **settings):
    """The layer with these settings, given to its constructor or set afterwards."""
    arguments = {"kernel": 3, "stride": 1, "padding": "same", "activation": "identity"}
    layer = kind(1, 2, **(arguments if late else arguments | settings))
    for name, value in settings.items():
        setattr(layer, name, value)
    return layer


@pytest.mark.parametrize("kind", [sa.Conv1d, sa.ConvTranspose1d])
@pytest.mark.parametrize(
    "settings",
    [{"activation": "relu"}, {"stride": 2}, {"kernel": 5}, {"padding": (1, 0)}],
    ids=str,
)
def test_a_convolution_over_time(kind, settings):
    late, early = (sa.by_hand(conv1d(kind, at, **settings), (6, 1)) for at in (True, False))
    np.testing.assert_array_equal(late(X), early(X))


def test_a_penalty_over_shards():
    """KLRate's gradient needs the total of all shards, and so must not go in blocks."""

    def gradient(late, shards):
        penalty = sa.KLRate(1.0)
        model = sa.Autoencoder(
            sa.Dense(6, 3, "sigmoid"), sa.Dense(3, 6), penalty=None if late else penalty
        )
        model.penalty = penalty
        model.build(6, dtype="float64")
        with ThreadRunner(model, 8, shards) as runner:
            feeds = runner.feeds(Values(X[:, :, 0]))
            runner.gradients(feeds, np.arange(8, dtype=np.uint32))
            return runner.grads.sum(axis=0)

    for shards in (1, 2, 3):
        np.testing.assert_array_equal(gradient(True, shards), gradient(False, shards))


def test_a_window_of_more_pixels_than_a_byte_counts():
    pool = sa.MaxPool2d(2)
    with pytest.raises(ValueError, match=r"MaxPool2d\(size\) is 20, but 256 pixels are the most"):
        pool.size = 20


@pytest.mark.parametrize("name", ["encoder", "decoder", "likelihood", "latent"])
def test_a_part_of_another_kind(name):
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2))
    with pytest.raises(TypeError, match=f"the {name} is 'x', but a"):
        setattr(model, name, "x")


def test_built_again_no_step_is_done():
    model = sa.VAE(
        sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), beta=sa.schedules.Linear(0, 1, 3)
    ).build(6, seed=0)
    x = X[:, :, 0].astype(np.float32)
    before = sa.evaluate(model, x)
    sa.fit(model, x, sa.Adam(), epochs=3, progress=False)
    assert model.objective.t == 3
    assert sa.evaluate(model.build(6, seed=0), x) == before and model.objective.t == 0


@pytest.mark.parametrize(
    ("thing", "name"),
    [(sa.GaussianNoise(0.1), "sigma"), (sa.Adam(0.1), "lr"), (sa.L1(0.1), "weight")],
)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_has_numbers_of_its_own(thing, name, copied):
    other = copied(thing)
    setattr(other, name, 0.5)
    assert getattr(thing, name) == 0.1 and getattr(other, name) == 0.5


def made_in_constructors(source):
    """Attributes that a constructor sets beside its own arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            arguments = node.args.args + node.args.kwonlyargs + [node.args.vararg]
            given = {argument.arg for argument in arguments if argument}
            for inner in ast.walk(node):
                stored = isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
                if stored and inner.attr not in given:
                    yield inner.attr


def test_constructors_only_store():
    """What is derived from an argument is made in declare, or an argument set later is ignored."""
    planted = (
        "class A:\n    def __init__(self, k):\n        self.k = k\n        self.twice = 2 * k"
    )
    assert list(made_in_constructors(planted)) == ["twice"]
    files = [
        path
        for folder in ("layers", "latents", "likelihoods", "objectives", "optim")
        for path in (ROOT / folder).glob("*.py")
        if path.name not in ("products.py", "by_hand.py", "hosted.py")  # no part of a model
    ]
    found = {path.name: list(made_in_constructors(path.read_text())) for path in files}
    assert {name: made for name, made in found.items() if made} == {"reshape.py": ["sizes"]}


OTHERS = [
    (sa.SharedGaussian, "initial", -7, ValueError, r"SharedGaussian\(initial\) is -7"),
    (sa.DiscretisedLogistic, "bins", 1, ValueError, r"DiscretisedLogistic\(bins\) is 1"),
    (sa.DiscretisedLogistic, "low", "0", ValueError, r"DiscretisedLogistic\(low\) is '0'"),
    (sa.DiscretisedLogistic, "high", float("nan"), ValueError, r"\(high\) is nan"),
    (lambda: sa.Reshape(2, 3), "sizes", (2, 0), ValueError, r"Reshape\(sizes\) is 0"),
    (lambda: sa.Reshape(2, 3), "sizes", 6, TypeError, r"Reshape\(sizes\) is a int, but a tuple"),
    (lambda: sa.Sequential(sa.Dense(2, 3)), "layers", (), ValueError, "empty"),
    (lambda: sa.Sequential(sa.Dense(2, 3)), "layers", (3,), TypeError, "given 3, but it takes"),
    (lambda: sa.Sequential(sa.Dense(2, 3)), "layers", 3, TypeError, "is a int, but a tuple of"),
]


@pytest.mark.parametrize(("made", "name", "value", "error", "words"), OTHERS)
def test_what_a_constructor_refuses_cannot_be_set_either(made, name, value, error, words):
    thing = made()
    before = getattr(thing, name)
    one_sentence(lambda: setattr(thing, name, value), error, words)
    assert getattr(thing, name) is before


def test_bins_between_edges_that_are_set_the_wrong_way_round():
    likelihood = sa.DiscretisedLogistic()
    likelihood.low = 2
    for use in (lambda: likelihood.width, lambda: likelihood.check(np.ones((2, 6)))):
        one_sentence(use, ValueError, r"\(high\) is 1.0, but it must be a number above 2")
    likelihood.high = 3
    assert likelihood.width == 1 / 255


OBJECTIVES = [sa.ELBO, sa.IWAE, sa.STL, sa.DReG]
OBJECTIVES += [partial(sa.FreeBits, floor=1), partial(sa.Capacity, capacity=1)]


@pytest.mark.parametrize("part", ["encoder", "decoder", "latent", "likelihood"])
@pytest.mark.parametrize("kind", OBJECTIVES)
def test_an_objective_is_of_parts(kind, part):
    """In its constructor, where a model would pass a latent over, and afterwards."""
    parts = {
        "encoder": sa.Dense(6, 4),
        "decoder": sa.Dense(2, 6),
        "latent": sa.Gaussian(2),
        "likelihood": sa.Bernoulli(),
    }
    words = rf"the {part} is None, but a \w+, such as"
    one_sentence(lambda: sa.Model(kind(**parts | {part: None})), TypeError, words)
    one_sentence(lambda: setattr(kind(**parts), part, None), TypeError, words)
