"""Targets of every kind through the command line: trained, evaluated and predicted in processes of their own."""

import csv
import io
import json
import math
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(folder, *arguments, code=0, given=None):
    command = [sys.executable, "-m", "layerctl", *arguments]
    environment = {**os.environ, "GITHUB_ACTIONS": "", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment, input=given, check=False)
    assert done.returncode == code, done.stderr
    return done


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def write(folder, name, data, target, model, loss, *, features, epochs=40, more="", fit=""):
    lines = [",".join(data), *(",".join(map(str, r)) for r in zip(*data.values(), strict=True))]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.yaml").write_text(f"""
layerctl: 1
seed: 3
data:
  source: {name}.csv
  features: {features}
  target: {target}
  split: {{test: 0.2}}
  {more}
model:
{model}
compile: {{optimizer: {{Adam: {{learning_rate: 0.03}}}}, loss: {loss}}}
fit: {{epochs: {epochs}, batch_size: 16{fit}}}
""")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("targets")


def test_several_columns_of_numbers(folder):
    rng = random.Random(0)
    a, b = ([round(rng.uniform(-1, 1), 3) for _ in range(120)] for _ in "ab")
    data = {"a": a, "b": b, "low": [f'"${1000 + 500 * x:,.2f}"' for x in a], "high": [f'"${9000 + 500 * x:,.2f}"' for x in b]}
    write(folder, "numbers", data, "{columns: [low, high], scale: standard}", "  - Dense: 2", "mse", features="{x: {columns: [a, b]}}")
    run(folder, "train", "numbers.yaml", "-q")
    found = rows_of(run(folder, "predict", "runs/numbers", "numbers.csv").stdout)
    assert list(found[0]) == ["prediction_low", "prediction_high"] and len(found) == 120
    for row, x, y in zip(found, a, b, strict=True):
        assert abs(float(row["prediction_low"]) - 1000 - 500 * x) < 25 and abs(float(row["prediction_high"]) - 9000 - 500 * y) < 25
    quantiles = json.loads(run(folder, "eval", "runs/numbers", "numbers.csv", "--json").stdout)["outputs"][0]["residual_quantiles"]
    off = [float(r["prediction_low"]) - 1000 - 500 * x for r, x in zip(found, a, strict=True)]
    off += [float(r["prediction_high"]) - 9000 - 500 * y for r, y in zip(found, b, strict=True)]
    assert abs(quantiles["0"] - min(off)) < 0.01 and abs(quantiles["1"] - max(off)) < 0.01


@pytest.mark.parametrize("form", ["column", "columns"])
def test_any_number_of_labels(folder, form):
    rng = random.Random(1)
    a, b = ([round(rng.uniform(-1, 1), 3) for _ in range(160)] for _ in "ab")
    tags = ["|".join(t for t, there in (("right", x > 0), ("up", y > 0)) if there) for x, y in zip(a, b, strict=True)]
    columns = {"right": ["yes" if x > 0 else "no" for x in a], "up": [int(y > 0) for y in b]}
    data = {"a": a, "b": b, **({"tags": tags} if form == "column" else columns)}
    target = "{column: tags, kind: labels}" if form == "column" else "[right, up]"
    write(folder, f"labels-{form}", data, target, "  - Dense: {units: 2, activation: sigmoid}", "binary_crossentropy", features="{x: {columns: [a, b]}}")
    run(folder, "train", f"labels-{form}.yaml", "-q")
    found = rows_of(run(folder, "predict", f"runs/labels-{form}", f"labels-{form}.csv").stdout)
    assert list(found[0]) == ["prediction", "probability_right", "probability_up"]
    wanted = [t if form == "column" else t.replace("|", ";") for t in tags]
    assert sum(r["prediction"] == t for r, t in zip(found, wanted, strict=True)) > 150


def test_a_label_for_each_step_of_a_text(folder):
    rng = random.Random(2)
    kinds = {"the": "D", "a": "D", "cat": "N", "dog": "N", "sees": "V", "likes": "V"}
    texts = [" ".join(rng.choice(list(kinds)) for _ in range(rng.randrange(1, 8))) for _ in range(120)]
    tags = [" ".join(kinds[w] for w in t.split()) for t in texts]
    model = '  - Embedding: {input_dim: "${features.words.size}", output_dim: 6, mask_zero: true}\n  - Dense: {units: 3, activation: softmax}'
    write(folder, "tags", {"text": texts, "tags": tags}, "{column: tags, kind: sequence}", model, "sparse_categorical_crossentropy",
          features="{words: {columns: [text], kind: text}}", epochs=15)  # fmt: skip
    run(folder, "train", "tags.yaml", "-q")
    (folder / "new.csv").write_text("text\nthe dog likes a cat\ncat\n")
    assert run(folder, "predict", "runs/tags", "new.csv").stdout == "prediction\nD N V D N\nN\n"
    (folder / "known.csv").write_text("text,tags\nthe dog likes a cat,D N V D N\ncat,V\n")
    judged = json.loads(run(folder, "eval", "runs/tags", "known.csv", "--json").stdout)["outputs"][0]
    assert judged["rows"] == 6 and {c["class"]: c["support"] for c in judged["classes"]} == {"D": 2, "N": 2, "V": 2}
    assert judged["confusion"] == [[2, 0, 0], [0, 2, 0], [0, 1, 1]]
    (folder / "bad.csv").write_text("text,tags\nthe dog,D N\nthe dog likes,D N\n")
    done = run(folder, "eval", "runs/tags", "bad.csv", code=2)
    assert done.stderr.startswith("bad.csv:3:2: error: column 'tags': 'D N' has 2 labels for 3 steps [data-steps]\n  hint: a step of 'words' has one label")


def test_the_input_itself(folder):
    rng = random.Random(4)
    a = [round(rng.uniform(0, 10), 3) for _ in range(120)]
    write(folder, "auto", {"a": a, "b": [round(2 * x + 1, 3) for x in a]}, "input", "  - Dense: 1\n  - Dense: 2", "mse", features="{x: {columns: [a, b]}}")
    run(folder, "train", "auto.yaml", "-q")
    found = rows_of(run(folder, "predict", "runs/auto", "auto.csv").stdout)
    assert all(abs(float(r["prediction_a"]) - x) < 0.5 and abs(float(r["prediction_b"]) - 2 * x - 1) < 1 for r, x in zip(found, a, strict=True))


WRITER = """  - Embedding: {input_dim: "${features.text.size}", output_dim: 12, mask_zero: true}
  - LSTM: {units: 32, return_sequences: true}
  - Dense: {units: "${features.text.size}"}"""


@pytest.fixture(scope="module")
def writer(folder):
    lines = ["the cat sat on the mat", "a dog ran in the park", "birds sing in the tree"]
    rng = random.Random(5)
    write(folder, "writer", {"text": [rng.choice(lines) for _ in range(150)]}, "next", WRITER, "{SparseCategoricalCrossentropy: {from_logits: true}}",
          features="{text: {kind: text, split: characters, length: 24}}", epochs=15)  # fmt: skip
    run(folder, "train", "writer.yaml", "-q")
    return lines


def test_a_language_model_goes_on_with_a_prompt(folder, writer):
    assert run(folder, "predict", "runs/writer", "--prompt", "the c", "--temperature", "0").stdout == "the cat sat on the mat\n"
    found = json.loads(run(folder, "eval", "runs/writer", "--split", "train", "--json").stdout)
    assert found["measured"]["perplexity"] == pytest.approx(math.exp(found["scores"]["loss"]), rel=1e-4) and 0.5 < found["measured"]["accuracy"] <= 1
    assert [line.split()[0] for line in run(folder, "eval", "runs/writer", "--split", "train").stdout.splitlines()] == ["loss", "accuracy", "perplexity"]
    assert run(folder, "predict", "runs/writer", "-", "--temperature", "0", given="bir\n").stdout == "birds sing in the tree\n"
    made = [run(folder, "predict", "runs/writer", "--seed", str(s)).stdout for s in (1, 1, 2, 3, 4, 5)]
    assert made[0] == made[1] and len(set(made)) > 1
    assert run(folder, "predict", "runs/writer", "--prompt", "a", "--length", "3", "--top-k", "1").stdout == "a do\n"
    assert run(folder, "predict", "runs/writer", "--prompt", "a", "--length", "3", "--top-p", "0").stdout == "a do\n"
    assert run(folder, "predict", "runs/writer", "--threads", "1", "--seed", "1").stdout == made[0]


def test_a_continuation_as_json_and_into_a_file(folder, writer):
    line = json.loads(run(folder, "predict", "runs/writer", "--prompt", "a dog r", "--temperature", "0", "--json").stdout)
    assert line == {"event": "continuation", "version": 1, "prompt": "a dog r", "text": "an in the park", "tokens": list("an in the park")}
    run(folder, "predict", "runs/writer", "--prompt", "a dog r", "--temperature", "0", "-o", "made.txt")
    assert (folder / "made.txt").read_text() == "a dog ran in the park\n"


def test_what_cannot_be_gone_on_with(folder, writer):
    done = run(folder, "predict", "runs/writer", "--prompt", "ZÜ", "--length", "2")
    assert done.stderr == "--prompt: warning: the model does not know 'ü' of the prompt: training did not have it [unknown-token]\n" or "'z'" in done.stderr
    run(folder, "train", str(ROOT / "configs" / "iris.yaml"), "--out", "iris", "--set", "fit.epochs=1", "-q")
    done = run(folder, "predict", "iris", "--prompt", "the", code=2)
    assert "error: this model does not go on with a text [no-language-model]" in done.stderr and "`target: next`" in done.stderr
    assert "given twice" in run(folder, "predict", "runs/writer", "-", "--prompt", "a", code=2, given="b").stderr
    assert "has no form 'csv'" in run(folder, "predict", "runs/writer", "--prompt", "a", "--format", "csv", code=2).stderr
    assert "is not UTF-8" in run_bytes(folder, "predict", "runs/writer", "-", given=b"\xff\xfe")
    for target in ("c", "python"):
        assert "a text that is gone on with" in run(folder, "export", "runs/writer", "--to", target, code=2).stderr


def run_bytes(folder, *arguments, given):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=folder, capture_output=True, input=given, check=False)
    assert done.returncode == 2
    return done.stderr.decode()


def test_words_and_one_long_text(folder):
    sentences = ["Hello , world !", "How are you ?"] * 30
    write(folder, "join", {"text": [f'"{s}"' for s in sentences]}, "{next: text, join: true}", WRITER, "{SparseCategoricalCrossentropy: {from_logits: true}}",
          features="{text: {kind: text, length: 12, lowercase: false}}", epochs=25)  # fmt: skip
    run(folder, "train", "join.yaml", "-q")
    made = run(folder, "predict", "runs/join", "--prompt", "Hello", "--temperature", "0", "--length", "10").stdout
    assert made == "Hello, world!\nHow are you?\nHello\n"
    judged = json.loads(run(folder, "eval", "runs/join", "--json").stdout)
    assert judged["scores"]["loss"] < 0.5 and judged["outputs"] == []


IRIS = str(ROOT / "configs" / "iris.yaml")


@pytest.fixture(scope="module")
def folds(folder):
    return run(folder, "train", IRIS, "--folds", "3", "--out", "folds", "--set", "fit.epochs=4", "-q")


def test_folds_are_runs_with_a_mean_and_a_spread(folder, folds):
    lines = folds.stdout.splitlines()
    assert lines[0].split() == ["fold", "epochs", "loss", "accuracy"] and [line.split()[0] for line in lines[2:]] == ["1", "2", "3", "mean", "spread"]
    kept = json.loads((folder / "folds" / "folds.json").read_text())
    own = [json.loads(run(folder, "eval", f"folds/fold-{i}", "--json").stdout)["scores"]["accuracy"] for i in (1, 2, 3)]
    assert own == [f["scores"]["accuracy"] for f in kept["folds"]]
    mean = sum(own) / 3
    assert kept["mean"]["accuracy"] == pytest.approx(mean)
    assert kept["spread"]["accuracy"] == pytest.approx((sum((v - mean) ** 2 for v in own) / 2) ** 0.5)
    assert "fold: 2" in (folder / "folds" / "fold-2" / "model.yaml").read_text()


def test_folds_go_on_where_they_were_left(folder, folds):
    path = folder / "folds" / "folds.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps({**before, "folds": before["folds"][:2]}))
    shutil.rmtree(folder / "folds" / "fold-3")
    done = run(folder, "train", IRIS, "--folds", "3", "--out", "folds", "--set", "fit.epochs=4", "--resume", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    result = next(e for e in events if e["event"] == "folds")
    assert [f["scores"] for f in result["folds"]] == [f["scores"] for f in before["folds"]] and result["mean"] == before["mean"]
    assert json.loads(path.read_text())["folds"][:2] == before["folds"][:2]


@pytest.mark.parametrize(("more", "says"), [
    ([], "there are trained folds in this folder already [run-exists]"), (["--resume", "--set", "fit.epochs=5"], "trained from another file"),
    (["--resume", "--set", "data.split.by=column", "--set", "data.split.column=species"], "'folds' cannot go with 'by: column'"),
])  # fmt: skip
def test_folds_that_cannot_be(folder, folds, more, says):
    base = ["--set", "fit.epochs=4"] if "fit.epochs=5" not in more else []
    out = "folds" if "data.split.by=column" not in more else "other"
    sets = [*base, *more, *(["--set", "data.split.stratify=false"] if out == "other" else [])]
    assert says in run(folder, "train", IRIS, "--folds", "3", "--out", out, *sets, code=2).stderr


def test_each_fold_has_its_budget_of_steps(folder):
    done = run(folder, "train", IRIS, "--folds", "2", "--out", "few", "--max-steps", "3", "--json", "-q")
    result = next(e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "folds")
    assert [f["reason"] for f in result["folds"]] == ["steps", "steps"]


def test_more_folds_than_rows(folder):
    assert "1000 folds need as many rows" in run(folder, "train", IRIS, "--folds", "1000", "--out", "many", "--set", "data.split.stratify=false", code=2).stderr


def test_what_was_fitted_in_training_is_shown_without_the_data(tmp_path):
    """A run and a model file have it; other data change nothing of it, and need not be there; a run's copy of its file still finds them."""
    rows = [f"{i % 7}.5,{'abc'[i % 3]},{i % 5}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["n,c,y", *rows]) + "\n")
    (tmp_path / "m.yaml").write_text("""
layerctl: 1
name: m
data: {source: t.csv, features: {all: {}}, target: {column: y, kind: number}, split: {test: 0.2}}
model: [{Dense: 1}]
compile: {optimizer: adam, loss: mse}
fit: {epochs: 1}
""")

    def shown(source):
        return json.loads(run(tmp_path, "build", source, "--show", "features", "--json").stdout)["features"]

    run(tmp_path, "train", "m.yaml", "-q")
    found = shown("m.yaml")
    assert found == shown("runs/m") == shown("runs/m/model.safetensors") == shown("runs/m/model.yaml")
    (tmp_path / "t.csv").write_text("\n".join(["n,c,y", *(r.replace("a", "z").replace(".5", "1.5") for r in rows)]) + "\n")
    assert shown("m.yaml") != found and shown("runs/m") == found
    (tmp_path / "t.csv").unlink()
    assert shown("runs/m") == shown("runs/m/model.safetensors") == found
    assert "a trained model is as it was trained" in run(tmp_path, "build", "runs/m", "--set", "fit.epochs=3", code=2).stderr


def test_what_was_fitted_is_shown(folder):
    rng = random.Random(6)
    data = {
        "age": [rng.randrange(20, 70) for _ in range(80)], "pay": [f'"${rng.randrange(900, 5000):,}"' for _ in range(80)],
        "job": [rng.choice(["cook", "smith", ""]) for _ in range(80)], "since": [f"0{1 + i % 9}.02.20{10 + i % 9}" for i in range(80)],
        "member": [rng.choice(["yes", "no"]) for _ in range(80)], "kind": ["rare" if i % 8 == 0 else "often" for i in range(80)], "same": ["x"] * 80,
    }  # fmt: skip
    features = """{numbers: {columns: [age, pay], outlying: clip, quantiles: [0.05, 0.95]},
      job: {columns: [job, same], kind: category, missing: most_frequent, unseen: most_frequent},
      since: {columns: [since], kind: date, format: "%d.%m.%Y", parts: [days, year]}, member: {columns: [member], kind: binary}}"""
    model = "  - Concatenate:\n    from: [numbers, job, since, member]\n  - Dense: {units: 2, activation: softmax}"
    write(folder, "fitted", data, "kind", model, "sparse_categorical_crossentropy", features=features, fit=", class_weight: balanced")
    text = run(folder, "build", "fitted.yaml", "--show", "features").stdout
    for part in ("input numbers: number, float32 (2)", "without '$,'", ": clip", "unseen: most_frequent", "constant", "%d.%m.%Y", "parts: days, year",
                 "no is 0, yes is 1", "target kind: category"):  # fmt: skip
        assert part.lower() in text.lower(), part
    plain = {f["name"]: f for f in json.loads(run(folder, "build", "fitted.yaml", "--show", "features", "--json").stdout)["features"]}
    assert plain["numbers"]["columns"][1]["strip"] == "$," and plain["job"]["columns"][0]["words"] == ["cook", "smith"]
    counts, weights = plain["kind"]["counts"], plain["kind"]["weights"]
    assert sum(counts) == 64 and weights == {"often": pytest.approx(32 / counts[0]), "rare": pytest.approx(32 / counts[1])}
    run(folder, "train", "fitted.yaml", "-q", "--set", "fit.epochs=1")
    inspected = json.loads(run(folder, "inspect", "runs/fitted", "--json").stdout)
    assert {f["name"] for f in inspected["features"]} == set(plain)
