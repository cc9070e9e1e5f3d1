"""How files of data are read: the part of a data section that a trained model still needs."""

from __future__ import annotations

from dataclasses import dataclass

WHITESPACE = "whitespace"
"""The delimiter of columns that stand below each other: any number of blanks and tabs."""


@dataclass(frozen=True)
class Reading:
    """The fields of `DataSpec` by the same names, as far as they say how a file is read; `targets` are the targets' columns."""

    format: str | None
    columns: list[str] | None
    delimiter: str | None
    quote: str | None
    escape: str | None
    comment: str | None
    decimal: str
    encoding: str
    missing_values: list[str]
    targets: list[str]
