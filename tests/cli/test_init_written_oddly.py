"""`layerctl init` on files as people hand them over: what stands in a column is found out, and rows written in the same way are predicted."""

import csv
import datetime
import io
import json
import math
import random
import re
import subprocess
import sys
from collections import Counter

import pytest
import yaml
from starting import run, write

from layerctl.data.dates import parsed
from layerctl.data.examining.encodings import encoding_of
from layerctl.data.examining.lists import separator_of


def data_of(folder):
    return yaml.safe_load((folder / "model.yaml").read_text())["data"]


def started(folder, columns, target, **options):
    """The data section that init writes for a table."""
    write(folder / "t.csv", columns, **options)
    run(folder, "init", "t.csv", "--target", target, "-o", "model.yaml", "--force")
    return data_of(folder)


def shown_of(folder, *options):
    """What the doctor says, whatever it thinks of it."""
    command = [sys.executable, "-m", "layerctl", "data", "t.csv", "--json", *options]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300).stdout)


def numbers(rows, seed=0):
    rng = random.Random(seed)
    return [round(rng.gauss(0, 1), 3) for _ in range(rows)]


def test_a_header_with_a_name_twice(tmp_path):
    """Each column gets a name, the header is read as one when training and predicting, and no row is taken for it."""
    first, second = numbers(120), numbers(120, 1)
    with open(tmp_path / "t.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["size", "size", "kind"])
        out.writerows(zip(first, second, ["big" if a > 0 else "small" for a in first], strict=True))
    done = run(tmp_path, "init", "t.csv", "--target", "kind", "--validation", "0.2", "-o", "model.yaml")
    assert "train it with" in done.stdout
    text, data = (tmp_path / "model.yaml").read_text(), data_of(tmp_path)
    assert data["columns"] == ["size", "size_2", "kind"] and "the header names 'size' twice" in text and "has no header" not in text
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    rows = list(csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "t.csv").stdout)))
    assert len(rows) == 120 and {r["prediction"] for r in rows} <= {"big", "small"}
    judged = run(tmp_path, "eval", "runs/t")
    assert judged.stdout.startswith("loss") and "no test rows: these are the validation rows" in judged.stderr
    assert "columns: size, size_2, kind  (the header names 'size' twice" in run(tmp_path, "data", "t.csv").stdout


def test_times_of_day_and_days_without_marks(tmp_path):
    rng = random.Random(2)
    hours = [rng.randrange(24) for _ in range(150)]
    data = started(tmp_path, {
        "at": [f"{h:02d}:{rng.randrange(60):02d}" for h in hours],
        "day": [f"20{rng.randrange(10, 24)}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}" for _ in hours],
        "light": ["day" if 6 <= h < 20 else "night" for h in hours],
    }, "light")  # fmt: skip
    found = {f["columns"][0]: f for f in data["features"].values()}
    assert found["at"]["kind"] == "date" and found["at"]["format"] == "%H:%M" and found["at"]["parts"] == ["elapsed", "hour"]
    assert found["day"]["kind"] == "date" and found["day"]["format"] == "%Y%m%d" and "month" in found["day"]["parts"]
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")


def test_dates_of_several_forms_and_months(tmp_path):
    """Dates that were typed in more than one way have a list of formats, and months are dates; a day of noughts is none."""
    rng = random.Random(3)
    days = [(rng.randrange(2015, 2024), rng.randrange(1, 13), rng.randrange(1, 29)) for _ in range(150)]
    data = started(tmp_path, {
        "seen": [f"{y}-{m:02d}-{d:02d}" if i % 3 else f"{d:02d}.{m:02d}.{y}" for i, (y, m, d) in enumerate(days)],
        "paid": [f"{y}-{m:02d}" for y, m, _ in days],
        "left": ["0000-00-00" if i % 5 == 0 else f"{y}-{m:02d}-{d:02d}" for i, (y, m, d) in enumerate(days)],
        "half": ["first" if m < 7 else "second" for _, m, _ in days],
    }, "half")  # fmt: skip
    found = {c: f for f in data["features"].values() for c in f["columns"]}
    assert found["seen"]["kind"] == "date" and found["seen"]["format"] == ["%Y-%m-%d", "%d.%m.%Y"]
    assert found["paid"]["format"] == "%Y-%m" and "0000-00-00" in data["missing_values"] and "format" not in found["left"]
    run(tmp_path, "train", "model.yaml", "-q")
    rows = list(csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "t.csv").stdout)))
    assert sum(r["prediction"] == ("first" if m < 7 else "second") for r, (_, m, _) in zip(rows, days, strict=True)) > 140


def test_far_numbers_go_two_ways_and_rare_ones_do_not(tmp_path):
    """A few far numbers are tamed and also cut; of a handful of different ones none is far off."""
    values = numbers(300)
    data = started(tmp_path, {
        "income": [round(math.exp(3 * v), 3) for v in values], "rare": [int(i % 60 == 0) for i in range(300)], "x": values,
        "size": ["big" if v > 0 else "small" for v in values],
    }, "size")  # fmt: skip
    features = data["features"]
    assert features["skewed"]["columns"] == features["far"]["columns"] == ["income"] and features["numbers"]["columns"] == ["rare", "x"]
    assert (features["skewed"]["scale"], features["far"]["scale"]) == ("robust", "standard")
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")


def test_numbers_with_a_unit(tmp_path):
    """A unit that all values have does not count; few different ones, such as 4WD, are words."""
    values = numbers(150)
    data = started(tmp_path, {
        "weight": [f"{500 + 100 * v:.1f} kg" for v in values], "drive": [random.Random(i).choice(["2WD", "4WD"]) for i in range(150)],
        "heavy": ["yes" if v > 0 else "no" for v in values],
    }, "heavy")  # fmt: skip
    found = {f["columns"][0]: f for f in data["features"].values()}
    assert found["weight"]["kind"] == "number" and set(found["weight"]["strip"]) == set("kg ") and found["drive"]["kind"] == "category"
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")


