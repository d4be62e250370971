"""Every published recipe, trained here, beside its published number: docs/results.md and docs/results.json.

    python benchmarks/reproduce.py                       # two hours on 2 cores; goes on where it was stopped
    python benchmarks/reproduce.py --only fashion keras
    python benchmarks/reproduce.py --quick               # a few seconds each, to see that all of it runs

published.py has the recipes and what each must reach. A recipe is a script of examples/, run once for each seed as
a process of its own, on the real data only; the number is read from the last line of its metrics.jsonl. Runs are
left in runs/reproduce. After each recipe both files are written whole. A recipe that stands in results.json with
the same command, seeds and numbers asked for is kept and not run: delete its objects there to run it again.

results.json is a list of objects: name, source, metric, published, ours (the mean over seeds), seeds, seconds (of
all seeds together), commit, and further recipe, command, each (the number of each seed), bar, higher (whether more
is better), reached. What does not apply is null. --quick trains on generated data and little of it, so its numbers
mean nothing; it writes to runs/reproduce_quick and keeps nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

import compare_torch
from processes import Failed, environment
from published import RECIPES, Metric, Recipe

HERE = Path(__file__).resolve().parents[1]
FULL, QUICK = ("runs/reproduce", "docs"), ("runs/reproduce_quick", "runs/reproduce_quick")
HEAD = """# Published results, and ours

Test data. Ours is the mean over seeds and, in brackets, the least and the largest; "must be" is what this project
asks of itself; seconds are those of all seeds together, on a shared machine with {cores} cores. Written by
`python benchmarks/reproduce.py`, one row by `python benchmarks/reproduce.py --only NAME`. `results.json` has the
same, with each seed's number, and the commit that each row was trained at.

"""
COLUMNS = ("name", "metric", "published", "ours", "must be", "seeds", "seconds")
RECIPE = "- **{name}**: {source}. {recipe}. `python examples/{command}`"


def parser() -> compare_torch.Parser:
    p = compare_torch.Parser("reproduce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="+", choices=sorted(RECIPES), metavar="NAME", help=", ".join(RECIPES))
    p.add_argument("--quick", action="store_true", help="a tiny run of each, one seed, generated data")
    return p


def commit() -> str | None:
    """The commit of this checkout, marked where files of it were changed since; None outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=HERE, capture_output=True, text=True
    )
    return done.stdout.strip() or None


