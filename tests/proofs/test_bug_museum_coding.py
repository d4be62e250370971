"""Famous bugs of bits-back coding, planted here, each caught by a proof with a name. As
test_bug_museum.py."""

import numpy as np
import pytest
from coding.claims import bins_cost_the_kl, message_is_as_long_as_it_says, stack_is_as_before
from coding.models import dense, images
from proofs.exhibits import exhibit

from scratchae import coding
from scratchae.coding.bitsback import Coder
from scratchae.coding.symbols import Bins


def the_images_come_back():
    """compress and decompress, 20 images."""
    model = dense()
    x = images(model, 20)
    np.testing.assert_array_equal(coding.decompress(model, coding.compress(model, x)), x)


def test_bits_back_with_the_variance_as_sigma(monkeypatch):
    """z is taken from N(mu, sigma^4): lossless all the same, and longer than the ELBO says.
    Source: bjlkeng/sandbox #10."""
    posterior = Bins.posterior
    exhibit(
        lambda: bins_cost_the_kl(-2.0),
        lambda: monkeypatch.setattr(
            Bins, "posterior", lambda self, mu, logvar: posterior(self, mu, 2 * logvar)
        ),
    )
    the_images_come_back()


def test_bits_back_that_forgets_to_push_the_prior(monkeypatch):
    """The file is shorter than the ELBO, and no decoder finds z in it."""
    push = Coder.encode

    def forgetful(self, message, k):
        kept, pushed = message.push, []
        message.push = lambda symbols, table: pushed.append((symbols, table))
        push(self, message, k)
        message.push = kept
        for symbols, table in pushed[: len(k)]:
            message.push(symbols, table)

    exhibit(
        lambda: message_is_as_long_as_it_says(dense()),
        lambda: monkeypatch.setattr(Coder, "encode", forgetful),
    )
    with pytest.raises(ValueError, match="does not decode"):
        the_images_come_back()


def test_bits_that_are_not_given_back(monkeypatch):
    """The decoder does not push z by q(z|x): the last images are right, those below them lost."""
    decode = Coder.decode

    def keeps(self, message, n):
        kept = message.push
        message.push = lambda *_: None
        x = decode(self, message, n)
        message.push = kept
        return x

    exhibit(
        lambda: stack_is_as_before(dense()),
        lambda: monkeypatch.setattr(Coder, "decode", keeps),
    )
    with pytest.raises(ValueError, match="does not decode"):
        the_images_come_back()
