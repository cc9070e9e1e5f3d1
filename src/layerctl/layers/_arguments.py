"""Argument forms that many layers share: a size as one number or one for each dimension, and the like."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator


def _sizes(n: int, least: int = 1) -> Any:
    def convert(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, list, tuple)):
            raise ValueError(f"expected a whole number{f' or a list of {n}' if n > 1 else ''}, got {value!r}")
        values = [value] * n if isinstance(value, int) else list(value)
        if len(values) != n:
            raise ValueError(f"expected {n} number{'s' if n > 1 else ''}, one for each dimension, got {len(values)}")
        for v in values:
            if isinstance(v, bool) or not isinstance(v, int) or v < least:
                raise ValueError(f"expected whole numbers of at least {least}, got {v!r}")
        return tuple(values)

    return convert


def sizes(n: int, least: int = 1) -> Any:
    """The annotation of a field that holds a size for each of n dimensions: one number stands for all."""
    return Annotated[tuple[int, ...], BeforeValidator(_sizes(n, least))]


DataFormat = Literal["channels_last", "channels_first"] | None
"""Where the channels stand; last if not given."""
