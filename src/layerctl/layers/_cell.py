"""What recurrent cells have in common: the step, and the arguments that cells and their layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, PositiveInt

from layerctl.configured import ActivationField, ConstraintField, InitializerField, RegularizerField
from layerctl.initializers.base import Initializer
from layerctl.layers.base import Layer
from layerctl.layers.dropout import Dropped
from layerctl.ops.elementwise import apply, broadcast_to
from layerctl.ops.leaves import constant
from layerctl.ops.recurrent import over_time
from layerctl.ops.reshape import reshape
from layerctl.ops.transpose import swap_axes
from layerctl.ops.unstack import unstack
from layerctl.ops.value import Shape, Value

States = list[Value]


class Cell(Layer):
    """A step of a recurrent layer: `step(x, states)` gives (output, new states).

    `state_size` lists the states' sizes. A cell whose share of the input can be computed for all steps at once has `project`,
    whose result `step` is then given in x's place.
    """

    category: ClassVar[str] = "recurrent"

    @property
    def state_size(self) -> list[int]:
        """The sizes of the states."""
        raise TypeError(f"{type(self).__name__} has no state_size")

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.state_size[0]

    def state_shapes(self, step: Shape) -> list[Shape]:
        """The states' shapes without the batch, for steps of a shape without the batch."""
        return [(n,) for n in self.state_size]

    def begin(self, x: Value) -> None:
        """Before the first step of a call; x is the whole sequence (batch, time, features)."""

    def project(self, x: Value) -> Value:
        """What of a step depends on the input alone."""
        return x

    def step(self, x: Value, states: States, constants: Sequence[Value] = ()) -> tuple[Value, States]:
        """One step."""
        raise TypeError(f"{type(self).__name__} has no step")

    def sequence(
        self, x: Value, states: States | None, mask: Value | None = None, constants: Sequence[Value] = (), zero: bool = False, whole: bool = True
    ) -> tuple[Value, States]:
        """All steps of x (batch, time, features), from zeros if `states` is None: (outputs (batch, time, ...), the last states).

        A step whose mask (batch, time) is false keeps the states; its output is 0 if `zero`, else the one before it.
        Without `whole` the outputs are the last one alone.
        """
        states = self.zero_states(x) if states is None else states
        self.begin(x)
        steps = unstack(swap_axes(self.project(x), 0, 1))
        kept = unstack(swap_axes(mask, 0, 1)) if mask is not None else [None] * len(steps)
        outputs: list[Value] = []
        for at, keep in zip(steps, kept, strict=True):
            output, new = self.step(at, states, constants)
            if keep is not None:
                output = kept_or(keep, output, 0.0 if zero else outputs[-1] if outputs else self.first_output(states))
                new = [kept_or(keep, n, s) for n, s in zip(new, states, strict=True)]
            outputs.append(output)
            states = new
        return over_time(outputs, x) if whole else outputs[-1], states

    def first_output(self, states: States) -> Any:
        """The output of masked steps before the first that is not: the first state, where that is always the output before; else 0."""
        return 0.0

    def zero_states(self, x: Value) -> States:
        """The states before the first step of x (batch, time, features)."""
        return [broadcast_to(constant(0.0, x.dtype), (x.shape[0], *shape)) for shape in self.state_shapes(x.shape[2:])]

    def call(self, inputs: Value, states: Any = None) -> Any:
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        self.begin(inputs)
        output, new = self.step(self.project(inputs), states)
        return [output, *new]


def kept_or(keep: Value, new: Value, old: Any) -> Value:
    """`new` for the rows that a mask (batch,) keeps, `old` for the others."""
    return apply("where", reshape(keep, (keep.shape[0], *[1] * (new.rank - 1))), new, old)


class ForgetBias(Initializer):
    """Another initializer's numbers, but for ones in the second of the gates."""

    inner: Any
    units: int

    def __call__(self, shape: tuple[int, ...], key: int) -> Any:
        out = self.inner(shape, self.inner.key(key))
        out[self.units : 2 * self.units] = 1.0
        return out


class RecurrentFields(Layer):
    """The arguments that cells and their layers share, whatever a step computes."""

    activation: ActivationField = Field("tanh", description="Applied to the candidate.", validate_default=True)
    use_bias: bool = Field(True, description="Whether a bias is added.")
    kernel_initializer: InitializerField = Field("glorot_uniform", description="Fills the input's kernel.", validate_default=True)
    recurrent_initializer: InitializerField = Field("orthogonal", description="Fills the state's kernel.", validate_default=True)
    bias_initializer: InitializerField = Field("zeros", description="Fills the bias.", validate_default=True)
    kernel_regularizer: RegularizerField = Field(None, description="Penalty on the input's kernel.")
    recurrent_regularizer: RegularizerField = Field(None, description="Penalty on the state's kernel.")
    bias_regularizer: RegularizerField = Field(None, description="Penalty on the bias.")
    kernel_constraint: ConstraintField = Field(None, description="Applied to the input's kernel after each step.")
    recurrent_constraint: ConstraintField = Field(None, description="Applied to the state's kernel after each step.")
    bias_constraint: ConstraintField = Field(None, description="Applied to the bias after each step.")
    dropout: Dropped = Field(0.0, description="The share of inputs that is dropped in training, the same at each step.")
    recurrent_dropout: Dropped = Field(0.0, description="The share of the state that is dropped in training.")
    seed: int | None = Field(None, description="The layer's own seed for dropout.")


class GatedFields(RecurrentFields):
    """The arguments of cells whose output is a vector."""

    units: PositiveInt = Field(description="The size of the output.")


class LongMemoryFields(RecurrentFields):
    """What an LSTM of any kind has besides."""

    recurrent_activation: ActivationField = Field("sigmoid", description="Applied to the gates.", validate_default=True)
    unit_forget_bias: bool = Field(True, description="Whether the forget gate's bias starts at 1.")


class LSTMFields(LongMemoryFields, GatedFields):
    """The arguments of an LSTM."""


class GRUFields(GatedFields):
    """What a GRU has besides."""

    recurrent_activation: ActivationField = Field("sigmoid", description="Applied to the gates.", validate_default=True)
    reset_after: bool = Field(True, description="Whether the reset gate comes after the matrix product.")
