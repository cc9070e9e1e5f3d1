"""The `data` section: where rows come from, and how columns become a model's inputs and targets."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from layerctl.diagnostics import did_you_mean
from layerctl.spec.reading import Reading

MISSING = ("?", "NA", "")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


class WindowSpec(_Section):
    """Windows over rows in order: `length` rows each, the target `horizon` rows after the last of them."""

    length: PositiveInt = Field(description="Rows of one window.")
    horizon: PositiveInt = Field(1, description="How many rows after the window's last the target stands.")
    step: PositiveInt = Field(1, description="Rows between one window and the next, in training.")


class FeatureSpec(_Section):
    """One input of the model, made of one or several columns. Statistics come from the training rows alone."""

    columns: list[str] | str | None = Field(None, description="The columns; all that nothing else uses if not given.")
    kind: Literal["number", "category", "text", "date", "array", "window", "table", "string", "image"] | None = Field(
        None, description="What the columns hold; inferred if not given: a table of numbers and categories, or a text. string: as it is, for an input of texts."
    )
    scale: Literal["standard", "minmax", "none"] | None = Field(
        None, description="How numbers are scaled: to mean 0 and deviation 1 (the default for numbers), to 0..1, or not."
    )
    encode: Literal["index", "one_hot"] | None = Field(None, description="How categories become numbers; index for an Embedding.")
    missing: Literal["error", "mean", "median", "most_frequent", "constant", "drop"] = Field(
        "error", description="What stands for a missing value; `drop` leaves the row out of training."
    )
    constant: float | str | None = Field(None, description="The value of `missing: constant`.")
    shape: list[PositiveInt] | None = Field(None, description="An array's shape; an image's height, width and channels.")
    length: PositiveInt | None = Field(None, description="Tokens of a text; the longest training text's (at most 200) if not given.")
    vocabulary: PositiveInt = Field(20000, description="The most words or categories that are kept.")
    min_count: PositiveInt = Field(1, description="How often a word must occur to be kept.")
    lowercase: bool = Field(True, description="Whether text is lowered first.")
    split: Literal["whitespace", "words", "characters"] = Field("words", description="How text is cut.")
    format: str | None = Field(None, description="A date's format, as strptime has it; ISO 8601 if not given.")
    window: WindowSpec | None = Field(None, description="The windows of `kind: window`.")

    @field_validator("columns")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if value == "*":
            return None
        if isinstance(value, list) and (not value or len(set(value)) < len(value)):
            raise ValueError("name at least one column, and none twice")
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> FeatureSpec:
        if self.missing == "constant" and self.constant is None:
            raise ValueError("'missing: constant' needs 'constant'")
        if self.kind == "window" and self.window is None:
            raise ValueError("'kind: window' needs 'window', such as {length: 14}")
        if self.kind == "text" and self.columns is not None and len(self.columns) != 1:
            raise ValueError("a text is one column")
        return self


class TargetSpec(_Section):
    """What the model is to predict: a class or a number."""

    column: str = Field(description="The column.")
    kind: Literal["category", "number"] | None = Field(None, description="Inferred if not given: by the loss, else by the values.")
    classes: list[str] | None = Field(None, description="The classes in the order of the output's units; sorted if not given.")
    scale: Literal["standard", "minmax", "none"] = Field("none", description="How numbers are scaled; predictions are scaled back.")
    strip_suffix: str | None = Field(None, description="An ending that some labels have and that does not count.")
    missing: Literal["error", "drop"] = Field("error", description="Whether rows without a target are refused or left out.")

    @field_validator("classes", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return [str(v) for v in value] if isinstance(value, list) else value


def _target_spec(plain: dict[str, Any]) -> TargetSpec:
    try:
        return TargetSpec(**plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ValueError(f"a target has no '{name}'{did_you_mean(name, TargetSpec.model_fields)}") from error
        raise ValueError(f"'{name}': {first['msg'][:1].lower()}{first['msg'][1:]}, got {first['input']!r}") from error


class SplitSpec(_Section):
    """Which rows are held back. A fraction for each part, or the values of a column that name it."""

    validation: NonNegativeFloat = Field(0.0, lt=1, description="The share of rows for validation.")
    test: NonNegativeFloat = Field(0.0, lt=1, description="The share of rows for the test.")
    stratify: bool = Field(False, description="Whether each part has the classes in equal shares.")
    by: Literal["random", "time", "column"] | None = Field(None, description="random; time: the last rows in order; column: as it says.")
    column: str | None = Field(None, description="The column of `by: column`, with the words train, validation and test; the order of `by: time`.")

    @model_validator(mode="after")
    def _whole(self) -> SplitSpec:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation and test take {self.validation + self.test:g} of the rows: nothing is left to train on")
        if self.by == "column" and self.column is None:
            raise ValueError("'by: column' needs 'column'")
        if self.stratify and self.by in ("time", "column"):
            raise ValueError(f"'stratify' cannot go with 'by: {self.by}'")
        return self


class FilesSpec(_Section):
    """A file for each part."""

    train: str = Field(description="The training rows.")
    validation: str | None = Field(None, description="The validation rows.")
    test: str | None = Field(None, description="The test rows.")


class DataSpec(_Section):
    """The whole section."""

    source: str | FilesSpec = Field(description="A file, relative to this one, `builtin:NAME`, or a file for each part.")
    format: Literal["csv", "tsv", "jsonl", "npz", "parquet", "arrow", "images"] | None = Field(
        None, description="The file's format; by its ending if not given."
    )
    columns: list[str] | None = Field(None, description="Names of the columns, where the file has no header.")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="What stands between fields: , or a tab by the file's ending.")
    quote: str | None = Field('"', max_length=4, description="What fields may be enclosed in; `none` if quotes are ordinary characters.")
    decimal: Literal[".", ","] = Field(".", description="The decimal sign.")
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = Field("utf-8", description="The file's encoding.")
    missing_values: list[str] = Field(list(MISSING), description="What stands for a missing value.")
    features: dict[str, FeatureSpec] = Field(description="The model's inputs by name.")
    target: str | TargetSpec | dict[str, Any] | None = Field(None, description="The column to predict; several by the outputs' names.")
    split: SplitSpec = Field(default_factory=SplitSpec, description="Which rows are held back.")
    weight: str | None = Field(None, description="A column of samples' weights.")
    cache: bool | None = Field(None, description="Whether encoded rows are kept in a mapped file of the cache; if not given, where the source is large.")

    @field_validator("missing_values", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return ["" if v is None else str(v) for v in value] if isinstance(value, list) else value

    @field_validator("source")
    @classmethod
    def _local(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else [value.train, value.validation, value.test]
        for name in names:
            if name and "://" in name:
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
        if isinstance(value, dict):
            if "column" in value and not isinstance(value["column"], dict):
                return _target_spec(value)
            return {k: _target_spec(v if isinstance(v, dict) else {"column": v}) for k, v in value.items()}
        return value

    def reading(self) -> Reading:
        """How files of these data are read."""
        own = {f.name: getattr(self, f.name) for f in fields(Reading) if f.name != "targets"}
        return Reading(**own, targets=[t.column for t in self.targets().values()])

    def targets(self) -> dict[str, TargetSpec]:
        """Targets by output; the one target of a single output is called by its column."""
        if self.target is None:
            return {}
        if isinstance(self.target, str):
            return {self.target: TargetSpec(column=self.target)}
        if isinstance(self.target, TargetSpec):
            return {self.target.column: self.target}
        return dict(self.target)
