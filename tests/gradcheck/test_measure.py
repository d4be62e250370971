"""The measure of a gradient: what is right, wrong, a kink, a jump, zero, and how it is told."""

import numpy as np
import pytest

from scratchae.gradcheck.measure import Report, Row, judge, probe

OFF = 1.001  # the planted error, 0.1 %


def relu(x):
    return np.maximum(x, 0.0)


def drelu(x, dy):
    return dy * (x > 0)


def dtanh(x, dy):
    return dy * (1 - np.tanh(x) ** 2)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def at(index, value, shape=(4, 3)):
    """A point that is smooth for relu but for one element."""
    x = np.random.default_rng(1).normal(size=shape)
    x[index] = value
    return x


RIGHT = {
    "tanh": (np.tanh, dtanh, at(0, 1.0)),
    "a scalar x": (np.tanh, dtanh, np.array(0.3)),
    "a tiny x": (np.tanh, dtanh, 1e-9 * at(0, 1.0)),
    "a large x": (
        lambda x: np.sin(1e-6 * x),
        lambda x, dy: 1e-6 * dy * np.cos(1e-6 * x),
        1e6 * at(0, 1.0),
    ),
    "a tiny y": (lambda x: 1e-9 * np.tanh(x), lambda x, dy: 1e-9 * dtanh(x, dy), at(0, 1.0)),
    "a domain": (lambda x: np.log(x), lambda x, dy: dy / x, np.array([1e-4, 1.0, 2.0])),
    "curved": (lambda x: np.sin(50 * x), lambda x, dy: 50 * dy * np.cos(50 * x), at(0, 1.0)),
    "leaky relu": (
        lambda x: np.where(x > 0, x, 0.01 * x),
        lambda x, dy: dy * np.where(x > 0, 1.0, 0.01),
        at(0, 1.0),
    ),
    "no element": (np.tanh, dtanh, np.zeros((0, 3))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_is_right(name, tolerance):
    f, gradient, x = RIGHT[name]
    row = judge("x", f, gradient, x)
    assert (
        row.verdict == "right"
        and row.error < tolerance("gradient") / 100
        and not row.note.startswith("tiny")
    )


@pytest.mark.parametrize("name", [name for name in RIGHT if name != "no element"])
def test_an_error_of_a_thousandth_is_wrong(name, tolerance):
    f, gradient, x = RIGHT[name]
    row = judge("x", f, lambda x, dy: OFF * gradient(x, dy), x)
    assert row.verdict == "wrong" and row.error > tolerance("planted") * 50
    assert "furthest off at [" in row.note


def test_an_error_in_one_element_is_named(tolerance):
    def gradient(x, dy):
        dx = dtanh(x, dy)
        dx[2, 1] *= OFF
        return dx

    row = judge("x", np.tanh, gradient, at(0, 1.0))
    assert (
        row.verdict == "wrong"
        and row.error > tolerance("planted")
        and "furthest off at [2, 1]" in row.note
    )


def test_an_error_counts_as_the_share_it_is(rng):
    A, dy = rng.normal(size=(7, 60)), probe((7,), 0)
    ratios = []
    for _ in range(40):
        planted = 1e-3 * rng.normal(size=60) * (rng.random(60) < 0.1)
        row = judge(
            "x",
            lambda x: A @ x,
            lambda x, dy, planted=planted: dy @ A + planted,
            rng.normal(size=60),
        )
        ratios.append(row.error / (np.linalg.norm(planted) / np.linalg.norm(dy @ A)))
    assert (
        min(ratios) > 0.1 and max(ratios) < 3 and 0.8 < np.sqrt(np.mean(np.square(ratios))) < 1.2
    )


# --- kinks ---


KINKS = {
    "relu": (relu, drelu),
    "relu from the right": (relu, lambda x, dy: dy * (x >= 0)),
    "relu halfway": (relu, lambda x, dy: dy * np.where(x == 0, 0.5, x > 0)),
    "leaky relu": (
        lambda x: np.where(x > 0, x, 0.01 * x),
        lambda x, dy: dy * np.where(x > 0, 1.0, 0.01),
    ),
    "abs": (np.abs, lambda x, dy: dy * np.sign(x)),
    "norm of a row": (
        lambda x: np.linalg.norm(x, axis=1),
        lambda x, dy: (
            dy[:, None] * x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
        ),
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_said_to_be_one(name, tolerance):
    f, gradient = KINKS[name]
    index = 2 if name == "norm of a row" else (2, 1)
    row = judge("x", f, gradient, at(index, 0.0))
    assert row.verdict == "kink" and row.error < tolerance("gradient") / 100, row
    assert "x = 0: slopes" in row.note and row.note.startswith("kink at [2, ")


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_excuses_nothing_beside_it(name, tolerance):
    f, gradient = KINKS[name]
    index = 2 if name == "norm of a row" else (2, 1)
    row = judge("x", f, lambda x, dy: OFF * gradient(x, dy), at(index, 0.0))
    assert row.verdict == "wrong" and row.error > tolerance("planted")


def test_a_slope_that_neither_side_has_is_wrong():
    row = judge("x", relu, lambda x, dy: dy * np.where(x == 0, 3.0, x > 0), at((2, 1), 0.0))
    assert (
        row.verdict == "wrong"
        and "on a kink, but at [2, 1]" in row.note
        and "is claimed" in row.note
    )


WRONG_RELU = {
    "passes all": lambda x, dy: dy,
    "shifted": lambda x, dy: dy * (x > -0.05),
    "leaks": lambda x, dy: dy * np.where(x > 0, 1.0, 0.001),
    "the wrong side": lambda x, dy: dy * (x < 0),
}


@pytest.mark.parametrize("name", WRONG_RELU)
@pytest.mark.parametrize("value", [1.0, 0.0, 1e-9, -3e-5])
def test_a_wrong_relu_is_wrong_on_a_kink_and_off_it(name, value, tolerance):
    x = at((2, 1), value, (30, 20))
    assert judge("x", relu, drelu, x).verdict in ("right", "kink")
    row = judge("x", relu, WRONG_RELU[name], x)
    assert row.verdict == "wrong" and row.error > tolerance("planted")


@pytest.mark.parametrize("distance", [3e-3, -3e-4, 3e-5, -3e-6])
def test_a_kink_between_the_steps_is_not_measured_across(distance, tolerance):
    x = at((2, 1), distance)
    row = judge("x", relu, drelu, x)
    assert row.verdict == "right" and row.error < tolerance("gradient") / 10
    assert judge("x", relu, lambda x, dy: dy * (x > distance), x).verdict == (
        "wrong" if distance > 0 else "right"
    )


def test_hundreds_of_units_within_the_steps_are_no_excuse(rng, tolerance):
    W, x = rng.normal(size=(30, 400)) / 30**0.5, rng.normal(size=(8, 30))

    def f(W):
        return relu(x @ W)

    row = judge("W", f, lambda W, dy: x.T @ (dy * (x @ W > 0)), W)
    assert row.verdict == "right" and row.error < tolerance("gradient") / 10
    row = judge("W", f, lambda W, dy: x.T @ (dy * (x @ W > -3e-3)), W)
    assert row.verdict == "wrong" and row.error > tolerance("planted")


# --- what cannot be judged, or only absolutely ---


STATIONARY = {
    "a minimum": (
        lambda a: (np.logaddexp(0, a) - 0.3 * a).sum(),
        lambda a, dy: dy * (sigmoid(a) - 0.3),
    ),
    "of zero": (
        lambda a: ((a - np.log(3 / 7)) ** 2).sum(),
        lambda a, dy: dy * 2 * (a - np.log(3 / 7)),
    ),
    "a constant": (lambda a: 0 * a + 3, lambda a, dy: 0 * a),
    "nothing": (lambda a: 0 * a, lambda a, dy: 0 * a),
}


@pytest.mark.parametrize("name", STATIONARY)
def test_a_zero_gradient_is_judged_absolutely(name, tolerance):
    f, gradient = STATIONARY[name]
    x = np.full(5, np.log(3 / 7))
    row = judge("x", f, gradient, x)
    assert row.verdict == "right" and row.note.endswith("judged absolutely"), row
    row = judge("x", f, lambda a, dy: gradient(a, dy) + 1e-3, x)
    assert row.verdict == "wrong" and row.error > tolerance("planted")


def test_a_gradient_that_was_forgotten_is_wrong():
    row = judge("x", np.tanh, lambda x, dy: 0 * x, at(0, 1.0))
    assert row.verdict == "wrong" and row.error == pytest.approx(1)


FAULTS = {
    "a jump": (lambda x: x + (x > 0), lambda x, dy: dy, "a jump"),
    "an infinite slope": (
        lambda x: np.sqrt(np.abs(x)),
        lambda x, dy: dy * np.sign(x),
        "infinite slope",
    ),
    "float32 inside": (lambda x: np.float64(np.tanh(np.float32(x))), dtanh, "float32 inside"),
    "a wrong shape": (
        np.tanh,
        lambda x, dy: dtanh(x, dy)[0],
        "the gradient has shape (3,), but x has (4, 3)",
    ),
    "NaN in the gradient": (np.tanh, lambda x, dy: dy * np.nan, "not finite"),
    "NaN in the value": (lambda x: x * np.nan, lambda x, dy: dy, "the value is nan"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_measured_is_wrong_and_said(name):
    f, gradient, note = FAULTS[name]
    row = judge("x", f, gradient, at((2, 1), 0.0))
    assert row.verdict == "wrong" and row.error == np.inf and note in row.note


def test_noise_at_each_call_is_said(rng):
    row = judge("x", lambda x: x + rng.normal(size=x.shape), lambda x, dy: dy, at(0, 1.0))
    assert row.verdict == "wrong" and "two calls at the same x differ" in row.note


def test_float32_is_refused():
    with pytest.raises(TypeError, match="f gives float32, but differences need float64"):
        judge("x", lambda x: x.astype(np.float32), lambda x, dy: dy, at(0, 1.0))


def test_the_point_is_left_alone():
    x = at((2, 1), 0.0)
    before = x.copy()
    judge("x", relu, drelu, x)
    np.testing.assert_array_equal(x, before)


def test_the_table():
    report = Report(
        "Dense", [Row("W", 1.2e-9, "right"), Row("layer.b", 1e-3, "wrong", "furthest off at [0]")]
    )
    assert not report.ok and Report("nothing").ok
    assert str(report).splitlines() == [
        "Dense",
        "what     relative error  verdict",
        "--------------------------------",
        "W               1.2e-09  right",
        "layer.b         1.0e-03  wrong    furthest off at [0]",
    ]
