"""What `inspect` and `doctor` found, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from layerctl.cli import output
from layerctl.cli.render import number, size, table
from layerctl.commands import doctor, inspect, report

if TYPE_CHECKING:
    from layerctl.reporting.thresholds import Decision


def inspected(found: inspect.Inspection, as_json: bool) -> None:
    """What a model file holds: what it is first, then features and tensors as tables."""
    if as_json:
        output.emit(inspect.plain(found))
        return
    from layerctl.reporting.thresholds import decisions_of

    made = ", ".join(f"{k} {v}" for k, v in found.created_by.items() if k != "layerctl")
    lines = [
        ("name", found.name),
        ("what", f"a model file of format {found.format}, {size(found.size)}"),
        ("file", str(found.path)),
        ("made by", f"layerctl {found.layerctl}{f' with {made}' if made else ''}"),
        ("data", found.data or "no fingerprint: it was not trained on a data section's rows"),
        ("scores", ", ".join(f"{k} {number(v)}" for k, v in found.scores.items()) or "none"),
        *(("threshold", _decision(d)) for d in decisions_of(found.decisions)),
        ("parameters", f"{found.parameters:,} in {len(found.tensors)} tensors"),
    ]
    print("\n".join(f"{k.ljust(10)}  {v}" for k, v in lines))
    if found.features:
        rows = [["feature", "role", "kind", "shape", "columns", "fitted"]]
        rows += [[f.name, f.role, f.kind, _shape(f.shape), _listed(f.columns), f.fitted] for f in found.features]
        print("\n" + table(rows, set()))
    rows = [["tensor", "dtype", "shape", "size"], *([t.name, t.dtype, _shape(t.shape), size(t.size)] for t in found.tensors)]
    print("\n" + table(rows, {3}))


def _decision(d: Decision) -> str:
    """A kept threshold, and how it was chosen."""
    how = f" ({d.rule}, {number(d.value)} on {d.rows:,} rows)" if d.rule else ""
    return f"'{d.positive or 'the second class'}' above {d.threshold:.9g}{how}"


def reported(result: report.ReportResult, as_json: bool) -> None:
    """Where the report is."""
    if result.warnings:
        output.show(result.warnings, as_json)
    if as_json:
        output.emit({"event": "report", "path": str(result.path), "size": result.size})
        return
    print(result.path)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "–"


def _listed(columns: list[str], most: int = 3) -> str:
    return ", ".join(columns[:most]) + (f" and {len(columns) - most} more" if len(columns) > most else "")


def diagnosed(checks: Iterable[doctor.Check], as_json: bool) -> bool:
    """Prints each check as it is done; whether all is well."""
    well, group = True, ""
    for c in checks:
        well = well and c.ok is not False
        if as_json:
            output.emit(doctor.plain(c))
            continue
        if c.group != group:
            print(("\n" if group else "") + c.group)
            group = c.group
        mark = {True: "ok", False: "WRONG", None: ""}[c.ok]
        print(f"  {mark.ljust(5)}  {c.name.ljust(31)}  {c.found}", flush=True)
        if c.advice and (c.ok is False or c.ok is None):
            print(f"  {''.ljust(5)}  {''.ljust(31)}  {c.advice}")
    if not as_json:
        print("\nall is well" if well else "\nsomething is wrong: see WRONG above")
    return well
