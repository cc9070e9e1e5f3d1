"""Sources of other forms than one file of text: several files, packed ones, Parquet and Arrow, images, large arrays, pipes."""

import datetime
import gzip
import io
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import feather, parquet

from layerctl.data import arrays, streams
from layerctl.data.dataset import load
from layerctl.data.readers import read_table, streamed
from layerctl.diagnostics import LayerctlError
from layerctl.spec.data import DataSpec


def reading(**more):
    return DataSpec(**{"source": "t", "features": {"x": {}}, **more}).reading()


def texts(table):
    return {n: list(table.texts(n)) for n in table.columns}


def test_a_pattern_is_its_files_in_the_order_of_their_names(tmp_path):
    for name, rows in (("part-10.csv", "3,c\n"), ("part-02.csv", "1,a\n2,b\n")):
        (tmp_path / name).write_text("n,w\n" + rows)
    found = read_table("part-*.csv", reading(), tmp_path)
    assert texts(found) == {"n": ["1", "2", "3"], "w": ["a", "b", "c"]}
    assert found.span(2).source.name == str(tmp_path / "part-10.csv") and found.span(2).line == 2
    assert found.take(np.array([2])).span(0).source.name.endswith("part-10.csv")
    (tmp_path / "part-3.csv").write_text("n,v\n1,2\n")
    with pytest.raises(LayerctlError, match=r"part-3.csv:1:1: error: the file has not the columns w and also v: \S+part-02.csv was read first"):
        read_table("part-*.csv", reading(), tmp_path)
    with pytest.raises(LayerctlError, match="there is no file"):
        read_table("other-*.csv", reading(), tmp_path)


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe"])
def test_utf_16_as_declared(tmp_path, mark, monkeypatch):
    monkeypatch.setattr(streams, "PIECE", 7)
    text = "n,w\n1,Ä\U0001f600\n2,中\n"
    (tmp_path / "t.csv").write_bytes(text.encode("utf-16") if mark else text.encode("utf-16-le").join([b"\xff\xfe", b""]))
    assert texts(read_table("t.csv", reading(encoding="utf-16"), tmp_path))["w"] == ["Ä\U0001f600", "中"]
    for order in ("utf-16-le", "utf-16-be"):  # without a mark
        (tmp_path / "t.csv").write_bytes(text.encode(order))
        assert texts(read_table("t.csv", reading(encoding="utf-16"), tmp_path))["w"] == ["Ä\U0001f600", "中"]
    (tmp_path / "t.csv").write_bytes(text.encode())
    with pytest.raises(LayerctlError, match="the file is not utf-16"):
        read_table("t.csv", reading(encoding="utf-16"), tmp_path)
    (tmp_path / "t.csv").write_bytes(text.encode("utf-16")[:-1])
    with pytest.raises(LayerctlError, match="the file is not utf-16"):
        read_table("t.csv", reading(encoding="utf-16"), tmp_path)


def test_gzip_in_members_and_bombs(tmp_path, monkeypatch):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"n,w\n1,a\n") + gzip.compress(b"2,b\n") + b"\0" * 100)
    assert texts(read_table("t.csv.gz", reading(), tmp_path))["w"] == ["a", "b"]
    monkeypatch.setattr(streams, "_SPARED", 1 << 20)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"n\n" + b"1\n" * 4_000_000))
    with pytest.raises(LayerctlError, match="unpacks to more than 200 times its size"):
        read_table("t.csv.gz", reading(), tmp_path)


