"""Standard streams that are closed or full, files whose names are no text, files that would be lost."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.feather
import pyarrow.parquet
import pytest

MODEL = """layerctl: 1
name: m
data: {source: builtin:iris, target: species, features: {f: {}}}
model: [{Dense: {units: 3, activation: softmax}}]
compile: {loss: sparse_categorical_crossentropy}
fit: {epochs: 1}
"""
ROWS = "sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    (folder / "m.yaml").write_text(MODEL)
    (folder / "rows.csv").write_text(ROWS)
    assert shell(folder, "train m.yaml --out run")[0] == 0
    return folder


def shell(folder, arguments, **environment):
    """(exit code, standard output, standard error) of layerctl with arguments and redirections, as a shell reads them."""
    found = subprocess.run(f"{sys.executable} -m layerctl {arguments}", shell=True, cwd=folder, capture_output=True, env=os.environ | environment)
    return found.returncode, found.stdout.decode(errors="replace"), found.stderr.decode(errors="replace")


def test_training_from_standard_input_knows_its_form_by_its_first_bytes(tmp_path):
    rows = [(i * 0.37 % 1, "no,\nnever" if i % 3 else "yes") for i in range(60)]
    plain = "x,y\n" + "".join(f'{x:.4f},"{y}"\n' for x, y in rows)
    lines = "".join(json.dumps({"x": float(f"{x:.4f}"), "y": y}) + "\n" for x, y in rows)
    (tmp_path / "m.yaml").write_text(MODEL.replace("source: builtin:iris, target: species", 'source: "-", target: y').replace("units: 3", "units: 2"))
    said = set()
    for name, text in {"csv": plain.encode(), "lines": lines.encode(), "array": f"[{','.join(lines.splitlines())}]".encode(),
                       "packed": gzip.compress(plain.encode()), "packed-lines": gzip.compress(lines.encode())}.items():  # fmt: skip
        (tmp_path / name).write_bytes(text)
        code, out, err = shell(tmp_path, f"train m.yaml --out runs/{name} < {name}")
        assert code == 0, err
        said.add((out, json.loads((tmp_path / "runs" / name / "history.jsonl").read_text().splitlines()[0])["loss"]))
    assert len(said) == 1
    code, out, _ = shell(tmp_path, "build runs/csv --show features")
    assert code == 0 and "\nno,\\nnever " in out  # a line end within a class breaks no line of a table



def test_closed_streams_are_nothing(trained):
    code, out, said = shell(trained, "predict run - <&-")
    assert (code, out) == (2, "") and "<stdin>: error: the file has no data [file-empty]" in said
    assert shell(trained, "predict run rows.csv >&-") == (0, "", "")
    assert shell(trained, "build m.yaml <&- >&- 2>&-") == (0, "", "")
    assert shell(trained, "train m.yaml --out closed <&- >&- 2>&-")[0] == 0
    assert (trained / "closed" / "model.safetensors").exists() and "epoch" in (trained / "closed" / "history.jsonl").read_text()


def test_what_is_said_stands_behind_the_results_before_it(trained):
    code, log, _ = shell(trained, "train m.yaml --quiet --out merged 2>&1")
    assert code == 0 and log.startswith("train: loss ") and log.splitlines()[1].startswith("1 epoch in ")


def test_kernels_that_cannot_be_kept_are_told(trained, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for place, kept in (("file/cache", "not kept: `layerctl doctor` says why"), ("cache", "kept for the next time")):
        code, _, said = shell(trained, f"train m.yaml --out {kept[:4].strip()}", LAYERCTL_CACHE=str(tmp_path / place))
        assert code == 0 and f" kernels ({kept})\n" in said, said


def test_an_export_to_onnx_leaves_nothing_in_the_home_folder(trained, tmp_path):
    cache = str(tmp_path / "cache")
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | {"HOME": str(tmp_path / "home"), "LAYERCTL_CACHE": cache}
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-m", "layerctl", "export", "run", "--to", "onnx", "-o", str(tmp_path / "m.onnx")]
    subprocess.run(command, cwd=trained, check=True, env=environment, capture_output=True)
    assert not list((tmp_path / "home").rglob("*")), "onnxruntime reports of its use"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
@pytest.mark.parametrize("arguments", ["predict run rows.csv", "build m.yaml", "--help", "layers"])
def test_a_full_disk_behind_standard_output_is_told(trained, arguments):
    code, _, said = shell(trained, f"{arguments} > /dev/full")
    assert code == 2 and said.startswith("<stdout>: error: cannot write: no space left on device [cannot-write]\n  hint: free some space"), said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_events_that_cannot_be_written_are_told_on_standard_error(trained):
    code, _, said = shell(trained, "train m.yaml --json --out full > /dev/full")
    assert code == 2 and "[cannot-write]" in said and "Traceback" not in said
    assert shell(trained, "build nothing.yaml 2> /dev/full")[0] == 2


def unread(folder, *arguments, errors=False):
    """(exit code, standard error or None) of layerctl when nobody reads its standard output, or with `errors` its standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.DEVNULL, "stderr": writer} if errors else {"stdout": writer, "stderr": subprocess.PIPE}
    found = subprocess.run([sys.executable, "-m", "layerctl", *arguments], cwd=folder, timeout=300, **streams)
    os.close(writer)
    return found.returncode, None if errors else found.stderr.decode()


