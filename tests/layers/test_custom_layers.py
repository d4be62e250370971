"""Classes of a reader's own: what they leave out is said in a sentence, by name, and before
anything is trained."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.gradcheck import check_layer

X = np.linspace(0, 1, 40 * 6, dtype=np.float32).reshape(40, 6)


class Half(sa.Layer):
    """y = x / 2, as short as a layer can be."""

    def __init__(self, by=2):
        self.divisor = by

    def declare(self, shape):
        self.output = shape
        return shape, {}

    def bind(self, backend, rows, need_dx):
        pass

    def forward(self, x):
        return x / np.float32(self.divisor)

    def backward(self, dy):
        return dy / np.float32(self.divisor)


class Crop(Half):
    """An argument called shape, and a shape of its own inside."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def declare(self, shape):
        self.output = self.shape
        return self.shape, {}

    def forward(self, x):
        return x[:, : self.shape[0]]

    def backward(self, dy):
        return np.concatenate([dy, 0 * dy], axis=1)[:, :3]


class Said(Half):
    """output is a property, shape what declare makes of it."""

    def declare(self, shape):
        self.shape = (1, *shape)
        return shape, {}

    @property
    def output(self):
        return self.shape[1:]


class NoBackward(Half):
    backward = sa.Layer.backward


class NoForward(Half):
    forward = sa.Layer.forward


class NoBind(Half):
    bind = sa.Layer.bind


class NoDeclare(Half):
    declare = sa.Layer.declare


class ShapeAlone(Half):
    def declare(self, shape):
        return shape


class NoDict(Half):
    def declare(self, shape):
        return shape, [("W", shape)]


class NoOutput(Half):
    def declare(self, shape):
        return shape, {}


def model(layer):
    encoder = sa.Sequential(sa.Dense(6, 3), layer)
    return sa.Autoencoder(encoder, sa.Dense(3, 6)).build(6)


def test_a_short_layer_is_enough():
    m = model(Half())
    assert "encoder.1  Half()" in str(m)  # its argument is kept under another name
    losses = sa.fit(m, X, sa.Adam(1e-2), epochs=5, batch_size=8)["train_loss"]
    assert losses[-1] < losses[0]
    alone = sa.Autoencoder(sa.Dense(6, 3), sa.Sequential(sa.Dense(3, 6), Half())).build(6)
    assert alone.reconstruct(X).shape == X.shape
    with pytest.raises(
        TypeError, match="a Half cannot be saved, since its argument by is no attribute"
    ):
        sa.save(m, "nowhere")


@pytest.mark.parametrize(
    ("layer", "kind", "words"),
    [
        (NoDeclare(), NotImplementedError, r"NoDeclare does not say declare\(shape\)"),
        (
            ShapeAlone(),
            TypeError,
            r"ShapeAlone\.declare gives \(3,\), but the shape of an output row and",
        ),
        (
            NoOutput(),
            TypeError,
            r"NoOutput\.declare sets no self\.output: set it to the shape of an output row",
        ),
        (NoBind(), NotImplementedError, r"NoBind does not say bind\(backend, rows, need_dx\)"),
        (NoForward(), NotImplementedError, r"NoForward does not say forward\(x\)"),
        (NoBackward(), NotImplementedError, r"NoBackward does not say backward\(dy\)"),
    ],
)
def test_what_a_layer_leaves_out(layer, kind, words):
    with pytest.raises(kind, match=words):
        sa.fit(model(layer), X, sa.Adam(), epochs=1)


def test_what_a_layer_has_of_its_own_is_left_alone(tmp_path):
    m = sa.Autoencoder(sa.Sequential(sa.Dense(6, 3), Crop((2,))), sa.Dense(2, 6)).build(6).build(6)
    sa.fit(m, X, sa.Adam(), epochs=1)
    sa.save(m, tmp_path / "model")
    again = sa.load(tmp_path / "model", classes=[Crop])
    np.testing.assert_array_equal(again.reconstruct(X), m.reconstruct(X))
    assert m.objective.encoder.layers[1].shape == (2,)
    said = model(Said()).objective.encoder.layers[1]
    assert said.shape == (1, 3) and said.output == (3,)


def test_the_check_of_a_gradient_takes_what_a_model_takes():
    report = check_layer(Half(), (3,))
    assert report.ok, str(report)
    with pytest.raises(TypeError, match=r"ShapeAlone\.declare gives \(3,\)"):
        check_layer(ShapeAlone(), (3,))


@pytest.mark.parametrize("decoder", [ShapeAlone(), NoDict()])
def test_a_decoder_is_asked_in_the_same_way(decoder):
    with pytest.raises(TypeError, match=r"\.declare gives .*, but the shape of an output row and"):
        sa.Autoencoder(sa.Dense(6, 6), decoder).build(6)
