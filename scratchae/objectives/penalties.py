"""What a code may cost: penalties for a Reconstruction, summed over units and averaged over the
batch."""

import math

import numpy as np

from ..backend import Array, Backend
from ..kernels.kernel import Kernel
from ..kernels.penalties import L1 as L1_KERNEL
from ..kernels.penalties import (
    L1_GRADIENT,
    LEAST,
    MOST,
    RATE_GRADIENT,
    STUDENT_T,
    STUDENT_T_GRADIENT,
    SUM_UNITS,
)
from ..kernels.sums import SUMS
from ..layers import Layer
from ..settings import Configured, Number

PLACE = 2  # of a penalty's first sum, behind the count and the nll


class Penalty(Configured):
    """weight times a price for the code h (N, ...), in the loss of an example.

    ``forward`` fills the objective's sums (k,), its own from place 2 on (self.sum_terms(sums, nll,
    v) does, of prices v (N,)); ``value`` reads them; ``backward`` adds the gradient of the sum
    over the batch. Source: Goodfellow, Bengio, Courville
    2016, eq. 14.2, Omega(h).
    """

    additive: bool = True  # a sum over examples, whose backward reads no total
    advice: str = ""  # what to try where it alone is not finite
    weight = Number(0)

    def __init__(self, weight: float):
        self.weight = weight

    def inspect(self, encoder: Layer) -> None:
        """Look at the encoder (N, ...) -> (N, code) once it is declared. Source: the penalty's
        own."""

    def sums_needed(self, units: int) -> int:
        """How many sums it has for a code of that many units. Source: ``forward``."""
        return 1

    def bind(self, backend: Backend, rows: int, units: int) -> None:
        """Buffers for (rows, units)."""
        self.sum_terms = backend.op(SUMS)
        self.dh = backend.empty((rows, units))

    def forward(self, sums: Array, nll: Array, h: Array) -> None:
        """sums (k,) <- nll (N,), h (N, ...): the count, the sum of nll, and its own. Source: the
        penalty's own."""
        raise NotImplementedError

    def value(self, total: np.ndarray) -> float:
        """The price of an example; total (k,)."""
        return self.weight * float(total[PLACE] / total[0])

    def backward(self, dh: Array, h: Array, total: Array) -> Array:
        """dh, h (N, ...) -> dh with the gradient added, in a buffer of its own."""
        raise NotImplementedError

    def direct_gradient(self, h: Array) -> None:
        """Add to the encoder's gradients what does not go through h (N, ...), if anything does
        not.

        Called when the encoder has written its own."""


class _OfRows(Penalty):
    """A sum over the units of each example: values (N,), a kernel each way."""

    kernel: Kernel
    gradient: Kernel

    def bind(self, backend: Backend, rows: int, units: int) -> None:
        """Also the values (rows,)."""
        super().bind(backend, rows, units)
        self.v = backend.empty((rows,))
        self.of_rows, self.of_rows_gradient = backend.op(self.kernel), backend.op(self.gradient)

    def forward(self, sums: Array, nll: Array, h: Array) -> None:
        """sums (3,) <- nll (N,), h (N, ...)."""
        v = self.v[: h.shape[0]]
        self.of_rows(v, _matrix(h))
        self.sum_terms(sums, nll, v)

    def backward(self, dh: Array, h: Array, total: Array) -> Array:
        """dh, h (N, ...) -> dh + gradient."""
        out = self.dh[: h.shape[0]]
        self.of_rows_gradient(out, _matrix(dh), _matrix(h), self.weight)
        return out.reshape(dh.shape)


class L1(_OfRows):
    """weight sum_d |h_d|: few units speak at a time.

    Shapes: h (N, ...). Raises ValueError for weight < 0. Source: kernels/penalties.py (1);
    Goodfellow et al. 2016, section 14.2.1, where it is a Laplace prior.
    """

    kernel, gradient = L1_KERNEL, L1_GRADIENT


