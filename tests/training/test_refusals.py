"""What a breaker found once: each of these lost something, went on in silence, or ended in a
traceback."""

import json

import numpy as np
import pytest

import scratchae as sa
from scratchae.saving import checkpoint

X = np.linspace(0, 1, 40 * 6, dtype=np.float32).reshape(40, 6)


def small():
    return sa.Autoencoder(sa.Dense(6, 3, "tanh"), sa.Dense(3, 6)).build(6)


def train(model, data=X, optimizer=None, **options):
    return sa.fit(model, data, optimizer or sa.Adam(), epochs=2, batch_size=16, **options)


def spiked(value, dtype=np.float64):
    x = X.astype(dtype)
    x[-1, 2] = value
    return x


@pytest.mark.parametrize(
    "data, kind, words",
    [
        (np.ma.masked_array(X, mask=X > 0.9), TypeError, "masked array.*fill it"),
        (spiked(1e300), ValueError, r"1e\+300 at index \(39, 2\), but float32 ends at 3.4e\+38"),
        (spiked(-1e300), ValueError, r"at index \(39, 2\), but float32 ends"),
        (
            spiked(np.longdouble("1e4000"), np.longdouble),
            ValueError,
            r"at index \(39, 2\), but float",
        ),
    ],
    ids=["masked", "too large", "too small", "longdouble"],
)
def test_values_that_float32_cannot_hold(data, kind, words):
    model = small()
    before = model.parameters.values.copy()
    for call in (train, lambda m, x: m.encode(x), sa.evaluate):
        with pytest.raises(kind, match=words):
            call(model, data)
    np.testing.assert_array_equal(model.parameters.values, before)


def test_encoding_checks_the_range_of_bernoulli():
    model = sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2)).build(6)
    with pytest.raises(ValueError, match=r"takes values in \[0, 1\]"):
        model.reconstruct(255 * X)


def test_callbacks_are_looked_at_first_and_end_a_run_by_true_alone():
    with pytest.raises(TypeError, match="a callback is 3, but a function"):
        train(small(), callbacks=[3])
    assert len(train(small(), callbacks=lambda model, history: "a string")) == 2
    assert len(train(small(), callbacks=[lambda model, history: True])) == 1


def test_a_model_built_again_in_a_callback():
    with pytest.raises(RuntimeError, match="built the model again"):
        train(small(), callbacks=[lambda model, history: model.build(6, seed=5) and None])


def test_parameters_that_the_last_step_spoiled():
    with pytest.raises(sa.NonFiniteLoss, match=r"no longer finite|loss became"):
        sa.fit(small(), X, sa.SGD(1e38), epochs=1, batch_size=40)


@pytest.mark.parametrize("wrong", ["adam", sa.Adam, None])
def test_what_is_no_optimizer(wrong):
    with pytest.raises(TypeError, match="an optimiser such as Adam"):
        sa.fit(small(), X, wrong, epochs=1)


def test_a_class_is_no_model():
    with pytest.raises(
        TypeError, match=r"the model is the class Autoencoder, but.*Autoencoder\(\.\.\.\)"
    ):
        train(sa.Autoencoder)


@pytest.mark.filterwarnings("ignore::scratchae.WideCode")
def test_a_model_without_parameters(backend):
    model = sa.Autoencoder(sa.Flatten(), sa.Reshape(6)).build(6, backend=backend)
    with pytest.raises(
        ValueError,
        match="this Autoencoder has no parameters to train: it has none: give it a layer",
    ):
        train(model)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sa.VAE(None, sa.Dense(2, 6), sa.Gaussian(2)),
        lambda: sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6), 2),
        lambda: sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6), sa.Bernoulli),
        lambda: sa.evaluate("a model", X),
    ],
)
def test_parts_of_the_wrong_kind(make):
    with pytest.raises(TypeError, match=r"^the \w+ is .*expected$"):
        make()


@pytest.mark.parametrize("seed", [1.5, None, "a", True, -1, 2**64])
def test_seeds(seed):
    with pytest.raises(ValueError, match="the seed is"):
        sa.Autoencoder(sa.Dense(6, 3), sa.Dense(3, 6)).build(6, seed=seed)


def test_saving_to_what_is_no_file(tmp_path):
    model = small()
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


@pytest.mark.parametrize(
    "key, value",
    [
        ("model", "null"),
        ("model", '{"class": "scratchae.Dense", "arguments": {"inputs": 6, "outputs": 3}}'),
        ("model", '{"class": "scratchae.zeros", "arguments": {"shape": [9]}}'),
        ("model", "{"),
        ("model", '{"class": "scratchae.Dense", "arguments": {"nonsense": 6}}'),
        ("input_shape", "null"),
        ("dtype", "float64"),
        ("counters", '{"t": -5, "epoch": 1}'),
        ("counters", '{"who": "evil"}'),
        ("optimizer", '{"class": "scratchae.SGD", "arguments": {"lr": 0.1, "momentum": 0.0}}'),
    ],
)
def test_a_forged_file_with_a_right_checksum(tmp_path, key, value):
    from safetensors.numpy import save_file

    model = small()
    optimizer = train(model).optimizer
    sa.save(model, tmp_path / "m", optimizer=optimizer)
    metadata, tensors = checkpoint._read(tmp_path / "m")
    assert json.loads(metadata["counters"])["epoch"] == 2
    metadata[key] = value
    metadata["sha256"] = checkpoint._digest(tensors, metadata)
    save_file(tensors, tmp_path / "m", metadata)
    with pytest.raises(ValueError, match=r"does not describe a model|it is damaged"):
        sa.load(tmp_path / "m")
