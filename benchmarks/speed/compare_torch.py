"""Speed of whole training steps here and in PyTorch: recipes, or models drawn at random.

    python benchmarks/speed/compare_torch.py --compile --rounds 9 --json speed.json
    python benchmarks/speed/compare_torch.py --only tf_cvae --threads 1
    python benchmarks/speed/compare_torch.py --random 40 --seed 7

A step is: gather the shuffled batch from uint8, scale it, noise, forward, loss, backward, Adam.
Ours is the public fit(); PyTorch is a tight loop with fused Adam, in each layout, with glibc's
malloc as it is and told to keep its memory ("malloc"), and with --compile compiled too; the best
of these counts. In each round each contestant runs one epoch of about half a second. The floor is
the larger of arithmetic and bytes at this machine's rates, measured in the same rounds on as many
threads: shared/floor.py says what is counted and what is left out; of_floor is ours / floor,
limit which of the two it is. --random draws as many models as are asked for from the seed
(shared/drawn.py); the table ends with the worst, the median and the share below 1.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.shared import drawn
from benchmarks.shared.command import (
    Complaints,
    Parser,
    count,
    headings,
    machine,
    whole,
    write,
)
from benchmarks.shared.floor import Work, floor
from benchmarks.shared.measure import alternate, cells, ready, summary
from benchmarks.shared.processes import Child, Failed, environment
from benchmarks.shared.recipes import RECIPES, find

SMOKE = {"dense_vae": (16,), "tf_cvae": (32,)}  # batch sizes
ROUND = 600  # milliseconds that the slowest contestant takes for its epoch
WARM_UP, STEPS = 4, (2, 5000)  # steps of an epoch: first, and then at least and at most
DATA = 1 << 28  # bytes of an epoch's examples, at most
COMPILING = 900  # seconds for an answer with torch.compile
ALLOWED = {"loss": 1e-5, "gradients": 1e-4}  # relative, float32
# times a second that the processor is taken away, above which others use the machine
DISTURBED = 25
COLUMNS = (
    "{model:14} {batch:>5} {threads:>7} {ours_ms:>9} {torch_ms:>9} {faster:>7} {spread:>10} "
    "{floor_ms:>9.3f} {of_floor:>8} {limit:5}  {torch_best}"
)
WIDE = COLUMNS.replace("model:14", "model:66")  # for models that are drawn


def race(spec: dict[str, Any], modes: tuple[str, ...], complain: Complaints) -> dict[str, Any]:
    """The row of a race. Raises Failed where there is none.

    spec: recipe, model (its name in the table), batch, threads, rounds, steps of an epoch (None
    for ROUND). modes: of PyTorch.
    """
    recipe, batch, threads = find(spec["recipe"]), spec["batch"], spec["threads"]
    name, least = f"{spec['model']}, batch {batch}", recipe.work(batch)
    few = {"device": "cpu", "precision": "float32", "steps": WARM_UP}
    few = spec | few | {"examples": WARM_UP * batch}
    with ExitStack() as stack:

        def start(part: str, env: dict[str, str]) -> Child:
            return stack.enter_context(Child(name, f"benchmarks.{part}", few, env, COMPILING))

        racing = {n: start(f"speed.contestants:{n}", environment()) for n in ("ours", "limits")}
        theirs = {
            setting + kind: (
                start("shared.theirs:theirs", environment(threads, bool(kind))),
                order,
            )
            for setting, order in recipe.orders(modes).items()
            for kind in ("", " malloc")
        }
        mine = racing["ours"].ask()
        answers = ready(theirs, mine, ALLOWED, complain)
        slowest = max(answer["step_ms"] for answer in (mine, *answers.values()))
        most = min(STEPS[1], DATA // (batch * recipe.example))
        steps = spec["steps"] or max(min(round(ROUND / slowest), most), STEPS[0])
        order = {
            "steps": steps,
            "examples": steps * batch,
            "epochs": spec["rounds"] + 1,
            "blocks": 1,
            "state": least.state,
        }
        calls = {name: partial(child.ask, **order) for name, child in racing.items()}
        for setting in answers:
            child, which = theirs[setting]
            calls[setting] = partial(child.ask, **order, **which)
        return spec | row(steps, least, alternate(calls, spec["rounds"]))


def row(steps: int, work: Work, answers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The numbers of a race of so many steps a round, from the answers of all who raced."""
    limits = answers.pop("limits")
    rates = {name: median(one[name] for one in limits) for name in ("sgemm", "fma", "gbs")}
    times = {name: [answer["ms"] for answer in every] for name, every in answers.items()}
    found, peak = summary(times.pop("ours"), times), max(rates["sgemm"], rates["fma"])
    found |= rates | floor(work, peak, rates["gbs"])
    found |= {"floor_ratio": found["ours_ms"] / found["floor_ms"]}
    shown = [answers[name] for name in ("ours", found["torch_best"]) if name]
    taken = (
        median(1e3 * a["interruptions"] / a["ms"][0] / steps for a in every) for every in shown
    )
    return found | asdict(work) | {"steps": steps, "interruptions": max(taken)}


