"""Which runner carries out the steps of a model, and the terms of held-out data by one."""

from typing import Any

from .. import randomness
from .graphs import GraphTeam
from .threads import Team, Trainable


def team_of(model: Trainable, batch_size: int, shards: int | None = None, threads: int | None = None) -> Team:
    """The team for a model's backend, batches up to (N,). Raises as Team and GraphTeam. Source: the module."""
    kind = GraphTeam if model.backend.name == "cupy" else Team
    return kind(model, batch_size, shards, threads)


def held_out(team: Team, feeds: Any, n: int, batch_size: int, seed: int) -> dict[str, float]:
    """The terms over all n examples of the feeds, by a team that exists. Shapes: none. Source: ``evaluate``."""
    team.set_clock(randomness.clock(seed, purpose=randomness.EVALUATION))
    return team.objective.loss(team.measure(feeds, n, batch_size))
