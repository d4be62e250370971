"""An object as JSON and back: its class, by name, and the arguments of its constructor, which are its attributes.

    Dense(784, 64, "relu")     {"class": "Dense", "arguments": {"inputs": 784, "outputs": 64, ...}}
    glorot_uniform             {"function": "glorot_uniform"}
    a class of the user's      {"class": "Mine", "custom": true, "arguments": {...}}

Only what is on the allow-list is built, or, where it is "custom", what the reader hands in: a class of the user's may
be called like one of the library's, and neither stands for the other. (Files of the first format name both kinds
alike.) An object that stands in two places, such as a layer and what is tied to it, is described once; the second
place holds its number.
"""

import inspect
import json
from typing import Any

import numpy as np

from .. import initializers, latents, layers, likelihoods, models, objectives, optim, schedules

CLASSES = (
    *(
        layers.Dense,
        layers.Conv2d,
        layers.ConvTranspose2d,
        layers.Flatten,
        layers.Reshape,
        layers.Sequential,
    ),
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
    *(
        initializers.glorot_uniform,
        initializers.glorot_normal,
        initializers.he_normal,
        initializers.he_uniform,
    ),
    *(
        initializers.torch_uniform,
        initializers.zeros,
        initializers.orthogonal,
        initializers.lstm_bias,
    ),
)
FOREIGN = (
    "builtins",
    "functools",
    "numpy",
)  # modules whose objects do not keep what they were made from
LIBRARY: dict[str, Any] = {one.__name__: one for one in (*CLASSES, *FUNCTIONS)}


def describe(thing: Any) -> Any:
    """An object as its class and constructor arguments, ready for JSON; a model as it was built. Shapes: none.

    Where an object stands again it is {"same": n}: number n, from 0, of those that were described to their end.
    What is written is constructed once, so that it can be read again. Raises TypeError for what has no such form,
    such as a lambda. Source: scikit-learn's ``get_params``.
    """
    custom: dict[str, Any] = {}
    try:
        description = _describe(thing, [], custom)
        again = _describe(construct(description, custom), [], {})
    except Unspeakable:
        raise
    except Exception as error:  # a constructor of the reader's own may raise anything
        why = f"{type(error).__name__}: {error}"
        raise Unspeakable(
            thing, f", since it cannot be made again from its arguments ({why})"
        ) from error
    if again != description and json.dumps(again) != json.dumps(
        description
    ):  # in which nan is nan
        raise Unspeakable(thing, ", since made again from its arguments it is another")
    return description


def _describe(thing: Any, done: list[Any], custom: dict[str, Any]) -> Any:
    if isinstance(thing, np.generic):
        thing = thing.item()
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, (list, tuple)):
        return [_describe(part, done, custom) for part in thing]
    if inspect.isfunction(thing) and "<" not in thing.__qualname__:
        return _named("function", thing, custom)
    if inspect.isroutine(thing) or inspect.isfunction(thing) or type(thing).__module__ in FOREIGN:
        raise Unspeakable(thing)
    for n, one in enumerate(done):
        if one is thing:
            return {"same": n}
    arguments = {key: _describe(value, done, custom) for key, value in _arguments(thing).items()}
    done.append(thing)
    return _named("class", type(thing), custom) | {"arguments": arguments}


def _named(kind: str, thing: Any, custom: dict[str, Any]) -> dict[str, Any]:
    """A class or function by its name; one that is not the library's is marked, and put into custom."""
    name = thing.__name__
    if LIBRARY.get(name) is thing:
        return {kind: name}
    if custom.setdefault(name, thing) is not thing:
        raise Unspeakable(
            thing, f": it is {name}, and another of the reader's own is called so too"
        )
    return {kind: name, "custom": True}


def _arguments(thing: Any) -> dict[str, Any]:
    """What its constructor was given, "*" for what was given without a name."""
    holder = thing.objective if type(thing) in (models.Autoencoder, models.VAE) else thing
    try:
        parameters = list(inspect.signature(type(thing)).parameters.values())
    except ValueError:  # some that are written in C do not tell
        raise Unspeakable(thing) from None
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            raise Unspeakable(thing, f", since it takes **{p.name}")
        if not hasattr(holder, p.name):
            raise Unspeakable(thing, f", since its argument {p.name} is no attribute of that name")
    values = {p.name: getattr(holder, p.name) for p in parameters}
    starred = [
        i for i, p in enumerate(parameters) if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)
    ]
    # what stands before one of these has no name either
    first = [values.pop(p.name) for p in parameters[: max(starred, default=-1) + 1]]
    if starred and parameters[starred[-1]].kind is inspect.Parameter.VAR_POSITIONAL:
        first[-1:] = first[-1]
    return {"*": first} | values if starred else values


class Unspeakable(TypeError):
    """What ``describe`` has no form for, and the way out. Shapes: none. Source: none, an error."""

    def __init__(self, thing: Any, why: str = ""):
        what = repr(thing) if inspect.isroutine(thing) else f"a {type(thing).__qualname__}"
        super().__init__(
            f"{what} cannot be saved{why}: use a function or a class that is defined in a module and keeps its "
            "arguments, as they are, by their names, or put a number in its place (a rate: model.optimizer.lr = "
            "1e-3, or model.optimizer = None) and save again"
        )


def construct(description: Any, custom: dict[str, Any], first_format: bool = False) -> Any:
    """The object of that description; custom: the reader's classes and functions by their names. Shapes: none.

    In files of the first format nothing is marked as the reader's own: what was handed in goes before the rest.
    Raises ValueError for a name that is not allowed, KeyError and TypeError for what is no description, and what
    the constructors raise. Source: ``describe``.
    """
    return _construct(description, custom, LIBRARY | custom if first_format else LIBRARY, [])


def _construct(
    description: Any, custom: dict[str, Any], unmarked: dict[str, Any], done: list[Any]
) -> Any:
    if isinstance(description, list):
        return [_construct(part, custom, unmarked, done) for part in description]
    if not isinstance(description, dict):
        return description
    if "same" in description:
        return _again(description["same"], done)
    name = description.get("function") or description.get("class")
    allowed = custom if "custom" in description else unmarked
    if name not in allowed:
        raise ValueError(
            f"it names {name!r}, which is not one of this library's classes: if it is yours, hand it in as "
            f"load(path, classes=[{name}])"
        )
    if ("function" in description) != inspect.isfunction(allowed[name]):
        raise TypeError(f"{name} is not what the file says it is")
    if "function" in description:
        return allowed[name]
    arguments = {
        key: _construct(part, custom, unmarked, done)
        for key, part in description["arguments"].items()
    }
    done.append(allowed[name](*arguments.pop("*", ()), **arguments))
    return done[-1]


def _again(n: Any, done: list[Any]) -> Any:
    """The object that stands in a second place, by its number."""
    if type(n) is not int or not 0 <= n < len(done):
        raise ValueError(f"it names object {n!r} again, but has {len(done)} so far: it is damaged")
    return done[n]
