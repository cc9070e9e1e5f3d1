"""Trained models × all targets by the command: each file is compared, or what cannot be expressed is refused by name and place."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.cli.main import main
from layerctl.commands.export import targets

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(p.stem for p in (ROOT / "configs").glob("*.yaml"))
WAYS = [(t, ()) for t in targets()] + [("onnx", ("--raw",))]
EXACT = ("npz", "keras")
"""Compared bit for bit, or by running layerctl itself on what was read back."""
OTHERS = {
    "several": """
data:
  source: people.csv
  features:
    numbers: {columns: [age, wage], missing: mean}
    job: {columns: [job, city], kind: category, encode: index}
    day: {columns: [joined], kind: date}
    note: {columns: [note], kind: text, length: 6}
  target: level
model:
  inputs:
    numbers: {shape: [2]}
    job: {shape: [2], dtype: int32}
    day: {shape: ["${features.day.width}"]}
    note: {shape: [6], dtype: int32}
  layers:
    - Embedding: {input_dim: "${features.job.size}", output_dim: 4}
      from: job
    - Flatten:
      name: where
    - Embedding: {input_dim: "${features.note.size}", output_dim: 8, mask_zero: true}
      from: note
    - Bidirectional: {layer: {LSTM: 6}}
      name: said
    - Concatenate:
      from: [numbers, where, day, said]
    - BatchNormalization
    - Dense: {units: 3, activation: softmax}
      name: level
  outputs: [level]
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
""",
    "attention": """
data:
  source: people.csv
  features: {note: {columns: [note], kind: text, length: 8}}
  target: {column: wage, kind: number, scale: standard}
model:
  inputs: {note: {shape: [8], dtype: int32}}
  layers:
    - Embedding: {input_dim: "${features.note.size}", output_dim: 8, mask_zero: true}
      name: e
      from: note
    - MultiHeadAttention: {num_heads: 2, key_dim: 4}
      from: {query: e, value: e}
      name: a
    - Add:
      from: [e, a]
    - LayerNormalization
    - GlobalAveragePooling1D
    - Dense: 1
      name: wage
  outputs: [wage]
compile: {optimizer: adam, loss: mse}
""",
    "separable": """
data:
  source: images.npz
  features: {image: {kind: array, shape: [10, 12, 3]}}
  target: kind
model:
  - Input: {shape: [10, 12, 3]}
  - SeparableConv2D: {filters: 6, kernel_size: 3, padding: same, activation: relu}
  - DepthwiseConv2D: {kernel_size: 3, strides: 2}
  - GroupNormalization: {groups: 2}
  - Conv2DTranspose: {filters: 4, kernel_size: 3, strides: 2}
  - UpSampling2D: {size: 2, interpolation: bilinear}
  - PReLU: {shared_axes: [1, 2]}
  - GlobalAveragePooling2D
  - Dense: {units: 3, activation: softmax}
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
""",
    "window": """
data:
  source: series.csv
  features: {past: {columns: [x, y], kind: window, window: {length: 12}}}
  target: {column: y, kind: number, scale: standard}
model:
  - Conv1D: {filters: 4, kernel_size: 3, padding: causal, activation: relu}
  - SimpleRNN: {units: 5, return_sequences: true}
  - RNN: {cell: [{LSTMCell: 4}, {GRUCell: 3}], return_sequences: true}
  - TimeDistributed: {layer: {Dense: 3}}
  - Flatten
  - Dense: 1
compile: {optimizer: adam, loss: mse}
""",
    "prepared": """
data:
  source: people.csv
  features: {age: {columns: [age, id], missing: median, scale: none}}
  target: {out: {column: level}, pay: {column: wage, kind: number}}
model:
  inputs: {age: {shape: [2]}}
  layers:
    - Normalization:
      from: age
      name: n
    - Discretization: {num_bins: 4}
      from: age
    - CategoryEncoding: {num_tokens: 5, output_mode: multi_hot}
      name: c
    - Concatenate:
      from: [n, c]
      name: all
    - Dense: {units: 3, activation: softmax}
      name: out
    - Dense: 1
      from: all
      name: pay
  outputs: [out, pay]
compile: {optimizer: adam, loss: {out: sparse_categorical_crossentropy, pay: mse}}
""",
    "strings": """
data:
  source: people.csv
  features: {note: {columns: [note], kind: string}}
  target: level