def test_decimal_commas_behind_a_currency_alone(tmp_path):
    """The decimal sign is found where the only numbers with one have a currency beside them."""
    values = numbers(120)
    data = started(tmp_path, {"rooms": [i % 7 for i in range(120)], "preis": [f"{300 + 90 * v:.2f} €".replace(".", ",") for v in values]}, "preis",
                   delimiter=";")  # fmt: skip
    assert data["decimal"] == "," and data["target"]["kind"] == "number" and "€" in data["target"]["strip"]


def test_negative_numbers_in_parentheses_and_behind_other_signs(tmp_path):
    """What is written as bookkeepers and typographers write it is a number with its sign, declared, and read so in training and prediction."""
    values = numbers(150)
    data = started(tmp_path, {
        "owed": [f"({-5000 * v:,.2f})" if v < 0 else f"{5000 * v:,.2f}" for v in values], "typeset": [f"{v:.2f}".replace("-", "\u2212") for v in values],
        "paid": [f"$({-v:.2f})" if v < 0 else f"${v:.2f}" for v in values], "codes": [f"EUR {900 + 300 * v:,.2f}" for v in values],
        "speed": [f"{100 + v:.1f} km/h" for v in values], "few": [f"{950 + 10 * v:,.1f}" for v in values],
        "sign": ["plus" if v > 0 else "minus" for v in values],
    }, "sign")  # fmt: skip
    found = {f["columns"][0]: f for f in data["features"].values()}
    assert {n: set(f["strip"]) for n, f in found.items() if "strip" in f} == {
        "owed": set("(),"), "typeset": {"\u2212"}, "paid": set("$(),"), "codes": set("EUR ,"), "speed": set(" km/h"),
    }  # fmt: skip
    assert {f["kind"] for f in found.values()} == {"number"} and set(found) == {"owed", "typeset", "paid", "codes", "speed", "few"}
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=60", "-q", "--set", "data.split={validation: 0.1, test: 0.3}")
    assert json.loads(run(tmp_path, "eval", "runs/t", "--json").stdout)["scores"]["accuracy"] > 0.9
    shown = shown_of(tmp_path, "--target", "sign")
    lows = {c["name"]: c["low"] for c in shown["columns"]}
    assert lows["owed"] < -5000 and lows["typeset"] < -1 and lows["paid"] < -1 and 0 < lows["few"] < 950


def test_few_numbers_with_marks_between_thousands_are_no_missing_values(tmp_path):
    values = [round(900 + 60 * v) for v in numbers(200)]
    data = started(tmp_path, {"price": [f"{v:,}" for v in values], "dear": ["yes" if v > 940 else "no" for v in values]}, "dear")
    assert sum(v >= 1000 for v in values) in range(3, 20)
    assert data["features"]["price"]["strip"] == "," and data["missing_values"] == ["?", "NA", ""]


def test_decimal_commas_in_quotes_beside_commas(tmp_path):
    values = numbers(120)
    columns = {"x": [f"{1000 * v:,.2f}".translate(str.maketrans(",.", ".,")) for v in values], "sign": ["plus" if v > 0 else "minus" for v in values]}
    assert started(tmp_path, columns, "sign")["decimal"] == ","
    shown = shown_of(tmp_path)["columns"][0]
    assert shown["kind"] == "number" and abs(shown["high"] - 1000 * max(values)) < 0.01
    grouped = {"x": [f"{abs(v) * 9000 + 1000:,.0f}" for v in values], "sign": columns["sign"]}
    assert "decimal" not in started(tmp_path, grouped, "sign")  # 1,234 alone says nothing of a decimal comma


def test_dates_in_several_forms(tmp_path):
    """They are dates in all of them, in the forms that are written down; where day and month cannot be told apart they are words."""
    days = [(2010 + i % 9, 1 + i % 12, 1 + i % 28) for i in range(150)]
    texts = [f"{y}-{m:02d}-{d:02d}" if i % 3 else f"{d:02d}.{m:02d}.{y}" for i, (y, m, d) in enumerate(days)]
    data = started(tmp_path, {"day": texts, "x": numbers(150), "late": [("yes", "no")[v > 0] for v in numbers(150, 7)]}, "late")
    found = next(f for f in data["features"].values() if f["columns"] == ["day"])
    assert found["kind"] == "date" and found["format"] == ["%Y-%m-%d", "%d.%m.%Y"]
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    shown = shown_of(tmp_path, "--target", "late")
    assert [f["code"] for f in shown["findings"]] == ["column-mixed"] and '["%Y-%m-%d", "%d.%m.%Y"]' in shown["findings"][0]["hint"]
    mixed = [f"{d:02d}/{m:02d}/{y}" if i % 2 else f"{m:02d}/{d:02d}/{y}" for i, (y, m, d) in enumerate(days)]
    data = started(tmp_path, {"day": mixed, "x": numbers(150), "late": [("yes", "no")[v > 0] for v in numbers(150, 7)]}, "late")
    assert all(f["kind"] != "date" for f in data["features"].values())
    told = next(f for f in shown_of(tmp_path, "--target", "late")["findings"] if f["code"] == "column-date-order")
    assert told["line"] == 2 + next(i for i, (_, m, d) in enumerate(days) if d > 12 and not i % 2) and 'format: ["%d/%m/%Y", "%m/%d/%Y"]' in told["hint"]


@pytest.mark.parametrize(("form", "seconds"), [
    ("%b-%y", 0), ("%m/%Y", 0), ("%a, %d %b %Y %H:%M:%S +0200", 1), ("%d/%b/%Y:%H:%M:%S +0000", 1), ("%b %d, %Y", 0), ("%m/%d/%Y %I:%M %p", 1),
])  # fmt: skip
def test_forms_of_dates(tmp_path, form, seconds):
    days = [datetime.datetime(2015, 1, 7) + datetime.timedelta(days=29 * i, seconds=seconds * 997 * i) for i in range(90)]
    data = started(tmp_path, {"day": [d.strftime(form) for d in days], "x": numbers(90), "late": [("yes", "no")[v > 0] for v in numbers(90, 7)]}, "late")
    found = next(f for f in data["features"].values() if f["columns"] == ["day"])
    assert found["kind"] == "date" and found["format"] == form.replace("+0200", "%z").replace("+0000", "%z")


