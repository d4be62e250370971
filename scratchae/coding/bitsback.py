"""Bits-back coding: images as a file whose length is the negative ELBO, and back.

Source: Townsend, Bird, Barber, "Practical lossless compression with latent variables using bits
back coding", ICLR 2019; Hinton and van Camp, "Keeping neural networks simple by minimizing the
description length of the weights", 1993 (bits back).
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from .. import checks
from ..datasets.around import every
from ..datasets.fitting import fitting_rows
from ..datasets.pairs import Observed, Pairs
from ..latents import Gaussian
from ..models import Model
from . import stream
from .message import Exhausted, Message
from .rows import as_given, dtype_given, symbols_of
from .symbols import Bins, Symbols, pop, push

ROWS = 64  # images that go through the networks at once
MOST_ROWS = 1 << 10
PAID = 4  # a batch takes its z from the bits of that many times as many images


def compress(model: Model, images: Any, *, batch_size: int = ROWS) -> bytes:
    """The images as bytes, of which ``decompress`` with the same model makes the same images.

    Shapes: images (N, *input_shape), an array or a source: 0 and 1 for Bernoulli, one-hot for
    Categorical, Images or k / 255 for DiscretisedLogistic, or the values of its bins, counts for
    Poisson, whatever ``Symbols`` a likelihood has. batch_size: how many go through the networks at
    once; it changes the bytes, hardly the length. The length is about -ELBO / ln 2 bits an image,
    of one sample and beta = 1 whatever the model was trained for. Raises TypeError
    for a model without a latent, or whose latent or likelihood cannot be coded, as a density of
    real numbers; RuntimeError before ``build`` and for a model that changes meanwhile; ValueError
    and TypeError for images that are not such symbols, or of another shape. Source: the module.
    """
    rows = _rows(batch_size)
    _require_coded(model)
    x = fitting_rows(model, images, "x")  # looks at shapes and range
    if any(isinstance(part, (Pairs, Observed)) for part in every(x.source)):
        raise TypeError(
            f"{x.source.name} are Pairs or Observed, of which other numbers are scored than the "
            "encoder sees: compress the clean rows, or those without gaps"
        )
    head, coder, message = _head(model), Coder(model, rows), Message.empty()
    given = dtype_given(x)
    with model.backend.undisturbed():
        for start, stop in groups(len(x), rows):
            coder.encode(message, symbols_of(model, x[start:stop], start, given))
    state, words = message.sent()
    _require_unchanged(model, head)
    more = {"given": given, "rows": rows, "count": len(x), "initial": message.taken}
    return stream.written(head | more, state, words)


def decompress(model: Model, data: bytes) -> np.ndarray:
    """The images (N, *input_shape), float of the model's dtype, that ``compress`` was given.

    model: the same, in this process or another, on the same kind of processor: it must give the
    same bits twice. Raises ValueError for data that is damaged or cut, or was made by another
    model, on another backend or by other arithmetic; else as ``compress``. Source: the module.
    """
    _require_coded(model)
    head, state, words = stream.read(data)
    stream.require_same(head, here := _head(model))
    rows = _rows(head["rows"])
    coder, message = Coder(model, rows), Message(state, words, endless=False)
    found = []
    try:
        with model.backend.undisturbed():
            for start, stop in groups(head["count"], rows, backwards=True):
                k = coder.decode(message, stop - start)
                found.append(as_given(model, k, head["given"]))
        whole = message.is_empty(head["initial"])
    except Exhausted:
        whole = False
    _require_unchanged(model, here)
    if not whole:
        raise ValueError(
            "the data is whole, but does not decode to what was compressed: the model's products "
            "have other bits here, as on another processor or by another version of NumPy or its "
            "BLAS: decompress it where it was compressed"
        )
    return np.concatenate(found[::-1])


def groups(N: int, rows: int, backwards: bool = False) -> Iterator[tuple[int, int]]:
    """Where the batches of N images start and stop: one image first, then a quarter of those
    before, at most rows.

    A batch takes all its z from the stack before it puts an image there, so the first one is to be
    small: what it takes is paid for once."""
    first = []
    at = 0
    while at < N and at // PAID < rows:
        first.append(at)
        at += max(1, at // PAID)
    rest = range(at, N, rows)
    starts = chain(reversed(rest), reversed(first)) if backwards else chain(first, rest)
    for start in starts:
        yield start, min(N, start + min(rows, max(1, start // PAID)))


class Coder:
    """The model's two networks and the tables that they lead to, for batches of n <= rows images.

    Shapes: k (n, P) symbols of x, b (n, D) bins of z, a (n, ...), mu, logvar (n, D).

        b ~ q(b | x), popped from the message                                           (1)
        push k by p(x | z_b), z_b the middle of bin b                                   (2)
        push b by p(b)                                                                  (3)

    and to decode, (3), (2), (1) with push for pop: the decoder knows x by then, so it gives the
    bits back that had chosen b. An image makes the message longer by -log2 p(x | z_b) - log2 p(b)
    + log2 q(b | x) bits, whose mean is -ELBO / ln 2. Both ways the networks see arrays of the same
    shape, (rows, ...), filled with zeros: a product of another shape may have other bits. Source:
    Townsend et al. 2019, section 2.2, table 1.
    """

    def __init__(self, model: Model, rows: int):
        self.objective, self.backend = model.replica(rows, samples=1), model.backend
        self.shape, self.latent = model.input_shape, model.latent
        self.likelihood: Any = model.likelihood
        D = self.latent.dimensions
        self.bins = Bins(D)
        self.x, self.z = (self.backend.zeros((rows, *one)) for one in (self.shape, (D,)))

    def encode(self, message: Message, k: np.ndarray) -> None:
        """Put the images k (n, P) on the message."""
        mu, logvar = self._posterior(k)
        b = np.empty(mu.shape, np.int64)
        for i in reversed(range(len(k))):
            b[i] = message.pop(self.bins.posterior(mu[i], logvar[i]))  # (1)
        a = self._decoded(b)
        for i in range(len(k)):
            push(message, k[i], self.likelihood, a[i : i + 1])  # (2)
        for i in range(len(k)):
            message.push(b[i], self.bins.prior)  # (3)

    def decode(self, message: Message, n: int) -> np.ndarray:
        """Take the last n images from the message: k (n, P)."""
        b = np.empty((n, self.latent.dimensions), np.int64)
        for i in reversed(range(n)):
            b[i] = message.pop(self.bins.prior)  # (3)
        a = self._decoded(b)
        order = reversed(range(n))
        k = np.stack([pop(message, self.likelihood, a[i : i + 1]) for i in order][::-1])  # (2)
        mu, logvar = self._posterior(k)
        for i in range(n):
            message.push(b[i], self.bins.posterior(mu[i], logvar[i]))  # (1)
        return k

    def _posterior(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mu, logvar (n, D) of the images k (n, P)."""
        self._fill(self.x, self.likelihood.data(k, self.shape))
        h = self.backend.to_host(self.objective.encoder.forward(self.x))[: len(k)]
        return self.latent.posterior(_finite(h, "encoder"))

    def _decoded(self, b: np.ndarray) -> np.ndarray:
        """a (n, ...) of the bins b (n, D)."""
        self._fill(self.z, self.bins.centres[b])
        a = self.backend.to_host(self.objective.decoder.forward(self.z))[: len(b)]
        return _finite(a, "decoder")

    def _fill(self, out: Any, values: np.ndarray) -> None:
        """out (rows, ...) <- values (n, ...), and zeros."""
        host = np.zeros(out.shape, self.backend.dtype)
        host[: len(values)] = values
        self.backend.write(out, host)


