"""One pass of examples through a model: their codes, what these cost, what they serve for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import randomness
from ..datasets.sources import bring
from ..execution.step import batch

BATCH = 100  # examples that go through at once
BYTES = 64_000_000  # of x that are kept, at most
NEAR = 1e-3  # how far a KL may be from that of a Gaussian, relative, and absolute in nats


class Chosen:
    """Some rows of a source, at their indices rows (n,), as a source of its own.

    Source: datasets/sources.py, the protocol."""

    def __init__(self, source: Any, rows: np.ndarray):
        self.source, self.rows = source, rows.astype(np.uint32)
        self.name, self.shape = source.name, source.shape

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def conditions(self) -> int:
        """How many numbers a row is given beside x. Source: the protocol's own."""
        return getattr(self.source, "conditions", 0)

    def check(self, likelihood: Any) -> None:
        """The source was looked at as a whole. Source: datasets/fitting.py."""

    def feed(self, backend: Any, rows: int) -> "ChosenFeed":
        """A feed for up to rows examples at once. Shapes: see Feed. Source: sources.py."""
        return ChosenFeed(self.source.feed(backend, rows), backend, self.rows)


class ChosenFeed:
    """The feed of a source, asked for the chosen rows (n,) by their place among these. Source:
    datasets/sources.py."""

    def __init__(self, feed: Any, backend: Any, rows: np.ndarray):
        self.inner, self.backend, self.chosen = feed, backend, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def bring(self, rows: np.ndarray) -> None:
        """Let the source's feed have the rows (N,) of the chosen. Source: sources.py."""
        bring(self.inner, self.chosen[rows])

    def fill(self, rows: Any, clock: Any) -> Any:
        """rows (N,) of the chosen -> x (N, *shape). Source: sources.py."""
        return self.inner.fill(self.backend.share(self.chosen[self.backend.to_host(rows)]), clock)


@dataclass(frozen=True, eq=False)
class Seen:
    """What N examples gave. Shapes: kl (N, J), nll, swapped (N,), in nats; x (n, ...), the first
    of them, and c (n, C), what these were given beside x, or None.

    means (N, D): of q(z|x), None where the latent does not tell. posterior: mu and logvar (N, D),
    if these and the prior N(0, I) are what kl is made of, else None. swapped: nll under the z of
    another example. off, claimed: the root mean square of x about the mean of p(x|z), and what
    p(x|z) says it is; NaN where that is no distribution. between: the share of values of x between
    whole numbers, where p(x|z) draws these only, else 0. Source: kernels/gaussian.py (3)."""

    kl: np.ndarray
    nll: np.ndarray
    swapped: np.ndarray
    x: np.ndarray
    c: np.ndarray | None
    means: np.ndarray | None
    posterior: tuple[np.ndarray, np.ndarray] | None
    off: float
    claimed: float
    between: float


class Pass:
    """A replica of a model, the rows (N,) of a source that go through it, and what they gave so
    far. Source: objectives/elbo.py."""

    def __init__(self, model: Any, source: Any, rows: np.ndarray, seed: int):
        self.model, self.backend = model, model.backend
        self.batches = np.array_split(rows, -(-len(rows) // BATCH))
        self.most = len(self.batches[0])
        grads = self.backend.zeros((model.parameters.size,))  # a likelihood with parameters writes
        self.replica = model.replica(self.most, grads, samples=1)
        self.feed = source.feed(self.backend, self.most)
        self.clock = self.backend.zeros((4,), np.uint32)
        self.backend.write(self.clock, randomness.clock(seed, purpose=randomness.EVALUATION))
        self.noise = randomness.Draws(seed, randomness.OUTPUTS)
        self.squares, self.fractions, self.whole, self.room = np.zeros(3), 0, True, BYTES

    def seen(self) -> Seen:
        """All batches, one after the other."""
        found = [self._through(rows) for rows in self.batches]
        kl, nll, swapped, h, x, c = (
            [one[i] for one in found if one[i] is not None] for i in range(6)
        )
        means, posterior = self._told(np.concatenate(h), joined := np.concatenate(kl))
        count, off, claimed = self.squares
        values = self.fractions / max(count, 1) if self.whole else 0.0
        return Seen(
            joined,
            np.concatenate(nll),
            np.concatenate(swapped),
            np.concatenate(x),
            np.concatenate(c)[: sum(map(len, x))] if c else None,
            means,
            posterior,
            float(np.sqrt(off / count)) if count else np.nan,
            float(np.sqrt(claimed / count)) if count else np.nan,
            float(values),
        )

    def _through(self, rows: np.ndarray) -> tuple[Any, ...]:
        """kl (n, J), nll, swapped (n,), h and x (n, ...), c (n, C) of one batch, on the host."""
        host, index = self.backend.to_host, self.backend.share(rows)
        bring(self.feed, rows)
        x = batch(self.feed, index, self.clock, self.replica)
        f: Any = self.replica
        h = np.array(host(f.encoder.forward(x)))
        z = f.latent.forward(self.backend.asarray(h))
        kl = host(f.latent.kl[: len(rows)]).astype(np.float64)
        other = self.backend.asarray(np.roll(host(z), 1, axis=0))
        a = f.decoder.forward(z)
        nll = host(f.likelihood.forward(a, x)).astype(np.float64)
        if f.likelihood.is_distribution:
            self._measure(host(a), host(x))
        swapped = host(f.likelihood.forward(f.decoder.forward(other), x)).astype(np.float64)
        first, self.room = self.room == BYTES, self.room - x.nbytes
        c = getattr(self.feed, "c", None)
        kept = np.array(host(x)) if first or self.room >= 0 else None
        return kl, nll, swapped, h, kept, None if c is None else np.array(host(c))

    def _measure(self, a: np.ndarray, x: np.ndarray) -> None:
        """Add how far x (n, ...) is from the mean of p(x|a), and how far what is drawn is."""
        likelihood = self.model.likelihood
        mean = likelihood.like_x("mean(a)", likelihood.mean(a), x.shape)
        drawn = likelihood.sample(a, self.noise)
        likelihood.like_x("sample(a, noise)", drawn, x.shape)
        off, claimed = (np.square(v - mean, dtype=np.float64).sum() for v in (x, drawn))
        self.squares += x.size, off, claimed
        self.whole = self.whole and bool((drawn == np.round(drawn)).all())
        self.fractions += int(np.count_nonzero(x != np.round(x)))

    def _told(self, h: np.ndarray, kl: np.ndarray) -> tuple[Any, Any]:
        """h (N, ...), kl (N, J) -> the means of q, and mu and logvar, if the latent tells."""
        latent = self.model.latent
        try:
            means, pair = latent.mean(h), latent.posterior(h)
        except NotImplementedError:
            return None, None
        means = np.asarray(means, np.float64)
        if not isinstance(pair, tuple) or [np.shape(v) for v in pair] != [kl.shape] * 2:
            return means, None
        mu, logvar = (np.asarray(v, np.float64) for v in pair)
        with np.errstate(over="ignore"):
            gaussian = (mu**2 + np.expm1(logvar) - logvar) / 2
        return means, (mu, logvar) if np.allclose(kl, gaussian, NEAR, NEAR) else None
