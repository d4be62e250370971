"""All parameters of a model as one flat vector, with named views on it.

Adam, a checkpoint and a gradient check are then each one pass over one vector.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import Array, Backend
from .backend.blas import one_blas_thread
from .checks import accepts, finite
from .initializers import TensorDraws
from .locks import Lock

Init = Callable[..., np.ndarray]  # called as init(noise=...)
Declared = dict[str, tuple[tuple[int, ...], Init]]  # name: (shape, how it is drawn)
Views = dict[str, Array]


def prefixed(prefix: str, declared: Declared) -> Declared:
    """The same shapes under longer names: W -> encoder.W. Source: PyTorch's dotted names."""
    return {f"{prefix}.{name}": entry for name, entry in declared.items()}


def below(prefix: str, views: Views) -> Views:
    """The views under one prefix, shapes unchanged, by their short names."""
    start = prefix + "."
    return {
        name.removeprefix(start): view for name, view in views.items() if name.startswith(start)
    }


class Parameters:
    """One flat vector ``values`` (n,) with named views on it, and on any vector like it, such as a
    gradient.

    declared: name -> (shape, initialiser). Each tensor starts on a multiple of 128 bytes; the
    padding between them stays zero. training: held by whoever trains them. Source: llm.c's one
    block of parameters.
    """

    def __init__(self, backend: Backend, declared: Declared):
        self.backend = backend
        self.declared = declared
        self.offsets: dict[str, int] = {}
        grain = 128 // backend.dtype.itemsize
        self.size = 0
        for name, (shape, _) in declared.items():
            self.offsets[name] = self.size
            self.size += -(-math.prod(shape) // grain) * grain
        self.values = backend.zeros((self.size,))
        self.training = Lock()

    def view(self, name: str, flat: Array | None = None) -> Array:
        """The tensor of that name, in its shape, inside ``values`` or another flat vector like it.

        Raises KeyError for an unknown name. Source: llm.c.
        """
        shape = self.declared[name][0]
        start = self.offsets[name]
        source = self.values if flat is None else flat
        return source[start : start + math.prod(shape)].reshape(shape)

    def views(self, flat: Array | None = None) -> Views:
        """Every tensor by name, each in its shape."""
        return {name: self.view(name, flat) for name in self.declared}

    def slices(self, frozen: tuple[str, ...]) -> list[slice]:
        """The parts of ``values`` (n,) that are to be trained: all but those of the layers of
        these names.

        Source: layers/base.py, trainable."""
        found: list[slice] = []
        for name, start in self.offsets.items():
            if name.startswith(tuple(f"{layer}." for layer in frozen)):
                continue
            stop = next((other for other in self.offsets.values() if other > start), self.size)
            if found and found[-1].stop == start:
                start = found.pop().start
            found.append(slice(start, stop))
        return found

    def initialise(self, seed: int) -> None:
        """Draw every tensor on the host, shapes as declared, so that all backends start equal.

        Source: initializers.py.
        """
        for number, (name, (shape, init)) in enumerate(self.declared.items()):
            if not accepts(init, 0, "noise"):
                raise TypeError(f"{name} is drawn by {init!r}, but init(noise=...) is expected")
            with one_blas_thread():  # orthogonal matrices are made by products
                drawn: Any = np.asarray(init(noise=TensorDraws(seed, number)), np.float64)
            finite(drawn, f"the initial {name}")
            if drawn.shape != shape:
                raise ValueError(f"the initialiser of {name} gave {drawn.shape}, not {shape}")
            self.backend.write(self.view(name), drawn)
