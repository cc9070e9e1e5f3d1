"""Exported programs beside `layerctl predict` for each policy of the data section; what one has no form for is refused by name."""

import csv
import io
import subprocess
import sys

import numpy as np
import pytest
from exported import SANITIZED, STRICT

from layerctl.api import Model, load
from layerctl.commands.predict import predict
from layerctl.diagnostics import LayerctlError
from layerctl.export import c, onnx, python
from layerctl.export._rows import TOLERANCE, difference

HEAD = """
layerctl: 1
name: policies
data:
  source: rows.csv
  features:
"""
TAIL = """
  split: {test: 0.2}
model:
  - Dense: {units: %s, name: out}
compile: {optimizer: adam, loss: %s}
fit: {epochs: 1, batch_size: 16}
"""
FEATURES = {
    "clip": "{columns: [n, m], outlying: clip, range: [-1, 1], missing: constant, constant: 9}",
    "quantiles": "{columns: [n, m], outlying: clip, quantiles: [0.1, 0.9], missing: mean}",
    "missing": "{columns: [n, m], outlying: missing, range: [-1, 1], missing: median}",
    "strip": "{columns: [price, share], kind: number, missing: mean}",
    "months": '{columns: [spelt], kind: date, format: "%d %b %Y", missing: median}',
    "footnotes": '{columns: [noted], kind: number, strip: "[]†", missing: mean}',
    "commas": '{columns: [costs], kind: number, strip: "€. ", missing: mean}',
    "words of one column": "{columns: [m2], kind: number, missing: mean, missing_values: ['0', '5.000', none]}",
    "words of one column of words": "{columns: [job], kind: category, missing: constant, constant: cook, missing_values: [smith]}",
    "shortened": '{columns: [fee], kind: number, strip: ",Fr. ", missing: mean}',
    "negative": "{columns: [owed], kind: number, missing: mean}",
    "most-frequent": "{columns: [job], kind: category, unseen: most_frequent, missing: most_frequent}",
    "binary": "{columns: [member, side], kind: binary, missing: most_frequent, unseen: most_frequent}",
    "spellings": "{columns: [trade, job], kind: category, ignore_case: true, missing: constant, constant: baker}",
    "spellings-unseen": "{columns: [trade], kind: category, ignore_case: true, min_count: 2, unseen: most_frequent, missing: constant, constant: none}",
    "spellings-of-two": "{columns: [shout], kind: binary, ignore_case: true, missing: most_frequent, unseen: most_frequent}",
    "table": "{columns: [n, job, day, price], missing: median, outlying: clip, quantiles: [0, 0.95]}",
}
PYTHON = {
    "formats": '{columns: [days], kind: date, format: ["%d.%m.%Y", "%Y-%m-%d"]}',
    "parts": "{columns: [moment], kind: date, missing: median, parts: [elapsed, year, quarter, month, day, weekday, hour, minute]}",
    "vector": "{columns: [vector], kind: vector, scale: standard, missing: mean}",
    "quarters": '{columns: [season], kind: date, format: "Q%q %Y", missing: median, parts: [days, quarter]}',
    "units": "{columns: [lasts], kind: number, missing: mean, units: {h: 60, min: 1}}",
    "fractions": "{columns: [share_of], kind: number, missing: mean, units: {/: 1}}",
    "hex": "{columns: [bits], kind: number, missing: mean, units: {0x: 2}}",
    "ratings": '{columns: [rated], kind: number, missing: mean, units: {"/5": 2, "out of 10": 1}}',
    "zones": '{columns: [there], kind: date, format: "%Y-%m-%d %H:%M %Z", parts: [elapsed, hour]}',
    "clock": "{columns: [ran], kind: number, missing: mean, units: {':': 60}}",
}
TARGETS = {
    "numbers": ("{columns: [n2, m2], scale: standard}", 2, "mse"), "given back": ("{input: x}", 2, "mse"),
}  # fmt: skip


MONTHS = ["Jan", "janv.", "MAI", "märz", "Août", "diciembre", "апр", "September", "oct.", "nisan"]


