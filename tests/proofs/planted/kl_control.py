"""Wrong weights of the KL, wrong costs of it, and numbers that are told wrongly."""

from proofs.planted.planted import Planted

FREE, HELD = "tests/objectives/test_free_bits.py", "tests/objectives/test_capacity.py"
BETA = "tests/objectives/test_beta.py"

PLACES = (
    (
        "kernels/kl_weights.py",
        FREE,
        (
            ("kl.reshape(len(kl), len(s), -1)", "kl.reshape(len(kl), -1, len(s)).swapaxes(1, 2)"),
            ("rates = total[GROUPS:] / total[0]", "rates = total[GROUPS:]"),
            ("np.heaviside(rates - floor, 0.0)", "np.heaviside(floor - rates, 0.0)"),
            ("w[...] = beta * np.repeat", "w[...] = np.repeat"),
            ("np.repeat(np.heaviside(rates - floor, 0.0), size)", "(rates > floor).mean()"),
        ),
    ),
    (
        "kernels/kl_weights.py",
        HELD,
        (
            ("np.sign(total[KL] / total[0] - row[1])", "np.sign(total[KL] - row[1])"),
            ("np.sign(total[KL] / total[0] - row[1])", "(total[KL] > row[1] * total[0])"),
            ("row[0] * np.sign", "np.sign"),
        ),
    ),
    (
        "scratchae/objectives/free_bits.py",
        FREE,
        (
            ("additive = False", "additive = True"),
            ("np.maximum(self.floor - rates, 0.0)", "np.maximum(self.floor, rates)"),
            ("beta * float(np.maximum", "float(np.maximum"),
            ('terms["penalty"] += lack', "pass"),
            ("rates > self.floor", "rates <= self.floor"),
            ("total[GROUPS:] / total[0]", "total[GROUPS:]"),
            ("J % self.groups", "self.groups > J"),
            ("self.weigh(self.w, total, self.row", "self.weigh(self.w, self.sums, self.row"),
        ),
    ),
    (
        "scratchae/objectives/capacity.py",
        HELD,
        (
            ("additive = False", "additive = True"),
            ("gamma * abs(kl - capacity)", "gamma * max(kl - capacity, 0.0)"),
            ("gamma * abs(kl - capacity)", "abs(kl - capacity)"),
            ("cost - kl  # (1) (2)", "cost  # (1) (2)"),
            ("self.weigh(self.w, total, self.row)", "self.weigh(self.w, self.sums, self.row)"),
            ("self.constants(max(self.t, 1))", "self.constants(1)"),
            ('("gamma", "capacity"), self', '("capacity", "gamma"), self'),
            (
                'beta: Any = Absent("has no meaning: the weight of |kl - capacity| is gamma")',
                "beta = Number(0)",
            ),
        ),
    ),
    (
        "scratchae/training/preparing.py",
        BETA,
        (
            ("run.optimizer.t + epochs * batches", "run.optimizer.t + epochs"),
            ("run.optimizer.t + epochs * batches", "epochs * batches"),
            ("if steps > last}", "if steps >= last}"),
            ("(max(late.values()) - last)", "(min(late.values()) - last)"),
        ),
    ),
    (
        "scratchae/training/epochs.py",
        BETA,
        (
            ("self.model.objective.columns(self.model.objective.t)", "{}"),
            ("objective.columns(self.model.objective.t)", "objective.columns(1)"),
            ("self.columns = self.objective.columns(step.t)", "pass"),
        ),
    ),
)

KL_CONTROL = {
    f"{file}: {before} -> {after}": Planted(file, before, after, test)
    for file, test, changes in PLACES
    for before, after in changes
}
