"""Two halves of each place's numbers, side by side in memory or each in a run of its own.

Of a row (P, 2C) the first C numbers of a place are of one kind, the last C of another, such as mu
and logvar. C is 1 or 3 for images, and so few numbers at a time fill no register; in two runs of
P C numbers they do.

Source: docs/decisions/0017-likelihoods.md, the times of one loop and of two runs.
"""

from .compile import jit


@jit
def apart(parts, a):
    """parts (2, P C) <- a (P, 2C)."""
    first, second, C = parts[0], parts[1], a.shape[1] // 2
    if C == 1:
        flat = a.reshape(-1)
        for p in range(a.shape[0]):
            first[p], second[p] = flat[2 * p], flat[2 * p + 1]
    else:
        for p in range(a.shape[0]):
            for c in range(C):
                first[p * C + c], second[p * C + c] = a[p, c], a[p, C + c]


@jit
def together(a, parts):
    """a (P, 2C) <- parts (2, P C)."""
    first, second, C = parts[0], parts[1], a.shape[1] // 2
    if C == 1:
        flat = a.reshape(-1)
        for p in range(a.shape[0]):
            flat[2 * p], flat[2 * p + 1] = first[p], second[p]
    else:
        for p in range(a.shape[0]):
            for c in range(C):
                a[p, c], a[p, C + c] = first[p * C + c], second[p * C + c]
