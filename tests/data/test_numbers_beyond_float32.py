"""Numbers that the model's float32 cannot hold are refused with their row, in columns of every kind; none becomes infinite in silence."""

import json

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.diagnostics import LayerctlError

MODEL = """layerctl: 1
name: m
data: {{source: {source}, features: {{x: {{columns: [x], kind: {kind}, scale: none{more}}}}}, target: {target}}}
model: [Flatten, {{Dense: 1}}]
compile: {{optimizer: adam, loss: mse}}
"""
COLUMNS = {
    "number": (["1", "2", "1e39", "4"], ""), "vector": (["1 2", "2 3", "0 -1e39", "1 1"], ""),
    "sequence": (["1 2", "2", "1 2 1e39", "1"], ", length: 3"), "array": ([[1, 2], [2, 3], [1, 1e39], [0, 0]], ""),
}  # fmt: skip


def refused(folder, source, target, kind, more=""):
    (folder / "m.yaml").write_text(MODEL.format(source=source, kind=kind, more=more, target=target))
    with pytest.raises(LayerctlError) as found, Model.from_yaml(folder / "m.yaml") as model:
        model.data  # noqa: B018
    (diagnostic,) = found.value.diagnostics
    assert diagnostic.code == "data-not-a-number" and "too large for a float32" in diagnostic.message and diagnostic.hint
    return diagnostic


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.filterwarnings("error")
def test_a_feature(tmp_path, kind):
    values, more = COLUMNS[kind]
    if kind == "array":
        np.savez(tmp_path / "rows.npz", x=np.array(values, np.float64), y=np.ones(4))
        assert "in row 3" in refused(tmp_path, "rows.npz", "y", kind, more).message
    else:
        (tmp_path / "rows.csv").write_text("x,y\n" + "".join(f"{v},1\n" for v in values))
        found = refused(tmp_path, "rows.csv", "y", kind, more)
        assert found.span.line == 4 and repr(values[2]) in found.message


@pytest.mark.filterwarnings("error")
def test_a_target(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"x": i, "y": v}) + "\n" for i, v in enumerate([1.5, 2.5, -1e39, 3.5])))
    assert refused(tmp_path, "rows.jsonl", "{column: y, kind: number, scale: none}", "number").span.line == 3