def test_parquet_and_arrow(tmp_path):
    table = pa.table({
        "n": [1, 2, 3], "f": [0.5, None, 2.5], "w": pa.array([" a", "NA", None]), "d": pa.array(["x", "y", "x"]).dictionary_encode(),
        "day": [datetime.date(2024, 1, 2)] * 3, "b": [True, False, True], "v": [[[1, 2], [3, 4]]] * 3, "big": [2**40 + 1, 7, 8],
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    feather.write_feather(table, tmp_path / "t.feather", chunksize=2)
    with pa.ipc.new_stream(tmp_path / "t.arrow", table.schema) as out:
        out.write_table(table)
    for name in ("t.parquet", "t.feather", "t.arrow"):
        found = read_table(name, reading(), tmp_path)
        assert texts(found)["w"] == ["a", None, None] and texts(found)["d"] == ["x", "y", "x"] and texts(found)["day"] == ["2024-01-02"] * 3
        assert found.numbers("n").tolist() == [1, 2, 3] and found.texts("big")[0] == str(2**40 + 1) and found.numbers("b").tolist() == [1, 0, 1]
        assert np.isnan(found.numbers("f")[1]) and found.columns["v"].shape == (3, 2, 2) and not found.is_numeric("w")
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + b"x" * 100)
    with pytest.raises(LayerctlError, match=r"cannot read \S+t.parquet as parquet"):
        read_table("t.parquet", reading(), tmp_path)
    parquet.write_table(pa.table({"v": [[1, 2], [3]]}), tmp_path / "t.parquet")
    with pytest.raises(LayerctlError, match="the lists differ in length"):
        read_table("t.parquet", reading(), tmp_path)
    parquet.write_table(pa.table({"v": [{"a": 1}]}), tmp_path / "t.parquet")
    with pytest.raises(LayerctlError, match="neither numbers, texts, times nor lists"):
        read_table("t.parquet", reading(), tmp_path)


def test_parquet_trains_like_csv(tmp_path):
    rows = [(i * 0.25, "abc"[i % 3], "yes" if i % 2 else "no") for i in range(60)]
    (tmp_path / "t.csv").write_text("n,c,t\n" + "".join(f"{n},{c},{t}\n" for n, c, t in rows))
    parquet.write_table(pa.table(dict(zip("nct", map(list, zip(*rows, strict=True)), strict=True))), tmp_path / "t.parquet")
    found = [load(DataSpec(source=s, features={"x": {}}, target="t", cache=c), 1, lambda *p: None, tmp_path, {})
             for s, c in (("t.csv", None), ("t.parquet", None), ("t.parquet", True))]  # fmt: skip
    assert len({d.fingerprint for d in found}) == 1 and found[0].schema == found[1].schema == found[2].schema


def picture(path, colour, size=(6, 4), mode="RGB"):
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.new(mode, size, colour).save(path)


def test_a_folder_of_images_by_class(tmp_path):
    for i in range(4):
        picture(tmp_path / "set" / "red" / f"{i}.png", (255, 0, 51))
        picture(tmp_path / "set" / "blue" / f"{i}.jpg", (0, 0, 255), (12, 8))
    (tmp_path / "set" / "red" / "notes.txt").write_text("not an image")
    spec = {"source": "set", "features": {"image": {"shape": [4, 6, 3]}}, "target": "label"}
    data = load(DataSpec(**spec), 0, lambda *p: None, tmp_path, {})
    images, labels = data.train.inputs["image"], data.train.targets["label"]
    assert images.shape == (8, 4, 6, 3) and data.schema.classes() == ["blue", "red"] and labels.tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(images[4, 0, 0], [1.0, 0.0, 0.2], atol=1e-6)
    same = load(DataSpec(**spec, cache=True), 0, lambda *p: None, tmp_path, {})
    assert same.fingerprint == data.fingerprint
    (tmp_path / "set" / "blue" / "1.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with pytest.raises(LayerctlError, match=r"column 'image': '\S+1.jpg' cannot be read as an image: it is damaged"):
        load(DataSpec(**spec), 0, lambda *p: None, tmp_path, {})


def test_paths_of_images_in_a_table(tmp_path):
    picture(tmp_path / "d" / "a.png", 10, mode="L")
    picture(tmp_path / "d" / "b.png", 30, mode="L")
    (tmp_path / "d" / "t.csv").write_text("file,age,t\na.png,1,0\nb.png,2,1\n")
    spec = {"source": "d/t.csv", "features": {"x": {"columns": ["file"], "scale": "standard"}, "age": {"columns": ["age"]}}, "target": "t"}
    data = load(DataSpec(**spec), 0, lambda *p: None, tmp_path, {"t": "category"})
    assert data.schema.features["x"].shape == [4, 6, 1] and np.unique(data.train.inputs["x"]).tolist() == [-1.0, 1.0]
    (tmp_path / "d" / "t.csv").write_text("file,age,t\na.png,1,0\ngone.png,2,1\n")
    with pytest.raises(LayerctlError, match=r"t.csv:3:1: error: column 'file': 'gone.png' cannot be read as an image: there is no such file"):
        load(DataSpec(**spec), 0, lambda *p: None, tmp_path, {"t": "category"})


def test_large_arrays_are_mapped_and_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAPPED", 1000)
    a, b = np.arange(3000.0).reshape(1000, 3), np.asfortranarray(np.arange(2000).reshape(1000, 2))
    np.savez(tmp_path / "t.npz", a=a, b=b, small=np.arange(1000, dtype=np.int8))
    np.save(tmp_path / "t.npy", a)
    found = read_table("t.npz", reading(), tmp_path)
    assert isinstance(found.columns["a"], np.memmap) and (found.columns["a"] == a).all() and (found.columns["b"] == b).all()
    assert isinstance(read_table("t.npy", reading(), tmp_path).columns["x"], np.memmap)
    np.savez_compressed(tmp_path / "c.npz", a=a)
    assert (read_table("c.npz", reading(), tmp_path).columns["a"] == a).all()
    damaged = (tmp_path / "t.npy").read_bytes()[:-8]
    (tmp_path / "t.npy").write_bytes(damaged)
    with pytest.raises(LayerctlError, match="cannot read"):
        read_table("t.npy", reading(), tmp_path)


def test_a_pipe_is_answered_before_it_ends(tmp_path):
    """What has come through a pipe is read while its writer pauses."""
    program = (
        "import sys\nfrom layerctl.data.readers import streamed\nfrom layerctl.spec.data import DataSpec\n"
        "spec = DataSpec(source='-', features={'x': {}}).reading()\n"
        "for t in streamed('-', spec, 4096, FORMAT): print({n: t.texts(n) for n in t.columns}, flush=True)\n"
    )
    for form, lines in (("csv", (b"a,b\n1,x\n", b'2,"y\n', b'z"\n')), ("jsonl", (b'{"a": 1, "b": "x"}\n', b'{"a": 2, ', b'"b": "y\\nz"}\n'))):
        process = subprocess.Popen([sys.executable, "-c", program.replace("FORMAT", repr(form))], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(lines[0])
        process.stdin.flush()
        assert process.stdout.readline() == b"{'a': ['1'], 'b': ['x']}\n"
        process.stdin.write(lines[1])
        process.stdin.flush()
        process.stdin.write(lines[2])
        process.stdin.close()
        assert process.stdout.read() == b"{'a': ['2'], 'b': ['y\\nz']}\n" and process.wait() == 0


def test_pieces_are_as_large_as_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "PIECE", 1000)
    from layerctl.data import readers

    monkeypatch.setattr(readers, "SMALL", 2000)
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},w{i % 5}\n" for i in range(5000)))
    found = list(streamed(str(tmp_path / "t.csv"), reading(), 700))
    assert [len(t) for t in found] == [700] * 7 + [100] and [int(v) for t in found for v in t.texts("a")] == list(range(5000))
    assert found[3].texts("b") == [f"w{i % 5}" for i in range(2100, 2800)] and found[3].span(0).line == 2102


@pytest.mark.parametrize(("source", "more"), [("'-'", []), ("rows.csv", ["--set", "data.source=-"])])
def test_whole_sources_through_standard_input(tmp_path, source, more):
    model = f"layerctl: 1\nname: m\ndata: {{source: {source}, features: {{x: {{}}}}, target: t}}\n"
    (tmp_path / "m.yaml").write_text(f"{model}model: [{{Dense: 1}}]\ncompile: {{loss: mse}}\nfit: {{epochs: 1}}\n")
    rows = io.StringIO()
    rows.write("a,b,t\n" + "".join(f"{i},{i % 3},{i * 2}\n" for i in range(50)))
    done = subprocess.run([sys.executable, "-m", "layerctl", "train", "m.yaml", "-q", *more], input=rows.getvalue(), cwd=tmp_path, capture_output=True,
                          text=True, timeout=300, env={**os.environ, "GITHUB_ACTIONS": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr
