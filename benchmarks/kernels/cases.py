"""The kernels of the library, each at the sizes that the recipes give it: what kernels.py times.

CASES names every kernel of kernels/ that has a loop, as module.VARIABLE (activations by name share
a case), with what makes its cases when it is timed. Arguments are float32 and lie as in training:
outs, ins, constants.
"""

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.shared.processes import Failed
from scratchae import kernels
from scratchae.backend import get_backend
from scratchae.kernels.kernel import Kernel
from scratchae.kernels.lstm import scratch_size
from scratchae.layers.geometry import Axis
from scratchae.layers.products import ConvProduct

RNG, PARAMETERS = np.random.default_rng(0), 652_896  # of the dense VAE 784-400-20, with padding


@dataclass(frozen=True)
class Case:
    """What a kernel is called with.

    calls: tuples of arguments, taken one after the other. moved: bytes that a call must read
    or write, each once; a changed array counts twice. flops: of its matrix products, if any.
    """

    size: str
    calls: list[tuple[Any, ...]]
    moved: int
    flops: int = 0


Maker = Callable[[str], Case]  # of the last part of a kernel's name


def collected() -> dict[str, Kernel]:
    """Every kernel with a Numba loop: module.VARIABLE, or module.VARIABLE.key in a family."""
    found: dict[str, Kernel] = {}
    for entry in pkgutil.iter_modules(kernels.__path__):
        module = importlib.import_module(f"scratchae.kernels.{entry.name}")
        for name, value in vars(module).items():
            for key, kernel in (value if isinstance(value, dict) else {"": value}).items():
                with_loop = isinstance(kernel, Kernel) and kernel.numba is not None
                if with_loop and kernel not in found.values():
                    found[f"{entry.name}.{name}.{key}".rstrip(".")] = kernel
    return found


def makers(name: str) -> list[Maker]:
    """What makes the cases of a kernel. Raises Failed, naming it, where there is nothing."""
    family = ".".join(name.split(".")[:2])
    if family not in CASES:
        raise Failed(f"the kernel {family} has no case: give it one in kernels/cases.py")
    return CASES[family]


def array(*shape: int, dtype: str = "float32") -> Any:
    """Standard normal numbers, aligned as the library's."""
    out = get_backend("numpy").empty(shape, dtype)
    out[...] = RNG.standard_normal(shape, np.float32)
    return out


def size(*arguments: Any) -> int:
    """Bytes of all that are arrays."""
    return sum(a.nbytes for a in arguments if isinstance(a, np.ndarray))


def words(shape: Any) -> str:
    """(128, 400) -> 128x400."""
    return "x".join(map(str, shape))


