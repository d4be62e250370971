"""Data whose encoder is handed another x than the likelihood scores, and data with gaps."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checks
from ..backend import Array, Backend
from ..kernels.batch import GATHER_GREY, WHITE
from .around import Around, AroundFeed, scored
from .sources import Feed, Images, Values, as_source, is_source


class Pairs(Around):
    """What the encoder sees, and what the likelihood scores: a denoising model's data.

    Shapes: noisy, clean (N, ...), arrays or sources of one shape; row n of one belongs to row n of
    the other. encode, decode and detectors see the noisy ones. ``split`` and ``take`` keep pairs
    together; scale the two by the same numbers before. Raises ValueError for two shapes or
    lengths. Source: Vincent et al., "Extracting and composing robust features with denoising
    autoencoders", 2008, section 2.3.
    """

    def __init__(self, noisy: Any, clean: Any):
        super().__init__(noisy)
        self.clean = as_source(clean)
        found, due = ((len(each), *each.shape) for each in (self.clean, self.source))
        if found != due:
            raise ValueError(
                f"the clean rows have shape {found}, but the noisy ones {due}: give one for each"
            )
        self.labels = getattr(self.clean, "labels", None) if self.labels is None else self.labels

    @property
    def inner(self) -> tuple[Any, ...]:
        """The noisy rows and the clean ones. Source: itself."""
        return self.source, self.clean

    def check(self, likelihood: Any) -> None:
        """Raise what the clean rows raise, which are the ones that are scored."""
        if not likelihood.can_aim:
            raise TypeError(
                f"{type(likelihood).__name__} has a forward of its own, which does not score the "
                "clean rows of Pairs: let it read self.target, and say so, can_aim = True"
            )
        self.clean.check(likelihood)

    def over(self, choose: Callable[[Any], Any]) -> "Pairs":
        """The same of chosen rows."""
        return Pairs(choose(self.source), choose(self.clean))

    def scored(self, rows: Any = slice(None)) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The clean rows, and where these were observed: (n, *shape) twice, or None."""
        clean: Any = self.clean
        return clean.values(rows), scored(clean, rows)[1]

    def feed(self, backend: Backend, rows: int) -> "PairsFeed":
        """A feed for up to rows examples at once. Shapes: see AroundFeed."""
        return PairsFeed(self.source, backend, rows, self.clean.feed(backend, rows))


class PairsFeed(AroundFeed):
    """Makes the noisy x (rows, *shape), and leaves the clean one in self.target.

    Source: sources.py, ``Source``."""

    @property
    def target(self) -> Array:
        """The clean rows of the last ones, like x."""
        return self.made

    @property
    def seen(self) -> Array | None:
        """What was observed of the clean rows, like x, or None for all."""
        return getattr(self.beside, "seen", None)


class Observed(Around):
    """Data with gaps: the likelihood scores what was observed, the encoder sees zeros elsewhere.

    Shapes: data (N, ...), an array, Images or Values, and mask (N, ...), True where a number was
    observed; without a mask those of an array that are not NaN. Zero is the mean of data that was
    centred: bring it there before. Where the encoder is to see the mask itself, hand it beside x:
    Labelled(Observed(x, mask), mask), with the mask as rows of numbers, and Given. ``split``,
    ``take`` and ``scaled`` keep what belongs to each row. What stands in the gaps plays no role.
    Raises ValueError for a mask of another shape, TypeError for a source of one's own. Source:
    kernels/observed.py; Nazabal et al., "Handling incomplete heterogeneous data using VAEs", 2020.
    """

    def __init__(self, data: Any, mask: Any = None):
        x, mask = _with_mask(data, mask)
        held = x.pixels if isinstance(x, Images) else x.x
        blank = np.where(mask, held, held.dtype.type(0))
        made = (
            Images(blank, x.labels, x.binarize, x.name)
            if isinstance(x, Images)
            else Values(blank, x.labels, x.name)
        )
        if isinstance(made, Values):
            made.scaling = x.scaling
        super().__init__(made)
        self.mask = mask
        self.grey = np.where(mask, np.uint8(WHITE), np.uint8(0))

    def check(self, likelihood: Any) -> None:
        """Raise what the data raises, and TypeError where the likelihood cannot leave a number
        out."""
        if not likelihood.leaves_out(self.shape):
            raise TypeError(
                f"{type(likelihood).__name__} does not say left_out(shape), how a number that was "
                "not observed is left out: choose a likelihood that does, such as Bernoulli or "
                "GaussianLikelihood"
            )
        if isinstance(self.source, Values):
            likelihood.check_observed(self.source.x, self.mask)
        else:
            self.source.check(likelihood)

    def over(self, choose: Callable[[Any], Any]) -> "Observed":
        """The same of chosen rows."""
        mask: Any = as_source(choose(Values(self.mask.astype(np.int8))))
        return Observed(as_source(choose(self.source)), mask.values() != 0)

    def scored(self, rows: Any = slice(None)) -> tuple[np.ndarray | None, np.ndarray | None]:
        """None, for x, and where it was observed, (n, *shape) bool."""
        return None, self.mask[rows]

    def feed(self, backend: Backend, rows: int) -> "ObservedFeed":
        """A feed for up to rows examples at once. Shapes: see AroundFeed."""
        beside = Feed(backend, self.grey, self.shape, rows, GATHER_GREY)
        return ObservedFeed(self.source, backend, rows, beside)


class ObservedFeed(AroundFeed):
    """Makes x (rows, *shape), 0 in the gaps, and leaves in self.seen 1 where it was observed.

    Source: kernels/batch.py (1), whose white is 1."""

    @property
    def seen(self) -> Array:
        """Of the last rows, like x."""
        return self.made


def _with_mask(data: Any, mask: Any) -> tuple[Any, np.ndarray]:
    """Images or Values, with 0 in the place of NaN, and where they were observed."""
    if mask is None and is_source(data):
        raise ValueError(
            f"{data.name} are given without a mask: give Observed(data, mask), or an array with "
            "NaN in its gaps"
        )
    if not is_source(data):
        x = checks.number_rows(data, None, "the data")
        known = ~np.isnan(x) if x.dtype.kind == "f" else np.ones(x.shape, bool)
        mask = known if mask is None else mask
        data = np.where(np.asarray(mask, bool), x, 0) if np.shape(mask) == x.shape else x
    source = as_source(data)
    checks.is_a("the data", source, (Images, Values), "an array, Images or Values are expected")
    mask = checks.as_array(mask, "the mask")
    due = (len(source), *source.shape)
    if mask.shape != due or (mask.dtype != bool and not np.isin(mask, (0, 1)).all()):
        raise ValueError(
            f"the mask is {mask.dtype} of shape {mask.shape}, but True or False for each number, "
            f"{due}, is expected"
        )
    return source, mask.astype(bool)
