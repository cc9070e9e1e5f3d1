"""`layerctl data` on good, doubtful, broken and hostile files: what it says, where, and its exit code."""

import cProfile
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from starting import ROOT, flowers, run, write

from layerctl.data.examining.dialect import guess
from layerctl.data.examining.kinds import examine
from layerctl.data.examining.words import looks_like_value
from layerctl.data.table import Table

MESSAGES = ROOT / "configs" / "data" / "messages.tsv"


def report(folder, *arguments, code=0):
    return json.loads(run(folder, "data", *arguments, "--json", code=code).stdout)


def codes(found):
    return {(f["code"], f["severity"]) for f in found["findings"]}


@pytest.fixture
def odd(tmp_path):
    """A table with something wrong in nearly every column."""
    n = 120
    rng = np.random.default_rng(3)
    price = rng.normal(50, 10, n).round(2)
    return write(tmp_path / "odd.csv", {
        "id": range(1, n + 1),
        "nothing": [None] * n,
        "always": ["x"] * n,
        "price": [f"${1000 * p:,.2f}" for p in price],
        "size": ["n/a" if i == 7 else "big" if i == 9 else round(float(v), 2) for i, v in enumerate(rng.normal(size=n))],
        "far": [-999 if i in (5, 6) else round(float(v), 3) for i, v in enumerate(rng.normal(size=n))],
        "zip": [f"0{v}" if v % 2 else v for v in rng.integers(1000, 9999, n)],
        "word": [("Yes", "yes", "no")[i % 3] for i in range(n)],
        "sold": [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2024" for i in range(n)],
        "paid": ["late" if p > 50 else "early" for p in price],
        "again": [{"late": "L", "early": "E"}["late" if p > 50 else "early"] for p in price],
    })  # fmt: skip


def test_everything_that_is_wrong_is_found(odd, tmp_path):
    found = report(tmp_path, odd, "--target", "paid", code=1)
    kinds = {c["name"]: c["kind"] for c in found["columns"]}
    assert kinds == {"id": "id", "nothing": "empty", "always": "constant", "price": "number", "size": "number", "far": "number", "zip": "id",
                     "word": "category", "sold": "date", "paid": "category", "again": "category"}  # fmt: skip
    by_column = {
        (f["message"].split("'")[1], f["code"]) for f in found["findings"] if f["message"].startswith("column")
    }
    assert {("id", "column-id"), ("nothing", "column-empty"), ("always", "column-constant"), ("price", "column-number-as-text"),
            ("far", "column-sentinel"), ("zip", "column-code"), ("word", "column-spelling"), ("sold", "column-date-order"),
            ("again", "target-leak")} <= by_column  # fmt: skip
    assert ("target-leak", "error") in codes(found) and found["errors"] >= 1 and found["targets"] == {"paid": "classes"}
    assert all(f["file"].endswith("odd.csv") and f["line"] > 1 and f["hint"] for f in found["findings"])


def test_the_text_has_places_and_cures(odd, tmp_path):
    done = run(tmp_path, "data", odd, "--target", "paid", code=1)
    assert "odd.csv:7:6: warning: column 'far': 2 values are -999, far from all others" in done.stdout
    assert 'hint: add "-999" to `missing_values`' in done.stdout and done.stdout.rstrip().splitlines()[-1].startswith(
        "2 errors and"
    )
    assert done.stderr == ""


NUMBERS = [f"{v:.6f}" for v in np.random.default_rng(5).normal(size=1000)]
SIDES = ["ab"[i % 2] for i in range(1000)]


@pytest.mark.parametrize("columns, code, severity, says, cure", [
    ({"x": NUMBERS, "y": ["a"] * 1000}, "target-one-class", "error", "all rows are of the class 'a'", "rows of two classes"),
    ({"x": NUMBERS, "y": [7] * 1000}, "target-one-class", "error", "all rows are of the class '7'", "rows of two classes"),
    ({"x": NUMBERS, "y": [None] * 1000}, "column-empty", "error", "column 'y': every value is missing", "choose another target"),
    ({"x": NUMBERS, "y": [f"w{i}q" for i in range(1000)]}, "target-no-classes", "error", "1000 different words", "another target"),
    ({"x": NUMBERS, "y": ["b" if i < 5 else "a" for i in range(1000)]}, "target-rare-classes", "warning", "'b' has 5", "rare classes"),
    ({"x": NUMBERS, "y": ["b" if i < 20 else "a" for i in range(1000)]}, "target-imbalance", "warning", "'b' has 2.0% of the rows", "class_weight"),
    ({"x": NUMBERS, "y": [None if i % 10 == 3 else v for i, v in enumerate(SIDES)]}, "target-missing", "warning", "100 of 1000", "missing: drop"),
    ({"x": [None if i % 10 == 3 else v for i, v in enumerate(NUMBERS)], "y": SIDES}, "column-missing", "warning", "(10.0%)", "median"),
    ({"x": [*NUMBERS[:-1], 1e6], "y": SIDES}, "column-outliers", "warning", "such as 1e+06", "scale: robust"),
    ({"x": NUMBERS[:40], "y": SIDES[:40]}, "few-rows", "warning", "40 rows", ""),
])  # fmt: skip
def test_what_is_wrong_with_one_column_is_told_with_its_cure(tmp_path, columns, code, severity, says, cure):
    found = report(tmp_path, write(tmp_path / "t.csv", columns), "--target", "y", code=severity == "error")
    (told,) = [f for f in found["findings"] if f["code"] == code]
    assert told["severity"] == severity and says in told["message"] and cure in told["hint"]
    assert (found["errors"] > 0) == (severity == "error")


def test_words_that_are_taken_for_missing_numbers_are_named(tmp_path):
    file = write(tmp_path / "t.csv", {"x": ["abc" if i in (50, 60) else v for i, v in enumerate(NUMBERS)], "y": SIDES})
    assert "  missing_values: 'abc' among the numbers of x is taken for a missing value\n" in run(tmp_path, "data", file, "--target", "y").stdout


def test_a_good_file_is_good(tmp_path):
    found = report(tmp_path, write(tmp_path / "good.csv", flowers()))
    assert (
        found["errors"] == found["warnings"] == 0
        and found["targets"] == {"species": "classes"}
        and found["dialect"] == {}
    )
    assert run(tmp_path, "data", "good.csv").stdout.rstrip().endswith("nothing is wrong")


@pytest.mark.parametrize("how", ["a copy", "in another unit", "by its holes", "a sum"])
def test_columns_that_give_a_number_away(tmp_path, how):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=200), rng.normal(size=200)
    y = a * 2 + rng.normal(size=200)
    columns = {"a": a.tolist(), "b": b.tolist()}
    if how == "by its holes":
        y = np.where(y > 0, 100.0 + 1e-6 * y, 1e-6 * y)
        columns["when"] = ["2024-01-01" if v > 50 else None for v in y]
    elif how == "a sum":
        y = 3 * a - b
    else:
        columns["other"] = (y if how == "a copy" else y * 1.8 + 32).tolist()
    found = report(
        tmp_path, write(tmp_path / "t.csv", {**columns, "y": y.tolist()}), "-t", "y", code=0 if how == "a sum" else 1
    )
    told = [f["message"] for f in found["findings"] if f["code"] == "target-leak"]
    assert (
        len(told) == 1
        and {"by its holes": "whether it is missing", "a sum": "a weighted sum of a, b"}.get(how, "a straight line")
        in told[0]
    )


