"""Data sets: encoded rows in memory, ready for a program to fetch batches from."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl import __version__
from layerctl.cache import cache_folder
from layerctl.data.delimited import Dialect, header_of, records
from layerctl.data.features import columns_of, encode_feature, fit_schema, incomplete
from layerctl.data.parts import order_of, parts_of, resampled
from layerctl.data.readers import fingerprint_of, format_of, json_row, read_table, table_of_rows
from layerctl.data.table import Table
from layerctl.data.targets import encode_targets, encode_weights, recount
from layerctl.data.texts import pieces
from layerctl.diagnostics import Source, Span, fail
from layerctl.spec.features import FeatureSchema
from layerctl.spec.reading import Reading

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec

SpanAt = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows: arrays by model input and by output, all C-contiguous; `row_numbers` are the rows' numbers in the whole data (i64)."""

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    weights: np.ndarray | None
    row_numbers: np.ndarray

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of all numbers and names, computed when it is first asked for."""
        return digest(self.inputs, self.targets, self.weights)

    def __len__(self) -> int:
        return len(self.row_numbers)

    @classmethod
    def of_arrays(cls, inputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]) -> Dataset:
        """Arrays as they are."""
        n = len(next(iter(inputs.values())))
        return cls(dict(inputs), dict(targets), None, np.arange(n, dtype=np.int64))

    def with_targets(self, targets: Mapping[str, np.ndarray], weights: np.ndarray | None) -> Dataset:
        """The same rows with other targets and weights."""
        return replace(self, targets=dict(targets), weights=weights)

    def take(self, rows: np.ndarray) -> Dataset:
        """Some rows."""
        inputs = {n: np.ascontiguousarray(a[rows]) for n, a in self.inputs.items()}
        targets = {n: np.ascontiguousarray(a[rows]) for n, a in self.targets.items()}
        weights = None if self.weights is None else np.ascontiguousarray(self.weights[rows])
        return Dataset(inputs, targets, weights, np.ascontiguousarray(self.row_numbers[rows]))


def digest(inputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], weights: np.ndarray | None) -> str:
    """A hash of all numbers and names."""
    out = hashlib.sha256()
    for name, array in (*inputs.items(), *targets.items(), *([("weights", weights)] if weights is not None else [])):
        out.update(f"{name}|{array.dtype}|{array.shape}|".encode())
        out.update(np.ascontiguousarray(array).tobytes())
    return out.hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Data:
    """The three parts and what was fitted on the first."""

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    schema: FeatureSchema
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A hash of the training rows."""
        return self.train.fingerprint


def load(spec: DataSpec, seed: int, span: SpanAt, folder: Path, hints: Mapping[str, str | None] | None = None) -> Data:
    """Reads, splits, fits on the training rows, encodes.

    `hints` say which kind of target the losses want. Paths are relative to `folder`; `span(*path)` gives places in the section.

    Raises:
        LayerctlError: for whatever is wrong with the files or the values.
    """
    if not isinstance(spec.source, str):
        return _separate(spec, span, folder, hints or {})
    _check_source(spec.source, span, folder)
    table = read_table(spec.source, spec.reading(), folder)
    columns = columns_of(spec, table, span)
    _check_targets(spec, table, span)
    keep = complete(spec, table, columns)
    table = table.take(keep) if len(keep) < len(table) else table
    if not len(table):
        fail("no-rows", "no row is complete: all were left out", span("features"))
    windows = _windows(spec)
    joined = any(t.join for t in spec.targets().values())
    order = order_of(spec, table, span)
    if order is not None and (windows or joined):
        table, order = table.take(order), None
    n = len(table) if not windows else max(0, len(table) - windows[0] - windows[1] + 1)
    if n < 1:
        fail("no-rows", f"{len(table)} rows are too few for windows of {windows and windows[0]}", span("features"))
    everything = np.arange(len(table))
    parts = parts_of(spec, seed, table, n, order, span, bool(windows) or joined)
    train_rows = everything[: int(parts["train"].max()) + windows[0]] if windows else parts["train"]
    schema = fit_schema(spec, table, columns, train_rows, hints or {}, span)
    if not windows:
        parts["train"] = resampled(spec, seed, table, parts["train"], span, hints or {})
        if spec.sampling is not None:
            recount(table, schema, parts["train"])
    elif spec.sampling is not None:
        fail("bad-sampling", "'sampling' cannot even out windows of a series", span("sampling"), hint="leave it out")
    if schema.continued() is not None:
        made = {p: _encode(spec, table.take(r), schema) if len(r) else None for p, r in parts.items()}
    else:
        whole = _encode(spec, table, schema)
        made = {p: whole.take(_stepped(r, windows) if p == "train" else r) if len(r) else None for p, r in parts.items()}
    assert made["train"] is not None
    return Data(made["train"], made["validation"], made["test"], schema)


