"""What bits-back promises, as functions that assert: the tests run them, and the bug museum."""

import math

import numpy as np
import pytest
from coding.models import images

from scratchae.coding.bitsback import Coder
from scratchae.coding.message import Message
from scratchae.coding.symbols import Bins, Counts, table_of
from scratchae.kernels.rans import M


def bits(table, k):
    """What the symbols k (S,) cost by a table (S, C + 1)."""
    start, end = (table[np.arange(len(k)), k + i].astype(np.int64) for i in (0, 1))
    return np.log2(M / (end - start)).sum()


def bits_of_x(likelihood, a, k):
    """What the symbols k (P,) cost by one row of a, (1, ...); of a count that the table does not
    hold its last symbol, 6 bits for its length, and all its bits but the first."""
    table, beyond = table_of(likelihood, a), np.zeros(k.shape, bool)
    if isinstance(likelihood, Counts):
        last = table.shape[1] - 2
        symbols = k - likelihood.first(a)[0]
        beyond = (symbols < 0) | (symbols >= last)
        k, n = np.where(beyond, last, symbols), k
    more = sum(6 + int(n[p] + 1).bit_length() - 1 for p in np.flatnonzero(beyond))
    return bits(table, k) + more


def length(message):
    """Bits of a message, of the state's own up to the last."""
    return math.log2(int(message.state[0])) + 32 * (int(message.height[0]) - message.known)


def stack_is_as_before(model):
    """A group of 5 images on top of another of 3, taken again: the state, the height and every
    word."""
    coder, message = Coder(model, 5), Message.empty()
    k = model.likelihood.symbols(images(model, 8))
    coder.encode(message, k[:3])
    words = message.words[message.lowest : int(message.height[0])].copy()
    before, known = int(message.state[0]), message.known
    coder.encode(message, k[3:])
    np.testing.assert_array_equal(coder.decode(message, 5), k[3:])
    assert int(message.state[0]) == before
    found = message.words[message.known - known : int(message.height[0])]
    np.testing.assert_array_equal(found[len(found) - len(words) :], words)


def message_is_as_long_as_it_says(model):
    """One image after the other: the growth of the message is that of three tables, of the z that
    the decoder finds."""
    coder, message, D = Coder(model, 1), Message.empty(), model.latent.dimensions
    for k in model.likelihood.symbols(images(model, 5))[:, None]:
        before = length(message)
        coder.encode(message, k)
        grown = length(message) - before
        copy = Message(*message.sent(), endless=True)
        b = copy.pop(Bins(D).prior)
        z = Bins(D).centres[b][None].astype(model.backend.dtype)
        mu, logvar = model.encode(model.likelihood.data(k, model.input_shape).astype(z.dtype))
        p_x = bits_of_x(model.likelihood, model.decoder_output(z), k[0])
        q = bits(Bins(D).posterior(mu[0], logvar[0]), b)
        assert grown == pytest.approx(p_x + 10 * D - q, abs=0.02)


def kl_in_bits(mu, logvar):
    """The KL of q(b) from p(b), by enumeration of the bins, for one dimension."""
    bins = Bins(1)
    q, p = (
        np.diff(table[0].astype(np.int64)) / M
        for table in (bins.posterior(np.array([mu]), np.array([logvar])), bins.prior)
    )
    return (q * np.log2(q / p)).sum()


def z_has_the_moments_of_q():
    """What stands for z are the middles of its bins: mean mu and variance sigma^2, by
    enumeration."""
    bins = Bins(1)
    assert (bins.centres[:-1] < bins.edges).all() and (bins.edges < bins.centres[1:]).all()
    for mu, logvar in ((0.0, 0.0), (1.0, -2.0), (-0.5, -4.0), (-1.5, -3.0)):
        q = np.diff(bins.posterior(np.array([mu]), np.array([logvar]))[0].astype(np.int64)) / M
        mean = (q * bins.centres).sum()
        assert mean == pytest.approx(mu, abs=2e-3)
        variance = (q * (bins.centres - mean) ** 2).sum()
        assert variance == pytest.approx(math.exp(logvar), rel=0.01)


def bins_cost_the_kl(logvar):
    """Their KL is that of the Gaussians, in bits, to 2 %, and never above it: bins tell less of
    two distributions than z does."""
    for mu in (-1.5, -0.2, 0.0, 0.7, 2.0):
        kl = (mu**2 + math.exp(logvar) - 1 - logvar) / 2
        assert 0.98 * kl / math.log(2) - 1e-3 <= kl_in_bits(mu, logvar) <= kl / math.log(2) + 1e-3