def rows(n=60):
    rng = np.random.default_rng(3)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["n", "m", "n2", "m2", "price", "share", "job", "member", "side", "day", "days", "moment", "vector", "tags", "y", "owed", "text",
                    "trade", "shout", "lasts", "ran", "season", "share_of", "bits", "spelt", "noted", "rated", "there", "costs", "fee"])  # fmt: skip
    for i in range(n):
        a, b = rng.normal(size=2) * 2
        job = ["cook", "smith", "smith", "", "naïve"][i % 5]
        day = f"{1 + i % 28:02d}.0{1 + i % 9}.20{10 + i % 10}" if i % 2 else f"20{10 + i % 10}-0{1 + i % 9}-{1 + i % 28:02d}"
        moment = f"20{10 + i % 10}-0{1 + i % 9}-{1 + i % 28:02d}T{i % 24:02d}:{i % 60:02d}:07" + ["", "+02:00", "Z"][i % 3]
        table.writerow([
            "" if i % 7 == 3 else f"{a:.4f}", f"{b:.4f}", f"{a * 100:.3f}", f"{b + 5:.3f}", "" if i % 11 == 5 else f"${1000 + 37 * i:,}.50", f"{i} %", job,
            ["yes", "No", "TRUE", ""][i % 4], ["left", "right"][i % 2], f"2020-0{1 + i % 9}-11", day, moment if i % 9 else "",
            f"[{a:.3f}, {b:.3f}]" if i % 8 else "", ["a;b", "a", "", "b;c"][i % 4], f"{a - b:.4f}",
            "" if i % 13 == 4 else [f"({1000 + i:,}.5)", f"{i}", f"\u2212{i}.25", f"( {i} )", f"{i}.5-", f"\u2013{i}"][i % 6],
            ["red house", "blue, sea"][i % 2],
            ["baker", "Baker", "ÉCLAIR  man", "éclair man", "", "SMITH", "potter"][i % 7],
            ["up", "Down", "UP", "down", ""][i % 5],
            ["", f"{i} min", f"{i}h {i % 7} min", f"{i}.5h"][i % 4], f"{i}:{i:02d}:{59 - i:02d}" if i % 9 else "",
            f"Q{1 + i % 4} {2000 + i % 9}", ["", f"{i} 1/2", f"{i % 5}/8", f"{i}.5"][i % 4], f"0x{i:X}",
            " ".join([f"{1 + i % 28}{['', 'st', 'th of', 'ND'][i % 4]}", MONTHS[i % 10], f"20{10 + i % 10}"]),
            [f"{i}[a]", f"{i}.5 [12]", f"{i}†", f"[{i}]", str(i)][i % 5], [f"{i % 6}/5", f"{i % 9}.5 out of 10", ""][i % 3],
            f"2020-0{1 + i % 9}-11 {i % 24:02d}:30 {['UTC', 'PDT', 'CEST', 'IST'][i % 4]}", f"{i % 3 + 1}.{i:03d},{i % 100:02d} €" if i % 7 else "",
            f"Fr. {i},{i:03d}.5" if i % 5 else "",
        ])  # fmt: skip
    return out.getvalue()


def trained(folder, feature, target="y", units=1, loss="mse"):
    text = rows()
    (folder / "rows.csv").write_text(text)
    (folder / "m.yaml").write_text(f"{HEAD}    x: {feature}\n  target: {target}{TAIL % (units, loss)}")
    model = Model.from_yaml(folder / "m.yaml")
    model.fit()
    model.save(folder / "m.safetensors")
    text = text.replace("ÉCLAIR  man", "Éclair Man", 2).replace("potter", "POTTER", 1)
    return model, text.replace("smith", "unheard of", 3).replace("left", "LEFT", 2) if "unseen: most" in feature else text


def agree(folder, model, text, targets):
    (folder / "more.csv").write_text(text)
    predict(str(folder / "m.safetensors"), str(folder / "more.csv"), out=str(folder / "own.csv"))
    wanted = list(csv.reader(io.StringIO((folder / "own.csv").read_text())))
    assert len(wanted) == 61
    for target in targets:
        report = target.export(model, folder / f"m{target.SUFFIX}")
        assert report.rows > 0 and report.difference <= TOLERANCE
        if target is c:
            subprocess.run(["cc", *STRICT, *SANITIZED, "-o", "m", "m.c", "-lm"], cwd=folder, check=True)
        command = [str(folder / "m")] if target is c else [sys.executable, str(folder / "m.py"), "-"]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        assert done.stderr == b""
        assert difference(wanted, list(csv.reader(io.StringIO(done.stdout.decode())))) <= TOLERANCE