def _check_source(source: str, span: SpanAt, folder: Path) -> None:
    """A source that is not there is the model file's mistake: its place is the line that names it."""
    from layerctl.data.readers import BUILTIN, builtin_names
    from layerctl.diagnostics import did_you_mean

    if source.startswith(BUILTIN):
        name, known = source.removeprefix(BUILTIN), builtin_names()
        if name not in known:
            fail("unknown-builtin", f"there is no builtin data set '{name}'{did_you_mean(name, known)}", span("source"),
                 hint=f"there are {', '.join(known)}")  # fmt: skip
    elif source != "-" and not (folder / source).exists():
        path = folder / source
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        fail("file-not-found", f"there is no file {path}{near}", span("source"), hint="`source` is relative to the model file")


def _check_targets(spec: DataSpec, table: Table, span: SpanAt) -> None:
    for name in [n for t in spec.targets().values() for n in t.names()]:
        if name not in table.columns:
            from layerctl.diagnostics import did_you_mean

            fail("unknown-column", f"the target '{name}' is no column of {table.name}{did_you_mean(name, table.columns)}",
                 span("target"), hint=f"it has {', '.join(table.columns)}")  # fmt: skip


def complete(spec: DataSpec, table: Table, columns: Mapping[str, list[str]]) -> np.ndarray:
    """Rows that no policy leaves out."""
    out = np.zeros(len(table), bool)
    for name, f in spec.features.items():
        if f.missing == "drop":
            out |= incomplete(table, columns[name])
    for t in spec.targets().values():
        if t.missing == "drop":
            out |= incomplete(table, t.names())
    return np.flatnonzero(~out)


def _windows(spec: DataSpec) -> tuple[int, int, int] | None:
    """(length, horizon, step) of the window feature, if there is one."""
    for f in spec.features.values():
        if f.window is not None:
            return f.window.length, f.window.horizon, f.window.step
    return None


def _stepped(rows: np.ndarray, windows: tuple[int, int, int] | None) -> np.ndarray:
    return rows if windows is None or windows[2] == 1 else rows[:: windows[2]]


def _encode(spec: DataSpec | None, table: Table, schema: FeatureSchema) -> Dataset:
    """Rows by a fitted schema, with targets and weights where a section tells of them."""
    inputs = {n: encode_feature(n, table, f) for n, f in schema.features.items()}
    weights = encode_weights(table, spec.weight) if spec is not None and spec.weight is not None else None
    rows = np.arange(len(table), dtype=np.int64)
    if spec is None:
        made = Dataset(inputs, {}, weights, rows)
    elif schema.continued() is not None:
        made = _continued(table, Dataset(inputs, {}, weights, rows), schema)
    else:
        goals, steps = encode_targets(table, schema, inputs)
        if steps is not None:
            weights = steps if weights is None else steps * weights[:, None]
        made = Dataset(inputs, goals, weights, rows)
    return _windowed(made, schema) if any(f.kind == "window" for f in schema.features.values()) else made


