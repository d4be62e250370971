"""Every error of 0.1 % that is planted in a kernel or a layer is seen by the gradient check."""

import numpy as np
import pytest
from gradcheck import kernels as kernel_checks
from gradcheck.planting import OFF, gradients, replace_cuda, scaled, spoiled, wrong

import scratchae as sa
from scratchae.gradcheck import check, check_layer, check_model
from scratchae.kernels.gaussian import GAUSSIAN_GRADIENT
from scratchae.layers import products


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6, "sigmoid"), sa.Gaussian(2), sa.Bernoulli())


KL_IN_MU, KL_IN_LOGVAR, Z_IN_MU, Z_IN_LOGVAR = range(4)
GAUSSIAN_CUDA = [  # what the CUDA text says of each term, and the error
    (text, text.replace(factor, f"REAL({OFF}) * {factor}", 1))
    for text, factor in (
        ("+ w[d] * mu;", "w[d]"),
        ("+ w[d] * expm1(logvar))", "w[d]"),
        ("= sum_dz +", "sum_dz"),
        ("(sum_dz_eps * sigma", "sum_dz_eps"),
    )
]


def plant_in_gaussian(term):
    def spoil(dh, dz, h, eps, w):
        N, D = len(h), h.shape[1] // 2
        mu, logvar, dz, eps = h[:, :D], h[:, D:], dz.reshape(N, -1, D), eps.reshape(N, -1, D)
        terms = {
            KL_IN_MU: w * mu,
            KL_IN_LOGVAR: w * np.expm1(logvar) / 2,
            Z_IN_MU: dz.sum(axis=1),
            Z_IN_LOGVAR: (dz * eps).sum(axis=1) * np.exp(logvar / 2) / 2,
        }
        half = slice(0, D) if term in (KL_IN_MU, Z_IN_MU) else slice(D, 2 * D)
        dh[:, half] += (OFF - 1) * terms[term]

    return spoiled(GAUSSIAN_GRADIENT, spoil)


@pytest.mark.parametrize(
    "term", range(4), ids=["kl in mu", "kl in logvar", "z in mu", "z in logvar"]
)
def test_an_error_in_a_term_of_the_latent_is_seen(term, backend, monkeypatch, tolerance):
    through = "kl" if term in (KL_IN_MU, KL_IN_LOGVAR) else "z"
    if backend == "cupy":
        replace_cuda(monkeypatch, "gaussian.cu", *GAUSSIAN_CUDA[term])
    else:
        for module in ("scratchae.latents.gaussian", "gradcheck.kernels"):
            monkeypatch.setattr(f"{module}.GAUSSIAN_GRADIENT", plant_in_gaussian(term))
    in_kernel = wrong(kernel_checks.check_kernel(kernel_checks.GAUSSIAN_GRADIENT, backend))
    assert list(in_kernel) == [f"h through {through}"] and min(in_kernel.values()) > tolerance(
        "planted"
    )
    in_latent = wrong(check(sa.Gaussian(3), None, 3, backend))
    assert {what.split(", ")[0] for what in in_latent} == {
        f"h through {through}",
        "h through both",
    }
    assert min(in_latent.values()) > tolerance("planted")
    in_model = wrong(check_model(vae(), np.full((3, 6), 0.3), backend))
    assert set(in_model) == {"encoder.W", "encoder.b"} and min(in_model.values()) > tolerance(
        "planted"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, name",
    [
        (sa.Bernoulli, "BERNOULLI_NLL"),
        (sa.Categorical, "CATEGORICAL_NLL"),
        (sa.LearnedGaussian, "LEARNED_GAUSSIAN_NLL"),
        (sa.SquaredError, "SQUARED_ERROR"),
        (sa.AbsoluteError, "ABSOLUTE_ERROR"),
    ],
)
def test_an_error_in_a_likelihood_is_seen(kind, name, backend, monkeypatch, tolerance):
    planted = spoiled(kind.kernel, scaled(1))
    monkeypatch.setattr(kernel_checks, name, planted)
    monkeypatch.setattr(kind, "kernel", planted)
    outputs, x = kind().parameters((6,))[0], np.full((2, 6), 1 / 6)
    model = sa.Autoencoder(sa.Dense(6, 2), sa.Dense(2, outputs), kind())
    for report in (
        kernel_checks.check_kernel(planted, backend),
        check(kind(), (4,), None, 3, backend),
        check(model, x, backend),
        check(model.objective, (6,), 4, backend),
    ):
        found = wrong(report)
        # the shards agree on the error
        rows = [row for row in gradients(report) if row.what != "shards"]
        assert len(found) == len(rows), str(report)
        assert min(found.values()) > tolerance("planted"), str(report)


