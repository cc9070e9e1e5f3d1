"""Which tensors have lost their masks when a call is made: Keras's MultiHeadAttention takes the masks off those that it is given.

What is called after it with the same tensor, a second attention or the sum around the first, finds none there. Keras calls layers by their
depth, so that what comes after is not what was written after (keras/src/ops/function.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from layerctl.importing.nodes import Call, Tensor, tensors
from layerctl.modelfile.kerasorder import called_as_keras_does

if TYPE_CHECKING:
    from layerctl.importing.graph import Part

_TAKING = ("query", "value", "key")
_PASSING = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "Identity",
    "ActivityRegularization",
)  # fmt: skip
"""Layers whose result, in prediction, is the very tensor that they are given."""


class Unmasked:
    """The moments at which a model's tensors lose their masks.

    `models` says of a nested model, by its definition's name, which of its inputs lose theirs in it.
    """

    def __init__(self, parts: Sequence[Part], outputs: Sequence[Tensor], models: Mapping[str, Sequence[int]]):
        calls = {(p.name, n): (p, call) for p in parts for n, call in enumerate(p.calls)}
        parents = {node: [(t.layer, t.call) for t in _in_order(call)] for node, (_, call) in calls.items()}
        self._when = called_as_keras_does(parents, [(t.layer, t.call) for t in outputs])
        self._same: dict[Tensor, Tensor] = {}
        self._changes: dict[Tensor, list[tuple[int, bool]]] = {}
        """When a tensor has lost its mask, and when a nested model that is called with a mask has put it back."""
        for node in sorted(self._when, key=self._when.__getitem__):
            part, call = calls.get(node, (None, None))
            if part is None or call is None:
                continue
            taken = list(tensors(call))
            if taken and (part.kind in _PASSING or (part.kind == "Activation" and part.config.get("activation") == "linear")):
                self._same[Tensor(*node, 0)] = self._first(taken[0])
            for t in tensors(call.args) if _gives_back(part, call) else ():
                self._changes.setdefault(self._first(t), []).append((self._when[node] - 1, False))
            for t in _robbed(part, call, models):
                self._changes.setdefault(self._first(t), []).append((self._when[node], True))

    def _first(self, t: Tensor) -> Tensor:
        return self._same.get(t, t)

    def __call__(self, layer: str, call: int, t: Tensor) -> bool:
        """Whether a layer's call finds no mask at a tensor that had one."""
        now = self._when.get((layer, call), -1)
        before = [lost for when, lost in self._changes.get(self._first(t), ()) if when < now]
        return bool(before) and before[-1]

    def ever(self, t: Tensor) -> bool:
        """Whether a tensor has lost its mask in the end."""
        changes = self._changes.get(self._first(t))
        return bool(changes) and changes[-1][1]


def _gives_back(part: Part, call: Call) -> bool:
    """Whether a nested model puts the mask that it is called with on the tensor that it is given."""
    return part.definition is not None and next(tensors(call.kwargs.get("mask")), None) is not None


def _in_order(call: Call) -> Iterator[Tensor]:
    """The tensors of a call as Keras goes through them: by place, then by the sorted names."""
    yield from tensors(call.args)
    for key in sorted(call.kwargs):
        yield from tensors(call.kwargs[key])


def _robbed(part: Part, call: Call, models: Mapping[str, Sequence[int]]) -> list[Tensor]:
    """The tensors of whose masks a call leaves nothing."""
    if part.kind == "MultiHeadAttention":
        return list(tensors([*call.args[:3], *(call.kwargs.get(k) for k in _TAKING)]))
    inside = models.get(part.definition or "", ())
    given = list(tensors(call.args)) if inside else []
    return [given[i] for i in inside if i < len(given)]
