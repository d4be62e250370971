"""A model's file is written: the same bytes for the same model, whole or not at all.

    8 bytes     the length of the header, little-endian
    header      JSON: {"__metadata__": {name: text}, name: {"dtype", "shape", "data_offsets"}}
    the rest    the tensors, one after the other, row-major, little-endian

Source: the safetensors format, whose own writer orders the metadata anew each time.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..checks import is_a

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = "scratchae 4"
# Names, shapes and the description of a layer are some 400 bytes, so this is 1,300 layers, and
# the worst header of that length costs Python some 0.6 seconds and 22 MB.
LONGEST = 1 << 19  # bytes of header
DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "C64": "complex64"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"},
}
CODES = {name: code for code, name in DTYPES.items()}


def digest(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> str:
    """The SHA-256 (hex) over the tensors, any shapes, and all metadata but itself."""
    sha = hashlib.sha256()
    for key in sorted(metadata.keys() - {"sha256"}):
        sha.update(f"{key} {metadata[key]}".encode())
    for name in sorted(tensors):
        a = tensors[name]
        sha.update(f"{name} {a.dtype.name} {a.shape}".encode())
        sha.update(a.data)
    return sha.hexdigest()


def content(
    tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> Iterator[bytes | memoryview]:
    """The file's bytes, piece by piece; tensors of any shapes, contiguous.

    Raises ValueError for a header longer than ``load`` reads."""
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))  # each is aligned
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    at = 0
    for name in names:
        a, start = tensors[name], at
        at += a.nbytes
        code = CODES[a.dtype.name]
        header[name] = {"dtype": code, "shape": a.shape, "data_offsets": [start, at]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST:
        raise ValueError(
            f"the model's description has {len(text):,} bytes, but load reads {LONGEST:,}: take "
            "shorter names, or fewer numbers as arguments"
        )
    yield len(text).to_bytes(8, "little")
    yield text
    yield from (tensors[name].data for name in names)


def status(path: str | Path) -> os.stat_result | None:
    """What stands at that path, behind links; None for nothing. Raises OSError where that cannot
    be told."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise failed(f"{path} could not be reached", error, "give another path") from error


def failed(what: str, error: OSError, advice: str) -> OSError:
    """The same error as a sentence."""
    return type(error)(f"{what} ({error.strerror or error}): {advice}")


def as_path(path: Any) -> Path:
    """The path of a file. Raises TypeError for what is none."""
    is_a("the path", path, (str, os.PathLike), "that of a file is expected, such as 'my.file'")
    return Path(path)


def require_folder(target: Path) -> None:
    """Raise FileNotFoundError where the folder that a file is to stand in is not there."""
    folder = status(target.parent)
    if folder is None or not stat.S_ISDIR(folder.st_mode):
        raise FileNotFoundError(
            f"there is no folder {target.parent}: make it, or give another path"
        )


def write(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write beside the place first, then move there whole; through a link to where it leads.

    A file that stood there hands on its mode, and its owner where that may be. Raises OSError."""
    target, earlier = _target(path)
    _clear(target)
    part = None
    try:
        part, file = _part(target, 0o666 if earlier is None else 0o600)
        with file:
            if earlier is not None:
                with contextlib.suppress(OSError, AttributeError):  # as far as this user may
                    os.chown(part, earlier.st_uid, earlier.st_gid)
                os.chmod(part, stat.S_IMODE(earlier.st_mode))
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows moves no open file
            os.replace(part, target)
            part = None
    except OSError as error:
        advice = "give a path that may be written to, on a disk with space"
        raise failed(f"{target} could not be written", error, advice) from error
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _target(path: Path) -> tuple[Path, os.stat_result | None]:
    """Where the file is to stand, behind links, and what stands there."""
    try:
        target = Path(os.path.realpath(path))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} leads nowhere, since the working directory is gone: give a path from the root"
        ) from None
    require_folder(target)
    earlier = status(target)
    if earlier is not None and not stat.S_ISREG(earlier.st_mode):
        raise OSError(f"{target} is no plain file: give a path that ends in the name of a file")
    return target, earlier


def _start(target: Path) -> str:
    """How the names of its parts begin: a name has at most 255 bytes, of which 23 are theirs."""
    return f".{os.fsencode(target.name)[:230].decode(errors='ignore')}."


def _part(target: Path, mode: int) -> tuple[Path, BinaryIO]:
    """A file beside the target, locked as long as this process writes it."""
    while True:
        part = target.with_name(f"{_start(target)}{secrets.token_hex(8)}.part")
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), "r+b")
        # another process may have taken it for a dead one's, before it was locked
        if _locked(file) is not False and part.exists():
            return part, file
        file.close()


def _locked(file: BinaryIO) -> bool | None:
    """Lock a file until it is closed, or its process ends: whether nobody else has; None where
    there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _clear(target: Path) -> None:
    """Remove the parts beside the target that dead processes left: nobody has them locked."""
    theirs = re.compile(re.escape(_start(target)) + r"[0-9a-f]{16}\.part")
    with contextlib.suppress(OSError):
        for name in filter(theirs.fullmatch, os.listdir(target.parent)):
            with contextlib.suppress(OSError), open(target.with_name(name), "r+b") as file:
                if _locked(file):
                    os.unlink(file.name)
