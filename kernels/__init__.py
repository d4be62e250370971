"""The hot loops: one file an operation, its definition in NumPy above its Numba spelling."""

if __name__ != "scratchae.kernels":
    raise ImportError(
        f"this folder was imported as {__name__!r}, a name that belongs to another package; "
        "write 'from scratchae import kernels' or 'import scratchae.kernels' instead"
    )
