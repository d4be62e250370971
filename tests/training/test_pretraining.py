"""pretrain: what the stages are, what each learns from what, and what the whole gains by it."""

import signal
import warnings
from itertools import pairwise

import numpy as np
import pytest

import scratchae as sa
from scratchae.datasets.generated import strokes
from scratchae.training import pretraining

N = 24
OUTER = ["encoder.0.W", "encoder.0.b", "decoder.1.W", "decoder.1.b"]
INNER = ["encoder.1.W", "encoder.1.b", "decoder.0.W", "decoder.0.b"]


def rows(n=N, D=6):
    return np.random.default_rng(0).random((n, D))


def pixels(*shape):
    return sa.Images(np.random.default_rng(0).integers(0, 256, (N, *shape), np.uint8))


def stack(likelihood=None, penalty=None, backend="numpy", dtype="float64"):
    """6-4-2 and back, two stages."""
    encoder = sa.Sequential(sa.Dense(6, 4, "tanh"), sa.Dense(4, 2))
    decoder = sa.Sequential(sa.Dense(2, 4, "tanh"), sa.Dense(4, 6))
    return sa.Autoencoder(encoder, decoder, likelihood, penalty).build(
        6, backend=backend, dtype=dtype, seed=1
    )


def train(model, data=None, optimizer=None, call=sa.pretrain, **options):
    options = {"epochs": 2, "batch_size": 8} | options
    return call(model, rows() if data is None else data, optimizer or sa.Adam(0.01), **options)


def tensors(model):
    return {
        name: model.backend.to_host(view).copy() for name, view in model.parameters.views().items()
    }


def by_hand(model, names, encoder, decoder, x, likelihood=None, penalty=None, **options):
    """A shallow autoencoder with the model's tensors of those names, trained on x -> its losses
    and itself."""
    shallow = sa.Autoencoder(encoder, decoder, likelihood, penalty).build(
        x.shape[1:], backend=model.backend
    )
    for view, name in zip(shallow.parameters.views().values(), names, strict=True):
        shallow.backend.write(view, tensors(model)[name])
    return train(shallow, x, call=sa.fit, **options)["train_loss"], shallow


@pytest.mark.parametrize(
    "likelihood, penalty, noise, options",
    [
        (None, None, (), {}),
        (sa.Bernoulli(), sa.L1(0.1), (), {"seed": 3, "shards": 2}),
        (None, None, (sa.Masking(0.5),), {"batch_size": 5, "epochs": 3}),
    ],
    ids=["plain", "likelihood and penalty", "corruption"],
)
def test_it_is_two_fits_one_after_the_other(backend, likelihood, penalty, noise, options):
    """To the bit: the second learns from the first one's clean codes, by squared error, with the
    penalty."""
    model, start = (stack(likelihood, penalty, backend=backend) for _ in range(2))
    histories = train(model, corruption=noise[0] if noise else None, **options)
    encoders = [sa.Sequential(*noise, layer) for layer in (sa.Dense(6, 4, "tanh"), sa.Dense(4, 2))]
    first, outer = by_hand(
        start, OUTER, encoders[0], sa.Dense(4, 6), rows(), likelihood, **options
    )
    last, x = sa.Dense(2, 4, "tanh"), outer.encode(rows())
    second, inner = by_hand(start, INNER, encoders[1], last, x, penalty=penalty, **options)
    assert [h["train_loss"] for h in histories] == [first, second]
    found, before = tensors(model), tensors(start)
    for names, shallow in ((OUTER, outer), (INNER, inner)):
        for name, value in zip(names, tensors(shallow).values(), strict=True):
            np.testing.assert_array_equal(found[name], value)
            assert (value != before[name]).any()


def tied(backend):
    outer, inner = sa.Dense(6, 4, "tanh"), sa.Dense(4, 2, "tanh")
    model = sa.Autoencoder(
        sa.Sequential(outer, inner), sa.Sequential(sa.Tied(inner, "tanh"), sa.Tied(outer))
    )
    return model.build(6, backend=backend, dtype="float64", seed=1)


