"""Where the files of a data set come from: a folder of the reader's, the user cache, or the
network."""

import gzip
import hashlib
import logging
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

TIMEOUT = (
    2.0,
    6.0,
)  # seconds to connect to an address of a mirror, and seconds without a byte from it
MEND = "fetch the file again"


class DataUnavailable(OSError):
    """A file of a data set is neither on this machine nor to be had from its mirrors.

    Examples catch it to go on with a generated stand-in.
    """


def find(
    dataset: str,
    name: str,
    sha256: str,
    mirrors: tuple[str, ...],
    data_dir: str | os.PathLike | None = None,
    *,
    also: tuple[str, ...] = (),
    digest: Callable[[Path], str] | None = None,
) -> Path:
    """The path of one file with the published SHA-256 (hex), downloaded if this machine does not
    have it.

    Looks in data_dir, $SCRATCHAE_DATA and the user cache, in each for <dataset>/<name>, then for
    <name>;
    mirrors are addresses to which the name is appended, or of .zip archives that hold it. also:
    other names of the same content; digest: the SHA-256 of a file's content, if not of its bytes.
    Raises FileNotFoundError if data_dir or SCRATCHAE_DATA is no folder, ValueError if what is
    there has another checksum, DataUnavailable if there is no file to be had: each mirror is given
    up after TIMEOUT. Source: pooch's manual, pooch.retrieve.
    """
    digest = digest or _sha256
    looked: list[str] = []
    others: list[Path] = []
    for folder in _folders(data_dir):
        own = folder / dataset / name
        for there in (own, *(own.parent / other for other in also)):
            if there.is_file():
                return _checked(there, sha256, digest)
        # MNIST and Fashion-MNIST share their file names: only the checksum tells whose a flat file
        # is.
        for flat in (folder / each for each in (name, *also)):
            if flat.is_file():
                if digest(flat) == sha256:
                    return flat
                others.append(flat)
        looked.append(f"{own.parent}")
    failures = []
    for mirror in mirrors:
        address = mirror if mirror.endswith(".zip") else mirror + name
        try:
            _obtain(address, own, sha256, digest)
            return own  # in the user cache, the last of the folders
        except (OSError, ValueError) as error:
            failures.append(f"{address} ({type(error).__name__}: {str(error).split(':')[0]})")
    for flat in others:  # damaged, or another set's: to go on without a word would hide it
        _checked(flat, sha256, digest)
    raise DataUnavailable(
        f"{dataset} needs {name}, which is not in {', '.join(looked)} and could not be downloaded "
        f"from {', '.join(failures)}: place the file in {own.parent}, or set SCRATCHAE_DATA to a "
        f"folder that has {dataset}/{name}"
    )


def unpacked(path: Path) -> bytes:
    """The bytes (n,) of a file, packed with gzip or plain.

    Raises ValueError for a gzip stream that is cut short or corrupt. Source: RFC 1952, GZIP."""
    raw = path.read_bytes()
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is no whole gzip stream ({error}): {MEND}") from None


def _folders(data_dir: str | os.PathLike | None) -> Iterator[Path]:
    """The folders to search, in order, the user cache last."""
    named = os.environ.get("SCRATCHAE_DATA") or None
    for name, folder in (("data_dir", data_dir), ("SCRATCHAE_DATA", named)):
        if folder is None:
            continue
        if not Path(folder).is_dir():
            raise FileNotFoundError(
                f"{name} is {str(folder)!r}, where there is no folder: give one, or leave it out"
            )
        yield Path(folder)
    yield _cache()


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("scratchae"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(path: Path, sha256: str, digest: Callable[[Path], str]) -> Path:
    found = digest(path)
    if found != sha256:
        raise ValueError(
            f"{path} has the SHA-256 {found}, but the published file has {sha256}: delete it, to "
            "download it, or put a whole copy in its place (each set in a folder of its own)"
        )
    return path


def _obtain(url: str, path: Path, sha256: str, digest: Callable[[Path], str]) -> None:
    """Download url to path, or the archive beside it that holds path's name, which is kept for the
    set's others."""
    if not url.endswith(".zip"):
        return _download(url, path, sha256)
    archive = path.parent / url.rpartition("/")[2]
    if not archive.is_file():
        _download(url, archive, None)  # no checksum is published: what is in it has one
    part = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(archive) as whole:
            members = [name for name in whole.namelist() if name.rpartition("/")[2] == path.name]
            if not members:
                raise ValueError(f"{archive.name} holds no {path.name}")
            part.write_bytes(whole.read(members[0]))
        os.replace(_checked(part, sha256, digest), path)
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        part.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)
        raise ValueError(str(error)) from error


def _download(url: str, path: Path, sha256: str | None) -> None:
    """Download url to path. Raises OSError, after TIMEOUT at the latest if the host is silent, and
    ValueError.

    pooch writes to a temporary file, which becomes `path` only if its checksum is right and is
    removed otherwise.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    known = None if sha256 is None else f"sha256:{sha256}"
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    pooch.retrieve(url, known, path.name, path.parent, downloader=downloader)
