"""What a VAE shows: samples of the prior and, where z has two dimensions, its plane."""

import common
import runs

from scratchae import plots

PLANE = 21  # pictures on a side of the decoded manifold; odd, so that z = 0 is one of them
SAMPLES = 60


def samples(run: runs.Run) -> None:
    """Write samples.png: means of p(x|z), (60, 28, 28, 1), z from the prior."""
    x = run.model.sample(SAMPLES, run.options.seed)
    run.picture("samples.png", plots.image_grid(x, *run.labels("samples from the prior")))


def plane(run: runs.Run) -> None:
    """Write latent.png, the means of all codes (N, 2) of the test images, and manifold.png, what
    is decoded from a grid of codes."""
    names = common.class_names(run.options.dataset)
    codes = run.codes(lambda x: run.model.encode(x)[0])
    words = run.labels("latent plane")
    run.picture("latent.png", plots.latent_scatter(codes, run.test.labels, names, *words))
    decoded = run.model.decode(plots.quantile_plane(PLANE))
    run.picture("manifold.png", plots.manifold(decoded, *run.labels("decoded manifold")))
