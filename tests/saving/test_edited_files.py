"""Files that were changed by hand, the checksum too: each is refused in one sentence that begins
with its path."""

import json
import re

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from saving.broken import refused
from saving.models import built, save, train

import scratchae as sa
from scratchae.saving import writing


def rewritten(path, change, signed):
    """The file after a change of (metadata, tensors), its checksum made anew or not."""
    with safe_open(path, framework="numpy") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(metadata, tensors)
    if signed:
        metadata["sha256"] = writing.digest(tensors, metadata)
    save_file(tensors, path, metadata)
    return path.read_bytes()


def another_value(metadata, tensors):
    tensors["encoder.1.b"] = tensors["encoder.1.b"] + 1


def another_shape(metadata, tensors):
    tensors["encoder.1.b"] = np.zeros(8, np.float32)


def another_class(metadata, tensors):
    metadata["model"] = metadata["model"].replace('"scratchae.Gaussian"', '"Popen"')


def edited(key, old, new):
    """A change of the metadata under that key, where the old text stands once."""

    def change(metadata, tensors):
        assert metadata[key].count(old) == 1
        metadata[key] = metadata[key].replace(old, new)

    return change


def without(key):
    """A change that takes that key from the metadata."""
    return lambda metadata, tensors: metadata.pop(key)


@pytest.mark.parametrize(
    "change, signed, words",
    [
        (
            edited("model", '"beta": 1.0', '"beta": -1'),
            True,
            ["model: ELBO(beta) is -1, but it must be a number at least 0"],
        ),
        (
            edited("model", '"outputs": 4', '"outputs": 0'),
            True,
            ["model: Dense(outputs) is 0, but"],
        ),
        (edited("optimizer", '"lr": 0.01', '"lr": -1'), True, ["model: ", "-1, but"]),
        (edited("counters", '"t": 6', '"t": true'), True, ["counts True", "it is damaged"]),
        (edited("epoch", "2", "false"), True, ["counts False", "it is damaged"]),
        (edited("step", "6", "true"), True, ["counts True", "it is damaged"]),
        (edited("step", "6", "-1"), True, ["counts -1", "it is damaged"]),
        (without("step"), True, ["does not describe a model", "'step'"]),
        *(
            (edited("format", "scratchae 4", old), True, [f"'{old}'", "'scratchae 4' is expected"])
            for old in ("scratchae 1", "scratchae 3")
        ),
        (another_value, False, ["is damaged: it has the SHA-256"]),
        (another_class, False, ["is damaged: it has the SHA-256"]),
        (another_shape, True, ["holds tensors", "but its architecture has", "it is damaged"]),
        (
            another_class,
            True,
            ["names 'Popen', which is not one of this library's classes", "classes=[Popen]"],
        ),
    ],
)
def test_a_file_that_was_tampered_with(tmp_path, change, signed, words):
    model, path = built(), tmp_path / "model"
    train(model, sa.Adam(0.01))
    save(model, path)
    sentence = refused(path, rewritten(path, change, signed))
    assert all(word in sentence for word in words)


@pytest.mark.parametrize(
    "reference, words",
    [
        *(
            ({"same": n}, re.escape(f"names object {n!r} again, but has 4 so far"))
            for n in (4, -1, 9, True, 1.0, "1", None, [1])
        ),
        ({"same": 0}, "Tied.of. is .*Flatten"),
        (
            {"class": "scratchae.Dense", "arguments": {"inputs": 36, "outputs": 7}},
            "does not stand before it in the same model",
        ),
        ({}, "names None"),
    ],
)
def test_a_reference_that_leads_nowhere(tmp_path, reference, words):
    path = tmp_path / "model"
    sa.save(built("tied"), path)
    raw = rewritten(path, edited("model", '{"same": 2}', json.dumps(reference)), signed=True)
    assert re.search(words, refused(path, raw))


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
        ("counters", '{"t": -5}'),
        ("counters", '{"t": 5, "epoch": 1}'),
        ("epoch", "-1"),
        ("counters", '{"who": "evil"}'),
        ("optimizer", '{"class": "scratchae.SGD", "arguments": {"lr": 0.1, "momentum": 0.0}}'),
    ],
)
def test_a_part_that_was_put_in_anew(tmp_path, key, value):
    model, path = built(), tmp_path / "model"
    train(model, sa.Adam(0.01))
    save(model, path)

    def change(metadata, tensors):
        assert json.loads(metadata["epoch"]) == 2
        metadata[key] = value

    rewritten(path, change, signed=True)
    with pytest.raises(ValueError, match=r"does not describe a model|it is damaged"):
        sa.load(path)
