"""Every published recipe, trained here: docs/results.md and docs/results.json.

    python benchmarks/published/reproduce.py                 # an hour on 2 cores; it resumes
    python benchmarks/published/reproduce.py --only fashion keras
    python benchmarks/published/reproduce.py --quick         # seconds, on generated data

A recipe of recipes.toml is a script of examples/, run once for each seed with this checkout's
library, on the real data only. Runs are left in runs/reproduce; one whose done.json has the same
command and this commit is not repeated. After each recipe both files are written whole. A recipe
that stands in results.json with the same command, start and seeds is kept and not run: delete its
objects there to run it again. results.json is a list of objects: name, source, metric, published,
ours (the mean over seeds), seeds, seconds (of all seeds together), commit, recipe, command, start
(the recipe whose weights it goes on from), each (the number of each seed), bar, higher, reached;
null where it does not apply. --quick means nothing; it writes to runs/reproduce_quick.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.published.recipes import RECIPES, reached, read
from benchmarks.shared.command import Parser, write
from benchmarks.shared.processes import ROOT, Failed, environment, finished, words

Rows = dict[str, list[dict[str, Any]]]  # the objects of each recipe

RUNS, QUICK = "runs/reproduce", "runs/reproduce_quick"
TRIAL = "**A trial run on little generated data: the numbers below mean nothing.**\n\n"
HEAD = """# Published results, and ours

{trial}Test data, unless the metric is called a training loss. Ours is the mean over seeds and, in
brackets, the least and the largest; "must be" is what this project asks of itself; seconds are
those of all seeds together, on a shared machine with {cores} cores. Written by
`python benchmarks/published/reproduce.py`, one row with `--only NAME`. `results.json` has the
same, with each seed's number and the commit of each row.

