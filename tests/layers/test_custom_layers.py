"""Classes of a reader's own: what they leave out is said in a sentence, by name, and before
anything is trained."""

import copy

import numpy as np
import pytest

import scratchae as sa
from scratchae.execution.shards import shards_of
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


class OneNumber(Half):
    def declare(self, shape):
        self.output = shape[0]
        return shape, {}


def model(layer, dtype="float64"):
    encoder = sa.Sequential(sa.Dense(6, 3), layer)
    return sa.Autoencoder(encoder, sa.Dense(3, 6)).build(6, dtype=dtype)


class WidthAlone(Half):
    def declare(self, shape):
        self.width, self.shape = shape, shape[0]
        return shape, {}

    @property
    def output(self):
        return self.width


def test_a_layer_may_call_something_else_its_shape():
    """The number of shards is found without it."""
    made = sa.Autoencoder(sa.Sequential(sa.Dense(6, 3), WidthAlone()), sa.Dense(3, 6)).build(6)
    assert shards_of(made, 64) == 1


def test_a_short_layer_is_enough():
    m = model(Half())
    assert "encoder.1  Half()" in str(m)  # its argument is kept under another name
    losses = sa.fit(m, X, sa.Adam(1e-2), epochs=5, batch_size=8)["train_loss"]
    assert losses[-1] < losses[0]
    alone = sa.Autoencoder(sa.Dense(6, 3), sa.Sequential(sa.Dense(3, 6), Half()))
    alone.build(6, dtype="float64")
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
        (
            OneNumber(),
            TypeError,
            r"OneNumber\.declare gives \(3,\) as the shape of .*, but sets self\.output to 3: set",
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


class Scale(Half):
    """y = s x, one parameter, right in all it does."""

    def declare(self, shape):
        self.output = shape
        return shape, {"s": (shape, lambda noise: np.ones(shape))}

    def forward(self, x):
        self.x = x
        return x * self.s

    def backward(self, dy):
        self.ds[...] = (dy * self.x).sum(axis=0) + (self.ds if self.add else 0)
        return dy * self.s


class Rebinds(Scale):
    """Its gradient is an array of its own, which no optimiser reads."""

    def backward(self, dy):
        self.ds = (dy * self.x).sum(axis=0)
        return dy * self.s


class Replaces(Scale):
    """So is its parameter, which would no more be trained."""

    def forward(self, x):
        self.s = self.s / np.linalg.norm(self.s)
        return super().forward(x)


class InPlace(Scale):
    """The same array, added to in place."""

    def backward(self, dy):
        if not self.add:
            self.ds[...] = 0
        self.ds += (dy * self.x).sum(axis=0)
        return dy * self.s


class NarrowInput(Scale):
    def backward(self, dy):
        return super().backward(dy)[:, :1]


class OneInput(Scale):
    def backward(self, dy):
        return super().backward(dy).sum(axis=1)


class NarrowOutput(Scale):
    def forward(self, x):
        return super().forward(x)[:, :1]


class FewerRows(Scale):
    """One example is left out, though a layer cuts no batch."""

    def forward(self, x):
        return super().forward(x)[:-1]


class FewerInputs(Scale):
    def backward(self, dy):
        return super().backward(dy)[:-1]


class NoArray(Scale):
    def forward(self, x):
        return super().forward(x).tolist()


class NoReturn(Scale):
    def forward(self, x):
        super().forward(x)


class Wide(Scale):
    """float64 out of float32, since NumPy's square root of a number is a float64."""

    def forward(self, x):
        return super().forward(x) / np.sqrt(2)


class WideInput(Scale):
    def backward(self, dy):
        return super().backward(dy).astype(np.float64)


MISFITS = [
    (Rebinds, r"Rebinds\.ds is another array .*: write into that, self\.ds\[\.\.\.\] = "),
    (Replaces, r"Replaces\.s is another array than the one that the model reads"),
    (NarrowInput, r"NarrowInput\.backward gives an array of shape \(\d+, 1\), but rows of shape"),
    (
        OneInput,
        r"OneInput\.backward gives an array of shape \(\d+,\), but rows of shape \(3,\) are",
    ),
    (NarrowOutput, r"NarrowOutput\.forward gives an array of shape \(\d+, 1\), but rows of shape"),
    (FewerRows, r"FewerRows\.forward gives .*, but it was handed \d+ rows: give one for each"),
    (FewerInputs, r"FewerInputs\.backward gives an array of shape .*, but it was handed \d+ rows"),
    (NoArray, r"NoArray\.forward gives a list, but y is needed"),
    (NoReturn, r"NoReturn\.forward gives None, but y is needed"),
]


@pytest.mark.parametrize(("layer", "words"), MISFITS)
@pytest.mark.parametrize("shards", [1, 2])
def test_what_a_layer_gets_wrong_ends_the_first_step(layer, words, shards):
    with pytest.raises(TypeError, match=words):
        sa.fit(model(layer()), X, sa.Adam(), epochs=1, shards=shards)


class Listed(Scale):
    """Says its output by a list."""

    def declare(self, shape):
        shape, parameters = super().declare(shape)
        self.output = list(shape)
        return self.output, parameters


ALONE = {  # a model in which that layer is a whole network
    "encoder": lambda layer: sa.VAE(layer, sa.Dense(3, 6), sa.Gaussian(3)),
    "decoder": lambda layer: sa.VAE(sa.Dense(6, 12), layer, sa.Gaussian(6)),
    "inside a latent": lambda layer: sa.VAE(
        sa.Dense(6, 8), sa.Dense(4, 6), sa.Hierarchy(layer, sa.Dense(2, 8))
    ),
}


@pytest.mark.parametrize(("layer", "words"), MISFITS)
@pytest.mark.parametrize("where", ALONE)
def test_a_whole_network_says_it_too(layer, words, where):
    """But for the dx of an encoder, which nobody needs."""
    made = ALONE[where](layer()).build(6, dtype="float64")
    if where == "encoder" and "backward" in words:
        sa.fit(made, X, sa.Adam(), epochs=1, progress=False)
        return
    words = words.replace(r"\(3,\)", r"\(\d,\)")
    with pytest.raises(TypeError, match=words):
        sa.fit(made, X, sa.Adam(), epochs=1, progress=False)
    if "forward" in words and where == "encoder":
        with pytest.raises(TypeError, match=words):
            ALONE[where](layer()).build(6, dtype="float64").encode(X)


@pytest.mark.parametrize("where", ALONE)
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("layer", [Scale, InPlace, Listed])
def test_a_right_layer_is_a_whole_network(layer, where, dtype):
    made = ALONE[where](layer()).build(6, dtype=dtype)
    assert len(sa.fit(made, X, sa.Adam(), epochs=2, batch_size=8, progress=False)) == 2
    name = next(name for name in made.weights if name.endswith(".s"))
    assert (made.weights[name] != 1).all()
    replica, x = made.replica(3), X[:3].astype(dtype)
    copied = copy.deepcopy(replica)  # before its first pass
    copied.forward(x)
    copied.likelihood.nll[...] = 0
    replica.forward(x)
    assert not copied.likelihood.nll.any()


@pytest.mark.parametrize(("layer", "words"), MISFITS)
def test_by_hand_says_it_too(layer, words):
    alone = sa.by_hand(layer(), 3)
    with pytest.raises(TypeError, match=words):
        alone(X[:, :3])
        alone.backward(X[:, :3])


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Wide, r"Wide\.forward gives float64, but the model computes in float32: np\.sqrt"),
        (WideInput, r"WideInput\.backward gives float64, but the model computes in float32"),
    ],
)
def test_no_layer_computes_in_float64_unasked(layer, words):
    with pytest.raises(TypeError, match=words):
        sa.fit(model(layer(), "float32"), X, sa.Adam(), epochs=1)
    alone = sa.by_hand(layer(), 3, dtype="float32")
    with pytest.raises(TypeError, match=words):
        alone(X[:, :3])
        alone.backward(X[:, :3])


@pytest.mark.parametrize("layer", [Scale, InPlace])
def test_a_right_layer_learns(layer):
    m = model(layer())
    sa.fit(m, X, sa.Adam(1e-2), epochs=2, batch_size=8)
    assert (m.weights["encoder.1.s"] != 1).all()
    assert check_layer(layer(), (3,)).ok


class Backs(Scale):
    """What is missing is said when the model is built, before there is a step."""

    backward = sa.Layer.backward


def test_a_missing_method_is_said_at_build():
    for build in (
        lambda: model(Backs()),
        lambda: sa.by_hand(Backs(), 3),
        lambda: check_layer(Backs(), (3,)),
        lambda: sa.Autoencoder(sa.Dense(6, 6), Backs()).build(6),
    ):
        with pytest.raises(NotImplementedError, match=r"^Backs does not say backward\(dy\)$"):
            build()
