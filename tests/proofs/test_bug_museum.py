"""The bug museum: famous bugs of other libraries, planted here, each caught by a proof with a
name.

An exhibit runs its proof on the code as it is, plants the bug, and runs the same proof again,
which must fail. Where a bug is known to slip past some check, the exhibit shows that too. Proofs
that are not here are those of claims.py.
"""

import inspect
from functools import partial

import numpy as np
import pytest
from differences import assert_gradients
from proofs import claims
from proofs.exhibits import exhibit, replace_cuda
from proofs.linear_gaussian import draw
from proofs.two_layers import the_bound_of_two_layers

import scratchae as sa
from scratchae import randomness
from scratchae.gradcheck import check_latent
from scratchae.kernels import gaussian, hierarchy
from scratchae.kernels.kernel import Kernel
from scratchae.saving import checkpoint


def called(proof, backend, tolerance):
    """A proof of claims.py, ready to run, with what pytest would hand it."""
    given = {"backend": backend, "tolerance": tolerance, "likelihood": sa.Bernoulli}
    return lambda: proof(**{name: given[name] for name in inspect.signature(proof).parameters})


def the_loss_and_its_gradient_agree(backend, tolerance):
    """A small VAE: every named tensor, with noise that is a function of the clock and drawn for
    each forward."""
    encoder = sa.Sequential(sa.Dense(6, 5, "tanh"), sa.Dense(5, 4))
    decoder = sa.Sequential(sa.Dense(2, 5, "tanh"), sa.Dense(5, 6))
    model = sa.VAE(encoder, decoder, sa.Gaussian(2), beta=0.7).build(
        6, backend=backend, dtype="float64"
    )
    bound, views = model.backend, model.parameters.views()
    grads = bound.zeros((model.parameters.size,))
    replica, x = (
        model.replica(3, grads),
        bound.asarray(np.random.default_rng(0).uniform(size=(3, 6))),
    )
    tensors = {name: bound.to_host(view) for name, view in views.items()}

    def total():
        draw(replica, 3, bound)
        return replica.forward(x)

    def loss():
        for name, view in views.items():
            bound.write(view, tensors[name])
        return 3 * replica.loss(bound.to_host(total()))["loss"]

    replica.backward(total())
    gradients = {name: bound.to_host(grad) for name, grad in model.parameters.views(grads).items()}
    assert_gradients(loss, tensors, gradients, tolerance("gradient"))


def replace(monkeypatch, backend, sample, gradient, cuda_texts):
    """Put other definitions in the place of the Gaussian latent's kernels; on a GPU, other words
    in their text."""
    if backend == "cupy":
        replace_cuda(monkeypatch, "gaussian.cu", cuda_texts)
    else:
        monkeypatch.setattr("scratchae.latents.gaussian.GAUSSIAN_SAMPLE", Kernel(sample))
        monkeypatch.setattr("scratchae.latents.gaussian.GAUSSIAN_GRADIENT", Kernel(gradient))


SEE_SIGMA = (
    claims.moments_of_z,
    claims.kl_is_the_mean_of_log_q_minus_log_p,
    claims.the_gap_is_the_kl_to_the_true_posterior,
    claims.the_exact_posterior_leaves_no_gap_in_any_draw,
)


@pytest.mark.parametrize("proof", SEE_SIGMA)
def test_sampling_with_the_variance_as_sigma(monkeypatch, backend, tolerance, proof):
    """z = mu + exp(logvar) eps. Source: numpy-ml, DeZero, old Keras examples.

    Its gradient is the right gradient of the wrong sampler, so a gradient check sees nothing."""

    def sample(z, kl, h, eps):
        gaussian.gaussian_sample(z, kl, h, eps)
        D = h.shape[1] // 2
        z[...] = h[:, :D] + np.exp(h[:, D:]) * eps

    def gradient(dh, dz, h, eps, w):
        D = h.shape[1] // 2
        gaussian.gaussian_gradient(dh, np.zeros_like(dz), h, eps, w)
        dh[:, :D] += dz
        dh[:, D:] += dz * eps * np.exp(h[:, D:])

    texts = {
        "exp(REAL(0.5) * logvar)": "exp(logvar)",
        "sum_dz_eps * sigma": "2 * sum_dz_eps * sigma",
    }
    plant = partial(replace, monkeypatch, backend, sample, gradient, texts)
    exhibit(called(proof, backend, tolerance), plant)
    the_loss_and_its_gradient_agree(backend, tolerance)


