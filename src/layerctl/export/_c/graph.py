"""The traced ops as C: a function of one row, its weights, and memory that is planned beforehand.

Each op is what its kernels are: elementwise loops and reductions from their descriptions, kernels translated, and for products and
convolutions, whose kernels are made for a register tile, a rule of their own. An op without a form is collected by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from layerctl.compile.differentiate import ancestors
from layerctl.compile.fuse import fuse
from layerctl.compile.memory import LEAVES, Arena
from layerctl.diagnostics import Diagnostic
from layerctl.export._c.functions import C_TYPES, HELPERS, function, literal
from layerctl.export._c.kernels import SHARE, Translator
from layerctl.export._c.routines import reduction, routine
from layerctl.export._c.types import Untranslatable
from layerctl.export.base import OTHER_TARGETS, origin_of
from layerctl.ops.conv import window_of
from layerctl.ops.kernel import At, Call, KernelRef, Loop, Reduction, Scratch
from layerctl.ops.value import SIZE_OF, Node, Value, product, unviewed

ALIGNED = 64


class Graph:
    """A traced model on the way to C. `lines` compute the outputs, `parts` are the functions they need, `data` the weights.

    `problems` has what has no form, one diagnostic for each place.
    """

    def __init__(self, model: Any, outputs: Mapping[str, Value]):
        self.model = model
        self.parts: dict[str, str] = {}
        self.data: list[str] = []
        self.lines: list[str] = []
        self.problems: dict[str, Diagnostic] = {}
        self.translator = Translator(self.use)
        self.sizes: dict[str, int] = {}
        self._places: dict[int, str] = {}
        self._kept: list[Any] = []
        self._weights: dict[str, str] = {}
        keep = list(outputs.values())
        nodes = fuse(ancestors(keep), keep)
        self._plan(nodes, keep)

    def use(self, name: str, operands: tuple[str, ...], result: str) -> str:
        """An elementwise function's name in C; its text becomes one of the parts."""
        if name.startswith("py_"):
            called, t = f"{name}_{result}", C_TYPES[result]
            sign = "<" if name == "py_min" else ">"
            self.parts.setdefault(called, f"static {t} {called}({t} a, {t} b)\n{{\n    return b {sign} a ? b : a;\n}}\n")
            return called
        made = function(name, operands, result)
        for helper in HELPERS:
            if f"{helper}(" in made.text:
                self.parts.setdefault(helper, HELPERS[helper].lstrip())
        self.parts.setdefault(made.name, made.text)
        return made.name

    def routine(self, name: str) -> str:
        """A routine's name; its text becomes one of the parts."""
        if "fma_f32(" in (text := routine(name)):
            self.parts.setdefault("fma_f32", HELPERS["fma_f32"].lstrip())
        self.parts.setdefault(name, text.lstrip())
        return name

    # memory --------------------------------------------------------------------------------------------------------

    def _plan(self, nodes: Sequence[Node], keep: Sequence[Value]) -> None:
        """Walks the nodes once: a value's memory is taken when it is made and given back after its last use, by dtype."""
        last: dict[int, int] = {}
        for i, node in enumerate(nodes):
            for v in node.inputs:
                last[id(unviewed(v))] = i
        for v in keep:
            last[id(unviewed(v))] = len(nodes)
        arenas: dict[str, Arena] = {}
        alive: dict[int, tuple[Value, int]] = {}
        for i, node in enumerate(nodes):
            if node.op.name in LEAVES:
                self._leaf(node)
                continue
            if node.op.is_view:
                self._places[id(node.outputs[0])] = self._places.get(id(unviewed(node.outputs[0])), "NULL")
                continue
            for v in node.outputs:
                kind = _memory(v.dtype)
                start = arenas.setdefault(kind, Arena()).take(_bytes(v))
                self._places[id(v)] = f"{kind}_memory + {start // SIZE_OF[v.dtype]}"
                alive[id(v)] = (v, start)
            scratch: list[tuple[str, int, int]] = []
            self._node(node, arenas, scratch)
            for kind, start, size in scratch:
                arenas[kind].give(start, size)
            for key, (v, start) in list(alive.items()):
                if last.get(key, i) <= i:
                    arenas[_memory(v.dtype)].give(start, _bytes(v))
                    del alive[key]
        self.sizes = {k: a.size // SIZE_OF[k] for k, a in arenas.items()}

    def _leaf(self, node: Node) -> None:
        v, name = node.outputs[0], node.op.name
        if name == "input":
            self._places[id(v)] = f"in_{identifier(node.attrs['label'])}"
        elif name == "parameter":
            path = node.attrs["weight"].path
            self._places[id(v)] = self._array(f"w_{identifier(path)}", self.model.weights[path])
        elif v.shape != ():
            self._places[id(v)] = self._array(f"c_{len(self.data)}", node.attrs["array"])
        else:
            self._places[id(v)] = self._array(f"c_{len(self.data)}", np.reshape(node.attrs["array"], (1,)))

    def _array(self, name: str, array: np.ndarray) -> str:
        while name in self._weights:
            name += "_"
        from layerctl.ops.value import NAMES_OF_DTYPES

        dtype = NAMES_OF_DTYPES[str(array.dtype)]
        self._weights[name] = dtype
        values = [literal(dtype, v) for v in array.ravel().tolist()] or ["0"]
        self.data.append(f"static const {C_TYPES[dtype]} {name}[{len(values)}] = {{\n{wrapped(values)}\n}};\n")
        return name

    # ops -----------------------------------------------------------------------------------------------------------

    def place(self, v: Value) -> str:
        """Where a value lies, as a C expression."""
        return self._places[id(v)]

    def _node(self, node: Node, arenas: dict[str, Arena], scratch: list[tuple[str, int, int]]) -> None:
        blocks: dict[int, str] = {}

        def room(s: Scratch, kind: str) -> str:
            if id(s) not in blocks:
                start = arenas.setdefault(kind, Arena()).take(s.size)
                scratch.append((kind, start, s.size))
                blocks[id(s)] = f"{kind}_memory + {start // SIZE_OF[kind]}"
                self._kept.append(s)
            return blocks[id(s)]

        try:
            if node.op.name in RULES:
                RULES[node.op.name](self, node)
            else:
                for call in node.op.calls(node):
                    self.lines.append(self._call(call, room))
        except (Untranslatable, NotImplementedError, KeyError, TypeError):
            text = f"C export has no form for '{node.op.name}' of {node.origin or 'the model'}"
            self.problems.setdefault(node.origin, Diagnostic("cannot-export", text, origin_of(self.model, node.origin), (), OTHER_TARGETS))

    def _call(self, call: Call, room: Callable[[Scratch, str], str]) -> str:
        ref = call.ref
        if isinstance(ref, Loop):
            return self._loop(ref, call.args)
        if isinstance(ref, KernelRef):
            kinds = [scalar_kind(k) for k in ref.layout]
            name = self.translator.function(ref.kernel.function, ["i64"] * len(SHARE) + kinds)
            for helper in sorted(self.translator.helpers):
                self.routine(helper)
            self.parts.update({k: t for k, t in self.translator.texts.items() if k not in self.parts})
            args = [self._argument(a, k, room) for a, k in zip(call.args, ref.layout, strict=True)]
            return f"{name}({', '.join(args)});"
        if not isinstance(ref, Reduction):
            raise Untranslatable(type(ref).__name__)
        name, text = reduction(ref.function, ref.dtype, ref.out_dtype)
        self.parts.setdefault(name, text.lstrip())
        return f"{name}({', '.join(self._argument(a, k, room) for a, k in zip(call.args, ref.layout, strict=True))});"

    def _argument(self, arg: Any, kind: str, room: Callable[[Scratch, str], str]) -> str:
        if not kind.endswith("*"):
            return literal(kind, arg)
        base = kind.removesuffix("*")
        if arg is None:
            return "NULL"
        if isinstance(arg, At):
            return f"{self._argument(arg.base, kind, room)} + {arg.offset // SIZE_OF[base]}"
        return room(arg, base) if isinstance(arg, Scratch) else self.place(arg)

    def _loop(self, loop: Loop, args: Sequence[Any]) -> str:
        """An elementwise loop nest; loops of the same text are one function."""
        dims, n = loop.dims, len(loop.inputs)
        sizes, width = list(args[: dims + 1]), dims + 1
        operands = [args[width + i * (1 + dims) : width + (i + 1) * (1 + dims)] for i in range(n + len(loop.outputs))]
        text = self._nest(loop, sizes, [list(o[1:]) for o in operands])
        name = next((k for k, t in self.parts.items() if t.replace(k, "NAME") == text), None)
        if name is None:
            name = f"loop_{sum(k.startswith('loop_') for k in self.parts)}"
            self.parts[name] = text.replace("NAME", name)
        return f"{name}({', '.join(self.place(o[0]) for o in operands)});"

    def _nest(self, loop: Loop, sizes: Sequence[int], strides: Sequence[Sequence[int]]) -> str:
        n, dims = len(loop.inputs), loop.dims
        names = [f"i{d}" for d in range(dims + 1)]
        kinds = [d for d, _ in loop.inputs] + [loop.dtype_of(o) for o in loop.outputs]
        pointers = [f"{'const ' if i < n else ''}{C_TYPES[k]} *{'x' if i < n else 'y'}{i if i < n else i - n}" for i, k in enumerate(kinds)]
        out = [f"static void NAME({', '.join(pointers)})", "{", f"    int64_t {', '.join(names)};"]
        for d, size in enumerate(sizes):
            out.append("    " * (d + 1) + f"for (i{d} = 0; i{d} < {size}; i{d}++)" + (" {" if d == dims else ""))
        pad = "    " * (dims + 2)

        def at(i: int, inner: int) -> str:
            parts = [f"i{d} * {s}" if s != 1 else f"i{d}" for d, s in enumerate(strides[i]) if s]
            return " + ".join([*parts, *([f"i{dims}"] if inner else [])]) or "0"

        for i, (dtype, inner) in enumerate(loop.inputs):
            out.append(f"{pad}const {C_TYPES[dtype]} v{i} = x{i}[{at(i, inner)}];")
        for j, (fn, dtype, args) in enumerate(loop.instructions):
            given = [(f"v{a}", loop.dtype_of(a)) if isinstance(a, int) else (literal(a[1], a[2]), a[1]) for a in args]
            called = self.use(fn, tuple(d for _, d in given), dtype)
            out.append(f"{pad}const {C_TYPES[dtype]} v{n + j} = {called}({', '.join(t for t, _ in given)});")
        out += [f"{pad}y{i}[{at(n + i, 1)}] = v{o};" for i, o in enumerate(loop.outputs)]
        return "\n".join([*out, "    " * (dims + 1) + "}", "}"]) + "\n"


def identifier(text: str) -> str:
    """A text as a part of a C name."""
    out = "".join(c if c.isascii() and c.isalnum() else "_" for c in text)
    return out if out and not out[0].isdigit() else f"_{out}"


def wrapped(values: Sequence[str], width: int = 120) -> str:
    """Values with commas, in lines."""
    lines, line = [], "   "
    for v in values:
        if len(line) + len(v) + 2 > width:
            lines.append(line)
            line = "   "
        line += f" {v},"
    return "\n".join([*lines, line.rstrip(",")])


def _memory(dtype: str) -> str:
    return "u8" if dtype == "bool" else dtype


def _bytes(v: Value) -> int:
    return int(product(v.shape)) * SIZE_OF[v.dtype]


def scalar_kind(kind: str) -> str:
    """The type of a number in a block, or of a pointer: whole numbers are i64 in C."""
    return "i64" if kind in ("i32", "u8") else kind


def _matmul(g: Graph, node: Node) -> None:
    """A product with operands read through strides."""
    (a, b), (c,) = node.inputs, node.outputs
    m, n = int(c.shape[-2]), int(c.shape[-1])
    k = int(a.shape[-2] if node.attrs["ta"] else a.shape[-1])
    batch = int(product(c.shape[:-2]))
    steps = [int(product(v.shape[-2:])) if int(product(v.shape[:-2])) == batch and batch > 1 else 0 for v in (a, b)]
    strides = [steps[0], *((1, m) if node.attrs["ta"] else (k, 1)), steps[1], *((1, k) if node.attrs["tb"] else (n, 1))]
    args = [g.place(a), g.place(b), g.place(c), *map(str, (batch, m, n, k, *strides))]
    g.lines.append(f"{g.routine(f'matmul_{c.dtype}')}({', '.join(args)});")


def _conv(g: Graph, node: Node) -> None:
    _convolve(g, node, node.inputs[0], node.outputs[0], False)


def _conv_transpose(g: Graph, node: Node) -> None:
    y, (x,) = node.inputs[0], node.outputs
    g.lines.append(f"memset({g.place(x)}, 0, {_bytes(x)});")
    _convolve(g, node, x, y, True)


def _convolve(g: Graph, node: Node, x: Value, y: Value, transposed: bool) -> None:
    w, a = node.inputs[1], node.attrs
    window = window_of(x.shape, [int(d) for d in w.shape[:-2]], a["strides"], a["dilation"], a["pads"])
    parts = (window.size, window.out, window.kernel, window.strides, window.dilation, window.before)
    g.routine("window")
    name = g.routine(f"conv_{'transposed_' if transposed else ''}{x.dtype}")
    at = f"g{sum(t.startswith('static const struct window') for t in g.data)}"
    g.data.append(f"static const struct window {at} = {{{', '.join('{' + ', '.join(map(str, p)) + '}' for p in parts)}}};\n")
    sizes = (int(x.shape[0]), int(x.shape[-1]), int(w.shape[-1]), a["groups"])
    g.lines.append(f"{name}({g.place(x)}, {g.place(w)}, {g.place(y)}, {', '.join(map(str, sizes))}, {at});")


RULES: dict[str, Callable[[Graph, Node], None]] = {
    "matmul": _matmul, "conv": _conv, "conv_input_gradient": _conv_transpose,
}  # fmt: skip
"""Forms of ops whose kernels are not translated."""