@pytest.mark.parametrize("name", FEATURES)
def test_features_in_c_python_and_onnx(name, tmp_path):
    model, text = trained(tmp_path, FEATURES[name])
    with model:
        agree(tmp_path, model, text, [c, python])
        report = onnx.export(model, tmp_path / "m.onnx", raw=True)
        assert report.rows > 0 and report.difference <= onnx.TOLERANCE
        assert bool(report.notes) == (name in ("table", "months"))  # they have dates, which ONNX has not


def test_a_text_called_text_and_a_dialect_with_comments_and_escapes(tmp_path):
    """The program reads what layerctl reads; a feature may have the name of what reads it."""
    text = rows()
    lines = text.replace('"blue, sea"', "blue\\, sea").replace("a;b", "a\\;b").split("\n")
    odd = "\n".join(["# written by hand, on a day", "#", *lines[:9], "#,,", *lines[9:]])
    (tmp_path / "rows.csv").write_text(odd)
    head = HEAD.replace("rows.csv", 'rows.csv\n  comment: "#"\n  escape: "\\\\"')
    (tmp_path / "m.yaml").write_text(f"""{head}    text: {{kind: text, length: 6}}
  target: y
  split: {{test: 0.2}}
model:
  - Embedding: {{input_dim: "${{features.text.size}}", output_dim: 3}}
  - Flatten
  - Dense: 1
compile: {{optimizer: adam, loss: mse}}
fit: {{epochs: 1}}
""")
    with Model.from_yaml(tmp_path / "m.yaml") as model:
        model.fit()
        model.save(tmp_path / "m.safetensors")
        assert {"blue", ",", "sea", "red"} <= set(model.schema.features["text"].columns[0].words)
        agree(tmp_path, model, odd, [c, python])


@pytest.mark.parametrize(("encoding", "written"), [("cp1252", ["cp1252"]), ("utf-16", ["utf-16", "utf-16-le", "utf-16-be"])])
def test_python_reads_the_encoding_of_the_data_section(tmp_path, encoding, written):
    """As predict does, UTF-16 with its mark or without; the words that training had are beyond ASCII."""
    text = "town,n,y\n" + "".join(f"{['Zürich', 'Genève', '€town'][i % 3]},{i % 7},{i % 3}.5\n" for i in range(60))
    (tmp_path / "rows.csv").write_bytes(text.encode(encoding))
    head = HEAD.replace("rows.csv", f"rows.csv\n  encoding: {encoding}")
    (tmp_path / "m.yaml").write_text(f"{head}    x: {{columns: [town, n]}}\n  target: {{column: y, kind: number}}{TAIL % (1, 'mse')}")
    with Model.from_yaml(tmp_path / "m.yaml") as model:
        model.fit()
        model.save(tmp_path / "m.safetensors")
        assert python.export(model, tmp_path / "m.py").difference <= TOLERANCE
    for given in written:
        (tmp_path / "more.csv").write_bytes(text.encode(given))
        predict(str(tmp_path / "m.safetensors"), str(tmp_path / "more.csv"), out=str(tmp_path / "own.csv"))
        wanted = list(csv.reader(io.StringIO((tmp_path / "own.csv").read_text())))
        assert len({r[0] for r in wanted}) > 3
        for source, data in (("more.csv", b""), ("-", text.encode(given))):
            done = subprocess.run([sys.executable, "m.py", source], cwd=tmp_path, input=data, capture_output=True, check=True)
            assert difference(wanted, list(csv.reader(io.StringIO(done.stdout.decode())))) <= TOLERANCE


