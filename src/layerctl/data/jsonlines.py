"""JSON lines: an object a line, its keys are columns."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from layerctl.data.delimited import lines_of
from layerctl.data.faults import Faults
from layerctl.data.streams import line_ends
from layerctl.data.table import Table
from layerctl.diagnostics import LayerctlError, Source, Span, fail

LONGEST_LINE = 1 << 26
"""Characters of one row."""


class _Twice(ValueError):
    """An object has a key twice; Python's json would take the last of its values and say nothing."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise _Twice
    return row


_scan = json.JSONDecoder(object_pairs_hook=_once).scan_once
_scan_written = json.JSONDecoder(parse_float=str).scan_once
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*+")(?:\s*(:))?|[{}\[\]]')


def json_tables(
    pieces: Iterable[bytes], name: str, missing: frozenset[str], rows: int | None, faults: Faults | None = None, wanted: Sequence[str] = ()
) -> Iterator[Table]:  # fmt: skip
    """Tables of up to so many rows, or of all, and of what has come where the writer pauses.

    A key that is not there is a missing value, lists are arrays, numbers are kept as they are written.
    Columns that are `wanted`, or that an earlier table had, are there in any case.
    """
    names = dict.fromkeys(wanted)
    found: list[dict[str, Any]] = []
    lines: list[int] = []
    number = 0
    for line in lines_of(bounded(pieces, name), pauses=True):
        if line:
            number += 1
        text = line.strip()
        if text:
            found.append(_row(text, number, name, faults))
            lines.append(number)
        if found and (len(found) == rows or (not line and rows is not None)):
            yield _complete(table_of_rows(found, lines, name, missing), names)
            found, lines = [], []
    if found:
        yield _complete(table_of_rows(found, lines, name, missing), names)


def _complete(table: Table, names: dict[str, None]) -> Table:
    """The table with the columns that are wanted, which are henceforth also those that it has itself."""
    names |= dict.fromkeys(table.columns)
    table.columns |= {n: [None] * len(table.lines) for n in names if n not in table.columns}
    return table


def rows_of(lines: Iterable[tuple[int, bytes]], name: str, faults: Faults | None) -> list[dict[str, Any]]:
    """Lines by their numbers as rows, see `_row`."""
    return [_row(line.decode().strip(), number, name, faults) for number, line in lines]


def _row(text: str, number: int, name: str, faults: Faults | None) -> dict[str, Any]:
    """A line as a row; one without values where it is none and bad rows are passed over."""
    try:
        return json_row(text, number, name)
    except LayerctlError as error:
        if faults is None or not faults.unread(error.diagnostics[0], number):
            raise
        return {}


