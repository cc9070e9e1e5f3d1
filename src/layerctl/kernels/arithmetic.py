"""Arithmetic, rounding, comparison and logic over Lanes, for floats, integers and bools: what needs no series."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from layerctl.kernels.lanes import F64, Lanes

INF, NAN = float("inf"), float("nan")


def _remainder(a: Lanes, b: Lanes) -> Lanes:
    """a mod b, with b's sign: exact where |a / b| < 2**100, 0 beyond. What a division leaves over is a float."""
    y, r = b.abs(), a.abs()
    for _ in range(2):
        r = (r / y).call("trunc").fma(-y, r)
    r = (r < 0.0).select(r + y, r)
    r = (a.abs() > y * 1e30).select(0.0, (a.abs() < y).select(a.abs(), r))
    r = (r.differs(r) | (b.equals(0.0) | a.abs().equals(INF))).select(NAN, r).copysign(a)
    r = (r.differs(0.0) & ((r < 0.0) ^ (b < 0.0))).select(r + b, r)
    return r.equals(0.0).select(r.copysign(b), (b.differs(b)).select(NAN, r))


def mod(a: Lanes, b: Lanes) -> Lanes:
    if a.floating:
        return _remainder(a.to(F64), b.to(F64)).to(a.element)
    return _divide_whole(a, b)[1]


def floordiv(a: Lanes, b: Lanes) -> Lanes:
    """(a - a mod b) / b, to the nearest whole number; a / b where b is 0."""
    if not a.floating:
        return _divide_whole(a, b)[0]
    x, y = a.to(F64), b.to(F64)
    q = ((x - _remainder(x, y)) / y).call("rint")
    opposite = (x < 0.0) & (y > 0.0) | (x > 0.0) & (y < 0.0)
    q = (y.abs().equals(INF) & (x.abs() < INF)).select(opposite.select(y.of(-1.0), 0.0), q)
    q = q.equals(0.0).select(q.copysign(x / y), q)
    return y.equals(0.0).select(x / y, q).to(a.element)


def _divide_whole(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """(a // b, a mod b) of integers, by Python's rule; both are 0 where b is 0. In f64 the quotient of i32 is exact."""
    none, minus = b.equals(0), b.equals(-1)
    safe = (none | minus).select(1, b)
    if a.element.width == 32:
        q = (a.to(F64) / safe.to(F64)).call("floor").to(a.element)
        r = a - q * safe
    else:
        q = a / safe
        r = a - q * safe
        off = r.differs(0) & ((r < 0) ^ (safe < 0))
        q, r = off.select(q - 1, q), off.select(r + safe, r)
    return none.select(0, minus.select(-a, q)), (none | minus).select(0, r)


def integer_power(a: Lanes, b: Lanes) -> Lanes:
    """By squaring; 1 where b <= 0."""
    b = (b < 0).select(0, b)
    out = a.of(1)
    for bit in range(b.element.width - 1):
        out = (b & (1 << bit)).differs(0).select(out * a, out)
        a = a * a
    return out


def _extreme(a: Lanes, b: Lanes, largest: bool) -> Lanes:
    """The larger (or smaller), NaN if either is; b on a tie."""
    wins = a > b if largest else a < b
    if not a.floating:
        return wins.select(a, b)
    if isinstance(a.value, ir.Constant):
        return (b < a if largest else b > a).select(a, b)
    if isinstance(b.value, ir.Constant):
        return (a < b if largest else a > b).select(b, a)
    return (wins | a.differs(a)).select(a, b)


def _sign(x: Lanes) -> Lanes:
    """NaN stays NaN, and -0 becomes 0."""
    return (x > 0).select(1, (x < 0).select(-1, x.differs(x).select(x, 0) if x.floating else x))


def _rounding(intrinsic_name: str) -> Callable[[Lanes], Lanes]:
    return lambda x: x.call(intrinsic_name) if x.floating else x


def _logical(operator: Callable[[Lanes, Lanes], Lanes]) -> Callable[[Lanes, Lanes], Lanes]:
    return lambda a, b: operator(a.differs(0), b.differs(0))


def _false(x: Lanes) -> Lanes:
    return x.differs(x)


ARITHMETIC: dict[str, Callable[..., Lanes]] = {
    "identity": lambda x: x,
    "where": lambda c, a, b: c.differs(0).select(a, b),
    "neg": lambda x: -x,
    "abs": lambda x: x.abs() if x.floating else (x < 0).select(-x, x),
    "sign": _sign,
    "square": lambda x: x * x,
    "relu": lambda x: (x <= 0).select(0, x),
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "mod": mod,
    "floordiv": floordiv,
    "max": lambda a, b: _extreme(a, b, True),
    "min": lambda a, b: _extreme(a, b, False),
    "fma": lambda a, b, c: a.fma(b, c) if a.floating else a * b + c,
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "round": _rounding("rint"),
    "trunc": _rounding("trunc"),
    "eq": lambda a, b: a.equals(b),
    "ne": lambda a, b: a.differs(b),
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "and": _logical(lambda a, b: a & b),
    "or": _logical(lambda a, b: a | b),
    "xor": _logical(lambda a, b: a ^ b),
    "not": lambda x: x.equals(0),
    "isnan": _false,
    "isinf": lambda x: x.abs().equals(INF) if x.floating else _false(x),
    "isfinite": lambda x: x.abs() < INF if x.floating else x.equals(x),
}
