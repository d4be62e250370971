"""Errors of 0.1 % and of sign in importance weights: their kernels, estimators, and log p(x)."""

from proofs.planted.planted import Planted

KERNEL = "kernels/importance.py"
IWAE, LIKELIHOOD = "tests/objectives/test_iwae.py", "tests/evaluation/test_likelihood.py"
EACH = "tests/evaluation/test_each.py"
SLOPE = f"{IWAE}::test_gradients_are_the_slope_of_the_loss"
MEAN = f"{IWAE}::test_the_mean_gradient_is_the_slope_of_the_mean_loss"
EXACT = f"{IWAE}::test_the_exact_posterior_gives_log_p_in_every_draw"

KERNELS = {
    f"importance.py: {after}": Planted(KERNEL, before, after, test)
    for before, after, test in (
        ("(z * z - eps * eps - logvar) / 2)", "(z * z + eps * eps - logvar) / 2)", EXACT),
        ("(z * z - eps * eps - logvar) / 2)", "(1.001 * z * z - eps * eps - logvar) / 2)", EXACT),
        ("log_w = -(nll.astype(np.float64) + r)", "log_w = -(nll.astype(np.float64) - r)", EXACT),
        (
            "log_w = -(nll.astype(np.float64) + r)",
            "log_w = -(nll.astype(np.float64) + 1.001 * r)",
            EXACT,
        ),
        ("math.log(log_w.shape[1]) - top", "math.log(log_w.shape[1] - 1 or 2) - top", EXACT),
        ("- top - np.log(s)  # (4)", "- top - 1.001 * np.log(s)  # (4)", EXACT),
        ("= scaled / s[:, None]  # (5)", "= 1.001 * scaled / s[:, None]  # (5)", SLOPE),
        ("w[:, None] * y  # (6)", "1.001 * w[:, None] * y  # (6)", SLOPE),
        ("g = dz + w * z  # (7)", "g = dz + 1.001 * w * z  # (7)", SLOPE),
        ("dh[:, :D] = g.sum(axis=1)  # (8)", "dh[:, :D] = 1.001 * g.sum(axis=1)  # (8)", SLOPE),
        ("(g * eps * sigma - w).sum", "(g * eps * sigma + w).sum", SLOPE),
        ("(g * eps * sigma - w).sum", "(g * eps * sigma - 1.001 * w).sum", SLOPE),
        ("w * (z - eps / sigma)  # (10)", "w * (z + eps / sigma)  # (10)", MEAN),
        ("w * (z - eps / sigma)  # (10)", "w * (z - 1.001 * eps / sigma)  # (10)", MEAN),
        ("g.sum(axis=1)  # (11)", "1.001 * g.sum(axis=1)  # (11)", MEAN),
        (
            "(g * eps * sigma).sum(axis=1) / 2  # (12)",
            "(g * eps * sigma).sum(axis=1) / 2.002  # (12)",
            MEAN,
        ),
    )
}

ESTIMATORS = {
    "IWAE's mean forgets the samples": Planted(
        "scratchae/objectives/iwae.py", "nll / (count * self.K), r", "nll / count, r", EACH
    ),
    "IWAE's ratio forgets the samples": Planted(
        "scratchae/objectives/iwae.py", "r / (count * self.K)\n", "r / count\n", EACH
    ),
    "the penalty has the KL's sign": Planted(
        "scratchae/objectives/iwae.py",
        "penalty = loss - reconstruction - kl if",
        "penalty = loss - reconstruction + kl if",
        EACH,
    ),
    "an example's penalty has the KL's sign": Planted(
        "scratchae/objectives/iwae.py",
        "rest = loss - reconstruction - kl if",
        "rest = loss - reconstruction + kl if",
        EACH,
    ),
    "an example's ess is that of w": Planted(
        "scratchae/objectives/iwae.py", "1 / (w * w).sum(axis=1)", "1 / w.sum(axis=1)", EACH
    ),
    "IWAE's encoder takes the path": Planted(
        "scratchae/objectives/iwae.py",
        "self.latent.weighed(dz, self.w)",
        "self.latent.path(dz, self.w)",
        MEAN,
    ),
    "IWAE's decoder has no weights": Planted(
        "scratchae/objectives/iwae.py",
        "self.likelihood.weighed(self.w)",
        "self.likelihood.backward()",
        MEAN,
    ),
    "STL's encoder has the whole gradient": Planted(
        "scratchae/objectives/stl.py",
        "self.latent.path(dz, self.w)",
        "self.latent.weighed(dz, self.w)",
        EXACT,
    ),
    "DReG's dz is not weighed": Planted(
        "scratchae/objectives/dreg.py",
        "self.dz2[:M].reshape(dz.shape)",
        "dz.reshape(dz.shape)",
        MEAN,
    ),
    "DReG's ratio has the weights of IWAE": Planted(
        "scratchae/objectives/dreg.py", "self.w2[:M].reshape(M))", "self.w)", MEAN
    ),
    "DReG's w2 is off": Planted(
        "scratchae/objectives/dreg.py",
        "self.w.reshape(M, 1), self.w)",
        "1.001 * self.w.reshape(M, 1), self.w)",
        MEAN,
    ),
    "the samples of an ELBO are summed": Planted(
        "scratchae/objectives/elbo.py", "np.full(self.share.shape, 1 / self.K)", "1.0", MEAN
    ),
    "a gradient in another order is not weighed": Planted(
        "scratchae/likelihoods/base.py", "return rows.reshape(da.shape)", "return da", IWAE
    ),
}

OF_LOG_P = {
    f"likelihood.py: {after}": Planted("scratchae/evaluation/likelihood.py", before, after, test)
    for before, after, test in (
        ("np.log(s1) - math.log(self.samples)", "np.log(s1)", LIKELIHOOD),
        ("s1 * s1 / s2, self.samples", "s1 * s1 / (1.001 * s2), self.samples", LIKELIHOOD),
        ("fa**2 * a[2]", "fa * a[2]", LIKELIHOOD),
        ("fb**2 * b[2]", "fb * b[2]", LIKELIHOOD),
        ("1 / self.ess - 1 / self.samples", "1 / self.ess + 1 / self.samples", LIKELIHOOD),
        ("self.each.var(ddof=1)", "self.each.var()", LIKELIHOOD),
        (
            "log_w[i, :, :due] = found.reshape(self.G, self.S)[:, :due]",
            "log_w[i] = found.reshape(self.G, self.S)",
            LIKELIHOOD,
        ),
        ("self._set(clock, c, randomness", "self._set(clock, 0, randomness", LIKELIHOOD),
    )
}

IMPORTANCE = KERNELS | ESTIMATORS | OF_LOG_P
