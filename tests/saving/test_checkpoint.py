"""save and load: what was trained comes back to the bit, and a file that is not whole never
does."""

import copy
import json
import os

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import scratchae as sa
from scratchae import initializers
from scratchae.backend import NumpyBackend
from scratchae.initializers import Normal
from scratchae.layers import Layer
from scratchae.saving import checkpoint

SHAPE = (6, 6, 1)


class Scale(Layer):
    """A reader's own layer: y = x s, one parameter."""

    def __init__(self, start=1.0):
        self.start = start

    def declare(self, shape):
        self.shape = self.output = shape
        return shape, {"s": ((1,), lambda noise: np.full(1, self.start))}

    def bind(self, backend, rows, need_dx):
        self.matmul = backend.matmul
        self.y, self.dx = backend.empty((rows, *self.shape)), backend.empty((rows, *self.shape))

    def forward(self, x):
        self.x = x
        return self._times(x, self.y[: len(x)])

    def backward(self, dy):
        row, column = self.x.reshape(1, self.x.size), dy.reshape(dy.size, 1)
        self.matmul(row, column, out=self.ds.reshape(1, 1), add=self.add)
        return self._times(dy, self.dx[: len(dy)])

    def _times(self, a, out):
        self.matmul(a.reshape(a.size, 1), self.s.reshape(1, 1), out=out.reshape(a.size, 1))
        return out


def dense(D=4, activation="relu", init=initializers.glorot_uniform, extra=()):
    encoder = sa.Sequential(
        sa.Flatten(), *extra, sa.Dense(36, 7, activation, init), sa.Dense(7, D)
    )
    return encoder, sa.Sequential(sa.Dense(2, 36, init_b=init), sa.Reshape(*SHAPE))


def conv():
    encoder = sa.Sequential(
        sa.Conv2d(1, 2, 3, 2, "same", "leaky_relu", initializers.he_normal),
        sa.Flatten(),
        sa.Dense(18, 4),
    )
    decoder = sa.Sequential(
        sa.Dense(2, 18, "softplus", initializers.torch_uniform, initializers.torch_uniform),
        sa.Reshape(3, 3, 2),
        sa.ConvTranspose2d(2, 1, (3, 3), (2, 2), (1, 0, 1, 0), init=Normal(0.3)),
    )
    return encoder, decoder


def pooling():
    encoder = sa.Sequential(
        *(
            sa.Conv2d(1, 2, 3, 1, "same", "relu"),
            sa.MaxPool2d(2, padding="same"),
            sa.MaxPool2d((2, 3), 1),
        ),
        *(sa.Flatten(), sa.Dense(4, 2)),
    )
    return encoder, sa.Sequential(sa.Dense(2, 6), sa.Reshape(2, 3, 1), sa.Upsample2d((3, 2)))


def tied():
    code = sa.Dense(36, 7, "tanh", Normal(0.2))
    return sa.Sequential(sa.Flatten(), code), sa.Sequential(
        sa.Tied(code, "sigmoid"), sa.Reshape(*SHAPE)
    )


MODELS = {
    "vae": lambda: sa.VAE(*dense(), sa.Gaussian(2)),
    "vae beta": lambda: sa.VAE(
        *dense(activation="tanh"), sa.Gaussian(2), sa.GaussianLikelihood(0.3), beta=4
    ),
    "vae conv": lambda: sa.VAE(*conv(), sa.Gaussian(2)),
    "squared": lambda: sa.Autoencoder(*dense(2)),
    "absolute": lambda: sa.Autoencoder(*dense(2, "sigmoid", Normal(0.1)), sa.AbsoluteError()),
    "bernoulli": lambda: sa.Autoencoder(*dense(2, init=initializers.he_uniform), sa.Bernoulli()),
    "gaussian": lambda: sa.Autoencoder(
        *dense(2, init=initializers.glorot_normal), sa.GaussianLikelihood(2.0)
    ),
    "pooling": lambda: sa.Autoencoder(*pooling()),
    "tied": lambda: sa.Autoencoder(*tied(), penalty=sa.Contractive(0.1)),
    "own layer": lambda: sa.VAE(*dense(extra=[Scale(0.5)]), sa.Gaussian(2)),
}
OPTIMIZERS = {
    "adam": lambda: sa.Adam(0.01, 0.8, 0.99, 1e-6),
    "adamw": lambda: sa.AdamW(0.01, 0.8, 0.99, 1e-6, 0.1),
    "adagrad": lambda: sa.Adagrad(0.01, 0.1, 1e-6),
    "adadelta": lambda: sa.Adadelta(0.5, 0.9, 1e-4),
    "rmsprop": lambda: sa.RMSProp(0.01, 0.8, 1e-6),
    "sgd": lambda: sa.SGD(1e-3, 0.9),
}


