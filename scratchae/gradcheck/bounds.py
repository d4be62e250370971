"""Whether a VAE's loss is the bound that it should be, by quadrature: latents of 1 or 2 numbers,
any decoder.

With K samples z_k of q(z|x) = N(mu, diag sigma^2), each of log w_k = log p(x, z_k) - log q(z_k|x),
the mean over eps of the loss is to be

    L = -E[1/K sum_k log w_k]                of an ELBO, less its penalty               (1)
    L = -E[log(1/K sum_k w_k)]               of IWAE                                    (2)

where the penalty is what beta, free bits or a capacity add. (1) is -log p(x) + KL(q(z|x), p(z|x))
for every K, (2) is that for K = 1 and less for more: neither is below -log p(x).

The model's side is its loss where the samples stand at the points of points.py, whose nodes eps_i
are written where the latent keeps its noise. The other side does without the model's latent:

    z_i = mu + exp(logvar / 2) eps_i                                                    (3)
    log p(x, z) = -nll(decoder(z), x) - sum ((z - m)^2 exp(-l) + l + log(2 pi)) / 2     (4)
    log w_i = log p(x, z_i) + sum (eps_i^2 + logvar + log(2 pi)) / 2                    (5)

with m = l = 0, or those of a GivenPrior. Both sides use the same nodes, so they agree to rounding
even where the decoder has kinks. log p(x) is that of evidence.py.

Source: Kingma and Welling 2014, eq. 1 to 3 (1); Burda, Grosse, Salakhutdinov, "Importance weighted
autoencoders", 2016, eq. 8 (2).
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import checks
from ..backend import Backend
from ..latents import Gaussian, GivenPrior, Latent
from ..models import Model
from ..objectives import ELBO, IWAE
from ..randomness import OUTPUTS, Draws
from .distributions import mass_rows
from .evidence import log_evidence
from .layers import Tensors, thawed, title
from .measure import TOLERANCE, Report, Row, probe
from .models import data_for, given_for
from .points import NODES, Points, fitting, log_sum
from .samplers import takes_mu_and_logvar

LOG_2PI = math.log(2 * math.pi)
UNSETTLED = 0.1  # nats: how far from settled log p(x) may be
ROWS = 1024  # that the decoder takes at once


def check_bound(
    model: Model,
    x: np.ndarray | int = 3,
    backend: str | None = None,
    *,
    samples: int | None = None,
    given: Any = None,
) -> Report:
    """Check the loss of a VAE with one or two latent numbers against log p(x) by quadrature.

    x: data (N, *input_shape); for a model that is built a number of rows will do, drawn from the
    model's own p(x). samples: K, those of the objective by default. given: what the rows are given
    beside x, as in ``encode``; made up by default. "loss": the model's mean loss is the bound (1),
    of IWAE (2), to rounding: a wrong sigma, a wrong KL, terms that are not in nats per example
    show. "bound": it is not below -log p(x). Then the mass of the likelihood, since a constant
    that nll lacks is on both sides. It cannot see noise that is drawn wrongly (check_sampler) or a
    wrong gradient (check_model, check_estimator). Layers that draw noise let x pass, as in encode
    and decode. Raises ValueError for a latent of more than two numbers, for one that defines
    sample(n, noise), as of a prior of its own, and for more samples of IWAE than quadrature takes,
    TypeError for another model. Source: the module, (1) to (5).
    """
    checks.not_a_class("the model", model)
    _require(model)
    objective = model.objective
    points = _points(objective, samples)
    bound, data, values = data_for(model, x, backend, partial(_drawn, given=given))
    c = given_for(objective, given, len(data))
    sides = _Sides(objective, bound, data, values, points, c)
    loss, exact = sides.loss(), sides.exact()
    found = [_loss_row(loss, exact, points, model.latent), _bound_row(loss, exact, points)]
    name = f"bound of {title(model)}" + (f", K = {points.K}" if points.K > 1 else "")
    return Report(name, [*found, *mass_rows(model.likelihood, data.shape[1:], bound)])


def _require(model: Any) -> None:
    """Raise unless it is a VAE with one or two latent numbers."""
    if not isinstance(getattr(model, "objective", None), (ELBO, IWAE)):
        raise TypeError(
            f"check_bound is given {type(model).__qualname__}, but a VAE is expected, or a Model "
            "of an ELBO or IWAE: only their loss bounds log p(x)"
        )
    model.likelihood.require_rows()
    latent: Any = model.latent
    if latent.networks() and not isinstance(latent, GivenPrior):
        raise ValueError(
            f"{type(latent).__name__} has networks inside, but check_bound knows one normal layer "
            "with the prior N(0, I) or a GivenPrior: check_latent and check_model check its "
            "gradients"
        )
    if type(latent).sample not in (Latent.sample, GivenPrior.sample):
        raise ValueError(
            f"{type(latent).__name__} has a prior of its own, sample(n, noise), whose density is "
            "not known here: check_bound knows N(0, I) and GivenPrior; check_sampler(latent) "
            "checks the draws of q, check_latent its gradients"
        )
    D = latent.dimensions
    if not takes_mu_and_logvar(latent):
        raise ValueError(
            f"{type(latent).__name__} takes no mu and logvar side by side, from which check_bound "
            "knows q(z|x): check_sampler(latent, h, mu=mu, sigma=sigma) checks its draws"
        )
    if D not in NODES:
        raise ValueError(
            f"{type(latent).__name__}({D}) has {D} latent numbers, but quadrature "
            "takes 1 or 2: check the same layers with fewer, or the parts: check_sampler(latent), "
            "check_likelihood(likelihood)"
        )


def _points(objective: Any, samples: int | None) -> Points:
    """Where that many samples stand. Raises ValueError for too many that are not linear."""
    K = objective.samples if samples is None else checks.positive("samples", samples)
    D, apart = objective.latent.dimensions, isinstance(objective, IWAE)
    if apart and K > 1 and not fitting(D, K):
        most = max(k for k in range(1, K) if fitting(D, k))
        raise ValueError(
            f"{type(objective).__name__} has {K} samples, and D = {D}, but quadrature over their "
            f"noise takes {most} at most: check it with fewer, check_bound(model, x, "
            f"samples={most})"
        )
    return Points(D, K, apart)


def _drawn(model: Model, n: int, given: Any) -> np.ndarray | None:
    """x (n, *input_shape) from the model's own p(x); None if its likelihood has no sample."""
    z, c = probe((n, model.latent.dimensions), 41), given_for(model.objective, given, n)
    c = c if model.objective.conditions("decoder") else None
    try:
        return model.likelihood.sample(model.decoder_output(z, c), Draws(0, OUTPUTS))
    except TypeError:
        return None


