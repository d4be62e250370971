"""The numbers of an optimiser: a learning rate that is one or a function of the step, constants in
their ranges."""

import inspect
import re

import numpy as np
import pytest

import scratchae as sa
from scratchae.optim import SGD, Adadelta, Adagrad, Adam, AdamW, RMSProp


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Adam(0), r"lr\) is 0"),
        (lambda: Adam(float("nan")), r"lr\) is nan"),
        (lambda: Adam(-1e-3), r"lr\) is -0.001"),
        (lambda: SGD(float("inf")), r"lr\) is inf"),
        (lambda: Adam(beta1=1), r"beta1\) is 1"),
        (lambda: Adam(beta2=-0.1), r"beta2\) is -0.1"),
        (lambda: Adam(eps=0), r"eps\) is 0"),
        (lambda: SGD(momentum=1.0), r"momentum\) is 1.0"),
        *(
            (lambda kind=kind: kind(0), r"lr\) is 0")
            for kind in (Adadelta, Adagrad, AdamW, RMSProp)
        ),
        *(
            (lambda kind=kind: kind(eps=0.0), r"eps\) is 0.0")
            for kind in (Adadelta, Adagrad, AdamW, RMSProp)
        ),
        *((lambda kind=kind: kind(rho=1), r"rho\) is 1") for kind in (Adadelta, RMSProp)),
        (lambda: Adagrad(initial=-0.1), r"initial\) is -0.1"),
        (lambda: AdamW(weight_decay=-1e-2), r"weight_decay\) is -0.01"),
        (lambda: AdamW(weight_decay=float("inf")), r"weight_decay\) is inf"),
        (lambda: AdamW(beta2=1.0), r"beta2\) is 1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_numbers(make, words):
    with pytest.raises(ValueError, match=rf"\({words}, but it must be"):
        make()


@pytest.mark.parametrize("kind", [Adam, AdamW, SGD, Adagrad, Adadelta, RMSProp])
def test_numbers_that_float32_cannot_hold(kind):
    names = {"lr", "eps", "initial", "weight_decay"} & inspect.signature(kind).parameters.keys()
    for name in names:
        for value in (1e-46, 1e39):
            words = re.escape(
                f"({name}) is {value}, but float32 reaches from 1.4e-45 to 3.4e+38: stay there"
            )
            with pytest.raises(ValueError, match=words):
                kind(**{name: value})
        assert getattr(kind(**{name: 1.5e-45}), name) == 1.5e-45


def test_a_class_is_no_learning_rate():
    with pytest.raises(
        TypeError, match=r"Adam\(lr\) is the class Cosine, but an object.*Cosine\(\.\.\.\)"
    ):
        Adam(sa.schedules.Cosine)


def no_step():
    return 0.1


def two_steps(t, s):
    return 0.1


@pytest.mark.parametrize("lr", [no_step, two_steps])
def test_a_function_that_does_not_take_the_step_is_no_learning_rate(lr):
    with pytest.raises(
        TypeError, match=r"Adam\(lr\) is <function .*, but a number or a function of the"
    ):
        Adam(lr)


@pytest.mark.parametrize("lr", [10**400, np.longdouble("1e400")])
def test_a_learning_rate_beyond_all_numbers(lr):
    with pytest.raises(ValueError, match=r"lr\) is .*, but it must be a number above 0"):
        Adam(lr)


def test_a_function_that_a_saved_model_cannot_name_is_no_learning_rate():
    with pytest.raises(TypeError, match=r"<ufunc 'sqrt'>.* a saved model cannot name"):
        Adam(np.sqrt)
