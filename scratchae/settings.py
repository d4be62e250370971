"""Settings of layers, likelihoods, penalties, objectives and optimisers: each exists once.

A model copies what it is handed, once for itself and once for each shard of a batch. The copies
share one store of settings, so that a number that is changed anywhere is changed everywhere, and
the next step reads it:

    class Scale(Layer):
        factor = Number(0)                     a number of at least 0, which may change at any time

        def __init__(self, factor, units):
            self.factor, self.units = factor, units

Every other argument of a constructor, here units, decides what memory is made and which kernels
are chosen. It is fixed once a model was built with it: to set it then is an error, and not
ignored.
"""

import copy
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

from .checks import MOST32, accepts, flag, nameable, not_a_class, real, real32
from .names import Named

Scheduled = float | Callable[[int], float]  # a number, or a function of the step t = 1, 2, ...
Thing = TypeVar("Thing")
_SHARING: ContextVar[bool] = ContextVar("sharing", default=False)


class Store(dict[str, Any]):
    """Names and values of one thing's settings. Its copies within ``shared_copy`` are the store
    itself."""

    fixed: bool = False  # what is no Number stays as it is

    def __deepcopy__(self, memo: dict[int, Any]) -> "Store":
        return self if _SHARING.get() else Store(copy.deepcopy(dict(self), memo))


def store(thing: Any) -> Store:
    """The settings of a thing, made at first use."""
    held: Store | None = thing.__dict__.get("_settings")
    if held is None:
        held = thing.__dict__["_settings"] = Store()
    return held


def shared_copy(thing: Thing) -> Thing:
    """A deep copy whose settings are those of the original, and stay so."""
    token = _SHARING.set(True)
    try:
        return copy.deepcopy(thing)
    finally:
        _SHARING.reset(token)


class Number:
    """A setting that may change at any time: low <= value < high, above low if strict.

    single: the kernels take it as a float32. schedule: a function of the step t = 1, 2, ... will
    do too. Raises ValueError or TypeError as it is set, with what is expected.
    """

    def __init__(
        self,
        low: float,
        high: float = float("inf"),
        *,
        strict: bool = False,
        single: bool = True,
        schedule: bool = False,
    ):
        self.low, self.high, self.strict = low, high, strict
        self.single, self.schedule = single, schedule

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        if thing is None:
            return self
        try:  # each step asks several times
            return thing.__dict__["_settings"][self.name]
        except KeyError:
            raise AttributeError(f"{type(thing).__name__} has no {self.name!r} yet") from None

    def __set__(self, thing: Any, value: Any) -> None:
        what = f"{type(thing).__name__}({self.name})"
        store(thing)[self.name] = self._schedule(what, value) or self._number(what, value)

    def _number(self, what: str, value: Any) -> float:
        if self.single and self.high == float("inf"):
            return real32(what, value, self.low, strict=self.strict)
        return real(what, value, self.low, self.high, self.strict)

    def _schedule(self, what: str, value: Any) -> Callable[[int], float] | None:
        """The value, if it is a function of the step that a saved model could name."""
        if not self.schedule:
            return None
        not_a_class(what, value)
        nameable(what, value)
        if not callable(value):
            return None
        if not accepts(value, 1):
            raise TypeError(
                f"{what} is {value!r}, but a number or a function of the step is expected"
            )
        return value

    def at(self, thing: Any, t: int) -> float:
        """The number at step t, from 1 on. Raises ValueError where a schedule gives none."""
        value = self.__get__(thing)
        if not callable(value):  # it was looked at when it was set
            return value
        what = f"{type(thing).__name__}({self.name}) at step {t}"
        return real(what, value(t), self.low, min(self.high, MOST32))


class Flag(Number):
    """True or False, which may change between epochs."""

    def __init__(self, default: bool):
        super().__init__(0)
        self.default = default

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        return self if thing is None else store(thing).get(self.name, self.default)

    def __set__(self, thing: Any, value: Any) -> None:
        store(thing)[self.name] = flag(f"{type(thing).__name__}.{self.name}", value)