KL = "REAL(0.5) * (mu * mu + expm1(logvar) - logvar)"  # as gaussian.cu says it
SEE_UNITS = (
    claims.terms_are_sums_over_dimensions,
    claims.kl_is_the_mean_of_log_q_minus_log_p,
)


@pytest.mark.parametrize("proof", SEE_UNITS)
def test_kl_averaged_over_dimensions(monkeypatch, backend, tolerance, proof):
    """The KL is a mean over latent dimensions, the reconstruction a sum. Source: pytorch/examples
    #234, #290."""

    def sample(z, kl, h, eps):
        gaussian.gaussian_sample(z, kl, h, eps)
        kl /= kl.shape[1]

    def gradient(dh, dz, h, eps, w):
        gaussian.gaussian_gradient(dh, dz, h, eps, w / len(w))

    plant = partial(
        replace, monkeypatch, backend, sample, gradient, {KL: f"{KL} / D", "w[d]": "w[d] / D"}
    )
    exhibit(called(proof, backend, tolerance), plant)
    the_loss_and_its_gradient_agree(backend, tolerance)


def test_kl_clamped_to_zero(monkeypatch, backend, tolerance):
    """A capacity of zero taken as an upper limit: the KL is clamped to it and vanishes. Source:
    PyOD.

    The "bound" then lies above log p(x)."""

    def sample(z, kl, h, eps):
        gaussian.gaussian_sample(z, kl, h, eps)
        np.minimum(kl, 0, out=kl)

    def gradient(dh, dz, h, eps, w):
        gaussian.gaussian_gradient(dh, dz, h, eps, np.zeros_like(w))

    texts = {KL: f"fmin(REAL(0), {KL})", "w[d]": "0 * w[d]"}
    plant = partial(replace, monkeypatch, backend, sample, gradient, texts)
    exhibit(called(claims.elbo_is_a_bound, backend, tolerance), plant)
    the_loss_and_its_gradient_agree(backend, tolerance)


SEE_PIXELS = (
    claims.terms_are_sums_over_dimensions,
    claims.an_untrained_model_knows_nothing_on_strokes,
)


@pytest.mark.parametrize("proof", SEE_PIXELS)
def test_reconstruction_averaged_over_pixels(monkeypatch, backend, tolerance, proof):
    """The cross-entropy is a mean over pixels, the KL a sum, which then weighs 784 times too much.

    Source: every framework whose cross-entropy reduces by the mean, as Keras' over the last
    axis."""
    forward = sa.Bernoulli.forward

    def averaged(self, a, x):
        nll, D = forward(self, a, x), a[0].size
        self.da[: len(a)] /= D
        nll /= D
        return nll

    def plant():
        if backend == "cupy":
            texts = {
                "REAL(total)": "REAL(total / D)",
                "/ (1 + e) - x_nd": "/ (1 + e) / D - x_nd / D",
            }
            replace_cuda(monkeypatch, "bernoulli.cu", texts)
        else:
            monkeypatch.setattr(sa.Bernoulli, "forward", averaged)

    exhibit(called(proof, backend, tolerance), plant)
    the_loss_and_its_gradient_agree(backend, tolerance)


