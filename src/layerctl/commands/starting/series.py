"""The file for a series: windows of the rows before, from which the number some rows on is predicted."""

from __future__ import annotations

from typing import Any

from layerctl.commands.starting.facts import Facts
from layerctl.commands.starting.features import date_parts, format_entry
from layerctl.commands.starting.models import AVERAGED, fit_of, size_of
from layerctl.commands.starting.table import Draft, data_head, in_order, literal, shares_of, target_plain
from layerctl.diagnostics import Source, Span, fail

LONGEST = 28
"""Rows that a window holds at most: four weeks of days."""
SHARE_OF_ROWS = 20
"""A window holds at most one in so many of a table's rows."""


def is_series(facts: Facts) -> bool:
    """Whether the table is one number that moves in the order of a date, with nothing else to predict it from."""
    dates = [c for c in facts.inputs("date") if in_order(facts, c.name)]
    others = [c for c in facts.columns.values() if c.usable and c.kind != "date" and c.name not in {t.column for t in facts.targets}]
    return len(facts.targets) == 1 and facts.targets[0].kind == "number" and len(dates) == 1 and not others and facts.rows >= 60


def series_draft(facts: Facts, name: str, source: str, shares: tuple[float | None, float | None], test: str | None = None) -> Draft:
    """Windows over the numbers of the table, the target's own past among them; the parts are cut by time.

    Raises:
        LayerctlError: if the target is no number, or there are too few rows.
    """
    target = facts.targets[0]
    if len(facts.targets) > 1 or target.kind != "number":
        fail("bad-target", f"a series needs one number to predict, '{target.column}' is {target.why}", Span(Source(facts.source)),
             hint="name a column of numbers with --target, or leave out --template")  # fmt: skip
    length = window_length(facts.rows)
    if length < 2:
        fail("too-few-rows", f"{facts.rows} rows are too few for a series", Span(Source(facts.source)), hint=f"{2 * SHARE_OF_ROWS} rows or more are needed")
    held = shares_of(facts.rows, shares, True)
    rows = round(facts.rows * (1 - sum(held)))
    columns = [target.column, *(c.name for c in facts.inputs("number") if not (c.strip or c.units))]
    size = size_of(rows, length * len(columns), held[0], 0, True)
    draft = Draft({"layerctl": 1, "name": name, "seed": 1})
    data = data_head(facts, source, test, draft)
    data["features"] = {"past": {"columns": columns, "kind": "window", "scale": "standard", "missing": "median", "window": {"length": length, "horizon": 1}}}
    draft.said["data", "features", "past"] = f"the {length} rows before; `horizon` says how many rows on the target stands"
    flat: list[str] = ["past_flat"]
    if dates := facts.inputs("date"):
        forms = dates[0].formats
        parts = [p for p in date_parts(forms, [v for v, _ in dates[0].counts]) if p not in ("days", "elapsed")]
        data["features"]["season"] = {"columns": [dates[0].name], "kind": "date", **format_entry(forms), "parts": parts, "missing": "median"}
        draft.said["data", "features", "season"] = "of the window's last row"
        flat.append("season")
    data["target"] = {k: v for k, v in target_plain(target, facts.dialect.reading.missing_in.get(target.column)).items() if k != "missing"}
    draft.said["data", "target"] = f"{target.column}: {target.why}"
    data["split"] = {"validation": held[0], **({"test": held[1]} if held[1] and test is None else {}), "by": "time"}
    draft.said["data", "split"] = "the last rows are held back"
    draft.plain["data"] = literal(data)
    draft.plain["model"] = {"layers": _layers(flat, size.units, target.column), "outputs": [_output(target.column)]}
    means = {"use_ema": True, "ema_momentum": AVERAGED} if size.patience else {}
    draft.plain["compile"] = {"optimizer": {"AdamW": {"learning_rate": 0.001, "weight_decay": size.decay, **means}}, "loss": "mean_squared_error",
                              "metrics": ["mae", "R2Score"]}  # fmt: skip
    draft.plain["fit"] = fit_of(size)
    draft.notes.append(f"a series in the order of {dates[0].name if dates else 'its rows'}: windows of {length} rows, the next row's {target.column}")
    return draft


def window_length(rows: int) -> int:
    """Four weeks of days where there are rows enough."""
    return min(LONGEST, rows // SHARE_OF_ROWS)


def _output(column: str) -> str:
    import re

    made = re.sub(r"\W+", "_", column).strip("_")[:40]
    return f"next_{made}" if made else "next"


def _layers(flat: list[str], units: int, column: str) -> list[dict[str, Any]]:
    last = _output(column)
    return [
        {"Flatten": {}, "name": "past_flat", "from": "past"},
        *([{"Concatenate": {"axis": -1}, "name": "row", "from": flat}] if len(flat) > 1 else []),
        {"Dense": {"units": units, "activation": "relu"}, "name": "hidden", "from": "row" if len(flat) > 1 else flat[0]},
        {"Dropout": 0.2},
        {"Dense": {"units": 1, "use_bias": False, "kernel_initializer": "zeros"}, "name": f"{last}_deep"},
        {"Dense": 1, "name": f"{last}_wide", "from": "row" if len(flat) > 1 else flat[0]},
        {"Add": {}, "name": last, "from": [f"{last}_wide", f"{last}_deep"]},
    ]
