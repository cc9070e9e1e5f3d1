"""Images in files (extra `image`: Pillow): a folder of them by class, or paths in a table's column, as arrays of one shape."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl.data.table import BadRows, Table, listed
from layerctl.diagnostics import Diagnostic, Span, fail
from layerctl.spec.features import ColumnFit, FeatureFit

if TYPE_CHECKING:
    from layerctl.spec.data import FeatureSpec

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names for so many channels."""
LARGEST = 1 << 26
"""Pixels of one image."""
_AT_A_TIME = 256
_LOOKED_AT = 50
IMAGE, LABEL = "image", "label"
"""The columns of a folder of images."""


def folder_table(path: str, place: Span) -> Table:
    """A folder of images as a table of their paths, in the order of names, and of their classes where each class has a folder in it.

    Raises:
        LayerctlError: `data-no-rows` if there are none.
    """
    paths = _images(path)
    columns = {IMAGE: paths}
    if not paths:
        folders = sorted(e.name for e in os.scandir(path) if e.is_dir() and not e.name.startswith("."))
        found = {name: _images(os.path.join(path, name)) for name in folders}
        columns = {IMAGE: [p for inner in found.values() for p in inner], LABEL: [name for name, inner in found.items() for _ in inner]}
    if not columns[IMAGE]:
        hint = f"images for training stand in a folder for each class and end in {', '.join(ENDINGS[:4])}, …"
        if any(e.is_file() and not e.name.startswith(".") for e in os.scandir(path)):
            hint += f"; tables are named by a pattern: `source: {os.path.basename(path)}/*.csv`"
        fail("data-no-rows", "this is a folder, not a file of data, and there are no images in it", place, hint=hint)
    return Table(place.source.name, columns)


def _images(folder: str) -> list[str]:
    return [os.path.abspath(e.path) for e in sorted(os.scandir(folder), key=lambda e: e.name) if e.name.lower().endswith(ENDINGS) and e.is_file()]


def is_images(table: Table, column: str) -> bool:
    """Whether a column holds paths of images."""
    if isinstance(table.columns[column], np.ndarray):
        return False
    first = next((v for i in range(min(len(table), _LOOKED_AT)) if (v := table.columns[column][i]) is not None), "")
    if not first.lower().endswith(ENDINGS):
        return False
    alone = Table(table.name, {column: table.columns[column]})
    values = [v for v in alone.part(0, min(len(table), _LOOKED_AT)).texts(column) if v is not None]
    return bool(values) and all(v.lower().endswith(ENDINGS) for v in values)


def fit_images(name: str, table: Table, column: str, spec: FeatureSpec, rows: np.ndarray, place: Span | None = None) -> FeatureFit:
    """The shape that all images are brought to: as it is told, or the first training image's; how pixels are scaled: 0 to 1 if nothing is said."""
    shape = list(spec.shape or _shape_of(table, column, int(rows[0])))
    if len(shape) == 2:
        shape.append(1)
    if len(shape) != 3 or shape[2] not in MODES:
        fail("data-shape", f"feature '{name}': an image has the shape [height, width, channels] with 1, 3 or 4 channels, got {shape}", place,
             hint="write `shape: [28, 28, 1]` for grey images, 3 channels for coloured ones")  # fmt: skip
    fit = ColumnFit(column, "image", spread=255.0)
    if spec.scale == "none":
        fit.spread = 1.0
    elif spec.scale == "standard":
        counts = np.zeros(256, np.int64)
        for low in range(0, len(rows), _AT_A_TIME):
            counts += np.bincount(pixels(table.take(rows[low : low + _AT_A_TIME]), column, shape).reshape(-1), minlength=256)
        fit.centre, fit.spread = _moments(counts)
    return FeatureFit("image", shape, "f32", [fit], missing=spec.missing)


def _moments(counts: np.ndarray) -> tuple[float, float]:
    """(mean, deviation) of pixels, exact up to the last division."""
    n = int(counts.sum())
    first = sum(v * int(c) for v, c in enumerate(counts))
    second = sum(v * v * int(c) for v, c in enumerate(counts))
    spread = math.sqrt((n * second - first * first) / (n * n)) if n else 0.0
    return first / max(n, 1), spread or 1.0


def _shape_of(table: Table, column: str, row: int) -> list[int]:
    pillow = _pillow()
    try:
        with pillow.open(_path(table, column, row)) as image:
            return [image.height, image.width, 1 if image.mode in ("1", "L", "I", "F", "I;16", "LA") else 3]
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        _refuse(table, column, {row: _why(error)})
        raise


def encode_images(table: Table, fit: FeatureFit) -> np.ndarray:
    """The column's images as float32 (rows, height, width, channels), scaled."""
    column = fit.columns[0]
    found = (np.arange(256) - column.centre) / column.spread
    return found.astype(np.float32)[pixels(table, column.name, fit.shape)]


def pixels(table: Table, column: str, shape: Sequence[int]) -> np.ndarray:
    """A column's images, resized to (height, width, channels): uint8 (rows, *shape). Relative paths start from the table's folder.

    Raises:
        LayerctlError: `missing-extra` without Pillow, `data-bad-image` for files that are none.
    """
    pillow = _pillow()
    out = np.empty((len(table), *shape), np.uint8)
    bad: dict[int, str] = {}
    for row in range(len(table)):
        try:
            out[row] = _one(pillow, _path(table, column, row), shape)
        except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
            bad[row] = _why(error)
    if bad:
        _refuse(table, column, bad)
    return out


def _path(table: Table, column: str, row: int) -> str:
    given = table.columns[column][row]
    if not isinstance(given, str):
        raise ValueError("there is no path")
    return os.path.join(os.path.dirname(table.span(row).source.name), given)


def _why(error: Exception) -> str:
    """What is wrong with a file, in one line."""
    if "cannot identify" in str(error):
        return "it is damaged, or no image of a kind that is known"
    return "there is no such file" if isinstance(error, FileNotFoundError) else str(getattr(error, "strerror", None) or error).split("\n")[0]


def _refuse(table: Table, column: str, bad: dict[int, str]) -> None:
    rows = np.array(sorted(bad))
    values = ["" if v is None else v for v in table.texts(column)]
    out: list[Diagnostic] = []
    for row, given, more in listed(rows, values):
        text = f"column '{column}': {given} cannot be read as an image: {bad[row]}{more}"
        hint = "repair the file or its path, which starts from the table's folder, or leave the row out"
        out.append(Diagnostic("data-bad-image", text, table.span(row, column), (), hint))
    raise BadRows(out, rows)


def _one(pillow: Any, path: str, shape: Sequence[int]) -> np.ndarray:
    height, width, channels = shape
    with pillow.open(path) as image:
        if image.width * image.height > LARGEST:
            raise ValueError(f"it has {image.width} × {image.height} pixels")
        made = image.convert(MODES[channels])
        if made.size != (width, height):
            made = made.resize((width, height), pillow.Resampling.BILINEAR)
        return np.asarray(made).reshape(height, width, channels)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        fail("missing-extra", "images need Pillow, which is not installed", None, hint="pip install 'layerctl[image]'")
        raise
    return Image