def test_noise_redrawn_in_the_backward_pass(monkeypatch, backend, tolerance):
    """backward draws an eps of its own, so its gradient belongs to no z."""
    draw, backward = sa.Gaussian.draw, sa.Gaussian.backward

    def noted(self, rows, clock):
        self.drawn = rows, clock
        draw(self, rows, clock)

    def redrawn(self, dz, kl_weight):
        self.normal(self.eps, *self.drawn, randomness.LATENT + 1)
        return backward(self, dz, kl_weight)

    def plant():
        monkeypatch.setattr(sa.Gaussian, "draw", noted)
        monkeypatch.setattr(sa.Gaussian, "backward", redrawn)

    exhibit(lambda: the_loss_and_its_gradient_agree(backend, tolerance), plant)


def a_resumed_run_is_the_run(path, backend):
    """Two epochs, save, load, two epochs: to the bit the run of four that was never stopped."""
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    model = sa.VAE(sa.Dense(5, 4), sa.Dense(2, 5), sa.Gaussian(2), sa.GaussianLikelihood()).build(
        5, backend=backend
    )
    adam = sa.Adam(1e-2)
    sa.fit(model, x, adam, epochs=2, batch_size=8, threads=1)
    checkpoint.save(model, path, optimizer=adam)
    resumed = checkpoint.load(path, backend=backend)
    for m, optimizer in ((model, adam), (resumed, resumed.optimizer)):
        sa.fit(m, x, optimizer, epochs=2, batch_size=8, threads=1)
    values = (m.backend.to_host(m.parameters.values) for m in (resumed, model))
    np.testing.assert_array_equal(*values)


def test_step_count_lost_on_resume(monkeypatch, backend, tmp_path):
    """Adam resumes with its moments but at t = 0, and corrects a bias that is gone. Source:
    chainer #4013."""
    load = checkpoint.load

    def forgetful(path, **options):
        model = load(path, **options)
        model.optimizer.t = 0
        return model

    exhibit(
        lambda: a_resumed_run_is_the_run(tmp_path / "run.safetensors", backend),
        lambda: monkeypatch.setattr(checkpoint, "load", forgetful),
    )


def a_layer(backend="numpy"):
    """A Dense layer alone with loss <y, dy>: f, its tensors with the input x among them, their
    gradients."""
    rng, layer = np.random.default_rng(0), sa.by_hand(sa.Dense(4, 3, "tanh"), 4, backend=backend)
    tensors = {"W": rng.normal(size=(4, 3)), "b": rng.normal(size=3), "x": rng.normal(size=(5, 4))}
    dy = rng.normal(size=(5, 3))

    def f():
        layer.W, layer.b = tensors["W"], tensors["b"]
        return (layer(tensors["x"]) * dy).sum()

    f()
    dx = layer.backward(dy)
    return f, tensors, layer.gradients | {"x": dx}


def parameter_gradients_agree(backend, tolerance):
    """The check that is not enough: W and b, the input left out."""
    f, tensors, gradients = a_layer(backend)
    assert_gradients(
        f, {name: tensors[name] for name in ("W", "b")}, gradients, tolerance("gradient")
    )


def all_gradients_agree(backend, tolerance):
    """W, b, and the input x."""
    assert_gradients(*a_layer(backend), tolerance("gradient"))


def test_only_parameter_gradients_checked(monkeypatch, backend, tolerance):
    """dx is made from dy where da belongs: the layer's own W and b are right, all below it is
    wrong.

    Source: mlpack #1923."""
    backward = sa.Dense.backward

    def without_the_activation(self, dy):
        dx = backward(self, dy)
        self.matmul(dy, self.W.T, out=dx)
        return dx

    exhibit(
        lambda: all_gradients_agree(backend, tolerance),
        lambda: monkeypatch.setattr(sa.Dense, "backward", without_the_activation),
    )
    parameter_gradients_agree(backend, tolerance)


