"""Recurrent cells: one step in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from layerctl.activations.common import Sigmoid, Tanh
from layerctl.configured import LayerField
from layerctl.layers._cell import Cell, ForgetBias, GatedFields, GRUFields, LSTMFields, States
from layerctl.layers.base import Layer, training
from layerctl.layers.dropout import drop
from layerctl.ops import gru, lstm
from layerctl.ops.elementwise import broadcast_to
from layerctl.ops.leaves import constant
from layerctl.ops.matmul import matmul
from layerctl.ops.recurrent import fits, masked_outputs
from layerctl.ops.simple_rnn import simple_rnn
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current


class _Gated(GatedFields, Cell):
    gates: ClassVar[int]

    _kernel: Weight
    _recurrent: Weight
    _bias: Weight | None = None
    _masks: list[Value | None] = PrivateAttr(default_factory=lambda: [None, None])

    @property
    def state_size(self) -> list[int]:
        return [self.units]

    def build(self, input_shape: Shape) -> None:
        width = self.gates * self.units
        self._kernel = self.add_weight("kernel", (input_shape[-1], width), self.kernel_initializer,
                                       regularizer=self.kernel_regularizer, constraint=self.kernel_constraint)  # fmt: skip
        self._recurrent = self.add_weight("recurrent_kernel", (self.units, width), self.recurrent_initializer,
                                          regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint)  # fmt: skip
        if self.use_bias:
            self._bias = self.add_weight("bias", self._bias_shape(), self._bias_start(),
                                         regularizer=self.bias_regularizer, constraint=self.bias_constraint)  # fmt: skip

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_start(self) -> Any:
        return self.bias_initializer

    def begin(self, x: Value) -> None:
        self._masks = [None, None]
        if not training():
            return
        batch = x.shape[0]
        if self.dropout:
            shape = (batch, 1, x.shape[-1]) if x.rank == 3 else (batch, x.shape[-1])
            self._masks[0] = drop(_ones(shape, x.dtype), self.dropout, shape, self.seed, "input")
        if self.recurrent_dropout:
            shape = (batch, self.units)
            self._masks[1] = drop(_ones(shape, x.dtype), self.recurrent_dropout, shape, self.seed, "state")

    def _dropped(self, x: Value, which: int) -> Value:
        mask = self._masks[which]
        return x if mask is None else x * mask

    def sequence(
        self, x: Value, states: States | None, mask: Value | None = None, constants: Sequence[Value] = (), zero: bool = False, whole: bool = True
    ) -> tuple[Value, States]:
        self.begin(x)
        if not self.has_op:
            return super().sequence(x, states, mask, constants, zero, whole)
        hs, last = self.run(self.project(x), self.zero_states(x) if states is None else states, mask)
        outputs = masked_outputs(hs, mask, zero)
        return outputs if whole else outputs[:, -1], last

    @property
    def has_op(self) -> bool:
        """Whether all steps of the current call can be run as one op, which computes tanh and sigmoid."""
        plain = isinstance(self.activation, Tanh) and isinstance(getattr(self, "recurrent_activation", Sigmoid()), Sigmoid)
        return plain and self._masks[1] is None and fits(self.units, self.gates)

    def first_output(self, states: States) -> Any:
        return states[0]

    def run(self, x: Value, states: States, mask: Value | None) -> tuple[Value, States]:
        """h after each step (batch, time, units) of the projected input by one op, and the last states."""
        raise TypeError(f"{type(self).__name__} has no op")

    def _w(self) -> Value:
        return current().read(self._recurrent)

    def _function(self, name: str) -> Any:
        return getattr(self, name) or (lambda v: v)



def _ones(shape: tuple[int, ...], dtype: str) -> Value:
    return broadcast_to(constant(1.0, dtype), shape)


class SimpleRNNCell(_Gated):
    """`h' = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Shapes: (batch, d) and the state (batch, units) → both (batch, units).
    """

    gates: ClassVar[int] = 1

    def project(self, x: Value) -> Value:
        y = matmul(self._dropped(x, 0), current().read(self._kernel))
        return y + current().read(self._bias) if self._bias is not None else y

    def step(self, x: Value, states: States, constants: Sequence[Value] = ()) -> tuple[Value, States]:
        h = self._function("activation")(x + matmul(self._dropped(states[0], 1), self._w()))
        return h, [h]

    def run(self, x: Value, states: States, mask: Value | None) -> tuple[Value, States]:
        hs = simple_rnn(x, self._w(), states[0], mask)
        return hs, [hs[:, -1]]


class LSTMCell(LSTMFields, _Gated):
    """Long short-term memory (Hochreiter and Schmidhuber 1997): `c' = f c + i tanh(...)`, `h' = o tanh(c')`; gates in the order i, f, c, o.

    Shapes: (batch, d) and two states (batch, units) → all (batch, units).
    """

    gates: ClassVar[int] = 4

    @property
    def state_size(self) -> list[int]:
        return [self.units, self.units]

    def _bias_start(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        return ForgetBias(inner=self.bias_initializer, units=self.units)

    def project(self, x: Value) -> Value:
        y = matmul(self._dropped(x, 0), current().read(self._kernel))
        return y + current().read(self._bias) if self._bias is not None else y

    def step(self, x: Value, states: States, constants: Sequence[Value] = ()) -> tuple[Value, States]:
        h, c = states
        z = x + matmul(self._dropped(h, 1), self._w())
        h, c = lstm.step(z, c, self._function("recurrent_activation"), self._function("activation"))
        return h, [h, c]

    def run(self, x: Value, states: States, mask: Value | None) -> tuple[Value, States]:
        hs, c = lstm.lstm(x, self._w(), *states, mask)
        return hs, [hs[:, -1], c]


class GRUCell(GRUFields, _Gated):
    """Gated recurrent unit (Cho et al. 2014), gates in the order z, r, h: `h' = z h + (1 - z) tanh(...)`.

    With `reset_after` the reset gate multiplies the state's product, else the state (Keras, GRU).
    Shapes: (batch, d) and the state (batch, units) → both (batch, units).
    """

    gates: ClassVar[int] = 3

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def project(self, x: Value) -> Value:
        y = matmul(self._dropped(x, 0), current().read(self._kernel))
        if self._bias is None:
            return y
        bias = current().read(self._bias)
        return y + (bias[0] if self.reset_after else bias)

    def step(self, x: Value, states: States, constants: Sequence[Value] = ()) -> tuple[Value, States]:
        gate, act = self._function("recurrent_activation"), self._function("activation")
        h = states[0]
        h = gru.step(x, h, self._dropped(h, 1), self._w(), self._state_bias(), self.reset_after, gate, act)
        return h, [h]

    def run(self, x: Value, states: States, mask: Value | None) -> tuple[Value, States]:
        hs = gru.gru(x, self._w(), self._state_bias(), states[0], mask, self.reset_after)
        return hs, [hs[:, -1]]

    def _state_bias(self) -> Value | None:
        return current().read(self._bias)[1] if self._bias is not None and self.reset_after else None


class StackedRNNCells(Cell):
    """Cells one on top of the other, as one cell; its states are all of theirs.

    Shapes: (batch, d) and all cells' states → the last cell's result, and all states.
    """

    cells: list[LayerField] = Field(description="The cells, the first one nearest to the input.")

    @property
    def state_size(self) -> list[int]:
        return [s for c in self.cells for s in c.state_size]

    @property
    def output_size(self) -> int:
        return self.cells[-1].output_size

    def sublayers(self) -> Sequence[Layer]:
        return self.cells

    def begin(self, x: Value) -> None:
        for cell in self.cells:
            cell.begin(x)
            x = broadcast_to(constant(0.0, x.dtype), (x.shape[0], cell.output_size))

    def sequence(
        self, x: Value, states: States | None, mask: Value | None = None, constants: Sequence[Value] = (), zero: bool = False, whole: bool = True
    ) -> tuple[Value, States]:
        last: States = []
        for cell in self.cells:
            n = len(cell.state_size)
            own = None if states is None else states[len(last) : len(last) + n]
            x, new = cell.sequence(x, own, mask, constants, zero, whole or cell is not self.cells[-1])
            last += new
        return x, last

    def build(self, input_shape: Shape) -> None:
        width = input_shape[-1]
        for cell in self.cells:
            if not isinstance(cell, Cell):
                raise ShapeError(f"StackedRNNCells takes cells, got {type(cell).__name__}")
            cell.build((input_shape[0], width))
            cell._built = True
            width = cell.output_size

    def step(self, x: Value, states: States, constants: Sequence[Value] = ()) -> tuple[Value, States]:
        new: States = []
        for cell in self.cells:
            own, states = states[: len(cell.state_size)], states[len(cell.state_size) :]
            x, kept = cell.step(cell.project(x), own, constants)
            new += kept
        return x, new