class Bench:
    """Where it all is: the folder of the runs, that of the results, tiny or not."""

    def __init__(self, runs: Path, results: Path, quick: bool):
        self.runs, self.results, self.quick = runs, results, quick

    def seeds(self, recipe: Recipe) -> tuple[int, ...]:
        """One is enough where it is quick."""
        return recipe.seeds[:1] if self.quick else recipe.seeds

    def folder(self, name: str, seed: int) -> Path:
        """Of one run."""
        return self.runs / name / str(seed)

    def run(self, name: str, seed: int) -> float:
        """Train that recipe with that seed -> wall seconds. Raises Failed where it ends badly."""
        recipe, out = RECIPES[name], self.folder(name, seed)
        script, *options = f"{recipe.command} --seed {seed}".split()
        if recipe.start:
            weights = self.folder(recipe.start, seed) / "weights.safetensors"
            if not weights.is_file():
                self.run(recipe.start, seed)
            options += ["--start", str(weights)]
        options += ["--smoke", "--dataset", recipe.stand_in] if self.quick else ["--strict-data"]
        command = [
            sys.executable,
            str(HERE / "examples" / script),
            *options,
            "--seed",
            str(seed),
            "--out",
            str(out),
        ]
        began = time.perf_counter()
        out.mkdir(parents=True, exist_ok=True)
        with (out / "log.txt").open("w") as log:
            done = subprocess.run(command, env=environment(), stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            words = [line for line in (out / "log.txt").read_text().splitlines() if line.strip()]
            raise Failed(f"{name}, seed {seed}, ended with status {done.returncode}: {(words or ['no word'])[-1]}")
        return time.perf_counter() - began

    def objects(self, name: str) -> list[dict[str, Any]]:
        """That recipe, every seed of it -> one object for each of its numbers."""
        recipe, seeds, seconds, at = RECIPES[name], self.seeds(RECIPES[name]), 0.0, commit()
        for seed in seeds:
            seconds += self.run(name, seed)
            numbers = "; ".join(f"{m.words} {m.read(self.folder(name, seed)):.5g}" for m in recipe.metrics)
            print(f"{name}, seed {seed}: {numbers}", flush=True)
        rows = []
        for metric in recipe.metrics:
            each = [metric.read(self.folder(name, seed)) for seed in seeds]
            ours = {"ours": mean(each), "each": each, "reached": reached(metric, mean(each))}
            rows.append(self.asked(name, recipe, metric) | ours | {"seconds": round(seconds, 1), "commit": at})
        return rows

    def asked(self, name: str, recipe: Recipe, metric: Metric) -> dict[str, Any]:
        """The part of an object that is known before it is run."""
        return {
            **{"name": name, "source": recipe.source, "recipe": recipe.words, "command": recipe.command},
            **{"metric": metric.words, "published": metric.published, "seeds": list(self.seeds(recipe))},
            **{"bar": metric.bar, "higher": metric.higher},
        }

    def finished(self, name: str, rows: list[dict[str, Any]]) -> bool:
        """Whether all numbers of a recipe stand among the rows as they would be asked for today."""
        recipe = RECIPES[name]
        wanted = [self.asked(name, recipe, metric) for metric in recipe.metrics]
        return all(any(ask.items() <= row.items() for row in rows) for ask in wanted)

    def read(self) -> list[dict[str, Any]]:
        """What was finished earlier. Raises ValueError for a file that is damaged."""
        path = self.results / "results.json"
        try:
            return json.loads(path.read_text()) if path.is_file() else []
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is no JSON ({error}): mend it, or delete it to run everything") from error

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Both files, in the order of the recipes."""
        order = list(RECIPES)
        rows.sort(key=lambda row: order.index(row["name"]))
        self.results.mkdir(parents=True, exist_ok=True)
        for name, text in (("results.json", json.dumps(rows, indent=1) + "\n"), ("results.md", page(rows))):
            part = self.results / f".{name}.part"
            part.write_text(text)
            part.replace(self.results / name)


def reached(metric: Metric, ours: float) -> bool | None:
    """Whether that number is at or past its bar; None where nothing is asked."""
    if metric.bar is None:
        return None
    return ours >= metric.bar if metric.higher else ours <= metric.bar


def short(number: float | None) -> str:
    """.0088, 105.66: four decimals below 1, two above; a dash for None."""
    if number is None:
        return "-"
    text = f"{number:.2f}" if abs(number) >= 10 else f"{number:.4f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def line(row: dict[str, Any]) -> str:
    """One object as a line of the table."""
    ours, each = short(row["ours"]), row["each"]
    if len(each) > 1:
        ours += f" ({short(min(each))} to {short(max(each))})"
    must = "-" if row["bar"] is None else f"{'>=' if row['higher'] else '<='} {short(row['bar'])}"
    must += ", **missed**" * (row["reached"] is False)
    seeds = f"{row['seeds'][0]} to {row['seeds'][-1]}" if len(each) > 1 else str(row["seeds"][0])
    numbers = (short(row["published"]), ours, must, seeds, f"{row['seconds']:.0f}")
    return f"| {' | '.join((row['name'], row['metric'], *numbers))} |"


def page(rows: list[dict[str, Any]]) -> str:
    """results.md."""
    table = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *map(line, rows)]
    recipes = dict.fromkeys(RECIPE.format(**row) for row in rows)
    return HEAD.format(cores=os.cpu_count()) + "\n".join([*table, "", *recipes]) + "\n"


def reproduce(bench: Bench, names: list[str]) -> int:
    """Run what is not finished; returns 1 where a recipe failed or missed a bar, else 0."""
    rows, failed = [] if bench.quick else bench.read(), []
    for name in names:
        if bench.finished(name, rows):
            print(f"{name}: kept, as it stands in {bench.results / 'results.json'}", flush=True)
            continue
        try:
            new = bench.objects(name)
        except Failed as error:
            failed.append(str(error))
            print(error, file=sys.stderr, flush=True)
            continue
        rows = [row for row in rows if row["name"] != name] + new
        bench.write(rows)
    missed = [f"{row['name']}, {row['metric']}" for row in rows if row["reached"] is False and not bench.quick]
    print(f"{bench.results / 'results.md'}: {len(rows)} numbers", *failed, *missed, sep="; not reached: ")
    return 1 if failed or missed else 0


def main(argv: list[str] | None = None) -> int:
    """Reproduce; returns the exit status."""
    p = parser()
    options = p.parse_args(argv)
    runs, results = (HERE / part for part in (QUICK if options.quick else FULL))
    bench = Bench(runs, results, options.quick)
    return p.carry_out(lambda: reproduce(bench, options.only or list(RECIPES)), ValueError, OSError)


if __name__ == "__main__":
    raise SystemExit(main())
