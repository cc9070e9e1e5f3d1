"""Ids by a vocabulary, whatever its entries are: the places of mask, unknown and known entries, and their forms as output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from layerctl.layers._encoding import encode
from layerctl.layers.base import Layer
from layerctl.ops.elementwise import apply
from layerctl.ops.leaves import constant
from layerctl.ops.lookup import lookup
from layerctl.ops.value import Shape, Value, Weight, current

_LAST = 2**63 - 1
LookupMode = Literal["int", "one_hot", "multi_hot", "binary", "count", "tf_idf", "tf-idf"]
MODES = "int: the place; one_hot, multi_hot (binary), count: see CategoryEncoding; tf_idf: count times weight."


class VocabularyLayer(Layer):
    """Subclasses have Keras's fields, and say what an entry's key is (int64), which keys a tensor has, and how unknown ones are spread."""

    category: ClassVar[str] = "preprocessing"
    entries: ClassVar[str]

    _keys: Weight
    _places: Weight
    _idf: Weight
    _count: Weight

    def key_of(self, entry: Any) -> int:
        """An entry as the number by which it is found."""
        raise TypeError(f"{type(self).__name__} has no key_of")

    def counted(self, rows: Any) -> list[list[Any]]:
        """The entries of each training row."""
        raise TypeError(f"{type(self).__name__} has no counted")

    def check(self) -> None:
        """Raises:
        ValueError: for arguments that do not go together.
        """
        if getattr(self, "invert", False) and self.mode != "int":
            raise ValueError("invert needs output_mode int")
        if self.idf_weights is not None and self.mode != "tf_idf":
            raise ValueError(f"idf_weights is for output_mode tf_idf, got {self.mode}")
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError("pad_to_max_tokens needs max_tokens")
        if self.vocabulary is None:
            self._check_room()
        else:
            self._check_vocabulary()

    def _check_room(self) -> None:
        if self.max_tokens is None or self.max_tokens <= self.start() or getattr(self, "invert", False):
            raise ValueError(f"without vocabulary, max_tokens of more than {self.start()} says how many places the training rows may fill")
        if self.mode != "int" and not self.pad_to_max_tokens:
            raise ValueError(f"output_mode {self.mode} without vocabulary needs pad_to_max_tokens, so that its size is known")

    def _check_vocabulary(self) -> None:
        tokens = self.tokens()
        repeated = sorted({t for t in tokens if tokens.count(t) > 1}) if len(set(tokens)) < len(tokens) else []
        if not self.vocabulary or repeated:
            raise ValueError(f"the vocabulary must have {self.entries} that differ, got {'none' if not self.vocabulary else f'{repeated[0]} twice'}")
        if (self.mask() is not None and self.mask() in tokens) or (getattr(self, "invert", False) and self.oov_token in tokens):
            raise ValueError(f"mask and unknown {self.entries} stand before the others in the vocabulary, or not at all")
        if self.max_tokens is not None and self.start() + len(tokens) > self.max_tokens:
            raise ValueError(f"the vocabulary has {self.start() + len(tokens)} places, max_tokens is {self.max_tokens}")
        if self.mode == "tf_idf" and len(self.idf_weights or []) != len(self.vocabulary):
            raise ValueError(f"tf_idf needs idf_weights, one for each of the {len(self.vocabulary)} {self.entries} of the vocabulary")

    @property
    def mode(self) -> str:
        """The output mode under its own name."""
        return {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(self.output_mode, self.output_mode)

    @property
    def adapts(self) -> bool:
        return self.vocabulary is None

    def mask(self) -> Any:
        """The entry that stands for nothing, if there is one."""
        return self.mask_token

    def unknowns(self) -> int:
        """How many places there are for unknown entries."""
        return self.num_oov_indices

    def unknown_entry(self) -> Any:
        """What stands for unknown entries in a vocabulary."""
        return self.oov_token

    def masked(self) -> int:
        """How many places stand before those of unknown entries."""
        return int(self.mask() is not None and self.mode == "int")

    def start(self) -> int:
        """The first known entry's place."""
        return self.masked() + self.unknowns()

    def special(self) -> list[Any]:
        """What may stand before the known entries in a vocabulary."""
        return [self.mask()] * self.masked() + [self.unknown_entry()] * self.unknowns()

    def tokens(self) -> list[Any]:
        """The known entries."""
        given, first = list(self.vocabulary or []), self.special()
        return given[len(first) :] if given[: len(first)] == first else given

    def build(self, input_shape: Shape) -> None:
        if self.vocabulary is not None:
            return
        room = int(self.max_tokens or 0) - self.start()
        self._keys = self.add_weight("vocabulary", (room,), "zeros", trainable=False, dtype="i64")
        self._places = self.add_weight("places", (room,), "zeros", trainable=False, dtype="i32")
        self._count = self.add_weight("count", (), "zeros", trainable=False, dtype="i32")
        if self.mode == "tf_idf":
            self._idf = self.add_weight("idf_weights", (int(self.max_tokens or 0),), "zeros", trainable=False, dtype="f32")

    def placed(self, keys: Value, unknown: Value) -> Value:
        """The result for a tensor of keys; `unknown` is the place of each among those for unknown entries."""
        table, places = self._table()
        ids = lookup(keys, table, places, -1)
        if self.unknowns():
            ids = apply("where", ids < 0, unknown + self.masked(), ids)
        if self.mask() is not None:
            ids = apply("where", apply("eq", keys, constant(self.key_of(self.mask()), keys.dtype)), 0 if self.mode == "int" else -1, ids)
        who = type(self).__name__
        if self.mode != "tf_idf":
            return encode(ids, self.mode, self.depth(), "i32" if self.mode == "int" else self.compute_dtype, who)
        weights = constant(self._padded_weights(), self.compute_dtype) if self.vocabulary is not None else current().read(self._idf)
        return encode(ids, "count", self.depth(), self.compute_dtype, who) * weights

    def _table(self) -> tuple[Value, Value]:
        if self.vocabulary is None:
            return current().read(self._keys), current().read(self._places)
        pairs = sorted((self.key_of(t), self.start() + i) for i, t in enumerate(self.tokens()))
        return constant([k for k, _ in pairs], "i64"), constant([p for _, p in pairs], "i32")

    def depth(self) -> int:
        """The size of the vocabulary with mask and unknown entries, or what it is padded to."""
        return int(self.max_tokens or 0) if self.pad_to_max_tokens else self.start() + len(self.tokens())

    def _padded_weights(self) -> list[float]:
        """A weight for each place: unknown entries have the mean."""
        given = list(self.idf_weights or [])
        front = 0 if len(self.tokens()) < len(self.vocabulary) else self.start()
        out = [sum(given) / len(given)] * front + given
        return out + [0.0] * (self.depth() - len(out))

    def adapt(self, rows: Any) -> Mapping[Weight, Any]:
        import numpy as np

        found = self.counted(rows)
        counts: dict[Any, int] = {}
        inside: dict[Any, int] = {}
        for row in found:
            for t in row:
                counts[t] = counts.get(t, 0) + 1
            for t in set(row):
                inside[t] = inside.get(t, 0) + 1
        for t in (self.mask(), self.unknown_entry()):
            counts.pop(t, None)
        chosen = sorted(counts, key=lambda t: (counts[t], t), reverse=True)[: self._keys.shape[0]]
        own = np.array([self.key_of(t) for t in chosen], np.int64)
        order = np.argsort(own, kind="stable")
        keys, places = np.full(self._keys.shape, _LAST), np.full(self._keys.shape, -1)
        keys[: len(own)], places[: len(own)] = own[order], self.start() + order
        out = {self._keys: keys, self._places: places, self._count: len(rows)}
        if self.mode == "tf_idf":
            idf = np.log(1 + len(found) / (1 + np.array([inside[t] for t in chosen], np.float64)))
            front = np.full(self.start(), idf.mean() if len(idf) else 0.0)
            out[self._idf] = np.concatenate([front, idf, np.zeros(len(keys) - len(own))])
        return out

    def adapted(self) -> Weight:
        return self._count