def test_a_header_of_some_of_the_names_that_a_file_without_one_has(tmp_path):
    """Columns are found by their names where the first line has them, in any order, and as they stand where it has none."""
    lines = [f"{i}.5,{i % 7},{i % 3}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    head = HEAD.replace("rows.csv", "rows.csv\n  columns: [a, b, y]")
    (tmp_path / "m.yaml").write_text(f"{head}    x: {{columns: [a, b]}}\n  target: {{column: y, kind: number}}{TAIL % (1, 'mse')}")
    turned = "\n".join(["b,a", *(",".join(line.split(",")[1::-1]) for line in lines)])
    with Model.from_yaml(tmp_path / "m.yaml") as model:
        model.fit()
        model.save(tmp_path / "m.safetensors")
        made = {}
        for name, text in {"turned": turned, "bare": "\n".join(line.rsplit(",", 1)[0] for line in lines), "all": "\n".join(lines)}.items():
            (tmp_path / "more.csv").write_text(text)
            predict(str(tmp_path / "m.safetensors"), str(tmp_path / "more.csv"), out=str(tmp_path / "own.csv"))
            made[name] = wanted = (tmp_path / "own.csv").read_text()
            for target in (c, python):
                target.export(model, tmp_path / f"m{target.SUFFIX}")
            subprocess.run(["cc", *STRICT, *SANITIZED, "-o", "m", "m.c", "-lm"], cwd=tmp_path, check=True)
            for command in ([str(tmp_path / "m")], [sys.executable, str(tmp_path / "m.py"), "-"]):
                done = subprocess.run(command, input=text, capture_output=True, check=True, text=True)
                assert difference(list(csv.reader(io.StringIO(wanted))), list(csv.reader(io.StringIO(done.stdout)))) <= TOLERANCE
    assert len(set(made.values())) == 1 and made["all"].count("\n") == 41


@pytest.mark.parametrize("name", PYTHON)
def test_features_in_python_that_c_refuses_by_name(name, tmp_path):
    model, text = trained(tmp_path, PYTHON[name])
    with model:
        agree(tmp_path, model, text, [python])
        with pytest.raises(LayerctlError, match=r"m.yaml:\d+:\d+: error: C export has no form for .* of the feature 'x' \[cannot-export\]"):
            c.export(model, tmp_path / "m.c")
        as_numbers = "units" in PYTHON[name]  # numbers come as numbers
        assert bool(onnx.export(model, tmp_path / "m.onnx", raw=True).notes) != as_numbers


@pytest.mark.parametrize("name", ["units", "clock", "quarters", "fractions", "hex"])
def test_made_up_rows_of_numbers_with_units_and_of_quarters(name, tmp_path):
    """Where the rows that a model was trained on are gone, a program is compared on others that it can read."""
    with trained(tmp_path, PYTHON[name])[0]:
        pass
    (tmp_path / "rows.csv").unlink()
    with load(tmp_path / "m.safetensors") as model:
        assert python.export(model, tmp_path / "m.py").rows == 40


@pytest.mark.parametrize("name", TARGETS)
def test_targets_of_several_numbers(name, tmp_path):
    target, units, loss = TARGETS[name]
    model, text = trained(tmp_path, "{columns: [n, m], missing: mean}", target, units, loss)
    with model:
        agree(tmp_path, model, text, [c, python])


def test_labels_in_python_and_not_in_c(tmp_path):
    model, text = trained(tmp_path, "{columns: [m]}", "{column: tags, kind: labels}", 3, "{BinaryCrossentropy: {from_logits: true}}")
    with model:
        assert model.schema.classes() is None and model.schema.target().classes == ["a", "b", "c"]
        agree(tmp_path, model, text, [python])
        with pytest.raises(LayerctlError, match="C export has no form for labels"):
            c.export(model, tmp_path / "m.c")


@pytest.mark.parametrize(("feature", "change", "says"), [
    ("{columns: [m], outlying: error, range: [-9, 9]}", ("-0.", "-900."), "range"), ("{columns: [side], kind: binary}", ("left", "up"), "was not in"),
    ("{columns: [job], kind: category, unseen: error, missing: constant, constant: none}", ("cook", "king"), "was not in"),
], ids=["outlying", "binary", "unseen"])  # fmt: skip
def test_what_the_policy_refuses_is_refused_by_the_programs_too(feature, change, says, tmp_path):
    model, text = trained(tmp_path, feature)
    with model:
        agree(tmp_path, model, text, [c, python])
        assert onnx.export(model, tmp_path / "m.onnx", raw=True).notes or (says == "was not in" and "binary" in feature)
    wrong = text.replace(*change)
    assert wrong != text
    (tmp_path / "wrong.csv").write_text(wrong)
    with pytest.raises(LayerctlError):
        predict(str(tmp_path / "m.safetensors"), str(tmp_path / "wrong.csv"), out=str(tmp_path / "own.csv"))
    for command in ([str(tmp_path / "m")], [sys.executable, str(tmp_path / "m.py"), "-"]):
        done = subprocess.run(command, input=wrong.encode(), capture_output=True, check=False)
        assert done.returncode == 2 and (says in done.stderr.decode() or "is not from" in done.stderr.decode())