def test_noise_gives_nothing_away(tmp_path):
    rng = np.random.default_rng(5)
    columns = {
        **{f"x{i}": rng.normal(size=300).tolist() for i in range(5)},
        "c": rng.integers(0, 90, 300).tolist(),
        "y": rng.normal(size=300).tolist(),
    }
    assert "target-leak" not in {c for c, _ in codes(report(tmp_path, write(tmp_path / "t.csv", columns), "-t", "y"))}


@pytest.mark.parametrize(("name", "data", "code"), [
    ("ragged.csv", b"a,b\n1,2\n3\n4,5,6\n", "data-ragged"),
    ("quote.csv", b'a,b\n1,"two, x\n3,four\n', "data-unclosed-quote"),
    ("nul.csv", b"a,b\n1,\0\n", "file-binary"),
    ("nuls.csv", bytes(1 << 20), "file-binary"),
    ("empty.csv", b"", "file-empty"),
    ("blank.csv", b"\n\n  \n", "file-empty"),
    ("head.csv", b"a,b\n", "data-no-rows"),
    ("bad.jsonl", b'{"a": 1}\n{"a": \n', "data-syntax"),
])  # fmt: skip
def test_broken_files_are_findings(tmp_path, name, data, code):
    (tmp_path / name).write_bytes(data)
    found = report(tmp_path, name, code=1)
    assert any(f["code"] == code for f in found["findings"]) and found["rows"] == 0
    assert name in run(tmp_path, "data", name, code=1).stdout


