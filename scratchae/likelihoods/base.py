"""The protocol of a likelihood."""

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import checks
from ..backend import Array, Backend, get_backend
from ..kernels.kernel import Kernel
from ..kernels.observed import HIDE, LEAVE_OUT
from ..parameters import Declared, Parameters, Views
from ..settings import Configured, shared_copy


class Likelihood(Configured):
    """-log p(x | a) of data x under the decoder's output a, with its gradient from the same pass.

    Shapes: a (N K, ...) for K samples an example, x (N, ...), nll (N K,) in nats, da like a; rows
    of a have the shape ``parameters``, that of x as a rule. ``forward`` fills both; ``backward``
    hands da out. One of your own names a kernel, Kernel(f), where f(nll, da, a, x, *constants)
    fills nll (N K,) and da (N K, D) from a (N K, D) and x (N, D), row m of a belonging to row m //
    K of x; or it defines ``bind`` and ``forward`` (and ``backward``, unless da[:self.rows] is it).
    Besides ``mean`` where a is not the mean of x, ``sample`` if x can be drawn, ``check``,
    ``constants`` and ``parameters`` as they apply.
    Source: Kingma and Welling 2014, appendix C.
    """

    kernel: Kernel
    nll_kernel: Callable[..., None]
    weigh_rows: Callable[..., None]  # the objective hands it over when it binds
    takes_grey: bool = True  # whatever images of uint8 hold will do, k / 255, so they need no look
    add: bool = False  # whether gradients of its parameters add to what is there: layers/base.py
    scalable: bool = True  # whether data may be brought to another unit: counts may not
    additive: bool = True  # whether nll of a row is of that row alone: else ``take`` and ``value``
    # of a built model's own: name -> that parameter on the host
    learnt: Callable[[str], np.ndarray] | None = None
    target: Array | None = None  # what is scored in the place of x, and what of it was observed:
    seen: Array | None = None  # ``aim``

    def parameters(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a row of a, for rows of x of that shape."""
        return shape

    def constants(self, shape: tuple[int, ...]) -> tuple[float, ...]:
        """The kernel's constants for rows of that shape, read at each step. Source: the kernel."""
        return ()

    def best_output(self, x: np.ndarray) -> Views:
        """{"a": the best a (*parameters(shape)), the same for all rows of x (N, ...)}, if known,
        and parameters of its own by name, all on the host. Source: p(x | a)."""
        return {}

    def declare(self, shape: tuple[int, ...]) -> Declared:
        """The parameters of its own, for rows of x of that shape: none as a rule. Source:
        layers/base.py."""
        return {}

    def attach(self, values: Views, grads: Views) -> None:
        """Keep the views of its parameters: W (any shape) as self.W, its gradient as self.dW.
        Source: layers/base.py."""
        for name, view in (values | {f"d{name}": grad for name, grad in grads.items()}).items():
            setattr(self, name, view)

    def check(self, x: np.ndarray) -> None:
        """Raise ValueError where data x (N, ...) cannot come from this likelihood. Source: its
        support."""

    def remark(self, x: np.ndarray, first: int = 0) -> str:
        """Why exp(-nll) is no p(x | a) of data x (N, ...) that ``check`` lets pass, as a sentence,
        or "" where it is; first: the number of its first row. Source: its support."""
        return ""

    def require_kernel(self) -> None:
        """Raise TypeError where no kernel is named, and bind and forward do not do without."""
        mine, base = type(self), Likelihood
        does_without = mine.bind is not base.bind and mine.forward is not base.forward
        if not hasattr(mine, "kernel") and not does_without:
            name = type(self).__name__
            raise TypeError(f"{name} names no kernel: set kernel, or define bind and forward")

    def bind(self, backend: Backend, rows: int, shape: tuple[int, ...], samples: int = 1) -> None:
        """Buffers nll (rows K,), da (rows K, *parameters(shape)), and one like da where numbers
        that were not observed can be left out."""
        self.require_kernel()
        self.nll_kernel = backend.op(self.kernel)
        self.nll = backend.empty((rows * samples,))
        self.da = backend.empty((rows * samples, *self.parameters(shape)))
        self.shape = shape
        self.hide, self.leave_out = backend.op(HIDE), backend.op(LEAVE_OUT)
        self.hidden: Any = backend.empty(self.da.shape) if self.leaves_out(shape) else None

    def alone(
        self, backend: Backend, rows: int, shape: tuple[int, ...], known: Views
    ) -> tuple[Self, Any, Any]:
        """A copy, bound for rows of x of that shape, with parameters that no other has, and which
        begin at what is known of them, by name, or at those of a built model; and these, all in
        one, with their gradients, (n,) each. Source: parameters.py."""
        mine = shared_copy(self)
        own = Parameters(backend, mine.declare(shape))
        grads = backend.zeros((own.size,))
        own.initialise(0)
        for name, view in own.views().items():
            if name in known:
                backend.write(view, known[name])
            elif self.learnt is not None:
                backend.write(view, self.learnt(name))
        mine.attach(own.views(), own.views(grads))
        mine.bind(backend, rows, shape)
        return mine, own.values, grads

    def forward(self, a: Array, x: Array) -> Array:
        """a (N K, ...), x (N, ...) -> nll (N K,); da is kept. Source: the kernel's docstring."""
        M = self.rows = a.shape[0]
        x = x if self.target is None else self.target
        if self.seen is not None:
            return self._of_observed(a, x, self.seen)
        rows = self.flat(self.da[:M]), self.flat(a), self.flat(x)
        self.nll_kernel(self.nll[:M], *rows, *self.constants(self.shape))
        return self.nll[:M]

    def aim(self, target: Array | None, seen: Array | None) -> None:
        """Let the next ``forward`` score target (N, *shape) in the place of x, and of it what was
        seen, 1 or 0, shaped like it; None: x, all of it. What was not seen is 0 in the target.
        Raises TypeError where it cannot. Source: kernels/observed.py."""
        name = type(self).__name__
        if target is not None and not self.can_aim:
            raise TypeError(
                f"{name} has a forward of its own, which does not score the target of the data: "
                "let it read self.target, and say so, can_aim = True"
            )
        if seen is not None and not self.leaves_out(self.shape):
            raise TypeError(
                f"{name} does not say how it scores data with gaps: define left_out(shape), or "
                "choose GaussianLikelihood or Bernoulli"
            )
        self.target, self.seen = target, seen

    @property
    def can_aim(self) -> bool:
        """Whether ``aim`` acts: a ``forward`` of its own knows nothing of it."""
        return type(self).forward is Likelihood.forward

    def left_out(self, shape: tuple[int, ...]) -> tuple[float, float] | None:
        """a0 and f0 of kernels/observed.py, for rows of that shape: -log p(x | a) of one number x
        = 0 where its a is a0; None where that is not known."""
        return None

    def leaves_out(self, shape: tuple[int, ...]) -> bool:
        """Whether ``left_out`` is known, for rows of that shape, and is that of its kernel: a
        class with another kernel says its own; and whether a (..., k C) has k blocks of C, one
        number for each of x. Source: kernels/observed.py."""
        *before, last = self.parameters(shape)
        if tuple(before) != shape[:-1] or last % shape[-1]:
            return False
        known, order = self.left_out(shape), type(self).__mro__
        pair = isinstance(known, tuple) and len(known) == 2 and all(map(checks.number, known))
        if known is not None and not pair:
            raise TypeError(
                f"{type(self).__name__}.left_out(shape) gives {known!r}, but two numbers, a0 and "
                "f0, or None are expected"
            )
        owner = next(i for i, kind in enumerate(order) if "left_out" in vars(kind))
        kernel = next((i for i, kind in enumerate(order) if "kernel" in vars(kind)), -1)
        return self.can_aim and known is not None and owner <= kernel

    def check_observed(self, x: np.ndarray, mask: np.ndarray) -> None:
        """As ``check`` of the numbers of x that were observed, mask (N, ...), and 0 elsewhere."""
        self.check(x)

    def _of_observed(self, a: Array, x: Array, seen: Array) -> Array:
        """nll (N K,) of what was seen of x; da is kept. Source: kernels/observed.py (1) to (3)."""
        M, N, (a0, f0) = a.shape[0], x.shape[0], self.left_out(self.shape) or (0.0, 0.0)
        hidden, da, nll = self.hidden[:M], self.da[:M], self.nll[:M]
        s = seen.reshape(N, -1, self.shape[-1])  # (N, P, C)
        places = M, s.shape[1], a.shape[-1]  # (M, P, L)
        self.hide(hidden.reshape(places), a.reshape(places), s, a0)
        rows = self.flat(da), self.flat(hidden), self.flat(x)
        self.nll_kernel(nll, *rows, *self.constants(self.shape))
        self.leave_out(nll, da.reshape(places), s, f0)
        return nll

    def backward(self) -> Array:
        """da (N K, ...), the gradient of the sum of nll. Source: the kernel's docstring."""
        return self.da[: self.rows]

    def weighed(self, w: Array) -> Array:
        """w (N K,) -> da (N K, ...), the gradient of sum_m w_m nll_m, in the place of
        ``backward``; once after each ``forward``. Source: kernels/importance.py (6)."""
        da = self.backward()
        rows = da.reshape(da.shape[0], -1)
        self.weigh_rows(rows, rows, w)
        return rows.reshape(da.shape)  # not da, of which rows may be a copy

    def take(self, total: Array) -> None:
        """Look at the sums (k,) of the whole batch, of which total[1] is that of nll, before
        ``backward``: nothing where it is a sum over rows. Source: objectives/base.py."""

    def value(self, nll: float, rows: float) -> float:
        """The mean over rows, in nats, from the sum of nll over a batch: scalars. Source: each."""
        return nll / rows

    def require_rows(self) -> None:
        """Raise TypeError where nll is that of a batch as a whole, and an example has none."""
        if not self.additive:
            raise TypeError(
                f"under {type(self).__name__} the loss is that of a batch as a whole, so an "
                "example has no log p(x) of its own: measure with GaussianLikelihood(sigma), "
                "sigma = likelihood.sigma(x, a) of training data, or train with SharedGaussian"
            )

    def flat(self, rows: Array) -> Array:
        """Rows of a, da or x as the kernel takes them: (n, ...) -> (n, D), a view. Source: its
        docstring."""
        return rows.reshape(rows.shape[0], -1)

    @property
    def is_distribution(self) -> bool:
        """Whether exp(-nll) is p(x | a): whether x can be drawn from it."""
        return type(self).sample is not Likelihood.sample

    def mean(self, a: np.ndarray) -> np.ndarray:
        """a (N, ...) -> the mean of p(x | a), shaped like x, on the host. Source: the
        distribution's own."""
        return a

    def like_x(self, call: str, found: Any, due: tuple[int, ...]) -> Any:
        """What mean(a), or sample(a, noise), gave, (N, ...), as it is. Raises ValueError for
        another shape than that of x. Source: the protocol's own."""
        if np.shape(found) != due:
            raise ValueError(
                f"{type(self).__name__}.{call} gives an array of shape {np.shape(found)}, "
                f"but {due}, the shape of x, is expected: define {call}"
            )
        return found

    def sample(self, a: np.ndarray, noise: Any) -> np.ndarray:
        """x ~ p(x | a), shaped like x, on the host; noise.uniform(shape) and noise.normal(shape)
        draw, at each call anew.

        Raises TypeError for an error that is no distribution. Source: the distribution's own."""
        raise TypeError(
            f"{type(self).__name__} says nothing of drawing x: choose GaussianLikelihood or "
            "LearnedGaussian, or, where it is your own distribution, define sample(a, noise)"
        )

    def require_distribution(self) -> None:
        """Raise TypeError for an error that is no distribution: it does not say how to draw x."""
        self.require_rows()
        if not self.is_distribution:
            raise TypeError(
                f"{type(self).__name__} is an error and no distribution, so it has no log p(x): "
                "choose GaussianLikelihood or Laplace, or, where it is your own distribution, "
                "define sample(a, noise)"
            )

    def log_prob(self, x: Any, a: Any) -> np.ndarray:
        """log p(x | a) of each row on the host, constants included: x (N, ...), a (N,
        *parameters(x.shape[1:])) -> (N,) float64, in nats.

        By the kernel's definition in float64, a piece of x at a time. Raises TypeError for an
        error that is no distribution, ValueError for x that it cannot have, for another shape and
        for what is not finite. Source: the kernel's docstring."""
        self.require_distribution()
        x = checks.host_rows(x, None, "x")
        a = checks.host_rows(a, self.parameters(x.shape[1:]), "a")
        checks.as_many("a", a, "x", x)
        self.check(x)
        exact, mine, found = get_backend("reference", "float64"), copy.copy(self), np.empty(len(x))
        mine.bind(exact, checks.rows_a_piece(x), x.shape[1:])
        for start, rows in checks.pieces(x):
            piece = slice(start, start + len(rows))
            with np.errstate(over="ignore", under="ignore"):
                found[piece] = -mine.forward(exact.asarray(a[piece]), exact.asarray(rows))
        return found
