"""Reports by the installed command: what is in them, that they need nothing else, and how a browser shows them."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from browser import dom, screenshot

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "br", "i", "path", "rect", "polyline"}
HOSTILE = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "&amp;' </title> ${x}"]


def layerctl(*arguments, cwd, code=0):
    done = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "GITHUB_ACTIONS": ""})  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


class Page(HTMLParser):
    """A page's elements and text; complains of elements that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [v for k, v in attributes if k in ("href", "src", "action", "srcset", "data", "xlink:href")]
        assert not any(k.startswith("on") for k, _ in attributes)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def checked(path):
    """A report as a page, if it is one file without scripts and needs no network."""
    text = Path(path).read_text()
    page = Page(text)
    assert text.startswith("<!doctype html>") and not {"script", "iframe", "object", "embed", "link", "base", "form"} & set(page.tags)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert not re.search(r"url\(|@import|https?:", text.split("</style>")[0])
    return page


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    layerctl("train", str(ROOT / "configs" / "digits.yaml"), "--out", "digits", "--set", "fit.epochs=6", "-q", cwd=folder)
    return folder / "digits"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run whose classes, words and name are markup."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = []
    for i in range(90):
        name = HOSTILE[i % 3]
        rows.append(json.dumps({"size": i % 7 + (i % 3) * 0.4, "<b>kind</b>": HOSTILE[(i * 5) % 3], "label": name}))
    (folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "model.yaml").write_text("""layerctl: 1
name: <script>alert(2)<script>
seed: 3
data:
  source: rows.jsonl
  features:
    things: {kind: table}
  target: label
  split: {test: 0.4}
model:
  - Dense: {units: 3, activation: softmax}
    name: "<i>layer"
compile: {optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
fit: {epochs: 2}
""")
    layerctl("train", "model.yaml", "--out", "run", "-q", cwd=folder)
    return folder / "run"


def test_a_report_of_pictures(digits):
    page = checked(digits / "report.html")
    for section in ("Training", "On the test rows", "Examples that went wrong", "Importance", "Model", "Data", "File", "Environment"):
        assert section in page.text
    for figure in ("loss", "accuracy", "learning rate", "confusion matrix", "ROC", "precision and recall", "calibration"):
        assert figure in page.text
    status = json.loads((digits / "run.json").read_text())
    assert status["state"] == "finished" and status["rows"] == {"train": 1259, "validation": 179, "test": 359} and status["split"] == "test"
    assert status["data"] in page.text and status["environment"]["processor"] in page.text and "builtin:digits" in page.text
    assert "BatchNormalization" in page.text and "(None, 8, 8, 32)" in page.text and "9,248" in page.text
    assert page.tags.count("img") == 12 and f"{status['scores']['accuracy']:.4f}" in page.text
    assert "filters: 32" in page.text


def test_markup_in_names_is_text(hostile):
    page = checked(hostile / "report.html")
    assert "<script>alert(1)</script>" in page.text and "<b>kind</b>" in page.text and "<i>layer" in page.text
    assert page.text.startswith("<script>alert(2)<script>")
    shown = dom(hostile / "report.html")
    assert "<script" not in shown and "onerror=alert" not in re.sub(r"&[a-z]+;[^<]*", "", shown)


@pytest.mark.parametrize(("config", "words"), [
    ("diabetes", ["predicted and true", "residuals", "distribution of residuals", "mean absolute error", "bmi"]),
    ("messages", ["message", "ham told", "average precision", "probability of spam"]),
    ("two-headed", ["On the test rows: cultivar", "On the test rows: alcohol", "Concatenate", "flavanoids"]),
    ("residual", ["Residual", "shortcut", "importance of the picture's parts"]),
])  # fmt: skip
def test_reports_of_other_kinds(tmp_path, config, words):
    layerctl("train", str(ROOT / "configs" / f"{config}.yaml"), "--out", "run", "--set", "fit.epochs=4", "-q", cwd=tmp_path)
    page = checked(tmp_path / "run" / "report.html")
    for word in words:
        assert word in page.text or word in (tmp_path / "run" / "report.html").read_text(), word


