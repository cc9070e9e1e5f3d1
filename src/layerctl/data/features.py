"""Features: what a model's inputs are made of. Fitted on the training rows, encoded alike ever after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data import columns as col
from layerctl.data.dates import LOOKED_AT, date_width, encode_date, fit_date, formats_of, is_dates, mixed_formats
from layerctl.data.images import encode_images, fit_images, is_images
from layerctl.data.numbers import is_mostly_numbers, numbers_of, odd_ones, strip_of
from layerctl.data.table import BadRows, Table, columns_hint, words_for_numbers
from layerctl.data.targets import fit_target
from layerctl.data.texts import encode_text, fit_text
from layerctl.data.vectors import encode_sequence, encode_vector, fit_sequence, fit_vector
from layerctl.diagnostics import Problems, Source, Span, did_you_mean, fail
from layerctl.spec.features import ColumnFit, FeatureFit, FeatureSchema

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec, FeatureSpec

WORDY = 12
MANY = 0.5
ONLY = "*"


def columns_of(spec: DataSpec, table: Table, span: Callable[..., Span | None]) -> dict[str, list[str]]:
    """The columns of each feature; one that names none has the column that it is called like, else all that nothing else uses.

    Raises:
        LayerctlError: for all columns that the table does not have, those of targets too, and for features that hold a target.
    """
    problems = Problems()

    def known(column: str, what: str, *path: str | int) -> None:
        if column not in table.columns:
            problems.error("unknown-column", f"{what.format(name=table.name)}{did_you_mean(column, table.columns)}", span(*path),
                           hint=columns_hint(table.columns))  # fmt: skip

    goals = [n for t in spec.targets().values() for n in t.names()]
    wanted = dict.fromkeys(n for n in [*(c for f in spec.features.values() for c in f.columns or ()), *goals])
    if len(wanted) > 1 and not any(n in table.columns or did_you_mean(n, table.columns) for n in wanted):
        fail("unknown-column", f"{table.name} has none of the columns {', '.join(map(repr, wanted))}",
             span("delimiter") if spec.delimiter is not None and len(table.columns) == 1 else span("source"), hint=columns_hint(table.columns))  # fmt: skip
    for output, target in spec.targets().items():
        way = ("target", *([output] if isinstance(spec.target, dict) else []), "columns" if target.columns is not None else "column")
        for i, name in enumerate(target.names()):
            known(name, f"the target '{name}' is no column of {{name}}", *way, *([i] if target.columns is not None else []))
    for i, name in enumerate(spec.ignore):
        known(name, f"'ignore' names the column '{name}', which {{name}} does not have", "ignore", i)
    used = {*goals, *spec.ignore, *([spec.weight] if spec.weight else ())}
    if spec.split.column and spec.split.by in ("column", "group"):
        used.add(spec.split.column)
    for f in spec.features.values():
        used |= set(f.columns or ())
    called = {n for n, f in spec.features.items() if f.columns is None and n in table.columns and n not in used}
    used |= called
    out = {}
    for name, f in spec.features.items():
        given = [name] if name in called else f.columns
        out[name] = list(given) if given is not None else [c for c in table.columns if c not in used]
        lacking = [c for c in out[name] if c not in table.columns]
        if len(lacking) > 2 and not any(did_you_mean(c, table.columns) for c in lacking):
            named = f"{', '.join(repr(c) for c in lacking[:-1])} and '{lacking[-1]}'"
            problems.error("unknown-column", f"feature '{name}' wants the columns {named}, which {table.name} does not have",
                           span("features", name, "columns"), hint=columns_hint(table.columns))  # fmt: skip
            continue
        for i, c in enumerate(out[name]):
            place = ("features", name, "columns", i)
            known(c, f"feature '{name}' wants the column '{c}', which {{name}} does not have", *place)
            if c in goals and c in table.columns and not any(g.window is not None for g in spec.features.values()):
                problems.error("target-as-feature", f"the feature '{name}' holds the target '{c}': the model would be given what it is to predict",
                               span(*place), hint="take it out of the feature; a model that gives its input back says `target: input`")  # fmt: skip
        if not out[name]:
            problems.error("unknown-column", f"no columns are left for the feature '{name}'", span("features", name),
                           hint=f"{table.name} has {', '.join(table.columns)}")  # fmt: skip
    problems.check()
    return out


def fit_schema(
    spec: DataSpec, table: Table, columns: Mapping[str, list[str]], rows: np.ndarray, hints: Mapping[str, str | None],
    span: Callable[..., Span | None] = lambda *_: None,
) -> FeatureSchema:  # fmt: skip
    """All that is fitted, from the training rows `rows` of the table and no others: kinds, scales, vocabularies, classes."""
    targets = spec.targets()
    goes_on = {t.next for t in targets.values() if t.next is not None}
    features = {n: fit_feature(n, table, columns[n], f, rows, span, ends=bool(goes_on & {n, ONLY})) for n, f in spec.features.items()}
    return FeatureSchema(features, {o: fit_target(table, t, rows, hints.get(o), features, span) for o, t in targets.items()})


def kind_of(table: Table, names: Sequence[str], spec: FeatureSpec) -> str:
    """The kind of a feature: as it says, or by its columns."""
    spread_out = any(isinstance(table.columns[n], np.ndarray) and table.columns[n].ndim > 1 for n in names)
    if spec.kind is not None:
        return "array" if spec.kind == "vector" and spread_out else spec.kind
    if len(names) == 1 and is_images(table, names[0]):
        return "image"
    if spec.shape is not None or spread_out:
        return "array"
    if spec.window is not None:
        return "window"
    if spec.units or all(table.is_numeric(n) or col.stripped_of(table, n, spec.strip) for n in names):
        return "number"
    return "text" if len(names) == 1 and is_text(table, names[0]) else "table"


def is_text(table: Table, name: str) -> bool:
    """Long values that hardly repeat."""
    values = [v for v in table.texts(name) if v]
    words = sum(len(v.split()) for v in values) / max(len(values), 1)
    return words >= 4 or (words >= 2 and len(set(values)) > MANY * len(values) and sum(map(len, values)) / len(values) > WORDY)


def fit_feature(
    name: str, table: Table, names: list[str], spec: FeatureSpec, rows: np.ndarray, span: Callable[..., Span | None] = lambda *_: None,
    *, ends: bool = False,
) -> FeatureFit:  # fmt: skip
    """One feature from the training rows. With `ends` it is a text that a language model goes on with.

    In a table ISO dates are taken as dates, and of a column whose values are mostly different only those are kept that occur twice.
    """
    seen = col.narrowed(table, names, rows)
    kind = kind_of(seen, names, spec)
    if kind == "text":
        return fit_text(table, names[0], spec, rows, ends=ends)
    if kind == "array":
        return _fit_array(name, table, names, spec, rows, span)
    if kind == "image":
        return fit_images(name, table, names[0], spec, rows, span("features", name, "shape"))
    if kind == "vector":
        return fit_vector(name, table, names[0], spec, rows)
    if kind == "sequence":
        return fit_sequence(table, names[0], spec, rows)
    if kind == "window":
        fits = [col.fit_number(table, n, spec, rows) for n in names]
        assert spec.window is not None
        return FeatureFit(
            "window", [spec.window.length, len(names)], "f32", fits, missing=spec.missing, length=spec.window.length,
            horizon=spec.window.horizon, step=spec.window.step,
        )  # fmt: skip
    if kind == "string":
        texts = [col.fit_string(table, n, spec, rows) for n in names]
        return FeatureFit("string", [len(names)] if len(names) > 1 else [], "u8", texts, missing=spec.missing)
    try:
        fits = [_fit_column(name, table, seen, n, kind, spec, rows) for n in names]
    except BadRows as error:
        if spec.kind == "number":
            words_for_numbers(error, table, f"the feature '{name}' reads numbers", span("features", name, "kind"), "say `kind: category`, or leave `kind` out")
        raise
    if kind == "category" and spec.encode == "index":
        return FeatureFit("category", [len(names)] if len(names) > 1 else [], "i32", fits, "index", spec.missing)
    return FeatureFit(kind, [sum(width(f) for f in fits)], "f32", fits, "one_hot", spec.missing)


def _fit_column(feature: str, table: Table, seen: Table, name: str, kind: str, spec: FeatureSpec, rows: np.ndarray) -> ColumnFit:
    if kind == "date":
        return fit_date(table, name, spec, rows)
    if kind == "binary":
        return col.fit_binary(table, name, spec, rows)
    if kind == "number" or (kind == "table" and (seen.is_numeric(name) or col.stripped_of(seen, name, spec.strip))):
        return col.fit_number(table, name, spec, rows)
    if kind != "table":
        return col.fit_category(table, name, spec, rows)
    if is_dates(seen, name):
        return fit_date(table, name, spec, rows)
    _check_doubtful(feature, table, seen, name, rows)
    changes: dict[str, object] = {"missing": "most_frequent"} if spec.missing in ("mean", "median") else {}
    if isinstance(spec.constant, float):
        changes["constant"] = f"{spec.constant:g}"
    values = [v for v in seen.texts(name) if v is not None]
    if len(set(values)) > MANY * len(values) and spec.unseen != "error":
        changes["min_count"] = max(spec.min_count, 2)
    return col.fit_category(table, name, spec.model_copy(update=changes), rows)


def _check_doubtful(feature: str, table: Table, seen: Table, name: str, rows: np.ndarray) -> None:
    """A column of a table that is nearly numbers, or dates of a form that is not known by itself: nobody means a category for each value.

    Raises:
        LayerctlError: `data-mixed`, `data-date-format`.
    """
    if is_mostly_numbers(seen, name):
        bad, _ = odd_ones(seen, name)
        words = sorted({str(seen.texts(name)[i]) for i in bad})
        listed = ", ".join(f'"{w}"' for w in words[:3])
        signs = strip_of(words, table.decimal)
        stripped = f"to read {listed} as a number, give the column a feature with `strip: \"{signs}\"`; " if signs else ""
        table.refuse(name, rows[bad], table.texts(name), f"is not a number, and nearly all values of the training rows are ({len(bad)} of {len(rows)} are not)",
                     f"{stripped}if it stands for a missing value, add {listed} to `missing_values` in the data section; if the column holds words, "
                     "give it a feature of `kind: category`", "data-mixed")  # fmt: skip
    _, values = seen.coded(name)
    if mixed := mixed_formats(values[:LOOKED_AT]):
        listed = ", ".join(f'"{f}"' for f in mixed)
        fail("data-date-format", f"column '{name}' holds dates in {len(mixed)} forms, such as {values[0]!r}", table.span(int(rows[0]), name),
             hint=f"give it a feature of its own beside '{feature}': `{{columns: [{name}], kind: date, format: [{listed}]}}`; "
             "or one of `kind: category`")  # fmt: skip
    forms = formats_of(values)
    if forms:
        other = f' (or "{forms[1]}": both fit)' if len(forms) > 1 else ""
        fail("data-date-format", f"column '{name}' holds dates such as {values[0]!r}, in a form that may be read in more than one way",
             table.span(int(rows[0]), name), hint=f"give it a feature of its own beside '{feature}': "
             f'`{{columns: [{name}], kind: date, format: "{forms[0]}"}}`{other}; or one of `kind: category`')  # fmt: skip


def width(fit: ColumnFit) -> int:
    """How many numbers a column of a table becomes."""
    return date_width(fit) if fit.kind == "date" else 1 if fit.kind in ("number", "binary") else len(fit.words) + 1


def _array(table: Table, names: Sequence[str]) -> np.ndarray:
    if len(names) == 1 and isinstance(table.columns[names[0]], np.ndarray) and table.columns[names[0]].ndim > 1:
        return table.columns[names[0]].astype(np.float64)
    parts = [numbers_of(table, n) if table.columns[n].ndim == 1 else table.columns[n] for n in names] if _arrays(table, names) else None
    if parts is not None and len({p.shape for p in parts}) > 1:
        shapes = ", ".join(f"{n} {tuple(p.shape[1:])}" for n, p in zip(names, parts, strict=True))
        fail("data-shape", f"the columns of an array feature differ in shape: a row has {shapes}", table.span(0),
             hint=f"name those that belong together: `columns: [{names[0]}]`")  # fmt: skip
    return np.stack(parts if parts is not None else [numbers_of(table, n) for n in names], axis=1)


def _arrays(table: Table, names: Sequence[str]) -> bool:
    return all(isinstance(table.columns[n], np.ndarray) for n in names)


def _fit_array(name: str, table: Table, names: list[str], spec: FeatureSpec, rows: np.ndarray, span: Callable[..., Span | None]) -> FeatureFit:
    values = _array(table, names)
    shape = list(spec.shape or values.shape[1:])
    if int(np.prod(shape)) != int(np.prod(values.shape[1:])):
        fail("data-shape", f"feature '{name}' has {int(np.prod(values.shape[1:]))} numbers a row, which cannot be {tuple(shape)}",
             span("features", name, "shape") or table.span(0),
             hint=f"the columns are {', '.join(names[:8])}; sizes whose product is their number fit")  # fmt: skip
    _check_finite(name, table, values)
    fit = ColumnFit(names[0], "number", rows=len(rows))
    col.scale(fit, values[rows], spec.scale or "none")
    return FeatureFit("array", [int(d) for d in shape], "f32", [fit, *(ColumnFit(n, "number") for n in names[1:])], missing=spec.missing)


def _check_finite(name: str, table: Table, values: np.ndarray) -> None:
    bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        fail("data-missing", f"feature '{name}' has a missing or infinite number in row {row + 1}", table.span(row), hint=col.MISSING_HINT)


_WHOLE = {"text": encode_text, "vector": encode_vector, "sequence": encode_sequence, "image": encode_images}


def encode_feature(name: str, table: Table, fit: FeatureFit) -> np.ndarray:
    """The model's input for all rows, C-contiguous.

    Raises:
        LayerctlError: for a column that is not there, and for values that cannot be encoded.
    """
    if fit.kind == "array":
        table = _gathered(table, fit)
    check_columns(name, table, fit)
    if fit.kind in _WHOLE:
        return _WHOLE[fit.kind](table, fit)
    if fit.kind == "array":
        values = _array(table, [c.name for c in fit.columns])
        wanted = int(np.prod(fit.shape))
        if int(np.prod(values.shape[1:])) != wanted:
            fail("data-shape", f"feature '{name}' needs {wanted} numbers a row, got {int(np.prod(values.shape[1:]))}", table.span(0),
                 hint="correct the feature's `shape`")  # fmt: skip
        _check_finite(name, table, values)
        first = fit.columns[0]
        scaled = (values - first.centre) / first.spread
        rows = col.beyond(scaled)
        if len(rows):
            fail("data-not-a-number", f"feature '{name}' has a number in row {int(rows[0]) + 1} that is too large for a float32, as it is scaled",
                 table.span(int(rows[0])), hint=col.BEYOND_HINT)  # fmt: skip
        return np.ascontiguousarray(scaled.astype(np.float32).reshape(len(table), *fit.shape))
    if fit.kind == "window":
        return np.stack([col.encode_number(table, c) for c in fit.columns], axis=1)
    if fit.kind == "string":
        from layerctl.ops.texts import packed

        texts = np.array([col.encode_string(table, c) for c in fit.columns], dtype=object)
        return packed(texts.T if fit.shape else texts[0])
    if fit.encode == "index":
        return _indices(table, fit)
    parts = [_columns(table, c) for c in fit.columns]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def check_columns(name: str, table: Table, fit: FeatureFit) -> None:
    """Whether a table has a feature's columns.

    Raises:
        LayerctlError: `missing-column`.
    """
    for c in fit.columns:
        if c.name not in table.columns:
            fail("missing-column", f"the data lack the column '{c.name}' of the feature '{name}'{did_you_mean(c.name, table.columns)}",
                 table.span(0) if len(table) else Span(Source(table.name), 1, 1), hint=columns_hint(table.columns))  # fmt: skip


def spread(fit: FeatureFit) -> list[str]:
    """The columns of an array feature in a file without arrays: one column's numbers stand in NAME_0, NAME_1, ..."""
    size = int(np.prod(fit.shape))
    first = fit.columns[0].name
    return [c.name for c in fit.columns] if len(fit.columns) > 1 or size == 1 else [f"{first}_{i}" for i in range(size)]


