"""Errors in the likelihoods and their kernels: signs, terms and factors that are off, draws of
something else, data that is not looked at."""

from proofs.planted.planted import Planted

TESTS, PROOFS = "tests/likelihoods", "scratchae/likelihoods"
CB, DL = f"{TESTS}/test_continuous_bernoulli.py", f"{TESTS}/test_discretised_logistic.py"
POISSON, SHARED = f"{TESTS}/test_poisson.py", f"{TESTS}/test_shared_gaussian.py"
OPTIMAL, LOG_PROB = f"{TESTS}/test_optimal_gaussian.py", f"{TESTS}/test_log_prob.py"
LAPLACE, KERNELS = f"{TESTS}/test_laplace.py", "tests/gradcheck/test_kernels.py"

LIKELIHOODS = {
    "a term of a series is off": Planted(
        "kernels/continuous_bernoulli.py", "1 / 181440", "1 / 181400", CB
    ),
    "a slope is that of positive a": Planted(
        "kernels/continuous_bernoulli.py", "np.where(a >= 0, g, 1 - g)", "g", CB
    ),
    "the normaliser is not halved near 0": Planted(
        "kernels/continuous_bernoulli.py", "np.where(is_near, a / 2,", "np.where(is_near, a,", CB
    ),
    "a draw is its mirror image": Planted(
        f"{PROOFS}/bernoulli.py", "np.where(a < 0, y, 1 - y)", "np.where(a < 0, 1 - y, y)", CB
    ),
    "grey is what lies above 0": Planted(
        f"{PROOFS}/bernoulli.py", "x.min() >= 0 and x.max() <= 1", "x.min() >= 0", CB
    ),
    "grey x has a log-likelihood": Planted(
        f"{PROOFS}/bernoulli.py",
        'first_between(x)) is not None:\n            raise ValueError(\n                f"x',
        'None) is not None:\n            raise ValueError(\n                f"x',
        LOG_PROB,
    ),
    "the first bin is closed": Planted(
        "kernels/discretised_logistic.py",
        "to_lo = np.where(first, 0.0,",
        "to_lo = np.where(first, 1e-3,",
        DL,
    ),
    "the last bin has the slope of one inside": Planted(
        "kernels/discretised_logistic.py",
        "g_hi = np.where(last, 0.0,",
        "g_hi = np.where(last, 1e-3,",
        DL,
    ),
    "a slope forgets the width of a bin": Planted(
        "kernels/discretised_logistic.py",
        "inside * (d / E))  # (10)",
        "inside * (1 / E))  # (10)",
        DL,
    ),
    "the floor is not in the gradient": Planted(
        "kernels/discretised_logistic.py",
        "np.where(v >= FLOOR, 1.0, e) / (1.0 + e)",
        "1.0 + 0 * e",
        DL,
    ),
    "a mean is between the edges": Planted(
        f"{PROOFS}/logistic.py", "edge = middle + step + 0.5", "edge = middle + step + 0.4", DL
    ),
    "a correction of the mean is off": Planted(f"{PROOFS}/logistic.py", "r / 24", "r / 12", DL),
    "a draw has twice the scale": Planted(
        f"{PROOFS}/logistic.py", "mu + s * (np.log(u)", "mu + 2 * s * (np.log(u)", DL
    ),
    "data between the bins pass": Planted(f"{PROOFS}/logistic.py", "<= OFF)", "<= 0.6)", DL),
    "log x! is log (x - 1)!": Planted(
        "kernels/poisson.py", "math.lgamma(k + 1.0)", "math.lgamma(k or 1.0)", POISSON
    ),
    "Stirling without its root": Planted(
        "kernels/poisson.py",
        "above + (LOG_2PI + np.log(above)) / 2",
        "above + LOG_2PI / 2",
        POISSON,
    ),
    "a rate is e^a - 1": Planted(
        "kernels/poisson.py", "axis=0), np.exp(a)", "axis=0), np.expm1(a)", POISSON
    ),
    "a draw is kept too soon": Planted(
        f"{PROOFS}/poisson.py", "v <= 0.9277 - 3.6224 / (b - 2)", "v <= 2", POISSON
    ),
    "half counts pass": Planted(f"{PROOFS}/poisson.py", " | (rows != np.rint(rows))", "", POISSON),
    "a sigma's slope is not halved": Planted(
        "kernels/shared_gaussian.py", ".sum() / 2  # (7)", ".sum()  # (7)", KERNELS
    ),
    "a sigma's slope takes no weights": Planted(
        "kernels/shared_gaussian.py",
        "(w * (D - q.astype(np.float64)))",
        "(D - q.astype(np.float64))",
        KERNELS,
    ),
    "the floor below a shared sigma is not squared": Planted(
        f"{PROOFS}/calibrated.py", "(2 * math.log(self.floor)", "(math.log(self.floor)", SHARED
    ),
    "what was learned is not read": Planted(
        f"{PROOFS}/calibrated.py",
        "if self.learnt else 2 * math.log(self.initial)",
        "if None else 2 * math.log(self.initial)",
        SHARED,
    ),
    "a learned sigma begins at its square": Planted(
        f"{PROOFS}/calibrated.py",
        "start = 2 * math.log(self.initial)",
        "start = 4 * math.log(self.initial)",
        SHARED,
    ),
    "the best variance is twice as large": Planted(
        "kernels/optimal_gaussian.py", "y / (2 * variance)", "y / (4 * variance)", OPTIMAL
    ),
    "the best variance is of one sample": Planted(
        f"{PROOFS}/calibrated.py", "samples * math.prod(shape)", "math.prod(shape)", OPTIMAL
    ),
    "the best sigma has no 1": Planted(
        f"{PROOFS}/calibrated.py",
        "(math.log(2 * math.pi * variance) + 1)",
        "math.log(2 * math.pi * variance)",
        OPTIMAL,
    ),
    "a Laplace draw is half as wide": Planted(
        f"{PROOFS}/laplace.py",
        "np.log1p(-2 * np",
        "np.log1p(-1 * np",
        LAPLACE,
    ),
    "a Laplace slope has no scale": Planted(
        "kernels/errors.py", "tau * np.sign(r)", "np.sign(r)", LAPLACE
    ),
    "a log-likelihood is of the first piece": Planted(
        f"{PROOFS}/base.py", "exact.asarray(a[piece])", "exact.asarray(a[: len(rows)])", LOG_PROB
    ),
}
