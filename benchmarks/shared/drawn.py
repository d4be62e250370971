"""Architectures drawn at random, each from a seed and its number alone: what a user may build.

The six kinds take turns, and so do VAE, autoencoder and denoiser. Channels are 1 to 512, kernels 1
to 7, strides 1 to 3, batches 1 to 1,024, their logarithms uniform. Refused is what has weights of
less than 10 kB or more than 100 MB, a step of less than .1 or more than 400 ms at 60 GFLOP/s and
10 GB/s, more than 65,536 numbers in an example, or a race that could take more than 3 GB. Of the
first 16 others that one counts whose weights are nearest to a size drawn from that range, or
large ones would be rare.

A kernel of "same" is at least as long as its stride, and odd at stride 1, as nearly everybody has
it: otherwise PyTorch would have to pad in a pass of its own.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import count, pairwise
from typing import Any

import numpy as np

import scratchae as sa
from benchmarks.shared.floor import KEPT, work
from scratchae import Dense

WEIGHTS, MS, MEMORY, NUMBERS = (1e4, 1e8), (0.1, 400.0), 3e9, 1 << 16
FLOPS, BYTES = 6e7, 1e7  # of a millisecond
RACING = 5  # processes with the model: ours, PyTorch's two layouts with two settings of malloc
CANDIDATES = 16
FORMS = ("VAE", "autoencoder", "denoiser")
NAME = "random {} {}"  # of a recipe: seed and number


Key = tuple[int, int, int]  # seed, number, attempt


@dataclass(frozen=True)
class Drawn:
    """A model to be made, its examples' shape, its batch size, and what it is in a short line."""

    model: Callable[[], Any]
    shape: tuple[int, ...]
    batch: int
    words: str


@dataclass
class Plan:
    """Layers from examples of that shape to a grid, and back; words: what they are."""

    shape: tuple[int, ...]
    words: str
    grid: tuple[int, ...]
    encoder: list[Any] = field(default_factory=list)
    decoder: list[Any] = field(default_factory=list)


