"""Features are fitted on the training rows alone, and encode alike ever after."""

import numpy as np
import pytest

from layerctl.data import splits
from layerctl.data.dataset import load, load_for_evaluation, schema_of
from layerctl.diagnostics import LayerctlError
from layerctl.spec.data import DataSpec, SplitSpec
from layerctl.spec.features import FeatureSchema


def made(tmp_path, text, hints=None, seed=0, **section):
    (tmp_path / "t.csv").write_text(text)
    return load(DataSpec(source="t.csv", **section), seed, lambda *p: None, tmp_path, hints or {})


ROWS = "n,c,t\n" + "".join(f"{i},{'abc'[i % 3]},{i % 2}\n" for i in range(40))


def test_statistics_come_from_training_rows(tmp_path):
    section = {"features": {"x": {"columns": ["n", "c"]}}, "target": "t", "split": {"test": 0.25, "by": "time"}}
    before = made(tmp_path, ROWS, {"t": "category"}, **section).schema.to_dict()
    lines = ROWS.splitlines()
    for i in range(31, 41):
        lines[i] = f"{1e6 + i},zzz,{i % 2}"
    after = made(tmp_path, "\n".join(lines), {"t": "category"}, **section)
    assert after.schema.to_dict() == before
    fitted = after.schema.features["x"]
    assert fitted.columns[0].centre == 14.5 and fitted.columns[1].words == ["a", "b", "c"]
    np.testing.assert_array_equal(after.test.inputs["x"][:, 1], 1.0)


def test_numbers_by_each_scale(tmp_path):
    for scale, first in (("standard", (0 - 1.5) / np.sqrt(1.25)), ("minmax", 0.0), ("none", 0.0)):
        data = made(tmp_path, "n,t\n0,1\n1,2\n2,3\n3,4\n", {"t": "number"}, features={"x": {"scale": scale}}, target="t")
        assert data.train.inputs["x"][0, 0] == pytest.approx(first)


@pytest.mark.parametrize(("policy", "filled"), [("mean", 2.0), ("median", 1.0), ("most_frequent", 1.0), ("constant", 9.0)])
def test_missing_numbers(tmp_path, policy, filled):
    more = {"constant": 9.0} if policy == "constant" else {}
    data = made(tmp_path, "n,t\n1,1\n1,2\n?,3\n4,4\n", {"t": "number"}, features={"x": {"scale": "none", "missing": policy, **more}}, target="t")
    assert data.train.inputs["x"].ravel().tolist() == [1, 1, filled, 4]


def test_missing_is_an_error_by_default_and_drop_leaves_rows_out(tmp_path):
    text = "n,t\n1,1\n?,2\n3,3\n"
    with pytest.raises(LayerctlError, match=r"t.csv:3:1: error: column 'n': a value is missing \[data-missing\]"):
        made(tmp_path, text, {"t": "number"}, features={"x": {}}, target="t")
    data = made(tmp_path, text, {"t": "number"}, features={"x": {"missing": "drop"}}, target="t")
    assert data.train.targets["t"].ravel().tolist() == [1, 3]


def test_categories_have_a_bucket_for_the_unseen(tmp_path):
    text = "c,t\nred,1\nblue,2\nred,3\n"
    one_hot = made(tmp_path, text, {"t": "number"}, features={"x": {"kind": "category"}}, target="t")
    assert one_hot.train.inputs["x"].tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1]]
    index = made(tmp_path, text, {"t": "number"}, features={"x": {"kind": "category", "encode": "index"}}, target="t")
    assert index.train.inputs["x"].tolist() == [2, 1, 2] and index.schema.variables()["x"]["size"] == 3
    (tmp_path / "new.csv").write_text("c,t\ngreen,1\nblue,1\n")
    spec = DataSpec(source="t.csv", features={"x": {"kind": "category"}}, target="t")
    assert load_for_evaluation(str(tmp_path / "new.csv"), one_hot.schema, spec).inputs["x"].tolist() == [[1, 0, 0], [0, 1, 0]]


def test_texts_are_words_by_frequency(tmp_path):
    text = "m,t\nGo go now!,1\ngo home now please ok,2\n"
    data = made(tmp_path, text, {"t": "number"}, features={"x": {"kind": "text", "length": 4}}, target="t")
    words = data.schema.features["x"].columns[0].words
    assert words[:2] == ["go", "now"]
    assert data.train.inputs["x"][0].tolist() == [2, 2, 3, 2 + words.index("!")]


def test_windows_of_a_series(tmp_path):
    text = "day,v\n" + "".join(f"{i},{i * 10}\n" for i in range(12))
    section = {"features": {"x": {"kind": "window", "columns": ["v"], "window": {"length": 3, "horizon": 2}, "scale": "none"}},
               "target": "v", "split": {"test": 0.25}}  # fmt: skip
    data = made(tmp_path, text, {"v": "number"}, **section)
    assert data.train.inputs["x"].shape == (6, 3, 1)
    assert data.train.inputs["x"][0].ravel().tolist() == [0, 10, 20] and data.train.targets["v"][0] == 40
    assert data.test.targets["v"].ravel().tolist() == [100, 110]


