"""Whether data fits a model: looked at once, before anything is trained or measured."""

import warnings
from typing import Any

import numpy as np

from .. import checks, randomness
from .around import Around, every, scored
from .labelled import Labelled
from .sources import MEMBERS, Images, Values, bring, is_source

SAMPLE = 1000  # rows, evenly spread, of which the size is looked at
NARROW = 1e-2  # a span below it: ten steps of Adam(1e-3) cross it
LARGE = 50.0  # a root mean square above it: 50,000 such steps; that of raw pixels is 60 to 150
OFFSET = 5.0  # a mean above it, 5,000 steps of a bias, and above 1.5 deviations, as of degrees


class ScaleWarning(UserWarning):
    """The numbers of the data are far from 1 in size, so training will learn little of them."""


class Rows:
    """The rows of a source, a slice at a time, as an array (N, *shape) gives them.

    conditions: C, if each is given as many numbers beside x, which ``given`` gives, (n, C)."""

    def __init__(self, source: Any):
        self.source, self.conditions = source, getattr(source, "conditions", 0)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.source.values(rows)

    def scored(self, rows: slice) -> tuple[np.ndarray | None, np.ndarray | None]:
        """What is scored of these rows in the place of x, and where it was observed: (n, *shape)
        twice, or None. Source: pairs.py."""
        return scored(self.source, rows)

    def given(self, rows: slice) -> np.ndarray:
        """What these rows are given, (n, C). Source: labelled.py."""
        return self.source.given(rows)


def fitting_source(model: Any, data: Any, what: str) -> Any:
    """The data as a source of batches that fits the model.

    Raises RuntimeError before ``build``, TypeError for what is no data, and for rows that are not
    given what the model takes beside x; ValueError for rows of another shape than the model's, or
    values that its likelihood cannot have.
    """
    source = _known(model, data, what)
    C, takes = getattr(source, "conditions", 0), model.objective.conditions()
    if takes and not C:
        raise TypeError(
            f"each row of {what} is to be given {takes} numbers beside x, which Given takes, but "
            f"is given none: hand in Labelled({what}, {takes}), of labels 0 ... {takes - 1}, or "
            f"Labelled({what}, c) with numbers c (N, {takes})"
        )
    require_taken(model, C, what)
    return source


def note_classes(model: Any, source: Any) -> None:
    """Let the layers that are given something remember whether that is numbers and no classes,
    where the source is Labelled. Source: layers/given.py."""
    for part in every(source):
        if isinstance(part, Labelled):
            c = part.numbers
            unit = c is None or (((c == 0) | (c == 1)).all() and (c.sum(axis=1) == 1).all())
            for _, layer in model.objective.leaves():
                if hasattr(layer, "no_classes"):
                    layer.note(not unit)


def taken(model: Any, *parts: str) -> int:
    """C, how many numbers a row is given by these parts, of the latent by p(z) alone; 0 for none.
    Source: latents/base.py, ``inference``."""
    if "latent" not in parts or model.latent is None:
        return model.objective.conditions(*parts)
    q = [f"latent.{name}" for name in model.latent.inference]
    of = [
        layer.conditions
        for name, layer in model.objective.leaves()
        if name.split(".")[0] in parts and ".".join(name.split(".")[:2]) not in q
    ]
    return max([*of, model.latent.conditions])


def require_taken(model: Any, C: int, what: str) -> None:
    """Raise TypeError where rows are given C numbers and no layer takes any, ValueError where the
    layers take another number of them."""
    takes = model.objective.conditions()
    if C and not takes:
        raise TypeError(
            f"each row of {what} is given {C} numbers beside x, but no layer of this "
            f"{type(model).__name__} takes any: put Given({C}) before a Dense layer, or hand in "
            f"{what} without"
        )
    if C and takes != C:
        raise ValueError(
            f"each row of {what} is given {C} numbers beside x, but the model takes {takes}: let "
            "Labelled and Given agree"
        )


def _known(model: Any, data: Any, what: str) -> Any:
    """As ``fitting_source``, whatever the rows are given beside x."""
    checks.not_a_class("the model", model)
    if not hasattr(model, "require_built"):
        raise TypeError(
            f"the model is a {checks.kind(model)}, but a VAE or an Autoencoder is expected"
        )
    model.require_built()
    source = data if is_source(data) else Values.of(data, model.input_shape, what)
    _require_members(source, what)
    if source.shape != model.input_shape:
        raise ValueError(
            f"{what} has rows of shape {source.shape}, but the model takes {model.input_shape}"
        )
    _require_representable(model, source, what)
    source.check(model.objective.likelihood)
    if not isinstance(source, (Images, Values)):
        with model.backend.undisturbed():
            _look_at_a_row(source, model.backend)
    return source


