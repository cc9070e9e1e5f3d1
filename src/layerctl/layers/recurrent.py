"""Recurrent layers: a cell carried over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from layerctl.catalogue import snake_case
from layerctl.configured import LayerField, RegularizerField
from layerctl.layers._cell import Cell, GatedFields, GRUFields, LSTMFields
from layerctl.layers.base import Layer
from layerctl.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from layerctl.ops.concat import stack
from layerctl.ops.elementwise import apply, broadcast_to
from layerctl.ops.leaves import constant
from layerctl.ops.reshape import expand_dims
from layerctl.ops.transpose import swap_axes
from layerctl.ops.unstack import unstack
from layerctl.ops.value import Shape, ShapeError, Unknown, Value, Weight, current, shown


class _Recurrent(Layer):
    category: ClassVar[str] = "recurrent"
    supports_masking: ClassVar[bool] = True

    return_sequences: bool = Field(False, description="Whether the result has every step's output, or the last one's.")
    return_state: bool = Field(False, description="Whether the last states are results too.")
    go_backwards: bool = Field(False, description="Whether the sequence is read from its end; the result is in that order.")
    stateful: bool = Field(False, description="Whether a batch starts from the states that the one before it ended with.")
    unroll: bool = Field(False, description="Accepted: how the loop is run is the compiler's business.")
    zero_output_for_mask: bool = Field(False, description="Whether masked steps give 0, not the output before them.")

    _states: list[Weight] = PrivateAttr(default_factory=list)

    def the_cell(self) -> Cell:
        """The cell that is carried along."""
        raise TypeError(f"{type(self).__name__} has no cell")

    def sublayers(self) -> Sequence[Layer]:
        return [self.the_cell()]

    def place(self, path: str) -> None:
        self._path = path
        cell = self.the_cell()
        cell.place(f"{path}/{cell.name or snake_case(type(cell).__name__)}")

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 3:
            raise ShapeError(f"{type(self).__name__} needs an input of 3 dimensions (batch, time, features), got {shown(input_shape)}")
        cell = self.the_cell()
        if not cell._built:
            cell.build((input_shape[0], input_shape[2]))
            cell._built = True
        if self.stateful:
            for i, size in enumerate(cell.state_size):
                w = self.add_weight(f"state_{i}", (int(input_shape[0]), size), "zeros", trainable=False)
                w.flags["stateful"] = True
                self._states.append(w)

    def call(self, sequence: Value, initial_state: Any = None, mask: Value | None = None, constants: Any = None) -> Any:
        cell, batch, steps = self.the_cell(), sequence.shape[0], int(sequence.shape[1])
        states = self._start(cell, sequence, initial_state)
        extra = list(constants) if isinstance(constants, (list, tuple)) else [constants] if constants is not None else []
        cell.begin(sequence)
        projected = unstack(swap_axes(cell.project(sequence), 0, 1))
        kept = [expand_dims(m, -1) for m in unstack(swap_axes(mask, 0, 1))] if mask is not None else [None] * steps
        order = range(steps - 1, -1, -1) if self.go_backwards else range(steps)
        outputs: list[Value] = []
        zero = broadcast_to(constant(0.0, sequence.dtype), (batch, cell.output_size))
        for t in order:
            output, new = cell.step(projected[t], states, extra)
            keep = kept[t]
            if keep is not None:
                before = outputs[-1] if outputs and not self.zero_output_for_mask else zero
                output = apply("where", keep, output, before)
                new = [apply("where", keep, n, s) for n, s in zip(new, states, strict=True)]
            outputs.append(output)
            states = new
        for w, s in zip(self._states, states, strict=False):
            current().update(w, s)
        result = self._sequence(outputs, sequence.shape[1]) if self.return_sequences else outputs[-1]
        return [result, *states] if self.return_state else result

    def _sequence(self, outputs: list[Value], steps: int) -> Value:
        out = swap_axes(stack(outputs, 0), 0, 1)
        if isinstance(steps, Unknown):
            from layerctl.ops.reshape import reshape

            out = reshape(out, (out.shape[0], steps, *out.shape[2:]))
        return out

    def _start(self, cell: Cell, sequence: Value, initial: Any) -> list[Value]:
        sizes = cell.state_size
        if initial is not None:
            states = list(initial) if isinstance(initial, (list, tuple)) else [initial]
            if len(states) != len(sizes):
                raise ShapeError(f"{type(self).__name__} has {len(sizes)} states, but {len(states)} initial states are given")
            for s, n in zip(states, sizes, strict=True):
                if s.rank != 2 or int(s.shape[-1]) != n:
                    raise ShapeError(f"{type(self).__name__}: an initial state must be (batch, {n}), got {shown(s.shape)}")
            return states
        if self._states:
            for w in self._states:
                if w.shape[0] != int(sequence.shape[0]):
                    text = f"was built for batches of {w.shape[0]} rows and keeps their states; got {int(sequence.shape[0])}"
                    raise ShapeError(f"{type(self).__name__} {text}: choose a batch_size that divides the rows")
            return [current().read(w) for w in self._states]
        return [broadcast_to(constant(0.0, sequence.dtype), (sequence.shape[0], n)) for n in sizes]

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        first = mask if self.return_sequences else None
        return [first, *[None] * len(self.the_cell().state_size)] if self.return_state else first


class RNN(_Recurrent):
    """Any cell (one that is built in, one defined in the file, or a list of them) carried over the steps of a sequence.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell: LayerField | list[LayerField] = Field(description="The cell, or cells one on top of the other.")

    _stack: Any = None

    def the_cell(self) -> Cell:
        if isinstance(self.cell, list):
            if self._stack is None:
                self._stack = StackedRNNCells(cells=self.cell)
            return self._stack
        return self.cell


class _Own(_Recurrent):
    cell_class: ClassVar[type[Cell]]

    activity_regularizer: RegularizerField = Field(None, description="Penalty on the result.")
    use_cudnn: bool | str = Field("auto", description="Accepted for Keras's sake.")

    _cell: Any = None

    def the_cell(self) -> Cell:
        if self._cell is None:
            shared = [n for n in self.cell_class.model_fields if n != "name" and n in type(self).model_fields]
            self._cell = self.cell_class(**{n: getattr(self, n) for n in shared})
        return self._cell


class SimpleRNN(_Own, GatedFields):
    """`h' = activation(x @ kernel + h @ recurrent_kernel + bias)` over the steps of a sequence.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell_class: ClassVar[type[Cell]] = SimpleRNNCell


class LSTM(_Own, LSTMFields):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over the steps of a sequence; gates in the order i, f, c, o.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell_class: ClassVar[type[Cell]] = LSTMCell


class GRU(_Own, GRUFields):
    """Gated recurrent units (Cho et al. 2014) over the steps of a sequence; gates in the order z, r, h.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell_class: ClassVar[type[Cell]] = GRUCell
