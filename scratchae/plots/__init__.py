"""Figures for a talk: image grids, learning curves, the latent plane. Matplotlib is imported by
the first of them.

Every function takes host arrays and returns a matplotlib Figure, titled in bold, with a quieter
note below the title; ``save`` and ``write_gif`` write. Matplotlib's global state is left alone (no
pyplot), so these work in any thread and beside any backend. Nothing else of the library is
imported before a function asks for it: pictures need not wait for Numba. The colours are told
apart by the colour-blind too.

Source: Petroff, "Accessible color sequences for data visualization", arXiv:2107.02270, for the ten
colours of the classes; Okabe and Ito, "Color universal design", 2008, for the two of the curves.
"""

from .curves import loss_curves
from .detection import roc_curve, score_histogram
from .frame import save, write_gif
from .health import health
from .images import image_grid, image_pairs, image_rows, manifold
from .latent import latent_scatter, quantile_plane
from .series import series_scores, window_pairs

__all__ = [
    "health",
    "image_grid",
    "image_pairs",
    "image_rows",
    "latent_scatter",
    "loss_curves",
    "manifold",
    "quantile_plane",
    "roc_curve",
    "save",
    "score_histogram",
    "series_scores",
    "window_pairs",
    "write_gif",
]
