"""Is that gradient right? Is that sampler, that bound? Check a function, a layer, a latent, a
likelihood, an objective, a model, or all of them.

    print(check_layer(Dense(5, 4, "tanh"), (5,)))

prints a small table: what, relative error, verdict. It works on the reader's own layer as on ours.
How an error is measured, and why 1e-6 divides right from wrong, stands in measure.py; what step
sizes do, as a figure, and the derivative without any difference, in curve.py.

A gradient check holds backward against forward and cannot see a wrong forward: with sigma =
exp(logvar) in both of them every gradient is right. What it cannot see, four proofs can:

    check_sampler(latent)           z has the moments of N(mu, exp(logvar))     samplers.py
    check_likelihood(likelihood)    p has the mass 1, its mean, its sample      distributions.py
    check_bound(model)              the loss bounds -log p(x), by quadrature    bounds.py
    check_estimator(objective, ..)  the mean gradient is the mean loss's        estimators.py

``python -m scratchae.gradcheck`` checks every layer, latent, likelihood, objective and kind of
model, in both spellings, and ends with one line; ``python -m scratchae.gradcheck mine.py:LayerNorm
--shape 7`` checks a layer, latent or likelihood of your file.

Checks run in float64, on copies of what they are handed; noise is drawn once and held.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..latents import Latent
from ..likelihoods import Likelihood
from ..models import Model
from ..objectives import Objective
from .bounds import check_bound
from .curve import complex_step, v_curve
from .estimators import check_estimator
from .latents import check_latent
from .layers import check_layer
from .measure import Function, Report, Row, judge
from .models import check_likelihood, check_model, check_objective
from .samplers import check_sampler

__all__ = [
    "Report",
    "Row",
    "check",
    "check_bound",
    "check_estimator",
    "check_function",
    "check_latent",
    "check_layer",
    "check_likelihood",
    "check_model",
    "check_objective",
    "check_sampler",
    "complex_step",
    "v_curve",
]


def check(thing: Any, *args: Any) -> Report:
    """Check anything by its type: ``check(layer, input_shape)``, ``check(model, x)``,
    ``check(f, gradient, x)`` ...

    args, shapes included, are those of the function it comes to. Raises TypeError for what has no
    check.
    Source: the checks below.
    """
    if isinstance(thing, Model):
        return check_model(thing, *args)
    if isinstance(thing, Objective):
        return check_objective(thing, *args)
    if isinstance(thing, Likelihood):
        return check_likelihood(thing, *args)
    if hasattr(thing, "declare") and not isinstance(thing, Latent):
        return check_layer(thing, *args)
    if hasattr(thing, "bind"):
        return check_latent(thing, *args)
    if callable(thing):
        return check_function(thing, *args)
    raise TypeError(
        f"there is no check for a {type(thing).__qualname__}: hand in a layer, latent, "
        "likelihood, objective or model, or a function f with its gradient: check(f, gradient, x)"
    )


def check_function(
    f: Function, gradient: Callable[..., Any], x: np.ndarray, what: str = "x"
) -> Report:
    """Check dx = gradient(x, dy) of y = f(x), any shapes; for a scalar f, gradient(x).

    Raises TypeError where f computes in another precision than float64. Source: measure.py.
    """
    scalar = np.ndim(f(np.array(x, np.float64))) == 0
    claimed = (lambda x, _: gradient(x)) if scalar else gradient
    return Report("function", [judge(what, f, claimed, x)])