def _continued(table: Table, rows: Dataset, schema: FeatureSchema) -> Dataset:
    """Pieces of texts with the token after each of theirs; a step behind a text's end has the weight 0."""
    (output, target), *more = schema.targets.items()
    name, fit = schema.continued() or ("", None)
    if more or fit is None:
        fail("bad-target", "a model that goes on with a text has no other target", None, hint="`target: next` alone")
    x, y, source = pieces(table, fit, target.join)
    inputs = {n: x if n == name else np.ascontiguousarray(a[source]) for n, a in rows.inputs.items()}
    weights = (y != 0).astype(np.float32)
    if rows.weights is not None:
        weights *= rows.weights[source][:, None]
    return Dataset(inputs, {output: y}, weights, np.arange(len(x), dtype=np.int64))


def _windowed(rows: Dataset, schema: FeatureSchema) -> Dataset:
    """Rows in order as windows: sample i ends at row i + length - 1, its target stands `horizon` rows on."""
    fit = next(f for f in schema.features.values() if f.kind == "window")
    n = len(rows) - fit.length - (fit.horizon if rows.targets else 0) + 1
    starts = np.arange(max(n, 0))[:, None]
    inputs = {}
    for name, f in schema.features.items():
        array = rows.inputs[name]
        picked = array[starts + np.arange(f.length)] if f.kind == "window" else array[starts[:, 0] + fit.length - 1]
        inputs[name] = np.ascontiguousarray(picked)
    at = starts[:, 0] + fit.length - 1 + fit.horizon
    targets = {o: np.ascontiguousarray(a[at]) for o, a in rows.targets.items()}
    weights = None if rows.weights is None else np.ascontiguousarray(rows.weights[at])
    return Dataset(inputs, targets, weights, np.arange(max(n, 0), dtype=np.int64))


def _separate(spec: DataSpec, span: SpanAt, folder: Path, hints: Mapping[str, str | None]) -> Data:
    """A file for each part; without one for validation, `split` takes it from the training rows."""
    files = spec.source
    assert not isinstance(files, str)
    inner = spec.model_copy(update={"source": files.train, "split": spec.split.model_copy(update={"test": 0.0})})
    data = load(inner, 0, span, folder, hints)
    held = {}
    for part in ("validation", "test"):
        name = getattr(files, part)
        if name is not None:
            table = read_table(name, spec.reading(), folder)
            keep = complete(spec, table, {n: [c.name for c in f.columns] for n, f in data.schema.features.items()})
            held[part] = _encode(spec, table.take(keep) if len(keep) < len(table) else table, data.schema)
    return Data(data.train, held.get("validation", data.validation), held.get("test", data.test), data.schema)


def schema_of(spec: DataSpec, seed: int, span: SpanAt, folder: Path, hints: Mapping[str, str | None] | None = None) -> FeatureSchema:
    """What the training rows make of the features: from the cache where these data were read before, else by reading them once."""
    sources = [spec.source] if isinstance(spec.source, str) else [spec.source.train]
    key = hashlib.sha256(__version__.encode())
    for s in sources:
        found = fingerprint_of(s, folder)
        if not found:
            return load(spec, seed, span, folder, hints).schema
        key.update(found)
    key.update(json.dumps([spec.model_dump(mode="json"), seed, dict(hints or {})], sort_keys=True).encode())
    base = cache_folder()
    path = base / "schemas" / f"{key.hexdigest()[:32]}.json" if base is not None else None
    if path is not None:
        try:
            return FeatureSchema.from_dict(json.loads(path.read_text()))
        except (OSError, ValueError, LookupError):
            pass
    schema = load(spec, seed, span, folder, hints).schema
    if path is not None:
        _keep(path, json.dumps(schema.to_dict()))
    return schema


def _keep(path: Path, text: str) -> None:
    import os
    import tempfile

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        return


