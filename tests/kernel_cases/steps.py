"""Cases of the kernels of a step: its batch, activations, the latent, noise, sums, optimisers."""

import numpy as np

from kernel_cases.draws import easy, garbage, hard
from scratchae.kernels.activation import DEFINITIONS


def bias_activation(rng, dtype, N, D, K, key):
    return [hard(rng, dtype, (N, D))], [easy(rng, dtype, D)], []


def activation_gradient(rng, dtype, N, D, K, key):
    a = hard(rng, dtype, (N, D))
    a.flat[a.size // 2] = 1  # a unit that is on: where the test of NaNs strikes
    y = DEFINITIONS[key][0](a).astype(dtype)
    dy = easy(rng, dtype, (N, D))
    # "for the identity da is dy itself"
    da = dy.copy() if key == "identity" else garbage(dtype, N, D)
    return [da, easy(rng, dtype, D)], [dy, y], [bool(K % 2)]


def optimizer(vectors, changing, constants):
    def case(rng, dtype, N, D, K, key):
        # a second moment is positive
        state = [np.abs(easy(rng, dtype, N * D)) for _ in range(vectors)]
        row = rng.uniform(0.1, 0.9, changing).astype(dtype)
        part = [1, N * D - 1] if N * D > 2 else [0, N * D]
        return (
            state,
            [easy(rng, dtype, (K, N * D)), row],
            [*rng.uniform(0.1, 0.9, constants).tolist(), *part],
        )

    return case


def squares(rng, dtype, N, D, K, key):
    part = [1, N * D - 1] if N * D > 2 else [0, N * D]
    return [garbage("float64", D)], [easy(rng, dtype, (K, N * D))], part


def clip(rng, dtype, N, D, K, key):
    """A bound that acts, or, with two of K, does not."""
    row = rng.uniform(0.1, 0.9, N).astype(dtype)
    return [row], [rng.uniform(0.1, 0.9, D)], [1e6 if K == 2 else 0.02]


def gather(dtypes, noise=False):
    def case(rng, dtype, N, D, K, key):
        kind = dtypes[K % len(dtypes)]
        data = rng.integers(0, 256, (N, D)).astype(np.uint8)
        data = data if kind == "uint8" else easy(rng, kind, data.shape)
        ins = [data, rng.permutation(N).astype(np.uint32)]
        u = (rng.integers(0, 2**24, (N, D)) / 2**24).astype(dtype)
        return [garbage(dtype, N, D)], [*ins, u] if noise else ins, []

    return case


def likelihood(kind):
    def case(rng, dtype, N, D, K, key):
        a = hard(rng, dtype, (N * K, D))
        grey, near = (
            rng.choice([0.0, 1.0, 0.3, 0.97], (N, D)),
            a[::K] + rng.integers(-1, 2, (N, D)),
        )
        x = grey if kind.endswith("bernoulli") else near
        outs = [garbage(dtype, N * K), garbage(dtype, N * K, D)]
        return outs, [a, x.astype(dtype)], [] if kind.endswith("bernoulli") else [1.7, -0.4]

    return case


def latent(rng, dtype, N, D):
    """h (N, 2D): the largest number that exp(logvar) may be of is float32's, so +-50 there."""
    return hard(rng, dtype, (N, 2 * D), 50.0 if dtype == "float32" else 100.0)


def gaussian_sample(rng, dtype, N, D, K, key):
    outs = [garbage(dtype, N * K, D), garbage(dtype, N, D)]
    return outs, [latent(rng, dtype, N, D), easy(rng, dtype, (N * K, D))], []


def gaussian_gradient(rng, dtype, N, D, K, key):
    dz, h, eps = (
        easy(rng, dtype, (N * K, D)),
        latent(rng, dtype, N, D),
        easy(rng, dtype, (N * K, D)),
    )
    return [garbage(dtype, N, 2 * D)], [dz, h, eps, easy(rng, dtype, D)], []


def philox(kind):
    def case(rng, dtype, N, D, K, key):
        rows, clock = (rng.integers(0, 2**32, n, dtype=np.uint32) for n in (N, 4))
        out = garbage("uint32" if kind == "words" else dtype, N, D)
        return [out], [rows, clock], [int(rng.integers(100))]

    return case


def take(rng, dtype, N, D, K, key):
    order, state = rng.permutation(100).astype(np.uint32), np.array([K, 0], np.int32)
    return [garbage("uint32", N)], [order, state], [D, N]


def advance(rng, dtype, N, D, K, key):
    """N rows in the ring, K sums, D constants; the step lies between 0 and 4."""
    state = np.array([rng.integers(5), D % 3 == 0], np.int32)
    outs = [easy(rng, "float64", (N, K)), garbage("float64", K), garbage(dtype, D), state]
    return outs, [easy(rng, "float64", (min(N, 3), K)), easy(rng, dtype, (5, D))], []


def sums(rng, dtype, N, D, K, key):
    terms = [easy(rng, dtype, shape) for shape in ((N,), (N, D), (N, 2 * D))[: min(K, 3)]]
    return [garbage("float64", len(terms) + 1)], terms, []


CASES = {
    "activation.BIAS_ACTIVATION": bias_activation,
    "activation.ACTIVATION_GRADIENT": activation_gradient,
    "adam.ADAM": optimizer(3, 4, 3),
    "adadelta.ADADELTA": optimizer(3, 2, 2),
    "adagrad.ADAGRAD": optimizer(2, 2, 1),
    "adamw.ADAMW": optimizer(3, 4, 4),
    "rmsprop.RMSPROP": optimizer(2, 2, 2),
    "sgd.SGD": optimizer(2, 2, 1),
    "clip.SQUARES": squares,
    "clip.CLIP": clip,
    "batch.GATHER_GREY": gather(["uint8"]),
    "batch.GATHER_THRESHOLD": gather(["uint8"]),
    "batch.GATHER_DYNAMIC": gather(["uint8"], noise=True),
    "batch.GATHER_VALUES": gather(["float32", "float64"]),
    "batch.TAKE": take,
    "step.ADVANCE": advance,
    "sums.SUMS": sums,
    "bernoulli.BERNOULLI_NLL": likelihood("bernoulli"),
    "continuous_bernoulli.CONTINUOUS_BERNOULLI_NLL": likelihood("continuous bernoulli"),
    "errors.SQUARED_ERROR": likelihood("squared"),
    "errors.ABSOLUTE_ERROR": likelihood("absolute"),
    "gaussian.GAUSSIAN_SAMPLE": gaussian_sample,
    "gaussian.GAUSSIAN_GRADIENT": gaussian_gradient,
    "philox.WORDS": philox("words"),
    "philox.UNIFORM": philox("uniform"),
    "philox.NORMAL": philox("normal"),
}
