"""Lines of predictions: kernels and plain Python write the same bytes, those of csv, json and format."""

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.ops import printing
from layerctl.predicting import lines
from layerctl.predicting.columns import Numbers, Texts
from layerctl.runtime.native import native

FLOATS = st.one_of(
    st.floats(), st.floats(0, 1, width=32), st.integers(-(10**12), 10**12).map(lambda n: n / 1024), st.integers(0, 10**10).map(lambda n: n / 20),
    st.integers(-15, 22).map(lambda e: 10.0**e), st.integers(0, 10**9).map(lambda n: (n + 0.5) * 10.0 ** ((n % 9) - 4)),
)  # fmt: skip
TEXTS = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["", "a,b", 'say "x"', "two\nlines", "plain", "µ", " blank ", "\r"]))


def kernel_written(values, wide, point):
    write, _ = native(lines.MODULE, lines.KERNELS)
    x, n = np.array(values, np.float64), len(values)
    out, lengths = np.zeros(n * printing.ROOM, np.uint8), np.zeros(n, np.int64)
    write(x, out, lengths, np.array([10.0**i for i in range(printing.POWERS + 1)]), n, wide, point)
    data = out.tobytes()
    return [data[i * printing.ROOM : i * printing.ROOM + k].decode() if k >= 0 else None for i, k in enumerate(lengths.tolist())]


def test_the_places_that_are_named_twice_agree():
    assert (lines.ROOM, lines.POWERS) == (printing.ROOM, printing.POWERS)


@settings(max_examples=400, deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=30))
def test_numbers_are_as_format_writes_them(values):
    for v, text in zip(values, kernel_written(values, 9, 0), strict=True):
        assert text == f"{v:.9g}" if text is not None else not math.isfinite(v) or not 1e-14 <= abs(v) < 1e22
    for v, text in zip(values, kernel_written(values, 16, 1), strict=True):
        assert text is None or text == repr(float(f"{v:.9g}"))


def test_a_million_numbers_and_all_that_lie_halfway():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(300_000), rng.random(100_000).astype(np.float32), 10.0 ** rng.uniform(-16, 24, 100_000),
                             rng.integers(0, 10**9, 50_000) * 0.5, np.arange(-2000, 2000) / 8, np.arange(10**9 - 500, 10**9) + 0.5])  # fmt: skip
    made = kernel_written(values, 9, 0)
    assert sum(m is None for m in made) < 0.1 * len(made)
    assert all(m is None or m == f"{v:.9g}" for v, m in zip(values.tolist(), made, strict=True))


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 12))
    columns = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            values = draw(st.lists(FLOATS, min_size=rows, max_size=rows))
            there = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows))) if draw(st.booleans()) else None
            columns.append(Numbers(np.array(values), there))
        else:
            words = list(dict.fromkeys(w for w in draw(st.lists(TEXTS, min_size=1, max_size=5)) if w is not None))
            codes = draw(st.lists(st.integers(-1, len(words) - 1), min_size=rows, max_size=rows))
            columns.append(Texts(np.array(codes), words))
    return columns


def by_csv(names, columns):
    to = io.StringIO()
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(["" if v is None else f"{v:.9g}" if isinstance(v, float) else v for v in row] for row in zip(*(c.tolist() for c in columns), strict=True))
    return to.getvalue().encode()


def by_json(names, columns):
    def plain(v):
        return (float(f"{v:.9g}") if math.isfinite(v) else None) if isinstance(v, float) else v

    rows = zip(*(c.tolist() for c in columns), strict=True)
    return "".join(json.dumps(dict(zip(names, map(plain, row), strict=True)), ensure_ascii=False) + "\n" for row in rows).encode()


@settings(max_examples=300, deadline=None)
@given(tables())
@pytest.mark.parametrize("few", [0, 1 << 30], ids=["kernels", "python"])
def test_tables_are_as_csv_and_json_write_them(few, columns):
    names = [f'n"{i},' for i in range(len(columns))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "FEW", few)
        patch.setattr(lines, "MANY", 0)
        for form, oracle in (("csv", by_csv), ("jsonl", by_json)):
            to = lines.Lines(form, names)
            assert to.head() + to.of(columns) == oracle(names, columns)


def test_kernels_are_not_compiled_for_few_rows(monkeypatch):
    asked = []
    monkeypatch.setattr(lines, "native", lambda module, names, compiling: asked.append(compiling))
    to = lines.Lines("csv", ["x"])
    for rows in (10, lines.FEW, lines.MANY):
        to.of([Numbers(np.zeros(rows))])
    assert asked == [False, True]
