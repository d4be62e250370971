"""A contractive autoencoder finds the directions along which its data varies, beside a plain one.

The code h = sigmoid(x W + b) (N, H) is to tell x apart, which the reconstruction asks for, and to
move little with x, which the penalty weight ||dh/dx||^2 asks for: what is left moves along the
manifold that the data lies on. The Jacobian of the one layer, and at each x its singular value
decomposition, the strongest direction first:

    J = dh/dx = diag(h (1 - h)) W^T    (H, I)                                                   (1)
    J = U diag(s) V,                   the rows 1 ... k of V (k, I) are the tangent directions  (2)
    angle = arccos of the least singular value of T V^T                                         (3)

T (2, I) are two directions that are known to lie in the manifold, orthonormal: (3) is the largest
angle between their plane and what V spans, in degrees, 0 where V contains it. --dataset surface: a
saddle in space, k = 2, T is its tangent plane. Images: k = 15, T is how an image changes as it is
shifted down and to the right. Local PCA, the leading directions of the 60 nearest of the first
10,000 training examples about their mean, is the yardstick: it keeps its data.

--no-tied gives the decoder a matrix of its own. W can then shrink while that one grows: the units
stay where a sigmoid is a line, and the penalty is small for nothing. On the surface it brings the
directions no nearer to the tangent plane then; on images it gathers less of ||dh/dx||^2 in the
first k than with tied weights.

Source: Rifai et al., "Contractive auto-encoders: explicit invariance during feature extraction",
2011; Rifai et al., "The manifold tangent classifier", 2011 (directions, local PCA); Simard et al.,
"Tangent prop", 1992 (shifts).
"""

import argparse
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # python -P and -I leave it out
import common
import numpy as np
import runs
import tangent_pictures
from options import IMAGE_SETS, Parser, fill
from output import say
from threadpoolctl import threadpool_limits

from scratchae import (
    Adam,
    Autoencoder,
    Bernoulli,
    Contractive,
    Dense,
    Flatten,
    Reshape,
    Sequential,
    SquaredError,
    Tied,
    Values,
    WideCode,
    plots,
)
from scratchae.datasets.generated import surface
from scratchae.schedules import Cosine

EXAMPLE = Path(__file__).stem
SURFACE = {"epochs": 200, "batch_size": 100, "lr": 1e-2, "weight": 0.3}
IMAGES = {"dataset": "mnist", "epochs": 20, "batch_size": 128, "lr": 1e-3, "weight": 1.0}
UNITS, LEADING = {"surface": 100, "images": 300}, {"surface": 2, "images": 15}
SMOKE_POINTS = 400, 100  # training, test
POOL, NEIGHBOURS = 10_000, 60  # training examples that local PCA looks among, and takes
SEEN = 100  # test images whose directions are computed
ARROWS = 24  # points that are drawn with their plane
STEPS = -4, -2, 0, 2, 4  # along a direction of length 1; an image of MNIST has length 9
DIRECTIONS = 3  # of each model, in the picture


def autoencoder(
    shape: tuple[int, ...], units: int, tied: bool, weight: float | None
) -> Autoencoder:
    """I-H-I: x (N, *shape), code (N, H), W^T or a matrix of its own; weight None: the same without
    the penalty."""
    I = math.prod(shape)
    code = Dense(I, units, "sigmoid")
    back = Tied(code) if tied else Dense(units, I)
    price = None if weight is None else Contractive(weight)
    likelihood = SquaredError() if len(shape) == 1 else Bernoulli()
    return Autoencoder(
        Sequential(Flatten(), code), Sequential(back, Reshape(*shape)), likelihood, price
    )


