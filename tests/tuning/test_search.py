"""Ranges in a file: which mappings are ranges, what they become, what is wrong in them."""

import pytest

from layerctl.diagnostics import LayerctlError
from layerctl.source.read import loads
from layerctl.spec.search import Choices, Range, filled, searches, settled, short_names


def of(text):
    return searches(loads(f"model:\n  - Dense:\n      units: {text}\n"))


@pytest.mark.parametrize(("text", "over"), [
    ("{search: [16, 256], scale: log}", Range(16, 256, log=True)),
    ("{search: [16, 256], step: 16}", Range(16, 256, step=16)),
    ("{search: [0, 0.5]}", Range(0.0, 0.5)),
    ("{search: [1e-4, 0.1], scale: log}", Range(1e-4, 0.1, log=True)),
    ("{search: [0.0, 0.5], step: 0.25, default: 0.25}", Range(0.0, 0.5, step=0.25)),
])  # fmt: skip
def test_ranges_are_read_as_they_are_written(text, over):
    (found,) = of(text)
    assert found.over == over and found.name == "model.0.Dense.units" and found.over.whole == isinstance(over.low, int)


@pytest.mark.parametrize(("text", "message"), [
    ("{search: 16}", "must be two numbers"),
    ("{search: [1, 2, 3]}", "must be two numbers"),
    ("{search: [1, true]}", "must be two numbers"),
    ("{search: [1, .inf]}", "must be two numbers"),
    ("{search: [32, 16]}", "not above its start"),
    ("{search: [0, 1], scale: log}", "must start above 0"),
    ("{search: [1, 8], scale: lgo}", "did you mean 'log'"),
    ("{search: [1, 8], step: 0.5}", "a whole number above 0"),
    ("{search: [1, 8], step: 9}", "at most 7"),
    ("{search: [1, 8], step: 2, scale: log}", "do not go together"),
    ("{search: [1, 8], step: 2, default: 2}", "not in the range"),
    ("{search: [1, 8], default: 2.0}", "not in the range"),
    ("{search: [1, 8], defualt: 2}", "did you mean 'default'"),
    ("{search: {choises: [1, 2]}}", "did you mean 'choices'"),
    ("{search: {choices: [1]}}", "at least two"),
    ("{search: {choices: [1, 1]}}", "a second time"),
    ("{search: {choices: [1, 2]}, scale: log}", "none beside choices"),
    ("{search: {choices: [relu, tanh]}, default: rleu}", "did you mean 'relu'"),
])  # fmt: skip
def test_mistakes_have_a_place_and_a_cure(text, message):
    with pytest.raises(LayerctlError) as caught:
        of(text)
    (found,) = caught.value.diagnostics
    assert message in found.message and found.span.line == 3 and found.hint


def test_a_name_of_the_users_own_may_be_search():
    text = """
data: {features: {search: {columns: [a]}, other: {columns: [search]}}, target: {search: {column: b}}}
define: {Find: {args: {search: 3}, call: x}}
model: {inputs: {search: {shape: [2]}}, layers: [{Find: {search: 4}}, {Add: null, from: {a: search, search: x}}]}
compile: {loss: {search: mse}, metrics: {search: [mae]}}
"""
    assert searches(loads(text)) == []


def test_items_go_by_their_names_and_choices_may_hold_ranges():
    document = loads("""
model:
  - search: {choices: [{Dense: {units: {search: [2, 8]}}}, {LSTM: 4}]}
  - {Dense: {units: 3}, name: head, trainable: {search: {choices: [true, false]}, default: true}}
""")
    found = {s.name: s.over for s in searches(document)}
    assert list(found) == ["model.0", "model.0.0.Dense.units", "model.head.trainable"]
    assert isinstance(found["model.0"], Choices) and found["model.0"].labels() == ["Dense", "LSTM"]
    asked = []

    def pick(search):
        asked.append(search.name)
        return 1

    assert filled(document, pick).plain()["model"] == [{"LSTM": 4}, {"Dense": {"units": 3}, "name": "head", "trainable": False}]
    assert asked == ["model.0", "model.head.trainable"]


def test_defaults_stand_for_ranges_and_every_other_is_an_error():
    text = "a:\n  b: {search: [1, 8], default: 2}\n  c: {search: {choices: [x, {y: 1}]}, default: {y: 1}}\n"
    assert settled(loads(text)).plain() == {"a": {"b": 2, "c": {"y": 1}}}
    with pytest.raises(LayerctlError) as caught:
        settled(loads(f"{text}  d: {{search: [1, 2]}}\n  e: {{search: [1, 2]}}\n", "m.yaml"))
    assert [d.code for d in caught.value.diagnostics] == ["search-without-default"] * 2
    assert "layerctl tune m.yaml" in caught.value.diagnostics[0].hint


def test_short_names_are_told_apart():
    assert short_names(["m.0.Dense.units", "m.1.Dense.units", "fit.epochs"]) == {
        "m.0.Dense.units": "0.Dense.units", "m.1.Dense.units": "1.Dense.units", "fit.epochs": "epochs"}  # fmt: skip
