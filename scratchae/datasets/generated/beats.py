"""Beats: heart beats written as five waves, for when ECG5000 is out of reach.

A beat is a sum of Gaussian waves P, Q, R, S, T, each with a centre c_i, a width w_i and a height
h_i. An example picks its class with ECG5000's proportions and, if it is abnormal, how much so, s,
evenly in [MILD, 1]. Its waves lie that far from the normal ones, N, towards those of its class, A,
and tremble (e is N(0, 1), each one its own):

    (C, W, H)_i = N_i + s (A_i - N_i)                   s = 0 for a normal beat                 (1)
    c_i = M + r (C_i - M) + SHAKE e + SHIFT e',   r = exp(RATE e'')
                                                        e' and e'' shared by the five waves     (2)
    w_i = W_i exp(WIDTH e),   h_i = H_i (1 + HEIGHT e)  M is the middle of the R wave           (3)
    x(t) = sum_i h_i exp(-(t - c_i)^2 / (2 w_i^2)) + WANDER e sin(pi t / T) + NOISE e_t,
    t = 0 ... T - 1                                                                             (4)
    x <- (x - mean of x) / deviation of x               of each beat, the deviation with n - 1  (5)

Mild beats look normal: no threshold is without error. Class 5 trembles UNRULY times as much.
Source: McSharry, Clifford, Tarassenko, Smith, "A dynamical model for generating synthetic
electrocardiogram signals", 2003, eq. 1 and table 1 (waves as Gaussians); UCR's
ECG5000 (classes, proportions, length, scaling).
"""

import numpy as np

from ... import randomness
from ..ecg5000 import CLASSES, NORMAL
from ..sources import Values
from ..splits import joined
from .sizes import size

__all__ = ["CLASSES", "NORMAL", "everything", "load"]

NAME = "beats (generated)"
T = 140  # samples of a beat
SHARES = np.array([2919, 1767, 96, 194, 24]) / 5000  # of the classes 1 to 5
WAVES = np.array(  # centre, width (samples) and height of P, Q, R, S, T, for each class
    [
        [(30, 6.0, 0.18), (48, 2.4, -0.16), (54, 3.0, 1.2), (60, 2.8, -0.30), (100, 11.0, 0.36)],
        [(30, 6.0, 0.03), (46, 3.0, -0.08), (54, 5.5, 1.1), (63, 5.0, -0.42), (94, 13.0, -0.10)],
        [(30, 6.0, 0.00), (44, 4.0, -0.03), (52, 7.0, 1.4), (66, 8.0, -0.60), (96, 15.0, -0.35)],
        [(38, 5.0, -0.12), (49, 2.4, -0.16), (54, 3.0, 1.2), (60, 2.8, -0.34), (90, 10.0, 0.28)],
        [(30, 9.0, 0.08), (48, 3.2, -0.16), (54, 4.0, 1.0), (61, 4.0, -0.40), (98, 16.0, 0.12)],
    ]
)
MILD, UNRULY = 0.3, 2.5
SHAKE, SHIFT, RATE, WIDTH, HEIGHT, WANDER, NOISE = 0.5, 0.5, 0.03, 0.08, 0.1, 0.04, 0.02


def load(n_train: int = 500, n_test: int = 4500, seed: int = 0) -> tuple[Values, Values]:
    """Draw beats for training and for testing: (N, 140) float32, labels (N,) 1 to 5, as
    ``ecg5000.load`` has them.

    An example is a function of the seed, its split and its row: a smaller set is the beginning of
    a larger one, and the splits have no draw in common whatever their sizes. Raises ValueError for
    a size outside 1 to 2^32 and for a seed outside [0, 2^64). Source: the equations of this file.
    """
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        size(name, n)
    return _draw(n_train, seed, epoch=0), _draw(n_test, seed, epoch=3)


def everything(seed: int = 0) -> Values:
    """5,000 beats (5000, 140), those for training first: what the tutorials split anew, see
    ``split``."""
    return joined(*load(seed=seed))


def _draw(n: int, seed: int, epoch: int) -> Values:
    """n beats from the draws of three epochs: which and how abnormal, the waves, the noise."""
    u = randomness.uniform((n, 2), seed, randomness.SHAPES, epoch)
    e = randomness.normal((n, 18), seed, randomness.SHAPES, epoch + 1)
    noise = randomness.normal((n, T), seed, randomness.SHAPES, epoch + 2)
    labels = 1 + np.searchsorted(np.cumsum(SHARES)[:-1], u[:, 0], side="right")
    s = np.where(labels == NORMAL, 0, MILD + (1 - MILD) * u[:, 1])[:, None, None]
    waves = WAVES[0] + s * (WAVES[labels - 1] - WAVES[0])  # (n, 5, 3)  # (1)
    e[labels == 5] *= UNRULY
    x = _beats(waves, e) + NOISE * noise  # (4)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, ddof=1, keepdims=True)  # (5)
    return Values(x.astype(np.float32), labels, NAME)


def _beats(waves: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Waves (n, 5, 3), draws (n, 18): fifteen for the waves, three for all of them ->
    beats (n, T), no noise."""
    (C, W, H), M = np.moveaxis(waves, 2, 0), WAVES[0, 2, 0]  # (n, 5) each
    own, (shift, rate, wander) = e[:, :15].reshape(-1, 3, 5), e[:, 15:].T[:, :, None]
    c = M + np.exp(RATE * rate) * (C - M) + SHAKE * own[:, 0] + SHIFT * shift  # (2)
    w, h = W * np.exp(WIDTH * own[:, 1]), H * (1 + HEIGHT * own[:, 2])  # (3)
    t = np.arange(T)
    x = WANDER * wander * np.sin(np.pi * t / T)  # (n, T)  # (4)
    for i in range(5):
        z = (t - c[:, i, None]) / w[:, i, None]  # (n, T)
        x += h[:, i, None] * np.exp(-z * z / 2)  # (4)
    return x
