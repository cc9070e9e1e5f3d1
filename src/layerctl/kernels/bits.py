"""The machine's own versions of `ops/bits.py`, for code that Numba compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I64, I128 = ir.IntType(64), ir.IntType(128)


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


PRIMITIVES: dict[str, Any] = {
    "product_high": _words("product_high", 2, types.int64, _product_high),
    "product_low": _words("product_low", 2, types.int64, lambda b, x, y: b.mul(x, y)),
    "sum_of": _words("sum_of", 2, types.int64, lambda b, x, y: b.add(x, y)),
    "below": _words("below", 2, types.boolean, lambda b, x, y: b.icmp_unsigned("<", x, y)),
    "shifted_right": _words("shifted_right", 2, types.int64, lambda b, x, n: b.lshr(x, n)),
    "shifted_left": _words("shifted_left", 2, types.int64, lambda b, x, n: b.shl(x, n)),
    "leading_zeros": _words("leading_zeros", 1, types.int64, lambda b, x: b.ctlz(x, ir.Constant(ir.IntType(1), 0))),
}
