"""What a feature or target encodes comes back: words, truth values, classes, labels, dates, texts, numbers within rounding."""

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.data import columns as col
from layerctl.data import splits
from layerctl.data.dates import encode_date, fit_date, formats_of
from layerctl.data.features import encode_feature, fit_feature
from layerctl.data.numbers import numbers_of, strip_of
from layerctl.data.parts import parts_of, resampled
from layerctl.data.statistics import quantile
from layerctl.data.table import BadRows, Table
from layerctl.data.target_codes import encode_target, encode_targets
from layerctl.data.targets import fit_target
from layerctl.data.texts import joined, pieces, tokens
from layerctl.diagnostics import LayerctlError
from layerctl.predicting.telling import told
from layerctl.spec.data import DataSpec, FeatureSpec, SplitSpec
from layerctl.spec.features import LINE_END, FeatureSchema
from layerctl.spec.targets import target_spec

WORD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)
NUMBER = st.floats(-1e12, 1e12, allow_nan=False).map(lambda v: float(f"{v:.10g}"))
FEW = settings(max_examples=60, deadline=None)


def table(**columns):
    return Table("t.csv", columns, list(range(2, 2 + len(next(iter(columns.values()))))))


def every(columns):
    return np.arange(len(next(iter(columns.values()))) if isinstance(columns, dict) else len(columns))


@FEW
@given(st.lists(WORD, min_size=1, max_size=30), st.lists(WORD, max_size=5))
def test_words_come_back_and_others_go_into_the_bucket(words, others):
    fit = col.fit_category(table(c=words), "c", FeatureSpec(), every(words))
    ids = col.encode_category(table(c=[*words, *others]), fit)
    back = [fit.words[i - 1] if i else None for i in ids]
    assert back == [w if w in words else None for w in [*words, *others]]


@FEW
@given(st.lists(WORD, min_size=1, max_size=30), st.sampled_from([str.lower, str.upper, str.title, str.capitalize]))
def test_words_whose_capital_letters_do_not_count(words, turned):
    """Each spelling that training had, and each word turned, is the same word, if it is one still: the eszett's capital is not always."""
    fit = col.fit_category(table(c=words), "c", FeatureSpec(ignore_case=True), every(words))
    assert len(fit.words) == len(set(map(col.folded, words)))
    for spelled in (words, [t for w in words if col.folded(t := turned(w)) == col.folded(w)]):
        ids = col.encode_category(table(c=spelled), fit) if spelled else []
        assert [col.folded(fit.words[i - 1]) for i in ids] == list(map(col.folded, spelled)) and all(i > 0 for i in ids)


@FEW
@given(st.lists(WORD, min_size=1, max_size=30), st.lists(WORD, min_size=1, max_size=5))
def test_unseen_words_as_the_policy_says(words, others):
    others = [o for o in others if o not in words]
    common = col.fit_category(table(c=words), "c", FeatureSpec(unseen="most_frequent"), every(words))
    best = max(sorted(set(words)), key=words.count)
    assert [common.words[i - 1] for i in col.encode_category(table(c=[*words, *others]), common)] == [*words, *[best] * len(others)]
    strict = col.fit_category(table(c=words), "c", FeatureSpec(unseen="error"), every(words))
    col.encode_category(table(c=words), strict)
    if others:
        with pytest.raises(LayerctlError, match=r"t.csv:2:1: error: column 'c': .* was not in the training rows \[data-unseen\]"):
            col.encode_category(table(c=others), strict)


@FEW
@given(st.lists(NUMBER, min_size=1, max_size=30), st.sampled_from(["standard", "minmax", "none"]))
def test_scaled_numbers_come_back_within_rounding(values, how):
    given_ = table(n=[repr(v) for v in values])
    fit = col.fit_number(given_, "n", FeatureSpec(scale=how), every(values))
    back = col.encode_number(given_, fit).astype(np.float64) * fit.spread + fit.centre
    room = 1e-6 * (np.abs(np.array(values) - fit.centre).max() + abs(fit.spread)) + 1e-9 * abs(fit.centre)
    np.testing.assert_allclose(back, values, rtol=0, atol=room)


