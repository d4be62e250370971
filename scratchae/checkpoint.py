"""save(model, path) and load(path): what was trained, as one safetensors file, without pickle.

The file holds every named tensor, the optimiser's vectors, and as metadata: the architecture (classes and
their arguments as JSON), the input shape, the dtype, the optimiser's counters, and a SHA-256 over all of
these and all tensors, which the format itself lacks. Only classes on the allow-list, or named by the reader,
are built.
"""

import hashlib
import inspect
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from . import initializers, latents, layers, likelihoods, models, optim

FORMAT = "scratchae 1"
CLASSES = (
    *(layers.Dense, layers.Conv2d, layers.ConvTranspose2d, layers.Flatten, layers.Reshape, layers.Sequential),
    *(latents.Gaussian, likelihoods.Bernoulli, likelihoods.GaussianLikelihood),
    *(likelihoods.SquaredError, likelihoods.AbsoluteError, models.Autoencoder, models.VAE),
    *(initializers.Normal, optim.Adam, optim.SGD),
)
FUNCTIONS = (
    *(initializers.glorot_uniform, initializers.glorot_normal, initializers.he_normal, initializers.he_uniform),
    *(initializers.torch_uniform, initializers.zeros),
)


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a built model: architecture, values, the optimiser's vectors and counters.

    Tensors have their declared shapes under their names, vectors (n,) under "optimizer.". The file is
    written beside its place and moved there whole. Raises RuntimeError before ``build``, OSError where it
    cannot be written. Source: the safetensors format.
    """
    from safetensors.numpy import save as to_bytes

    model.require_built()
    to_host, optimizer = model.backend.to_host, model.optimizer
    tensors = {name: to_host(view) for name, view in model.parameters.views().items()}
    metadata = {
        "format": FORMAT,
        "model": json.dumps(describe(model)),
        "input_shape": json.dumps(model.input_shape),
        "dtype": model.backend.dtype.name,
    }
    if optimizer is not None:
        tensors |= {f"optimizer.{name}": to_host(vector) for name, vector in optimizer.vectors.items()}
        metadata["optimizer"] = json.dumps(describe(optimizer))
        metadata["counters"] = json.dumps({"t": optimizer.t, "epoch": optimizer.epoch})
    tensors = {name: np.asarray(a, order="C") for name, a in tensors.items()}
    metadata["sha256"] = _digest(tensors, metadata)
    _write(Path(path), to_bytes(tensors, metadata))


def load(path: str | os.PathLike[str], *, backend: str = "numpy", classes: Iterable[type] = ()) -> Any:
    """The model that ``save`` wrote, built on that backend, its optimiser as model.optimizer.

    classes: a reader's own classes that the file may name. Shapes as saved. Raises FileNotFoundError,
    and ValueError for a file that is damaged, of another kind, or names a class that is not allowed.
    Source: the safetensors format.
    """
    metadata, tensors = _read(Path(path))
    named: tuple[Any, ...] = (*CLASSES, *FUNCTIONS, *classes)
    allowed = {c.__name__: c for c in named}
    model = _construct(json.loads(metadata["model"]), allowed, path)
    model.build(json.loads(metadata["input_shape"]), backend=backend, dtype=metadata["dtype"])
    expected = {name: shape for name, (shape, _) in model.parameters.declared.items()}
    found = {name: a.shape for name, a in tensors.items() if not name.startswith("optimizer.")}
    if expected != found:
        raise ValueError(f"{path} holds tensors {found}, but its architecture has {expected}: it is damaged")
    for name, view in model.parameters.views().items():
        view[...] = model.backend.asarray(tensors[name])
    if "optimizer" in metadata:
        optimizer = _construct(json.loads(metadata["optimizer"]), allowed, path)
        optimizer.own(model.parameters)
        for name, vector in optimizer.vectors.items():
            vector[...] = model.backend.asarray(tensors[f"optimizer.{name}"])
        vars(optimizer).update(json.loads(metadata["counters"]))
        model.optimizer = optimizer
    return model


def describe(thing: Any) -> Any:
    """An object as its class and constructor arguments, ready for JSON. Shapes: none.

    Raises TypeError for what has no such form, such as a lambda. Source: scikit-learn's ``get_params``.
    """
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, (list, tuple)):
        return [describe(part) for part in thing]
    if isinstance(thing, np.generic):
        return thing.item()
    if inspect.isfunction(thing) and "<" not in thing.__qualname__:
        return {"function": thing.__name__}
    if inspect.isroutine(thing) or inspect.isfunction(thing) or type(thing).__module__ in ("builtins", "functools"):
        raise TypeError(f"{thing!r} cannot be saved: use a function or a class that is defined in a module")
    arguments: dict[str, Any] = {}
    for p in inspect.signature(type(thing)).parameters.values():
        key = "*" if p.kind is p.VAR_POSITIONAL else p.name
        arguments[key] = describe(getattr(thing, p.name))
    return {"class": type(thing).__name__, "arguments": arguments}


def _construct(description: Any, allowed: dict[str, Any], path: Any) -> Any:
    if isinstance(description, list):
        return [_construct(part, allowed, path) for part in description]
    if not isinstance(description, dict):
        return description
    name = description.get("function") or description.get("class")
    if name not in allowed:
        raise ValueError(
            f"{path} names {name!r}, which is not one of this library's classes: if it is yours, hand it in as "
            f"load(path, classes=[{name}])"
        )
    if "function" in description:
        return allowed[name]
    arguments = {key: _construct(value, allowed, path) for key, value in description["arguments"].items()}
    return allowed[name](*arguments.pop("*", ()), **arguments)


def _digest(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> str:
    sha = hashlib.sha256()
    for key in sorted(metadata.keys() - {"sha256"}):
        sha.update(f"{key} {metadata[key]}".encode())
    for name in sorted(tensors):
        a = tensors[name]
        sha.update(f"{name} {a.dtype.name} {a.shape}".encode())
        sha.update(a.tobytes())
    return sha.hexdigest()


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: give the path that save(model, path) wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file ({error}): save the model again") from error
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "no format")
        raise ValueError(f"{path} says {found!r}, but {FORMAT!r} is expected: give a file that save() wrote")
    found, saved = _digest(tensors, metadata), metadata.get("sha256")
    if found != saved:
        raise ValueError(f"{path} is damaged: it has the SHA-256 {found}, but was saved with {saved}: save again")
    return metadata, tensors