@pytest.mark.parametrize(("written", "strip"), [
    (lambda v, i: f"~{v:.1f}", "~"), (lambda v, i: f"<{abs(v):.1f}" if i % 9 == 0 else f"{v:.1f}", "<"), (lambda v, i: f"{v:.1f}{'*' * (i % 3)}", "*"),
    (lambda v, i: f"{abs(v) * 1000:,.0f}+", "+,"), (lambda v, i: ["<18", "18", ">65"][i % 3], None), (lambda v, i: f"<{int(abs(v))}", None),
    (lambda v, i: f"<{abs(v):.1f}" if i % 2 else f">{abs(v):.1f}", None),
])  # fmt: skip
def test_numbers_with_marks(tmp_path, written, strip):
    """About, less than a limit of what is measured, footnotes, and more: the mark does not count, where it is no word with what stands behind it."""
    values = numbers(120)
    data = started(tmp_path, {"n": [written(50 + 20 * v, i) for i, v in enumerate(values)], "x": numbers(120, 3),
                              "way": ["up" if v > 0 else "down" for v in values]}, "way")  # fmt: skip
    found = next((f for f in data["features"].values() if "n" in f["columns"]), {})
    assert "".join(sorted(found.get("strip") or "")) == (strip or "") and (strip is None or found["kind"] == "number")


@pytest.mark.parametrize(("written", "strip"), [
    (lambda v: f'="{v:.1f}"', '"='), (lambda v: f"{abs(30 * v):,.1f}{'-' if v < 0 else ''}", ",-"), (lambda v: f"{v:.1f}".replace("-", "\u2013"), "\u2013"),
    (lambda v: f"₹{int(v * v) // 10000 % 100 + 1:d},{int(v * v) // 1000 % 90 + 10},{int(abs(v)) % 900 + 100}", ",₹"),
    (lambda v: f"{int(v * v) + 1000000:,}".replace(",", "."), "."), (lambda v: f"{v * v + 1000:,.1f}".replace(",", "’"), "’"),
    (lambda v: f"{int(v * v) + 1000:_}", "_"), (lambda v: f"{v * v:,.0f} sq ft", " ,fqst"), (lambda v: f"${v:.2f}/hr", "$/hr"),
    (lambda v: f"{v:.0f} mi.", " .im"), (lambda v: f"ca. {v:.0f}", " .ac"), (lambda v: f"{abs(v):.0f}+ years", " +aersy"),
    (lambda v: f"Rs. {v * v + 1000:,.0f}", " ,.Rs"), (lambda v: f"A{abs(v):.0f}", None), (lambda v: f"#{abs(v):.0f}", None),
    (lambda v: f"{abs(v):05.0f} m", None),
])  # fmt: skip
def test_numbers_with_something_around_them(tmp_path, written, strip):
    """Signs behind, thousands of other lands, spreadsheets' quotes and units of any words: numbers, unless a word before them or noughts make a name."""
    values = [100 * v for v in numbers(150)]
    data = started(tmp_path, {"n": [written(v) for v in values], "x": numbers(150, 3), "way": ["up" if v > 0 else "down" for v in values]}, "way")
    found = next((f for f in data["features"].values() if "n" in f["columns"]), {})
    assert "".join(sorted(found.get("strip") or "")) == (strip or "") and (strip is None) == (found.get("kind") != "number")
    if strip:
        low = next(c for c in shown_of(tmp_path)["columns"] if c["name"] == "n")["low"]
        assert low == pytest.approx(min(plain(written(v)) for v in values))


def plain(text):
    """A number by what is in it alone."""
    digits = re.sub(r"[^0-9.]", "", text.replace("ca.", "").replace("Rs.", "").replace("mi.", ""))
    return (-1 if re.search(r'^(="|\$|ca. )?[-\u2013]|-$', text) else 1) * float(digits.replace(".", "") if digits.count(".") > 1 else digits)


FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]
GERMAN = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"]
SPANISH = ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"]


@pytest.mark.parametrize(("form", "written"), [
    ("%d %b %Y", lambda d: f"{d.day} {FRENCH[d.month - 1]} {d.year}"),
    ("%d. %b %Y", lambda d: f"{d.day}. {GERMAN[d.month - 1]} {d.year}"),
    ("%d de %b de %Y", lambda d: f"{d.day} de {SPANISH[d.month - 1]} de {d.year}"),
    ("%m/%d/%Y, %I:%M:%S %p", lambda d: f"{d:%m/%d/%Y, %I:%M:%S %p}"), ("%m/%d/%Y %H:%M:%S.%f", lambda d: f"{d:%m/%d/%Y %H:%M:%S}.000"),
    ("%Y-%m-%d %H:%M:%S UTC", lambda d: f"{d:%Y-%m-%d %H:%M:%S} UTC"), ("%a %b %d %H:%M:%S %z %Y", lambda d: f"{d:%a %b %d %H:%M:%S} +0000 {d.year}"),
    ("%Y%m%dT%H%M%S", lambda d: f"{d:%Y%m%dT%H%M%S}"), ("%Y%m%d%H%M%S", lambda d: f"{d:%Y%m%d%H%M%S}"), ("%Y%m", lambda d: f"{d:%Y%m}"),
    ("%d%b%Y", lambda d: f"{d:%d%b%Y}".upper()), ("%Y-%m-%d", lambda d: f"{d.year}-{d.month}-{d.day}"),
    ("%Y年%m月%d日", lambda d: f"{d.year}年{d.month}月{d.day}日"),
    ("%I %p", lambda d: f"{d:%I} {'AM' if d.hour < 12 else 'PM'}"), ("%d.%m.%Y, %H:%M", lambda d: f"{d:%d.%m.%Y, %H:%M}"),
])  # fmt: skip
def test_dates_of_other_lands_and_programs(tmp_path, form, written):
    days = [datetime.datetime(2015, 1, 7) + datetime.timedelta(days=29 * i, minutes=997 * i) for i in range(90)]
    data = started(tmp_path, {"day": [written(d) for d in days], "x": numbers(90), "late": [("yes", "no")[v > 0] for v in numbers(90, 7)]}, "late")
    found = next(f for f in data["features"].values() if f["columns"] == ["day"])
    assert found["kind"] == "date" and found["format"] == form and all(parsed(written(d), form).minute in (d.minute, 0) for d in days)
    assert all(parsed(written(d), form).month == d.month for d in days if "%p" not in form)


