"""A public attribute that a class does not know cannot act, and is refused where it is set.

    Adam().learning_rate = 1.0      AttributeError: ... set beta1, beta2, eps, lr, or ...

A reader's own class is not held to it: what acts there is the reader's to know.
"""

import dis
import functools
import inspect
import itertools
from typing import Any

from .checks import LIBRARY


class Named:
    """What takes a public attribute only if its class has it, annotates it, or sets it in a
    method."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        theirs = cls.__module__.partition(".")[0] != LIBRARY
        if theirs and cls.__setattr__ is Named.__setattr__:
            cls.__setattr__ = object.__setattr__  # type: ignore[method-assign, assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        kind: Any = type(self)
        if name not in _known(kind) and name[0] != "_" and not hasattr(kind, name):
            raise AttributeError(
                f"this {kind.__name__} has no {name!r}, which could not act: set "
                f"{', '.join(settable(kind)) or 'nothing'}, or make a class of your own, class "
                f"Mine({kind.__name__}), which may have it"
            )
        object.__setattr__(self, name, value)


@functools.cache
def _known(kind: type) -> frozenset[str]:
    """The attributes that a class and its bases annotate, or set on self in a method."""
    codes = (getattr(method, "__code__", None) for method in vars(kind).values())
    stored = set[str]().union(*(_stored(code) for code in codes if code and code.co_argcount))
    return frozenset(stored).union(inspect.get_annotations(kind), *map(_known, kind.__bases__))


def _stored(code: Any) -> set[str]:
    """The attributes that a method sets on its first argument, and not on another thing. Source:
    dis, where the thing is loaded right before the STORE_ATTR, alone or last of two."""
    mine, found = code.co_varnames[0], set[str]()
    for load, step in itertools.pairwise(dis.get_instructions(code)):
        last = load.argval[-1:] if isinstance(load.argval, tuple) else (load.argval,)
        if step.opname == "STORE_ATTR" and last == (mine,):
            found.add(step.argval)
    return found


def settable(kind: type) -> list[str]:
    """The public attributes of a class that may be set: its Numbers, arguments and properties."""
    held = ((name, inspect.getattr_static(kind, name)) for name in dir(kind) if name[0] != "_")
    return [
        name
        for name, value in held
        if hasattr(type(value), "__set__") and getattr(value, "fset", value) is not None
    ]


def free(thing: Any) -> None:
    """Let a thing that no reader holds, such as a shard's copy, take any attribute, as fast as
    Python does: each step sets some."""
    kind: Any = type(thing)
    if kind.__setattr__ is Named.__setattr__:
        thing.__class__ = _free(kind)


@functools.cache
def _free(kind: type) -> type:
    """The same class with Python's way to set attributes."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), names | {"__setattr__": object.__setattr__})
