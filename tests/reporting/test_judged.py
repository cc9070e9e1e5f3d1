"""Curves, calibration, importances and decoding, against their definitions."""

import numpy as np
import pytest

from layerctl.data.dataset import Dataset
from layerctl.reporting.decoding import is_picture, pixels, told
from layerctl.reporting.figures import matrix, recalls, reliability, rocs
from layerctl.reporting.importance import importance
from layerctl.reporting.judged import (
    BINS,
    Classified,
    Measured,
    calibration,
    confusion,
    fit_of,
    precision_recall,
    roc,
    table_of_classes,
    worst,
)
from layerctl.spec.features import ColumnFit, FeatureFit, FeatureSchema


def made(rows=200, classes=3, seed=0, ties=False):
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, rows)
    scores = random.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[true]
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    shares = np.round(shares, 1) if ties else shares
    return Classified("out", [f"c{i}" for i in range(classes)], true, shares.argmax(axis=1), shares, np.arange(rows), not ties)


@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_what_they_mean(ties):
    c = made(ties=ties)
    for k in range(3):
        positive, negative = c.shares[c.true == k, k], c.shares[c.true != k, k]
        above = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
        assert roc(c, k).area == pytest.approx(above, abs=1e-12)  # the share of pairs in the right order
        area, before = 0.0, 0.0
        for threshold in np.unique(c.shares[:, k])[::-1]:
            taken = c.shares[:, k] >= threshold
            recall, precision = (positive >= threshold).mean(), (c.true[taken] == k).mean()
            area, before = area + (recall - before) * precision, recall
        assert precision_recall(c, k).area == pytest.approx(area, abs=1e-12)


def test_no_curve_of_a_class_that_is_not_there():
    c = made()
    alone = Classified("out", c.classes, np.zeros_like(c.true), c.told, c.shares, c.rows, True)
    assert roc(alone, 0) is None and precision_recall(alone, 1) is None


def test_confusion_and_classes():
    c = Classified("out", ["a", "b"], np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), np.full((5, 2), 0.5), np.arange(5), True)
    assert confusion(c, np.arange(2)).tolist() == [[1, 1], [1, 2]] and confusion(c, np.array([1])).tolist() == [[2]]
    (p, r, f, n), (p1, r1, f1, n1) = table_of_classes(c)
    assert (p, r, f, n) == (0.5, 0.5, 0.5, 2) and (p1, r1, n1) == (2 / 3, 2 / 3, 3) and f1 == pytest.approx(2 / 3)


def test_thousands_of_classes():
    n, random = 20_000, np.random.default_rng(0)
    true = random.integers(0, n, 40)
    shares = np.zeros((40, n))
    shares[np.arange(40), np.where(np.arange(40) % 2, true, 7)] = 1.0
    c = Classified("out", [str(i) for i in range(n)], true, shares.argmax(axis=1), shares, np.arange(40), True)
    drawn = matrix(c) + rocs(c) + recalls(c) + reliability(c)
    assert "20 of 20000 classes" in drawn and len(drawn) < 200_000
    assert len(table_of_classes(c)) == n


def test_calibration():
    said = np.array([0.95, 0.95, 0.95, 0.15, 0.15])
    c = Classified("out", ["no", "yes"], np.array([1, 1, 0, 0, 0]), (said > 0.5).astype(int), np.stack([1 - said, said], axis=1), np.arange(5), True)
    found = calibration(c)
    assert found.rows.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 0, 3] and len(found.rows) == BINS
    assert found.right[9] == pytest.approx(2 / 3) and found.said[1] == pytest.approx(0.15)
    assert found.error == pytest.approx((3 * abs(0.95 - 2 / 3) + 2 * 0.15) / 5)