class StudentT(_OfRows):
    """weight sum_d log(1 + h_d^2): few units speak, and those may be loud.

    Shapes: h (N, ...). Raises ValueError for weight < 0. Source: kernels/penalties.py (2);
    Olshausen, Field 1996.
    """

    kernel, gradient = STUDENT_T, STUDENT_T_GRADIENT


class KLRate(Penalty):
    """Each unit is to be active at a rate rho, on average over the batch.

    Shapes: h (N, ...) in [0, 1], such as a sigmoid's; D units, rho_d the mean of unit d over the
    whole batch, held between LEAST and MOST of kernels/penalties.py, which only a sigmoid that
    rounds to 0 or 1 does not keep.

        penalty = weight sum_d (rho log(rho / rho_d) + (1 - rho) log((1 - rho) / (1 - rho_d)))  (5)

    It is no sum over examples: its gradient reads the sums over all shards. ``fit`` tells the mean
    over the batches of an epoch; ``evaluate``, and fit of its validation data, take rho_d over all
    data, which gives less, as (5) is convex in rho_d. A code outside [0, 1] makes it NaN, and a
    run stops; with weight 0 it asks for nothing. Raises ValueError for weight < 0, a rate
    outside (0, 1), or, when a model is built, an encoder that ends in another activation than a
    sigmoid, or in Gaussian noise that is not cut to [0, 1].
    Source: Ng, CS294A, 2011, section 3; kernels/penalties.py (3) and (4).
    """

    additive = False
    rate = Number(0, 1, strict=True)
    advice = (
        "KLRate takes codes in [0, 1]: end the encoder in a sigmoid, with nothing behind it "
        "that leads out"
    )

    def __init__(self, weight: float, rate: float = 0.05):
        super().__init__(weight)
        self.rate = rate

    def inspect(self, encoder: Layer) -> None:
        """Refuse an encoder (N, ...) -> (N, code) that is known to leave [0, 1]."""
        low, high = encoder.range(None) or (0.0, 1.0)
        if self.weight and (low < 0 or high > 1):
            raise ValueError(
                f"the encoder's codes lie between {low:g} and {high:g}, but KLRate takes codes in "
                "[0, 1]: end it in a sigmoid, with nothing behind it that leads out, or choose "
                "another penalty, such as L1"
            )

    def sums_needed(self, units: int) -> int:
        """A sum for each unit."""
        return units

    def bind(self, backend: Backend, rows: int, units: int) -> None:
        """Buffers for (rows, units)."""
        super().bind(backend, rows, units)
        self.sum_units, self.rate_gradient = backend.op(SUM_UNITS), backend.op(RATE_GRADIENT)

    def forward(self, sums: Array, nll: Array, h: Array) -> None:
        """sums (k,), k = 2 + D, <- nll (N,), h (N, ...). Source: kernels/penalties.py (3)."""
        self.sum_terms(sums[:PLACE], nll)
        if self.weight:
            self.sum_units(sums[PLACE:], _matrix(h))

    def value(self, total: np.ndarray) -> float:
        """The price of an example; shapes: total (k,), k = 2 + D."""
        if not self.weight:
            return 0.0
        rho, rate = self.rate, np.clip(total[PLACE:] / total[0], LEAST, MOST)
        kl = rho * np.log(rho / rate) + (1 - rho) * np.log((1 - rho) / (1 - rate))  # (5)
        return self.weight * float(kl.sum())  # (5)

    def backward(self, dh: Array, h: Array, total: Array) -> Array:
        """dh, h (N, ...), total (k,) -> dh + gradient. Source: kernels/penalties.py (4)."""
        if not self.weight:
            return dh
        out = self.dh[: h.shape[0]]
        self.rate_gradient(out, _matrix(dh), total, self.weight, self.rate, PLACE)
        return out.reshape(dh.shape)


def _matrix(rows: Array) -> Array:
    """(N, ...) -> (N, D), a view."""
    return rows.reshape(rows.shape[0], math.prod(rows.shape[1:]))
