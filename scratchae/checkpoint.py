"""save(model, path) and load(path): what was trained, as one safetensors file, without pickle.

The file holds every named tensor, the optimiser's vectors, and as metadata: the architecture (classes and
their arguments as JSON), the input shape, the dtype, the optimiser's counters, and a SHA-256 over all of
these and all tensors, which the format itself lacks. Only classes on the allow-list, or named by the reader,
are built. An object that stands in two places, such as a layer and what is tied to it, is described once; the
second place holds its number.
"""

import copy
import hashlib
import inspect
import json
import os
import secrets
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from . import initializers, latents, layers, likelihoods, models, objectives, optim, schedules
from .backend import Backend

FORMAT = "scratchae 1"
CLASSES = (
    *(layers.Dense, layers.Conv2d, layers.ConvTranspose2d, layers.Flatten, layers.Reshape, layers.Sequential),
    *(layers.MaxPool2d, layers.Upsample2d, layers.LSTM, layers.Tied),
    *(layers.Conv1d, layers.ConvTranspose1d, layers.Repeat),
    *(layers.GaussianNoise, layers.Masking, layers.SaltAndPepper, layers.Dropout),
    *(latents.Gaussian, likelihoods.Bernoulli, likelihoods.GaussianLikelihood),
    *(likelihoods.SquaredError, likelihoods.AbsoluteError, models.Autoencoder, models.VAE),
    *(likelihoods.LearnedGaussian, likelihoods.Categorical),
    *(schedules.Warmup, schedules.Exponential, schedules.Steps, schedules.Cosine),
    *(objectives.L1, objectives.StudentT, objectives.KLRate, objectives.Contractive),
    *(initializers.Normal, optim.Adam, optim.SGD),
    *(optim.Adadelta, optim.Adagrad, optim.AdamW, optim.RMSProp),
)
FUNCTIONS = (
    *(initializers.glorot_uniform, initializers.glorot_normal, initializers.he_normal, initializers.he_uniform),
    *(initializers.torch_uniform, initializers.zeros, initializers.orthogonal, initializers.lstm_bias),
)


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a built model: architecture, values, the optimiser's vectors and counters.

    Tensors have their declared shapes under their names, vectors (n,) under "optimizer.". The file is
    written beside its place and moved there whole. Raises TypeError for what is no model, RuntimeError before
    ``build``, OSError where it cannot be written. Source: the safetensors format.
    """
    from safetensors.numpy import save as to_bytes

    if not isinstance(model, models.Model):
        raise TypeError(f"save is given {model!r}, but a model is expected: save(model, path)")
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


def load(path: str | os.PathLike[str], *, backend: str | Backend = "numpy", classes: Iterable[type] = ()) -> Any:
    """The model that ``save`` wrote, built on that backend (a name or an object), its optimiser as model.optimizer.

    classes: a reader's own classes and functions that the file may name. Shapes as saved. Raises TypeError for
    other ``classes``, FileNotFoundError, and ValueError for a file that is damaged, of another kind, describes what
    cannot be, or names a class that is not allowed. Source: the safetensors format.
    """
    own = tuple(classes) if isinstance(classes, Iterable) and not isinstance(classes, str) else (None,)
    if not all(inspect.isclass(c) or inspect.isfunction(c) for c in own):
        raise TypeError(f"classes is {classes!r}, but a list of classes is expected, such as [Mine]")
    metadata, tensors = _read(Path(path))
    named: tuple[Any, ...] = (*CLASSES, *FUNCTIONS, *own)
    try:
        return _restore(metadata, tensors, {c.__name__: c for c in named}, backend)
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} does not describe a model of this library ({type(error).__name__}: {error}): save it again"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _restore(metadata: Any, tensors: Any, allowed: dict[str, Any], backend: str | Backend) -> Any:
    model = _construct(json.loads(metadata["model"]), allowed, [])
    if not isinstance(model, models.Model):
        raise TypeError(f"{type(model).__name__} is no model")
    shape, dtype = tuple(json.loads(metadata["input_shape"])), metadata["dtype"]
    declared = copy.deepcopy(model.objective).declare(shape)
    expected = {name: (tensor, dtype) for name, (tensor, _) in declared.items()}
    found = {name: (a.shape, a.dtype.name) for name, a in tensors.items()}
    own = {name: what for name, what in found.items() if not name.startswith("optimizer.")}
    if expected != own:
        raise ValueError(f"it holds tensors {own}, but its architecture has {expected}: it is damaged")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", models.WideCode)  # which was said when the model was first built
        model.build(shape, backend=backend, dtype=dtype)
    for name, view in model.parameters.views().items():
        model.backend.write(view, tensors[name])
    if "optimizer" in metadata:
        model.optimizer = _restore_optimizer(metadata, tensors, allowed, model)
    return model


def _restore_optimizer(metadata: Any, tensors: Any, allowed: dict[str, Any], model: Any) -> Any:
    optimizer = _construct(json.loads(metadata["optimizer"]), allowed, [])
    if not isinstance(optimizer, optim.Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is no optimiser")
    optimizer.own(model.parameters)
    expected = {f"optimizer.{name}": (a.shape, a.dtype.name) for name, a in optimizer.vectors.items()}
    found = {name: (a.shape, a.dtype.name) for name, a in tensors.items() if name.startswith("optimizer.")}
    counters = json.loads(metadata["counters"])
    whole = all(type(n) is int and 0 <= n < 1 << 32 for n in counters.values())  # true is no number
    if expected != found or set(counters) != {"t", "epoch"} or not whole:
        raise ValueError(
            f"it holds optimiser vectors {found} and counters {counters}, but {type(optimizer).__name__} "
            f"has {expected}, t and epoch: it is damaged"
        )
    for name, vector in optimizer.vectors.items():
        model.backend.write(vector, tensors[f"optimizer.{name}"])
    optimizer.t, optimizer.epoch = counters["t"], counters["epoch"]
    return optimizer


def describe(thing: Any) -> Any:
    """An object as its class and constructor arguments, ready for JSON; a model as it was built. Shapes: none.

    Where an object stands again it is {"same": n}: number n, from 0, of those that were described to their end.
    Raises TypeError for what has no such form, such as a lambda. Source: scikit-learn's ``get_params``.
    """
    return _describe(thing, [])


def _describe(thing: Any, done: list[Any]) -> Any:
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, (list, tuple)):
        return [_describe(part, done) for part in thing]
    if isinstance(thing, np.generic):
        return thing.item()
    if inspect.isfunction(thing) and "<" not in thing.__qualname__:
        return {"function": thing.__name__}
    if inspect.isroutine(thing) or inspect.isfunction(thing) or type(thing).__module__ in ("builtins", "functools"):
        raise TypeError(f"{thing!r} cannot be saved: use a function or a class that is defined in a module")
    for n, one in enumerate(done):
        if one is thing:
            return {"same": n}
    holder = thing.objective if type(thing) in (models.Autoencoder, models.VAE) else thing
    arguments: dict[str, Any] = {}
    for p in inspect.signature(type(thing)).parameters.values():
        key = "*" if p.kind is p.VAR_POSITIONAL else p.name
        arguments[key] = _describe(getattr(holder, p.name), done)
    done.append(thing)
    return {"class": type(thing).__name__, "arguments": arguments}


def _construct(description: Any, allowed: dict[str, Any], done: list[Any]) -> Any:
    if isinstance(description, list):
        return [_construct(part, allowed, done) for part in description]
    if not isinstance(description, dict):
        return description
    if "same" in description:
        return _again(description["same"], done)
    name = description.get("function") or description.get("class")
    if name not in allowed:
        raise ValueError(
            f"it names {name!r}, which is not one of this library's classes: if it is yours, hand it in as "
            f"load(path, classes=[{name}])"
        )
    if ("function" in description) != inspect.isfunction(allowed[name]):
        raise TypeError(f"{name} is not what the file says it is")
    if "function" in description:
        return allowed[name]
    arguments = {key: _construct(value, allowed, done) for key, value in description["arguments"].items()}
    done.append(allowed[name](*arguments.pop("*", ()), **arguments))
    return done[-1]


def _again(n: Any, done: list[Any]) -> Any:
    """The object that stands in a second place, by its number."""
    if type(n) is not int or not 0 <= n < len(done):
        raise ValueError(f"it names object {n!r} again, but has {len(done)} so far: it is damaged")
    return done[n]


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
        raise OSError(f"{path} could not be written ({error.strerror or error}): free or choose a place") from error
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
