"""A layer, latent or likelihood from a file of the reader's: ``mine.py:LayerNorm``."""

import ast
import importlib.util
import inspect
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ..latents import Latent
from ..likelihoods import Likelihood
from .latents import check_latent
from .layers import check_layer, title
from .measure import Report, Row
from .models import check_likelihood
from .samplers import check_sampler, takes_mu_and_logvar

Shape = tuple[int, ...]
EXAMPLE = "mine.py:LayerNorm"


def reports_on(
    target: str, arguments: Sequence[str], shape: Sequence[str], backend: str
) -> list[Report]:
    """All checks of what FILE:NAME is, made with those arguments if it is a class.

    shape: of one input row, such as ["28", "28", "1"] or ["28,28,1"]; a layer needs one. Raises
    ValueError, in a sentence, for what is not there or cannot be checked, and what the checks
    raise.
    """
    thing, sizes = made(target, arguments), sizes_of(shape)
    if isinstance(thing, Likelihood):
        return [check_likelihood(thing, sizes or (2,), backend=backend)]
    latent = isinstance(thing, Latent)  # which declares as a layer does
    if hasattr(thing, "declare") and hasattr(thing, "backward") and not latent:
        if not sizes:
            raise ValueError(
                f"{target} is a layer, and --shape is missing: the shape of one input row, "
                "without the batch, such as --shape 7 or --shape 28 28 1"
            )
        return [check_layer(thing, sizes, backend=backend)]
    if hasattr(thing, "draw") and hasattr(thing, "bind"):
        gradients = check_latent(thing, sizes or None, backend=backend)
        if takes_mu_and_logvar(thing):
            return [gradients, check_sampler(thing, backend=backend)]
        note = "h is not mu and logvar: call check_sampler(latent, h, mu=mu, sigma=sigma)"
        row = Row("moments of z", math.nan, "not seen", note)
        return [gradients, Report(f"sampler of {title(thing)}", [row])]
    raise ValueError(
        f"{target} is a {type(thing).__qualname__}, but a layer (declare, bind, forward, "
        "backward), a latent or a likelihood is expected"
    )


def made(target: str, arguments: Sequence[str]) -> Any:
    """What that name of that file is: a class is called with the arguments, an object is taken.

    Raises ValueError, in a sentence."""
    file, _, name = target.rpartition(":")
    if not file or not name:
        raise ValueError(f"{target!r} is given, but FILE:NAME is expected, such as {EXAMPLE}")
    module = _run(Path(file))
    if not hasattr(module, name):
        there = [n for n, v in vars(module).items() if _is_ones_own(n, v, module)]
        raise ValueError(f"{file} has no {name}; it has {', '.join(there) or 'no class'}")
    thing = getattr(module, name)
    values = [_value(word) for word in arguments]
    if isinstance(thing, type):
        return _called(thing, target, values)
    if values:
        raise ValueError(f"{target} is no class, so it takes no --arguments: leave them out")
    return thing


def sizes_of(shape: Sequence[str]) -> Shape:
    """["28", "28", "1"], ["28,28,1"] -> (28, 28, 1). Raises ValueError for what is no size."""
    words = " ".join(shape).replace(",", " ").split()
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(
            f"--shape is {' '.join(shape)}, but whole numbers above 0 are expected, such as "
            "--shape 28 28 1"
        )
    return tuple(map(int, words))


def _run(path: Path) -> ModuleType:
    """The module that the file is, with its folder among those that it may import from."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}: {EXAMPLE} means LayerNorm in the file mine.py")
    name = path.stem if path.stem not in sys.modules else f"{path.stem}, {path}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file: its name should end in .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(
            f"{path} ends in {type(error).__name__}: {error}; run it by itself to see where"
        ) from error
    return module


def _is_ones_own(name: str, value: Any, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__ and name[:1] != "_"


def _value(word: str) -> Any:
    """7 -> 7, 0.5 -> 0.5, True -> True, (1, 2) -> (1, 2), tanh -> "tanh"."""
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError):
        return word


def _called(kind: type, target: str, values: Sequence[Any]) -> Any:
    """The class called; a ValueError tells the arguments that it takes."""
    signature = inspect.signature(kind)
    try:
        signature.bind(*values)
    except TypeError as error:
        taken = str(signature).removesuffix(" -> None")
        raise ValueError(
            f"{target} takes {taken}: {error}; hand them in by --arguments, such as "
            "--arguments 7 tanh"
        ) from error
    return kind(*values)
