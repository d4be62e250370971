"""A model's file is read, and refused unless it is what was written."""

from pathlib import Path

import numpy as np

from .writing import FORMAT, digest


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}: give the path that save(model, path) wrote"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            # not a dict
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}): save the model again"
        ) from error
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "no format")
        raise ValueError(
            f"{path} says {found!r}, but {FORMAT!r} is expected: give a file that save() wrote"
        )
    found, saved = digest(tensors, metadata), metadata.get("sha256")
    if found != saved:
        raise ValueError(
            f"{path} is damaged: it has the SHA-256 {found}, but was saved with {saved}: save "
            "again"
        )
    return metadata, tensors
