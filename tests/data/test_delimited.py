"""The kernels against Python's csv module and float: the same tables, the same numbers, the same complaints, whatever the bytes."""

import csv
import io
import itertools
import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerctl.data.delimited import Dialect, Heading, header_of, plain_tables
from layerctl.data.fields import native_tables
from layerctl.data.native import decimals
from layerctl.data.table import joined
from layerctl.diagnostics import LayerctlError

MISSING = frozenset(["?", "NA", ""])
ALPHABET = st.text(alphabet=st.sampled_from(list('ab1,;"\n\r\t |?NA.é \x85\x1c　€\U0001f600')), max_size=8)


def dialect(delimiter=",", quote='"', decimal=".", columns=None, missing=MISSING, escape=None, comment=None, runs=False):
    return Dialect(delimiter, quote, missing, decimal, columns, escape, comment, runs)


def told(make, chosen):
    """A table's columns and lines, or what is wrong with it."""
    heading = Heading(chosen, "t.csv")
    try:
        found = list(make(heading))
        heading.end()
    except LayerctlError as error:
        return [d.render() for d in error.diagnostics]
    table = joined(found)
    return {n: table.texts(n) for n in table.columns}, list(map(int, table.lines))


def both(data, chosen, cuts=()):
    """What Python's reader and the kernels make of bytes that come in some pieces."""
    marks = [0, *sorted(c for c in cuts if c < len(data)), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(marks) if a < b]
    return told(lambda h: plain_tables([data], h, 1000), chosen), told(lambda h: native_tables(pieces, h), chosen)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ALPHABET, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from([",", ";", "\t", "|", " "]),
       st.sampled_from(["\n", "\r\n"]), st.lists(st.integers(1, 80), max_size=4))  # fmt: skip
def test_what_csv_writes_comes_back(rows, delimiter, end, cuts):
    out = io.StringIO()
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL  # older writers leave a lone carriage return bare
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([["x", "y", "z"], *rows])
    plain, native = both(out.getvalue().encode(), dialect(delimiter), cuts)
    assert native == plain
    wanted = [[f.replace("\r\n", "\n").replace("\r", "\n").strip() for f in r] for r in rows]
    wanted = [[None if f in MISSING else f for f in r] for r in wanted if any(r)]
    if wanted:
        assert native[0] == {n: [r[i] for r in wanted] for i, n in enumerate("xyz")}
    else:
        assert "has a header, but no rows" in native[0]


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.sampled_from(list('ab1,"\n\r\t ?.é ')), max_size=60), st.sampled_from(['"', "'", None]),
       st.lists(st.integers(1, 60), max_size=3))  # fmt: skip
@example('a,b\n"x"y"z",1\n', '"', [])
@example('a,b\nx, "1,2" \n', '"', [])
@example('a,b\n"x\r\ny","u""v"\r\n', '"', [8, 9])
@example("a,b\n1,2,\n3,4,?\n5,6,7\n", '"', [])
@example('a\n"x\n\n\n', '"', [])
@example('a,b\n 1,"2"', '"', [])
def test_any_text_is_read_alike(text, quote, cuts):
    plain, native = both(text.encode(), dialect(quote=quote), cuts)
    assert native == plain


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.sampled_from(list('ab1,"\\\\#\n\r .é')), max_size=60), st.sampled_from(['"', None]), st.sampled_from(["\\", None]),
       st.sampled_from(["#", None]), st.lists(st.integers(1, 60), max_size=3))  # fmt: skip
@example('a,b\n"x \\"y\\", z",1\n', '"', "\\", None, [])
@example('a,b\n"x\\\\",1\n', '"', "\\", None, [])
@example('a,b\nx\\,y,1\nx\\\r\ny,2\r\n', '"', "\\", None, [7, 8, 13])
@example('a,b\n"x"\\,y\n', '"', "\\", None, [])
@example('a,b\nx,y\\', '"', "\\", None, [])
@example('a,b\nx,\\\ry', '"', "\\", None, [])
@example('a,b\nx,y\\\n', None, "\\", None, [])
@example('# a, "b\na,b\n"#x\n#y",1\n#,\r\n#', '"', None, "#", [1, 2, 3])
def test_escapes_and_comments_are_read_alike(text, quote, escape, comment, cuts):
    plain, native = both(text.encode(), dialect(quote=quote, escape=escape, comment=comment), cuts)
    assert native == plain


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.sampled_from(list('ab1   "\n\r#.é')), max_size=60), st.sampled_from(['"', None]), st.sampled_from(["#", None]),
       st.lists(st.integers(1, 60), max_size=3))  # fmt: skip
@example('  a   b \n 1     "x  y"   \n2 3', '"', None, [3, 9])
def test_any_number_of_blanks_is_read_alike(text, quote, comment, cuts):
    plain, native = both(text.encode(), dialect(" ", quote=quote, comment=comment, runs=True), cuts)
    assert native == plain


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ALPHABET, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from([",", "\t"]), st.booleans(),
       st.lists(st.integers(1, 80), max_size=4))  # fmt: skip
