"""Categories without a vocabulary: ids by a hash."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from layerctl.layers._encoding import MODES, OutputMode, Sparse, encode
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply
from layerctl.ops.hashing import cross, hash_buckets
from layerctl.ops.leaves import constant
from layerctl.ops.texts import fingerprint_of, fingerprints, text_buckets
from layerctl.ops.value import ShapeError, Value, shown

_BINS = 2**31 - 1


class Hashing(Layer):
    """`hash(x) mod num_bins`: FarmHash's fingerprint, or SipHash under the key `salt`, of a text or of a number's decimal digits.

    The bins are Keras's. Shapes: (batch, ...) whole numbers, or an input of dtype string, → the same (int32), or as CategoryEncoding's.
    """

    category: ClassVar[str] = "preprocessing"
    takes_text: ClassVar[bool] = True

    num_bins: int = Field(gt=0, le=_BINS, description="How many bins there are, that of `mask_value` included.")
    mask_value: int | str | None = Field(None, description="The number or text that is put into bin 0; the others then share the rest.")
    salt: int | list[int] | None = Field(None, description="SipHash's key: two numbers, or one for both.")
    output_mode: OutputMode = Field("int", description=MODES)
    sparse: Sparse = Field(False, description="Only false.")

    @field_validator("salt")
    @classmethod
    def _two(cls, value: Any) -> Any:
        keys = value if isinstance(value, list) else [value]
        if value is not None and (len(keys) not in (1, 2) or (isinstance(value, list) and len(keys) != 2) or any(not -(2**63) <= k < 2**63 for k in keys)):
            raise ValueError(f"expected a whole number of 64 bits or two of them, got {value!r}")
        return value

    def call(self, inputs: Value) -> Value:
        masked = self.mask_value is not None and self.num_bins > 1
        keys = self.salt if isinstance(self.salt, list) or self.salt is None else [self.salt] * 2
        text, count, key = inputs.dtype == "u8", self.num_bins - int(masked), None if keys is None else (keys[0], keys[1])
        ids = text_buckets(inputs, count, key) if text else hash_buckets(inputs, count, key)
        if masked:
            if isinstance(self.mask_value, str) != text:
                raise ShapeError(f"Hashing: mask_value {self.mask_value!r} is no {'text' if text else 'number'}, the input holds such")
            mask = constant(fingerprint_of(self.mask_value), "i64") if isinstance(self.mask_value, str) else self.mask_value
            ids = apply("where", apply("eq", fingerprints(inputs) if text else inputs, mask), 0, ids + 1)
        return encode(ids, self.output_mode, self.num_bins, "i32" if self.output_mode == "int" else self.compute_dtype, "Hashing")


class HashedCrossing(Layer):
    """Several categories as one: `hash(a, b, ...) mod num_bins`, for numbers that are ids, and texts.

    The bins are Keras's. Shapes: tensors (batch,) or (batch, 1) of whole numbers or texts → the same (int32), or (batch, num_bins) for one_hot.
    """

    category: ClassVar[str] = "preprocessing"
    takes_text: ClassVar[bool] = True

    num_bins: int = Field(gt=0, le=_BINS, description="How many bins there are.")
    output_mode: Literal["int", "one_hot"] = Field("int", description="int: the bin; one_hot: a 1 at the bin.")
    sparse: Sparse = Field(False, description="Only false.")

    @property
    def takes_list(self) -> bool:
        return True

    def call(self, inputs: list[Value]) -> Value:
        inputs = [fingerprints(v) if v.dtype == "u8" else v for v in inputs]
        first = inputs[0]
        if len(inputs) < 2:
            raise ShapeError("HashedCrossing crosses at least two tensors, got one")
        for v in inputs:
            if v.rank > 2 or (v.rank == 2 and v.shape[1] != 1) or tuple(map(int, v.shape)) != tuple(map(int, first.shape)):
                raise ShapeError(f"HashedCrossing needs tensors of one shape, (batch,) or (batch, 1), got {' and '.join(shown(t.shape) for t in inputs)}")
            if v.dtype not in ("i32", "i64"):
                raise ShapeError(f"HashedCrossing needs whole numbers (an input's dtype: int32), got {v.dtype}")
        ids = cross(inputs, self.num_bins)
        return encode(ids, self.output_mode, self.num_bins, "i32" if self.output_mode == "int" else self.compute_dtype, "HashedCrossing")
