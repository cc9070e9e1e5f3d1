"""`report.html` of a run's folder: gathered from the folder and its model, written whole."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerctl.diagnostics import LayerctlError
from layerctl.modelfile.atomic import write
from layerctl.reporting.findings import Findings, history_of, judge
from layerctl.reporting.page import page
from layerctl.training.runfolder import HISTORY, REPORT, RESOLVED
from layerctl.training.status import environment, numeric, read_status, state_of

if TYPE_CHECKING:
    from layerctl.api import Model

LARGEST = 64 << 20
"""Bytes of a history or a file beyond which they are not read."""


def write_report(model: Model, folder: Path, history: Sequence[dict[str, Any]], out: Path | None = None) -> Path:
    """Writes the report of a model that is in memory.

    Raises:
        LayerctlError: where it cannot be written.
    """
    found = gathered(folder, history)
    found.file, found.name = model.resolved(), model.spec.name
    described(found, model)
    return written(found, out)


def gathered(folder: Path, history: Sequence[dict[str, Any]] | None = None) -> Findings:
    """What the folder alone tells; its history is read where it is not given."""
    status = read_status(folder)
    kept = status.get("environment")
    machine = {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else environment(0)
    rows = history if history is not None else read_history(folder)
    found = Findings(folder.absolute().name, folder, _text(folder / RESOLVED), {**status, "state": state_of(folder, status)}, history_of(rows), machine)
    found.fingerprint = str(status.get("data", ""))
    sizes = status.get("rows")
    found.sizes = {str(k): v for k, v in sizes.items() if isinstance(v, int)} if isinstance(sizes, dict) else {}
    return found


def described(found: Findings, model: Model) -> None:
    """Adds what the model tells; where its data cannot be read, that is said in the report."""
    found.model = model
    try:
        judge(found, model)
    except LayerctlError as error:
        found.trouble = error.diagnostics[0].first_line()


def written(found: Findings, out: Path | None) -> Path:
    """Writes the page to `out`, or into the run's folder."""
    path = out or found.folder / REPORT
    write(path, [page(found).encode()])
    return path


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The epochs that a run's folder tells of; a line that is none (torn by a kill) is passed over."""
    out = []
    for line in _text(folder / HISTORY).splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            out.append({k: v for k, v in row.items() if _plain(v)})
    return out


def _plain(value: Any) -> bool:
    """Whether a history's value is one that a training writes: a number that a float holds, or null."""
    return numeric(value) is not None or value is None


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(min(LARGEST, os.fstat(file.fileno()).st_size)).decode("utf-8", "replace")
    except OSError:
        return ""
