"""IDX, the file format of MNIST and its kin: a big-endian header, then the values, row-major.

The header is the magic number 0 0 8 D, where 8 says unsigned bytes and D is the number of
dimensions, and then D sizes of four bytes each. Source: LeCun, Cortes, Burges, "The MNIST
database", "File formats".
"""

import math
import os
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np

from .. import checks
from . import files
from .unpacking import DEFLATE, MEND, PIECE, piece, plain

Split = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28, 1) and labels (N,), both uint8

MAGIC = {b"\x00\x00\x08\x01": 1, b"\x00\x00\x08\x03": 3}  # -> dimensions: labels, images


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read labels (N,) or images (N, H, W), uint8, from an IDX file, packed with gzip or plain.

    Raises ValueError for a file that is empty, cut short, corrupt, longer than its header says, or
    not IDX of unsigned bytes. Source: the page "The MNIST database of handwritten digits", section
    "File formats".
    """
    with open(path, "rb") as file:
        return _array(file, path)


def _array(file: BufferedReader | BytesIO, where: object) -> np.ndarray:
    """The array of an open IDX file, any shape: the header says how much is unpacked."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    stream, packed = plain(file)
    magic = piece(stream, where, 4)
    dimensions = MAGIC.get(magic)
    if dimensions is None:
        raise ValueError(
            f"{where} begins with {magic!r}, but an IDX file of bytes was expected: {MEND}"
        )
    sizes = piece(stream, where, 4 * dimensions)
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, 4 * dimensions, 4))
    n, header = math.prod(shape), 4 + 4 * dimensions
    holds, most = f"{size} bytes", size
    if packed:
        holds, most = f"at most {size * DEFLATE} bytes", size * DEFLATE
    if header + n <= most and (packed or header + n == most):
        x, at = np.empty(n, np.uint8), 0
        while more := piece(stream, where, min(PIECE, n - at)):
            x[at : at + len(more)] = np.frombuffer(more, np.uint8)
            at += len(more)
        found = 4 + len(sizes) + at + len(piece(stream, where, 1))
        if found == header + n:
            return x.reshape(shape)
        holds = f"{found} bytes{' or more' if found > header + n else ''}"
    raise ValueError(f"{where} holds {holds}, but {header + n} are due for shape {shape}: {MEND}")


def load_splits(
    dataset: str,
    sums: dict[str, str],
    mirrors: tuple[str, ...],
    data_dir: str | os.PathLike | None = None,
) -> tuple[Split, Split]:
    """Find and read a set of four IDX files -> (images, labels) for training and for testing.

    sums: name -> SHA-256 of training images, training labels, test images, test labels, in this
    order. Images are (N, 28, 28, 1) uint8, labels (N,) uint8. Raises what files.find and read_idx
    raise, and ValueError if images and labels do not belong together. Source: as read_idx.
    """
    found = [files.find(dataset, name, sha256, mirrors, data_dir) for name, sha256 in sums.items()]
    arrays = [_array(BytesIO(content), path) for path, content in found]
    return _split(found[0].path, *arrays[:2]), _split(found[2].path, *arrays[2:])


def _split(path: Path, images: np.ndarray, labels: np.ndarray) -> Split:
    known = checks.sizes(f"the images in {path}", images, "N 28 28")
    checks.sizes(f"the labels of {path}", labels, "N", **known)
    return images[..., None], labels
