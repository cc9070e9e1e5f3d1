"""The curves of activations and learning-rate schedules, computed by the machine that models run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerctl.catalogue import catalogue, snake_case
from layerctl.compile.differentiate import gradients
from layerctl.compile.pipeline import compile_program
from layerctl.compile.program import Layout
from layerctl.diagnostics import Diagnostic, Problems, Source, Span, closest
from layerctl.ops.leaves import input_
from layerctl.ops.reduce import reduce
from layerctl.ops.value import Trace, Type, Value, tracing
from layerctl.runtime.machine import Machine, State
from layerctl.source.document import Mapping, Node
from layerctl.source.read import loads
from layerctl.spec.construct import entry

POINTS = 961
"""Odd, so that 0 is among the points of a symmetric range."""


@dataclass(frozen=True)
class Curve:
    """A function at some points, and its derivative there; a schedule has none."""

    name: str
    x: np.ndarray
    y: np.ndarray
    derivative: np.ndarray | None


def curves(names: Sequence[str], span: tuple[float, float] | None = None) -> list[Curve]:
    """The curves of entries as a file would write them: `relu`, or `LeakyRelu: {negative_slope: 0.1}`.

    Raises:
        LayerctlError: for what has no curve, all such names at once, and for activations and schedules in one picture.
    """
    problems = Problems()
    found = [_entry(text, problems) for text in names]
    problems.check()
    schedules = [kind == "schedules" for kind, _ in found]
    if any(schedules) and not all(schedules):
        problems.error("no-curve", "activations and schedules have no axis in common: ask for one kind at a time", Span(Source("layers")),
                       hint=f"the schedules are {', '.join(n for n, s in zip(names, schedules, strict=True) if s)}")  # fmt: skip
        problems.check()
    low, high = span or (_steps([e for _, e in found]) if any(schedules) else (-6.0, 6.0))
    x = np.linspace(low, high, POINTS)
    return [Curve(text, x, *_sampled(e, x, derivative=kind == "activations")) for text, (kind, e) in zip(_titles(names), found, strict=True)]


def _entry(text: str, problems: Problems) -> tuple[str, Any]:
    """(kind, the configured object) of what one argument of the command says."""
    node = loads(text, "layers").root
    name = _name(node)
    kind = next((k for k in ("activations", "schedules") if name and catalogue(k).get(name)), None)
    if kind is None:
        problems.found.append(_no_curve(name, node.span))
        return "", None
    made = entry(kind, node, problems)
    if kind == "activations" and made is not None and "axis" in type(made).model_fields:
        problems.error("no-curve", f"{snake_case(type(made).__name__)} makes each number of a row depend on the others: it is no curve", node.span,
                       hint="give activations of single numbers, such as relu or tanh")  # fmt: skip
    return kind, made


def _name(node: Node) -> str:
    plain = node.plain()
    return str(node.entries[0].key.value) if isinstance(node, Mapping) and node.entries else plain if isinstance(plain, str) else ""


def _no_curve(name: str, span: Span) -> Diagnostic:
    from layerctl.commands.layers import KINDS

    other = next((k for k in KINDS if catalogue(k).get(name) is not None), None)
    near = closest(name, [*catalogue("activations").names, *catalogue("schedules").names])
    what = f"'{name}' is among the {other}" if other else f"nothing is called '{name}'"
    said = f"{what}: only activations and schedules have a curve" + (f"; did you mean '{near}'?" if near else "")
    return Diagnostic("no-curve", said, span, (), "`layerctl layers` lists every activation and schedule")


def _titles(names: Sequence[str]) -> list[str]:
    return [" ".join(n.split()) for n in names]


def _steps(schedules: list[Any]) -> tuple[float, float]:
    """From step 0 to twice the steps that the schedules speak of."""
    said = [0.0]
    for schedule in schedules:
        fields = schedule.model_dump()
        said += [sum(v for n, v in fields.items() if n.endswith("_steps")), *fields.get("boundaries", [])]
    return 0.0, 2.0 * max(said)


def _sampled(function: Any, x: np.ndarray, derivative: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """(f(x), f'(x) or None): a program of one input, bound and run once."""
    trace = Trace()
    with tracing(trace):
        at = input_("x", Type(x.shape, "f64"))
        outputs: dict[str, Value] = {"y": function(at)}
        if derivative:
            slope = gradients(reduce("sum", outputs["y"]), [at])[0]
            outputs["derivative"] = at * 0.0 if slope is None else slope
    layout = Layout()
    machine = Machine(1)
    bound = machine.bind(compile_program(trace, outputs, {}, layout), State(layout), {})
    bound.input("x")[...] = x
    machine.run(bound)
    machine.close()
    return bound.output("y").copy(), bound.output("derivative").copy() if derivative else None
