"""What a row is given beside x, such as its label, for the layers behind."""

from ..backend import Array, Backend
from ..checks import positive
from ..kernels.given import JOIN, SPLIT
from ..parameters import Declared
from ..settings import Fixed, store
from . import arguments
from .base import Layer, Range, Shape


class Given(Layer):
    """x with what its row is given beside it at the end: y = [x | c].

    Shapes: x (N K, I), c (N, C), y (N K, I + C), with K = 1 before the latent.

        y_m = [x_m | c_(m // K)]                  of K samples, m belongs to row m // K (1)
        dx_m = the first I of dy_m                                                      (2)

    C: how many numbers a row is given: the classes of a label, which comes as a unit vector. The
    data says which (Labelled), or ``given=`` of encode, decode, reconstruct and sample. A
    conditional VAE is a VAE with Given in front of a Dense layer of its decoder, and one in its
    encoder: p(x|z, c) and q(z|x, c). Raises ValueError for C below 1, and for rows that are not
    (I,): behind Flatten(), and no channel of an image. Source: Sohn, Lee, Yan, "Learning
    structured output representation using deep conditional generative models", 2015;
    kernels/given.py.
    """

    C = Fixed(positive)

    def __init__(self, C: int):
        self.C = C

    @property
    def conditions(self) -> int:
        """C."""
        return self.C

    @property
    def no_classes(self) -> bool:
        """Whether training gave it numbers that are no unit vectors: it stands in a saved file,
        and ``given=1`` is an error then."""
        return bool(store(self).get("no_classes", False))

    def note(self, no_classes: bool) -> None:
        """Keep whether what it is given are no classes: a scalar. Source: ``no_classes``."""
        store(self)["no_classes"] = no_classes

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """(I,) -> ((I + C,), no parameters). Raises ValueError for another shape."""
        arguments.rows(f"Given({self.C})", shape, "I", "Flatten()")
        self.shape, self.output = shape, (shape[0] + self.C,)
        return self.output, {}

    def range(self, before: Range) -> Range:
        """Not known: that of c is anybody's. Source: (1)."""
        return None

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Buffers y (rows, I + C) and dx (rows, I)."""
        self.join, self.split = backend.op(JOIN), backend.op(SPLIT)
        self.y = backend.empty((rows, *self.output))
        self.dx = backend.empty((rows, *self.shape)) if need_dx else None
        self.c: Array | None = None

    def give(self, c: Array) -> None:
        """Keep c (N, C), for the next ``forward``. Raises ValueError for another width. Source:
        (1)."""
        arguments.beside(f"Given({self.C})", c, self.C)
        self.c = c

    def forward(self, x: Array) -> Array:
        """x (N K, I) -> y (N K, I + C). Raises ValueError where nothing was given."""
        if self.c is None:
            raise ValueError(
                f"Given({self.C}) was given nothing: hand it c (N, {self.C}) by give(c) first"
            )
        y = self.y[: x.shape[0]]
        self.join(y, x, self.c)  # (1)
        return y

    def backward(self, dy: Array) -> Array | None:
        """dy (N K, I + C) -> dx (N K, I)."""
        if self.dx is None:
            return None
        dx = self.dx[: dy.shape[0]]
        self.split(dx, dy)  # (2)
        return dx
