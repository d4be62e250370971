"""What a model that is given the label knows without it: log p(x), and by Bayes' rule the label.

With p(x|y) of each of C labels, by importance sampling (likelihood.py), and p(y) of them,

    log p(x) = log sum_y p(y) p(x|y)                                                    (1)
    p(y|x) = p(y) p(x|y) / p(x)                                                         (2)

so that whoever models how each class looks can also tell the classes apart. What log p(x|y) is
short of, with few samples, differs little between labels: far fewer are needed for (2) than for
(1).

Source: Bayes' rule, Bishop 2006, eq. 1.82; Kingma et al., "Semi-supervised learning with deep
generative models", 2014, section 3 (M2).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..datasets.fitting import fitting_rows, taken
from ..datasets.labelled import Labelled
from .likelihood import log_likelihood


@dataclass(frozen=True, eq=False)  # of arrays
class ByLabel:
    """What ``by_label`` found. Shapes: given (N, C), log p(x|y) in nats; prior (C,), p(y).

    Source: the module, whose numbers these are."""

    given: np.ndarray
    prior: np.ndarray

    @property
    def each(self) -> np.ndarray:
        """log p(x) (N,), in nats. Source: the module."""
        return np.logaddexp.reduce(self._joint(), axis=1)  # (1)

    @property
    def posterior(self) -> np.ndarray:
        """p(y|x) (N, C). Source: the module."""
        return np.exp(self._joint() - self.each[:, None])  # (2)

    @property
    def labels(self) -> np.ndarray:
        """The likeliest label of each row, (N,). Source: the module, (2)."""
        return self._joint().argmax(axis=1)

    def _joint(self) -> np.ndarray:
        with np.errstate(divide="ignore"):  # a label that never is
            return self.given + np.log(self.prior)


def by_label(
    model: Any,
    x: Any,
    prior: Any = None,
    *,
    samples: int = 100,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = True,
) -> ByLabel:
    """log p(x|y) of each example of x (N, *input_shape), an array or a source, for every label y.

    prior: p(y) (C,), of the C classes that the model takes; all alike by default. samples, seed,
    threads: as for ``log_likelihood``, which runs C times, with the same noise. What x is given
    itself plays no role. Raises ValueError for a prior that is no probabilities, TypeError for a
    model that is given nothing, and what ``log_likelihood`` raises. Source: the module.
    """
    rows, C = fitting_rows(model, x, "x"), taken(model, "latent", "decoder")
    if not C:
        raise TypeError(
            f"this {type(model).__name__} draws x without a label, so there is no p(x|y): put "
            "Given(C) into its decoder"
        )
    p = checks.as_array(np.full(C, 1 / C) if prior is None else prior, "prior")
    fit = p.shape == (C,) and p.dtype.kind in "fiu" and (p >= 0).all()
    if not fit or abs(p.sum() - 1) > 1e-6:
        raise ValueError(f"prior is {prior!r}, but {C} probabilities that sum to 1 are expected")
    how: Any = {"samples": samples, "seed": seed, "threads": threads, "progress": progress}
    found = []
    for y in range(C):
        data = Labelled(rows.source, np.eye(C, dtype=np.float32)[np.full(len(rows), y)])
        found.append(log_likelihood(model, data, **how).each)
    return ByLabel(np.stack(found, axis=1), np.asarray(p, np.float64))
