"""Nats per example in the units of others."""

import math
from typing import Any

import numpy as np

from .. import checks


def bits_per_dimension(log_p: Any, shape: Any, bin: float = 1.0) -> Any:
    """log p(x) (N,) or a number, in nats per example -> bits per dimension, of the same shape.

    shape: of an example, of D numbers. bin: for a density, how wide a bin is that stands for one
    value, in units of x: 1/255 for pixels 0, 1, ..., 255 that were divided by 255, 1 for pixels as
    they are; for a distribution over values, such as a Bernoulli's or a categorical's, 1.

        bits = -(log p(x) + D log bin) / (D log 2)                                      (1)

    A density of 1 on [0, 1] so costs 8 bits a pixel (bin = 1/256), whatever it was trained in.
    Raises ValueError for bin <= 0 or a shape that is none. Source: Theis, van den Oord, Bethge, "A
    note on the evaluation of generative models", 2016, section 3.1.
    """
    D = math.prod(checks.row_shape(shape, "the shape of an example"))
    width = checks.real("bin", bin, 0, strict=True)
    bits = -(np.asarray(log_p, np.float64) + D * math.log(width)) / (D * math.log(2))  # (1)
    return bits if bits.ndim else float(bits)
