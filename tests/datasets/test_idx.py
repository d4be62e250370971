"""IDX files: what was written is read, and every kind of damage is an error that says so."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from scratchae.datasets import fashion_mnist, files, mnist
from scratchae.datasets.idx import load_splits, read_idx

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([7, 0, 9], np.uint8)


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("array", [IMAGES, LABELS, LABELS[:0]])
def test_read_idx_returns_what_was_written(tmp_path, array, pack):
    path = tmp_path / "file"
    path.write_bytes(pack(idx(array)))
    found = read_idx(path)
    assert found.dtype == np.uint8 and found.flags.writeable
    np.testing.assert_array_equal(found, array)


def read(path):
    return files.Found(path, path.read_bytes())


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]


PLAIN, PACKED = idx(IMAGES), gzip.compress(idx(IMAGES))
DAMAGED = {
    "nothing": (b"", "begins with b'', but an IDX file"),
    "an empty gzip stream": (gzip.compress(b""), "begins with b''"),
    "half a gzip stream": (PACKED[: len(PACKED) // 2], "no whole gzip stream"),
    "a gzip stream without its end": (PACKED[:-3], "no whole gzip stream"),
    "the beginning of a gzip header": (PACKED[:2], "no whole gzip stream"),
    "a wrong checksum": (flipped(PACKED, len(PACKED) - 6), "no whole gzip stream"),
    "a wrong block type": (flipped(PACKED, 10), "no whole gzip stream"),
    "rubbish after the stream": (PACKED + b"rubbish", "no whole gzip stream"),
    "a page of HTML": (b"<html>404</html>", "begins with b'<htm'"),
    "floats": (b"\0\0\x0d\3" + PLAIN[4:], r"begins with b'\\x00\\x00\\r\\x03'"),
    "a header cut short": (PLAIN[:9], "holds 9 bytes"),
    "one byte too few": (PLAIN[:-1], "but 2368 are due for shape"),
    "one byte too many": (PLAIN + b"\0", "but 2368 are due for shape"),
    "an absurd size": (b"\0\0\x08\3" + b"\xff" * 12 + PLAIN[16:], "holds 2368 bytes"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_named(tmp_path, damage):
    raw, words = DAMAGED[damage]
    path = tmp_path / "damaged.gz"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"damaged\.gz .*" + words + ".*fetch the file again"):
        read_idx(path)


def test_images_without_their_labels_are_refused(tmp_path, monkeypatch):
    names = ("images", "labels", "t-images", "t-labels")

    def read(path):
        return files.Found(path, path.read_bytes())

    for name, array in zip(names, (IMAGES, LABELS, IMAGES, LABELS[:2]), strict=True):
        (tmp_path / name).write_bytes(idx(array))
    monkeypatch.setattr(
        "scratchae.datasets.files.find", lambda dataset, name, *_: read(tmp_path / name)
    )
    with pytest.raises(
        ValueError, match=r"labels of .*t-images is \(2,\), but \(3,\) is expected"
    ):
        load_splits("set", dict.fromkeys(names, ""), ())


def test_a_set_is_its_four_files(tmp_path, monkeypatch):
    """Training first; each image with its own label; white is 255 and stays it."""
    test_images = (
        np.arange(5, 5 + 2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
    )
    arrays = IMAGES, LABELS, test_images, np.array([4, 250], np.uint8)
    names = ("train-images", "train-labels", "t10k-images", "t10k-labels")
    for name, array in zip(names, arrays, strict=True):
        (tmp_path / name).write_bytes(gzip.compress(idx(array)))
    monkeypatch.setattr(
        "scratchae.datasets.files.find", lambda dataset, name, *_: read(tmp_path / name)
    )
    found = [array for part in load_splits("set", dict.fromkeys(names, ""), ()) for array in part]
    for array, written in zip(found, arrays, strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array.reshape(written.shape), written)
    assert found[0].shape == (3, 28, 28, 1) and found[2].shape == (2, 28, 28, 1)


NAMES = [  # of the published files, in the order of load_splits
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
]


@pytest.mark.parametrize("dataset", [mnist, fashion_mnist], ids=lambda d: d.__name__)
def test_the_four_names(dataset):
    assert list(dataset.SHA256) == NAMES
    assert len(set(dataset.SHA256.values())) == 4


@pytest.mark.parametrize(
    "dataset, means, first",
    [
        (mnist, (0.13066, 0.13251), [5, 0, 4, 1, 9]),
        (fashion_mnist, (0.28604, 0.28685), [9, 0, 0, 3, 0]),
    ],
    ids=["mnist", "fashion_mnist"],
)
def test_published_files(dataset, means, first):
    name = dataset.__name__.rpartition(".")[2]
    folder = os.environ.get("SCRATCHAE_DATA")
    if not folder or not (Path(folder) / name).is_dir():
        pytest.skip(f"SCRATCHAE_DATA names no folder that holds {name}/")
    (images, labels), (test_images, test_labels) = dataset.load()
    assert images.shape == (60_000, 28, 28, 1) and test_images.shape == (10_000, 28, 28, 1)
    assert images.dtype == labels.dtype == np.uint8
    assert labels[:5].tolist() == first
    assert test_labels.shape == (10_000,) and set(test_labels) == set(range(10))
    assert (images.mean() / 255, test_images.mean() / 255) == pytest.approx(means, abs=1e-5)
