"""Strokes: handwritten digits drawn by a pen that trembles, for when MNIST is out of reach.

An example picks a digit and one of its skeletons, both evenly. The skeleton's knots p_j, on a grid
of 12 by 20, are shaken, a curve is drawn through them, and the curve is slanted, sized and inked
(e is N(0, 1)):

    p_j <- p_j + JITTER e_j                  knots at one place share e_j: strokes stay joined  (1)
    c(t) = 1/2 (1, t, t^2, t^3) M (p_j-1, p_j, p_j+1, p_j+2)
                                             Catmull-Rom from p_j to p_j+1, 0 <= t < 1          (2)
    c <- R(theta) (1 k; 0 1) (a 0; 0 1) c    aspect a, then shear k, then rotation theta        (3)
    c <- m + h (c - middle of c's box) / (longer side of c's box)
                                             h pixels in size, centred on m                     (4)
    d(q) = min over segments ab of c of |q - a
           - clip((q - a).(b - a) / |b - a|^2, 0, 1) (b - a)|                                   (5)
    ink(q) = clip(r + 1/2 - d(q), 0, 1)      a round pen of radius r, anti-aliased              (6)

As in MNIST, a digit with its ink is about 20 of the 28 pixels in size and leans to the right.
Source: Catmull and Rom, "A class of local interpolating splines", 1974; LeCun et al., "The MNIST
database" (size, place).
"""

import math

import numpy as np

from ... import randomness
from ...kernels.machine.compile import jit
from ..idx import Split
from .sizes import size

# Two or three skeletons for each digit: knots "x,y" (y down), "|" lifts the pen or turns a sharp
# corner.
SKELETONS = {
    0: (
        "7,0 2,4 0,12 4,20 10,17 12,8 9,1 5,1",
        "9,2 4,0 0,6 1,15 6,20 12,14 11,4 6,0",
    ),
    1: (
        "6,0 6,7 6,13 6,20",
        "4,3 6,0 | 6,0 6,7 6,14 6,20",
        "4,3 6,0 | 6,0 6,7 6,14 6,20 | 2,20 6,20 10,20",
    ),
    2: (
        "1,5 3,1 7,0 11,3 10,8 6,13 1,19 | 1,19 6,19 12,19",
        "1,4 4,0 9,1 11,5 8,11 4,17 1,19 0,17 2,15 5,17 8,19 12,18",
    ),
    3: (
        "1,3 4,0 9,1 10,5 8,8 4,9 | 4,9 9,10 12,14 10,18 5,20 0,17",
        "1,0 6,0 11,0 | 11,0 8,4 5,8 | 5,8 10,9 12,14 9,19 4,20 0,18",
    ),
    4: (
        "2,1 1,6 1,10 5,12 10,11 | 10,0 10,7 9,14 9,20",
        "6,0 4,6 0,12 | 0,12 6,12 12,11 | 10,4 9,9 8,14 7,20",
        "10,0 5,6 0,12 | 0,12 6,12 13,12 | 10,0 10,7 10,14 10,20",
    ),
    5: (
        "2,1 2,5 1,9 | 1,9 5,7 10,9 11,14 8,19 4,20 0,18 | 2,1 6,1 11,0",
        "11,0 6,1 3,2 2,6 3,9 8,10 11,14 8,19 3,20 0,18",
    ),
    6: (
        "9,0 5,3 1,9 0,15 3,19 8,19 11,16 9,12 5,11 1,14",
        "6,0 3,5 1,10 0,15 2,19 6,20 9,17 8,13 4,13 1,16",
    ),
    7: (
        "0,2 5,1 11,1 | 11,1 8,8 6,14 4,20",
        "0,2 5,1 11,1 | 11,1 8,8 6,14 4,20 | 3,11 7,11 11,10",
        "0,4 1,1 | 1,1 6,1 11,1 | 11,1 8,8 6,14 5,20",
    ),
    8: (
        "10,3 6,0 2,2 3,7 6,10 10,14 9,19 5,20 1,17 2,13 6,10 10,6 10,3",
        "6,9 2,6 3,1 7,0 10,3 9,7 6,9 | 6,9 1,13 1,18 6,20 11,17 10,12 6,9",
    ),
    9: (
        "10,4 7,0 3,1 1,5 3,9 7,8 10,4 | 10,4 10,9 9,15 8,20",
        "10,4 7,0 3,1 1,5 3,9 7,8 10,4 | 10,4 10,10 9,16 6,20 1,18",
    ),
}

SIZE = 28  # pixels on each side of an image
STEPS = 4  # segments between two knots
JITTER = 0.6  # standard deviation of a knot, of the grid's 20
M = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])


def load(n_train: int = 20_000, n_test: int = 2_000, seed: int = 0) -> tuple[Split, Split]:
    """Draw (images, labels) for training and for testing: (N, 28, 28, 1) uint8, 255 is ink,
    and (N,) uint8.

    An example is a function of the seed, its split and its row: a smaller set is the beginning of
    a larger one, and the splits have no draw in common whatever their sizes. Raises ValueError for
    a size outside 1 to 2^32 and for a seed outside [0, 2^64). Source: the equations of this file.
    """
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        size(name, n)
    return _draw(n_train, seed, epoch=0), _draw(n_test, seed, epoch=2)


