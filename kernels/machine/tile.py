"""A tile of registers: sums of products of a few numbers with a few vectors, kept where arithmetic
happens.

A product of matrices reads each number often. Compilers keep the running sums of such a loop in
memory, which costs three accesses for each multiplication; a tile holds them in registers instead,
for R rows and V vectors of LANES numbers each, V being 1 or 2:

    t[r, :] += x[base + at[r]] w[start : start + V LANES]        one step, R V multiply-adds    (1)

With V = 2 that takes R V + V + 1 registers. w is read in whole vectors, which is a fifth faster;
of a row in memory that ends after ``count`` numbers only those are loaded and stored, and what was
not loaded counts as 0. Every sum runs in the order of the steps, one fused multiply-add each: its
bits do not depend on the width of the machine's registers.

The six functions are written for the compiler (LLVM) and work inside loops compiled by Numba
only.

Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008, section
5; Numba's manual, "High-level extension API", ``intrinsic``.
"""

from typing import Any

from llvmlite import binding, ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, register_model

intrinsic: Any = extending.intrinsic  # what it makes is called without the first argument

try:
    FEATURES = binding.get_host_cpu_features()
except RuntimeError:  # the compiler does not know this processor
    FEATURES = {}
# bytes of a register
WIDTH = 64 if FEATURES.get("avx512f") else 32 if FEATURES.get("avx2") else 16
R = 7 if WIDTH == 64 or "neon" in FEATURES else 6  # there are 32 registers, or 16
INT = ir.IntType(64)


class Tile(types.Type):
    """R rows of V vectors of one dtype; shapes: (R, V LANES)."""

    def __init__(self, dtype, V):
        self.dtype, self.V, self.lanes = dtype, V, 8 * WIDTH // dtype.bitwidth
        super().__init__(f"Tile({dtype}, {V})")

    def vector(self, context):
        """LLVM's type of one vector; shapes: (LANES,)."""
        return ir.VectorType(context.get_value_type(self.dtype), self.lanes)


@register_model(Tile)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, tile):
        vector = ir.VectorType(manager[tile.dtype].get_value_type(), tile.lanes)
        super().__init__(manager, tile, ir.ArrayType(vector, R * tile.V))


def _data(context, builder, kind, array):
    return cgutils.create_struct_proxy(kind)(context, builder, array).data


def _vectors(builder, tile, count):
    """For each of the V vectors: its first number, and which of its lanes lie below count."""
    below = ir.Constant(ir.VectorType(INT, tile.lanes), list(range(tile.lanes)))
    for v in range(tile.V):
        left = builder.sub(count, INT(v * tile.lanes))
        spread = _spread(builder, ir.VectorType(INT, tile.lanes), left)
        yield v * tile.lanes, builder.icmp_signed("<", below, spread)


def _spread(builder, vector, number):
    """One number in every lane."""
    undefined, zero = ir.Constant(vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    lane = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(builder.insert_element(undefined, number, zero), undefined, lane)


def _masked(builder, name, vector, result, arguments):
    """A call of LLVM's masked.load or masked.store, or of fma."""
    letter = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[vector.element]
    pointer = ".p0" if name.startswith("masked") else ""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.{name}.v{vector.count}{letter}{pointer}"
    )
    return builder.call(function, arguments)


def _load(builder, vector, pointer, mask):
    aligned, rest = ir.Constant(ir.IntType(32), 4), ir.Constant(vector, [0.0] * vector.count)
    return _masked(builder, "masked.load", vector, vector, [pointer, aligned, mask, rest])


@intrinsic(prefer_literal=True)
def zeros(typing, like, V):
    """A tile of zeros, (R, V LANES); like: any array of its dtype."""
    if not isinstance(V, types.IntegerLiteral):
        return None
    tile = Tile(like.dtype, V.literal_value)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(tile), None)

    return tile(like, V), generate


@intrinsic
def pick(typing, offsets, first, last):
    """R offsets (M,) from first on, the one at last again and again where there are no more."""

    def generate(context, builder, signature, arguments):
        data, (_, m, end) = _data(context, builder, signature.args[0], arguments[0]), arguments
        picked = ir.Constant(ir.ArrayType(INT, R), ir.Undefined)
        for r in range(R):
            k = builder.add(m, INT(r))
            k = builder.select(builder.icmp_signed("<", k, end), k, end)
            picked = builder.insert_value(picked, builder.load(builder.gep(data, [k])), r)
        return picked

    return types.UniTuple(types.int64, R)(offsets, types.int64, types.int64), generate


