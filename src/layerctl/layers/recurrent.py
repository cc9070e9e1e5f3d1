"""Recurrent layers: a cell carried over the steps of a sequence."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from layerctl.configured import LayerField
from layerctl.layers._cell import Cell, GatedFields, GRUFields, LSTMFields
from layerctl.layers._recurrence import OwnCell, Recurrent
from layerctl.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells


class RNN(Recurrent):
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


class SimpleRNN(OwnCell, GatedFields):
    """`h' = activation(x @ kernel + h @ recurrent_kernel + bias)` over the steps of a sequence.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell_class: ClassVar[type[Cell]] = SimpleRNNCell


class LSTM(OwnCell, LSTMFields):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) over the steps of a sequence; gates in the order i, f, c, o.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell_class: ClassVar[type[Cell]] = LSTMCell


class GRU(OwnCell, GRUFields):
    """Gated recurrent units (Cho et al. 2014) over the steps of a sequence; gates in the order z, r, h.

    Shapes: (batch, time, features) → (batch, units), or (batch, time, units) with return_sequences.
    """

    cell_class: ClassVar[type[Cell]] = GRUCell
