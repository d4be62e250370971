"""A model as a table: layers, shapes, parameter counts."""

import inspect
from typing import Any

import numpy as np

from ..latents import Latent
from ..layers import Layer
from ..layers.sequential import leaves
from ..settings import Configured


def table(model: Any) -> str:
    """The model as text, a line for each layer: what it is, output shape, parameters.

    Shapes are of one row, known after ``build``. Source: Keras' ``summary``.
    """
    built = hasattr(model, "parameters")
    rows = [("layer", "output", "parameters")]
    for part, network in model.objective.networks().items():
        for name, layer in leaves(part, network):
            counts = [
                int(np.prod(shape))
                for key, (shape, _) in _declared(model).items()
                if key.startswith(name + ".")
            ]
            output = str(layer.output) if built else "not built"
            number = f"{sum(counts):,}" if counts else ""
            frozen = "" if layer.trainable or not counts else " (frozen)"
            rows.append((f"{name}  {as_call(layer)}", output, number + frozen))
    own = [key for key in _declared(model) if key.startswith("likelihood.")]
    if own:
        counts = [int(np.prod(_declared(model)[key][0])) for key in own]
        rows.append((f"likelihood  {as_call(model.likelihood)}", "", f"{sum(counts):,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    body = [
        "  ".join((a.ljust(widths[0]), b.ljust(widths[1]), c.rjust(widths[2]))).rstrip()
        for a, b, c in rows
    ]
    return "\n".join([_title(model, built), body[0], "-" * (sum(widths) + 4), *body[1:]])


def _declared(model: Any) -> Any:
    return model.parameters.declared if hasattr(model, "parameters") else {}


def as_call(layer: Any) -> str:
    """The call that made it, with what differs from the default: Dense(784, 400,
    activation='relu').

    An argument that is no attribute of that name, as in a class of the reader's own, is left out.
    A network inside a latent stands by its name: its layers are lines of the table.
    Source: scikit-learn's ``print_changed_only``.
    """
    words = []
    for p in inspect.signature(type(layer)).parameters.values():
        if not hasattr(layer, p.name):
            continue
        value = getattr(layer, p.name)
        if p.kind is p.VAR_POSITIONAL:
            words += [str(v) for v in value]
        elif isinstance(layer, Latent) and p.name in layer.networks():
            words.append(p.name)
        elif p.default is p.empty:
            words.append(as_call(value) if isinstance(value, Layer) else str(_single(value)))
        elif _single(value) != p.default and not callable(value):
            words.append(f"{p.name}={_single(value)!r}")
    return f"{type(layer).__name__}({', '.join(words)})"


def _single(value: Any) -> Any:
    """(2, 2) -> 2, as it was most likely written."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _title(model: Any, built: bool) -> str:
    parts = [
        as_call(part)
        for part in (getattr(model, name, None) for name in ("latent", "likelihood"))
        if part is not None
    ]
    parts += _settings(model.objective)
    total = (
        sum(int(np.prod(shape)) for shape, _ in model.parameters.declared.values()) if built else 0
    )
    end = f"{model.input_shape}, {total:,} parameters" if built else "not built"
    name = type(model).__name__
    if name == "Model":  # over any objective
        name = f"Model({type(model.objective).__name__})"
    return f"{name}: {', '.join(parts)}; {end}"


def _settings(objective: Any) -> list[str]:
    """What an objective was given beside its parts, where it differs from the default, and its
    samples, where there are several: ["beta=4.0", "samples=5"]."""
    words = []
    for p in inspect.signature(type(objective)).parameters.values():
        value = getattr(objective, p.name, None)
        plain = value == 1 if p.name == "samples" else value == p.default
        if isinstance(value, Configured) or value is None or plain:
            continue
        written = getattr(value, "__name__", as_call(value)) if callable(value) else repr(value)
        words.append(f"{p.name}={written}")
    return words
