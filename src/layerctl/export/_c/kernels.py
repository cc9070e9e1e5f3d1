"""Kernels as C: the plain functions that ops declare, translated once for each choice of dtypes.

A kernel runs whole here: its share is share 0 of 1. Names, loops and conditions stay as they are written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from layerctl.export._c.functions import C_TYPES, literal
from layerctl.export._c.types import MACHINE, OF_OPERAND, Types, Untranslatable, element

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
              ast.LShift: "<<", ast.RShift: ">>"}  # fmt: skip
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_TAKEN = {
    "register", "double", "float", "int", "char", "short", "long", "auto", "static", "const", "default", "switch", "case", "do", "signed",
    "unsigned", "volatile", "void", "struct", "union", "enum", "goto", "inline", "restrict", "y0", "y1", "j0", "j1", "index",
}  # fmt: skip
"""Words of C, and names of its library that are short enough for a variable."""
_TILE = {"tile_rows": 6, "tile_width": 16, "tile_lanes": 8}
SHARE = {"task": 0, "tasks": 1}


class Translator:
    """Functions that were translated, in the order in which C needs them, and what they call of others.

    `use(name, operands, result)` makes an elementwise function known and gives its name in C.
    """

    def __init__(self, use: Callable[[str, tuple[str, ...], str], str]):
        self.use = use
        self.texts: dict[str, str] = {}
        self.helpers: set[str] = set()
        self._types: dict[tuple[Any, tuple[str, ...]], Types] = {}
        self._written: dict[tuple[Any, tuple[str, ...]], frozenset[int]] = {}

    def types(self, function: Callable[..., Any], args: Sequence[str]) -> Types:
        """The types within a function that is called with arguments of these types."""
        key = (function, tuple(args))
        if key not in self._types:
            names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
            if len(names) != len(args):
                raise Untranslatable(f"a call of {function.__name__} that leaves arguments out")
            self._types[key] = Types(function, dict(zip(names, args, strict=True)), lambda f, a: self.types(f, a).result or "none")
        return self._types[key]

    def function(self, function: Callable[..., Any], args: Sequence[str]) -> str:
        """The C name of a plain function for arguments of these types; its text is made when it is first asked for."""
        name = f"{function.__module__.rsplit('.', 1)[-1].removesuffix('_kernels')}_{function.__name__}"
        dtypes = list(dict.fromkeys(a.removesuffix("*") for a in args if a.endswith("*")))
        called = "_".join([name.replace("__", "_"), *dtypes])
        while called in self.texts and (function, tuple(args)) not in self._written:
            called += "_"
        if called not in self.texts:
            types = self.types(function, args)
            self._written[function, tuple(args)] = frozenset()
            text = _Body(self, function, types).text(called, args)
            self.texts[called] = text
        return called

    def written(self, function: Callable[..., Any], args: Sequence[str]) -> frozenset[int]:
        """Which of a function's pointers it writes through, by their places."""
        self.function(function, args)
        return self._written[function, tuple(args)]

    def set_written(self, function: Callable[..., Any], args: Sequence[str], places: frozenset[int]) -> None:
        """Remembers what `written` tells."""
        self._written[function, tuple(args)] = places


