"""The page examples/vae_by_hand.py as a text, and the equations that its lines cite."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "examples" / "vae_by_hand.py").read_text(encoding="utf-8")
LINES, TREE = SOURCE.splitlines(), ast.parse(SOURCE)
CITED = re.compile(r"(?:(?:^|,? )[a-z]+(?: \(\d+\))+)+$")


def cited(line):
    """The equations that a line ends in: gaussian (4) of a docstring or of a comment ->
    ("gaussian", 4)."""
    found = CITED.search(line)
    groups = re.findall(r"(\w+)((?: \(\d+\))+)", found.group() if found else "")
    return [(family, int(n)) for family, numbers in groups for n in re.findall(r"\d+", numbers)]