@pytest.mark.parametrize("arguments", ["--version", "--help", "layers", "layers --json", "inspect run --json", "predict run rows.csv"])
def test_what_nobody_reads_ends_quietly(trained, arguments):
    assert unread(trained, *arguments.split()) == (0, "")


@pytest.mark.parametrize("form", [[], ["--json"], ["--diagnostics", "sarif"]])
def test_an_error_that_nobody_reads_is_one(trained, form):
    code, said = unread(trained, "build", "nothing.yaml", *form)
    assert code == 2 and "Traceback" not in said
    assert unread(trained, "build", "nothing.yaml", *form, errors=True)[0] == 2


@pytest.mark.parametrize("form", [["--json"], []])
def test_training_goes_on_when_nobody_reads_of_it(trained, form):
    """Its progress on standard error, and its events on standard output."""
    code, _ = unread(trained, "train", "m.yaml", "--set", "fit.epochs=5", "--force", "--out", "unread", *form, errors=not form)
    assert code == 0 and len((trained / "unread" / "history.jsonl").read_text().splitlines()) == 5
    assert (trained / "unread" / "model.safetensors").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_training_goes_on_when_its_log_s_disk_is_full(trained):
    assert shell(trained, "train m.yaml --set fit.epochs=5 --out full-log 2> /dev/full")[0] == 0
    assert len((trained / "full-log" / "history.jsonl").read_text().splitlines()) == 5


def test_a_folder_that_was_removed_is_told(trained):
    gone = trained / "gone"
    gone.mkdir()
    found = subprocess.run(f"rmdir {gone} && exec {sys.executable} -m layerctl build m.yaml", shell=True, cwd=gone, capture_output=True, text=True)
    assert found.returncode == 2 and found.stderr.startswith(".: error: the folder that layerctl was called in is not there any more [file-not-found]\n  hint:")


@pytest.mark.parametrize("arguments", ["train m.yaml --out {}", "eval {}", "inspect {}", "report {}", "predict run {}", "build {}", "export {} --to c"])
def test_a_name_that_is_too_long_is_told(trained, arguments):
    code, out, said = shell(trained, arguments.format("a" * 256))
    assert (code, out) == (2, "") and "ame too long [file-unreadable]" in said and "Traceback" not in said


@pytest.mark.parametrize("arguments", ["eval {}", "predict run {}", "build {}", "data {}", "train m.yaml --set data.source={}"])
def test_a_link_that_leads_nowhere_is_told(trained, arguments):
    if not (trained / "link").is_symlink():
        (trained / "link").symlink_to("gone")
    code, out, said = shell(trained, arguments.format("link"))
    assert (code, out) == (2, "") and "symbolic link to 'gone', which leads nowhere [file-not-found]" in said


