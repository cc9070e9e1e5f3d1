"""Texts as rows of token ids, or as what their tokens count."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from layerctl.layers._encoding import Sparse
from layerctl.layers._vocabulary import MODES, LookupMode, VocabularyLayer
from layerctl.ops.leaves import constant
from layerctl.ops.reshape import reshape
from layerctl.ops.texts import fingerprint_of, tokens, unpacked
from layerctl.ops.value import ShapeError, Value, shown

MARKS = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
_MOST = 8


class TextVectorization(VocabularyLayer):
    """Texts cut into tokens, and each token's place in a vocabulary: 0 behind the last token, 1 for unknown ones (counts have no place 0).

    Lower case and marks are those of ASCII, as in Keras. Without `vocabulary` it is made when training begins from the rows of the input
    before it: the most frequent tokens, as many as `max_tokens` has room for. Shapes: an input of dtype string, (batch,) or (batch, 1), →
    (batch, output_sequence_length) int32, or (batch, size of the vocabulary); with `split: null` (batch, n), each text a token.
    """

    entries: ClassVar[str] = "tokens"
    takes_text: ClassVar[bool] = True

    max_tokens: int | None = Field(None, gt=1, description="The vocabulary's largest size, the places of padding and unknown tokens included.")
    standardize: Literal["lower_and_strip_punctuation", "lower", "strip_punctuation"] | None = Field(
        "lower_and_strip_punctuation", description="What is done to a text before it is cut."
    )
    split: Literal["whitespace", "character"] | None = Field("whitespace", description="Where a text is cut.")
    ngrams: PositiveInt | list[PositiveInt] | None = Field(None, description="Runs of up to so many tokens, or of each of these numbers of tokens.")
    output_mode: LookupMode = Field("int", description=MODES)
    output_sequence_length: PositiveInt | None = Field(None, description="For int: how many ids a row has.")
    pad_to_max_tokens: bool = Field(False, description="Whether rows of zeros and ones are max_tokens long though the vocabulary is shorter.")
    vocabulary: list[str] | None = Field(None, description="The known tokens in their order; '' and [UNK] may stand before them.")
    idf_weights: list[float] | None = Field(None, description="For tf_idf: a weight for each token of the vocabulary.")
    sparse: Sparse = Field(False, description="Only false.")
    ragged: Sparse = Field(False, description="Only false.")
    encoding: Literal["utf-8"] = Field("utf-8", description="Only utf-8.")

    @field_validator("ngrams")
    @classmethod
    def _few(cls, value: Any) -> Any:
        runs = list(range(1, value + 1)) if isinstance(value, int) else value
        if runs is not None and (not 0 < len(runs) <= _MOST or max(runs) > 63):
            raise ValueError(f"expected up to {_MOST} numbers of tokens, none above 63, got {value}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> TextVectorization:
        if self.mode == "int" and self.output_sequence_length is None:
            raise ValueError("output_mode int needs output_sequence_length: every batch has rows of one length")
        if self.mode != "int" and self.output_sequence_length is not None:
            raise ValueError(f"output_sequence_length is for output_mode int, got {self.mode}")
        self.check()
        return self

    def mask(self) -> Any:
        return ""

    def unknowns(self) -> int:
        return 1

    def unknown_entry(self) -> Any:
        return "[UNK]"

    def key_of(self, entry: str | bytes) -> int:
        return fingerprint_of(entry)

    def _runs(self) -> list[int]:
        if self.ngrams is None:
            return [1]
        return list(range(1, self.ngrams + 1)) if isinstance(self.ngrams, int) else list(self.ngrams)

    def _does(self, what: str) -> bool:
        return what in (self.standardize or "")

    def call(self, inputs: Value) -> Value:
        if inputs.dtype != "u8" or inputs.rank > 3:
            got = f"{inputs.dtype} {shown(inputs.shape)}"
            raise ShapeError(f"TextVectorization needs texts (an input's dtype: string) of shape (batch,) or (batch, 1), got {got}")
        x = reshape(inputs, (inputs.shape[0], 1, inputs.shape[1])) if inputs.rank == 2 else inputs
        if self.split is not None and int(x.shape[1]) != 1:
            raise ShapeError(f"TextVectorization cuts one text a row, got {int(x.shape[1])}: `split: null` takes each as a token")
        most = int(x.shape[1]) * {"whitespace": (int(x.shape[2]) + 1) // 2, "character": int(x.shape[2]), None: 1}[self.split]
        size = self.output_sequence_length or max(1, most * len(self._runs()))
        keys = tokens(x, size, self._does("lower"), self._does("strip_punctuation"), self.split, self._runs())
        return self.placed(keys, constant(0, "i32"))

    def counted(self, rows: Any) -> list[list[str]]:
        flat = unpacked(rows)
        each = len(flat) // max(len(rows), 1)
        return [self._tokens(flat[i : i + each]) for i in range(0, len(flat), max(each, 1))]

    def _tokens(self, texts: list[bytes]) -> list[str]:
        """A row's tokens, on the host."""
        found: list[bytes] = []
        for text in texts:
            text = text.lower() if self._does("lower") else text
            text = text.translate(None, MARKS) if self._does("strip_punctuation") else text
            if self.split is None:
                found.append(text)
            else:
                found += text.split() if self.split == "whitespace" else [c.encode() for c in text.decode()]
        runs = [found[i : i + n] for n in self._runs() for i in range(len(found) - n + 1)]
        return [b" ".join(run).decode() for run in runs]
