"""Whole numbers and texts as places in a vocabulary."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from layerctl.layers._encoding import Sparse
from layerctl.layers._vocabulary import MODES, LookupMode, VocabularyLayer
from layerctl.ops.elementwise import FLOATING, apply, cast
from layerctl.ops.hashing import hash_buckets
from layerctl.ops.leaves import constant
from layerctl.ops.lookup import lookup
from layerctl.ops.texts import fingerprint_of, fingerprints, text_buckets, unpacked
from layerctl.ops.value import ShapeError, Value

_LARGEST = "The vocabulary's largest size, mask and unknown entries included."
_UNKNOWN = "Places for unknown entries; with 0 an unknown entry has the place -1."
_KNOWN = "The known entries in their order; mask and unknown entries may stand before them."
_WEIGHTS = "For tf_idf: a weight for each entry of the vocabulary."
_PADDED = "Whether rows of zeros and ones are max_tokens long though the vocabulary is shorter."


class IntegerLookup(VocabularyLayer):
    """The place of each number in a vocabulary: 0 for `mask_token` if there is one, then `num_oov_indices` places for unknown numbers.

    Without `vocabulary` it is made when training begins from the rows of the input before it: the most frequent numbers, as many as
    `max_tokens` has room for. Shapes: (batch, ...) whole numbers → the same (int32), or as CategoryEncoding's; `tf_idf` is count times
    the numbers' weights.
    """

    entries: ClassVar[str] = "numbers"

    max_tokens: int | None = Field(None, gt=1, description=_LARGEST)
    num_oov_indices: int = Field(1, ge=0, description=_UNKNOWN)
    mask_token: int | None = Field(None, description="The number that stands for nothing: place 0, or left out of counts.")
    oov_token: int = Field(-1, description="What `invert` gives for an unknown place.")
    vocabulary: list[int] | None = Field(None, description=_KNOWN)
    vocabulary_dtype: Literal["int64"] = Field("int64", description="Only int64.")
    idf_weights: list[float] | None = Field(None, description=_WEIGHTS)
    invert: bool = Field(False, description="Whether places are turned into numbers.")
    output_mode: LookupMode = Field("int", description=MODES)
    sparse: Sparse = Field(False, description="Only false.")
    pad_to_max_tokens: bool = Field(False, description=_PADDED)
    oov_method: Literal["floormod", "farmhash"] = Field("floormod", description="How unknown numbers share their places.")
    salt: int | list[int] | None = Field(None, description="For farmhash: SipHash's key, two numbers or one for both.")

    @model_validator(mode="after")
    def _consistent(self) -> IntegerLookup:
        if self.salt is not None and (self.oov_method != "farmhash" or (isinstance(self.salt, list) and len(self.salt) != 2)):
            raise ValueError("salt is one number or two, and needs oov_method farmhash")
        self.check()
        return self

    def key_of(self, entry: int) -> int:
        return entry

    def counted(self, rows: Any) -> list[list[int]]:
        import numpy as np

        return np.asarray(rows).astype(np.int64).reshape(len(rows), -1).tolist()

    def call(self, inputs: Value) -> Value:
        x = cast(inputs, "i64") if inputs.dtype in FLOATING else inputs
        if x.dtype not in ("i32", "i64"):
            raise ShapeError(f"IntegerLookup needs whole numbers, got {inputs.dtype}")
        return self._inverted(x) if self.invert else self.placed(x, self._unknown(x))

    def _inverted(self, x: Value) -> Value:
        known = [*self.special(), *self.tokens()]
        wide = any(not -(2**31) <= t < 2**31 for t in [*known, self.oov_token])
        return lookup(x, constant(range(len(known)), "i64"), constant(known, "i64" if wide else "i32"), self.oov_token)

    def _unknown(self, x: Value) -> Value:
        if self.num_oov_indices < 2:
            return constant(0, "i32")
        if self.oov_method == "floormod":
            return cast(apply("mod", x, self.num_oov_indices), "i32")
        return hash_buckets(x, self.num_oov_indices, salted(self.salt))


class StringLookup(VocabularyLayer):
    """The place of each text in a vocabulary: 0 for `mask_token` if there is one, then `num_oov_indices` places for unknown texts.

    Texts are found by their 64-bit fingerprint. Without `vocabulary` it is made when training begins from the rows of the input before it:
    the most frequent texts, as many as `max_tokens` has room for. Shapes: an input of dtype string, (batch, ...) → the same (int32), or as
    CategoryEncoding's.
    """

    entries: ClassVar[str] = "texts"
    takes_text: ClassVar[bool] = True

    max_tokens: int | None = Field(None, gt=1, description=_LARGEST)
    num_oov_indices: int = Field(1, ge=0, description=_UNKNOWN)
    mask_token: str | None = Field(None, description="The text that stands for nothing: place 0, or left out of counts.")
    oov_token: str = Field("[UNK]", description="What stands for unknown texts in a vocabulary.")
    vocabulary: list[str] | None = Field(None, description=_KNOWN)
    idf_weights: list[float] | None = Field(None, description=_WEIGHTS)
    invert: Literal[False] = Field(False, description="Only false: texts are no results of a layer.")
    output_mode: LookupMode = Field("int", description=MODES)
    pad_to_max_tokens: bool = Field(False, description=_PADDED)
    sparse: Sparse = Field(False, description="Only false.")
    encoding: Literal["utf-8"] = Field("utf-8", description="Only utf-8.")
    salt: int | list[int] | None = Field(None, description="For several places for unknown texts: SipHash's key, two numbers or one for both.")

    @model_validator(mode="after")
    def _consistent(self) -> StringLookup:
        if isinstance(self.salt, list) and len(self.salt) != 2:
            raise ValueError("salt is one number or two")
        self.check()
        return self

    def key_of(self, entry: str | bytes) -> int:
        return fingerprint_of(entry)

    def counted(self, rows: Any) -> list[list[str]]:
        flat = [t.decode() for t in unpacked(rows)]
        each = len(flat) // max(len(rows), 1)
        return [flat[i : i + each] for i in range(0, len(flat), max(each, 1))]

    def call(self, inputs: Value) -> Value:
        if inputs.dtype != "u8":
            raise ShapeError(f"StringLookup needs texts (an input's dtype: string), got {inputs.dtype}")
        many = self.num_oov_indices > 1
        return self.placed(fingerprints(inputs), text_buckets(inputs, self.num_oov_indices, salted(self.salt)) if many else constant(0, "i32"))


def salted(salt: int | list[int] | None) -> tuple[int, int] | None:
    """SipHash's key of an argument `salt`."""
    if salt is None:
        return None
    return (salt[0], salt[1]) if isinstance(salt, list) else (salt, salt)
