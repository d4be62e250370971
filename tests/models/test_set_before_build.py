"""What is set before build is what is built, trained and saved, as if the constructor had been
given it."""

import ast
import copy
from pathlib import Path

import numpy as np
import pytest

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
