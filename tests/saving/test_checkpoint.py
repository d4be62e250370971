"""save and load: what was trained comes back to the bit, and a file that is not whole never
does."""

import copy
import json

import numpy as np
import pytest
from safetensors import safe_open
from saving.models import (
    MODELS,
    OPTIMIZERS,
    SHAPE,
    Scale,
    built,
    data,
    dense,
    same,
    save,
    train,
    values,
)

import scratchae as sa
from scratchae.backend import NumpyBackend
from scratchae.initializers import Normal
from scratchae.saving import checkpoint, reading


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
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_going_on_after_load_is_not_having_stopped(tmp_path, backend, dtype, name, optimizer):
    whole, model = (built(name, dtype, backend) for _ in range(2))
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
    with reading.opened(tmp_path / "model") as file:
        assert set(reading.contents(file)[1]) == {"encoder.1.W", "encoder.1.b", "decoder.0.b"}
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


@pytest.mark.parametrize("part, counter", [("optimizer", "t"), ("objective", "epoch")])
def test_a_lost_counter_is_seen(tmp_path, part, counter):
    """Adam's step count lost on resume is a famous one."""
    whole, model = built(), built()
    losses = train(whole, sa.Adam(0.01), epochs=4)
    first = train(model, sa.Adam(0.01))
    save(model, tmp_path / "half")
    again = sa.load(tmp_path / "half")
    setattr(getattr(again, part), counter, 0)
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
    model = built("vae conv", "float64")
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


def test_arguments_that_were_mixed_up(tmp_path):
    model, path = built("own layer"), tmp_path / "model"
    for wrong in (str(path), path, None, model.objective):
        with pytest.raises(
            TypeError, match=r"save is given .*, but a model is expected: save\(model, path\)"
        ):
            sa.save(wrong, model)
    for none in (None, 3, b"model"):
        for call in (lambda none=none: save(model, none), lambda none=none: sa.load(none)):
            with pytest.raises(
                TypeError, match=r"the path is a .*, but that of a file is expected"
            ):
                call()
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


def test_saving_to_what_is_no_file(tmp_path):
    model = built()
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere: make it"):
        sa.save(model, tmp_path / "nowhere" / "m")
    with pytest.raises(OSError, match="no plain file"):
        sa.save(model, tmp_path)
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    sa.save(model, link)
    assert link.is_symlink() and target.stat().st_size > 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "target"]
