"""The machine's own versions of `ops/bits.py`, for code that Numba compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I64, I128 = ir.IntType(64), ir.IntType(128)
BYTES = ir.VectorType(ir.IntType(8), 64)


def _words(name: str, arguments: int, result: Any, emit: Callable[..., Any]) -> Any:
    """An intrinsic that takes int64 words."""
    signature = result(*[types.int64] * arguments)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)

    def unary(context: Any, a: Any) -> Any:
        return signature, codegen

    def binary(context: Any, a: Any, b: Any) -> Any:
        return signature, codegen

    typed = unary if arguments == 1 else binary
    typed.__name__ = name
    return intrinsic(typed)


def _product_high(builder: Any, a: Any, b: Any) -> Any:
    wide = builder.mul(builder.zext(a, I128), builder.zext(b, I128))
    return builder.trunc(builder.lshr(wide, I128(64)), I64)


@intrinsic
def word_at(context: Any, data: Any, at: Any) -> Any:
    """Eight bytes as a word, the first byte lowest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _loaded(builder, args[0], args[1], I64)

    return types.int64(types.CPointer(types.uint8), types.int64), codegen


def _loaded(builder: Any, data: Any, at: Any, kind: Any) -> Any:
    """What stands at a byte, as a value of any kind."""
    place = builder.bitcast(builder.gep(data, [at]), kind.as_pointer())
    out = builder.load(place)
    out.align = 1
    return out


def _mask(builder: Any, bits: Any) -> Any:
    """64 truth values as the bits of a word."""
    return builder.bitcast(bits, I64)


def _spread(builder: Any, byte: Any) -> Any:
    """A word's lowest byte 64 times."""
    one = builder.insert_element(ir.Constant(BYTES, ir.Undefined), builder.trunc(byte, BYTES.element), ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, ir.Constant(BYTES, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64))


@intrinsic
def places(context: Any, data: Any, at: Any, a: Any, b: Any, c: Any) -> Any:
    """Which of the 64 bytes from `at` on are a, b or c."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = _loaded(builder, args[0], args[1], BYTES)
        first, second, third = (builder.icmp_unsigned("==", found, _spread(builder, x)) for x in args[2:])
        return _mask(builder, builder.or_(builder.or_(first, second), third))

    i = types.int64
    return i(types.CPointer(types.uint8), i, i, i, i), codegen


@intrinsic
def places_below(context: Any, data: Any, at: Any, least: Any) -> Any:
    """Which of the 64 bytes from `at` on are less than `least`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = _loaded(builder, args[0], args[1], BYTES)
        return _mask(builder, builder.icmp_unsigned("<", found, _spread(builder, args[2])))

    return types.int64(types.CPointer(types.uint8), types.int64, types.int64), codegen


PRIMITIVES: dict[str, Any] = {
    "product_high": _words("product_high", 2, types.int64, _product_high),
    "product_low": _words("product_low", 2, types.int64, lambda b, x, y: b.mul(x, y)),
    "sum_of": _words("sum_of", 2, types.int64, lambda b, x, y: b.add(x, y)),
    "below": _words("below", 2, types.boolean, lambda b, x, y: b.icmp_unsigned("<", x, y)),
    "shifted_right": _words("shifted_right", 2, types.int64, lambda b, x, n: b.lshr(x, n)),
    "shifted_left": _words("shifted_left", 2, types.int64, lambda b, x, n: b.shl(x, n)),
    "lowest": _words("lowest", 1, types.int64, lambda b, x: b.cttz(x, ir.Constant(ir.IntType(1), 0))),
    "word_at": word_at,
    "places": places,
    "places_below": places_below,
    "leading_zeros": _words("leading_zeros", 1, types.int64, lambda b, x: b.ctlz(x, ir.Constant(ir.IntType(1), 0))),
}
