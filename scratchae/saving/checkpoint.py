"""save(model, path) and load(path): what was trained, as one safetensors file, without pickle.

The file holds every named tensor, the optimiser's vectors, and as metadata: the architecture
(classes and their arguments as JSON, description.py), the input shape, the dtype, the optimiser's
counters, and a SHA-256 over all of these and all tensors, which the format itself lacks.
"""

import inspect
import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import models, optim
from ..backend import Backend, as_backend, get_backend
from ..checks import row_shape, shown
from ..parameters import Declared, Parameters
from .description import construct, describe
from .reading import Tensors, contents, opened
from .writing import FORMAT, as_path, content, digest, write

SMALL = 1 << 26  # bytes of tensors that are read, to tell damage from what was made so
# what a file that describes no model makes of itself, beside ValueError
UNFIT = (
    *(LookupError, TypeError, AttributeError, ArithmeticError, RecursionError),
    json.JSONDecodeError,
)


def save(model: Any, path: str | os.PathLike[str], *, optimizer: Any = None) -> None:
    """Write a built model: architecture and values; to go on with its training, the optimiser's
    state too.

    Tensors have their declared shapes under their names, vectors (n,) under "optimizer.".
    optimizer: the one that trained the model. The file is written beside its place and moved there
    whole. Raises TypeError for what is no model or no path, or not ``describe``'s to tell,
    ValueError for an optimiser that has not trained this model, RuntimeError before ``build``,
    OSError where it cannot be written. Source: the safetensors format.
    """
    if not isinstance(model, models.Model):
        raise TypeError(f"save is given {model!r}, but a model is expected: save(model, path)")
    model.require_built()
    target = as_path(path)
    if optimizer is not None and getattr(optimizer, "owner", None) is not model.parameters:
        raise ValueError(
            f"the optimizer is {optimizer!r}, which has not trained this model: hand in the one "
            "that fit was given"
        )
    to_host = model.backend.to_host
    tensors = {name: to_host(view) for name, view in model.parameters.views().items()}
    metadata = {
        "format": FORMAT,
        "model": json.dumps(describe(model)),
        "input_shape": json.dumps(model.input_shape),
        "dtype": model.backend.dtype.name,
        "step": json.dumps(model.objective.t),
        "epoch": json.dumps(model.objective.epoch),
    }
    if optimizer is not None:
        tensors |= {
            f"optimizer.{name}": to_host(vector) for name, vector in optimizer.vectors.items()
        }
        metadata["optimizer"] = json.dumps(describe(optimizer))
        metadata["counters"] = json.dumps({"t": optimizer.t})
    tensors = {
        name: np.asarray(a, a.dtype.newbyteorder("<"), order="C") for name, a in tensors.items()
    }
    metadata["sha256"] = digest(tensors, metadata)
    write(target, content(tensors, metadata))


def load(
    path: str | os.PathLike[str], *, backend: str | Backend = "numpy", classes: Iterable[type] = ()
) -> Any:
    """The model that ``save`` wrote, built on that backend (a name or an object), the optimiser
    that was saved, to go on with, as model.optimizer.

    classes: a reader's own classes and functions that the file may name; one that is called like
    the library's stands for what was the reader's own when it was saved, and for nothing else.
    Shapes as saved. Raises TypeError for other ``classes``, FileNotFoundError, and ValueError for
    two of one name, and for a file that is damaged, of another kind, describes what cannot be, or
    names a class that is not allowed. Source: the safetensors format.
    """
    custom = _by_name(classes)
    if not isinstance(backend, Backend):
        get_backend(backend)  # refused before the file is read, and not as a fault of the file
    with opened(as_path(path)) as file:
        tensors = None
        try:
            metadata, tensors = contents(file)
            return _restore(metadata, tensors, custom, backend)
        except (*UNFIT, ValueError) as error:
            raise _refusal(path, tensors, error) from (error if custom else None)


