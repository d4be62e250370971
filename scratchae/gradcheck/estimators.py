"""Whether an estimator's gradient is right in the mean, by quadrature over its noise.

The gradient of STL or DReG is no slope of the loss that was drawn, so differences of that loss say
nothing of it. Over the noise eps both have a mean, and those are to be a function and its slope:

    L(theta) = E_eps[loss(theta, eps)]                                                  (1)
    dL/dtheta = E_eps[g(theta, eps)]              g: what ``backward`` fills            (2)

For a latent of one number and K = 1 or 2 samples, E_eps is a sum over the Gauss-Hermite rule's
nodes in each of the K directions, written where the latent keeps its noise: no draw is made.

Source: Tucker, Lawson, Gu, Maddison, "Doubly reparameterized gradient estimators for Monte Carlo
objectives", 2019, section 3; Abramowitz and Stegun, "Handbook of mathematical functions", 1964,
25.4.46.
"""

from typing import Any

import numpy as np

from .. import checks
from ..backend import Array, Backend, get_backend
from ..latents import GivenPrior
from ..objectives import Objective
from ..parameters import Views
from .grids import pairs
from .layers import Tensors, thawed, title
from .measure import Report
from .models import given_for, possible

Shape = tuple[int, ...]
MOST = 2  # samples: the grid has nodes^K points


def check_estimator(
    objective: Objective,
    shape: Shape,
    rows: int = 2,
    nodes: int = 24,
    backend: str = "numpy",
    *,
    given: Any = None,
) -> Report:
    """Check that the mean gradient of an objective is the slope of its mean loss, for each named
    tensor, on rows x (rows, *shape) in (0, 1).

    objective: over a latent of one number, with 1 or 2 samples. nodes: of the rule, in each
    direction; what is left of its error falls fast with them, and is small where the decoder is
    smooth. given: what the rows are given beside x, as in ``encode``; made up by default. It
    cannot see noise that is drawn wrongly (check_sampler) or a loss that bounds nothing
    (check_bound). Raises TypeError for an objective without a latent, or one that keeps no noise
    in self.eps, ValueError for another latent, for more samples, and where the loss is no sum over
    examples. Source: the module.
    """
    checks.not_a_class("the objective", objective)
    _require(objective)
    bound = get_backend(backend, "float64")
    x, c = possible(objective.likelihood, (rows, *shape)), given_for(objective, given, rows)
    mean = _Mean(objective, bound, x, c, nodes)
    return Report(
        f"estimator {title(objective)}", mean.tensors.judge(mean.loss, lambda _: mean.gradients())
    )


def _require(objective: Any) -> None:
    latent: Any = objective.latent
    if latent is None:
        raise TypeError(
            f"{type(objective).__name__} has no latent, and so no noise over which a mean is "
            "taken: check_objective checks its gradient"
        )
    D = getattr(latent, "dimensions", 0)
    if not D or (latent.networks() and not isinstance(latent, GivenPrior)):
        raise ValueError(
            f"{type(latent).__name__} has noise of its networks, or of several layers, but "
            "quadrature takes that of one normal layer: check_objective checks the gradient of "
            "ELBO and IWAE"
        )
    if D != 1 or objective.K > MOST:
        raise ValueError(
            f"{type(objective).__name__} has {D} latent numbers and {objective.K} samples, but "
            f"quadrature over the noise takes 1, and 1 or {MOST} samples: check the same layers "
            "with fewer"
        )
    if not objective.additive:
        raise ValueError(
            f"the loss of {type(objective).__name__} is no sum over examples, but a mean over the "
            "noise of each is taken: check_objective holds its gradient to its slope"
        )


class _Mean:
    """An objective's loss and gradients, the mean over its noise, for x (N, ...), c (N, C)."""

    def __init__(self, objective: Objective, backend: Backend, x: np.ndarray, c: Any, nodes: int):
        self.backend, self.N = backend, len(x)
        one, w = np.polynomial.hermite_e.hermegauss(nodes)
        self.eps = pairs([one] * objective.K)  # (M, K)
        self.w = pairs([w / w.sum()] * objective.K).prod(axis=1)  # (M,)
        self.objective, self.x = thawed(objective), backend.asarray(x)
        self.tensors = Tensors(backend, self.objective.declare(x.shape[1:]))
        self._bind(self.objective, self.tensors.grads, self.N)
        self.wide = thawed(objective)  # every point for every example, a row each
        self.wide.declare(x.shape[1:])
        self._bind(self.wide, {}, len(self.w) * self.N)
        self.backend.write(self._eps(self.wide), np.repeat(self.eps, self.N, 0).reshape(-1, 1))
        self.every_x = backend.asarray(np.concatenate([x] * len(self.w)))
        if c is not None:
            self.objective.give(backend.asarray(c))
            self.wide.give(backend.asarray(np.concatenate([c] * len(self.w))))
        self.known: tuple[bytes, np.ndarray] = b"", np.zeros(0)

    def _bind(self, objective: Objective, grads: Views, rows: int) -> None:
        objective.attach(self.tensors.values, grads)
        objective.bind(self.backend, rows)
        objective.accumulate(False)

    def _eps(self, objective: Objective) -> Array:
        latent: Any = objective.latent
        if not hasattr(latent, "eps"):
            raise TypeError(
                f"{type(latent).__name__} keeps no noise in self.eps, (rows, D), where it is "
                "written: keep it there, as Gaussian does"
            )
        return latent.eps

    def loss(self) -> float:
        """The count times (1)."""
        self.wide.forward(self.every_x)
        each = self.wide.each(self.backend.to_host)["loss"]  # (M N,)
        return float(self.w @ each.reshape(-1, self.N).sum(axis=1))  # (1)

    def gradients(self) -> None:
        """Fill the gradients with (2), times the count: once for the same parameters."""
        key = self.backend.to_host(self.tensors.parameters.values).tobytes()
        if key != self.known[0]:
            self.known = key, self._mean()
        self.backend.write(self.tensors.flat, self.known[1])

    def _mean(self) -> np.ndarray:
        mean = np.zeros(self.tensors.flat.shape)
        for w, eps in zip(self.w, self.eps, strict=True):
            self.backend.write(self._eps(self.objective), np.tile(eps, self.N).reshape(-1, 1))
            self.objective.backward(self.objective.forward(self.x))
            mean += w * self.backend.to_host(self.tensors.flat)  # (2)
        return mean
