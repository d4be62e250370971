"""Layers one after the other."""

from collections.abc import Iterable

from ..backend import Array, Backend
from ..checks import is_a
from ..parameters import Declared, Views, below, prefixed
from ..settings import Fixed
from .base import Layer, Range, Shape, declared_by, require_fit, require_views


def _layers(what: str, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers themselves. Raises ValueError for none, TypeError for what are no layers."""
    is_a(what, layers, tuple, "a tuple of layers is expected")
    if not layers:
        raise ValueError("Sequential() is empty: give it at least one layer")
    for layer in layers:
        if not isinstance(layer, Layer):
            raise TypeError(
                f"Sequential is given {layer!r}, but it takes layers, such as Dense(784, 400)"
            )
    return layers


class Sequential(Layer):
    """The composition y = f_L(... f_2(f_1(x))), and the chain rule backwards.

    Shapes: x (N, *shape of f_1), y (N, *output of f_L).

        x_l = f_l(x_{l-1})                        l = 1 ... L                           (1)
        dx_{l-1} = dx_l times the Jacobian of f_l,   l = L ... 1                        (2)

    Parameters are named by position: 0.W, 0.b, 1.W. Raises ValueError without layers, TypeError
    for what is no layer. Source: Rumelhart, Hinton, Williams 1986.
    """

    layers = Fixed(_layers)

    def __init__(self, *layers: Layer):
        self.layers = layers

    @property
    def trainable(self) -> bool:
        """Whether any layer inside is to be trained; set, it is set in all. Source:
        layers/base.py."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        """Set it in every layer."""
        for layer in self.layers:
            layer.trainable = trainable

    @property
    def add(self) -> bool:
        """Whether gradients add to what is there, in every layer alike. Source: layers/base.py."""
        return self.layers[0].add

    @add.setter
    def add(self, add: bool) -> None:
        """Set it in every layer. Source: layers/base.py."""
        for layer in self.layers:
            layer.add = add

    @property
    def conditions(self) -> int:
        """C, how many numbers a row is given beside x, by any layer. Source: layers/given.py."""
        return max(layer.conditions for layer in self.layers)

    def declare(self, shape: Shape) -> tuple[Shape, Declared]:
        """Shape of x -> (shape of y, all parameters). Raises what a layer raises."""
        self.shape, self.shapes = shape, [shape]
        declared: Declared = {}
        self.with_parameters = []
        for i, layer in enumerate(self.layers):
            shape, inner = declared_by(layer, shape)
            self.shapes.append(shape)
            declared |= prefixed(str(i), inner)
            self.with_parameters.append(bool(inner))
        self.output = shape
        return shape, declared

    def range(self, before: Range) -> Range:
        """That of the last layer, through all before it. Source: (1)."""
        for layer in self.layers:
            before = layer.range(before)
        return before

    def place(self, stream: int) -> int:
        """Hand out streams of noise in order of x -> the next free one. Source: layers/base.py."""
        for layer in self.layers:
            stream = layer.place(stream)
        return stream

    def attach(self, values: Views, grads: Views) -> None:
        """Each layer's views, any shape, by its position."""
        for i, layer in enumerate(self.layers):
            layer.attach(below(str(i), values), below(str(i), grads))

    def bind(self, backend: Backend, rows: int, need_dx: bool) -> None:
        """Bind each layer for (rows, ...); dx is needed above the first layer that learns."""
        self.need_dx, self.dtype = [], backend.dtype
        self.went = self.returned = False  # whether a first pass, which is looked at, went through
        for layer, has_parameters in zip(self.layers, self.with_parameters, strict=True):
            layer.bind(backend, rows, need_dx)
            self.need_dx.append(need_dx)
            need_dx = need_dx or learns(layer, has_parameters)

    def draw(self, rows: Array, clock: Array) -> None:
        """Let each layer draw its noise for rows (N,). Source: kernels/philox.py."""
        for layer in self.layers:
            layer.draw(rows, clock)

    def give(self, c: Array) -> None:
        """Hand c (N, C) to each layer. Source: layers/given.py."""
        for layer in self.layers:
            layer.give(c)

    def forward(self, x: Array) -> Array:
        """x (N, ...) -> y (N, ...). Raises TypeError, in the first pass, where a layer gives rows
        of another shape than it has declared, or of another dtype."""
        N = x.shape[0]
        for i, layer in enumerate(self.layers):
            x = layer.forward(x)  # (1)
            if not self.went:
                require_fit(layer, "forward", x, N, self.shapes[i + 1], self.dtype)
        self.went = True
        return x

    def backward(self, dy: Array) -> Array | None:
        """dy (N, ...) -> dx (N, ...), or None from the first layer that computes none. Raises
        TypeError, in the first pass, where a layer below it needs one, and as ``forward``."""
        for i in reversed(range(len(self.layers))):
            dx = self.layers[i].backward(dy)  # (2)
            if not self.returned:
                self._look_back(i, dx, dy.shape[0])
            if dx is None:
                break
            dy = dx
        self.returned = True
        return dx

    def _look_back(self, i: int, dx: Array | None, rows: int) -> None:
        """Raise TypeError where layer i gives another dx (N, ...) than is needed, or hides a
        gradient."""
        require_views(self.layers[i])
        if self.need_dx[i]:
            require_fit(self.layers[i], "backward", dx, rows, self.shapes[i], self.dtype)


def learns(layer: Layer, has_parameters: bool) -> bool:
    """Whether anything in a declared layer is to be trained. Source: layers/base.py, trainable."""
    if isinstance(layer, Sequential):
        return any(map(learns, layer.layers, layer.with_parameters))
    return has_parameters and layer.trainable


def leaves(name: str, layer: Layer) -> list[tuple[str, Layer]]:
    """The layers inside, each with its dotted name, in order of x. Source: the class above."""
    if not isinstance(layer, Sequential):
        return [(name, layer)]
    return [leaf for i, inner in enumerate(layer.layers) for leaf in leaves(f"{name}.{i}", inner)]


def distinct(parts: Iterable[tuple[str, Layer]]) -> None:
    """Raise ValueError where one layer object, of these parts or inside of them, stands in two
    places, which would share its buffers."""
    seen: dict[int, str] = {}

    def walk(name: str, layer: Layer) -> None:
        if id(layer) in seen:  # before what is inside, whose number may double at each level
            raise ValueError(
                f"the same {type(layer).__name__} stands at {seen[id(layer)]} and at {name}: make "
                "one for each"
            )
        seen[id(layer)] = name
        for i, inner in enumerate(layer.layers if isinstance(layer, Sequential) else ()):
            walk(f"{name}.{i}", inner)

    for name, layer in parts:
        walk(name, layer)
