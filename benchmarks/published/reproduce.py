"""Every published recipe, trained here, beside its published number: docs/results.md and docs/results.json.

    python benchmarks/published/reproduce.py                       # an hour on 2 cores; goes on where it was stopped
    python benchmarks/published/reproduce.py --only fashion keras
    python benchmarks/published/reproduce.py --quick               # a few seconds each, to see that all of it runs

published.py has the recipes and what each must reach. A recipe is a script of examples/, run once for each seed as
a process of its own, with this checkout's library, on the real data only; the number is read from the last line of
its metrics.jsonl. Runs are left in runs/reproduce, and one that was finished at this commit is not repeated. After
each recipe both files are written whole. A recipe that stands in results.json with the same command, start and
seeds is kept and not run: delete its objects there to run it again.

results.json is a list of objects: name, source, metric, published, ours (the mean over seeds), seeds, seconds (of
all seeds together), commit, and further recipe, command, start (the recipe whose weights it goes on from), each
(the number of each seed), bar, higher (whether more is better), reached. What does not apply is null. --quick
trains on generated data and little of it, so its numbers mean nothing; it writes to runs/reproduce_quick and begins
anew each time.
"""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.published.marks import HERE, Mark, commit, lock
from benchmarks.published.page import RUNS, judged, page
from benchmarks.published.recipes import RECIPES, Metric, Recipe
from benchmarks.shared.command import Parser
from benchmarks.shared.processes import Failed, environment

FULL, QUICK = (RUNS, "docs"), ("runs/reproduce_quick", "runs/reproduce_quick")
KEYS = ("command", "start", "seeds")  # of an object: what decides its number
WRITTEN = (
    *(
        "name",
        "source",
        "recipe",
        "command",
        "start",
        "metric",
        "published",
        "ours",
        "each",
        "seeds",
    ),
    *("seconds", "commit", "bar", "higher", "reached"),
)


def parser() -> Parser:
    p = Parser("reproduce", __doc__)
    p.add_argument(
        "--only", nargs="+", choices=sorted(RECIPES), metavar="NAME", help=", ".join(RECIPES)
    )
    p.add_argument(
        "--quick", action="store_true", help="a tiny run of each, one seed, generated data"
    )
    return p


