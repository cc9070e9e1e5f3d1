"""Rows of a file to judge by whose class training did not have: whatever is predicted for them is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from layerctl.data.columns import folded
from layerctl.data.dataset import _encode, kept_rows, load_for_evaluation
from layerctl.data.labels import labels_of
from layerctl.data.readers import read_table
from layerctl.data.rows import Dataset
from layerctl.data.table import BadRows, Table
from layerctl.data.target_codes import encode_weights
from layerctl.diagnostics import Diagnostic
from layerctl.spec.features import FeatureSchema, TargetFit

if TYPE_CHECKING:
    from layerctl.spec.data import DataSpec

SHOWN = 5
"""Classes that a warning names."""


@dataclass(frozen=True, eq=False)
class Strangers:
    """Their inputs and weights; for each target's column the class of each row, None where it is one of the target's own; what to tell of them."""

    rows: Dataset
    classes: dict[str, list[str | None]]
    told: list[Diagnostic]

    def counts(self, column: str) -> Counter[str]:
        """How many rows each class has, in the order in which they are first met."""
        return Counter(c for c in self.classes.get(column, ()) if c is not None)


def told_apart(source: str, schema: FeatureSchema, spec: DataSpec) -> tuple[Dataset, Strangers | None]:
    """The rows of a file with targets whose classes are known, and the others, if there are any.

    Raises:
        LayerctlError: as for training rows; for classes that are not known where no row has another, or where they are only spelled otherwise.
    """
    try:
        return load_for_evaluation(source, schema, spec), None
    except BadRows as error:
        if error.diagnostics[0].code != "data-unknown-class" or any(f.kind == "window" for f in schema.features.values()):
            raise
        table = kept_rows(spec, read_table(str(source), spec.reading(), Path()), schema)
        goals = {t.column: t for t in schema.targets.values() if t.kind == "category"}
        found = {n: _strange(table, t) for n, t in goals.items()}
        strange = np.array([any(row) for row in zip(*found.values(), strict=True)], bool) if found else np.zeros(len(table), bool)
        if strange.all() or not strange.any():
            raise
    others = table.take(np.flatnonzero(strange))
    inputs = _encode(None, others, schema)
    weights = encode_weights(others, spec.weight) if spec.weight is not None else None
    classes = {n: [c for c, s in zip(labels, strange, strict=True) if s] for n, labels in found.items()}
    told = list(_told(table, found))
    return _encode(spec, table.take(np.flatnonzero(~strange)), schema), Strangers(inputs.with_targets({}, weights), classes, told)


def _strange(table: Table, fit: TargetFit) -> list[str | None]:
    """Of each row a class that training did not have; None where it had it, where it is missing, or where it has it in another spelling."""
    known = {*fit.classes, *fit.aliases}
    alike = {_folded(c) for c in known}
    return [v if v is not None and v not in known and _folded(v) not in alike else None for v in labels_of(table, fit.column, fit.strip_suffix)]


def _folded(label: str) -> str:
    return folded(label.rstrip("."))


def _told(table: Table, found: dict[str, list[str | None]]) -> Iterator[Diagnostic]:
    for column, labels in found.items():
        counts = Counter(c for c in labels if c is not None)
        if counts:
            first = next(i for i, c in enumerate(labels) if c is not None)
            shown = ", ".join(f"'{c}' ({n})" for c, n in counts.most_common(SHOWN)) + (", …" if len(counts) > SHOWN else "")
            yield Diagnostic(
                "data-unknown-class", f"column '{column}': {counts.total()} of {len(table)} rows are of classes that training did not have: {shown}",
                table.span(first, column), (), "accuracy and the tables of classes count them as wrong, the loss and other metrics leave them out; "
                "train on rows of these classes too, or take the rows out", "warning",
            )  # fmt: skip
