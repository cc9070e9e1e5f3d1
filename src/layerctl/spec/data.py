"""The `data` section: where rows come from, and how columns become a model's inputs and targets."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator, model_validator

from layerctl.source.document import Mapping, Node
from layerctl.spec.reading import WHITESPACE, Encoding, Reading
from layerctl.spec.section import Section
from layerctl.spec.targets import (
    INPUT,
    NEXT,
    UNITS,
    TargetSpec,
    Words,
    is_one_target,
    target_spec,
    targets_by_output,
)

MISSING = ("?", "NA", "")
DatePart = Literal["days", "elapsed", "year", "quarter", "month", "day", "weekday", "hour", "minute"]


def dates_format(value: Any) -> Any:
    """A date's format, or several.

    Raises:
        ValueError: for one that strptime does not take.
    """
    for form in value if isinstance(value, list) else [value] if value is not None else []:
        if "%" not in form:
            raise ValueError(f"'{form}' has no '%': a format is written as strptime has it, {_in_percents(form)}")
        try:
            datetime.strptime("", form.replace("%q", "%m"))
        except ValueError as error:
            if "directive" in str(error) or "stray" in str(error):
                raise ValueError(f"{error}, expected one such as '%d.%m.%Y'") from error
    return value


_LETTERS = {"yyyy": "%Y", "yy": "%y", "dd": "%d", "hh": "%H", "ss": "%S", "mm": "%m", "d": "%d", "m": "%m"}


def _in_percents(form: str) -> str:
    """`dd.mm.yyyy` as strptime has it."""
    date, _, time = form.lower().partition("hh")
    for part, sign in _LETTERS.items():
        date, time = re.sub(rf"(?<![%a-z]){part}(?![a-z])", sign, date), re.sub(rf"(?<![%a-z]){part}(?![a-z])", "%M" if part == "mm" else sign, time)
    made = f"{date}%H{time}" if _ else date
    return f"'{made}'" if "%" in made else "as in '%d.%m.%Y'"


class WindowSpec(Section):
    """Windows over rows in order: `length` rows each, the target `horizon` rows after the last of them."""

    length: PositiveInt = Field(description="Rows of one window.")
    horizon: PositiveInt = Field(1, description="How many rows after the window's last the target stands.")
    step: PositiveInt = Field(1, description="Rows between one window and the next, in training.")


class FeatureSpec(Section):
    """One input of the model, made of one or several columns. Statistics come from the training rows alone."""

    columns: list[str] | str | None = Field(None, description="The columns; if not given the one of the feature's name, or else all that nothing else uses.")
    kind: Literal["number", "category", "binary", "text", "date", "array", "vector", "sequence", "window", "table", "string", "image"] | None = Field(
        None, description="What the columns hold; inferred if not given: a table of numbers and categories, or a text. string: as it is, for an input of texts."
    )
    scale: Literal["standard", "minmax", "robust", "none"] | None = Field(
        None, description="How numbers are scaled: to mean 0 and deviation 1 (the default for numbers), to 0..1, by the median and the "
        "spread of the middle half, which far values do not move, or not."
    )
    encode: Literal["index", "one_hot"] | None = Field(None, description="How categories become numbers; index for an Embedding.")
    missing: Literal["error", "mean", "median", "most_frequent", "constant", "drop"] = Field(
        "error", description="What stands for a missing value; `drop` leaves the row out of training."
    )
    constant: float | str | None = Field(None, description="The value of `missing: constant`.")
    missing_values: Words | None = Field(
        None, description="What stands for a missing value in these columns, beside the data section's: words that are values in other columns."
    )
    unseen: Literal["bucket", "error", "most_frequent"] | None = Field(
        None, description="What becomes of a category that training did not have: a bucket of its own (0; the default), an error, or the most frequent one."
    )
    ignore_case: bool = Field(False, description="Whether words that differ in capital letters or blanks only are one category.")
    outlying: Literal["clip", "error", "missing"] | None = Field(
        None, description="What becomes of numbers outside `range` or `quantiles`: the nearest number inside, an error, or a missing value."
    )
    range: list[float] | None = Field(None, description="The least and the greatest number that may occur.")
    quantiles: list[float] | None = Field(None, description="The range as quantiles of the training rows, such as [0.01, 0.99].")
    strip: str | None = Field(None, description="Characters in numbers that do not count, such as `$,%`; found in the training rows if not given.")
    units: dict[str, float] | None = Field(None, description=UNITS)
    shape: list[PositiveInt] | None = Field(None, description="An array's shape; an image's height, width and channels.")
    length: PositiveInt | None = Field(None, description="Tokens of a text or steps of a sequence; the longest training row's (at most 200) if not given.")
    vocabulary: PositiveInt = Field(20000, description="The most words or categories that are kept.")
    min_count: PositiveInt = Field(1, description="How often a word must occur to be kept.")
    lowercase: bool = Field(True, description="Whether text is lowered first.")
    split: Literal["whitespace", "words", "characters"] = Field("words", description="How text is cut.")
    separator: str | None = Field(
        None, min_length=1, description="What stands between the numbers of a vector or sequence; blanks, commas and semicolons if not given."
    )
    format: str | list[str] | None = Field(None, description="A date's format, as strptime has it, or several that are tried in order; ISO 8601 if not given.")
    parts: list[DatePart] | None = Field(
        None, description="What a date is taken apart into; days, month and weekday if not given. elapsed: days with the time of day as a fraction."
    )
    window: WindowSpec | None = Field(None, description="The windows of `kind: window`.")

    @field_validator("columns")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if value == "*":
            return None
        if isinstance(value, list) and (not value or len(set(value)) < len(value)):
            raise ValueError("name at least one column, and none twice")
        return [value] if isinstance(value, str) else value

    @field_validator("format", "parts")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if isinstance(value, list) and (not value or len(set(value)) < len(value)):
            raise ValueError("name at least one, and none twice")
        return value

    @field_validator("format")
    @classmethod
    def _dates(cls, value: Any) -> Any:
        return dates_format(value)

    @field_validator("range", "quantiles")
    @classmethod
    def _rising(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and not (len(value) == 2 and value[0] < value[1]):
            raise ValueError(f"two rising numbers are needed, such as [0.01, 0.99], got {value}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> FeatureSpec:
        if self.missing_values is not None and self.columns is None:
            raise ValueError("'missing_values' of a feature needs its 'columns'")
        if self.missing == "constant" and self.constant is None:
            raise ValueError("'missing: constant' needs what stands for a missing value, as in `constant: 0`")
        if self.kind == "window" and self.window is None:
            raise ValueError("'kind: window' needs 'window', such as {length: 14}")
        if self.kind in ("text", "vector", "sequence") and self.columns is not None and len(self.columns) != 1:
            raise ValueError(f"a {self.kind} is one column")
        self._outlying()
        if self.ignore_case and self.kind not in (None, "category", "binary", "table"):
            raise ValueError(f"'ignore_case' is for categories, not for 'kind: {self.kind}'")
        if self.units is not None and self.kind not in (None, "number", "window"):
            raise ValueError(f"'units' is for numbers, not for 'kind: {self.kind}'")
        if self.kind == "binary" and self.unseen == "bucket":
            raise ValueError("a binary column has no bucket for what training did not have: 'unseen' is error or most_frequent")
        return self

    def _outlying(self) -> None:
        bounds = [n for n in ("range", "quantiles") if getattr(self, n) is not None]
        if self.outlying is None and bounds:
            raise ValueError(f"'{bounds[0]}' needs 'outlying': clip, error or missing")
        if self.outlying is not None and len(bounds) != 1:
            raise ValueError("'outlying' needs either 'range: [least, greatest]' or 'quantiles: [0.01, 0.99]'")
        if self.outlying is not None and self.kind not in (None, "number", "table", "window"):
            raise ValueError(f"'outlying' is for numbers, not for 'kind: {self.kind}'")
        if self.quantiles is not None and not 0 <= self.quantiles[0] < self.quantiles[1] <= 1:
            raise ValueError(f"quantiles are from 0 to 1, got {self.quantiles}")
        if self.outlying == "error" and self.range is None:
            raise ValueError("'outlying: error' needs 'range': some training rows are always outside quantiles")
        if self.outlying == "missing" and self.missing in ("error", "drop"):
            raise ValueError("'outlying: missing' needs what stands for a missing value: 'missing: mean', median, most_frequent or constant")


class SplitSpec(Section):
    """Which rows are held back. A fraction for each part, the values of a column that name it, or one of several folds."""

    validation: NonNegativeFloat = Field(0.0, lt=1, description="The share of rows for validation.")
    test: NonNegativeFloat = Field(0.0, lt=1, description="The share of rows for the test.")
    stratify: bool = Field(False, description="Whether each part has the classes in equal shares.")
    by: Literal["random", "time", "column", "group"] | None = Field(
        None, description="random; time: the last rows in order; column: as it says; group: rows that agree in a column stay together."
    )
    column: str | None = Field(
        None, description="The column of `by: column`, with the words train, validation and test; the order of `by: time`; the groups of `by: group`."
    )
    format: str | list[str] | None = Field(None, description="The format of the dates of `by: time`, as strptime has it; ISO 8601 if not given.")
    folds: int | None = Field(None, ge=2, le=1000, description="In how many folds the rows are cut; one of them stands for the test rows.")
    fold: PositiveInt | None = Field(None, description="The fold that is held back, from 1; `layerctl train --folds` sets it.")

    @field_validator("format")
    @classmethod
    def _dates(cls, value: Any) -> Any:
        return dates_format(value)

    @model_validator(mode="after")
    def _whole(self) -> SplitSpec:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation and test take {self.validation + self.test:g} of the rows: nothing is left to train on")
        if self.by in ("column", "group") and self.column is None:
            raise ValueError(f"'by: {self.by}' needs 'column', the name of the column that says it")
        if self.stratify and self.by in ("time", "column"):
            raise ValueError(f"'stratify' cannot go with 'by: {self.by}'")
        if self.stratify and self.by == "group" and self.folds is None:
            raise ValueError("'stratify' goes with 'by: group' in folds only")
        if (self.folds is None) != (self.fold is None) or (self.folds is not None and self.fold is not None and self.fold > self.folds):
            raise ValueError("'folds' and 'fold' go together, and 'fold' is from 1 to 'folds': train all of them with `layerctl train --folds`")
        if self.folds is not None and self.by == "column":
            raise ValueError("'folds' cannot go with 'by: column', which says itself which rows are held back")
        return self


class SamplingSpec(Section):
    """How the classes of unequal size are evened out, in the training rows alone."""

    method: Literal["over", "under"] = Field(description="over: rows of small classes several times; under: rows of large classes left out.")
    ratio: float = Field(1.0, gt=0, le=1, description="The smallest class's rows in relation to the largest's, afterwards.")


class FilesSpec(Section):
    """A file for each part."""

    train: str = Field(description="The training rows.")
    validation: str | None = Field(None, description="The validation rows.")
    test: str | None = Field(None, description="The test rows.")


_SIGNS = {"tab": '"\\t"', "\\t": '"\\t"', "comma": '","', "semicolon": '";"', "pipe": '"|"', "space": '" "', "blank": WHITESPACE, "\\s+": WHITESPACE}
"""Delimiters as they are called, and as a file has them."""


class DataSpec(Section):
    """The whole section."""

    source: str | FilesSpec = Field(description="A file, relative to this one, `builtin:NAME`, or a file for each part.")
    format: Literal["csv", "tsv", "jsonl", "npz", "parquet", "arrow", "images"] | None = Field(
        None, description="The file's format; by its ending if not given."
    )
    columns: list[str] | None = Field(None, description="Names of the columns, where the file has no header.")
    delimiter: str | None = Field(
        None, min_length=1, description="What stands between fields: , or a tab by the file's ending; `whitespace` is any number of blanks and tabs."
    )
    quote: str | None = Field('"', description="What fields may be enclosed in; `none` if quotes are ordinary characters.")
    escape: str | None = Field(None, min_length=1, max_length=1, description="What stands before a quote, delimiter or line end that is a field's own.")
    comment: str | None = Field(None, min_length=1, max_length=1, description="What a line begins with that is no row: such lines are passed over.")
    skip: list[str] = Field(
        default_factory=list, description="Lines that are no rows, such as titles, notes and totals, each by its beginning: they are passed over."
    )
    wrapped: bool = Field(False, description="Whether each line stands in quotes as a whole, with its own quotes doubled.")
    widths: list[PositiveInt] | None = Field(
        None, min_length=1, description="Characters of each column, blanks behind it included, where columns stand below each other; the last as a line."
    )
    ragged: Literal["error", "fill", "drop"] = Field(
        "error", description="What becomes of lines with another number of fields: an error; fill: fields that a line lacks at its end are missing, and one "
        "with too many is left out of training; drop: both are left out."
    )
    decimal: Literal[".", ","] = Field(".", description="The decimal sign.")
    encoding: Encoding = Field("utf-8", description="The file's encoding.")
    missing_values: Words = Field(list(MISSING), description="What stands for a missing value, in all columns.")
    features: dict[str, FeatureSpec] = Field(
        description="The model's inputs by name; `features: {rows: {}}` is one input of all columns that nothing else takes."
    )
    target: str | list[str] | TargetSpec | dict[str, Any] | None = Field(
        None, description="The column to predict, several of them, `input` or `next`; several targets by the outputs' names."
    )
    split: SplitSpec = Field(default_factory=SplitSpec, description="Which rows are held back.")
    weight: str | None = Field(None, description="A column of samples' weights.")
    cache: bool | None = Field(None, description="Whether encoded rows are kept in a mapped file of the cache; if not given, where the source is large.")
    ignore: list[str] = Field(default_factory=list, description="Columns that no feature takes unless it names them.")
    sampling: Literal["over", "under"] | SamplingSpec | None = Field(
        None, description="Evens out classes in the training rows: over repeats rows of small ones, under leaves out rows of large ones."
    )

    @field_validator("quote")
    @classmethod
    def _one_sign(cls, value: str | None) -> str | None:
        if value is None or value.lower() == "none":
            return "none"
        named = {"single": "\"'\"", "double": "'\"'"}.get(value.lower())
        if len(value) != 1 and not (len(value) == len(set(value)) == 2 and not value.isascii()):
            raise ValueError(f"one sign or none is expected, got '{value}'" + (f"; write `quote: {named}`" if named else ""))
        return value

    @field_validator("delimiter")
    @classmethod
    def _one_delimiter(cls, value: str | None) -> str | None:
        if value is not None and len(value) > 1 and value != WHITESPACE:
            named = _SIGNS.get(value.lower())
            raise ValueError(f"a delimiter is one character, or `{WHITESPACE}`: got {value!r}" + (f"; write `delimiter: {named}`" if named else ""))
        return value

    @field_validator("columns")
    @classmethod
    def _once(cls, value: list[str] | None) -> list[str] | None:
        twice = next((n for i, n in enumerate(value or ()) if n in (value or ())[:i]), None)
        if twice is not None:
            raise ValueError(f"the column '{twice}' stands here twice")
        return value

    @field_validator("skip")
    @classmethod
    def _beginnings(cls, value: list[str]) -> list[str]:
        odd = next((v for v in value if not v or len(v.splitlines()) > 1), None)
        if odd is not None:
            raise ValueError(f"each says how one line begins, got {odd!r}")
        return value

    @field_validator("source")
    @classmethod
    def _local(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else [n for n in (value.train, value.validation, value.test) if n is not None]
        for name in names:
            if not name:
                raise ValueError("a file's name is missing")
            if name.startswith("~"):
                raise ValueError(f"'{name}' starts with ~, which the shell alone understands: write the whole path")
            if "://" in name:
                raise ValueError(f"{name!r} is an address: data are read from files here; fetch it first")
        return value

    @field_validator("features")
    @classmethod
    def _some(cls, value: dict[str, FeatureSpec]) -> dict[str, FeatureSpec]:
        if not value:
            raise ValueError("name at least one feature")
        return value

    @field_validator("target", mode="before")
    @classmethod
    def _target(cls, value: Any) -> Any:
        if isinstance(value, list):
            return target_spec(value)
        if isinstance(value, dict):
            return target_spec(value) if is_one_target(value) else targets_by_output(value)
        return target_spec(value) if value in (INPUT, NEXT) else value

    @model_validator(mode="after")
    def _signs(self) -> DataSpec:
        if self.widths is not None and self.delimiter is not None:
            raise ValueError("'widths' cut a line where no delimiter does: leave 'delimiter' out")
        signs = {n: getattr(self, n) for n in ("delimiter", "quote", "escape", "comment")}
        for a, b in itertools.combinations([n for n, s in signs.items() if s], 2):
            if signs[a] == signs[b]:
                raise ValueError(f"'{a}' and '{b}' are the same character, {signs[a]!r}")
        return self

    def reading(self) -> Reading:
        """How files of these data are read."""
        own = {f.name: getattr(self, f.name) for f in fields(Reading) if f.name not in ("targets", "missing_in")}
        goals = self.targets().values()
        missing: dict[str, list[str]] = {}
        for part in (*((f.columns or (), f.missing_values) for f in self.features.values()), *((t.names(), t.missing_values) for t in goals)):
            for column in part[0] if part[1] else ():
                missing[column] = list(dict.fromkeys([*missing.get(column, ()), *(part[1] or ())]))
        return Reading(**own, targets=[n for t in goals for n in t.names()], missing_in=missing)

    def targets(self) -> dict[str, TargetSpec]:
        """Targets by output; the one target of a single output is called by its column."""
        if self.target is None:
            return {}
        if isinstance(self.target, str):
            return {self.target: TargetSpec(column=self.target)}
        if isinstance(self.target, TargetSpec):
            return {next(iter(self.target.names()), INPUT if self.target.input else NEXT): self.target}
        return dict(self.target)

    def resampling(self) -> SamplingSpec | None:
        """How the training rows' classes are evened out."""
        return SamplingSpec(method=self.sampling) if isinstance(self.sampling, str) else self.sampling


def is_feature(node: Node) -> bool:
    """Whether a value may be a feature's, by its keys."""
    return isinstance(node, Mapping) and len(node) > 0 and all(k in FeatureSpec.model_fields for k in node.keys())  # noqa: SIM118
