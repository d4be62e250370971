"""Likelihoods, objectives and whole models on the bench."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checks
from ..backend import Backend, get_backend
from ..datasets.labelled import as_given
from ..datasets.sources import is_source
from ..likelihoods import Likelihood
from ..models import Model
from ..objectives import Objective
from ..randomness import OUTPUTS, Draws
from .distributions import distribution_rows
from .layers import GIVEN, Tensors, draw, grey, thawed, title
from .measure import Report, Row, judge, probe
from .shards import shards_add

Shape = tuple[int, ...]


def check_likelihood(
    likelihood: Likelihood,
    shape: Shape = (2,),
    x: np.ndarray | None = None,
    rows: int = 3,
    backend: str = "numpy",
) -> Report:
    """Check da of -log p(x | a) for rows of that shape, with 1 and 2 samples an example; then
    whether p is a distribution: its mass is one, ``mean`` is its mean, ``sample`` has its moments.

    x: data (rows, *shape) that the likelihood can have; by default in (0, 1), or drawn from it if
    its check refuses these. The mass is that
    over two values along each axis of shape, so a constant that forgets the channels shows with
    shape (28, 28, 1). A likelihood without ``sample`` claims to be no distribution, and is told
    what it is: "no density". What quadrature or draws cannot tell, far tails or a p with a jump,
    "does not settle", and is neither right nor wrong. By its draws a right one is called wrong
    with a probability of at most 1e-9.
    Raises ValueError for other data. Source: likelihoods/base.py; measure.py; distributions.py.
    """
    checks.not_a_class("the likelihood", likelihood)
    bound, shape = get_backend(backend, "float64"), tuple(shape)
    found = likelihood_gradients(likelihood, shape, x, rows, bound)
    return Report(title(likelihood), found + distribution_rows(likelihood, shape, bound))


def likelihood_gradients(
    likelihood: Likelihood, shape: Shape, x: np.ndarray | None, rows: int, backend: Backend
) -> list[Row]:
    """The first part of ``check_likelihood``: x (rows, *shape). Source: measure.py."""
    data = possible(likelihood, (rows, *shape)) if x is None else np.array(x, np.float64)
    likelihood.check(data)
    return [_likelihood_row(likelihood, backend, data, K) for K in (1, 2)]


def possible(likelihood: Likelihood, shape: Shape) -> np.ndarray:
    """Data (N, ...) in (0, 1), probabilities where the likelihood asks for them; drawn from it
    where its check refuses these. Raises ValueError where neither will do. Source:
    kernels/philox.py (6)."""
    x = grey(shape)
    x = x if likelihood.takes_grey else x / x.sum(axis=-1, keepdims=True)
    try:
        likelihood.check(x)
    except ValueError as error:
        return _drawn(likelihood, shape, str(error))
    return x


def _drawn(likelihood: Likelihood, shape: Shape, refused: str) -> np.ndarray:
    """Data (N, ...) by sample, for a likelihood that refused data in (0, 1)."""
    name, why = type(likelihood).__name__, "and it draws none"
    if likelihood.is_distribution:
        a = probe((shape[0], *likelihood.parameters(shape[1:])), 46)
        x = np.asarray(likelihood.sample(a, Draws(0, OUTPUTS)), np.float64)
        try:
            likelihood.check(x)
        except ValueError as error:
            refused, why = str(error), "nor what its sample draws"
        else:
            return x
    raise ValueError(
        f"{name} takes no data in (0, 1), {why} ({refused}): hand in data that it can have, as in "
        "check_likelihood(likelihood, shape, x=x)"
    )


def _likelihood_row(likelihood: Likelihood, backend: Backend, x: np.ndarray, K: int) -> Row:
    mine, data, N = copy.deepcopy(likelihood), backend.asarray(x), len(x)
    mine.bind(backend, N, x.shape[1:], K)
    shape = mine.parameters(x.shape[1:])

    def f(a: np.ndarray) -> np.ndarray:
        return backend.to_host(mine.forward(backend.asarray(a), data))

    def gradient(a: np.ndarray, dnll: np.ndarray) -> np.ndarray:
        f(a)
        # of each row's nll, since rows are independent
        weight = dnll.reshape(-1, *(1 for _ in shape))
        return weight * backend.to_host(mine.backward())

    return judge(f"a, K = {K}", f, gradient, 2 * probe((N * K, *shape), 35 + K))


def check_objective(
    objective: Objective,
    shape: Shape,
    rows: int = 4,
    backend: str = "numpy",
    *,
    given: Any = None,
) -> Report:
    """Check every named tensor of an objective through its loss, on rows x (rows, *shape)
    in (0, 1); "shards": whether two parts of the batch make up the whole.

    given: what the rows are given beside x, as in ``encode``; made up by default.
    Raises ValueError where shapes do not meet, TypeError for STL and DReG, which check_estimator
    checks. Source: objectives/base.py; measure.py; shards.py.
    """
    checks.not_a_class("the objective", objective)
    _require_slope(objective)
    bound = get_backend(backend, "float64")
    x = possible(objective.likelihood, (rows, *shape))
    found = _objective_rows(objective, bound, x, None, given)
    if rows > 1:
        found.append(shards_add(objective, bound, x))
    return Report(title(objective), found)


def check_model(
    model: Model, x: np.ndarray | int = 4, backend: str | None = None, *, given: Any = None
) -> Report:
    """Check every named tensor of a model through its true loss, at its own parameters if it is
    built.

    x: data (N, *input_shape); for a model that is built a number of rows will do. backend: the
    model's own by default. given: what the rows are given beside x, as in ``encode``; made up by
    default. Raises ValueError for rows without a shape, TypeError for a Model of
    STL or DReG, which check_estimator checks, or what checks.host_rows raises for x.
    Source: objectives/base.py; measure.py.
    """
    checks.not_a_class("the model", model)
    _require_slope(model.objective)
    bound, data, own = data_for(model, x, backend)
    return Report(title(model), _objective_rows(model.objective, bound, data, own, given))


def data_for(
    model: Model,
    x: np.ndarray | int,
    backend: str | None,
    drawn: Callable[[Model, int], np.ndarray | None] = lambda model, n: None,
) -> tuple[Backend, np.ndarray, dict[str, np.ndarray] | None]:
    """A float64 backend, x (N, ...) that the model can have, and its parameters if it is built.

    drawn(model, n): n rows of data (n, ...), or None for any in (0, 1). Raises as ``check_model``.
    """
    built = hasattr(model, "parameters")
    if is_source(x):
        raise TypeError(
            f"x is a {type(x).__name__}, but a check takes a few rows of an array: hand in "
            "data.values(slice(3)), and what they are given as given=data.given(slice(3))"
        )
    if isinstance(x, int):
        if not built:
            raise ValueError(
                f"this {type(model).__name__} is not built, so {x} rows have no shape: hand in "
                "data x (N, ...), or build it first"
            )
        made = drawn(model, x)
        shape = (x, *model.input_shape)
        x = possible(model.objective.likelihood, shape) if made is None else made
    x = checks.host_rows(x, model.input_shape if built else None, "x").astype(np.float64)
    model.objective.likelihood.check(x)
    bound = get_backend(backend or (model.backend.name if built else "numpy"), "float64")
    own = None
    if built:
        own = {
            name: model.backend.to_host(view) for name, view in model.parameters.views().items()
        }
    return bound, x, own


def given_for(objective: Objective, given: Any, n: int) -> np.ndarray | None:
    """c (n, C), what n rows are given beside x: a class for all, one for each, (n,), or numbers
    (n, C); made up where given is None. None where nothing is taken.

    Raises TypeError where something is given for nothing, and ValueError as ``encode``. Source:
    layers/given.py."""
    C = objective.conditions()
    if C:
        return probe((n, C), GIVEN) if given is None else as_given(given, n, C)
    if given is not None:
        raise TypeError(
            f"given is {given!r}, but no layer of this {type(objective).__name__} takes anything "
            "beside x: leave it out"
        )
    return None


def _require_slope(objective: Objective) -> None:
    """Raise TypeError where differences of one loss say nothing of its gradient."""
    if not getattr(objective, "is_slope", True):
        raise TypeError(
            f"the gradient of {type(objective).__name__} is no slope of the loss that was drawn: "
            "only in the mean over the noise are the two to agree, so that differences of one "
            "loss would call it wrong: check_estimator(objective, shape) takes these means, for "
            "one latent number and 1 or 2 samples"
        )


def _objective_rows(
    objective: Objective, backend: Backend, x: np.ndarray, own: Any, given: Any
) -> list[Row]:
    mine, data = thawed(objective), backend.asarray(x)
    tensors = Tensors(backend, mine.declare(x.shape[1:]), own)
    mine.attach(tensors.values, tensors.grads)
    mine.bind(backend, len(x))
    draw(mine, backend, len(x))
    if (c := given_for(objective, given, len(x))) is not None:
        mine.give(backend.asarray(c))

    def forward() -> float:
        total = backend.to_host(mine.forward(data))
        return total[0] * mine.loss(total)["loss"]  # the gradient is that of count times loss

    return tensors.judge(forward, lambda _: mine.backward(mine.sums))
