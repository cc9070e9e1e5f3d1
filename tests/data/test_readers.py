"""Files as people have them, and what is said of those that cannot be read."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile

import numpy as np
import pytest

from layerctl.data import streams
from layerctl.data.dataset import load
from layerctl.data.pieces import pieces
from layerctl.data.readers import read_table
from layerctl.diagnostics import LayerctlError
from layerctl.spec.data import DataSpec


def spec(**more):
    return DataSpec(**{"source": "t.csv", "features": {"x": {}}, **more})


def table(tmp_path, data, name="t.csv", **more):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(name, spec(source=name, **more).reading(), tmp_path)


def refusal(tmp_path, data, name="t.csv", **more):
    with pytest.raises(LayerctlError) as caught:
        t = table(tmp_path, data, name, **more)
        for c in t.columns:
            t.numbers(c)
    return [d.first_line().replace(str(tmp_path) + "/", "") for d in caught.value.diagnostics]


@pytest.mark.parametrize("text", [
    "a,b\n1,x\n2,y\n", "a,b\r\n1,x\r\n2,y", "a,b\r1,x\r2,y\r", "\ufeffa,b\n1,x\n\n2,y\n\n\n", 'a,"b"\n1,"x"\n"2",y\n', "a, b\n1, x\n2 ,y\n",
])  # fmt: skip
def test_the_same_table_however_it_is_written(tmp_path, text):
    found = table(tmp_path, text)
    assert found.columns == {"a": ["1", "2"], "b": ["x", "y"]}


def test_quotes_hold_delimiters_and_line_ends(tmp_path):
    found = table(tmp_path, 'a,b\n"x, ""y""\nz",1\nv,2\n')
    assert found.columns == {"a": ['x, "y"\nz', "v"], "b": ["1", "2"]} and found.lines == [2, 4]


def test_quotes_as_ordinary_characters(tmp_path):
    found = table(tmp_path, 'a\tb\n"x\t1\ny" z\t2\n', "t.tsv", quote="none")
    assert found.columns["a"] == ['"x', 'y" z']


def test_missing_values_and_names_for_columns(tmp_path):
    found = table(tmp_path, "1,?\nNA,2\n,3\n", columns=["a", "b"])
    assert found.columns == {"a": ["1", None, None], "b": [None, "2", "3"]}


def test_semicolons_and_decimal_commas(tmp_path):
    found = table(tmp_path, "a;b\n1.234,5;x\n", delimiter=";", decimal=",")
    assert found.numbers("a").tolist() == [1234.5]


def test_gzip_json_lines_and_arrays(tmp_path):
    assert table(tmp_path, gzip.compress(b"a\nx\n"), "t.csv.gz").columns == {"a": ["x"]}
    lines = '{"a": 1, "b": [1, 2]}\n{"a": null, "b": [3, 4], "c": true}\n'
    found = table(tmp_path, lines, "t.jsonl")
    assert found.columns["a"] == ["1", None] and found.columns["c"] == [None, "true"]
    assert found.columns["b"].tolist() == [[1, 2], [3, 4]]
    packed = io.BytesIO()
    np.savez(packed, a=np.arange(3), b=np.ones((3, 2)))
    assert table(tmp_path, packed.getvalue(), "t.npz").numbers("a").tolist() == [0, 1, 2]


@pytest.mark.parametrize(("data", "line"), [
    ("a,b\n1,2\n3\n", "t.csv:3:1: error: 1 fields where 2 columns are expected [data-ragged]"),
    ("a,a\n1,2\n", "t.csv:1:1: error: two columns are called 'a' [data-duplicate-column]"),
    ("1,2\n3,4\n", "t.csv:1:1: error: the first line looks like data, not like names of columns: 1, 2 [data-no-header]"),
    ("a,b\n", "t.csv: error: the file has a header, but no rows [data-no-rows]"),
    ("", "t.csv: error: the file has no data [file-empty]"),
    ("a\n1_000\n", "t.csv:2:1: error: column 'a': '1_000' is not a number [data-not-a-number]"),
    ("a,b\n1,nan\n", "t.csv:2:2: error: column 'b': 'nan' is not a number [data-not-a-number]"),
    ("a\n1e999\n", "t.csv:2:1: error: column 'a': '1e999' is too large for a number [data-not-a-number]"),
    ("a\n１２\n", "t.csv:2:1: error: column 'a': '１２' is not a number [data-not-a-number]"),
    ('a,b\n1,"2\n3,4\n5,6\n', "t.csv:2:1: error: a quote that opens here is not closed within 3 lines [data-unclosed-quote]"),
    (b"a\n1\x00\n", "t.csv:2:2: error: the file has a NUL byte in line 2: it is not text [file-binary]"),
    ("a\n1\n".encode("utf-16"), "t.csv: error: the file is UTF-16 [file-encoding]"),
    (b"a\ncaf\xe9\n", "t.csv:2:4: error: the file is not utf-8: byte 0xe9 in line 2 [file-encoding]"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path, data, line):
    assert refusal(tmp_path, data)[0] == line


def test_files_that_are_none(tmp_path):
    with pytest.raises(LayerctlError, match=r"did you mean 't.csv'"):
        (tmp_path / "t.csv").write_text("a\n1\n")
        read_table("tt.csv", spec().reading(), tmp_path)
    with pytest.raises(LayerctlError, match="this is a folder"):
        read_table(".", spec().reading(), tmp_path)
    with pytest.raises(LayerctlError, match="end too soon"):
        table(tmp_path, gzip.compress(b"a\n" + b"1\n" * 1000)[:-20], "t.csv.gz")
    with pytest.raises(LayerctlError, match="Python objects"):
        packed = io.BytesIO()
        np.savez(packed, a=np.array([{}, 1], object))
        table(tmp_path, packed.getvalue(), "t.npz")
    with pytest.raises(LayerctlError, match="this line is not JSON"):
        table(tmp_path, '{"a": 1}\n{"a": \n', "t.jsonl")


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def arrays():
    packed = io.BytesIO()
    np.savez(packed, a=np.arange(3))
    return packed.getvalue()


@pytest.mark.parametrize(("data", "what"), [
    (b"PAR1\x15\x04\x15", "the file is a Parquet file, not rows of text"), (b"\x93NUMPY\x01\0", "the file is a numpy array"),
    (b"%PDF-1.7\n1 0 obj\n", "the file is a PDF document"), (bz2.compress(b"a\n1\n"), "the file is packed with bzip2"),
    (lzma.compress(b"a\n1\n"), "the file is packed with xz"), (pickle.dumps([1, 2]), "the file is a pickle"), (b"SQLite format 3\0", "an SQLite database"),
    (b"\n <!DOCTYPE html><html>", "the file is a page of HTML"), ("\ufeff<?xml version='1.0'?><a/>", "the file is an XML document"),
    ("version https://git-lfs.github.com/spec/v1\noid", "the file is a pointer of Git LFS, not the file itself"),
    ("a,b\n".encode("utf-32"), "the file is UTF-32"),
    ("% made in 1988\n\n@RELATION iris\n", "the file is an ARFF file"), (gzip.compress(b"%PDF-1.7\n"), "the file is a PDF document"),
    (zipped(**{"[Content_Types].xml": "", "xl/workbook.xml": ""}), "the file is an Excel workbook"),
    (zipped(a="", b=""), "the archive has 2 files: a, b; an archive of one"),
    (zipped(), "the archive has 0 files; an archive of one"), (arrays(), "the file is an archive of numpy's arrays"),
    (zipped(a="a\n1\n")[:-9], "as a zip archive: "),
], ids=lambda v: v if isinstance(v, str) and v.startswith("the") else "")  # fmt: skip
def test_files_of_other_kinds_say_what_they_are(tmp_path, data, what):
    assert what in refusal(tmp_path, data)[0]


@pytest.mark.parametrize("header", ["PAR1", "BZh9", "ARROW1", "%PD", "htmlpage", "PK", "version https"])
def test_headers_that_begin_like_other_kinds(tmp_path, header):
    assert table(tmp_path, f"{header}\n1\n").columns == {header: ["1"]}


def test_a_zip_archive_of_one_file(tmp_path, monkeypatch):
    """What systems leave beside it does not count; a file that unpacks to much more than it should is refused."""
    packed = zipped(**{"folder/t.csv": "a;b\n1;x\n", "__MACOSX/folder/._t.csv": "\0", "folder/.DS_Store": "\0"})
    assert table(tmp_path, packed, "t.zip", delimiter=";").columns == {"a": ["1"], "b": ["x"]}
    assert table(tmp_path, packed, "t.csv", delimiter=";").columns == {"a": ["1"], "b": ["x"]}
    assert table(tmp_path, zipped(x="a\tb\n1\tx\n"), "t.tsv.zip").columns == {"a": ["1"], "b": ["x"]}
    monkeypatch.setattr(streams, "_SPARED", 1 << 20)
    assert refusal(tmp_path, zipped(t=b"a\n" + b"1\n" * (1 << 20))) == ["t.csv: error: the file unpacks to more than 200 times its size [file-too-large]"]


@pytest.mark.parametrize("rows", [1, 40_000])
def test_a_header_has_no_missing_values(tmp_path, rows):
    """A column may be called like a word for missing values, whether the csv module reads it or the kernels do; numbers and such words are no header."""
    found = table(tmp_path, "NA,?,,y\n" + "NA,2,3,a\n" * rows)
    assert list(found.columns) == ["NA", "?", "column_3", "y"] and found.texts("NA")[0] is None
    assert refusal(tmp_path, "1,?,3\n" + "1,2,3\n" * rows)[0].endswith("like data, not like names of columns: 1, ?, 3 [data-no-header]")


def test_many_bad_cells_are_summed_up(tmp_path):
    found = refusal(tmp_path, "a\n1\n" + "x\n" * 9)
    assert len(found) == 5 and found[4].endswith("is not a number (9 such rows in all) [data-not-a-number]")
    found = refusal(tmp_path, "a\n" + "x\n" * 9)  # no row is as it should be: the first one tells it
    assert len(found) == 1 and found[0].endswith("is not a number (9 such rows in all) [data-not-a-number]")


def test_a_stream_in_pieces_is_the_whole(tmp_path):
    rows = [{"a": i * 0.5, "b": "xyz"[i % 3], "t": i % 2} for i in range(50)]
    (tmp_path / "t.csv").write_text("a,b,t\n" + "".join(f"{r['a']},{r['b']},{r['t']}\n" for r in rows))
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"b": r["b"], "a": r["a"]}) + "\n" for r in rows))
    data = spec(target="t", features={"x": {}})
    schema = load(data, 0, lambda *p: None, tmp_path, {"t": "category"}).schema
    whole = [p.rows.inputs["x"] for p in pieces(str(tmp_path / "t.csv"), schema, data.reading(), 1000)]
    cut = [p.rows.inputs["x"] for p in pieces(str(tmp_path / "p.jsonl"), schema, data.reading(), 7)]
    assert len(cut) == 8
    np.testing.assert_array_equal(np.concatenate(whole), np.concatenate(cut))


def cured(tmp_path, data, name="t.csv", **more):
    """(first line, cure) of each thing that is said of a file."""
    with pytest.raises(LayerctlError) as caught:
        table(tmp_path, data, name, **more)
    return [(d.first_line().replace(str(tmp_path) + "/", ""), d.hint) for d in caught.value.diagnostics]


@pytest.mark.parametrize("data, more, says, cure", [
    ("1,2\n" * 9, {"columns": ["a"]}, "1:1: error: 2 fields where 1", "a column for each field"),
    ("1\t2\n" * 9, {"columns": ["a", "b"]}, "1:1: error: 1 fields where 2", "the delimiter ','"),
    ("a;b\n" + "1;2,5\n" * 9, {}, "2:1: error: 2 fields where 1", "the delimiter seems to be another"),
])  # fmt: skip
def test_what_is_wrong_with_all_lines_is_said_once(tmp_path, data, more, says, cure):
    (found,) = cured(tmp_path, data, **more)
    assert found[0] == f"t.csv:{says} columns are expected, in 9 of 9 lines [data-ragged]" and cure in found[1]


@pytest.mark.parametrize("line, column, says, cure", [
    ("{'a': 1}", 2, "property name enclosed in double quotes", 'write " for each'),
    ('{"a": 1,}', 9, "property name enclosed in double quotes", "remove the ',' before the '}'"),
    ('{"a": 1},', 9, "something stands behind the object", "without a ',' at its end"),
    ('{"a": ' + "9" * 5000 + "}", 1, "a whole number has more than 4300 digits", "as a text"),
    ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", 1, "nested too deep", "one list of numbers"),
])  # fmt: skip
def test_a_line_of_json_is_told_what_to_change(tmp_path, line, column, says, cure):
    (found,) = cured(tmp_path, '{"a": 1}\n' + line + "\n", "t.jsonl")
    assert found[0].startswith(f"t.jsonl:2:{column}: error: ") and says in found[0] and cure in found[1]


@pytest.mark.parametrize("array", [np.array([["a", "b"]] * 3), np.array([["2024-01-01", "2024-01-02"]] * 3, "M8[D]"), np.array([[b"a"]] * 3)])
def test_texts_of_an_array_are_one_a_row(tmp_path, array):
    buffer = io.BytesIO()
    np.savez(buffer, x=array, y=np.arange(3))
    (found,) = cured(tmp_path, buffer.getvalue(), "t.npz")
    assert f"the array 'x' has texts or dates of the shape {array.shape}, expected one a row [data-syntax]" in found[0] and "an array of its own" in found[1]
