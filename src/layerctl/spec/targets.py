"""What a model is to predict, as the `data` section says it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from layerctl.diagnostics import did_you_mean
from layerctl.spec.foreign import value_here
from layerctl.spec.section import Section

INPUT, NEXT = "input", "next"
UNITS = "Units behind numbers and what each is worth, such as `{h: 60, m: 1}` for 2h 50m, `{k: 1000, M: 1000000, \"\": 1}`, or `{\":\": 60}` for 35:57:47."
ONLY = "*"
_KINDS = ("category", "binary", "number", "labels")
"""Stands for a model's only input."""


def _as_texts(value: Any) -> Any:
    return ["" if v is None else str(v) for v in value] if isinstance(value, list) else value


Words = Annotated[list[str], BeforeValidator(_as_texts)]
"""Words as texts, whatever YAML takes them for."""


class TargetSpec(Section):
    """What the model is to predict: a column, several columns, an input itself, or the next token of a text."""

    column: str | None = Field(None, description="The column.")
    columns: list[str] | None = Field(None, description="Several columns: a vector of numbers, or labels that are each there or not.")
    input: str | None = Field(None, description="The input that the model gives back: an autoencoder. `*` is the only one.")
    next: str | None = Field(None, description="The text input whose next token the model predicts, at each step. `*` is the only one.")
    kind: Literal["category", "binary", "number", "labels", "sequence"] | None = Field(
        None, description="Inferred if not given: by the loss, else by the values. labels: any number of classes; sequence: one a step."
    )
    classes: list[str] | None = Field(None, description="The classes in the order of the output's units; those of the training rows, sorted, if not given.")
    ignore_case: bool = Field(False, description="Whether classes that differ in capital letters or blanks only are one.")
    scale: Literal["standard", "minmax", "none"] = Field("none", description="How numbers are scaled; predictions are scaled back.")
    strip: str | None = Field(None, description="Characters in numbers that do not count, such as `$,%`; found in the training rows if not given.")
    units: dict[str, float] | None = Field(None, description=UNITS)
    strip_suffix: str | None = Field(None, description="An ending that some labels have and that does not count.")
    separator: str | None = Field(None, description="What stands between labels or steps in a field; blanks if not given, '' for a label a character.")
    along: str | None = Field(None, description="The input that has the steps of `kind: sequence`; the only text or sequence if not given.")
    join: bool = Field(False, description="Whether the rows of a text whose next token is predicted are one long text.")
    missing: Literal["error", "drop"] = Field("error", description="Whether rows without a target are refused or left out.")
    missing_values: Words | None = Field(
        None, description="What stands for a missing value in these columns, beside the data section's: words that are values in other columns."
    )

    @field_validator("classes", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return [str(v) for v in value] if isinstance(value, list) else value

    @field_validator("columns")
    @classmethod
    def _several(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and (not value or len(set(value)) < len(value)):
            raise ValueError("name at least one column, and none twice")
        return value

    @model_validator(mode="after")
    def _whole(self) -> TargetSpec:
        given = [n for n in ("column", "columns", INPUT, NEXT) if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(f"a target has one of column, columns, input and next, got {' and '.join(given) or 'none of them'}")
        if self.columns is not None and self.kind not in (None, "number", "labels"):
            raise ValueError(f"several columns are numbers or labels, not 'kind: {self.kind}'")
        if self.made_of_input() and (self.kind is not None or self.classes is not None or self.scale != "none"):
            raise ValueError(f"a target made of an input is what the input is: '{given[0]}' goes with no kind, classes or scale")
        if self.ignore_case and (self.kind not in (None, "category", "binary") or self.column is None):
            raise ValueError("'ignore_case' is for a column of classes")
        if self.units is not None and self.kind not in (None, "number"):
            raise ValueError(f"'units' is for numbers, not for 'kind: {self.kind}'")
        if self.classes is not None and (len(set(self.classes)) < len(self.classes) or not self.classes):
            raise ValueError("name at least one class, and none twice")
        return self

    def made_of_input(self) -> bool:
        """Whether it is read from no column of its own."""
        return self.input is not None or self.next is not None

    def names(self) -> list[str]:
        """The columns that it is read from."""
        return list(self.columns) if self.columns is not None else [self.column] if self.column is not None else []


def target_spec(plain: Any) -> TargetSpec:
    """A target as a file gives it: `price`, `[low, high]`, `input`, `next`, or a mapping.

    Raises:
        ValueError: for what is no target.
    """
    if isinstance(plain, str):
        plain = {plain: ONLY} if plain in (INPUT, NEXT) else {"column": plain}
    elif isinstance(plain, list):
        plain = {"columns": plain}
    elif not isinstance(plain, dict):
        raise ValueError(f"a target is a column's name, a list of them or a mapping, got {plain!r}")
    else:
        plain = {k: ONLY if k in (INPUT, NEXT) and v is True else v for k, v in plain.items()}
    try:
        return TargetSpec(**plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            meant = {"name": "column", "type": "kind", "task": "kind", "dtype": "kind", "field": "column"}.get(name)
            cure = f"; write `{meant}: …`" if meant else did_you_mean(name, TargetSpec.model_fields)
            raise ValueError(f"a target has no '{name}'{cure}") from error
        text = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        if not name:
            raise ValueError(text) from error
        near = did_you_mean(str(first["input"]), re.findall("'(.*?)'", text))
        given = "nothing" if first["input"] is None else repr(first["input"])
        if first["type"] == "literal_error":
            near = f"; write `{known}`" if (known := value_here(name, first["input"])) else near
        elif first["type"] in ("list_type", "string_type") and isinstance(first["input"], (str, int, float)):
            near = f'; write `column: "{first["input"]}"`' if name == "column" else f"; write `{name}: [{first['input']}]`, or `column` for one"
        text = text.replace("a valid string", "text").replace("a valid list", "a list").replace("a valid boolean", "true or false")
        raise ValueError(f"'{name}': {text[:1].lower()}{text[1:]}, got {given}{near}") from error


def targets_by_output(plain: dict[str, Any]) -> dict[str, TargetSpec]:
    """Several targets.

    Raises:
        ValueError: for one that is none; its output's name stands first.
    """
    out = {}
    for name, target in plain.items():
        try:
            out[name] = target_spec(target)
        except ValueError as error:
            raise ValueError(f"'{name}': {error}") from error
    return out


def is_one_target(plain: dict[str, Any]) -> bool:
    """Whether a mapping is a target itself, and not targets by output."""
    if any(k in plain and not isinstance(plain[k], dict) for k in ("column", "columns", INPUT, NEXT)):
        return True
    return any(plain.get(k) in get_args(TargetSpec.model_fields[k].annotation) + _KINDS for k in ("kind", "scale") if isinstance(plain.get(k), str))
