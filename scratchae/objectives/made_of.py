"""What an objective is made of, looked at where it is set."""

from collections.abc import Callable
from typing import Any

from ..latents import Latent
from ..layers import Layer
from ..likelihoods import Likelihood
from ..settings import Fixed
from .penalties import Penalty


def _part(name: str, kind: type, words: str, optional: bool = False) -> Callable[[str, Any], Any]:
    """A check that a value is of that kind, or None if it is optional; name, words: in words."""

    def check(what: str, value: Any) -> Any:
        if not isinstance(value, kind) and not (optional and value is None):
            raise TypeError(f"the {name} is {value!r}, but {words}, is expected")
        return value

    return check


def network(name: str) -> Fixed:
    """The encoder, or the decoder, which is a layer."""
    return Fixed(_part(name, Layer, "a layer, such as Sequential(...)"))


def latent() -> Fixed:
    """The latent, which is not optional."""
    return Fixed(_part("latent", Latent, "a latent, such as Gaussian(20)"))


def likelihood() -> Fixed:
    """The likelihood."""
    return Fixed(_part("likelihood", Likelihood, "a likelihood, such as Bernoulli()"))


def penalty() -> Fixed:
    """The penalty, or None."""
    return Fixed(_part("penalty", Penalty, "a penalty, such as L1(1e-3)", optional=True))
