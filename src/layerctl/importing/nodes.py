"""The calls of a functional model's layers, as Keras 3 and Keras 2 write them, in one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CONSTANT = "_CONSTANT_VALUE"
"""What Keras 2 writes in place of a layer's name where a call takes a number."""


@dataclass(frozen=True)
class Tensor:
    """The result number `index` of a layer's call number `call`."""

    layer: str
    call: int
    index: int


@dataclass
class Call:
    """One call of a layer: positional and named arguments, tensors among them at any depth.

    Keras 3 writes down the masks that a call was given (`has_masks`); without one among them it was given none, even where its input
    carries one (a recurrent layer with an initial state, say).
    """

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    has_masks: bool = False
    older: bool = False
    """Whether Keras 2 wrote it: there a call's `training` outweighs that of the model, in Keras 3 the model's does."""


@dataclass(frozen=True, eq=False)
class Inner:
    """A call of an op within another call, of which it is an argument and no layer by itself."""

    kind: str
    config: Mapping[str, Any]
    call: Call


class BadNode(ValueError):
    """A call that is written in no known way."""


def calls_of(nodes: Any) -> list[Call]:
    """A layer's calls.

    Raises:
        BadNode: for another form.
    """
    if not isinstance(nodes, list):
        raise BadNode(f"its calls are {type(nodes).__name__}, expected a list")
    return [_call(n) for n in nodes]


def _call(node: Any) -> Call:
    if isinstance(node, Mapping):
        args, kwargs = node.get("args", []), node.get("kwargs", {})
        if not isinstance(args, list) or not isinstance(kwargs, Mapping):
            raise BadNode("a call's arguments are no list")
        return Call([_value(a) for a in args], {str(k): _value(v) for k, v in kwargs.items()}, True)
    if isinstance(node, list) and node:
        return _older(node)
    raise BadNode("a call is neither a mapping nor a list")


def _older(node: list[Any]) -> Call:
    """Keras 2: a list of [layer, call, result, named arguments], or one such; in place of a layer's result there may be a constant."""
    rows = [node] if isinstance(node[0], str) else node
    kwargs: dict[str, Any] = {}
    taken: list[Any] = []
    for row in rows:
        if not isinstance(row, list) or len(row) < 3 or not isinstance(row[0], str):
            raise BadNode("a tensor is written in no known way")
        taken.append(_older_value(row[2]) if row[0] == CONSTANT else tensor_of(row))
        if len(row) > 3 and isinstance(row[3], Mapping):
            kwargs |= {str(k): _older_value(v) for k, v in row[3].items()}
    return Call([taken if len(taken) > 1 else taken[0]], kwargs, older=True)


def _older_value(value: Any) -> Any:
    if isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str) and all(type(v) is int for v in value[1:3]):
        return tensor_of(value)
    return [_older_value(v) for v in value] if isinstance(value, list) else value


def tensor_of(row: Any) -> Tensor:
    """A tensor written as [layer, call, result].

    Raises:
        BadNode: for another form.
    """
    if not isinstance(row, list) or len(row) < 3 or not isinstance(row[0], str) or type(row[1]) is not int or type(row[2]) is not int:
        raise BadNode(f"a tensor is written as {str(row)[:60]}, expected [layer, call, result]")
    return Tensor(row[0], row[1], row[2])


def _value(value: Any, depth: int = 0) -> Any:
    if depth > 20:
        raise BadNode("a call's arguments are nested too deeply")
    if isinstance(value, Mapping):
        kind, config = value.get("class_name"), value.get("config")
        if kind == "__keras_tensor__" and isinstance(config, Mapping):
            return tensor_of(config.get("keras_history"))
        if kind == "__slice__" and isinstance(config, Mapping):
            return slice(*(config.get(k) for k in ("start", "stop", "step")))
        if kind == "__ellipsis__":
            return Ellipsis
        if kind == "__tuple__":
            return [_value(v, depth + 1) for v in value.get("items", value.get("config", []))]
        if kind in ("__tensor__", "__numpy__") and isinstance(config, Mapping):
            return _value(config.get("value"), depth + 1)
        return {str(k): _value(v, depth + 1) for k, v in value.items()}
    return [_value(v, depth + 1) for v in value] if isinstance(value, list) else value


def plain_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """An op's arguments, tuples and arrays among them as lists.

    Raises:
        BadNode: for what is nested too deeply.
    """
    return {str(k): _value(v) for k, v in config.items()}


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a call's arguments, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Inner):
        yield from tensors(value.call)
    elif isinstance(value, Call):
        yield from tensors([*value.args, *value.kwargs.values()])
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from tensors(v)
    elif isinstance(value, Mapping):
        for v in value.values():
            yield from tensors(v)


def flattened(value: Any) -> list[Tensor]:
    """The tensors of `input_layers` or `output_layers`: one, a list, or a mapping of names to such.

    Raises:
        BadNode: for another form.
    """
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [tensor_of(value)]
    if isinstance(value, Mapping):
        return [t for k in sorted(value, key=str) for t in flattened(value[k])]
    if isinstance(value, list):
        return [t for v in value for t in flattened(v)]
    raise BadNode(f"an input or output is written as {str(value)[:60]}")
