"""Numbers and dates as people write them, read one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.data.examining.kinds import column
from layerctl.data.measures import amount, units_of
from layerctl.data.moments import ORDINAL, parsed
from layerctl.data.numbers import numbers_of, strip_of_marks, strip_of_percents, strip_of_some
from layerctl.data.table import Table

numbers = st.lists(st.integers(0, 10**6), min_size=12, max_size=40, unique=True)


def read(values, name="x", decimal="."):
    """(the column as it is examined, its numbers as they are read by that)."""
    table = Table("t.csv", {name: list(values)}, list(range(len(values))), decimal)
    found = column(table, name)
    return found, numbers_of(table, name, found.strip or "", found.units).tolist()


@pytest.mark.parametrize("text, form, iso", [
    ("1st January 2022", "%d %B %Y", "2022-01-01T00:00:00"),
    ("March 22nd, 2021", "%B %d, %Y", "2021-03-22T00:00:00"),
    ("3rd of Feb 2020", "%d %b %Y", "2020-02-03T00:00:00"),
    ("11TH août 2020", "%d %b %Y", "2020-08-11T00:00:00"),
    ("2022-07-01 10:00:00 PDT", "%Y-%m-%d %H:%M:%S %Z", "2022-07-01T10:00:00-07:00"),
    ("01.07.2022 10:00 CEST", "%d.%m.%Y %H:%M %Z", "2022-07-01T10:00:00+02:00"),
    ("Fri Jul 01 10:00:00 IST 2022", "%a %b %d %H:%M:%S %Z %Y", "2022-07-01T10:00:00+05:30"),
    ("2022/07/01 4:05:30 PM GMT+2", "%Y/%m/%d %I:%M:%S %p %Z", "2022-07-01T16:05:30+02:00"),
    ("2022-07-01 10:00 UTC-03:30", "%Y-%m-%d %H:%M %Z", "2022-07-01T10:00:00-03:30"),
    ("7/1/2022 4:05 p.m.", "%m/%d/%Y %I:%M %p", "2022-07-01T16:05:00"),
])  # fmt: skip
def test_dates(text, form, iso):
    assert parsed(text, form).isoformat() == iso


@pytest.mark.parametrize("text, form", [("2022-07-01 10:00 XYZ", "%Y-%m-%d %H:%M %Z"), ("32nd May 2020", "%d %B %Y"), ("1thing May 2020", "%d %B %Y")])
def test_no_dates(text, form):
    with pytest.raises(ValueError):
        parsed(text, form)


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_only_days_numbers_lose_their_endings(text):
    assert "".join(c for c in ORDINAL.sub(r"\1", text) if c.isdigit()) == "".join(c for c in text if c.isdigit())


@settings(max_examples=30, deadline=None)
@given(numbers)
def test_footnotes_do_not_count(values):
    found, made = read([f"{v}{['', '*', '†', '[a]', ' [12]', '²'][i % 6]}" for i, v in enumerate(values)])
    assert found.kind == "number" and made == [float(v) for v in values]


@settings(max_examples=30, deadline=None)
@given(numbers)
def test_debit_is_less_than_nothing(values):
    values = sorted(values)
    found, made = read([f"{v:,} {'DR' if i % 2 else 'CR'}" for i, v in enumerate(values)])
    assert found.kind == "number" and made == [float(-v if i % 2 else v) for i, v in enumerate(values)]


@settings(max_examples=30, deadline=None)
@given(numbers)
def test_a_currency_before_some(values):
    written = [[f"${v:,}", f"{v:,}", f"{v:,} USD", f"-${v:,}"][i % 4] for i, v in enumerate(values)]
    found, made = read(written)
    assert found.kind == "number" and made == [float(-v if i % 4 == 3 else v) for i, v in enumerate(values)]


def test_two_currencies_are_not_one():
    assert strip_of_some([f"{'$€'[i % 2]}{i}" for i in range(30)], ".") is None
    assert strip_of_some([f"{i} kg" if i % 2 else f"{i}" for i in range(30)], ".") is None


def test_percentages_beside_shares_and_beside_plain_numbers():
    """A number without a sign is a share only where none is more than one."""
    found, made = read([f"{i}%" if i % 2 else f"{i / 100}" for i in range(60)])
    assert found.kind == "number" and made == pytest.approx([i / 100 for i in range(60)])
    found, made = read([f"{i}%" if i % 2 else f"{i}" for i in range(60)])
    assert found.strip == "%" and made == [float(i) for i in range(60)]
    assert strip_of_percents([f"{i}%" if i % 2 else f"{1000 * i}" for i in range(60)], ".") is None


def test_so_many_of_so_many():
    found, made = read([f"{i / 4} out of 5" for i in range(20)])
    assert found.units == {"out of 5": 1.0} and made == [i / 4 for i in range(20)]
    assert units_of([f"{i / 2}/5 stars" if i % 2 else f"{i}/10" for i in range(20)]) == {"/10": 1.0, "/5 stars": 2.0}
    assert amount("4/7", {"/5": 1.0}) is None


def test_words_before_some_numbers():
    assert strip_of_marks([f"about {i},000" if i % 3 else f"{i},000" for i in range(1, 30)], ".") is not None
    assert strip_of_marks([f"room {i}" if i % 3 else f"{i}" for i in range(1, 30)], ".") is None


def test_yes_and_no_in_several_ways():
    assert column(Table("t.csv", {"x": ["Yes", "N", "TRUE", "0"] * 5}, list(range(20))), "x").truth
    assert not column(Table("t.csv", {"x": ["Yes", "No", "yes", "maybe"] * 5}, list(range(20))), "x").truth
    assert not column(Table("t.csv", {"x": ["yes", "no"] * 10}, list(range(20))), "x").truth


def test_answers_of_many_words_are_categories():
    answers = ["Strongly agree with this statement", "Rather agree with this statement", "Do not agree with it at all"]
    assert column(Table("t.csv", {"x": answers * 20}, list(range(60))), "x").kind == "category"


@pytest.mark.parametrize("written", ["{},{:02d}", "1.{:03d},{:02d}", "€ {},{:02d}", "({},{:02d})"])
def test_a_comma_in_one_column_alone_is_a_decimal_sign(written):
    values = [(100 + 7 * i, i % 100) for i in range(60)]
    found, made = read([written.format(*v) for v in values])
    sign, more = (-1 if "(" in written else 1), (1000 if "1." in written else 0)
    assert found.kind == "number" and made == [sign * (more + a + b / 100) for a, b in values]


def test_commas_between_thousands_are_none():
    found, made = read([f"{i},{i:03d}" for i in range(1, 60)])
    assert found.kind == "number" and made == [1001.0 * i for i in range(1, 60)]


@pytest.mark.parametrize("before", ["Fr. ", "Rs. ", "SFr. ", "kr. ", "approx. "])
def test_a_point_behind_a_word_is_no_decimal_sign(before):
    found, made = read([f"{before}{1000 + i:,}.{i:02d}" for i in range(60)])
    assert found.kind == "number" and made == [1000 + i + i / 100 for i in range(60)]


@settings(max_examples=30, deadline=None)
@given(numbers)
def test_letters_of_footnotes_do_not_count(values):
    found, made = read([f"{v}{['', ' a', '', ' p', ''][i % 5]}" for i, v in enumerate(values)])
    assert found.kind == "number" and made == [float(v) for v in values]


def test_letters_behind_most_numbers_are_kept():
    values = [f"{v}{' a' if v % 5 else ''}" for v in range(100, 160)]
    assert strip_of_marks(values, ".") is None


def test_a_number_far_below_all_others_is_missing():
    table = Table("t.csv", {"x": ["-200" if i % 20 == 0 else f"{i / 9:.1f}" for i in range(300)]}, list(range(300)))
    assert column(table, "x").odd == {"-200": 15}
    table = Table("t.csv", {"x": ["-40" if i % 20 == 0 else f"{i / 9:.1f}" for i in range(300)]}, list(range(300)))
    assert column(table, "x").odd == {}, "it is not three times as far away as the others are from each other"


@pytest.mark.parametrize("make", [lambda i: f"+49 30 {100000 + 7919 * i}", lambda i: f"{i % 100:02d}-{i % 7}-{i:05d} {i:04d} {i:03d} {i:02d}"])
def test_telephones_are_no_texts(make):
    assert column(Table("t.csv", {"x": [make(i) for i in range(200)]}, list(range(200))), "x").kind == "id"


def test_digits_that_are_not_told_are_words():
    assert column(Table("t.csv", {"zip": [f"{100 + i % 80}xx" for i in range(400)]}, list(range(400))), "zip").kind == "category"
