"""Models of several labels a row, in processes of their own: what `predict` tells of them, how `eval` judges them, and each label's threshold."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn import metrics

LABELS = ["fog", "rain", "snow", "sun"]
MODEL = """
layerctl: 1
name: weather
data:
  source: weather.csv
  features: {x: {columns: [a, b, c]}}
  ignore: [id]
  target: {column: tags, kind: labels}
  split: {validation: 0.3, test: 0.2}
model: [{Dense: 4}]
compile: {optimizer: {Adam: 0.05}, loss: {BinaryCrossentropy: {from_logits: true}}}
fit: {epochs: 8}
"""


def layerctl(*arguments, cwd, status=0):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, timeout=300)
    assert done.returncode == status, done.stderr.decode()
    return done


def told(*options, cwd):
    return list(csv.DictReader(io.StringIO(layerctl("predict", "runs/weather", "judge.csv", *options, cwd=cwd).stdout.decode())))


def evaluated(*options, cwd):
    return json.loads(layerctl("eval", "runs/weather", *options, "--json", cwd=cwd).stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained model, rows with noisy labels to judge it by, and which labels those have."""
    folder = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(700, 3))
    there = x @ rng.normal(size=(3, 4)) + rng.normal(size=(700, 4)) > [0.8, 0.3, -0.4, 0.0]
    lines = [f"{i},{r[0]:.4f},{r[1]:.4f},{r[2]:.4f},{';'.join(n for n, t in zip(LABELS, y, strict=True) if t)}" for i, (r, y) in
             enumerate(zip(x, there, strict=True))]  # fmt: skip
    (folder / "weather.csv").write_text("\n".join(["id,a,b,c,tags", *lines[:500]]) + "\n")
    (folder / "judge.csv").write_text("\n".join(["id,a,b,c,tags", *lines[500:]]) + "\n")
    (folder / "weather.yaml").write_text(MODEL)
    layerctl("train", "weather.yaml", "-q", cwd=folder)
    np.save(folder / "true.npy", there[500:])
    return folder


def test_each_label_has_a_column_of_probability(folder):
    rows = told("--proba", "--keep", "id", cwd=folder)
    assert list(rows[0]) == ["id", "prediction", *(f"probability_{n}" for n in LABELS)] and len(rows) == 200
    for row in rows:
        said = [n for n in LABELS if float(row[f"probability_{n}"]) > 0.5]
        assert row["prediction"] == ";".join(said)
    assert told("--keep", "id", cwd=folder) == rows
    p = np.array([[float(r[f"probability_{n}"]) for n in LABELS] for r in rows])
    assert p.min() > 0 and p.max() < 1 and abs(p.sum(axis=1) - 1).min() < 0.5 < abs(p.sum(axis=1) - 1).max()


def test_the_likeliest_labels(folder):
    every, top = told(cwd=folder), told("--top", "2", cwd=folder)
    assert list(top[0]) == ["prediction_1", "probability_1", "prediction_2", "probability_2"]
    for row, two in zip(every, top, strict=True):
        order = sorted(LABELS, key=lambda n: -float(row[f"probability_{n}"]))[:2]
        assert [two["prediction_1"], two["prediction_2"]] == order and two["probability_2"] == row[f"probability_{order[1]}"]


