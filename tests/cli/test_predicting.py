"""`layerctl predict` in a process of its own: classes' probabilities, bad rows, streams, files that are whole or not there."""

import csv
import gzip
import io
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
HEAD = "sepal_length,sepal_width,petal_length,petal_width,id\n"
ROWS = HEAD + "5.1,3.5,1.4,0.2,a\n6.7,3.0,5.2,2.3,b\n5.9,3.0,4.2,1.5,c\n"
BAD = HEAD + '5.1,3.5,1.4,0.2,a\n5.1,x,1.4,0.2,b\n6.7,3.0,5.2,2.3,"c,""d"""\n1,2\n5.9,,4.2,1.5,e\n5.9,3.0,4.2,1.5,f\n'
CLASSES = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]
PREDICT = [sys.executable, "-m", "layerctl", "predict"]
REGRESSION = """
layerctl: 1
name: line
data: {source: line.csv, features: {x: {columns: [x]}}, target: {column: y, kind: number}}
model: [{Dense: 1}]
compile: {loss: mse}
fit: {epochs: 1}
"""


def layerctl(*arguments, cwd, stdin=None):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained iris, rows with and without mistakes, many rows."""
    folder = tmp_path_factory.mktemp("predicting")
    done = layerctl("train", str(ROOT / "configs" / "iris.yaml"), "--out", "iris", "-q", "--set", "fit.epochs=20", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "rows.csv").write_text(ROWS)
    (folder / "bad.csv").write_text(BAD)
    rng = np.random.default_rng(1)
    lines = [f"{a:.1f},{b:.1f},{c:.1f},{d:.1f},r{i}\n" for i, (a, b, c, d) in enumerate(rng.uniform(0.1, 7.9, (20_000, 4)))]
    (folder / "many.csv").write_text(HEAD + "".join(lines))
    return folder


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_all_classes_and_the_likeliest(folder):
    rows = rows_of(layerctl("predict", "iris", "rows.csv", "--proba", "--keep", "id", cwd=folder).stdout)
    assert list(rows[0]) == ["id", "prediction", "probability", *(f"probability_{c}" for c in CLASSES)]
    for row in rows:
        p = {c: float(row[f"probability_{c}"]) for c in CLASSES}
        assert sum(p.values()) == pytest.approx(1, abs=1e-6) and max(p, key=p.get) == row["prediction"]
        assert float(row["probability"]) == p[row["prediction"]]
    top = rows_of(layerctl("predict", "iris", "rows.csv", "--top", "2", cwd=folder).stdout)
    assert list(top[0]) == ["prediction_1", "probability_1", "prediction_2", "probability_2"]
    for row, best in zip(rows, top, strict=True):
        ranked = sorted(CLASSES, key=lambda c: -float(row[f"probability_{c}"]))
        assert [best["prediction_1"], best["prediction_2"]] == ranked[:2]
        assert best["probability_2"] == row[f"probability_{ranked[1]}"]
    everything = rows_of(layerctl("predict", "iris", "rows.csv", "--top", "9", cwd=folder).stdout)
    assert len(everything[0]) == 6


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_column_that_the_data_do_not_have_is_told_before_anything_is_written(folder, form):
    done = layerctl("predict", "iris", "rows.csv", "--keep", "idd", "--format", form, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "") and "did you mean 'id'? [unknown-column]" in done.stderr


def test_bad_rows_end_it_or_are_passed_over(folder):
    failed = layerctl("predict", "iris", "bad.csv", cwd=folder)
    assert failed.returncode == 2 and failed.stdout == "" and failed.stderr.startswith("bad.csv:5:1: error: 2 fields where 5 columns are expected")
    empty = layerctl("predict", "iris", "bad.csv", "--keep", "id", "--on-error", "null", cwd=folder)
    rows = rows_of(empty.stdout)
    assert empty.returncode == 0 and [r["id"] for r in rows] == ["a", "b", 'c,"d"', "", "e", "f"]
    assert [r["prediction"] for r in rows] == ["Iris-setosa", "", "Iris-virginica", "", "", "Iris-versicolor"]
    assert empty.stderr.splitlines()[:3] == [
        "bad.csv:3:2: warning: column 'sepal_width': 'x' is not a number [data-not-a-number]",
        "bad.csv:5:1: warning: 2 fields where 5 columns are expected [data-ragged]",
        "bad.csv:6:2: warning: column 'sepal_width': a value is missing [data-missing]",
    ]
    assert empty.stderr.splitlines()[-1] == "warning: 3 rows could not be used and were left without predictions [bad-rows]"
    left = layerctl("predict", "iris", "bad.csv", "--keep", "id", "--on-error", "skip", cwd=folder)
    assert rows_of(left.stdout) == [r for r in rows if r["prediction"]]
    assert left.stderr.splitlines()[-1].endswith("3 rows could not be used and were left out [bad-rows]")


def test_bad_rows_of_json_lines_and_of_large_files(folder):
    good = '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}\n'
    text = "[1]\n" + good + '{"sepal_length": 1}\n{"a": \n' + good
    done = layerctl("predict", "iris", "-", "--input-format", "jsonl", "--json", "--on-error", "null", cwd=folder, stdin=text)
    assert [json.loads(line)["prediction"] for line in done.stdout.splitlines()] == [None, "Iris-setosa", None, None, "Iris-setosa"]
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 0 and {e["severity"] for e in events} == {"warning"} and events[-1]["code"] == "bad-rows"
    lines = (folder / "many.csv").read_text().splitlines(keepends=True)
    clean = layerctl("predict", "iris", "many.csv", "--keep", "id", cwd=folder).stdout.splitlines()
    wrong = {7: "x\n", 9000: "1,2,3,4,5,6\n", 19_999: "1,2,?,4,z\n"}
    (folder / "spoilt.csv").write_text("".join(wrong.get(i, line) for i, line in enumerate(lines)))
    made = layerctl("predict", "iris", "spoilt.csv", "--keep", "id", "--on-error", "null", cwd=folder).stdout.splitlines()
    assert len(made) == len(clean) and {i for i, (a, b) in enumerate(zip(made, clean, strict=True)) if a != b} == set(wrong)
    assert [made[i] for i in wrong] == [",,", ",,", "z,,"]
    skipped = layerctl("predict", "iris", "spoilt.csv", "--keep", "id", "--on-error", "skip", cwd=folder).stdout.splitlines()
    assert skipped == [line for i, line in enumerate(clean) if i not in wrong]


def test_rows_that_are_all_bad(folder):
    (folder / "nothing.csv").write_text(HEAD + "x,x,x,x,a\ny,y,y,y,b\n")
    empty = layerctl("predict", "iris", "nothing.csv", "--keep", "id", "--on-error", "null", cwd=folder)
    assert empty.stdout == "id,prediction,probability\na,,\nb,,\n"
    assert layerctl("predict", "iris", "nothing.csv", "--on-error", "skip", cwd=folder).stdout == ""


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_slow_producer_sees_its_answers_at_once(folder, form):
    layerctl("predict", "iris", "-", cwd=folder, stdin=HEAD + "5,3,1,1,x\n")  # leaves a plan for one row
    process = subprocess.Popen([*PREDICT, "iris", "-", "--keep", "id", *form], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(HEAD.encode())
    process.stdin.flush()
    for i in range(4):
        process.stdin.write(f"5.{i},3.5,1.4,0.2,row{i}\n".encode())
        process.stdin.flush()
        line = answer(process.stdout, 30)
        if i == 0 and not form:
            assert line == b"id,prediction,probability\n"
            line = answer(process.stdout, 30)
        assert b"row%d" % i in line and b"Iris-" in line
    process.stdin.close()
    assert process.wait(30) == 0 and process.stdout.read() == b""
    process.stdout.close()


def answer(pipe, seconds):
    """The next line; the producer waits for it before it goes on."""
    out = b""
    while not out.endswith(b"\n"):
        assert select.select([pipe], [], [], seconds)[0], "no answer"
        out += os.read(pipe.fileno(), 1)
    return out


def test_a_stream_has_a_files_bytes_in_order_packed_or_not(folder):
    whole = layerctl("predict", "iris", "many.csv", "--keep", "id", cwd=folder).stdout
    assert [r["id"] for r in rows_of(whole)] == [f"r{i}" for i in range(20_000)]
    data = (folder / "many.csv").read_bytes()
    for sent in (data, gzip.compress(data)):
        process = subprocess.Popen([*PREDICT, "iris", "-", "--keep", "id"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, _ = process.communicate(sent, 120)
        assert out.decode() == whole
    (folder / "many.csv.gz").write_bytes(gzip.compress(data))
    assert layerctl("predict", "iris", "many.csv.gz", "--keep", "id", cwd=folder).stdout == whole


def test_a_closed_pipe_ends_quietly_while_the_producer_goes_on(folder):
    process = subprocess.Popen([*PREDICT, "iris", "-"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(ROWS.encode())
    process.stdin.flush()
    answer(process.stdout, 60)
    process.stdout.close()
    try:
        for _ in range(200):
            process.stdin.write(b"5.1,3.5,1.4,0.2,a\n" * 50)
            process.stdin.flush()
            time.sleep(0.02)
    except BrokenPipeError:
        pass
    assert process.wait(30) == 0 and process.stderr.read() == b""
    process.stderr.close()


def test_a_file_is_replaced_when_all_is_there_or_stays(folder):
    out = folder / "out.csv"
    out.write_text("before\n")
    bad = layerctl("predict", "iris", "bad.csv", "-o", "out.csv", cwd=folder)
    assert bad.returncode == 2 and out.read_text() == "before\n"
    done = layerctl("predict", "iris", "many.csv", "-o", "out.csv", cwd=folder)
    assert done.returncode == 0 and len(out.read_text().splitlines()) == 20_001
    assert [p for p in folder.iterdir() if p.name.startswith(".layerctl-tmp")] == []


def test_signals_at_random_moments_leave_the_old_file_or_the_new(folder):
    whole = layerctl("predict", "iris", "many.csv", cwd=folder).stdout
    out, rng = folder / "signalled.csv", random.Random(3)
    codes = []
    for i in range(12):
        number = (signal.SIGTERM, signal.SIGINT)[i % 2]
        out.write_text("before\n")
        process = subprocess.Popen([*PREDICT, "iris", "many.csv", "-o", "signalled.csv"], cwd=folder, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.uniform(0.05, 0.6))
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        codes.append(process.returncode)
        assert process.returncode in (0, 128 + number, -number), said
        assert "Traceback" not in said or process.returncode == -number  # before our handler is there, it is Python's own
        assert out.read_text() == (whole if process.returncode == 0 else "before\n")
    assert any(c > 0 for c in codes)
    assert [p for p in folder.iterdir() if p.name.startswith(".layerctl-tmp")] == []


def test_memory_does_not_grow_with_the_rows(folder):
    body = (folder / "many.csv").read_bytes().split(b"\n", 1)[1]

    def peak(times):
        process = subprocess.Popen([*PREDICT, "iris", "-", "-o", "large.csv"], cwd=folder, stdin=subprocess.PIPE)
        process.stdin.write(HEAD.encode())
        for _ in range(times):
            process.stdin.write(body)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss / 1024

    small, large = peak(4), peak(40)
    assert (folder / "large.csv").read_bytes().count(b"\n") == 800_001
    assert large < small + 40, (small, large)


def test_mistakes_in_options(folder, tmp_path):
    (tmp_path / "line.csv").write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(20)))
    (tmp_path / "line.yaml").write_text(REGRESSION)
    assert layerctl("train", "line.yaml", "-q", cwd=tmp_path).returncode == 0
    for arguments, wanted in (
        (["runs/line", "line.csv", "--proba"], "--proba: error: --proba tells of classes' probabilities"),
        (["runs/line", "line.csv", "--top", "2"], "--top: error: --top tells of classes' probabilities"),
        (["runs/line", "line.csv", "--on-error", "ignore"], "--on-error takes fail, null or skip, got 'ignore'"),
        (["runs/line", "line.csv", "--proba", "--top", "2"], "--proba and --top exclude each other"),
        (["runs/line", "line.csv", "--on-error", "null", "--format", "npz", "-o", "x.npz"], "arrays have no empty rows"),
    ):
        done = layerctl("predict", *arguments, cwd=tmp_path)
        assert done.returncode == 2 and wanted in done.stderr and done.stdout == "", done.stderr
