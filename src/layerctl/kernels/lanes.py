"""Arithmetic on LLVM values in Python's notation: what the functions of `math.py` are written in.

A Lanes is a scalar or a vector of f32, f64, i32, i64 or i1 (a bool) with the builder that it grows in. Every
operation is one instruction per lane, rounded once, without fast-math flags: a lane's bits depend neither on the
vector's width nor on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

F32, F64, I1, I8, I32, I64 = ir.FloatType(), ir.DoubleType(), *(ir.IntType(n) for n in (1, 8, 32, 64))
TYPES: dict[str, ir.Type] = {"f32": F32, "f64": F64, "i32": I32, "i64": I64, "bool": I1, "u8": I1}
"""The type of one element in a register, by dtype."""

Number = int | float


def scalar(type_: ir.Type) -> ir.Type:
    """The type of one lane."""
    return type_.element if isinstance(type_, ir.VectorType) else type_


def like(type_: ir.Type, element: ir.Type) -> ir.Type:
    """A type with as many lanes and another element."""
    return ir.VectorType(element, type_.count) if isinstance(type_, ir.VectorType) else element


def constant(type_: ir.Type, number: Number) -> ir.Constant:
    """The number in every lane. A float must be what its lane holds: f32 constants are rounded here."""
    element = scalar(type_)
    if isinstance(element, ir.FloatType):
        import struct

        number = struct.unpack("<f", struct.pack("<f", number))[0] if abs(number) < 3.5e38 else number
    if isinstance(type_, ir.VectorType):
        return ir.Constant(type_, [number] * type_.count)
    return ir.Constant(type_, number)


def intrinsic(
    builder: ir.IRBuilder, name: str, result: ir.Type, args: Sequence[ir.Value], *overloads: ir.Type
) -> ir.Value:
    """A call of `llvm.name`, declared once per module; the overloads (by default the result) make its full name."""
    full = ".".join(["llvm", name, *map(_mangled, overloads or (result,))])
    module = builder.module
    function = module.globals.get(full) or ir.Function(module, ir.FunctionType(result, [a.type for a in args]), full)
    return builder.call(function, args)


def _mangled(type_: ir.Type) -> str:
    if isinstance(type_, ir.VectorType):
        return f"v{type_.count}{_mangled(type_.element)}"
    if isinstance(type_, ir.PointerType):
        return "p0"
    return {ir.FloatType: "f32", ir.DoubleType: "f64"}.get(type(type_)) or f"i{type_.width}"


class Lanes:
    """One value; `x + 1.0` and so on emit instructions. Comparisons give bools, false at NaN but for `differs`."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value):
        self.builder, self.value = builder, value

    type = property(lambda self: self.value.type)
    element = property(lambda self: scalar(self.value.type))
    single = property(lambda self: isinstance(scalar(self.value.type), ir.FloatType))
    floating = property(lambda self: isinstance(scalar(self.value.type), (ir.FloatType, ir.DoubleType)))
    boolean = property(lambda self: scalar(self.value.type) == I1)

    def of(self, x: Lanes | Number) -> Lanes:
        """A number as lanes of this type."""
        return x if isinstance(x, Lanes) else Lanes(self.builder, constant(self.type, x))

    def pick(self, f32: Any, f64: Any) -> Any:
        """The constant for this precision."""
        return f32 if self.single else f64

    def _arithmetic(self, floating: str, integer: str, a: Any, b: Any) -> Lanes:
        emit: Callable[..., ir.Value] = getattr(self.builder, floating if self.floating else integer)
        return Lanes(self.builder, emit(self.of(a).value, self.of(b).value))

    def __add__(self, other: Any) -> Lanes:
        return self._arithmetic("fadd", "add", self, other)

    def __radd__(self, other: Any) -> Lanes:
        return self._arithmetic("fadd", "add", other, self)

    def __sub__(self, other: Any) -> Lanes:
        return self._arithmetic("fsub", "sub", self, other)

    def __rsub__(self, other: Any) -> Lanes:
        return self._arithmetic("fsub", "sub", other, self)

    def __mul__(self, other: Any) -> Lanes:
        return self._arithmetic("fmul", "mul", self, other)

    def __rmul__(self, other: Any) -> Lanes:
        return self._arithmetic("fmul", "mul", other, self)

    def __truediv__(self, other: Any) -> Lanes:
        return self._arithmetic("fdiv", "sdiv", self, other)

    def __rtruediv__(self, other: Any) -> Lanes:
        return self._arithmetic("fdiv", "sdiv", other, self)

    def __neg__(self) -> Lanes:
        if self.floating:
            return Lanes(self.builder, self.builder.fneg(self.value))
        return 0 - self

    def __and__(self, other: Any) -> Lanes:
        return self._arithmetic("and_", "and_", self, other)

    def __or__(self, other: Any) -> Lanes:
        return self._arithmetic("or_", "or_", self, other)

    def __xor__(self, other: Any) -> Lanes:
        return self._arithmetic("xor", "xor", self, other)

    def __lshift__(self, count: int) -> Lanes:
        return self._arithmetic("shl", "shl", self, count)

    def __rshift__(self, count: int) -> Lanes:
        """The unsigned shift: vectors of i64 have no signed one before AVX-512."""
        return self._arithmetic("lshr", "lshr", self, count)

    def compare(self, operator: str, other: Any) -> Lanes:
        """Lanes of bools; bools compare as 0 and 1."""
        a, b = self.value, self.of(other).value
        if self.floating:
            emit = self.builder.fcmp_unordered if operator == "!=" else self.builder.fcmp_ordered
            return Lanes(self.builder, emit(operator, a, b))
        emit = self.builder.icmp_unsigned if self.boolean else self.builder.icmp_signed
        return Lanes(self.builder, emit(operator, a, b))

    def __lt__(self, other: Any) -> Lanes:
        return self.compare("<", other)

    def __le__(self, other: Any) -> Lanes:
        return self.compare("<=", other)

    def __gt__(self, other: Any) -> Lanes:
        return self.compare(">", other)

    def __ge__(self, other: Any) -> Lanes:
        return self.compare(">=", other)

    def equals(self, other: Any) -> Lanes:
        """Lanes of bools."""
        return self.compare("==", other)

    def differs(self, other: Any) -> Lanes:
        """Lanes of bools; NaN differs from itself."""
        return self.compare("!=", other)

    def select(self, a: Any, b: Any) -> Lanes:
        """a where these bools are true, else b; one of the two is Lanes."""
        known = a if isinstance(a, Lanes) else b
        return Lanes(self.builder, self.builder.select(self.value, known.of(a).value, known.of(b).value))

    def call(self, name: str, *others: Any) -> Lanes:
        """An LLVM intrinsic that is overloaded on this type."""
        args = [self.value, *(self.of(o).value for o in others)]
        return Lanes(self.builder, intrinsic(self.builder, name, self.type, args))

    def fma(self, factor: Any, addend: Any) -> Lanes:
        """self * factor + addend, rounded once."""
        return self.call("fma", factor, addend)

    def polynomial(self, coefficients: Sequence[float]) -> Lanes:
        """The polynomial with these coefficients (lowest first), by Horner's rule."""
        out = self.of(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            out = out.fma(self, c)
        return out

    def abs(self) -> Lanes:
        """The absolute value (of floats)."""
        return self.call("fabs")

    def copysign(self, sign: Lanes) -> Lanes:
        """This magnitude with another's sign."""
        return self.call("copysign", sign)

    def capped(self, low: float, high: float) -> Lanes:
        """Between low and high; NaN stays NaN."""
        x = (self > high).select(high, self)
        return (x < low).select(low, x)

    def bits(self) -> Lanes:
        """A float's bits as an integer of the same width."""
        return Lanes(self.builder, self.builder.bitcast(self.value, like(self.type, I32 if self.single else I64)))

    def float_of_bits(self) -> Lanes:
        """The reverse of `bits`."""
        element = F32 if self.element == I32 else F64
        return Lanes(self.builder, self.builder.bitcast(self.value, like(self.type, element)))

    def to(self, element: ir.Type) -> Lanes:
        """Converted: floats to integers towards zero, saturating, NaN to 0; to bool by != 0."""
        if self.element == element:
            return self
        if element == I1:
            return self.differs(0)
        b, target, floating = self.builder, like(self.type, element), isinstance(element, (ir.FloatType, ir.DoubleType))
        if self.floating and not floating:
            return Lanes(b, intrinsic(b, "fptosi.sat", target, [self.value], target, self.type))
        if self.floating:
            emit = b.fptrunc if element == F32 else b.fpext
        elif floating:
            emit = b.uitofp if self.boolean else b.sitofp
        elif self.boolean:
            emit = b.zext
        else:
            emit = b.trunc if element.width < self.element.width else b.sext
        return Lanes(b, emit(self.value, target))