def test_the_worst_come_first():
    c = made()
    picked = worst(c, 5)
    wrong = np.flatnonzero(c.true != c.told)
    assert [c.confidence[i] for i in picked] == sorted(c.confidence[wrong], reverse=True)[:5]
    m = Measured("out", np.array([[1.0], [2.0], [3.0]]), np.array([[1.1], [5.0], [2.0]]))
    assert worst(m, 2) == [1, 2]
    assert fit_of(m)["mean absolute error"] == pytest.approx((0.1 + 3 + 1) / 3) and fit_of(m)["R²"] == pytest.approx(1 - 10.01 / 2)


def schema():
    number, word = ColumnFit("size", "number", 10.0, 2.0), ColumnFit("colour", "category", words=["red", "green"])
    return FeatureSchema({"x": FeatureFit("table", [4], "f32", [number, word])}, {})


def rows(n=60):
    random = np.random.default_rng(1)
    x = np.zeros((n, 4), np.float32)
    x[:, 0] = random.normal(size=n)
    x[np.arange(n), 1 + random.integers(0, 3, n)] = 1.0
    return Dataset.of_arrays({"x": x}, {})


def test_importance_is_of_what_is_used_and_the_same_every_time():
    data = rows()
    truth = data.inputs["x"][:, 0].copy()

    def loss(part):
        return float(np.mean((part.inputs["x"][:, 0] - truth) ** 2))

    found = importance(schema(), data, 10_000, 60, 7, loss)
    assert [u.name for u in found.units] == ["size", "colour"] and found.rounds == 5 and found.rows == 60
    assert found.mean[0] > 0.5 and found.mean[1] == 0.0
    again = importance(schema(), data, 10_000, 60, 7, loss)
    assert found.mean.tobytes() == again.mean.tobytes()
    assert importance(schema(), data, 10_000, 60, 8, loss).mean[0] != found.mean[0]
    assert importance(schema(), data, 100, 60, 7, loss) is None  # too short a training for it


def test_importance_of_columns_keeps_them_whole():
    data, seen = rows(), []
    importance(schema(), data, 10_000, 60, 7, lambda part: seen.append(part.inputs["x"]) or 0.0)
    for x in seen:
        assert (x[:, 1:].sum(axis=1) == 1).all() and sorted(x[:, 0]) == sorted(data.inputs["x"][:, 0])


def test_rows_in_words():
    data = rows()
    for i in range(10):
        x = data.inputs["x"][i]
        assert told(schema(), data, i) == {"size": f"{round(float(x[0]) * 2.0 + 10.0, 4):.6g}", "colour": ["(another)", "red", "green"][int(x[1:].argmax())]}
    text = FeatureFit("text", [4], "i32", [ColumnFit("body", "text", words=["to", "be"])], length=4)
    both = Dataset.of_arrays({"t": np.array([[2, 3, 1, 0]], np.int32)}, {})
    assert told(FeatureSchema({"t": text}, {}), both, 0) == {"body": "to be …"}
    shared = FeatureFit("category", [2], "i32", [ColumnFit("a", "category", words=["x"]), ColumnFit("b", "category", words=["y", "z"])], "index")
    ids = Dataset.of_arrays({"c": np.array([[1, 4], [0, 2]], np.int32)}, {})
    assert told(FeatureSchema({"c": shared}, {}), ids, 0) == {"a": "x", "b": "z"}
    assert told(FeatureSchema({"c": shared}, {}), ids, 1) == {"a": "(another)", "b": "(another)"}


def test_pictures():
    assert is_picture(np.zeros((2, 8, 8), np.float32)) and is_picture(np.zeros((2, 28, 28, 3), np.float32))
    assert not is_picture(np.zeros((2, 8, 8, 7), np.float32)) and not is_picture(np.zeros((2, 9), np.float32))
    assert pixels(np.array([[0.0, 0.5], [1.0, 2.0]]), 0.0, 1.0)[..., 0].tolist() == [[0, 128], [255, 255]]
    assert pixels(np.zeros((1000, 600, 1)), 0.0, 1.0).shape == (250, 150, 1)
