"""Whole numbers as places in a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from layerctl.layers._encoding import Sparse, encode
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import FLOATING, apply, cast
from layerctl.ops.hashing import hash_buckets
from layerctl.ops.leaves import constant
from layerctl.ops.lookup import lookup
from layerctl.ops.value import Shape, ShapeError, Value, Weight, current

_LAST = 2**63 - 1


class IntegerLookup(Layer):
    """The place of each number in a vocabulary: 0 for `mask_token` if there is one, then `num_oov_indices` places for unknown numbers.

    Without `vocabulary` it is made when training begins from the rows of the input before it: the most frequent numbers, as many as
    `max_tokens` has room for. Shapes: (batch, ...) whole numbers → the same (int32), or as CategoryEncoding's; `tf_idf` is count times
    the numbers' weights.
    """

    category: ClassVar[str] = "preprocessing"

    max_tokens: int | None = Field(None, gt=1, description="The vocabulary's largest size, mask and unknown numbers included.")
    num_oov_indices: int = Field(1, ge=0, description="Places for unknown numbers; with 0 an unknown number has the place -1.")
    mask_token: int | None = Field(None, description="The number that stands for nothing: place 0, or left out of counts.")
    oov_token: int = Field(-1, description="What `invert` gives for an unknown place.")
    vocabulary: list[int] | None = Field(None, description="The known numbers in their order; mask and unknown numbers may stand before them.")
    vocabulary_dtype: Literal["int64"] = Field("int64", description="Only int64.")
    idf_weights: list[float] | None = Field(None, description="For tf_idf: a weight for each number of the vocabulary.")
    invert: bool = Field(False, description="Whether places are turned into numbers.")
    output_mode: Literal["int", "one_hot", "multi_hot", "binary", "count", "tf_idf", "tf-idf"] = Field(
        "int", description="int: the place; one_hot, multi_hot (binary), count: see CategoryEncoding; tf_idf: count times weight."
    )
    sparse: Sparse = Field(False, description="Only false.")
    pad_to_max_tokens: bool = Field(False, description="Whether rows of zeros and ones are max_tokens long though the vocabulary is shorter.")
    oov_method: Literal["floormod", "farmhash"] = Field("floormod", description="How unknown numbers share their places.")
    salt: int | list[int] | None = Field(None, description="For farmhash: SipHash's key, two numbers or one for both.")

    _keys: Weight
    _places: Weight
    _idf: Weight
    _count: Weight

    @model_validator(mode="after")
    def _consistent(self) -> IntegerLookup:
        if self.invert and self.mode != "int":
            raise ValueError("invert needs output_mode int")
        if self.salt is not None and (self.oov_method != "farmhash" or (isinstance(self.salt, list) and len(self.salt) != 2)):
            raise ValueError("salt is one number or two, and needs oov_method farmhash")
        if self.idf_weights is not None and self.mode != "tf_idf":
            raise ValueError(f"idf_weights is for output_mode tf_idf, got {self.mode}")
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError("pad_to_max_tokens needs max_tokens")
        self._check_vocabulary()
        return self

    def _check_vocabulary(self) -> None:
        if self.vocabulary is None:
            if self.max_tokens is None or self.max_tokens <= self._start() or self.invert:
                raise ValueError(f"without vocabulary, max_tokens of more than {self._start()} says how many places the training rows may fill")
            if self.mode != "int" and not self.pad_to_max_tokens:
                raise ValueError(f"output_mode {self.mode} without vocabulary needs pad_to_max_tokens, so that its size is known")
            return
        tokens = self._tokens()
        repeated = sorted({t for t in tokens if tokens.count(t) > 1}) if len(set(tokens)) < len(tokens) else []
        if not self.vocabulary or repeated:
            raise ValueError(f"the vocabulary must have numbers that differ, got {'none' if not self.vocabulary else f'{repeated[0]} twice'}")
        if (self.mask_token is not None and self.mask_token in tokens) or (self.invert and self.oov_token in tokens):
            raise ValueError("mask and unknown numbers stand before the others in the vocabulary, or not at all")
        if self.max_tokens is not None and self._start() + len(tokens) > self.max_tokens:
            raise ValueError(f"the vocabulary has {self._start() + len(tokens)} places, max_tokens is {self.max_tokens}")
        if self.mode == "tf_idf" and len(self.idf_weights or []) != len(self.vocabulary):
            raise ValueError(f"tf_idf needs idf_weights, one for each of the {len(self.vocabulary)} numbers of the vocabulary")

    @property
    def mode(self) -> str:
        """The output mode under its own name."""
        return {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(self.output_mode, self.output_mode)

    @property
    def adapts(self) -> bool:
        return self.vocabulary is None

    def _masked(self) -> int:
        """How many places stand before those of unknown numbers."""
        return int(self.mask_token is not None and self.mode == "int")

    def _start(self) -> int:
        """The first known number's place."""
        return self._masked() + self.num_oov_indices

    def _special(self) -> bool:
        """Whether the vocabulary begins with mask and unknown numbers."""
        first = [self.mask_token] * self._masked() + [self.oov_token] * self.num_oov_indices
        return (self.vocabulary or [])[: len(first)] == first

    def _tokens(self) -> list[int]:
        return (self.vocabulary or [])[self._start() if self._special() else 0 :]

    def build(self, input_shape: Shape) -> None:
        if self.vocabulary is not None:
            return
        room = int(self.max_tokens or 0) - self._start()
        self._keys = self.add_weight("vocabulary", (room,), "zeros", trainable=False, dtype="i64")
        self._places = self.add_weight("places", (room,), "zeros", trainable=False, dtype="i32")
        self._count = self.add_weight("count", (), "zeros", trainable=False, dtype="i32")
        if self.mode == "tf_idf":
            self._idf = self.add_weight("idf_weights", (int(self.max_tokens or 0),), "zeros", trainable=False, dtype="f32")

    def call(self, inputs: Value) -> Value:
        x = cast(inputs, "i64") if inputs.dtype in FLOATING else inputs
        if x.dtype not in ("i32", "i64"):
            raise ShapeError(f"IntegerLookup needs whole numbers, got {inputs.dtype}")
        if self.invert:
            return self._inverted(x)
        keys, places = self._table()
        ids = lookup(x, keys, places, -1)
        if self.num_oov_indices:
            ids = apply("where", ids < 0, self._unknown(x) + self._masked(), ids)
        if self.mask_token is not None:
            ids = apply("where", apply("eq", x, self.mask_token), 0 if self.mode == "int" else -1, ids)
        if self.mode != "tf_idf":
            return encode(ids, self.mode, self._depth(), "i32" if self.mode == "int" else self.compute_dtype, "IntegerLookup")
        weights = constant(self._padded_weights(), self.compute_dtype) if self.vocabulary is not None else current().read(self._idf)
        return encode(ids, "count", self._depth(), self.compute_dtype, "IntegerLookup") * weights

    def _table(self) -> tuple[Value, Value]:
        if self.vocabulary is None:
            return current().read(self._keys), current().read(self._places)
        pairs = sorted((t, self._start() + i) for i, t in enumerate(self._tokens()))
        return constant([t for t, _ in pairs], "i64"), constant([p for _, p in pairs], "i32")

    def _inverted(self, x: Value) -> Value:
        tokens, first = self._tokens(), [self.mask_token] * self._masked()
        known = [*first, *[self.oov_token] * self.num_oov_indices, *tokens]
        wide = any(not -(2**31) <= int(t or 0) < 2**31 for t in [*known, self.oov_token])
        return lookup(x, constant(range(len(known)), "i64"), constant(known, "i64" if wide else "i32"), self.oov_token)

    def _unknown(self, x: Value) -> Value | int:
        """The place of each number among those for unknown ones."""
        n = self.num_oov_indices
        if n == 1:
            return constant(0, "i32")
        if self.oov_method == "floormod":
            return cast(apply("mod", x, n), "i32")
        key = None if self.salt is None else tuple(self.salt) if isinstance(self.salt, list) else (self.salt, self.salt)
        return hash_buckets(x, n, key)

    def _depth(self) -> int:
        return int(self.max_tokens or 0) if self.pad_to_max_tokens else self._start() + len(self._tokens())

    def _padded_weights(self) -> list[float]:
        """A weight for each place: unknown numbers have the mean."""
        given = list(self.idf_weights or [])
        front = 0 if self._special() else self._start()
        out = [sum(given) / len(given)] * front + given
        return out + [0.0] * (self._depth() - len(out))

    def adapt(self, rows: Any) -> Mapping[Weight, Any]:
        import numpy as np

        values = np.asarray(rows).astype(np.int64).reshape(len(rows), -1)
        tokens, counts = np.unique(values, return_counts=True)
        special = [t for t in (self.mask_token, self.oov_token) if t is not None]
        kept = ~np.isin(tokens, special)
        order = np.lexsort((tokens[kept], counts[kept]))[::-1][: len(range(*self._keys.shape))]
        chosen = tokens[kept][order]
        by_key = np.argsort(chosen, kind="stable")
        keys, places = np.full(self._keys.shape, _LAST), np.full(self._keys.shape, -1)
        keys[: len(chosen)], places[: len(chosen)] = chosen[by_key], self._start() + by_key
        out = {self._keys: keys, self._places: places, self._count: len(rows)}
        if self.mode == "tf_idf":
            inside = np.array([(values == t).any(1).sum() for t in chosen], np.float64)
            idf = np.log(1 + len(values) / (1 + inside))
            out[self._idf] = np.pad(np.pad(idf, (self._start(), 0), constant_values=idf.mean()), (0, len(keys) - len(chosen)))
        return out

    def adapted(self) -> Weight:
        return self._count
