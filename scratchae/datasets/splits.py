"""Rows chosen, parted and scaled: from one set of values to what a model learns from and is tested
on.

With a permutation pi of the N rows, drawn for the seed, and the least and largest value over the
training part, all its rows and columns together (or, if asked, each feature's own; features are
the last axis):

    train = rows pi(0) ... pi(n - 1),  test = the others,  n = round(fraction N)                (1)
    x <- (x - low) / (high - low),     low = min train,  high = max train                       (2)

The test part plays no role in (2): its values may leave [0, 1] by a little. Source: TensorFlow's
tutorial "Intro to Autoencoders", third example (tf.reduce_min and tf.reduce_max of the training
data).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import checks, randomness
from ..backend.base import native
from .around import Around
from .pairs import Observed, Pairs
from .sources import Images, Scaling, Values, as_source, is_source

EPOCH = 0xFFFFFFFF  # of the draws of (1): no training reaches it, so that its orders are others


def take(data: Any, rows: Any) -> Any:
    """The rows (n,), as indices, booleans (N,) or a slice, of data (N, ...), with their labels and
    name.

    Such as ``take(train, train.labels == 1)``; Images of Images, Values of all else. Raises
    ValueError where no row is left, and for what is no list of them, IndexError for rows that are
    not there, TypeError for a masked array, and what as_source raises.
    """
    if isinstance(data, Around):
        return data.over(lambda part: take(part, rows))
    source = _known(data)
    checks.as_array(rows, "the rows")
    try:
        chosen = np.arange(len(source))[rows]
    except (IndexError, TypeError) as error:
        raise IndexError(f"{error}: give indices, a boolean for each row, or a slice") from None
    if chosen.shape == (0,):
        raise ValueError(
            f"the rows given choose none of the {len(source)} of {source.name}: choose one at "
            "least, and see whether the condition holds for any"
        )
    checks.sizes(f"the rows of {source.name}", chosen, "n")
    labels = None if source.labels is None else np.asarray(source.labels)[rows]
    return _like(source, _held(source)[rows if isinstance(rows, slice) else chosen], labels)


def joined(first: Any, second: Any) -> Any:
    """Two sets, the first one's rows first: (N, ...) and (M, ...) -> (N + M, ...).

    Raises ValueError for rows of two shapes, TypeError for sets of two kinds."""
    first, second = _known(first), _known(second)
    if type(first) is not type(second) or _binarized(first) != _binarized(second):
        raise TypeError(
            f"{first.name} and {second.name} are sets of two kinds: join Values(a.values()) and "
            "Values(b.values())"
        )
    if first.shape != second.shape:
        raise ValueError(
            f"{second.name} has rows of shape {second.shape}, but {first.name} has {first.shape}: "
            "join rows of one shape"
        )
    labels = None
    if first.labels is not None and second.labels is not None:
        labels = np.concatenate([first.labels, second.labels])
    return _like(first, np.concatenate([_held(first), _held(second)]), labels)


def split(data: Any, seed: int = 0, fraction: float = 0.8) -> tuple[Any, Any]:
    """Part data (N, ...) at random: training (n, ...) and test (N - n, ...), a function of the
    seed.

    Images of Images, Values of all else. Raises ValueError for a fraction outside (0, 1), and
    where one of the parts would be empty, and what as_source raises. Source: the module, (1).
    """
    source = data if isinstance(data, Around) else _known(data)
    n = round(checks.real("fraction", fraction, 0, 1, strict=True) * len(source))  # (1)
    if not 0 < n < len(source):
        raise ValueError(f"fraction is {fraction}, which leaves no row in a part: take another")
    order = randomness.permutation(len(source), seed, EPOCH)
    return take(source, order[:n]), take(source, order[n:])  # (1)


def scaled(train: Any, *others: Any, per_feature: bool = False) -> tuple[Values, ...]:
    """The training part (n, ..., C) brought to [0, 1], and others by the same numbers; float32
    and float64 stay what they are.

    per_feature: by a minimum and maximum of each of the C features. The numbers are the
    ``scaling`` of what is returned: scaling(x) does the same to other rows, scaling.inverse(x)
    goes back to the units of train. Raises ValueError where all training values, or those of a
    feature, are equal, so that there is nothing to stretch, where others have not C features to
    scale by those, and where their dtype cannot hold the range or what is scaled; TypeError for
    Images, which are in [0, 1]. Source: the module, (2).
    """
    checks.flag("per_feature", per_feature)
    if any(isinstance(data, Around) for data in (train, *others)):
        return _around(train, *others, per_feature=per_feature)
    train, rest = _numbers(train), [_numbers(data) for data in others]
    for values in rest:
        if per_feature and values.shape[-1] != train.shape[-1]:
            raise ValueError(
                f"{values.name} has {values.shape[-1]} features, but {train.name} has "
                f"{train.shape[-1]}: give the same features, or leave per_feature out"
            )
    axes, dtype = tuple(range(train.x.ndim - per_feature)), native(train.x.dtype)
    low, high = train.x.min(axis=axes), train.x.max(axis=axes)  # () or (C,)  # (2)
    constant = np.flatnonzero(low == high)
    if len(constant):
        which = f"feature {constant[0]}" if per_feature else "every value"
        value = float(np.atleast_1d(low)[constant[0]])
        raise ValueError(f"{which} of {train.name} is {value:g}, which has no range: leave it out")
    scaling = Scaling(low.astype(dtype), high.astype(dtype))
    return tuple(_stretched(values, scaling) for values in (train, *rest))


def _around(*sets: Any, per_feature: bool) -> tuple[Any, ...]:
    """``scaled`` of what sets are around, with what is beside x as it was."""
    for data in sets:
        if isinstance(data, Pairs):
            raise TypeError(
                f"{data.name} are Pairs, of which two sets would be scaled: scale the clean rows, "
                "and the noisy ones by their scaling, before you pair them"
            )
        if any(isinstance(part, Observed) for part in _layers(data)):
            raise TypeError(
                f"{data.name} are Observed, whose gaps hold zeros: scale the numbers that were "
                "observed, x = (x - np.nanmin(x)) / (np.nanmax(x) - np.nanmin(x)), and make "
                "Observed of that"
            )
    within = [data.source if isinstance(data, Around) else data for data in sets]
    made = scaled(*within, per_feature=per_feature)
    return tuple(map(_with, sets, within, made))


def _layers(data: Any) -> Iterator[Any]:
    """A source, the one that it is around, and so on."""
    while isinstance(data, Around):
        yield data
        data = data.source


def _with(data: Any, before: Any, after: Any) -> Any:
    """The data around another source than the one before; what is around nothing is it."""
    if not isinstance(data, Around):
        return after
    return data.over(lambda part: after if part is before else part)


def _stretched(values: Values, scaling: Scaling) -> Values:
    """Values (N, ..., C), by their training part's numbers."""
    x = scaling(values.x)  # (2)
    if not all(np.isfinite(part).all() for _, part in checks.pieces(x)):
        raise ValueError(f"{values.name}, scaled, or its range is beyond {x.dtype}: divide first")
    made = Values(x, values.labels, values.name)
    made.scaling = scaling
    return made


def _known(data: Any) -> Any:
    """Images or Values: themselves, or Values of an array."""
    source = as_source(data)
    checks.is_a(
        "the data", source, (Images, Values), "Images or Values are expected: wrap its rows"
    )
    return source


def _numbers(data: Any) -> Values:
    if isinstance(data, Images):
        raise TypeError(f"{data.name} are Images, which are in [0, 1]: leave them as they are")
    return _known(data if is_source(data) else Values.of(data, None, "the data", pixels=""))


def _held(source: Any) -> np.ndarray:
    return source.pixels if isinstance(source, Images) else source.x


def _binarized(source: Any) -> str:
    return getattr(source, "binarize", "none")


def _like(source: Any, x: np.ndarray, labels: Any) -> Any:
    """Other rows (n, ...) of the same kind."""
    if isinstance(source, Images):
        return Images(x, labels, source.binarize, source.name)
    made = Values(x, labels, source.name)
    made.scaling = source.scaling
    return made
