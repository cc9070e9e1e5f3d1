"""Layers that a file defines by expressions: weights, updates of state, a result; Lambda is one without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import PrivateAttr

from layerctl.configured import resolve
from layerctl.diagnostics import LayerctlError, Span, fail
from layerctl.expressions.evaluate import evaluate, evaluate_text
from layerctl.expressions.functions import functions
from layerctl.expressions.parse import parse
from layerctl.expressions.tree import Expression
from layerctl.layers._cell import Cell
from layerctl.layers.base import training
from layerctl.ops.value import ShapeError, Value, Weight, current, shown, sizes_of
from layerctl.source.inside import within


@dataclass(frozen=True)
class Size:
    """A size as a file gives it: a number, or an expression over the arguments and `input`; and where it stands."""

    value: Any
    span: Span | None = None

    def number(self, scope: Mapping[str, Any]) -> int:
        """The number.

        Raises:
            LayerctlError: at its place, for a mistake in the expression, and for what is no whole number of at least 1.
        """
        value, span = self.value, self.span
        if isinstance(value, str):
            start, end = (2, len(value) - 1) if value.startswith("${") and value.endswith("}") else (0, len(value))
            value = evaluate_text(value[start:end], within(value, span, start, end), scope)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            got = "an open size" if value is None else repr(value)
            fail("expression-value", f"a size must be a whole number of at least 1, got {got}", span,
                 hint="sizes are numbers, or made of arguments and inputs: `\"${input[-1]}\"`, `\"${units * 2}\"`")  # fmt: skip
        return int(value)


@dataclass
class WeightDefinition:
    """A weight as a file defines it; `shape` has its sizes."""

    shape: Sequence[Size]
    initializer: Any = "glorot_uniform"
    trainable: bool = True
    regularizer: Any = None
    constraint: Any = None


@dataclass
class Definition:
    """The body of a layer that a file defines.

    In training `update` runs first, in order, and what follows sees the new values; then `call` gives the result, and `add_loss` a
    penalty, in evaluation as well. A cell has `state` (sizes by name) and `next` (their next values; the one state of a cell is its result by default).
    """

    name: str
    call: Expression
    inputs: Sequence[str] = ("x",)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, WeightDefinition] = field(default_factory=dict)
    update: Mapping[str, Expression] = field(default_factory=dict)
    add_loss: Expression | None = None
    state: Mapping[str, Size] = field(default_factory=dict)
    next: Mapping[str, Expression] = field(default_factory=dict)
    supports_masking: bool = False


class DefinedLayer(Cell):
    """A layer made of expressions. With states it is a cell, for RNN to carry along."""

    _body: Definition = PrivateAttr()
    _named: dict[str, Weight] = PrivateAttr(default_factory=dict)
    _given_at: dict[str, Span] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, body: Definition, name: str | None = None, trainable: bool = True) -> DefinedLayer:
        """The layer of a definition."""
        layer = cls(name=name, trainable=trainable)
        layer._body = body
        return layer

    @property
    def given_at(self) -> dict[str, Span]:
        """Where the file gives each of its arguments."""
        return self._given_at

    @given_at.setter
    def given_at(self, places: dict[str, Span]) -> None:
        self._given_at = dict(places)

    @property
    def kind_name(self) -> str:
        """What the file calls it."""
        return self._body.name

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        """Whether it hands a mask on."""
        return self._body.supports_masking

    @property
    def takes_list(self) -> bool:
        return len(self._body.inputs) > 1

    @property
    def state_size(self) -> list[int]:
        if not self._body.state:
            raise ShapeError(f"{self._body.name} has no state: it is no cell")
        return [v.number(self._body.arguments) for v in self._body.state.values()]

    @property
    def output_size(self) -> int:
        return self.state_size[0]

    @property
    def input_names(self) -> Sequence[str]:
        """What its inputs are called."""
        return self._body.inputs

    def build(self, input_shape: Any) -> None:
        shapes = [sizes_of(s) for s in (input_shape if isinstance(input_shape, list) else [input_shape])]
        named = {**dict(zip(self._body.inputs, shapes, strict=False)), "input": shapes[0], **self._body.arguments}
        for name, w in self._body.weights.items():
            shape = tuple(d.number(named) for d in w.shape)
            self._named[name] = self.add_weight(
                name, shape, w.initializer, trainable=w.trainable, regularizer=resolve("regularizers", w.regularizer),
                constraint=resolve("constraints", w.constraint),
            )  # fmt: skip

    def _scope(self, values: Mapping[str, Any]) -> dict[str, Any]:
        trace = current()
        return {**self._body.arguments, **{n: trace.read(w) for n, w in self._named.items()}, **values, "training": training()}

    def call(self, inputs: Any) -> Any:
        given = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if len(given) != len(self._body.inputs):
            raise ShapeError(f"{self._body.name} takes {len(self._body.inputs)} tensors ({', '.join(self._body.inputs)}), got {len(given)}")
        return self._run(dict(zip(self._body.inputs, given, strict=True)))

    def _run(self, values: dict[str, Any]) -> Any:
        body, trace = self._body, current()
        if training():
            for name, expression in body.update.items():
                new = evaluate(expression, self._scope(values), functions())
                weight = self._named[name]
                if not isinstance(new, Value):
                    raise ShapeError(f"{body.name}: the update of '{name}' is no tensor, but {new!r}")
                if tuple(map(int, new.shape)) != weight.shape:
                    raise ShapeError(f"{body.name}: the update of '{name}' has shape {shown(new.shape)}, the weight {shown(weight.shape)}")
                trace.update(weight, new)
        result = evaluate(body.call, self._scope(values), functions())
        several = isinstance(result, (list, tuple)) and result and not body.state
        if not all(isinstance(r, Value) for r in (result if several else [result])):
            raise ShapeError(f"{body.name}: the result of 'call' is no tensor, but {result!r}")
        if body.add_loss is not None:
            trace.losses.append(_scalar(evaluate(body.add_loss, self._scope({**values, "result": result}), functions()), body.name))
        return result

    def first_output(self, states: list[Value]) -> Any:
        return 0.0 if next(iter(self._body.state)) in self._body.next else states[0]

    def step(self, x: Value, states: list[Value], constants: Sequence[Value] = ()) -> tuple[Value, list[Value]]:
        body = self._body
        values: dict[str, Any] = {body.inputs[0]: x, **dict(zip(body.state, states, strict=True))}
        values |= {f"constant_{i}" if i else "constant": c for i, c in enumerate(constants)}
        output = self._run(values)
        scope = self._scope({**values, "output": output})
        new = [evaluate(body.next[n], scope, functions()) if n in body.next else output for n in body.state]
        return output, new


def _scalar(value: Any, name: str) -> Value:
    if not isinstance(value, Value) or value.shape != ():
        raise ShapeError(f"{name}: 'add_loss' must give one number: reduce it with sum or mean")
    return value


def defined(name: str, body: Any, scope: Mapping[str, Any], chosen: Mapping[str, Any], span: Span, problems: Any, known: Any) -> Any:
    """The layer of a definition's node; None after an error, which `problems` has."""
    from layerctl.layers._definition import definition_of

    try:
        made = definition_of(name, body, scope, span, problems)
    except LayerctlError as error:
        problems.found.extend(error.diagnostics)
        return None
    return made and DefinedLayer.of(made, chosen.get("name"), chosen.get("trainable", True))


def parsed(text: str, span: Span | None) -> Expression:
    """An expression from a file."""
    return parse(text, span)


