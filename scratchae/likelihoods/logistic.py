"""Values that are counted in steps, such as the 256 of a pixel, with a spread that is learned."""

import math
from typing import Any

import numpy as np

from .. import checks
from ..backend import Array
from ..kernels.discretised_logistic import DISCRETISED_LOGISTIC_NLL, FLOOR
from ..parameters import Views
from ..settings import Fixed
from .base import Likelihood

OFF = 0.01  # of a bin: how far a value may lie from the middle of its bin
SMOOTH = 1.5  # scale in bins, from which on the sum (3) is its integral and three corrections
AROUND = 27  # bins on each side of mu, where the scale is below that: exp(-18) is left out
MOST = 1 << 16  # bins that can be coded: coding/symbols.py


def _bins(what: str, bins: int) -> int:
    """A number of bins. Raises ValueError otherwise."""
    if not checks.whole(bins, 2):
        raise ValueError(f"{what} is {bins!r}, but a whole number of at least 2 is due")
    return int(bins)


def _edge(what: str, value: float) -> float:
    """A number that float32 can hold. Raises ValueError otherwise."""
    return checks.real(what, value, -checks.MOST32, checks.MOST32)


class DiscretisedLogistic(Likelihood):
    """p(x | a) of ``bins`` values from low to high: what a logistic distribution of mean mu and
    scale s has between the edges of each, and beyond the edges for the first and the last.

    Shapes: x (N, ..., C) of these values, a (N, ..., 2C) = [mu | log s] along the last axis, in
    units of the data, so the decoder's last axis is twice that of the data; nll (N,) in nats. With
    bins w = (high - low) / (bins - 1) wide, by default the 8-bit images k / 255:

        s = w / 64 + exp(log s)                                                         (1)
        x = low + w k,   k = 0, ..., bins - 1,   P(k) by kernels/discretised_logistic.py
        draws: mu + s log(u / (1 - u)), in the bin where that lies                      (2)
        mean: low + w sum over the edges of sigmoid((mu - edge) / s)                    (3)

    nll is a log-likelihood of the numbers themselves: divided by the count of values and by log 2
    it is bits per dimension. Raises ValueError for fewer than 2 bins, high <= low, and data
    between the values. Source: Salimans, Karpathy, Chen, Kingma, "PixelCNN++", 2017, eq. 2,
    without its clamps; Olver et al., "NIST handbook of mathematical functions", 2010, 2.10.1 (3).
    """

    kernel = DISCRETISED_LOGISTIC_NLL
    bins, low, high = Fixed(_bins), Fixed(_edge), Fixed(_edge)

    def __init__(self, bins: int = 256, low: float = 0.0, high: float = 1.0):
        self.bins, self.low, self.high = bins, low, high
        self._require_span()

    def _require_span(self) -> None:
        """Raise ValueError unless low < high."""
        checks.real(f"{type(self).__name__}(high)", self.high, self.low, strict=True)

    @property
    def takes_grey(self) -> bool:  # type: ignore[override]
        """Whether its bins hold k / 255, so that images of uint8 need no look. Source: (2)."""
        return (self.low, self.high) == (0, 1) and (self.bins - 1) % 255 == 0

    @property
    def width(self) -> float:
        """w of a bin, in the units of the data. Raises ValueError unless low < high."""
        self._require_span()
        return (self.high - self.low) / (self.bins - 1)

    def parameters(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(..., C) -> (..., 2C): mu and log s side by side."""
        return (*shape[:-1], 2 * shape[-1])

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """low, w and bins, whatever the shape. Source: kernels/discretised_logistic.py."""
        return self.low, self.width, self.bins

    def flat(self, rows: Array) -> Array:
        """The last axis stays one: (n, ..., C) -> (n, P, C), a view. Source:
        kernels/discretised_logistic.py."""
        return rows.reshape(rows.shape[0], -1, rows.shape[-1])

    def check(self, x: np.ndarray) -> None:
        """Raise ValueError where x (N, ...) lies between the values, by the first index."""
        if (at := checks.first_where(x, self._between)) is not None:
            inner = ("", f"{self.low + self.width:g}, ", f"{self.low + self.width:g}, ..., ")
            values = f"{self.low:g}, {inner[min(self.bins - 2, 2)]}{self.high:g}"
            raise ValueError(
                f"the data is {x[at]} at index {at}, but a DiscretisedLogistic likelihood takes "
                f"its {self.bins} values {values} alone: bin the data, x = likelihood.binned(x), "
                "or say which bins it has, DiscretisedLogistic(bins, low, high)"
            )

    def _between(self, x: np.ndarray) -> Any:
        k = (np.asarray(x, np.float64) - self.low) / self.width
        nearest = np.clip(np.rint(k), 0, self.bins - 1)
        return ~(np.abs(k - nearest) <= OFF)

    def binned(self, x: Any) -> np.ndarray:
        """Each number of x (any shape) as the nearest of the values, in the dtype of x or float64.
        Source: (2)."""
        x = np.asarray(x)
        return self._value(self._bin(x)).astype(x.dtype if x.dtype.kind == "f" else np.float64)

    def _bin(self, x: np.ndarray) -> np.ndarray:
        """k of the nearest value, in float64, same shape. Source: (2)."""
        k = np.rint((x.astype(np.float64) - self.low) / self.width)
        return np.clip(k, 0, self.bins - 1)

    def _value(self, k: np.ndarray) -> np.ndarray:
        """x of bin k, same shape: w k with one rounding, so that of 8 bits x is k / 255. Source:
        (2)."""
        return self.low + (self.high - self.low) * k / (self.bins - 1)

    def scale(self, a: np.ndarray) -> np.ndarray:
        """The scales s (N, ..., C), on the host, of a (N, ..., 2C). Source: (1)."""
        return self._mu_and_scale(a)[1].astype(a.dtype)

    def _mu_and_scale(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """a (N, ..., 2C) -> mu and s, each (N, ..., C) float64; s has a number up to exp(700)."""
        mu, log_s = np.split(a.astype(np.float64), 2, axis=-1)
        return mu, self.width * math.exp(FLOOR) + np.exp(np.minimum(log_s, 700.0))  # (1)

    def best_output(self, x: np.ndarray) -> Views:
        """Near it, mu and log s (..., 2C) by the mean and the variance of x (N, ..., C), which is
        (pi s)^2 / 3. Source: the logistic distribution's."""
        s = np.sqrt(3 * x.var(axis=0, dtype=np.float64)) / math.pi
        log_s = np.log(np.maximum(s, self.width * math.exp(FLOOR)))
        return {"a": np.concatenate([x.mean(axis=0, dtype=np.float64), log_s], axis=-1)}

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """x (N, ..., C) of a (N, ..., 2C)."""
        mu, s = self._mu_and_scale(a)
        u = np.clip(noise.uniform(mu.shape), 2.0**-54, 1 - 2.0**-53)
        return self.binned(mu + s * (np.log(u) - np.log1p(-u))).astype(a.dtype)  # (2)

    def mean(self, a: np.ndarray) -> np.ndarray:
        """The mean (N, ..., C) of p(x | a), a (N, ..., 2C), to 1e-7 of a bin. Source: (3)."""
        mu, s = self._mu_and_scale(a)
        m, s = (mu - self.low) / self.width, s / self.width
        k, sharp = _by_integral(m, np.maximum(s, SMOOTH), self.bins - 1), s < SMOOTH
        k[sharp] = _by_edges(m[sharp], s[sharp], self.bins - 1)
        return (self.low + self.width * k).astype(a.dtype)  # (3)

    def symbols(self, x: np.ndarray) -> np.ndarray:
        """x (N, ..., C) -> its bins (N, P C). Raises ValueError for numbers between the values,
        and for more bins than can be coded. Source: coding/symbols.py."""
        if self.bins > MOST:
            raise ValueError(
                f"x has {self.bins:,} bins, but at most {MOST:,} are coded: take fewer"
            )
        self.check(x)
        return self._bin(x).reshape(len(x), -1).astype(np.int64)

    def data(self, k: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """k (N, P C) bins -> x (N, *shape) float64. Source: (2)."""
        return self._value(k).reshape(len(k), *shape)

    def below(self, a: np.ndarray) -> np.ndarray:
        """a (N, ..., 2C) -> (N, P C, bins - 1) float64: how much of the logistic lies below each
        edge. Source: kernels/discretised_logistic.py (4) (5)."""
        mu, s = (part.reshape(len(a), -1, 1) for part in self._mu_and_scale(a))
        t = self.low + self.width * (np.arange(1, self.bins) - 0.5) - mu
        t *= 0.5 / s  # in place: an image of 8 bits has 200,000 of these
        np.tanh(t, out=t)
        t += 1
        t *= 0.5  # (1 + tanh(t / 2)) / 2 = sigmoid(t)
        return t


def _sigmoid(t: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(t / 2)


def _by_edges(m: np.ndarray, s: np.ndarray, edges: int) -> np.ndarray:
    """sum over the edges 1/2, 3/2, ... of sigmoid((m - edge) / s): those near m, and 1 for each
    below."""
    middle = np.clip(np.rint(m), 0, edges)
    k = np.maximum(middle - AROUND, 0)
    for step in range(-AROUND, AROUND):
        edge = middle + step + 0.5
        k += np.where((edge > 0) & (edge < edges), _sigmoid((m - edge) / s), 0)
    return k


def _by_integral(m: np.ndarray, s: np.ndarray, edges: int) -> np.ndarray:
    """The same sum as the integral over 0 to edges, by the midpoint rule's own corrections at the
    two ends."""
    below, size = (m - edges) / s, edges / s
    # log((1 + exp(m / s)) / (1 + exp(below))), without the difference where size is small
    near = np.log1p(np.expm1(np.minimum(size, 1.0)) * _sigmoid(below))
    k = s * np.where(size < 1, near, np.logaddexp(0, below + size) - np.logaddexp(0, below))
    for end, sign in ((below, 1 / s), (below + size, -1 / s)):
        r = _sigmoid(end) * _sigmoid(-end)  # the slope of a sigmoid, and two of its derivatives
        third, fifth = r * (1 - 6 * r), r * (1 - 30 * r + 120 * r * r)
        k += sign * (r / 24 - 7 * third * sign**2 / 5760 + 31 * fifth * sign**4 / 967680)
    return k
