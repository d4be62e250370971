"""Whether a latent draws what it says: the moments of z against mu and sigma = exp(logvar / 2).

No gradient check can see a wrong sampler: with sigma = exp(logvar) in forward and in backward,
every gradient is right, of another model. So z is drawn n times for one row h = [mu | logvar], and

    u = (z - mu) / exp(logvar / 2)             is to be N(0, I)                         (1)
    m = mean u is 0,   s^2 = mean (u - m)^2 is 1                                        (2)
    mean v^3 is 0,   mean v^4 is 3             v = (u - m) / s: the shape of the normal (3)
    mean v v' is 0                             v' of another dimension, sample, ...     (4)

so that a fault in one shows in its own line. The variances of the terms are 1, 2, 6, 24 and 1. How
far a mean may be off stands in moments.py.

Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4 (1); Kendall and
Stuart, "The advanced theory of statistics", vol. 1, 1969, section 12.9: the variances of the
sample's skewness and kurtosis, 6 / n and 24 / n (3).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import checks
from ..backend import Backend, get_backend
from .latents import BoundLatent
from .layers import draw, title
from .measure import Report, Row, probe
from .moments import mean_row

Pair = Sequence[np.ndarray]  # mu (D,), sigma (D,)
DRAWS = 2**21  # an error of 1 % in the variance is then 10 standard errors
SAMPLES = 2  # an example
EPOCHS = 1, 2


def check_sampler(
    latent: Any,
    h: Any = None,
    draws: int = DRAWS,
    backend: str = "numpy",
    *,
    mu: Any = None,
    sigma: Any = None,
) -> Report:
    """Check that z is drawn from N(mu, sigma^2) with sigma = exp(logvar / 2), and independently.

    h: one row (2D,) = [mu | logvar], by default one for latent.dimensions in which every number
    tells; for another h, of any shape, mu and sigma (D,) that z is to have. draws: how many
    numbers in all. A right sampler is called wrong with a probability of at
    most 1e-9. The latent is a copy, bound in float64 for two samples an example. It cannot see a
    wrong kl or a wrong gradient: check_bound and check_latent do. Raises what the latent raises.
    Source: the module, (1) to (4); moments.py.
    """
    checks.not_a_class("the latent", latent)
    row = _row(latent.dimensions) if h is None else np.array(h, np.float64)
    bound = get_backend(backend, "float64")
    if mu is None or sigma is None:
        D = latent.dimensions if hasattr(latent, "dimensions") else row.size // 2
        _require_mu_and_logvar(latent, D, row.shape)
        mu, sigma = row[:D], np.exp(row[D:] / 2)  # (1)
    due = np.broadcast_arrays(np.asarray(mu, np.float64), np.asarray(sigma, np.float64))
    N = max(draws // (SAMPLES * due[0].size), 2)
    mine = BoundLatent(latent, row.shape, N, SAMPLES, bound).latent
    first, second = (_standardised(mine, bound, row, due, N, epoch) for epoch in EPOCHS)
    return Report(f"sampler of {title(latent)}", _rows(due, first, second))


def takes_mu_and_logvar(latent: Any, D: int | None = None) -> bool:
    """Whether rows h are (2D,), as mu and logvar side by side are; D: latent.dimensions."""
    try:
        latent.check((2 * (D or latent.dimensions),))
    except ValueError:
        return False
    return True


def _require_mu_and_logvar(latent: Any, D: int, shape: tuple[int, ...]) -> None:
    """Raise ValueError where rows h are not (2D,), and so tell no mu and sigma."""
    if shape != (2 * D,) or not takes_mu_and_logvar(latent, D):
        latent.check(shape)
        raise ValueError(
            f"rows of shape {shape} for {D} latent numbers are not mu and logvar "
            "side by side: say what z is to have, check_sampler(latent, h, mu=mu, sigma=sigma)"
        )


def _row(D: int) -> np.ndarray:
    """h (2D,): mu between 1/2 and 2 with either sign, logvar between -2 and 2, none near 0."""
    a = probe((2, D), 40)
    sign, size = np.where(a < 0, -1, 1), 0.5 + 1.5 * np.abs(np.tanh(a))
    return (sign * size).ravel()


def _standardised(
    latent: Any, backend: Backend, row: np.ndarray, due: Pair, N: int, epoch: int
) -> np.ndarray:
    """u (N, K, D) of fresh draws in that epoch."""
    mu, sigma = due
    draw(latent, backend, N, epoch=epoch)
    h = np.broadcast_to(row, (N, *row.shape))
    z = backend.to_host(latent.forward(backend.asarray(h))).reshape(N, SAMPLES, -1)
    return (z - mu) / sigma  # (1)


def _rows(due: Pair, first: np.ndarray, second: np.ndarray) -> list[Row]:
    u, D = first.reshape(-1, first.shape[2]), first.shape[2]
    tests = 2 * (D + 1) + 2 + D * (D - 1) // 2 + 3 * D
    m, s = u.mean(axis=0), u.std(axis=0)  # (2)
    v, later = ((a - m) / np.where(s > 0, s, 1) for a in (first, second))

    def moment(what: str, off: np.ndarray, variance: float) -> Row:
        each = mean_row(what, off, variance, len(u), tests, lambda i: _told(due, m, s, i))
        together = mean_row(what, off.mean(), variance, u.size, tests)
        return together if each.verdict == "right" else each

    def product(what: str, a: np.ndarray, b: np.ndarray) -> Row:
        r = (a * b).mean(axis=0)  # (4)
        return mean_row(what, r, 1.0, len(a), tests, lambda i: f"dimension {i}")

    third, fourth = (v**3).mean(), (v**4).mean() - 3  # (3)
    return [
        moment("mean", m, 1.0),
        moment("variance", s * s - 1, 2.0),
        mean_row("third moment", third, 6.0, u.size, tests),
        mean_row("fourth moment", fourth, 24.0, u.size, tests),
        *_dimensions(v.reshape(u.shape), tests),
        product("samples independent", v[:, 0], v[:, 1]),
        product("examples independent", v[:-1, 0], v[1:, 0]),
        product("epochs independent", v[:, 0], later[:, 0]),
    ]


def _dimensions(v: np.ndarray, tests: int) -> list[Row]:
    """The correlation of each two dimensions of v (n, D); nothing for one."""
    i, j = np.triu_indices(v.shape[1], 1)
    if not len(i):
        return []
    r = (v.T @ v / len(v))[i, j]  # (4)
    say = [f"dimensions {a} and {b}" for a, b in zip(i, j, strict=True)]
    return [mean_row("dimensions independent", r, 1.0, len(v), tests, say.__getitem__)]


def _told(due: Pair, m: np.ndarray, s: np.ndarray, i: int) -> str:
    """What z of dimension i has, and what it should have."""
    mu, sigma = (float(half[i]) for half in due)
    mean, deviation = mu + sigma * m[i], sigma * s[i]
    is_due = f"mu is {mu:.4g} and sigma = exp(logvar / 2) {sigma:.4g}"
    if abs(deviation / sigma**2 - 1) < 0.02:
        is_due += f", exp(logvar) {sigma**2:.4g}"
    return f"dimension {i}: z has mean {mean:.4g} and deviation {deviation:.4g}, where {is_due}"
