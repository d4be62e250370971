"""Bytes of files that others made, packed or plain: never much more than the file itself has.

What is hostile or damaged may unpack to a thousand times its size, the most that deflate can do.
"""

import gzip
import zipfile
import zlib
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import BinaryIO

MEND = "fetch the file again"
LARGEST = 1 << 25  # bytes: the files of the data sets here have at most 26 MB, packed or unpacked
PIECE = 1 << 16  # bytes that are read at once
# Text of measurements unpacks to some 3 times its size, and a long constant to more.
RATIO, FREE = 50, 1 << 23  # a text may have FREE + RATIO * its packed bytes
DEFLATE = 1032  # the most bytes that one byte of deflate gives


def plain(file: BufferedReader | BytesIO) -> tuple[BinaryIO, bool]:
    """The unpacked stream of an open file, and whether it is packed with gzip (RFC 1952)."""
    magic = file.read(2)
    file.seek(0)
    packed = magic == b"\x1f\x8b"
    return (gzip.GzipFile(fileobj=file) if packed else file), packed  # type: ignore[return-value]


def piece(stream: BinaryIO, where: object, size: int) -> bytes:
    """The next bytes of a stream, at most that many. Raises ValueError for a gzip stream that is
    cut short or corrupt."""
    try:
        return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{where} is no whole gzip stream ({error}): {MEND}") from None


def text(file: BufferedReader | BytesIO, where: object) -> bytes:
    """All bytes of a text, unpacked. Raises ValueError for more than a text can have, and for a
    gzip stream that is cut short or corrupt."""
    stream, packed = plain(file)
    if not packed:
        return file.read()
    found = bytearray()
    while more := piece(stream, where, PIECE):
        found += more
        if len(found) > FREE + RATIO * file.tell():
            raise ValueError(
                f"{where} unpacks to over {RATIO} times its size, which no text of numbers does: "
                f"{MEND}"
            )
    return bytes(found)


def small(path: Path) -> bytes:
    """The bytes of a file of a data set. Raises ValueError for one that is larger than any."""
    with path.open("rb") as file:
        found = file.read(LARGEST + 1)
    if len(found) > LARGEST:
        raise ValueError(f"{path} has over {LARGEST:,} bytes, more than any file of the data sets")
    return found


def member(archive: Path, name: str) -> bytearray:
    """The bytes of that name in a .zip archive. Raises ValueError for an archive without it, for
    one that is damaged, and for a member that is larger than any file of the data sets."""
    try:
        with zipfile.ZipFile(archive) as whole:
            infos = [i for i in whole.infolist() if i.filename.rpartition("/")[2] == name]
            if not infos:
                raise ValueError(f"it holds no {name}")
            if infos[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name} is packed in another way than deflate")
            found = bytearray()
            if infos[0].file_size <= LARGEST:
                with whole.open(infos[0]) as file:
                    while (more := file.read(PIECE)) and len(found) <= LARGEST:
                        found += more
            if max(len(found), infos[0].file_size) > LARGEST:
                raise ValueError(f"{name} unpacks to over {LARGEST:,} bytes")
            return found
    # of a damaged archive zipfile raises any of these, OSError where an offset leads nowhere
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        raise ValueError(f"{archive.name} is no archive of use ({error})") from None