class Fixed:
    """An argument that is kept; it can be set until ``fix``, and not after it.

    check: a function (what, value) -> value, which raises ValueError or TypeError where value will
    not do.
    """

    def __init__(self, check: Callable[[str, Any], Any] | None = None, *default: Any):
        self.check, self.default = check, default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        if thing is None:
            return self
        try:  # each step asks several times
            return thing.__dict__[self.name]
        except KeyError:
            if self.default:
                return self.default[0]
            raise AttributeError(f"{type(thing).__name__} has no {self.name!r}") from None

    def __set__(self, thing: Any, value: Any) -> None:
        kind = type(thing).__name__
        if store(thing).fixed and value is not thing.__dict__.get(self.name):
            raise AttributeError(
                f"{kind}.{self.name} cannot become {value!r}, since this {kind} is in use and its "
                f"memory is made: make another {kind}, and build again"
            )
        what = f"{kind}({self.name})"
        thing.__dict__[self.name] = self.check(what, value) if self.check else value


class Absent:
    """A setting of the base class that means nothing in this one: None, and an error where it is
    set, which says why, such as "has no meaning: ..."."""

    fset = None  # names.py does not list it

    def __init__(self, why: str):
        self.why = why

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        return self if thing is None else None

    def __set__(self, thing: Any, value: Any) -> None:
        raise AttributeError(f"{type(thing).__name__}({self.name}) {self.why}")


class Configured(Named):
    """What keeps the arguments of its constructor as attributes: each is a Number or Fixed."""

    def __copy__(self) -> Any:
        """Another one with settings of its own, as a deep copy has."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        if "_settings" in self.__dict__:
            other.__dict__["_settings"] = Store(store(self))
        return other

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" not in cls.__dict__:
            return
        for name in list(inspect.signature(cls.__init__).parameters)[1:]:
            held = inspect.getattr_static(cls, name, inspect.Parameter.empty)
            if hasattr(type(held), "__get__"):  # a Number, a property, Fixed already
                continue
            fixed = Fixed(None, *(() if held is inspect.Parameter.empty else (held,)))
            fixed.__set_name__(cls, name)
            setattr(cls, name, fixed)

    def __getattr__(self, name: str) -> Any:
        kind = type(self).__name__
        if not hasattr(type(self), "forward"):
            raise AttributeError(f"this {kind} has no {name!r}")
        raise AttributeError(
            f"this {kind} has no {name!r}: its memory is made when it is built into a model; to "
            f"run it by itself, take by_hand({kind}(...), shape)"
        )


def complete(thing: Any, base: type, *calls: str) -> None:
    """Raise NotImplementedError where a thing does not define what its base class asks for, such
    as "forward(x)"."""
    for call in calls:
        name = call.partition("(")[0]
        method = getattr(thing, name, None)
        if method is None or getattr(method, "__func__", None) is getattr(base, name):
            raise NotImplementedError(f"{type(thing).__name__} does not say {call}")


def parts(thing: Any) -> Iterator[Any]:
    """A thing and all that it is made of and that has settings, each once, in the order of its
    attributes."""
    seen: set[int] = set()

    def walk(value: Any) -> Iterator[Any]:
        if isinstance(value, (tuple, list)):
            for inner in value:
                yield from walk(inner)
        elif isinstance(value, Configured) and id(value) not in seen:
            seen.add(id(value))
            yield value
            for inner in list(vars(value).values()):
                yield from walk(inner)

    return walk(thing)


def fix(thing: Any) -> None:
    """Let everything but the numbers of a thing and of its parts stay as it is."""
    for part in parts(thing):
        store(part).fixed = True


def constants(thing: Any) -> tuple[Any, ...]:
    """The numbers of a thing and of its parts that kernels are handed as they are: all but
    schedules."""
    return tuple(
        value
        for part in parts(thing)
        for name, value in sorted(store(part).items())
        if not getattr(getattr(type(part), name, None), "schedule", False)
    )


def scheduled(thing: Any) -> dict[str, Callable[[int], float]]:
    """The numbers of a thing and of its parts that are functions of the step: {"ELBO(beta)":
    ...}."""
    return {
        f"{type(part).__name__}({name})": value
        for part in parts(thing)
        for name, value in store(part).items()
        if callable(value)
    }
