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
where p(x|a) has each number's mean. Parameters of the likelihood itself, such as a sigma that is
learned, are looked for with a: those of the model fit its own errors, and a constant has others.
Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the
RPROP algorithm", 1993; Igel and Hüsken, "Improving the Rprop learning algorithm", 2000, section 3
(without backtracking).
"""

from typing import Any

import numpy as np

STEPS, PATIENCE = 300, 8  # at most; without GAIN, after which it ends
GAIN = 1e-5  # of the cost, relative
FIRST, LARGEST = 0.1, 10.0  # steps
GROW, SHRINK = 1.2, 0.5


def best_constant(backend: Any, likelihood: Any, x: np.ndarray, rows: int) -> np.ndarray:
    """-log p(x_n|a) of each row of x (N, ...) at the best a, (N,), in nats.

    rows: how many go through at once. The likelihood is a copy with parameters of its own. It is
    fitted on x itself, so that few rows favour it. Raises TypeError for a likelihood of a batch as
    a whole. Source: the module, (1) to (4).
    """
    likelihood.require_rows()
    constant = _Constant(backend, likelihood, x, rows)
    a, step = constant.start()
    slope = np.zeros(a.shape)
    best, least, since = np.full(len(x), np.inf), np.inf, 0
    for _ in range(STEPS):
        each, g = constant.cost(a)  # (1) (2)
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


class _Constant:
    """x (N, ...) under one a for all rows, and the likelihood's own parameters behind it: both are
    one vector (k,)."""

    def __init__(self, backend: Any, likelihood: Any, x: np.ndarray, rows: int):
        self.backend, self.x, self.rows = backend, x, rows
        self.likelihood, self.own, self.grads = likelihood.alone(backend, rows, x.shape[1:])
        self.shape = self.likelihood.parameters(x.shape[1:])

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """Where to begin, (k,): the mean of x, or 0, and the parameters of the model, or what they
        are drawn as; and the first steps, (k,), of a mean no larger than a share of its spread."""
        mean, own = self.x.mean(axis=0, dtype=np.float64), self.backend.to_host(self.own)
        a, first = np.zeros(self.shape), FIRST
        if self.shape == mean.shape:
            spread = np.sqrt(self.x.var(axis=0, dtype=np.float64).mean())
            a, first = mean, FIRST * min(1.0, float(spread) or 1.0)
        steps = np.full(a.size, first), np.full(own.shape, FIRST)
        return np.concatenate([a.ravel(), own]), np.concatenate(steps)

    def cost(self, every: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """-log p(x_n|a) (N,) and its mean slope (k,), every (k,)."""
        a, own = np.split(every, [len(every) - len(self.own)])
        self.backend.write(self.own, own)
        a = a.reshape(self.shape)
        same = self.backend.asarray(np.repeat(a[None], self.rows, axis=0))
        each, g = list[np.ndarray](), np.zeros(every.shape)
        for first in range(0, len(self.x), self.rows):
            part = self.backend.asarray(self.x[first : first + self.rows])
            nll = self.likelihood.forward(same[: len(part)], part)  # (1)
            each.append(self.backend.to_host(nll).astype(np.float64))
            da = self.backend.to_host(self.likelihood.backward()).sum(axis=0, dtype=np.float64)
            g += np.concatenate([da.ravel(), self.backend.to_host(self.grads)])
        return np.concatenate(each), g / len(self.x)  # (2)
