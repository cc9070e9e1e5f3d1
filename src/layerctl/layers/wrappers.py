"""Layers around a layer: both directions of time, every step of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from layerctl.catalogue import snake_case
from layerctl.configured import LayerField
from layerctl.layers._recurrence import Recurrent
from layerctl.layers.base import Layer, call_arguments, training
from layerctl.ops.concat import concat, stack
from layerctl.ops.reshape import reshape
from layerctl.ops.slicing import flip
from layerctl.ops.value import Shape, ShapeError, Value, shown


class Bidirectional(Layer):
    """A recurrent layer over a sequence and its copy over the reversed sequence; `merge_mode` says how the results become one.

    Shapes: (batch, steps, d) → (batch, 2 units) where `merge_mode` is concat, else (batch, units); with the steps if the layer returns sequences.
    """

    category: ClassVar[str] = "recurrent"
    supports_masking: ClassVar[bool] = True

    layer: LayerField = Field(description="The recurrent layer.")
    merge_mode: Literal["sum", "mul", "concat", "ave"] | None = Field("concat", description="How the two results are joined; null gives both.")
    backward_layer: LayerField = Field(None, description="The layer for the reversed sequence, in place of a copy.")

    _back: Any = None

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        if not isinstance(self.layer, Recurrent):
            raise ValueError(f"Bidirectional takes a recurrent layer, got {type(self.layer).__name__}")
        if self.backward_layer is not None:
            self._back = self.backward_layer
        else:
            self._back = _alike(self.layer, go_backwards=not self.layer.go_backwards, name=None)
        for layer in (self.layer, self._back):
            layer.zero_output_for_mask = layer.return_sequences

    def sublayers(self) -> Sequence[Layer]:
        return [self.layer, self._back]

    def place(self, path: str) -> None:
        self._path = path
        name = self.layer.name or snake_case(type(self.layer).__name__)
        self.layer.place(f"{path}/forward_{name}")
        self._back.place(f"{path}/backward_{name}")

    def call(self, sequence: Value, initial_state: Any = None, mask: Value | None = None) -> Any:
        ahead, back = {}, {}
        if initial_state is not None:
            states = list(initial_state)
            if len(states) % 2:
                raise ShapeError(f"Bidirectional needs an even number of initial states, got {len(states)}")
            ahead["initial_state"], back["initial_state"] = states[: len(states) // 2], states[len(states) // 2 :]
        y, z = self.layer(sequence, mask=mask, **ahead), self._back(sequence, mask=mask, **back)
        kept: list[Value] = []
        if isinstance(y, list):
            kept, y, z = [*y[1:], *z[1:]], y[0], z[0]
        if self.layer.return_sequences:
            z = flip(z, [1])
        result = self._merged(y, z)
        return [*(result if isinstance(result, list) else [result]), *kept] if kept else result

    def _merged(self, y: Value, z: Value) -> Any:
        if self.merge_mode == "concat":
            return concat([y, z], -1)
        if self.merge_mode == "sum":
            return y + z
        if self.merge_mode == "mul":
            return y * z
        return (y + z) / 2.0 if self.merge_mode == "ave" else [y, z]

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        first = mask if self.layer.return_sequences else None
        states = 2 * len(self.layer.the_cell().state_size) if self.layer.return_state else 0
        firsts = [first, first] if self.merge_mode is None else [first]
        return [*firsts, *[None] * states] if states or len(firsts) > 1 else first


def _alike(layer: Layer, **other: Any) -> Layer:
    """A layer of the same arguments, with cells of its own."""

    def own(value: Any) -> Any:
        return _alike(value) if isinstance(value, Layer) else [own(v) for v in value] if isinstance(value, list) else value

    return type(layer)(**{**{n: own(getattr(layer, n)) for n in type(layer).model_fields}, **other})


class TimeDistributed(Layer):
    """A layer applied to every step by itself, with the same weights: BatchNormalization takes each step's statistics in training.

    Shapes: (batch, time, ...) → (batch, time, ...).
    """

    category: ClassVar[str] = "recurrent"
    supports_masking: ClassVar[bool] = True

    layer: LayerField = Field(description="The layer.")

    def sublayers(self) -> Sequence[Layer]:
        return [self.layer]

    def place(self, path: str) -> None:
        self._path = path
        self.layer.place(f"{path}/{self.layer.name or snake_case(type(self.layer).__name__)}")

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3:
            raise ShapeError(f"TimeDistributed needs an input of at least 3 dimensions (batch, time, ...), got {shown(input_shape)}")

    def call(self, inputs: Value, mask: Value | None = None) -> Value:
        if training() and any(not w.trainable for w in self.layer.weights()):
            return self._one_by_one(inputs, mask)
        batch, time = inputs.shape[:2]
        steps = reshape(inputs, (batch * time, *inputs.shape[2:]))
        if mask is not None and mask.rank > 2 and "mask" in call_arguments(type(self.layer)):  # a mask within each step
            steps.mask = reshape(mask, (batch * time, *mask.shape[2:]))
        y = self.layer(steps)
        return reshape(y, (batch, time, *y.shape[1:]))

    def _one_by_one(self, inputs: Value, mask: Value | None) -> Value:
        """A layer that learns of batches, as BatchNormalization does, learns of each step's rows by themselves, one step after the other."""
        out = []
        for i in range(inputs.shape[1]):
            step = inputs[:, i]
            if mask is not None and "mask" in call_arguments(type(self.layer)):
                step.mask = mask[:, i]
            out.append(self.layer(step))
        return stack(out, 1)
