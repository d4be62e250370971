"""An object as JSON and back: its class, by name, and the arguments of its constructor, which are
its attributes.

    Dense(784, 64, "relu")  {"class": "scratchae.Dense", "arguments": {"inputs": 784, "outputs":
                            64, ...}}
    glorot_uniform          {"function": "scratchae.glorot_uniform"}
    a class of the user's   {"class": "Mine", "arguments": {...}}

Only what this library makes public is built, or, where a name has no "scratchae." before it, what
the user hands in: a class of the user's may be called like one of the library's, and neither
stands for the other. A layer that is not to be trained is "frozen"; a Given that was trained on
numbers has "no_classes". A second occurrence of an object, such as a layer and what is tied to it,
is written as {"same": n}: its index in the order in which objects were finished.
"""

import inspect
import json
from typing import Any

import numpy as np

from .. import initializers, latents, layers, likelihoods, models, objectives, optim, schedules
from ..settings import store

MODULES = (initializers, latents, layers, likelihoods, models, objectives, optim, schedules)
PLAIN = bool, int, float, str, type(None)
FOREIGN = ("builtins", "functools", "numpy")  # whose objects do not keep what they were made from


def _public() -> dict[str, Any]:
    """The library's own classes and functions that an object may be made of, by name."""
    found: dict[str, Any] = {}
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            ours = getattr(thing, "__module__", "").startswith(module.__name__)
            if (
                ours
                and not name.startswith("_")
                and (inspect.isclass(thing) or inspect.isfunction(thing))
            ):
                found[f"scratchae.{name}"] = thing
    return found


LIBRARY = _public()


def describe(thing: Any) -> Any:
    """An object as its class and constructor arguments, ready for JSON; a model as it was built.

    What is written is constructed once, so that it can be read again. Raises TypeError for what
    has no such form, such as a lambda. Source: scikit-learn's ``get_params``.
    """
    custom: dict[str, Any] = {}
    try:
        description = _describe(thing, [], custom)
        again = _describe(construct(description, custom), [], {})
    except Unspeakable:
        raise
    except Exception as error:  # a constructor of the user's may raise anything
        why = f"{type(error).__name__}: {error}"
        raise Unspeakable(
            thing, f", since it cannot be made again from its arguments ({why})"
        ) from error
    # in which nan is nan
    if again != description and json.dumps(again) != json.dumps(description):
        raise Unspeakable(thing, ", since made again from its arguments it is another")
    return description


def acting(things: list[Any]) -> Any:
    """As ``describe``, of parts of a model, less what changes no output beside the parameters: the
    library's initialisers, what is frozen, and arguments at their default, so that one that is
    added later changes nothing here. Source: ``describe``."""
    return _describe(things, [], {}, acts=True)


def _describe(thing: Any, done: list[Any], custom: dict[str, Any], acts: bool = False) -> Any:
    if isinstance(thing, np.generic):
        thing = thing.item()
    if isinstance(thing, PLAIN):
        return thing
    if isinstance(thing, (list, tuple)):
        return [_describe(part, done, custom, acts) for part in thing]
    if inspect.isfunction(thing) and "<" not in thing.__qualname__:
        return {"function": _name(thing, custom)}
    if inspect.isroutine(thing) or inspect.isfunction(thing) or type(thing).__module__ in FOREIGN:
        raise Unspeakable(thing)
    for n, one in enumerate(done):
        if one is thing:
            return {"same": n}
    given = _acting(thing) if acts else _arguments(thing)
    arguments = {key: _describe(value, done, custom, acts) for key, value in given.items()}
    done.append(thing)
    frozen = (
        not acts and isinstance(thing, layers.Layer) and not store(thing).get("trainable", True)
    )
    description = {"class": _name(type(thing), custom), "arguments": arguments}
    numbers = not acts and isinstance(thing, layers.Given) and thing.no_classes
    more = {"frozen": frozen, "no_classes": numbers}
    return description | {name: True for name, is_so in more.items() if is_so}


