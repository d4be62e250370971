"""The kernels of the library, each at the sizes that the recipes give it: what benchmarks/kernels.py times.

CASES names every kernel of kernels/ that has a loop, as module.VARIABLE (activations by name share a case), with
one maker or more. A maker returns a Case; it runs when its turn comes, so nothing here costs memory before.
Arguments are float32 and lie as in training: outs, ins, constants. A kernel without a case is an error naming it.
"""

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any

import numpy as np

from benchmarks.kernels import likelihood_cases, penalty_cases, recurrent_cases
from benchmarks.kernels.case import RNG, Case, Maker, array, size
from scratchae import kernels
from scratchae.backend import get_backend
from scratchae.kernels.kernel import Kernel
from scratchae.layers.geometry import Axis

PARAMETERS = 652_896  # of the dense VAE 784-400-20, with padding


def collected() -> dict[str, Kernel]:
    """Every kernel with a Numba loop by name: module.VARIABLE, or module.VARIABLE.key where they are a family."""
    found: dict[str, Kernel] = {}
    for entry in pkgutil.iter_modules(kernels.__path__):
        module = importlib.import_module(f"scratchae.kernels.{entry.name}")
        for name, value in vars(module).items():
            family = value.items() if isinstance(value, dict) else [("", value)]
            loops = [
                (key, k) for key, k in family if isinstance(k, Kernel) and k.numba is not None
            ]
            named = {f"{entry.name}.{name}.{key}".rstrip("."): k for key, k in loops}
            found |= {
                name: kernel for name, kernel in named.items() if kernel not in found.values()
            }
    return found


def makers(name: str) -> list[Maker]:
    """The makers of a kernel's cases. Raises LookupError, naming it, where there are none."""
    family = ".".join(name.split(".")[:2])
    if not CASES.get(family):
        raise LookupError(
            f"the kernel {family} has no case: give it one in CASES of benchmarks/kernels/cases.py"
        )
    return CASES[family]


def bias_activation(N: int, O: int) -> Maker:
    def make(key: str) -> Case:
        y, b = (
            array(N, O),
            -1 - np.abs(array(O)),
        )  # below 0: phi(phi(... + b) + b) does not run away to inf
        return Case(f"{N}x{O}", [(y, b)], size(y, y, b))

    return make


def activation_gradient(N: int, O: int) -> Maker:
    def make(key: str) -> Case:
        dy, y, db = array(N, O), array(N, O), array(O)
        if key == "identity":  # da is dy itself, y is not read
            return Case(f"{N}x{O}", [(dy, db, dy, y, False)], size(dy, db))
        da = array(N, O)
        return Case(f"{N}x{O}", [(da, db, dy, y, False)], size(da, db, dy, y))

    return make


def optimizer(states: int, shards: int, row: tuple[float, ...], *constants: float) -> Maker:
    def make(key: str) -> Case:
        theta, *state = (np.abs(array(PARAMETERS)) for _ in range(1 + states))
        G, changing = array(shards, PARAMETERS), np.array(row, np.float32)
        args = (theta, *state, G, changing, *constants, 0, PARAMETERS)
        words = f"{PARAMETERS:,}, {shards} shard{'s' * (shards > 1)}"
        return Case(words, [args], size(theta, *state) * 2 + G.nbytes)

    return make


@cache
def data_set(M: int, D: int, pixels: bool) -> Any:
    """(M, D) uint8, or float32 where there are no pixels."""
    return RNG.integers(0, 256, (M, D), np.uint8) if pixels else array(M, D)


def gather(N: int, M: int, D: int, pixels: bool = True, noise: bool = False) -> Maker:
    """Batches of N from a shuffled data set (M, D), another batch at each call."""

    def make(key: str) -> Case:
        data, x = data_set(M, D, pixels), array(N, D)
        u = (RNG.random((N, D), np.float32),) * noise
        order = RNG.permutation(M).astype(np.uint32)
        batches = [order[i : i + N] for i in range(0, M - N + 1, N)]
        moved = size(x, order[:N], *u) + N * D * data.itemsize
        return Case(f"{N}x{D} of {M:,}", [(x, data, rows, *u) for rows in batches], moved)

    return make


