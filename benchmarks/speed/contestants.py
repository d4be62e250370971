"""Our parts of compare_torch.py and main_job.py, child processes.

A contestant builds its model at the first order, takes the first step and warms up. The next order
tells how many steps an epoch has; from there on each order is one epoch, and its milliseconds a
step are the answer.
"""

import importlib
import sys
import time
from typing import Any

from benchmarks.shared.processes import ROOT, Line, interruptions

WARM_UP = 4  # steps of an epoch of the warm-up; the second epoch gives the length of a round


def ours(spec: dict[str, Any], line: Line) -> None:
    """The public ``fit``: one call, an epoch an order."""
    from benchmarks.shared import recipes
    from scratchae import Adam, fit

    line.listen()
    recipe, batch = recipes.find(spec["recipe"]), spec["batch"]
    model = recipes.build(recipe)
    first = recipes.first_step(recipe, batch, threads=spec["threads"])
    data = recipes.source(recipes.examples(recipe, WARM_UP * batch))
    sizes = {"batch_size": batch, "threads": spec["threads"]}
    warm = fit(model, data, Adam(recipe.lr), epochs=2, **sizes)
    ms = 1e3 * warm.records[-1]["seconds"] / WARM_UP
    line.say(**first, step_ms=ms)

    order = line.listen()
    data = recipes.source(recipes.examples(recipe, order["steps"] * batch))
    before = interruptions()

    def after_epoch(model: Any, history: Any) -> None:
        nonlocal before
        ms = 1e3 * history.records[-1]["seconds"] / order["steps"]
        line.say(ms=[ms], interruptions=interruptions() - before)
        if len(history) < order["epochs"]:
            line.listen()
        before = interruptions()

    sizes |= {"epochs": order["epochs"], "callbacks": [after_epoch]}
    fit(recipes.build(recipe), data, Adam(recipe.lr), **sizes)


def limits(spec: dict[str, Any], line: Line) -> None:
    """What the machine can do on the same threads; state: the bytes that a loop goes over."""
    from benchmarks.shared import limits

    threads = spec["threads"]
    while True:
        state = line.listen()["state"]
        rates = {"sgemm": limits.sgemm(threads), "fma": limits.fma(threads)}
        line.say(**rates, gbs=limits.bandwidth(threads, state))


def moments(spec: list[str], line: Line) -> None:
    """What examples/vae_mnist.py does, until its first step is done, and then its first epoch.

    Says each moment as it comes, in seconds of time.time().
    """
    from scratchae import Images, fit

    sys.path.insert(0, str(ROOT / "examples"))
    vae_mnist: Any = importlib.import_module("vae_mnist")
    run = vae_mnist.prepare(vae_mnist.parser().parse_args(spec))
    o = run.options
    sizes = {"batch_size": o.batch_size, "shards": o.shards, "threads": o.threads, "seed": o.seed}
    batch = Images(run.train.pixels[: o.batch_size], binarize=o.binarize)
    fit(run.model, batch, run.optimizer, epochs=1, **sizes)
    line.say(moment=time.time())
    fit(run.model, run.train, run.optimizer, epochs=1, validation=run.test, **sizes)
    line.say(moment=time.time())
