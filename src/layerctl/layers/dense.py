"""Matrix products with a bias and an activation."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, PositiveInt, field_validator

from layerctl.layers._weighted import KernelFields
from layerctl.layers.base import no_mask
from layerctl.ops.einsum import einsum, split_equation
from layerctl.ops.matmul import matmul
from layerctl.ops.value import Shape, ShapeError, Value, current, shown


class Dense(KernelFields):
    """`y = activation(x @ kernel + bias)` over the last dimension.

    Shapes: (batch, ..., d) → (batch, ..., units); kernel (d, units), bias (units,).
    """

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True

    units: PositiveInt = Field(description="The size of the result's last dimension.")

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise ShapeError(f"Dense needs an input of at least 2 dimensions (batch first), got {len(input_shape)}")
        self.add_kernel((input_shape[-1], self.units))
        self.add_bias((self.units,))

    def call(self, inputs: Value) -> Any:
        if inputs.shape[-1] != self._kernel.shape[0]:
            raise ShapeError(
                f"Dense was built for inputs whose last dimension is {self._kernel.shape[0]}, got {inputs.shape[-1]}"
            )
        return self.activated(self.biased(matmul(inputs, current().read(self._kernel))))


class EinsumDense(KernelFields):
    """`y = activation(einsum(equation, x, kernel) + bias)`: a product of any form, such as `abc,cde->abde`.

    `...` stands for dimensions that are kept. Shapes: as the equation says; `output_shape` gives the sizes behind the batch, null
    where they are the input's; `bias_axes` are the letters of the result along which the bias lies.
    """

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True
    compute_mask: ClassVar[Any] = no_mask

    equation: str = Field(description="The product in Einstein's notation: `input,kernel->result`.")
    output_shape: int | list[int | None] = Field(description="The result's sizes without the batch.")
    bias_axes: str | None = Field(None, description="The result's letters that the bias has; no bias if not given.")

    @field_validator("output_shape", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value

    def build(self, input_shape: Shape) -> None:
        sizes = self._sizes(input_shape)
        inputs, kernel, result = split_equation(self.equation, "EinsumDense")
        self.add_kernel(tuple(sizes[c] for c in kernel))
        if self.bias_axes and self.use_bias:
            unknown = [c for c in self.bias_axes if c not in result]
            if unknown:
                raise ShapeError(f"EinsumDense: bias_axes '{self.bias_axes}' has '{unknown[0]}', which is not in the result '{result}'")
            first = min(result.index(c) for c in self.bias_axes)
            shape = [sizes[c] if c in self.bias_axes else 1 for c in result[first:].replace(".", "")]
            behind = len(input_shape) - len(inputs.replace("...", "")) if "..." in result[first:] else 0
            self.add_bias((*shape, *[1] * behind))

    def _sizes(self, input_shape: Shape) -> dict[str, int]:
        """The size of each letter of the equation."""
        inputs, kernel, result = split_equation(self.equation, "EinsumDense")
        wanted = [self.output_shape] if isinstance(self.output_shape, int) else list(self.output_shape)
        sizes = _letters(inputs, input_shape, "the input")
        free = len(input_shape) - len(inputs.replace("...", ""))
        shape = [None, *wanted] if "..." not in result or result.index("...") else [*[None] * free, *wanted]
        if "..." in result and result.index("...") and len(shape) != len(result) - 3 + free:
            raise ShapeError(f"EinsumDense: output_shape {wanted} does not fit '{result}' for an input of shape {shown(input_shape)}")
        if "..." in result and not result.index("..."):
            shape = [None] * (len(result) - 3 + free - len(wanted)) + wanted
        for c, n in _letters(result, tuple(shape), "output_shape").items():
            if n is not None and c in sizes and sizes[c] is not None and int(sizes[c]) != int(n):
                raise ShapeError(f"EinsumDense: output_shape says {n} for '{c}', the input has {sizes[c]}")
            sizes[c] = sizes.get(c) if sizes.get(c) is not None else n
        for c in kernel:
            if sizes.get(c) is None:
                raise ShapeError(f"EinsumDense: the size of '{c}' in '{self.equation}' follows neither from the input nor from output_shape")
        return sizes

    def call(self, inputs: Value) -> Any:
        return self.activated(self.biased(einsum(self.equation, inputs, current().read(self._kernel))))


def _letters(term: str, shape: tuple[Any, ...], what: str) -> dict[str, Any]:
    """The sizes of a term's letters in a shape."""
    before, dots, after = term.partition("...")
    fixed = len(before) + len(after)
    if len(shape) < fixed or (not dots and len(shape) != fixed):
        raise ShapeError(f"EinsumDense: '{term}' does not fit {what} of {len(shape)} dimensions")
    return {**dict(zip(before, shape, strict=False)), **dict(zip(after, shape[len(shape) - len(after) :], strict=True))}
