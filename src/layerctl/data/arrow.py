"""Parquet and Arrow files (extra `data`: pyarrow), a batch of rows at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

from layerctl.data.coded import Coded
from layerctl.data.streams import opened
from layerctl.data.table import Table
from layerctl.diagnostics import Span, fail

BATCH = 1 << 16
"""Rows of a table."""
_FILE = b"ARROW1"


def arrow_tables(path: str, kind: str, place: Span, missing: frozenset[str]) -> Iterator[Table]:
    """A Parquet file, or an Arrow file or stream (Feather is one), as tables.

    Raises:
        LayerctlError: without pyarrow, for files that are not there or damaged, and columns that are neither numbers, texts, times nor lists of numbers.
    """
    arrow = _arrow(place)
    with opened(path, place) as file:
        done = 0
        try:
            for batch in _batches(arrow, _seekable(arrow, file), kind):
                if not batch.num_rows:
                    continue
                columns = {str(n): _column(arrow, str(n), c, place, missing) for n, c in zip(batch.schema.names, batch.columns, strict=True)}
                if len(columns) < len(batch.columns):
                    fail("data-duplicate-column", "two columns have the same name", place, hint="rename one in the file")
                yield Table(place.source.name, columns, np.arange(done + 1, done + batch.num_rows + 1))
                done += batch.num_rows
        except (arrow.ArrowException, OSError) as error:
            fail("file-unreadable", f"cannot read {path} as {kind}: {str(error).split(chr(10))[0]}", place,
                 hint="take a copy that is whole, or write it again")  # fmt: skip
        if not done:
            fail("data-no-rows", "the file has no rows", place, hint="write the file again with rows")


def _arrow(place: Span) -> Any:
    try:
        import pyarrow
    except ImportError:
        fail("missing-extra", "Parquet and Arrow files need pyarrow, which is not installed", place, hint="pip install 'layerctl[data]'")
        raise
    return pyarrow


def _batches(arrow: Any, file: Any, kind: str) -> Iterable[Any]:
    """The file's batches of rows, unpacked one at a time."""
    if kind == "parquet":
        from pyarrow import parquet

        return _checked(parquet.ParquetFile(file, pre_buffer=False).iter_batches(BATCH, use_threads=False))
    head = file.read(len(_FILE))
    file.seek(0)
    return _checked(arrow.ipc.open_stream(file) if head != _FILE else _of_file(arrow.ipc.open_file(file)))


def _of_file(found: Any) -> Iterator[Any]:
    for i in range(found.num_record_batches):
        yield found.get_batch(i)


def _checked(batches: Iterable[Any]) -> Iterator[Any]:
    """Parts of the batches. What stands in such a file is taken for offsets, indices and UTF-8 as it is, unless somebody looks at it."""
    for batch in batches:
        batch.validate(full=True)
        for low in range(0, batch.num_rows, BATCH):
            yield batch.slice(low, BATCH)


def _seekable(arrow: Any, file: IO[bytes]) -> Any:
    """The file, or what comes through a pipe in memory: such files are read from their end."""
    return file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else arrow.BufferReader(file.readall() if hasattr(file, "readall") else file.read())


def _column(arrow: Any, name: str, values: Any, place: Span, missing: frozenset[str]) -> Any:
    """A column as numbers, as numbered texts, or as arrays."""
    kinds = arrow.types
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if kinds.is_null(kind):
        return [None] * len(values)
    if kinds.is_boolean(kind):
        values, kind = values.cast(arrow.uint8()), arrow.uint8()
    if kinds.is_integer(kind) and not values.null_count:
        return values.to_numpy(zero_copy_only=False)
    if kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind):
        return values.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    if kinds.is_temporal(kind):
        values, kind = values.cast(arrow.string()), arrow.string()
    if kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind):
        found = values.dictionary_encode()
        codes = found.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return Coded.of(codes.astype(np.int32, copy=False), found.dictionary.to_pylist(), missing)
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return _arrays(arrow, name, values, place)
    fail("data-syntax", f"column '{name}' holds values of the type {kind}: neither numbers, texts, times nor lists of numbers", place,
         hint="leave it out when the file is written")  # fmt: skip
    raise AssertionError


def _arrays(arrow: Any, name: str, values: Any, place: Span) -> np.ndarray:
    """Lists of numbers of the same lengths, in any depth: float64."""
    shape, rows = [], len(values)
    while not (arrow.types.is_integer(values.type) or arrow.types.is_floating(values.type)):
        if not hasattr(values, "flatten") or values.null_count or not hasattr(values.type, "value_type"):
            _ragged(name, place)
        inner = values.flatten()
        if len(inner) % max(len(values), 1):
            _ragged(name, place)
        length = len(inner) // max(len(values), 1)
        if not arrow.types.is_fixed_size_list(values.type) and (np.diff(values.offsets.to_numpy()) != length).any():
            _ragged(name, place)
        shape.append(length)
        values = inner
    return values.cast(arrow.float64(), safe=False).to_numpy(zero_copy_only=False).reshape(rows, *shape)


def _ragged(name: str, place: Span) -> None:
    fail("data-ragged", f"column '{name}': the lists differ in length or hold what is no number", place,
         hint="give each row as many numbers, or read the column as `kind: text`")  # fmt: skip
