"""What a user hands in is looked at once, before anything is lost."""

import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

LIBRARY = __name__.partition(".")[0]
MOST64 = float(np.finfo(np.float64).max)
LEAST32 = float(np.finfo(np.float32).smallest_subnormal)
MOST32 = float(np.finfo(np.float32).max)
PIECE = 1 << 20  # bytes of data that are looked at or converted at one time


def whole(value: Any, least: int) -> bool:
    """Whether it is a whole number of at least that, and no bool."""
    return (
        isinstance(value, (int, np.integer))
        and not isinstance(value, bool)
        and bool(value >= least)
    )


def number(value: Any) -> bool:
    """Whether it is a number, inf too, that float64 can hold; NaN is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return abs(value) <= MOST64 if isinstance(value, int) else bool(value == value)


def positive(name: str, value: Any) -> int:
    """A whole number >= 1 as int. Raises ValueError otherwise."""
    if not whole(value, 1):
        raise ValueError(f"{name} is {value!r}, but it must be a whole number of at least 1")
    return int(value)


def row_shape(value: Any, name: str = "the input shape") -> tuple[int, ...]:
    """The shape of one row as a tuple; a number alone is (n,). Raises ValueError for sizes that
    are not whole or below 1, and for more numbers than memory has addresses for."""
    shape = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    shape = tuple(positive(f"{name}'s size", n) for n in shape)
    if len(shape) > 63:  # with N, the most axes that NumPy has
        raise ValueError(f"{name} has {len(shape)} axes, but at most 63 are expected")
    if (n := math.prod(shape)) > sys.maxsize // 8:  # as float64
        raise ValueError(f"{name} has over 2^{n.bit_length() - 1} numbers, more than memory holds")
    return shape


def shown(text: Any, most: int = 400) -> str:
    """What stands in a file, for a message: control characters as escapes, and at most that many
    characters, of the beginning and of the end."""
    text = str(text)
    if len(text) > most:
        text = f"{text[: most // 2]} ... {text[-most // 2 :]}"
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def flag(name: str, value: Any) -> bool:
    """True or False itself. Raises ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, but it must be True or False")
    return value


def seed(value: Any) -> int:
    """A whole number 0 <= value < 2^64 as int. Raises ValueError otherwise. Source: Salmon et al.
    2011, the key."""
    if not whole(value, 0) or value >= 1 << 64:
        raise ValueError(f"the seed is {value!r}, but a whole 0 <= seed < 2**64 is expected")
    return int(value)


def one_of(what: str, value: Any, choices: Iterable[str]) -> str:
    """One of the words itself. Raises ValueError with all of them."""
    words = tuple(choices)
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"there is no {what} {value!r}: choose one of {', '.join(words)}")
    return value


def kind(thing: Any) -> str:
    """Of what type a thing is: "numpy.ndarray", "list"."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}".removeprefix("builtins.")


def is_a(what: str, thing: Any, types: type | tuple[type, ...], expected: str) -> None:
    """Raise TypeError unless the thing is of these types, in words: expected."""
    if not isinstance(thing, types):
        raise TypeError(f"{what} is a {kind(thing)}, but {expected}")


def not_a_class(what: str, thing: Any) -> None:
    """Raise TypeError for a class in the place of an object of it."""
    if isinstance(thing, type):
        name = thing.__name__
        raise TypeError(f"{what} is the class {name}, but an object is expected: {name}(...)")


def nameable(what: str, thing: Any) -> None:
    """Raise TypeError for a function that ``save`` could not name."""
    named = inspect.isfunction(thing) and "<" not in thing.__qualname__
    made = isinstance(thing, (functools.partial, np.ufunc))
    if made or (inspect.isroutine(thing) and not named):
        raise TypeError(
            f"{what} is {thing!r}, which a saved model cannot name: define it in a module"
        )


def accepts(f: Any, count: int, *names: str) -> bool:
    """Whether f is to be called with that many arguments, and with these by name. Source:
    inspect.Signature.bind."""
    try:
        inspect.signature(f, follow_wrapped=False).bind(*range(count), **dict.fromkeys(names))
    except TypeError:
        return False
    except ValueError:  # some builtins do not tell
        return True
    return True


def stacklevel() -> int:
    """The stacklevel of a warning that is to point at the line that called this library. Source:
    warnings.warn."""
    up, frame, within = 1, sys._getframe(1), (f"{LIBRARY}.", "contextlib")
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(within):
        up, frame = up + 1, frame.f_back
    return up


def as_array(values: Any, what: str) -> np.ndarray:
    """Values of any shape, (n,) or (n, T), as an array; one of objects as one of what they are,
    such as booleans. Raises TypeError for a mask, ValueError for ragged lists."""
    unmasked(values, what)
    try:
        x = np.asarray(values)
        return np.asarray(x.tolist()) if x.dtype == object else x
    except ValueError as error:
        raise ValueError(f"{what} are no array ({error}): give lists of equal lengths") from None


def unmasked(values: Any, what: str) -> None:
    """Raise TypeError for a masked array, of any shape."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"a masked array is given as {what}, but no mask is read: fill it first")