def _finite(values: np.ndarray, network: str) -> np.ndarray:
    """What a network gives, (n, ...). Raises ValueError for NaN and inf."""
    if not np.isfinite(values).all():
        raise ValueError(
            f"the {network} gives NaN or inf, so there are no probabilities: train the model again"
        )
    return values


def _head(model: Model) -> dict[str, Any]:
    """The header's fields that the model decides."""
    return {
        "model": stream.fingerprint(model),
        "backend": model.backend.name,
        "dtype": model.backend.dtype.name,
        "shape": list(model.input_shape),
    }


def _require_unchanged(model: Model, head: dict[str, Any]) -> None:
    """Raise RuntimeError where the model is not what it was when that header was made."""
    if _head(model) != head:
        raise RuntimeError(
            f"this {type(model).__name__} was changed while it coded, as by a training on another "
            "thread, so nothing can read what came of it: wait until that has ended"
        )


def _rows(batch_size: Any) -> int:
    """A batch size. Raises ValueError for none, and for one that is very large."""
    if checks.positive("batch_size", batch_size) > MOST_ROWS:
        raise ValueError(f"batch_size is {batch_size:,}, but at most {MOST_ROWS:,} is expected")
    return int(batch_size)


def _require_coded(model: Any) -> None:
    """Raise TypeError for a model without a latent, or whose latent or likelihood is not to be
    coded, RuntimeError before ``build``."""
    checks.not_a_class("the model", model)
    words = "a VAE is expected: images are coded by its ELBO"
    checks.is_a("the model", model, Model, words)
    if model.latent is None:
        raise TypeError(f"the model is {type(model).__name__}, without a latent, but {words}")
    model.require_built()
    if type(model.latent) is not Gaussian:
        name = type(model.latent).__name__
        raise TypeError(
            f"the latent is {name}, but only Gaussian(D), against N(0, I), has bins to be coded in"
        )
    if model.objective.conditions():
        raise TypeError(
            f"this {type(model).__name__} is given a label beside x, which the bytes do not hold: "
            "train one without Given"
        )
    if not isinstance(model.likelihood, Symbols):
        name = type(model.likelihood).__name__
        raise TypeError(
            f"the likelihood is {name}, which lacks symbols, data and below, that coding asks "
            "for, as every density of real numbers does: train with DiscretisedLogistic(bins, "
            "low, high) on x = likelihood.binned(x), by default 8-bit images, with Poisson for "
            "counts, Bernoulli for 0 and 1, Categorical for classes, or define the three"
        )
