"""Where data files come from: the order of the search, checksums, and a network that fails in
every way."""

import hashlib
import socket
import time

import pooch
import pytest
import requests

from scratchae.datasets import files

DOWNLOAD = files._download  # before the fixture takes it away
NAME, BODY, OTHER = (
    "images.gz",
    b"the published bytes" * 100,
    b"another set's file of the same name",
)
SUM = hashlib.sha256(BODY).hexdigest()
MIRRORS = ("https://one.invalid/", "https://two.invalid/")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No folder but those of the test, no network."""
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setattr(files, "_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(files, "_download", unreachable)
    return tmp_path / "cache"


def unreachable(url, *_):
    raise ConnectionError(f"{url} is not there")


def find(data_dir=None, mirrors=MIRRORS):
    return files.find("set", NAME, SUM, mirrors, data_dir)


def put(path, body=BODY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_order_of_the_search(tmp_path, monkeypatch, cache):
    (tmp_path / "env").mkdir()
    monkeypatch.setenv("SCRATCHAE_DATA", str(tmp_path / "env"))
    given = tmp_path / "given"
    given.mkdir()
    for folder in (cache, tmp_path / "env", given):  # the later one is searched earlier
        for path in (folder / NAME, folder / "set" / NAME):
            put(path)
            assert find(given) == (path, BODY)


def test_a_flat_folder_may_hold_another_set(tmp_path):
    flat = put(tmp_path / "flat" / NAME, OTHER)
    with pytest.raises(
        ValueError, match=r"has the SHA-256 [0-9a-f]{64}, but the published file has [0-9a-f]{64}"
    ):
        find(flat.parent)
    assert (
        files.find("other", NAME, hashlib.sha256(OTHER).hexdigest(), (), flat.parent).path == flat
    )


def test_a_wrong_checksum_is_never_passed_over(tmp_path, cache):
    put(cache / "set" / NAME)
    damaged = put(tmp_path / "given" / "set" / NAME, BODY[:-1])
    with pytest.raises(
        ValueError, match=f"{hashlib.sha256(BODY[:-1]).hexdigest()}.*{SUM}"
    ) as caught:
        find(tmp_path / "given")
    assert str(damaged) in str(caught.value)


def test_a_folder_that_was_asked_for_must_exist(tmp_path, cache):
    put(cache / "set" / NAME)
    with pytest.raises(FileNotFoundError, match="nowhere") as caught:
        find(tmp_path / "nowhere")
    # no stand-in is taken for a slip of the pen
    assert not isinstance(caught.value, files.DataUnavailable)


def test_mirrors_in_turn(monkeypatch, cache):
    asked = []

    def second(url, path, *_):
        asked.append(url)
        if url.startswith(MIRRORS[0]):
            raise ConnectionError
        put(path)

    monkeypatch.setattr(files, "_download", second)
    assert find().path == cache / "set" / NAME
    assert asked == [mirror + NAME for mirror in MIRRORS]


def test_the_error_says_where_and_how(tmp_path, monkeypatch, cache):
    (tmp_path / "env").mkdir()
    monkeypatch.setenv("SCRATCHAE_DATA", str(tmp_path / "env"))
    with pytest.raises(files.DataUnavailable) as caught:
        find()
    folders = [str(tmp_path / "env" / "set"), str(cache / "set")]
    for part in [*folders, *(mirror + NAME for mirror in MIRRORS), "SCRATCHAE_DATA"]:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_an_error(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("SCRATCHAE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(
        FileNotFoundError, match=r"SCRATCHAE_DATA is .*nowhere', where there is no folder"
    ):
        find()


@pytest.fixture
def silent():
    """The address of a host that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_a_silent_mirror_is_given_up(monkeypatch, cache, silent):
    assert max(files.TIMEOUT) < 10
    monkeypatch.setattr(files, "TIMEOUT", 0.2)
    monkeypatch.setattr(files, "_download", DOWNLOAD)
    start = time.monotonic()
    with pytest.raises(files.DataUnavailable, match="ReadTimeout"):
        find(mirrors=(silent, silent))
    assert time.monotonic() - start < 2
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "pieces",
    [(BODY,), (BODY[:700],), (BODY[:700], None), (OTHER,)],
    ids=["whole", "short", "broken off", "another file"],
)
def test_only_a_whole_download_is_kept(monkeypatch, cache, pieces):
    """pooch's part of the promise, with nothing of the network but what the pieces say."""

    def downloader(timeout):
        def send(url, output_file, _):
            for piece in pieces:
                if piece is None:
                    raise requests.exceptions.ChunkedEncodingError("broken off")
                output_file.write(piece)

        return send

    monkeypatch.setattr(pooch, "HTTPDownloader", downloader)
    monkeypatch.setattr(files, "_download", DOWNLOAD)
    if pieces == (BODY,):
        assert find() == (cache / "set" / NAME, BODY)
        assert [path.name for path in cache.rglob("*")] == ["set", NAME]
    else:
        with pytest.raises(files.DataUnavailable, match=r"does not match|ChunkedEncodingError"):
            find()
        assert not [path for path in cache.rglob("*") if path.is_file()]