def test_a_scratch_file_that_cannot_be_written_is_told(trained):
    limited = subprocess.run(["prlimit", "--fsize=1000", sys.executable, "-m", "layerctl", "export", "run", "--to", "python", "-o", "n.py"],
                             cwd=trained, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(trained)})  # fmt: skip
    assert limited.returncode == 2 and limited.stderr.startswith(f"{trained}: error: cannot write: file too large [cannot-write]")
    assert not [p for p in trained.iterdir() if p.name.startswith("layerctl-")]


def test_predictions_do_not_replace_the_rows_that_they_are_of(trained):
    (trained / "same.csv").write_text(ROWS)
    os.symlink("same.csv", trained / "link.csv")
    for out in ("same.csv", "link.csv"):
        code, _, said = shell(trained, f"predict run same.csv -o {out}")
        assert code == 2 and f"cannot write '{out}': it is the file that is read" in said
    assert (trained / "same.csv").read_text() == ROWS


def test_standard_input_in_every_form(trained, tmp_path):
    """JSON is known by how it begins, gzip and zip by their first bytes; Parquet is read from its end, and so held in memory."""
    rows = [dict(zip(ROWS.split("\n")[0].split(","), map(float, line.split(",")), strict=True)) for line in ROWS.split("\n")[1:-1] for _ in range(3)]
    text = ROWS.split("\n")[0] + "\n" + "".join(",".join(map(str, r.values())) + "\n" for r in rows)
    forms = {"csv": text.encode(), "jsonl": "".join(json.dumps(r) + "\n" for r in rows).encode(), "array": json.dumps(rows, indent=1).encode()}
    forms["gzip"], packed = gzip.compress(forms["csv"]), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", text)
    forms["zip"] = packed.getvalue()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "parquet")
    pyarrow.feather.write_feather(pyarrow.Table.from_pylist(rows), str(tmp_path / "arrow"))
    found = {}
    for name in [*forms, "parquet", "arrow"]:
        if name in forms:
            (tmp_path / name).write_bytes(forms[name])
        given = f"--input-format {name}" if name in ("parquet", "arrow") else ""
        for arguments in (f"predict run - {given} < {tmp_path / name}", f"predict run - {given} < <(cat {tmp_path / name})"):
            done = subprocess.run(["bash", "-c", f"{sys.executable} -m layerctl {arguments}"], cwd=trained, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            found[name, arguments] = done.stdout
    assert len(set(found.values())) == 1 and len(found) == 14 and next(iter(found.values())).count("\n") == 4


def test_a_doctor_asked_to_read_standard_input(trained):
    done = subprocess.run([sys.executable, "-m", "layerctl", "data", "-"], cwd=trained, input=ROWS, capture_output=True, text=True)
    assert done.returncode == 2 and "<stdin>: error: standard input can be read once only" in done.stderr and "[bad-option]" in done.stderr


def test_names_that_are_no_utf8(trained, tmp_path):
    folder = os.fsencode(tmp_path) + b"/a\xff"
    os.mkdir(folder)
    for name, text in ((b"m.yaml", MODEL), (b"\xfe.csv", ROWS)):
        with open(folder + b"/" + name, "w") as file:
            file.write(text)
    command = [os.fsencode(sys.executable), b"-m", b"layerctl"]
    for arguments in ([b"train", b"m.yaml", b"--out", b"r\xfe"], [b"predict", b"r\xfe", b"\xfe.csv", b"-o", b"p\xfe.csv"]):
        found = subprocess.run([*command, *arguments], cwd=folder, capture_output=True)
        assert found.returncode == 0, found.stderr
    with open(folder + b"/p\xfe.csv") as file:
        assert file.readline() == "prediction,probability\n"
    found = subprocess.run([*command, b"predict", b"r\xfe", b"gone\xff.csv"], cwd=folder, capture_output=True)
    assert found.returncode == 2 and b"there is no file gone\\udcff.csv" in found.stderr


def test_warnings_of_losses_that_take_probabilities(trained):
    (trained / "plain.yaml").write_text(MODEL.replace(", activation: softmax", ""))
    code, _, said = shell(trained, "build plain.yaml")
    assert code == 0 and "plain.yaml:4:10: warning: the loss SparseCategoricalCrossentropy takes probabilities" in said
    assert "[not-probabilities]" in said and "[not-probabilities]" not in shell(trained, "build m.yaml")[2]


def test_exported_c_is_the_same_text_whatever_order_hashes_have(trained):
    texts = []
    for seed in ("1", "2", "3"):
        assert shell(trained, f"export run --to c -o {seed}.c", PYTHONHASHSEED=seed)[0] == 0
        texts.append((trained / f"{seed}.c").read_text().replace(f"{seed}.c", "x.c"))
    assert texts[0] == texts[1] == texts[2]


REFUSED = """
import sys, threading
def refused(self): raise RuntimeError("can't start new thread")
threading.Thread.start = refused
from layerctl.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("arguments", "code"), [
    (["predict", "run", "rows.csv", "--threads", "1"], 0), (["train", "m.yaml", "--out", "alone", "--force", "--threads", "1"], 0),
    (["train", "wide.yaml", "--out", "alone", "--force", "--threads", "2"], 2),
])  # fmt: skip
def test_where_no_thread_can_be_started(trained, arguments, code):
    (trained / "wide.yaml").write_text(MODEL.replace("[{", "[{Dense: 900}, {Dense: 900}, {"))
    done = subprocess.run([sys.executable, "-c", REFUSED, *arguments], cwd=trained, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert code == 0 or done.stderr.splitlines()[-2:] == ["error: the system lets no further thread be started [out-of-memory]",
                                                           "  hint: use --threads 1, or raise the limits (ulimit -u, ulimit -v)"]  # fmt: skip


@pytest.mark.parametrize("megabytes", range(32, 200, 8))
def test_too_little_memory_is_told_or_is_enough(trained, megabytes):
    done = subprocess.run(["prlimit", f"--as={megabytes << 20}", sys.executable, "-m", "layerctl", "predict", "run", "rows.csv"],
                          cwd=trained, capture_output=True, text=True, env={k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"})  # fmt: skip
    assert done.returncode == 0 or (done.returncode == 2 and "[out-of-memory]" in done.stderr and "Traceback" not in done.stderr), done.stderr


SWALLOWED = """
import os, signal, sys
loading = sys.argv[1]
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == loading:
            os.kill(os.getpid(), signal.SIGINT)
            try:
                for _ in range(1000000): pass
            except KeyboardInterrupt:
                raise ImportError("what a library makes of it")
sys.meta_path.insert(0, Interrupted())
from layerctl.cli.main import main
sys.argv = ["layerctl", "build", "m.yaml"]
main()
"""


@pytest.mark.parametrize(("loading", "code"), [("layerctl.diagnostics", -signal.SIGINT), ("numpy", 130)])
def test_ctrl_c_while_libraries_are_loaded(trained, loading, code):
    done = subprocess.run([sys.executable, "-c", SWALLOWED, loading], cwd=trained, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_a_damaged_file_that_python_compiled_is_told_and_removed(tmp_path, monkeypatch, capsys):
    import importlib.util
    import py_compile

    from layerctl.cli import main as cli

    (tmp_path / "of_a_full_disk.py").write_text("VALUE = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    kept = Path(importlib.util.cache_from_source(str(tmp_path / "of_a_full_disk.py")))
    py_compile.compile(str(tmp_path / "of_a_full_disk.py"))
    kept.write_bytes(kept.read_bytes()[:30])
    monkeypatch.setattr(cli, "_command", lambda given: print(importlib.import_module("of_a_full_disk").VALUE))
    with pytest.raises(SystemExit) as ended:
        cli.main(["layers"])
    assert ended.value.code == 2 and "bytecode-damaged" in capsys.readouterr().err and not kept.exists()
    with pytest.raises(SystemExit) as ended:
        cli.main(["layers"])
    assert ended.value.code == 0 and capsys.readouterr().out == "3\n"
