"""Nats per example in the units of others."""

import math
from typing import Any

import numpy as np

from .. import checks


def bits_per_dimension(log_p: Any, shape: Any, bin: float = 1.0) -> Any:
    """log p(x) (N,) or a number, in nats per example -> bits per dimension, of the same shape.

    log_p: what ``log_likelihood`` or ``by_label`` found will do too: the bits are those of its
    ``each`` (N,), whose mean is that of the data, with a standard error of standard_error / (D log
    2).

    shape: of an example, of D numbers. bin: for a density, how wide a bin is that stands for one
    value, in units of x: 1/255 for pixels 0, 1, ..., 255 that were divided by 255, 1 for pixels as
    they are; for a distribution over values, such as a Bernoulli's or a categorical's, 1.

        bits = -(log p(x) + D log bin) / (D log 2)                                      (1)

    A density of 1 on [0, 1] so costs 8 bits a pixel (bin = 1/256), whatever it was trained in.
    Raises ValueError for bin <= 0 or a shape that is none, TypeError for what are no numbers.
    Source: Theis, van den Oord, Bethge, "A note on the evaluation of generative models", 2016,
    section 3.1.
    """
    D = math.prod(checks.row_shape(shape, "the shape of an example"))
    width = checks.real("bin", bin, 0, strict=True)
    nats = checks.as_array(getattr(log_p, "each", log_p), "log p(x)")
    if nats.dtype.kind not in "fiu":
        raise TypeError(
            f"log p(x) is {log_p!r}, but numbers of nats, (N,) or one, or what log_likelihood "
            "found are expected"
        )
    bits = -(nats.astype(np.float64) + D * math.log(width)) / (D * math.log(2))  # (1)
    return bits if bits.ndim else float(bits)