def test_what_is_no_text_and_has_no_end(tmp_path):
    done = subprocess.run([sys.executable, "-m", "layerctl", "data", "/dev/zero"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "[file-binary]" in done.stdout


ROWS = "".join(f"{i % 7},{i}.5,{'ab'[i % 2]}\n" for i in range(60))


@pytest.mark.parametrize(("data", "code", "line"), [
    ("n,m,y\n" + ROWS + "n,m,y\n" + ROWS, "row-is-header", 62), ("n,m,y\nkg,cm,-\n" + ROWS, "row-is-units", 2),
    ("A title, and more\n\nn,m,y\n" + ROWS, None, 0), ("A title\n\nn,m,y\n" + ROWS, "data-title", 1), ("A title,,\n,,\nn,m,y\n" + ROWS, "data-title", 1),
    ("n,m,y\n" + ROWS + "Total,1770,\n", "row-is-total", 62), ("y,n,m\n" + "a,1,2.5\ntotal,2,3.5\n" * 30, None, 0),
    ("".join(f'"{line}"\n' for line in ("n,m,y\n" + ROWS).split()), "data-quoted-lines", 1), ('"n","m, k"\n' + '"1","a, b"\n"2","c"\n' * 30, None, 0),
    ("n,m,y\n" + ROWS, None, 0), ("n,,y\n" + ROWS, None, 0), ("n\n" + "1\n2\n" * 30, None, 0),
])  # fmt: skip
def test_lines_that_are_no_rows(tmp_path, data, code, line):
    """The doctor tells them, init passes over those that are whole lines, and neither takes others for such."""
    (tmp_path / "t.csv").write_text(data)
    done = run(tmp_path, "data", "t.csv", code=1 if code or data.startswith("A") else 0)
    assert code is None or (f"t.csv:{line}:1: error: " in done.stdout and f"[{code}]" in done.stdout)
    command = [sys.executable, "-m", "layerctl", "init", "t.csv", "--target", "-1", "-o", "m.yaml"]
    started = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    if code == "data-quoted-lines":
        assert "\n  wrapped: true" in (tmp_path / "m.yaml").read_text() and started.returncode == 0
    elif code is not None:
        assert f"passed over as no rows: {data.splitlines()[line - 1]!r}" in started.stderr and started.returncode == 0
        assert [f["code"] for f in report(tmp_path, "m.yaml")["findings"] if f["severity"] == "error"] == []
    assert code is not None or "[row" not in started.stderr + done.stdout


def test_a_wide_table_takes_no_longer_a_column_than_a_narrow_one():
    """Neither looks at all columns for each of them, nor tries the forms of dates on numbers and plain names."""
    def calls(width):
        table = Table("t", {f"f{i}": [f"0.{i + j:03d}" for j in range(30)] for i in range(width)}, list(range(2, 32)))
        profile = cProfile.Profile()
        profile.runcall(lambda: (examine(table), [looks_like_value(n) for n in table.columns]))
        return sum(s.callcount for s in profile.getstats()) / width

    examine(Table("t", {"a": ["1", "2"]}, [2, 3]))
    assert calls(400) < 1.5 * calls(40) and calls(40) < 2000


def test_whether_there_is_a_header_is_told_by_some_rows(tmp_path):
    """The forms of dates are tried on as many values of a long column as of a short one."""
    def tried(rows):
        (tmp_path / "t.csv").write_text("when,y\n" + "".join(f"2020/{1 + i % 12:02d}/{1 + i % 28:02d},{i % 7}\n" for i in range(rows)))
        profile = cProfile.Profile()
        profile.runcall(guess, str(tmp_path / "t.csv"))
        return sum(s.callcount for s in profile.getstats() if getattr(s.code, "co_name", "") == "_parses")

    assert 0 < tried(1900) < 3 * tried(60)


def test_a_header_of_years_is_one_where_the_target_says_so(tmp_path):
    (tmp_path / "t.csv").write_text("2019,2020,sold\n" + ROWS)
    run(tmp_path, "init", "t.csv", "--target", "sold", "-o", "m.yaml")
    assert "columns: ['2019', '2020']" in (tmp_path / "m.yaml").read_text().replace('"', "'")


@pytest.mark.parametrize(("name", "data", "code"), [
    ("no.csv", None, "file-not-found"),
    ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 9000, mtime=0)[:60], "file-unreadable"),
    ("folder.csv", "folder", "file-unreadable"),
    ("bad.npz", b"PK\x03\x04 and no more", "file-unreadable"),
])  # fmt: skip
def test_what_cannot_be_read_is_an_error_of_the_user(tmp_path, name, data, code):
    if data == "folder":
        (tmp_path / name).mkdir()
    elif data is not None:
        (tmp_path / name).write_bytes(data)
    done = run(tmp_path, "data", name, code=2)
    assert f"[{code}]" in done.stderr and "Traceback" not in done.stderr and done.stdout == ""


