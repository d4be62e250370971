"""The gradient of every kernel that has one, in each spelling, against its own forward pass."""

import pkgutil
from importlib import import_module

import pytest
from gradcheck import kernels as kernel_checks
from gradcheck.kernels import check_kernel
from gradcheck.planting import OFF, scaled, spoiled, wrong

from scratchae import get_backend, kernels
from scratchae.kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from scratchae.kernels.kernel import Kernel

NO_GRADIENT = {"words", "uniform", "normal", "bernoulli"}  # and gather_*: kernels to train with
NO_GRADIENT |= {"adadelta", "adagrad", "adam", "adamw", "rmsprop", "sgd"}
NO_GRADIENT |= {
    "one_hot",
    "hide",
    "leave_out",
    "take",
    "advance",
    "sums",
    "rotate_kernel",
    "gate",
    "squares",
    "clip",
}  # errors in rotate_kernel: test_planted.py
FAMILIES = list(kernel_checks.families())


@pytest.mark.parametrize(
    "check",
    [check for _, check in FAMILIES],
    ids=[f"{i} {family[0].name}" for i, (family, _) in enumerate(FAMILIES)],
)
def test_gradients_are_the_derivatives(check, backend):
    report = check(get_backend(backend, "float64"))
    assert report.ok, str(report)


def test_no_kernel_is_left_out():
    checked = {id(kernel) for family, _ in kernel_checks.families() for kernel in family}
    for module in pkgutil.iter_modules(kernels.__path__):
        names = vars(import_module(f"scratchae.kernels.{module.name}")).values()
        found = [
            k for value in names for k in (value.values() if isinstance(value, dict) else [value])
        ]
        for kernel in [k for k in found if isinstance(k, Kernel)]:
            without = kernel.name in NO_GRADIENT or kernel.name.startswith("gather_")
            assert (id(kernel) in checked) != without, kernel.name


@pytest.mark.parametrize("output, sees", [(0, {"a"}), (1, {"b", "b, added"})])
@pytest.mark.parametrize("name", list(BIAS_ACTIVATION))
def test_an_error_in_an_activation_is_seen(name, output, sees, backend, monkeypatch, tolerance):
    monkeypatch.setitem(
        ACTIVATION_GRADIENT, name, spoiled(ACTIVATION_GRADIENT[name], scaled(output))
    )
    found = wrong(check_kernel(ACTIVATION_GRADIENT[name], backend))
    if (name, output) == ("identity", 0):
        assert not found  # da is dy itself there, and not written
    else:
        assert set(found) == sees
        assert min(found.values()) > tolerance("planted")


@pytest.mark.parametrize(
    "name, rows",
    [
        ("IM2COL", 2),
        ("COL2IM", 2),
        ("MAX_POOL", 1),
        ("MAX_POOL_GRADIENT", 1),
        ("UPSAMPLE", 2),
        ("UPSAMPLE_GRADIENT", 2),
    ],
)
def test_an_error_in_patches_or_windows_is_seen(name, rows, backend, monkeypatch, tolerance):
    def spoil(out, *_):
        out[:, 1] *= OFF  # one row of pixels, or of patches

    planted = spoiled(getattr(kernel_checks, name), spoil)
    monkeypatch.setattr(kernel_checks, name, planted)
    found = wrong(check_kernel(planted, backend))
    assert len(found) == rows and min(found.values()) > tolerance("planted")


@pytest.mark.parametrize("name", ["CONV", "CONV_TRANSPOSE"])
@pytest.mark.parametrize(
    "part, output, sees", [("", 0, 6), ("_GRADIENT", 0, 4), ("_GRADIENT", 1, 2)]
)
def test_an_error_in_a_convolution_is_seen(
    name, part, output, sees, backend, monkeypatch, tolerance
):
    """In a, in dW (which is also added to) and in dx, with few channels and with many."""
    planted = spoiled(getattr(kernel_checks, name + part), scaled(output))
    monkeypatch.setattr(kernel_checks, name + part, planted)
    found = wrong(check_kernel(planted, backend))
    assert len(found) == sees and min(found.values()) > tolerance("planted")