model:
  - Input: {shape: [1], dtype: string}
  - TextVectorization: {max_tokens: 20, vocabulary: [good, bad, fine], output_sequence_length: 6}
  - Embedding: {input_dim: 20, output_dim: 4}
  - GlobalAveragePooling1D
  - Dense: {units: 3, activation: softmax}
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
""",
}
REFUSED = {
    **{("strings", t): "TextVectorization" for t in ("c", "python", "onnx")},
    ("strings", "keras"): "Input: {shape: [1], dtype: string}", ("custom", "keras"): "SimpleDense",
}  # fmt: skip
"""(model, target) that has no form, and the line of the file that the message shows."""


def write_data(folder):
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "fine", "awful", "nice", "dull", "bright", "grey", "sweet", "sour"])
    lines = ["id,age,job,city,joined,note,wage,level"]
    for i in range(80):
        age = "" if i % 17 == 0 else rng.integers(18, 70)
        job, city, level = rng.choice(["cook", "smith", '"a ""b"", c"']), rng.choice(["Rome", "Oslo", "Köln"]), rng.choice(["low", "mid", "top"])
        day = f"20{rng.integers(10, 24)}-{rng.integers(1, 13):02}-{rng.integers(1, 28):02}"
        lines.append(f"{i},{age},{job},{city},{day},{' '.join(rng.choice(words, rng.integers(1, 9)))},{rng.normal(30, 9):.2f},{level}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    np.savez(folder / "images.npz", image=rng.normal(size=(40, 10, 12, 3)).astype(np.float32), kind=rng.integers(0, 3, 40))
    series = "".join(f"{np.sin(i / 5) + rng.normal() / 9:.4f},{np.cos(i / 7):.4f}\n" for i in range(90))
    (folder / "series.csv").write_text("x,y\n" + series)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the data of OTHERS and the runs of all models, each trained for one epoch when it is first asked for."""
    folder = tmp_path_factory.mktemp("matrix")
    write_data(folder)
    return folder


def run_of(name, folder):
    run = folder / "runs" / name
    if not run.exists():
        path = folder / f"{name}.yaml"
        if name in OTHERS:
            path.write_text(f"layerctl: 1\nname: {name}\nseed: 1\n{OTHERS[name].lstrip()}")
        else:
            path = ROOT / "configs" / f"{name}.yaml"
        with Model.from_yaml(path, overrides=["fit.epochs=1", "data.split={test: 0.2}", "fit.callbacks=[]"]) as model:
            model.fit(run=run)
    return run


def exported(run, out, target, options, capsys):
    """(exit code, standard output, standard error) of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["export", str(run), "--to", target, "-o", str(out), "--json", *options])
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.mark.parametrize(("target", "options"), WAYS, ids=[" ".join([t, *o]) for t, o in WAYS])
@pytest.mark.parametrize("name", [*CONFIGS, *OTHERS])
def test_each_model_is_compared_or_refused_by_name(name, target, options, folder, tmp_path, capsys):
    out = tmp_path / f"m.{target}"
    code, said, err = exported(run_of(name, folder), out, target, options, capsys)
    found = [json.loads(line) for line in said.splitlines()]
    if (name, target) in REFUSED:
        assert code == 2 and not out.exists() and all(d["code"] == "cannot-export" and d["line"] for d in found), said
        line = run_of(name, folder).joinpath("model.yaml").read_text().splitlines()[found[-1]["line"] - 1]
        assert REFUSED[name, target] in line
        return
    (last,) = found
    assert code == 0 and err == "", err
    assert last["event"] == "export" and last["unchecked"] is None and last["rows"] >= (3 if target == "npz" else 7)
    assert last["difference"] == 0 if target in EXACT else last["difference"] <= 1e-4
    assert out.stat().st_size > 500


def test_every_refusal_in_the_table_is_of_a_target_that_is_there():
    assert {t for _, t in REFUSED} <= set(targets()) and {n for n, _ in REFUSED} <= {*OTHERS, *CONFIGS}


def test_a_compiled_program_answers_what_predict_answers(folder, tmp_path):
    """The command in a process of its own, the compiler, the program: row for row on a table that is not the training data's."""
    run = run_of("several", folder)
    made = subprocess.run([sys.executable, "-m", "layerctl", "export", str(run), "--to", "c", "-o", "m.c"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0 and made.stdout == "m.c\n" and re.search(r"checked on \d+ rows", made.stderr)
    rows = folder / "people.csv"
    subprocess.run(["cc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-o", "m", "m.c", "-lm"], cwd=tmp_path, check=True)
    theirs = subprocess.run([str(tmp_path / "m")], stdin=rows.open("rb"), capture_output=True, text=True, check=True).stdout
    ours = subprocess.run([sys.executable, "-m", "layerctl", "predict", str(run), str(rows)], capture_output=True, text=True, check=True).stdout
    pairs = [(a.split(","), b.split(",")) for a, b in zip(ours.splitlines(), theirs.splitlines(), strict=True)]
    assert len(pairs) == 81 and all(a[0] == b[0] for a, b in pairs)
    assert max(abs(float(a[1]) - float(b[1])) for a, b in pairs[1:]) <= 1e-5
    assert not re.search(r"\b(malloc|calloc|realloc)\b", (tmp_path / "m.c").read_text())