def test_tied_stays_tied(backend):
    model, start, x = tied(backend), tied(backend), rows()
    histories = train(model)
    for i, (code, activation) in enumerate(
        [(sa.Dense(6, 4, "tanh"), "identity"), (sa.Dense(4, 2, "tanh"), "tanh")]
    ):
        names = [f"encoder.{i}.W", f"encoder.{i}.b", f"decoder.{1 - i}.b"]
        losses, shallow = by_hand(start, names, code, sa.Tied(code, activation), x)
        assert histories[i]["train_loss"] == losses
        for name, value in zip(names, tensors(shallow).values(), strict=True):
            np.testing.assert_array_equal(tensors(model)[name], value)
        x = shallow.encode(x)


class Watched:
    """``fit``, which keeps the models and the data that it was handed, and fails at one stage if
    asked."""

    def __init__(self):
        self.fit, self.seen, self.fails = pretraining.fit, [], None

    def __call__(self, model, source, *args, **options):
        if len(self.seen) == self.fails:
            raise sa.NonFiniteLoss
        self.seen.append((model, source))
        return self.fit(model, source, *args, **options)


@pytest.fixture
def watched(monkeypatch):
    fit = Watched()
    monkeypatch.setattr(pretraining, "fit", fit)
    return fit


def images_model(dtype):
    """Pools, reshapes and noise between layers, nested."""
    encoder = sa.Sequential(
        sa.Dropout(0.1),
        sa.Sequential(sa.Conv2d(1, 3, 3, 1, "same", "relu"), sa.MaxPool2d(2)),
        sa.Sequential(sa.Conv2d(3, 2, 3, 1, "same", "relu"), sa.GaussianNoise(0.1), sa.Flatten()),
        sa.Dense(18, 4),
    )
    decoder = sa.Sequential(
        *(
            sa.Dense(4, 18, "relu"),
            sa.Reshape(3, 3, 2),
            sa.ConvTranspose2d(2, 3, 3, 1, "same", "relu"),
        ),
        *(sa.Upsample2d(2), sa.Conv2d(3, 1, 3, 1, "same"), sa.Flatten(), sa.Reshape(6, 6, 1)),
    )
    return sa.Autoencoder(encoder, decoder).build((6, 6, 1), dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_stages_are_cut_where_the_shapes_meet(watched, dtype):
    model = images_model(dtype)
    before = tensors(model)
    assert len(train(model, pixels(6, 6, 1), epochs=1)) == 3
    encoders, decoders = (
        [
            [type(layer).__name__ for layer in getattr(m.objective, part).layers]
            for m, _ in watched.seen
        ]
        for part in ("encoder", "decoder")
    )
    assert encoders == [
        ["Dropout", "Conv2d", "MaxPool2d"],
        ["Conv2d", "GaussianNoise", "Flatten"],
        ["Dense"],
    ]
    assert decoders[0] == ["Upsample2d", "Conv2d", "Flatten", "Reshape"]
    assert decoders[1:] == [["Reshape", "ConvTranspose2d"], ["Dense"]]
    sources = [source for _, source in watched.seen]
    assert [source.shape for source in sources] == [(6, 6, 1), (3, 3, 3), (18,)]
    assert [source.x.dtype.name for source in sources[1:]] == [dtype, dtype]
    assert all((value != before[name]).any() for name, value in tensors(model).items())


def test_images_are_their_values():
    models = [stack(dtype="float32") for _ in range(2)]
    for model, data in zip(models, (pixels(6), pixels(6).values()), strict=True):
        train(model, data)
    np.testing.assert_array_equal(*(model.parameters.values for model in models))


def deep():
    """784-60-40-20-8 and back, all sigmoids but the logits."""
    pairs = list(pairwise((784, 60, 40, 20, 8)))
    encoder = [sa.Dense(i, o, "sigmoid") for i, o in pairs]
    decoder = [sa.Dense(o, i, "sigmoid") for i, o in pairs[:0:-1]]
    last = sa.Dense(60, 784), sa.Reshape(28, 28, 1)
    model = sa.Autoencoder(
        sa.Sequential(sa.Flatten(), *encoder), sa.Sequential(*decoder, *last), sa.Bernoulli()
    )
    return model.build((28, 28, 1))


@pytest.mark.slow
def test_a_deep_stack_gains_by_it():
    """From random weights it learns the mean image in these epochs, and no more."""
    (ink, _), _ = strokes.load(512, 1)
    ahead, behind, images = deep(), deep(), sa.Images(ink)
    train(ahead, images, epochs=6)
    assert sa.evaluate(ahead, images)["loss"] < 0.5 * sa.evaluate(behind, images)["loss"]
    first, second = (
        train(m, images, call=sa.fit, epochs=4)["train_loss"] for m in (ahead, behind)
    )
    assert (np.array(first) < 0.9 * np.array(second)).all()


def test_the_optimizers():
    """The one handed in stays new, and the model's is gone with the values that its moments were
    of."""
    model, optimizer = stack(), sa.Adam(0.01)
    model.optimizer = train(model, call=sa.fit).optimizer  # as load leaves it
    train(model, optimizer=optimizer)
    assert model.optimizer is None and optimizer.owner is None and optimizer.t == 0
    assert train(model, optimizer=optimizer, call=sa.fit)["epoch"] == [3, 4]


class Interrupted(sa.Values):
    """Ctrl-C comes as the first batch is about to be made."""

    def feed(self, *args):
        signal.raise_signal(signal.SIGINT)
        return super().feed(*args)


def test_ctrl_c_ends_it_with_what_there_is():
    model = stack()
    before = tensors(model)
    histories = train(model, Interrupted(rows()), epochs=9)
    assert [h.interrupted for h in histories] == [True]
    assert [
        name for name, value in tensors(model).items() if (value != before[name]).any()
    ] == OUTER


def test_an_error_in_a_later_stage_loses_no_earlier_one(watched):
    model, whole = stack(), stack()
    before = tensors(model)
    train(whole)
    watched.seen.clear()
    watched.fails = 1
    with pytest.raises(sa.NonFiniteLoss):
        train(model)
    for names, right in ((OUTER, tensors(whole)), (INNER, before)):
        for name in names:
            np.testing.assert_array_equal(tensors(model)[name], right[name])


def made(encoder, decoder):
    return sa.Autoencoder(sa.Sequential(*encoder), sa.Sequential(*decoder)).build(6)


def test_a_stage_that_can_copy_is_told_of():
    model = made([sa.Dense(6, 8), sa.Dense(8, 2)], [sa.Dense(2, 8), sa.Dense(8, 6)])
    with pytest.warns(sa.WideCode, match="the code has 8 units for 6 numbers") as got:
        train(model)
    assert got[0].filename == __file__
    train(model, corruption=sa.GaussianNoise(0.1))  # warnings are errors here


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.SquaredError()).build(6)


