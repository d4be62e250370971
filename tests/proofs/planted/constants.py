"""Wrong constants: of densities, initial weights, defaults, and the data that are generated."""

from proofs.planted.planted import Planted

DENSITIES, WEIGHTS = "tests/likelihoods/test_densities.py", "tests/test_initializers.py"
DEFAULTS, GENERATED = "tests/test_defaults.py", "tests/datasets/generated"
MADE = "scratchae/datasets/generated"

CONSTANTS = {
    "a Gaussian's constant forgets the channels": Planted(
        "scratchae/likelihoods/gaussian.py", "math.prod(shape)", "math.prod(shape[:2])", DENSITIES
    ),
    "log 2 pi is not halved": Planted(
        "scratchae/likelihoods/gaussian.py",
        "math.log(self.sigma) + math.log(2 * math.pi) / 2",
        "math.log(self.sigma) + math.log(2 * math.pi)",
        DENSITIES,
    ),
    "log sigma is left out": Planted(
        "scratchae/likelihoods/gaussian.py", "return math.log(self.sigma) + ", "return ", DENSITIES
    ),
    "a learned sigma's constant is log pi": Planted(
        "kernels/learned_gaussian.py", "math.log(2 * math.pi)", "math.log(math.pi)", DENSITIES
    ),
    "the floor is not squared": Planted(
        "scratchae/likelihoods/gaussian.py",
        "(2 * math.log(self.floor)",
        "(math.log(self.floor)",
        DENSITIES,
    ),
    "a Laplace's constant forgets the two sides": Planted(
        "scratchae/likelihoods/laplace.py",
        "math.prod(shape) * math.log(2 * self.b)",
        "math.prod(shape) * math.log(self.b)",
        DENSITIES,
    ),
    "an error is halved": Planted(
        "scratchae/likelihoods/errors.py", "return 2.0, 0.0", "return 1.0, 0.0", DENSITIES
    ),
    "the candidate's bias is 1": Planted(
        "scratchae/initializers.py",
        "b[shape[0] // 4 : shape[0] // 2] = 1",
        "b[shape[0] // 2 : 3 * shape[0] // 4] = 1",
        WEIGHTS,
    ),
    "Glorot's 2 is 1": Planted(
        "scratchae/initializers.py",
        "np.sqrt(2.0 / (fan_in + fan_out)) * noise.normal",
        "np.sqrt(1.0 / (fan_in + fan_out)) * noise.normal",
        WEIGHTS,
    ),
    "He's 2 is 1": Planted(
        "scratchae/initializers.py",
        "variance = 2.0 / fan_in  #",
        "variance = 1.0 / fan_in  #",
        WEIGHTS,
    ),
    "PyTorch's bound is a deviation": Planted(
        "scratchae/initializers.py", "1.0 / np.sqrt(fan_in)", "np.sqrt(3.0 / fan_in)", WEIGHTS
    ),
    "a fan leaves the kernel's area out": Planted(
        "scratchae/layers/conv.py",
        "area * self.inputs, area * self.outputs",
        "area * self.inputs, self.outputs",
        WEIGHTS,
    ),
    "Keras' epsilon of Adam": Planted(
        "scratchae/optim/adam.py",
        "beta2: float = 0.999, eps: float = 1e-8\n    ):",
        "beta2: float = 0.999, eps: float = 1e-7\n    ):",
        DEFAULTS,
    ),
    "PyTorch's rho of RMSProp": Planted(
        "scratchae/optim/adagrad.py",
        "lr: Scheduled = 1e-3, rho: float = 0.9,",
        "lr: Scheduled = 1e-3, rho: float = 0.99,",
        DEFAULTS,
    ),
    "Keras' start of Adagrad": Planted(
        "scratchae/optim/adagrad.py", "initial: float = 0.0", "initial: float = 0.1", DEFAULTS
    ),
    "a leak of 0.2": Planted("kernels/activation.py", "LEAK = 0.01", "LEAK = 0.2", DEFAULTS),
    "dropout is not scaled": Planted(
        "scratchae/layers/noise.py", "return 1 / (1 - self.p)", "return 1.0", DEFAULTS
    ),
}

SEEN_BY = {"surface.py": f"{GENERATED}/test_draws.py"}
GENERATED_DATA = {
    f"{file[:-3]}: {after}": Planted(
        f"{MADE}/{file}", before, after, SEEN_BY.get(file, f"{GENERATED}/test_{file}")
    )
    for file, before, after in (
        ("beats.py", "[2919, 1767, 96, 194, 24]) / 5000", "[2919, 1767, 194, 96, 24]) / 5000"),
        ("beats.py", "MILD, UNRULY = 0.3, 2.5", "MILD, UNRULY = 0.4, 2.5"),
        ("beats.py", "0.03, 0.08, 0.1, 0.04, 0.02", "0.03, 0.08, 0.1, 0.04, 0.03"),
        ("beats.py", "0.5, 0.5, 0.03,", "0.5, 0.4, 0.03,"),
        ("beats.py", "(60, 2.8, -0.30), (100, 11.0", "(60, 2.8, -0.30), (104, 11.0"),
        ("daily.py", "96, 228, 6, 4  #", "96, 216, 6, 4  #"),
        ("daily.py", "96, 228, 6, 4  #", "96, 228, 6, 5  #"),
        ("daily.py", "20, 60, 0.05, 0.75, 2", "20, 50, 0.05, 0.75, 2"),
        ("daily.py", "20, 60, 0.05, 0.75, 2", "20, 60, 0.06, 0.75, 2"),
        ("daily.py", "20, 60, 0.05, 0.75, 2", "20, 60, 0.05, 0.8, 2"),
        ("daily.py", "KEEP, DRIFT = 0.7, 2", "KEEP, DRIFT = 0.6, 2"),
        ("daily.py", "KEEP, DRIFT = 0.7, 2", "KEEP, DRIFT = 0.7, 1"),
        ("daily.py", "= 0.35, 0.5, 7", "= 0.45, 0.5, 7"),
        ("daily.py", "= 0.35, 0.5, 7", "= 0.35, 0.5, 6"),
        ("strokes.py", "JITTER = 0.6", "JITTER = 0.5"),
        ("strokes.py", "0.25 * e[:, 2] - 0.15", "0.25 * e[:, 2] + 0.15"),
        ("strokes.py", "17 + 0.7 *", "18 + 0.7 *"),
        ("strokes.py", "np.exp(0.1 + 0.2 *", "np.exp(0.0 + 0.2 *"),
        ("surface.py", "SIDE, NOISE = 5.0, 0.1", "SIDE, NOISE = 4.0, 0.1"),
        ("surface.py", "SIDE, NOISE = 5.0, 0.1", "SIDE, NOISE = 5.0, 0.11"),
    )
}