@pytest.mark.parametrize(("word", "written", "kind"), [
    ("PrivacySuppressed", lambda v: f"{v:.3f}", "number"), ("Varies with device", lambda v: f"{abs(v):.1f}M" if v > 0 else f"{abs(v) * 99:.0f}k", "number"),
    ("k.A.", lambda v: f"{abs(v):.2f}", "number"), ("not yet", lambda v: f"2020-{1 + int(abs(v) * 50) % 12:02d}-{1 + int(abs(v) * 99) % 28:02d}", "date"),
    ("staff", lambda v: f"{int(abs(v) * 9) % 12}", "category"), ("A2", lambda v: f"{v:.3f}", None),
])  # fmt: skip
def test_a_word_in_half_of_the_rows_is_a_missing_number(tmp_path, word, written, kind):
    """Beside more than twenty different numbers or days; a word with digits is none."""
    values = numbers(160)
    data = started(tmp_path, {"n": [word if i % 2 else written(v) for i, v in enumerate(values)], "x": numbers(160, 3),
                              "way": ["up" if v > 0 else "down" for v in values]}, "way")  # fmt: skip
    found = next((f for f in data["features"].values() if "n" in f["columns"]), {})
    assert (found.get("kind") == kind or kind is None) and (word in data["missing_values"]) == (kind in ("number", "date"))


def test_nines_and_gaps(tmp_path):
    """A far number of nines in several rows is a missing value, and where many are missing the model is told so; ages up to 99 are ages."""
    values = numbers(200)
    data = started(tmp_path, {
        "n": [-999.0 if i % 10 == 3 else 50 + v for i, v in enumerate(values)], "price": ["" if i % 8 == 1 else f"${40 + v:.2f}" for i, v in enumerate(values)],
        "age": [99 if i % 10 == 5 else 20 + i % 79 for i in range(200)], "way": ["up" if v > 0 else "down" for v in values],
    }, "way")  # fmt: skip
    features = data["features"]
    assert "-999.0" in data["missing_values"] and "99" not in data["missing_values"]
    assert features["numbers"]["columns"] == ["n", "age"] and features["gaps"]["columns"] == ["n"] and features["price_gaps"]["strip"] == "$,"
    run(tmp_path, "train", "model.yaml", "-q")
    write(tmp_path / "new.csv", {"n": [-999, 51], "price": ["", "$41"], "age": [30, 30]})
    assert run(tmp_path, "predict", "runs/t", "new.csv").stdout.count("\n") == 3
    run(tmp_path, "export", "runs/t", "--to", "python", "-o", "t.py")


def test_a_target_far_above_its_mean_in_some_rows(tmp_path):
    """What the layers add up bends upwards in many rows; not where the far values are below, nor in few rows, where the loss is a line for large errors."""
    for rows, sign in ((900, 1), (900, -1), (200, 1)):
        values = numbers(rows)
        started(tmp_path, {"x": values, "y": [sign * round(math.exp(v), 4) for v in values]}, "y")
        plain = yaml.safe_load((tmp_path / "model.yaml").read_text())
        assert ("Lambda" in plain["model"]["layers"][-1]) == (rows == 900 and sign == 1) and (plain["compile"]["loss"] != "mean_squared_error") == (rows == 200)


ROWS = [(i + 1, round(v, 2), ["red", "dark blue"][i % 2], "up" if v > 0 else "down") for i, v in enumerate(numbers(120))]
LINES = "".join(f"{i},{v},{c},{w}\n" for i, v, c, w in ROWS)


@pytest.mark.parametrize(("text", "skip", "columns"), [
    (f"Sales report, made in 2020\nby hand\n\nn,v,c,way\n{LINES}", ["Sales report, made in 2020", "by hand"], None),
    (f"Number,Value,Colour,Result\nn,v,c,way\n{LINES}", ["Number,Value,Colour,Result"], None),
    (f"n,v,c,way\n1,kg,,\n{LINES}".replace("1,kg", "pcs,kg"), ["pcs,kg,,"], None),
    (f"n,v,c,way\n{LINES}Total,17.5,,\n", ["Total,17.5,,"], None), (f"n,v,c,way\n{LINES}\nSource: the office\n\x1a", ["Source: the office", "\x1a"], None),
    (f"n,v,c,way\n{LINES}n,v,c,way\n{LINES}", ["n,v,c,way"], ["n", "v", "c", "way"]),
    ("|n|v|c|way|\n|-|-|-|-|\n" + "".join(f"|{i}|{v}|{c}|{w}|\n" for i, v, c, w in ROWS), ["|-|-|-|-|"], None),
    ('"v" "c" "way"\n' + "".join(f'"{i}" {v} "{c}" "{w}"\n' for i, v, c, w in ROWS), ['"v" "c" "way"'], ["row_names", "v", "c", "way"]),
    ("v\tc\tway\n" + "".join(f"r{i}\t{v}\t{c}\t{w}\n" for i, v, c, w in ROWS), ["v\tc\tway"], ["row_names", "v", "c", "way"]),
], ids=["titles", "two-headers", "units", "total", "notes", "header-again", "markdown", "R", "R-tabs"])  # fmt: skip
def test_lines_that_are_no_rows(tmp_path, text, skip, columns):
    """They are named in `skip`, and passed over by training, prediction and the exported program, in small files and large ones."""
    (tmp_path / "t.csv").write_text(text)
    run(tmp_path, "init", "t.csv", "--target", "way", "-o", "model.yaml")
    data = data_of(tmp_path)
    assert data["skip"] == skip and data.get("columns") == columns
    assert {c for f in data["features"].values() for c in f["columns"]} - {"n"} == {"v", "c"}
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    wanted = run(tmp_path, "predict", "runs/t", "t.csv").stdout
    assert wanted.count("\n") == 1 + (240 if skip == ["n,v,c,way"] else 120)
    if len(skip) > 1:
        run(tmp_path, "export", "runs/t", "--to", "python", "-o", "t.py")
        done = subprocess.run([sys.executable, "t.py", "-"], cwd=tmp_path, input=text, capture_output=True, text=True, check=True)
        assert [r.split(",")[0] for r in done.stdout.split()] == [r.split(",")[0] for r in wanted.split()]
        (tmp_path / "large.csv").write_text(text.replace(LINES, LINES * 300))
        assert run(tmp_path, "predict", "runs/t", "large.csv").stdout.count("\n") == 36_001


