"""Numbers of bytes, for messages."""


def size(n: float) -> str:
    """Bytes in words: 1.5 GiB, 20.0 MiB, 0.1 KiB. Shapes: none. Source: none, a format."""
    unit, word = next(((u, w) for u, w in ((2**30, "GiB"), (2**20, "MiB")) if n >= u), (2**10, "KiB"))
    return f"{n / unit:,.1f} {word}"