def load_for_evaluation(source: str, schema: FeatureSchema, spec: DataSpec) -> Dataset:
    """A file with targets, by a fitted schema; rows that a policy leaves out are left out here too."""
    table = read_table(str(source), spec.reading())
    keep = complete(spec, table, {n: [c.name for c in f.columns] for n, f in schema.features.items()})
    return _encode(spec, table.take(keep) if len(keep) < len(table) else table, schema)


def chunks(source: Any, schema: FeatureSchema, spec: Reading, rows: int, given: str | None = None) -> Iterator[tuple[Dataset, list[dict[str, Any]]]]:
    """Pieces of a file or stream: encoded rows without targets, and the rows as they were read.

    Delimited text and JSON lines are read piece by piece; windows and numpy's files as a whole.
    """
    name = str(source)
    kind = format_of(name, spec, given)
    windowed = any(f.kind == "window" for f in schema.features.values())
    if windowed or kind == "npz" or name.startswith("builtin:"):
        table = read_table(name, spec, given=given)
        yield _encode(None, table, schema), _raw(table)
        return
    for table in _tables(name, spec, kind, rows):
        yield _encode(None, table, schema), _raw(table)


def _raw(table: Table) -> list[dict[str, Any]]:
    names = [n for n, c in table.columns.items() if not (isinstance(c, np.ndarray) and c.ndim > 1)]
    texts = [table.texts(n) for n in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*texts, strict=True)] if names else [{} for _ in range(len(table))]


def _tables(name: str, spec: Reading, kind: str, rows: int) -> Iterator[Table]:
    shown = "<stdin>" if name == "-" else name
    with _opened(name, spec.encoding) as stream:
        if kind == "jsonl":
            numbered = ((i, line) for i, line in enumerate(stream, 1) if line.strip())
            while piece := list(itertools.islice(numbered, rows)):
                made = [json_row(line, i, shown) for i, line in piece]
                yield table_of_rows(made, [i for i, _ in piece], shown, frozenset(spec.missing_values))
            return
        dialect = Dialect.of(spec, name, kind)
        found = records(stream, dialect, shown)
        first = next(found, None)
        if first is None:
            fail("file-empty", "the file has no data", Span(Source(shown)))
            return
        names, is_header = header_of(first[1], dialect, shown)
        if len(first[1]) != len(names) and dialect.columns is not None and not is_header:
            names = _without_target(names, spec, len(first[1]), shown, first[0])
        if not is_header:
            found = itertools.chain([first], found)
        while piece := list(itertools.islice(found, rows)):
            for line, fields in piece:
                if len(fields) != len(names):
                    fail("data-ragged", f"{len(fields)} fields where {len(names)} columns are expected", Span(Source(shown), line, 1))
            yield Table(shown, {n: [f[i] for _, f in piece] for i, n in enumerate(names)}, [line for line, _ in piece], spec.decimal)


def _without_target(names: list[str], spec: Reading, found: int, shown: str, line: int) -> list[str]:
    """The columns of a file without a header that leaves the targets out."""
    rest = [n for n in names if n not in spec.targets]
    if len(rest) != found:
        fail("data-ragged", f"{found} fields where {len(names)} columns are expected ({len(rest)} without the target)", Span(Source(shown), line, 1))
    return rest


def _opened(name: str, encoding: str) -> Any:
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    if name == "-":
        return io.TextIOWrapper(sys.stdin.buffer, encoding=codec, errors="replace", newline="")
    if name.endswith(".gz"):
        from layerctl.data.delimited import read_text

        return io.StringIO(read_text(name, encoding, Span(Source(name))))
    try:
        return open(name, encoding=codec, errors="replace", newline="")
    except OSError as error:
        code = "file-not-found" if isinstance(error, FileNotFoundError) else "file-unreadable"
        fail(code, f"cannot read {name}: {error.strerror or error}", Span(Source(name)))
