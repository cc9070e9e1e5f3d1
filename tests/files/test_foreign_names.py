"""Names from elsewhere: what the table answers exists here, and what users write is answered."""

import subprocess
import sys

import pytest

from layerctl.catalogue import CATALOGUES, catalogue
from layerctl.diagnostics import LayerctlError, Problems, Source, Span
from layerctl.source.read import loads
from layerctl.spec.construct import construct, entry
from layerctl.spec.data import DataSpec, FeatureSpec
from layerctl.spec.file import SECTIONS, FitSpec, read_spec
from layerctl.spec.foreign import code_here
from layerctl.spec.foreign_names import ABSENT, ARGUMENTS, NAMES, NEEDLESS, NOTES
from layerctl.spec.foreign_names import SECTIONS as OTHER_SECTIONS
from layerctl.spec.targets import TargetSpec

CLASSES = [catalogue(kind).get(name) for kind in CATALOGUES for name in catalogue(kind).entries]


def said(kind, text):
    problems = Problems()
    assert entry(kind, loads(text).root, problems) is None
    return [(d.message, d.hint) for d in problems.found]


def test_every_answer_is_a_name_here_and_no_question_is():
    for kind, table in NAMES.items():
        for other, here in table.items():
            assert other not in catalogue(kind).names, (kind, other)
            problems = Problems()
            entry(kind, loads(here if here.startswith("{") or ":" not in here else f"{{{here}}}").root, problems)
            wrong = [d for d in problems.found if d.code != "missing-argument" and here not in ("accuracy", "crossentropy")]
            assert not wrong, (kind, other, here, wrong)
    assert not any(name in catalogue(kind).names for name in ABSENT for kind in ("layers", "optimizers", "schedules"))


def test_every_argument_that_is_named_exists_somewhere():
    known = {f for cls in (*CLASSES, FitSpec, DataSpec, FeatureSpec, TargetSpec) for f in cls.model_fields} | {"validation", "test"}
    missing = {t for targets in ARGUMENTS.values() for t in targets} - known
    assert not missing
    assert all(text for text in (*NEEDLESS.values(), *NOTES.values()))
    assert all(there.split(":")[0] in SECTIONS or there.startswith("`--threads`") for there in OTHER_SECTIONS.values())


@pytest.mark.parametrize(("kind", "text", "message", "hint"), [
    ("layers", "Linear: 3", "Linear is Dense here", None), ("layers", "nn.Linear: 3", "nn.Linear is Dense here", None),
    ("layers", "BatchNorm2d", "BatchNorm2d is BatchNormalization here", None),
    ("layers", "CuDNNLSTM: 3", "CuDNNLSTM is LSTM here", "the fast way"),
    ("layers", "tf.keras.layers.Dense: 3", "is Dense here, without 'tf.keras.layers.'", None),
    ("layers", "Sequential: []", "there is no Sequential here", "the list below"),
    ("layers", "Conv2D: {in_channels: 3, filters: 4, kernel_size: 3}", "Conv2D has no argument 'in_channels'", "it is not needed: the size of the input"),
    ("layers", "Dense: {units: 3, input_shape: [4]}", "no argument 'input_shape'", "it is not needed"),
    ("layers", "Dense: {units: 3, input_dim: 4}", "'input_dim'", "not needed"),
    ("layers", "Dense: {output_dim: 3}", "it is 'units' here", None), ("layers", "LayerNormalization: {eps: 1e-3}", "it is 'epsilon' here", None),
    ("layers", "Conv1D: {nb_filter: 3, kernel_size: 3}", "it is 'filters' here", None),
    ("layers", "Dense: {units: 3, weight_decay: 1}", "'kernel_regularizer' here", "L2"),
    ("layers", "Dense: {units: 3, kernel_regularizer: l2(0.01)}", "'l2(0.01)' is code", "write `{l2: 0.01}`"),
    ("layers", "'Dense(3, activation=\"relu\")'", "is code", "`Dense: {units: 3, activation: relu}`"),
    ("layers", "Dense: {units: 3, activation: nn.ReLU()}", "'nn.ReLU()' is code", "write `relu`"),
    ("layers", "'Dense:3'", "expected a space after ':'", "`Dense: 3`"),
    ("layers", "Dropout: {p: 0.5}", "it is 'rate' here", None), ("layers", "LSTM: {units: 3, num_layers: 2}", "no argument 'num_layers'", "repeat: 2"),
    ("losses", "CrossEntropyLoss", "CrossEntropyLoss is {SparseCategoricalCrossentropy: {from_logits: true}} here", "class indices"),
    ("optimizers", "Adam: {lr: 0.1}", "it is 'learning_rate' here", None), ("optimizers", "'Adam(lr=0.1)'", "is code", "`{Adam: 0.1}`"),
    ("optimizers", "torch.optim.AdamW", "AdamW here", None),
    ("optimizers", "SGD: {momentum: 0.9, decay: 0.1}", "no argument 'decay'", "InverseTimeDecay"),
    ("optimizers", "Adam: {betas: [0.9, 0.9]}", "it is 'beta_1' here", "beta_2"),
    ("activations", "“relu”", "typographic quotes", "write `relu`"), ("initializers", "xavier_uniform", "glorot_uniform here", None),
    ("metrics", "f1", "f1 is f1_score here", None),
])  # fmt: skip
def test_what_users_write_is_answered(kind, text, message, hint):
    found = said(kind, text)
    assert len(found) == 1 and message in found[0][0], found
    assert (hint is None and not (found[0][1] or "").startswith("its arguments")) or hint in found[0][1], found


@pytest.mark.parametrize(("text", "hint"), [
    ("nb_epoch: 3", "it is 'epochs' here"), ("validation_split: 0.1", "data: {split: {validation: 0.1}}"), ("verbose: 1", "--quiet"),
    ("lr: 0.1", "optimizer's"),
    ("early_stopping: true", "EarlyStopping"),
])  # fmt: skip
def test_arguments_of_fit(text, hint):
    problems = Problems()
    construct(FitSpec, loads(text).root, Span(Source("fit")), problems, "fit")
    (found,) = problems.found
    assert hint in found.message or hint in found.hint


@pytest.mark.parametrize(("key", "there"), [("epochs", "fit: {epochs: …}"), ("optimizer", "compile: {optimizer: …}"),
("layers", "model: {layers: …}"), ("dataset", "data: {source: …}")])
def test_sections_of_others(key, there):
    with pytest.raises(LayerctlError) as caught:
        read_spec(loads(f"layerctl: 1\nmodel: [Flatten]\n{key}: 3\n"))
    assert [d.hint for d in caught.value.diagnostics] == [f"write it as `{there}`"]


@pytest.mark.parametrize("text", [
    "l2(" + "(" * 250 + ")", "l2(__import__('os'))", "l2(x for x in y)", "l2(**a)", "l2(lambda: 1)", "l2('" + "a" * 200 + "')", "l2(1, 2, 3, 4)",
])  # fmt: skip
def test_code_is_never_run_and_never_breaks_the_answer(text):
    found = code_here("regularizers", text)
    assert found is not None and "is code" in found[0] and len(found[0]) < 120


def test_code_that_is_long_is_no_answer_but_an_ordinary_message():
    assert code_here("regularizers", "l2(" + "1" * 400 + ")") is None
    assert said("regularizers", "'l2(" + "1" * 400 + ")'")[0][0].startswith("there is no regularizer")


def test_names_cost_nothing_at_start_up():
    code = "import sys; import layerctl.cli.main; print('layerctl.spec.foreign_names' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout.strip() == "False"
