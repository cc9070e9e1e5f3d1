"""Files of data by their format: delimited text, JSON lines, numpy's files, and the sets that ship with layerctl."""

from __future__ import annotations

import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from layerctl.data.delimited import Dialect, parse, read_text
from layerctl.data.table import Table
from layerctl.diagnostics import Source, Span, did_you_mean, fail
from layerctl.spec.reading import Reading

BUILTIN = "builtin:"
LARGEST = 8 << 30


def format_of(name: str, spec: Reading, given: str | None = None) -> str:
    """csv, tsv, jsonl or npz: as given, as the section says, or by the name's ending."""
    if given or spec.format:
        return str(given or spec.format)
    plain = name.lower().removesuffix(".gz")
    for ending, kind in ((".jsonl", "jsonl"), (".ndjson", "jsonl"), (".npz", "npz"), (".npy", "npz"), (".tsv", "tsv"), (".tab", "tsv")):
        if plain.endswith(ending):
            return kind
    return "csv"


def read_table(source: str, spec: Reading, folder: Path = Path(), given: str | None = None) -> Table:
    """A file of data as a table.

    Raises:
        LayerctlError: for a file that is not there, cannot be read, or is not what its format says.
    """
    if source.startswith(BUILTIN):
        return builtin(source.removeprefix(BUILTIN))
    path = source if source == "-" or os.path.isabs(source) else str(folder / source)
    place = Span(Source("<stdin>" if source == "-" else path))
    kind = format_of(path, spec, given)
    if kind == "npz":
        return read_npz(path, place)
    text = read_text(path, spec.encoding, place)
    if kind == "jsonl":
        return parse_jsonl(text, place.source.name, frozenset(spec.missing_values))
    return parse(text, Dialect.of(spec, path, kind), place.source.name)


def parse_jsonl(text: str, name: str, missing: frozenset[str]) -> Table:
    """JSON objects, one a line; keys are columns, a key that is not there is a missing value, lists are arrays."""
    rows, lines = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        rows.append(json_row(line, number, name))
        lines.append(number)
    if not rows:
        fail("data-no-rows", "the file has no rows", Span(Source(name)))
    return table_of_rows(rows, lines, name, missing)


def json_row(line: str, number: int, name: str) -> dict[str, Any]:
    """One line of JSON as a row."""
    place = Span(Source(name, None, {number: line}), number, 1, number, 2)
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        at = getattr(error, "colno", 1)
        fail("data-syntax", f"this line is not JSON: {getattr(error, 'msg', error)}", Span(place.source, number, at, number, at + 1))
    if not isinstance(row, dict):
        fail("data-syntax", f"a line must be a JSON object, got {type(row).__name__}", place, hint='write {"column": value, ...}')
    return row


def table_of_rows(rows: list[dict[str, Any]], lines: list[int], name: str, missing: frozenset[str]) -> Table:
    """Rows of JSON values as columns of text, or of arrays where the values are lists."""
    names = list(dict.fromkeys(k for r in rows for k in r))
    columns: dict[str, Any] = {}
    for n in names:
        values = [r.get(n) for r in rows]
        if any(isinstance(v, list) for v in values):
            columns[n] = _arrays(n, values, lines, name)
        else:
            columns[n] = [_scalar(v, missing) for v in values]
    return Table(name, columns, lines)


def _arrays(column: str, values: list[Any], lines: list[int], name: str) -> np.ndarray:
    try:
        array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        fail("data-ragged", f"column '{column}': the lists differ in length or hold what is no number", Span(Source(name), lines[0], 1))
    return array


def _scalar(v: Any, missing: frozenset[str]) -> str | None:
    if v is None or (isinstance(v, float) and not math.isfinite(v)):
        return None
    if isinstance(v, bool):
        return "true" if v else "false"
    text = v.strip() if isinstance(v, str) else json.dumps(v) if isinstance(v, dict) else str(v)
    return None if text in missing else text


def read_npz(path: str, place: Span) -> Table:
    """Arrays by name, the rows first; a .npy file is one array called `x`. Nothing that would run code is read."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
        if head[:6] == b"\x93NUMPY":
            arrays = {"x": np.load(path, allow_pickle=False)}
        else:
            with zipfile.ZipFile(path) as packed:
                sizes = [i.file_size for i in packed.infolist()]
                if sum(sizes) > LARGEST:
                    fail("file-too-large", f"the archive unpacks to {sum(sizes) / 1e9:.1f} GB", place)
            with np.load(path, allow_pickle=False) as packed:
                arrays = {n: packed[n] for n in packed.files}
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        near = did_you_mean(os.path.basename(path), os.listdir(folder)) if os.path.isdir(folder) else ""
        fail("file-not-found", f"there is no file {path}{near}", place, hint="`source` is relative to the model file")
    except (ValueError, OSError, zipfile.BadZipFile, MemoryError, EOFError, KeyError) as error:
        why = "it holds Python objects" if "allow_pickle" in str(error) else str(error).split("\n")[0]
        fail("file-unreadable", f"cannot read {path} as numpy arrays: {why}", place)
    lengths = {n: len(a) for n, a in arrays.items() if a.ndim}
    if not lengths or len(set(lengths.values())) > 1 or len(lengths) < len(arrays):
        text = ", ".join(f"{n} {a.shape}" for n, a in arrays.items())
        fail("data-ragged", f"the arrays must have the same number of rows: {text or 'there are none'}", place)
    if not next(iter(lengths.values())):
        fail("data-no-rows", "the arrays have no rows", place)
    return Table(place.source.name, {n: a if a.dtype.kind in "fiub" else a.astype(str).tolist() for n, a in arrays.items()})


def builtin_names() -> list[str]:
    """The sets that ship with layerctl."""
    return sorted(p.stem for p in (Path(__file__).parent / "builtin").glob("*.npz"))


def builtin(name: str) -> Table:
    """A set that ships with layerctl."""
    known = builtin_names()
    if name not in known:
        fail("unknown-builtin", f"there is no builtin data set '{name}'{did_you_mean(name, known)}", hint=f"there are {', '.join(known)}")
    table = read_npz(str(Path(__file__).parent / "builtin" / f"{name}.npz"), Span(Source(BUILTIN + name)))
    table.name = BUILTIN + name
    return table


def fingerprint_of(source: str, folder: Path) -> bytes:
    """What identifies a file's content: its bytes' hash, or for a large file its size and times."""
    import hashlib

    if source.startswith(BUILTIN):
        path = Path(__file__).parent / "builtin" / f"{source.removeprefix(BUILTIN)}.npz"
    else:
        path = Path(source) if os.path.isabs(source) else folder / source
    try:
        status = path.stat()
        if status.st_size > 64 << 20:
            return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}".encode()
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return b""


