"""The installed command in processes of its own: streams, exit codes, files."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
ROWS = "sepal_length,sepal_width,petal_length,petal_width,id\n5.1,3.5,1.4,0.2,a\n6.7,3.0,5.2,2.3,b\n5.9,3.0,4.2,1.5,c\n"


def layerctl(*arguments, cwd, stdin=None, **environment):
    return subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "iris.yaml").write_text((ROOT / "configs" / "iris.yaml").read_text())
    done = layerctl("train", "iris.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "rows.csv").write_text(ROWS)
    return folder, done


def test_train_says_a_line_an_epoch_and_results_alone_on_stdout(trained):
    folder, done = trained
    assert done.stdout.startswith("test: loss ") and done.stdout.count("\n") == 1
    lines = done.stderr.splitlines()
    assert any(line.startswith("epoch 1/100  loss ") for line in lines)
    assert "\r" not in done.stderr and "\x1b" not in done.stderr
    run = folder / "runs" / "iris"
    assert {p.name for p in run.iterdir()} >= {"model.safetensors", "history.jsonl", "model.yaml", "checkpoints"}
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert rows[0]["epoch"] == 1 and "val_accuracy" in rows[0]


def test_a_finished_run_is_not_overwritten(trained):
    folder, _ = trained
    before = (folder / "runs" / "iris" / "model.safetensors").read_bytes()
    again = layerctl("train", "iris.yaml", cwd=folder)
    assert again.returncode == 2 and "[run-exists]" in again.stderr
    assert (folder / "runs" / "iris" / "model.safetensors").read_bytes() == before


def test_build_prints_a_table_and_stages(trained):
    folder, _ = trained
    done = layerctl("build", "iris.yaml", cwd=folder)
    assert done.returncode == 0 and "dense_1" in done.stdout and "131 trainable" in done.stdout
    plain = json.loads(layerctl("build", "iris.yaml", "--json", cwd=folder).stdout)
    assert [r["parameters"] for r in plain["rows"]] == [0, 80, 0, 51] and plain["memory_training"] > 0
    for stage, word in (("graph", "dense_1 = Dense(dropout)"), ("ops", "matmul"), ("program", "loop"), ("memory", "arena")):
        assert word in layerctl("build", "iris.yaml", "--show", stage, cwd=folder).stdout
    silent = f"import sys; sys.argv = ['layerctl', 'build', {str(folder / 'iris.yaml')!r}]\nfrom layerctl.cli.main import main\n"
    silent += "try: main()\nexcept SystemExit: pass\nassert not {'numba', 'llvmlite'} & set(sys.modules), 'build imports the compiler'"
    assert subprocess.run([sys.executable, "-c", silent], capture_output=True).returncode == 0


def test_eval_and_its_gates(trained):
    folder, _ = trained
    good = layerctl("eval", "runs/iris", "--fail-under", "accuracy=0.9", "--fail-over", "loss=0.5", cwd=folder)
    assert good.returncode == 0 and good.stdout.splitlines()[1].startswith("accuracy")
    bad = layerctl("eval", "iris.yaml", "--fail-under", "accuracy=1.01", "--json", cwd=folder)
    assert bad.returncode == 1 and json.loads(bad.stdout)["missed"][0]["name"] == "accuracy"
    assert layerctl("eval", "runs/iris", "--fail-under", "acuracy=1", cwd=folder).returncode == 2
    (folder / "judge.csv").write_text(ROWS.replace(",id", ",species").replace(",a\n", ",Iris-setosa\n").replace(",b\n", ",Iris-virginica\n")
                                      .replace(",c\n", ",Iris-versicolor\n"))  # fmt: skip
    judged = layerctl("eval", "runs/iris", "judge.csv", "--json", cwd=folder)
    assert json.loads(judged.stdout)["scores"]["accuracy"] == 1.0


def test_predict_in_every_form(trained):
    folder, _ = trained
    out = layerctl("predict", "runs/iris", "rows.csv", "--keep", "id", cwd=folder)
    assert out.stdout.splitlines()[0] == "id,prediction,probability"
    assert [line.split(",")[:2] for line in out.stdout.splitlines()[1:]] == [["a", "Iris-setosa"], ["b", "Iris-virginica"], ["c", "Iris-versicolor"]]
    stream = layerctl("predict", "runs/iris", "-", "--format", "jsonl", cwd=folder, stdin=ROWS)
    assert [json.loads(line)["prediction"] for line in stream.stdout.splitlines()] == ["Iris-setosa", "Iris-virginica", "Iris-versicolor"]
    lines = "".join(json.dumps(dict(zip(ROWS.split("\n")[0].split(","), r.split(","), strict=True))) + "\n" for r in ROWS.split("\n")[1:4])
    assert layerctl("predict", "runs/iris", "-", "--input-format", "jsonl", cwd=folder, stdin=lines).stdout == layerctl(
        "predict", "runs/iris", "rows.csv", cwd=folder).stdout  # fmt: skip
    assert layerctl("predict", "runs/iris", "rows.csv", "-o", "out.npz", cwd=folder).returncode == 0
    with np.load(io.BytesIO((folder / "out.npz").read_bytes())) as found:
        assert next(iter(found.values())).shape == (3, 3)
    shown = layerctl("predict", "runs/iris", "rows.csv", "--layer", "dense", "--format", "jsonl", cwd=folder)
    assert len(json.loads(shown.stdout.splitlines()[0])) == 16


def test_predict_loads_no_compiler_when_the_store_is_warm(trained):
    folder, _ = trained
    code = "import sys; sys.argv = ['layerctl', 'predict', 'runs/iris', 'rows.csv']\nfrom layerctl.cli.main import main\n"
    code += "try: main()\nexcept SystemExit as e: assert not e.code\nassert 'numba' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True).returncode == 0


def test_wrong_rows_are_named_by_line(trained):
    folder, _ = trained
    bad = layerctl("predict", "runs/iris", "-", cwd=folder, stdin=ROWS.replace("3.0,5.2", "x,5.2"))
    assert bad.returncode == 2 and bad.stderr.splitlines()[0] == "<stdin>:3:2: error: column 'sepal_width': 'x' is not a number [data-not-a-number]"


def test_pipes_that_close_early_and_other_manners(trained):
    folder, _ = trained
    many = ROWS.split("\n")[0] + "\n" + "5.1,3.5,1.4,0.2,a\n" * 30000
    (folder / "many.csv").write_text(many)
    piped = subprocess.run(f"{sys.executable} -m layerctl predict runs/iris many.csv | head -1", shell=True, cwd=folder, capture_output=True, text=True)
    assert piped.stdout == "prediction,probability\n" and piped.stderr == ""
    assert layerctl("--version", cwd=folder).stdout.startswith("layerctl ")
    assert layerctl("trian", cwd=folder).returncode == 2
    quiet = layerctl("train", "iris.yaml", "--out", "q", "-q", "--set", "fit.epochs=1", cwd=folder)
    assert quiet.returncode == 0 and "epoch 1/1" not in quiet.stderr
    events = layerctl("train", "iris.yaml", "--out", "j", "--json", "--set", "fit.epochs=2", cwd=folder)
    kinds = [json.loads(line)["event"] for line in events.stdout.splitlines()]
    assert kinds[-1] == "end" and kinds.count("epoch") == 2 and "begin" in kinds
    timed = layerctl("train", "iris.yaml", "--out", "t", "--max-time", "0.2s", "--set", "fit.epochs=100000", "--set", "fit.callbacks=[]", cwd=folder)
    assert timed.returncode == 0 and "out of time" in timed.stderr
    ascii_only = layerctl("layers", "Flatten", cwd=folder, LC_ALL="C", PYTHONUTF8="0")
    assert ascii_only.returncode == 0 and "→" in ascii_only.stdout


def test_errors_as_json_and_annotations(trained):
    folder, _ = trained
    (folder / "bad.yaml").write_text("layerctl: 1\nmodel:\n  - Input: {shape: [4]}\n  - Dence: 3\n")
    plain = layerctl("build", "bad.yaml", "--json", cwd=folder)
    assert plain.returncode == 2 and json.loads(plain.stdout)["code"] == "unknown-layer"
    noted = layerctl("build", "bad.yaml", cwd=folder, GITHUB_ACTIONS="true")
    assert "::error file=bad.yaml,line=4,col=5,endLine=4,endColumn=10,title=unknown-layer::there is no layer 'Dence'" in noted.stderr


def test_layers_lists_and_shows(trained):
    folder, _ = trained
    listing = layerctl("layers", cwd=folder).stdout
    assert "convolution" in listing and "  Conv2D" in listing and "optimizers" in listing
    assert "kernel_initializer" in layerctl("layers", "Dense", cwd=folder).stdout
    assert layerctl("layers", "Dence", cwd=folder).returncode == 2


def test_a_folder_that_cannot_be_written(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "file").write_text("")
    bad = layerctl("train", "iris.yaml", "--out", str(tmp_path / "file" / "x"), cwd=folder)
    assert bad.returncode == 2 and "[cannot-write]" in bad.stderr and "Traceback" not in bad.stderr
    full = layerctl("predict", "runs/iris", "rows.csv", "-o", "/dev/full/x", cwd=folder)
    assert full.returncode == 2 and "Traceback" not in full.stderr


def test_a_damaged_model_is_refused_by_name(trained):
    folder, _ = trained
    data = bytearray((folder / "runs" / "iris" / "model.safetensors").read_bytes())
    data[-3] ^= 1
    (folder / "broken.safetensors").write_bytes(data)
    bad = layerctl("predict", "broken.safetensors", "rows.csv", cwd=folder)
    assert bad.returncode == 2 and "broken.safetensors" in bad.stderr and "[file-damaged]" in bad.stderr


def test_weights_of_another_shape_are_refused_by_name(trained):
    """With the digest right: the file is whole, and was made of parts that do not belong together."""
    from layerctl.modelfile import tensors

    folder, _ = trained
    arrays, metadata = tensors.load(folder / "runs" / "iris" / "model.safetensors")
    arrays["dense/kernel"] = arrays["dense/kernel"].reshape(-1)
    tensors.save(folder / "mixed.safetensors", arrays, {k: v for k, v in metadata.items() if k != "layerctl.digest"})
    for command in (["predict", "mixed.safetensors", "rows.csv"], ["eval", "mixed.safetensors"], ["export", "mixed.safetensors", "--to", "npz"]):
        bad = layerctl(*command, cwd=folder)
        assert bad.returncode == 2 and bad.stderr.startswith("mixed.safetensors: error: the weight 'dense/kernel' has shape (4, 16), got (64,)"), bad.stderr
        assert "[wrong-weight]\n  hint: " in bad.stderr


def test_the_end_of_a_file_is_no_interruption(monkeypatch, capsys):
    """Typer takes an EOFError for ctrl-d at a question: here it is a bug like any other."""
    from layerctl.cli import main
    from layerctl.commands import runs

    def ends(*_arguments, **_options):
        raise EOFError("no data left")

    monkeypatch.setattr(runs, "runs", ends)
    with pytest.raises(SystemExit) as ended:
        main.main(["runs"])
    assert ended.value.code == 70 and "EOFError: no data left" in capsys.readouterr().err