def test_how_lines_to_skip_are_said(tmp_path):
    (tmp_path / "t.csv").write_text(f"n,v,c,way\n{LINES}Total,,,\n")
    run(tmp_path, "init", "t.csv", "--target", "way", "-o", "model.yaml")
    said = run(tmp_path, "build", "model.yaml", "--set", 'data.skip=["a\\nb"]', code=2).stderr
    assert "each says how one line begins, got 'a\\nb'" in said


def test_the_line_that_says_the_delimiter(tmp_path):
    """Excel's first line is no row and no header: for training, prediction, the exported programs, and from the kernels too."""
    values = numbers(120)
    write(tmp_path / "t.csv", {"x": values, "sort": ["a,b"] * 60 + ["c"] * 60, "way": ["up" if v > 0 else "down" for v in values]}, delimiter=";")
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(f"sep=;\n{text}")
    run(tmp_path, "init", "t.csv", "--target", "way", "-o", "model.yaml")
    assert data_of(tmp_path)["delimiter"] == ";" and "columns" not in data_of(tmp_path)
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=1", "-q")
    wanted = run(tmp_path, "predict", "runs/t", "t.csv").stdout
    run(tmp_path, "export", "runs/t", "--to", "python", "-o", "t.py")
    run(tmp_path, "export", "runs/t", "--to", "c", "-o", "t.c")
    subprocess.run(["cc", "-o", "t", "t.c", "-lm"], cwd=tmp_path, check=True)
    for command in (["./t"], [sys.executable, "t.py", "-"]):
        for head in ("sep=;\n", '"sep=;"\r\n', ""):
            done = subprocess.run(command, cwd=tmp_path, input=head + text, capture_output=True, text=True, check=True)
            assert [r.split(",")[0] for r in done.stdout.split()] == [r.split(",")[0] for r in wanted.split()]
    (tmp_path / "large.csv").write_text(f"sep=;\n{text}" + "1;a;up\n" * 40_000)
    assert run(tmp_path, "predict", "runs/t", "large.csv").stdout.count("\n") == 40_121


def test_comments_and_escapes(tmp_path):
    """Lines of comment, and backslashes before quotes, are found and written down; rows written in the same way are predicted."""
    values = numbers(130)
    rows = [f'{v},"he said \\"{"yes" if v > 0 else "no"} {i % 9}\\", twice, at {i}"' + f",{'up' if v > 0 else 'down'}" for i, v in enumerate(values)]
    head = ["# made by a tool", "# on a day, in a town, by hand, at last", "x,said,way"]
    text = "\n".join([*head, *rows[:60], "# a note, and another", *rows[60:]]) + "\n"
    (tmp_path / "t.csv").write_text(text)
    run(tmp_path, "init", "t.csv", "--target", "way", "-o", "model.yaml")
    data = data_of(tmp_path)
    assert data["comment"] == "#" and data["escape"] == "\\" and "columns" not in data and data["features"]["said"]["kind"] == "text"
    shown = shown_of(tmp_path)
    assert shown["rows"] == 130 and shown["dialect"] == {"comment": "#", "escape": "\\"}
    assert next(c for c in shown["columns"] if c["name"] == "said")["most_frequent"][0]["value"].startswith('he said "')
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    assert run(tmp_path, "predict", "runs/t", "t.csv").stdout.count("\n") == 131
    (tmp_path / "t.csv").write_text("# x, y, way\n# as measured\n" + "".join(f"{v},{v * v:.3f},{'up' if v > 0 else 'down'}\n" for v in values))
    run(tmp_path, "init", "t.csv", "--target", "way", "-o", "model.yaml", "--force")
    assert data_of(tmp_path)["columns"] == ["x", "y", "way"] and data_of(tmp_path)["comment"] == "#"


def test_columns_below_each_other(tmp_path):
    """Any number of blanks and tabs is one delimiter; what stands in quotes keeps its blanks."""
    values = numbers(120)
    lines = [f"{v:>9}   {i % 7:<5}  \t\"ford  pinto {i % 3}\"  {'up' if v > 0 else 'down':>6}  " for i, v in enumerate(values)]
    for head, names in (("x n name way", ["x", "n", "name", "way"]), (None, None)):
        (tmp_path / "t.csv").write_text("\n".join([*([head] if head else []), *lines]) + "\n")
        run(tmp_path, "init", "t.csv", "--target", "4", "-o", "model.yaml", "--force")
        data = data_of(tmp_path)
        assert data["delimiter"] == "whitespace" and ("columns" in data) == (head is None)
        columns = shown_of(tmp_path)["columns"]
        assert [c["name"] for c in columns] == (names or data["columns"]) and [c["distinct"] for c in columns][1:] == [7, 3, 2]
        assert columns[2]["most_frequent"][0]["value"] == "ford  pinto 0"
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=1", "-q")
    assert run(tmp_path, "predict", "runs/t", "t.csv").stdout.count("\n") == 121


@pytest.mark.parametrize("delimiter", ["^", "~", "\x1f", "#", ":"])
def test_rare_delimiters_are_found_and_texts_with_them_are_one_column(tmp_path, delimiter):
    values = numbers(120)
    data = started(tmp_path, {"x": values, "n": range(120), "way": ["up" if v > 0 else "down" for v in values]}, "way", delimiter=delimiter)
    assert data["delimiter"] == delimiter
    (tmp_path / "t.csv").write_text("said\n" + "".join(f"{'a' * (1 + i % 3)}{delimiter if i % 4 else ''}b at {i}\n" for i in range(60)))
    assert [c["name"] for c in shown_of(tmp_path)["columns"]] == ["said"]


