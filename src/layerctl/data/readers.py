"""Sources of data by their format, as tables: whole, or piece by piece."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.data.arrays import BUILTIN, builtin, read_npz
from layerctl.data.delimited import Dialect, Heading, plain_tables, without_lines, without_mark
from layerctl.data.faults import Faults
from layerctl.data.jsonarrays import as_lines, begins_as_json
from layerctl.data.restoring import by_lines
from layerctl.data.streams import Stream, place_of
from layerctl.data.table import Table, joined, without
from layerctl.diagnostics import Source, Span, fail
from layerctl.spec.reading import Reading

SMALL = 1 << 17
"""Bytes up to which the kernels are left alone: loading them would take longer."""
COLD = 16 << 20
"""The same where they would have to be compiled first."""
BATCH = 8192
"""Rows of a table where Python's csv module or json read them."""
ENDINGS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".npz": "npz", ".npy": "npz", ".tsv": "tsv", ".tab": "tsv",
    ".parquet": "parquet", ".pq": "parquet", ".feather": "arrow", ".arrow": "arrow", ".ipc": "arrow",
}  # fmt: skip
"""Formats by the ends of files' names; all else is csv."""


def unpacked_name(name: str) -> str:
    """A file's name in small letters, without the endings of what it is packed with."""
    return name.lower().removesuffix(".gz").removesuffix(".zip")


def format_of(name: str, spec: Reading, given: str | None = None) -> str:
    """csv, tsv, jsonl, npz, parquet, arrow or images: as given, as the section says, or by the name's ending; a folder holds images."""
    if given or spec.format:
        return str(given or spec.format)
    plain = unpacked_name(name)
    return next((kind for ending, kind in ENDINGS.items() if plain.endswith(ending)), "images" if os.path.isdir(name) else "csv")


@dataclass(frozen=True)
class Files:
    """What a source stands for: one file (or a builtin set, or standard input), or several by a pattern, in the order of their names."""

    paths: tuple[str, ...]

    @classmethod
    def of(cls, source: str, folder: Path = Path()) -> Files:
        """The files of a source; one that is not there is found out when it is read."""
        if source == "-" or source.startswith(BUILTIN):
            return cls((source,))
        path = source if os.path.isabs(source) else str(folder / source)
        if not glob.has_magic(source) or os.path.exists(path):
            return cls((path,))
        base = "" if os.path.isabs(source) else str(folder)
        found = sorted(glob.glob(source, root_dir=base or None))
        return cls(tuple(os.path.join(base, f) for f in found if os.path.isfile(os.path.join(base, f))) or (path,))


def read_table(source: str, spec: Reading, folder: Path = Path(), given: str | None = None) -> Table:
    """A source as one table.

    Raises:
        LayerctlError: for a file that is not there, cannot be read, or is not what its format says.
    """
    return joined(list(tables(source, spec, folder, given)))


def tables(source: str, spec: Reading, folder: Path = Path(), given: str | None = None, rows: int | None = None) -> Iterator[Table]:
    """A source as tables, one behind the other; `rows` bounds those that Python reads.

    Raises:
        LayerctlError: as `read_table`, and `data-other-columns` for files of a pattern that do not go together.
    """
    paths = Files.of(source, folder).paths
    first: Table | None = None
    for number, path in enumerate(paths):
        for table in without_words(_file(path, spec, given, rows), spec):
            if first is None:
                first = table
            elif number and list(table.columns) != list(first.columns):
                _other_columns(table, first)
            if len(paths) > 1:
                table = replace(table, name=source, files=np.full(len(table), number, np.int32), names=paths)
            yield table


def _other_columns(table: Table, first: Table) -> None:
    lacking = [c for c in first.columns if c not in table.columns]
    more = [c for c in table.columns if c not in first.columns]
    if not lacking and not more:
        what = "the same columns in another order"
    else:
        what = " and ".join([*([f"not the columns {', '.join(lacking)}"] if lacking else []), *([f"also {', '.join(more)}"] if more else [])])
    fail("data-other-columns", f"the file has {what}: {first.name} was read first", Span(Source(table.name), 1, 1),
         hint="the files of a pattern need the same header")  # fmt: skip


def _file(path: str, spec: Reading, given: str | None, rows: int | None) -> Iterator[Table]:
    """One file as tables."""
    if path.startswith(BUILTIN):
        yield builtin(path.removeprefix(BUILTIN))
        return
    kind, place = format_of(path, spec, given), place_of(path)
    if kind == "npz":
        yield read_npz(path, place)
    elif kind in ("parquet", "arrow"):
        from layerctl.data.arrow import arrow_tables

        yield from arrow_tables(path, kind, place, frozenset(spec.missing_values))
    elif kind == "images":
        from layerctl.data.images import folder_table

        yield folder_table(path, place)
    else:
        yield from _rows_of_text(Stream(path, spec.encoding, place), path, kind, spec, given, rows)


def _rows_of_text(text: Stream, path: str, kind: str, spec: Reading, given: str | None, rows: int | None) -> Iterator[Table]:
    """Delimited text or JSON as tables."""
    place = text.place
    kind, stream = _begun(text, path, kind, spec, given)
    if kind == "jsonl":
        count = 0
        for table in object_tables(stream, place.source.name, frozenset(spec.missing_values), rows):
            if table is not None:
                count += len(table)
                yield table
        if not count:
            fail("data-no-rows", "the file has no rows", place, hint="give a file with an object to a line")
    else:
        heading = Heading(Dialect.of(spec, path, kind), place.source.name)
        for table in delimited_tables(stream, heading, rows or BATCH):
            if table is not None:
                yield table
        heading.end()


