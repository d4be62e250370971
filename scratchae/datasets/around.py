"""A data set around another one, which has more to say of each row than x."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from ..backend import Array, Backend
from .sources import as_source, bring


class Around:
    """A source that is another one, and something beside it.

    Shapes: those of the source. A kind of its own defines ``over``, and a ``feed`` that is an
    AroundFeed. Source: sources.py, ``Source``."""

    def __init__(self, data: Any):
        self.source: Any = as_source(data)
        self.name, self.shape = self.source.name, self.source.shape
        self.labels = getattr(self.source, "labels", None)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def inner(self) -> tuple[Any, ...]:
        """All that it is around. Source: itself."""
        return (self.source,)

    @property
    def scaling(self) -> Any:
        """What ``scaled`` did to x, or None."""
        return getattr(self.source, "scaling", None)

    def check(self, likelihood: Any) -> None:
        """Raise what the source raises."""
        self.source.check(likelihood)

    def values(self, rows: Any = slice(None)) -> np.ndarray:
        """x of some or all rows, (n, *shape). Source: sources.py."""
        return self.source.values(rows)

    def over(self, choose: Callable[[Any], Any]) -> Self:
        """The same of chosen rows: choose(data) gives them of any data (N, ...)."""
        raise NotImplementedError

    def scored(self, rows: Any = slice(None)) -> tuple[np.ndarray | None, np.ndarray | None]:
        """What the likelihood scores of some or all rows in the place of x, and where it was
        observed, both (n, *shape); None: x, everywhere. Source: pairs.py."""
        return scored(self.source, rows)

    @property
    def conditions(self) -> int:
        """How many numbers each row is given beside x: those of the source."""
        return getattr(self.source, "conditions", 0)

    def given(self, rows: Any = slice(None)) -> np.ndarray:
        """What some or all rows are given, (n, C). Source: labelled.py."""
        return self.source.given(rows)


def scored(source: Any, rows: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """As Around.scored, of any source: (n, *shape) twice, or None."""
    return source.scored(rows) if isinstance(source, Around) else (None, None)


def every(source: Any) -> Iterator[Any]:
    """A source, and all that it is around. Source: itself."""
    yield source
    for inner in source.inner if isinstance(source, Around) else ():
        yield from every(inner)


class AroundFeed:
    """Makes x (rows, *shape), and beside it what another feed makes, or that feed's own c.

    Source: sources.py, ``Source``."""

    def __init__(self, source: Any, backend: Backend, rows: int, beside: Any):
        self.inner, self.beside = source.feed(backend, rows), beside

    @property
    def c(self) -> Array | None:
        """What the last rows are given, (n, C), or None."""
        return getattr(self.inner, "c", None)

    @property
    def target(self) -> Array | None:
        """What the likelihood scores of the last rows, like x; None: x."""
        return getattr(self.inner, "target", None)

    @property
    def seen(self) -> Array | None:
        """1 where the target was observed, else 0, like x; None: everywhere."""
        return getattr(self.inner, "seen", None)

    def fill(self, rows: Array, clock: Array) -> Array:
        """rows (N,) uint32 -> x (N, *shape). Source: sources.py."""
        self.made = self.beside.fill(rows, clock)
        return self.inner.fill(rows, clock)

    def bring(self, rows: np.ndarray) -> None:
        """See to it that the rows (N,) can be gathered. Source: backend/cuda/staging.py."""
        for feed in (self.inner, self.beside):
            bring(feed, rows)