class _Body:
    """The statements of one function."""

    def __init__(self, translator: Translator, function: Callable[..., Any], types: Types):
        self.translator, self.function, self.types = translator, function, types
        self.lines: list[str] = []
        self.read: set[str] = set()
        self.depth = 1
        self.count = 0
        self.parameters = [a.arg for a in types.tree.args.args]
        self.mutable = self._mutable()

    def text(self, called: str, args: Sequence[str]) -> str:
        """The whole function."""
        places = frozenset(i for i, p in enumerate(self.parameters) if p in self.mutable)
        self.translator.set_written(self.function, args, places)
        body = self.types.tree.body
        doc = ast.get_docstring(self.types.tree)
        self.block(body[1:] if doc is not None else body)
        result = self.types.result
        if isinstance(result, tuple):
            raise Untranslatable("several results")
        head = [self.declared(p) for p in self.parameters if p not in SHARE]
        locals_ = [n for n in self.types.names if n not in self.parameters]
        opening = [f"    {self.declared(n)};" for n in locals_]
        opening += [f"    (void){_name(n)};" for n in [*self.parameters, *locals_] if n not in self.read and n not in SHARE]
        returned = C_TYPES[result] if result else "void"
        said = re.split(r"[.;] [Ss]hares are cut", doc.split("\n")[0])[0].replace("*/", "* /") if doc else ""
        note = f"/* {said.rstrip('.')}. */\n" if said else ""
        return f"{note}static {returned} {called}({', '.join(head) or 'void'})\n{{\n" + "\n".join([*opening, *self.lines]) + "\n}\n"

    def declared(self, name: str) -> str:
        """`const float *x`."""
        kind = self.types.names[name]
        if not kind.endswith("*"):
            return f"{C_TYPES[kind]} {_name(name)}"
        return f"{'' if name in self.mutable else 'const '}{C_TYPES[kind[:-1]]} *{_name(name)}"

    def _mutable(self) -> set[str]:
        """Names of pointers that something is written through, directly, by what is called, or by a pointer made of them."""
        found: set[str] = set()
        while True:
            before = len(found)
            for node in ast.walk(self.types.tree):
                if isinstance(node, (ast.Assign, ast.AugAssign)):
                    self._written_by(node, found)
                elif isinstance(node, ast.Call):
                    found |= self._passed(node)
            if len(found) == before:
                return found

    def _written_by(self, node: ast.Assign | ast.AugAssign, found: set[str]) -> None:
        targets = [node.target] if isinstance(node, ast.AugAssign) else list(node.targets)
        pairs = [(t, node.value) for t in targets]
        if isinstance(targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = list(zip(targets[0].elts, node.value.elts, strict=True))
        for target, value in pairs:
            if isinstance(target, ast.Subscript):
                found |= _roots(target.value)
            elif isinstance(target, ast.Name) and target.id in found:
                found |= _roots(value)

    def _passed(self, call: ast.Call) -> set[str]:
        name, function = self.types.callee(call)
        if function is None:
            places = MACHINE[name][1] if name in MACHINE else ()
        else:
            places = tuple(self.translator.written(function, [self.types.of(a) for a in call.args]))
        return {r for p in places for r in _roots(call.args[p])}

    def say(self, line: str) -> None:
        """A line at the current depth."""
        self.lines.append("    " * self.depth + line)

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Statements in order."""
        for s in statements:
            self.statement(s)

    def inside(self, head: str, statements: Sequence[ast.stmt]) -> None:
        """A head and a block in braces, still open."""
        self.say(head + " {")
        self.depth += 1
        self.block(statements)
        self.depth -= 1

    def statement(self, s: ast.stmt) -> None:
        """One statement."""
        if isinstance(s, ast.Assign):
            self.assign(s.targets[0], s.value)
        elif isinstance(s, ast.AugAssign):
            target = ast.copy_location(_load(s.target), s)
            self.store(s.target, self.expression(ast.BinOp(target, s.op, s.value)), self.types.of(ast.BinOp(target, s.op, s.value)))
        elif isinstance(s, ast.For):
            self.loop(s)
        elif isinstance(s, ast.While):
            self.inside(f"while ({self.expression(s.test)})", s.body)
            self.say("}")
        elif isinstance(s, ast.If):
            self.inside(f"if ({self.expression(s.test)})", s.body)
            if s.orelse:
                self.inside("} else", s.orelse)
            self.say("}")
        elif isinstance(s, ast.Return):
            self.say("return;" if s.value is None else f"return {self.expression(s.value)};")
        elif isinstance(s, ast.Expr) and isinstance(s.value, ast.Call):
            text = self.call(s.value)
            if text:
                self.say(text + ";")
        elif isinstance(s, (ast.Break, ast.Continue)):
            self.say(f"{type(s).__name__.lower()};")
        elif not (isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))):
            raise Untranslatable(type(s).__name__)

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """An assignment; of several names at once, through variables of their own where they depend on each other."""
        if not isinstance(target, ast.Tuple):
            return self.store(target, self.expression(value), self.types.of(value))
        if not isinstance(value, ast.Tuple):
            raise Untranslatable("several results")
        names = {t.id for t in target.elts if isinstance(t, ast.Name)}
        apart = any(names & {n.id for n in ast.walk(v) if isinstance(n, ast.Name)} for v in value.elts[1:]) or len(names) < len(target.elts)
        made = [(self.expression(v), self.types.of(v)) for v in value.elts]
        if not apart:
            for t, (text, kind) in zip(target.elts, made, strict=True):
                self.store(t, text, kind)
            return None
        self.say("{")
        self.depth += 1
        for i, (text, kind) in enumerate(made):
            star = kind.endswith("*")
            self.say(f"{'const ' if star else ''}{C_TYPES[kind.removesuffix('*')]} {'*' if star else ''}new{i} = {text};")
        for i, (t, (_, kind)) in enumerate(zip(target.elts, made, strict=True)):
            self.store(t, f"new{i}", kind)
        self.depth -= 1
        self.say("}")
        return None

    def store(self, target: ast.expr, text: str, kind: str) -> None:
        """target = text."""
        if isinstance(target, ast.Name):
            wanted = self.types.names[target.id]
            self.say(f"{_name(target.id)} = {_cast(text, kind, wanted)};")
        elif isinstance(target, ast.Subscript):
            pointer = self.types.of(target.value).removesuffix("*")
            self.say(f"{self.expression(target.value)}[{self.expression(target.slice)}] = {_cast(text, kind, pointer)};")
        else:
            raise Untranslatable(type(target).__name__)

    def loop(self, s: ast.For) -> None:
        """`for i in range(...)`; a bound that the body may change is taken before."""
        if not (isinstance(s.iter, ast.Call) and isinstance(s.iter.func, ast.Name) and s.iter.func.id == "range") or s.orelse:
            raise Untranslatable("a loop that is not over a range")
        args = list(s.iter.args)
        low, high = (ast.Constant(0), args[0]) if len(args) == 1 else args[:2]
        step = args[2] if len(args) == 3 else ast.Constant(1)
        if isinstance(step, ast.UnaryOp) and isinstance(step.op, ast.USub) and isinstance(step.operand, ast.Constant):
            step = ast.Constant(-step.operand.value)
        if not isinstance(step, ast.Constant) or not step.value:
            raise Untranslatable("a range with a step that is not known")
        i, end = _name(s.target.id), self.expression(high)  # type: ignore[attr-defined]
        changed = {n.id for t in ast.walk(s) for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        bound = {n.id for n in ast.walk(high) if isinstance(n, ast.Name)}
        self.read.add(s.target.id)  # type: ignore[attr-defined]
        if changed & bound or any(isinstance(n, (ast.Call, ast.Subscript)) for n in ast.walk(high)):
            last = f"last{self.count}"
            self.count += 1
            self.say("{")
            self.depth += 1
            self.say(f"const int64_t {last} = {end};")
            self._for(i, self.expression(low), last, step.value, s.body)
            self.depth -= 1
            self.say("}")
        else:
            self._for(i, self.expression(low), end, step.value, s.body)

    def _for(self, i: str, low: str, high: str, step: int, body: Sequence[ast.stmt]) -> None:
        moved = {1: f"{i}++", -1: f"{i}--"}.get(step, f"{i} += {step}")
        self.inside(f"for ({i} = {low}; {i} {'<' if step > 0 else '>'} {high}; {moved})", body)
        self.say("}")

    def expression(self, e: ast.expr) -> str:
        """A C expression of the type that `types.of` tells."""
        if isinstance(e, ast.Constant):
            return literal(self.types.of(e) if not isinstance(e.value, bool) else "i64", e.value)
        if isinstance(e, ast.Name):
            return self.name(e.id)
        if isinstance(e, ast.Subscript):
            text = f"{self.expression(e.value)}[{self.expression(e.slice)}]"
            return text if self.types.of(e.value)[:-1] == element(self.types.of(e.value)) else f"(int64_t){text}"
        if isinstance(e, ast.Compare):
            sides = [e.left, *e.comparators]
            pairs = zip(sides, e.ops, sides[1:], strict=False)
            parts = [f"{self.operand(a)} {_COMPARISONS[type(o)]} {self.operand(b)}" for a, o, b in pairs]
            return parts[0] if len(parts) == 1 else " && ".join(f"({p})" for p in parts)
        if isinstance(e, ast.BoolOp):
            sign = " && " if isinstance(e.op, ast.And) else " || "
            return sign.join(f"({self.expression(v)})" for v in e.values)
        if isinstance(e, ast.UnaryOp):
            sign = {ast.Not: "!", ast.USub: "-", ast.Invert: "~", ast.UAdd: "+"}[type(e.op)]
            return f"{sign}({self.expression(e.operand)})"
        if isinstance(e, ast.IfExp):
            kind = self.types.of(e)
            a, b = (_cast(self.operand(v), self.types.of(v), kind) for v in (e.body, e.orelse))
            return f"(({self.expression(e.test)}) ? {a} : {b})"
        if isinstance(e, ast.BinOp):
            return self.operation(e)
        if isinstance(e, ast.Call):
            return self.call(e)
        raise Untranslatable(type(e).__name__)

    def name(self, name: str) -> str:
        """A variable, a known share, or a number of the kernel's module."""
        if name in SHARE:
            return str(SHARE[name])
        if name in self.types.names:
            self.read.add(name)
            return _name(name)
        return literal(self.types.of(ast.Name(name, ast.Load())), self.function.__globals__[name])

    def operand(self, e: ast.expr) -> str:
        """An expression in parentheses where it needs them."""
        text = self.expression(e)
        return text if isinstance(e, (ast.Name, ast.Subscript, ast.Call, ast.IfExp)) or text.isdigit() else f"({text})"

    def operation(self, e: ast.BinOp) -> str:
        """Arithmetic; whole numbers are divided downwards, and shifted and multiplied without overflow."""
        a, b, kind = self.operand(e.left), self.operand(e.right), self.types.of(e)
        if isinstance(e.op, (ast.FloorDiv, ast.Mod)):
            if kind != "i64":
                raise Untranslatable("a remainder of floats")
            name = "floor_divide" if isinstance(e.op, ast.FloorDiv) else "floor_modulo"
            self.translator.helpers.add(name)
            return f"{name}({self.expression(e.left)}, {self.expression(e.right)})"
        if type(e.op) not in _OPERATORS:
            raise Untranslatable(type(e.op).__name__)
        if kind in ("f32", "f64"):
            a, b = (_cast(t, self.types.of(v), kind) for t, v in ((a, e.left), (b, e.right)))
        elif isinstance(e.op, ast.LShift):
            return f"(int64_t)((uint64_t){a} << {b})"
        return f"{a} {_OPERATORS[type(e.op)]} {b}"

    def call(self, e: ast.Call) -> str:
        """A call of a primitive or of another plain function."""
        name, function = self.types.callee(e)
        kinds = [self.types.of(a) for a in e.args]
        if function is not None:
            called = self.translator.function(function, kinds)
            return f"{called}({', '.join(self.expression(a) for a in e.args)})"
        if name in _TILE:
            return str(_TILE[name])
        args = [self.expression(a) for a in e.args]
        if name == "share_low":
            return self.share(e, args)
        if name == "offset":
            return f"({args[0]} + {self.operand(e.args[1])})"
        if name == "is_null":
            return f"({args[0]} == NULL)"
        if name in ("min", "max"):
            return self.extreme(e, name)
        if name in OF_OPERAND or name in ("isfinite", "fma"):
            kind = self.types.of(e) if name != "isfinite" else kinds[0]
            return f"{self.translator.use(name, (kind,) * len(args), 'bool' if name == 'isfinite' else kind)}({', '.join(args)})"
        if name in ("int", "float"):
            return _cast(f"({args[0]})", kinds[0], "i64" if name == "int" else "f64", True)
        if name == "abs":
            return self.translator.use("abs", (kinds[0],), kinds[0]) + f"({args[0]})"
        if name in MACHINE:
            return self.machine(name, args, kinds)
        if name == "narrowed":
            return _cast(f"({args[1]})", kinds[1], kinds[0].removesuffix("*"), True)
        raise Untranslatable(f"the function {name}")

    def machine(self, name: str, args: list[str], kinds: list[str]) -> str:
        """Primitives that are the machine's: a tile is a loop here."""
        dtype = next(k for k in kinds if k.endswith("*")).removesuffix("*")
        self.translator.helpers.add(f"{name}_{dtype}")
        return f"{name}_{dtype}({', '.join(args)})"

    def share(self, e: ast.Call, args: list[str]) -> str:
        """The first element of share 0 of 1 is 0, and of share 1 of 1 the end."""
        if args[2] == "1" and args[1] in ("0", "0 + 1"):
            return "0" if args[1] == "0" else f"({args[0]})"
        self.translator.helpers.add("floor_divide")
        return f"floor_divide({self.operand(e.args[0])} * {self.operand(e.args[1])}, {args[2]})"

    def extreme(self, e: ast.Call, name: str) -> str:
        """min and max as Python has them."""
        kind, out = self.types.of(e), self.operand(e.args[0])
        for v in e.args[1:]:
            used = self.translator.use(f"py_{name}", (kind, kind), kind)
            out = f"{used}({out}, {self.expression(v)})"
        return out


def _roots(e: ast.expr) -> set[str]:
    """The names of the pointers that an expression is made of."""
    if isinstance(e, ast.Name):
        return {e.id}
    if isinstance(e, ast.Call) and isinstance(e.func, ast.Name) and e.func.id == "offset":
        return _roots(e.args[0])
    return _roots(e.body) | _roots(e.orelse) if isinstance(e, ast.IfExp) else set()


def _load(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(target.id, ast.Load())
    return ast.Subscript(target.value, target.slice, ast.Load())  # type: ignore[attr-defined]


def _name(name: str) -> str:
    return f"{name}_" if name in _TAKEN else name


def _cast(text: str, kind: str, wanted: str, always: bool = False) -> str:
    """A value of one type where another is wanted."""
    same = kind == wanted or kind.endswith("*") or (kind in ("i64", "bool") and wanted == "i64") or (kind == "f32" and wanted == "f64")
    if same and not always:
        return text
    simple = text.isidentifier() or (text.startswith("(") and text.endswith(")") and text.count("(") == 1)
    return f"({C_TYPES[wanted]}){text if simple else f'({text})'}"
