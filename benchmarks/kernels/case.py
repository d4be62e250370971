"""What a kernel is called with when benchmarks/kernels.py times it: float32, lying as in training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchae.backend import get_backend

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """What a kernel is called with.

    size: for the table. calls: one tuple of arguments or more, taken in turn. moved: bytes that a call must read
    or write, each once; an array that is changed counts twice. flops: of its matrix products, if it has any.
    """

    size: str
    calls: list[tuple[Any, ...]]
    moved: int
    flops: int = 0


Maker = Callable[[str], Case]


def array(*shape: int, dtype: str = "float32") -> Any:
    """Standard normal numbers, aligned as the library's own."""
    out = get_backend("numpy").empty(shape, dtype)
    out[...] = RNG.standard_normal(shape, np.float32)
    return out


def size(*arrays: Any) -> int:
    """Bytes of all of them."""
    return sum(a.nbytes for a in arrays)
