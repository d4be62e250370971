"""Numbers of bytes, for messages."""


def size(n: float) -> str:
    """Bytes in words: 1.5 GiB, 20.0 MiB. Shapes: none. Source: none, a format."""
    return f"{n / 2**30:,.1f} GiB" if n >= 2**30 else f"{n / 2**20:,.1f} MiB"