def test_what_csv_writes_with_escapes_comes_back(rows, delimiter, quoting, cuts):
    rows = [[f.replace("\r", "\n") + "\\" for f in r] for r in rows]
    out = io.StringIO()
    options = {"quoting": csv.QUOTE_ALL, "doublequote": False} if quoting else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    csv.writer(out, delimiter=delimiter, lineterminator="\n", escapechar="\\", **options).writerows([["x", "y", "z"], *rows])
    plain, native = both(out.getvalue().encode(), dialect(delimiter, quote='"' if quoting else None, escape="\\"), cuts)
    assert native == plain
    assert native[0] == {n: [r[i].strip() for r in rows] for i, n in enumerate("xyz")}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_alike_or_refused(data):
    text = data.decode("utf-8", "replace").replace("\0", "0").encode()
    plain, native = both(text, dialect(columns=("p", "q")))
    assert native == plain


def converted(texts, decimal="."):
    data = ("x,y\n" + "\n".join(f'"{t}",a' for t in texts) + "\n").encode()
    table = joined(list(native_tables([data], Heading(dialect(decimal=decimal), "t.csv"))))
    return table


def bits(x):
    return struct.pack("<d", x)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@example([5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.0, -0.0, 1e22, 1e23, 9007199254740993.0, 4.35, 123456789012345.67])
def test_numbers_come_back_bit_for_bit(values):
    found = converted([repr(v) for v in values]).numbers("x")
    assert [bits(v) for v in found] == [bits(v) for v in values]


DIGITS = st.text(alphabet="0123456789", min_size=1, max_size=25)


@settings(max_examples=500, deadline=None)
@given(st.tuples(st.sampled_from(["", "-", "+"]), DIGITS, st.sampled_from(["", ".", ".5"]), DIGITS | st.just(""), st.integers(-400, 400) | st.none()))
@example(("", "9007199254740993", "", "", None))
@example(("", "2", ".", "2250738585072011", -308))
@example(("-", "1", ".", "00000000000000011102230246251565404", None))
def test_numbers_are_rounded_as_python_rounds_them(parts):
    sign, whole, point, fraction, exponent = parts
    text = sign + whole + point + fraction + ("" if exponent is None else f"e{exponent}")
    wanted = float(text)
    if math.isinf(wanted):
        with pytest.raises(LayerctlError, match="is too large for a number"):
            converted([text]).numbers("x")
    else:
        assert bits(converted([text]).numbers("x")[0]) == bits(wanted)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-.,eEx_ ١", max_size=8), st.sampled_from([".", ","]))
def test_what_is_a_number_is_one_for_both(text, decimal):
    def judged(table):
        try:
            return [bits(v) for v in table.numbers("x")], table.is_numeric("x")
        except LayerctlError as error:
            return str(error), table.is_numeric("x")

    data = f'x;y\n"{text}";a\n'.encode()
    chosen = dialect(";", decimal=decimal)
    tables = [joined(list(make)) for make in (plain_tables([data], Heading(chosen, "t"), 9), native_tables([data], Heading(chosen, "t")))]
    assert judged(tables[0]) == judged(tables[1])


def test_the_kernel_decides_nearly_all_of_what_repr_writes():
    values = np.random.default_rng(1).normal(size=2000) * 10.0 ** np.random.default_rng(2).integers(-200, 200, 2000)
    values, rest = converted([repr(float(v)) for v in values]).columns["x"].numbers()
    assert len(rest) <= 20


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 10**18), st.integers(-342, 308))
def test_the_plain_twin_rounds_as_python_does(digits, exponent):
    found = decimals.rounded(digits, exponent, decimals.powers().ravel().tolist())
    wanted = float(f"{digits}e{exponent}")
    assert found == -1 or struct.pack("<q", found) == bits(wanted)


def test_texts_are_numbered_in_the_order_of_first_sight():
    rng = np.random.default_rng(3)
    words = [f"word {i}" * (i % 5) for i in rng.integers(0, 3000, 20000)]
    data = ("x,y\n" + "".join(f"{w},1\n" for w in words)).encode()
    pieces = [data[i : i + 7000] for i in range(0, len(data), 7000)]
    table = joined(list(native_tables(pieces, Heading(dialect(), "t.csv"))))
    codes, kept = table.coded("x")
    wanted = [w.strip() or None for w in words]
    assert table.texts("x") == wanted and list(kept) == list(dict.fromkeys(w for w in wanted if w is not None))
    assert ((codes == -1) == table.missing("x")).all() and (table.missing("x") == [w is None for w in wanted]).all()
    rows = rng.permutation(len(words))[:500]
    picked = table.take(rows)
    codes, kept = picked.coded("x")
    assert picked.texts("x") == [wanted[i] for i in rows] and list(kept) == list(dict.fromkeys(wanted[i] for i in rows if wanted[i] is not None))
    assert picked.span(3).line == rows[3] + 2 and table.part(100, 200).texts("x") == wanted[100:200]


def test_records_and_fields_have_bounds():
    for text in ("a,b\n" + '"' + "x\n" * 3000 + '",1\n', "a,b\n1,2\n" + "y" * 10_000_001 + ",1\n"):
        plain, native = both(text.encode(), dialect())
        assert native == plain and len(native) == 1 and ("not closed within 3001 lines" in native[0] or "field limit" in native[0])


def test_json_in_a_tables_place():
    with pytest.raises(LayerctlError, match="data-syntax") as caught:
        header_of(next(csv.reader(['[{"a": 1}]'])), dialect(), "t.csv")
    assert "it seems to be JSON" in str(caught.value) and ".jsonl" in str(caught.value) and str(caught.value).startswith("t.csv:1:1: ")