class Dice:
    """The draws of one architecture; phi: the activation between its layers."""

    def __init__(self, *key: int):
        self.rng = np.random.default_rng(key)
        self.phi = self.one("relu", "relu", "tanh", "sigmoid")

    def between(self, low: float, high: float) -> float:
        """A number whose logarithm is uniform."""
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, likewise."""
        return int(self.between(low, high + 1))

    def one(self, *choices: Any) -> Any:
        """Any of them."""
        return choices[self.rng.integers(len(choices))]

    def widths(self, most: int, low: int = 1, high: int = 512) -> list[int]:
        """One to so many whole numbers."""
        return [self.whole(low, high) for _ in range(self.rng.integers(1, most + 1))]

    def colours(self) -> int:
        """Channels of an example."""
        return self.one(1, 3, self.whole(1, 64))

    def patches(self) -> tuple[int, int, Any]:
        """Kernel, stride, padding."""
        k, s = self.whole(1, 7), self.whole(1, 3)
        same = ["same"] if k >= s and (s > 1 or k % 2) else []
        return k, s, self.one(0, (k - 1) // 2, *same)


def dense(dice: Dice) -> Plan:
    """Widths down, and back."""
    widths = [dice.whole(8, 4096), *dice.widths(3, 8, 2048)]
    plan = Plan((widths[0],), joined(widths), (widths[-1],))
    plan.encoder = [Dense(I, O, dice.phi) for I, O in pairwise(widths)]
    plan.decoder = [Dense(I, O, dice.phi) for I, O in pairwise(widths[:0:-1])]
    plan.decoder.append(Dense(widths[1], widths[0]))
    return plan


def conv(dice: Dice) -> Plan:
    """Convolutions and a dense layer down, one back."""
    shape = dice.whole(12, 64), dice.whole(12, 64), dice.colours()
    widths, (k, s, padding), hidden = dice.widths(3), dice.patches(), dice.whole(8, 512)
    sizes = pairwise([shape[2], *widths])
    plan = Plan(shape, f"{images(shape, widths)}, k{k} s{s}", (hidden,))
    plan.encoder = [sa.Conv2d(C, O, k, s, padding, dice.phi) for C, O in sizes]
    last, _ = sa.Sequential(*plan.encoder).declare(shape)
    plan.encoder += [sa.Flatten(), Dense(math.prod(last), hidden, dice.phi)]
    plan.decoder = [Dense(hidden, math.prod(shape)), sa.Reshape(*shape)]
    return plan


def pooled(dice: Dice) -> Plan:
    """Convolutions that keep the size, with pooling and back with upsampling, or without."""
    widths, p, k = dice.widths(4), dice.one(1, 2, 2, 3), dice.one(1, 3, 3, 5, 7)
    h, w = (dice.whole(8, 48) if p == 1 else dice.whole(1, 8) for _ in range(2))
    shape = h * p ** len(widths), w * p ** len(widths), dice.colours()
    plan = Plan(shape, f"{images(shape, widths)}, k{k} pool{p}", (h, w, widths[-1]))
    sizes = [shape[2], *widths]
    for C, O in pairwise(sizes):
        plan.encoder += [sa.Conv2d(C, O, k, 1, "same", dice.phi), sa.MaxPool2d(p)]
    for C, O in pairwise(sizes[:0:-1]):
        plan.decoder += [sa.Upsample2d(p), sa.Conv2d(C, O, k, 1, "same", dice.phi)]
    plan.decoder += [sa.Upsample2d(p), sa.Conv2d(widths[0], shape[2], k, 1, "same")]
    if p == 1:
        plan.encoder, plan.decoder = plan.encoder[::2], plan.decoder[1::2]
    return plan


def transposed(dice: Dice) -> Plan:
    """Convolutions, and back by transposed ones of the same geometry."""
    grid = dice.whole(2, 16), dice.whole(2, 16)
    return there_and_back(dice, sa.Conv2d, sa.ConvTranspose2d, grid)


def conv1d(dice: Dice) -> Plan:
    """The same of sequences."""
    return there_and_back(dice, sa.Conv1d, sa.ConvTranspose1d, (dice.whole(4, 256),))


def there_and_back(dice: Dice, down: Any, up: Any, grid: tuple[int, ...]) -> Plan:
    """Convolutions down to a grid without its channels, and transposed ones back."""
    colours, widths, (k, s, padding) = dice.colours(), dice.widths(4), dice.patches()
    sizes, grid = [colours, *widths], (*grid, widths[-1])
    decoder = [up(C, O, k, s, padding, dice.phi) for C, O in pairwise(sizes[:0:-1])]
    decoder.append(up(widths[0], colours, k, s, padding))
    shape, _ = sa.Sequential(*decoder).declare(grid)
    encoder = [down(C, O, k, s, padding, dice.phi) for C, O in pairwise(sizes)]
    return Plan(shape, f"{images(shape, widths)}, k{k} s{s}", grid, encoder, decoder)


def lstm(dice: Dice) -> Plan:
    """One or two LSTMs to a last state, and back."""
    T, I, widths = dice.whole(10, 200), dice.whole(1, 64), dice.widths(2, 8)
    plan = Plan((T, I), images((T, I), widths), (widths[-1],))
    for depth, (C, U) in enumerate(pairwise([I, *widths]), start=1):
        plan.encoder.append(sa.LSTM(C, U, depth < len(widths)))
    sizes = pairwise([widths[-1], *widths[::-1]])
    plan.decoder = [sa.Repeat(T), *[sa.LSTM(C, U, True) for C, U in sizes]]
    plan.decoder.append(sa.Conv1d(widths[0], I, 1))
    return plan


KINDS = (dense, conv, pooled, transposed, conv1d, lstm)


def joined(numbers: Any, sign: str = "-") -> str:
    """Such as 17-33."""
    return sign.join(map(str, numbers))


def images(shape: tuple[int, ...], widths: list[int]) -> str:
    """Such as 45x37x3, 17-33."""
    return f"{joined(shape, 'x')}, {joined(widths)}"


def plan(key: Key) -> tuple[Plan, int, str]:
    """The layers of seed, number and attempt, the batch size, the form.

    A VAE has a dense code of D numbers between its halves, the others may have one.
    """
    dice, form = Dice(*key), FORMS[key[1] // len(KINDS) % len(FORMS)]
    one, batch = KINDS[key[1] % len(KINDS)](dice), dice.whole(1, 1024)
    if form == "VAE" or dice.one(True, False):
        n, D, flat = math.prod(one.grid), dice.whole(2, 256), len(one.grid) == 1
        one.encoder += [] if flat else [sa.Flatten()]
        one.encoder.append(Dense(n, 2 * D if form == "VAE" else D))
        shaped = [] if flat else [sa.Reshape(*one.grid)]
        one.decoder = [Dense(D, n, dice.phi), *shaped, *one.decoder]
        one.words += f", z{D}"
    one.words += f", {dice.phi}"
    return one, batch, form


def model(key: Key) -> Any:
    """That plan as a model, not built."""
    one, _, form = plan(key)
    noise = [sa.GaussianNoise(0.2, (0.0, 1.0))] if form == "denoiser" else []
    encoder, decoder = sa.Sequential(*noise, *one.encoder), sa.Sequential(*one.decoder)
    if form == "VAE":
        return sa.VAE(encoder, decoder, sa.Gaussian(one.encoder[-1].outputs // 2))
    return sa.Autoencoder(encoder, decoder)


def kept(layer: Any) -> int:
    """Numbers of a row that a declared layer keeps: an LSTM gates and states of every step."""
    if isinstance(layer, sa.LSTM):
        return 10 * layer.shape[0] * layer.units
    return math.prod(layer.output)


def weights(key: Key, one: Plan, batch: int) -> float | None:
    """Bytes of the weights, or None where those, time or memory are out of bounds."""
    made = model(key)
    least = work(made, one.shape, batch, 4)
    numbers = batch * sum(kept(layer) for _, layer in made.objective.leaves())
    ms = least.flops / FLOPS + (least.moved + 24 * numbers) / BYTES
    memory = RACING * (1.5 * least.state + 12 * numbers)
    size = 4 * least.state / KEPT
    inside = WEIGHTS[0] <= size <= WEIGHTS[1] and MS[0] <= ms <= MS[1]
    return size if inside and memory <= MEMORY and math.prod(one.shape) <= NUMBERS else None


@cache
def draw(seed: int, number: int) -> Drawn:
    """Of the first architectures within the bounds the one nearest to a drawn size of weights."""
    target, found = Dice(seed, number).between(*WEIGHTS), list[tuple[float, Key]]()
    for attempt in count(1):  # (seed, number, 0) would be the draws of (seed, number)
        key = seed, number, attempt
        with suppress(ValueError):  # a kernel that is larger than its image
            one, batch, _ = plan(key)
            if size := weights(key, one, batch):
                found.append((abs(math.log(size / target)), key))
        if len(found) == CANDIDATES:
            break
    key = min(found)[1]
    one, batch, form = plan(key)
    words = f"{form} {KINDS[number % len(KINDS)].__name__} {one.words}, b{batch}"
    return Drawn(partial(model, key), one.shape, batch, words)


def find(name: str) -> Drawn:
    """The architecture of a recipe's name, such as "random 0 17"."""
    _, seed, number = name.split()
    return draw(int(seed), int(number))
