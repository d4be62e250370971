"""ECG5000: 5,000 heart beats of one patient, 140 samples each. Source: Goldberger et al. 2000;
Chen et al. 2015."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .. import checks
from ..checks import shown
from . import files
from .sources import Values
from .splits import joined
from .unpacking import MEND, plain, small, text

NORMAL = 1
CLASSES = {
    1: "normal",
    2: "R-on-T premature ventricular contraction",
    3: "premature ventricular contraction",
    4: "supraventricular premature or ectopic beat",
    5: "unclassified beat",
}
# of the text: it is found plain or packed with gzip, and may have the line ends of Windows
SHA256 = {
    "ECG5000_TRAIN.txt": "0d96aff193311a6dc6111bf0dbd2f7d2313987fbf7a1da4a383d92563876057b",
    "ECG5000_TEST.txt": "baf4ad57d28daa5e79050edd4185968181762bc83d45a757753015b4ba8ab295",
}
LINE = 1 << 20  # bytes: the longest line of the UCR archive has some 50,000
MIRRORS = (
    "https://www.timeseriesclassification.com/aeon-toolkit/ECG5000.zip",
    "https://github.com/sktime/sktime-datasets/raw/main/TSC/ECG5000.zip",
    "http://www.timeseriesclassification.com/Downloads/ECG5000.zip",
)


def load(data_dir: str | os.PathLike | None = None) -> tuple[Values, Values]:
    """The archive's own split: 500 training and 4,500 test beats, (N, 140) float32, labels (N,) 1
    to 5.

    Each beat has mean 0 and deviation 1; CLASSES names the labels, NORMAL is the healthy one.
    data_dir: a folder that holds ecg5000/ or the two files; without it, $SCRATCHAE_DATA, the user
    cache and the mirrors. Raises DataUnavailable where there is no file to be had,
    FileNotFoundError if data_dir is no folder, ValueError for a damaged file. Source: Dau et al.,
    "The UCR Time Series Archive", 2019 (record chf07 of the BIDMC Congestive Heart Failure
    Database).
    """
    found = [
        files.find(
            "ecg5000", name, sha256, MIRRORS, data_dir, also=(f"{name}.gz",), content=_content
        )
        for name, sha256 in SHA256.items()
    ]
    train, test = (
        Values(*_table(BytesIO(content), path), name="ECG5000") for path, content in found
    )
    return train, test


def everything(data_dir: str | os.PathLike | None = None) -> Values:
    """All 5,000 beats (5000, 140), training beats first: what the tutorials split anew, see
    ``split``.

    Raises what ``load`` raises. Source: TensorFlow's tutorial "Intro to Autoencoders", third
    example.
    """
    return joined(*load(data_dir))


def read_ucr(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """A text file of the UCR archive -> series (N, T) float32 and whole labels (N,) int64.

    One series a line: its class, then its T values, all between blanks and tabs, or all between
    commas; plain or packed with gzip. Raises ValueError for a file that is empty or damaged, and,
    naming the line, for one that is no table of numbers, has values missing (or NaN), commas as
    decimal points, or labels that are not whole.
    Source: Dau et al. 2019, "The UCR Time Series Archive", the briefing.
    """
    with open(path, "rb") as file:
        return _table(BytesIO(text(file, path)) if plain(file)[1] else file, path)


def _table(file: BinaryIO, path: object) -> tuple[np.ndarray, np.ndarray]:
    """A text, plain, a line at a time -> series (N, T) float32 and labels (N,) int64."""
    rows: list[np.ndarray] = []
    for i, line in enumerate(_lines(file), 1):
        where = f"{path}, line {i},"
        if len(line) > LINE:
            raise ValueError(f"{where} has over {LINE:,} bytes, which is no series: {MEND}")
        if line.strip():
            row = _series(where, line)
            due = max(2, len(rows[0]) if rows else len(row))
            if len(row) != due:
                raise ValueError(f"{where} has length {len(row)}, but {due} was expected: {MEND}")
            rows.append(row)
    if not rows:
        raise ValueError(f"{path} is empty, but a line for each series was expected: {MEND}")
    table = np.array(rows)  # (N, 1 + T)
    return table[:, 1:].astype(np.float32), table[:, 0].astype(np.int64)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a text, of which none is read beyond LINE bytes."""
    while raw := file.readline(LINE + 1):
        yield from raw.splitlines()


def _series(where: str, line: bytes) -> np.ndarray:
    """A line of text -> its class and values (1 + T,) float64, checked."""
    words = line.split(b",") if b"," in line else line.split()
    try:  # 1_0 is 10 to float, 1__0 is not
        row = np.array([float(word.replace(b"_", b"__")) for word in words])
    except ValueError as error:
        raise ValueError(
            f"{where} is no list of numbers with decimal points ({shown(error, 120)}): {MEND}"
        ) from None
    checks.finite(row, where)
    checks.representable(row, np.dtype(np.float32), where)
    if row[0] % 1 or abs(row[0]) >= 2**53:  # from there on, a float may stand for another number
        raise ValueError(f"{where} has the label {row[0]:g}, but a whole number below 2^53 is due")
    return row


def _content(path: Path) -> bytes:
    return text(BytesIO(small(path)), path).replace(b"\r\n", b"\n")
