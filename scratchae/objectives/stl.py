"""The importance weighted bound, with a gradient that is zero where q is exact."""

import numpy as np

from .iwae import IWAE


class STL(IWAE):
    """The loss of IWAE; of its gradient by the encoder, the part through the path z alone.

    Shapes: as IWAE.

        d bound/dh = sum_k w_k (d/dz_k (nll_k + r_k) dz_k/dh)   + sum_k w_k dlog q(z_k|h)/dh

    The second sum, in which z stays as it is, is left out:

        da_k = w_k dnll_k/da_k                    as in IWAE                            (1)
        dh through dz and through r along the path: the latent's ``path``               (2)

    For K = 1 it has mean zero, so the mean gradient stays; where q(z|x) = p(z|x) every w_k is
    equal, r_k + nll_k does not change with z_k, and (2) is zero for every draw: "sticking the
    landing". For K > 1 what is left out has no mean of zero: the gradient is biased, and DReG is
    the one that is not. The decoder's is IWAE's. Raises ValueError for K < 1. Source: Roeder, Wu,
    Duvenaud, "Sticking the landing", 2017, eq. 7; Tucker et al., "Doubly reparameterized gradient
    estimators", 2019, section 4 (the bias).
    """

    is_slope = False
    _gradient = "path(dz, w)"

    def backward(self, total: np.ndarray) -> None:
        """Fill the gradients, of count times loss in the mean where K = 1; shapes as the
        parameters."""
        da = self.likelihood.weighed(self.w)  # (1)
        dz = self.decoder.backward(da)
        if self.latent_learns:
            dh = self.latent.path(dz, self.w)  # (2)
            if self.encoder_learns:
                self.encoder.backward(dh)
