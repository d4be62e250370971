"""A file is refused within a second and 50 MB over its size, in a sentence that is shorter than
the file."""

import json

import numpy as np
import pytest
from costs import cheap
from saving.broken import header_size
from saving.models import built, save, train

import scratchae as sa
from scratchae.saving import writing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The header and the tensors' bytes of a model that was trained."""
    path, model = tmp_path_factory.mktemp("saved") / "model", built()
    train(model, sa.Adam(0.01))
    save(model, path)
    raw = path.read_bytes()
    return json.loads(raw[8 : header_size(raw)]), raw[header_size(raw) :]


def refused(path, at_least=1):
    """The sentence, which costs little."""
    said = []

    def load():
        with pytest.raises(ValueError) as caught:
            sa.load(path)
        said.append(str(caught.value))

    cheap(load)
    sentence = said[0].removeprefix(f"{path}: ")
    assert sentence != said[0] and at_least < len(sentence) < 600 and sentence.isprintable()
    return sentence


def written(path, header, rest=b"", sparse=0):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + rest)
        file.truncate(file.tell() + sparse)
    return path


def signed(path, whole, **metadata):
    """The trained model's file with other metadata, and the checksum of these."""
    header, rest = whole
    header = header | {"__metadata__": header["__metadata__"] | metadata}
    tensors = {
        name: np.frombuffer(rest[slice(*entry["data_offsets"])], "f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }
    header["__metadata__"]["sha256"] = writing.digest(tensors, header["__metadata__"])
    return written(path, header, rest)


HUGE = 1 << 32
OTHERS = {
    "no metadata": ({}, "says 'no format'"),
    "another's": ({"__metadata__": {"format": "pt"}}, "says 'pt'"),
    "the format alone": ({"__metadata__": {"format": "scratchae 4"}}, "KeyError: 'model'"),
}


@pytest.mark.parametrize("which", OTHERS)
def test_a_file_of_4_gib_that_is_no_models(tmp_path, which):
    metadata, words = OTHERS[which]
    tensor = {"dtype": "F32", "shape": [HUGE // 4], "data_offsets": [0, HUGE]}
    assert words in refused(written(tmp_path / "x", metadata | {"a": tensor}, sparse=HUGE))


@pytest.mark.parametrize("name", ["encoder.9.W", "optimizer.more", "optimizer.v"])
def test_a_models_file_with_4_gib_more(tmp_path, whole, name):
    header, rest = whole
    entry = {"dtype": "F32", "shape": [HUGE // 4], "data_offsets": [len(rest), len(rest) + HUGE]}
    if name in header:  # it stands last
        start, stop = header[name]["data_offsets"]
        assert stop == len(rest)
        entry["data_offsets"][0], entry["shape"] = start, [(len(rest) - start + HUGE) // 4]
    sentence = refused(written(tmp_path / "x", header | {name: entry}, rest, HUGE))
    assert "it is damaged" in sentence and name in sentence


def names():
    """94 MB of them: made where they are tested, since a file of tests is read by every run."""
    every = b"".join(b',"%d":""' % i for i in range(8_000_000))
    return b'{"__metadata__":{"format":"scratchae 4"' + every + b"}}"


HEADERS = {
    "94 MB of names": names,
    "depth": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a number": b'{"a":' + b"9" * 500_000 + b"}",
    "many axes": b'{"__metadata__":{"format":"scratchae 4"},'
    b'"a":{"dtype":"F32","data_offsets":[0,4],"shape":['
    + b",".join([b"1" + b"0" * 30] * 30_000)
    + b"]}}",
    "the same twice": b'{"__metadata__":{"format":"scratchae 4"},"__metadata__":{"format":"x"}}',
    "no UTF-8": b'{"__metadata__":{"format":"\xff\xfe"}}',
    "half a character": b'{"__metadata__":{"format":"\\ud800"}}',
    "a list": b"[]",
    "blanks": b" " * 100,
    "a long format": b'{"__metadata__":{"format":"' + b"x" * 500_000 + b'"}}',
    "escapes": b'{"__metadata__":{"format":"\\u001b]0;owned\\u0007\\n\\u202e"}}',
    "a long name": b'{"__metadata__":{"format":"scratchae 4"},"' + b"n" * 500_000 + b'":5}',
}


@pytest.mark.parametrize("which", HEADERS)
def test_headers(tmp_path, which):
    header = HEADERS[which]
    refused(written(tmp_path / "x", header() if callable(header) else header, b"\0" * 4))


MANY = [20_000, 165_000]


@pytest.mark.parametrize("n", MANY)
def test_headers_of_many_parts(tmp_path, whole, n):
    """The most that fits into a header."""
    for text in (
        b"[" + b"[]," * n + b"[]]",
        b"[" + b"{}," * n + b"{}]",
        b"{" + b",".join(b'"%x":0' % i for i in range(n // 4)) + b"}",
        b"{" + b",".join(b'"%x":{}' % i for i in range(n // 4)) + b"}",
    ):
        refused(written(tmp_path / "x", b'{"a":' + text + b"}"))
    refused(signed(tmp_path / "x", whole, model="[" + "[]," * n + "[]]"))


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_is_longer_than_the_file(tmp_path, length):
    path = tmp_path / "x"
    path.write_bytes(length.to_bytes(8, "little") + b"{}" * 100)
    assert "no whole safetensors file" in refused(path)


SHAPES = [
    *('["a", 3000000000]', "[1e9, 3]", "[[6], 6, 1]", "[6, 6, true]", "[0, 6, 1]", "[]", "null"),
    *('"666"', '{"6": 6}', "[1" + "0" * 40 + "]", "[4611686018427387904, 4]", "[-6, -6, 1]"),
    *("[" + "9" * 5000 + "]", "[" + "9" * 4000 + "]", "[" * 90_000, "[" + "7," * 90_000 + "7]"),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape[:24])
def test_input_shapes(tmp_path, whole, shape):
    refused(signed(tmp_path / "x", whole, input_shape=shape))


@pytest.mark.parametrize("dtype", ["float16", "f4,f4", "", "float128", "x" * 100_000])
def test_dtypes(tmp_path, whole, dtype):
    refused(signed(tmp_path / "x", whole, dtype=dtype))


@pytest.mark.parametrize("code", ["BF16", "F8_E4M3", "F8_E5M2", "F4", "F6_E2M3", "XX", None, []])
def test_types_of_others(tmp_path, whole, code):
    header, rest = whole
    header = header | {"encoder.1.b": header["encoder.1.b"] | {"dtype": code}}
    sentence = refused(written(tmp_path / "x", header, rest))
    assert "TypeError" in sentence if code == [] else f"of type {code!r}, which NumPy" in sentence


def nested(depth, top):
    """Each level holds the one below it twice, in few bytes."""
    layer = {"class": "scratchae.Flatten", "arguments": {}}
    for i in range(depth):
        layer = {"class": "scratchae.Sequential", "arguments": {"*": [layer, {"same": i}]}}
    return json.dumps({"class": "scratchae.Autoencoder", "arguments": top(layer)})


@pytest.mark.parametrize("depth", [1, 22, 40, 150])
@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_layers_in_two_places_in_two_places(tmp_path, whole, depth, part):
    other = {"class": "scratchae.Flatten", "arguments": {}}
    parts = {"encoder": other, "decoder": other, "likelihood": None, "penalty": None}
    model = nested(depth, lambda layer: parts | {part: layer})
    assert "stands at" in refused(signed(tmp_path / "x", whole, model=model))


def one(name, **arguments):
    return json.dumps({"class": f"scratchae.{name}", "arguments": arguments})


MODELS = {
    "depth": '{"class":"scratchae.Sequential","arguments":{"*":[' * 20_000,
    "depth that is closed": '{"class":"scratchae.Sequential","arguments":{"*":[' * 9_000
    + "5"
    + "]}}" * 9_000,
    "lists": "[" * 30_000 + "]" * 30_000,
    "a long name": '{"class": "' + "x" * 500_000 + '"}',
    "a long argument": one("Dense", inputs=3, outputs=3, activation="x" * 500_000),
    "escapes": '{"class": "\\u001b]0;owned\\u0007\\nall is well"}',
    "beta": one("VAE", encoder=5, decoder=10**400, latent=None, likelihood=None, beta=10**400),
    "a number": one("Gaussian", dimensions=10**40),
    "a rate": one("Adam", lr=10**400),
}


@pytest.mark.parametrize("which", MODELS)
def test_descriptions(tmp_path, whole, which):
    refused(signed(tmp_path / "x", whole, model=MODELS[which]))


def test_numbers_that_overflow(tmp_path, whole):
    model = whole[0]["__metadata__"]["model"]
    for old, new in (
        ('"beta": 1.0', '"beta": 1' + "0" * 400),
        ('"outputs": 4', '"outputs": 1e999'),
    ):
        assert old in model
        refused(signed(tmp_path / "x", whole, model=model.replace(old, new)))
    sizes = model.replace('"inputs": 36', f'"inputs": {10**40}')
    refused(signed(tmp_path / "x", whole, model=sizes, input_shape=f"[{10**40}]"))
    refused(
        signed(tmp_path / "x", whole, model=model.replace('"outputs": 7', f'"outputs": {10**15}'))
    )


@pytest.mark.parametrize(
    "sha256", ["x\x1b]0;owned\x07\x1b[2J\nERROR root: all is well", "a" * 500_000]
)
def test_a_checksum_that_is_none(tmp_path, whole, sha256):
    header, rest = whole
    header = header | {"__metadata__": header["__metadata__"] | {"sha256": sha256}}
    assert "is damaged" in refused(written(tmp_path / "x", header, rest))


def test_many_tensors(tmp_path, whole):
    header, rest = whole
    places = {
        f"{'a' * 20}{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        for i in range(2_000)
    }
    refused(written(tmp_path / "x", header | places, rest))
    places = {f"optimizer.{name}": entry for name, entry in places.items()}
    refused(written(tmp_path / "x", header | places, rest))


def test_what_cannot_be_read_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LONGEST", 1000)
    with pytest.raises(
        ValueError, match=r"the model's description has .* bytes, but load reads 1,000"
    ):
        save(built(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