def _draw(n: int, seed: int, epoch: int) -> Split:
    """n examples from the draws of two epochs: `epoch` says which skeleton, the next one how it is
    drawn."""
    u = 10 * randomness.uniform((n,), seed, randomness.SHAPES, epoch)
    e = randomness.normal((n, 32), seed, randomness.SHAPES, epoch + 1).astype(np.float32)
    images, labels = np.zeros((n, SIZE, SIZE, 1), np.uint8), u.astype(np.uint8)
    for digit, skeletons in SKELETONS.items():
        which = ((u - digit) * len(skeletons)).astype(int)
        for k, skeleton in enumerate(skeletons):
            rows = np.flatnonzero((labels == digit) & (which == k))
            images[rows, ..., 0] = _render(skeleton, e[rows])
    return images, labels


def _render(skeleton: str, e: np.ndarray) -> np.ndarray:
    """One skeleton and n rows of draws (n, 32) -> images (n, 28, 28)."""
    strokes = [stroke.split() for stroke in skeleton.split("|")]
    # (K, 2)
    knots = np.array([knot.split(",") for stroke in strokes for knot in stroke], np.float32)
    place = np.unique(knots, axis=0, return_inverse=True)[1].ravel()  # (K,), below 12
    p = knots + JITTER * e[:, 8:].reshape(-1, 12, 2)[:, place]  # (n, K, 2)  # (1)
    cuts = np.cumsum([len(stroke) for stroke in strokes])[:-1]
    # (n, T, 2) each
    curves = [_catmull_rom(q.shape[1]) @ q for q in np.split(p, cuts, axis=1)]  # (2)
    lengths = [curve.shape[1] for curve in curves]
    # no segment where the pen is up
    starts = np.delete(np.arange(sum(lengths)), np.cumsum(lengths) - 1)
    images = np.zeros((len(e), SIZE, SIZE), np.uint8)
    _ink(images, _shape(np.concatenate(curves, axis=1), e), starts, np.exp(0.1 + 0.2 * e[:, 0]))
    return images


def _catmull_rom(K: int) -> np.ndarray:
    """The matrix (T, K) that takes the K knots of a stroke to the T points of its curve."""
    P = np.eye(K + 2, K, -1)
    P[0, :2], P[-1, -2:] = (2, -1), (-1, 2)  # one more knot at each end, straight on
    t = np.arange(STEPS)[:, None] / STEPS
    pieces = [0.5 * t ** np.arange(4) @ M @ P[j : j + 4] for j in range(K - 1)]  # (2)
    return np.concatenate([*pieces, P[-2:-1]]).astype(np.float32)


def _shape(c: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Curves on the grid (n, T, 2) and draws (n, 32) -> curves in pixels (n, T, 2)."""
    a, k, theta = np.exp(0.2 + 0.2 * e[:, 1]), 0.25 * e[:, 2] - 0.15, 0.08 * e[:, 3]
    cos, sin = np.cos(theta), np.sin(theta)
    A = np.array([[a * cos, k * cos - sin], [a * sin, k * sin + cos]])  # (2, 2, n)  # (3)
    c = np.einsum("ijn,ntj->nti", A, c)  # (3)
    low, high = c.min(axis=1, keepdims=True), c.max(axis=1, keepdims=True)  # (n, 1, 2)
    h, m = 17 + 0.7 * e[:, 4, None, None], 13.5 + 0.5 * e[:, None, 5:7]
    return m + h * (c - (low + high) / 2) / (high - low).max(axis=2, keepdims=True)  # (4)


@jit
def _ink(images, c, starts, r):
    """images (n, 28, 28), zero before; curves c (n, T, 2); starts (S,), where segments begin; pens
    r (n,)."""
    size = images.shape[1]
    for n in range(images.shape[0]):
        reach = r[n] + 0.5
        for s in starts:
            ax, ay, bx, by = c[n, s, 0], c[n, s, 1], c[n, s + 1, 0], c[n, s + 1, 1]
            dx, dy = bx - ax, by - ay
            inverse = 1 / max(dx * dx + dy * dy, 1e-12)
            top, bottom = (
                max(0, math.ceil(min(ay, by) - reach)),
                min(size, math.ceil(max(ay, by) + reach)),
            )
            left, right = (
                max(0, math.ceil(min(ax, bx) - reach)),
                min(size, math.ceil(max(ax, bx) + reach)),
            )
            for y in range(top, bottom):
                for x in range(left, right):
                    t = min(max(((x - ax) * dx + (y - ay) * dy) * inverse, 0.0), 1.0)  # (5)
                    d = math.sqrt((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2)  # (5)
                    ink = min(max(reach - d, 0.0), 1.0)  # (6)
                    # The nearest segment, the least d of (5), leaves the most ink.
                    images[n, y, x] = max(images[n, y, x], np.uint8(255 * ink + 0.5))
