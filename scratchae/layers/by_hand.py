"""One layer, latent or likelihood by itself, on host arrays: what one types to see what it does.

    dense = by_hand(Dense(3, 2, "tanh"), (3,))
    y = dense(x)                        x (N, 3) -> y (N, 2)
    dx = dense.backward(dy)             dy (N, 2) -> dx (N, 3); the gradients are filled
    dense.W, dense.dW                   read; dense.W = ... writes

A latent is called as latent(h) and gives z; latent.kl is its KL, latent.backward(dz, kl_weight)
gives dh. A likelihood is called as likelihood(a, x) and gives nll; likelihood.backward() gives da.
"""

from typing import Any

import numpy as np

from .. import checks, randomness
from ..backend import Array, Backend, get_backend
from ..parameters import Parameters, Views
from ..settings import Fixed, Number, fix, shared_copy
from .base import Layer, Shape, declared_by
from .sequential import leaves
from .tied import resolve_ties


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
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    shape = tuple(checks.positive("the shape's size", n) for n in shape)
    bound = get_backend(backend, dtype) if isinstance(backend, str) else backend
    if isinstance(part, Layer):
        return LayerByHand(part, shape, bound, seed)
    if hasattr(part, "check") and hasattr(part, "draw") and hasattr(part, "bind"):
        return LatentByHand(part, shape, bound, seed)
    if hasattr(part, "parameters") and hasattr(part, "bind"):
        return LikelihoodByHand(part, shape, bound, seed)
    raise TypeError(
        f"by_hand is given {part!r}, but a layer such as Dense(3, 2), a latent such as "
        "Gaussian(2), or a likelihood such as Bernoulli() is expected"
    )


class ByHand:
    """What all three kinds share: a copy of the part, bound for as many rows as were asked for so
    far.

    Noise is that of the examples first, first + 1, ... in that epoch, in training (purpose;
    randomness.EVALUATION for that of ``evaluate``); it is the same in every call until one of
    these is set. Source: the module.
    """

    part: Any
    name: str
    shape: Shape
    backend: Backend
    seed: int
    epoch: int
    purpose: int
    first: int
    bound: int  # rows that there are buffers for
    called: int  # rows of the last call

    def __init__(self, part: Any, shape: Shape, backend: Backend, seed: int):
        self._keep(part=shared_copy(part), name=type(part).__name__, shape=shape, backend=backend)
        self._keep(seed=checks.seed(seed), epoch=0, purpose=randomness.TRAINING, first=0)
        self._keep(bound=0, called=0)
        fix(self.part)

    def _keep(self, **attributes: Any) -> None:
        """Set attributes of this object itself; what a reader sets goes through __setattr__."""
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("epoch", "purpose", "first"):
            self._keep(**{name: value})
        elif self._is_setting(name):  # the part checks the value
            setattr(self.part, name, value)
        else:
            raise AttributeError(f"this {self.name} has no {name!r} that could be set")

    def _is_setting(self, name: str) -> bool:
        return isinstance(getattr(type(self.part), name, None), (Number, Fixed))

    def __getattr__(self, name: str) -> Any:
        """A setting of the part, or what ``_read`` finds."""
        return getattr(self.part, name) if self._is_setting(name) else self._read(name)

    def _read(self, name: str) -> Any:
        raise AttributeError(f"this {self.name} has no {name!r}; it has its settings")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"this {self.name} holds memory of its backend: call by_hand again")

    def _array(self, a: Any, shape: Shape, what: str) -> Array:
        """A host array (N, *shape) on the backend, checked."""
        a = np.asarray(a) if isinstance(a, (list, tuple)) else a
        checks.host_rows(a, shape, f"{what} of this {self.name}")
        return self.backend.asarray(a)

    def _prepare(self, rows: int) -> None:
        """Bind for at least that many rows, and draw the noise of the first ones."""
        if rows > self.bound:
            self._bind(rows)
        self._keep(bound=max(rows, self.bound), called=rows)
        if hasattr(self.part, "draw"):
            index = np.arange(self.first, self.first + rows, dtype=np.uint32)
            clock = randomness.clock(self.seed, self.epoch, self.purpose)
            self.part.draw(
                self.backend.asarray(index, np.uint32), self.backend.asarray(clock, np.uint32)
            )

    def _bind(self, rows: int) -> None:
        raise NotImplementedError

    def _require_called(self) -> None:
        if not self.called:
            raise RuntimeError(
                f"backward reads what the last call of this {self.name} has kept, but it was not "
                "called yet: call it on x first"
            )

    def _same_rows(self, a: Array, what: str) -> Array:
        if len(a) != self.called:
            raise ValueError(
                f"{what} has {len(a)} rows, but the last call of this {self.name} had "
                f"{self.called}: give as many"
            )
        return a


