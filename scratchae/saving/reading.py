"""A model's file is read: its header first, the rest once, if the header is as expected."""

import json
import math
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from .writing import DTYPES, FORMAT, LONGEST, digest, failed, status

Place = tuple[str, tuple[int, ...], int, int]  # dtype, shape, first byte, last byte + 1


def opened(path: Path) -> BufferedReader:
    """The file, open for reading. Raises FileNotFoundError, OSError for what cannot be read."""
    found = status(path)
    if found is None or not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError(
            f"there is no file {path}: give the path that save(model, path) wrote"
        )
    try:
        return path.open("rb")
    except OSError as error:
        raise failed(
            f"{path} could not be read", error, "give a file that you may read"
        ) from error


class Tensors(dict[str, np.ndarray]):
    """name -> tensor of a file, whose values are read, all at once, as the first is asked for.

    Shapes as saved. Until then, items() have the shapes and dtypes, and take no memory.
    """

    def __init__(self, file: BufferedReader, places: dict[str, Place], metadata: dict[str, str]):
        self._file, self._places, self._metadata = file, places, metadata
        self._start, self._known = file.tell(), False
        self.bytes = sum(stop - start for _, _, start, stop in places.values())
        for name, (dtype, shape, _, _) in places.items():
            self[name] = np.broadcast_to(np.zeros((), dtype), shape)

    def __getitem__(self, name: str) -> np.ndarray:
        self.read()
        return super().__getitem__(name)

    def read(self) -> None:
        """Read all values, any shapes, into memory; nothing is mapped, since the file may be
        overwritten meanwhile. Raises ValueError where the checksum is another."""
        if self._known:
            return
        data = np.empty(self.bytes, np.uint8)
        self._file.seek(self._start)
        if self._file.readinto(data.data) != len(data):
            raise ValueError("it is no whole safetensors file (it was cut meanwhile): save again")
        values = {
            name: data[start:stop].view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
            for name, (dtype, shape, start, stop) in self._places.items()
        }
        found, saved = digest(values, self._metadata), self._metadata.get("sha256")
        if found != saved:
            raise ValueError(
                f"it is damaged: it has the SHA-256 {found}, but was saved with {saved}: save the "
                "model again"
            )
        self.update(values)
        self._known = True


def contents(file: BufferedReader) -> tuple[dict[str, str], Tensors]:
    """The metadata and the tensors of an open file, of which only the header has been read.

    Raises ValueError for what is no whole safetensors file, and for one of another format."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= size - 8:
        raise _broken("it is cut short")
    if length > LONGEST:
        raise _broken(f"its header has {length:,} bytes, and that of a model at most {LONGEST:,}")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_unique)
        metadata = header.pop("__metadata__", {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise _broken(f"its header is no JSON of the kind, {type(error).__name__}") from None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _broken("its metadata is no text")
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "no format")
        raise ValueError(f"it says {found!r}, but {FORMAT!r} is expected: give a file of save()")
    places = {name: _place(name, entry) for name, entry in header.items()}
    at = 0
    for _, _, start, stop in sorted(places.values(), key=lambda place: place[2:]):
        if start != at:
            raise _broken("its tensors do not follow one another")
        at = stop
    if at != size - 8 - length:
        raise _broken(f"it has {size:,} bytes, and {8 + length + at:,} are due")
    return metadata, Tensors(file, places, metadata)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _place(name: str, entry: Any) -> Place:
    """One tensor's entry in the header, checked."""
    try:
        code, shape, (start, stop) = (entry[key] for key in ("dtype", "shape", "data_offsets"))
    except (TypeError, ValueError, KeyError):
        raise _broken(f"tensor {name!r} is not described as one") from None
    if code not in DTYPES:
        raise ValueError(
            f"tensor {name!r} is of type {code!r}, which NumPy does not have: save the model again"
        )
    whole = all(type(n) is int and 0 <= n < 1 << 63 for n in (*shape, start, stop))
    size = np.dtype(DTYPES[code]).itemsize
    if not whole or len(entry) > 3 or len(shape) > 64:  # the most axes that NumPy has
        raise _broken(f"tensor {name!r} is not described as one")
    if size * math.prod(shape) != stop - start:
        raise _broken(f"tensor {name!r} does not fit its place")
    return DTYPES[code], tuple(shape), start, stop


def _broken(why: str) -> ValueError:
    return ValueError(f"it is no whole safetensors file ({why}): save the model again")