def the_checker_sees_planted_errors(check, tolerance):
    """An error of 0.1 % in the gradient of any one tensor must fail the check, and right gradients
    pass."""
    f, tensors, gradients = a_layer()
    check(f, tensors, gradients, tolerance("gradient"))
    for name, gradient in gradients.items():
        try:
            check(f, tensors, gradients | {name: 1.001 * gradient}, tolerance("gradient"))
        except AssertionError:
            continue
        raise AssertionError(f"an error of 0.1 % in the gradient of {name} passed the check")


def test_a_checker_that_never_compares(monkeypatch, tolerance):
    """Differences and gradients are both computed, and nothing comes of it. Source:
    SmallPebble."""

    def compares_nothing(f, tensors, gradients, allowed):
        for tensor in tensors.values():
            tensor += 1e-5
            above = f()
            tensor -= 1e-5
            assert np.isfinite(above - f())
        assert tensors.keys() == gradients.keys()

    checkers = [assert_gradients]
    exhibit(
        lambda: the_checker_sees_planted_errors(checkers[-1], tolerance),
        lambda: checkers.append(compares_nothing),
    )


def a_hierarchys_gradients_agree(backend, tolerance):
    """dh and every gradient of a Hierarchy, through z, kl and ratio."""
    report = check_latent(sa.Hierarchy(sa.Dense(3, 4), sa.Dense(2, 6)), (6,), backend=backend)
    assert report.ok, str(report)


WRONG_Z = {  # of which z_1 is log p(z_1|z_2) taken: z, h -> that z; and the CUDA text of it
    "of another sample": (lambda z, h: np.roll(z, 1, axis=0), "z[(m ? m - 1 : M - 1) * D + d]"),
    "the mean of q": (
        lambda z, h: np.repeat(h[:, : z.shape[1]], len(z) // len(h), axis=0),
        "h[(m / K) * 2 * D + d]",
    ),
}


@pytest.mark.parametrize(
    "wrong", ["of another sample", pytest.param("the mean of q", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("objective", [sa.ELBO, sa.IWAE])
def test_the_wrong_z_under_a_conditional_prior(monkeypatch, backend, tolerance, objective, wrong):
    """log p(z_1|z_2) of a z_1 that is not the sample the decoder was handed: of another sample, or
    mu. Source: parmesan #21, log p at z_0 in the place of z_K; two-layer IWAEs that hand the layer
    below its mean.

    With mu and the gradient that belongs to it, a gradient check sees nothing."""
    of, text = WRONG_Z[wrong]

    def ratio(r, v, z, p, h, eps):
        hierarchy.conditional_ratio(r, v, of(z, h), p, h, eps)

    def gradient(dh, dz, dz_up, dp, h, eps, w):
        hierarchy.lower_gradient(dh, dz, dz_up, dp, h, eps, w)
        N, D = h.shape[0], dz.shape[1]
        through_z = (dp[:, :D] * eps).reshape(N, -1, D).sum(axis=1)
        dh[:, D:] += through_z * np.exp(h[:, D:] / 2) / 2

    texts = {"(z[m * D + d] - mean[d])": f"({text} - mean[d])"}
    if wrong == "the mean of q":
        texts["sum_g_eps += g * eps"] = "sum_g_eps += (g + dp[m * 2 * D + d]) * eps"

    def plant():
        if backend == "cupy":
            replace_cuda(monkeypatch, "hierarchy.cu", texts)
        else:
            planted = {"CONDITIONAL_RATIO": ratio}
            if wrong == "the mean of q":
                planted["LOWER_GRADIENT"] = gradient
            for name, kernel in planted.items():
                monkeypatch.setattr(f"scratchae.latents.hierarchy.{name}", Kernel(kernel))

    a_hierarchys_gradients_agree(backend, tolerance)
    exhibit(lambda: the_bound_of_two_layers(backend, objective), plant)
    if wrong == "the mean of q":
        a_hierarchys_gradients_agree(backend, tolerance)
