"""LSTMs whose products are convolutions: sequences of images and the like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, PrivateAttr

from layerctl.layers._arguments import DILATION, KERNEL, STRIDES, DataFormat, sizes
from layerctl.layers._cell import Cell, ForgetBias, LongMemoryFields, States
from layerctl.layers._recurrence import OwnCell
from layerctl.layers.base import training
from layerctl.layers.dropout import drop
from layerctl.ops import lstm
from layerctl.ops.conv import conv, output_size, padding
from layerctl.ops.elementwise import broadcast_to
from layerctl.ops.leaves import constant
from layerctl.ops.reshape import reshape
from layerctl.ops.transpose import move_axis
from layerctl.ops.value import Shape, Value, Weight, current


class _ConvFields(LongMemoryFields):
    """The arguments that the layers share with their cell."""

    filters: PositiveInt = Field(description="The number of channels of the result.")
    kernel_size: sizes(1)
    strides: sizes(1) = (1,)
    padding: Literal["valid", "same"] = Field("valid", description="valid: no padding; same: the result has ceil(n / stride) places.")
    dilation_rate: sizes(1) = (1,)


class _ConvCell(_ConvFields, Cell):
    """The step; channels last."""

    kernel_size: Any
    strides: Any
    dilation_rate: Any

    _kernel: Weight
    _recurrent: Weight
    _bias: Weight | None = None
    _masks: list[Value | None] = PrivateAttr(default_factory=lambda: [None, None])

    @property
    def state_size(self) -> list[int]:
        return [self.filters, self.filters]

    def state_shapes(self, step: Shape) -> list[Shape]:
        space = step[:-1]
        pads = padding(self.padding, space, self.kernel_size, self.strides, self.dilation_rate)
        out = (*output_size(space, self.kernel_size, self.strides, self.dilation_rate, pads), self.filters)
        return [out, out]

    def build(self, input_shape: Shape) -> None:
        width = 4 * self.filters
        self._kernel = self.add_weight("kernel", (*self.kernel_size, input_shape[-1], width), self.kernel_initializer,
                                       regularizer=self.kernel_regularizer, constraint=self.kernel_constraint)  # fmt: skip
        self._recurrent = self.add_weight("recurrent_kernel", (*self.kernel_size, self.filters, width), self.recurrent_initializer,
                                          regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint)  # fmt: skip
        if self.use_bias:
            start = ForgetBias(inner=self.bias_initializer, units=self.filters) if self.unit_forget_bias else self.bias_initializer
            self._bias = self.add_weight("bias", (width,), start, regularizer=self.bias_regularizer, constraint=self.bias_constraint)

    def begin(self, x: Value) -> None:
        self._masks = [None, None]
        if not training():
            return
        if self.dropout:
            shape = (x.shape[0], 1, *x.shape[2:])
            self._masks[0] = drop(broadcast_to(constant(1.0, x.dtype), shape), self.dropout, shape, self.seed, "input")
        if self.recurrent_dropout:
            shape = (x.shape[0], *self.state_shapes(x.shape[2:])[0])
            self._masks[1] = drop(broadcast_to(constant(1.0, x.dtype), shape), self.recurrent_dropout, shape, self.seed, "state")

    def project(self, x: Value) -> Value:
        """The input's convolution of all steps (batch, time, *space, channels) at once."""
        x = x if self._masks[0] is None else x * self._masks[0]
        flat = reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))
        y = conv(flat, current().read(self._kernel), self.strides, self.padding, self.dilation_rate)
        y = y + current().read(self._bias) if self._bias is not None else y
        return reshape(y, (*x.shape[:2], *y.shape[1:]))

    def step(self, x: Value, states: States, constants: Sequence[Value] = ()) -> tuple[Value, States]:
        h, c = states
        h = h if self._masks[1] is None else h * self._masks[1]
        z = x + conv(h, current().read(self._recurrent), (1,) * len(self.kernel_size), "same")
        h, c = lstm.step(z, c, self.recurrent_activation or _same, self.activation or _same)
        return h, [h, c]

    def first_output(self, states: States) -> Any:
        return states[0]


def _same(x: Value) -> Value:
    return x


class _ConvLSTM(OwnCell, _ConvFields):
    cell_class: ClassVar[type[Cell]] = _ConvCell
    category: ClassVar[str] = "recurrent"

    data_format: DataFormat = Field(None, description="Where the channels stand; last if not given.")

    def build(self, input_shape: Shape) -> None:
        if self.data_format == "channels_first" and len(input_shape) > 3:
            input_shape = (*input_shape[:2], *input_shape[3:], input_shape[2])
        super().build(input_shape)

    def call(self, sequence: Value, initial_state: Any = None, mask: Value | None = None) -> Any:
        first = self.data_format == "channels_first"
        if first:
            sequence = move_axis(sequence, 2, -1)
            initial_state = [move_axis(s, 1, -1) for s in initial_state] if initial_state is not None else None
        result = super().call(sequence, initial_state, mask)
        if not first:
            return result
        results = result if isinstance(result, list) else [result]
        y = move_axis(results[0], -1, 2 if self.return_sequences else 1)
        return [y, *(move_axis(s, -1, 1) for s in results[1:])] if self.return_state else y


class ConvLSTM1D(_ConvLSTM):
    """An LSTM over sequences of lines: `i, f, c, o = conv(x, kernel) + conv(h, recurrent_kernel) + bias`. Shi et al. 2015.

    Shapes: (batch, time, length, channels) → (batch, new length, filters), or (batch, time, ...) with return_sequences.
    """

    space: ClassVar[int] = 1

    kernel_size: sizes(1) = KERNEL
    strides: sizes(1) = Field((1,), description=STRIDES)
    dilation_rate: sizes(1) = Field((1,), description=DILATION)


class ConvLSTM2D(_ConvLSTM):
    """An LSTM over sequences of images: `i, f, c, o = conv(x, kernel) + conv(h, recurrent_kernel) + bias`. Shi et al. 2015.

    Shapes: (batch, time, height, width, channels) → (batch, new height, new width, filters), or (batch, time, ...) with return_sequences.
    """

    space: ClassVar[int] = 2

    kernel_size: sizes(2) = KERNEL
    strides: sizes(2) = Field((1, 1), description=STRIDES)
    dilation_rate: sizes(2) = Field((1, 1), description=DILATION)


class ConvLSTM3D(_ConvLSTM):
    """An LSTM over sequences of volumes: `i, f, c, o = conv(x, kernel) + conv(h, recurrent_kernel) + bias`. Shi et al. 2015.

    Shapes: (batch, time, depth, height, width, channels) → (batch, ..., filters), or (batch, time, ...) with return_sequences.
    """

    space: ClassVar[int] = 3

    kernel_size: sizes(3) = KERNEL
    strides: sizes(3) = Field((1, 1, 1), description=STRIDES)
    dilation_rate: sizes(3) = Field((1, 1, 1), description=DILATION)
