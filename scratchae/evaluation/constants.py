"""What the data costs under a constant: the price of a model that learns nothing of an example.

For rows x_n and a likelihood p(x|a) the same parameters a stand for every example,

    cost = 1/N sum_n -log p(x_n|a)                                                      (1)

and the best a is looked for number by number, by the sign of the slope alone, so that neither
their size nor that of the data matters: a step s grows while the slope keeps its sign, and
shrinks where it changes,

    g = 1/N sum_n d(-log p(x_n|a))/da                                                   (2)
    s <- 1.2 s  where g keeps its sign,   s / 2 where it changes                        (3)
    a <- a - s sign(g)                                                                  (4)

which begins at the mean of the data where a has its shape. For a Bernoulli and a Gaussian it ends
where p(x|a) has each number's mean. Source: Riedmiller and Braun, "A direct adaptive method for
faster backpropagation learning: the RPROP algorithm", 1993; Igel and Hüsken, "Improving the Rprop
learning algorithm", 2000, section 3 (without backtracking).
"""

from typing import Any

import numpy as np

STEPS, PATIENCE = 300, 5  # at most; without GAIN, after which it ends
GAIN = 1e-5  # of the cost, relative
FIRST, LARGEST = 0.1, 10.0  # steps
GROW, SHRINK = 1.2, 0.5


def best_constant(backend: Any, likelihood: Any, x: np.ndarray, rows: int) -> np.ndarray:
    """-log p(x_n|a) of each row of x (N, ...) at the best a, (N,), in nats.

    likelihood: bound on the backend for that many rows. It is fitted on x itself, so that few rows
    favour it. Source: the module, (1) to (4).
    """
    mean = x.mean(axis=0, dtype=np.float64)
    shape = likelihood.parameters(x.shape[1:])
    a = mean if shape == mean.shape else np.zeros(shape)
    step, slope = np.full(shape, FIRST), np.zeros(shape)
    best, least, since = np.full(len(x), np.inf), np.inf, 0
    for _ in range(STEPS):
        each, g = _cost(backend, likelihood, x, a, rows)  # (1) (2)
        if (cost := each.mean()) < least:
            since = since + 1 if least - cost < GAIN * abs(cost) else 0
            best, least = each, cost
        else:
            since += 1
        if since == PATIENCE or not g.any():
            break
        kept = np.sign(g) * slope
        factor = np.where(kept > 0, GROW, np.where(kept < 0, SHRINK, 1))
        step = np.minimum(step * factor, LARGEST)  # (3)
        slope = np.where(kept < 0, 0.0, np.sign(g))  # 0: after a change a stays for once
        a = a - step * slope  # (4)
    return best


def _cost(
    backend: Any, likelihood: Any, x: np.ndarray, a: np.ndarray, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """-log p(x_n|a) (N,) and its mean slope, shaped like a (...)."""
    same, each, g = backend.asarray(np.repeat(a[None], rows, axis=0)), [], np.zeros(a.shape)
    for first in range(0, len(x), rows):
        part = backend.asarray(x[first : first + rows])
        nll = likelihood.forward(same[: len(part)], part)  # (1)
        each.append(backend.to_host(nll).astype(np.float64))
        g += backend.to_host(likelihood.backward()).sum(axis=0, dtype=np.float64)
    return np.concatenate(each), g / len(x)  # (2)