class Bench:
    """Where it all is: the folder of the runs, that of the results, tiny or not."""

    def __init__(self, runs: Path, results: Path, quick: bool):
        self.runs, self.results, self.quick = runs, results, quick
        self.commit = None if quick else commit()
        self.trained: dict[
            tuple[str, int], float
        ] = {}  # by this command, for the recipes that start from it

    def seeds(self, recipe: Recipe) -> tuple[int, ...]:
        """One is enough where it is quick."""
        return recipe.seeds[:1] if self.quick else recipe.seeds

    def folder(self, name: str, seed: int) -> Path:
        """Of one run."""
        return self.runs / name / str(seed)

    def run(self, name: str, seed: int) -> float:
        """Train that recipe with that seed, unless it was done -> wall seconds. Raises Failed where it fails."""
        if (name, seed) in self.trained:
            return self.trained[name, seed]
        recipe, out = RECIPES[name], self.folder(name, seed)
        script, *options = f"{recipe.command} --seed {seed}".split()
        if recipe.start:
            self.run(recipe.start, seed)
            options += ["--start", str(self.folder(recipe.start, seed) / "weights.safetensors")]
        options += ["--smoke", "--dataset", recipe.stand_in] if self.quick else ["--strict-data"]
        command = [sys.executable, str(HERE / "examples" / script), *options, "--out", str(out)]
        mark = Mark(out, {"command": command[1:], "commit": self.commit})
        if (seconds := mark.seconds()) is not None:
            return seconds
        began = time.perf_counter()
        with (out / "log.txt").open("a") as log:
            lock(log, f"{name}, seed {seed},")
            log.truncate(0)
            env = environment()
            env["PYTHONPATH"] = os.pathsep.join([str(HERE), env["PYTHONPATH"]])
            done = subprocess.run(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            words = [line for line in (out / "log.txt").read_text().splitlines() if line.strip()]
            raise Failed(
                f"{name}, seed {seed}, ended with status {done.returncode}: {(words or ['no word'])[-1]}"
            )
        self.trained[name, seed] = mark.set(time.perf_counter() - began)
        return self.trained[name, seed]

    def number(self, name: str, seed: int, metric: Metric) -> float:
        """What that run gave. Raises Failed where it gave no number."""
        try:
            value = metric.read(self.folder(name, seed))
        except (OSError, ValueError, LookupError, TypeError) as error:
            Mark(self.folder(name, seed), {}).forget()
            raise Failed(
                f"{name}, seed {seed}, left no {metric.words} ({type(error).__name__}: {error})"
            ) from None
        if not math.isfinite(value):
            raise Failed(f"{name}, seed {seed}, gave {value} as {metric.words}")
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """That recipe, every seed of it -> one object for each of its numbers."""
        recipe, seeds, seconds = RECIPES[name], self.seeds(RECIPES[name]), 0.0
        each: list[list[float]] = []
        for seed in seeds:
            seconds += self.run(name, seed)
            each.append([self.number(name, seed, metric) for metric in recipe.metrics])
            words = (
                f"{m.words} {value:.5g}" for m, value in zip(recipe.metrics, each[-1], strict=True)
            )
            print(f"{name}, seed {seed}: {'; '.join(words)}", flush=True)
        spent = {"seconds": round(seconds, 1), "commit": self.commit}
        return [
            self.asked(name, recipe, metric) | spent | self.judged(metric, list(values))
            for metric, values in zip(recipe.metrics, zip(*each, strict=True), strict=True)
        ]

    def asked(self, name: str, recipe: Recipe, metric: Metric) -> dict[str, Any]:
        """The part of an object that is known before it is run."""
        return {
            **{
                "name": name,
                "source": recipe.source,
                "recipe": recipe.words,
                "command": recipe.command,
            },
            **{
                "metric": metric.words,
                "published": metric.published,
                "seeds": list(self.seeds(recipe)),
            },
            **{"bar": metric.bar, "higher": metric.higher, "start": recipe.start},
        }

    def judged(self, metric: Metric, each: list[float]) -> dict[str, Any]:
        """The part that follows from the number of each seed; a quick run is asked for nothing."""
        return judged(metric, each) | ({"reached": None} if self.quick else {})

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """The objects of each recipe in results.json, in the words of today where they are ``fresh``.

        Raises ValueError for a file that is damaged.
        """
        path = self.results / "results.json"
        if not path.is_file():
            return {}
        try:
            rows = json.loads(path.read_text())
            old = {name: [whole(row) for row in rows if row["name"] == name] for name in RECIPES}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} holds no results of this command ({type(error).__name__}: {error}): mend it, or delete it "
                "to run everything"
            ) from error
        return {
            name: self.renewed(name, rows) if self.fresh(name, rows) else rows
            for name, rows in old.items()
        }

    def fresh(self, name: str, rows: list[dict[str, Any]]) -> bool:
        """Whether all numbers of a recipe are there as they would be asked for today."""
        found = {row["metric"]: {key: row[key] for key in KEYS} for row in rows}
        recipe = RECIPES[name]
        return found == {
            m.words: {key: self.asked(name, recipe, m)[key] for key in KEYS}
            for m in recipe.metrics
        }

    def renewed(self, name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those numbers in the words of today, judged by the bars of today."""
        old, recipe = {row["metric"]: row for row in rows}, RECIPES[name]
        return [
            old[m.words] | self.asked(name, recipe, m) | self.judged(m, old[m.words]["each"])
            for m in recipe.metrics
        ]

    def write(self, found: dict[str, list[dict[str, Any]]]) -> None:
        """Both files, in the order of the recipes."""
        rows = [row for name in RECIPES for row in found.get(name, [])]
        self.results.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("results.json", json.dumps(rows, indent=1) + "\n"),
            ("results.md", page(rows, self.quick)),
        ):
            part = self.results / f".{name}.part"
            part.write_text(text)
            part.replace(self.results / name)


def whole(row: dict[str, Any]) -> dict[str, Any]:
    """The object itself. Raises KeyError, TypeError or ValueError where it has not all that is written."""
    missing = [key for key in WRITTEN if key not in row]
    if missing:
        raise KeyError(", ".join(missing))
    if len(row["each"]) != len(row["seeds"]) or not all(
        map(math.isfinite, [row["seconds"], *row["each"]])
    ):
        raise ValueError(f"{row['name']} has other numbers than one for each seed, and seconds")
    return row


def reproduce(bench: Bench, names: list[str]) -> int:
    """Run what is not finished; returns 1 where one of those recipes failed or missed a bar, else 0."""
    found, failed = {} if bench.quick else bench.read(), []
    bench.write(found)
    for name in names:
        if bench.fresh(name, found.get(name, [])):
            print(f"{name}: kept, as it stands in {bench.results / 'results.json'}", flush=True)
            continue
        try:
            new = bench.objects(name)
        except Failed as error:
            failed.append(str(error))
            print(error, file=sys.stderr, flush=True)
            continue
        found = bench.read() | {name: new}  # another process may have written
        bench.write(found)
    rows = [row for name in names for row in found.get(name, [])]
    missed = [f"{row['name']}, {row['metric']}" for row in rows if row["reached"] is False]
    print(
        f"{bench.results / 'results.md'}: {len(rows)} numbers",
        *failed,
        *missed,
        sep="; not reached: ",
    )
    return 1 if failed or missed else 0


def main(argv: list[str] | None = None) -> int:
    """Reproduce; returns the exit status."""
    p = parser()
    options = p.parse_args(argv)
    runs, results = (HERE / part for part in (QUICK if options.quick else FULL))
    bench = Bench(runs, results, options.quick)
    return p.carry_out(
        lambda: reproduce(bench, options.only or list(RECIPES)), ValueError, OSError
    )


if __name__ == "__main__":
    raise SystemExit(main())