def twisted():
    """Each Tied is of the layer that the other one mirrors."""
    a, b, c = sa.Dense(6, 4), sa.Dense(4, 4), sa.Dense(4, 4)
    return made([a, b, c], [sa.Tied(b), sa.Tied(c), sa.Tied(a)])


def crossed():
    """The same of two, whose shapes meet."""
    a, b = sa.Dense(6, 6), sa.Dense(6, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.WideCode)
        return made([a, b], [sa.Tied(a), sa.Tied(b)])


class Own:
    """A source that is neither Images nor Values."""

    name = "own"

    def __init__(self):
        self.feed, self.shape, self.check = sa.Values(rows()).feed, (6,), lambda likelihood: None

    def __len__(self):
        return len(rows())


TWO = [sa.Dense(6, 4), sa.Dense(4, 2)]
MODELS = [
    (vae, TypeError, "the model is a VAE, but only an Autoencoder has stages"),
    (
        lambda: made(TWO[:1], [sa.Dense(4, 6)]),
        ValueError,
        "are 1 in the encoder, but .* for 2 or more",
    ),
    (
        lambda: made(TWO, [sa.Dense(2, 6)]),
        ValueError,
        "have 2 and 1 layers with parameters.*mirror the encoder",
    ),
    (
        lambda: made(TWO, [sa.Dense(2, 3), sa.Dropout(0.1), sa.Dense(3, 6)]),
        ValueError,
        (
            r"encoder\.0 gives.*\(4,\), but the decoder, from decoder\.0 to decoder\.2, passes on "
            r"\(3,\), \(3,\)"
        ),
    ),
    (
        twisted,
        ValueError,
        r"decoder\.1 is tied to a layer of another stage, but its own is encoder\.1: tie it to",
    ),
    (
        crossed,
        ValueError,
        r"decoder\.1 is tied to a layer of another stage, but its own is encoder\.0: tie it to",
    ),
]
OPTIONS = [
    ({"optimizer": "adam"}, TypeError, "an optimiser such as Adam"),
    ({"epochs": 0}, ValueError, "epochs is 0, but"),
    ({"batch_size": 0}, ValueError, "batch_size is 0, but"),
    ({"data": rows(D=5)}, ValueError, r"shape \(24, 5\), but"),
    ({"data": Own()}, TypeError, "data is a .*Own, but an array, Images or Values"),
    *(
        (
            {"corruption": wrong},
            TypeError,
            "the corruption is .*keeps the shape .6,. and has no parameters",
        )
        for wrong in (0.25, sa.Masking, sa.Dense(6, 6), sa.Reshape(2, 3))
    ),
]


