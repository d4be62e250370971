"""Held-out numbers: the terms of a model's objective on data it does not learn from."""

from typing import Any

import numpy as np

from .. import checks, randomness
from ..datasets import Values, as_source
from ..graph import team_of
from ..parallel import Team


def evaluate(
    model: Any,
    data: Any,
    *,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """The terms of the objective over data (N, ...), in nats per example: loss, reconstruction, kl, ...

    The noise is drawn from the evaluation's own streams, the same at every call with the same seed.
    Raises what ``fit`` raises for data that does not fit the model. Source: Kingma and Welling 2014, eq. 10.
    """
    source = fitting_source(model, data, "data")
    batch_size = min(checks.positive("batch_size", batch_size), len(source))
    with team_of(model, batch_size, shards, threads) as team:
        return held_out(team, team.feeds(source), len(source), batch_size, seed)


def held_out(team: Team, feeds: Any, n: int, batch_size: int, seed: int) -> dict[str, float]:
    """The terms over all n examples of the feeds, by a team that exists. Shapes: none. Source: ``evaluate``."""
    team.set_clock(randomness.clock(seed, purpose=randomness.EVALUATION))
    return team.objective.loss(team.measure(feeds, n, batch_size))


def fitting_source(model: Any, data: Any, what: str) -> Any:
    """The data as a source of batches that fits the model.

    Raises RuntimeError before ``build``, TypeError for what is no data, ValueError for rows of another
    shape than the model's, or values that its likelihood cannot have. Source: none, a check.
    """
    checks.instance("model", model)
    if not hasattr(model, "require_built"):
        raise TypeError(f"the model is a {type(model).__qualname__}, but a VAE or an Autoencoder is expected")
    model.require_built()
    if isinstance(data, np.ndarray):
        checks.host_rows(data, model.input_shape, what)
    source = as_source(data)
    if source.shape != model.input_shape:
        raise ValueError(f"{what} has rows of shape {source.shape}, but the model takes {model.input_shape}")
    if isinstance(source, Values):
        checks.representable(source.x, model.backend.dtype, what)
    source.check(model.objective.likelihood)
    return source
