"""From sources to encoded rows: read, split, fitted on the training rows, encoded; in memory, or in a mapped file where they are large."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layerctl import __version__
from layerctl.cache import cache_folder
from layerctl.data.features import columns_of, encode_feature, fit_schema, incomplete
from layerctl.data.large import is_large
from layerctl.data.parts import order_of, parts_of, resampled
from layerctl.data.readers import read_table
from layerctl.data.rows import Dataset
from layerctl.data.table import Table
from layerctl.data.target_codes import encode_targets, encode_weights, recount
from layerctl.data.texts import pieces
from layerctl.diagnostics import fail, placed
from layerctl.spec.features import FeatureSchema
from layerctl.temporary import temporary_file, write_all

if TYPE_CHECKING:
    from layerctl.diagnostics import Span
    from layerctl.spec.data import DataSpec

SpanAt = Callable[..., Any]


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
    if is_large(spec, spec.source, folder):
        from layerctl.data.caching import cached

        found = cached(spec, seed, span, folder, hints or {})
        if found is not None:
            return found
    planned = plan(spec, seed, read_table(spec.source, spec.reading(), folder), span, hints or {})
    if planned.schema.continued() is not None:
        made = {p: _encode(spec, planned.table.take(r), planned.schema, span("weight")) if len(r) else None for p, r in planned.parts.items()}
    else:
        whole = _encode(spec, planned.table, planned.schema, span("weight"))
        made = {p: whole.take(r) if len(r) else None for p, r in planned.parts.items()}
    assert made["train"] is not None
    return Data(made["train"], made["validation"], made["test"], planned.schema)


@dataclass(frozen=True, eq=False)
class Planned:
    """A table's rows (those that no policy leaves out), the numbers of each part's samples (for a language model of the rows that they are
    cut from), and what was fitted on the first part."""

    table: Table
    parts: dict[str, np.ndarray]
    schema: FeatureSchema


def plan(spec: DataSpec, seed: int, table: Table, span: SpanAt, hints: Mapping[str, str | None]) -> Planned:
    """Splits a table and fits the features on its training rows.

    Raises:
        LayerctlError: for columns that are not there and values that cannot be fitted to.
    """
    columns = columns_of(spec, table, span)
    keep = complete(spec, table, columns)
    table = table.take(keep) if len(keep) < len(table) else table
    if not len(table):
        fail("no-rows", "no row is complete: all were left out", span("features"),
             hint="say `missing: mean` or another policy in place of `drop`")  # fmt: skip
    windows = _windows(spec)
    joined = any(t.join for t in spec.targets().values())
    order = order_of(spec, table, span)
    if order is not None and (windows or joined):
        table, order = table.take(order), None
    n = len(table) if not windows else max(0, len(table) - windows[0] - windows[1] + 1)
    if n < 1:
        fail("no-rows", f"{len(table)} rows are too few for windows of {windows and windows[0]}", span("features"),
             hint="give a shorter `length` (and `horizon`) in the feature's `window`, or more rows")  # fmt: skip
    everything = np.arange(len(table))
    parts = parts_of(spec, seed, table, n, order, span, bool(windows) or joined)
    train_rows = everything[: int(parts["train"].max()) + windows[0]] if windows else parts["train"]
    schema = fit_schema(spec, table, columns, train_rows, hints, span)
    if not windows:
        parts["train"] = resampled(spec, seed, table, parts["train"], span, hints)
        if spec.sampling is not None:
            recount(table, schema, parts["train"])
    elif spec.sampling is not None:
        fail("bad-sampling", "'sampling' cannot even out windows of a series", span("sampling"), hint="leave it out")
    return Planned(table, {p: _stepped(r, windows) if p == "train" else r for p, r in parts.items()}, schema)


def _check_source(source: str, span: SpanAt, folder: Path) -> None:
    """A source that is not there is the model file's mistake: its place is the line that names it."""
    from layerctl.data.arrays import BUILTIN, builtin_names
    from layerctl.data.readers import Files
    from layerctl.diagnostics import closest, did_you_mean

    if source.startswith(BUILTIN):
        name, known = source.removeprefix(BUILTIN), builtin_names()
        if name not in known:
            fail("unknown-builtin", f"there is no builtin data set '{name}'{did_you_mean(name, known)}", span("source"),
                 hint=f"there are {', '.join(known)}")  # fmt: skip
    elif source != "-" and not all(map(os.path.exists, Files.of(source, folder).paths)):
        from layerctl.source.files import instead

        path = folder / source
        bare = source.lower().removesuffix(".csv")
        shipped = bare if bare in builtin_names() else closest(source, [BUILTIN + n for n in builtin_names()]) if "built" in bare else None
        near = f"; did you mean '{BUILTIN}{shipped.removeprefix(BUILTIN)}'?" if shipped else instead(path)
        named = re.search(r"\$([A-Za-z_]\w*)", source)
        fail("file-not-found", f"there is no file {path}{near}", span("source"), hint=f'an environment variable is written "${{env:{named[1]}}}"' if named
             else "`source` is relative to the model file")  # fmt: skip


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


