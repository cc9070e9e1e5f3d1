"""Encoded rows back in the words of the data: columns' values, texts, pictures."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from layerctl.data.dataset import Dataset
    from layerctl.spec.features import ColumnFit, FeatureFit, FeatureSchema

LARGEST_PICTURE = 256
"""Pixels of a side beyond which pictures are shown by every other pixel, or fewer."""


@dataclass(frozen=True)
class Place:
    """Where a column of the data stands in an input: the elements `start` to `end` of its last axis."""

    input: str
    column: ColumnFit
    start: int
    end: int


def places(name: str, fit: FeatureFit, width: int) -> list[Place]:
    """The columns of an input, if they stand side by side in its last axis; none if not."""
    from layerctl.data.dates import date_width

    if fit.kind in ("text", "array", "string", "image", "vector", "sequence"):
        return []
    one = fit.encode == "index" or fit.kind == "window"
    widths = [1 if one or c.kind in ("number", "binary") else date_width(c) if c.kind == "date" else len(c.words) + 1 for c in fit.columns]
    ends = np.cumsum(widths).tolist()
    if not ends or ends[-1] != width:
        return []
    return [Place(name, c, end - w, end) for c, w, end in zip(fit.columns, widths, ends, strict=True)]


def is_picture(array: np.ndarray) -> bool:
    """Whether rows of this shape look like pictures: (rows, height, width) or with 1 or 3 channels behind."""
    sides = array.shape[1:3]
    fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3))
    return fits and len(sides) == 2 and min(sides) >= 4 and max(sides) <= 16 * min(sides) and array.dtype.kind == "f"


def pixels(row: np.ndarray, low: float, high: float) -> np.ndarray:
    """A picture's numbers as uint8 (height, width, channels), `low` black and `high` white."""
    step = max(1, -(-max(row.shape[:2]) // LARGEST_PICTURE))
    seen = row[::step, ::step].reshape(*row[::step, ::step].shape[:2], -1).astype(np.float64)
    return np.clip((seen - low) / max(high - low, 1e-12) * 255.0, 0, 255).round().astype(np.uint8)


def told(schema: FeatureSchema, rows: Dataset, row: int) -> dict[str, str]:
    """The columns of a row with their values, as far as the encoding kept them."""
    out: dict[str, str] = {}
    for name, fit in schema.features.items():
        array = rows.inputs[name]
        if fit.kind == "text":
            out[fit.columns[0].name] = _text(array[row], fit)
        elif fit.kind == "string":
            from layerctl.ops.texts import unpacked

            found = unpacked(array[row].reshape(-1, array.shape[-1]))
            out |= {c.name: t.decode("utf-8", "replace") for c, t in zip(fit.columns, found, strict=False)}
        elif fit.kind == "window":
            continue
        elif not is_picture(array):
            flat = array[row].reshape(-1)
            found_places = places(name, fit, flat.size)
            out |= {p.column.name: _value(p, flat[p.start : p.end], fit, array) for p in found_places}
            if not found_places:
                out[name] = ", ".join(f"{float(v):.4g}" for v in flat[:6]) + (", …" if flat.size > 6 else "")
    return out


def _value(place: Place, part: np.ndarray, fit: FeatureFit, array: np.ndarray) -> str:
    from layerctl.data.dates import DEFAULT_PARTS

    c = place.column
    if c.kind == "number":
        digits = 4 - math.floor(math.log10(c.spread)) if c.spread > 0 else 4  # what float32 kept of it
        return f"{round(float(part[0]) * c.spread + c.centre, digits):.6g}"
    if c.kind == "binary":
        return next((w for w, v in zip(c.words, c.values, strict=False) if v == float(part[0])), f"{float(part[0]):.6g}")
    if c.kind == "date":
        if c.parts and c.parts[0] != DEFAULT_PARTS[0]:
            return "–"
        day = round(float(part[0]) * c.spread + c.centre)
        return datetime.date.fromordinal(day).isoformat() if 0 < day < 3_652_060 else "–"
    at = int(part.argmax()) if fit.encode != "index" else int(part[0]) - _before(place, fit)
    return c.words[at - 1] if 0 < at <= len(c.words) else "(another)"


def _before(place: Place, fit: FeatureFit) -> int:
    """Ids that columns before this one take, where several share a range of ids."""
    at = next(i for i, c in enumerate(fit.columns) if c is place.column)
    return sum(len(c.words) + 1 for c in fit.columns[:at])


def _text(ids: np.ndarray, fit: FeatureFit) -> str:
    """A text by its tokens; … for those that the vocabulary lacks."""
    words = fit.columns[0].words
    between = "" if fit.split == "characters" else " "
    return between.join(words[i - 2] if 2 <= i < len(words) + 2 else "…" for i in ids.reshape(-1).tolist() if i)
