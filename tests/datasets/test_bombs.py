"""Files that unpack to far more than they should are refused within a second and 50 MB; a
download has an end, and two at once do not meet."""

import gzip
import hashlib
import http.server
import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import pytest
from costs import cheap

from scratchae.datasets import DataUnavailable, ecg5000, fashion_mnist, files, mnist, unpacking
from scratchae.datasets.ecg5000 import read_ucr
from scratchae.datasets.idx import read_idx

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TRAIN, TEST = ecg5000.SHA256
TEXT = b"1 0.5 -2.25 3\n4 1e-3 2 -1\n"
SUM = hashlib.sha256(TEXT).hexdigest()
MB = 1 << 20


def packed(path, head, block, times):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(times):
            file.write(block)
    return path


def refused(call, words, **allowed):
    def attempt():
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert len(str(caught.value)) < 600 and str(caught.value).isprintable()

    cheap(attempt, **allowed)


IDX = {
    "more than the header says": (b"\0\0\x08\x01" + struct.pack(">I", 10), "19 bytes or more"),
    "no header": (b"", "begins with b'.x00.x00.x00.x00'"),
    "more than it can unpack to": (
        b"\0\0\x08\x03" + struct.pack(">III", 2**32 - 1, 2**32 - 1, 2**32 - 1),
        "holds at most .* bytes",
    ),
    "images and more": (b"\0\0\x08\x03" + struct.pack(">III", 3, 28, 28), "2369 bytes or more"),
}


@pytest.mark.parametrize("which", IDX)
def test_idx_files(tmp_path, which):
    head, words = IDX[which]
    path = packed(tmp_path / "x.gz", head, bytes(MB), 128)
    refused(lambda: read_idx(path), words)


def test_devices_that_never_end():
    refused(lambda: read_idx("/dev/zero"), "begins with")
    refused(lambda: read_ucr("/dev/zero"), "line 1, has over 1,048,576 bytes")


