"""One layer, latent or likelihood by itself, on host arrays: what one types to see what it does.

    dense = by_hand(Dense(3, 2, "tanh"), (3,))
    y = dense(x)                        x (N, 3) -> y (N, 2)
    dx = dense.backward(dy)             dy (N, 2) -> dx (N, 3); the gradients are filled
    dense.W, dense.dW                   read; dense.W = ... writes

What takes something beside x is called as layer(x, given=c): classes (N,) or numbers (N, C).
A latent is called as latent(h) and gives z; latent.kl is its KL, latent.backward(dz, kl_weight)
gives dh. A likelihood is called as likelihood(a, x) and gives nll; likelihood.backward() gives da.
"""

from typing import Any

import numpy as np

from .. import checks
from ..backend import Backend, get_backend
from ..settings import fix
from .base import Layer, Shape, declared_by, require_fit
from .hosted import WithParameters
from .sequential import distinct, leaves


def by_hand(
    part: Any,
    shape: Shape | int,
    *,
    backend: str | Backend = "numpy",
    dtype: str = "float64",
    seed: int = 0,
) -> Any:
    """A layer, latent or likelihood, bound by itself for host arrays of any number of rows.

    shape: of one input row; of a latent, of a row of h; of a likelihood, of a row of x. backend,
    dtype: as for ``build``, but in float64 unless said otherwise. seed: of the weights and of the
    noise. Settings are shared with ``part``: noise.sigma = 0.2 acts here too. Raises TypeError for
    another thing, ValueError for a shape that does not fit. Source: layers/base.py.
    """
    checks.not_a_class("the part for by_hand", part)
    shape = checks.row_shape(shape, "the shape")
    bound = get_backend(backend, dtype) if isinstance(backend, str) else backend
    kind: Any
    if isinstance(part, Layer):
        kind = LayerByHand
    elif hasattr(part, "check") and hasattr(part, "draw") and hasattr(part, "bind"):
        kind = LatentByHand
    elif hasattr(part, "parameters") and hasattr(part, "bind"):
        kind = LikelihoodByHand
    else:
        raise TypeError(
            f"by_hand is given {part!r}, but a layer such as Dense(3, 2), a latent such as "
            "Gaussian(2), or a likelihood such as Bernoulli() is expected"
        )
    made = kind(part, shape, bound, seed)
    fix(made.part)
    return made


class LayerByHand(WithParameters):
    """y = layer(x), dx = layer.backward(dy), layer.W, layer.dW. Shapes: x (N, *shape). Source: the
    module."""

    output: Shape

    def __init__(self, part: Layer, shape: Shape, backend: Backend, seed: int):
        super().__init__(part, shape, backend, seed)
        distinct([("layer", self.part)])
        output, declared = declared_by(self.part, shape)
        self._keep(output=output)
        self._attach(declared)

    def _leaves(self) -> list[tuple[str, Layer]]:
        return [
            (name.removeprefix("layer").removeprefix("."), layer)
            for name, layer in leaves("layer", self.part)
        ]

    def _bind(self, rows: int) -> None:
        self.part.bind(self.backend, rows, need_dx=True)

    def __call__(self, x: Any, given: Any = None) -> np.ndarray:
        """x (N, *shape) -> y (N, *output); given: classes (N,) or numbers (N, C). Raises as
        checks.host_rows. Source: the layer's docstring."""
        x = self._array(x, self.shape, "x")
        self._prepare(len(x))
        self._give(given, len(x))
        with self.backend.undisturbed():
            y = self.part.forward(x)
        require_fit(self.part, "forward", y, len(x), self.output, self.backend.dtype)
        return self.backend.to_host(y)

    def backward(self, dy: Any) -> np.ndarray:
        """dy (N, *output) -> dx (N, *shape), of the last call; the gradients are filled."""
        self._require_called()
        dy = self._same_rows(self._array(dy, self.output, "dy"), "dy")
        with self.backend.undisturbed():
            dx = self.part.backward(dy)
        require_fit(self.part, "backward", dx, len(dy), self.shape, self.backend.dtype)
        self._fill()
        return self.backend.to_host(dx)


