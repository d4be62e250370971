"""What layers with weights are told: an activation, and how weights are drawn."""

from ..checks import accepts, nameable, one_of
from ..initializers import Initializer
from ..kernels.activation import BIAS_ACTIVATION

INF = float("inf")
RANGES = {  # of the values that an activation gives
    "identity": (-INF, INF),
    "relu": (0.0, INF),
    "leaky_relu": (-INF, INF),
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softplus": (0.0, INF),
}


def activation(what: str, name: str) -> str:
    """The name itself. Raises ValueError with the names there are."""
    return one_of("activation", name, BIAS_ACTIVATION)


def initializer(what: str, init: Initializer) -> Initializer:
    """The function itself. Raises TypeError for another thing, or one that no file could name."""
    if not callable(init) or isinstance(init, type):
        raise TypeError(
            f"{what} is {init!r}, but a function such as initializers.he_normal is expected"
        )
    nameable(what, init)
    if not accepts(init, 3, "noise"):
        raise TypeError(
            f"{what} is {init!r}, but a function (shape, fan_in, fan_out, noise) is expected, "
            "such as initializers.he_normal"
        )
    return init
