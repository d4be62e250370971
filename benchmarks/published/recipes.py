"""The published recipes of recipes.toml, and how their numbers are read."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np


def load() -> dict[str, dict[str, Any]]:
    """Every recipe by its name, its seeds written out."""
    recipes = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    for recipe in recipes.values():
        first, last = recipe.get("seeds", (0, 2))
        recipe["seeds"] = list(range(first, last + 1))
    return recipes


RECIPES = load()


def read(metric: dict[str, Any], folder: Path) -> float:
    """The number of the run in that folder."""
    if "above" in metric:
        return standard_errors(folder, folder.parents[1] / metric["above"] / folder.name)
    record, column = last(folder), metric["column"]
    if "over" in metric:
        return record[column] / last(folder / metric["over"])[column]
    return record[column] / metric.get("divisor", 1)


def standard_errors(folder: Path, other: Path) -> float:
    """How far log p(x) of the run in one folder is above that of another: the mean over the test
    images, in its standard errors. The images are the same, so their differences (N,) count."""
    found, than = (np.loadtxt(each / "log_p.txt", ndmin=1) for each in (folder, other))
    gap = found - than
    return float(gap.mean() / (gap.std(ddof=1) / math.sqrt(len(gap))))


def last(folder: Path) -> dict[str, Any]:
    """The last epoch's record of a run."""
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])


def reached(metric: dict[str, Any], ours: float) -> bool | None:
    """Whether that number is at or past its bar; None where nothing is asked."""
    if "bar" not in metric:
        return None
    return ours >= metric["bar"] if metric.get("higher") else ours <= metric["bar"]