def data(n=12):
    return np.random.default_rng(0).random((n, *SHAPE))


def train(model, optimizer, epochs=2):
    """The losses of a run; the model carries its optimiser, as one that was loaded does."""
    model.optimizer = optimizer
    return sa.fit(model, data(), optimizer, epochs=epochs, batch_size=5, shards=2)["train_loss"]


def save(model, path):
    """With the state of the optimiser that the model carries, if there is one."""
    sa.save(model, path, optimizer=model.optimizer)


def built(name="vae", dtype="float32", backend="numpy"):
    return MODELS[name]().build(SHAPE, dtype=dtype, backend=backend, seed=4)


def values(model):
    return model.backend.to_host(model.parameters.values)


def same(a, b):
    """Two models that are equal to the bit, optimiser and all."""
    assert checkpoint.describe(a) == checkpoint.describe(b)
    assert (a.input_shape, a.backend.dtype) == (b.input_shape, b.backend.dtype)
    np.testing.assert_array_equal(values(a), values(b))
    assert (a.optimizer is None) == (b.optimizer is None)
    if a.optimizer is not None:
        assert type(a.optimizer) is type(b.optimizer)
        assert (a.optimizer.t, a.optimizer.epoch) == (b.optimizer.t, b.optimizer.epoch)
        assert a.optimizer.vectors.keys() == b.optimizer.vectors.keys()
        for name, vector in a.optimizer.vectors.items():
            np.testing.assert_array_equal(
                a.backend.to_host(vector), b.backend.to_host(b.optimizer.vectors[name])
            )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path, backend, name, dtype):
    model, path = built(name, dtype, backend), tmp_path / "model"
    train(model, sa.Adam(0.01))
    save(model, path)
    again = sa.load(path, backend=backend, classes=[Scale])
    same(model, again)
    np.testing.assert_array_equal(model.reconstruct(data()), again.reconstruct(data()))
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    save(again, path)
    same(model, sa.load(str(path), classes=[Scale]))


@pytest.mark.parametrize("name", ["vae conv", "tied"])
def test_a_loaded_model_prints_the_same(tmp_path, name):
    model = built(name)
    save(model, tmp_path / "model")
    assert repr(sa.load(tmp_path / "model")) == repr(model)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["vae", "vae conv", "squared", "tied", "own layer"])
def test_going_on_after_load_is_not_having_stopped(tmp_path, backend, name, optimizer):
    whole, model = built(name, backend=backend), built(name, backend=backend)
    losses = train(whole, OPTIMIZERS[optimizer](), epochs=4)
    first = train(model, OPTIMIZERS[optimizer]())
    save(model, tmp_path / "half")
    again = sa.load(tmp_path / "half", backend=backend, classes=[Scale])
    assert first + train(again, again.optimizer) == losses
    same(whole, again)


def test_a_backend_that_is_none_is_no_fault_of_the_file(tmp_path):
    save(built(), tmp_path / "model")
    for backend in ("numpi", 5):
        with pytest.raises(ValueError, match=f"^there is no backend {backend!r}"):
            sa.load(tmp_path / "model", backend=backend)


def test_a_tie_is_kept(tmp_path):
    """One matrix in the file, and one in the model that comes back; a model without a tie is
    described as ever."""
    save(built("tied"), tmp_path / "model")
    assert set(checkpoint._read(tmp_path / "model")[1]) == {
        "encoder.1.W",
        "encoder.1.b",
        "decoder.0.b",
    }
    again = sa.load(tmp_path / "model")
    for parts in (again, again.objective, again.replica(3)):
        assert parts.decoder.layers[0].of is parts.encoder.layers[1]
    assert '{"same"' not in json.dumps(checkpoint.describe(built("vae conv")))