LETTERS: dict[str, Callable[..., Any]] = {  # of rows N and a shape: what an argument is
    "n": lambda N, *shape: array(N),
    "f": lambda N, *shape: array(N, *shape),
    "d": lambda N, *shape: array(*shape),
    "p": lambda N, *shape: np.abs(array(*shape)),  # state of an optimiser, of which it takes roots
    "b": lambda N, *shape: -1 - np.abs(array(*shape)),  # phi(phi(... + b) + b) stays finite
    "q": lambda N, *shape: array(*shape, dtype="float64"),
    "z": lambda N, D: np.array([N] + [N / 3] * (D + 1)),  # sums over a batch, the count first
    "y": lambda N, *shape: np.array([N, 2.0 * N]),  # count and a sum over a batch
    "u": lambda N, *shape: RNG.random((N, *shape), np.float32),
    "g": lambda N, *shape: RNG.integers(0, 256, (N, *shape)).astype(np.float32) / 255,  # pixels
    "v": lambda N, *shape: RNG.poisson(3.0, (N, *shape)).astype(np.float32),  # counts
    "w": lambda N, *shape: array(N, *shape).view(np.uint32),
    "h": lambda N, *shape: array(N, *shape[:-1], 2 * shape[-1]),  # mu and logvar
    "o": lambda N, P, C: np.eye(C, dtype=np.float32)[RNG.integers(0, C, (N, P))],  # one-hot
    "t": lambda N, T, *shape: array(T, N, *shape),
    "s": lambda N, *shape: array(N, *shape[:-2], shape[-1], shape[-2]),
    "k": lambda N, H, W, C: array(N, H // 2, W // 2, 3, 3, C),  # patches of stride 2
    "m": lambda N, H, W, C: array(N, H // 2, W // 2, C),  # an image of half the size
    "i": lambda N, H, W, C: RNG.integers(0, 4, (N, H // 2, W // 2, C), np.uint8),  # who won
    "1": lambda N, *shape: np.ones(1, np.float32),
    "r": lambda N, *shape: np.arange(N, dtype=np.uint32),
    "c": lambda N, *shape: np.array([7, 0, 1, 0], np.uint32),  # a clock
}


def of(shape: tuple[int, ...], letters: str, *constants: Any) -> Maker:
    """One call: an array for each of the LETTERS, then constants; "!": it is read and written."""

    def make(key: str) -> Case:
        arrays = [LETTERS[word[0]](*shape) for word in letters.split()]
        changed = [a for a, word in zip(arrays, letters.split(), strict=True) if "!" in word]
        return Case(words(shape), [(*arrays, *constants)], size(*arrays, *changed))

    return make


def activation_gradient(key: str) -> Case:
    da, db, dy, y = array(128, 400), array(400), array(128, 400), array(128, 400)
    if key != "identity":
        return Case("128x400", [(da, db, dy, y, False)], size(da, db, dy, y))
    return Case("128x400", [(dy, db, dy, y, False)], size(dy, db))  # da is dy, y is not read


def gather(N: int, M: int, D: int, pixels: bool = True, noise: bool = False) -> Maker:
    """Batches of N from a shuffled data set (M, D), another batch at each call."""

    def make(key: str) -> Case:
        data = RNG.integers(0, 256, (M, D), np.uint8) if pixels else array(M, D)
        x, u, order = array(N, D), (LETTERS["u"](N, D),) * noise, RNG.permutation(M)
        batches = order[: M - M % N].astype(np.uint32).reshape(-1, N)
        moved = size(x, batches[0], *u) + N * D * data.itemsize
        return Case(f"{N}x{D} of {M:,}", [(x, data, rows, *u) for rows in batches], moved)

    return make


def shaped(*shapes: tuple[int, ...]) -> Maker:
    """One call on arrays of these shapes."""

    def make(key: str) -> Case:
        arrays = [array(*shape) for shape in shapes]
        return Case(words(shapes[0]), [tuple(arrays)], size(*arrays))

    return make


def one_hot(key: str, N: int = 128, M: int = 60_000, C: int = 10) -> Case:
    """The unit vectors of a batch of labels."""
    labels = RNG.integers(0, C, (M, 1)).astype(np.float32)
    rows, c = RNG.permutation(M)[:N].astype(np.uint32), array(N, C)
    return Case(f"{N}x{C} of {M:,}", [(c, labels, rows)], size(c, rows) + N * labels.itemsize)


def take(key: str, N: int = 128, M: int = 60_000) -> Case:
    """The rows of a batch of N from the order of M examples, another batch at each call."""
    rows, order = np.empty(N, np.uint32), RNG.permutation(M).astype(np.uint32)
    states = [np.array([t, 0], np.int32) for t in range(M // N)]
    calls = [(rows, order, state, 0, N) for state in states]
    return Case(f"{N} of {M:,}", calls, size(rows, rows, states[0]))


def convolution(image: int, C: int, P: int, O: int, stride: int, before: int) -> Maker:
    """Of 3 x 3 pixels: 16 images (image, image, C) and as many grids (P, P, O), either way.

    Scratch is that of the layers' product. From one channel, first in a model, there is no dx.
    """

    def make(key: str) -> Case:
        N, transposed, backward = 16, "TRANSPOSE" in key, "GRADIENT" in key
        axis = Axis(pixels=image, patches=P, kernel=3, stride=stride, before=before)
        named = vars(ConvProduct(get_backend("numpy"), (axis, axis), C, O, N))
        named |= {"add": False, "s_h": stride, "s_w": stride, "top": before, "left": before}
        images, grids, W = array(N, image, image, C), array(N, P, P, O), array(3, 3, C, O)
        x, a = (grids, images) if transposed else (images, grids)
        dx = array(N if transposed or C > 1 else 0, *x.shape[1:])
        named |= {"a": a, "da": a, "x": x, "W": W, "dW": array(*W.shape), "dx": dx}
        definition = collected()[f"convolution.{key}"].definition
        args = tuple(named[parameter] for parameter in inspect.signature(definition).parameters)
        moved, products = (size(W, dx) if backward else 0), 1 + (backward and len(dx) > 0)
        name = f"{N}x{words(x.shape[1:])}->{words(a.shape[1:])}"
        return Case(name, [args], moved + size(W, a, x), 2 * N * P * P * 9 * C * O * products)

    return make


def lstm(T: int, N: int, U: int) -> Maker:
    """All steps; R is 0, since every call adds to dh what comes back through it."""

    def make(key: str) -> Case:
        gates, a, dh = array(T, 4, N, U), array(T, N, 4 * U), array(T, N, U)
        c, h, R = array(1 + T, N, U), array(1 + T, N, U), array(U, 4 * U)
        b, flat = array(4 * U), array(scratch_size(N, U, 4))
        gates[:], R[:] = np.clip(gates, 0.1, 0.9), 0
        args = (gates, c, h, a, R, b) if key == "THROUGH_TIME" else (a, dh, gates, c, R)
        moved = size(*args) + size(dh) * (key != "THROUGH_TIME")
        return Case(words((T, N, U)), [(*args, flat)], moved, 8 * T * N * U * U)

    return make


ADAM = np.array((1 / 128, 1e-3, 0.1, 0.001), np.float32)  # c, alpha, 1 - beta1, 1 - beta2
ADADELTA, MOST = np.array((1 / 128, 1.0), np.float32), (0, PARAMETERS)
ENCODER = (28, 1, 13, 32, 2, 0), (13, 32, 6, 64, 2, 0)  # of TensorFlow's CVAE
DECODER = (28, 32, 14, 64, 2, 0), (28, 1, 28, 32, 1, 1)
SHARD, IMAGES, CODES = (1, PARAMETERS), (128, 784), (256, 128)
PATCHED, POOLED = (2, 28, 28, 32), (16, 28, 28, 32)
DAYS, BEATS = (48, 32, 16), (140, 128, 64)  # steps, rows, units
FLOOR, PLACES = 2 * math.log(1e-3), ((128, 784, 1), (128, 1, 140))  # of a learned logvar

CASES: dict[str, list[Maker]] = {
    "activation.BIAS_ACTIVATION": [of((128, 400), "f! b")],
    "activation.ACTIVATION_GRADIENT": [activation_gradient],
    "adam.ADAM": [
        of((shards, PARAMETERS), "p! p! p! f", ADAM, 0.9, 0.999, 1e-8, *MOST) for shards in (1, 2)
    ],
    "adadelta.ADADELTA": [of(SHARD, "p! p! p! f", ADADELTA, 0.95, 1e-6, *MOST)],
    "adagrad.ADAGRAD": [of(SHARD, "p! p! f", ADAM[:2], 1e-10, *MOST)],
    "adamw.ADAMW": [of(SHARD, "p! p! p! f", ADAM, 0.9, 0.999, 1e-8, 1e-2, *MOST)],
    "rmsprop.RMSPROP": [of(SHARD, "p! p! f", ADAM[:2], 0.9, 1e-8, *MOST)],
    "sgd.SGD": [of(SHARD, "p! p! f", ADAM[:2], 0.9, *MOST)],
    "clip.SQUARES": [of(SHARD, "1 f", *MOST)],
    "batch.GATHER_GREY": [gather(128, 60_000, 784)],
    "batch.GATHER_THRESHOLD": [gather(128, 60_000, 784)],
    "batch.GATHER_DYNAMIC": [gather(128, 60_000, 784, noise=True)],
    "batch.GATHER_VALUES": [gather(512, 4_000, 140, pixels=False)],
    "batch.TAKE": [take],
    "bernoulli.BERNOULLI_NLL": [of(IMAGES, "n f f u")],
    "continuous_bernoulli.CONTINUOUS_BERNOULLI_NLL": [of(IMAGES, "n f f u")],
    "errors.SQUARED_ERROR": [of(IMAGES, "n f f u", 2.0, 0.0)],
    "errors.ABSOLUTE_ERROR": [of((512, 140), "n f f u", 1.0, 0.0)],
    "gaussian.GAUSSIAN_SAMPLE": [of((128, 20), "f f h f")],
    "gaussian.GAUSSIAN_GRADIENT": [of((128, 20), "h f h f d")],
    "hierarchy.CONDITIONAL_RATIO": [of((1000, 100), "n f f h h f")],
    "hierarchy.LAYER_TERMS": [of((1000, 2), "n f n n")],
    "hierarchy.LAYER_WEIGHTS": [of((1000, 2), "n n d", 1)],
    "hierarchy.CONDITIONAL_GRADIENT": [of((1000, 100), "h f h n")],
    "hierarchy.LOWER_GRADIENT": [of((1000, 100), "h f f h h f n")],
    "importance.GAUSSIAN_RATIO": [of((1000, 50), "n f h f")],
    "importance.IMPORTANCE_WEIGHTS": [of((1000,), "n n n n")],
    "importance.WEIGH_ROWS": [of((1000, 784), "f f n")],
    "importance.GAUSSIAN_WEIGHED": [of((1000, 50), "h f f h f n")],
    "importance.GAUSSIAN_PATH": [of((1000, 50), "h f f h f n")],
    "given.JOIN": [shaped((128, 794), (128, 784), (128, 10))],
    "given.SPLIT": [shaped((128, 50), (128, 60))],
    "given.ONE_HOT": [one_hot],
    "observed.HIDE": [of((128, 784, 1), "f f u", -1e4)],
    "observed.LEAVE_OUT": [of((128, 784, 1), "n! f! u", 0.0)],
    "prior.PRIOR_SAMPLE": [of((128, 20), "f f h h f")],
    "prior.PRIOR_GRADIENT": [of((128, 20), "h h f h h f d")],
    "prior.PRIOR_RATIO": [of((128, 20), "n f h h f")],
    "prior.PRIOR_WEIGHED": [of((128, 20), "h h f f h h f n")],
    "prior.PRIOR_PATH": [of((128, 20), "h h f f h h f n")],
    "learned_gaussian.LEARNED_GAUSSIAN_NLL": [of(s, "n h h f", FLOOR) for s in PLACES],
    "discretised_logistic.DISCRETISED_LOGISTIC_NLL": [
        of(s, "n h h g", 0.0, 1 / 255, 256) for s in PLACES
    ],
    "shared_gaussian.SHARED_GAUSSIAN_NLL": [of(IMAGES, "n f n f u 1", FLOOR)],
    "shared_gaussian.SHARED_GAUSSIAN_GRADIENT": [of(IMAGES, "1 n n 1", FLOOR, 784, False)],
    "optimal_gaussian.OPTIMAL_GAUSSIAN_GRADIENT": [of(IMAGES, "f f y", 784)],
    "poisson.POISSON_NLL": [of(IMAGES, "n f f v")],
    "categorical.CATEGORICAL_NLL": [
        of((128, *shape), "n f f o") for shape in ((1, 10), (20, 256))
    ],
    "patches.IM2COL": [of(PATCHED, "k f", 2, 2, 0, 0)],
    "patches.COL2IM": [of(PATCHED, "f k", 2, 2, 0, 0)],
    "convolution.CONV": [convolution(*layer) for layer in ENCODER],
    "convolution.CONV_GRADIENT": [convolution(*layer) for layer in ENCODER],
    "convolution.CONV_TRANSPOSE": [convolution(*layer) for layer in DECODER],
    "convolution.CONV_TRANSPOSE_GRADIENT": [convolution(*layer) for layer in DECODER],
    "convolution.ROTATE_KERNEL": [of((3, 3, 32, 1), "s f", False)],
    "lstm.THROUGH_TIME": [lstm(*DAYS), lstm(*BEATS)],
    "lstm.THROUGH_TIME_GRADIENT": [lstm(*DAYS), lstm(*BEATS)],
    "swap.SWAP": [of((128, 140, 1), "t f"), of((128, 140, 64), "t f")],
    "noise.GAUSSIAN_NOISE": [of((128 * 784,), "f f u 1", 0.2, 0.0, 1.0)],
    "noise.GAUSSIAN_NOISE_GRADIENT": [of((128 * 784,), "f f f u 1", 0.2, 0.0, 1.0)],
    "noise.MASK": [of((128 * 784,), "f f u 1", 0.3, 1.0)],
    "noise.SALT_AND_PEPPER": [of((128 * 784,), "f f u 1", 0.3)],
    "pooling.MAX_POOL": [of(POOLED, "m i f", 2, 2, 2, 2, 0, 0)],
    "pooling.MAX_POOL_GRADIENT": [of(POOLED, "f m i", 2, 2, 2, 2, 0, 0)],
    "pooling.UPSAMPLE": [of(POOLED, "f m")],
    "pooling.UPSAMPLE_GRADIENT": [of(POOLED, "m f")],
    "philox.WORDS": [of(IMAGES, "w r c", 3)],
    "philox.UNIFORM": [of(IMAGES, "f r c", 3)],
    "philox.NORMAL": [of((128, 20), "f r c", 3), of((32, 784), "f r c", 3)],
    "penalties.L1": [of(CODES, "n f")],
    "penalties.L1_GRADIENT": [of(CODES, "f f f", 1e-3)],
    "penalties.STUDENT_T": [of(CODES, "n f")],
    "penalties.STUDENT_T_GRADIENT": [of(CODES, "f f f", 1e-3)],
    "penalties.SUM_UNITS": [of(CODES, "q f")],
    "penalties.RATE_GRADIENT": [of(CODES, "f f z", 1e-3, 0.05, 2)],
    "contraction.SQUARED_COLUMNS": [of((784, 128), "q f")],
    "contraction.CONTRACTION": [of(CODES, "n f q", 1.0)],
    "contraction.CONTRACTION_GRADIENT": [of(CODES, "f f f q", 1e-3, 1.0)],
    "contraction.SQUARED_SLOPES": [of(CODES, "q f", 1.0)],
    "contraction.CONTRACTION_WEIGHTS": [of((784, 128), "f! f q", 1e-3)],
}
