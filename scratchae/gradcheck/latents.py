"""check_latent: a latent bound by itself, its dh and the gradients of what is inside it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checks, randomness
from ..backend import Backend, get_backend
from ..latents import Latent
from ..layers.sequential import leaves
from ..layers.tied import resolve_ties
from .layers import Tensors, difference, draw, thawed, title
from .measure import TOLERANCE, Report, Row, judge, probe

Shape = tuple[int, ...]
NOTE = "with latent.add set, backward is to add to the gradients that it else assigns"


class BoundLatent:
    """A copy of a latent, bound in float64 for rows h (N, *shape), with ``samples`` K of z each.

    Raises what the latent raises. Source: latents/base.py."""

    def __init__(self, latent: Any, shape: Shape, rows: int, samples: int, backend: Backend):
        self.latent, self.backend = thawed(latent), backend
        networks: dict[str, Any] = getattr(self.latent, "networks", dict)()
        if hasattr(self.latent, "declare"):
            _, declared = self.latent.declare(shape)
        else:
            self.latent.check(shape)
            declared = {}
        inside = [layer for name, one in networks.items() for _, layer in leaves(name, one)]
        resolve_ties(inside)
        for layer in inside:
            layer.samples = samples
        self.tensors = Tensors(backend, declared)
        if declared:
            self.latent.place(randomness.NOISE)
            self.latent.attach(self.tensors.values, self.tensors.grads)
        self.latent.bind(backend, rows, samples)

    def forward(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """h (N, ...) -> z (N K, ...), kl (N, J), with the noise that was drawn. Source: the
        latent."""
        z = self.backend.to_host(self.latent.forward(self.backend.asarray(h)))
        return z, self.backend.to_host(self.latent.kl[: len(h)])

    def ratio(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """h (N, ...) -> z (N K, ...), r (N K,). Source: the latent."""
        z, _ = self.forward(h)
        return z, self.backend.to_host(self.latent.ratio())

    def gradient(self, name: str, *given: np.ndarray) -> np.ndarray:
        """dh (N, ...) by that method of the latent, of dz (N K, ...) and weights. Source: the
        latent."""
        dh = getattr(self.latent, name)(*map(self.backend.asarray, given))
        return self.backend.to_host(dh)


def check_latent(
    latent: Any, shape: Shape | None = None, rows: int = 3, backend: str = "numpy"
) -> Report:
    """Check dh of a latent, through z and through its kl, apart and together, and, where it has
    one, through the ratio log q - log p of each sample, with 1 and 3 samples an example; then its
    own parameters, through the same.

    shape: of one row of h; (2D,) by default. The "smaller batch" feeds one row fewer than was
    bound. "gradients add": where latent.add is set, they are added to what is there. It cannot see
    a wrong sampler or a wrong kl, whose gradients may be right: check_sampler and check_bound do;
    nor ``path``, which is no slope: check_estimator does. Raises what the latent raises. Source:
    latents/base.py; measure.py.
    """
    checks.not_a_class("the latent", latent)
    shape = shape or (2 * latent.dimensions,)
    bound, found = get_backend(backend, "float64"), []
    for samples, N, what in (
        (1, rows, "K = 1"),
        (3, rows, "K = 3"),
        (3, max(rows - 1, 1), "smaller batch"),
    ):
        one = BoundLatent(latent, shape, rows, samples, bound)
        if hasattr(one.latent, "draw"):
            draw(one.latent, bound, N)
        found += _rows(one, probe((N, *shape), 32), what)
    return Report(title(latent), found)


def _rows(one: BoundLatent, h: np.ndarray, what: str) -> list[Row]:
    z, kl = one.forward(h)
    dz, w = probe(z.shape, 33), probe(z.shape[:1], 36)
    weight = 0.5 + np.abs(probe(kl.shape[1:], 34))

    def by_kl(dz: np.ndarray, weight: np.ndarray) -> tuple[Any, Any]:
        def f(h: np.ndarray) -> float:
            z, kl = one.forward(h)
            return float(np.vdot(z, dz) + (kl * weight).sum())

        return f, lambda h: (one.forward(h), one.gradient("backward", dz, weight))[1]

    def f(h: np.ndarray) -> float:
        z, r = one.ratio(h)
        return float(np.vdot(z, dz) + w @ r)

    ways = {
        "z": by_kl(dz, 0 * weight),
        "kl": by_kl(0 * dz, weight),
        "both": by_kl(dz, weight),
    }
    if _says(one.latent, "ratio") and _says(one.latent, "weighed"):
        ways["ratio"] = f, lambda h: (one.ratio(h), one.gradient("weighed", dz, w))[1]
    found = [
        judge(f"h through {name}, {what}", f, _of_h(gradient), h)
        for name, (f, gradient) in ways.items()
    ]
    for name in ("both", "ratio") if one.tensors.values else ():
        if name in ways:
            found += _parameters(one, ways[name], h, f"through {name}, {what}")
    return found


def _of_h(gradient: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda h, _: gradient(h)


def _says(latent: Any, name: str) -> bool:
    """Whether it has that method of its own."""
    return getattr(type(latent), name, None) not in (None, getattr(Latent, name))


def _parameters(one: BoundLatent, way: tuple[Any, Any], h: np.ndarray, what: str) -> list[Row]:
    """A row for each tensor, and whether their gradients add; h (N, ...)."""
    f, gradient = way
    rows = one.tensors.judge(lambda: f(h), lambda _: gradient(h))
    gradient(h)
    alone = one.tensors.gradients()
    one.latent.add = True
    one.tensors.fill(1.0)
    gradient(h)
    one.latent.add = False
    error = difference(one.tensors.gradients() - 1.0, alone)
    verdict, note = ("right", "") if error <= TOLERANCE else ("wrong", NOTE)
    named = [Row(f"{row.what} {what}", row.error, row.verdict, row.note) for row in rows]
    return [*named, Row(f"gradients add {what}", error, verdict, note)]