def _begun(stream: Stream, path: str, kind: str, spec: Reading, given: str | None) -> tuple[str, Iterable[bytes]]:
    """(the format, the pieces): standard input has no name that tells, and is JSON if it begins so, unless it is said."""
    if kind != "csv" or path != "-" or given or spec.format:
        return kind, stream
    pieces = iter(stream)
    head = next((p for p in pieces if p), b"")
    return "jsonl" if begins_as_json(head) else kind, itertools.chain([head], pieces)


def delimited_tables(stream: Iterable[bytes], heading: Heading, rows: int) -> Iterator[Table | None]:
    """Delimited text as tables: small ones by Python's csv module, others by the kernels, with the same results. None where the writer pauses."""
    stream = without_lines(without_mark(stream), heading.dialect.skip)
    for change in heading.dialect.changes:
        stream = by_lines(stream, change)
    if heading.dialect.runs:
        stream = (piece.replace(b"\t", b" ") for piece in stream)
    everything, small, pausing = _measured(stream, "scanning.cut_marked" if heading.dialect.marked else "scanning.cut")
    if (small and not pausing) or not heading.dialect.native:
        yield from plain_tables(everything, heading, rows)
        return
    from layerctl.data.fields import native_tables

    yield from native_tables(everything, heading)


def object_tables(
    stream: Iterable[bytes], name: str, missing: frozenset[str], rows: int | None, faults: Faults | None = None, wanted: Sequence[str] = ()
) -> Iterator[Table | None]:  # fmt: skip
    """JSON lines, or an array of objects, as tables, in the same two ways."""
    everything, small, _pausing = _measured(as_lines(stream, name), "objects.objects")
    if small:
        from layerctl.data.jsonlines import json_tables

        for table in json_tables(everything, name, missing, rows, faults, wanted):
            yield table
            yield None  # its rows are as many as are wanted, or as have come
        return
    from layerctl.data.flat import flat_tables

    yield from flat_tables(everything, name, missing, faults, wanted)


def _measured(stream: Iterable[bytes], kernel: str) -> tuple[Iterable[bytes], bool, bool]:
    """(the pieces of a stream, whether they are too few for the kernels that go with the one that cuts records, whether their writer pauses before)."""
    pieces = iter(stream)
    head: list[bytes] = []
    size, small, pausing = 0, True, False
    for piece in pieces:
        if not piece and not size:
            continue
        head.append(piece)
        size += len(piece)
        pausing = not piece
        small = size < SMALL or (size < COLD and not _kept(kernel))
        if pausing or not small:
            break
    return itertools.chain(head, pieces), small, pausing


def _kept(kernel: str) -> bool:
    from layerctl.data.blocks import kept

    return kept(kernel)


def streamed(
    source: str, spec: Reading, rows: int, given: str | None = None, faults: Faults | None = None, wanted: Sequence[str] = ()
) -> Iterator[Table]:  # fmt: skip
    """A file or a stream as tables of `rows` rows, the last one of what is left; fewer where a pipe's writer pauses.

    What is not in the encoding becomes a replacement character; targets need not be there. Where `faults` pass over bad rows, lines that are
    no rows are there with missing values, and so are `wanted` columns of JSON lines.
    """
    kind, place = format_of(source, spec, given), place_of(source)
    if kind not in ("csv", "tsv", "jsonl") or source.startswith(BUILTIN) or Files.of(source).paths != (source,):
        yield from recut(tables(source, spec, given=given), rows)
        return
    kind, stream = _begun(Stream(source, spec.encoding, place, lenient=True, prompt=True), source, kind, spec, given)
    if kind == "jsonl":
        yield from recut(without_words(object_tables(stream, place.source.name, frozenset(spec.missing_values), rows, faults, wanted), spec), rows)
        return
    heading = Heading(Dialect.of(spec, source, kind), place.source.name, tuple(spec.targets), strict=True, faults=faults)
    count = 0
    for table in recut(without_words(delimited_tables(stream, heading, rows), spec), rows):
        count += 1
        yield table
    if not count and heading.names:
        yield Table(place.source.name, {n: [] for n in heading.names}, [], spec.decimal)


def without_words(found: Iterable[Table | None], spec: Reading) -> Iterator[Any]:
    """Tables as they were read, in which the words that are missing values in some columns alone are."""
    for table in found:
        if table is None or not spec.missing_in:
            yield table
            continue
        gone = {n: frozenset(w) for n, w in spec.missing_in.items() if n in table.columns}
        yield replace(table, columns={n: without(c, gone[n]) if n in gone else c for n, c in table.columns.items()})


def recut(found: Iterable[Table | None], rows: int) -> Iterator[Table]:
    """Tables of `rows` rows out of larger and smaller ones; what has come is handed on at a None."""
    held: list[Table] = []
    count = 0
    for table in found:
        if table is not None:
            held.append(table)
            count += len(table)
        if count and (count >= rows or table is None):
            whole, at = joined(held), 0
            while count - at >= rows or (table is None and at < count):
                yield whole.part(at, min(at + rows, count))
                at = min(at + rows, count)
            held, count = ([whole.part(at, count)] if at < count else []), count - at
    if count:
        yield joined(held)