def test_labels_are_judged_as_scikit_learn_judges_them(folder):
    true, rows = np.load(folder / "true.npy"), told(cwd=folder)
    p = np.array([[float(r[f"probability_{n}"]) for n in LABELS] for r in rows])
    found = evaluated("judge.csv", cwd=folder)
    (out,) = found["outputs"]
    assert out["kind"] == "labels" and [x["label"] for x in out["labels"]] == LABELS
    for own, theirs in zip(out["labels"], np.transpose(metrics.precision_recall_fscore_support(true, p > 0.5)), strict=True):
        np.testing.assert_allclose([own[k] for k in ("precision", "recall", "f1", "support")], theirs)
    for average in ("micro", "macro"):
        theirs = metrics.precision_recall_fscore_support(true, p > 0.5, average=average)[:3]
        np.testing.assert_allclose([out["averages"][average][k] for k in ("precision", "recall", "f1")], theirs)
    measured = found["measured"]
    assert measured["roc_auc"] == pytest.approx(metrics.roc_auc_score(true, p), abs=1e-6)
    assert measured["average_precision"] == pytest.approx(metrics.average_precision_score(true, p), abs=1e-6)
    assert measured["exact_match"] == pytest.approx(metrics.accuracy_score(true, p > 0.5))
    assert [c["class"] for c in out["roc"]] == LABELS and len(out["precision_recall"]) == 4
    assert out["roc"][2]["area"] == pytest.approx(metrics.roc_auc_score(true[:, 2], p[:, 2]), abs=1e-6)
    assert sum(b["rows"] for b in out["calibration"]) == true.size
    done = layerctl("eval", "runs/weather", "judge.csv", "--fail-under", "f1_micro=0.99", cwd=folder, status=1)
    text = done.stdout.decode()
    assert "each label" in text and "micro average" in text and "mean absolute error" not in text
    assert done.stderr.startswith(b"f1_micro is ")


def test_thresholds_of_labels_are_chosen_kept_and_used(folder, tmp_path):
    before = evaluated("--split", "validation", "--threshold", "f1", cwd=folder)
    assert {d["positive"] for d in before["thresholds"]} == set(LABELS) and all(d["label"] for d in before["thresholds"])
    parts = layerctl("eval", "runs/weather", "judge.csv", "--threshold", "recall=0.9", "--keep", "--json", cwd=folder)
    kept = {d["positive"]: d["threshold"] for d in json.loads(parts.stdout)["thresholds"]}
    assert len(set(kept.values())) == 4
    rows = told(cwd=folder)
    for row in rows:
        assert row["prediction"] == ";".join(n for n in LABELS if float(row[f"probability_{n}"]) > kept[n])
    found = evaluated("--split", "validation", cwd=folder)
    assert all(x["recall"] >= 0.9 for x in found["outputs"][0]["labels"])
    assert {d["positive"]: d["threshold"] for d in found["thresholds"]} == kept
    shown = layerctl("inspect", "runs/weather", cwd=folder).stdout.decode()
    assert all(f"'{n}' above {kept[n]:.9g}" in shown for n in LABELS)
    assert "thresholds of the labels" in layerctl("export", "runs/weather", "--to", "npz", "-o", str(tmp_path / "w.npz"), cwd=folder).stderr.decode()
    layerctl("eval", "runs/weather", "--threshold", "0.3", "--keep", cwd=folder)
    assert all(r["prediction"] == ";".join(n for n in LABELS if float(r[f"probability_{n}"]) > 0.3) for r in told(cwd=folder))


def test_the_report_of_labels_has_their_table(folder):
    layerctl("report", "runs/weather", cwd=folder)
    page = (folder / "runs" / "weather" / "report.html").read_text()
    assert "by label" in page and "micro average" in page and "with all labels right" in page and "Labels of tags" in page


@pytest.mark.parametrize(("option", "text"), [("--proba", "--proba tells of classes' probabilities"), ("--top=2", "--top tells of classes'")])
def test_numbers_have_no_probabilities(folder, option, text):
    (folder / "sum.yaml").write_text(MODEL.replace("weather\n", "sum\n").replace("{column: tags, kind: labels}", "{column: id, kind: number}")
        .replace("ignore: [id]", "ignore: [tags]").replace("Dense: 4", "Dense: 1").replace("{BinaryCrossentropy: {from_logits: true}}", "mse"))  # fmt: skip
    if not (folder / "runs" / "sum").exists():
        layerctl("train", "sum.yaml", "-q", cwd=folder)
    assert layerctl("predict", "runs/sum", "judge.csv", option, cwd=folder, status=2).stderr.decode().startswith(f"{option.split('=')[0]}: error: {text}")