@dataclass(frozen=True)
class _Exact:
    """The bound L and log p(x) of each example, (N,); of all, how far log p(x) is from settled,
    and how far above it the nodes have it, log of the sum of w_i exp(log w_i)."""

    bound: np.ndarray
    log_p: np.ndarray
    settled: float
    above: float


class _Sides:
    """Both sides of (1) or (2), in float64, for x (N, ...) given c (N, C), at those values."""

    def __init__(
        self, objective: Any, backend: Backend, x: np.ndarray, values: Any, points: Points, c: Any
    ):
        self.backend, self.x, self.points, self.c = backend, x, points, c
        self.mine, self.wide = thawed(objective), thawed(objective)
        for copied, rows, K in ((self.mine, len(x), points.K), (self.wide, ROWS, 1)):
            copied.draw_samples(K)
            tensors = Tensors(backend, copied.declare(x.shape[1:]), values)
            copied.attach(tensors.values, tensors.grads)
            copied.bind(backend, rows)
        latent: Any = self.mine.latent
        if not hasattr(latent, "eps"):
            raise TypeError(
                f"{type(latent).__name__} keeps no noise in self.eps, (rows, D), where "
                "check_bound writes it: keep it there, as Gaussian does, or use check_sampler"
            )
        if c is not None:
            self.mine.give(backend.asarray(c))
        p = np.zeros((len(x), 2 * latent.dimensions))
        if isinstance(latent, GivenPrior):
            p = np.array(backend.to_host(latent.network.forward(backend.asarray(c))))
        self.m, self.l = np.split(p, 2, axis=1)  # (N, D), of p(z)

    def loss(self) -> float:
        """L by the model: its loss at each point, less the penalty of an ELBO."""
        rows, mean, of_elbo = self.backend.asarray(self.x), 0.0, isinstance(self.mine, ELBO)
        for nodes, W in zip(self.points.nodes, self.points.W, strict=True):
            eps = np.tile(self.points.eps[nodes], (len(self.x), 1))
            self.backend.write(self.mine.latent.eps, eps)
            terms = self.mine.loss(self.backend.to_host(self.mine.forward(rows)))
            mean += W * (terms["loss"] - (terms["penalty"] if of_elbo else 0.0))  # (1) (2)
        return float(mean)

    def exact(self) -> _Exact:
        """The other side."""
        h = self.backend.to_host(self.mine.encoder.forward(self.backend.asarray(self.x)))
        found, eps = [], self.points.eps
        for n, (mu, logvar) in enumerate(zip(*np.split(h, 2, axis=1), strict=True)):
            z = mu + np.exp(logvar / 2) * eps  # (3)
            log_w = self.log_joint(n, z) + (eps**2 + logvar + LOG_2PI).sum(axis=1) / 2  # (5)
            log_p, coarse = log_evidence(
                partial(self.log_joint, n), self.m[n], np.exp(self.l[n] / 2)
            )
            with np.errstate(invalid="ignore"):
                above = float(log_sum(log_w + np.log(self.points.w))) - log_p
                found.append((self._bound(log_w), log_p, abs(log_p - coarse), above))
        bound, log_p, settled, above = np.transpose(found)
        return _Exact(bound, log_p, settled.max(), above.max())

    def _bound(self, log_w: np.ndarray) -> float:
        """L, from log_w (M,) at the nodes."""
        each = log_w[self.points.nodes]
        if not self.points.apart:
            return float(-self.points.W @ each.mean(axis=1))  # (1)
        return float(-self.points.W @ (log_sum(each) - math.log(self.points.K)))  # (2)

    def log_joint(self, n: int, z: np.ndarray) -> np.ndarray:
        """log p(x_n, z) (M,) at z (M, D)."""
        m, l = self.m[n], self.l[n]
        prior = -((z - m) ** 2 * np.exp(-l) + l + LOG_2PI).sum(axis=1) / 2
        return prior - np.concatenate(
            [self._nll(z[i : i + ROWS], n) for i in range(0, len(z), ROWS)]
        )  # (4)

    def _nll(self, z: np.ndarray, n: int) -> np.ndarray:
        if self.c is not None:
            self.wide.give(self.backend.asarray(np.repeat(self.c[n : n + 1], len(z), axis=0)))
        a = self.wide.decoder.forward(self.backend.asarray(z))
        x = self.backend.asarray(np.repeat(self.x[n : n + 1], len(z), axis=0))
        return np.array(self.backend.to_host(self.wide.likelihood.forward(a, x)))


