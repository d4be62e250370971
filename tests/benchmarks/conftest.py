"""The benchmarks are a package of this checkout, not of the library: its folder is searched."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
