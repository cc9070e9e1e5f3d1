"""Elementwise functions as C: the arithmetic of `kernels/math.py` and what it gathers, grown by a builder that writes statements in place of LLVM IR."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from layerctl.kernels.lanes import F32, F64, I1, I32, I64, TYPES, Lanes
from layerctl.kernels.math import EMITTERS

C_TYPES = {"f32": "float", "f64": "double", "i32": "int32_t", "i64": "int64_t", "bool": "uint8_t", "u8": "uint8_t"}
"""The type of one element in memory and in a variable, by dtype."""

_NAMES = {F32: "f32", F64: "f64", I1: "bool", I32: "i32", I64: "i64"}
_INFIX = {"fadd": "+", "fsub": "-", "fmul": "*", "fdiv": "/", "sdiv": "/", "and_": "&", "or_": "|", "xor": "^"}
_WRAPPING = {"add": "+", "sub": "-", "mul": "*", "shl": "<<", "lshr": ">>"}
_LIBRARY = {"sqrt", "floor", "ceil", "rint", "trunc", "fabs", "copysign"}


class Value:
    """A C expression without effects, and its type."""

    __slots__ = ("parts", "text", "type")

    def __init__(self, type_: Any, text: str, parts: frozenset[str] = frozenset()):
        self.type, self.text, self.parts = type_, text, parts


def literal(dtype: str, number: Any) -> str:
    """A number as C writes it: the same bits when it is read."""
    if dtype in ("f32", "f64"):
        single = dtype == "f32"
        number = struct.unpack("<f", struct.pack("<f", number))[0] if single and abs(number) < 3.5e38 else float(number)
        if math.isnan(number):
            return "NAN" if single else "(double)NAN"
        if math.isinf(number):
            return ("-" if number < 0 else "") + ("INFINITY" if single else "(double)INFINITY")
        text = f"{number:.9g}" if single else repr(number)
        text += "" if any(c in text for c in ".e") else ".0"
        return text + ("f" if single else "")
    number = int(number)
    if dtype == "i64":
        return "INT64_MIN" if number == -(1 << 63) else f"INT64_C({number})" if abs(number) >= 1 << 31 else str(number)
    return "INT32_MIN" if number == -(1 << 31) else str(number)


class _Globals:
    """Stands for a module's functions: an intrinsic is its name."""

    def get(self, name: str) -> str:
        return name


class _Module:
    globals = _Globals()


class Builder:
    """As much of `llvmlite.ir.IRBuilder` as Lanes call; each instruction is one constant variable."""

    module = _Module()

    def __init__(self) -> None:
        self.statements: list[tuple[str, str, frozenset[str]]] = []

    def _new(self, type_: Any, text: str, *used: Any) -> Value:
        name = f"t{len(self.statements)}"
        parts = frozenset(p for v in used if isinstance(v, Value) for p in v.parts)
        self.statements.append((name, f"const {C_TYPES[_NAMES[type_]]} {name} = {text};", parts))
        return Value(type_, name, frozenset([name]))

    def lines(self, result: Value) -> list[str]:
        """The statements that a result needs."""
        needed, out = set(result.parts), []
        for name, text, parts in reversed(self.statements):
            if name in needed:
                needed |= parts
                out.append(text)
        return out[::-1]

    def __getattr__(self, name: str) -> Any:
        if name in _INFIX:
            return lambda a, b: self._new(a.type, f"{_wrapped(a, _INFIX[name], b)}", a, b)
        if name in _WRAPPING:
            return lambda a, b: self._new(a.type, _unsigned(a, _WRAPPING[name], b), a, b)
        if name in ("trunc", "sext", "zext", "uitofp", "sitofp", "fptrunc", "fpext"):
            return lambda a, type_: self._new(type_, f"({C_TYPES[_NAMES[type_]]}){_text(a)}", a)
        raise AttributeError(name)

    def fneg(self, a: Any) -> Value:
        """-a."""
        return self._new(a.type, f"-({_text(a)})", a)

    def _compared(self, operator: str, a: Any, b: Any) -> Value:
        if _text(a) == _text(b) and a.type not in (F32, F64):  # of whole numbers it is known, and compilers warn of it
            return self._new(I1, str(int(operator in ("==", "<=", ">="))))
        return self._new(I1, f"{_text(a)} {operator} {_text(b)}", a, b)

    fcmp_ordered = fcmp_unordered = icmp_signed = icmp_unsigned = _compared

    def select(self, condition: Any, a: Any, b: Any) -> Value:
        """condition ? a : b."""
        return self._new(a.type, f"{_text(condition)} ? {_text(a)} : {_text(b)}", condition, a, b)

    def bitcast(self, a: Any, type_: Any) -> Value:
        """The same bits in another type."""
        return self._new(type_, f"{_NAMES[type_]}_of_bits_{_NAMES[a.type]}({_text(a)})", a)

    def call(self, intrinsic: str, args: Sequence[Any]) -> Value:
        """An LLVM intrinsic: fma, a saturating conversion, or a function of the C library."""
        name, texts = intrinsic.removeprefix("llvm."), ", ".join(_text(a) for a in args)
        if name.startswith("fptosi.sat."):
            target = {"i32": I32, "i64": I64}[name.split(".")[2]]
            return self._new(target, f"{_NAMES[target]}_from_{_NAMES[args[0].type]}({texts})", *args)
        base, single = name.split(".")[0], args[0].type == F32
        if base == "fma":
            return self._new(args[0].type, f"{'fma_f32' if single else 'fma'}({texts})", *args)
        if base not in _LIBRARY:
            raise AssertionError(f"no function of C is known for {intrinsic}")
        return self._new(args[0].type, f"{base}{'f' if single else ''}({texts})", *args)


