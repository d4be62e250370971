"""Compressed data as bytes: who may read it, a checksum, the message.

    a line          "scratchae coding 3"
    a line          JSON: model, backend, dtype, shape, given, rows, count, initial
    32 bytes        the SHA-256 of all the rest
    8 bytes         the state of the message, little-endian
    the rest        its words, 4 bytes each, little-endian, the last on top

A message means something only to the arithmetic that wrote it: the same parameters, the same
backend, the same shapes of products.
"""

import hashlib
import json
from typing import Any

import numpy as np

from .. import checks
from ..saving.description import acting
from ..saving.writing import digest

KIND = b"scratchae coding "
FORMAT = KIND + b"3\n"
LONGEST = 1 << 12  # bytes of the two lines
KINDS = {
    **{"model": str, "backend": str, "dtype": str, "shape": list, "given": str},
    **{"rows": int, "count": int, "initial": int},
}
MOST = 1 << 40  # images, or words
GIVEN = "uint8", "float32", "float64"  # the dtype of the images: rows.py


def fingerprint(model: Any) -> str:
    """The SHA-256 (hex) of what coding reads of a model: encoder, latent, decoder, likelihood,
    each with the arguments that act, and all parameters.

    Not of its objective, beta and samples, of initialisers, and of what is frozen. Arguments at
    their default are left out, so that a later version may add one; a version that changes what a
    default does decodes to other than what was written, which ``decompress`` sees. Raises
    TypeError for parts that ``save`` could not write either. Source: saving/description.py.
    """
    to_host, parts = model.backend.to_host, ("encoder", "latent", "decoder", "likelihood")
    tensors = {
        name: np.ascontiguousarray(to_host(view))
        for name, view in model.parameters.views().items()
    }
    read = acting([getattr(model.objective, part) for part in parts])
    return digest(tensors, {"model": json.dumps(read)})


def written(header: dict[str, Any], state: int, words: np.ndarray) -> bytes:
    """The header, the state and the words (n,) uint32 as bytes."""
    lines = FORMAT + json.dumps(header, separators=(",", ":")).encode() + b"\n"
    body = state.to_bytes(8, "little") + words.astype("<u4").tobytes()
    return lines + hashlib.sha256(lines + body).digest() + body


def header(data: bytes) -> dict[str, Any]:
    """What stands at the head of compressed data: the model's SHA-256, its backend and dtype, the
    shape of an image, given (the dtype of the images), rows (of a batch), count (of images),
    initial (bits).

    Raises as ``decompress`` does for what is no such data, or damaged."""
    head = read(data)[0]
    return head | {"shape": tuple(head["shape"]), "initial": 64 + 32 * head["initial"]}


def read(data: Any) -> tuple[dict[str, Any], int, np.ndarray]:
    """The header, the state and the words (n,) uint32. Raises TypeError for what are no bytes,
    ValueError for another format and for damage."""
    checks.is_a("the data", data, (bytes, bytearray, memoryview), "bytes are expected")
    data = memoryview(data).cast("B")
    head = bytes(data[:LONGEST])
    if head.startswith(KIND) and not head.startswith(FORMAT):
        there = checks.shown(head.split(b"\n")[0].decode(errors="replace"), 40)
        raise ValueError(
            f"the data is {there!r}, but this version of the library reads "
            f"{FORMAT.decode().strip()!r}: read it with the version that wrote it, or compress "
            "the images again"
        )
    if not head.startswith(FORMAT):
        raise ValueError("the data is not what compress(model, images) gives: it begins otherwise")
    end = head.find(b"\n", len(FORMAT)) + 1
    body = data[end + 32 :]
    if not end or len(body) < 8:
        raise _damaged("it is cut short")
    sha = hashlib.sha256(data[:end])
    sha.update(body)
    if sha.digest() != data[end : end + 32]:
        raise _damaged("its SHA-256 is another")
    if len(body) % 4:
        raise _damaged("its words are not whole")
    words = np.frombuffer(body[8:], "<u4").astype(np.uint32)
    return _fields(head[len(FORMAT) : end]), int.from_bytes(body[:8], "little"), words


def _fields(line: bytes) -> dict[str, Any]:
    """The JSON of the header, each field of its kind."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    fit = isinstance(found, dict) and {name: type(v) for name, v in found.items()} == KINDS
    fit = fit and found["given"] in GIVEN
    if not fit or not all(0 <= found[name] < MOST for name in ("rows", "count", "initial")):
        raise ValueError("the data's header is not one that compress(model, images) writes")
    return found


def require_same(found: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise ValueError where the stream was written by other arithmetic than there is here."""
    for name, words in SAME.items():
        if found[name] != here[name]:
            raise ValueError(
                f"the data was compressed {words} {checks.shown(found[name], 80)}, but the model "
                f"is of {here[name]}: give the model that compressed it, as save wrote it"
            )


SAME = {"shape": "from images of shape", "backend": "on the backend", "dtype": "in"}
SAME |= {"model": "with a model whose SHA-256 is"}


def _damaged(why: str) -> ValueError:
    return ValueError(f"the data is damaged ({why}): compress the images again")
