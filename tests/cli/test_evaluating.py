"""`layerctl eval` in a process of its own: its numbers are scikit-learn's; thresholds are chosen, kept, and used by what comes after."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

ROOT = Path(__file__).parents[2]
ADULT = Path(__file__).parents[3] / "shared" / "data" / "adult-train.csv.gz"
COLUMNS = "age, workclass, fnlwgt, education, years, marital, occupation, relationship, race, sex, gain, loss, hours, country, income"
BINARY = f"""
layerctl: 1
name: adult
seed: 3
data:
  source: adult.csv
  columns: [{COLUMNS}]
  features: {{person: {{columns: [age, years, gain, loss, hours, marital, sex], missing: most_frequent}}}}
  target: income
  split: {{validation: 0.25, test: 0.25, stratify: true}}
model: [{{Dense: {{units: 16, activation: relu}}}}, {{Dense: {{units: 1, activation: sigmoid}}}}]
compile: {{optimizer: adam, loss: binary_crossentropy, metrics: [accuracy]}}
fit: {{epochs: 5, batch_size: 64}}
"""


def layerctl(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)


def evaluated(*arguments, cwd):
    done = layerctl("eval", *arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def predicted(run, source, cwd):
    done = layerctl("predict", run, source, "--proba", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three trained models: two classes, three classes, a number; and files with targets to judge them by."""
    import gzip

    folder = tmp_path_factory.mktemp("evaluating")
    lines = [line for line in gzip.decompress(ADULT.read_bytes()).decode().splitlines() if line.strip()]
    (folder / "adult.csv").write_text("\n".join(lines[:4000]) + "\n")
    (folder / "judge.csv").write_text("\n".join(lines[4000:4900]) + "\n")
    (folder / "adult.yaml").write_text(BINARY)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    noisy = np.argmax(x @ rng.normal(size=(2, 3)) + rng.normal(size=(600, 3)), axis=1)
    number = 50 + 9 * x[:, 0] - 4 * x[:, 1] + rng.normal(size=600)
    head = "a,b,kind,size\n"
    rows = [f"{a:.5f},{b:.5f},{'xyz'[k]},{v:.5f}\n" for (a, b), k, v in zip(x, noisy, number, strict=True)]
    (folder / "table.csv").write_text(head + "".join(rows[:400]))
    (folder / "other.csv").write_text(head + "".join(rows[400:]))
    data = "data: {{source: table.csv, features: {{x: {{columns: [a, b]}}}}, target: {target}, split: {{validation: 0.2}}}}\n"
    (folder / "kinds.yaml").write_text("layerctl: 1\nname: kinds\n" + data.format(target="kind") + "model: [{Dense: 3}]\n"
        "compile: {optimizer: {Adam: 0.01}, loss: {SparseCategoricalCrossentropy: {from_logits: true}}, metrics: [accuracy]}\nfit: {epochs: 15}\n")  # fmt: skip
    (folder / "sizes.yaml").write_text("layerctl: 1\nname: sizes\n" + data.format(target="{column: size, kind: number, scale: standard}")
        + "model: [{Dense: 1}]\ncompile: {optimizer: {Adam: 0.01}, loss: mse}\nfit: {epochs: 15}\n")  # fmt: skip
    for name in ("adult", "kinds", "sizes"):
        done = layerctl("train", f"{name}.yaml", "-q", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def labels(path, column=-1):
    return [line.split(",")[column].strip() for line in path.read_text().splitlines()]


def test_two_classes_as_scikit_learn_has_them(folder):
    found = evaluated("runs/adult", "judge.csv", cwd=folder)
    (out,) = found["outputs"]
    true = np.array(labels(folder / "judge.csv"))
    rows = predicted("runs/adult", "judge.csv", folder)
    told, p = np.array([r["prediction"] for r in rows]), np.array([float(r["probability_>50K"]) for r in rows])
    names = ["<=50K", ">50K"]
    np.testing.assert_array_equal(out["confusion"], metrics.confusion_matrix(true, told, labels=names))
    theirs = metrics.precision_recall_fscore_support(true, told, labels=names)
    for i, name in enumerate(names):
        own = out["classes"][i]
        assert own["class"] == name and own["support"] == theirs[3][i]
        np.testing.assert_allclose([own["precision"], own["recall"], own["f1"]], [t[i] for t in theirs[:3]], rtol=1e-12)
    positive = true == ">50K"
    assert found["measured"]["roc_auc"] == pytest.approx(metrics.roc_auc_score(positive, p), abs=1e-6)
    assert found["measured"]["average_precision"] == pytest.approx(metrics.average_precision_score(positive, p), abs=1e-6)
    assert found["measured"]["f1_macro"] == pytest.approx(metrics.f1_score(true, told, average="macro"))
    assert found["scores"]["accuracy"] == pytest.approx(metrics.accuracy_score(true, told))
    x, y, _ = metrics.roc_curve(positive, p, drop_intermediate=False)
    curve = out["roc"][0]
    np.testing.assert_allclose(curve["x"], x, atol=1e-12)
    np.testing.assert_allclose(curve["y"], y, atol=1e-12)
    assert curve["class"] == ">50K"
    precision, recall, _ = metrics.precision_recall_curve(positive, p)
    curve = out["precision_recall"][0]
    np.testing.assert_allclose(curve["x"][1:], recall[-2::-1], atol=1e-12)
    np.testing.assert_allclose(curve["y"][1:], precision[-2::-1], atol=1e-12)
    observed, said = calibration_curve(positive, p, n_bins=10)
    bins = [b for b in out["calibration"] if b["rows"]]
    np.testing.assert_allclose([b["observed"] for b in bins], observed, atol=1e-6)
    np.testing.assert_allclose([b["predicted"] for b in bins], said, atol=1e-6)
    ece = sum(b["rows"] * abs(b["observed"] - b["predicted"]) for b in bins) / len(true)
    assert found["measured"]["ece"] == pytest.approx(ece)


def test_several_classes_from_logits(folder):
    found = evaluated("runs/kinds", "other.csv", cwd=folder)
    (out,) = found["outputs"]
    true = np.array(labels(folder / "other.csv", 2)[1:])
    rows = predicted("runs/kinds", "other.csv", folder)
    p = np.array([[float(r[f"probability_{c}"]) for c in "xyz"] for r in rows])
    told = np.array([r["prediction"] for r in rows])
    np.testing.assert_array_equal(out["confusion"], metrics.confusion_matrix(true, told, labels=list("xyz")))
    assert found["measured"]["roc_auc"] == pytest.approx(metrics.roc_auc_score(true, p / p.sum(1, keepdims=True), multi_class="ovr"), abs=1e-6)
    for i, c in enumerate("xyz"):
        assert out["roc"][i]["area"] == pytest.approx(metrics.roc_auc_score(true == c, p[:, i]), abs=1e-6)
        assert out["precision_recall"][i]["area"] == pytest.approx(metrics.average_precision_score(true == c, p[:, i]), abs=1e-6)


def test_classes_that_training_did_not_have_count_as_wrong(folder):
    """Accuracy and the tables are of all rows, as scikit-learn has them; a warning names the classes; the loss is of the rows that have one."""
    rows = list(csv.reader((folder / "judge.csv").open()))
    strange = [[*r[:-1], ["other", "new"][i % 2]] if i % 5 == 0 else r for i, r in enumerate(rows)]
    known = [r for r in strange if r[-1].strip() not in ("other", "new")]
    for name, some in (("strange.csv", strange), ("known.csv", known)):
        with (folder / name).open("w", newline="") as file:
            csv.writer(file).writerows(some)
    found, own = evaluated("runs/adult", "strange.csv", cwd=folder), evaluated("runs/adult", "known.csv", cwd=folder)
    told = [r["prediction"] for r in predicted("runs/adult", "strange.csv", folder)]
    true = [r[-1].strip() for r in strange]
    assert found["scores"]["loss"] == own["scores"]["loss"]
    assert found["scores"]["accuracy"] == pytest.approx(metrics.accuracy_score(true, told), abs=1e-12)
    output = found["outputs"][0]
    assert [c["class"] for c in output["classes"]] == ["<=50K", ">50K", "other", "new"] and output["rows"] == len(rows)
    wanted = metrics.precision_recall_fscore_support(true, told, labels=["<=50K", ">50K", "other", "new"], zero_division=0)
    assert [c["recall"] for c in output["classes"]] == pytest.approx(wanted[1].tolist()) and [c["support"] for c in output["classes"]] == wanted[3].tolist()
    assert output["confusion"] == metrics.confusion_matrix(true, told, labels=["<=50K", ">50K", "other", "new"]).tolist()
    assert found["measured"]["f1_macro"] == pytest.approx(float(wanted[2].mean()))
    assert {(u["column"], u["class"], u["rows"]) for u in found["unknown"]} == {("income", "other", 90), ("income", "new", 90)} and not own["unknown"]
    done = layerctl("eval", "runs/adult", "strange.csv", "--fail-under", "accuracy=0.75", cwd=folder)
    assert done.returncode == 1 and "strange.csv:1:15: warning: column 'income': 180 of 900 rows are of classes that training did not have: " in done.stderr
    assert "other" in done.stdout


@pytest.mark.parametrize(("change", "says"), [
    (lambda label: f"{label}.", "an ending that does not count is taken off with `strip_suffix`"),
    (lambda label: label.replace("50K", "50k"), "the classes are <=50K, >50K"),
    (lambda label: "other", "is no class of the training data (900 such rows in all)"),
])  # fmt: skip
def test_classes_spelled_otherwise_are_mistakes(folder, change, says):
    rows = [[*r[:-1], change(r[-1].strip())] for r in csv.reader((folder / "judge.csv").open())]
    with (folder / "spelled.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    done = layerctl("eval", "runs/adult", "spelled.csv", cwd=folder)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_numbers_in_their_own_unit(folder):
    found = evaluated("runs/sizes", "other.csv", cwd=folder)
    (out,) = found["outputs"]
    true = np.array([float(v) for v in labels(folder / "other.csv", 3)[1:]])
    told = np.array([float(line) for line in layerctl("predict", "runs/sizes", "other.csv", cwd=folder).stdout.splitlines()[1:]])
    assert found["measured"]["mae"] == pytest.approx(metrics.mean_absolute_error(true, told), rel=1e-5)
    assert found["measured"]["rmse"] == pytest.approx(metrics.root_mean_squared_error(true, told), rel=1e-5)
    assert found["measured"]["r2"] == pytest.approx(metrics.r2_score(true, told), rel=1e-5)
    for share, value in out["residual_quantiles"].items():
        assert value == pytest.approx(np.quantile(told - true, float(share)), abs=1e-4)
    text = layerctl("eval", "runs/sizes", "other.csv", cwd=folder).stdout
    assert "mean absolute error" in text and "residuals: this share of the rows is at or below" in text


def test_tables_and_gates_on_what_follows_from_them(folder):
    done = layerctl("eval", "runs/adult", cwd=folder)
    for part in ("each class", "precision  recall", "confusion: a row is what is true", "roc_auc", "calibration: the probability of '>50K'"):
        assert part in done.stdout
    assert done.stderr == ""
    assert layerctl("eval", "runs/adult", "--fail-under", "roc_auc=0.7", "--fail-over", "ece=0.5", cwd=folder).returncode == 0
    missed = layerctl("eval", "runs/adult", "--fail-under", "roc_auc=0.9999", cwd=folder)
    assert missed.returncode == 1 and missed.stderr.startswith("roc_auc is 0.")
    assert layerctl("eval", "runs/sizes", "other.csv", "--fail-under", "r2=0.5", cwd=folder).returncode == 0


def best_of(true, p, measure):
    cuts = np.concatenate([[0.0], np.unique(p)])
    return max(measure(true, p > c) for c in cuts)


RULES = {
    "f1": lambda t, d: metrics.f1_score(t, d, zero_division=0),
    "youden": lambda t, d: metrics.recall_score(t, d) - (d & ~t).sum() / (~t).sum(),
    "accuracy": metrics.accuracy_score,
    "cost=1:5": lambda t, d: (d & ~t).sum() + 5.0 * (t & ~d).sum(),
    "precision=0.8": lambda t, d: metrics.precision_score(t, d, zero_division=0),
    "recall=0.9": metrics.recall_score,
}


@pytest.fixture(scope="module")
def held(folder):
    """(truth, probabilities) of the validation rows, from Python."""
    import layerctl as package

    with package.load(folder / "runs" / "adult") as model:
        rows = model.data.validation
        return next(iter(rows.targets.values())) == 1, np.asarray(model.predict(rows)).ravel().astype(float)


@pytest.mark.parametrize("rule", RULES)
def test_thresholds_serve_their_rule_best(folder, held, rule):
    true, p = held
    (chosen,) = evaluated("runs/adult", "--threshold", rule, cwd=folder)["thresholds"]
    told = p > chosen["threshold"]
    assert RULES[rule](true, told) == pytest.approx(chosen["value"]) and chosen["rows"] == len(true) and chosen["positive"] == ">50K"
    if rule.startswith("cost"):
        assert chosen["value"] == pytest.approx(-best_of(true, p, lambda t, d: -RULES[rule](t, d)))
    elif rule == "precision=0.8":
        reached = best_of(true, p, lambda t, d: metrics.recall_score(t, d) if RULES[rule](t, d) >= 0.8 else -1)
        assert chosen["value"] >= 0.8 and metrics.recall_score(true, told) == pytest.approx(reached)
    elif rule == "recall=0.9":
        reached = best_of(true, p, lambda t, d: metrics.precision_score(t, d, zero_division=0) if RULES[rule](t, d) >= 0.9 else -1)
        assert chosen["value"] >= 0.9 and metrics.precision_score(true, told) == pytest.approx(reached)
    else:
        assert chosen["value"] == pytest.approx(best_of(true, p, RULES[rule]))


def test_a_kept_threshold_is_used_and_shown(folder):
    import shutil

    shutil.copytree(folder / "runs" / "adult", folder / "runs" / "kept")
    before = (folder / "runs" / "kept" / "model.safetensors").read_bytes()
    plain = predicted("runs/kept", "judge.csv", folder)
    assert layerctl("eval", "runs/kept", "--threshold", "recall=0.95", cwd=folder).returncode == 0
    assert (folder / "runs" / "kept" / "model.safetensors").read_bytes() == before
    found = evaluated("runs/kept", "judge.csv", "--threshold", "recall=0.95", "--keep", cwd=folder)
    (decision,) = found["thresholds"]
    assert found["kept"] == "runs/kept/model.safetensors" and decision["threshold"] < 0.5
    rows = predicted("runs/kept", "judge.csv", folder)
    assert [r["probability_>50K"] for r in rows] == [r["probability_>50K"] for r in plain]
    for row in rows:
        p = float(row["probability_>50K"])
        assert row["prediction"] == (">50K" if p > decision["threshold"] else "<=50K") and row["probability"] == row[f"probability_{row['prediction']}"]
    assert [r["prediction"] for r in rows] != [r["prediction"] for r in plain]
    again = evaluated("runs/kept", "judge.csv", cwd=folder)
    assert again["thresholds"] == found["thresholds"] and again["outputs"] == found["outputs"]
    confusion = metrics.confusion_matrix(labels(folder / "judge.csv"), [r["prediction"] for r in rows], labels=["<=50K", ">50K"])
    assert again["outputs"][0]["confusion"] == confusion.tolist()
    assert f"'>50K' above {decision['threshold']:.9g} (recall=0.95, " in layerctl("inspect", "runs/kept", cwd=folder).stdout
    assert json.loads(layerctl("inspect", "runs/kept", "--json", cwd=folder).stdout)["thresholds"]["dense_1"]["rule"] == "recall=0.95"
    assert layerctl("predict", "runs/kept", "judge.csv", "--batch", "100", "--proba", cwd=folder).stdout == layerctl(
        "predict", "runs/kept", "judge.csv", "--proba", cwd=folder).stdout  # fmt: skip


def test_a_given_threshold_and_mistakes(folder):
    (given,) = evaluated("runs/adult", "--threshold", "0.3", cwd=folder)["thresholds"]
    assert given["threshold"] == 0.3
    for arguments, wanted in (
        (["runs/adult", "--keep"], "--keep: error: --keep writes a threshold into the model file, and none is chosen"),
        (["runs/adult", "--threshold", "yuden"], "--threshold cannot be 'yuden'; did you mean 'youden'?"),
        (["runs/adult", "--threshold", "precision=2"], "--threshold cannot be 'precision=2'"),
        (["runs/adult", "--threshold", "cost=1"], "--threshold cannot be 'cost=1'"),
        (["runs/kinds", "other.csv", "--threshold", "f1"], "--threshold is for targets of two classes, and 'dense' has 3"),
        (["runs/sizes", "other.csv", "--threshold", "f1"], "the model's targets are neither"),
    ):
        done = layerctl("eval", *arguments, cwd=folder)
        assert done.returncode == 2 and wanted in done.stderr and "[bad-option]" in done.stderr, done.stderr


def test_a_threshold_that_is_no_threshold_is_refused(folder):
    from layerctl.modelfile import artifact

    found = artifact.read_model(folder / "runs" / "adult" / "model.safetensors")
    for wrong in ({"dense_1": {"threshold": 3}}, {"dense_1": 0.5}, {"dense_1": {"threshold": True}}):
        object.__setattr__(found, "decisions", wrong)
        artifact.write_model(folder / "wrong.safetensors", found)
        done = layerctl("predict", "wrong.safetensors", "judge.csv", cwd=folder)
        assert done.returncode == 2 and "expected a threshold from 0 to 1 [bad-metadata]" in done.stderr
