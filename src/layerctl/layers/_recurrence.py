"""What recurrent layers have in common: a cell carried over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from layerctl.catalogue import snake_case
from layerctl.configured import RegularizerField
from layerctl.layers._cell import Cell
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import cast
from layerctl.ops.slicing import flip
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current, shown


class Recurrent(Layer):
    """A cell over the steps of a sequence; `space` is the number of dimensions between time and features."""

    category: ClassVar[str] = "recurrent"
    supports_masking: ClassVar[bool] = True
    space: ClassVar[int] = 0

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
        if len(input_shape) != self.space + 3:
            form = "(batch, time, features)" if not self.space else f"(batch, time, {self.space} of space, channels)"
            raise ShapeError(f"{type(self).__name__} needs an input of {self.space + 3} dimensions {form}, got {shown(input_shape)}")
        cell = self.the_cell()
        if not cell._built:
            cell.build((input_shape[0], *input_shape[2:]))
            cell._built = True
        if self.stateful:
            for i, shape in enumerate(cell.state_shapes(input_shape[2:])):
                w = self.add_weight(f"state_{i}", (int(input_shape[0]), *shape), "zeros", trainable=False)
                w.flags["stateful"] = True
                self._states.append(w)

    def call(self, sequence: Value, initial_state: Any = None, mask: Value | None = None, constants: Any = None) -> Any:
        states = self._start(sequence, initial_state)
        extra = list(constants) if isinstance(constants, (list, tuple)) else [constants] if constants is not None else []
        mask = cast(mask, "bool") if mask is not None else None
        if self.go_backwards:
            sequence, mask = flip(sequence, [1]), flip(mask, [1]) if mask is not None else None
        result, states = self.the_cell().sequence(sequence, states, mask, extra, self.zero_output_for_mask, self.return_sequences)
        for w, s in zip(self._states, states, strict=False):
            current().update(w, s)
        return [result, *states] if self.return_state else result

    def _start(self, sequence: Value, initial: Any) -> list[Value] | None:
        """The states before the first step; None for zeros."""
        shapes = self.the_cell().state_shapes(sequence.shape[2:])
        if initial is not None:
            states = list(initial) if isinstance(initial, (list, tuple)) else [initial]
            if len(states) != len(shapes):
                raise ShapeError(f"{type(self).__name__} has {len(shapes)} states, but {len(states)} initial states are given")
            for s, shape in zip(states, shapes, strict=True):
                if tuple(map(int, s.shape[1:])) != tuple(map(int, shape)):
                    wanted = ", ".join(str(n) for n in shape)
                    raise ShapeError(f"{type(self).__name__}: an initial state must be (batch, {wanted}), got {shown(s.shape)}")
            return states
        if self._states:
            for w in self._states:
                if w.shape[0] != int(sequence.shape[0]):
                    text = f"was built for batches of {w.shape[0]} rows and keeps their states; got {int(sequence.shape[0])}"
                    raise ShapeError(f"{type(self).__name__} {text}: choose a batch_size that divides the rows")
            return [current().read(w) for w in self._states]
        return None

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        first = mask if self.return_sequences else None
        return [first, *[None] * len(self.the_cell().state_size)] if self.return_state else first


class OwnCell(Recurrent):
    """A recurrent layer whose arguments are those of its cell."""

    cell_class: ClassVar[type[Cell]]

    activity_regularizer: RegularizerField = Field(None, description="Penalty on the result.")
    use_cudnn: bool | str = Field("auto", description="Accepted for Keras's sake.")

    _cell: Any = None

    def the_cell(self) -> Cell:
        if self._cell is None:
            shared = [n for n in self.cell_class.model_fields if n != "name" and n in type(self).model_fields]
            self._cell = self.cell_class(**{n: getattr(self, n) for n in shared})
        return self._cell
