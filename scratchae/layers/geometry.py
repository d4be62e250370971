"""The geometry of a convolution: kernel, stride, padding, and the sizes they lead to.

Along one axis, with H pixels, kernel k, stride s and padding before and after:

    P = floor((H + before + after - k) / s) + 1            outputs of the convolution   (1)
    H = (P - 1) s + k - before - after                     the smallest H with that P   (2)
    "same": P = ceil(H / s), and H = P s for the transpose                              (3)
    "same": before + after = max((P - 1) s + k - H, 0), the odd one after               (4)

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relations
6 and 14; TensorFlow's guide to padding (3, 4).
"""

from dataclasses import dataclass
from typing import Any

from ..checks import whole

Pair = tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution: H image pixels, P patches, and the padding before the first.

    kernel, stride: in pixels. Source: the module.
    """

    pixels: int
    patches: int
    kernel: int
    stride: int
    before: int

    @property
    def bounded_stride(self) -> int:
        """The stride, or one that goes beyond the image just as well: loops run over the pixels of
        a stride."""
        return min(self.stride, self.before + self.pixels + self.kernel)


def pair(what: str, value: int | Pair) -> Pair:
    """One whole number or two, of at least 1, as two. Raises ValueError otherwise."""
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(whole(v, 1) for v in both):
        raise ValueError(f"{what} is {value!r}, but it must be a whole number >= 1, or two")
    return int(both[0]), int(both[1])


def padding(what: str, value: Any) -> Any:
    """The padding itself. Raises ValueError for what is none."""
    if isinstance(value, str) and value in ("valid", "same"):
        return value
    four = isinstance(value, (tuple, list)) and len(value) == 4
    if not all(whole(v, 0) for v in (value if four else [value])):
        raise ValueError(
            f"{what} is {value!r}, but it must be 'valid', 'same', a whole number >= 0, or four "
            "of them: (top, bottom, left, right)"
        )
    return tuple(int(v) for v in value) if four else int(value)


def _explicit(padding: Any, axis: int) -> Pair:
    if padding == "valid":
        return 0, 0
    if isinstance(padding, int):
        return padding, padding
    return padding[2 * axis], padding[2 * axis + 1]


def from_image(H: int, k: int, s: int, padding: Any, axis: int) -> Axis:
    """The axis of a convolution over H pixels; axis 0 is vertical. Raises ValueError where no
    patch fits. Source: the module (1) (3) (4)."""
    if padding == "same":
        P = -(-H // s)  # (3)
        return Axis(H, P, k, s, max((P - 1) * s + k - H, 0) // 2)  # (4)
    before, after = _explicit(padding, axis)
    P = (H + before + after - k) // s + 1  # (1)
    if P < 1:
        raise ValueError(
            f"a kernel of {k} does not fit into {H} pixels padded by {before} and {after}: "
            "make the kernel smaller or the padding larger"
        )
    return Axis(H, P, k, s, before)


def from_patches(P: int, k: int, s: int, padding: Any, axis: int) -> Axis:
    """The axis of a transposed convolution over P inputs. Raises ValueError where no pixel is
    left. Source: the module (2) (3) (4)."""
    if padding == "same":
        H = P * s  # (3)
        return Axis(H, P, k, s, max((P - 1) * s + k - H, 0) // 2)  # (4)
    before, after = _explicit(padding, axis)
    H = (P - 1) * s + k - before - after  # (2)
    if H < 1:
        raise ValueError(
            f"{P} inputs, kernel {k}, stride {s} and padding {before}, {after} leave no pixel: "
            "make the kernel larger or the padding smaller"
        )
    return Axis(H, P, k, s, before)
