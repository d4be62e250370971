"""python -m scratchae.gradcheck [backend ...]: exit status 1 if any gradient is wrong."""

import sys

from .library import main

raise SystemExit(main(sys.argv[1:] or ("reference", "numpy")))
