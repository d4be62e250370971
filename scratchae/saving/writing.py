"""A model's file is written whole, or not at all."""

import hashlib
import os
import secrets
from pathlib import Path

import numpy as np

FORMAT = "scratchae 4"


def digest(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> str:
    sha = hashlib.sha256()
    for key in sorted(metadata.keys() - {"sha256"}):
        sha.update(f"{key} {metadata[key]}".encode())
    for name in sorted(tensors):
        a = tensors[name]
        sha.update(f"{name} {a.dtype.name} {a.shape}".encode())
        sha.update(a.tobytes())
    return sha.hexdigest()


def write(path: Path, data: bytes) -> None:
    """Beside its place first, then moved there whole; through a link to where it leads."""
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: make it, or give another path")
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no plain file: give a path that ends in the name of a file")
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({error.strerror or error}): free or choose a place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