def bounded(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The pieces, as long as their lines are of a length that rows have."""
    line, pending = 1, 0
    for piece in pieces:
        breaks = line_ends(piece)
        pending = len(piece) - piece.rindex(b"\n") - 1 if breaks else pending + len(piece)
        line += breaks
        if pending > LONGEST_LINE:
            fail("data-syntax", f"this line has more than {LONGEST_LINE >> 20} MB", Span(Source(name), line, 1), hint="write an object to a line")
        yield piece


def _told(error: Exception, line: str, at: int) -> tuple[str, str]:
    """(what is wrong with a line, the cure) by the parser's complaint and the sign where it stopped."""
    if isinstance(error, RecursionError):
        return "its lists or objects are nested too deep", "write numbers and texts, or one list of numbers, to a key"
    if not isinstance(error, json.JSONDecodeError):
        return "a whole number has more than 4300 digits", "write it with fewer, or as a text"
    if line[at : at + 1] == "'":
        return error.msg, 'JSON has double quotes: write " for each of them'
    if line[at : at + 1] in ("}", "]") and line[:at].rstrip().endswith(","):
        return error.msg, f"remove the ',' before the '{line[at]}'"
    if error.msg == "Extra data":
        return "something stands behind the object", "remove it: a line is one object, without a ',' at its end"
    return error.msg, 'write an object to a line, as in {"x": 1, "y": 2}'


def json_row(line: str, number: int, name: str) -> dict[str, Any]:
    """One line of JSON, without blanks around, as a row; finite numbers with a fraction or an exponent are texts as they are written."""
    try:
        row, end = _scan(line, 0)
        if end == len(line) and type(row) is dict and not _halved(line, row):
            fractions = [k for k, v in row.items() if type(v) is float and math.isfinite(v)]
            if fractions:
                written = _scan_written(line, 0)[0]
                row |= {k: written[k] for k in fractions}
            return row
    except (StopIteration, ValueError, RecursionError):
        pass  # what is wrong is found out below
    place = Span(Source(name, None, {number: line}), number, 1, number, 2)
    try:
        row = json.loads(line, object_pairs_hook=_once)
    except _Twice:
        key, begin, end = _second(line)
        fail("data-duplicate-key", f"the key '{key}' stands twice in this line", Span(place.source, number, begin + 1, number, end + 1),
             hint="keep one of the two, or call the other differently")  # fmt: skip
    except (ValueError, RecursionError) as error:
        at = getattr(error, "colno", 1)
        if line == "{":
            fail("data-syntax", "this line is not JSON: an object begins here that goes on in other lines", place,
                 hint="write an object to a line, or an array of objects; `jq -c '.NAME[]' FILE > rows.jsonl` takes an array out of an object")  # fmt: skip
        what, cure = _told(error, line, at - 1)
        fail("data-syntax", f"this line is not JSON: {what}", Span(place.source, number, at, number, at + 1), hint=cure)
    if _halved(line, row):
        at = re.search(r"\\u[dD][89abcdefABCDEF]", line)
        begin = at.start() + 1 if at is not None else 1
        fail("data-syntax", "this line has half of a character: \\ud800 to \\udfff stand in pairs", Span(place.source, number, begin, number, begin + 6),
             hint="write the character itself, or both halves of it")  # fmt: skip
    if not isinstance(row, dict):
        fail("data-syntax", f"a line must be a JSON object, got {type(row).__name__}", place, hint='write {"column": value, ...}')
    return row


def _halved(line: str, row: Any) -> bool:
    """Whether a text of the row has one half of a character beyond 16 bits, which no encoding can hold."""
    if "\\u" not in line:
        return False
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _second(line: str) -> tuple[str, int, int]:
    """(key, where it begins, where it ends) of the first key that its object had before; the line is JSON."""
    keys: list[set[str] | None] = []
    for token in _TOKEN.finditer(line):
        text, is_key = token[1] or token[0], token[2]
        if text in "{[":
            keys.append(set() if text == "{" else None)
        elif text in "}]":
            keys.pop()
        elif is_key and (own := keys[-1]) is not None:
            key = json.loads(text)
            if key in own:
                return key, token.start(), token.start() + len(text)
            own.add(key)
    raise AssertionError


def table_of_rows(rows: list[dict[str, Any]], lines: list[int], name: str, missing: frozenset[str]) -> Table:
    """Rows of JSON values as columns of text, of numbers where all values are numbers, or of arrays where they are lists."""
    names = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    if len(rows) == 1 and names and all(type(v) is dict for v in rows[0].values()):
        fail("data-syntax", "the values of this object are objects: it has columns, and no rows", Span(Source(name), lines[0], 1),
             hint='write rows, as pandas does with `to_json(FILE, orient="records")`')  # fmt: skip
    columns: dict[str, Any] = {}
    for n in names:
        values = [r.get(n) for r in rows]
        if any(type(v) is list for v in values):
            columns[n] = _arrays(n, values, lines, name)
        else:
            columns[n] = [scalar(v, missing) for v in values]
    return Table(name, columns, lines)


def _arrays(column: str, values: list[Any], lines: list[int], name: str) -> np.ndarray:
    try:
        array = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        fail("data-ragged", f"column '{column}': the lists differ in length or hold what is no number", Span(Source(name), lines[0], 1),
             hint="give each row as many numbers")  # fmt: skip
    return array


def scalar(v: Any, missing: frozenset[str]) -> str | None:
    """A JSON value as a table's text; None if it is missing."""
    if type(v) is str:
        text = v.strip()
    elif v is None or (type(v) is float and not math.isfinite(v)):
        return None
    elif type(v) is bool:
        return "true" if v else "false"
    else:
        text = json.dumps(v) if type(v) is dict else str(v)
    return None if text in missing else text
