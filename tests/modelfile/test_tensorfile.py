import io
import json
import os
import pickle
import random
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import safetensors.numpy as oracle

from layerctl.diagnostics import LayerctlError
from layerctl.modelfile import foreign, header, tensors

RNG = np.random.default_rng(1)
EVERY = {
    "dense/kernel": RNG.standard_normal((5, 3)).astype("f4"),
    "dense/bias": np.array([np.nan, np.inf, -0.0], "f4"),
    "scalar": np.float64(2.5),
    "empty": np.zeros((0, 4), "i8"),
    "counts": np.arange(7, dtype="u4"),
    "flags": np.array([[True], [False]]),
    "half": np.arange(3, dtype="f2"),
    "bytes": np.arange(5, dtype="u1"),
    "größe": np.array([-1], "i2"),
}
METADATA = {"b": "text with \"quotes\", {braces} and ü", "a": "\n\x1f\\",
            "layerctl.x": '"layerctl.digest":"' + "0" * 64 + '"'}


def refused(action) -> str:
    """The code of the one diagnostic that ends `action`; it names its file and has a cure."""
    begin = time.perf_counter()
    with pytest.raises(LayerctlError) as caught:
        action()
    (found,) = caught.value.diagnostics
    assert found.hint and found.span and found.message.startswith(repr(found.span.source.name.rsplit("/", 1)[-1]))
    assert len(found.message) < 500 and found.message.isprintable()
    assert time.perf_counter() - begin < 5
    return found.code


def raw_file(table, data=b"") -> bytes:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + data


def same(left, right):
    assert set(left) == set(right)
    for name in left:
        a, b = np.asarray(left[name]), np.asarray(right[name])
        assert a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def test_round_trip(tmp_path):
    path = tmp_path / "w.safetensors"
    assert tensors.save(path, EVERY, METADATA) is None
    arrays, metadata = tensors.load(path)
    same(arrays, EVERY)
    assert metadata == METADATA
    for array in arrays.values():
        assert array.flags.writeable and array.flags.owndata and array.flags.aligned
        array[...] = 0
    assert tensors.load_metadata(path).items() >= METADATA.items()


def test_layouts_and_byte_orders(tmp_path):
    a = np.arange(24, dtype="f4").reshape(2, 3, 4)
    views = {"f": np.asfortranarray(a), "t": a.T, "s": a[:, ::2, ::-1], "big": a.astype(">f4")}
    tensors.save(tmp_path / "w", views, {})
    arrays, _ = tensors.load(tmp_path / "w")
    same(arrays, {"f": a, "t": np.ascontiguousarray(a.T), "s": np.ascontiguousarray(a[:, ::2, ::-1]), "big": a})
    for wrong in (np.array(["text"]), np.array([1j]), np.array([None])):
        with pytest.raises(TypeError, match="'w'"):
            tensors.save(tmp_path / "w2", {"w": wrong}, {})


