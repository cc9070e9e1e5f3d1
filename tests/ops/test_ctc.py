"""The CTC loss beside the sum over all alignments, written out, and finite differences."""

from itertools import groupby, product

import numpy as np
import pytest
from machine import check_gradient, gradient_of, run

from layerctl.ops.ctc import ctc
from layerctl.ops.softmax import softmax
from layerctl.ops.value import ShapeError

LABELS = np.array([[1, 2, 0], [1, 1, 0], [2, 0, 0], [0, 0, 0], [2, 1, 2]], np.int32)


def every_alignment(labels, p):
    """-log of the summed probability of the paths that read as the labels: repetitions are one, 0 is nothing."""
    total = 0.0
    for path in product(range(p.shape[1]), repeat=len(p)):
        if [k for k, _ in groupby(path) if k] == [k for k in labels if k]:
            total += np.prod(p[np.arange(len(p)), path])
    return -np.log(total)


def logits(time, dtype=np.float64):
    return np.random.default_rng(2).standard_normal((len(LABELS), time, 3)).astype(dtype)


@pytest.mark.parametrize("time", [3, 4, 6])
def test_it_sums_every_alignment(time):
    x = logits(time)
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    possible = [i for i, row in enumerate(LABELS) if len(row[row > 0]) + (i == 1) <= time]
    found = run(lambda x, y: ctc(y, softmax(x, -1, logarithm=True)), x, LABELS)[0]
    np.testing.assert_allclose(found[possible], [every_alignment(LABELS[i], p[i]) for i in possible], rtol=1e-10)


@pytest.mark.parametrize("time", [3, 6])
def test_gradient(time):
    check_gradient(lambda x, y: ctc(y, softmax(x, -1, logarithm=True)), logits(time), LABELS)


def test_labels_that_do_not_fit_cost_a_lot_and_move_nothing():
    x, y = logits(2)[:1], np.array([[1, 1, 2]], np.int32)
    assert run(lambda x, y: ctc(y, softmax(x, -1, logarithm=True)), x, y)[0] == [1e5]
    assert not gradient_of(lambda x, y: ctc(y, softmax(x, -1, logarithm=True)), x, y)[0].any()


def test_a_long_sequence_keeps_its_precision():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 400, 20)), rng.integers(1, 20, (2, 90)).astype(np.int32)
    exact = run(lambda x, y: ctc(y, softmax(x, -1, logarithm=True)), x, y)[0]
    single = run(lambda x, y: ctc(y, softmax(x, -1, logarithm=True)), x.astype(np.float32), y)[0]
    assert np.isfinite(exact).all() and np.allclose(single, exact, rtol=1e-5)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="CTC needs predictions"):
        run(lambda x, y: ctc(y, x), logits(4)[:, 0], LABELS)