def _encode(spec: DataSpec | None, table: Table, schema: FeatureSchema, place: Span | None = None) -> Dataset:
    """Rows by a fitted schema, with targets and weights where a section tells of them; `place` is where it names the weights."""
    inputs = {n: encode_feature(n, table, f) for n, f in schema.features.items()}
    weights = encode_weights(table, spec.weight, place) if spec is not None and spec.weight is not None else None
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


def _of_part(span: SpanAt, part: str) -> SpanAt:
    """Places of a data section whose source is one of several files."""
    return lambda *path: span("source", part) if path == ("source",) else span(*path)


def _separate(spec: DataSpec, span: SpanAt, folder: Path, hints: Mapping[str, str | None]) -> Data:
    """A file for each part; without one for validation, `split` takes it from the training rows."""
    files = spec.source
    assert not isinstance(files, str)
    inner = spec.model_copy(update={"source": files.train, "split": spec.split.model_copy(update={"test": 0.0})})
    data = load(inner, 0, _of_part(span, "train"), folder, hints)
    held = {}
    for part in ("validation", "test"):
        name = getattr(files, part)
        if name is not None:
            _check_source(name, _of_part(span, part), folder)
            with placed(span("source", part)):
                held[part] = held_rows(spec, name, data.schema, folder)
    return Data(data.train, held.get("validation", data.validation), held.get("test", data.test), data.schema)


def schema_of(spec: DataSpec, seed: int, span: SpanAt, folder: Path, hints: Mapping[str, str | None] | None = None) -> FeatureSchema:
    """What the training rows make of the features: from the cache where these data were read before, else by reading them once."""
    from layerctl.data.fingerprints import fingerprint_of

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
    """Keeps a text in the cache; where that cannot be written to, it is made again the next time."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with temporary_file(path.parent) as (descriptor, temporary):
            write_all(descriptor, text.encode())
            os.replace(temporary, path)


def load_for_evaluation(source: str, schema: FeatureSchema, spec: DataSpec) -> Dataset:
    """A file with targets, by a fitted schema; rows that a policy leaves out are left out here too."""
    return held_rows(spec, str(source), schema, Path())


def held_rows(spec: DataSpec, source: str, schema: FeatureSchema, folder: Path) -> Dataset:
    """The rows of a source with targets, by a fitted schema."""
    if is_large(spec, source, folder):
        from layerctl.data.caching import cached_by_schema

        found = cached_by_schema(spec, source, schema, folder)
        if found is not None:
            return found
    return _encode(spec, kept_rows(spec, read_table(source, spec.reading(), folder), schema), schema)


def kept_rows(spec: DataSpec, table: Table, schema: FeatureSchema) -> Table:
    """The rows that no policy leaves out."""
    keep = complete(spec, table, {n: [c.name for c in f.columns] for n, f in schema.features.items()})
    return table.take(keep) if len(keep) < len(table) else table
