"""Every error of 0.1 % that is planted in a kernel or a layer is seen by the gradient check."""

import numpy as np
import pytest

import scratchae as sa
from scratchae.backend.cuda import source as cuda
from scratchae.gradcheck import check, check_layer, check_model
from scratchae.gradcheck import kernels as kernel_checks
from scratchae.kernels.activation import ACTIVATION_GRADIENT, BIAS_ACTIVATION
from scratchae.kernels.gaussian import GAUSSIAN_GRADIENT
from scratchae.kernels.kernel import Kernel
from scratchae.layers import products

OFF = 1.001  # the planted error, 0.1 %


def spoiled(kernel, spoil):
    """The kernel with an error planted in every spelling: spoil(*args) after each call."""

    def wrap(spelling):
        def run(*args):
            spelling(*args)
            spoil(*args)

        return run

    def launch(gpu, *args):
        kernel.cuda(gpu, *args)
        on_host(gpu, spoil, args)

    return Kernel(wrap(kernel.definition), kernel.numba and wrap(kernel.numba), launch)


def on_host(gpu, change, args):
    """change(*args) with copies on the host of what lies on the GPU; what it changes goes back."""
    runtime = gpu.cupy.cuda.runtime
    with gpu.stream:
        hosts = [a.get() if isinstance(a, gpu.cupy.ndarray) else a for a in args]
        before = [np.copy(a) for a in hosts]
        change(*hosts)
        for there, host, old in zip(args, hosts, before, strict=True):
            if not np.array_equal(host, old, equal_nan=True):
                way = runtime.memcpyHostToDevice, gpu.stream.ptr
                runtime.memcpyAsync(there.data.ptr, host.ctypes.data, host.nbytes, *way)
        gpu.stream.synchronize()


def scaled(n):
    """Plant OFF in output number n."""

    def spoil(*args):
        args[n][...] *= OFF

    return spoil


def replace_cuda(monkeypatch, file, right, wrong):
    """Another text in the place of one that stands once in a .cu file."""
    text = cuda.texts()[file]
    assert text.count(right) == 1
    monkeypatch.setitem(cuda.texts(), file, text.replace(right, wrong))


def wrong(report):
    """What is wrong in a report: {what: error}."""
    return {row.what: row.error for row in report.rows if row.verdict == "wrong"}


def vae():
    return sa.VAE(sa.Dense(6, 4), sa.Dense(2, 6, "sigmoid"), sa.Gaussian(2), sa.Bernoulli())


@pytest.mark.parametrize("output, sees", [(0, {"a"}), (1, {"b", "b, added"})])
@pytest.mark.parametrize("name", list(BIAS_ACTIVATION))
def test_an_error_in_an_activation_is_seen(name, output, sees, backend, monkeypatch, tolerance):
    monkeypatch.setitem(
        ACTIVATION_GRADIENT, name, spoiled(ACTIVATION_GRADIENT[name], scaled(output))
    )
    found = wrong(check(ACTIVATION_GRADIENT[name], backend))
    if (name, output) == ("identity", 0):
        assert not found  # da is dy itself there, and not written
    else:
        assert {what.split(": ")[1] for what in found} == sees
        assert min(found.values()) > tolerance("planted")


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
        for module in ("kernels.gaussian", "latents.gaussian", "gradcheck.kernels"):
            monkeypatch.setattr(f"scratchae.{module}.GAUSSIAN_GRADIENT", plant_in_gaussian(term))
    in_kernel = wrong(kernel_checks.kernel_reports(backend, kernel_checks.GAUSSIAN_GRADIENT)[0])
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
        check(planted, backend),
        check(kind(), (4,), None, 3, backend),
        check(model, x, backend),
        check(model.objective, (6,), 4, backend),
    ):
        found = wrong(report)
        assert len(found) == len(report.rows) and min(found.values()) > tolerance("planted"), str(
            report
        )


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
    found = wrong(check(planted, backend))
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
    found = wrong(check(planted, backend))
    assert len(found) == sees and min(found.values()) > tolerance("planted")


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
        self.backend = backend
        right_bind(self, backend, rows, need_dx)

    def backward(self, dy):
        dx = right(self, dy)
        gradient = {"W": self.dW, "b": self.db, "x": dx}[tensor]
        self.backend.write(gradient, OFF * self.backend.to_host(gradient))
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
        out[0, 0] *= (
            OFF  # one tap: all of them would be a gradient that is right for another layer
        )

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
    ("patches.cu", "inside ? x[(", "inside ? REAL(1.001) * x[(", (CONV, (3, 3, 2))),
    ("patches.cu", "x[m] = sum", "x[m] = REAL(1.001) * sum", (PAINT, (2, 2, 2))),
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
