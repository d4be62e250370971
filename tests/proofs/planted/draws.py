"""Wrong streams and seeds."""

from proofs.planted.planted import Planted

RANDOM, WHO = "tests/test_randomness.py", "tests/models/test_streams.py"
GENERATED = "tests/datasets/generated"
MADE = "scratchae/datasets/generated"

STREAMS = {
    "order and pixels change places": Planted(
        "scratchae/randomness.py", "ORDER, WEIGHTS, PIXELS,", "PIXELS, WEIGHTS, ORDER,", RANDOM
    ),
    "latent and prior change places": Planted(
        "scratchae/randomness.py", "LATENT, PRIOR, SHAPES,", "PRIOR, LATENT, SHAPES,", RANDOM
    ),
    "probe and outputs change places": Planted(
        "scratchae/randomness.py", "PROBE, OUTPUTS", "OUTPUTS, PROBE", RANDOM
    ),
    "layers' noise begins at 8": Planted(
        "scratchae/randomness.py", "NOISE = 1 << 8", "NOISE = 1 << 3", RANDOM
    ),
    "evaluation is the stream beside": Planted(
        "scratchae/randomness.py", "0, 1 << 16", "0, 1 << 1", RANDOM
    ),
    "the latent draws from the prior's": Planted(
        "scratchae/latents/gaussian.py",
        "from ..randomness import LATENT",
        "from ..randomness import PRIOR as LATENT",
        WHO,
    ),
    "the prior draws from the latent's": Planted(
        "scratchae/models/base.py", "Draws(seed, PRIOR)", "Draws(seed, 3)", WHO
    ),
    "outputs are drawn from the prior's": Planted(
        "scratchae/models/base.py", "Draws(seed, OUTPUTS)", "Draws(seed, 4)", WHO
    ),
    "pixels are drawn from the order's": Planted(
        "scratchae/datasets/sources.py",
        "clock, randomness.PIXELS)\n            self",
        "clock, randomness.ORDER)\n            self",
        WHO,
    ),
    "weights are drawn from the order's": Planted(
        "scratchae/initializers.py", "randomness.WEIGHTS, self", "randomness.ORDER, self", WHO
    ),
    "all weights share a stream": Planted(
        "scratchae/parameters.py", "TensorDraws(seed, number)", "TensorDraws(seed, 0)", WHO
    ),
    "encoder and decoder share their noise": Planted(
        "scratchae/objectives/base.py",
        "self.decoder.place(stream)",
        "self.decoder.place(NOISE)",
        WHO,
    ),
    "evaluation draws training's noise": Planted(
        "scratchae/execution/runner.py", "purpose=randomness.EVALUATION", "purpose=0", WHO
    ),
    "noise is that of the first epoch": Planted(
        "scratchae/training/epochs.py",
        "randomness.clock(self.seed, epoch)",
        "randomness.clock(self.seed, 1)",
        WHO,
    ),
    "a split has the order of the first epoch": Planted(
        "scratchae/datasets/splits.py",
        "EPOCH = 0xFFFFFFFF",
        "EPOCH = 1",
        "tests/datasets/test_splits.py",
    ),
    "probes draw the weights": Planted(
        "scratchae/gradcheck/measure.py", "randomness.PROBE", "randomness.WEIGHTS", WHO
    ),
    "an initialiser's calls share their words": Planted(
        "scratchae/initializers.py", "self.calls += 1", "self.calls += 0", RANDOM
    ),
    "a sampler's calls share their words": Planted(
        "scratchae/randomness.py", "self.calls += 1", "self.calls *= 1", RANDOM
    ),
    "test beats share draws": Planted(
        f"{MADE}/beats.py", "seed, epoch=3)", "seed, epoch=2)", GENERATED
    ),
    "test strokes share draws": Planted(
        f"{MADE}/strokes.py", "seed, epoch=2)", "seed, epoch=1)", GENERATED
    ),
    "test days share draws": Planted(
        f"{MADE}/daily.py", "test_days, seed, epoch=2)", "test_days, seed, epoch=1)", GENERATED
    ),
    "test points share draws": Planted(
        f"{MADE}/surface.py", "n_test, seed, epoch=2)", "n_test, seed, epoch=1)", GENERATED
    ),
    "beats are drawn from the prior's": Planted(
        f"{MADE}/beats.py",
        "randomness.uniform((n, 2), seed, randomness.SHAPES,",
        "randomness.uniform((n, 2), seed, randomness.PRIOR,",
        GENERATED,
    ),
}

SEEDS = {
    "the high word is dropped": Planted("scratchae/randomness.py", "seed >> 32,", "0,", RANDOM),
    "a seed modulo 8": Planted(
        "scratchae/randomness.py", "[seed & 0xFFFFFFFF,", "[seed & 7,", RANDOM
    ),
    "a seed of 31 bits": Planted(
        "scratchae/randomness.py", "[seed & 0xFFFFFFFF,", "[seed & 0x7FFFFFFF,", RANDOM
    ),
    "the words are mixed": Planted(
        "scratchae/randomness.py", "seed >> 32,", "(seed >> 32) ^ (seed & 0xFFFFFFFF),", RANDOM
    ),
    "the words change places": Planted(
        "scratchae/randomness.py",
        "[seed & 0xFFFFFFFF, seed >> 32,",
        "[seed >> 32, seed & 0xFFFFFFFF,",
        RANDOM,
    ),
    "the order has seed 0": Planted(
        "scratchae/training/epochs.py",
        "len(self.source), self.seed, epoch)",
        "len(self.source), 0, epoch)",
        WHO,
    ),
    "validation has seed 0": Planted(
        "scratchae/training/epochs.py",
        "n, self.batch_size, self.seed)",
        "n, self.batch_size, 0)",
        WHO,
    ),
    "weights have seed 0": Planted(
        "scratchae/models/base.py", "parameters.initialise(seed)", "parameters.initialise(0)", WHO
    ),
    "a sample has seed 0": Planted(
        "scratchae/models/base.py",
        "Draws(seed, PRIOR)",
        "Draws(0, PRIOR)",
        WHO,
    ),
    "a split has seed 0": Planted(
        "scratchae/datasets/splits.py",
        "seed, EPOCH)",
        "0, EPOCH)",
        "tests/datasets/test_splits.py",
    ),
    "the noise of days has seed 0": Planted(
        f"{MADE}/daily.py",
        "randomness.normal((n, POINTS), seed, randomness.SHAPES, epoch + 1)",
        "randomness.normal((n, POINTS), 0, randomness.SHAPES, epoch + 1)",
        GENERATED,
    ),
}
