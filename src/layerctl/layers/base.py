"""The base of all layers: weights by `build`, ops by `call`, masks, and the names under which Keras knows them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator

from layerctl.catalogue import snake_case
from layerctl.configured import Configured, resolve
from layerctl.ops.value import (
    DTYPES,
    NAMES_OF_DTYPES,
    NUMBERS,
    Shape,
    ShapeError,
    Value,
    Weight,
    current,
    origin,
    shown,
)

Shapes = Shape | list[Shape]


class MaskError(ShapeError):
    """A mask reached a layer that cannot take one."""


class Layer(Configured):
    """A step of a model. Its fields are the arguments of Keras's constructor.

    `build(shape)` declares weights once, when the first input's shape is known; `call(x)` composes ops on it. A layer whose `call`
    takes several tensors has `takes_list`. A parameter `mask` of `call` receives the input's mask (with `mask: false` in `from` the
    mask only passes by); further parameters are what Keras passes at the call (`initial_state`, ...). A layer without `mask` in `call`
    hands the mask on if `supports_masking`.
    """

    kind: ClassVar[str] = "layers"
    category: ClassVar[str] = "core"
    supports_masking: ClassVar[bool] = False
    takes_text: ClassVar[bool] = False
    call_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that Keras has as arguments of the call."""

    name: str | None = Field(None, description="The layer's name; its type in snake_case if not given.")
    trainable: bool = Field(True, description="Whether training changes its weights.")
    dtype: str | None = Field(None, description="float32 (default) or float64.")

    @property
    def takes_list(self) -> bool:
        """Whether `call` takes a list of tensors."""
        return False

    _weights: list[Weight] = PrivateAttr(default_factory=list)
    _built: bool = PrivateAttr(default=False)
    _path: str = PrivateAttr(default="")

    @field_validator("dtype")
    @classmethod
    def _known_dtype(cls, value: str | None) -> str | None:
        if value in ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16"):
            raise ValueError(f"half precision ({value}) is not computed with here; use float32")
        if value is not None and value not in NUMBERS:
            raise ValueError(f"expected one of {', '.join(NUMBERS)}, got {value!r}")
        return value

    def build(self, input_shape: Any) -> None:
        """Declares the weights. `input_shape` has the batch first; a list of shapes for layers that take several tensors."""

    def call(self, inputs: Any) -> Any:
        """The layer's result for its input, composed of ops."""
        raise TypeError(f"{type(self).__name__} has no call")

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The result's mask; the input's mask by default."""
        return mask

    @property
    def adapts(self) -> bool:
        """Whether it takes state from the training rows: then `adapt` and `adapted` are there, and it stands behind an input."""
        return False

    def adapt(self, rows: Any) -> Mapping[Weight, Any]:
        """The weights' values for all training rows (an array) of the input before it."""
        raise TypeError(f"{type(self).__name__} does not adapt")

    def adapted(self) -> Weight:
        """The weight that counts the rows it was adapted to; 0 before."""
        raise TypeError(f"{type(self).__name__} does not adapt")

    def sublayers(self) -> Sequence[Layer]:
        """Layers inside of this one, in the order of their weights."""
        return ()

    @property
    def compute_dtype(self) -> str:
        """The dtype of weights and results (`f32`)."""
        return NAMES_OF_DTYPES[self.dtype or "float32"]

    @property
    def path(self) -> str:
        """Its unique name in the model: names of the layers around it and its own, joined by slashes."""
        return self._path or self.name or snake_case(type(self).__name__)

    def place(self, path: str) -> None:
        """Gives the layer, and the layers inside, their paths. Before it is built."""
        self._path = path
        names: set[str] = set()
        for layer in self.sublayers():
            name = unique(layer.name or snake_case(type(layer).__name__), names)
            layer.place(f"{path}/{name}")

    def add_weight(
        self,
        name: str,
        shape: Sequence[int],
        initializer: Any = "glorot_uniform",
        *,
        trainable: bool = True,
        dtype: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Weight:
        """Declares a weight and returns it.

        Raises:
            ShapeError: if the shape has an open dimension, or is none that the initializer fills.
        """
        for d in shape:
            if d is None or type(d) is not int:
                raise ShapeError(
                    f"the weight {name} would have the open shape {shown(shape)}: give that dimension a number in the input's shape"
                )
        made = resolve("initializers", initializer)
        try:
            made.check(tuple(shape))
        except ValueError as error:
            raise ShapeError(f"the weight '{name}': {error}") from error
        weight = Weight(
            f"{self.path}/{name}", tuple(shape), dtype or self.compute_dtype, made,
            trainable, regularizer, constraint,
        )  # fmt: skip
        self._weights.append(weight)
        return weight

    def weights(self) -> list[Weight]:
        """All weights of the layer and those inside it, in the order in which they were declared."""
        return [*self._weights, *(w for layer in self.sublayers() for w in layer.weights())]

    def is_trainable(self, weight: Weight) -> bool:
        """Whether training changes a weight of this layer."""
        if not self.trainable or not weight.trainable:
            return False
        return all(layer.is_trainable(weight) for layer in self.sublayers() if weight in layer.weights())

    def __call__(self, inputs: Any, **extra: Any) -> Any:
        """Builds the layer at the first call, checks the mask, and composes its ops in the current trace."""
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if self.takes_list and not isinstance(inputs, (list, tuple)):
            raise ShapeError(f"{type(self).__name__} takes several tensors, got one: list them in `from`")
        if not self.takes_list and isinstance(inputs, (list, tuple)) and len(inputs) == 1:
            inputs = inputs[0]
        if not self.takes_text and any(getattr(v, "dtype", "") == "u8" for v in tensors):
            raise ShapeError(f"{type(self).__name__} cannot take texts: put TextVectorization, StringLookup or Hashing behind the input")
        with origin(self.path):
            if not self._built:
                self.build([v.shape for v in inputs] if isinstance(inputs, (list, tuple)) else inputs.shape)
                self._built = True
            masks = [getattr(v, "mask", None) for v in tensors]
            masked = any(m is not None for m in masks)
            if masked and not self.supports_masking:
                raise MaskError(f"{type(self).__name__} cannot take the mask that comes with its input")
            mask = (masks if isinstance(inputs, (list, tuple)) else masks[0]) if masked else None
            if extra.get("mask") is False:
                extra["mask"], kept = None, mask
            else:
                if "mask" in call_arguments(type(self)) and "mask" not in extra:
                    extra["mask"] = mask
                kept = extra.get("mask", mask)
            result = self.call(inputs, **extra)
            self._finish(inputs, kept, result)
        return result

    def _finish(self, inputs: Any, mask: Any, result: Any) -> None:
        regularizer = getattr(self, "activity_regularizer", None)
        outputs = result if isinstance(result, (list, tuple)) else [result]
        if regularizer is not None:
            for v in outputs:
                current().losses.append(regularizer(v) / float(int(v.shape[0])))
        out_mask = self.compute_mask(inputs, mask)
        many = out_mask if isinstance(out_mask, (list, tuple)) else [out_mask]
        for v, m in zip(outputs, [*many, *[None] * len(outputs)], strict=False):
            if m is not None or v not in _tensors(inputs):
                v.mask = m


def _tensors(inputs: Any) -> list[Value]:
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


_ARGUMENTS: dict[type, tuple[str, ...]] = {}


def no_mask(self: Layer, inputs: Any, mask: Any) -> None:
    """The `compute_mask` of a layer that takes a mask and hands none on."""


def call_arguments(layer: type[Layer]) -> tuple[str, ...]:
    """The names of `call`'s parameters: the tensors' first, then what a file may pass in `from`."""
    if layer not in _ARGUMENTS:
        call: Callable = layer.call
        _ARGUMENTS[layer] = tuple(inspect.signature(call).parameters)[1:]
    return _ARGUMENTS[layer]


def unique(name: str, taken: set[str]) -> str:
    """The name, with _1, _2, ... behind it where it is taken; notes it as taken."""
    out, n = name, 0
    while out in taken:
        n += 1
        out = f"{name}_{n}"
    taken.add(out)
    return out


def training() -> bool:
    """Whether the current trace is one for training."""
    return current().training


def keras_dtype(dtype: str) -> str:
    """`f32` as `float32`."""
    return DTYPES[dtype]
