"""python -m scratchae.gradcheck: exit status 1 if any gradient is wrong."""

from .library import main

raise SystemExit(main())
