"""ECG5000: what was written is read, damage is named, and the published counts where the files
are."""

import gzip
import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scratchae.datasets import DataUnavailable, ecg5000, files, scaled, split, take
from scratchae.datasets.ecg5000 import CLASSES, NORMAL, read_ucr

TRAIN, TEST = ecg5000.SHA256
ROWS = np.array([[1, 0.5, -2.25, 3], [4, 1e-3, 2, -1]])
TEXT = b"".join(b"".join(b"%16.7e" % v for v in row) + b"\n" for row in ROWS)
OTHER = TEXT.replace(b"4.0000000", b"5.0000000")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A set of two small files, no folder but those of the test, and no network."""

    def unreachable(url, *_):
        raise ConnectionError(f"{url} is not there")

    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setattr(files, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(files, "_download", unreachable)
    sums = {
        name: hashlib.sha256(text).hexdigest()
        for name, text in zip((TRAIN, TEST), (TEXT, OTHER), strict=True)
    }
    monkeypatch.setattr(ecg5000, "SHA256", sums)
    return tmp_path


def put(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace(b"\n", b"\r\n"),
        b"1,.5,-2.25,3\n4,1e-3,2,-1",
        b"\n1\t.5\t-2.25\t3\n4\t.001\t2\t-1\n\n",
        b" 1   .5\t \t-2.25  3  \n4\t\t.001\t2 -1\t\n",
        b"1, .5 ,-2.25,\t3\n4 ,1e-3,2,-1 \n",
    ],
)
def test_what_was_written_is_read(tmp_path, text, pack):
    put(tmp_path / "file", pack(text))
    x, labels = read_ucr(tmp_path / "file")
    assert x.dtype == np.float32 and labels.dtype == np.int64 and labels.tolist() == [1, 4]
    np.testing.assert_array_equal(x, ROWS[:, 1:].astype(np.float32))


PACKED = gzip.compress(TEXT)
DAMAGED = {
    "nothing": (b"", "is empty"),
    "blanks": (b" \n \n", "is empty"),
    "half a gzip stream": (PACKED[: len(PACKED) // 2], "no whole gzip stream"),
    "a wrong checksum": (PACKED[:-6] + b"\0\0" + PACKED[-4:], "no whole gzip stream"),
    "a page of HTML": (b"<html>404</html>", "line 1, is no list of numbers"),
    "other bytes": (bytes(range(128, 256)), "line 1, is no list of numbers"),
    "a line cut short": (TEXT[:-17] + b"\n", "line 2, has length 3, but 4 was expected"),
    "labels only": (b"1\n2\n", "line 1, has length 1, but 2"),
    "a value missing": (TEXT.replace(b"3.0000000e+00", b"NaN"), r"line 1, is nan at index \(3,\)"),
    "a label that is not whole": (b"\n1 2\n1.5 2\n", "line 3, has the label 1.5"),
    "a label too large": (b"1e20 2\n", r"line 1, has the label 1e\+20"),
    "a label that a float cannot tell": (
        b"9007199254740993 2\n",
        "but a whole number below 2.53 is due",
    ),
    "a value too large": (b"1 2\n1 1e39\n", r"line 2, is 1e\+39 at index \(1,\), but float32"),
    "nothing between commas": (b"1,2,3\n\n4,,6\n", "line 3, is no list of numbers.*''"),
    "a blank between commas": (b"1,2,3\n4, ,6\n", "line 2, is no list of numbers.*' '"),
    "a comma at the end": (b"1,2,3,\n4,5,6,\n", "line 1, is no list of numbers.*''"),
    "a comma at the beginning": (b",2,3\n", "line 1, is no list of numbers.*''"),
    "decimal commas": (
        b"1 2 3\n4 5,5 6,5\n",
        "line 2, is no list of numbers with decimal points .*'4 5'",
    ),
    "decimal commas between tabs": (b"1\t2,5\n", r"line 1, is no list of numbers.*'1\\t2'"),
    "decimal commas between semicolons": (b"1;2,5\n", "line 1, is no list of numbers"),
    "a comment": (b"1 2 3\n4 5 6 # 7\n", "line 2, is no list of numbers.*#"),
    "a line of comment": (b"# class, values\n1 2\n", "line 1, is no list of numbers.*'# class'"),
    "a header": (b"# UCR\n1 2\n", "line 1, is no list of numbers.*#"),
    "digits in groups": (b"1 1_000\n", r"line 1, is no list of numbers.*1__000"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_named(tmp_path, damage):
    raw, words = DAMAGED[damage]
    put(tmp_path / "damaged.txt", raw)
    with pytest.raises(ValueError, match=r"damaged\.txt.*" + words) as caught:
        read_ucr(tmp_path / "damaged.txt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, pack",
    [
        ("ecg5000/{}", bytes),
        ("ecg5000/{}.gz", gzip.compress),
        ("{}", bytes),
        ("{}.gz", gzip.compress),
    ],
)
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_found_plain_or_packed_and_with_the_line_ends_of_windows(small, name, pack, ends):
    for file, text in ((TRAIN, TEXT), (TEST, OTHER)):
        put(small / "given" / name.format(file), pack(text.replace(b"\n", ends)))
    train, test = ecg5000.load(small / "given")
    assert train.name == test.name == "ECG5000"
    assert train.labels.tolist() == [1, 4] and test.labels.tolist() == [1, 5]
    both = ecg5000.everything(small / "given")
    assert both.labels.tolist() == [1, 4, 1, 5] and both.x.shape == (4, 3)


@pytest.mark.parametrize("name", ["ecg5000/{}", "ecg5000/{}.gz", "{}", "{}.gz"])
def test_another_text_is_refused(small, name):
    put(small / "given" / name.format(TRAIN), OTHER)
    with pytest.raises(ValueError, match=r"has the SHA-256 .*, but the published file has"):
        ecg5000.load(small / "given")


def test_out_of_reach(small):
    with pytest.raises(
        DataUnavailable, match=r"ecg5000 needs ECG5000_TRAIN\.txt.*aeon-toolkit/ECG5000\.zip \("
    ):
        ecg5000.load()


def archive(path, members):
    with zipfile.ZipFile(path, "w") as whole:
        for name, text in members.items():
            whole.writestr(name, text)


def test_downloaded_as_an_archive_once(small, monkeypatch):
    asked = []

    def download(url, path, *_):
        asked.append(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        archive(
            path,
            {"ECG5000.ts": b"", f"ECG5000/{TRAIN}": TEXT.replace(b"\n", b"\r\n"), TEST: OTHER},
        )

    monkeypatch.setattr(files, "_download", download)
    for _ in range(2):
        assert ecg5000.load()[1].labels.tolist() == [1, 5]
        assert asked == [ecg5000.MIRRORS[0]]


def test_a_wrong_archive_is_thrown_away_and_the_next_mirror_asked(small, monkeypatch):
    bad = iter([b"no archive", {TRAIN: OTHER}, {"ECG5000.ts": b""}])

    def download(url, path, *_):
        path.parent.mkdir(parents=True, exist_ok=True)
        members = next(bad)
        path.write_bytes(members) if isinstance(members, bytes) else archive(path, members)

    monkeypatch.setattr(files, "_download", download)
    with pytest.raises(
        DataUnavailable, match=r"not a zip file.*SHA-256.*holds no ECG5000_TRAIN\.txt"
    ):
        ecg5000.load()
    assert not [path for path in small.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def published():
    folder = os.environ.get("SCRATCHAE_DATA")
    if not folder or not (Path(folder) / "ecg5000").is_dir():
        pytest.skip("SCRATCHAE_DATA names no folder that holds ecg5000/")
    return ecg5000.load()


def test_published_files(published):
    for beats, counts, low, high in zip(
        published,
        ([292, 177, 10, 19, 2], [2627, 1590, 86, 175, 22]),
        (-5.7976446, -7.0903741),
        (4.0581274, 7.4021031),
        strict=True,
    ):
        assert beats.x.shape == (sum(counts), 140) and beats.x.dtype == np.float32
        assert np.bincount(beats.labels)[1:].tolist() == counts and set(beats.labels) == set(
            CLASSES
        )
        assert (beats.x.min(), beats.x.max()) == pytest.approx((low, high), rel=1e-6)
        np.testing.assert_allclose(beats.x.mean(axis=1, dtype=float), 0, atol=1e-6)
        np.testing.assert_allclose(beats.x.std(axis=1, ddof=1, dtype=float), 1, atol=1e-6)


def test_the_tutorials_form(published):
    train, test = scaled(*split(ecg5000.everything(), seed=3))
    normal = take(train, train.labels == NORMAL)
    assert (len(train), len(test)) == (4000, 1000)
    assert (normal.labels == 1).all() and len(normal) + (test.labels == 1).sum() == 2919
    assert (train.x.min(), train.x.max()) == (0, 1)
