"""Images in files (extra `image`: Pillow): a folder of them by class, or paths in a table's column, as arrays of one shape."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from layerctl.data.table import Table
from layerctl.diagnostics import Source, Span, fail

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's names for so many channels."""
LARGEST = 1 << 28
"""Pixels of one image."""
IMAGE, LABEL = "image", "label"
"""The columns of a folder of images."""


def folder_table(path: str, place: Span) -> Table:
    """A folder with a folder of images for each class, as a table of the images' paths and their classes, in the order of names.

    Raises:
        LayerctlError: `data-no-rows` if there are none.
    """
    paths, labels = [], []
    for entry in sorted(os.scandir(path), key=lambda e: e.name):
        if entry.is_dir() and not entry.name.startswith("."):
            found = sorted(e.name for e in os.scandir(entry.path) if e.name.lower().endswith(ENDINGS) and e.is_file())
            paths += [os.path.join(entry.path, name) for name in found]
            labels += [entry.name] * len(found)
    if not paths:
        fail("data-no-rows", "this is a folder, not a file of data, and no folder in it has images", place,
             hint=f"a folder of images has one folder for each class, with {', '.join(ENDINGS[:4])} files")  # fmt: skip
    return Table(place.source.name, {IMAGE: paths, LABEL: labels})


def pixels(table: Table, column: str, shape: Sequence[int], base: str) -> np.ndarray:
    """A column's images, resized to (height, width, channels): uint8 (rows, *shape). Relative paths start from `base`.

    Raises:
        LayerctlError: `extra-missing` without Pillow, `data-bad-image` for files that are none.
    """
    pillow = _pillow()
    out = np.empty((len(table), *shape), np.uint8)
    bad: list[int] = []
    why: dict[int, str] = {}
    texts = table.texts(column)
    for row, path in enumerate(texts):
        try:
            out[row] = _one(pillow, os.path.join(base, path or ""), shape) if path is not None else 0
        except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
            bad.append(row)
            why[row] = str(error).split("\n")[0]
    if bad:
        table.refuse(column, np.array(bad), texts, f"is not an image that can be read: {why[bad[0]]}", "repair or remove the files",
                     "data-bad-image")  # fmt: skip
    return out


def _one(pillow: Any, path: str, shape: Sequence[int]) -> np.ndarray:
    height, width, channels = shape
    with pillow.open(path) as image:
        if image.width * image.height > LARGEST:
            raise ValueError(f"it has {image.width} × {image.height} pixels")
        if image.format == "JPEG":
            image.draft(MODES[channels] if channels < 4 else "RGB", (width, height))
        made = image.convert(MODES[channels])
        if made.size != (width, height):
            made = made.resize((width, height), pillow.Resampling.BILINEAR)
        return np.asarray(made).reshape(height, width, channels)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        fail("extra-missing", "images need Pillow, which is not installed", Span(Source("images")), hint="pip install 'layerctl[image]'")
        raise
    return Image
