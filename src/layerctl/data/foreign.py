"""Files that are no rows of text whatever they are called: what they are by their first bytes, and what makes rows of them."""

from __future__ import annotations

import re

from layerctl.diagnostics import Span, fail

_CSV = "save the table as CSV in the program that wrote it"
_SIGNS = (
    (b"PAR1\x15", "a Parquet file", "say `format: parquet` in the data section, or call it .parquet; for standard input `--input-format parquet`"),
    (b"ARROW1\0", "an Arrow file", "say `format: arrow` in the data section, or call it .arrow; for standard input `--input-format arrow`"),
    (b"\xff\xfe\0\0", "UTF-32", "write it as UTF-8: `iconv -f UTF-32 -t UTF-8 FILE`"),
    (b"\0\0\xfe\xff", "UTF-32", "write it as UTF-8: `iconv -f UTF-32 -t UTF-8 FILE`"),
    (b"\x93NUMPY", "a numpy array", "say `format: npz` in the data section, or call it .npy"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", "save the sheet as CSV"),
    (b"%PDF", "a PDF document", _CSV),
    *((b"BZh%d1AY&SY" % level, "packed with bzip2", "unpack it with bunzip2; gzip and zip are read as they are") for level in range(1, 10)),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it with unxz; gzip and zip are read as they are"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it with unzstd; gzip and zip are read as they are"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it with `7z x`; gzip and zip are read as they are"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it with `unrar x`; gzip and zip are read as they are"),
    (b"SQLite format 3\0", "an SQLite database", 'write a table of it as CSV: `sqlite3 -header -csv FILE "select * from NAME" > rows.csv`'),
    (b"\x89HDF", "an HDF5 file", "write its table as CSV: `pandas.read_hdf(FILE).to_csv(...)`, or its arrays with numpy.savez"),
    (b"\x89PNG", "an image", "images are read from a folder, or by their paths in a column"),
    (b"\xff\xd8\xff", "an image", "images are read from a folder, or by their paths in a column"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "`git lfs pull` fetches the file"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05](?:\x95|c|}|\])", re.DOTALL)
_MARKUP = re.compile(r"\s*<(!doctype html|html|\?xml)\b", re.IGNORECASE)
_ARFF = re.compile(r"(\s*%.*\n|\s*\n)*@relation\s", re.IGNORECASE)
TEXT = 4096
"""Bytes that show what a text is."""


def foreign(head: bytes) -> tuple[str, str] | None:
    """(what a file with these first bytes is, its cure), if it is a known kind of file without rows of text."""
    for sign, what, cure in _SIGNS:
        if head.startswith(sign):
            return what, cure
    if _PICKLE.match(head):
        return "a pickle", "a pickle is code to run: write the table with `to_csv` or `to_parquet`"
    if head[257:262] == b"ustar":
        return "a tar archive", "unpack it with `tar xf`, and name the file in it"
    text = head[:TEXT].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    found = _MARKUP.match(text)
    if found and found[1] != "?xml":
        return "a page of HTML", "a download may have given a page in place of the file, which a browser shows; a table in it is read by `pandas.read_html`"
    if found:
        return "an XML document", "write its rows as CSV: `pandas.read_xml(FILE).to_csv(...)`"
    if _ARFF.match(text):
        return "an ARFF file", "write the names of its @attribute lines as a header above the lines behind @data, and leave the rest out"
    return None


def refuse_foreign(head: bytes, place: Span) -> None:
    """Ends with what the file is, if it has no rows of text.

    Raises:
        LayerctlError: `file-binary`.
    """
    found = foreign(head)
    if found is not None:
        fail("file-binary", f"the file is {found[0]}, not rows of text", place, hint=found[1])