def _text(v: Any) -> str:
    return v.text if isinstance(v, Value) else literal(_NAMES[v.type], v.constant)


def _wrapped(a: Any, sign: str, b: Any) -> str:
    return f"{_text(a)} {sign} {_text(b)}" if a.type != I1 else f"(uint8_t)({_text(a)} {sign} {_text(b)})"


def _unsigned(a: Any, sign: str, b: Any) -> str:
    """Integers wrap, which C promises of unsigned ones alone."""
    name = _NAMES[a.type]
    return f"({C_TYPES[name]})((u{C_TYPES[name]}){_text(a)} {sign} (u{C_TYPES[name]}){_text(b)})"


@dataclass(frozen=True)
class Function:
    """One function for operands of given dtypes: its name in C, its text."""

    name: str
    text: str


def function(name: str, operands: tuple[str, ...], result: str) -> Function:
    """An elementwise function (a key of `kernels.math.EMITTERS`, or `cast`) as a C function.

    Raises:
        NotImplementedError: if it needs an instruction that has no form in C.
    """
    called = f"{name}_{'_'.join(operands)}" + (f"_to_{result}" if name == "cast" else "")
    builder = Builder()
    args = [Lanes(builder, Value(TYPES[d], f"x{i}")) for i, d in enumerate(operands)]  # type: ignore[arg-type]
    made = args[0].to(TYPES[result]) if name == "cast" else EMITTERS[name](*args)
    value: Any = made.value
    lines = builder.lines(value) if isinstance(value, Value) else []
    head = f"static {C_TYPES[result]} {called}({', '.join(f'{C_TYPES[d]} x{i}' for i, d in enumerate(operands))})"
    unused = [f"(void)x{i};" for i in range(len(operands)) if not _reads(f"x{i}", [*lines, _text(value)])]
    body = "\n".join(f"    {line}" for line in [*unused, *lines, f"return {_text(value)};"])
    return Function(called, f"{head}\n{{\n{body}\n}}\n")


def _reads(name: str, lines: Sequence[str]) -> bool:
    import re

    return any(re.search(rf"\b{name}\b", line) for line in lines)


HELPERS = {
    "fma_f32": """
/* One rounding where the processor has the instruction; elsewhere two, which is faster than a library's exact function. */
#ifdef FP_FAST_FMAF
#define fma_f32(a, b, c) fmaf((a), (b), (c))
#else
#define fma_f32(a, b, c) ((a) * (b) + (c))
#endif
""",
    **{
        f"{to}_of_bits_{of}": f"""
static {C_TYPES[to]} {to}_of_bits_{of}({C_TYPES[of]} x)
{{
    {C_TYPES[to]} y;
    memcpy(&y, &x, sizeof y);
    return y;
}}
"""
        for to, of in (("i32", "f32"), ("f32", "i32"), ("i64", "f64"), ("f64", "i64"))
    },
    **{
        f"i{bits}_from_{of}": f"""
static int{bits}_t i{bits}_from_{of}({C_TYPES[of]} x)
{{
    if (!(x == x))
        return 0;
    if (x >= {limit})
        return INT{bits}_MAX;
    return x <= -{limit} ? INT{bits}_MIN : (int{bits}_t)x;
}}
"""
        for of, suffix in (("f32", "f"), ("f64", ""))
        for bits, limit in ((32, f"2147483648.0{suffix}"), (64, f"9223372036854775808.0{suffix}"))
    },
}
"""What functions may call, by name; a file has those that its text names."""
