"""The intermediate representation: values, nodes, ops, and the trace that collects them.

A Value is one tensor of a program to be: a shape, a dtype, and the node that computes it.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from layerctl.ops.types import (
    DTYPES,
    NAMES_OF_DTYPES,
    NUMBERS,
    SIZE_OF,
    NoForm,
    Shape,
    ShapeError,
    Type,
    Unknown,
    product,
    shown,
    sizes_of,
)

if TYPE_CHECKING:
    from layerctl.ops.kernel import Call
    from layerctl.ops.numpy_lines import NumpyLines
    from layerctl.ops.onnx_graph import OnnxGraph

__all__ = [
    "DTYPES",
    "NAMES_OF_DTYPES",
    "NUMBERS",
    "OPS",
    "SIZE_OF",
    "NoForm",
    "Node",
    "Op",
    "Shape",
    "ShapeError",
    "Trace",
    "Type",
    "Unknown",
    "Value",
    "Weight",
    "current",
    "lasts",
    "origin",
    "placed",
    "product",
    "shown",
    "sizes_of",
    "tracing",
]


class Value:
    """One tensor of a trace."""

    __slots__ = ("index", "mask", "node", "type")

    def __init__(self, type_: Type, node: Node, index: int = 0):
        self.type, self.node, self.index = type_, node, index
        self.mask: Value | None = None

    shape = property(lambda self: self.type.shape)
    dtype = property(lambda self: self.type.dtype)
    rank = property(lambda self: len(self.type.shape))

    def __repr__(self) -> str:
        return (
            f"%{self.node.id}{f'.{self.index}' if len(self.node.outputs) > 1 else ''}:{self.dtype}{shown(self.shape)}"
        )

    def _apply(self, name: str, *args: Any) -> Value:
        from layerctl.ops import elementwise

        return elementwise.apply(name, *args)

    def __add__(self, other):
        return self._apply("add", self, other)

    def __radd__(self, other):
        return self._apply("add", other, self)

    def __sub__(self, other):
        return self._apply("sub", self, other)

    def __rsub__(self, other):
        return self._apply("sub", other, self)

    def __mul__(self, other):
        return self._apply("mul", self, other)

    def __rmul__(self, other):
        return self._apply("mul", other, self)

    def __truediv__(self, other):
        return self._apply("div", self, other)

    def __rtruediv__(self, other):
        return self._apply("div", other, self)

    def __pow__(self, other):
        return self._apply("pow", self, other)

    def __rpow__(self, other):
        return self._apply("pow", other, self)

    def __mod__(self, other):
        return self._apply("mod", self, other)

    def __rmod__(self, other):
        return self._apply("mod", other, self)

    def __floordiv__(self, other):
        return self._apply("floordiv", self, other)

    def __rfloordiv__(self, other):
        return self._apply("floordiv", other, self)

    def __neg__(self):
        return self._apply("neg", self)

    def __pos__(self):
        return self

    def __abs__(self):
        return self._apply("abs", self)

    def __lt__(self, other):
        return self._apply("lt", self, other)

    def __le__(self, other):
        return self._apply("le", self, other)

    def __gt__(self, other):
        return self._apply("gt", self, other)

    def __ge__(self, other):
        return self._apply("ge", self, other)

    def __invert__(self):
        return self._apply("not", self)

    def __and__(self, other):
        return self._apply("and", self, other)

    def __or__(self, other):
        return self._apply("or", self, other)

    def __matmul__(self, other):
        from layerctl.ops.matmul import matmul

        return matmul(self, other)

    def __rmatmul__(self, other):
        from layerctl.ops.matmul import matmul

        return matmul(other, self)

    def __getitem__(self, key):
        from layerctl.ops.slicing import index

        return index(self, key)

    def __bool__(self) -> bool:
        raise ShapeError("a tensor has no truth value here; use where(condition, a, b)")


class Node:
    """One application of an op. `origin` is the path of the layer it came from, for errors and the profile."""

    __slots__ = ("attrs", "id", "inputs", "op", "origin", "outputs")

    def __init__(self, op: Op, inputs: tuple[Value, ...], attrs: dict[str, Any], node_id: int, origin: str):
        self.op, self.inputs, self.attrs, self.id, self.origin = op, inputs, attrs, node_id, origin
        self.outputs: tuple[Value, ...] = ()

    def __repr__(self) -> str:
        attrs = " ".join(f"{k}={v}" for k, v in self.attrs.items() if not hasattr(v, "nbytes"))
        outs = ", ".join(map(repr, self.outputs))
        return (
            f"{outs} = {self.op.name}({', '.join(f'%{v.node.id}' for v in self.inputs)}){' ' + attrs if attrs else ''}"
        )


class Op:
    """What the machine does: a shape rule, kernels, a gradient rule, a cost, and its forms in other languages. One instance of each subclass exists.

    Subclasses set `name` and write:
        infer(*inputs, **attrs)     -> Type or tuple of Types; raises ShapeError
        gradient(node, *grads)      -> for each input a Value or None, from the outputs' gradients (None where unused);
                                       or the attribute `no_gradient` with the word why there is none
        calls(node)                 -> the kernel calls, over the node's Values
        macs(node)                  -> multiply-accumulates, for tables and profiles (0 if unsaid)
        numpy(c, node)              -> the expression of numpy that a Python file has for it; or the attribute `no_form` with the word why
                                       there is none. In C an op is its kernels, translated
        onnx(c, node)               -> adds its nodes to a graph of ONNX (NoForm if unsaid)
    `is_view`: the output is the input's memory under another shape; no calls. `results`: how many outputs predictions read, where the
    rest serve the gradient.
    """

    name: ClassVar[str]
    apply: ClassVar[Callable[..., Any]]
    is_view: ClassVar[bool] = False
    no_gradient: ClassVar[str | None] = None
    no_form: ClassVar[str | None] = None
    results: ClassVar[int | None] = None

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if abstract:
            return
        missing = [rule for rule in ("infer", "calls") if getattr(cls, rule) is getattr(Op, rule)]
        if cls.is_view and "calls" in missing:
            missing.remove("calls")
        if cls.gradient is Op.gradient and cls.no_gradient is None:
            missing.append("gradient (or the word why there is none, in no_gradient)")
        if cls.numpy is Op.numpy and cls.no_form is None:
            missing.append("numpy (or the word why there is none, in no_form)")
        if not getattr(cls, "name", None) or missing:
            raise TypeError(f"op {cls.__name__} lacks: {', '.join(missing) or 'a name'}")
        if cls.name in OPS:
            raise TypeError(f"two ops are called {cls.name}: {type(OPS[cls.name]).__name__} and {cls.__name__}")
        OPS[cls.name] = cls()
        cls.apply = OPS[cls.name].__call__

    @classmethod
    def instance(cls) -> Op:
        """The one instance of the op."""
        return OPS[cls.name]

    def infer(self, *inputs: Value, **attrs: Any) -> Type | tuple[Type, ...]:
        raise TypeError(self.name)

    def gradient(self, node: Node, *grads: Value | None) -> Sequence[Value | None]:
        raise TypeError(f"{self.name} has no gradient: {self.no_gradient}")

    def calls(self, node: Node) -> list[Call]:
        raise TypeError(self.name)

    def macs(self, node: Node) -> int:
        return 0

    def numpy(self, c: NumpyLines, node: Node) -> str:
        raise NoForm(self.no_form)

    def onnx(self, c: OnnxGraph, node: Node) -> None:
        raise NoForm(self.no_form or "")

    def __call__(self, *inputs: Value, **attrs: Any) -> Any:
        """Applies the op in the current trace; returns its output or a tuple of them."""
        trace = current()
        types = self.infer(*inputs, **attrs)
        node = Node(self, inputs, attrs, trace.next_id(), trace.origin)
        several = isinstance(types, tuple)
        node.outputs = tuple(Value(t, node, i) for i, t in enumerate(types if several else (types,)))
        return node.outputs if several else node.outputs[0]


OPS: dict[str, Op] = {}


@dataclass
class Weight:
    """A tensor that outlives a step: a layer's weight, its state, an optimizer's slot.

    `path` is its unique name (`dense/kernel`); `initializer` fills it: any callable (shape, dtype, key) -> array.
    """

    path: str
    shape: Shape
    dtype: str = "f32"
    initializer: Any = None
    trainable: bool = True
    regularizer: Any = None
    constraint: Any = None
    flags: dict[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def type(self) -> Type:
        """Its shape and dtype."""
        return Type(self.shape, self.dtype)


@dataclass
class Trace:
    """One tracing of a model: numbers its nodes, knows each weight's current value, collects updates and losses.

    `training` is the mode; `rows` and `step` are Values that random ops read: the data set's row numbers of this batch (i64) and the
    training step (i64 scalar), None where the trace has none. With `compose`, fused ops are traced as the compositions they stand for,
    but for those in `kept`.
    """

    training: bool = False
    seed: int = 0
    rows: Value | None = None
    step: Value | None = None
    origin: str = ""
    compose: bool = False
    kept: frozenset[tuple[str, str]] = frozenset()
    """Fused ops that stay whole although the rest is composed: (name, dtype)."""
    weights: dict[Weight, Value] = field(default_factory=dict)
    initial: dict[Weight, Value] = field(default_factory=dict)
    losses: list[Value] = field(default_factory=list)
    calls_of: dict[str, int] = field(default_factory=dict)
    named: dict[str, tuple[Value, Any]] = field(default_factory=dict)
    """Models' values by name, those of inner models behind `NAME/`, and what made them; the first of a name."""
    around: str = ""
    """What stands before the names of the model that is being traced."""
    count: int = 0
    lasting: set[int] = field(default_factory=set)
    """Identities of values that stay the same from step to step, once that is known: what is prepared of them is prepared once."""
    placed: set[int] = field(default_factory=set)
    """Identities of values with memory of their own for the whole program, zero at first: they still hold what the last step left there."""

    def composes(self, name: str, dtype: str) -> bool:
        """Whether a fused op of a dtype is to be traced as what it stands for."""
        return self.compose and (name, dtype) not in self.kept

    def next_id(self) -> int:
        """A node's number; ascending numbers are a topological order."""
        self.count += 1
        return self.count

    def read(self, weight: Weight) -> Value:
        """The weight's value at this point of the trace: as it came in, or as last updated."""
        if weight not in self.weights:
            from layerctl.ops.leaves import parameter

            self.weights[weight] = self.initial[weight] = parameter(weight)
        return self.weights[weight]

    def update(self, weight: Weight, value: Value) -> None:
        """Makes `value` the weight's value from here on, and after the step."""
        if value.shape != weight.shape:
            raise ShapeError(
                f"the update of {weight.path} has shape {shown(value.shape)}; the weight has {shown(weight.shape)}"
            )
        self.read(weight)
        self.weights[weight] = value

    @property
    def updates(self) -> dict[Weight, Value]:
        """What has to be written back when the step ends."""
        return {w: v for w, v in self.weights.items() if v is not self.initial[w]}


