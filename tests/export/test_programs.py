"""Exported programs beside `layerctl predict`: every config, every kind of feature, wrong data, and checkers that can fail."""

import csv
import errno
import io
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import SANITIZED, STRICT

from layerctl.api import Model
from layerctl.commands.export import export as export_command
from layerctl.commands.predict import predict
from layerctl.diagnostics import LayerctlError
from layerctl.export import c, python
from layerctl.export._c import graph
from layerctl.export._rows import TOLERANCE, difference, sample
from layerctl.export.base import traced
from layerctl.ops.matmul import Matmul

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def programs(model, folder):
    """The commands of both programs, the compiled one with sanitizers and without a warning."""
    for target in (c, python):
        report = target.export(model, folder / f"m{target.SUFFIX}")
        assert report.rows > 0 and report.difference <= TOLERANCE and report.unchecked is None
    subprocess.run(["cc", *STRICT, *SANITIZED, "-o", "m", "m.c", "-lm"], cwd=folder, check=True)
    return [str(folder / "m")], [sys.executable, str(folder / "m.py"), "-"]


def rows_of(text):
    """A program's lines."""
    return list(csv.reader(io.StringIO(text)))


def written(command, table):
    """What a program writes for a table."""
    done = subprocess.run(command, input=table.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    return rows_of(done.stdout.decode())


def predicted(folder, table, suffix=".csv"):
    """What `layerctl predict` writes for it."""
    (folder / f"rows{suffix}").write_text(table, encoding="utf-8", newline="")
    predict(str(folder / "m.safetensors"), str(folder / f"rows{suffix}"), out=str(folder / "own.csv"))
    return rows_of((folder / "own.csv").read_text())


def check(model, folder, table=None, suffix=".csv"):
    """Both programs write what `layerctl predict` writes."""
    model.save(folder / "m.safetensors")
    commands = programs(model, folder)
    text = table or sample(traced(model, 1))[0]
    wanted = predicted(folder, text, suffix)
    assert len(wanted) > 3
    for command in commands:
        assert difference(wanted, written(command, text)) <= TOLERANCE
    return commands


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_config(path, tmp_path):
    suffix = ".tsv" if path.stem == "messages" else ".csv"
    with Model.from_yaml(path, overrides=["fit.epochs=2"]) as model:
        model.fit()
        check(model, tmp_path, suffix=suffix)


PEOPLE = """
layerctl: 1
name: people of all kinds
data:
  source: people.csv
  features:
    person: {columns: [age, job, born, city], missing: most_frequent}
    ids: {columns: [job, city], kind: category, encode: index, missing: constant, constant: none}
    note: {columns: [note], kind: text, length: 9}
    letters: {columns: [city], kind: text, split: characters, length: 6}
    words: {columns: [note], kind: text, split: whitespace, lowercase: false, length: 5}
    when: {columns: [seen], kind: date, format: "%d/%m/%Y"}
  target: class
  split: {validation: 0.2, test: 0.3}
model:
  inputs:
    person: {shape: ["${features.person.width}"]}
    ids: {shape: [2], dtype: int32}
    note: {shape: [9], dtype: int32}
    letters: {shape: [6], dtype: int32}
    words: {shape: [5], dtype: int32}
    when: {shape: [20]}
  layers:
    - Embedding: {input_dim: "${features.ids.size}", output_dim: 3}
      from: ids
    - Flatten:
      name: e0
    - Embedding: {input_dim: "${features.note.size}", output_dim: 4, mask_zero: true}
      from: note
    - SimpleRNN: 4
      name: e1
    - Embedding: {input_dim: "${features.letters.size}", output_dim: 4}
      from: letters
    - GlobalAveragePooling1D:
      name: e2
    - Embedding: {input_dim: "${features.words.size}", output_dim: 4}
      from: words
    - GlobalMaxPooling1D:
      name: e3
    - Concatenate:
      from: [person, e0, e1, e2, e3, when]
    - Dense: 3
      name: out
  outputs: [out]
compile: {optimizer: adam, loss: {SparseCategoricalCrossentropy: {from_logits: true}}}
fit: {epochs: 1, batch_size: 16}
"""
NOTES = ["It's a dog's life", "ΟΔΟΣ ΟΔΥΣΣΕΥΣ here", "¡Hola! ¿qué tal?", "the  quick   brown fox", "don't can't 'tis", "x²+y₂=10%", "東京 is big",
         "line\nbreak, quoted", "ǅungla ÅNGSTRÖM ẞ", "a b c Σ Σ1 1Σ aΣ' aΣ.b", "İİ ǅ", "\u2003wide\u00a0blanks ", "🙂🙃 ok", ""]  # fmt: skip
DATES = ["1987-06-05", "19870605", "1987-06-05T12:30:00Z", "1987-06-05 01:02", "1987-W23-5", "1987W235", "2000-02-29", "1999-W01", "0001-01-01",
         "9999-12-31T23:59:59.123+05:30", "?", ""]  # fmt: skip


def people(count=160):
    """A table with a little of everything."""
    random.seed(3)
    jobs = ["cook", 'Arzt, "Dr."', "smith", "", "pilot?", "naïve", "NA", "??="]
    cities = ["Αθήνα", "ΟΔΥΣΣΕΥΣ", "İstanbul", "Łódź", "東京", "São Paulo", ""]
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(["age", "job", "born", "city", "note", "seen", "class"])
    for i in range(count):
        age = random.choice(["", " 12", "3.5e1", "-7.", ".5", "+4E-1", str(random.randrange(90))])
        seen = random.choice(["03/09/2021", "3/9/2021", "31/12/1999", f"{i % 28 + 1}/2/2020"])
        note = random.choice(NOTES) + random.choice([" ", " yes", " NO!"])
        kind = random.choice(["no", 'yes, "sure"', "maybe"])
        table.writerow([age, random.choice(jobs), random.choice(DATES), random.choice(cities), note, seen, kind])
    return out.getvalue()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """The model of people, its folder, its table, and its programs."""
    folder = tmp_path_factory.mktemp("people")
    table = people()
    (folder / "people.csv").write_text(table, encoding="utf-8", newline="")
    (folder / "people.yaml").write_text(PEOPLE)
    with Model.from_yaml(folder / "people.yaml") as model:
        model.fit()
        yield model, folder, table, check(model, folder, table)


def test_every_kind_of_column(crowd):
    _, folder, table, commands = crowd
    more = table.replace("cook", "unheard of").replace("fox", "ΣΑΣ Σ'Σ").replace("class\r\n", "class \r\n\r\n  ,,,,,,\r\n")
    for text in (more, "\ufeff" + more.replace("\r\n", "\n"), more.replace("\r\n", "\r"), more.rstrip()):
        wanted = predicted(folder, text)
        assert len(wanted) == 161
        for command in commands:
            assert difference(wanted, written(command, text)) <= TOLERANCE


@pytest.mark.parametrize(("change", "says"), [
    (("age,", "years,"), "age"), (("3/9/2021", "31/9/2021"), "is not a date"), (("3/9/2021", "3/9/21"), "is not a date"),
    (("1987-06-05,", "1987-06-31,"), "is not a date"), (("1987W235", "1987W545"), "is not a date"), (("3.5e1", "3,5e1"), "fields"),
    (("3.5e1", "1e999"), "number"), (("3.5e1", "0x10"), "number"), (("3.5e1", "nan"), "number"), (("job,born", "born,born"), "born"),
], ids=lambda v: "".join(v) if isinstance(v, tuple) else v)  # fmt: skip
def test_wrong_data_are_refused_by_all_three(crowd, change, says):
    _, folder, table, commands = crowd
    wrong = table.replace(*change)
    assert wrong != table
    if change[1] != "born,born":
        with pytest.raises(LayerctlError):
            predicted(folder, wrong)
    for command in commands:
        done = subprocess.run(command, input=wrong.encode(), capture_output=True, check=False)
        assert done.returncode == 2 and says in done.stderr.decode().replace("two columns", "born")


def test_hostile_tables_do_not_crash_the_c_program(crowd):
    *_, (program, _) = crowd
    head = b"age,job,born,city,note,seen\n"
    cases = [b"", b"\n\n", b"\xef\xbb", b"\xff\xfe\x00a", b'"', b"a,b\n\x00", b"," * 5000, b"x" * 200_000, b'age,"' + b"\n" * 90_000,
             head + bytes(range(128, 256)) * 3, head + b"1,\xc3,,\xed\xa0\x80,\xf4\x90\x80\x80,3/9/2021\n"]  # fmt: skip
    for case in cases:
        done = subprocess.run(program, input=case, capture_output=True, check=False)
        assert done.returncode in (0, 2) and b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr


SERIES = """
layerctl: 1
name: series
data:
  source: series.csv
  delimiter: ";"
  decimal: ","
  columns: [day, load, wind]
  missing_values: [x]
  features:
    past: {columns: [load, wind], kind: window, window: {length: 5}, missing: mean}
    now: {columns: [wind], missing: median}
  target: {column: load, kind: number, scale: standard}
  split: {test: 0.3}
model:
  inputs: {past: {shape: [5, 2]}, now: {shape: [1]}}
  layers:
    - LSTM: 3
      from: past
      name: h
    - Concatenate:
      from: [h, now]
    - Dense: 1
  outputs: [dense]
compile: {optimizer: adam, loss: mse}
fit: {epochs: 1}
"""


@pytest.mark.parametrize("rows", [60, 5, 4])
def test_windows_and_another_dialect(tmp_path, rows):
    rng = np.random.default_rng(0)
    lines = [f"{i};{v:.3f};{w:.2f}".replace(".", ",") for i, (v, w) in enumerate(rng.normal(size=(60, 2)) * 1234)]
    lines[7] = "7;1.234,5;x"
    (tmp_path / "series.csv").write_text("\n".join(lines))
    (tmp_path / "series.yaml").write_text(SERIES)
    with Model.from_yaml(tmp_path / "series.yaml") as model:
        model.fit()
        model.save(tmp_path / "m.safetensors")
        commands = programs(model, tmp_path)
        text = "\n".join(lines[:rows]) + "\n"
        wanted = predicted(tmp_path, text)
        assert len(wanted) == rows + 1
        for command in commands:
            assert written(command, text) == wanted or difference(wanted, written(command, text)) <= TOLERANCE


PLAIN = """
layerctl: 1
name: "7 of 9"
model:
  inputs: {a: {shape: [4, 3]}, ids: {shape: [2], dtype: int32}}
  layers:
    - Conv1D: {filters: 4, kernel_size: 2, activation: gelu}
      from: a
    - Flatten:
      name: x
    - Embedding: {input_dim: 5, output_dim: 2}
      from: ids
    - Flatten:
      name: y
    - GroupQueryAttention: {head_dim: 3, num_query_heads: 4, num_key_value_heads: 2}
      from: [a, a]
    - Flatten:
      name: z
    - Concatenate:
      from: [x, y, z]
    - Dense: {units: 2, activation: softplus}
      name: out
    - Dense: 1
      name: more
  outputs: [out, more]
"""


def test_a_model_without_a_data_section(tmp_path):
    with Model.from_yaml(PLAIN) as model:
        commands = programs(model, tmp_path)
        text, n = sample(traced(model, 1))
        made = [written(command, text) for command in commands]
        assert made[0][0] == ["out_prediction_0", "out_prediction_1", "more_prediction"] and len(made[0]) == n + 1
        assert difference(*made) <= TOLERANCE


def test_the_function_alone_within_another_program(tmp_path):
    with Model.from_yaml(ROOT / "configs" / "iris.yaml", overrides=["fit.epochs=1"]) as model:
        model.fit()
        c.export(model, tmp_path / "iris.c")
        x = np.array([[0.5, -1.0, 2.0, 0.25]], np.float32)
        wanted = model.predict(x)[0]
    (tmp_path / "main.c").write_text("""
#include <stdio.h>
int iris_predict(const float *in_flower, float *out_dense_1);
int main(void)
{
    const float x[4] = {0.5f, -1.0f, 2.0f, 0.25f};
    float y[3];
    if (iris_predict(NULL, y) != 1 || iris_predict(x, y) != 0)
        return 1;
    printf("%.9g %.9g %.9g\\n", y[0], y[1], y[2]);
    return 0;
}
""")
    subprocess.run(["cc", *STRICT, "-DIRIS_NO_MAIN", "-o", "main", "main.c", "iris.c", "-lm"], cwd=tmp_path, check=True)
    made = subprocess.run([str(tmp_path / "main")], capture_output=True, check=True, text=True).stdout.split()
    np.testing.assert_allclose([float(v) for v in made], wanted, rtol=1e-5)


def test_without_a_compiler_it_says_that_it_was_not_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    with Model.from_yaml(ROOT / "configs" / "iris.yaml") as model:
        report = c.export(model, tmp_path / "m.c")
    assert report.rows == 0 and "there is no C compiler here (no-such-compiler)" in report.unchecked
    assert (tmp_path / "m.c").exists()


@pytest.mark.parametrize(("script", "told"), [
    ("echo 'x.c:1: fatal error: x.s: No space left on device' >&2; exit 1", "compiler cannot do its work: .*No space left(.|\n)*free some space"),
    ("kill -9 $$", "compiler cannot do its work: -9(.|\n)*ulimit"),
    ("echo $TMPDIR >&2; exit 1", "the C compiler refuses the file: .*/layerctl-(.|\n)*CC names another"),
    (None, "compiler cannot be started: permission denied(.|\n)*CC names another"),
])  # fmt: skip
def test_what_a_machine_lacks_is_not_blamed_on_the_compiler(tmp_path, monkeypatch, script, told):
    """A compiler's own scratch files lie in the folder that layerctl found to write to."""
    (tmp_path / "compiler").write_text(f"#!/bin/sh\n{script}\n" if script else "")
    (tmp_path / "compiler").chmod(0o755)
    monkeypatch.setenv("CC", str(tmp_path / "compiler"))
    if script is None:
        monkeypatch.setattr(c.subprocess, "run", refused)
    with Model.from_yaml(ROOT / "configs" / "iris.yaml") as model, pytest.raises(LayerctlError, match=told):
        c.export(model, tmp_path / "m.c")
    assert not (tmp_path / "m.c").exists()


def refused(*arguments, **options):
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("target", [c, python])
def test_a_result_that_differs_is_noticed(target, tmp_path, monkeypatch):
    def wrong(g, node):
        g.lines.append(f"memset({g.place(node.outputs[0])}, 0, 4);")

    monkeypatch.setitem(graph.RULES, "matmul", wrong)
    monkeypatch.setattr(Matmul, "numpy", lambda op, c, node: f"0.9 * ({' @ '.join(map(c.name, node.inputs))})")
    with Model.from_yaml(ROOT / "configs" / "iris.yaml") as model, pytest.raises(LayerctlError, match="export-differs"):
        target.export(model, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("target", [c, python])
def test_what_has_no_form_is_named_all_at_once(target, tmp_path):
    text = """
layerctl: 1
name: none
model:
  inputs: {t: {shape: [], dtype: string}, open: {shape: [null, 3]}}
  layers:
    - TextVectorization: {max_tokens: 9, output_sequence_length: 4, vocabulary: [a, b]}
      from: t
      name: cut
    - Embedding: {input_dim: 9, output_dim: 3}
    - GlobalAveragePooling1D:
      name: x
    - GlobalAveragePooling1D:
      from: open
      name: y
    - Add:
      from: [x, y]
  outputs: [add]
"""
    with Model.from_yaml(text) as model, pytest.raises(LayerctlError) as error:
        target.export(model, tmp_path / "m")
    said = " / ".join(d.message for d in error.value.diagnostics)
    assert "has no form for 'tokens' of cut" in said and "the texts of the input 't'" in said and "the input 'open' is (None, None, 3)" in said
    assert {d.code for d in error.value.diagnostics} == {"cannot-export"} and not (tmp_path / "m").exists()


NAMES = """
layerctl: 1
name: odd
model:
  inputs: {{{first}: {{shape: [2]}}, {second}: {{shape: [2]}}}}
  layers:
    - Add:
      from: [{first}, {second}]
      name: out
  outputs: [out]
"""


def test_names_that_are_one_in_c_are_refused_and_odd_ones_do_no_harm(tmp_path):
    with Model.from_yaml(NAMES.format(first="a-b", second="a.b")) as model, pytest.raises(LayerctlError, match=r"'a-b' and 'a\.b' have one name"):
        c.export(model, tmp_path / "m.c")
    odd = ("'a\"\"\" \\N{ */ ??/'", "'ς]}'")
    with Model.from_yaml(NAMES.format(first=odd[0], second=odd[1])) as model:
        commands = programs(model, tmp_path)
        text, n = sample(traced(model, 1))
        assert all(len(written(command, text)) == n + 1 for command in commands)


def test_raw_is_for_onnx_alone():
    with pytest.raises(LayerctlError, match="--raw is for ONNX"):
        export_command("nothing.yaml", "c", raw=True)
