"""The complex step and the V-curve."""

import math

import numpy as np
import pytest

from scratchae.gradcheck import complex_step, v_curve
from scratchae.kernels.activation import DEFINITIONS

ROUNDING = 50 * np.finfo(np.float64).eps  # 1.1e-14: what a complex step may lose
X = np.random.default_rng(0).normal(size=(5, 3))
D = np.random.default_rng(1).normal(size=(5, 3))


def softplus(x):
    return np.log1p(np.exp(x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dtanh(x, dy):
    return dy * (1 - np.tanh(x) ** 2)


ANALYTIC = {
    "tanh": (np.tanh, lambda x: D / np.cosh(x) ** 2),
    "softplus": (softplus, lambda x: D * sigmoid(x)),
    "sigmoid": (sigmoid, lambda x: D * sigmoid(x) * sigmoid(-x)),
    "kl": (lambda x: (x * x + np.expm1(x) - x) / 2, lambda x: D * (2 * x + np.expm1(x)) / 2),
    "a sum": (lambda x: (x**2).sum(), lambda x: (2 * x * D).sum()),
    "a mean": (lambda x: np.exp(x).mean(axis=1), lambda x: (np.exp(x) * D).mean(axis=1)),
    "a product": (lambda x: x @ np.ones((3, 2)), lambda x: D @ np.ones((3, 2))),
    "in place": (lambda x: np.sin(x, out=np.multiply(x, 1.0)), lambda x: D * np.cos(x)),
    "a constant": (lambda x: 0 * x + 1, lambda x: 0 * x),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_the_complex_step_is_exact(name):
    f, exact = ANALYTIC[name]
    slope, exact = complex_step(f, X, D), exact(X)
    assert slope.dtype == np.float64 and slope.shape == np.shape(exact)
    np.testing.assert_allclose(slope, exact, rtol=ROUNDING, atol=ROUNDING * np.abs(exact).max())


@pytest.mark.parametrize("name", ["identity", "tanh"])
def test_definitions_that_are_analytic(name):
    phi, dphi = DEFINITIONS[name]
    np.testing.assert_allclose(complex_step(phi, X, D), D * dphi(phi(X)), rtol=ROUNDING)


NOT_ANALYTIC = {
    "abs": (np.abs, "calls np.absolute"),
    "maximum": (lambda x: np.maximum(x, 0.0), "calls np.maximum"),
    "sign": (lambda x: x * np.sign(x), "calls np.sign"),
    "a comparison": (lambda x: np.where(x > 0, x, 0.0), "calls np.greater"),
    "clip": (lambda x: np.clip(x, -1, 1), "calls np."),
    "the largest": (lambda x: x.max(), "calls np.maximum"),
    "conjugate": (lambda x: x.conj() * x, "calls np.conjugate"),
    "stable softplus": (lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), "calls np."),
    "real": (lambda x: x.real**2, "drops the imaginary part"),
    "astype": (lambda x: x.astype(float), "fails on complex numbers"),
    "math": (lambda x: np.array([math.tanh(v) for v in x.flat]), "fails on complex numbers"),
    "into a real array": (lambda x: np.tanh(x, out=np.empty(x.shape)), "fails on complex numbers"),
    "abs without the guard": (lambda x: np.abs(np.asarray(x)) + x, "by complex step and"),
    "vdot": (lambda x: np.vdot(x, x), "by complex step and"),
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_code_that_is_not_analytic_is_refused(name):
    f, why = NOT_ANALYTIC[name]
    with pytest.raises(ValueError, match="the complex step needs analytic code") as error:
        complex_step(f, X, D)
    assert why in str(error.value)


def curves(figure):
    """Step sizes and errors by the first word of each curve's name."""
    lines = [line for line in figure.axes[0].get_lines() if not line.get_label().startswith("_")]
    return {line.get_label().split()[0].rstrip(","): line.get_data() for line in lines}


def words(figure):
    return " ".join(text.get_text() for text in [*figure.texts, *figure.axes[0].texts])


def test_the_v_curve_is_a_v(tmp_path):
    figure = v_curve(np.tanh, dtanh, X, tmp_path / "v.png", "tanh")
    assert (tmp_path / "v.png").read_bytes().startswith(b"\x89PNG")
    found = curves(figure)
    h, central = found["central"]
    _, forward = found["forward"]
    assert (h.min(), h.max()) == (1e-13, 0.1)
    assert 1e-6 <= h[np.argmin(central)] <= 1e-4 and central.min() < 1e-9
    assert 1e-9 <= h[np.argmin(forward)] <= 1e-6 and 1e-9 < forward.min() < 1e-7
    coarse, fine = np.argmin(np.abs(np.log10(h) + 2)), np.argmin(np.abs(np.log10(h) + 3))
    for error, slope in ((forward, 1), (central, 2)):
        assert np.log10(error[coarse] / error[fine]) == pytest.approx(slope, abs=0.1)
        assert error[h < 1e-12].min() > 1e-6  # the wall
    assert found["complex"][1].max() < ROUNDING
    assert "tanh" in words(figure) and "propto h^2" in words(figure) and "eps / h" in words(figure)


def test_the_v_curve_says_where_there_is_no_complex_step():
    figure = v_curve(lambda x: np.maximum(x, 0) ** 2, lambda x, dy: 2 * dy * np.maximum(x, 0), X)
    assert set(curves(figure)) == {"forward", "central"}
    assert "No complex step here: it calls np.maximum." in words(figure)


def test_a_wrong_gradient_ends_on_a_plateau():
    figure = v_curve(np.tanh, lambda x, dy: 1.01 * dtanh(x, dy), X)
    assert curves(figure)["central"][1].min() > 1e-3
    assert "plateau: the gradient claimed is off by 9.9e-03" in words(figure)


@pytest.mark.parametrize(
    "f, gradient",
    [(lambda x: (x**3).sum(), lambda x: 3 * x**2), (lambda x: 2 * x, lambda x, dy: 2 * dy)],
)
def test_the_v_curve_of_scalar_and_linear_functions(f, gradient):
    found = curves(v_curve(f, gradient, X))
    assert np.isfinite(found["central"][1]).all() and found["complex"][1].max() < ROUNDING


def test_the_v_curve_at_the_edge_of_a_domain():
    found = curves(v_curve(np.log, lambda x, dy: dy / x, np.array([0.05, 1.0, 2.0])))
    assert np.isnan(found["central"][1][0]) and np.nanmin(found["central"][1]) < 1e-8
