"""What a likelihood of data with gaps allocates: all of it when it is bound, and counted there."""

import copy
import tracemalloc

import numpy as np
import pytest

import scratchae as sa
from scratchae.backend.numpy import NumpyBackend
from scratchae.execution.memory import GRAIN, CountingBackend

ROWS, D = 64, 512
SMALL = 64 * 1024  # bytes; a buffer of rows has 256 KiB
LIKELIHOODS = [sa.Bernoulli(), sa.LearnedGaussian(0.2), sa.GaussianLikelihood(0.5)]
LIKELIHOOD = pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda p: type(p).__name__)


def bound(likelihood, backend):
    mine = copy.deepcopy(likelihood)
    mine.bind(backend, ROWS, (D,))
    return mine


def step(likelihood):
    """A pass over rows of which every other number was observed."""
    x, seen = np.zeros((ROWS, D)), np.tile([1.0, 0.0], (ROWS, D // 2))
    a = np.zeros((ROWS, *likelihood.parameters((D,))))
    tracemalloc.start()
    try:
        likelihood.aim(x, seen)
        likelihood.forward(a, x)
        likelihood.backward()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@LIKELIHOOD
def test_the_first_step_with_gaps_allocates_nothing(likelihood):
    backend = sa.get_backend("numpy", "float64")
    step(bound(likelihood, backend))  # loads the kernels
    mine = bound(likelihood, backend)
    assert step(mine) < SMALL < mine.da.nbytes


@LIKELIHOOD
def test_all_that_it_allocates_is_counted(likelihood, monkeypatch):
    backend, taken, empty = sa.get_backend("numpy", "float64"), [], NumpyBackend.empty

    def counted(self, shape, dtype=None):
        out = empty(self, shape, dtype)
        taken.append(-(-out.nbytes // GRAIN) * GRAIN)
        return out

    counting = CountingBackend(backend)
    bound(likelihood, counting)
    monkeypatch.setattr(NumpyBackend, "empty", counted)
    step(bound(likelihood, backend))
    assert sum(taken) == counting.bytes > 2 * ROWS * D * 8


class Uneven(sa.GaussianLikelihood):
    """Six parameters of four numbers: which of them belong to a gap is not known."""

    kernel = sa.GaussianLikelihood.kernel

    def parameters(self, shape):
        return (*shape[:-1], shape[-1] + 2)

    def left_out(self, shape):
        return 0.0, 1.0


def test_parameters_that_are_no_blocks_are_refused_for_gaps():
    model = sa.VAE(sa.Dense(4, 2), sa.Dense(1, 6), sa.Gaussian(1), Uneven(1.0)).build(4)
    with pytest.raises(TypeError, match="left_out"):
        sa.evaluate(model, sa.Observed(np.ones((5, 4)), np.eye(5, 4) == 0))
