"""The bug museum, continued: famous ways to lose control of the KL. Proofs are those of
kl_claims.py."""

import numpy as np
from proofs import kl_claims
from proofs.exhibits import exhibit, replace_cuda

import scratchae as sa
from scratchae.gradcheck import check_objective
from scratchae.kernels import kl_weights
from scratchae.kernels.kernel import Kernel


def test_a_capacity_taken_as_an_upper_limit(monkeypatch, backend, tolerance):
    """min(kl, C) in the place of |kl - C|: above C the code is free to copy. Source: PyOD, where
    the KL is clamped from above.

    Loss and gradient agree, so a gradient check sees nothing."""

    right = sa.Capacity.loss

    def loss(self, total):
        terms, (gamma, capacity) = right(self, total), self.constants(max(self.t, 1))
        cost = gamma * min(terms["kl"], capacity)
        terms["loss"] = terms["reconstruction"] + cost
        return terms | {"penalty": cost - terms["kl"]}

    def limit(w, total, row):
        w[...] = row[0] * (total[2] / total[0] < row[1])

    def plant():
        monkeypatch.setattr(sa.Capacity, "loss", loss)
        if backend == "cupy":
            sign = {"over > 0 ? 1 : over < 0 ? -1 : over": "over < 0 ? 1 : 0"}
            replace_cuda(monkeypatch, "kl_weights.cu", sign)
        else:
            monkeypatch.setattr("scratchae.objectives.capacity.CAPACITY", Kernel(limit))

    exhibit(lambda: kl_claims.the_kl_is_held_from_both_sides(backend, tolerance), plant)
    parts = sa.Dense(6, 4), sa.Dense(2, 6), sa.Gaussian(2), sa.Bernoulli()
    for capacity in (0.1, 9.0):
        assert check_objective(sa.Capacity(*parts, capacity, 2.0), (6,), backend=backend).ok


def test_free_bits_by_example(monkeypatch, backend, tolerance):
    """max(floor, kl) of each example, and then the mean. Source: bn-vae #2.

    A dimension that most examples leave alone costs the floor for each of them."""

    def by_example(s, kl):
        kl_weights.group_sums(s, np.maximum(0.6, kl))

    def plant():
        if backend == "cupy":
            term = "double(kl[(i / size * G + g) * size + i % size])"
            replace_cuda(monkeypatch, "kl_weights.cu", {term: f"fmax(0.6, {term})"})
        else:
            monkeypatch.setattr("scratchae.objectives.free_bits.GROUP_SUMS", Kernel(by_example))

    proof = kl_claims.a_dimension_is_free_by_the_mean_of_the_batch
    exhibit(lambda: proof(backend, tolerance), plant)


def test_free_bits_by_shard(monkeypatch, tolerance):
    """Each shard weighs the KL by its own mean, as a data-parallel wrapper of a loss does."""
    right = sa.FreeBits.weights

    def plant():
        monkeypatch.setattr(sa.FreeBits, "weights", lambda self, total: right(self, self.sums))

    proof = kl_claims.a_dimension_is_free_by_the_mean_of_the_batch
    exhibit(lambda: proof("numpy", tolerance), plant)


def test_a_schedule_that_never_reaches_its_end(monkeypatch):
    """beta rises over more steps than are taken, so the model was trained with almost no KL, and
    nothing says so."""

    def plant():
        monkeypatch.setattr("scratchae.training.fit.warn_of_schedules", lambda *_: None)

    exhibit(lambda: kl_claims.a_schedule_without_its_end_is_told("numpy"), plant)
