"""Whether data fits a model: looked at once, before anything is trained or measured."""

from typing import Any

import numpy as np

from .. import checks, randomness
from .sources import MEMBERS, Images, Values, as_source


def fitting_source(model: Any, data: Any, what: str) -> Any:
    """The data as a source of batches that fits the model.

    Raises RuntimeError before ``build``, TypeError for what is no data, ValueError for rows of
    another shape than the model's, or values that its likelihood cannot have.
    """
    checks.not_a_class("the model", model)
    if not hasattr(model, "require_built"):
        raise TypeError(
            f"the model is a {checks.kind(model)}, but a VAE or an Autoencoder is expected"
        )
    model.require_built()
    if isinstance(data, np.ndarray):
        checks.host_rows(data, model.input_shape, what)
    source = as_source(data)
    _require_members(source, what)
    if source.shape != model.input_shape:
        raise ValueError(
            f"{what} has rows of shape {source.shape}, but the model takes {model.input_shape}"
        )
    if isinstance(source, Values):
        checks.representable(source.x, model.backend.dtype, what)
    source.check(model.objective.likelihood)
    if not isinstance(source, (Images, Values)) and model.backend.spelling != "cuda":
        _look_at_a_row(source, model.backend)
    return source


def _require_members(source: Any, what: str) -> None:
    lacking = [name for name in MEMBERS if not hasattr(source, name)]
    if lacking:
        raise TypeError(
            f"{what} is a {checks.kind(source)}, which has a feed, but no {', '.join(lacking)}: a "
            f"source has {', '.join(MEMBERS)}"
        )


def _look_at_a_row(source: Any, backend: Any) -> None:
    """Raise TypeError where a source of the reader's own makes other rows than it says."""
    rows, clock = backend.zeros((1,), np.uint32), randomness.clock(0)
    feed = source.feed(backend, 1)
    x: Any = feed.fill(rows, clock) if hasattr(feed, "fill") else None
    found = f"{x.shape} {x.dtype}" if hasattr(x, "dtype") else f"a {checks.kind(x)}"
    due = f"{(1, *source.shape)} {backend.dtype}"
    if found != due:
        raise TypeError(
            f"a feed of {source.name} is asked for 1 row, and fill(rows, clock) gives {found}, "
            f"but {due} is expected"
        )
