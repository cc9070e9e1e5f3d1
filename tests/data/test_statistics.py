"""Counts of different numbers in bounded memory, against numpy's of the whole column."""

import tracemalloc

import numpy as np
import pytest

from layerctl.data import statistics


@pytest.mark.parametrize("many", [7, 5000, 10**6])
def test_counts_are_those_of_the_whole_column(monkeypatch, many):
    monkeypatch.setattr(statistics, "_BLOCK", 1000)
    monkeypatch.setattr(statistics, "MANY", many)
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 40, 9000).astype(float), rng.normal(size=9000), np.where(rng.random(9000) < 0.7, 0.0, rng.normal(size=9000)),
               np.array([0.0, -0.0, 1.0]), np.repeat([3.0, 2.0], 2000), np.array([5.0])]  # fmt: skip
    for x in columns:
        values, counts = np.unique(x, return_counts=True)
        assert statistics.distinct(x) == min(len(values), many)
        assert statistics.most_frequent(x) == values[np.argmax(counts)]
    assert statistics.distinct(np.zeros(0)) == 0


def test_a_long_column_takes_the_memory_of_a_few_blocks():
    x = np.random.default_rng(1).normal(size=6_000_000)
    tracemalloc.start()
    assert statistics.distinct(x) == statistics.MANY
    x[::3] = 0.5
    assert statistics.most_frequent(x) == 0.5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.8 * x.nbytes
