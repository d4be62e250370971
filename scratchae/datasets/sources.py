"""Where batches come from: images as uint8, or values as floating point numbers."""

import math
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .. import checks, randomness
from ..backend import Array, Backend
from ..backend.base import native
from ..kernels.batch import GATHER_DYNAMIC, GATHER_GREY, GATHER_THRESHOLD, GATHER_VALUES
from ..kernels.philox import UNIFORM

MEMBERS = ("name", "shape", "__len__", "feed", "check")  # of a source
ARRAY = "a NumPy array (N, ...) is expected"
SOURCE = "a NumPy array, Images or Values are expected"
IMAGES = ", or give Images(x)"
GATHER = {"none": GATHER_GREY, "threshold": GATHER_THRESHOLD, "dynamic": GATHER_DYNAMIC}


class Feed:
    """Makes the batches of one shard in one buffer: x (rows, *shape).

    Source: kernels/batch.py."""

    def __init__(
        self, backend: Backend, data: np.ndarray, shape: tuple[int, ...], rows: int, kernel: Any
    ):
        flat = data.reshape(len(data), -1) if data.flags.c_contiguous else data  # no copy
        self.table = backend.table(flat, rows)
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

    def bring(self, rows: np.ndarray) -> None:
        """See to it that the rows (N,) can be gathered. Source: backend/cuda/staging.py."""
        self.table.bring(rows)


def bring(feed: Any, rows: np.ndarray) -> None:
    """Let a feed have the rows (N,) of the next batch, on the host, where they cross one batch at
    a time. Source: backend/cuda/staging.py."""
    if hasattr(feed, "bring"):
        feed.bring(rows)


@runtime_checkable
class Source(Protocol):
    """What ``fit`` and ``evaluate`` ask of data: N rows (N, *shape), made batch by batch.

    name: for figures and messages. ``len``: N. ``feed``: what makes the batches of one shard, up
    to ``rows`` of them at once: an object whose fill(rows, clock), with the numbers of the rows
    (n,) uint32 and a clock (4,), gives x (n, *shape) of the backend's dtype, which stays as it is
    until the next call. The same rows and clock give the same x: whatever is drawn is a function
    of both (kernels/philox.py, with a stream of randomness.py). Where the source has
    ``conditions``, C numbers that each row is given beside x, fill leaves them in the feed's c (n,
    C), and given(rows) gives them on the host (labelled.py); what is scored in the place of x is
    the feed's target, like x, and where that was observed its seen (pairs.py). ``check`` raises
    ValueError where the rows cannot come from that likelihood. What reads rows on the host
    (``encode``, detectors) asks for ``values(rows)`` too, which gives some of them, by a slice or
    indices, as a host array (n, *shape) of floats."""

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
        pixels = checks.as_rows(pixels, "the images", "a NumPy array of uint8 is expected")
        if pixels.dtype != np.uint8:
            raise TypeError(
                f"the images are {pixels.dtype}, but uint8 in 0..255 is expected; other numbers "
                "go to Values(np.asarray(x, np.float32))"
            )
        if pixels.ndim < 2 or pixels.size == 0:
            raise ValueError(f"the images have shape {pixels.shape}, but (N, H, W, C) is expected")
        checks.one_of("binarize", binarize, GATHER)
        self.labels = _one_each(labels, len(pixels))
        self.pixels = pixels
        self.binarize = binarize
        self.name = name
        self.shape = pixels.shape[1:]

    def __len__(self) -> int:
        return len(self.pixels)

    def check(self, likelihood: Any) -> None:
        """Pixels are in [0, 1] whatever their shape; raise ValueError where that is not enough.

        Source: kernels/batch.py; the likelihood."""
        if likelihood.takes_grey:
            return
        for start, part in checks.pieces(self.pixels):
            try:
                likelihood.check(self.values(slice(start, start + len(part))))
            except ValueError as error:
                raise ValueError(f"of the images from {start} on, {error}") from None

    def feed(self, backend: Backend, rows: int) -> Feed:
        """A feed for up to rows images at once. Shapes: see Feed. Source: kernels/batch.py."""
        return Feed(backend, self.pixels, self.shape, rows, GATHER[self.binarize])

    def values(self, rows: Any = slice(None)) -> np.ndarray:
        """Some or all images as float32 in [0, 1], as ``evaluate`` has them with seed 0:
        (n, *shape).

        rows: a slice or an array of indices. Source: kernels/batch.py, (1) to (3).
        """
        index = np.arange(len(self), dtype=np.uint32)[rows]
        data = self.pixels[rows].reshape(len(index), math.prod(self.shape))
        x, noise = np.empty(data.shape, np.float32), tuple[np.ndarray, ...]()
        if self.binarize == "dynamic":
            noise = (np.empty_like(x),)
            clock = randomness.clock(0, purpose=randomness.EVALUATION)
            UNIFORM.definition(noise[0], index, clock, randomness.PIXELS)
        GATHER[self.binarize].definition(x, data, np.arange(len(index)), *noise)
        return x.reshape(-1, *self.shape)