def test_a_header_or_texts_that_begin_with_a_comments_sign_are_none(tmp_path):
    values = numbers(120)
    data = started(tmp_path, {"#": [f"n{i}" for i in range(120)], "x": values, "sign": ["plus" if v > 0 else "minus" for v in values]}, "sign")
    assert "comment" not in data and "columns" not in data
    tags = ["#happy", "#sad"]
    data = started(tmp_path, {"tag": [tags[v > 0] for v in values], "x": values, "sign": ["plus" if v > 0 else "minus" for v in values]}, "sign")
    assert "comment" not in data and data["features"]["categories"]["columns"] == ["tag"]


def test_words_written_in_several_ways(tmp_path):
    """Of classes and categories that differ in capital letters or blanks only one spelling counts, and the doctor of the model is content."""
    first, second = numbers(150), numbers(150, 1)
    spelled = [str.lower, str.upper, lambda w: f"{w} ", str.title]
    data = started(tmp_path, {
        "size": first, "land": [spelled[i % 4](w) for i, w in enumerate(["new  york" if b > 0 else "texas" for b in second])],
        "sort": [["a", "b"][i % 2] for i in range(150)],
        "kind": [spelled[i * 7 % 4]("sure" if a + b > 0 else "never") for i, (a, b) in enumerate(zip(first, second, strict=True))],
    }, "kind")  # fmt: skip
    assert data["target"] == {"column": "kind", "kind": "category", "classes": ["never", "sure"], "ignore_case": True}
    assert data["features"]["words"]["columns"] == ["land"] and data["features"]["words"]["ignore_case"] is True
    assert data["features"]["categories"]["columns"] == ["sort"] and "ignore_case" not in data["features"]["categories"]
    assert {"column-spelling"} <= {f["code"] for f in shown_of(tmp_path)["findings"]}
    found = json.loads(run(tmp_path, "data", "model.yaml", "--json").stdout)
    assert {f["code"] for f in found["findings"]} == set() and {c["distinct"] for c in found["columns"] if c["name"] in ("land", "kind")} == {2}
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    rows = list(csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "t.csv").stdout)))
    assert {r["prediction"] for r in rows} <= {"never", "sure"}


def test_numberings_and_names_are_left_out(tmp_path):
    """A part of a numbering, and names of people, tell rows apart and nothing else; a text whose words come again is read."""
    rng = random.Random(4)
    values = numbers(160)
    parts = [["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(6)).title() for _ in range(4)] for _ in values]
    data = started(tmp_path, {
        "nr": rng.sample(range(1, 400), 160), "person": [f"{a} {b} {c} {d}" for a, b, c, d in parts],
        "remark": [f"{rng.choice(['nice', 'poor'])} {rng.choice(['old', 'new'])} thing to {rng.choice(['buy', 'sell', 'keep'])} number {i % 40}"
                   for i in range(160)],
        "x": values, "sign": ["plus" if v > 0 else "minus" for v in values],
    }, "sign")  # fmt: skip
    used = {c for f in data["features"].values() for c in f["columns"]}
    assert used >= {"x", "remark"} and not used & {"nr", "person"}
    assert "nr is left out" in (tmp_path / "model.yaml").read_text() and "person is left out: names" in (tmp_path / "model.yaml").read_text()


@pytest.mark.parametrize(("text", "encoding", "found"), [
    ("город,Москва\nрост,Казань\n", "utf-8", "utf-8"), ("größe,Köln\nprénom,Málaga\n", "latin-1", "latin-1"), ("5 € – “a”,b\n", "cp1252", "cp1252"),
    ("Ä,Ö\nÜ,É\n°,µ\n", "latin-1", "latin-1"), ("situação,ação\nnão,informações\n", "latin-1", "latin-1"),
])  # fmt: skip
def test_encodings_of_latin_alphabets_and_broken_utf8(tmp_path, text, encoding, found):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding) + (b"\xff,\xfe\n" if encoding == "utf-8" else b""))
    data = (tmp_path / "t.csv").read_bytes()
    assert encoding_of(str(tmp_path / "t.csv"), data, frozenset())[0] == found


def test_stray_bytes_in_utf8_are_refused_with_their_place(tmp_path):
    rows = "".join(f"{('Zürich', 'Genève', 'Köln')[i % 3]},{i},{'ab'[i % 2]}\n" for i in range(60))
    (tmp_path / "t.csv").write_bytes(("town,x,y\n" + rows).encode() + b"Caf\xe9,3,a\n")
    failed = run(tmp_path, "init", "t.csv", "--target", "y", code=2)
    assert "t.csv:62:4" in failed.stderr and "iconv" in failed.stderr


@pytest.mark.parametrize(("header", "target"), [("", "e"), ("kind,cap,odour\n", "e"), ("", "a")])
def test_a_value_to_predict_makes_no_header(tmp_path, header, target):
    rows = [("e", "c"), ("p", "b")] * 20 + [("p", "c"), ("e", "b")] * 20
    (tmp_path / "t.csv").write_text(header + "".join(f"{k},{c},{'xyz'[i % 3]}\n" for i, (k, c) in enumerate(rows)))
    failed = run(tmp_path, "init", "t.csv", "--target", target, code=2)
    assert f"there is no column '{target}'" in failed.stderr