class LatentByHand(WithParameters):
    """z = latent(h), latent.kl, latent.eps, dh = latent.backward(dz, kl_weight), and the
    parameters and gradients of one that has networks inside. Source: the module.

    Shapes: h (N, *shape), z and eps (N, D), kl (N, J)."""

    code: Shape  # of a row of z, known after the first call

    def __init__(self, part: Any, shape: Shape, backend: Backend, seed: int):
        super().__init__(part, shape, backend, seed)
        self._keep(weights={}, grads={}, filled=False)
        if not hasattr(part, "declare"):
            self.part.check(shape)
            return
        distinct(self.part.networks().items())
        _, declared = self.part.declare(shape)
        self._attach(declared)

    def _leaves(self) -> list[tuple[str, Layer]]:
        networks = self.part.networks() if hasattr(self.part, "networks") else {}
        return [leaf for name, network in networks.items() for leaf in leaves(name, network)]

    def _bind(self, rows: int) -> None:
        self.part.bind(self.backend, rows)

    def __call__(self, h: Any, given: Any = None) -> np.ndarray:
        """h (N, *shape) -> z (N, D), with noise drawn at (seed, epoch); given: classes (N,) or
        numbers (N, C). Source: the latent's docstring."""
        h = self._array(h, self.shape, "h")
        self._prepare(len(h))
        self._give(given, len(h))
        with self.backend.undisturbed():
            z = self.part.forward(h)
        self._keep(code=z.shape[1:])
        return self.backend.to_host(z)

    def backward(self, dz: Any, kl_weight: Any = 1.0) -> np.ndarray:
        """dz (N, D), kl_weight a number or (J,) -> dh (N, *shape); the gradients are filled."""
        self._require_called()
        kl = getattr(self.part, "kl", None)
        J = self.code if kl is None else kl.shape[1:]
        dz = self._same_rows(self._array(dz, self.code, "dz"), "dz")
        weight = checks.as_array(kl_weight, "kl_weight")
        if weight.dtype.kind not in "fiub" or weight.shape not in ((), J):
            raise ValueError(f"kl_weight is {kl_weight!r}, but a number, or {J}, is expected")
        checks.finite(weight, "kl_weight")
        weight = self.backend.asarray(np.broadcast_to(weight, J))
        with self.backend.undisturbed():
            dh = self.part.backward(dz, weight)
        self._fill()
        return self.backend.to_host(dh)

    def _read(self, name: str) -> Any:
        kept = getattr(self.part, "kept", ("kl", "eps"))
        if name in kept:
            self._require_called()
            return self.backend.to_host(getattr(self.part, name)[: self.called])
        if self.weights:
            return super()._read(name)
        raise AttributeError(f"this {self.name} has no {name!r}; it has {' and '.join(kept)}")


class LikelihoodByHand(WithParameters):
    """nll = likelihood(a, x), da = likelihood.backward(), and the parameters and gradients of one
    that has some. Shapes: x (N, *shape), nll (N,) in nats. Source: the module."""

    def __init__(self, part: Any, shape: Shape, backend: Backend, seed: int):
        super().__init__(part, shape, backend, seed)
        self._keep(weights={}, grads={}, filled=False)
        if declared := self.part.declare(shape):
            self._attach(declared)
        learnt = self.part.learnt  # those of the model that it is part of
        for name in self.weights if learnt else ():
            self.weights[name] = learnt(name)

    def _leaves(self) -> list[tuple[str, Layer]]:
        return []

    def _bind(self, rows: int) -> None:
        self.part.bind(self.backend, rows, self.shape)

    def __call__(self, a: Any, x: Any) -> np.ndarray:
        """a (N, *parameters(shape)), x (N, *shape) -> nll (N,). Source: the likelihood's
        docstring."""
        a = self._array(a, self.part.parameters(self.shape), "a")
        x = self._array(x, self.shape, "x")
        self.part.check(self.backend.to_host(x))
        checks.as_many("a", a, "x", x)
        self._prepare(len(a))
        return self.backend.to_host(self.part.forward(a, x))

    def _read(self, name: str) -> Any:
        own = self.weights
        if name not in own and name.removeprefix("d") not in own:
            names = [*own, *(f"d{n}" for n in own), "its settings"]
            raise AttributeError(f"this {self.name} has no {name!r}; it has {', '.join(names)}")
        return super()._read(name)

    def backward(self) -> np.ndarray:
        """da (N, *parameters(shape)), the gradient of the sum of nll."""
        self._require_called()
        da = self.part.backward()
        self._fill()
        return self.backend.to_host(da)
