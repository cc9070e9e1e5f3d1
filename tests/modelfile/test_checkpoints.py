import errno
import math
import os

import numpy as np
import pytest
from faults import Faults, in_child
from test_modelfile import MODEL
from test_tensorfile import refused, same

from layerctl.diagnostics import LayerctlError
from layerctl.modelfile import tensors
from layerctl.modelfile.artifact import read_model
from layerctl.modelfile.checkpoint import CheckpointStore
from layerctl.temporary import PREFIX

STATE = {"epoch": 3, "best": math.inf, "lr": np.float32(0.5), "seed": 2**64 - 1, "counters": {"patience": (1, 2)}}


def arrays(step):
    return {"optimizer/m": np.full(3000, step, "f4"), "best/dense/kernel": np.full((2, 3), step, "f4")}


def names(folder):
    return sorted(os.listdir(folder))


def damage(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 4
    path.write_bytes(data)


def test_round_trip(tmp_path):
    store = CheckpointStore(tmp_path)
    assert store.latest() is None
    assert CheckpointStore(tmp_path / "missing").latest() is None
    assert store.save(7, arrays(7), STATE, MODEL) is None
    found = store.latest()
    assert found.step == 7 and found.warnings == ()
    assert found.state == {"epoch": 3, "best": math.inf, "lr": 0.5, "seed": 2**64 - 1, "counters": {"patience": [1, 2]}}
    same(found.tensors, arrays(7))
    same(found.model.tensors, MODEL.tensors)
    model = read_model(found.path)
    same(model.tensors, MODEL.tensors)
    assert model.yaml == MODEL.yaml
    store.save(8, arrays(8), {})
    assert store.latest().model is None
    with pytest.raises(ValueError, match="both have"):
        store.save(9, {"dense/bias": np.zeros(1)}, {}, MODEL)
    with pytest.raises(TypeError):
        store.save(9, {}, {"a": np.zeros(3)})


def test_the_last_few_are_kept_in_order_of_steps(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in (8, 9, 10, 11):
        store.save(step, arrays(step), {})
        os.utime(store.path(step), (1000 - step,) * 2)  # the clock runs backwards
        assert store.latest().step == step
    assert names(tmp_path) == ["checkpoint-10.safetensors", "checkpoint-11.safetensors"]
    os.rename(store.path(11), store.path(3))
    assert store.latest().step == 11
    with pytest.raises(ValueError):
        CheckpointStore(tmp_path, keep=0)


def test_a_damaged_one_gives_way(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in (100, 200):
        store.save(step, arrays(step), {})
    damage(tmp_path / "checkpoint-200.safetensors")
    store = CheckpointStore(tmp_path, keep=2)
    found = store.latest()
    assert found.step == 100
    (warning,) = found.warnings
    assert (warning.code, warning.severity) == ("checkpoint-damaged", "warning")
    assert "checkpoint-200" in warning.message
    store.save(150, arrays(150), {})
    assert names(tmp_path) == ["checkpoint-100.safetensors", "checkpoint-150.safetensors"]
    damage(tmp_path / "checkpoint-150.safetensors")
    store.latest()
    store.save(175, arrays(175), {})  # the damaged one does not count as kept
    assert names(tmp_path) == ["checkpoint-100.safetensors", "checkpoint-175.safetensors"]


def test_steps_of_an_abandoned_training_go(tmp_path):
    store = CheckpointStore(tmp_path)
    for step in (500, 600, 10):
        store.save(step, arrays(step), {})
    assert store.latest().step == 10
    assert names(tmp_path) == ["checkpoint-10.safetensors"]


def test_all_damaged(tmp_path):
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        store.save(step, arrays(step), {})
        (tmp_path / f"checkpoint-{step}.safetensors").write_bytes(b"")
    with pytest.raises(LayerctlError) as caught:
        store.latest()
    (found,) = caught.value.diagnostics
    assert found.code == "no-usable-checkpoint" and len(found.notes) == 2 and found.hint


def test_a_newer_format_is_no_damage(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(1, arrays(1), {})
    tensors.save(store.path(2), {}, {"layerctl.format": "2", "layerctl.version": "9", "layerctl.step": "2"})
    assert refused(store.latest) == "newer-format"


@pytest.mark.parametrize("bad", [{"layerctl.step": "-1"}, {"layerctl.step": "9" * 30}, {"layerctl.state": "[]"},
                                 {"layerctl.state": "[" * 5000}, {"layerctl.format": ""}])
def test_hostile_state(tmp_path, bad):
    store = CheckpointStore(tmp_path)
    good = {"layerctl.format": "1", "layerctl.version": "1", "layerctl.step": "2", "layerctl.state": "{}"}
    store.save(1, arrays(1), {})
    tensors.save(store.path(2), {}, good | bad)
    assert store.latest().step == 1
    assert store.latest().warnings


@pytest.mark.parametrize("what", ["kill", "torn"])
def test_killed_at_any_call(tmp_path, monkeypatch, what):
    seen = set()
    for at in range(1, 40):
        folder = tmp_path / str(at)
        folder.mkdir()
        store = CheckpointStore(folder, keep=1)
        store.save(1, arrays(1), {"epoch": 1})

        def action(at=at, store=store):
            Faults(monkeypatch, at, what)
            store.save(2, arrays(2), {"epoch": 2})

        status = in_child(action)
        found = CheckpointStore(folder).latest()
        assert found.step in (1, 2) and found.state == {"epoch": found.step} and not found.warnings
        same(found.tensors, arrays(found.step))
        assert not [n for n in names(folder) if n.startswith(PREFIX)]
        seen.add(found.step)
        if status == 0:
            break
    else:
        pytest.fail("the sweep never came to its end")
    assert seen == {1, 2}
    assert names(folder) == ["checkpoint-2.safetensors"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_any_call_fails(tmp_path, number):
    for at in range(1, 40):
        folder = tmp_path / str(at)
        folder.mkdir()
        store = CheckpointStore(folder, keep=1)
        store.save(1, arrays(1), {})
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, at, number)
            try:
                warning = store.save(2, arrays(2), {})
                step = 2
            except LayerctlError as error:
                assert error.diagnostics[0].code == "cannot-write"
                warning, step = None, 1
        assert store.latest().step == step
        if warning:  # the new one may yet be lost: the old one stays
            assert warning.code == "durability-unknown" and len(names(folder)) == 2
        if len(faults.log) < at:
            return
    pytest.fail("the sweep never came to its end")