@pytest.mark.parametrize(("written", "units", "strip"), [
    (lambda v: f"{v // 60}h {v % 60}m" if v % 60 else f"{v // 60}h", {"h": 60, "m": 1}, None),
    (lambda v: f"{v // 60} hrs, {v % 60} mins", {"hrs": 60, "mins": 1}, None),
    (lambda v: f"{v // 60 + 20}:{v % 60:02d}:30", {":": 60}, None),
    (lambda v: f"{v // 12}'{v % 12}\"", {"'": 12, '"': 1, "": 1}, None),
    (lambda v: f"{v / 1000:.3f}M" if v > 1000 else f"{v}K" if v > 9 else f"{v}", {"K": 1e3, "M": 1e6, "": 1}, None),
    (lambda v: f"€{v / 1000:.3f}M" if v > 1000 else f"€{v}K", {"K": 1e3, "M": 1e6, "": 1}, "€"),
    (lambda v: f"{v / 1000:.3f} kg" if v > 1000 else f"{v} g", {"kg": 1, "g": 0.001}, None),
    (lambda v: f"{v}{'th' if 10 < v % 100 < 14 else ['th', 'st', 'nd', 'rd', *['th'] * 6][v % 10]}", dict.fromkeys(("st", "nd", "rd", "th"), 1), None),
    (lambda v: f"{v // 8} {v % 8}/8" if v % 8 else f"{v // 8}", {"/": 1}, None), (lambda v: f"0x{v:x}", {"0x": 1}, None),
    (lambda v: f"{v / 100} {'kmpl' if v % 3 else 'km/kg'}", {"km/kg": 1, "kmpl": 1}, None),
], ids=["h-m", "words", "clock", "feet", "magnitudes", "money", "weights", "places", "fractions", "hex", "unknown"])  # fmt: skip
def test_numbers_with_units_that_count(tmp_path, written, units, strip):
    """They are read as what they come to, as a feature and as the target, in which predictions are told."""
    rng = random.Random(5)
    lasts = [rng.randrange(4, 3000) for _ in range(150)]
    data = started(tmp_path, {"lasts": [written(v) for v in lasts], "twice": [2 * v + rng.random() for v in lasts]}, "twice")
    assert data["features"]["lasts"]["units"] == units and data["features"]["lasts"].get("strip") == strip
    data = started(tmp_path, {"twice": [2 * v + rng.random() for v in lasts], "lasts": [written(v) for v in lasts]}, "lasts")
    assert data["target"]["units"] == units
    (tmp_path / "new.csv").write_text("twice\n2000\n")
    run(tmp_path, "train", "model.yaml", "-q", "--force")
    told = [r["prediction"] for r in csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "new.csv").stdout))]
    known = {":": 20 * 3600 + 1000 * 60 + 30, "K": 1e6, "kg": 1, "kmpl": 10, "/": 125}
    worth = next((w for unit, w in known.items() if unit in units), 1000)
    assert float(told[0]) == pytest.approx(worth, rel=0.1)


@pytest.mark.parametrize("written", ["|".join, ", ".join, str], ids=["bars", "commas", "brackets"])
def test_lists_of_words(tmp_path, written):
    """Each word of a list is a place of its own, whatever stands beside it: combinations that training did not have are predicted."""
    rng, words = random.Random(7), ["drama", "comedy", "action", "war", "news", "science fiction"]
    lists = [[w for w in words if rng.random() < 0.4] for _ in range(300)]
    columns = {"size": numbers(300), "genres": [written(v) for v in lists], "seen": ["yes" if "war" in v or "news" in v else "no" for v in lists]}
    data = started(tmp_path, columns, "seen")
    assert data["features"]["genres"]["kind"] == "text" and "each word is a place of its own" in (tmp_path / "model.yaml").read_text()
    run(tmp_path, "train", "model.yaml", "-q")
    write(tmp_path / "new.csv", {"size": [0] * 3, "genres": [written(["war", "western"]), written(words), written(["drama", "comedy"])]})
    assert [r["prediction"] for r in csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "new.csv").stdout))] == ["yes", "yes", "no"]


@pytest.mark.parametrize("texts", [
    [f"{t}, {c}" for i in range(60) for t, c in [(f"Town{i}", f"Land{i % 5}")]], [f"{i % 9},{i % 8}" for i in range(300)],
    ["red|blue", "blue", "red"] * 100, [f"It was {i % 7}, and then {i % 31} of them came, or {i % 11}" for i in range(300)],
])  # fmt: skip
def test_what_is_no_list_of_words(texts):
    assert separator_of(Counter(texts)) is None


@pytest.mark.parametrize(("written", "separator"), [
    (lambda a, b: f"({a:.4f}, {b:.4f})", None), (lambda a, b: f"{a:.1f}/{b:.1f}", "/"), (lambda a, b: f"{a:.0f} x {b:.0f}", "x"),
    (lambda a, b: f"[{a};{b}]", None),
], ids=["place", "pressure", "area", "brackets"])  # fmt: skip
def test_several_numbers_in_a_field(tmp_path, written, separator):
    """Each is scaled by itself, however far it is from the others."""
    rng = random.Random(9)
    both = [(rng.gauss(500, 9), rng.gauss(80, 2)) for _ in range(150)]
    columns = {"two": [written(a, b) for a, b in both], "size": numbers(150), "above": ["yes" if (a - 500) / 9 + (b - 80) / 2 > 0 else "no" for a, b in both]}
    data = started(tmp_path, columns, "above")
    assert data["features"]["two"]["kind"] == "vector" and data["features"]["two"].get("separator") == separator
    run(tmp_path, "train", "model.yaml", "-q")
    write(tmp_path / "new.csv", {"size": [0] * 3, "two": [written(520, 84), written(480, 76), ""]})
    told = [r["prediction"] for r in csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "new.csv").stdout))]
    assert told[:2] == ["yes", "no"] and len(told) == 3


@pytest.mark.parametrize(("written", "form"), [("{y}Q{q}", "%YQ%q"), ("{y}-Q{q}", "%Y-Q%q"), ("Q{q} {y}", "Q%q %Y"), ("{q}Q{s}", "%qQ%y")])
def test_quarters_are_dates(tmp_path, written, form):
    times = [(2010 + i % 12, 1 + i % 4) for i in range(120)]
    columns = {"when": [written.format(y=y, s=y % 100, q=q) for y, q in times], "size": numbers(120), "sold": [10 * (q == 3) + y - 2010 for y, q in times]}
    data = started(tmp_path, columns, "sold")
    assert data["features"]["dates"]["format"] == form and data["features"]["dates"]["parts"] == ["days", "quarter"]
    done = run(tmp_path, "build", "model.yaml", "--show", "features")
    assert form in done.stdout and "quarter" in done.stdout
    assert parsed(columns["when"][6], form) == datetime.datetime(2016, 7, 1)