def _refusal(path: Any, tensors: Tensors | None, error: Exception) -> ValueError:
    """What is wrong with the file at that path, in a sentence that is shorter than the file."""
    try:
        if tensors is not None and tensors.bytes <= SMALL:
            tensors.read()  # what is damaged may describe anything
    except ValueError as damage:
        error = damage
    text = shown(error)
    if isinstance(error, UNFIT):
        kind = type(error).__name__
        text = f"it does not describe a model of this library ({kind}: {text}): save it again"
    return ValueError(f"{path}: {text}")


def _by_name(classes: Any) -> dict[str, Any]:
    custom = (
        tuple(classes)
        if isinstance(classes, Iterable) and not isinstance(classes, str)
        else (None,)
    )
    if not all(inspect.isclass(c) or inspect.isfunction(c) for c in custom):
        raise TypeError(
            f"classes is {classes!r}, but a list of classes is expected, such as [Mine]"
        )
    named = {c.__name__: c for c in custom}
    if len(named) < len(set(custom)):
        raise ValueError(
            f"classes is {custom}, but two have one name: hand in the one that the file means"
        )
    return named


def _made(what: str, metadata: Any, custom: dict[str, Any]) -> Any:
    return construct(json.loads(metadata[what]), custom)


def _restore(metadata: Any, tensors: Any, custom: dict[str, Any], backend: str | Backend) -> Any:
    model = _made("model", metadata, custom)
    if not isinstance(model, models.Model):
        raise TypeError(f"{type(model).__name__} is no model")
    shape = json.loads(metadata["input_shape"])
    if not isinstance(shape, list):
        raise TypeError("its input_shape is no list")
    bound = as_backend(backend, metadata["dtype"])

    def empty(declared: Declared) -> Parameters:
        _compare(declared, tensors, bound.dtype.name)
        return Parameters(bound, declared)

    model.assemble(row_shape(shape), empty)
    model.objective.t = _count(json.loads(metadata["step"]))
    model.objective.epoch = _count(json.loads(metadata["epoch"]))
    if "optimizer" in metadata:
        model.optimizer = _restore_optimizer(metadata, tensors, custom, model)
    tensors.read()
    for name, view in model.parameters.views().items():
        bound.write(view, tensors[name])
    return model


def _compare(declared: Declared, tensors: Tensors, dtype: str) -> None:
    """Raise ValueError unless the file has the tensors that the architecture declares, all
    shapes."""
    expected = {name: (tensor, dtype) for name, (tensor, _) in declared.items()}
    found = {
        name: (a.shape, a.dtype.name)
        for name, a in tensors.items()
        if not name.startswith("optimizer.")
    }
    wrong = [name for name in sorted(expected | found) if expected.get(name) != found.get(name)]
    if wrong:
        has, due = (
            {name: one[name] for name in wrong[:2] if name in one} for one in (found, expected)
        )
        raise ValueError(
            f"it holds tensors {has}, but its architecture has {due} ({len(wrong)} differ): it is "
            "damaged"
        )


def _restore_optimizer(metadata: Any, tensors: Any, custom: dict[str, Any], model: Any) -> Any:
    optimizer = _made("optimizer", metadata, custom)
    if not isinstance(optimizer, optim.Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is no optimiser")
    optimizer.start(model.parameters)
    expected = {
        f"optimizer.{name}": (a.shape, a.dtype.name) for name, a in optimizer.vectors.items()
    }
    found = {
        name: (a.shape, a.dtype.name)
        for name, a in tensors.items()
        if name.startswith("optimizer.")
    }
    counters = json.loads(metadata["counters"])
    if expected != found or set(counters) != {"t"}:
        raise ValueError(
            f"it holds optimiser vectors {found} and counters {counters}, but "
            f"{type(optimizer).__name__} has {expected} and t: it is damaged"
        )
    for name, vector in optimizer.vectors.items():
        model.backend.write(vector, tensors[f"optimizer.{name}"])
    optimizer.t = _count(counters["t"])
    return optimizer


def _count(n: Any) -> int:
    """A whole number that is a count. Raises ValueError otherwise; true is no number."""
    if type(n) is not int or not 0 <= n < 1 << 32:
        raise ValueError(f"it counts {n!r} steps or epochs: it is damaged")
    return n
