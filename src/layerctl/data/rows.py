"""Data sets: encoded rows in memory, ready for a program to fetch batches from."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np


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
        out.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    return out.hexdigest()[:32]