def take(N: int, M: int) -> Maker:
    """The rows of a batch of N from the order of M examples, another batch at each call."""

    def make(key: str) -> Case:
        rows, order = np.empty(N, np.uint32), RNG.permutation(M).astype(np.uint32)
        states = [np.array([t, 0], np.int32) for t in range(M // N)]
        return Case(
            f"{N} of {M:,}",
            [(rows, order, state, 0, N) for state in states],
            size(rows, rows, states[0]),
        )

    return make


def likelihood(N: int, D: int, *constants: float) -> Maker:
    def make(key: str) -> Case:
        nll, da, a, x = array(N), array(N, D), array(N, D), RNG.random((N, D), np.float32)
        return Case(f"{N}x{D}", [(nll, da, a, x, *constants)], size(nll, da, a, x))

    return make


def gaussian(N: int, D: int, backward: bool) -> Maker:
    def make(key: str) -> Case:
        z, eps, kl, h, dh, w = (
            array(N, D),
            array(N, D),
            array(N, D),
            array(N, 2 * D),
            array(N, 2 * D),
            array(D),
        )
        args = (dh, z, h, eps, w) if backward else (z, kl, h, eps)
        return Case(f"{N}x{D}", [args], size(*args))

    return make


def patches(N: int, H: int, C: int, stride: int, before: int, to_cols: bool) -> Maker:
    """Of 3 x 3 pixels, N square images of H pixels a side, padded to "same"."""

    def make(key: str) -> Case:
        P = -(-H // stride)
        x, cols = array(N, H, H, C), array(N, P, P, 3, 3, C)
        outs = (cols, x) if to_cols else (x, cols)
        words = f"{N}x{H}x{H}x{C}, 3x3 s{stride}"
        return Case(words, [(*outs, stride, stride, before, before)], size(x, cols))

    return make


def convolution(
    image: int, C: int, P: int, O: int, stride: int, before: int, name: str, N: int = 16
) -> Maker:
    """Of 3 x 3 pixels: N images (image, image, C) and as many grids (P, P, O), either way.

    name: of the kernel, whose arguments are given by name; scratch is that of the layers' own product. A
    convolution from one channel stands first in a model: its gradient computes no dx.
    """
    transposed, backward = "TRANSPOSE" in name, "GRADIENT" in name

    def make(key: str) -> Case:
        module = importlib.import_module("scratchae.layers.products")
        axis = Axis(pixels=image, patches=P, kernel=3, stride=stride, before=before)
        product = module.ConvProduct(get_backend("numpy"), (axis, axis), C, O, N)
        images, grids, W = array(N, image, image, C), array(N, P, P, O), array(3, 3, C, O)
        x, a = (grids, images) if transposed else (images, grids)
        dx = array(N if transposed or C > 1 else 0, *x.shape[1:])
        named = vars(product) | {
            "a": a,
            "x": x,
            "W": W,
            "dW": array(*W.shape),
            "dx": dx,
            "da": a,
            "add": False,
        }
        named |= {"s_h": stride, "s_w": stride, "top": before, "left": before}
        definition = collected()[f"convolution.{name}"].definition
        args = tuple(named[parameter] for parameter in inspect.signature(definition).parameters)
        words = f"{N}x" + "->".join("x".join(map(str, end.shape[1:])) for end in (x, a))
        moved, products = (
            (size(W, W, dx, a, x), 1 + bool(len(dx))) if backward else (size(W, a, x), 1)
        )
        return Case(words, [args], moved, 2 * N * P * P * 9 * C * O * products)

    return make


def rotate_kernel(k: int, A: int, B: int) -> Maker:
    def make(key: str) -> Case:
        out, W = array(k, k, B, A), array(k, k, A, B)
        return Case(f"{k}x{k}x{A}x{B}", [(out, W, False)], size(out, W))

    return make


def max_pool(N: int, H: int, C: int, backward: bool) -> Maker:
    """Windows of 2 x 2."""

    def make(key: str) -> Case:
        x, y = array(N, H, H, C), array(N, H // 2, H // 2, C)
        winner = RNG.integers(0, 4, y.shape, np.uint8)
        args = (x, y, winner) if backward else (y, winner, x)
        return Case(f"{N}x{H}x{H}x{C}", [(*args, 2, 2, 2, 2, 0, 0)], size(x, y, winner))

    return make


def upsample(N: int, H: int, C: int, backward: bool) -> Maker:
    """By 2 x 2."""

    def make(key: str) -> Case:
        x, y = array(N, H, H, C), array(N, 2 * H, 2 * H, C)
        return Case(f"{N}x{H}x{H}x{C}", [(x, y) if backward else (y, x)], size(x, y))

    return make


def philox(N: int, D: int, dtype: str = "float32", chance: bool = False) -> Maker:
    def make(key: str) -> Case:
        out, rows, clock = (
            array(N, D),
            np.arange(N, dtype=np.uint32),
            np.array([7, 0, 1, 0], np.uint32),
        )
        p = (RNG.random((N, D), np.float32),) * chance
        return Case(f"{N}x{D}", [(out.view(dtype), *p, rows, clock, 3)], size(out, *p, rows))

    return make


def noise(N: int, D: int, *constants: float, backward: bool = False) -> Maker:
    """eps or u, and on = 1."""

    def make(key: str) -> Case:
        out, x, draws, on = (
            array(N * D),
            array(N * D),
            RNG.random(N * D, np.float32),
            np.ones(1, np.float32),
        )
        dy = (array(N * D),) * backward
        return Case(f"{N}x{D}", [(out, *dy, x, draws, on, *constants)], size(out, *dy, x, draws))

    return make


ADAM = (1 / 128, 1e-3, 0.1, 0.001)  # c, alpha, 1 - beta1, 1 - beta2
ENCODER = (28, 1, 13, 32, 2, 0), (13, 32, 6, 64, 2, 0)  # of TensorFlow's CVAE
DECODER = (28, 32, 14, 64, 2, 0), (28, 1, 28, 32, 1, 1)

CASES: dict[str, list[Maker]] = {
    "activation.BIAS_ACTIVATION": [bias_activation(128, 400)],
    "activation.ACTIVATION_GRADIENT": [activation_gradient(128, 400)],
    "adam.ADAM": [optimizer(2, shards, ADAM, 0.9, 0.999, 1e-8) for shards in (1, 2)],
    "adadelta.ADADELTA": [optimizer(2, 1, (1 / 128, 1.0), 0.95, 1e-6)],
    "adagrad.ADAGRAD": [optimizer(1, 1, ADAM[:2], 1e-10)],
    "adamw.ADAMW": [optimizer(2, 1, ADAM, 0.9, 0.999, 1e-8, 1e-2)],
    "rmsprop.RMSPROP": [optimizer(1, 1, ADAM[:2], 0.9, 1e-8)],
    "sgd.SGD": [optimizer(1, 1, ADAM[:2], 0.9)],
    "batch.GATHER_GREY": [gather(128, 60_000, 784)],
    "batch.GATHER_THRESHOLD": [gather(128, 60_000, 784)],
    "batch.GATHER_DYNAMIC": [gather(128, 60_000, 784, noise=True)],
    "batch.GATHER_VALUES": [gather(512, 4_000, 140, pixels=False)],
    "batch.TAKE": [take(128, 60_000)],
    "bernoulli.BERNOULLI_NLL": [likelihood(128, 784)],
    "errors.SQUARED_ERROR": [likelihood(128, 784, 2.0, 0.0)],
    "errors.ABSOLUTE_ERROR": [likelihood(512, 140)],
    "gaussian.GAUSSIAN_SAMPLE": [gaussian(128, 20, backward=False)],
    "gaussian.GAUSSIAN_GRADIENT": [gaussian(128, 20, backward=True)],
    "patches.IM2COL": [patches(2, 28, 32, 2, 0, to_cols=True)],
    "patches.COL2IM": [patches(2, 28, 32, 2, 0, to_cols=False)],
    "convolution.CONV": [convolution(*layer, "CONV") for layer in ENCODER],
    "convolution.CONV_GRADIENT": [convolution(*layer, "CONV_GRADIENT") for layer in ENCODER],
    "convolution.CONV_TRANSPOSE": [convolution(*layer, "CONV_TRANSPOSE") for layer in DECODER],
    "convolution.CONV_TRANSPOSE_GRADIENT": [
        convolution(*layer, "CONV_TRANSPOSE_GRADIENT") for layer in DECODER
    ],
    "convolution.ROTATE_KERNEL": [rotate_kernel(3, 32, 1)],
    "noise.GAUSSIAN_NOISE": [noise(128, 784, 0.2, 0.0, 1.0)],
    "noise.GAUSSIAN_NOISE_GRADIENT": [noise(128, 784, 0.2, 0.0, 1.0, backward=True)],
    "noise.MASK": [noise(128, 784, 0.3, 1.0)],
    "noise.SALT_AND_PEPPER": [noise(128, 784, 0.3)],
    "pooling.MAX_POOL": [max_pool(16, 28, 32, backward=False)],
    "pooling.MAX_POOL_GRADIENT": [max_pool(16, 28, 32, backward=True)],
    "pooling.UPSAMPLE": [upsample(16, 14, 32, backward=False)],
    "pooling.UPSAMPLE_GRADIENT": [upsample(16, 14, 32, backward=True)],
    "philox.WORDS": [philox(128, 784, "uint32")],
    "philox.UNIFORM": [philox(128, 784)],
    "philox.NORMAL": [philox(128, 20), philox(32, 784)],
    **likelihood_cases.CASES,
    **penalty_cases.CASES,
    **recurrent_cases.CASES,
}