def _loss_row(loss: float, exact: _Exact, points: Points, latent: Any) -> Row:
    """Whether the loss is L of the other side."""
    bound, log_p = float(exact.bound.mean()), float(exact.log_p.mean())
    error = abs(loss - bound) / max(1.0, abs(loss))
    gap = f"the gap of {points.K} samples" if points.apart else "KL(q, p(z|x))"
    note = f"loss {loss:.6g}, -log p(x) {-log_p:.6g}, {gap} {bound + log_p:.6g}"
    if error <= TOLERANCE:
        return Row("loss", error, "right", f"{note} nats")
    note = f"{note} nats: the loss should be the sum of the other two"
    if not isinstance(latent, (Gaussian, GivenPrior)):
        name = type(latent).__name__
        note += f"; {name} defines no sample(n, noise), so its prior is taken for N(0, I)"
    return Row("loss", error, "wrong", note)


def _bound_row(loss: float, exact: _Exact, points: Points) -> Row:
    """Whether the loss is at least -log p(x)."""
    log_p, settled = float(exact.log_p.mean()), exact.settled
    if not math.isfinite(log_p - loss):
        note = f"loss {loss:.6g}, log p(x) {log_p:.6g}: nll is not finite at some z"
        return Row("bound", math.inf, "wrong", note)
    scale = max(1.0, abs(loss))
    below = max(-log_p - loss, 0.0) / scale
    if settled > UNSETTLED:
        note = f"log p(x) is known to {settled:.1g} nats only: the decoder is too sharp"
        return Row("bound", below, "wrong", note)
    # (2) is not below -log p(x) as the nodes have it
    above = max(exact.above, 0.0) if points.apart else 0.0
    if below <= TOLERANCE + (settled + min(above, UNSETTLED)) / scale:
        return Row("bound", below, "right", f"log p(x) settled to {settled:.0e} nats")
    if above > UNSETTLED:
        note = f"log p(x) is {above:.1g} nats larger by the nodes: q(z|x) is too wide for them"
        return Row("bound", below, "does not settle", note)
    return Row("bound", below, "wrong", f"loss {loss:.6g} is below -log p(x) {-log_p:.6g} nats")
