"""What reproduce.py writes: the judgement of a recipe's numbers, and the page of all of them."""

import os
from statistics import mean
from typing import Any

from benchmarks.published.recipes import Metric

HEAD = """# Published results, and ours

{trial}Test data. Ours is the mean over seeds and, in brackets, the least and the largest; "must be" is what this
project asks of itself; seconds are those of all seeds together, on a shared machine with {cores} cores. Written by
`python benchmarks/published/reproduce.py`, one row by `python benchmarks/published/reproduce.py --only NAME`. `results.json` has the
same, with each seed's number, and the commit that each row was trained at.

"""
COLUMNS = ("name", "metric", "published", "ours", "must be", "seeds", "seconds")
START = " --start {runs}/{start}/{seed}/weights.safetensors"
TRIAL = "**A trial run on little generated data: the numbers below mean nothing.**\n\n"
RUNS = "runs/reproduce"


def judged(metric: Metric, each: list[float]) -> dict[str, Any]:
    """The part of an object that follows from the number of each seed."""
    return {"ours": mean(each), "each": each, "reached": reached(metric, mean(each))}


def reached(metric: Metric, ours: float) -> bool | None:
    """Whether that number is at or past its bar; None where nothing is asked."""
    if metric.bar is None:
        return None
    return ours >= metric.bar if metric.higher else ours <= metric.bar


def short(number: float | None) -> str:
    """105.66, 1.0003, .9336, .00781: two decimals from 10 on, four from 0.1 on, five below; a dash for None."""
    if number is None:
        return "-"
    decimals = 2 if abs(number) >= 10 else 4 if abs(number) >= 0.1 else 5
    text = f"{number:.{decimals}f}"
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


def recipe_line(row: dict[str, Any]) -> str:
    """What a row is, and the command of its first seed."""
    seed = row["seeds"][0]
    command = row["command"] + f" --seed {seed}" * (seed != 0)
    if row["start"]:
        command += START.format(runs=RUNS, start=row["start"], seed=seed)
    return f"- **{row['name']}**: {row['source']}. {row['recipe']}. `python examples/{command}`"


def page(rows: list[dict[str, Any]], quick: bool) -> str:
    """results.md."""
    table = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *map(line, rows)]
    recipes = dict.fromkeys(recipe_line(row) for row in rows)
    head = HEAD.format(trial=TRIAL if quick else "", cores=os.cpu_count())
    return head + "\n".join([*table, "", *recipes]) + "\n"
