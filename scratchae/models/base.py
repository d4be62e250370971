"""What every model shares: building, its replicas, and host arrays in and out."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np

from .. import checks
from ..backend import Array, Backend, as_backend
from ..datasets.fitting import fitting_rows
from ..latents import Latent
from ..layers import Layer
from ..layers.sequential import distinct
from ..likelihoods import Likelihood
from ..locks import Lock
from ..names import Named, free
from ..objectives import Objective
from ..parameters import Declared, Parameters
from ..randomness import OUTPUTS, PRIOR, Draws
from ..settings import fix, parts, shared_copy, store
from ..weights import Weights
from .given import beside
from .summary import table

CHUNK = 256  # rows that encode, decode and reconstruct take at once


class Part:
    """An argument of a model that its objective keeps: read and set there.

    kind: what it must be, in words; None will do if it is optional."""

    def __init__(self, kind: type = object, words: str = "", optional: bool = False):
        self.kind, self.words, self.optional = kind, words, optional

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        return self if model is None else getattr(model.objective, self.name)

    def __set__(self, model: Any, value: Any) -> None:
        if not store(model.objective).fixed:
            self.check(value)
        setattr(model.objective, self.name, value)

    def check(self, value: Any) -> None:
        """Raise TypeError unless the value is of that kind."""
        if not isinstance(value, self.kind) and not (self.optional and value is None):
            raise TypeError(f"the {self.name} is {value!r}, but {self.words}, is expected")


class Model(Named):
    """An objective with parameters: build it once, then train it with ``fit`` or use it.

    Shapes: rows (N, *input_shape) on the host, float; results float of the backend's dtype, on the
    host.
    objective: what is minimised, copied and bound for each shard; encoder, decoder and likelihood
    are its parts.
    optimizer: the one that ``load`` found beside the model, to go on with, else None.
    Source: scikit-learn's contract (the constructor stores), with an explicit ``build``.
    """

    encoder = Part(Layer, "a layer, such as Sequential(...)")
    decoder = Part(Layer, "a layer, such as Sequential(...)")
    likelihood = Part(Likelihood, "a likelihood, such as Bernoulli()")
    latent: Any = Part(Latent, "a latent, such as Gaussian(20)", optional=True)

    objective: Objective
    _one_at_a_time: Lock  # encode and decode share one replica's buffers
    parameters: Parameters
    backend: Backend
    input_shape: tuple[int, ...]
    optimizer: Any = None
    _inference: tuple[Objective, int] | None = None
    _most: int = CHUNK

    def __init__(self, objective: Objective):
        words = "an objective, such as ELBO(...), is expected: scratchae.objectives has them"
        checks.is_a("the objective", objective, Objective, words)
        for name in dir(type(self)):
            part = getattr(type(self), name)
            if isinstance(part, Part):
                part.check(getattr(objective, name, None))
        self.objective = objective
        self._one_at_a_time = Lock()

    def build(
        self,
        input_shape: Any,
        *,
        backend: str | Backend = "numpy",
        dtype: Any = None,
        seed: int = 0,
    ) -> Self:
        """Make and draw the parameters for rows of input_shape, such as (28, 28, 1); returns the
        model.

        backend: "numpy", "reference", "cupy", or an object of that protocol; dtype: "float32"
        (default) or "float64"; seed: of the initial weights. Raises ValueError where shapes do not
        meet or one layer stands in two places; a model that was built before is then as it was.
        Source: initializers.py.
        """
        shape, bound = checks.row_shape(input_shape), as_backend(backend, dtype)

        def drawn(declared: Declared) -> Parameters:
            parameters = Parameters(bound, declared)
            parameters.initialise(seed)
            return parameters

        return self.assemble(shape, drawn)

    def assemble(self, shape: tuple[int, ...], make: Callable[[Declared], Parameters]) -> Self:
        """As ``build``, for rows of that shape, with the parameters that make(declared) gives,
        drawn or to be read from a file.

        Nothing of their size is allocated before it is called. Source: ``build``."""
        distinct(self.objective.networks().items())
        objective = shared_copy(self.objective)  # the layers handed in may serve another model too
        parameters = make(objective.declare(shape))
        objective.t = objective.epoch = 0  # no step was taken with these parameters
        fix(objective)
        self.input_shape, self.backend, self.parameters = shape, parameters.backend, parameters
        self.objective, self.optimizer, self._inference = objective, None, None
        objective.likelihood.learnt = lambda name: Weights(parameters)[f"likelihood.{name}"]
        return self

    @property
    def weights(self) -> Weights:
        """The parameters by name, as host arrays: reads, and writes where assigned. Source:
        weights.py."""
        self.require_built()
        return Weights(self.parameters)

    def require_built(self) -> None:
        """Raise RuntimeError before ``build``."""
        if not hasattr(self, "parameters"):
            name = type(self).__name__
            raise RuntimeError(
                f"this {name} has no parameters yet: call model.build(input_shape) first, with "
                "the shape of one example, such as (28, 28, 1)"
            )

    def replica(
        self, rows: int, grads: Array | None = None, samples: int | None = None
    ) -> Objective:
        """A copy of the objective, bound for (rows, ...), on the shared values and one gradient
        vector (n,); samples: of z an example, if they are to be others than in training.

        Source: DataParallel of "parallel SGD", with the values shared."""
        objective = self.parts()
        objective.draw_samples(samples)
        objective.attach(
            self.parameters.views(), {} if grads is None else self.parameters.views(grads)
        )
        objective.bind(self.backend, rows)
        return objective

    def parts(self) -> Objective:
        """A copy of the objective, not bound to anything yet. Source: ``replica``."""
        self.require_built()
        copied = shared_copy(self.objective)
        for part in parts(copied):
            free(part)
        return copied

    def encode(self, x: Any, given: Any = None) -> Any:
        """x (N, *input_shape), an array or a source -> what the encoder gives: the code (N,
        *code), or the parameters of q(z|x), of a Gaussian mu (N, D), logvar (N, D).

        given: where the encoder has a layer Given(C), a class for all rows, one for each, (N,), or
        numbers (C,) for all, or (N, C); that of a source such as Labelled by default. Raises what
        ``evaluate`` raises. Source: objectives/reconstruction.py (1), elbo.py (1)."""
        rows = self._data(x)
        h = self._encoded(rows, beside(self, rows, given, len(rows), "encoder"))
        return h if self.latent is None else self.latent.posterior(h)

    def _encoded(self, rows: Any, c: Any) -> np.ndarray:
        """rows of x -> h, (N, ...)."""
        return self._map(lambda f, x: f.encoder.forward(x), rows, c)

    def decoder_output(self, h: Any, given: Any = None) -> np.ndarray:
        """A code h, or z, (N, *code) -> what the decoder gives, (N, ...): the parameters a of p(x
        | h).

        Logits, means, or mu and logvar, for the methods of model.likelihood:
        LearnedGaussian.sigma(a) says how sure the model is. given: as for ``encode``, where the
        decoder has a layer Given(C). Raises as checks.host_rows. Source: likelihoods/base.py.
        """
        self.require_built()
        rows = self._rows(h, *self._code())
        c = beside(self, None, given, len(rows), "decoder")
        return self._map(lambda f, h: f.decoder.forward(h), rows, c)

    def decode(self, h: Any, given: Any = None) -> np.ndarray:
        """A code h, or z, (N, *code) -> the mean of p(x | h), (N, *input_shape). given: as for,
        and raises as ``decoder_output``. Source: objectives/reconstruction.py (2), elbo.py (3)."""
        a, likelihood = self.decoder_output(h, given), self.objective.likelihood
        return likelihood.like_x("mean(a)", likelihood.mean(a), self._shape(a))

    def _shape(self, a: np.ndarray) -> tuple[int, ...]:
        """That of x, (N, *input_shape), for the decoder's output a (N, ...)."""
        return (len(a), *self.input_shape)

    def sample_x(self, h: Any, seed: int = 0, given: Any = None) -> np.ndarray:
        """A code h, or z, (N, *code) -> x ~ p(x | h), (N, *input_shape), and not its mean.

        The same seed, the same draws. given: as for ``decoder_output``. Raises TypeError for a
        likelihood that is no distribution, and what ``decoder_output`` raises. Source:
        likelihoods/base.py.
        """
        a, likelihood = self.decoder_output(h, given), self.objective.likelihood
        x = likelihood.sample(a, Draws(seed, OUTPUTS))
        return likelihood.like_x("sample(a, noise)", x, self._shape(a))

    def _code(self) -> tuple[tuple[int, ...], str]:
        """The shape of a row of the code, and its name."""
        return self.objective.code, "the code" if self.latent is None else "z"

    def reconstruct(self, x: Any, given: Any = None) -> np.ndarray:
        """x (N, *input_shape), an array or a source -> the mean of p(x | code of x), or of p(x |
        z), z the mean of q(z|x); same shape. given: as for ``encode``, for encoder and decoder.
        Source: the model's docstring."""
        rows = self._data(x)
        c = beside(self, rows, given, len(rows), "encoder", "decoder")
        h = self._encoded(rows, c if self.objective.conditions("encoder") else None)
        c = c[:] if c is not None and self.objective.conditions("decoder") else None
        return self.decode(h if self.latent is None else self.latent.mean(h), c)

    def sample(self, n: int, seed: int = 0, noise: bool = False, given: Any = None) -> np.ndarray:
        """n draws z ~ p(z), of a Gaussian N(0, I) -> the means of p(x|z), (n, *input_shape): what
        one shows.

        noise: draw x ~ p(x|z) too. given: a class for all n, or one for each, (n,), or numbers
        (C,) for all, or (n, C), where the decoder has a layer Given(C), or the prior depends on
        it. The same seed, the same draws. Raises ValueError for n < 1, TypeError for a model
        without a latent, which has no p(z). Source: Kingma and Welling 2014, section 2.1, p(z)
        p(x|z).
        """
        if self.latent is None:
            raise TypeError(
                f"this {type(self).__name__} has no latent, so it draws no codes: decode codes of "
                "your own, or train a VAE"
            )
        self.require_built()
        c = beside(self, None, given, checks.positive("n", n), "latent", "decoder")
        inside = {name: partial(self._inside, name, c) for name in self.latent.networks()}
        inside |= {"given": c} if self.latent.conditions else {}
        z = self.latent.sample(n, Draws(seed, PRIOR), **inside)
        c = c if self.objective.conditions("decoder") else None
        return self.sample_x(z, seed, c) if checks.flag("noise", noise) else self.decode(z, c)

    def _inside(self, name: str, c: Any, rows: np.ndarray) -> np.ndarray:
        """rows (N, ...), given c, through that network inside the latent."""
        return self._map(lambda f, rows: f.networks()[f"latent.{name}"].forward(rows), rows, c)

    def _rows(self, x: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
        x = checks.host_rows(x, shape, what)
        checks.representable(x, self.backend.dtype, what)
        return x

    def _data(self, x: Any) -> Any:
        """The rows of an array or a source, (N, *input_shape), to be sliced."""
        return fitting_rows(self, x, "x")

    def _map(self, f: Callable[[Any, Array], Array], x: np.ndarray, c: Any = None) -> np.ndarray:
        """f over rows of x, given c, a chunk at a time, on the backend and back."""
        out = []
        with self._one_at_a_time, self.backend.undisturbed():
            objective, chunk = self._bound(min(len(x), CHUNK))
            for start in range(0, len(x), chunk):
                if c is not None:
                    objective.give(self.backend.asarray(c[start : start + chunk]))
                rows = self.backend.asarray(x[start : start + chunk])
                out.append(self.backend.to_host(f(objective, rows)))
        return np.concatenate(out)

    def _bound(self, rows: int) -> tuple[Objective, int]:
        """A replica for encode and decode, kept, and how many rows it takes: fewer where memory is
        short."""
        while self._inference is None or self._inference[1] < min(rows, self._most):
            try:
                rows = min(rows, self._most)
                self._inference = self.replica(rows, samples=1), rows
            except MemoryError:
                if rows == 1:
                    raise
                self._most = -(-rows // 2)
        return self._inference

    def __repr__(self) -> str:
        return table(self)

    def __getstate__(self) -> Any:
        raise TypeError(
            "a model is not pickled or copied: use scratchae.save(model, path), "
            "scratchae.load(path)"
        )
