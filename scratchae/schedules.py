"""Numbers that change with the step: functions of t = 1, 2, ... to hand to an optimiser as its lr,
to a VAE as beta.

With start alpha_0, end alpha_1 and T steps:

    Warmup        alpha_t = alpha_0 min(t / T, 1)                                       (1)
    Exponential   alpha_t = alpha_0 gamma^((t - 1) / T)       gamma every T steps       (2)
    Steps         alpha_t = alpha_0 gamma^k,  k the number of given steps before t      (3)
    Cosine        alpha_t = alpha_1 + (alpha_0 - alpha_1) (1 + cos(pi min(t - 1, T) / T)) / 2   (4)
    Linear        alpha_t = alpha_0 + (alpha_1 - alpha_0) min((t - 1) / T, 1)                   (5)
    Sigmoid       alpha_t = alpha_0 + (alpha_1 - alpha_0) s,   u = min((t - 1) / T, 1),
                  s = (1 + tanh(k (2u - 1) / 4) / tanh(k / 4)) / 2                              (6)
    Cyclical      alpha_t = alpha_0 + (alpha_1 - alpha_0) min(v / R, 1),
                  v the fraction of (t - 1) M / T, and 1 from t = T + 1 on                      (7)

s of (6) is the logistic function of k (u - 1/2), as 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2,
stretched so that it goes from 0 to 1. (7) has M cycles: each rises over its share R and then stays
at alpha_1, as does what comes after the last.

A schedule is a function of t and of nothing else: training that is stopped and resumed goes on
with it, and on a GPU it is a row in the table of an epoch (execution/graphs.py). Any other
function of t will do: ``save`` names it, where it is defined in a module, and ``load`` takes it as
one of its classes.

(1) to (4) are for learning rates; (5) to (7) also for the weight of the KL, or its capacity, which
may start at 0. ``lasts`` is the number of steps after which a schedule stays as it is, T of most:
``fit`` warns where an objective's takes more than it has.

Source: Goyal et al., "Accurate, large minibatch SGD", 2017 (1); Keras' ExponentialDecay (2) and
PyTorch's MultiStepLR (3); Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm
restarts", 2017, eq. 5 (4); Bowman et al., "Generating sentences from a continuous space", 2016,
section 3.1 (5, 6); Fu et al., "Cyclical annealing schedule: a simple approach to mitigating KL
vanishing", 2019, eq. 6 and 7 (7).
"""

import math

from .checks import positive, real, real32

__all__ = ["Cosine", "Cyclical", "Exponential", "Linear", "Sigmoid", "Steps", "Warmup"]


class Schedule:
    """A number for each step: schedule(t), t from 1 on. Source: the module."""

    @property
    def lasts(self) -> int | None:
        """After how many steps it stays as it is; None where it never does, or does not say."""
        return None

    def __call__(self, t: int) -> float:
        raise NotImplementedError


class _Ending(Schedule):
    steps: int

    @property
    def lasts(self) -> int:
        return self.steps


class Warmup(_Ending):
    """From 0 in a straight line to start, over that many steps. Source: the module, (1)."""

    def __init__(self, start: float, steps: int):
        self.start, self.steps = real32("start", start, 0, strict=True), positive("steps", steps)

    def __call__(self, t: int) -> float:
        return self.start * min(t / self.steps, 1.0)  # (1)


class Exponential(Schedule):
    """From start on, times gamma every so many steps, smoothly. Source: the module, (2)."""

    def __init__(self, start: float, gamma: float, steps: int):
        self.start, self.steps = real32("start", start, 0, strict=True), positive("steps", steps)
        self.gamma = real("gamma", gamma, 0, strict=True)

    def __call__(self, t: int) -> float:
        return self.start * self.gamma ** ((t - 1) / self.steps)  # (2)


class Steps(Schedule):
    """Start, times gamma after each of the given steps. Source: the module, (3)."""

    def __init__(self, start: float, gamma: float, steps: tuple[int, ...]):
        self.start, self.gamma = (
            real32("start", start, 0, strict=True),
            real("gamma", gamma, 0, strict=True),
        )
        if not isinstance(steps, (tuple, list)):
            raise ValueError(f"steps is {steps!r}, but several are expected, such as (10, 20)")
        self.steps = tuple(positive("steps", step) for step in steps)

    @property
    def lasts(self) -> int:
        return max(self.steps, default=0)

    def __call__(self, t: int) -> float:
        return self.start * self.gamma ** sum(step < t for step in self.steps)  # (3)


class Cosine(_Ending):
    """From start to end along half a cosine, over that many steps, then end. Source: (4)."""

    def __init__(self, start: float, steps: int, end: float = 0.0):
        self.start, self.steps = real32("start", start, 0, strict=True), positive("steps", steps)
        self.end = real32("end", end, 0)

    def __call__(self, t: int) -> float:
        turn = math.pi * min(t - 1, self.steps) / self.steps
        return self.end + (self.start - self.end) * (1.0 + math.cos(turn)) / 2.0  # (4)


class Linear(_Ending):
    """From start to end in a straight line, over that many steps, then end. Source: the module,
    (5)."""

    def __init__(self, start: float, end: float, steps: int):
        self.start, self.end = real32("start", start, 0), real32("end", end, 0)
        self.steps = positive("steps", steps)

    def __call__(self, t: int) -> float:
        return self.start + (self.end - self.start) * min((t - 1) / self.steps, 1.0)  # (5)


class Sigmoid(_Ending):
    """From start to end along an S, steepest in the middle, over that many steps, then end.
    Source: the module, (6)."""

    def __init__(self, start: float, end: float, steps: int, steepness: float = 12.0):
        self.start, self.end = real32("start", start, 0), real32("end", end, 0)
        self.steps = positive("steps", steps)
        self.steepness = real32("steepness", steepness, 0, strict=True)

    def __call__(self, t: int) -> float:
        u, k = min((t - 1) / self.steps, 1.0), self.steepness
        s = (1.0 + math.tanh(k * (2.0 * u - 1.0) / 4.0) / math.tanh(k / 4.0)) / 2.0
        return self.start + (self.end - self.start) * s  # (6)


class Cyclical(_Ending):
    """From start to end in a straight line, that many cycles within that many steps, then end:
    each cycle rises over the share ratio of its steps, and is at end for the rest of them. Source:
    the module, (7)."""

    def __init__(self, start: float, end: float, steps: int, cycles: int = 4, ratio: float = 0.5):
        self.start, self.end = real32("start", start, 0), real32("end", end, 0)
        self.steps, self.cycles = positive("steps", steps), positive("cycles", cycles)
        self.ratio = real("ratio", ratio, 0, strict=True)
        if self.ratio > 1:
            raise ValueError(f"ratio is {ratio!r}, but it must be above 0 and at most 1")
        if self.cycles > self.steps:
            raise ValueError(
                f"cycles is {cycles!r}, but {steps!r} steps hold at most one cycle a step: give "
                "fewer cycles or more steps"
            )

    def __call__(self, t: int) -> float:
        done = (t - 1) * self.cycles % self.steps / self.steps if t <= self.steps else 1.0  # (7)
        return self.start + (self.end - self.start) * min(done / self.ratio, 1.0)  # (7)