@intrinsic
def multiply_add(typing, t, x, base, at, w, start):
    """t[r, :] += x[base + at[r]] w[start : start + V LANES]; at (R,), t (R, V LANES)."""

    def generate(context, builder, signature, arguments):
        t, x, base, at, w, start = arguments
        tile, vector = signature.args[0], signature.args[0].vector(context)
        x, w = (
            _data(context, builder, signature.args[1], x),
            _data(context, builder, signature.args[4], w),
        )
        firsts = [builder.gep(w, [builder.add(start, INT(v * tile.lanes))]) for v in range(tile.V)]
        parts = [
            builder.load(builder.bitcast(first, vector.as_pointer()), align=4) for first in firsts
        ]
        for r in range(R):
            number = builder.load(
                builder.gep(x, [builder.add(base, builder.extract_value(at, r))])
            )
            spread = _spread(builder, vector, number)
            for v, part in enumerate(parts):
                before = builder.extract_value(t, r * tile.V + v)
                after = _masked(builder, "fma", vector, vector, [spread, part, before])  # (1)
                t = builder.insert_value(t, after, r * tile.V + v)
        return t

    return t(t, x, types.int64, at, w, types.int64), generate


@intrinsic
def load(typing, t, y, base, at, scale, count):
    """A tile like t whose row r is y[base + scale at[r] :], count numbers of it; at (R,)."""

    def generate(context, builder, signature, arguments):
        t, y, base, at, scale, count = arguments
        tile, vector = signature.args[0], signature.args[0].vector(context)
        y = _data(context, builder, signature.args[1], y)
        for r in range(R):
            row = builder.add(base, builder.mul(scale, builder.extract_value(at, r)))
            for v, (first, mask) in enumerate(_vectors(builder, tile, count)):
                pointer = builder.gep(y, [builder.add(row, INT(first))])
                t = builder.insert_value(t, _load(builder, vector, pointer, mask), r * tile.V + v)
        return t

    return t(t, y, types.int64, at, types.int64, types.int64), generate


@intrinsic
def plus(typing, t, y, base, at, scale, count):
    """t[r, :] += y[base + scale at[r] :], count numbers of it; at (R,), t (R, V LANES)."""

    def generate(context, builder, signature, arguments):
        t, y, base, at, scale, count = arguments
        tile, vector = signature.args[0], signature.args[0].vector(context)
        y = _data(context, builder, signature.args[1], y)
        for r in range(R):
            row = builder.add(base, builder.mul(scale, builder.extract_value(at, r)))
            for v, (first, mask) in enumerate(_vectors(builder, tile, count)):
                pointer = builder.gep(y, [builder.add(row, INT(first))])
                before = _load(builder, vector, pointer, mask)
                after = builder.fadd(builder.extract_value(t, r * tile.V + v), before)
                t = builder.insert_value(t, after, r * tile.V + v)
        return t

    return t(t, y, types.int64, at, types.int64, types.int64), generate


@intrinsic
def store(typing, t, y, base, at, scale, count):
    """y[base + scale at[r] :], count numbers of it, = row r of t; at (R,). Rows at one place must
    be equal. A vector that is whole is stored without a mask, since a masked store costs twelve
    cycles on some processors."""

    def generate(context, builder, signature, arguments):
        t, y, base, at, scale, count = arguments
        tile, vector = signature.args[0], signature.args[0].vector(context)
        y, aligned = _data(context, builder, signature.args[1], y), ir.Constant(ir.IntType(32), 4)

        def values(v, first):
            for r in range(R):
                row = builder.add(base, builder.mul(scale, builder.extract_value(at, r)))
                pointer = builder.gep(y, [builder.add(row, INT(first))])
                yield builder.extract_value(t, r * tile.V + v), pointer

        for v, (first, mask) in enumerate(_vectors(builder, tile, count)):
            whole = builder.icmp_signed(">=", count, INT(first + tile.lanes))
            with builder.if_else(whole) as (then, otherwise):
                with then:
                    for value, pointer in values(v, first):
                        builder.store(value, builder.bitcast(pointer, vector.as_pointer()), 4)
                with otherwise:
                    for given in values(v, first):
                        given = [*given, aligned, mask]
                        _masked(builder, "masked.store", vector, ir.VoidType(), given)
        return context.get_dummy_value()

    return types.void(t, y, types.int64, at, types.int64, types.int64), generate
