"""An expression as a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator

from layerctl.diagnostics import LayerctlError, Span, did_you_mean
from layerctl.expressions.evaluate import evaluate
from layerctl.expressions.functions import functions
from layerctl.expressions.mistakes import UnknownWord, nearest
from layerctl.expressions.parse import parse
from layerctl.layers.base import Layer, training
from layerctl.ops.reshape import Reshape
from layerctl.ops.value import ShapeError, Value


class Lambda(Layer):
    """An expression of `x`, in Python's syntax with the functions of keras.ops: `Lambda: "tanh(x) * 2"`.

    It is parsed, never run as code, and differentiated like any layer. Several tensors are x[0], x[1], ...
    Shapes: as the expression says.
    """

    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = True

    function: str | int | float = Field(description="The expression.")
    output_shape: list[int | None] | None = Field(None, description="Checked against the result, without the batch.")
    mask: Literal["none"] | None = Field(None, description="The input's mask is handed on if not given; with none the result has no mask.")
    arguments: dict[str, Any] | None = Field(None, description="Further names that the expression may use.")

    _tree: Any = PrivateAttr(default=None)

    @field_validator("function")
    @classmethod
    def _parses(cls, value: Any) -> Any:
        try:
            tree = parse(str(value))
        except LayerctlError as error:
            first = error.diagnostics[0]
            raise ValueError(first.message + (f"; {first.hint}" if first.hint else "")) from error
        for f in tree.functions():
            if f not in functions():
                raise UnknownWord(f"there is no function '{f}'{nearest(f, functions())}", f, "unknown-function")
        return str(value)

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self._tree = parse(str(self.function))
        names = {*(self._tree.arguments or ("x",)), *(self.arguments or {}), "training", "True", "False", "None", "mask"}
        for n in self._tree.names():
            if n not in names:
                raise UnknownWord(f"the expression uses '{n}', which is not defined{did_you_mean(n, names)}", n, "unknown-name")

    def keep_places(self, spans: Mapping[str, Span]) -> None:
        self._tree = parse(str(self.function), spans.get("function"))

    @property
    def takes_list(self) -> bool:
        return False

    def call(self, inputs: Any) -> Any:
        first = (self._tree.arguments or ("x",))[0]
        result = evaluate(self._tree, {first: inputs, **(self.arguments or {}), "training": training(), "mask": None}, functions())
        if isinstance(result, (list, tuple)) and result and all(isinstance(r, Value) for r in result) and self.output_shape is None:
            return list(result)
        if not isinstance(result, Value):
            raise ShapeError(f"Lambda: the result is no tensor, but {result!r}")
        if self.output_shape is not None:
            got = tuple(result.shape[1:])
            if len(got) != len(self.output_shape) or any(a is not None and a != int(b) for a, b in zip(self.output_shape, got, strict=True)):
                raise ShapeError(f"Lambda: output_shape is {tuple(self.output_shape)}, but a row of the result has {got}")
        if self.mask == "none" and any(result is v for v in (inputs if isinstance(inputs, (list, tuple)) else [inputs])):
            return Reshape.apply(result, shape=result.shape)  # a tensor of its own: the input keeps its mask
        return result

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return None if self.mask == "none" else mask