@FEW
@given(st.lists(NUMBER, min_size=2, max_size=40), st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda q: q[0] < q[1]))
def test_clipped_numbers_stay_within_the_training_rows_quantiles(values, q):
    given_ = table(n=[repr(v) for v in values])
    fit = col.fit_number(given_, "n", FeatureSpec(scale="none", outlying="clip", quantiles=list(q)), every(values))
    low, high = np.quantile(np.array(values), q)
    np.testing.assert_allclose([fit.low, fit.high], [low, high], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(col.encode_number(given_, fit), np.clip(values, fit.low, fit.high), rtol=1e-6, atol=1e-30)
    assert quantile(np.array(values), 0.0) == min(values) and quantile(np.array(values), 1.0) == max(values)


@FEW
@given(st.lists(st.floats(-1e9, 1e9).map(lambda v: round(v, 2)), min_size=1, max_size=20), st.sampled_from(["$", "€", "£", ""]),
       st.sampled_from([",", " ", "'", "\u202f", ""]), st.sampled_from(["%", " €", ""]))  # fmt: skip
def test_numbers_as_people_write_them(values, before, between, behind):
    """Currency, thousands and percent signs are found in the column, and the numbers are those without them."""
    texts = []
    for v in values:
        text = f"{abs(v):,.2f}".replace(",", between) if between else f"{abs(v):.2f}"
        texts.append(f"{'-' if v < 0 else ''}{before}{text}{behind}")
    if before and "€" in behind:
        return
    strip = strip_of(texts, ".")
    if strip is None:
        assert not before and not behind and (not between or all(abs(v) < 1000 for v in values))
        strip = ""
    np.testing.assert_allclose(numbers_of(table(n=texts), "n", strip), values)


@pytest.mark.parametrize("texts", [["12", "half"], ["12 %", "0.12"], ["$5", "€5"], ["1,5", "2"], ["1,2,3456"], ["12.5.2020"], ["1-2"]])
def test_what_is_no_way_to_write_numbers(texts):
    assert strip_of(texts, ".") is None


@FEW
@given(st.lists(st.booleans(), min_size=2, max_size=20).filter(lambda v: len(set(v)) == 2),
       st.sampled_from([("yes", "no"), ("TRUE", "False"), ("1", "0"), ("y", "N"), ("right", "left"), ("t", "F")]))  # fmt: skip
def test_truth_values_come_back(values, words):
    texts = [words[not v] for v in values]
    fit = col.fit_binary(table(b=texts), "b", FeatureSpec(kind="binary"), every(values))
    assert col.encode_binary(table(b=texts), fit).tolist() == [float(v) for v in values]


@FEW
@given(st.lists(st.dates(datetime.date(1, 1, 2), datetime.date(9999, 12, 30)), min_size=1, max_size=20),
       st.sampled_from([None, "%d.%m.%Y", "%Y/%m/%d", ["%d.%m.%Y", "%Y-%m-%d"]]))  # fmt: skip
def test_days_months_and_weekdays_come_back(days, form):
    forms = [None] if form is None else [form] if isinstance(form, str) else form
    texts = [d.isoformat() if f is None else f"{d.day:02d}.{d.month:02d}.{d.year:04d}" if f == "%d.%m.%Y" else
             f"{d.year:04d}{f[2]}{d.month:02d}{f[2]}{d.day:02d}" for i, d in enumerate(days) for f in [forms[i % len(forms)]]]  # fmt: skip
    spec = FeatureSpec(kind="date", scale="none", format=form)
    fit = fit_date(table(d=texts), "d", spec, every(days))
    made = encode_date(table(d=texts), fit)
    assert [round(float(x) + fit.centre) for x in made[:, 0]] == [d.toordinal() for d in days]
    assert made[:, 1:13].argmax(1).tolist() == [d.month - 1 for d in days] and made[:, 13:].argmax(1).tolist() == [d.weekday() for d in days]


def test_parts_of_moments():
    parts = ["elapsed", "year", "quarter", "month", "day", "weekday", "hour", "minute"]
    texts = ["2020-01-01T00:00", "2020-01-01T12:00", "2020-01-01T14:30+02:00", None]
    fit = fit_date(table(d=texts), "d", FeatureSpec(kind="date", scale="none", parts=parts, missing="median"), np.arange(4))
    made = encode_date(table(d=texts), fit)
    assert made.shape == (4, 1 + 1 + 4 + 12 + 1 + 7 + 24 + 1)
    np.testing.assert_allclose(made[:, 0], [0, 0.5, 12.5 / 24, 0.5], atol=1e-6)
    assert made[2, 26:50].argmax() == 14 and made[2, 50] == np.float32(0.5)


def test_formats_that_dates_may_have():
    assert formats_of(["31/12/2020", "1/2/2021"]) == ["%d/%m/%Y"]
    assert formats_of(["12/1/2020", "1/2/2021"]) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert formats_of(["Mar 3, 2020"]) == ["%b %d, %Y", "%B %d, %Y"][:1] and formats_of(["hello"]) == [] and formats_of(["1.2"]) == []


@FEW
@given(st.lists(WORD, min_size=2, max_size=20).filter(lambda v: len({w.casefold() for w in v}) > 1 and len({w.casefold() for w in v}) == len(set(v))))
def test_classes_come_back(labels):
    given_ = table(t=labels)
    fit = fit_target(given_, target_spec({"column": "t", "kind": "category"}), every(labels), None, {})
    assert [fit.classes[i] for i in encode_target(given_, fit, {}, {})] == labels
    assert fit.counts == [labels.count(c) for c in fit.classes]
    np.testing.assert_allclose(np.dot(fit.balanced(), fit.counts), len(labels))


@FEW
@given(st.lists(st.sets(st.sampled_from(["a b", "c", "dé"])), min_size=2, max_size=20).filter(lambda v: len(set().union(*v)) > 1), st.sampled_from("|;,"))
def test_labels_come_back(labels, between):
    texts = [between.join(sorted(v)) or None for v in labels]
    given_ = table(t=texts)
    fit = fit_target(given_, target_spec({"column": "t", "kind": "labels", "separator": between}), every(labels), None, {})
    made = encode_target(given_, fit, {}, {})
    columns = told(FeatureSchema({}, {"t": fit}), "t", made, False)
    assert columns["prediction"] == [t or "" for t in texts]


@FEW
@given(st.lists(st.lists(st.sampled_from("xyz"), min_size=1, max_size=9), min_size=2, max_size=9).filter(lambda v: len({x for s in v for x in s}) > 1))
def test_a_label_a_step_comes_back_up_to_the_length(steps):
    given_ = table(w=[" ".join(f"w{x}" for x in s) for s in steps], t=[" ".join(s) for s in steps])
    feature = fit_feature("w", given_, ["w"], FeatureSpec(kind="text", split="whitespace", length=6), every(steps))
    fit = fit_target(given_, target_spec({"column": "t", "kind": "sequence"}), every(steps), "category", {"w": feature})
    schema = FeatureSchema({"w": feature}, {"t": fit})
    inputs = {"w": encode_feature("w", given_, feature)}
    made, weights = encode_targets(given_, schema, inputs)
    assert weights.sum(1).tolist() == [min(len(s), 6) for s in steps]
    onehot = np.eye(len(fit.classes))[made["t"]]
    assert told(schema, None, onehot, False, inputs)["prediction"] == [" ".join(s[:6]) for s in steps]


@FEW
@given(st.lists(st.lists(NUMBER, min_size=3, max_size=3), min_size=1, max_size=9), st.sampled_from([" ", ",", "; "]), st.booleans())
def test_vectors_come_back(rows, between, brackets):
    texts = [("[{}]" if brackets else "{}").format(between.join(map(repr, r))) for r in rows]
    fit = fit_feature("v", table(v=texts), ["v"], FeatureSpec(kind="vector"), every(rows))
    assert fit.shape == [3]
    np.testing.assert_allclose(encode_feature("v", table(v=texts), fit), np.array(rows, np.float32))


@FEW
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30), min_size=1, max_size=6), st.integers(2, 9), st.booleans())
def test_a_language_models_pieces_are_the_texts(texts, length, join):
    given_ = table(t=texts)
    spec = FeatureSpec(kind="text", split="characters", length=length, lowercase=False)
    fit = fit_feature("t", given_, ["t"], spec, every(texts), ends=True)
    x, y, source = pieces(given_, fit, join)
    words = ["", "?", *fit.columns[0].words]
    found = {}
    for row, ids in zip(source, y, strict=True):
        found[row] = found.get(row, "") + joined([words[i] for i in ids if i], "characters")
    assert "".join(found[r] for r in sorted(found)) == "".join(t + LINE_END for t in texts)
    for row in np.unique(source):
        ins, outs = x[source == row].ravel(), y[source == row].ravel()
        kept = outs != 0
        np.testing.assert_array_equal(ins[kept][1:], outs[kept][:-1])


