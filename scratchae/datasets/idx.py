"""IDX, the file format of MNIST and its kin: a big-endian header, then the values, row-major.

The header is the magic number 0 0 8 D, where 8 says unsigned bytes and D is the number of
dimensions, and then D sizes of four bytes each. Source: LeCun, Cortes, Burges, "The MNIST
database", "File formats".
"""

import os
from pathlib import Path

import numpy as np

from .. import checks
from . import files
from .files import MEND

Split = tuple[np.ndarray, np.ndarray]  # images (N, 28, 28, 1) and labels (N,), both uint8

MAGIC = {b"\x00\x00\x08\x01": 1, b"\x00\x00\x08\x03": 3}  # -> dimensions: labels, images


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Read labels (N,) or images (N, H, W), uint8, from an IDX file, packed with gzip or plain.

    Raises ValueError for a file that is empty, cut short, corrupt, longer than its header says, or
    not IDX of unsigned bytes. Source: the page "The MNIST database of handwritten digits", section
    "File formats".
    """
    raw = files.unpacked(Path(path))
    dimensions = MAGIC.get(raw[:4])
    if dimensions is None:
        raise ValueError(
            f"{path} begins with {raw[:4]!r}, but an IDX file of bytes was expected: {MEND}"
        )
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        raise ValueError(
            f"{path} holds {len(raw)} bytes, but {expected} are due for shape {shape}: {MEND}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape).copy()  # a writable array


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
    paths = [files.find(dataset, name, sha256, mirrors, data_dir) for name, sha256 in sums.items()]
    arrays = [read_idx(path) for path in paths]
    return _split(paths[0], *arrays[:2]), _split(paths[2], *arrays[2:])


def _split(path: Path, images: np.ndarray, labels: np.ndarray) -> Split:
    known = checks.sizes(f"the images in {path}", images, "N 28 28")
    checks.sizes(f"the labels of {path}", labels, "N", **known)
    return images[..., None], labels
