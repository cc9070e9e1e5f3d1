"""Writing: the style, and that reading it again gives equal data."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.source.dump import dumps
from layerctl.source.read import loads

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["true", "null", "~", "", "1", "1e3", ".5", "0x1", "on", "a: b", "a #b", "- a", "${x}", "x @ w", "<<", "---", "...", "a:1", "?",
     "*a", "&a", "!t", "%x", "@x", "`", "'", '"', "\\", "a\nb", " a", "a ", "\t", "a,b", "[a]", "{a}", "\u2028", "\ufeff", "\xa0a",
     "builtin:iris", "f(x, axis=0)", "\x85", "\0", "=", "12:30", "a:", ":a", "x\r", "٣", ".inf", "-", "x" * 1500]
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers(-(10**29), 10**29) | st.floats(allow_nan=False) | texts
plains = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5), max_leaves=25
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(texts, plains, min_size=1, max_size=5) | st.lists(plains, min_size=1, max_size=5))
def test_what_is_written_is_read_again(plain):
    again = loads(dumps(plain)).plain()
    assert again == plain
    assert repr(again) == repr(plain)


def test_the_style_of_the_examples():
    text = """\
layerctl: 1
name: iris
data:
  source: iris.csv
  features:
    flower: {columns: [sepal_length, sepal_width, petal_length, petal_width], scale: standard}
  split: {validation: 0.15, test: 0.15, stratify: true}
model:
  - Dense: {units: 16, activation: relu}
  - Dropout: 0.2
    name: drop
  - Conv2D: {filters: "${filters}", kernel_size: [3, 3]}
compile:
  optimizer: {Adam: {learning_rate: 0.01}}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
fit:
  epochs: 100
  callbacks:
    - EarlyStopping: {monitor: val_loss, patience: 10}
"""
    assert dumps(loads(text).plain()) == text


def test_nan_and_what_cannot_be_written():
    assert math.isnan(loads(dumps({"a": math.nan})).plain()["a"])
    with pytest.raises(ValueError, match="30 digits"):
        dumps({"a": 10**30})
    with pytest.raises(TypeError, match="object is no plain data"):
        dumps({"a": object()})
    with pytest.raises(TypeError, match="a key is a int"):
        dumps({1: 2})
