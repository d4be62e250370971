"""The door: what a user hands in is looked at once, before anything is lost."""

import functools
import inspect
import sys
from typing import Any

import numpy as np

LIBRARY = __name__.partition(".")[0]
MOST64 = float(np.finfo(np.float64).max)
LEAST32, MOST32 = (
    float(v) for v in (np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).max)
)


def positive(name: str, value: Any) -> int:
    """A whole number >= 1 as int. Raises ValueError otherwise. Shapes: none. Source: none, a check."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} is {value!r}, but it must be a whole number of at least 1")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """True or False itself. Raises ValueError otherwise. Shapes: none. Source: none, a check."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, but it must be True or False")
    return value


def seed(value: Any) -> int:
    """A whole number 0 <= value < 2^64 as int. Raises ValueError otherwise. Source: Salmon et al. 2011, the key."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not 0 <= value < 1 << 64:
        raise ValueError(
            f"the seed is {value!r}, but Philox takes a key of 64 bits: give a whole 0 <= seed < 2**64"
        )
    return int(value)


def nameable(what: str, thing: Any) -> None:
    """Raise TypeError for a function that ``save`` could not name. Shapes: none. Source: none, a check."""
    named = inspect.isfunction(thing) and "<" not in thing.__qualname__
    if (inspect.isroutine(thing) and not named) or isinstance(
        thing, (functools.partial, np.ufunc)
    ):
        raise TypeError(
            f"{what} is {thing!r}, which has no name by which a saved model could find it again: define the "
            "function in a module"
        )


def not_a_class(what: str, thing: Any) -> None:
    """Raise TypeError for a class in the place of an object of it. Shapes: none. Source: none, a check."""
    if isinstance(thing, type):
        name = thing.__name__
        raise TypeError(
            f"{what} is the class {name}, but an object of it is expected: {name}(...)"
        )


def accepts(f: Any, count: int, *names: str) -> bool:
    """Whether f is to be called with that many arguments, and with these by name.

    Shapes: none. Source: inspect.Signature.bind."""
    try:
        inspect.signature(f, follow_wrapped=False).bind(*range(count), **dict.fromkeys(names))
    except TypeError:
        return False
    except ValueError:  # some builtins do not tell
        return True
    return True


def stacklevel() -> int:
    """The stacklevel of a warning that is to point at the line that called this library.

    Shapes: none. Source: warnings.warn."""
    up, frame = 1, sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(f"{LIBRARY}."):
        up, frame = up + 1, frame.f_back
    return up


def as_array(values: Any, what: str) -> np.ndarray:
    """Values of any shape, (n,) or (n, T), as an array. Raises TypeError for a mask, ValueError for ragged lists.

    Source: none, a check.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(
            f"{what} are a masked array, but nothing here reads a mask: leave out what it hides first"
        )
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{what} are no array, but one is expected ({error}): give lists of equal lengths"
        ) from None


def host_rows(x: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A host array (N, *shape) of finite floating point values, or a sentence that says what is wrong.

    Raises TypeError for another library, object arrays and raw uint8; ValueError for the wrong rank or
    shape, no rows, and NaN or inf (naming the first bad index). Source: none, a check.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{what} is a masked array, but a model has no use for a mask: fill it (x.filled(0)) first"
        )
    if not isinstance(x, np.ndarray):
        kind = f"{type(x).__module__}.{type(x).__qualname__}"
        raise TypeError(
            f"{what} is a {kind}, but a NumPy array (N, {_inner(shape)}) on the host is expected"
        )
    if x.dtype == np.uint8:
        raise TypeError(
            f"{what} holds raw uint8 pixels, but a model computes on values: divide by 255 "
            "(x.astype('float32') / 255), or wrap them as scratchae.Images(x), which scales batch by batch"
        )
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"{what} has dtype {x.dtype}, but numbers are expected: convert it to float32"
        )
    if x.shape[1:] != tuple(shape) or x.ndim != len(shape) + 1:
        raise ValueError(f"{what} has shape {x.shape}, but (N, {_inner(shape)}) is expected")
    if len(x) == 0:
        raise ValueError(f"{what} is empty, shape {x.shape}: give at least one row")
    finite(x, what)
    return x


def finite(x: np.ndarray, what: str) -> None:
    """Raise ValueError at the first NaN or inf of x, any shape, by its index. Source: none, a check."""
    if x.dtype.kind != "f":
        return
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # one pass without a mask of x's size: bad values show in it
        total = x.sum(dtype=np.float64)
    if not np.isfinite(total):
        bad = np.argwhere(~np.isfinite(x))
        if len(bad):
            at = tuple(int(i) for i in bad[0])
            raise ValueError(
                f"{what} is {x[at]} at index {at} ({len(bad)} such values): clean it first"
            )


def representable(x: np.ndarray, dtype: np.dtype, what: str) -> None:
    """Raise ValueError at the first value of x, any shape, too large for dtype. Source: none, a check."""
    limit = np.finfo(dtype).max
    if x.dtype.itemsize > dtype.itemsize and max(abs(x.min()), abs(x.max())) > limit:
        at = tuple(int(i) for i in np.argwhere(np.abs(x) > limit)[0])
        raise ValueError(
            f"{what} is {x[at]} at index {at}, but {dtype} ends at {limit:.1e}: scale the data to about 1 first"
        )


def real(name: str, value: Any, low: float, high: float = np.inf, strict: bool = False) -> float:
    """A number low <= value < high (strictly above low if asked) as float. Raises ValueError otherwise.

    Shapes: none. Source: none, a check."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
        value, bool
    )
    if (
        not number
        or not low <= value < high
        or (strict and value == low)
        or (value > MOST64 if isinstance(value, int) else float(value) == np.inf)
    ):
        least = f"above {low:g}" if strict else f"at least {low:g}"
        most = "finite" if high == np.inf else f"below {high:g}"
        raise ValueError(f"{name} is {value!r}, but it must be a number {least} and {most}")
    return float(value)


def real32(name: str, value: Any, low: float, strict: bool = False) -> float:
    """As ``real``, low >= 0, and 0 or a number that float32 can hold. Shapes: none. Source: none, a check."""
    number = real(name, value, low, strict=strict)
    if number and not LEAST32 <= number <= MOST32:
        raise ValueError(
            f"{name} is {value!r}, but float32 reaches from {LEAST32:.1e} to {MOST32:.1e}: stay there"
        )
    return number


def _inner(shape: tuple[int, ...]) -> str:
    return ", ".join(str(n) for n in shape)
