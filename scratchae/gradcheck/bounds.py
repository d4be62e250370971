"""Whether a VAE's loss is the bound that it should be, by quadrature: latents of 1 or 2 numbers,
any decoder.

With q(z|x) = N(mu, diag sigma^2), the mean over eps of the loss with beta = 1 is to be

    L = E_q[log q(z|x) - log p(x, z)]          from z by the model's latent             (1)
      = -log p(x) + KL(q(z|x), p(z|x))         so never below -log p(x)                 (2)

The model's side is its loss at every node eps_i of the Gauss-Hermite rule of weights w_i, written
where the latent keeps its noise. The other side does without the model's latent:

    z_i = mu + exp(logvar / 2) eps_i                                                    (3)
    log p(x, z) = -nll(decoder(z), x) - sum (z^2 + log(2 pi)) / 2                       (4)
    KL(q(z|x), p(z|x)) = sum_i w_i (log q(z_i|x) - log p(x, z_i)) + log p(x)            (5)
    log p(x) = log of int p(x, z) dz           the trapezoid rule on a box              (6)

Both sides use the same nodes, so they agree to rounding even where the decoder has kinks. The box
of (6) is the prior's at first, and shrinks to what lies within 40 nats of the largest.

Source: Kingma and Welling 2014, eq. 1 to 3 (1, 2); Abramowitz and Stegun, "Handbook of
mathematical functions", 1964, 25.4.46 (Gauss-Hermite); Trefethen and Weideman, "The exponentially
convergent trapezoidal rule", 2014, section 5 (6).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import checks
from ..backend import Backend
from ..models import Model
from ..objectives import ELBO
from ..randomness import OUTPUTS, Draws
from .distributions import mass_rows
from .grids import pairs
from .layers import Tensors, thawed, title
from .measure import TOLERANCE, Report, Row, probe
from .models import data_for
from .samplers import takes_mu_and_logvar

LOG_2PI = math.log(2 * math.pi)
NODES = {1: 40, 2: 20}  # of Gauss-Hermite in each of D dimensions
POINTS = {1: 257, 2: 65}  # of the trapezoid rule in each of D dimensions
EDGE = 9.0  # of the first box: the prior's mass outside is 2e-19
DEEP = 40.0  # nats below the largest: exp(-40) = 4e-18
UNSETTLED = 0.1  # nats, between the step and twice the step
ROWS = 1024  # that the decoder takes at once


def check_bound(model: Model, x: np.ndarray | int = 3, backend: str | None = None) -> Report:
    """Check the loss of a VAE with one or two latent numbers against log p(x) by quadrature.

    x: data (N, *input_shape); for a model that is built a number of rows will do, drawn from the
    model's own p(x). "loss": the model's mean loss with beta = 1 less -log p(x) is the KL of q
    from the true posterior, to rounding: a wrong sigma, a wrong KL, terms that are not in nats per
    example show. "bound": it is not below -log p(x). Then the mass of the likelihood, since a
    constant that nll lacks is on both sides. It cannot see noise that is drawn wrongly
    (check_sampler) or a wrong gradient (check_model). Layers that draw noise let x pass, as in
    encode and decode. Raises ValueError for a latent of more than two numbers, TypeError for
    another model. Source: the module, (1) to (6).
    """
    checks.not_a_class("the model", model)
    _require(model)
    bound, data, values = data_for(model, x, backend, _drawn)
    sides = _Sides(model.objective, bound, data, values)
    loss, exact = sides.loss(), sides.exact()
    found = [_gap(loss, exact), _bound(loss, exact)]
    return Report(
        f"bound of {title(model)}", [*found, *mass_rows(model.likelihood, data.shape[1:], bound)]
    )


def _require(model: Any) -> None:
    """Raise unless it is a VAE with one or two latent numbers."""
    if not isinstance(getattr(model, "objective", None), ELBO):
        raise TypeError(
            f"check_bound is given {type(model).__qualname__}, but a VAE is expected: only the "
            "loss of a VAE bounds log p(x)"
        )
    latent = model.latent
    if latent.networks():
        raise ValueError(
            f"{type(latent).__name__} has networks inside, but check_bound knows one normal layer "
            "with the prior N(0, I): check_latent and check_model check its gradients"
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


def _drawn(model: Model, n: int) -> np.ndarray | None:
    """x (n, *input_shape) from the model's own p(x); None if its likelihood has no sample."""
    z = probe((n, model.latent.dimensions), 41)
    try:
        return model.objective.likelihood.sample(model.decoder_output(z), Draws(0, OUTPUTS))
    except TypeError:
        return None