def _gathered(table: Table, fit: FeatureFit) -> Table:
    """The table with an array in place of the columns that it is spread over."""
    names, first = spread(fit), fit.columns[0].name
    if first in table.columns or not all(n in table.columns for n in names):
        return table
    return replace(table, columns={**table.columns, first: np.stack([table.numbers(n) for n in names], axis=1)})


def _indices(table: Table, fit: FeatureFit) -> np.ndarray:
    """Category ids; several columns share one range of ids, each column behind the one before."""
    out, start = [], 0
    for c in fit.columns:
        out.append(col.encode_category(table, c) + np.int32(start))
        start += len(c.words) + 1
    return out[0] if not fit.shape else np.ascontiguousarray(np.stack(out, axis=1))


def _columns(table: Table, c: ColumnFit) -> np.ndarray:
    if c.kind == "number":
        return col.encode_number(table, c)[:, None]
    if c.kind == "binary":
        return col.encode_binary(table, c)[:, None]
    if c.kind == "date":
        return encode_date(table, c)
    ids = col.encode_category(table, c)
    out = np.zeros((len(ids), len(c.words) + 1), np.float32)
    out[np.arange(len(ids)), ids] = 1.0
    return out


def incomplete(table: Table, names: Sequence[str]) -> np.ndarray:
    """Rows in which one of the columns is missing."""
    out = np.zeros(len(table), bool)
    for n in names:
        out |= table.missing(n)
    return out
