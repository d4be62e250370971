"""What the data costs under a constant: the price of a model that learns nothing of an example.

For rows x_n and a likelihood p(x|a) the same parameters a stand for every example,

    cost = 1/N sum_n -log p(x_n|a)                                                      (1)

A likelihood that knows the best a says so (``best_output``): the mean of each number under a
Gaussian, its logit under a Bernoulli. From there, or from the mean of the data where a has its
shape, or from 0, whichever costs least, the best a is looked for number by number, by the sign of
the slope alone, so that neither their size nor that of the data matters: a step s grows while the
slope keeps its sign, and shrinks where it changes, and where nothing finite came of it,

    g = 1/N sum_n d(-log p(x_n|a))/da                                                   (2)
    s <- 1.2 s  where g keeps its sign,   s / 2 where it changes                        (3)
    a <- a - s sign(g)                                                                  (4)

until sum |g| s, which is about what a step may still gain, is small for some steps on end.
Parameters of the likelihood itself, such as a sigma that is learned, are looked for with a: those
of the model fit its own errors, and a constant has others.
Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the
RPROP algorithm", 1993; Igel and Hüsken, "Improving the Rprop learning algorithm", 2000, section 3
(without backtracking).
"""

from typing import Any

import numpy as np

STEPS, PATIENCE = 300, 5  # at most; steps on end that gain less than LEFT, after which it ends
LEFT, SHARE = 1e-3, 1e-6  # in nats, and of the cost
FIRST = 0.1  # step
GROW, SHRINK = 1.2, 0.5


def best_constant(backend: Any, likelihood: Any, x: np.ndarray, rows: int) -> np.ndarray:
    """-log p(x_n|a) of each row of x (N, ...) at the best a, (N,), in nats.

    rows: how many go through at once. The likelihood is a copy with parameters of its own. It is
    fitted on x itself, so that few rows favour it. NaN where no a that was tried has a finite
    cost. Raises TypeError for a likelihood of a batch as a whole. Source: the module, (1) to (4).
    """
    likelihood.require_rows()
    constant = _Constant(backend, likelihood, x, rows)
    with np.errstate(all="ignore"):  # a step may go too far
        return _searched(constant, constant.start(), np.full(len(x), np.nan))


def _searched(constant: Any, a: np.ndarray, best: np.ndarray) -> np.ndarray:
    """The cost of each row, (N,), at the best a (k,) from a on."""
    least, small, last = np.inf, 0, a
    step, way = np.full(a.shape, FIRST), np.zeros(a.shape)
    for _ in range(STEPS):
        each, g = constant.cost(a)  # (1) (2)
        if np.isfinite(cost := each.mean()) and np.isfinite(g).all():
            if cost < least:
                best, least = each, cost
            kept = np.sign(g) * way
            step = step * np.where(kept > 0, GROW, np.where(kept < 0, SHRINK, 1))  # (3)
            way = np.where(kept < 0, 0.0, np.sign(g))  # 0: after a change a stays for once
            last = a
            small = small + 1 if abs(g) @ step < LEFT + SHARE * abs(cost) else 0
        else:
            step = step * SHRINK
        if small == PATIENCE or (not way.any() and not g.any()):
            break
        a = last - step * way  # (4)
    return best


class _Constant:
    """x (N, ...) under one a for all rows, and the likelihood's own parameters behind it: both are
    one vector (k,)."""

    def __init__(self, backend: Any, likelihood: Any, x: np.ndarray, rows: int):
        self.backend, self.x, self.rows = backend, x, rows
        self.known = {name: np.asarray(v) for name, v in likelihood.best_output(x).items()}
        alone = likelihood.alone(backend, rows, x.shape[1:], self.known)
        self.likelihood, self.own, self.grads = alone
        self.shape = self.likelihood.parameters(x.shape[1:])

    def start(self) -> np.ndarray:
        """Where to begin, (k,): what costs least of the a that the likelihood says, the mean of x
        and 0; and its parameters as it says, or those of the model, or what they are drawn as."""
        own = self.backend.to_host(self.own)
        tried = [self.known.get("a"), self.x.mean(axis=0, dtype=np.float64), np.zeros(self.shape)]
        starts = [
            np.concatenate([a.ravel(), own])
            for a in tried
            if a is not None and a.shape == self.shape
        ]
        return min(starts, key=self._price)

    def _price(self, every: np.ndarray) -> float:
        """The cost at every (k,), inf where it or its slope is not finite."""
        each, g = self.cost(every)
        return float(each.mean()) if np.isfinite(each.mean() + g.sum()) else np.inf

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
