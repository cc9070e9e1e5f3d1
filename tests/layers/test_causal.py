"""`causal` for the convolutions for which Keras 3 has no such padding: the same as zeros put before the sequence."""

import numpy as np
import pytest
from parity import Ours, close

from layerctl.catalogue import catalogue

X = np.random.default_rng(0).standard_normal((2, 9, 3)).astype(np.float32)


@pytest.mark.parametrize(("name", "more"), [
    ("DepthwiseConv1D", {"depth_multiplier": 2}), ("SeparableConv1D", {"filters": 4, "dilation_rate": 2}), ("Conv1D", {"filters": 4, "strides": 2}),
])  # fmt: skip
def test_causal(name, more):
    made = catalogue("layers").get(name)
    causal = Ours(made(kernel_size=3, padding="causal", **more), [X], [None], False, {})
    before = 2 * (more.get("dilation_rate", 1))
    padded = np.concatenate([np.zeros((2, before, 3), np.float32), X], 1)
    plain = Ours(made(kernel_size=3, **more), [padded], [None], False, {})
    close("result", causal.results[0], plain.results[0])
    close("input's gradient", causal.gradients[0], plain.gradients[0][:, before:])
    for a, b in zip(causal.gradients[1:], plain.gradients[1:], strict=True):
        close("weight's gradient", a, b)