def test_what_was_built_is_saved(tmp_path):
    """What decides the memory of a model is fixed once that is made; a number is saved as it is
    now."""
    parts = dense(2)
    model = sa.Autoencoder(*parts, penalty=sa.L1(0.1)).build(SHAPE)
    for thing, name, value in (
        (model, "likelihood", sa.Bernoulli()),
        (model, "penalty", sa.L1(5.0)),
        (parts[0].layers[1], "activation", "tanh"),
    ):
        with pytest.raises(AttributeError, match=f"{name} cannot become"):
            setattr(thing, name, value)
    model.penalty.weight = 0.2
    save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model")
    assert checkpoint.describe(again) == checkpoint.describe(model)
    assert (again.penalty.weight, type(again.likelihood)) == (0.2, sa.SquaredError)
    np.testing.assert_array_equal(model.encode(data()), again.encode(data()))


def test_an_optimiser_is_saved_where_it_is_handed_in(tmp_path):
    model, optimizer = built(), sa.Adam(0.01)
    train(model, optimizer)
    sa.save(model, tmp_path / "model")
    assert sa.load(tmp_path / "model").optimizer is None
    sa.save(model, tmp_path / "model", optimizer=optimizer)
    assert sa.load(tmp_path / "model").optimizer.t == optimizer.t
    for other in (sa.Adam(0.01), "adam"):
        with pytest.raises(ValueError, match="has not trained this model"):
            sa.save(model, tmp_path / "other", optimizer=other)
    assert not (tmp_path / "other").exists()


def test_a_wide_code_is_warned_of_once(tmp_path):
    with pytest.warns(sa.WideCode):
        model = sa.Autoencoder(sa.Dense(3, 3), sa.Dense(3, 3)).build(3)
    save(model, tmp_path / "model")
    sa.load(tmp_path / "model")  # a warning would be an error


@pytest.mark.parametrize("counter", ["t", "epoch"])
def test_a_lost_counter_is_seen(tmp_path, counter):
    """Adam's step count lost on resume is a famous one."""
    whole, model = built(), built()
    losses = train(whole, sa.Adam(0.01), epochs=4)
    first = train(model, sa.Adam(0.01))
    save(model, tmp_path / "half")
    again = sa.load(tmp_path / "half")
    setattr(again.optimizer, counter, 0)
    assert first + train(again, again.optimizer) != losses


def test_from_one_backend_to_the_other(tmp_path, backend):
    model = built(backend="reference", dtype="float64")
    save(model, tmp_path / "model")
    again = sa.load(tmp_path / "model", backend=backend)
    assert again.backend.name == backend and again.optimizer is None
    np.testing.assert_array_equal(values(model), values(again))
    train(again, sa.Adam(0.01))
    save(again, tmp_path / "trained")
    back = sa.load(tmp_path / "trained", backend="reference")
    assert back.backend.name == "reference" and back.optimizer.t == 6
    same(again, back)


def test_the_file_holds_named_tensors_and_no_pickle(tmp_path):
    model = built("vae conv")
    train(model, sa.Adam())
    save(model, tmp_path / "model")
    with safe_open(tmp_path / "model", framework="numpy") as file:
        names = set(file.keys())
        np.testing.assert_array_equal(
            file.get_tensor("encoder.0.W"), model.parameters.view("encoder.0.W")
        )
    assert names == {*model.parameters.declared, "optimizer.m", "optimizer.v"}


def test_an_array_that_lies_in_another_order(tmp_path, monkeypatch):
    """safetensors writes the memory of W.T as it lies, without a word, so save may not hand it
    that."""
    to_host = NumpyBackend.to_host
    monkeypatch.setattr(
        NumpyBackend, "to_host", lambda self, a: np.asfortranarray(to_host(self, a))
    )
    model = built("vae conv")
    assert not model.backend.to_host(model.parameters.view("encoder.2.W")).flags.c_contiguous
    save(model, tmp_path / "model")
    same(model, sa.load(tmp_path / "model"))


