"""Wrong schedules, steps that should not be taken, and wrong readers of files."""

from proofs.planted.planted import Planted

SCHEDULES, RATES = "tests/test_schedules.py", "tests/optim/test_rates.py"
BETA = "tests/objectives/test_beta.py"
DIVERGENCE = "tests/training/test_divergence.py"
IDX, UCR = "tests/datasets/test_idx.py", "tests/datasets/test_ecg5000.py"
FILES, SOURCES = "tests/datasets/test_files.py", "tests/datasets/test_sources.py"

SCHEDULE = {
    f"schedules: {after}": Planted("scratchae/schedules.py", before, after, SCHEDULES)
    for before, after in (
        ("min(t / self.steps, 1.0)", "min((t - 1) / self.steps, 1.0)"),
        ("** ((t - 1) / self.steps)", "** (t / self.steps)"),
        ("** ((t - 1) / self.steps)", "** ((t - 1) // self.steps)"),
        ("sum(step < t for", "sum(step <= t for"),
        ("min(t - 1, self.steps) / self.steps", "min(t, self.steps) / self.steps"),
        ("(1.0 + math.cos(turn)) / 2.0", "(1.0 + math.cos(turn))"),
        ("min((t - 1) / self.steps, 1.0)  # (5)", "min(t / self.steps, 1.0)  # (5)"),
        ("(t - 1) * self.cycles % self.steps", "t * self.cycles % self.steps"),
        ("min(done / self.ratio, 1.0)", "min(done / 0.5, 1.0)"),
        ("if t <= self.steps else 1.0", "if t < self.steps else 1.0"),
        ("math.tanh(k / 4.0)) / 2.0", "1.0) / 2.0"),
        (
            "u, k = min((t - 1) /",
            "u, k = min(t /",
        ),
    )
}

RATE = {
    "the rate of Adam is a step late": Planted(
        "scratchae/optim/adam.py",
        "1.0 / count, self.rate(t),",
        "1.0 / count, self.rate(max(t - 1, 1)),",
        RATES,
    ),
    "the rate of Adam stays": Planted(
        "scratchae/optim/adam.py",
        "1.0 / count, self.rate(t),",
        "1.0 / count, self.rate(1),",
        RATES,
    ),
    "every rate is a step late": Planted(
        "scratchae/optim/base.py",
        "type(self).lr.at(self, t)",
        "type(self).lr.at(self, max(t - 1, 1))",
        RATES,
    ),
    "every rate is that of an epoch": Planted(
        "scratchae/optim/base.py",
        "type(self).lr.at(self, t)",
        "type(self).lr.at(self, (t + 2) // 3)",
        RATES,
    ),
    "Adam corrects for a step too many": Planted(
        "scratchae/optim/adam.py", "1.0 - self.beta1**t,", "1.0 - self.beta1 ** (t + 1),", RATES
    ),
    "beta stays": Planted(
        "scratchae/objectives/elbo.py", "(self._beta(t),)", "(self._beta(1),)", BETA
    ),
    "the loss has the beta of the step before": Planted(
        "scratchae/objectives/elbo.py",
        "beta = self._beta(max(self.t, 1))\n        penalty",
        "beta = self._beta(max(self.t - 1, 1))\n        penalty",
        BETA,
    ),
    "a step is taken whose loss is not finite": Planted(
        "scratchae/execution/threads.py",
        "if step.finite:",
        "if np.isfinite(step.total).all():",
        DIVERGENCE,
    ),
    "a loss is not looked at": Planted(
        "scratchae/execution/step.py",
        'bool(sums and math.isfinite(terms["loss"]))',
        "bool(sums)",
        DIVERGENCE,
    ),
}
END = "self.rate(t)\n\n    def update(self, values: Array, grads: Array, part: slice) -> None:"
DOCS = {
    "Adagrad": "One step on values[part]; grads (S, n). Source: kernels/adagrad.py.",
    "Adadelta": "Algorithm 1 on values[part]; grads (S, n). Source: kernels/adadelta.py.",
    "RMSProp": "One step on values[part]; grads (S, n). Source: kernels/rmsprop.py.",
}
RATE |= {
    f"the rate of {kind} stays": Planted(
        "scratchae/optim/adagrad.py",
        f'{END}\n        """{doc}',
        f'{END.replace("(t)", "(1)")}\n        """{doc}',
        RATES,
    )
    for kind, doc in DOCS.items()
}

READERS = {
    "IDX is little-endian": Planted("scratchae/datasets/idx.py", '"big")', '"little")', IDX),
    "IDX lies column by column": Planted(
        "scratchae/datasets/idx.py",
        "return x.reshape(shape)",
        "return x.reshape(shape[:1] + shape[:0:-1]).swapaxes(1, -1)",
        IDX,
    ),
    "images begin a byte late": Planted(
        "scratchae/datasets/idx.py",
        "np.frombuffer(more, np.uint8)",
        "np.frombuffer(more[1:] + more[:1], np.uint8)",
        IDX,
    ),
    "training and test images change places": Planted(
        "scratchae/datasets/idx.py",
        "return _split(found[0].path, *arrays[:2]), _split(found[2].path, *arrays[2:])",
        "return _split(found[2].path, *arrays[2:]), _split(found[0].path, *arrays[:2])",
        IDX,
    ),
    "labels from 1 on": Planted(
        "scratchae/datasets/idx.py",
        "images[..., None], labels",
        "images[..., None], labels + 1",
        IDX,
    ),
    "images are negatives": Planted(
        "scratchae/datasets/idx.py",
        "images[..., None], labels",
        "255 - images[..., None], labels",
        IDX,
    ),
    "the label is the last column": Planted(
        "scratchae/datasets/ecg5000.py",
        "table[:, 1:].astype(np.float32), table[:, 0]",
        "table[:, :-1].astype(np.float32), table[:, -1]",
        UCR,
    ),
    "labels from 0 on": Planted(
        "scratchae/datasets/ecg5000.py",
        "table[:, 0].astype(np.int64)",
        "table[:, 0].astype(np.int64) - 1",
        UCR,
    ),
    "values are halves": Planted(
        "scratchae/datasets/ecg5000.py",
        "table[:, 1:].astype(np.float32)",
        "table[:, 1:].astype(np.float16).astype(np.float32)",
        UCR,
    ),
    "test beats come first": Planted(
        "scratchae/datasets/ecg5000.py",
        "joined(*load(data_dir))",
        "joined(*load(data_dir)[::-1])",
        UCR,
    ),
    "training and test beats change places": Planted(
        "scratchae/datasets/ecg5000.py", "    train, test = (\n", "    test, train = (\n", UCR
    ),
    "a packed file is read as it lies": Planted(
        "scratchae/datasets/unpacking.py", r'magic == b"\x1f\x8b"', "False", IDX
    ),
    "the variable goes before the argument": Planted(
        "scratchae/datasets/files.py",
        '(("data_dir", data_dir), ("SCRATCHAE_DATA", named))',
        '(("SCRATCHAE_DATA", named), ("data_dir", data_dir))',
        FILES,
    ),
    "white is 256": Planted("kernels/batch.py", "UNIT = 1 / 255", "UNIT = 1 / 256", SOURCES),
    "training and test part change places": Planted(
        "scratchae/datasets/splits.py",
        "take(source, order[:n]), take(source, order[n:])",
        "take(source, order[n:]), take(source, order[:n])",
        "tests/datasets/test_splits.py",
    ),
}
