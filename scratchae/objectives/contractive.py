"""The contractive penalty: the code is to move little when the input does."""

import numpy as np

from ..backend import Array, Backend
from ..kernels.contraction import (
    CONTRACTION,
    CONTRACTION_GRADIENT,
    CONTRACTION_WEIGHTS,
    SQUARED_COLUMNS,
    SQUARED_SLOPES,
)
from ..layers import Dense, Flatten, Layer, Reshape
from ..layers.sequential import leaves
from .penalties import Penalty

B = {"sigmoid": 1.0, "tanh": 0.0}  # the constant b of kernels/contraction.py


class Contractive(Penalty):
    """weight ||dh/dx||^2, the squared Frobenius norm of the encoder's Jacobian, in closed form.

    Shapes: h (N, O), W (I, O) of the encoder's one Dense layer, a sigmoid or tanh; Flatten and
    Reshape may stand beside it. The penalty depends on W twice, through h and by itself:
    ``direct_gradient`` adds the second part to dW.

        penalty = weight sum_j s_nj^2 sum_i W_ij^2,   s the slope of the activation     (3)

    Reconstruction holds the code to what matters, (3) forgets the rest: what is left are the
    directions in which data varies. Raises ValueError for weight < 0 and another encoder. Source:
    Rifai et al., "Contractive auto-encoders", 2011; kernels/contraction.py (1) to (6).
    """

    layer: Dense

    def inspect(self, encoder: Layer) -> None:
        """Keep the encoder's Dense layer. Raises ValueError for another."""
        parts = [
            layer
            for _, layer in leaves("encoder", encoder)
            if not isinstance(layer, (Flatten, Reshape))
        ]
        if len(parts) != 1 or not isinstance(parts[0], Dense) or parts[0].activation not in B:
            words = ", ".join(type(layer).__name__ for layer in parts)
            raise ValueError(
                f"the encoder is made of {words or 'no layer'}, but the contractive penalty knows "
                "the Jacobian of one layer: give it one Dense layer, with a sigmoid or tanh"
            )
        self.layer = parts[0]

    def bind(self, backend: Backend, rows: int, units: int) -> None:
        """Buffers v (rows,), q and c (units,) float64."""
        super().bind(backend, rows, units)
        self.v, self.b = backend.empty((rows,)), B[self.layer.activation]
        self.q, self.c = (backend.empty((units,), np.float64) for _ in range(2))
        self.squared_columns, self.squared_slopes = (
            backend.op(SQUARED_COLUMNS),
            backend.op(SQUARED_SLOPES),
        )
        self.contraction, self.gradient = backend.op(CONTRACTION), backend.op(CONTRACTION_GRADIENT)
        self.weights_gradient = backend.op(CONTRACTION_WEIGHTS)

    def forward(self, sums: Array, nll: Array, h: Array) -> None:
        """sums (3,) <- nll (N,), h (N, O). Source: kernels/contraction.py (1) to (3)."""
        v = self.v[: h.shape[0]]
        self.squared_columns(self.q, self.layer.W)
        self.contraction(v, h, self.q, self.b)  # (3)
        self.sum_terms(sums, nll, v)

    def backward(self, dh: Array, h: Array, total: Array) -> Array:
        """dh, h (N, O) -> dh + gradient through h. Source: kernels/contraction.py (4)."""
        out = self.dh[: h.shape[0]]
        self.gradient(out, dh, h, self.q, self.weight, self.b)
        return out

    def direct_gradient(self, h: Array) -> None:
        """Add to dW (I, O) what W does by itself; h (N, O). Source: kernels/contraction.py
        (5) (6)."""
        if not self.layer.trainable:
            return
        self.squared_slopes(self.c, h, self.b)
        self.weights_gradient(self.layer.dW, self.layer.W, self.c, self.weight)