def _name(thing: Any, custom: dict[str, Any]) -> str:
    """The name of a class or function; one that is not the library's is put into custom."""
    name = thing.__name__
    if LIBRARY.get(f"scratchae.{name}") is thing:
        return f"scratchae.{name}"
    if custom.setdefault(name, thing) is not thing:
        raise Unspeakable(thing, f": it is {name}, and another of the user's is called so too")
    return name


def _arguments(thing: Any) -> dict[str, Any]:
    """What its constructor was given, "*" for what was given without a name."""
    try:
        parameters = list(inspect.signature(type(thing)).parameters.values())
    except ValueError:  # some that are written in C do not tell
        raise Unspeakable(thing) from None
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            raise Unspeakable(thing, f", since it takes **{p.name}")
        if not hasattr(thing, p.name):
            raise Unspeakable(thing, f", since its argument {p.name} is no attribute of that name")
    values = {p.name: getattr(thing, p.name) for p in parameters}
    starred = [
        i for i, p in enumerate(parameters) if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)
    ]
    # what stands before one of these has no name either
    first = [values.pop(p.name) for p in parameters[: max(starred, default=-1) + 1]]
    if starred and parameters[starred[-1]].kind is inspect.Parameter.VAR_POSITIONAL:
        first[-1:] = first[-1]
    return {"*": first} | values if starred else values


def _acting(thing: Any) -> dict[str, Any]:
    """The arguments of its constructor that are not at their default; of the library's, no
    initialiser."""
    kind = type(thing)
    ours = LIBRARY.get(f"scratchae.{kind.__name__}") is kind
    defaults = {p.name: p.default for p in inspect.signature(kind).parameters.values()}
    return {
        name: value
        for name, value in _arguments(thing).items()
        if not ((ours and name.startswith("init")) or _is(value, defaults.get(name)))
    }


def _is(value: Any, default: Any) -> bool:
    """Whether it is the default, or a tuple of it, such as (1, 1) of stride=1."""
    if isinstance(value, tuple) and value and not isinstance(default, tuple):
        return all(_is(one, default) for one in value)
    return value is default or (isinstance(value, (*PLAIN, tuple)) and bool(value == default))


class Unspeakable(TypeError):
    """What ``describe`` has no form for, and the way out."""

    def __init__(self, thing: Any, why: str = ""):
        what = repr(thing) if inspect.isroutine(thing) else f"a {type(thing).__qualname__}"
        super().__init__(
            f"{what} cannot be saved{why}: use a function or a class that is defined in a module "
            "and keeps its arguments, as they are, by their names, or put a number in its place "
            "(a rate: optimizer.lr = 1e-3) and save again"
        )


def construct(description: Any, custom: dict[str, Any]) -> Any:
    """The object of that description; custom: the user's classes and functions by their names.

    Raises ValueError for a name that is not allowed, KeyError and TypeError for what is no
    description, and what the constructors raise. Source: ``describe``.
    """
    ours = {name: thing for name, thing in custom.items() if not name.startswith("scratchae.")}
    return _construct(description, LIBRARY | ours, [])


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
            f"it names {name!r}, which is not one of this library's classes: if it is yours, hand "
            f"it in as load(path, classes=[{name}])"
        )
    if ("function" in description) != inspect.isfunction(allowed[name]):
        raise TypeError(f"{name} is not what the file says it is")
    if "function" in description:
        return allowed[name]
    parts = description["arguments"].items()
    arguments = {key: _construct(part, allowed, done) for key, part in parts}
    done.append(allowed[name](*arguments.pop("*", ()), **arguments))
    if description.get("frozen"):
        done[-1].trainable = False
    if description.get("no_classes"):
        done[-1].note(True)
    return done[-1]


def _again(n: Any, done: list[Any]) -> Any:
    """The object that stands in a second place, by its number."""
    if type(n) is not int or not 0 <= n < len(done):
        raise ValueError(f"it names object {n!r} again, but has {len(done)} so far: it is damaged")
    return done[n]
