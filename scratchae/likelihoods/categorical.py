"""One category out of several."""

import math
from typing import Any

import numpy as np

from .. import checks
from ..backend import Array
from ..kernels.categorical import CATEGORICAL_NLL
from ..parameters import Views
from .base import Likelihood
from .grey import first_between, grey

NEVER = -1e4  # a logit: exp of it is 0
NEAR = 1e-4  # how far from 1 the probabilities of one place may sum


class Categorical(Likelihood):
    """p(x | a) = softmax(a) over the last axis, from logits: one of C categories at each place of
    an example.

    Shapes: a (N, ..., C) logits, x (N, ..., C) one-hot, nll (N,) in nats:

        p_c = exp(a_c) / sum_k exp(a_k)                                                 (2)
        nll = -sum x_c log p_c,   da = p - x     over categories and places; kernels/categorical.py

    Probabilities in the place of one-hot x work too: the sum is then a cross-entropy and no
    log-likelihood. One-hot rows of labels (N,) are np.eye(C)[labels]. Raises ValueError for data
    that is negative somewhere or does not sum to 1 over the last axis. Source: Bishop 2006, eq.
    4.104 (2), 4.108, 4.109.
    """

    kernel = CATEGORICAL_NLL
    takes_grey = False

    def check(self, x: np.ndarray) -> None:
        """Raise ValueError where x (N, ..., C) holds no probabilities, by the first place."""
        if (at := checks.first_where(x, lambda rows: rows < 0)) is not None:
            raise ValueError(
                f"the data is {x[at]} at index {at}, but a Categorical likelihood takes one-hot "
                "rows or probabilities over the last axis: encode labels as np.eye(C)[labels]"
            )
        if (at := checks.first_where(x, lambda rows: np.abs(_total(rows) - 1) > NEAR)) is not None:
            raise ValueError(
                f"the data sums to {_total(x[at]):.6g} over the last axis at index {at}, but a "
                "Categorical likelihood takes one-hot rows or probabilities, which sum to 1: "
                "encode labels as np.eye(C)[labels], or choose Bernoulli"
            )

    def remark(self, x: np.ndarray, first: int = 0) -> str:
        """Say of x (N, ..., C), from that row of the data on, that it has values between 0 and 1,
        if it has."""
        return grey(x, "a Categorical", "encode labels as np.eye(C)[labels]", first)

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """Where x is 0 in all categories nll and da are, whatever the shape: a place is observed
        with all its categories, or none. Source: kernels/categorical.py (3) (5)."""
        return 0.0, 0.0

    def check_observed(self, x: np.ndarray, mask: np.ndarray) -> None:
        """As ``check``; raise ValueError where of a place some categories were observed, and not
        all: x, mask (N, ..., C)."""
        if (at := checks.first_where(mask, lambda rows: rows != rows[..., :1])) is not None:
            raise ValueError(
                f"of the place at index {at[:-1]} some categories were observed, but a "
                "Categorical likelihood takes all of its categories, or none"
            )
        self.check(np.where(mask, x, 1 / x.shape[-1]))

    def flat(self, rows: Array) -> Array:
        """The categories stay an axis: (n, ..., C) -> (n, P, C), a view. Source:
        kernels/categorical.py."""
        return rows.reshape(rows.shape[0], -1, rows.shape[-1])

    def best_output(self, x: np.ndarray) -> Views:
        """The log of the mean of x (N, ..., C), (..., C). Source: (2)."""
        with np.errstate(divide="ignore"):
            return {"a": np.maximum(np.log(x.mean(axis=0, dtype=np.float64)), NEVER)}

    def mean(self, a: np.ndarray) -> np.ndarray:
        """softmax(a), same shape: the probability of each category."""
        e = np.exp(a - a.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)  # (2)

    def log_prob(self, x: Any, a: Any) -> np.ndarray:
        """As Likelihood.log_prob, x (N, ..., C) one-hot, a (N, ..., C) -> (N,). Of other
        probabilities there is none: (3) is a cross-entropy there, and such x raises ValueError.
        Source: kernels/categorical.py (3)."""
        x = checks.host_rows(x, None, "x")
        if (at := first_between(x)) is not None:
            raise ValueError(
                f"x is {x[at]} at index {at}, but a Categorical likelihood is a distribution on "
                "one-hot rows alone, and of other probabilities a cross-entropy: encode labels "
                "as np.eye(C)[labels]"
            )
        return super().log_prob(x, a)

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """x one-hot, same shape: the first category whose cumulated probability is above u.

        Source: inversion, Devroye, "Non-uniform random variate generation", 1986, section
        III.2."""
        above = np.cumsum(self.mean(a), axis=-1, dtype=np.float64)
        u = noise.uniform(a.shape[:-1])[..., None] * above[..., -1:]
        x = np.zeros_like(a)
        np.put_along_axis(x, (above > u).argmax(axis=-1)[..., None], 1, axis=-1)
        return x

    def symbols(self, x: np.ndarray) -> np.ndarray:
        """x (N, ..., C) one-hot -> (N, P), the category of each place. Raises ValueError for
        probabilities between 0 and 1. Source: coding/symbols.py."""
        if (at := first_between(x)) is not None:
            raise ValueError(
                f"the data is {x[at]} at index {at}, but of a Categorical only one-hot rows can "
                "be coded: encode labels as np.eye(C)[labels]"
            )
        return x.argmax(axis=-1).reshape(len(x), -1)

    def data(self, k: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """k (N, P) -> x (N, *shape) one-hot, whose last axis is the categories."""
        return np.eye(shape[-1])[k].reshape(len(k), *shape)

    def below(self, a: np.ndarray) -> np.ndarray:
        """a (N, ..., C) -> (N, P, C - 1) float64: P(category < c), c = 1 to C - 1."""
        above = np.cumsum(self.mean(a.astype(np.float64)), axis=-1)
        return above[..., :-1].reshape(len(a), math.prod(a.shape[1:-1]), a.shape[-1] - 1)


def _total(x: np.ndarray) -> np.ndarray:
    """x (..., C) -> its sum over the categories (...)."""
    return x.sum(axis=-1, dtype=np.float64)