@pytest.fixture
def saved(tmp_path):
    """A model's file, and its bytes."""
    model = built()
    train(model, sa.Adam(0.01))
    save(model, tmp_path / "model")
    return tmp_path / "model", (tmp_path / "model").read_bytes()


def header_size(raw):
    return 8 + int.from_bytes(raw[:8], "little")


def refused(path, raw):
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=str(path)) as caught:
        sa.load(path)
    assert "\n" not in str(caught.value) and not isinstance(caught.value, json.JSONDecodeError)
    return str(caught.value)


def flipped(raw, at, bit=1):
    return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]


def test_a_flipped_bit_in_a_tensor(saved):
    path, raw = saved
    start = header_size(raw)
    for at in (start, start + 1001, len(raw) - 1):
        assert "is damaged: it has the SHA-256" in refused(path, flipped(raw, at, 1 << at % 8))


def test_a_flipped_bit_in_the_header(saved):
    """lr, sigma, beta and t are in the header: a flipped digit there is a model that nobody
    trained."""
    path, raw = saved
    for at in range(0, header_size(raw), 7):
        if raw[at : at + 1] != b" ":
            refused(path, flipped(raw, at))


@pytest.mark.parametrize("part", [0, 7, 8, 100, 0.5, 0.99, -1])
def test_a_file_cut_short(saved, part):
    path, raw = saved
    size = int(part * len(raw)) if isinstance(part, float) else part
    assert "no whole safetensors file" in refused(path, raw[:size])


def test_files_of_others(saved):
    path, _ = saved
    assert "no whole safetensors file" in refused(path, b"\x80\x04K\x01.")  # a pickle
    save_file({"W": np.zeros((2, 3), np.float32)}, path)
    assert "'no format', but 'scratchae 3' is expected" in refused(path, path.read_bytes())
    save_file({"W": np.zeros((2, 3), np.float32)}, path, {"format": "pt"})
    assert "says 'pt'" in refused(path, path.read_bytes())


def test_arguments_that_were_mixed_up(tmp_path):
    model, path = built("own layer"), tmp_path / "model"
    for wrong in (str(path), path, None, model.objective):
        with pytest.raises(
            TypeError, match=r"save is given .*, but a model is expected: save\(model, path\)"
        ):
            sa.save(wrong, model)
    save(model, path)
    for classes in (Scale, "Scale", ["Scale"], [None], 3):
        with pytest.raises(TypeError, match=r"classes is .*, but a list of classes is expected"):
            sa.load(path, classes=classes)
    same(model, sa.load(path, classes=iter([Scale])))


def test_a_readers_own_layer_must_be_handed_in(tmp_path):
    model = built("own layer")
    save(model, tmp_path / "model")
    with pytest.raises(ValueError, match=r"names 'Scale'.*load\(path, classes=\[Scale\]\)"):
        sa.load(tmp_path / "model")
    same(model, sa.load(tmp_path / "model", classes=[Scale]))


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"there is no file {path}"):
            sa.load(path)
    with pytest.raises(OSError, match="nowhere"):
        save(built(), tmp_path / "nowhere" / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_writes_nothing(tmp_path):
    model = built()
    vars(model.objective.encoder.layers[-1])["init"] = lambda *_: 0  # behind the check
    with pytest.raises(
        TypeError, match="cannot be saved: use a function or a class that is defined in a module"
    ):
        save(model, tmp_path / "model")
    with pytest.raises(RuntimeError, match="no parameters yet"):
        save(MODELS["vae"](), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file(saved, monkeypatch, broken):
    path, raw = saved

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        save(built("squared"), path)
    assert path.read_bytes() == raw
    assert [p.name for p in path.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("number", ["beta", "sigma"])
def test_numbers_of_numpy_are_numbers(tmp_path, number):
    init, beta = (
        (Normal(np.float32(0.1)), 1.0) if number == "sigma" else (Normal(0.1), np.float32(2))
    )
    save(sa.VAE(*dense(init=init), sa.Gaussian(2), beta=beta).build(SHAPE), tmp_path / "model")
    assert sa.load(tmp_path / "model").input_shape == SHAPE


def test_models_are_not_pickled_or_copied():
    import pickle

    for call in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(
            TypeError, match=r"a model is not pickled or copied: use scratchae\.save"
        ):
            call(built())