def test_the_same_content_gives_the_same_bytes(tmp_path):
    tensors.save(tmp_path / "a", EVERY, METADATA)
    script = ("import sys; sys.path.insert(0, sys.argv[1]); from test_tensorfile import *\n"
              "tensors.save(sys.argv[2], dict(reversed(EVERY.items())), dict(reversed(METADATA.items())))")
    command = [sys.executable, "-c", script, os.path.dirname(__file__), tmp_path / "b"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_library_reads_what_is_written_here(tmp_path):
    tensors.save(tmp_path / "w", EVERY, METADATA)
    same(oracle.load_file(tmp_path / "w"), EVERY)
    with oracle.safe_open(tmp_path / "w", "np") as file:
        assert {k: v for k, v in file.metadata().items() if k != header.DIGEST} == METADATA


def test_what_the_library_writes_is_read_here(tmp_path):
    for arrays in (EVERY, {}, {"one": np.zeros(0, "f4")}):
        oracle.save_file({k: np.asarray(v) for k, v in arrays.items()}, tmp_path / "w", {"key": "text"})
        read, metadata = tensors.load(tmp_path / "w", foreign_allowed=True)
        same(read, arrays)
        assert metadata == {"key": "text"}
        assert refused(lambda: tensors.load(tmp_path / "w")) == "not-a-model-file"


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound"
    tensors.save(path, EVERY, METADATA)
    return path.read_bytes()


CODES = {"file-damaged", "not-a-model-file", "unknown-dtype", "bad-tensor-name"}


def test_cut_short_anywhere(tmp_path, sound):
    path = tmp_path / "cut"
    for i in range(64):
        path.write_bytes(sound[: len(sound) * i // 64])
        assert refused(lambda: tensors.load(path)) in CODES
    path.write_bytes(sound + b"\0")
    assert refused(lambda: tensors.load(path)) == "file-damaged"


def test_a_changed_byte_or_bit_anywhere(tmp_path, sound):
    path = tmp_path / "flipped"
    length = 8 + int.from_bytes(sound[:8], "little")
    draw = random.Random(5)
    bits = [(i, 0xFF) for i in range(length)] + [(i, 1 << draw.randrange(8)) for i in range(length)]
    bits += [(draw.randrange(len(sound)), 1 << draw.randrange(8)) for _ in range(300)]
    for at, mask in bits:
        damaged = bytearray(sound)
        damaged[at] ^= mask
        path.write_bytes(damaged)
        assert refused(lambda: tensors.load(path)) in CODES, (at, mask)


def test_equal_sized_tensors_may_not_change_places(tmp_path):
    one, two = np.ones(4, "f4"), np.zeros(4, "f4")
    tensors.save(tmp_path / "w", {"a": one, "b": two}, {})
    data = (tmp_path / "w").read_bytes()
    (tmp_path / "w").write_bytes(data.replace(b'"a":', b'"?":').replace(b'"b":', b'"a":').replace(b'"?":', b'"b":'))
    assert refused(lambda: tensors.load(tmp_path / "w")) == "file-damaged"


def entry(dtype="F32", shape=(1,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


HOSTILE = {
    "endless header": ((1 << 60).to_bytes(8, "little") + b"{}", "file-damaged"),
    "header beyond the limit": ((101 << 20).to_bytes(8, "little") + b"{}", "file-damaged"),
    "header beyond the file": ((100).to_bytes(8, "little") + b"{}", "file-damaged"),
    "nothing but a length": (bytes(8), "not-a-model-file"),
    "overlap": (raw_file({"a": entry(), "b": entry(offsets=(2, 6))}, bytes(6)), "file-damaged"),
    "same bytes twice": (raw_file({"a": entry(), "b": entry()}, bytes(4)), "file-damaged"),
    "hole": (raw_file({"a": entry(), "b": entry(offsets=(8, 12))}, bytes(12)), "file-damaged"),
    "hole at the start": (raw_file({"a": entry(offsets=(4, 8))}, bytes(8)), "file-damaged"),
    "bytes after the end": (raw_file({"a": entry()}, bytes(5)), "file-damaged"),
    "beyond the end": (raw_file({"a": entry(shape=(1 << 40,), offsets=(0, 1 << 42))}, bytes(4)), "file-damaged"),
    "backwards": (raw_file({"a": entry(offsets=(4, 0))}, bytes(4)), "file-damaged"),
    "a name twice": (raw_file(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), bytes(4)), "file-damaged"),
    "a key twice": (raw_file(b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
                    "file-damaged"),
    "metadata twice": (raw_file(b'{"__metadata__":{},"__metadata__":{}}'), "file-damaged"),
    "shape overflows": (raw_file({"a": entry(shape=(1 << 62, 4), offsets=(0, 0))}), "file-damaged"),
    "empty, yet endless": (raw_file({"a": entry(shape=(0, 1 << 62, 1 << 62), offsets=(0, 0))}), "file-damaged"),
    "shape in floats": (raw_file({"a": entry(shape=(1.0,))}, bytes(4)), "file-damaged"),
    "shape of true": (raw_file({"a": entry(shape=(True,))}, bytes(4)), "file-damaged"),
    "negative shape": (raw_file({"a": entry(shape=(-1, -1))}, bytes(4)), "file-damaged"),
    "negative offset": (raw_file({"a": entry(offsets=(-4, 0))}, bytes(4)), "file-damaged"),
    "3 offsets": (raw_file({"a": entry(offsets=(0, 4, 4))}, bytes(4)), "file-damaged"),
    "100 dimensions": (raw_file({"a": entry(shape=(1,) * 100)}, bytes(4)), "file-damaged"),
    "size does not match": (raw_file({"a": entry(shape=(2,))}, bytes(4)), "file-damaged"),
    "unknown key": (raw_file({"a": entry(path="/etc/passwd")}, bytes(4)), "file-damaged"),
    "missing key": (raw_file({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)), "file-damaged"),
    "a list for a tensor": (raw_file({"a": [1]}, bytes(4)), "file-damaged"),
    "bfloat16": (raw_file({"a": entry("BF16", (2,))}, bytes(4)), "unknown-dtype"),
    "object": (raw_file({"a": entry("O")}, bytes(4)), "unknown-dtype"),
    "dtype is a list": (raw_file({"a": entry(["F32"])}, bytes(4)), "unknown-dtype"),
    "bool of 2": (raw_file({"a": entry("BOOL", offsets=(0, 1))}, b"\x02"), "file-damaged"),
    "deep": (raw_file(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "file-damaged"),
    "deep, not too deep": (raw_file(b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"), "file-damaged"),
    "5000 digits": (raw_file(b'{"a":' + b"9" * 5000 + b"}"), "file-damaged"),
    "1e999": (raw_file(b'{"a":1e999}'), "file-damaged"),
    "NaN": (raw_file(b'{"a":NaN}'), "file-damaged"),
    "not JSON": (raw_file(b"{'a': 1}"), "file-damaged"),
    "not UTF-8": (raw_file(b'{"\xff":1}'), "file-damaged"),
    "lone surrogate": (raw_file(b'{"\\ud800":%s}' % json.dumps(entry()).encode(), bytes(4)), "file-damaged"),
    "surrogate in metadata": (raw_file(b'{"__metadata__":{"a":"\\udfff"}}'), "file-damaged"),
    "tab padding": (raw_file(b"{}\t\x00"), "file-damaged"),
    "metadata is a list": (raw_file({"__metadata__": []}), "file-damaged"),
    "metadata of numbers": (raw_file({"__metadata__": {"a": 1}}), "file-damaged"),
    "name with NUL": (raw_file({"a\0b": entry()}, bytes(4)), "bad-tensor-name"),
    "name with an escape": (raw_file({"\x1b[2J": entry()}, bytes(4)), "bad-tensor-name"),
    "name right to left": (raw_file({"a\u202eb": entry()}, bytes(4)), "bad-tensor-name"),
    "endless name": (raw_file({"a" * 5000: entry()}, bytes(4)), "bad-tensor-name"),
    "no name": (raw_file({"": entry()}, bytes(4)), "bad-tensor-name"),
    "digest missing": (raw_file({"__metadata__": {"layerctl.format": "1"}}), "file-damaged"),
    "digest wrong": (raw_file({"__metadata__": {"layerctl.digest": "x"}}), "file-damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_headers(tmp_path, case):
    data, code = HOSTILE[case]
    (tmp_path / "w").write_bytes(data)
    allowed = not case.startswith("digest missing")
    assert refused(lambda: tensors.load(tmp_path / "w", foreign_allowed=allowed)) == code


def test_names_with_slashes_stay_names(tmp_path):
    arrays = {"../../etc/x": np.zeros(1, "f4"), "C:\\x": np.zeros(1, "f4"), "/abs": np.zeros(1, "f4")}
    tensors.save(tmp_path / "w", arrays, {})
    same(tensors.load(tmp_path / "w")[0], arrays)
    assert os.listdir(tmp_path) == ["w"]
    assert refused(lambda: tensors.save(tmp_path / "w", {"a\nb": np.zeros(1)}, {})) == "bad-tensor-name"


def test_a_header_that_would_not_be_read_is_not_written(tmp_path):
    with pytest.raises(LayerctlError, match=r"'vocabulary'.*\[header-too-large\]"):
        tensors.save(tmp_path / "w", {}, {"vocabulary": "x" * (17 << 20)})
    assert os.listdir(tmp_path) == []


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return buffer.getvalue()


def npy(save, array):
    buffer = io.BytesIO()
    save(buffer, array)
    return buffer.getvalue()


FOREIGN = {
    "empty": (b"", "is empty"),
    "pickle": (pickle.dumps({"a": list(range(100))}), "pickle"),
    "short pickle": (pickle.dumps(1), "pickle"),
    "torch": (zipped("archive/data.pkl", "archive/version"), "PyTorch"),
    "keras": (zipped("metadata.json", "config.json", "model.weights.h5"), "Keras"),
    "npz": (npy(np.savez, np.zeros(3)), "npz"),
    "npy": (npy(np.save, np.zeros(3)), "npy"),
    "zip": (zipped("a.txt"), "zip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    "gzip": (b"\x1f\x8b\x08" + bytes(100), "gzip"),
    "yaml": (b"layerctl: 1\nname: iris\nmodel:\n  - Dense: 3\n", "not yet trained"),
    "yaml with a brace": (b"model:\n {a: b}\n", "not yet trained"),
    "json": (b'{"class_name": "Sequential", "config": {}}', "JSON"),
    "csv": (b"a,b,c\n1,2,3\n", "a text"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
    "onnx": (b"\x08\x0a\x12\x07pytorch" + bytes(50), "ONNX"),
    "noise": (bytes(range(128, 256)), "does not know"),
    "short": (b"\x01\x02", "does not know"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_other_formats_are_named(tmp_path, case):
    data, word = FOREIGN[case]
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(LayerctlError, match=word):
        tensors.load(tmp_path / "w")
    assert refused(lambda: tensors.load(tmp_path / "w")) == "not-a-model-file"
    for size in range(len(data[:40])):
        foreign.recognise(data[:size])


def test_a_header_length_that_looks_like_a_pickle(tmp_path):
    for size in range(350, 650):
        tensors.save(tmp_path / "w", {}, {"a": "x" * size})
        data = (tmp_path / "w").read_bytes()
        tensors.load(tmp_path / "w")
        if data[:2] == b"\x80\x02":
            return
    pytest.fail("no header of 640 bytes came up")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(lambda: tensors.load(tmp_path / "pipe")) == "not-a-model-file"
    assert refused(lambda: tensors.load(tmp_path)) == "not-a-model-file"
    assert refused(lambda: tensors.load("/dev/zero")) == "not-a-model-file"
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(LayerctlError, match=r"did you mean 'model.safetensors'\?"):
        tensors.load(tmp_path / "modle.safetensors")
    assert refused(lambda: tensors.load(tmp_path / "missing")) == "no-such-file"
    assert refused(lambda: tensors.load(str(tmp_path) + "/a\0b")) == "cannot-read"
    (tmp_path / "loop").symlink_to("loop")
    assert refused(lambda: tensors.load(tmp_path / "loop")) == "cannot-read"


def test_a_sparse_file_beyond_memory(tmp_path):
    size = tensors.memory() // 4 * 4 + 4
    path = tmp_path / "w"
    path.write_bytes(raw_file({"a": entry(shape=(size // 4,), offsets=(0, size))}))
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) + size)
    assert refused(lambda: tensors.load(path, foreign_allowed=True)) == "file-too-large"


def test_a_file_beyond_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    tensors.save(tmp_path / "w", EVERY, {})
    monkeypatch.setattr(tensors, "memory", lambda: 500)
    assert refused(lambda: tensors.load(tmp_path / "w")) == "file-too-large"


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "w"
    real = tensors._read_into

    def meanwhile(change):
        def read_into(name, file, buffer):
            change()
            real(name, file, buffer)
        return read_into

    for change in (lambda: os.truncate(path, 300_000), lambda: os.utime(path, (1, 1))):
        tensors.save(path, {"a": np.zeros(200_000, "f4")}, {})
        monkeypatch.setattr(tensors, "_read_into", meanwhile(change))
        assert refused(lambda: tensors.load(path)) == "file-changed"


def test_reading_imports_little():
    script = "import sys, layerctl.modelfile.artifact\n"
    script += "print([m for m in ('safetensors', 'yaml', 'pydantic', 'numba') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"