@FEW
@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_tokens_join_to_the_same_tokens(text):
    for split in ("words", "whitespace", "characters"):
        cut = tokens(text, split, False)
        assert tokens(joined(cut, split), split, False) == cut or split == "words"
    assert joined(["a", "dog", ",", "it", "barks", "!"], "words") == "a dog, it barks!"
    assert joined(["[", "0"], "whitespace") == "[ 0" and joined(["[", "0", "]"], "words") == "[0]"


@FEW
@given(st.lists(st.integers(0, 6), min_size=12, max_size=60).filter(lambda g: len(set(g)) >= 4), st.integers(0, 9), st.integers(2, 4))
def test_folds_hold_each_row_once_and_keep_groups_whole(groups, seed, k):
    groups = np.array(groups)
    labels = groups % 2
    for made in (splits.folds(len(groups), k, seed), splits.folds(len(groups), k, seed, labels),
                 splits.folds(len(groups), k, seed, None, groups), splits.folds(len(groups), k, seed, labels, groups)):  # fmt: skip
        assert sorted(np.concatenate(made).tolist()) == list(range(len(groups))) and all(len(f) for f in made)
    for fold in splits.folds(len(groups), k, seed, labels, groups):
        assert not set(groups[fold]) & set(np.delete(groups, fold))
    sizes = [[int((labels[f] == c).sum()) for f in splits.folds(len(groups), k, seed, labels)] for c in np.unique(labels)]
    assert all(max(s) - min(s) <= 1 for s in sizes)


