"""Arguments for every kernel, by its name: test_spellings.py runs each spelling on them.

A case: (rng, dtype, N, D, K, key) -> outs, ins, constants. Outs hold what a kernel reads on entry,
if it does; what it must overwrite is 77. key is the name within a family: an activation.
"""

import pkgutil
from importlib import import_module

CASES = {}
for module in pkgutil.iter_modules(__path__):
    CASES |= getattr(import_module(f"{__name__}.{module.name}"), "CASES", {})
