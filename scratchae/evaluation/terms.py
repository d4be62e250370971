"""Held-out numbers: the terms of a model's objective on data it does not learn from."""

from typing import Any

from .. import checks
from ..datasets.fitting import fitting_source
from ..execution.runner import held_out, runner_for


def evaluate(
    model: Any,
    data: Any,
    *,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """The terms of the objective over data (N, ...), in nats per example: loss, reconstruction,
    kl, and penalty: that of the code, or (beta - 1) kl of a VAE, whose beta, where it is a
    schedule, is that of the last step trained.

    The noise is drawn from the evaluation's own streams, the same at every call with the same
    seed. Raises what ``fit`` raises for data that does not fit the model. Source: Kingma and
    Welling 2014, eq. 10.
    """
    source = fitting_source(model, data, "data")
    batch_size = min(checks.positive("batch_size", batch_size), len(source))
    with runner_for(model, batch_size, shards, threads) as runner:
        return held_out(runner, runner.feeds(source), len(source), batch_size, seed)
