"""`init` on files that are no table at first sight: what it writes reads them, and the same model comes of them as of the plain file."""

import csv
import io
import random

import pytest
import yaml

from layerctl.commands.init import init
from layerctl.commands.starting.gathering import gather
from layerctl.data.examining.columns import findings
from layerctl.diagnostics import LayerctlError

CITIES = ["Oslo", "New York", "Santa Cruz de la Sierra", "Rome"]


def table(n=200):
    rng = random.Random(4)
    rows = [["age", "town", "income", "buys"]]
    for _ in range(n):
        age, town, income = rng.randrange(18, 90), rng.choice(CITIES), round(rng.uniform(100, 9999), 2)
        rows.append([str(age), town, str(income), "yes" if age + income / 100 + 9 * len(town) > 200 else "no"])
    return rows


def text_of(rows, **options):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", **options).writerows(rows)
    return out.getvalue()


def started(folder, text, target="buys"):
    """(the data section, the facts, what is told)."""
    (folder / "t.csv").write_text(text, encoding="utf-8")
    made = init(str(folder / "t.csv"), target=target)
    return yaml.safe_load(made.text)["data"], gather(str(folder / "t.csv"), [target]), made.notes


def wrapped(rows):
    return "".join('"' + line.replace('"', '""') + '"\n' for line in text_of(rows).splitlines())


def fixed(rows):
    return "".join("".join(f.ljust(w) for f, w in zip(row, (6, 26, 10, 4), strict=True)).rstrip() + "\n" for row in rows)


def typographic(rows):
    return "".join(",".join(f"“{f}”" for f in row) + "\n" for row in rows)


@pytest.mark.parametrize("form, key, value", [(wrapped, "wrapped", True), (fixed, "widths", [6, 26, 10, 4]), (typographic, "quote", "“”")])
def test_the_same_table_in_other_lines(form, key, value, tmp_path):
    plain, found, _ = started(tmp_path, text_of(table()))
    data, other, _ = started(tmp_path, form(table()))
    assert data.pop(key) == value and data == plain
    assert dict(other.columns.items()) == found.columns


def test_one_column_with_decimal_commas_beside_semicolons(tmp_path):
    """The commas cut all lines into two but the header, and yet it is no header without the rows' names."""
    rows = [[r[0], r[1], r[2].replace(".", ","), r[3]] for r in table()]
    data, facts, _ = started(tmp_path, text_of(rows, delimiter=";"))
    assert data["delimiter"] == ";" and data["decimal"] == "," and facts.columns["income"].kind == "number"


def test_lines_with_more_or_fewer_fields(tmp_path):
    rows = table()
    rows[50], rows[99] = [*rows[50], "oops"], rows[99][:2]
    data, facts, notes = started(tmp_path, text_of(rows))
    assert data["ragged"] == "fill" and facts.rows == 199 and any("2 lines have another number of fields, line 51 the first" in n for n in notes)


def test_lines_of_which_many_are_too_long_are_refused(tmp_path):
    rows = [[*r, "x"] if i % 3 == 1 else r for i, r in enumerate(table())]
    with pytest.raises(LayerctlError) as raised:
        started(tmp_path, text_of(rows))
    assert {d.code for d in raised.value.diagnostics} == {"data-ragged"}


def test_a_missing_word_is_a_value_elsewhere(tmp_path):
    """The list is the feature's own then; a word that no other column has is the file's."""
    rows = table()
    for i in range(7, 200, 15):
        rows[i][0], rows[i + 1][2] = "Rome", "n.d."
    data, facts, _ = started(tmp_path, text_of(rows))
    assert data["features"]["age"]["missing_values"] == ["Rome"] == data["features"]["age_gaps"]["missing_values"]
    assert "n.d." in data["missing_values"] and "Rome" not in data["missing_values"]
    assert facts.columns["age"].missing == 13 and facts.columns["town"].missing == 0


def test_a_missing_word_of_the_target_alone(tmp_path):
    rows = table()
    rows[5][2] = rows[80][2] = "Oslo"
    data, _, notes = started(tmp_path, text_of(rows), "income")
    assert data["target"]["missing_values"] == ["Oslo"] and data["target"]["missing"] == "drop"
    assert any("'Oslo' among the numbers of income is taken for a missing value" in n for n in notes)


def test_yes_and_no_in_several_ways(tmp_path):
    ways = {"yes": ["Yes", "Y", "TRUE", "1"], "no": ["No", "N", "FALSE", "0"]}
    rows = [[*r[:3], ways[r[3]][i % 4] if i else r[3]] for i, r in enumerate(table())]
    data, facts, _ = started(tmp_path, text_of(rows))
    assert data["target"] == {"column": "buys", "kind": "binary"} and len(facts.targets[0].classes) == 2
    said = [d for d in findings(facts.table, facts.columns, frozenset(["buys"])) if "'buys'" in d.message]
    assert [d.code for d in said] == ["column-spelling"] and "`kind: binary` in the target" in said[0].hint
    data, _, _ = started(tmp_path, text_of(rows), "town")
    assert data["features"]["answers"] == {"columns": ["buys"], "kind": "binary", "missing": "most_frequent", "unseen": "most_frequent"}


def test_columns_below_each_other_without_blanks_in_words_are_cut_at_blanks(tmp_path):
    rows = [[r[0], r[1].split()[0], *r[2:]] for r in table()]
    data, _, _ = started(tmp_path, fixed(rows))
    assert data["delimiter"] == "whitespace" and "widths" not in data