@pytest.mark.parametrize(("data", "wanted"), [
    (b"a;b\n1,5;x\n2,5;y\n3,25;x\n", {"delimiter": ";", "decimal": ","}),
    (b"a\tb\n1\tx\n2\ty\n", {"delimiter": "\t"}),
    ("naïve|b\n1|é\n2|y\n".encode("latin-1"), {"delimiter": "|", "encoding": "latin-1"}),
    ("a,b\n1,“x”\n2,y\n".encode("cp1252"), {"encoding": "cp1252"}),
    ("a,b\n1,x\n2,y\n".encode("utf-16"), {"encoding": "utf-16"}),
    ("\ufeffa,b\r\n1,x\r\n2,y\r\n".encode(), {}),
    (b"a,b\n1,'x, y'\n2,'z'\n3,'q'\n4,'z'\n5,'q'\n6,'x, y'\n", {"quote": "'"}),
    (b'a\tb\n1\t"no end\n2\tz\n3\tend"\n4\tz\n5\tz\n6\tz\n', {"delimiter": "\t", "quote": "none"}),
    (b"1.5,2,x\n2.5,3,y\n3.5,9,x\n", {"columns": ["column_1", "column_2", "column_3"]}),
    (b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', {"format": "jsonl"}),
])  # fmt: skip
def test_dialects(tmp_path, data, wanted):
    (tmp_path / "t.csv").write_bytes(data)
    found = report(tmp_path, "t.csv")
    assert found["dialect"] == wanted and found["rows"] >= 2 and not found["errors"]
    assert set(wanted) <= set(found["why"])


MODEL = """
layerctl: 1
data:
  source: {source}
  features: {{x: {{columns: [length, width], kind: number}}, c: {{columns: [colour], kind: category}}}}
  target: {{column: species, kind: category}}
  split: {{validation: 0.2}}
model:
  layers:
    - Concatenate:
      from: [x, c]
    - Dense: {{units: 3, activation: softmax}}
compile: {{optimizer: adam, loss: sparse_categorical_crossentropy}}
fit: {{epochs: 1}}
"""


def test_a_models_parts_are_compared(tmp_path):
    columns = flowers()
    write(tmp_path / "train.csv", columns)
    write(
        tmp_path / "test.csv",
        {n: [*c[:20], *([c[20]] * 20 if n != "colour" else ["mauve"] * 20)] for n, c in columns.items()},
    )
    (tmp_path / "m.yaml").write_text(MODEL.format(source="{train: train.csv, test: test.csv}"))
    found = report(tmp_path, "m.yaml", code=1)
    assert found["parts"] == {"train": 160, "validation": 40, "test": 40}
    across = next(f for f in found["findings"] if f["code"] == "duplicates-across-splits")
    assert across["severity"] == "error" and across["file"].endswith("test.csv")
    assert (
        "20 of 40 rows of test have values that training does not: 'mauve'"
        in next(f for f in found["findings"] if f["code"] == "unseen-values")["message"]
    )


def test_a_run_is_looked_at_like_its_file(tmp_path):
    write(tmp_path / "t.csv", flowers(80))
    (tmp_path / "m.yaml").write_text(MODEL.format(source="t.csv"))
    run(tmp_path, "train", "m.yaml", "-q")
    found = report(tmp_path, "runs/m")
    assert (
        found["parts"] == {"train": 64, "validation": 16} == report(tmp_path, "m.yaml")["parts"] and not found["errors"]
    )


def test_labels_that_training_lacks_are_errors(tmp_path):
    columns = flowers(100)
    write(tmp_path / "train.csv", columns)
    write(tmp_path / "test.csv", {**flowers(40, 1), "species": ["kind 0."] * 40})
    (tmp_path / "m.yaml").write_text(MODEL.format(source="{train: train.csv, test: test.csv}"))
    found = report(tmp_path, "m.yaml", code=1)
    assert any(
        "is no class of the training data" in f["message"] or f["code"] == "unseen-classes" for f in found["findings"]
    )


def test_copies_across_parts_are_found_though_a_column_says_the_part_and_another_the_row(tmp_path):
    """Rows are the same where what the model takes and predicts is the same."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=200).round(4)
    x[150:170] = x[:20]
    way = ["up" if (i % 150 if i < 170 else i) % 3 else "down" for i in range(200)]
    write(tmp_path / "t.csv", {"key": [f"k{i}" for i in range(200)], "x": x, "way": way, "part": ["train"] * 150 + ["test"] * 50})
    (tmp_path / "m.yaml").write_text("""
layerctl: 1
data: {source: t.csv, features: {x: {columns: [x]}}, target: way, split: {by: column, column: part}}
model: [{Dense: {units: 1, activation: sigmoid}}]
compile: {optimizer: adam, loss: binary_crossentropy}
""")
    found = report(tmp_path, "m.yaml", code=1)
    assert [f["message"][:44] for f in found["findings"] if f["code"] == "duplicates-across-splits"] == ["20 of 50 rows of test are in training as well"[:44]]
    x[160:170] += 10  # ten copies are left
    write(tmp_path / "t.csv", {"key": [f"k{i}" for i in range(200)], "x": x, "way": way})
    copies = [f for f in report(tmp_path, "t.csv", "--target", "way")["findings"] if f["code"] == "duplicate-rows"]
    assert len(copies) == 1 and copies[0]["message"].startswith("10 of 200 rows stand in the table before but for key")


@pytest.mark.parametrize("source", ["parts/p-*.csv", "photos"])
def test_patterns_and_folders_of_images(tmp_path, source):
    from PIL import Image

    for i in range(2):
        (tmp_path / "parts").mkdir(exist_ok=True)
        write(tmp_path / "parts" / f"p-{i}.csv", {k: v[i * 60 : i * 60 + 60] for k, v in flowers(120).items()})
        (tmp_path / "photos" / f"kind {i}").mkdir(parents=True)
        for j in range(8):
            Image.new("L", (4, 4), 20 * j).save(tmp_path / "photos" / f"kind {i}" / f"{j}.png")
    found = report(tmp_path, source)
    if source == "photos":
        assert found["rows"] == 16 and [c["kind"] for c in found["columns"]] == ["image", "category"]
        return
    assert found["rows"] == 120 and found["targets"] == {"species": "classes"} and not found["errors"]
    run(tmp_path, "init", source, "--target", "species", "-o", "m.yaml")
    assert "source: parts/p-*.csv" in (tmp_path / "m.yaml").read_text()
    assert "120 rows" in run(tmp_path, "train", "m.yaml", "--set", "fit.epochs=1", "--set", "data.split.validation=0").stderr


def test_an_unknown_target_has_the_nearest_name(tmp_path):
    write(tmp_path / "t.csv", flowers(30))
    assert (
        "there is no column 'specie' to predict; did you mean 'species'?"
        in run(tmp_path, "data", "t.csv", "-t", "specie", code=2).stderr
    )


def test_messages_without_a_header_and_with_stray_quotes(tmp_path):
    found = report(tmp_path, MESSAGES, "-t", "1")
    assert found["rows"] == MESSAGES.read_text().count("\n") and [c["kind"] for c in found["columns"]] == [
        "category",
        "text",
    ]
    assert found["dialect"]["columns"] == ["column_1", "column_2"] and not found["errors"]