def test_targets_of_text_become_indices_and_endings_may_be_stripped(tmp_path):
    data = made(tmp_path, "n,t\n1,no\n2,yes.\n3,no.\n", features={"x": {"columns": ["n"]}}, target={"column": "t", "strip_suffix": "."})
    assert data.train.targets["t"].tolist() == [0, 1, 0] and data.schema.classes() == ["no", "yes"]


@pytest.mark.parametrize(("more", "classes"), [
    ({}, ["No", "yes"]), ({"classes": ["NO", "Yes"]}, ["NO", "Yes"]), ({"kind": "category"}, ["No", "yes"]),
])  # fmt: skip
def test_classes_whose_capital_letters_do_not_count(tmp_path, more, classes):
    """The most frequent spelling, or the one that is listed, is the class; rows to judge may have others that training never saw."""
    rows = "n,t\n1,No\n2,YES\n3,yes\n4,no \n5,No\n6,yes\n"
    section = {"features": {"x": {"columns": ["n"]}}, "target": {"column": "t", "ignore_case": True, **more}}
    data = made(tmp_path, rows, **section)
    assert data.schema.classes() == classes and data.train.targets["t"].tolist() == [0, 1, 1, 0, 0, 1] and data.schema.targets["t"].counts == [3, 3]
    schema = FeatureSchema.from_dict(data.schema.to_dict())
    (tmp_path / "new.csv").write_text("n,t\n1,yeS\n2,nO\n")
    spec = DataSpec(source="t.csv", **section)
    assert load_for_evaluation(str(tmp_path / "new.csv"), schema, spec).targets["t"].tolist() == [1, 0]
    with pytest.raises(LayerctlError, match="the classes 'No' and 'no' differ in capital letters or blanks only"):
        made(tmp_path, rows, **{**section, "target": "t"})


def test_a_class_that_training_did_not_have(tmp_path):
    data = made(tmp_path, "n,t\n1,no\n2,yes\n", features={"x": {"columns": ["n"]}}, target="t")
    (tmp_path / "new.csv").write_text("n,t\n1,perhaps\n")
    with pytest.raises(LayerctlError, match=r"new.csv:2:2: error: column 't': 'perhaps' is no class of the training data"):
        load_for_evaluation(str(tmp_path / "new.csv"), data.schema, DataSpec(source="t.csv", features={"x": {"columns": ["n"]}}, target="t"))


def test_schemas_travel_as_plain_data_and_hostile_ones_are_refused(tmp_path):
    schema = made(tmp_path, ROWS, {"t": "category"}, features={"x": {}}, target="t").schema
    plain = schema.to_dict()
    assert FeatureSchema.from_dict(plain) == schema
    for damage in ({"features": 3}, {**plain, "features": {"x": {**plain["features"]["x"], "kind": "code"}}},
                   {**plain, "features": {"x": {**plain["features"]["x"], "shape": [1 << 40]}}}, {**plain, "targets": {"t": {"column": 3}}},
                   *({**plain, "targets": {"t": {**plain["targets"]["t"], "units": units}}} for units in ("h", {"h": "m"}))):  # fmt: skip
        with pytest.raises(LayerctlError, match="bad-features"):
            FeatureSchema.from_dict(damage)


def test_the_schema_is_cached_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("LAYERCTL_CACHE", str(tmp_path / "cache"))
    spec = DataSpec(source="t.csv", features={"x": {}}, target="t")
    (tmp_path / "t.csv").write_text(ROWS)
    first = schema_of(spec, 0, lambda *p: None, tmp_path, {})
    assert list((tmp_path / "cache" / "schemas").iterdir())
    assert schema_of(spec, 0, lambda *p: None, tmp_path, {}) == first
    (tmp_path / "t.csv").write_text(ROWS.replace("39,a", "99,a"))
    assert schema_of(spec, 0, lambda *p: None, tmp_path, {}) != first


def test_every_row_is_in_one_part():
    labels = np.arange(101) % 3
    for spec in (SplitSpec(validation=0.2, test=0.1), SplitSpec(validation=0.2, test=0.1, stratify=True), SplitSpec(test=0.3, by="time")):
        parts = splits.split(101, spec, 7, labels, None, lambda p: None)
        assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(101))
        again = splits.split(101, spec, 7, labels, None, lambda p: None)
        assert all((parts[p] == again[p]).all() for p in parts)
    stratified = splits.split(99, SplitSpec(test=1 / 3, stratify=True), 7, labels[:99], None, lambda p: None)
    assert np.bincount(labels[stratified["test"]]).tolist() == [11, 11, 11]
    assert sorted(np.concatenate(splits.folds(20, 3, 1, labels[:20])).tolist()) == list(range(20))
    with pytest.raises(LayerctlError, match="leaves no row for test"):
        splits.split(4, SplitSpec(test=0.1), 0, None, None, lambda p: None)