| name | metric | published | ours | must be | seeds | seconds |
|---|---|---|---|---|---|---|
"""


def commit() -> str | None:
    """The commit of this checkout, marked where files were changed; None outside one."""
    git: dict[str, Any] = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
    changes = ["git", "status", "--porcelain", "--untracked-files=no", ".", ":!docs/results.*"]
    with suppress(OSError, subprocess.CalledProcessError):
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **git).stdout.strip()
        return head + "-dirty" * bool(subprocess.run(changes, **git).stdout)
    return None


class Bench:
    """The folder of the runs, that of the results, tiny or not."""

    def __init__(self, runs: Path, results: Path, quick: bool):
        self.runs, self.results, self.quick = runs, results, quick
        self.commit, most = None if quick else commit(), 1 if quick else None
        self.seeds = {name: recipe["seeds"][:most] for name, recipe in RECIPES.items()}
        self.trained: dict[Path, float] = {}  # by this command, in seconds

    def run(self, name: str, seed: int) -> float:
        """Train that recipe with that seed, unless it was done -> wall seconds. Raises Failed."""
        recipe, out = RECIPES[name], self.runs / name / str(seed)
        start = recipe.get("start")
        if out in self.trained:
            return self.trained[out]
        options = f"{recipe['command']} --seed {seed}".split()
        if start:
            self.run(start, seed)
            options += ["--start", f"{self.runs / start / str(seed)}/weights.safetensors"]
        options += (
            ["--smoke", "--dataset", recipe.get("stand_in", "strokes")]
            if self.quick
            else ["--strict-data"]
        )
        done, mark = {"command": options, "commit": self.commit}, out / "done.json"
        old = json.loads(mark.read_text()) if mark.is_file() else {}
        if (
            old
            and done.items() <= old.items()
            and not (self.commit or "-dirty").endswith("-dirty")
        ):
            return old["seconds"]
        mark.unlink(missing_ok=True)
        out.mkdir(parents=True, exist_ok=True)
        command = [ROOT / "examples" / options[0], *options[1:], "--out", out]
        seconds = finished(f"{name}, seed {seed},", command, environment(), out / "log.txt")
        write(mark, done | {"seconds": seconds})
        return self.trained.setdefault(out, seconds)

    def number(self, name: str, seed: int, metric: dict[str, Any]) -> float:
        """What that run gave. Raises Failed where it gave no number."""
        try:
            value = read(metric, self.runs / name / str(seed))
            if math.isfinite(value):
                return value
            raise ValueError(f"it is {value}")
        except (OSError, ValueError, LookupError, TypeError) as error:
            (self.runs / name / str(seed) / "done.json").unlink(missing_ok=True)
            raise Failed(
                f"{name}, seed {seed}, left no {metric['metric']}: {words(error)}"
            ) from None

    def trained_rows(self, name: str) -> list[dict[str, Any]]:
        """That recipe, every seed of it -> one object for each of its numbers."""
        metrics, seconds = RECIPES[name]["metrics"], 0.0
        each: list[list[float]] = []
        for seed in self.seeds[name]:
            seconds += self.run(name, seed)
            for metric in metrics:
                if "above" in metric:
                    self.run(metric["above"], seed)
            each.append([self.number(name, seed, metric) for metric in metrics])
            found = [f"{m['metric']} {v:.5g}" for m, v in zip(metrics, each[-1], strict=True)]
            print(f"{name}, seed {seed}: {'; '.join(found)}", flush=True)
        spent = {"seconds": round(seconds, 1), "commit": self.commit}
        numbers = zip(metrics, zip(*each, strict=True), strict=True)
        return [self.row(name, metric, spent | {"each": list(e)}) for metric, e in numbers]

    def row(self, name: str, metric: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
        """An object as it is judged today, from what was found then: each, seconds, commit."""
        recipe, ours = RECIPES[name], mean(old["each"])
        row = {key: recipe.get(key) for key in ("source", "recipe", "command", "start")}
        row |= {key: metric.get(key) for key in ("metric", "published", "bar")}
        row |= {key: old[key] for key in ("each", "seconds", "commit")}
        row |= {"name": name, "ours": ours, "seeds": self.seeds[name]}
        judged = None if self.quick else reached(metric, ours)
        return row | {"higher": metric.get("higher", False), "reached": judged}

    def kept(self, name: str, rows: list[dict[str, Any]]) -> bool:
        """Whether all numbers of a recipe are there as they would be asked for today."""
        recipe = RECIPES[name]
        asked = [
            recipe["command"],
            recipe.get("start"),
            self.seeds[name],
        ]  # they decide its numbers
        found = {row["metric"]: [row[k] for k in ("command", "start", "seeds")] for row in rows}
        return found == {metric["metric"]: asked for metric in recipe["metrics"]}

    def read(self) -> Rows:
        """The objects in results.json, those that are ``kept`` judged today. Raises Failed."""
        path, found = self.results / "results.json", Rows()
        if self.quick or not path.is_file():
            return {}
        try:
            rows = json.loads(path.read_text())
            for name, recipe in RECIPES.items():
                found[name] = [row for row in rows if row["name"] == name]
                if self.kept(name, found[name]):
                    old = {row["metric"]: row for row in found[name]}
                    found[name] = [self.row(name, m, old[m["metric"]]) for m in recipe["metrics"]]
        except (ValueError, KeyError, TypeError) as error:
            what = f"{path} holds no results of this command ({words(error)})"
            raise Failed(f"{what}: mend it, or delete it to run everything") from error
        return found

    def write(self, found: Rows) -> None:
        """Both files, in the order of the recipes."""
        rows = [row for name in RECIPES for row in found.get(name, [])]
        self.results.mkdir(parents=True, exist_ok=True)
        write(self.results / "results.json", rows)
        write(self.results / "results.md", page(rows, self.quick))


def short(number: float | None) -> str:
    """105.66, 1.0003, .9336, .00781, 0: two decimals from 10 on, four from 0.1 on, five below."""
    if not number:
        return "-" if number is None else "0"
    decimals = 2 if abs(number) >= 10 else 4 if abs(number) >= 0.1 else 5
    text = f"{number:.{decimals}f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def line(row: dict[str, Any]) -> str:
    """One object as a line of the table."""
    ours, each, seeds = short(row["ours"]), row["each"], str(row["seeds"][0])
    if len(each) > 1:
        ours += f" ({short(min(each))} to {short(max(each))})"
        seeds += f" to {row['seeds'][-1]}"
    must = "-" if row["bar"] is None else f"{'>=' if row['higher'] else '<='} {short(row['bar'])}"
    must += ", **missed**" * (row["reached"] is False)
    numbers = (short(row["published"]), ours, must, seeds, f"{row['seconds']:.0f}")
    metric = row["metric"].replace("|", r"\|")  # p(x|y) is one cell
    return f"| {' | '.join((row['name'], metric, *numbers))} |"


def recipe_line(row: dict[str, Any]) -> str:
    """What a row is, and the command of its first seed."""
    seed = row["seeds"][0]
    command = row["command"] + f" --seed {seed}" * (seed != 0)
    if row["start"]:
        command += f" --start {RUNS}/{row['start']}/{seed}/weights.safetensors"
    return f"- **{row['name']}**: {row['source']}. {row['recipe']}. `python examples/{command}`"


def page(rows: list[dict[str, Any]], quick: bool) -> str:
    """results.md."""
    head = HEAD.format(trial=TRIAL if quick else "", cores=os.cpu_count())
    recipes = dict.fromkeys(recipe_line(row) for row in rows)
    return head + "\n".join([*map(line, rows), "", *recipes]) + "\n"


def reproduce(bench: Bench, names: list[str]) -> int:
    """Run what is not finished; returns 1 where a recipe failed or missed a bar, else 0."""
    found, failed = bench.read(), list[str]()
    bench.write(found)
    for name in names:
        if bench.kept(name, found.get(name, [])):
            print(f"{name}: kept, as it stands in {bench.results / 'results.json'}", flush=True)
            continue
        try:
            found |= {name: bench.trained_rows(name)}
        except Failed as error:
            failed.append(str(error))
            print(error, file=sys.stderr, flush=True)
            continue
        bench.write(found)
    rows = [row for name in names for row in found.get(name, [])]
    missed = [f"{row['name']}, {row['metric']}" for row in rows if row["reached"] is False]
    page = bench.results / "results.md"
    print(f"{page}: {len(rows)} numbers", *failed, *missed, sep="; not reached: ")
    return 1 if failed or missed else 0


def run(options: argparse.Namespace) -> int:
    """Reproduce; returns the exit status."""
    runs, results = (QUICK, QUICK) if options.quick else (RUNS, "docs")
    bench = Bench(ROOT / runs, ROOT / results, options.quick)
    return reproduce(bench, options.only or list(RECIPES))


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    p = Parser("reproduce", __doc__)
    names = ", ".join(RECIPES)
    p.add_argument("--only", nargs="+", choices=sorted(RECIPES), metavar="NAME", help=names)
    p.add_argument("--quick", action="store_true", help="a tiny run of each, one seed")
    return p.carry_out(run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