def sizes(what: str, x: Any, expected: str, **known: int) -> dict[str, int]:
    """What the letters of an expected shape stand for: for x (5, 2), "N 2" and "N D" give {"N": 5,
    ...}.

    known: what some of them stand for. Raises ValueError for another shape, and for an axis of
    length 0.
    """
    names, found = expected.split(), dict(known)
    fit = len(names) == len(x.shape) and 0 not in x.shape
    for name, n in zip(names, x.shape, strict=False):
        fit &= n == (int(name) if name.isdecimal() else found.setdefault(name, n))
    if not fit:
        due = in_brackets(str(known.get(name, name)) for name in names)
        raise ValueError(f"the shape of {what} is {x.shape}, but {due} is expected")
    return found


def in_brackets(names: Iterable[str]) -> str:
    """The names of a shape's sizes as Python writes a shape: "(N, D)", "(N,)"."""
    words = tuple(names)
    return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"


def as_rows(x: Any, what: str, expected: str) -> np.ndarray:
    """An array (N, ...) itself; a list, a table or whatever else NumPy reads as one. Raises
    TypeError for the rest, in words: expected. Source: numpy.asarray."""
    unmasked(x, what)
    why = ""
    if isinstance(x, (np.ndarray, list, tuple)) or hasattr(type(x), "__array__"):
        try:
            return np.asarray(x)
        except Exception as error:  # of any kind: __array__ is the other library's
            why = f" ({' '.join(str(error).split())})"
    raise TypeError(f"{what} is a {kind(x)}, but {expected}{why}")


def host_rows(
    x: Any, shape: tuple[int, ...] | None, what: str, pixels: str = "", expected: str = ""
) -> np.ndarray:
    """As ``number_rows``, (N, *shape) of finite values: raises ValueError for NaN or inf too."""
    x = number_rows(x, shape, what, pixels, expected)
    finite(x, what, ", or, where NaN says what is missing, give Observed(x)" if pixels else "")
    return x


def number_rows(
    x: Any, shape: tuple[int, ...] | None, what: str, pixels: str = "", expected: str = ""
) -> np.ndarray:
    """A host array (N, *shape), or (N, ...), of numbers, or a sentence that says what is wrong.

    pixels: what else, of data, may be done with raw uint8. expected: in words. Raises TypeError
    for what NumPy does not read, object arrays and raw uint8; ValueError for the wrong rank or
    shape, and no rows.
    """
    rows = "(N, ...)" if shape is None else in_brackets(("N", *map(str, shape)))
    x = as_rows(x, what, expected or f"a NumPy array {rows} on the host is expected")
    if x.dtype == np.uint8:
        raise TypeError(
            f"{what} holds raw uint8 pixels: divide by 255 first{pixels}; numbers that are no "
            "pixels are to be np.asarray(x, np.float32)"
        )
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"{what} has dtype {x.dtype}, but numbers are expected: give np.asarray(x, np.float32)"
        )
    if x.ndim < 2 if shape is None else x.shape[1:] != tuple(shape):
        raise ValueError(f"{what} has shape {x.shape}, but {rows} is expected")
    if x.size == 0:
        raise ValueError(f"{what} has shape {x.shape}, but {rows} is expected, N at least 1")
    return x


