"""Speed of whole training steps here and in PyTorch: the published recipes side by side.

    python benchmarks/speed/compare_torch.py --compile --rounds 9 --json speed.json
    python benchmarks/speed/compare_torch.py --only tf_cvae --threads 1

A step is: gather the shuffled batch from uint8, scale it, noise, forward, loss, backward, Adam.
Ours is the public fit(); PyTorch is a tight loop with fused Adam, in each layout, with glibc's
malloc as it is and told to keep its memory ("malloc"), and with --compile compiled too; the best
of these counts. In each round each contestant runs one epoch of about half a second. The floor is
the time of the step's matrix products at the best rate of NumPy's BLAS, measured in the same
rounds on as many threads; of_floor is ours / floor.
"""

import argparse
import os
import sys
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared.command import Complaints, Parser, count, headings, machine, write
from benchmarks.shared.measure import alternate, cells, ready, summary
from benchmarks.shared.processes import Child, Failed, environment
from benchmarks.shared.recipes import RECIPES

SMOKE = {"dense_vae": (16,), "tf_cvae": (32,)}  # batch sizes
ROUND = 600  # milliseconds that the slowest contestant takes for its epoch
WARM_UP, STEPS = 4, (2, 5000)  # steps of an epoch: first, and then at least and at most
COMPILING = 900  # seconds for an answer with torch.compile
ALLOWED = {"loss": 1e-5, "gradients": 1e-4}  # relative, float32
# times a second that the processor is taken away, above which others use the machine
DISTURBED = 25
COLUMNS = (
    "{recipe:14} {batch:>5} {threads:>7} {ours_ms:>9} {torch_ms:>9} {faster:>7} {spread:>10} "
    "{floor_ms:>9.3f} {of_floor:>8}  {torch_best}"
)


def race(spec: dict[str, Any], modes: tuple[str, ...], complain: Complaints) -> dict[str, Any]:
    """The row of a race. Raises Failed where there is none.

    spec: recipe, batch, threads, rounds, steps of an epoch (None for ROUND). modes: of PyTorch.
    """
    name, threads = f"{spec['recipe']}, batch {spec['batch']}", spec["threads"]
    few = {"device": "cpu", "precision": "float32", "steps": WARM_UP}
    few = spec | few | {"examples": WARM_UP * spec["batch"]}
    with ExitStack() as stack:

        def start(part: str, env: dict[str, str]) -> Child:
            return stack.enter_context(Child(name, f"benchmarks.{part}", few, env, COMPILING))

        racing = {n: start(f"speed.contestants:{n}", environment()) for n in ("ours", "sgemm")}
        theirs = {
            setting + kind: (
                start("shared.theirs:theirs", environment(threads, bool(kind))),
                order,
            )
            for setting, order in RECIPES[spec["recipe"]].orders(modes).items()
            for kind in ("", " malloc")
        }
        mine = racing["ours"].ask()
        answers = ready(theirs, mine, ALLOWED, complain)
        slowest = max(answer["step_ms"] for answer in (mine, *answers.values()))
        steps = spec["steps"] or min(max(round(ROUND / slowest), STEPS[0]), STEPS[1])
        order = {
            "steps": steps,
            "examples": steps * spec["batch"],
            "epochs": spec["rounds"] + 1,
            "blocks": 1,
        }
        calls = {name: partial(child.ask, **order) for name, child in racing.items()}
        for setting in answers:
            child, which = theirs[setting]
            calls[setting] = partial(child.ask, **order, **which)
        return spec | row(steps, mine["flops"], alternate(calls, spec["rounds"]))


def row(steps: int, flops: int, answers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The numbers of a race of so many steps a round, from the answers of all who raced."""
    gflops = median(answer["gflops"] for answer in answers.pop("sgemm"))
    times = {name: [answer["ms"] for answer in every] for name, every in answers.items()}
    found, floor = summary(times.pop("ours"), times), flops / gflops / 1e6
    found |= {"floor_ms": floor, "floor_ratio": found["ours_ms"] / floor, "gflops": gflops}
    shown = [answers[name] for name in ("ours", found["torch_best"]) if name]
    taken = (
        median(1e3 * a["interruptions"] / a["ms"][0] / steps for a in every) for every in shown
    )
    return found | {"flops": flops, "steps": steps, "interruptions": max(taken)}


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    shown = row | cells(row, 3) | {"of_floor": f"{row['floor_ratio']:.2f}"}
    if row["interruptions"] > DISTURBED:
        shown["torch_best"] += f"  (disturbed: {row['interruptions']:.0f} interruptions a second)"
    return COLUMNS.format(**shown).rstrip()


def run(options: argparse.Namespace) -> int:
    """Race after race, a line each; returns the exit status: 1 where a contestant failed."""
    about, smoke = machine(needs_torch=not options.smoke), SMOKE if options.smoke else {}
    print(f"\n{headings(COLUMNS)}", flush=True)
    threads = options.threads or ([1] if options.smoke else sorted({1, os.cpu_count() or 1}))
    rounds, steps = options.rounds or (2 if options.smoke else 7), 2 if options.smoke else None
    modes = ("eager", "compile")[: 1 + options.compile] if about["torch"] else ()
    rows, complain = list[dict[str, Any]](), Complaints()
    for name in options.only or smoke or RECIPES:
        for batch, T in product(smoke.get(name, RECIPES[name].batches), dict.fromkeys(threads)):
            spec = {"recipe": name, "batch": batch, "threads": T, "rounds": rounds, "steps": steps}
            try:
                rows.append(race(spec, modes, complain) | {"machine": about})
            except Failed as failure:
                complain(str(failure))
                continue
            print(line(rows[-1]), flush=True)
            write(options.json, rows)
    return 1 if complain else 0


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("compare_torch", __doc__, smoke="2 recipes, 1 thread, 2 rounds of 2 steps")
    p.add_argument("--compile", action="store_true", help="PyTorch also compiled (minutes)")
    names = ", ".join(RECIPES)
    p.add_argument("--only", nargs="+", choices=sorted(RECIPES), metavar="RECIPE", help=names)
    p.add_argument("--threads", nargs="+", type=count, metavar="N", help="default: 1, all cores")
    p.add_argument("--rounds", type=count, metavar="R", help="default 7")
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
