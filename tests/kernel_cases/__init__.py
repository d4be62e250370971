"""Arguments for every kernel, by its name: test_spellings.py runs each spelling on them.

A case: (rng, dtype, N, D, K, key) -> outs, ins, constants. Outs hold what a kernel reads on entry,
if it does; what it must overwrite is 77. key is the name within a family: an activation.
"""

from . import (
    contraction,
    given,
    hierarchy,
    images,
    importance,
    kl_weights,
    likelihoods,
    lstm,
    noise,
    observed,
    penalties,
    steps,
)

CASES = {}
for part in (
    contraction,
    given,
    hierarchy,
    images,
    importance,
    kl_weights,
    likelihoods,
    lstm,
    noise,
    observed,
    penalties,
    steps,
):
    CASES |= part.CASES