def test_a_report_of_windows(tmp_path):
    lines = [f"{i},{np.sin(i / 5):.4f}" for i in range(300)]
    (tmp_path / "series.csv").write_text("day,level\n" + "\n".join(lines) + "\n")
    (tmp_path / "model.yaml").write_text("""layerctl: 1
data:
  source: series.csv
  features:
    past: {columns: [level], window: {length: 12, horizon: 1}}
  target: {column: level, kind: number}
  split: {validation: 0.2}
model: [{LSTM: 4}, {Dense: 1}]
compile: {optimizer: adam, loss: mse}
fit: {epochs: 2}
""")
    layerctl("train", "model.yaml", "--out", "run", "-q", cwd=tmp_path)
    page = checked(tmp_path / "run" / "report.html")
    assert "On the validation rows" in page.text and "R²" in page.text and "past" in page.text


def test_later_and_elsewhere_and_without(digits, tmp_path):
    before = (digits / "report.html").read_text()
    done = layerctl("report", str(digits), "-o", "other.html", cwd=tmp_path)
    assert done.stdout == "other.html\n" and (tmp_path / "other.html").read_text() == before
    told = json.loads(layerctl("report", str(digits), "-o", "other.html", "--json", "--threads", "1", cwd=tmp_path).stdout)
    assert told == {"event": "report", "version": 1, "path": "other.html", "size": len(before.encode())}
    assert (tmp_path / "other.html").read_text() == before  # importances do not depend on threads
    layerctl("train", str(ROOT / "configs" / "iris.yaml"), "--out", "iris", "--set", "fit.epochs=1", "-q", "--no-report", cwd=tmp_path)
    assert not (tmp_path / "iris" / "report.html").exists()


def test_a_run_without_its_data_or_its_model(hostile, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("model.safetensors", "model.yaml", "history.jsonl", "run.json"):
        (run / name).write_bytes((hostile / name).read_bytes())
    done = layerctl("report", "run", cwd=tmp_path)
    assert "[report-incomplete]" in done.stderr and "rows.jsonl" in done.stderr
    page = checked(run / "report.html")
    assert "could not be judged" in page.text and "Training" in page.text and "<i>layer" in page.text
    (run / "model.safetensors").unlink()
    assert "did not end" in layerctl("report", "run", cwd=tmp_path).stderr
    assert "loss" in checked(run / "report.html").text
    (tmp_path / "alone.safetensors").write_bytes((hostile / "model.safetensors").read_bytes())
    assert "[no-run]" in layerctl("report", "alone.safetensors", cwd=tmp_path, code=2).stderr
    (run / "model.safetensors").write_bytes(b"no model")
    assert layerctl("report", "run", cwd=tmp_path, code=2).stderr.count("error:") == 1


def test_damaged_histories_are_no_obstacle(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    lines = ('{"epoch": 1, "loss": 1.5}', '{"epoch": 2, "loss": null, "accuracy": ' + "9" * 400 + "}", "[1]", '{"epoch": 3, "loss": [1], "accuracy": "x"}')
    (run / "history.jsonl").write_text("\n".join((*lines, '{"epoch": 4, "lo')))
    (run / "run.json").write_text('{"state": ["x"], "scores": {"a": ' + "9" * 400 + ', "b": 0.5}, "environment": 3, "rows": [], "error": "<u>"}')
    layerctl("report", "run", cwd=tmp_path)
    layerctl("compare", "run", "run", cwd=tmp_path)
    page = checked(run / "report.html")
    assert "<u>" in page.text and "0.5000" in page.text


def test_a_browser_shows_it(digits, tmp_path):
    shown = dom(digits / "report.html")
    assert shown.count("<figure") == (digits / "report.html").read_text().count("<figure") and "confusion matrix" in shown
    light = screenshot(digits / "report.html", tmp_path / "light.png", 1200, 900)
    dark = screenshot(digits / "report.html", tmp_path / "dark.png", 1200, 900, dark=True)
    assert light.shape == dark.shape == (900, 1200, 3)
    assert light.mean() > 200 and dark.mean() < 80
    for picture in (light, dark):
        colours, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
        assert len(colours) > 200 and counts.max() < 0.9 * picture.shape[0] * picture.shape[1]
    blue = (light[..., 2] > 130) & (light[..., 0] < 40)  # the matrix's diagonal and the curves
    assert blue.sum() > 1000
    narrow = screenshot(digits / "report.html", tmp_path / "narrow.png", 480, 900)
    assert len(np.unique(narrow[:, -12:].reshape(-1, 3), axis=0)) < 12  # nothing runs out of a narrow window


def test_the_browser_check_sees_an_empty_page(tmp_path):
    (tmp_path / "empty.html").write_text("<!doctype html><title>x</title>")
    picture = screenshot(tmp_path / "empty.html", tmp_path / "empty.png", 300, 200)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1
