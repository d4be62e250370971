"""Where batches come from: images as uint8, or values as floating point numbers."""

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import checks, randomness
from ..backend import Array, Backend
from ..kernels.batch import GATHER_DYNAMIC, GATHER_GREY, GATHER_THRESHOLD, GATHER_VALUES
from ..kernels.philox import UNIFORM

MEMBERS = ("name", "shape", "__len__", "feed", "check")  # of a source
GATHER = {"none": GATHER_GREY, "threshold": GATHER_THRESHOLD, "dynamic": GATHER_DYNAMIC}


class Feed:
    """Makes the batches of one shard in one buffer: x (rows, *shape).

    Source: kernels/batch.py."""

    def __init__(
        self, backend: Backend, data: np.ndarray, shape: tuple[int, ...], rows: int, kernel: Any
    ):
        self.table = backend.table(data.reshape(len(data), -1), rows)
        self.shape = shape
        self.gather = backend.op(kernel)
        self.x = backend.empty((rows, math.prod(shape)))
        self.u = backend.empty(self.x.shape) if kernel is GATHER_DYNAMIC else None
        self.uniform = backend.op(UNIFORM)

    def fill(self, rows: Array, clock: Array) -> Array:
        """rows (N,) uint32 of the data set -> x (N, *shape). Source: kernels/batch.py."""
        N = rows.shape[0]
        x = self.x[:N]
        data, index = self.table.at(rows)
        if self.u is None:
            self.gather(x, data, index)
        else:
            u = self.u[:N]
            self.uniform(u, rows, clock, randomness.PIXELS)
            self.gather(x, data, index, u)
        return x.reshape(N, *self.shape)


@runtime_checkable
class Source(Protocol):
    """What ``fit`` and ``evaluate`` ask of data: N rows (N, *shape), made batch by batch.

    name: for figures and messages. ``len``: N. ``feed``: what makes the batches of one shard, up
    to ``rows`` of them at once: an object whose fill(rows, clock), with the numbers of the rows
    (n,) uint32 and a clock (4,), gives x (n, *shape) of the backend's dtype, which stays as it is
    until the next call. The same rows and clock give the same x: whatever is drawn is a function
    of both (kernels/philox.py, with a stream of randomness.py). ``check`` raises ValueError where
    the rows cannot come from that likelihood."""

    name: str
    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def feed(self, backend: Backend, rows: int) -> Any: ...

    def check(self, likelihood: Any) -> None: ...


class Images:
    """Grey images, uint8 in memory, scaled to [0, 1] and perhaps binarised as batches are made.

    Shapes: pixels (N, H, W, C) or any (N, ...) uint8, labels (N,) or None. binarize: "none"
    (grey), "threshold" (ink where above one half) or "dynamic" (each pixel drawn with its grey
    value as probability, anew each epoch; held-out data always by the same draws). Raises
    TypeError for what is not uint8 and for masks, ValueError for no images, another rank, other
    labels or an unknown binarize.
    Source: kernels/batch.py.
    """

    def __init__(
        self, pixels: np.ndarray, labels: Any = None, binarize: str = "none", name: str = "images"
    ):
        checks.unmasked(pixels, "the images")
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            given = getattr(pixels, "dtype", checks.kind(pixels))
            raise TypeError(
                f"the images are {given}, but uint8 in 0..255 is expected; values go to Values(x)"
            )
        if pixels.ndim < 2 or pixels.size == 0:
            raise ValueError(f"the images have shape {pixels.shape}, but (N, H, W, C) is expected")
        checks.one_of("binarize", binarize, GATHER)
        self.labels = _one_each(labels, len(pixels))
        self.pixels = np.ascontiguousarray(pixels)
        self.binarize = binarize
        self.name = name
        self.shape = pixels.shape[1:]

    def __len__(self) -> int:
        return len(self.pixels)

    def check(self, likelihood: Any) -> None:
        """Pixels are in [0, 1] whatever their shape; raise ValueError where that is not enough.

        Source: kernels/batch.py; the likelihood."""
        if not likelihood.takes_grey:
            likelihood.check(self.values())

    def feed(self, backend: Backend, rows: int) -> Feed:
        """A feed for up to rows images at once. Shapes: see Feed. Source: kernels/batch.py."""
        return Feed(backend, self.pixels, self.shape, rows, GATHER[self.binarize])

    def values(self, rows: Any = slice(None)) -> np.ndarray:
        """Some or all images as float32 in [0, 1], as ``evaluate`` has them with seed 0:
        (n, *shape).

        rows: a slice or an array of indices. Source: kernels/batch.py, (1) to (3).
        """
        index = np.arange(len(self), dtype=np.uint32)[rows]
        data, x = (
            self.pixels.reshape(len(self), -1),
            np.empty((len(index), math.prod(self.shape)), np.float32),
        )
        noise: tuple[np.ndarray, ...] = ()
        if self.binarize == "dynamic":
            noise = (np.empty_like(x),)
            clock = randomness.clock(0, purpose=randomness.EVALUATION)
            UNIFORM.definition(noise[0], index, clock, randomness.PIXELS)
        GATHER[self.binarize].definition(x, data, index, *noise)
        return x.reshape(-1, *self.shape)


class Values:
    """Floating point rows as they are.

    Shapes: x (N, ...), labels (N,) or None. Raises what checks.host_rows raises, ValueError for
    other labels and TypeError for masked ones. Source: kernels/batch.py (4).
    """

    def __init__(self, x: np.ndarray, labels: Any = None, name: str = "values"):
        checks.is_a("the data", x, np.ndarray, "a NumPy array (N, ...) is expected")
        if x.ndim < 2:
            raise ValueError(f"the data has shape {x.shape}, but rows (N, ...) are expected")
        x = checks.host_rows(x, x.shape[1:], "the data")
        self.labels = _one_each(labels, len(x))
        self.x = _native(x)
        self.name = name
        self.shape = x.shape[1:]

    def __len__(self) -> int:
        return len(self.x)

    def check(self, likelihood: Any) -> None:
        """Raise ValueError where x (N, ...) leaves the likelihood's support. Source: the
        likelihood."""
        likelihood.check(self.x)

    def feed(self, backend: Backend, rows: int) -> Feed:
        """A feed for up to rows examples at once. Shapes: see Feed. Source: kernels/batch.py
        (4)."""
        return Feed(backend, self.x, self.shape, rows, GATHER_VALUES)


def _one_each(labels: Any, n: int) -> Any:
    """labels (n,), or None, as they are."""
    if labels is not None:
        checks.sizes("the labels", checks.as_array(labels, "the labels"), "N", N=n)
    return labels


def _native(x: np.ndarray) -> np.ndarray:
    """x in a dtype that every loop is compiled for: float32 and float64 as they are, others as the
    nearer."""
    if x.dtype in (np.float32, np.float64):
        return np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("="))
    checks.representable(x, np.dtype(np.float64), "the data")
    return np.ascontiguousarray(x, dtype=np.float32 if x.dtype.itemsize <= 2 else np.float64)


def as_source(data: Any) -> Source:
    """Images, Values, or any object of that protocol as it is; an array (N, ...) as Values.

    Raises TypeError for anything else."""
    if hasattr(data, "feed") and not isinstance(data, type):
        return data
    checks.is_a("the data", data, np.ndarray, "a NumPy array, Images or Values are expected")
    return Values(data)
