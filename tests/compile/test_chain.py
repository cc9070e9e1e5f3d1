"""Chains: share by share gives the bits that one node after the other gives, in whatever order and interleaving the shares run."""

import ctypes
import random

import numpy as np
import pytest

import layerctl
from layerctl.compile import pipeline
from layerctl.kernels.words import CHAIN

PLAIN = """layerctl: 1
model:
  - Input: {shape: [28, 28, 3]}
  - Conv2D: {filters: 24, kernel_size: 3, activation: relu}
  - MaxPooling2D: 2
  - DepthwiseConv2D: {kernel_size: 3, padding: same, activation: tanh}
  - Conv2D: {filters: 40, kernel_size: 3, strides: 2, padding: same, activation: relu}
  - Flatten
  - Dense: {units: 7, activation: softmax}
"""
RESIDUAL = """layerctl: 1
model:
  - Input: {shape: [16, 16, 8]}
  - Conv2D: {filters: 32, kernel_size: 3, padding: same}
  - BatchNormalization
  - Activation: relu
    name: c
  - Conv2D: {filters: 32, kernel_size: 3, padding: same}
  - BatchNormalization:
    name: e
  - Add:
    from: [e, c]
  - Conv2D: {filters: 32, kernel_size: 3, strides: 2, padding: same, activation: relu}
    name: g
  - Conv2D: {filters: 32, kernel_size: 1, activation: sigmoid}
    name: h
  - Multiply:
    from: [g, h]
  - GlobalAveragePooling2D
  - Dense: 5
"""
TOKENS = """layerctl: 1
model:
  - Input: {shape: [128, 32]}
  - Dense: {units: 64, activation: gelu}
  - LayerNormalization
  - Dense: {units: 96, activation: relu}
  - Dense: 32
  - Softmax
"""
CASES = {"plain": (PLAIN, (28, 28, 3)), "residual": (RESIDUAL, (16, 16, 8)), "tokens": (TOKENS, (128, 32))}
ROWS, BATCH = 128, 64


def made(name, threads=1, train=False):
    """A model with its rows; `train` for one that can learn from them."""
    text, shape = CASES[name]
    rows = np.random.default_rng(5).standard_normal((ROWS, *shape), dtype=np.float32)
    if train:
        text += f"compile: {{optimizer: sgd, loss: mse}}\nfit: {{batch_size: {BATCH}, epochs: 1, shuffle: false}}\n"
    return layerctl.Model.from_yaml(text, seed=3, threads=threads), rows


def predicted(name, threads):
    model, rows = made(name, threads)
    with model:
        return model.predict(rows, batch_size=BATCH), model.session().predictions()[0][2].program


@pytest.fixture
def unchained(monkeypatch):
    """Has programs compiled without chains."""
    return lambda: monkeypatch.setattr(pipeline, "chains", lambda planner, calls: [])


@pytest.mark.parametrize("name", CASES)
def test_the_bits_are_those_of_one_node_after_the_other(name, unchained):
    chained = [predicted(name, threads) for threads in (1, 2)]
    assert all(max(p.chain for p in program.calls) >= 3 for _, program in chained)
    unchained()
    plain, program = predicted(name, 1)
    assert max(p.chain for p in program.calls) == 1
    for found, _ in chained:
        assert found.tobytes() == plain.tobytes()


@pytest.mark.parametrize("name", CASES)
def test_training_has_the_same_bits_too(name, unchained):
    def trained(threads):
        model, rows = made(name, threads, train=True)
        with model:
            shape = model.output_shapes["output"][1:] if "output" in model.output_shapes else next(iter(model.output_shapes.values()))[1:]
            targets = np.random.default_rng(6).standard_normal((ROWS, *map(int, shape)), dtype=np.float32)
            model.fit(rows, targets)
            return {n: w.tobytes() for n, w in model.weights.items()}

    chained = [trained(threads) for threads in (1, 2)]
    unchained()
    assert chained == [trained(1)] * 2


def run_in_any_order(instructions, seed):
    """Runs a list of instructions; in a chain the next step is that of a share drawn by lot, so that shares are at different instructions."""
    draw, at = random.Random(seed), 0
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)
    while at < len(instructions):
        length, shares = max(1, int(instructions[at][3]) // CHAIN), int(instructions[at][2])
        steps = [share for share in range(shares if length > 1 else 1) for _ in range(length)]
        draw.shuffle(steps)
        done = dict.fromkeys(steps, 0)
        for share in steps:
            kernel, block = (int(v) for v in instructions[at + done[share]][:2])
            kind(kernel)(share, shares if length > 1 else 1, block)
            done[share] += 1
        at += length


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_shares_do_not_meet_in_memory(name, seed):
    model, rows = made(name)
    with model:
        expected = model.predict(rows, batch_size=BATCH)
        session = model.session()
        bound = session.predictions()[0][2]
        session.put(session.task.cursor, 0)
        result = next(a for n, a in bound.external.items() if n.startswith("result:"))
        kept = result.copy()
        result[...] = np.nan
        for _ in range(ROWS // BATCH):
            run_in_any_order(bound.instructions, seed)
        assert result.tobytes() == kept.tobytes() == expected.tobytes()


def test_memory_of_a_deep_model_does_not_grow_with_its_depth():
    def arena(depth):
        layers = "".join("  - Conv2D: {filters: 16, kernel_size: 3, padding: same, activation: relu}\n" for _ in range(depth))
        model = layerctl.Model.from_yaml(f"layerctl: 1\nmodel:\n  - Input: {{shape: [32, 32, 16]}}\n{layers}  - GlobalAveragePooling2D\n", seed=1, threads=1)
        with model:
            model.predict(np.zeros((64, 32, 32, 16), np.float32), batch_size=64)
            program = model.session().predictions()[0][2].program
            assert max(p.chain for p in program.calls) > depth
            return program.arena_size

    packed = 16 * 64 * 9 * 4
    assert arena(12) - arena(4) < 8 * 2 * packed
