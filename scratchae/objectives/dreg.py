"""The importance weighted bound, with an encoder's gradient that keeps its signal as K grows."""

import math
from typing import Any

import numpy as np

from ..backend import Backend
from ..parameters import Declared
from .base import Shape
from .iwae import IWAE


class DReG(IWAE):
    """The loss of IWAE; the encoder's gradient by reparameterising once more what STL leaves out.

    Shapes: as IWAE; w2 (N K,), dz2 (N K, D).

    By E_q[f(z) dlog q(z|h)/dh] = E_q[df/dz dz/dh], whose left side is the second sum of STL with
    f = w_k, a function of z_k too, the mean gradient of bound by h is

        dh = sum_k w_k^2 d/dz_k (nll_k + r_k) dz_k/dh                                   (1)

    along the path alone. The decoder's gradient is IWAE's, with w_k. As rows are independent, the
    decoder is gone through once for both: w_k times the dz of w_k nll_k is that of w_k^2 nll_k,

        dz2_k = w_k dz_k,   w2_k = w_k^2                                                (2)
        dh through dz2 and through r with the weights w2: the latent's ``path``         (3)

    A latent with parameters is refused: those of a prior would be due w_k, and not w_k^2. Raises
    ValueError for K < 1. Source: Tucker, Lawson, Gu, Maddison, "Doubly reparameterized gradient
    estimators for Monte Carlo objectives", 2019, eq. 8 (1).
    """

    is_slope = False
    _gradient = "path(dz, w)"

    def declare(self, shape: Shape) -> Declared:
        """As IWAE.declare, shapes too. Raises ValueError for a latent with parameters. Source:
        (1)."""
        declared = super().declare(shape)
        if any(name.startswith("latent.") for name in declared):
            raise ValueError(
                f"{type(self.latent).__name__} has parameters of its own, but DReG takes a latent "
                "without: choose IWAE"
            )
        return declared

    def bind(self, backend: Backend, rows: int) -> None:
        """As IWAE.bind; buffers w2 (rows K,), dz2 (rows K, D)."""
        super().bind(backend, rows)
        M = rows * self.K
        self.w2, self.dz2 = backend.empty((M, 1)), backend.empty((M, math.prod(self.code)))
        self.weigh_rows = self.likelihood.weigh_rows

    def backward(self, total: np.ndarray) -> None:
        """Fill the gradients, of count times loss in the mean; shapes as the parameters."""
        da = self.likelihood.weighed(self.w)
        dz: Any = self.decoder.backward(da)
        if not self.latent_learns:
            return
        M = len(self.w)
        self.weigh_rows(self.dz2[:M], dz.reshape(M, -1), self.w)  # (2)
        self.weigh_rows(self.w2[:M], self.w.reshape(M, 1), self.w)  # (2)
        dh = self.latent.path(self.dz2[:M].reshape(dz.shape), self.w2[:M].reshape(M))  # (1) (3)
        if self.encoder_learns:
            self.encoder.backward(dh)
