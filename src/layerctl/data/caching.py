"""Large sources: read once in blocks, encoded into a file of the cache, and used from there with bounded memory; the same bits as in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from layerctl import __version__
from layerctl.data import encoded
from layerctl.data.dataset import Data, SpanAt, _encode, kept_rows, plan
from layerctl.data.encoded import Part
from layerctl.data.fingerprints import fingerprint_of
from layerctl.data.readers import Files, format_of, read_table, tables
from layerctl.data.rows import Dataset
from layerctl.data.spool import Spool
from layerctl.data.table import Table
from layerctl.spec.features import FeatureSchema

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec

PIECE = 1 << 16
"""The most rows that are encoded at a time."""
READ = 1 << 12
"""The most rows that are read at a time where Python reads them, as texts."""
FIELDS = 1 << 20
"""The most fields of a table, and numbers of the model's inputs, that they may have, as long as there are some rows."""


def cached(spec: DataSpec, seed: int, span: SpanAt, folder: Path, hints: Mapping[str, str | None]) -> Data | None:
    """The three parts from the cache, encoded into it first where they are not there; None where there is no cache to write to.

    Raises:
        LayerctlError: for what is wrong in the source.
    """
    assert isinstance(spec.source, str)
    key = _key(spec, spec.source, folder, [seed, dict(hints)])
    found = encoded.kept(key) if key is not None else None
    if key is not None and found is None and _planned_and_written(spec, seed, span, folder, hints, key):
        found = encoded.kept(key)
    if found is None:
        return None
    parts, schema = found
    return Data(parts["train"], parts.get("validation"), parts.get("test"), schema)


def _planned_and_written(spec: DataSpec, seed: int, span: SpanAt, folder: Path, hints: Mapping[str, str | None], key: str) -> bool:
    with encoded.workshop() as workshop:
        if workshop is None:
            return False
        planned = plan(spec, seed, _table(spec, str(spec.source), folder, workshop), span, hints)
        pieces = {n: Part(len(r), _pieces(spec, planned.table, planned.schema, r)) for n, r in planned.parts.items() if len(r)}
        return encoded.write(key, planned.schema, pieces)


def cached_by_schema(spec: DataSpec, source: str, schema: FeatureSchema, folder: Path) -> Dataset | None:
    """A source's rows by a fitted schema, from the cache in the same way."""
    key = _key(spec, source, folder, schema.to_dict())
    found = encoded.kept(key) if key is not None else None
    if key is not None and found is None:
        with encoded.workshop() as workshop:
            if workshop is None:
                return None
            table = kept_rows(spec, _table(spec, source, folder, workshop), schema)
            rows = np.arange(len(table) - _span(schema) + 1)
            if not len(rows) or not encoded.write(key, schema, {"all": Part(len(rows), _pieces(spec, table, schema, rows))}):
                return None
        found = encoded.kept(key)
    return None if found is None else found[0]["all"]


def _key(spec: DataSpec, source: str, folder: Path, more: object) -> str | None:
    """The name of all that encoded rows depend on; None for a source that has no content yet."""
    content = fingerprint_of(source, folder)
    if not content:
        return None
    section = {k: v for k, v in spec.model_dump(mode="json").items() if k not in ("source", "cache")}
    told = json.dumps([__version__, np.__version__, source if "*" not in source else "", section, more], sort_keys=True)
    return hashlib.sha256(content + told.encode()).hexdigest()[:32]


def _table(spec: DataSpec, source: str, folder: Path, workshop: Path) -> Table:
    """The source as a table that is mapped: arrays are so in their own files."""
    reading = spec.reading()
    if all(format_of(p, reading) in ("npz", "images") for p in Files.of(source, folder).paths):
        return read_table(source, reading, folder)
    return Spool(workshop, lambda: tables(source, reading, folder, rows=READ)).table()


def _span(schema: FeatureSchema) -> int:
    """Rows from a sample's first to its target."""
    windows = [f for f in schema.features.values() if f.kind == "window"]
    return windows[0].length + (windows[0].horizon if schema.targets else 0) if windows else 1


def _pieces(spec: DataSpec, table: Table, schema: FeatureSchema, samples: np.ndarray) -> Callable[[], Iterator[Dataset]]:
    """Samples of a table, encoded piece by piece. With windows a sample is its first row; else it is its row."""
    reach = _span(schema)
    width = max(len(table.columns), sum(int(np.prod(f.shape, dtype=np.int64)) for f in schema.features.values()))
    piece = min(PIECE, max(FIELDS // max(width, 1), 64))

    def made() -> Iterator[Dataset]:
        for low in range(0, len(samples), piece):
            numbers = samples[low : low + piece]
            if reach > 1:
                first = int(numbers.min())
                rows = _encode(spec, table.part(first, int(numbers.max()) + reach), schema).take(numbers - first)
            else:
                rows = _encode(spec, table.take(numbers), schema)
            yield Dataset(rows.inputs, rows.targets, rows.weights, np.ascontiguousarray(numbers, np.int64))

    return made
