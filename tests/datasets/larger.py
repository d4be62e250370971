"""Trains on data that takes 100 MB, under a limit of 40 MB over what a small run has taken: one
process of test_memory.py. Its arguments are names of CASES; it writes into the working folder."""

import resource
import sys

import numpy as np

import scratchae as sa

N, D, MOST = 25_000, 1000, 40_000_000
CASES = {  # dtype, rows of D numbers, order of Fortran, likelihood
    "float32": ("float32", N, False, sa.Bernoulli()),
    "int16": ("int16", 2 * N, False, sa.SquaredError()),
    "float16": ("float16", 2 * N, False, sa.Bernoulli()),
    ">f4": (">f4", N, False, sa.AbsoluteError()),
    "Fortran": ("float32", N, True, sa.Bernoulli()),
    "one-hot": ("float32", N, False, sa.Categorical()),
    "images": ("uint8", 4 * N, False, sa.Bernoulli()),
    "images in Fortran's order": ("uint8", 4 * N, True, sa.SquaredError()),
}


def data_of(name):
    dtype, n, order, likelihood = CASES[name]
    shape = (n, 10, 10, 10) if dtype == "uint8" else (n, D)
    x = np.lib.format.open_memmap(f"{dtype}{order}", "w+", dtype, shape, fortran_order=order)
    if name == "one-hot":
        x[:, 3] = 1
    return x, likelihood


def model_for(shape, likelihood):
    flat = len(shape) == 1
    encoder = sa.Sequential(*[sa.Flatten()] * (not flat), sa.Dense(D, 2))
    decoder = sa.Sequential(sa.Dense(2, D), *[sa.Reshape(*shape)] * (not flat))
    return sa.Autoencoder(encoder, decoder, likelihood).build(shape)


def run(x, likelihood):
    model = model_for(x.shape[1:], likelihood)
    data, small = (sa.Images(a) if a.dtype == np.uint8 else a for a in (x, x[:500]))
    options = {"batch_size": 250, "threads": 1}
    sa.fit(model, data, sa.SGD(1e-9), epochs=1, progress=False, validation=small, **options)
    model.encode(data)


def limit(most):
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        x, likelihood = data_of(name)
        run(x[:500], likelihood)
        with open("/proc/self/statm", encoding="ascii") as file:
            limit(int(file.read().split()[5]) * resource.getpagesize() + MOST)
        try:
            run(x, likelihood)
            print(name, "trains")
        except MemoryError as error:
            print(name, "is out of memory:", error)
        limit(resource.RLIM_INFINITY)