def slopes(model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x (N, *shape) -> h (1 - h) (N, H) and W (I, H), of which the Jacobian is made, in
    float64."""
    h = model.encode(x).astype(np.float64)
    W = model.weights["encoder.1.W"]
    return h * (1 - h), W.astype(np.float64)


def directions(model: Any, x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """x (N, *shape) -> singular values s (N, r), and V (N, k, I), whose largest component is
    positive."""
    d, W = slopes(model, x)
    s, V = np.empty((len(x), min(W.shape))), np.empty((len(x), k, len(W)))
    for n, row in enumerate(d):
        _, s[n], v = np.linalg.svd(row[:, None] * W.T, full_matrices=False)  # (1) (2)
        V[n] = v[:k]
    return s, pointed(V)


def local_pca(x: np.ndarray, pool: np.ndarray, k: int) -> np.ndarray:
    """x (N, I) and other examples (M, I) -> the leading directions of the nearest of these,
    V (N, k, I)."""
    distance = np.square(pool).sum(axis=1) - 2 * x @ pool.T  # (N, M), less |x|^2
    near = pool[np.argpartition(distance, NEIGHBOURS)[:, :NEIGHBOURS]]  # (N, n, I)
    return pointed(
        np.linalg.svd(near - near.mean(axis=1, keepdims=True), full_matrices=False)[2][:, :k]
    )


def pointed(V: np.ndarray) -> np.ndarray:
    """V (N, k, I), each row turned so that its largest component is positive: its sign is
    nobody's."""
    at = np.abs(V).argmax(axis=2)[..., None]
    return V * np.sign(np.take_along_axis(V, at, axis=2))


def angles(T: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Planes T (N, 2, I) and V (N, k, I), both orthonormal -> the angles (N,) of (3) in
    degrees."""
    cosine = np.linalg.svd(T @ V.swapaxes(1, 2), compute_uv=False)[:, -1]  # (3)
    return np.degrees(np.arccos(np.minimum(cosine, 1)))


def shifts(x: np.ndarray) -> np.ndarray:
    """Images x (N, H, W, 1) -> an orthonormal basis (N, 2, H W) of how they change as they are
    shifted."""
    down, right = np.gradient(x[..., 0].astype(np.float64), axis=(1, 2))  # (N, H, W) each
    d = np.stack([down, right], axis=-1).reshape(len(x), -1, 2)
    return np.linalg.qr(d)[0].swapaxes(1, 2)


def spread(x: np.ndarray, n: int) -> list[int]:
    """Rows of x (N, I): the first one, then n - 1 times the one that is furthest from all
    before."""
    rows, nearest = [0], np.full(len(x), np.inf)
    for _ in range(n - 1):
        nearest = np.minimum(nearest, np.square(x - x[rows[-1]]).sum(axis=1))
        rows.append(int(nearest.argmax()))
    return rows


@dataclass
class Probe:
    """Where directions are looked at, x (N, *shape), what is known of them, T (N, 2, I), and how
    many count, k.

    pool: training examples (M, I), for local PCA.
    """

    x: np.ndarray
    T: np.ndarray
    pool: np.ndarray
    k: int

    def __call__(self, model: Any, history: Any) -> None:
        """Add contraction, the mean of ||dh/dx||^2, to the epoch's record."""
        d, W = slopes(model, self.x)
        history.records[-1]["contraction"] = float((d * d @ np.square(W).sum(axis=0)).mean())


def parser() -> Parser:
    """The common options and this example's own."""
    p = Parser(EXAMPLE, __doc__ or "", ("surface", *IMAGE_SETS))
    p.add_argument("--weight", type=float, help="of the penalty (default: surface 0.3, images 1)")
    p.add_argument(
        "--tied",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="W^T leads back (default)",
    )
    return p


def load(options: argparse.Namespace, kind: str) -> tuple[tuple[Any, Any], Probe]:
    """Training and test data, and the probe; what of the data is missing is the stand-in's."""
    if kind == "surface":
        both = surface.load(*SMOKE_POINTS) if options.smoke else surface.load()
        say(f"{both[0].name}: {len(both[0].x):,} training and {len(both[1].x):,} test points")
        train, test = (Values(part.x, name=part.name) for part in both)
        return (train, test), Probe(
            test.x, both[1].tangents, train.x.astype(np.float64), LEADING[kind]
        )
    images = common.load(options)
    x, pool = images[1].values(slice(SEEN)), images[0].values(slice(POOL))
    return images, Probe(
        x, shifts(x), pool.reshape(len(pool), -1).astype(np.float64), LEADING[kind]
    )


def prepare(options: argparse.Namespace) -> tuple[runs.Run, runs.Run, Probe]:
    """The contractive run, the plain one beside it, and the probe; models, data and folders, all
    checked."""
    kind = "surface" if options.dataset == "surface" else "images"
    fill(options, SURFACE if kind == "surface" else IMAGES)
    shape, H = (3,) if kind == "surface" else (28, 28, 1), UNITS[kind]
    with warnings.catch_warnings():
        # a code that can copy is what the penalty is compared with
        warnings.simplefilter("ignore", WideCode)
        models = [
            autoencoder(shape, H, options.tied, weight).build(
                shape, backend=options.backend, seed=options.seed
            )
            for weight in (options.weight, None)
        ]
    data, probe = load(options, kind)
    steps = options.epochs * -(-len(data[0]) // options.batch_size)
    optimizers = [Adam(Cosine(options.lr, steps)) for _ in models]
    what = (
        f"{math.prod(shape)}-{H}-{math.prod(shape)}, {'tied' if options.tied else 'untied'} "
        "weights"
    )
    run = runs.Run(
        options,
        models[0],
        optimizers[0],
        data,
        f"contractive autoencoder {what}, weight {options.weight:g}",
    )
    return run, run.beside("plain", models[1], optimizers[1], f"plain autoencoder {what}"), probe


def labels(run: runs.Run, picture: str) -> tuple[str, str]:
    """Title and note of a picture that shows the plain model too."""
    title, note = run.labels(picture)
    return title, f"{note}; plain: the same without the penalty"


def draw_images(run: runs.Run, x: np.ndarray, V: dict[str, np.ndarray]) -> None:
    """Write tangents.png and moved.png: of images x (N, 28, 28, 1) the first of each class,
    V (N, k, 784) each."""
    _, first = np.unique(np.asarray(run.test.labels)[: len(x)], return_index=True)
    x = x[first]
    V = {word: v[first].reshape(len(x), -1, *x.shape[1:]) for word, v in V.items()}
    scale = {word: 2 * np.abs(v).max(axis=(2, 3, 4), keepdims=True) for word, v in V.items()}
    rows = {"image": x}
    for word, v in V.items():
        rows |= {f"{word} {j + 1}": 0.5 + (v / scale[word])[:, j] for j in range(DIRECTIONS)}
    figure = plots.image_rows(rows, *labels(run, "the strongest tangent directions, grey is zero"))
    run.picture("tangents.png", figure)
    v = V["contractive"][:, 0]
    rows = {
        f"{a:+g}".replace("-", "\N{MINUS SIGN}") if a else "image": np.clip(x + a * v, 0, 1)
        for a in STEPS
    }
    figure = plots.image_rows(rows, *run.labels("images, moved along the strongest direction"))
    run.picture("moved.png", figure)


def draw(run: runs.Run, probe: Probe, V: dict[str, np.ndarray], s: dict[str, np.ndarray]) -> None:
    """The directions of each word, V (N, k, I), and the singular values s (N, r) of the two
    models."""
    if probe.x.ndim == 2:
        planes = {word: (v, angles(probe.T, v)) for word, v in V.items()}
        words = labels(run, "points, and the tangent plane that is found")
        figure = tangent_pictures.tangent_planes(probe.x, planes, spread(probe.x, ARROWS), *words)
        run.picture("tangents.png", figure)
    else:
        draw_images(run, probe.x, V)
    figure = tangent_pictures.spectra(
        s, probe.k, *labels(run, "singular values of the code's Jacobian")
    )
    run.picture("spectrum.png", figure)


def train(made: tuple[runs.Run, runs.Run, Probe]) -> int:
    """Train both, look at their directions, write, and say what came of it; returns the exit
    status."""
    run, plain, probe = made
    for one in (plain, run):
        one.fit([probe])
        one.loss("squared error per point" if probe.x.ndim == 2 else "nats per example")
        if one.history.interrupted:
            return one.close(lambda record: f"test loss {record['test_loss']:.4g}")
    V, s = {}, {}
    # so many small matrices: threads would only wait for each other
    with threadpool_limits(1, "blas"):
        for word, one in (("contractive", run), ("plain", plain)):
            s[word], V[word] = directions(one.model, probe.x, probe.k)
        V["local PCA"] = local_pca(probe.x.reshape(len(probe.x), -1), probe.pool, probe.k)
    draw(run, probe, V, s)
    angle = {word: f"{np.median(angles(probe.T, v)):.1f}" for word, v in V.items()}
    held = {
        word: f"{tangent_pictures.shares(v)[:, probe.k - 1].mean():.0%}" for word, v in s.items()
    }
    known = "tangent plane" if probe.x.ndim == 2 else "shifts of the image"
    return run.close(
        lambda record: (
            f"test reconstruction {record['test_reconstruction']:.4g} (plain "
            f"{plain.history.records[-1]['test_reconstruction']:.4g}); median angle to the "
            f"{known} {angle['contractive']} degrees (plain {angle['plain']}, local PCA "
            f"{angle['local PCA']}); the first {probe.k} directions hold {held['contractive']} of "
            f"||dh/dx||^2 (plain {held['plain']})"
        )
    )


def main(argv: list[str] | None = None) -> int:
    """The exit status of one run with these options."""
    return parser().carry_out(argv, prepare, train)


if __name__ == "__main__":
    raise SystemExit(main())
