"""How many examples may be drawn: as many as the counter of their draws tells apart."""

from typing import Any

from ...checks import positive

MOST = 1 << 32  # a draw's counter has one word of 32 bits for the row of its example


def size(name: str, n: Any) -> int:
    """A number of examples to draw, 1 to 2^32, as int. Raises ValueError otherwise. Source:
    kernels/philox.py, the counter."""
    if positive(name, n) > MOST:
        raise ValueError(f"{name} is {n}, but no more than {MOST} can be drawn: give fewer")
    return int(n)