UCR = {
    "blanks": (b"1 ", b" " * MB, 128, "unpacks to over 50 times its size"),
    "zeros": (b"", b"0" * MB, 128, "unpacks to over 50 times its size"),
    "zeros after a point": (b"1 0.", b"0" * MB, 128, "unpacks to over 50 times its size"),
    "lines": (b"", b"1 2\n" * (MB // 4), 40, "unpacks to over 50 times its size"),
    "empty lines": (b"", b"\n" * MB, 128, "unpacks to over 50 times its size"),
    "a long line": (b"1 2\n", b"7" * (2 * MB), 1, "line 2, has over 1,048,576 bytes"),
    "a long word": (b"1 2\n1 ", b"x" * (MB // 2), 1, "line 2, is no list of numbers"),
    "escapes": (b"1 \x1b]0;owned\x07\n", b"", 1, r"x1b\]0;owned"),
}


@pytest.mark.parametrize("which", UCR)
def test_texts(tmp_path, which):
    head, block, times, words = UCR[which]
    path = packed(tmp_path / "x.gz", head, block, times)
    refused(lambda: read_ucr(path), words)


def test_a_bad_line_is_found_at_once(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"1 2\none two\n" + b"1 2\n" * 10_000_000)
    refused(lambda: read_ucr(path), "line 2, is no list of numbers", allowed=5e6)


def test_plain_text_without_lines(tmp_path):
    with (tmp_path / "x.txt").open("wb") as file:
        file.truncate(10**10)
    refused(lambda: read_ucr(tmp_path / "x.txt"), "line 1, has over", allowed=5e6)


def test_a_table_that_packs_well_is_read(tmp_path):
    """Long constants are no bomb."""
    line = b"1 " + b"0.000000 " * 500 + b"\n"
    x, labels = read_ucr(packed(tmp_path / "x.gz", b"", line, 1500))
    assert x.shape == (1500, 500) and (labels == 1).all() and not x.any()


def test_the_line_ends_of_old_computers(tmp_path):
    (tmp_path / "x").write_bytes(b"1 2\r3 4\r\n5 6\r")
    assert read_ucr(tmp_path / "x")[1].tolist() == [1, 3, 5]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setattr(files, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(ecg5000, "SHA256", dict.fromkeys(ecg5000.SHA256, SUM))
    (tmp_path / "cache" / "ecg5000").mkdir(parents=True)
    return tmp_path / "cache"


@pytest.mark.parametrize("name", [f"ecg5000/{TRAIN}.gz", f"{TRAIN}.gz"])
def test_the_file_of_a_set_is_bounded(cache, name):
    packed(cache / name, b"", b" " * MB, 128)
    refused(lambda: ecg5000.load(cache), "unpacks to over 50 times")


@pytest.mark.parametrize("dataset", [mnist, fashion_mnist, ecg5000])
@pytest.mark.parametrize("flat", [False, True])
def test_a_file_that_is_larger_than_any(cache, dataset, flat):
    folder = cache if flat else cache / dataset.__name__.rpartition(".")[2]
    folder.mkdir(exist_ok=True)
    with (folder / next(iter(dataset.SHA256))).open("wb") as file:
        file.truncate(1 << 32)
    refused(lambda: dataset.load(cache), "has over 33,554,432 bytes")


def zipped(path, name=TRAIN, body=TEXT, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as whole:
        whole.writestr(name, body)
    return path


def test_archives_that_unpack_to_too_much(tmp_path):
    path = zipped(tmp_path / "x.zip", body=bytes(128 * MB - 3))
    refused(lambda: unpacking.member(path, TRAIN), "unpacks to over 33,554,432 bytes")
    raw = path.read_bytes()
    said = struct.pack("<I", 128 * MB - 3)
    assert raw.count(said) == 2
    path.write_bytes(raw.replace(said, struct.pack("<I", 20)))
    refused(lambda: unpacking.member(path, TRAIN), "is no archive of use")


def test_an_archive_of_another_text(cache, monkeypatch):
    """Of the most bytes that are unpacked at all."""
    path = zipped(cache / "x.zip", body=bytes(unpacking.LARGEST))
    monkeypatch.setattr(files, "_download", lambda url, to, *_: to.write_bytes(path.read_bytes()))
    monkeypatch.setattr(ecg5000, "MIRRORS", ecg5000.MIRRORS[:1])

    def load():
        with pytest.raises(
            DataUnavailable, match=r"ECG5000_TRAIN\.txt in ECG5000\.zip has the SHA"
        ):
            ecg5000.load()

    cheap(load)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_archives_that_are_packed_in_another_way(tmp_path, method):
    path = zipped(tmp_path / "x.zip", method=method)
    refused(lambda: unpacking.member(path, TRAIN), "in another way than deflate")


def test_every_flipped_bit_of_an_archive_is_a_refusal_or_nothing(tmp_path):
    raw = zipped(tmp_path / "x.zip").read_bytes()
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "x.zip").write_bytes(changed)
        try:
            assert unpacking.member(tmp_path / "x.zip", TRAIN) == TEXT
        except ValueError as error:
            assert str(error).startswith("x.zip is no archive of use (")


@pytest.mark.parametrize("damage", ["cut", "empty", "lzma", "offset", "another text"])
def test_a_damaged_archive_in_the_cache_is_fetched_again(cache, monkeypatch, damage):
    path, asked = zipped(cache / "ecg5000" / "ECG5000.zip"), []
    raw = path.read_bytes()
    if damage == "another text":
        zipped(path, body=b"9 9\n")
    elif damage == "lzma":
        zipped(path, method=zipfile.ZIP_LZMA)
    elif damage == "offset":  # of the central directory: reading it fails with OSError
        path.write_bytes(raw[:-6] + b"\xff\xff\xff\x7f" + raw[-2:])
    else:
        path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else b"")

    def download(url, path, *_):
        asked.append(url)
        with zipfile.ZipFile(path, "w") as whole:
            whole.writestr(TRAIN, TEXT)
            whole.writestr(TEST, TEXT)

    monkeypatch.setattr(files, "_download", download)
    assert ecg5000.load()[1].labels.tolist() == [1, 4]
    assert asked == [ecg5000.MIRRORS[0]]
    assert sorted(p.name for p in (cache / "ecg5000").iterdir()) == sorted(
        ["ECG5000.zip", TRAIN, TEST]
    )


@pytest.mark.parametrize("name", [TRAIN, TEST])
def test_a_file_that_is_replaced_after_its_checksum(cache, monkeypatch, name):
    """What is read is what was checked."""
    for one in (TRAIN, TEST):
        (cache / "ecg5000" / one).write_bytes(TEXT)
    find = files.find

    def replacing(*arguments, **words):
        found = find(*arguments, **words)
        found.path.write_bytes(b"7 7\n")
        return found

    monkeypatch.setattr(files, "find", replacing)
    assert [part.labels.tolist() for part in ecg5000.load()] == [[1, 4], [1, 4]]


@pytest.mark.parametrize("broken", [False, True])
def test_without_pooch_there_is_no_cache_and_no_download(tmp_path, monkeypatch, broken):
    """Nor where pooch is there, and what it needs itself is not."""
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    if broken:
        monkeypatch.delitem(sys.modules, "pooch")
        package = tmp_path / "broken" / "pooch"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("import a_package_that_is_not_there")
        monkeypatch.syspath_prepend(package.parent)
    for folder in (None, tmp_path):
        for dataset in (mnist, ecg5000):
            with pytest.raises(DataUnavailable, match=r"without pooch \(pip install pooch\): set"):
                dataset.load(folder)
    monkeypatch.setattr(ecg5000, "SHA256", dict.fromkeys(ecg5000.SHA256, SUM))
    for name in (TRAIN, TEST):
        (tmp_path / name).write_bytes(TEXT)
    assert ecg5000.load(tmp_path)[0].labels.tolist() == [1, 4]


class Endless(http.server.BaseHTTPRequestHandler):
    """A mirror that sends zeros as long as anybody reads; drip: a few, and seldom."""

    drip = False

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(500 if self.drip else MB))
                time.sleep(0.05 if self.drip else 0)
        except OSError:
            pass


@pytest.fixture
def endless():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("name", ["", "ECG5000.zip"])
@pytest.mark.parametrize(
    "drip, words", [(False, "over 4194304 bytes"), (True, "over 0.3 seconds")]
)
def test_a_download_that_never_ends(cache, monkeypatch, endless, name, drip, words):
    for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Endless, "drip", drip)
    monkeypatch.setattr(files, "LARGEST", 4 * MB)
    if drip:
        monkeypatch.setattr(files, "LONGEST", 0.3)
    monkeypatch.setattr(ecg5000, "MIRRORS", (endless + name,))
    start = time.monotonic()
    with pytest.raises(DataUnavailable, match=words):
        ecg5000.load()
    assert time.monotonic() - start < 10
    assert not [path for path in cache.rglob("*") if path.is_file()]


LOADING = """
    import os, sys
    from pathlib import Path
    from scratchae.datasets import ecg5000, files
    def download(url, path, sha256):  # moved there whole, as pooch does
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_bytes(Path(sys.argv[3]).read_bytes())
        os.replace(part, path)
    files._download = download
    print("ready", flush=True)
    sys.stdin.readline()
    for i in range(20):
        files._cache = lambda: Path(sys.argv[1], str(i))
        name = next(iter(ecg5000.SHA256))
        found = files.find(
            "ecg5000", name, sys.argv[2], ecg5000.MIRRORS, content=ecg5000._content
        )
        assert found.content[:3] == b"1 0"
"""


def test_processes_that_unpack_at_once(tmp_path, monkeypatch):
    """Each writes a part of its own; whichever comes last, the file is whole."""
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    body = TEXT * 5000
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as whole:
        for name in (TRAIN, TEST):
            whole.writestr(name, body)
    (tmp_path / "cache" / "ecg5000").mkdir(parents=True)
    sha256 = hashlib.sha256(body).hexdigest()
    children = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                textwrap.dedent(LOADING),
                tmp_path / "cache",
                sha256,
                tmp_path / "x.zip",
            ],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate(timeout=120)[1] for child in children]
    assert said == [""] * 3, said[0]
    assert not list(tmp_path.rglob("*.part"))