def _require_representable(model: Any, source: Any, what: str) -> None:
    """Raise ValueError for a number, of x or beside it, that the model's dtype does not reach."""
    for part in every(source):
        if isinstance(part, Values):
            checks.representable(part.x, model.backend.dtype, what)
        if isinstance(part, Labelled) and part.numbers is not None:
            given = f"what the rows of {what} are given"
            checks.representable(part.numbers, model.backend.dtype, given)


def fitting_rows(model: Any, data: Any, what: str) -> Rows:
    """The same data's rows on the host. Raises TypeError for a source that does not give any."""
    source = _known(model, data, what)
    for part in every(source):
        if not hasattr(part, "values"):
            raise TypeError(
                f"{what} is a {checks.kind(part)}, but an array, Images or Values are expected: "
                "give one, or define values(rows)"
            )
        if getattr(part, "conditions", 0) and not hasattr(part, "given"):
            raise TypeError(
                f"{what} is a {checks.kind(part)}, whose rows are given {part.conditions} numbers "
                "beside x, but it does not say which on the host: define given(rows)"
            )
    return Rows(source)


def innermost(source: Any) -> Any:
    """What a source is around, or itself."""
    return innermost(source.source) if isinstance(source, Around) else source


def warn_of_scale(source: Any) -> None:
    """Warn (ScaleWarning) where the numbers of a source of Values are far from 1 in size.

    An output moves by about the learning rate in a step of Adam, and float32 has 7 digits: what
    spans NARROW is lost in the steps, what is beyond LARGE or OFFSET is reached after very many.
    The span is that of all numbers, so that rows that are mostly zeros raise no alarm; what never
    changes is not looked at."""
    source = innermost(source)
    if not isinstance(source, Values):
        return
    n = len(source)
    rows = np.arange(0, n, -(-n // SAMPLE))
    low, high, mean, deviation = _seen(source, rows)
    far = np.hypot(mean, deviation) > LARGE or abs(mean) > max(OFFSET, 1.5 * deviation)
    if low == high or (high - low >= NARROW and not far):
        return
    warnings.warn(
        f"the data has a mean of {mean:.4g} and a standard deviation of {deviation:.2g} "
        f"({len(rows):,} of its {n:,} rows), but a model learns numbers of about 1 in size: bring "
        "it there, train, test = datasets.scaled(train, test)",
        ScaleWarning,
        stacklevel=checks.stacklevel(),
    )


def _seen(source: Values, rows: np.ndarray) -> tuple[float, float, float, float]:
    """The least, the largest, the mean and the standard deviation of those rows (n,)."""
    low, high, sums, step = np.inf, -np.inf, np.zeros(3), checks.rows_a_piece(source.x)
    origin = float(source.x[0].flat[0])  # so that a spread is seen beside an offset
    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(0, len(rows), step):
            x = source.values(rows[i : i + step]).astype(np.float64) - origin
            low, high = min(low, x.min()), max(high, x.max())
            sums += x.size, x.sum(), (x * x).sum()
        mean, square = sums[1:] / sums[0]
        deviation = np.sqrt(max(square - mean * mean, 0.0))
    return low, high, origin + mean, float(deviation)


def _require_members(source: Any, what: str) -> None:
    lacking = [name for name in MEMBERS if not hasattr(source, name)]
    if lacking:
        raise TypeError(
            f"{what} is a {checks.kind(source)}, which has a feed, but no {', '.join(lacking)}: a "
            f"source has {', '.join(MEMBERS)}"
        )


def _look_at_a_row(source: Any, backend: Any) -> None:
    """Raise TypeError where a source of the reader's own makes other rows than it says, or gives
    them something else beside x."""
    rows, clock = backend.zeros((1,), np.uint32), backend.zeros((4,), np.uint32)
    backend.write(clock, randomness.clock(0))
    feed, row, C = source.feed(backend, 1), (1, *source.shape), getattr(source, "conditions", 0)
    bring(feed, np.zeros(1, np.uint32))
    x: Any = feed.fill(rows, clock) if hasattr(feed, "fill") else None
    _require_row(source, backend, "fill(rows, clock) gives", x, row)
    c = getattr(feed, "c", None)
    if C or c is not None:
        _require_row(source, backend, f"with conditions = {C} it leaves in c", c, (1, C))
    for name in ("target", "seen"):
        if (beside := getattr(feed, name, None)) is not None:
            _require_row(source, backend, f"it leaves in {name}", beside, row)


def _require_row(
    source: Any, backend: Any, gives: str, found: Any, shape: tuple[int, ...]
) -> None:
    """Raise TypeError unless what is found has that shape, (1, ...), and the backend's dtype."""
    is_array, due = hasattr(found, "dtype"), f"{shape} {backend.dtype}"
    words = f"{found.shape} {found.dtype}" if is_array else f"a {checks.kind(found)}"
    if words != due:
        raise TypeError(
            f"a feed of {source.name} is asked for 1 row, and {gives} {words}, but {due} is "
            "expected"
        )
