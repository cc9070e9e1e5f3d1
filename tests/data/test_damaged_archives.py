"""Archives with compressed data that are none, arrays of odd kinds, fitted features that nobody fitted."""

import subprocess
import sys
import zipfile

import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from layerctl.data.arrays import read_npz
from layerctl.data.arrow import arrow_tables
from layerctl.diagnostics import LayerctlError, Source, Span
from layerctl.importing.archive import read
from layerctl.modelfile import weightfiles
from layerctl.spec.features import FeatureSchema


def spoiled(path, name):
    """The archive at `path` with a member's compressed bytes overwritten."""
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(name).header_offset + 30 + len(name)
        size = archive.getinfo(name).compress_size
    data = bytearray(path.read_bytes())
    data[start + size // 3 : start + size // 3 + 8] = b"\xff" * 8
    path.write_bytes(data)


def test_compressed_data_that_are_none(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(3000.0), y=np.arange(3000.0))
    spoiled(tmp_path / "a.npz", "x.npy")
    with pytest.raises(LayerctlError, match=r"cannot read .*a\.npz as numpy arrays: .*\[file-unreadable\]\n  hint: write it again"):
        read_npz(str(tmp_path / "a.npz"), Span(Source("a.npz")))
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", '{"class_name": "Sequential", "config": {"name": "m", "layers": []}, "more": "' + str(list(range(3000))) + '"}')
    spoiled(tmp_path / "m.keras", "config.json")
    with pytest.raises(LayerctlError, match=r"'m\.keras' is no whole zip archive .*\[file-damaged\]\n  hint: "):
        read(str(tmp_path / "m.keras"))


@pytest.mark.parametrize("array", [np.zeros(2, "V8"), np.zeros(2, "c8"), np.zeros(2, [("a", "f4"), ("b", "i4")])])
def test_arrays_that_are_no_numbers_texts_or_dates(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(LayerctlError, match=r"the array 'x' is of .*, expected numbers, texts or dates"):
        read_npz(str(tmp_path / "a.npy"), Span(Source("a.npy")))


def test_texts_of_arrays(tmp_path):
    place = Span(Source("a.npy"))
    for array, found in ((np.array(["é", "b"]), ["é", "b"]), (np.array(["é".encode(), b"b"]), ["é", "b"]), (np.array(["é"]).astype(">U2"), ["é"])):
        np.save(tmp_path / "a.npy", array)
        assert read_npz(str(tmp_path / "a.npy"), place).columns["x"] == found
    for array in (np.array([b"\xe9", b"b"]), np.array([0x110000, 65], "<u4").view("<U1")):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(LayerctlError, match=r"'x' has texts that are no Unicode.*\n  hint: save texts as str"):
            read_npz(str(tmp_path / "a.npy"), place)


def npy(header, data=b"\0" * 16):
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(("data", "says"), [
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"), None), (b"not an array", "it has no header of numpy's"),
    (npy("{'descr': '<f8', 'shape': (2,"), "it has no header of numpy's"),
    (npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"), "holds Python objects"),
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1 << 60,), }"), "it has no header"),
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }"), "it declares (99999999999999,) of float64, and has 16 bytes"),
    (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -2), }"), "it declares (-1, -2)"),
], ids=["good", "no-array", "cut", "objects", "code", "huge", "negative"])  # fmt: skip
def test_headers_of_arrays(tmp_path, data, says):
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    for path in ("a.npz", "a.npy") if data[:1] == b"\x93" else ("a.npz",):
        place = Span(Source(path))
        if says is None:
            assert read_npz(str(tmp_path / path), place).columns["x"].tolist() == [0.0, 0.0]
            continue
        with pytest.raises(LayerctlError, match="file-unreadable") as caught:
            read_npz(str(tmp_path / path), place)
        assert says in str(caught.value) and "hint: " in str(caught.value)
        if path == "a.npz":
            with pytest.raises(LayerctlError, match="damaged"):
                weightfiles.read(tmp_path / path)


ARROW = """
import sys
from layerctl.data.arrow import arrow_tables
from layerctl.diagnostics import LayerctlError, Source, Span
try:
    print(sum(len(t) for t in arrow_tables(sys.argv[1], "arrow", Span(Source("a.arrow")), frozenset())))
except LayerctlError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["offsets", "indices"])
@pytest.mark.parametrize("form", ["file", "stream"])
def test_places_beyond_an_arrow_file_s_data(tmp_path, what, form):
    """Offsets and indices that lead to other memory: the library follows them, unless they are looked at."""
    words = pyarrow.array(["one", "three", "three", "seven"])
    sound = np.array([0, 3, 8, 13, 18] if what == "offsets" else [0, 1, 1, 2], np.int32).tobytes()
    table = pyarrow.table({"a": words if what == "offsets" else words.dictionary_encode()})
    path = tmp_path / "a.arrow"
    with pyarrow.OSFile(str(path), "wb") as file, (pyarrow.ipc.new_file if form == "file" else pyarrow.ipc.new_stream)(file, table.schema) as writer:
        writer.write_table(table)
    data = path.read_bytes()
    assert data.count(sound) == 1
    for change in (sound, np.full(len(sound) // 4, 1 << 30, np.int32).tobytes()):
        path.write_bytes(data.replace(sound, change))
        done = subprocess.run([sys.executable, "-c", ARROW, str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "4\n" if change == sound else "[file-unreadable]" in done.stdout


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_texts_that_are_no_utf8(tmp_path, form):
    buffers = [None, pyarrow.py_buffer(np.array([0, 2, 3], np.int32)), pyarrow.py_buffer(b"\xff\xfea")]
    table = pyarrow.table({"a": pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)})
    path = str(tmp_path / f"a.{form}")
    (pyarrow.parquet.write_table if form == "parquet" else pyarrow.feather.write_feather)(table, path)
    with pytest.raises(LayerctlError, match=r"UTF8.*file-unreadable"):
        list(arrow_tables(path, form, Span(Source(path)), frozenset()))


COLUMN = {"name": "a", "kind": "number"}
FEATURE = {"kind": "number", "shape": [1], "dtype": "f32", "columns": [COLUMN]}


@pytest.mark.parametrize(
    "change",
    [
        {"fill": "/etc/passwd"}, {"kind": "date", "fill": "x"}, {"kind": "category", "fill": 3.0}, {"kind": "date", "centre": 1e300}, {"spread": 0.0},
        {"kind": "lambda"}, {"outlying": "clip"}, {"outlying": "run", "low": 0.0, "high": 1.0}, {"kind": "category", "unseen": "most_frequent"},
    ],
)  # fmt: skip
def test_columns_that_nobody_fitted(change):
    FeatureSchema.from_dict({"features": {"f": FEATURE}, "targets": {}})
    with pytest.raises(LayerctlError, match="bad-features"):
        FeatureSchema.from_dict({"features": {"f": {**FEATURE, "columns": [{**COLUMN, **change}]}}, "targets": {}})


@pytest.mark.parametrize("change", [{"step": 0}, {"horizon": -1}, {"length": -5}, {"encode": "pickle"}, {"split": "eval"}])
def test_features_that_nobody_fitted(change):
    with pytest.raises(LayerctlError, match="bad-features"):
        FeatureSchema.from_dict({"features": {"f": {**FEATURE, **change}}, "targets": {}})
