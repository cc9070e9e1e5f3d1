"""The machine's own versions of `ops/primitives.py`, for code that Numba compiles."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from layerctl.kernels import math

I64 = ir.IntType(64)


@intrinsic
def share_low(context: Any, n: Any, task: Any, tasks: Any) -> Any:
    """n * task // tasks for numbers that are not negative."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.udiv(builder.mul(args[0], args[1]), args[2])

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once, in the widest of their dtypes; integers count as float64, as in Numba's arithmetic."""
    kind = types.float32 if all(x == types.float32 for x in (a, b, c)) else types.float64

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return kind(kind, kind, kind), codegen


def _unary(name: str, emit: Any) -> Any:
    def typed(context: Any, x: Any) -> Any:
        kind = x if isinstance(x, types.Float) else types.float64

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(builder, args[0])

        return kind(kind), codegen

    typed.__name__ = name
    return intrinsic(typed)


exp = _unary("exp", math.exp)
log = _unary("log", math.log)
tanh = _unary("tanh", math.tanh)
sigmoid = _unary("sigmoid", math.sigmoid)
sqrt = _unary("sqrt", math.sqrt)


@intrinsic
def offset(context: Any, pointer: Any, elements: Any) -> Any:
    """The pointer moved on by some elements."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), codegen


@intrinsic
def narrowed(context: Any, pointer: Any, x: Any) -> Any:
    """The number in the pointer's dtype."""
    to = pointer.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.cast(builder, args[1], signature.args[1], to)

    return to(pointer, x), codegen


@intrinsic
def is_null(context: Any, pointer: Any) -> Any:
    """Whether an address is 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("==", builder.ptrtoint(args[0], I64), I64(0))

    return types.boolean(pointer), codegen


@intrinsic
def isfinite(context: Any, x: Any) -> Any:
    """Neither NaN nor infinite: x - x is 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        difference = builder.fsub(args[0], args[0])
        return builder.fcmp_ordered("==", difference, ir.Constant(difference.type, 0.0))

    return types.boolean(x if isinstance(x, types.Float) else types.float64), codegen


@intrinsic
def philox(context: Any, c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Philox4x32-10 on 64-bit words whose high halves are ignored; output words 0 and 1 as one int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low = I64(0xFFFFFFFF)
        c = [builder.and_(a, low) for a in args[:4]]
        k = [builder.and_(a, low) for a in args[4:]]
        shift = I64(32)
        for _ in range(10):
            p0, p1 = builder.mul(I64(0xD2511F53), c[0]), builder.mul(I64(0xCD9E8D57), c[2])
            c = [
                builder.xor(builder.xor(builder.lshr(p1, shift), c[1]), k[0]), builder.and_(p1, low),
                builder.xor(builder.xor(builder.lshr(p0, shift), c[3]), k[1]), builder.and_(p0, low),
            ]  # fmt: skip
            k = [
                builder.and_(builder.add(k[0], I64(0x9E3779B9)), low),
                builder.and_(builder.add(k[1], I64(0xBB67AE85)), low),
            ]
        return builder.or_(c[0], builder.shl(c[1], shift))

    i = types.int64
    return i(i, i, i, i, i, i), codegen


@intrinsic
def wrap(context: Any, x: Any) -> Any:
    """The number itself: 64-bit arithmetic wraps."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    return types.int64(types.int64), codegen


PRIMITIVES: dict[str, Any] = {
    "share_low": share_low, "fma": fma, "exp": exp, "log": log, "tanh": tanh, "sigmoid": sigmoid, "sqrt": sqrt, "offset": offset,
    "narrowed": narrowed, "is_null": is_null, "philox": philox, "isfinite": isfinite, "wrap": wrap,
}  # fmt: skip