class LayerByHand(ByHand):
    """y = layer(x), dx = layer.backward(dy), layer.W, layer.dW. Shapes: x (N, *shape). Source: the
    module."""

    output: Shape
    values: Views
    grads: Views
    filled: bool  # whether backward has written the gradients

    def __init__(self, part: Layer, shape: Shape, backend: Backend, seed: int):
        super().__init__(part, shape, backend, seed)
        output, declared = declared_by(self.part, shape)
        resolve_ties(layer for _, layer in leaves("", self.part))
        self.part.place(randomness.NOISE)
        parameters = Parameters(backend, declared)
        parameters.initialise(seed)
        grads = backend.zeros((parameters.size,))
        self._keep(output=output, values=parameters.views(), grads=parameters.views(grads))
        self._keep(filled=False)
        self.part.attach(self.values, self.grads)

    def _bind(self, rows: int) -> None:
        self.part.bind(self.backend, rows, need_dx=True)

    def __call__(self, x: Any) -> np.ndarray:
        """x (N, *shape) -> y (N, *output). Raises as checks.host_rows. Source: the layer's
        docstring."""
        x = self._array(x, self.shape, "x")
        self._prepare(len(x))
        return self.backend.to_host(self.part.forward(x))

    def backward(self, dy: Any) -> np.ndarray:
        """dy (N, *output) -> dx (N, *shape), of the last call; the gradients are filled."""
        self._require_called()
        dy = self._same_rows(self._array(dy, self.output, "dy"), "dy")
        dx = self.part.backward(dy)
        self._keep(filled=True)
        return self.backend.to_host(dx)

    def _require_filled(self, what: str) -> None:
        if not self.filled:
            raise RuntimeError(f"{what} is filled by backward, which was not called yet")

    def _read(self, name: str) -> Any:
        if name in self.values:
            return self.backend.to_host(self.values[name])
        if name.startswith("d") and name[1:] in self.grads:
            self._require_filled(name)
            return self.backend.to_host(self.grads[name[1:]])
        names = ", ".join([*self.values, *(f"d{n}" for n in self.grads)]) or "no parameters"
        raise AttributeError(f"this {self.name} has no {name!r}; it has {names}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.values:
            super().__setattr__(name, value)
            return
        view, value = self.values[name], np.asarray(value)
        if value.shape != tuple(view.shape):
            raise ValueError(
                f"{name} is to become an array of shape {value.shape}, but it is "
                f"{tuple(view.shape)}"
            )
        checks.finite(value, name)
        self.backend.write(view, value)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Every parameter by name, "0.W" in a Sequential, as declared. Source: parameters.py."""
        return {name: self.backend.to_host(view) for name, view in self.values.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """Every gradient by name, shapes as the parameters."""
        self._require_filled("each gradient")
        return {name: self.backend.to_host(view) for name, view in self.grads.items()}


class LatentByHand(ByHand):
    """z = latent(h), latent.kl, latent.eps, dh = latent.backward(dz, kl_weight). Source: the
    module.

    Shapes: h (N, *shape), z and eps (N, D), kl (N, D)."""

    def __init__(self, part: Any, shape: Shape, backend: Backend, seed: int):
        super().__init__(part, shape, backend, seed)
        self.part.check(shape)

    def _bind(self, rows: int) -> None:
        self.part.bind(self.backend, rows)

    def __call__(self, h: Any) -> np.ndarray:
        """h (N, *shape) -> z (N, D), with noise drawn at (seed, epoch). Source: the latent's
        docstring."""
        h = self._array(h, self.shape, "h")
        self._prepare(len(h))
        return self.backend.to_host(self.part.forward(h))

    def backward(self, dz: Any, kl_weight: Any = 1.0) -> np.ndarray:
        """dz (N, D), kl_weight a number or (D,) -> dh (N, *shape)."""
        self._require_called()
        D = self.part.z.shape[1:]
        dz = self._same_rows(self._array(dz, tuple(D), "dz"), "dz")
        weight = self.backend.zeros(tuple(D))
        self.backend.write(weight, kl_weight)
        return self.backend.to_host(self.part.backward(dz, weight))

    def _read(self, name: str) -> Any:
        if name not in ("kl", "eps"):
            raise AttributeError(f"this {self.name} has no {name!r}; it has kl and eps")
        self._require_called()
        return self.backend.to_host(getattr(self.part, name)[: self.called])


class LikelihoodByHand(ByHand):
    """nll = likelihood(a, x), da = likelihood.backward(). Shapes: x (N, *shape), nll (N,) in nats.
    Source: the module."""

    def _bind(self, rows: int) -> None:
        self.part.bind(self.backend, rows, self.shape)

    def __call__(self, a: Any, x: Any) -> np.ndarray:
        """a (N, *parameters(shape)), x (N, *shape) -> nll (N,). Source: the likelihood's
        docstring."""
        a = self._array(a, self.part.parameters(self.shape), "a")
        x = self._array(x, self.shape, "x")
        self.part.check(self.backend.to_host(x))
        self._prepare(len(a))
        self._same_rows(x, "x")
        return self.backend.to_host(self.part.forward(a, x))

    def backward(self) -> np.ndarray:
        """da (N, *parameters(shape)), the gradient of the sum of nll."""
        self._require_called()
        return self.backend.to_host(self.part.backward())