def line(row: dict[str, Any], columns: str) -> str:
    """A row of the table."""
    shown = row | cells(row, 3) | {"of_floor": f"{row['floor_ratio']:.2f}"}
    if row["interruptions"] > DISTURBED:
        shown["torch_best"] += f"  (disturbed: {row['interruptions']:.0f} interruptions a second)"
    return columns.format(**shown).rstrip()


def verdict(rows: list[dict[str, Any]]) -> list[str]:
    """Of models that were drawn: a line for each number of threads."""
    lines = []
    for threads in sorted({row["threads"] for row in rows}):
        raced = [row for row in rows if row["threads"] == threads and row["ratio"]]
        if raced:
            ratios, worst = [row["ratio"] for row in raced], min(raced, key=lambda r: r["ratio"])
            share = sum(ratio < 1 for ratio in ratios) / len(ratios)
            lines.append(
                f"threads {threads}, {len(raced)} models: worst {worst['ratio']:.2f}x "
                f"({worst['model']}), median {median(ratios):.2f}x, below 1: {share:.0%}"
            )
    return lines


def models(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What races: recipe, model (as the table names it), batch."""
    for number in range(options.random or 0):
        recipe = drawn.NAME.format(options.seed, number)
        one = drawn.find(recipe)
        yield {"recipe": recipe, "model": one.words, "batch": one.batch}
    smoke = SMOKE if options.smoke else {}
    for name in () if options.random else options.only or smoke or RECIPES:
        for batch in smoke.get(name, RECIPES[name].batches):
            yield {"recipe": name, "model": name, "batch": batch}


def run(options: argparse.Namespace) -> int:
    """Race after race, a line each; returns the exit status: 1 where a contestant failed."""
    about, columns = machine(needs_torch=not options.smoke), WIDE if options.random else COLUMNS
    print(f"\n{headings(columns)}", flush=True)
    threads = options.threads or ([1] if options.smoke else sorted({1, os.cpu_count() or 1}))
    rounds, steps = options.rounds or (2 if options.smoke else 7), 2 if options.smoke else None
    modes = ("eager", "compile")[: 1 + options.compile] if about["torch"] else ()
    rows, complain = list[dict[str, Any]](), Complaints()
    for model, T in product(models(options), dict.fromkeys(threads)):
        spec = model | {"threads": T, "rounds": rounds, "steps": steps}
        try:
            rows.append(race(spec, modes, complain) | {"machine": about})
        except Failed as failure:
            complain(str(failure))
            continue
        print(line(rows[-1], columns), flush=True)
        write(options.json, rows)
    for sentence in verdict(rows) if options.random else ():
        print(sentence, flush=True)
    return 1 if complain else 0


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("compare_torch", __doc__, smoke="2 recipes, 1 thread, 2 rounds of 2 steps")
    p.add_argument("--compile", action="store_true", help="PyTorch also compiled (minutes)")
    names = ", ".join(RECIPES)
    which = p.add_mutually_exclusive_group()
    which.add_argument("--only", nargs="+", choices=sorted(RECIPES), metavar="RECIPE", help=names)
    which.add_argument("--random", type=count, metavar="N", help="as many models drawn at random")
    p.add_argument("--seed", type=whole, default=0, metavar="S", help="of these; default 0")
    p.add_argument("--threads", nargs="+", type=count, metavar="N", help="default: 1, all cores")
    p.add_argument("--rounds", type=count, metavar="R", help="default 7")
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
