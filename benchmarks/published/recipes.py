"""The published recipes of recipes.toml, and how their numbers are read."""

import json
import tomllib
from pathlib import Path
from typing import Any


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
    record, column = last(folder), metric["column"]
    if "over" in metric:
        return record[column] / last(folder / metric["over"])[column]
    return record[column] / metric.get("divisor", 1)


def last(folder: Path) -> dict[str, Any]:
    """The last epoch's record of a run."""
    return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])


def reached(metric: dict[str, Any], ours: float) -> bool | None:
    """Whether that number is at or past its bar; None where nothing is asked."""
    if "bar" not in metric:
        return None
    return ours >= metric["bar"] if metric.get("higher") else ours <= metric["bar"]
