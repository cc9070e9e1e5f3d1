"""How files of data are read: the part of a data section that a trained model still needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Encoding = Literal["utf-8", "latin-1", "cp1252", "utf-16", "cp1250", "cp1251", "cp1253", "cp1254", "koi8-r", "shift_jis", "cp932", "euc-jp", "gbk", "gb18030",
                   "big5", "euc-kr", "cp949"]  # fmt: skip
"""Encodings of files by the names that Python has for them."""
ENCODINGS: tuple[str, ...] = get_args(Encoding)
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
    skip: list[str] = field(default_factory=list)
    wrapped: bool = False
    widths: list[int] | None = None
    ragged: str = "error"
    missing_in: dict[str, list[str]] = field(default_factory=dict)
    """Words that stand for a missing value in some columns alone."""
