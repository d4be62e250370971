"""An object as JSON and back: its class, by name, and the arguments of its constructor, which are its attributes.

    Dense(784, 64, "relu")     {"class": "Dense", "arguments": {"inputs": 784, "outputs": 64, ...}}
    glorot_uniform             {"function": "glorot_uniform"}
    a class of the user's      {"class": "Mine", "own": true, "arguments": {...}}

Only what is on the allow-list is built, or, where it is "own", what the reader hands in: a class of the user's may
be called like one of the library's, and neither stands for the other. (Files from before "own" name both kinds
alike.) An object that stands in two places, such as a layer and what is tied to it, is described once; the second
place holds its number.
"""

import inspect
from typing import Any

import numpy as np

from . import initializers, latents, layers, likelihoods, models, objectives, optim, schedules

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
FOREIGN = ("builtins", "functools", "numpy")  # modules whose objects do not keep what they were made from
LIBRARY: dict[str, Any] = {one.__name__: one for one in (*CLASSES, *FUNCTIONS)}


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
        return _named("function", thing)
    if inspect.isroutine(thing) or inspect.isfunction(thing) or type(thing).__module__ in FOREIGN:
        raise _unspeakable(thing)
    for n, one in enumerate(done):
        if one is thing:
            return {"same": n}
    arguments = {key: _describe(value, done) for key, value in _arguments(thing).items()}
    done.append(thing)
    return _named("class", type(thing)) | {"arguments": arguments}


def _named(kind: str, thing: Any) -> dict[str, Any]:
    """A class or function by its name, and whether it is another than the library's of that name."""
    own = {} if LIBRARY.get(thing.__name__) is thing else {"own": True}
    return {kind: thing.__name__} | own


def _arguments(thing: Any) -> dict[str, Any]:
    """What its constructor was given, "*" for what was given without a name."""
    holder = thing.objective if type(thing) in (models.Autoencoder, models.VAE) else thing
    try:
        parameters = inspect.signature(type(thing)).parameters.values()
    except ValueError:  # some that are written in C do not tell
        raise _unspeakable(thing) from None
    for p in parameters:
        if not hasattr(holder, p.name):
            raise _unspeakable(thing, f", since its argument {p.name} is no attribute of that name")
    return {"*" if p.kind is p.VAR_POSITIONAL else p.name: getattr(holder, p.name) for p in parameters}


def _unspeakable(thing: Any, why: str = "") -> TypeError:
    what = repr(thing) if inspect.isroutine(thing) else f"a {type(thing).__qualname__}"
    return TypeError(
        f"{what} cannot be saved{why}: use a function or a class that is defined in a module and keeps its "
        "arguments by their names, or put a number in its place (a rate: model.optimizer.lr = 1e-3, or "
        "model.optimizer = None) and save again"
    )


def construct(description: Any, own: dict[str, Any]) -> Any:
    """The object of that description; own: the reader's classes and functions by their names. Shapes: none.

    Raises ValueError for a name that is not allowed, KeyError and TypeError for what is no description, and what
    the constructors raise. Source: ``describe``.
    """
    return _construct(description, own, [])


def _construct(description: Any, own: dict[str, Any], done: list[Any]) -> Any:
    if isinstance(description, list):
        return [_construct(part, own, done) for part in description]
    if not isinstance(description, dict):
        return description
    if "same" in description:
        return _again(description["same"], done)
    name = description.get("function") or description.get("class")
    allowed = own if "own" in description else own | LIBRARY
    if name not in allowed:
        raise ValueError(
            f"it names {name!r}, which is not one of this library's classes: if it is yours, hand it in as "
            f"load(path, classes=[{name}])"
        )
    if ("function" in description) != inspect.isfunction(allowed[name]):
        raise TypeError(f"{name} is not what the file says it is")
    if "function" in description:
        return allowed[name]
    arguments = {key: _construct(value, own, done) for key, value in description["arguments"].items()}
    done.append(allowed[name](*arguments.pop("*", ()), **arguments))
    return done[-1]


def _again(n: Any, done: list[Any]) -> Any:
    """The object that stands in a second place, by its number."""
    if type(n) is not int or not 0 <= n < len(done):
        raise ValueError(f"it names object {n!r} again, but has {len(done)} so far: it is damaged")
    return done[n]
