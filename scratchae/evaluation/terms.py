"""Held-out numbers: the terms of a model's objective on data it does not learn from."""

from typing import Any

import numpy as np

from .. import checks, randomness
from ..datasets.fitting import fitting_source
from ..datasets.sources import bring
from ..execution.runner import held_out, runner_for
from ..execution.step import batch


def evaluate(
    model: Any,
    data: Any,
    *,
    batch_size: int = 128,
    shards: int | None = None,
    threads: int | None = None,
    seed: int = 0,
    each: bool = False,
) -> dict[str, Any]:
    """The terms of the objective over data (N, ...), in nats per example: loss, reconstruction,
    kl, and penalty, the rest of the loss: that of the code; (beta - 1) kl of a VAE, whose beta,
    where it is a schedule, is that of the last step trained; of IWAE, whose kl is an estimate by
    its samples, what more than one of them gain, at most 0. Free bits and a capacity look at the
    KL of all data here; FreeBits also counts above_floor, which is no nats.

    each: give the terms of each example, arrays (N,), in the place of their means; of a VAE
    kl_per_dimension (N, J) besides, J the dimensions of a Gaussian or the layers of a Hierarchy;
    of IWAE the effective number of its samples, ess. A penalty on
    the code is a term of the batch, and is left out, as are the loss and penalty of free bits and
    of a capacity. One thread computes them.

    The noise is drawn from the evaluation's own streams, the same at every call with the same
    seed. Raises what ``fit`` raises for data that does not fit the model. Source: Kingma and
    Welling 2014, eq. 10.
    """
    source = fitting_source(model, data, "data")
    batch_size = min(checks.positive("batch_size", batch_size), len(source))
    checks.seed(seed)
    if checks.flag("each", each):
        for name, count in (("shards", shards), ("threads", threads)):
            checks.positive(name, 1 if count is None else count)
        return _of_each(model, source, batch_size, seed)
    with runner_for(model, batch_size, shards, threads) as runner:
        return held_out(runner, runner.feeds(source), len(source), batch_size, seed)


def _of_each(model: Any, source: Any, batch_size: int, seed: int) -> dict[str, np.ndarray]:
    backend, found = model.backend, list[dict[str, np.ndarray]]()
    with backend.undisturbed(), np.errstate(over="ignore", invalid="ignore"):
        replica, feed = model.replica(batch_size), source.feed(backend, batch_size)
        clock = backend.zeros((4,), np.uint32)
        backend.write(clock, randomness.clock(seed, purpose=randomness.EVALUATION))
        for first in range(0, len(source), batch_size):
            rows = np.arange(first, min(first + batch_size, len(source)), dtype=np.uint32)
            bring(feed, rows)
            index = backend.share(rows)
            replica.forward(batch(feed, index, clock, replica))
            found.append(replica.each(lambda a: np.array(backend.to_host(a))))
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}