class _Sides:
    """Both sides of (1), in float64, for x (N, ...) at those parameters."""

    def __init__(self, objective: Any, backend: Backend, x: np.ndarray, values: Any):
        self.backend, self.x = backend, x
        self.mine, self.wide = thawed(objective), thawed(objective)
        self.mine.beta = 1.0
        for copied, rows in ((self.mine, len(x)), (self.wide, ROWS)):
            tensors = Tensors(backend, copied.declare(x.shape[1:]), values)
            copied.attach(tensors.values, tensors.grads)
            copied.bind(backend, rows)
        self.D = objective.latent.dimensions
        if not hasattr(self.mine.latent, "eps"):
            raise TypeError(
                f"{type(objective.latent).__name__} keeps no noise in self.eps, (rows, D), where "
                "check_bound writes it: keep it there, as Gaussian does, or use check_sampler"
            )
        one, w = np.polynomial.hermite_e.hermegauss(NODES[self.D])
        self.eps = pairs([one] * self.D)  # (M, D)
        self.w = pairs([w / w.sum()] * self.D).prod(axis=1)  # (M,)

    def loss(self) -> float:
        """L by the model: its loss at each node."""
        rows, mean = self.backend.asarray(self.x), 0.0
        for eps, w in zip(self.eps, self.w, strict=True):
            self.backend.write(self.mine.latent.eps, np.tile(eps, (len(self.x), 1)))
            total = self.backend.to_host(self.mine.forward(rows))
            mean += w * self.mine.loss(total)["loss"]  # (1)
        return float(mean)

    def exact(self) -> tuple[np.ndarray, np.ndarray, float]:
        """log p(x) (N,) and KL(q(z|x), p(z|x)) (N,), and how far log p(x) is from settled."""
        h = self.backend.to_host(self.mine.encoder.forward(self.backend.asarray(self.x)))
        log_p, kl, settled = np.empty(len(h)), np.empty(len(h)), 0.0
        for n, (mu, logvar) in enumerate(zip(*np.split(h, 2, axis=1), strict=True)):
            z = mu + np.exp(logvar / 2) * self.eps  # (3)
            log_q = -(self.eps**2 + logvar + LOG_2PI).sum(axis=1) / 2
            log_p[n], coarse = _log_evidence(partial(self.log_joint, n), self.D)
            kl[n] = self.w @ (log_q - self.log_joint(n, z)) + log_p[n]  # (5)
            settled = max(settled, abs(log_p[n] - coarse))
        return log_p, kl, settled

    def log_joint(self, n: int, z: np.ndarray) -> np.ndarray:
        """log p(x_n, z) (M,) at z (M, D)."""
        prior = -(z * z + LOG_2PI).sum(axis=1) / 2
        return prior - np.concatenate(
            [self._nll(z[i : i + ROWS], n) for i in range(0, len(z), ROWS)]
        )  # (4)

    def _nll(self, z: np.ndarray, n: int) -> np.ndarray:
        a = self.wide.decoder.forward(self.backend.asarray(z))
        x = self.backend.asarray(np.repeat(self.x[n : n + 1], len(z), axis=0))
        return np.array(self.backend.to_host(self.wide.likelihood.forward(a, x)))


def _log_evidence(log_joint: Callable[[np.ndarray], np.ndarray], D: int) -> tuple[float, float]:
    """log p(x), and the same with twice the step; NaN where log_joint, (M, D) -> (M,), is."""
    low, high, k = np.full(D, -EDGE), np.full(D, EDGE), POINTS[D]
    while True:
        axes = [np.linspace(a, b, k) for a, b in zip(low, high, strict=True)]
        step = (high - low) / (k - 1)
        log = log_joint(pairs(axes))
        if not np.isfinite(log.max()):
            return math.nan, math.nan
        kept = pairs(axes)[log > log.max() - DEEP]
        before, low, high = high - low, kept.min(axis=0) - step, kept.max(axis=0) + step
        if (high - low > 0.8 * before).all():
            break
    every_other = (pairs([np.arange(k)] * D) % 2 == 0).all(axis=1)
    volume = float(np.log(step).sum())
    fine = np.log(np.exp(log - log.max()).sum()) + log.max() + volume  # (6)
    coarse = np.log(np.exp(log[every_other] - log.max()).sum()) + log.max() + volume  # (6)
    return float(fine), float(coarse + D * math.log(2))


def _gap(loss: float, exact: tuple[np.ndarray, np.ndarray, float]) -> Row:
    """Whether the loss less -log p(x) is the KL of q from the true posterior, (2)."""
    log_p, kl = (float(term.mean()) for term in exact[:2])
    error = abs(loss + log_p - kl) / max(1.0, abs(loss))  # (2)
    note = f"loss {loss:.6g}, -log p(x) {-log_p:.6g}, KL(q, p(z|x)) {kl:.6g} nats"
    right = error <= TOLERANCE
    return (
        Row("loss", error, "right", note)
        if right
        else Row("loss", error, "wrong", f"{note}: the loss should be the sum of the other two")
    )


def _bound(loss: float, exact: tuple[np.ndarray, np.ndarray, float]) -> Row:
    """Whether the loss is at least -log p(x), (2)."""
    log_p, settled = float(exact[0].mean()), exact[2]
    if not math.isfinite(log_p - loss):
        note = f"loss {loss:.6g}, log p(x) {log_p:.6g}: nll is not finite at some z"
        return Row("bound", math.inf, "wrong", note)
    below = max(-log_p - loss, 0.0) / max(1.0, abs(loss))  # (2)
    if settled > UNSETTLED:
        note = f"log p(x) is known to {settled:.1g} nats only: the decoder is too sharp"
        return Row("bound", below, "wrong", note)
    if below <= TOLERANCE + settled:
        return Row("bound", below, "right", f"log p(x) settled to {settled:.0e} nats")
    return Row("bound", below, "wrong", f"loss {loss:.6g} is below -log p(x) {-log_p:.6g} nats")