class Scaling:
    """What ``scaled`` did: x -> (x - low) / (high - low), and its inverse.

    Shapes: low, high () or, of each feature, (C,); x (N, ..., C). Source: splits.py, (2)."""

    def __init__(self, low: np.ndarray, high: np.ndarray):
        self.low, self.high = low, high

    def __call__(self, x: Any) -> np.ndarray:
        """x (N, ..., C), in the units of the data -> scaled, float; NaN, as in a gap, stays NaN.
        Raises what checks.number_rows raises. Source: splits.py, (2)."""
        x = checks.number_rows(x, None, "x")
        self._require_features(x)
        out = np.empty(x.shape, native(x.dtype))
        with np.errstate(over="ignore", invalid="ignore"):
            for start, part in checks.pieces(x):
                part = part.astype(out.dtype, copy=False)
                out[start : start + len(part)] = (part - self.low) / (self.high - self.low)
        return out

    def inverse(self, x: Any) -> np.ndarray:
        """x (N, ..., C), scaled, such as a reconstruction -> in the units of the data. Raises
        ValueError for other features. Source: splits.py, (2)."""
        x = np.asarray(x)
        self._require_features(x)
        return self.low + x * (self.high - self.low)

    def _require_features(self, x: np.ndarray) -> None:
        """Raise ValueError where x (N, ..., C) has not the features that were scaled."""
        if self.low.ndim and x.shape[-1:] != self.low.shape:
            raise ValueError(
                f"x has shape {x.shape}, but the scaling is of {len(self.low)} features: give "
                "rows whose last axis has these"
            )


class Values:
    """Numbers as they are, in the dtype and the memory that they have.

    Shapes: x (N, ...), or a list or table of that shape, labels (N,) or None. Floating point
    numbers and integers, which are converted batch by batch where they are not float32 or float64
    in C order. scaling: what ``scaled`` did to them, or None. Raises what checks.host_rows raises,
    ValueError for other labels and TypeError for masked ones. Source: kernels/batch.py (4).
    """

    scaling: Scaling | None = None

    def __init__(self, x: Any, labels: Any = None, name: str = "values"):
        self._hold(x, None, "the data", ARRAY, IMAGES)
        self.labels = _one_each(labels, len(self.x))
        self.name = name

    def _hold(
        self, x: Any, shape: tuple[int, ...] | None, what: str, expected: str, pixels: str
    ) -> None:
        self.x = checks.host_rows(x, shape, what, pixels, expected)
        checks.representable(self.x, np.dtype(np.float64), what)
        self.shape = self.x.shape[1:]

    @classmethod
    def of(
        cls, x: Any, shape: tuple[int, ...] | None, what: str, pixels: str = IMAGES
    ) -> "Values":
        """x (N, *shape) as values, or a sentence that calls it by the name what."""
        values = cls.__new__(cls)
        values._hold(x, shape, what, SOURCE, pixels)
        values.labels, values.name = None, "values"
        return values

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

    def values(self, rows: Any = slice(None)) -> np.ndarray:
        """Some or all rows as float32 or float64, as a batch has them: (n, *shape).

        rows: a slice or an array of indices. Source: kernels/batch.py (4)."""
        return self.x[rows].astype(native(self.x.dtype), copy=False)


def _one_each(labels: Any, n: int) -> Any:
    """labels (n,), or None, as they are."""
    if labels is not None:
        checks.sizes("the labels", checks.as_array(labels, "the labels"), "N", N=n)
    return labels


def as_source(data: Any) -> Source:
    """Images, Values, or any object of that protocol as it is; an array (N, ...), a list or a
    table as Values.

    Raises TypeError for anything else, and what Values raises."""
    return data if is_source(data) else Values.of(data, None, "the data")


def is_source(data: Any) -> bool:
    """Whether it is an object of that protocol; a table may have a column called feed."""
    return callable(getattr(data, "feed", None)) and not isinstance(data, type)