_CURRENT: contextvars.ContextVar[Trace] = contextvars.ContextVar("trace")


def current() -> Trace:
    """The trace that ops are added to."""
    return _CURRENT.get()


def lasts(value: Any) -> bool:
    """Whether a value stays the same from step to step, so that preparing it costs nothing; False while that is not known."""
    trace = _CURRENT.get(None)
    return trace is not None and id(getattr(value, "base", value)) in trace.lasting


def placed(value: Value) -> bool:
    """Whether a value's memory is its own from step to step; False while that is not known."""
    trace = _CURRENT.get(None)
    return trace is not None and id(value) in trace.placed


@contextlib.contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Makes a trace the current one."""
    token = _CURRENT.set(trace)
    try:
        yield trace
    finally:
        _CURRENT.reset(token)


@contextlib.contextmanager
def origin(path: str) -> Iterator[None]:
    """Marks nodes made inside as coming from `path`."""
    trace = current()
    before, trace.origin = trace.origin, path
    try:
        yield
    finally:
        trace.origin = before


def unviewed(value: Value, producers: Mapping[int, Node] = MappingProxyType({})) -> Value:
    """The value whose memory a view shows, through views of views; one that is no view itself.

    `producers` has the nodes, by their outputs' identities, that passes put in the place of those that values name.
    """
    while (node := producers.get(id(value), value.node)).op.is_view:
        value = node.inputs[0]
    return value
