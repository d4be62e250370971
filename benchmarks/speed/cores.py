"""What would limit a training step on more cores than are at hand: its tasks, counted and timed.

    python benchmarks/speed/cores.py --only dense_vae tf_cvae --shards 2 4 8 --threads 1 2 8

Threads take tasks from one queue, round after round; between the rounds one thread is at work. Of
a step on one thread, with rounds r of n_r tasks that take t_r together, (1) tells for T cores

    step - sum_r t_r + sum_r min(t_r, t_r ceil(n_r / T) / n_r + handoff (min(n_r, T) - 1))     (1)

where a round of tasks shorter than the pool's HANDOFF stays t_r, since one thread runs it. A
hand-off is what a round of two empty tasks takes on two threads. Left out is what cores take from
one another, the memory's bandwidth and the interpreter's lock, of which --threads beyond the cores
give a picture, and what cores beyond the shards gain, where they share large products.

tasks: of a step; gradients: MB that the shards write and the optimiser reads; serial: ms outside
the rounds, a share of the epoch's end among them; on_8, on_32: (1) in ms; then ms measured, by
threads.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared import recipes
from benchmarks.shared.command import Parser, count, headings, libraries, show, write
from scratchae import Adam, fit
from scratchae.execution import pool, threads

WARM_UP, SECONDS = 4, 0.7  # steps of an epoch, at first, and then how long one takes
TOLD = (8, 32)  # cores
COLUMNS = (
    "{model:14} {batch:>5} {shards:>6} {tasks:>5} {gradients:>9.1f} {serial:>8.3f} "
    "{on_8:>8.2f} {on_32:>8.2f}  {ms}"
)

Row = Any  # what a function has found, by names


class Counted(pool.ThreadPool):
    """A pool that keeps the seconds of each round, and how many tasks it has."""

    rounds: ClassVar[list[tuple[float, int]]] = []  # of every pool

    def each(self, kind: str, task: pool.Task, n: int) -> list[Any]:
        """As ThreadPool's."""
        began = time.perf_counter()
        try:
            return super().each(kind, task, n)
        finally:
            if not kind.startswith("product"):  # which is within a task
                self.rounds.append((time.perf_counter() - began, n))


def handoff() -> float:
    """Seconds of a round of two tasks without work, on two threads."""
    with pool.ThreadPool(2) as two:
        two._timed["empty"] = [1.0] * pool.TRIALS  # as if they were long
        times = []
        for _ in range(1000):
            began = time.perf_counter()
            two.each("empty", lambda _: None, 2)
            times.append(time.perf_counter() - began)
    return median(times)


def stepped(recipe: recipes.Recipe, batch: int, how: dict[str, int], steps: int) -> Row:
    """A step of the second of two epochs: its seconds, and the rounds of the epoch, each with its
    seconds and tasks.

    how: shards and threads, for ``fit``.
    """
    data, epochs = recipes.source(recipes.examples(recipe, steps * batch)), []

    def after(model: Any, history: Any) -> None:
        epochs.append((history.records[-1]["seconds"] / steps, Counted.rounds[:]))
        Counted.rounds.clear()

    model, given = recipes.build(recipe), dict[str, Any](how, batch_size=batch, progress=False)
    fit(model, data, Adam(recipe.lr), epochs=2, callbacks=[after], **given)
    return epochs[-1]


def on(cores: int, seconds: float, n: int, wait: float) -> float:
    """Seconds of a round on so many cores, from those of its n tasks on one thread."""
    if seconds / n <= pool.HANDOFF:
        return seconds
    return min(seconds, seconds * -(-n // cores) / n + wait * (min(n, cores) - 1))  # (1)


def row(name: str, batch: int, shards: int, counts: list[int], few: bool, wait: float) -> Row:
    """(1) of a recipe cut into so many shards, from one thread, and ms a step on each count of
    threads; wait: seconds of a hand-off."""
    recipe = recipes.find(name)
    first, _ = stepped(recipe, batch, {"shards": shards, "threads": 1}, WARM_UP)
    steps = WARM_UP if few else max(WARM_UP, int(SECONDS / first))
    step, rounds = stepped(recipe, batch, {"shards": shards, "threads": 1}, steps)
    serial = step - sum(seconds for seconds, _ in rounds) / steps
    found = {"model": name, "batch": batch, "shards": shards, "serial": 1e3 * serial}
    size = recipes.build(recipe).parameters.size
    found |= {"tasks": sum(n for _, n in rounds) // steps}
    found |= {"gradients": 2 * 4 * shards * size / 1e6, "ms": {1: 1e3 * step}}
    for cores in TOLD:
        busy = sum(on(cores, s, n, wait) for s, n in rounds) / steps
        found[f"on_{cores}"] = 1e3 * (serial + busy)  # (1)
    for threads_ in counts:
        how = {"shards": shards, "threads": threads_}
        found["ms"] |= {threads_: 1e3 * stepped(recipe, batch, how, steps)[0]}
    return found


def run(options: argparse.Namespace) -> int:
    """A row for each recipe and number of shards; returns the exit status."""
    threads.ThreadPool = Counted  # type: ignore[misc]
    show(libraries())
    wait, rows = handoff(), []
    print(f"a hand-off: {1e6 * wait:.0f} us\n\n{headings(COLUMNS)}", flush=True)
    for name in options.only:
        for shards in options.shards:
            batch = recipes.find(name).batches[0]
            one = row(name, batch, shards, options.threads, options.smoke, wait)
            rows.append(one)
            ms = " ".join(f"{t}: {ms:.2f}" for t, ms in one["ms"].items())
            print(COLUMNS.format(**one | {"ms": ms}), flush=True)
    write(options.json, {"machine": libraries(), "handoff": wait, "rows": rows})
    return 0


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("cores", __doc__, smoke="4 steps an epoch")
    p.add_argument("--only", nargs="+", metavar="RECIPE", choices=list(recipes.RECIPES))
    p.add_argument("--shards", nargs="+", type=count, default=[2, 8], metavar="S")
    p.add_argument("--threads", nargs="+", type=count, default=[2, 8], metavar="T")
    p.set_defaults(only=["dense_vae", "tf_cvae"])
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