@FEW
@given(st.lists(st.integers(0, 9), min_size=30, max_size=80).filter(lambda g: len(set(g)) >= 6), st.integers(0, 9))
def test_groups_are_in_one_part(groups, seed):
    groups = np.array(groups)
    parts = splits.by_group(groups, SplitSpec(validation=0.25, test=0.25, by="group", column="g"), seed, lambda p: None)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(groups)))
    held = [set(groups[r]) for r in parts.values()]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])


@FEW
@given(st.lists(st.sampled_from("aaaabbc"), min_size=8, max_size=60).filter(lambda v: len(set(v)) == 3), st.integers(0, 5))
def test_classes_are_evened_out(labels, seed):
    given_ = table(t=labels)
    for method in ("over", "under"):
        spec = DataSpec(source="t.csv", features={"x": {}}, target="t", sampling=method)
        rows = resampled(spec, seed, given_, np.arange(len(labels)), lambda *p: None, {})
        counts = {c: sum(labels[i] == c for i in rows) for c in "abc"}
        wanted = max(map(labels.count, "abc")) if method == "over" else min(map(labels.count, "abc"))
        assert counts == dict.fromkeys("abc", wanted)
        assert method == "under" or set(rows.tolist()) == set(range(len(labels)))
        np.testing.assert_array_equal(rows, resampled(spec, seed, given_, np.arange(len(labels)), lambda *p: None, {}))


def test_folds_by_time_train_on_what_is_before():
    given_ = table(t=[f"{d:02d}.01.2020" for d in range(1, 25)])
    for fold in range(1, 4):
        split = SplitSpec(by="time", column="t", format="%d.%m.%Y", folds=3, fold=fold, validation=0.2)
        spec = DataSpec(source="t.csv", features={"x": {}}, split=split.model_dump())
        parts = parts_of(spec, 0, given_, 24, np.arange(24), lambda *p: None, False)
        assert parts["train"].max() < parts["validation"].min() and parts["validation"].max() < parts["test"].min()
        assert len(parts["test"]) == 6


@pytest.mark.parametrize("strip", ["", "$"])
def test_a_column_that_is_no_numbers_says_which_rows(strip):
    with pytest.raises(BadRows) as caught:
        numbers_of(Table("t", {"a": ["1", "x", None, "y"]}), "a", strip)
    assert list(caught.value.rows) == [1, 3] and all("`kind: category`" in str(d.hint) for d in caught.value.diagnostics)