def as_many(what: str, a: Any, of: str, x: Any) -> None:
    """Raise ValueError unless a (N, ...) and x (N, ...) have as many rows."""
    if len(a) != len(x):
        raise ValueError(f"{what} has {len(a)} rows, but {of} has {len(x)}: give as many")


def rows_a_piece(x: np.ndarray) -> int:
    """How many rows of x (N, ...) are about PIECE bytes, at least 1."""
    return max(1, PIECE * len(x) // max(1, x.nbytes))


def pieces(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The rows of x (N, ...), about PIECE bytes at a time: (where they start, a view of them)."""
    x = np.atleast_1d(x)
    for start in range(0, len(x), step := rows_a_piece(x)):
        yield start, x[start : start + step]


def first(bad: np.ndarray) -> tuple[int, ...]:
    """The index of the first True of an array of any shape. Source: numpy.argwhere."""
    return tuple(int(i) for i in np.argwhere(bad)[0])


def first_where(x: np.ndarray, bad: Callable[[np.ndarray], Any]) -> tuple[int, ...] | None:
    """The index of the first value of x (N, ...) that is bad, None where none is: bad(rows) tells
    of each in a piece of x, or says False of all of them."""
    for start, rows in pieces(x):
        if np.any(mask := bad(rows)):
            n, *rest = first(mask)
            return start + n, *rest
    return None


def finite(x: np.ndarray, what: str, gaps: str = "") -> None:
    """Raise ValueError at the first NaN or inf of x, any shape; gaps: what to do with NaN."""
    if x.dtype.kind == "f" and (at := first_where(x, _not_finite)) is not None:
        n = sum(np.count_nonzero(~np.isfinite(rows)) for _, rows in pieces(x))
        value = np.atleast_1d(x)[at]
        more = f"({n} such values): clean it first{gaps * bool(np.isnan(value))}"
        raise ValueError(f"{what} is {value} at index {at} {more}")


def _not_finite(x: np.ndarray) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):  # a sum is faster than a mask
        return False if np.isfinite(x.sum(dtype=np.float64)) else ~np.isfinite(x)


def representable(x: np.ndarray, dtype: np.dtype, what: str) -> None:
    """Raise ValueError at the first value of x, any shape, too large for dtype."""
    limit = float(np.finfo(dtype).max)
    if x.dtype.itemsize > dtype.itemsize and max(abs(float(x.min())), abs(float(x.max()))) > limit:
        at = first_where(x, lambda rows: np.abs(rows) > limit)
        raise ValueError(
            f"{what} is {x[at]} at index {at}, but {dtype} ends at {limit:.1e}: scale to about 1"
        )


def real(name: str, value: Any, low: float, high: float = np.inf, strict: bool = False) -> float:
    """A number low <= value < high (strictly above low if asked) as float. Raises ValueError
    otherwise."""
    inside = number(value) and low <= value < high and float(value) < np.inf
    if not inside or (strict and value == low):
        least = f"above {low:g}" if strict else f"at least {low:g}"
        most = "finite" if high == np.inf else f"below {high:g}"
        raise ValueError(f"{name} is {value!r}, but it must be a number {least} and {most}")
    return float(value)


def real32(name: str, value: Any, low: float, strict: bool = False) -> float:
    """As ``real``, low >= 0, and 0 or a number that float32 can hold."""
    exact = real(name, value, low, strict=strict)
    if exact and not LEAST32 <= exact <= MOST32:
        span = f"{LEAST32:.1e} to {MOST32:.1e}"
        raise ValueError(f"{name} is {value!r}, but float32 reaches from {span}: stay there")
    return exact