@pytest.mark.parametrize(
    "make, options, kind, words",
    [(make, {}, *said) for make, *said in MODELS]
    + [(stack, options, *said) for options, *said in OPTIONS],
)
def test_what_is_refused_changes_nothing(make, options, kind, words):
    model, optimizer = make(), sa.Adam()
    train(model, optimizer=optimizer, call=sa.fit)
    model.optimizer = optimizer  # as load leaves it
    before = tensors(model)
    with pytest.raises(kind, match=words):
        train(model, **options)
    assert model.optimizer is optimizer
    for name, value in tensors(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("i", [0, 1])
def test_a_frozen_stage_is_refused_before_another_is_trained(i):
    """A frozen layer beside one that learns is none: it stays as it is."""
    model = stack()
    pair = model.encoder.layers[i], model.decoder.layers[1 - i]
    for layer in pair:
        layer.trainable = False
    before = tensors(model)
    with pytest.raises(ValueError, match=rf"encoder\.{i} and decoder\.{1 - i} are frozen, but"):
        train(model)
    for name, value in tensors(model).items():
        np.testing.assert_array_equal(value, before[name])
    pair[0].trainable = True
    train(model)
    stayed = {name for name, value in tensors(model).items() if (value == before[name]).all()}
    assert stayed == {f"decoder.{1 - i}.W", f"decoder.{1 - i}.b"}


def test_a_used_optimizer_is_refused():
    model, optimizer = stack(), sa.Adam()
    train(model, optimizer=optimizer, call=sa.fit)
    with pytest.raises(
        ValueError, match="the optimizer holds the state of a model, but every stage begins anew"
    ):
        train(model, optimizer=optimizer)


def test_a_model_that_is_not_built():
    with pytest.raises(RuntimeError, match=r"call model\.build"):
        train(sa.Autoencoder(sa.Dense(6, 2), sa.Dense(2, 6)))


def test_nobody_is_told_to_scale_codes():
    """Of the codes of later stages nothing is said: they are as the layers give them."""
    model, data = stack(), rows()
    for name in ("encoder.0.W",):
        model.weights[name] = model.weights[name] * 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error", sa.ScaleWarning)
        sa.pretrain(model, data, sa.SGD(1e-12), epochs=1)


def test_it_may_be_silent(capsys):
    sa.pretrain(stack(), rows(), sa.Adam(), epochs=1, progress=False)
    assert capsys.readouterr().out == ""
