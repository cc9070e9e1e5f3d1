"""Checkpoints whose state is not what a training writes: refused with the value's name, whole as the file is."""

import numpy as np
import pytest

from layerctl.callbacks.stopping import EarlyStopping
from layerctl.diagnostics import LayerctlError
from layerctl.modelfile.checkpoint import Checkpoint
from layerctl.training.kept import kept_in

GOOD = {
    "epoch": 2, "within": False, "history": [{"epoch": 1, "loss": float("inf")}], "elapsed": 0.5, "data": "x", "seed": 0, "batch_size": 32,
    "callbacks": [{"kind": "EarlyStopping", "state": {"wait": 1, "weights": {"tensors": ["dense/kernel"]}}}],
}  # fmt: skip
TENSORS = {"callback/0/weights/dense/kernel": np.ones(3, np.float32)}


def kept(**changes):
    state = {k: v for k, v in {**GOOD, **changes}.items() if v != "gone"}
    return kept_in(Checkpoint(7, TENSORS, state, None, "checkpoint-7.safetensors", ()), "callback/")


def test_what_a_training_writes_is_taken():
    found = kept()
    assert (found.epoch, found.history[0]["loss"]) == (2, float("inf"))
    assert found.callbacks[0].state["weights"]["dense/kernel"] is TENSORS["callback/0/weights/dense/kernel"]


@pytest.mark.parametrize(("changes", "named"), [
    ({"elapsed": "gone"}, "layerctl.state.elapsed is missing"),
    ({"epoch": -1}, "layerctl.state.epoch is -1"),
    ({"epoch": "2"}, "layerctl.state.epoch is '2'"),
    ({"history": 10.0}, "layerctl.state.history is 10.0"),
    ({"history": ["x" * 1000]}, "layerctl.state.history.0 is 'xxx"),
    ({"callbacks": [{"kind": "EarlyStopping"}]}, "layerctl.state.callbacks.0.state is missing"),
    ({"callbacks": [{"kind": "EarlyStopping", "state": {"weights": {"tensors": ["other"]}}}]}, "layerctl.state.callbacks is 'other'"),
    ({"callbacks": [{"kind": "EarlyStopping", "state": {"weights": {"tensors": 5}}}]}, "layerctl.state.callbacks is None"),
])  # fmt: skip
def test_anything_else_is_refused_by_name(changes, named):
    with pytest.raises(LayerctlError) as caught:
        kept(**changes)
    (found,) = caught.value.diagnostics
    assert found.code == "bad-metadata" and named in found.message and len(found.message) < 300 and found.span.source.name == "checkpoint-7.safetensors"


def test_a_callback_takes_its_own_kinds_of_values_alone():
    stop = EarlyStopping()
    stop.load_state({"wait": 2, "best": 0.5, "weights": {"dense/kernel": np.ones(3)}})
    for wrong in ({"wait": ["a"]}, {"best": "low"}, {"weights": 3}):
        with pytest.raises(ValueError, match=f"EarlyStopping keeps no .* as '{next(iter(wrong))}'"):
            stop.load_state(wrong)
