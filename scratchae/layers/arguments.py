"""What layers are told: an activation, how weights are drawn, and the shape of a row."""

from ..backend import Array
from ..checks import accepts, in_brackets, nameable, one_of
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
    nameable(what, init)
    if not callable(init) or isinstance(init, type) or not accepts(init, 3, "noise"):
        signature = "(shape, fan_in, fan_out, noise)"
        raise TypeError(f"{what} is {init!r}, but a function {signature} such as he_normal is due")
    return init


def beside(what: str, c: Array, C: int) -> None:
    """Raise ValueError unless what rows are given beside x, c (N, C), has C numbers a row. Source:
    layers/given.py."""
    if tuple(c.shape[1:]) != (C,):
        raise ValueError(f"{what} is given an array of shape {c.shape}, but (N, {C}) is expected")


def rows(layer: str, shape: tuple[int, ...], takes: str, before: str = "Reshape()") -> None:
    """Raise ValueError unless the shape of a row is the one in words, such as "height width 3"."""
    sizes = takes.split()
    fit = len(sizes) == len(shape) and 0 not in shape
    if not fit or any(s.isdecimal() and int(s) != n for s, n in zip(sizes, shape, strict=True)):
        raise ValueError(
            f"{layer} is handed rows of shape {shape}, but it takes {in_brackets(sizes)}: mend "
            f"the numbers, or put {before} before it"
        )
