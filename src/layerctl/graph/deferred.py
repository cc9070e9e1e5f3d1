"""Blocks whose items ask for the sizes of what they are given: they are made when those are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import PrivateAttr

from layerctl.graph.model import Model, Port, Step
from layerctl.ops.value import Shape, sizes_of
from layerctl.source.document import Mapping as MappingNode
from layerctl.source.document import Node, Scalar
from layerctl.source.document import Sequence as SequenceNode

Made = tuple[Sequence[Step], Sequence[str]]
"""The steps of a block, and the names of its results."""


def asks_for(node: Node | None, names: Iterable[str]) -> bool:
    """Whether a `${…}` within a node has one of the names."""
    wanted = re.compile(rf"\$\{{[^}}]*\b(?:{'|'.join(map(re.escape, names))})\b")
    waiting = [node]
    while waiting:
        n = waiting.pop()
        if isinstance(n, MappingNode):
            waiting += [e.value for e in n.entries]
        elif isinstance(n, SequenceNode):
            waiting += n.items
        elif isinstance(n, Scalar) and isinstance(n.value, str) and wanted.search(n.value):
            return True
    return False


class Deferred(Model):
    """A block that `make` gives the steps of, from the sizes of its inputs by their names; open ones are None."""

    _make: Callable[[Mapping[str, Any]], Made] = PrivateAttr()

    @classmethod
    def made_by(cls, name: str | None, ports: Mapping[str, Port], make: Callable[[Mapping[str, Any]], Made]) -> Deferred:
        """The block, without steps."""
        block = cls.of(name, ports, (), ())  # type: ignore[arg-type]
        assert isinstance(block, Deferred)
        block._make = make
        return block

    def build(self, input_shape: Shape | list[Shape]) -> None:
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        steps, outputs = self._make({n: sizes_of(s) for n, s in zip(self._inputs, shapes, strict=False)})
        self._steps, self._outputs = list(steps), list(outputs)
        self.place(self._path)
        if not self.trainable:
            set_trainable(self, False)


def set_trainable(layer: Any, trainable: bool) -> None:
    """As in Keras, a model that is not trained has no layer that is: normalisations in it keep their averages."""
    layer.trainable = trainable
    if not trainable and isinstance(layer, Model):
        for inner in layer.sublayers():
            set_trainable(inner, trainable)
