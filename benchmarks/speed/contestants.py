"""One contestant in a process of its own: it answers its parent, a JSON object a line, one turn at a time.

Started by race.py with a specification, it imports what it needs. At its first turn it builds its model,
takes the first step and warms up; the next tells it how many steps an epoch has; from there on a turn is an
epoch, whose seconds it says. Between turns it blocks on stdin.
"""

import json
import os
import resource
import sys
from typing import Any

WARM_UP = (
    4  # steps of the epochs before the first turn; the second of them gives the length of a round
)


def words(error: Exception) -> str:
    """An error as a sentence."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


class Turns:
    """The contestant's end of the line. What libraries print goes to stderr instead of into the protocol."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, **what: Any) -> None:
        print(json.dumps(what), file=self.out, flush=True)

    def listen(self) -> dict[str, Any]:
        """Block until the parent speaks; leave when it has gone."""
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        return json.loads(line)


class Usage:
    """What the system did to this process since: pages faulted in, times it took the processor away."""

    def __init__(self) -> None:
        self.before = resource.getrusage(resource.RUSAGE_SELF)

    def since(self) -> dict[str, int]:
        now, before = resource.getrusage(resource.RUSAGE_SELF), self.before
        return {
            "faults": now.ru_minflt - before.ru_minflt,
            "interruptions": now.ru_nivcsw - before.ru_nivcsw,
        }


def ours(spec: dict[str, Any], turns: Turns) -> None:
    """The public ``fit``: one call, an epoch a turn."""
    import numpy as np

    from benchmarks.shared import recipes
    from scratchae import Adam, fit

    turns.listen()
    recipe, batch = recipes.RECIPES[spec["recipe"]], spec["batch"]
    first = recipes.first_step(recipe, recipes.examples(recipe, batch), spec["threads"])
    np.savez(spec["first_step"], **first)
    data = recipes.source(recipes.examples(recipe, WARM_UP * batch))
    model, sizes = recipes.build(recipe), {"batch_size": batch, "threads": spec["threads"]}
    warm = fit(model, data, Adam(recipe.lr), epochs=2, **sizes)
    answer = {name: first[name] for name in ("loss", "gradients")}
    turns.say(
        **answer, step=warm.records[-1]["seconds"] / WARM_UP, flops=recipes.flops(model, batch)
    )

    order = turns.listen()
    data = recipes.source(recipes.examples(recipe, order["steps"] * batch))
    usage = Usage()

    def turn(model: Any, history: Any) -> None:
        nonlocal usage
        turns.say(seconds=history.records[-1]["seconds"], **usage.since())
        if len(history) < order["epochs"]:
            turns.listen()
        usage = Usage()

    fit(
        recipes.build(recipe),
        data,
        Adam(recipe.lr),
        epochs=order["epochs"],
        callbacks=[turn],
        **sizes,
    )


def theirs(spec: dict[str, Any], turns: Turns) -> None:
    """PyTorch, with our first weights and, for the first step, our noise."""
    import numpy as np
    import torch

    from benchmarks.shared import recipes, torch_recipes

    turns.listen()
    torch.set_num_threads(spec["threads"])
    recipe, batch, last = recipes.RECIPES[spec["recipe"]], spec["batch"], spec["channels_last"]
    with np.load(spec["first_step"]) as file:
        first = dict(file)
    model = torch_recipes.build(spec["recipe"], first, last)
    examples = recipes.examples(recipe, batch)
    answer = torch_recipes.first_step(
        model, torch_recipes.tensor(examples, last), first.get("eps"), last
    )
    optimizer = torch.optim.Adam(model.parameters(), recipe.lr, fused=True)
    loss = torch.compile(model) if spec["compile"] else model

    def epoch(data: torch.Tensor) -> float:
        return torch_recipes.epoch(loss, optimizer, data, batch, last)

    data = torch_recipes.tensor(recipes.examples(recipe, WARM_UP * batch), last)
    epoch(data)
    turns.say(**answer, step=epoch(data) / WARM_UP)

    order = turns.listen()
    data = torch_recipes.tensor(recipes.examples(recipe, order["steps"] * batch), last)
    for i in range(order["epochs"]):
        if i:
            turns.listen()
        usage = Usage()
        seconds = epoch(data)
        turns.say(seconds=seconds, **usage.since())


def sgemm(spec: dict[str, Any], turns: Turns) -> None:
    """The matrix products alone: the best rate of single precision on the same threads."""
    from benchmarks.shared import floor

    turns.listen()
    turns.say()
    order = turns.listen()
    for i in range(order["epochs"]):
        if i:
            turns.listen()
        turns.say(gflops=floor.best_rate(spec["threads"]))


def about(spec: dict[str, Any], turns: Turns) -> None:
    """What the libraries are and which kernels they chose here."""
    import numba
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = [
        f"{p['internal_api']} {p['version']} {p.get('architecture', '')}"
        for p in threadpool_info()
    ]
    found = {
        "numpy": np.__version__,
        "numba": numba.__version__,
        "blas": ", ".join(blas),
        "torch": None,
    }
    try:
        import torch
    except ImportError:
        pass
    else:
        found |= {"torch": torch.__version__, "torch_cpu": torch.backends.cpu.get_cpu_capability()}
    turns.say(**found)


CONTESTANTS = {f.__name__: f for f in (ours, theirs, sgemm, about)}


def main() -> None:
    """Play the part that the specification names; an error is told as a sentence."""
    spec, turns = json.loads(sys.argv[1]), Turns()
    try:
        CONTESTANTS[spec["who"]](spec, turns)
    except Exception as error:
        turns.say(error=words(error))
        raise


if __name__ == "__main__":
    main()
