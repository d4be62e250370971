"""Where the files of a data set come from: a folder of the reader's, the user cache, or the
network."""

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..checks import shown
from . import unpacking
from .unpacking import LARGEST

TIMEOUT = (
    2.0,
    6.0,
)  # seconds to connect to an address of a mirror, and seconds without a byte from it
LONGEST = 600.0  # seconds for a whole file


class DataUnavailable(OSError):
    """A file of a data set is neither on this machine nor to be had from its mirrors.

    Examples catch it to go on with a generated stand-in.
    """


class Found(NamedTuple):
    """A file, and its content as it was when its checksum was taken."""

    path: Path
    content: bytes


def find(
    dataset: str,
    name: str,
    sha256: str,
    mirrors: tuple[str, ...],
    data_dir: str | os.PathLike | None = None,
    *,
    also: tuple[str, ...] = (),
    content: Callable[[Path], bytes] = unpacking.small,
) -> Found:
    """The path and the content of one file with the published SHA-256 (hex), downloaded if this
    machine does not have it.

    Looks in data_dir, $SCRATCHAE_DATA and the user cache, in each for <dataset>/<name>, then for
    <name>; mirrors are addresses to which the name is appended, or of .zip archives that hold it.
    also: other names of the same content; content: what of a file is hashed and handed back, if
    not its bytes. Without pooch there is no cache and no download. Raises FileNotFoundError if
    data_dir or SCRATCHAE_DATA is no folder, ValueError if what is there has another checksum,
    DataUnavailable if there is no file to be had: each mirror is given up after TIMEOUT. Source:
    pooch's manual, pooch.retrieve.
    """
    looked: list[str] = []
    others: list[Path] = []
    for folder in _folders(data_dir):
        own = folder / dataset / name
        for there in (own, *(own.parent / other for other in also)):
            if there.is_file():
                return _checked(there, content(there), sha256)
        # MNIST and Fashion-MNIST share their file names: only the checksum tells whose a flat file
        # is.
        for flat in (folder / each for each in (name, *also)):
            if flat.is_file():
                found = content(flat)
                if hashlib.sha256(found).hexdigest() == sha256:
                    return Found(flat, found)
                others.append(flat)
        looked.append(f"{own.parent}")
    cache, failures = _cache(), []
    mine = cache / dataset / name if cache else None
    for mirror in mirrors:
        if mine is None:
            break
        address = mirror if mirror.endswith(".zip") else mirror + name
        try:
            return _obtain(address, mine, sha256, content)
        except (OSError, ValueError) as error:
            failures.append(f"{address} ({type(error).__name__}: {shown(error, 120)})")
    for flat in others:  # damaged, or another set's: to go on without a word would hide it
        _checked(flat, content(flat), sha256)
    why = f"could not be downloaded from {', '.join(failures)}"
    raise DataUnavailable(
        f"{dataset} needs {name}, which is not in {', '.join(looked) or 'any folder given'} and "
        f"{why if cache else 'is not downloaded without pooch (pip install pooch)'}: "
        f"{f'place the file in {mine.parent}, or ' if mine else ''}set SCRATCHAE_DATA to a "
        f"folder that has {dataset}/{name}"
    )


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
    if cache := _cache():
        yield cache


def _cache() -> Path | None:
    """The user's cache folder; None without pooch, or a part of it, which knows where it is."""
    try:
        import pooch
    except ImportError:
        return None
    return Path(pooch.os_cache("scratchae"))


def _checked(path: Path, content: bytes, sha256: str) -> Found:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} has the SHA-256 {found}, but the published file has {sha256}: delete it, to "
            "download it, or put a whole copy in its place (each set in a folder of its own)"
        )
    return Found(path, content)


def _obtain(url: str, path: Path, sha256: str, content: Callable[[Path], bytes]) -> Found:
    """Download url to path, or the archive beside it that holds path's name, which is kept for the
    set's others."""
    if not url.endswith(".zip"):
        _download(url, path, sha256)
        return _checked(path, content(path), sha256)
    archive = path.parent / url.rpartition("/")[2]
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        return _unpack(archive, path, part, sha256, content)
    except (FileNotFoundError, ValueError):  # none yet, or a damaged one
        archive.unlink(missing_ok=True)
    _download(url, archive, None)  # no checksum is published: what is in it has one
    try:
        return _unpack(archive, path, part, sha256, content)
    except ValueError:
        archive.unlink(missing_ok=True)
        raise


def _unpack(
    archive: Path, path: Path, part: Path, sha256: str, content: Callable[[Path], bytes]
) -> Found:
    """Write what the archive holds under path's name to path. Raises FileNotFoundError without an
    archive, ValueError for one that is damaged or holds another file."""
    if not archive.is_file():
        raise FileNotFoundError(f"there is no {archive}")
    try:
        part.write_bytes(unpacking.member(archive, path.name))
        found = content(part)
        if (sha := hashlib.sha256(found).hexdigest()) != sha256:
            raise ValueError(f"{path.name} in {archive.name} has the SHA-256 {sha}, another one")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return Found(path, found)


class _Bounded:
    """A file that takes LARGEST bytes within LONGEST seconds, and no more."""

    def __init__(self, file: BinaryIO):
        self._file, self._left, self._end = file, LARGEST, time.monotonic() + LONGEST

    def write(self, data: bytes) -> None:
        """Raises ValueError for what is too much, or too slow."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it has over {LARGEST} bytes, more than any file of the data sets")
        if time.monotonic() > self._end:
            raise ValueError(f"it took over {LONGEST:g} seconds")
        self._file.write(data)

    def flush(self) -> None:
        """As a file has it."""


def _download(url: str, path: Path, sha256: str | None) -> None:
    """Download url to path. Raises OSError, after TIMEOUT at the latest if the host is silent, and
    ValueError for what is too large, too slow, or has another checksum.

    pooch writes to a temporary file, which becomes `path` only if its checksum is right and is
    removed otherwise.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    known = None if sha256 is None else f"sha256:{sha256}"
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)

    def bounded(url: str, name: str, owner: Any) -> None:
        with open(name, "wb") as file:
            downloader(url, _Bounded(file), owner)

    pooch.retrieve(url, known, path.name, path.parent, downloader=bounded)
