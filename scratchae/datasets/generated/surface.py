"""Surface: points about a saddle in space, whose tangent plane is known at each of them.

u_1 and u_2 are drawn evenly from [-SIDE, SIDE] for each point, and e is N(0, 1), each one its own:

    p(u) = (u_1, u_2, (u_1^2 - u_2^2) / SIDE)                                                   (1)
    x = p(u) + NOISE e                                                                          (2)
    dp/du_1 = (1, 0, 2 u_1 / SIDE),   dp/du_2 = (0, 1, -2 u_2 / SIDE)
                                                                  which span the tangent plane  (3)

The coordinates run from -5 to 5 so that a unit with weights of about 1 bends over the data, not
beside it. Source: do Carmo, "Differential geometry of curves and surfaces", 1976, section 2-4 (the
tangent plane of a graph).
"""

from dataclasses import dataclass

import numpy as np

from ... import randomness
from .sizes import size

__all__ = ["Surface", "load"]

NAME = "surface (generated)"
SIDE, NOISE = 5.0, 0.1


@dataclass(frozen=True, eq=False)  # of arrays
class Surface:
    """Points x (N, 3) float32, to be handed to ``fit``, and an orthonormal basis of the tangent
    plane at each.

    tangents: (N, 2, 3) float64. Source: the module.
    """

    x: np.ndarray
    tangents: np.ndarray
    name: str = NAME


def load(n_train: int = 4000, n_test: int = 500, seed: int = 0) -> tuple[Surface, Surface]:
    """Points to train on and to test with: (n_train, 3) and (n_test, 3), with their tangent
    planes.

    A function of the seed: a smaller set is the beginning of a larger one, and the two have no
    draw in common. Raises ValueError for a size outside 1 to 2^32 and for a seed outside [0,
    2^64). Source: the equations of this file.
    """
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        size(name, n)
    return _draw(n_train, seed, epoch=0), _draw(n_test, seed, epoch=2)


def _draw(n: int, seed: int, epoch: int) -> Surface:
    """n points, from the draws of two epochs: where they lie, and the noise."""
    # (n,) each
    u, v = SIDE * (2 * randomness.uniform((n, 2), seed, randomness.SHAPES, epoch).T - 1)
    noise = randomness.normal((n, 3), seed, randomness.SHAPES, epoch + 1)
    p = np.stack([u, v, (u * u - v * v) / SIDE], axis=1)  # (n, 3)  # (1)
    x = p + NOISE * noise  # (2)
    one, zero = np.ones(n), np.zeros(n)
    t = np.stack([one, zero, 2 * u / SIDE, zero, one, -2 * v / SIDE], axis=1).reshape(
        n, 2, 3
    )  # (3)
    basis = np.linalg.qr(t.swapaxes(1, 2))[0].swapaxes(1, 2)  # (n, 2, 3)
    return Surface(x.astype(np.float32), basis)
