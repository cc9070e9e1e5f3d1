"""Tables as people have them, trained and predicted from by the command: texts, dates, gaps, odd quotes, series."""

import csv
import io
import random

import pytest
from test_commands import layerctl


def people(n=240):
    """A made-up table with a name that quotes and commas are in, gaps, dates, words, and a rare class."""
    rng = random.Random(4)
    rows = []
    for i in range(n):
        age, fare = rng.randint(1, 80), round(rng.expovariate(0.03), 2)
        sex, port = rng.choice(["male", "female"]), rng.choice(["S", "C", "Q", ""])
        joined = f"{rng.randint(2001, 2020)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        survived = "yes" if (sex == "female") != (rng.random() < 0.1) and age < 70 else "no"
        rows.append([i, f'Doe, "J{i}" Mr.', sex, "" if rng.random() < 0.2 else age, fare, port, joined, survived])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "name", "sex", "age", "fare", "port", "joined", "survived"])
    writer.writerows(rows)
    return text.getvalue()


MODEL = """
layerctl: 1
name: people
seed: 2
data:
  source: people.csv
  features: {person: {missing: median}}
  target: survived
  split: {validation: 0.15, test: 0.2, stratify: true}
model:
  - Dense: {units: 24, activation: relu}
  - Dense: {units: 1, activation: sigmoid}
compile: {optimizer: {Adam: {learning_rate: 0.01}}, loss: binary_crossentropy, metrics: [accuracy, AUC]}
fit: {epochs: 8, batch_size: 16, class_weight: {"no": 1.0, "yes": 1.2}}
"""


def test_a_table_of_everything(tmp_path):
    (tmp_path / "people.csv").write_text(people())
    (tmp_path / "people.yaml").write_text(MODEL)
    assert layerctl("train", "people.yaml", cwd=tmp_path).returncode == 0
    judged = layerctl("eval", "runs/people", "--fail-under", "accuracy=0.8", cwd=tmp_path)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    bare = "\n".join(line.rsplit(",", 1)[0] for line in people().splitlines())
    out = layerctl("predict", "runs/people", "-", "--keep", "id", cwd=tmp_path, stdin=bare)
    rows = list(csv.reader(io.StringIO(out.stdout)))
    assert rows[0] == ["id", "prediction", "probability"] and [r[0] for r in rows[1:]] == [str(i) for i in range(240)]
    assert {r[1] for r in rows[1:]} == {"yes", "no"}


def test_a_series_has_a_line_for_every_row(tmp_path):
    (tmp_path / "s.csv").write_text("day,v\n" + "".join(f"{i},{(i % 7) * 1.5}\n" for i in range(120)))
    (tmp_path / "s.yaml").write_text("""
layerctl: 1
name: s
data:
  source: s.csv
  features: {past: {columns: [v], kind: window, window: {length: 7}}}
  target: {column: v, kind: number}
  split: {test: 0.2}
model:
  - LSTM: 12
  - Dense: 1
compile: {optimizer: {Adam: {learning_rate: 0.02}}, loss: mse}
fit: {epochs: 40, batch_size: 16}
""")
    assert layerctl("train", "s.yaml", cwd=tmp_path).returncode == 0
    out = layerctl("predict", "runs/s", "s.csv", "--keep", "day", cwd=tmp_path).stdout.splitlines()
    assert len(out) == 121 and out[1] == "0," and out[6] == "5,"
    assert float(out[7].split(",")[1]) == pytest.approx(0.0, abs=1.5)


def test_memory_that_nobody_has(tmp_path):
    (tmp_path / "m.yaml").write_text(
        "layerctl: 1\nname: m\ndata: {source: builtin:iris, features: {x: {}}, target: species}\nmodel:\n  - Dense: 2000000000\n  - Dense: 3\n"
        "compile: {loss: sparse_categorical_crossentropy}\nfit: {epochs: 1}\n"
    )
    big = layerctl("train", "m.yaml", cwd=tmp_path)
    assert big.returncode == 2 and "[out-of-memory]" in big.stderr and "Traceback" not in big.stderr