@pytest.mark.parametrize(("odd", "form", "written"), [
    ("2020-02-31", None, lambda i: f"2020-{1 + i % 12:02d}-{1 + i % 28:02d}"), ("not yet", "%m/%d/%Y", lambda i: f"{1 + i % 12:02d}/{1 + i % 28:02d}/2020"),
])  # fmt: skip
def test_a_few_strange_values_among_dates_are_missing(tmp_path, odd, form, written):
    columns = {"day": [odd if i % 40 == 7 else written(i) for i in range(150)], "y": numbers(150)}
    write(tmp_path / "t.csv", columns)
    assert f"'{odd}' among the dates of day is taken for a missing value" in run(tmp_path, "init", "t.csv", "--target", "y", "-o", "model.yaml").stderr
    data = data_of(tmp_path)
    assert odd in data["missing_values"] and data["features"]["dates"].get("format") == form
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    assert [f["code"] for f in shown_of(tmp_path, "--target", "y")["findings"]] == ["column-missing"]


@pytest.mark.parametrize("odd", [False, True], ids=["class alone", "among numbers too"])
def test_a_word_for_nothing_that_is_a_class(tmp_path, odd):
    """A third of the rows are no rows without a target; among numbers the word is a missing one all the same."""
    values = [str(i % 50) for i in range(150)]
    classes = [("ripe", "green", "unknown")[i % 3] for i in range(150)]
    data = started(tmp_path, {"age": ["unknown", *values[1:]] if odd else values, "status": classes}, "status")
    assert data["target"]["classes"] == ["green", "ripe", "unknown"] and "unknown" not in data.get("missing_values", [])
    ages = [f for f in data["features"].values() if "age" in f["columns"]]
    assert {f["kind"] for f in ages} == {"number"} and all(f.get("missing_values") == (["unknown"] if odd else None) for f in ages)


def test_rows_without_a_target_are_told(tmp_path):
    write(tmp_path / "t.csv", {"x": numbers(90), "land": ["NA", "EU", "AS"] * 30})
    assert "land: 30 of 90 rows are without it, and left out" in run(tmp_path, "init", "t.csv", "--target", "land", "-o", "model.yaml").stderr


def test_a_column_that_gives_the_target_away_is_told(tmp_path):
    """It is learned from all the same: whether it is known in time only its owner knows."""
    size = numbers(120)
    write(tmp_path / "t.csv", {"size": size, "near": [v + 0.5 * w for v, w in zip(size, numbers(120, 1), strict=True)],
                               "code": [int(v > 0) for v in size], "big": ["yes" if v > 0 else "no" for v in size]})  # fmt: skip
    done = run(tmp_path, "init", "t.csv", "--target", "big", "-o", "model.yaml")
    assert "column 'code': it gives the target away" in done.stderr and "leave it out of the features, unless it is known" in done.stderr
    assert "column 'near'" not in done.stderr and "code" in data_of(tmp_path)["features"]["numbers"]["columns"]


def test_units_say_what_they_do_not_know(tmp_path):
    columns = {"lasts": [f"{i}h {i % 60}m" for i in range(150)], "y": numbers(150)}
    started(tmp_path, columns, "y")
    for path, more in (("data.features.lasts.kind=table", []), ("data.target.kind=category", ["--set", "data.target.units={h: 60}"])):
        done = run(tmp_path, "build", "model.yaml", "--set", path, *more, code=2)
        assert "'units' is for numbers, not for 'kind: " in done.stderr
    columns["lasts"][7] = "3 fortnights"
    write(tmp_path / "t.csv", columns)
    done = run(tmp_path, "train", "model.yaml", code=2)
    assert "t.csv:9:1: error: column 'lasts': '3 fortnights' is not a number with one of the units 'h', 'm'" in done.stderr
    assert "say in the feature's `units` what its unit is worth" in done.stderr


@pytest.mark.parametrize(("encoding", "said", "names", "towns", "classes"), [
    ("shift_jis", "cp932", ("身長", "都市", "答え"), ("東京", "大阪", "札幌"), ("はい", "いいえ")),
    ("euc-jp", "euc-jp", ("みのたけ", "まち", "こたえ"), ("とうきょう", "大阪", "札幌"), ("はい", "いいえ")),
    ("gbk", "gb18030", ("身高", "城市", "结果"), ("北京", "上海", "深圳"), ("是", "否")),
    ("euc-kr", "cp949", ("신장", "도시", "결과"), ("서울", "부산", "대구"), ("예", "아니오")),
    ("big5", "big5", ("身高", "城市", "結果"), ("臺北", "高雄", "臺南"), ("是", "否")),
    ("cp1251", "cp1251", ("рост", "город", "итог"), ("Москва", "Омск", "Тула"), ("да", "нет")),
    ("koi8-r", "koi8-r", ("рост", "город", "итог"), ("Москва", "Омск", "Тула"), ("да", "нет")),
    ("cp1250", "cp1250", ("výška", "město", "příjem"), ("Plzeň", "Děčín", "Řež"), ("malý", "velký")),
    ("latin-1", "latin-1", ("größe", "stadt", "köper"), ("Köln", "Málaga", "Århus"), ("ja", "nö")),
])  # fmt: skip
def test_encodings_of_other_alphabets(tmp_path, encoding, said, names, towns, classes):
    """What is written in them is read as it is meant, by training and prediction too; the target is named as it reads."""
    size, rng = numbers(120), random.Random(3)
    columns = {names[0]: size, names[1]: [rng.choice(towns) for _ in size], names[2]: [classes[v > 0] for v in size]}
    data = started(tmp_path, columns, names[2], encoding=encoding)
    assert data["encoding"] == said and data["target"]["classes"] == sorted(classes)
    assert data["features"]["categories"]["columns"] == [names[1]]
    run(tmp_path, "train", "model.yaml", "--set", "fit.epochs=2", "-q")
    found = list(csv.DictReader(io.StringIO(run(tmp_path, "predict", "runs/t", "t.csv").stdout)))
    assert len(found) == 120 and {r["prediction"] for r in found} <= set(classes)
