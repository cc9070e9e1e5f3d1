"""Files and streams piece by piece, in order and in bounded memory: encoded rows without targets, beside the rows as they were read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from layerctl.data.dataset import _encode
from layerctl.data.faults import Faults
from layerctl.data.features import check_columns
from layerctl.data.readers import read_table, streamed
from layerctl.data.rows import Dataset
from layerctl.data.table import BadRows, Table
from layerctl.diagnostics import Diagnostic, Source, Span, fail
from layerctl.spec.features import FeatureSchema
from layerctl.spec.reading import Reading

MISSING_TRAINED = "fill it in, or train again with what stands for missing values in the feature: `missing: mean` (median, most_frequent, constant)"


@dataclass(frozen=True, eq=False)
class Piece:
    """`table` as it was read, and of it `rows`, encoded; `places` are their numbers in the table, None where `rows` are all of it.

    `arriving`: it is of a stream, and has as many rows as had come.
    """

    table: Table
    rows: Dataset
    places: np.ndarray | None = None
    arriving: bool = False


def pieces(
    source: Any, schema: FeatureSchema, spec: Reading, rows: int, given: str | None = None, faults: Faults | None = None
) -> Iterator[Piece]:  # fmt: skip
    """Pieces of at most `rows` rows of a file or stream; of a stream what has arrived, so that an answer waits for nothing but its row.

    Delimited text, JSON lines, Parquet and Arrow are read piece by piece; windows need all rows at once.

    Raises:
        LayerctlError: for what cannot be read; for bad rows, unless `faults` has them passed over.
    """
    name = str(source)
    faults = faults if faults is not None else Faults()
    if any(f.kind == "window" for f in schema.features.values()):
        yield _windowed(read_table(name, spec, given=given), schema, faults)
        return
    wanted = [c.name for f in schema.features.values() for c in f.columns] if faults.tolerant else []
    arriving = name == "-" or (os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name))
    for table in streamed(name, spec, rows, given, faults, wanted):
        if not len(table):  # a header alone
            for feature, fit in schema.features.items():
                if fit.kind != "array":  # whose columns may be spread out
                    check_columns(feature, table, fit)
            continue
        yield replace(_piece(table, schema, faults), arriving=arriving)


def _choices(d: Diagnostic) -> str:
    """What can be done about a row to predict: what training would have to say, and to pass over it."""
    trained = MISSING_TRAINED if d.code == "data-missing" else f"{d.hint}, and train again"
    return f"{trained}; or pass over such rows: `--on-error skip`, or `null` for an empty prediction"


def _windowed(table: Table, schema: FeatureSchema, faults: Faults) -> Piece:
    if faults.tolerant:
        fail("bad-option", f"--on-error {faults.policy} passes over single rows, and the model looks at windows of consecutive ones",
             Span(Source("--on-error")), hint="correct the rows, or say what stands for missing values in the feature: `missing: mean`")  # fmt: skip
    rows = _encode(None, table, schema)
    return Piece(table, rows, np.arange(len(table) - len(rows), len(table)))


def _piece(table: Table, schema: FeatureSchema, faults: Faults) -> Piece:
    if not faults.tolerant:
        try:
            return Piece(table, _encode(None, table, schema))
        except BadRows as error:
            raise BadRows([replace(d, hint=_choices(d)) if d.hint else d for d in error.diagnostics], error.rows) from None
    found, good = faults.good(table, lambda t: _encode(None, t, schema))
    rows = found if found is not None else Dataset({}, {}, None, good)
    if len(good) == len(table):
        return Piece(table, rows)
    return Piece(table.take(good), rows) if faults.policy == "skip" else Piece(table, rows, good)