@pytest.mark.parametrize("tensor", ["W", "b", "x"])
@pytest.mark.parametrize(
    "layer, shape",
    [
        (sa.Dense(5, 4, "sigmoid"), (5,)),
        (sa.Conv2d(2, 3, 2, activation="tanh"), (3, 3, 2)),
        (sa.ConvTranspose2d(2, 3, 2, activation="relu"), (2, 2, 2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_in_one_tensor_of_a_layer_is_seen(
    layer, shape, tensor, backend, monkeypatch, tolerance
):
    right_bind, right = type(layer).bind, type(layer).backward

    def bind(self, backend, rows, need_dx):
        self._backend = backend
        right_bind(self, backend, rows, need_dx)

    def backward(self, dy):
        dx = right(self, dy)
        gradient = {"W": self.dW, "b": self.db, "x": dx}[tensor]
        self._backend.write(gradient, OFF * self._backend.to_host(gradient))
        return dx

    monkeypatch.setattr(type(layer), "bind", bind)
    monkeypatch.setattr(type(layer), "backward", backward)
    found = wrong(check_layer(layer, shape, backend=backend))
    found.pop("gradients add", None)  # (before + dW) is scaled too
    assert list(found) == [tensor] and found[tensor] > tolerance("planted")


def test_an_error_in_a_rotated_kernel_is_seen(backend, monkeypatch, tolerance):
    """A convolution to few channels is a transposed one with its kernel turned, and so is its
    gradient."""
    layer, shape = sa.Conv2d(6, 1, 3, 1, "same"), (4, 5, 6)
    assert check_layer(layer, shape, backend=backend).ok

    def spoil(out, *_):
        # one tap: all of them would be a gradient that is right for another layer
        out[0, 0] *= OFF

    monkeypatch.setattr(products, "ROTATE_KERNEL", spoiled(products.ROTATE_KERNEL, spoil))
    found = wrong(check_layer(layer, shape, backend=backend))
    assert "W" in found and min(found.values()) > tolerance("planted")


DENSE, CONV, PAINT = sa.Dense(5, 4, "tanh"), sa.Conv2d(2, 3, 2), sa.ConvTranspose2d(2, 3, 2)
TURNED = sa.Conv2d(6, 1, 3, 1, "same")
CUDA_ERRORS = [  # a .cu file, what it says, the error, who sees it
    ("activation.cu", "return 1 - y * y;", "return REAL(1.001) - y * y;", (DENSE, (5,))),
    ("activation.cu", "sum += d;", "sum += 1.001 * d;", (DENSE, (5,))),
    (
        "bernoulli.cu",
        "/ (1 + e) - x_nd",
        "/ (1 + e) - REAL(1.001) * x_nd",
        (sa.Bernoulli(), (4,), None),
    ),
    ("categorical.cu", "- x_p[c]);", "- 1.001 * x_p[c]);", (sa.Categorical(), (4,), None)),
    (
        "learned_gaussian.cu",
        "= s * per",
        "= REAL(1.001) * s * per",
        (sa.LearnedGaussian(), (4,), None),
    ),
    (
        "learned_gaussian.cu",
        "* (1 - q);",
        "* (1 - REAL(1.001) * q);",
        (sa.LearnedGaussian(0), (4,), None),
    ),
    (
        "learned_gaussian.cu",
        "? 1 : e)",
        "? 1 : REAL(1.001) * e)",
        (sa.LearnedGaussian(0.5), (4,), None),
    ),
    ("errors.cu", "REAL(tau) * r", "REAL(1.001 * tau) * r", (sa.SquaredError(), (4,), None)),
    ("errors.cu", "r > 0 ? 1 :", "r > 0 ? REAL(1.001) :", (sa.AbsoluteError(), (4,), None)),
    ("patches.cu", "bool inside = 0 <= h", "bool inside = 1 <= h", (CONV, (3, 3, 2))),
    ("patches.cu", "sum += dx;  // (2)", "sum = dx;  // (2)", (PAINT, (2, 2, 2))),
    (
        "convolution.cu",
        "+ a) * B + b];",
        "+ a) * B + b] * (m < A ? REAL(1.001) : 1);",
        (TURNED, (4, 5, 6)),
    ),
    (
        "pooling.cu",
        "sum += dy[window]",
        "sum += REAL(1.001) * dy[window]",
        (sa.MaxPool2d(2), (4, 4, 2)),
    ),
    ("noise.cu", ": dy[i];", ": REAL(1.001) * dy[i];", (sa.GaussianNoise(0.5, (-1, 1)), (9,))),
    ("noise.cu", "p, 1) * x[i]", "p, 1) * REAL(1.001) * x[i]", (sa.SaltAndPepper(0.4), (9,))),
    (
        "pooling.cu",
        "dx[m] = REAL(sum)",
        "dx[m] = REAL(1.001 * sum)",
        (sa.Upsample2d(2), (2, 2, 2)),
    ),
]


@pytest.mark.parametrize(
    "file, right, error, who", CUDA_ERRORS, ids=[f"{e[0]}: {e[2]}" for e in CUDA_ERRORS]
)
def test_an_error_in_the_text_of_a_gpus_kernel_is_seen(
    file, right, error, who, gpu, monkeypatch, tolerance
):
    assert check(*who, 3, gpu).ok
    replace_cuda(monkeypatch, file, right, error)
    found = wrong(check(*who, 3, gpu))
    assert found and min(found.values()) > tolerance("planted")
