"""Gradients of tables: only the rows that the last step filled are cleared, and nothing else comes out."""

import numpy as np
import pytest

from layerctl.api import Model
from layerctl.ops import gather

TEXT = """
layerctl: 1
name: sparse
seed: 3
model:
  - Input: {shape: [6], dtype: int32}
  - Embedding: {input_dim: 500, output_dim: 8}
  - GlobalAveragePooling1D
  - Dense: 3
compile: {optimizer: OPTIMIZER, loss: mse}
fit: {epochs: 3, batch_size: 16}
"""


@pytest.mark.parametrize("optimizer", ["adam", "{SGD: {learning_rate: 0.1, momentum: 0.9}}", "{Adam: {clipnorm: 0.01}}"])
def test_weights_are_those_of_whole_tables_of_zeros(monkeypatch, optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 500, (100, 6)).astype(np.int32), rng.standard_normal((100, 3)).astype(np.float32)
    found = []
    for known in (True, False):
        if not known:
            monkeypatch.setattr(gather, "placed", lambda value: False)
        model = Model.from_yaml(TEXT.replace("OPTIMIZER", optimizer))
        model.fit(x, y)
        found.append([w.tobytes() for w in model.weights.values()])
    assert found[0] == found[1]


def test_only_few_rows_are_cleared():
    model = Model.from_yaml(TEXT.replace("OPTIMIZER", "adam"))
    lines = [line for line in model.show("program").splitlines() if "gather." in line]
    assert any("gather.remember" in line for line in lines)
